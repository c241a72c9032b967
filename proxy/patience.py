"""Ends connections whose client has not got a request together in time (aiohttp waits for the first one for ever)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

LOOKS = 4
"""How often it looks in the time that a client has: one that is late is gone after a quarter of it more at most."""
LATE = (
    b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nx-llm-simulator-source: refusal\r\nconnection: close\r\n\r\n"
)


class Patience:
    """Looks after the connections of one listener. `seconds` is how long the head of a first request may take.

    No timer for each connection: those that are still silent are kept from look to look.
    """

    def __init__(self, listener: web.Server, seconds: Callable[[], float]) -> None:
        self._listener = listener
        self._seconds = seconds
        self._silent: dict[RequestHandler, int] = {}  # with how many looks have found it so
        self._timer = self._later()

    def _later(self) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(self._seconds() / LOOKS, self._look)

    def _look(self) -> None:
        silent: dict[RequestHandler, int] = {}
        for connection in self._listener.connections:
            if not asked(connection):
                silent[connection] = self._silent.get(connection, 0) + 1
        late = [connection for connection, looks in silent.items() if looks > LOOKS]
        for connection in late:
            del silent[connection]
            end(connection)
        self._silent = silent
        self._timer = self._later()

    def close(self) -> None:
        self._timer.cancel()


def asked(connection: RequestHandler) -> bool:
    """Whether a whole head has come."""
    return connection._request_count > 0  # pyright: ignore[reportPrivateUsage]  # nothing public tells


def end(connection: RequestHandler) -> None:
    """Says why, for whoever has begun to ask, and hangs up."""
    if isinstance(connection.transport, asyncio.Transport):
        connection.transport.write(LATE)
    connection.force_close()
