"""A client that is nothing but a socket: it sends bytes and keeps what comes, frame by frame, until the answer is whole."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b

PATIENCE = 120.0
_BY_HISTORY = re.compile(rb"^(date|retry-after|.*ratelimit.*|.*rate-limit.*|.*reset.*)$")
"""Headers that depend on what came before, or on the clock, by nature (design.md, section 7 c)."""
_TIMES = re.compile(rb"^x-llm-simulator-(ttft|total)-ms$")
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)

Pairs = tuple[tuple[bytes, bytes], ...]


def asked(target: str, headers: Iterable[tuple[str, str]], body: bytes) -> bytes:
    """A POST as bytes on the wire."""
    lines = (f"{name}: {value}\r\n" for name, value in headers)
    head = f"POST {target} HTTP/1.1\r\nhost: 127.0.0.1\r\n{''.join(lines)}content-length: {len(body)}\r\n\r\n"
    return head.encode() + body


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


@dataclass(frozen=True, slots=True)
class Answered:
    """What came: status (0: nothing), headers but for those of history, frames of the body, whether it ended well."""

    status: int
    headers: Pairs
    times: Pairs
    frames: tuple[bytes, ...]
    whole: bool

    def header(self, name: bytes) -> str:
        return next((value.decode() for key, value in self.headers if key == name), "")

    def parts(self) -> dict[str, object]:
        """What is compared, by name."""
        lengths = tuple(map(len, self.frames))
        return {
            "status": (self.status, self.whole),
            "headers": self.headers,
            "body": b"".join(self.frames),
            "schedule": (self.times, lengths),
        }

    def digest(self) -> bytes:
        return blake2b(repr(self.parts()).encode(), digest_size=16).digest()


def read(raw: bytes, whole: bool) -> Answered:
    """The parts of an answer's bytes."""
    head, _, rest = raw.partition(b"\r\n\r\n")
    if not head:
        return Answered(0, (), (), (), whole)
    first, *lines = head.split(b"\r\n")
    pairs = tuple((name.lower(), value.strip()) for name, _, value in (line.partition(b":") for line in lines))
    frames = tuple(_frames(rest)) if _CHUNKED.search(head) else (rest,)
    times = tuple(pair for pair in pairs if _TIMES.match(pair[0]))
    kept = tuple(pair for pair in pairs if not _TIMES.match(pair[0]) and not _BY_HISTORY.match(pair[0]))
    return Answered(int(first.split(b" ")[1]), kept, times, frames, whole)


def _frames(body: bytes) -> Iterator[bytes]:
    at = 0
    while (end := body.find(b"\r\n", at)) >= 0:
        size = int(body[at:end], 16)
        if not size:
            return
        yield body[end + 2 : end + 2 + size]
        at = end + 4 + size


def _complete(raw: bytearray) -> bool:
    head = raw.find(b"\r\n\r\n")
    if head < 0:
        return False
    if (length := _LENGTH.search(raw, 0, head)) is not None:
        return len(raw) >= head + 4 + int(length[1])
    if not raw.endswith(b"0\r\n\r\n") or _CHUNKED.search(raw, 0, head) is None:
        return False
    at = head + 4  # whether those bytes are the last frame, and not the end of another one's data
    while (end := raw.find(b"\r\n", at)) >= 0:
        size = int(raw[at:end], 16)
        if not size:
            return True
        at = end + 4 + size
    return False


class _Connection(asyncio.Protocol):
    """One request at a time; a lost connection ends its answer."""

    def __init__(self) -> None:
        self.raw = bytearray()
        self.lost = False
        self.transport: asyncio.Transport | None = None
        self.done: asyncio.Future[bool] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.raw += data
        if self.done is not None and not self.done.done() and _complete(self.raw):
            self.done.set_result(True)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        if self.done is not None and not self.done.done():
            self.done.set_result(False)

    async def ask(self, data: bytes) -> Answered:
        assert self.transport is not None
        self.raw = bytearray()
        self.done = asyncio.get_running_loop().create_future()
        self.transport.write(data)
        whole = await asyncio.wait_for(self.done, PATIENCE)
        return read(bytes(self.raw), whole)


async def _connected(port: int, doors: asyncio.Semaphore) -> _Connection:
    async with doors:
        _, made = await asyncio.get_running_loop().create_connection(_Connection, "127.0.0.1", port)
        return made


async def ask_all(port: int, requests: Sequence[bytes], at_once: int) -> list[Answered]:
    """The answers, in the order of the requests; `at_once` are under way at any time."""
    found: list[Answered | None] = [None] * len(requests)
    left = iter(range(len(requests)))
    doors = asyncio.Semaphore(64)

    async def client() -> None:
        connection: _Connection | None = None
        for at in left:
            if (
                connection is None
                or connection.lost
                or connection.transport is None
                or connection.transport.is_closing()
            ):
                connection = await _connected(port, doors)
            found[at] = answer = await connection.ask(requests[at])
            if not answer.whole or answer.header(b"connection") == "close":
                if connection.transport is not None:
                    connection.transport.abort()
                connection = None
        if connection is not None and connection.transport is not None:
            connection.transport.close()

    await asyncio.gather(*(client() for _ in range(min(at_once, len(requests)))))
    return [answer for answer in found if answer is not None]
