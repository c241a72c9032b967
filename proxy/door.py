"""The base-URL door: takes our own prefixes off the path and keeps strangers out.

    /session/{id} /[http:|https:]host[:port] /v1/chat/completions ?query

Both prefixes are optional. What is left is the request as the provider would see it.
"""

from __future__ import annotations

import hmac
import ipaddress
import re
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote, urlsplit

from llm_simulator.errors import RequestError
from llm_simulator.proxy.framing import HOP_BY_HOP
from llm_simulator.types import Headers, RawRequest

OWN_PREFIX = "x-llm-simulator-"
RETRIES_HEADER = "x-stainless-retry-count"
"""How often an SDK has tried a call before (r of the determinism laws)."""
DOOR_HEADER = OWN_PREFIX + "door"
"""The HTTPS_PROXY door (proxy/forward.py) shows its token of this run here."""

_OF_THIS_CONNECTION = HOP_BY_HOP | {"host", "expect", "proxy-authorization"}
"""Between the client and us: never recorded, never passed on."""

_SESSION = re.compile(r"/session/([^/]+)(?=/|$)")
_HOST = re.compile(
    r"""/(?:(?P<scheme>https?)(?::|%3[Aa])/{0,2})?      # http:host and http://host alike
        (?P<host>\[[0-9A-Fa-f:.]+\]                     # IPv6
          |localhost
          |\d{1,3}(?:\.\d{1,3}){3}
          |[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\.[A-Za-z][A-Za-z0-9-]*
          |[A-Za-z0-9_-]+(?=(?::|%3[Aa])\d))            # a bare name counts as a host only with a port
        (?:(?::|%3[Aa])(?P<port>\d{1,5}))?(?=/|$)""",
    re.VERBOSE,
)
_NAMED_SCHEME = re.compile(r"/https?(?::|%3[Aa])", re.IGNORECASE)
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Visit:
    """What the client told us, not the provider: session, attempt (r), occurrence (k, None: count it), scenario.

    `base_url` is how it reaches the provider through us, without a slash at the end.
    """

    session: str = ""
    attempt: int = 0
    occurrence: int | None = None
    scenario: str = ""
    base_url: str = ""


def read_target(target: str) -> tuple[str, str, str, str, str]:
    """Splits a request target into (session, scheme, host, path, query); session and host are "" where not given.

    Raises:
        RequestError: the host segment is malformed (bad_host).
    """
    path, _, query = target.partition("?")
    session, scheme, host = "", "https", ""
    if found := _SESSION.match(path):
        session, path = unquote(found[1]), path[found.end() :] or "/"
    if found := _HOST.match(path):
        scheme = (found["scheme"] or "https").lower()
        host = _authority(scheme, found["host"], found["port"])
        path = path[found.end() :] or "/"
    elif _NAMED_SCHEME.match(path):
        raise RequestError("bad_host", f"{path[:80]!r} names a scheme but no host: use /[http:]host[:port]/path")
    return session, scheme, host, path, query


def _authority(scheme: str, host: str, port: str | None) -> str:
    host = host.lower()
    if port is None or int(port) == _DEFAULT_PORTS[scheme]:
        return host
    if int(port) > 65535:
        raise RequestError("bad_host", f"port {port} of host {host!r} is above 65535")
    return f"{host}:{int(port)}"


def read_headers(raw: tuple[tuple[bytes, bytes], ...]) -> tuple[Headers, dict[str, str]]:
    """What is meant for the provider, as sent, and our own headers (lower-case names without the prefix)."""
    theirs: list[tuple[str, str]] = []
    ours: dict[str, str] = {}
    for name_bytes, value_bytes in raw:
        name = name_bytes.decode("latin-1")
        value = value_bytes.decode("latin-1")
        lower = name.lower()
        if lower.startswith(OWN_PREFIX):
            ours[lower[len(OWN_PREFIX) :]] = value
        elif lower not in _OF_THIS_CONNECTION:
            theirs.append((name, value))
    return tuple(theirs), ours


def enter(
    method: str, target: str, raw_headers: tuple[tuple[bytes, bytes], ...], body: bytes
) -> tuple[RawRequest, Visit]:
    """One HTTP request as a `RawRequest` and a `Visit`.

    Raises:
        RequestError: the target or one of our own headers is malformed.
    """
    session, scheme, host, path, query = read_target(target)
    headers, ours = read_headers(raw_headers)
    raw = RawRequest(method, path, host, scheme, query, headers, body)
    attempt = next((value for name, value in headers if name.lower() == RETRIES_HEADER), "0")
    visit = Visit(
        session=session or ours.get("session", ""),
        attempt=int(attempt) if attempt.isdecimal() else 0,
        occurrence=_occurrence(ours.get("occurrence")),
        scenario=ours.get("scenario", ""),
        base_url=f"{scheme}://{host}" if "door" in ours else _base_url(target, path, raw_headers),
    )
    return raw, visit


def _base_url(target: str, path: str, raw_headers: tuple[tuple[bytes, bytes], ...]) -> str:
    """Ourselves as the client named us, with what it put before the provider's path."""
    host = next((value.decode("latin-1") for name, value in raw_headers if name.lower() == b"host"), "127.0.0.1")
    return f"http://{host}{target.partition('?')[0].removesuffix(path)}"


def _occurrence(value: str | None) -> int | None:
    if value is None:
        return None
    if not value.isdecimal() or len(value) > 18:
        raise RequestError("bad_header", f"{OWN_PREFIX}occurrence is {value[:40]!r}; a whole number from 0 is allowed")
    return int(value)


class Guard:
    """Keeps web pages of other origins and rebound host names away from a server that trusts its machine's users.

    `token` is the one that the HTTPS_PROXY door shows; "" where there is none.
    """

    def __init__(self, origins: frozenset[str], hosts: frozenset[str], loopback_only: bool, token: str = "") -> None:
        self._token = token.encode()
        self.origins = origins
        self.hosts = hosts
        self.loopback_only = loopback_only
        self._host_ok = lru_cache(maxsize=256)(self._check_host)

    def problem(self, host_header: str, origin: str) -> str:
        """Why the request is turned away, or ""."""
        if not self._host_ok(host_header):
            return (
                f"Host {host_header[:100]!r} is not served here (protection against DNS rebinding); "
                "allowed: loopback names, IP addresses and the configured hosts (--allow-host)"
            )
        if origin and not self.origin_ok(origin):
            return f"Origin {origin[:100]!r} is not allowed; add it with --allow-origin"
        return ""

    def door_problem(self, shown: str) -> str:
        """Why a request that shows a door's token is turned away, or ""."""
        if self._token and hmac.compare_digest(shown.encode("utf-8", "surrogateescape"), self._token):
            return ""
        return f"the token in {DOOR_HEADER} is not that of this run: another run's HTTPS_PROXY door is in use"

    def origin_ok(self, origin: str) -> bool:
        return origin in self.origins or "*" in self.origins

    def _check_host(self, value: str) -> bool:
        name = _host_name(value)
        if not name or name == "localhost" or name in self.hosts or value.lower() in self.hosts:
            return True
        if _is_address(name):
            return True
        # A name without a dot cannot be registered, so no web page is served under it (containers use such names).
        return not self.loopback_only and "." not in name


def _host_name(value: str) -> str:
    try:
        return (urlsplit(f"//{value}").hostname or "").lower()
    except ValueError:
        return value.lower()


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
