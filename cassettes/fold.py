"""A journal folded into its YAML file: all of it or nothing, whenever the process dies.

The new file is written beside the old one and synced, its hash noted in the journal, then it takes the old one's place
and the journal goes. A journal whose note names the file that stands there has been folded already.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict, deque
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from llm_simulator.cassettes.base import Row
from llm_simulator.cassettes.database import Database
from llm_simulator.cassettes.documents import Piece, Span, check, split
from llm_simulator.cassettes.engine import failing
from llm_simulator.cassettes.fields import Document
from llm_simulator.cassettes.text import read_head
from llm_simulator.cassettes.textwrite import document, head

FOLDED = "folded"
DROP = "drop:"
"""Notes in a journal: the hash of the file it was folded into; `drop:NUMBER:CHECK` = digest of a deleted document."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A document of the folded file: an old one, or what had the id `journaled` in the journal."""

    span: Span
    journaled: int | None


async def was_folded(path: Path, journal: Database) -> bool:
    """Whether all of the journal is in the file already: the process died before it could take the journal away."""
    noted = (await journal.notes(FOLDED)).get(FOLDED)
    return noted is not None and path.exists() and noted == _hash(path)


async def dropped(journal: Database) -> Counter[str]:
    """How many documents of each check were deleted."""
    return Counter(name.rpartition(":")[2] for name in await journal.notes(DROP))


async def fold(path: Path, journal: Database) -> list[Placed] | None:
    """All documents of the folded file, or None where there was nothing to fold. CassetteError: nothing was changed.

    The caller holds the gate, is alone, and takes the journal away afterwards.
    """
    rows = [row async for row in journal.rows()]
    notes = await journal.notes(DROP)
    if not rows and not notes:
        return None
    fresh = path.with_name(f".{path.name}.tmp")
    with failing(str(path), "write it"):
        try:
            with fresh.open("wb") as out:
                placed = [item async for item in _write(path, journal, _Places(rows, notes), _Writer(out))]
                out.flush()
                os.fsync(out.fileno())
            fresh.chmod(path.stat().st_mode & 0o777)
            await journal.note({FOLDED: _hash(fresh)})
            os.replace(fresh, path)
            _sync(path.parent)
        finally:
            fresh.unlink(missing_ok=True)
    return placed


class _Places:
    """What goes where: a new exchange takes the place of a deleted one with the same key, the rest goes to the end.

    So a cassette that is recorded anew shows as changed documents, not as moved ones.
    """

    def __init__(self, rows: Sequence[Row], notes: Mapping[str, str]) -> None:
        self.rows = rows
        self._taken: set[int] = set()
        self._waiting: dict[bytes, deque[Row]] = defaultdict(deque)
        for row in rows:
            self._waiting[row.digest].append(row)
        self._drops: dict[str, deque[bytes]] = defaultdict(deque)
        for name in sorted(notes, key=lambda name: int(name.split(":")[1])):
            self._drops[name.rpartition(":")[2]].append(bytes.fromhex(notes[name]))

    def of(self, piece: Piece) -> Row | bool:
        """The exchange that takes the place of `piece`; True where it stays, False where it just goes."""
        drops = self._drops.get(piece.check)
        if not drops:
            return True
        waiting = self._waiting[drops.popleft()]
        if not waiting:
            return False
        row = waiting.popleft()
        self._taken.add(row.id)
        return row

    def rest(self) -> list[Row]:
        return [row for row in self.rows if row.id not in self._taken]


class _Writer:
    """Writes documents in a row and says where they stand."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._next = Span(0, 1, 0, 0, "")

    def put(self, data: bytes) -> Span:
        data = data if data.endswith(b"\n") else data + b"\n"
        self._out.write(data)
        at = self._next
        self._next = Span(at.number + 1, at.line + data.count(b"\n"), at.offset + len(data), 0, "")
        return Span(at.number, at.line, at.offset, len(data), check(data))


async def _write(path: Path, journal: Database, places: _Places, out: _Writer) -> AsyncIterator[Placed]:
    with path.open("rb") as file:
        pieces = split(file)
        first = next(pieces, Piece(0, b"", 0, 1))
        matcher = read_head(first.data, Document(str(path), 0, first.line)).matcher
        second = next(pieces, None)
        if second is None and places.rows and first.data == head().encode():  # the file was made by us just now
            matcher = (await journal.load(places.rows[0].id)).matcher
            out.put(head(matcher).encode())
        else:
            out.put(first.data)
        for piece in chain([] if second is None else [second], pieces):
            match places.of(piece):
                case True:
                    yield Placed(out.put(piece.data), None)
                case False:
                    pass
                case row:
                    yield Placed(out.put(await _text(journal, row, matcher)), row.id)
    for row in places.rest():
        yield Placed(out.put(await _text(journal, row, matcher)), row.id)


async def _text(journal: Database, row: Row, matcher: int) -> bytes:
    return document(await journal.load(row.id), matcher=matcher).encode()


def _hash(path: Path) -> str:
    found = blake2b(digest_size=16)
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            found.update(block)
    return found.hexdigest()


def _sync(folder: Path) -> None:
    file = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
