"""A YAML file cut into its documents without reading YAML: one document in memory at a time.

A line that starts with `---` always starts a document: inside a block or a quoted text YAML does not allow it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import BinaryIO

_BLOCK = 1 << 20
_START = re.compile(rb"^---(?=[ \t\r\n])", re.M)
_EMPTY = re.compile(rb"(?:---)?(?:\s|#[^\n]*+(?:\n|\Z)|^\.\.\.$)*+", re.M)


@dataclass(frozen=True, slots=True)
class Span:
    """Where a document stands: its number (the first is 0), first line (from 1), bytes, and a name for just these."""

    number: int
    line: int
    offset: int
    length: int
    check: str


@dataclass(frozen=True, slots=True)
class Piece:
    """One document's bytes, where they stand, its number and its first line, as in `Span`."""

    offset: int
    data: bytes
    number: int
    line: int

    @property
    def check(self) -> str:
        return check(self.data)

    @property
    def span(self) -> Span:
        return Span(self.number, self.line, self.offset, len(self.data), self.check)


def check(data: bytes) -> str:
    """A name for exactly these bytes."""
    return blake2b(data, digest_size=8).hexdigest()


def split(file: BinaryIO, block: int = _BLOCK) -> Iterator[Piece]:
    """The documents that are not empty, from the file's position on, which must be its start.

    Comments before the header belong to it, all others to the document before them.
    """
    number, line, offset, front = 0, 1, 0, b""
    for data in _cut(file, block):
        whole = front + data
        if number == 0 and _EMPTY.fullmatch(whole):
            front = whole
            continue
        if front or not _EMPTY.fullmatch(data):
            yield Piece(offset, whole, number, line)
            number += 1
        front = b""
        offset += len(whole)
        line += whole.count(b"\n")


def _cut(file: BinaryIO, size: int) -> Iterator[bytes]:
    held: list[bytes] = []  # the document that is not finished yet
    rest = b""  # a line that is not finished yet
    while block := file.read(size):
        end = block.rfind(b"\n") + 1
        if not end:
            rest += block
            continue
        lines, rest = rest + block[:end], block[end:]
        start = 0
        for found in _START.finditer(lines):
            held.append(lines[start : found.start()])
            if any(held):
                yield b"".join(held)
            held = []
            start = found.start()
        held.append(lines[start:])
    held.append(rest)
    if any(held):
        yield b"".join(held)
