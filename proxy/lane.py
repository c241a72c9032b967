"""The short way: a request that comes again byte for byte is neither parsed nor given a task of its own.

What aiohttp needs to read a request and hand it to a handler is most of what an answer costs that is known already. So a
connection remembers by their bytes the requests that aiohttp has read before; when one comes again, whole and while nothing
else is under way, its answer begins at once, and becomes a task only if it has to wait. Equal bytes at a boundary between
requests are equal requests, so all that aiohttp refuses is still refused. Everything else goes aiohttp's way.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Coroutine, Generator
from dataclasses import dataclass
from typing import Any

from aiohttp import __version__ as aiohttp_version
from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from llm_simulator.proxy.framing import Client
from llm_simulator.proxy.known import Asked
from llm_simulator.proxy.recent import Recent
from llm_simulator.proxy.wire import Sent, no_delay

log = logging.getLogger("llm_simulator.server")

KEPT_BYTES = 4 << 20
LARGEST = 64 << 10
"""Requests above this go the long way."""
_TICKET_BYTES = 512
_HELD_BYTES = 256 << 10  # of what a client sends ahead while it is answered

_OF_AIOHTTP = (
    "_waiter",
    "_close",
    "_force_close",
    "_manager",
    "_request_count",
    "_keepalive",
    "_keepalive_handle",
    "_keepalive_timeout",
    "_next_keepalive_close_time",
    "_process_keepalive",
)
FITS = all(hasattr(RequestHandler, name) for name in _OF_AIOHTTP)
"""Whether this aiohttp has what the short way is built on; a later one may not, and then there is only aiohttp's own."""

_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,9})[ \t]*(?=\r\n)", re.IGNORECASE)
_UNUSUAL = re.compile(rb"\r\n(?:transfer-encoding|upgrade|expect):", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Ticket:
    """A request that was read before."""

    asked: Asked
    method: str
    version: tuple[int, int]
    keep_alive: bool


Begin = Callable[[Asked, Client], Coroutine[Any, Any, Sent]]


class Tickets:
    """The requests that all connections of a server have seen; the most recently used ones are kept.

    `begin` answers one. It is None where answers need a task from the start.
    """

    def __init__(self, begin: Begin | None) -> None:
        self.begin = begin
        self._kept: Recent[bytes, Ticket] = Recent(KEPT_BYTES)

    def of(self, data: bytes) -> Ticket | None:
        """The request that was read from these bytes."""
        return self._kept.get(data)

    def keep(self, request: web.BaseRequest, client: Client, asked: Asked) -> None:
        """Remembers a request, if its connection knows what bytes it came in."""
        lane = request.protocol
        data = lane.taken() if isinstance(lane, Lane) else b""
        if data and self.begin is not None and self._kept.get(data) is None:
            ticket = Ticket(asked, client.method, client.version, client.keep_alive)
            self._kept.put(data, ticket, len(data) + _TICKET_BYTES)

    def forget(self) -> None:
        """After a change of what requests are read by."""
        self._kept = Recent(KEPT_BYTES)


class Lane(RequestHandler):
    """aiohttp's connection with the short way beside its own."""

    __slots__ = ("_answering", "_held", "_left", "_raw", "_tickets")

    def __init__(self, manager: web.Server, tickets: Tickets, **settings: Any) -> None:
        super().__init__(manager, **settings)
        self._tickets = tickets
        self._left: int | None = 0  # bytes of a body still to come; None: where requests begin is not known any more
        self._raw = b""  # the bytes of the request under way, if it came whole and alone
        self._held = b""
        self._answering: asyncio.Task[Sent] | None = None

    # --- what comes in

    def data_received(self, data: bytes) -> None:
        if not data:  # aiohttp itself, looking for what it has kept
            super().data_received(data)
            return
        if self._answering is not None:
            self._hold(data)
            return
        waiter = self._waiter
        idle = waiter is not None and not waiter.done()
        if idle and self._left == 0 and not self._close and not self._force_close:
            ticket = self._tickets.of(data)
            if ticket is not None:
                self._answer(ticket)
                return
        self._follow(data, idle)
        super().data_received(data)

    def _follow(self, data: bytes, idle: bool) -> None:
        """Keeps count of where requests begin, as long as they come one at a time and in plain framing."""
        left, self._raw = self._left, b""
        if not left and (left is None or not idle):
            self._left = None
        elif left:
            self._left = left - len(data) if left >= len(data) else None
        else:
            size = framed(data)
            self._left = size - len(data) if size >= len(data) else None
            if self._left == 0 and size <= LARGEST:
                self._raw = data

    def taken(self) -> bytes:
        """The bytes of the request under way, for once; b"" where they are not known."""
        raw, self._raw = self._raw, b""
        return raw

    def _hold(self, data: bytes) -> None:
        self._held += data
        if len(self._held) > _HELD_BYTES and self.transport is not None:
            self.transport.pause_reading()

    # --- answering

    def _answer(self, ticket: Ticket) -> None:
        begin, manager = self._tickets.begin, self._manager
        assert begin is not None and manager is not None  # noqa: PT018
        manager.requests_count += 1
        self._request_count += 1
        answering = begin(ticket.asked, Client(ticket.method, ticket.version, ticket.keep_alive, self))
        try:
            waits_for = answering.send(None)
        except StopIteration as end:
            self._answered(end.value)
            return
        except Exception as error:  # noqa: BLE001  # as aiohttp has it: logged, and the connection ends
            self.log_exception("Unhandled exception", exc_info=error)
            self.force_close()
            return
        self.keep_alive(False)  # its timer is for who says nothing; this one waits for us
        self._answering = self._loop.create_task(_rest(answering, waits_for))
        self._answering.add_done_callback(self._ended)

    def _answered(self, sent: Sent) -> None:
        if sent.keep_alive and not self._force_close:
            self._keepalive = True
            self._next_keepalive_close_time = close_time = self._loop.time() + self._keepalive_timeout
            if self._keepalive_handle is None:
                self._keepalive_handle = self._loop.call_at(close_time, self._process_keepalive)
            return
        self._close = True
        if self.transport is not None:
            self.transport.close()

    def _ended(self, answering: asyncio.Task[Sent]) -> None:
        self._answering = None
        if answering.cancelled():
            self.force_close()
        elif (error := answering.exception()) is not None:
            self.log_exception("Unhandled exception", exc_info=error)
            self.force_close()
        else:
            self._answered(answering.result())
        held, self._held = self._held, b""
        if held and self.transport is not None and not self._close:
            if len(held) > _HELD_BYTES:
                self.transport.resume_reading()
            self.data_received(held)

    # --- the end

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._answering is not None:
            self._answering.cancel()
        super().connection_lost(exc)

    async def shutdown(self, timeout: float | None = 15.0) -> None:
        if self._answering is not None:
            self._answering.cancel()
        await super().shutdown(timeout)


class Listener(web.Server):
    """aiohttp's low-level server with connections of ours."""

    def __init__(self, handler: Callable[..., Any], tickets: Tickets, **settings: Any) -> None:
        super().__init__(handler, **settings)
        self._tickets = tickets
        if not FITS:
            log.warning(
                "aiohttp %s is not known well enough to answer recurring requests the short way", aiohttp_version
            )

    def __call__(self) -> RequestHandler:
        if not FITS:
            return super().__call__()
        return Lane(self, self._tickets, loop=self._loop, **self._kwargs)

    def connection_made(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        no_delay(transport)
        super().connection_made(handler, transport)


class _Resumed:
    """What a coroutine still has to do that was begun outside of a task, where it waits for something now."""

    def __init__(self, begun: Coroutine[Any, Any, Sent], waits_for: Any) -> None:
        self._begun = begun
        self._waits_for = waits_for

    def __await__(self) -> Generator[Any, Any, Sent]:
        begun, waits_for = self._begun, self._waits_for
        while True:
            got: Any = None
            thrown: BaseException | None = None
            try:
                got = yield waits_for
            except BaseException as error:  # noqa: BLE001  # a cancellation, too, is for the coroutine to see
                thrown = error
            try:
                waits_for = begun.send(got) if thrown is None else begun.throw(thrown)
            except StopIteration as end:
                result: Sent = end.value
                return result


async def _rest(begun: Coroutine[Any, Any, Sent], waits_for: Any) -> Sent:
    return await _Resumed(begun, waits_for)


def framed(data: bytes) -> int:
    """The size of the request whose head is at the start of `data`, with its body; 0 where that is not plain to see."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return 0
    head = data[: end + 2]
    lengths = _LENGTH.findall(head)
    if len(lengths) > 1 or _UNUSUAL.search(head):
        return 0
    return end + 4 + (int(lengths[0]) if lengths else 0)
