"""The seeded engine: decide, generate, time. Pure: no I/O, no clock, no global chance."""
