"""Sockets to listen on, and how many clients may be connected at once."""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import socket
from collections.abc import Callable

from aiohttp import web

from llm_simulator.config.settings import LOOPBACK_HOSTS
from llm_simulator.errors import ConfigError

log = logging.getLogger("llm_simulator.server")

LINGER_SECONDS = 2.0
"""How long a client that was turned away may take to read that."""
_ENOUGH = 10_000  # so many may be read their refusal at once; what is beyond that is cut off

_TURNED_AWAY = json.dumps(
    {
        "error": {
            "message": "llm-simulator has as many clients as it may have (server.max_connections): try again later",
            "type": "overloaded",
            "code": "max_connections",
        }
    }
).encode()
REFUSAL = (
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nretry-after: 1\r\n"
    b"x-llm-simulator-source: refusal\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%b"
) % (len(_TURNED_AWAY), _TURNED_AWAY)


def base_url(host: str, port: int) -> str:
    """As a client on this machine names a server."""
    name = "127.0.0.1" if host in ("localhost", "0.0.0.0", "") else host
    return f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"


def bind(host: str, port: int, *, shared: bool = False) -> list[socket.socket]:
    """Listening sockets: both loopback addresses for a loopback name, else the one given.

    `shared`: beside sockets of other workers on the same port (SO_REUSEPORT).

    Raises:
        ConfigError: the address cannot be bound.
    """
    hosts = ("127.0.0.1", "::1") if host in LOOPBACK_HOSTS else (host,)
    made: list[socket.socket] = []
    for name in hosts:
        try:
            made.append(_bound(name, made[0].getsockname()[1] if made else port, shared))
        except OSError as error:
            if made and error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EADDRINUSE):
                log.info("not listening on %s as well: %s", name, error.strerror)
                continue
            for sock in made:
                sock.close()
            raise ConfigError(f"cannot listen on {name} port {port}: {error.strerror or error}") from error
    return made


def reserve(host: str, port: int) -> list[socket.socket]:
    """Sockets that hold a port for the workers to share, and listen to nothing themselves.

    They are bound alone first: a port on which somebody listens is taken, even if he would share it.

    Raises:
        ConfigError: the address cannot be bound.
    """
    made = bind(host, port)
    for sock in made:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    return made


def _bound(host: str, port: int, shared: bool) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((host, port))
    except BaseException:
        sock.close()
        raise
    sock.setblocking(False)
    return sock


class Gate:
    """Makes the protocol of each new connection: the server's while there is room, else one that turns it away."""

    def __init__(self, server: web.Server, limit: int, refused: Callable[[], None]) -> None:
        self._server = server
        self._limit = limit
        self._refused = refused
        self._waiting: set[_TurnedAway] = set()

    def __call__(self) -> asyncio.BaseProtocol:
        # not `connections`: that copies them all, for every client who comes
        if len(self._server._connections) < self._limit:  # pyright: ignore[reportPrivateUsage]
            return self._server()
        self._refused()
        return _TurnedAway(self._waiting)


class _TurnedAway(asyncio.Protocol):
    """Answers 503 to the first that the client says, and hangs up once he has had time to read it.

    What the client sends is read to the end: a close with unread bytes would be a reset, and the answer lost.
    """

    def __init__(self, waiting: set[_TurnedAway]) -> None:
        self._waiting = waiting
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._told = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if len(self._waiting) >= _ENOUGH:
            transport.abort()
            return
        self._waiting.add(self)
        self._timer = asyncio.get_running_loop().call_later(LINGER_SECONDS, transport.abort)

    def data_received(self, data: bytes) -> None:
        if not self._told and self._transport is not None:
            self._told = True
            self._transport.write(REFUSAL)
            if self._transport.can_write_eof():
                self._transport.write_eof()

    def connection_lost(self, exc: Exception | None) -> None:
        self._waiting.discard(self)
        if self._timer is not None:
            self._timer.cancel()
