"""Sends an `Answer` to a client: the only place that waits.

aiohttp parses the request; the response is written to the transport by us, so that status, header order and case, chunk
frames and the end of the body are exactly those of the answer (RFC 9112). What is due goes out in one write, each chunk
in a frame of its own.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import assert_never

from aiohttp import web

from llm_simulator.proxy.framing import Client, Framing
from llm_simulator.proxy.images import Images
from llm_simulator.proxy.pacer import Pacer
from llm_simulator.types import Answer, Chunk, End

HIGH_WATER = 256 * 1024  # bytes unsent to a slow reader before we stop pulling chunks
RETRY_SECONDS = 0.01  # how soon a paced stream looks again at a slow reader

_SEVERED = b"400\r\n{"  # 1024 bytes announced, one sent


class Sent(web.StreamResponse):
    """What the handler returns to aiohttp once the answer is on the wire: nothing is left to write."""

    def __init__(self, status: int, keep_alive: bool) -> None:
        super().__init__(status=status)
        self._open = keep_alive

    @property
    def keep_alive(self) -> bool:
        return self._open

    async def prepare(self, request: web.BaseRequest) -> None:
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        return None


@lru_cache(maxsize=256)
def sent(status: int, keep_alive: bool) -> Sent:
    """One for all answers alike: aiohttp only reads it."""
    return Sent(status, keep_alive)


@dataclass(slots=True)
class Delivery:
    """What is known of a sent answer: loop times (seconds) and bytes of the body."""

    started: float
    first: float | None = None
    last: float | None = None
    size: int = 0
    complete: bool = False


class Wire:
    """Writes answers of one event loop; `speed` divides waits (0: none)."""

    def __init__(self, pacer: Pacer, speed: float = 1.0) -> None:
        self._pacer = pacer
        self._loop = asyncio.get_running_loop()
        self._pace = _pace(speed)
        self._images = Images()

    def at(self, speed: float) -> Wire:
        """The same at another speed."""
        return Wire(self._pacer, speed)

    async def send(self, client: Client, answer: Answer, delivery: Delivery) -> Sent:
        """Sends `answer`, its chunks due relative to `delivery.started`; returns when the body has ended.

        Raises:
            ConnectionError: the client is gone.
        """
        pace = self._pace if answer.speed is None else _pace(answer.speed)
        if answer.kept and not pace and (image := self._images.of(client, answer)) is not None:
            transport = _transport(client)
            if transport.is_closing():
                raise ConnectionResetError("client gone")
            self._write(transport, [image.spelled(answer)], image.size, delivery)
            delivery.complete = True
            return sent(answer.status, True)
        framing = Framing.of(client, answer)
        head = framing.head(answer)
        chunks = answer.chunks
        if isinstance(chunks, AsyncIterator):
            await self._relay(client, head, chunks, framing, delivery)
        elif not pace:
            await self._at_once(client, head, chunks, framing, delivery)
        else:
            await self._pace_out(client, head, answer, iter(chunks), framing, delivery, pace)
        keep = await self._end(client, answer.end, framing, delivery)
        return sent(answer.status, keep)

    def cut(self, client: Client, answer: Answer) -> Sent:
        """Ends a body in the middle, as its upstream did: the client must not take it for a whole one."""
        if client.transport is not None:
            _cut(client.transport)
        return sent(answer.status, False)

    async def _relay(
        self,
        client: Client,
        head: bytes,
        chunks: AsyncIterator[Chunk],
        framing: Framing,
        delivery: Delivery,
    ) -> None:
        transport = _transport(client)
        transport.write(head)
        try:
            async for chunk in chunks:
                if transport.is_closing():
                    raise ConnectionResetError("client gone")
                now = self._loop.time()
                transport.write(framing.frame(chunk.data))
                delivery.first = delivery.first or now
                delivery.last = now
                delivery.size += len(chunk.data)
                if transport.get_write_buffer_size() > HIGH_WATER:
                    await client.drain()
        finally:
            if isinstance(chunks, AsyncGenerator):
                await chunks.aclose()  # now, not when it is collected: what it records belongs to this call

    async def _at_once(
        self, client: Client, head: bytes, chunks: Iterable[Chunk], framing: Framing, delivery: Delivery
    ) -> None:
        """Without waits: in writes as large as a slow reader may leave behind."""
        transport = _transport(client)
        if transport.is_closing():
            raise ConnectionResetError("client gone")
        pieces, size = [head], 0
        for chunk in chunks:
            pieces.append(framing.frame(chunk.data))
            size += len(chunk.data)
            if size > HIGH_WATER:
                self._write(transport, pieces, size, delivery)
                pieces, size = [], 0
                await client.drain()
                await asyncio.sleep(0)  # a long answer must not keep the others from theirs
                if transport.is_closing():
                    raise ConnectionResetError("client gone")
        if framing.can_terminate:
            framing.terminated = True
            pieces.append(b"0\r\n\r\n")
        self._write(transport, pieces, size, delivery)

    def _write(self, transport: asyncio.Transport, pieces: list[bytes], size: int, delivery: Delivery) -> None:
        if size:
            now = self._loop.time()
            delivery.first = delivery.first or now
            delivery.last = now
            delivery.size += size
        transport.write(b"".join(pieces))

    async def _pace_out(
        self,
        client: Client,
        head: bytes,
        answer: Answer,
        chunks: Iterator[Chunk],
        framing: Framing,
        delivery: Delivery,
        pace: float,
    ) -> None:
        stream = _Paced(_transport(client), head, chunks, framing, delivery, pace)
        first = stream.first_due(answer.head_due)
        now = self._loop.time()
        following = stream.advance(now) if first <= now else first
        if following is not None:
            await self._pacer.run(following, stream.advance)

    async def _end(self, client: Client, end: End, framing: Framing, delivery: Delivery) -> bool:
        transport = _transport(client)
        match end:
            case End.COMPLETE:
                if framing.chunked:
                    if not framing.terminated:
                        transport.write(b"0\r\n\r\n")
                elif framing.by_length and delivery.size != framing.length and not framing.headless:
                    return _cut(transport)  # promised more than there was, or less
                delivery.complete = True
                return framing.keep_alive
            case End.TRUNCATED:
                return _cut(transport)
            case End.SEVERED:
                if framing.chunked:
                    transport.write(_SEVERED)
                return _cut(transport)
            case End.RESET:
                _reset(transport)
                return False
            case End.HANG:
                await self._loop.create_future()  # ends by cancellation: the client leaves or the server drains
                return False
            case _:
                assert_never(end)


class _Paced:
    """A stream known up front, advanced by the pacer: pulls, frames and writes all that is due in one write."""

    __slots__ = ("_base", "_chunks", "_delivery", "_due", "_framing", "_head", "_next", "_pace", "_transport")

    def __init__(
        self,
        transport: asyncio.Transport,
        head: bytes,
        chunks: Iterator[Chunk],
        framing: Framing,
        delivery: Delivery,
        pace: float,
    ) -> None:
        self._transport = transport
        self._head = head
        self._chunks = chunks
        self._framing = framing
        self._delivery = delivery
        self._pace = pace
        self._base = delivery.started
        self._next = next(chunks, None)
        self._due = self._base + (self._next.due * pace if self._next is not None else 0.0)  # of the next chunk

    def first_due(self, head_due: float | None) -> float:
        return self._due if head_due is None else self._base + head_due * self._pace

    def advance(self, now: float) -> float | None:
        transport, framing = self._transport, self._framing
        if transport.is_closing():
            raise ConnectionResetError("client gone")
        if transport.get_write_buffer_size() > HIGH_WATER:
            return now + RETRY_SECONDS
        chunk, due, size = self._next, self._due, 0
        pieces = [self._head] if self._head else []
        self._head = b""
        while chunk is not None and due <= now and size <= HIGH_WATER:
            pieces.append(framing.frame(chunk.data))
            size += len(chunk.data)
            chunk = next(self._chunks, None)
            if chunk is not None:
                due = self._base + chunk.due * self._pace
        self._next, self._due = chunk, due
        if size:
            delivery = self._delivery
            delivery.first = delivery.first or now
            delivery.last = now
            delivery.size += size
        if chunk is None and framing.can_terminate:
            framing.terminated = True
            pieces.append(b"0\r\n\r\n")
        if pieces:
            transport.write(pieces[0] if len(pieces) == 1 else b"".join(pieces))
        return None if chunk is None else max(due, now)


def _pace(speed: float) -> float:
    """What waits are multiplied by."""
    return 0.0 if speed == 0 else 1.0 / speed


def _transport(client: Client) -> asyncio.Transport:
    transport = client.transport
    if transport is None:
        raise ConnectionResetError("client gone")
    return transport


def _cut(transport: asyncio.Transport) -> bool:
    transport.close()  # flushes what was written, then FIN: the client sees an early but clean TCP end
    return False


def _reset(transport: asyncio.Transport) -> None:
    sock: socket.socket | None = transport.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


def no_delay(transport: asyncio.Transport) -> None:
    """Small writes go out at once (Nagle would hold a token back for the client's delayed ACK)."""
    sock: socket.socket | None = transport.get_extra_info("socket")
    if sock is not None and sock.family in (socket.AF_INET, socket.AF_INET6):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
