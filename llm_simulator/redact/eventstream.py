"""AWS event streams (application/vnd.amazon.eventstream): where the payloads are, and checksums made true again.

Frame: length u32, headers length u32, prelude CRC u32, headers, payload, message CRC u32, all big-endian
(smithy.io, "Amazon Event Stream Specification").
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

_PRELUDE = struct.Struct(">III")


def payloads(text: str) -> list[tuple[int, int]]:
    """Places of the frames' payloads in byte text; empty where this is no event stream."""
    if text[:1] != "\0":
        return []
    return [(start + 12 + size, end - 4) for start, size, end in _frames(text.encode("latin-1"))]


def seal(data: bytes) -> bytes:
    """The stream with every message checksum computed anew; data behind the last whole frame stays as it is."""
    out = bytearray(data)
    for start, _, end in _frames(data):
        struct.pack_into(">I", out, end - 4, zlib.crc32(out[start : end - 4]))
    return bytes(out)


def _frames(data: bytes) -> Iterator[tuple[int, int, int]]:
    at = 0
    while at + 16 <= len(data):
        length, headers, check = _PRELUDE.unpack_from(data, at)
        if check != zlib.crc32(data[at : at + 8]) or length < 16 + headers or at + length > len(data):
            return
        yield at, headers, at + length
        at += length
