"""Answers that are sent again and again without waits: spelled once for the wire, but for their last header fields."""

from __future__ import annotations

from dataclasses import dataclass

from llm_simulator.proxy.framing import LOOSE, Client, Framing, fields, start_line
from llm_simulator.proxy.recent import Recent
from llm_simulator.types import Answer, Chunk, End, Headers

KEPT_BYTES = 8 << 20
LARGEST = 64 << 10
_ENTRY_BYTES = 512


@dataclass(frozen=True, slots=True)
class Image:
    """One answer for clients that keep their connection. It holds `chunks`, so that no others have their id."""

    chunks: tuple[Chunk, ...]
    status: int
    headers: Headers  # but for the last ones
    before: bytes
    after: bytes
    size: int  # bytes of the body

    def spelled(self, answer: Answer) -> bytes:
        """The whole response."""
        loose = "".join([f"{name}: {value}\r\n" for name, value in answer.headers[-LOOSE:]])
        return b"%b%b%b" % (self.before, loose.encode("latin-1", "replace"), self.after)


class Images:
    """The most recently used ones."""

    def __init__(self) -> None:
        self._kept: Recent[int, Image] = Recent(KEPT_BYTES)

    def of(self, client: Client, answer: Answer) -> Image | None:
        """The image of an answer that is kept; None for one that is sent otherwise."""
        if not client.keep_alive or client.method == "HEAD" or client.version < (1, 1):
            return None
        chunks = answer.chunks
        image = self._kept.get(id(chunks))
        if image is None:
            return self._made(client, answer)
        alike = image.status == answer.status and image.headers == answer.headers[:-LOOSE]
        return image if alike and answer.end is End.COMPLETE else None

    def _made(self, client: Client, answer: Answer) -> Image | None:
        chunks, framing = answer.chunks, Framing.of(client, answer)
        if not isinstance(chunks, tuple) or framing.headless or not framing.keep_alive:
            return None
        size = sum(len(chunk.data) for chunk in chunks)
        if size > LARGEST or (framing.by_length and size != framing.length):
            return None
        body = b"".join([framing.frame(chunk.data) for chunk in chunks])
        headers = answer.headers[:-LOOSE]
        before = f"{start_line(answer)}{fields(headers)[0]}".encode("latin-1", "replace")
        coding, end = (b"transfer-encoding: chunked\r\n", b"0\r\n\r\n") if framing.chunked else (b"", b"")
        image = Image(chunks, answer.status, headers, before, coding + b"\r\n" + body + end, size)
        self._kept.put(id(chunks), image, len(before) + len(image.after) + _ENTRY_BYTES)
        return image
