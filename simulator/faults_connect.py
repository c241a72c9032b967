"""Faults of a connection: what the HTTPS_PROXY door can do before there is a request (proxy/forward.py does them).

The names are those of the catalogue's network faults. By base URL a client speaks plain HTTP to us: there they are none.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

KINDS: Mapping[str, str] = MappingProxyType(
    {
        "tls_untrusted_ca": "a certificate of an authority that nobody knows",
        "tls_hostname_mismatch": "a certificate for another host",
        "tls_expired_certificate": "a certificate that has expired",
        "tls_to_plaintext_port": "plain HTTP in answer to the handshake",
        "tls_handshake_stall": "a handshake that is never answered",
        "tls_closed_in_handshake": "closed during the handshake",
        "proxy_refused": "closed in answer to CONNECT: the nearest to a proxy that is down",
        "proxy_auth_required": "407 to CONNECT",
        "proxy_unavailable": "503 to CONNECT",
    }
)
ALIASES: Mapping[str, str] = MappingProxyType({"tls_failure": "tls_untrusted_ca"})


def find(what: str) -> str:
    """The kind of that name, as the catalogue has it or by its id there; "" for another fault."""
    name = (what.rpartition(".")[2] if what.startswith("network.") else what).replace("-", "_")
    name = ALIASES.get(name, name)
    return name if name in KINDS else ""
