"""WebSocket calls (RFC 6455): the handshake is decided like any other call, then messages go both ways as they come.

A message is taken down as who sent it, its opcode, its payload and when; compression and masking belong to a connection,
each side has its own. Pings are answered by whoever gets them.
"""

from __future__ import annotations

import asyncio
import logging
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import aiohttp
from aiohttp import web

from llm_simulator.types import Headers

log = logging.getLogger("llm_simulator.sockets")

TEXT, BINARY, CLOSE = 1, 2, 8
LARGEST = 64 << 20
"""The most bytes of one message; a larger one ends the socket with 1009."""
_CLOSE_SECONDS = 2.0
_OF_THE_HANDSHAKE = ("sec-websocket-", "connection", "upgrade", "content-length", "content-type", "date", "server")


@dataclass(frozen=True, slots=True)
class Said:
    """A message of one side. `data` of a CLOSE is the code (two bytes, big-endian) and the reason, or empty."""

    opcode: int
    data: bytes


class Speaker(Protocol):
    """One side of a socket."""

    async def hear(self) -> Said | None:
        """The next message; None where the connection is gone without a CLOSE."""
        ...

    async def say(self, said: Said) -> None:
        """Sends a message.

        Raises:
            ConnectionError: the other side is gone.
        """
        ...

    def cut(self) -> None:
        """Ends the connection without a CLOSE."""
        ...


class Dialogue(Protocol):
    """What a handshake led to. `headers` go with our half of it."""

    headers: Headers
    protocol: str

    async def run(self, client: Speaker) -> None:
        """Talks with the client until one side closes."""
        ...


def is_upgrade(request: web.BaseRequest) -> bool:
    """Whether a request asks for a WebSocket."""
    return request.method == "GET" and request.headers.get("Upgrade", "").lower() == "websocket"


def protocols(headers: Headers) -> tuple[str, ...]:
    """The subprotocols that a client offers. OpenAI's browser clients put their key among them."""
    offered = [value for name, value in headers if name.lower() == "sec-websocket-protocol"]
    return tuple(word.strip() for word in ",".join(offered).split(",") if word.strip())


def of_handshake(headers: Headers) -> Headers:
    """Those headers of a handshake's response that are not of the connection."""
    return tuple((name, value) for name, value in headers if not name.lower().startswith(_OF_THE_HANDSHAKE))


class Socket:
    """A `Speaker` at the other end of a connection, ours to a client or to an upstream."""

    def __init__(
        self, socket: web.WebSocketResponse | aiohttp.ClientWebSocketResponse, transport: asyncio.BaseTransport | None
    ) -> None:
        self._socket = socket
        self._transport = transport

    async def hear(self) -> Said | None:
        got = await self._socket.receive()
        match got.type:
            case aiohttp.WSMsgType.TEXT:
                return Said(TEXT, got.data.encode("utf-8", "surrogatepass"))
            case aiohttp.WSMsgType.BINARY:
                return Said(BINARY, bytes(got.data))
            case aiohttp.WSMsgType.CLOSE:
                return Said(CLOSE, closing(got.data, got.extra))
            case _:
                return None

    async def say(self, said: Said) -> None:
        if said.opcode == CLOSE:
            await self._close(said.data)
        elif said.opcode == TEXT:
            await self._socket.send_str(said.data.decode("utf-8", "surrogatepass"))
        else:
            await self._socket.send_bytes(said.data)

    def cut(self) -> None:
        if isinstance(self._transport, asyncio.Transport):
            self._transport.abort()

    async def _close(self, data: bytes) -> None:
        code, reason = closed(data)
        async with asyncio.timeout(_CLOSE_SECONDS):
            await self._socket.close(code=code, message=reason)


def closing(code: int | None, reason: str | None) -> bytes:
    """The payload of a CLOSE. 1005 (RFC 6455, 7.4.1) stands for none, and is never sent."""
    return b"" if code in (None, 0, 1005) else struct.pack(">H", code) + (reason or "").encode()


def closed(data: bytes) -> tuple[int, bytes]:
    """Code and reason of a CLOSE; 1000 where it says none."""
    return (struct.unpack(">H", data[:2])[0], data[2:]) if len(data) >= 2 else (1000, b"")


async def accept(request: web.BaseRequest, dialogue: Dialogue, more: Headers) -> web.WebSocketResponse:
    """Answers the handshake, lets both sides talk until one closes; returns what aiohttp wants of a handler."""
    chosen = (dialogue.protocol,) if dialogue.protocol else ()
    response = web.WebSocketResponse(
        timeout=_CLOSE_SECONDS, autoclose=False, max_msg_size=LARGEST, protocols=chosen, compress=True
    )
    for name, value in (*dialogue.headers, *more):
        response.headers.add(name, value)
    await response.prepare(request)
    try:
        await dialogue.run(Socket(response, request.transport))
    except (ConnectionError, TimeoutError) as error:
        log.debug("a WebSocket client is gone: %s", error)
    return response


async def relay(client: Speaker, upstream: Speaker, taken: Callable[[str, Said], None]) -> tuple[str, Said | None]:
    """Hands on what each side says, telling `taken` who said what; returns who ended it, and its CLOSE.

    The CLOSE itself is not handed on: what was said is to be stored first.
    """
    sides = {
        asyncio.ensure_future(_hand_on("client", client, upstream, taken)): "client",
        asyncio.ensure_future(_hand_on("server", upstream, client, taken)): "server",
    }
    try:
        done, _ = await asyncio.wait(sides, return_when=asyncio.FIRST_COMPLETED)
        first = next(iter(done))
        return sides[first], first.result()
    finally:
        for side in sides:
            side.cancel()
        await asyncio.gather(*sides, return_exceptions=True)


async def _hand_on(who: str, source: Speaker, sink: Speaker, taken: Callable[[str, Said], None]) -> Said | None:
    while (said := await source.hear()) is not None:
        taken(who, said)
        if said.opcode == CLOSE:
            return said
        try:
            await sink.say(said)
        except ConnectionError:  # its own task notices, and says how it went
            await asyncio.Event().wait()
    return None
