"""Everything that touches a socket: doors, upstream client, wire, admin."""
