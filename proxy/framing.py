"""How one response is spelled and delimited on the wire (RFC 9112): status line, fields, chunk frames, the end."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus

from aiohttp import web
from aiohttp.base_protocol import BaseProtocol

from llm_simulator.types import Answer, End, Headers

LOOSE = 2
"""Equal answers differ in so many of their last fields only: a simulated one's times (proxy/repeats.py)."""

_REASONS = {status.value: status.phrase for status in HTTPStatus}
_NO_BODY = frozenset({204, 304})
HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}
)
"""RFC 9110, 7.6.1: these belong to one connection and are never passed on."""


class Client:
    """Who is answered: what the wire must know of a request, and its connection."""

    __slots__ = ("_protocol", "keep_alive", "method", "version")

    def __init__(self, method: str, version: tuple[int, int], keep_alive: bool, protocol: BaseProtocol) -> None:
        self.method = method
        self.version = version
        self.keep_alive = keep_alive
        self._protocol = protocol

    @classmethod
    def of(cls, request: web.BaseRequest) -> Client:
        version = request.version
        return cls(request.method, (version.major, version.minor), bool(request.keep_alive), request.protocol)

    @property
    def transport(self) -> asyncio.Transport | None:
        """None once the client is gone."""
        return self._protocol.transport

    async def drain(self) -> None:
        """Returns when most of what was written is sent.

        Raises:
            ConnectionError: the client is gone.
        """
        await self._protocol._drain_helper()  # what aiohttp's writer does  # pyright: ignore[reportPrivateUsage]


@dataclass(slots=True)
class Framing:
    """How the body of one response is delimited (RFC 9112, 6.3)."""

    chunked: bool
    by_length: bool
    length: int
    headless: bool  # no body at all: HEAD, 204, 304
    keep_alive: bool
    can_terminate: bool  # the terminator may go out in the write of the last chunk
    lines: str  # the header fields of the answer, spelled
    terminated: bool = False

    @classmethod
    def of(cls, client: Client, answer: Answer) -> Framing:
        if not answer.status:
            return cls(False, False, 0, False, False, False, "")
        lines, length = spelled(answer.headers)
        headless = client.method == "HEAD" or answer.status in _NO_BODY
        chunked = length is None and not headless and client.version >= (1, 1)
        closes = length is None and not headless and not chunked
        keep = client.keep_alive and not closes and answer.end is End.COMPLETE
        ends = chunked and answer.end is End.COMPLETE
        return cls(chunked, length is not None, length or 0, headless, keep, ends, lines)

    def head(self, answer: Answer) -> bytes:
        if not answer.status:
            return b""
        framing = "transfer-encoding: chunked\r\n" if self.chunked else ""
        end = "\r\n" if self.keep_alive else "connection: close\r\n\r\n"
        return f"{start_line(answer)}{self.lines}{framing}{end}".encode("latin-1", "replace")

    def frame(self, data: bytes) -> bytes:
        """`data` as it goes on the wire; an empty chunk sends nothing (in chunked coding it would end the body)."""
        if self.headless or not data:
            return b""
        return b"%x\r\n%b\r\n" % (len(data), data) if self.chunked else data


def start_line(answer: Answer) -> str:
    return f"HTTP/1.1 {answer.status} {answer.reason or _REASONS.get(answer.status, '')}\r\n"


def spelled(headers: Headers) -> tuple[str, int | None]:
    """The fields as they go on the wire, and the content-length. Equal answers differ in their last two fields only."""
    lines, length = fields(headers[:-LOOSE])
    more, other = fields.__wrapped__(headers[-LOOSE:])
    return lines + more, other if length is None else length


@lru_cache(maxsize=1024)
def fields(headers: Headers) -> tuple[str, int | None]:
    """The fields as they go on the wire, and the content-length among them."""
    length = next((int(value) for name, value in headers if len(name) == 14 and name.lower() == "content-length"), None)
    return "".join([f"{name}: {value}\r\n" for name, value in headers]), length
