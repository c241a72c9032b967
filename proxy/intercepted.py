"""Which hosts the HTTPS_PROXY door intercepts: providers' and those that the user allowed. Pure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable

from llm_simulator.dialects.resolve import known_hosts

_ANY = "[a-z0-9][a-z0-9.-]*"
_MORE = "[a-z0-9.-]*"
_USUAL_PORTS = "(?:443|80)"


def patterns(allowed: Iterable[str] = ()) -> tuple[str, ...]:
    """Regular expressions that match `host:port` as a whole (not anchored; case does not matter).

    `allowed` are hosts `name[:port]` beside the known ones. Without a port, the usual ones (443 and 80) are meant.
    Loopback is never intercepted: nobody asks a proxy for it.
    """
    hosts, families = known_hosts()
    names = sorted(host for host in hosts | set(allowed) if not _is_loopback(_split(host)[0]))
    exact = [f"{re.escape(name)}:{port or _USUAL_PORTS}" for name, port in map(_split, names)]
    return (
        *exact,
        *(f"{re.escape(start) + _MORE if start else _ANY}{re.escape(end)}:{_USUAL_PORTS}" for start, end in families),
    )


def domains(allowed: Iterable[str] = ()) -> list[str]:
    """Domains and addresses that the authority may sign for: as narrow as whole DNS labels allow."""
    hosts, families = known_hosts()
    names = {_split(host)[0] for host in hosts | set(allowed)}
    ends = {end.partition(".")[2] for _, end in families}
    return sorted(name for name in names | ends if not _is_loopback(name))


def _split(host: str) -> tuple[str, str]:
    name, _, port = host.rpartition(":")
    plain, port = (name, port) if name and port.isdigit() else (host, "")
    return plain.strip("[]").lower(), port


def _is_loopback(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"
