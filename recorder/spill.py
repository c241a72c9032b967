"""Where recorded bytes wait for the end of their exchange: in memory up to a bound, then in a file nobody can read.

What is waiting has not been redacted yet (a key may be split over chunks, or inside gzip), so what goes to disk is
XORed with a keystream whose key lives in this process only; the file has no name. It cannot be read after a crash, by anyone.
"""

from __future__ import annotations

import tempfile
from hashlib import shake_256
from secrets import token_bytes
from typing import BinaryIO, NamedTuple

TOTAL = 64 << 20
EACH = 16 << 20
_OVERHEAD = 100  # bytes that a chunk takes besides its data


class Memory:
    """The bytes that all running recordings may hold in memory together, and each of them."""

    def __init__(self, total: int = TOTAL, each: int = EACH) -> None:
        self.each = each
        self.free = total

    def take(self, size: int, held: int) -> bool:
        """Whether a recording that holds `held` bytes may hold `size` more."""
        if size > self.free or held + size > self.each:
            return False
        self.free -= size
        return True


class _Spilled(NamedTuple):
    start: int
    size: int


class Waiting:
    """The chunks of one running recording, in order. Raises OSError where the spill file cannot be written."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._held = 0
        self._chunks: list[tuple[int, bytes | _Spilled]] = []
        self.file: BinaryIO | None = None
        self._key = b""
        self._end = 0
        self.size = 0

    def add(self, at_ns: int, data: bytes) -> None:
        self.size += len(data)
        cost = len(data) + _OVERHEAD
        if self._memory.take(cost, self._held):
            self._held += cost
            self._chunks.append((at_ns, data))
        else:
            self._chunks.append((at_ns, self._spill(data)))

    def chunks(self) -> tuple[tuple[int, bytes], ...]:
        """All of them, read back."""
        return tuple((at, data if isinstance(data, bytes) else self._read(data)) for at, data in self._chunks)

    def close(self) -> None:
        """Gives memory and file back; for the second time, does nothing."""
        self._memory.free += self._held
        self._held = 0
        self._chunks.clear()
        if self.file is not None:
            self.file.close()
            self.file = None

    def _spill(self, data: bytes) -> _Spilled:
        if self.file is None:
            self.file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115  # closed by `close`
            self._key = token_bytes(32)
        self.file.seek(self._end)
        place = _Spilled(self._end, len(data))
        sealed = memoryview(self._crypt(data, place.start))
        while sealed:
            sealed = sealed[self.file.write(sealed) :]
        self._end += place.size
        return place

    def _read(self, place: _Spilled) -> bytes:
        assert self.file is not None
        self.file.seek(place.start)
        data = bytearray()
        while len(data) < place.size:
            piece = self.file.read(place.size - len(data))
            if not piece:
                raise OSError("the spill file is shorter than what was written to it")
            data += piece
        return self._crypt(bytes(data), place.start)

    def _crypt(self, data: bytes, start: int) -> bytes:
        """XOR with SHAKE-256 of the key and the place; no place is ever written twice."""
        size = len(data)
        stream = shake_256(self._key + start.to_bytes(8, "big")).digest(size)
        mixed = int.from_bytes(data, "big") ^ int.from_bytes(stream, "big")
        return mixed.to_bytes(size, "big")
