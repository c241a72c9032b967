"""Nothing leaves the machine unless the mode forwards: an audit hook refuses our own process every other connect.

An audit hook cannot be removed, so there is one, and a policy that it asks. It is evidence, not proof: `run --isolate`
(a network namespace with loopback only) is the proof.
"""

from __future__ import annotations

import ipaddress
import socket
import sys
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Policy:
    """Hosts that may be contacted beside loopback (stores and exporters of the configuration), and what was refused.

    `why` opens the message of a refusal. `addresses` are those that the names were found to have.
    """

    allowed: frozenset[str] = frozenset()
    addresses: set[str] = field(default_factory=lambda: set())
    why: str = "llm-simulator is offline in this mode"
    refused: Counter[str] = field(default_factory=lambda: Counter())


class EgressRefused(PermissionError):
    """A connect or a name look-up that would have left the machine."""


_policy: Policy | None = None
_installed = False


def confine(allowed: frozenset[str] = frozenset(), why: str = Policy().why) -> Policy:
    """From now on this process reaches loopback and the `allowed` host names only."""
    global _policy, _installed
    _policy = Policy(allowed, why=why)
    if not _installed:
        sys.addaudithook(_hook)
        _installed = True
    return _policy


def release() -> None:
    """Lifts the confinement (tests, and a server that is reconfigured to a forwarding mode)."""
    global _policy
    _policy = None


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    policy = _policy
    if policy is None or not event.startswith("socket."):
        return
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        address = arguments[1]
        host = address[0] if isinstance(address, tuple) else None  # a str or bytes address is a Unix socket
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        host = arguments[0]
    else:
        return
    if host is None or is_local(host) or _text(host) in policy.allowed or _is_of_one(_text(host), policy):
        return
    policy.refused[_text(host)] += 1
    raise EgressRefused(f"{policy.why}: refused to contact {_text(host)!r}")


def _is_of_one(address: str, policy: Policy) -> bool:
    """Whether it is an address of an allowed name, as a connect has it once the name was looked up."""
    if not policy.allowed or not is_address(address):
        return False
    if address not in policy.addresses:
        for name in policy.allowed:
            with suppress(OSError):
                policy.addresses.update(str(found[4][0]) for found in socket.getaddrinfo(name, None))
    return address in policy.addresses


def is_address(host: str) -> bool:
    """Whether it is an IP address, not a name."""
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _text(host: str | bytes) -> str:
    return host.decode("ascii", "replace") if isinstance(host, bytes) else host


def is_local(host: str | bytes) -> bool:
    """Whether an address or name can only mean this machine."""
    name = _text(host).partition("%")[0].lower()
    if name in ("", "localhost", "0.0.0.0", "::"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
