"""A YAML file as a store: what is added is committed to a journal beside it and folded into the text at the end.

In memory are the places of the documents only; a body is parsed when it is loaded. Several recorders may use one file:
their exchanges share the journal, and the last one to leave folds it. What a killed recorder left is folded by the next
one, and read in addition by those that only read.
"""

from __future__ import annotations

import asyncio
import os
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from llm_simulator.cassettes.base import DigestOf, Row, absent
from llm_simulator.cassettes.documents import Piece, Span, check, split
from llm_simulator.cassettes.fields import Document
from llm_simulator.cassettes.text import Head, read_exchange, read_head
from llm_simulator.cassettes.textwrite import head
from llm_simulator.errors import CassetteError
from llm_simulator.types import Exchange

if TYPE_CHECKING:
    from llm_simulator.cassettes.database import Database
    from llm_simulator.cassettes.fold import Placed
    from llm_simulator.cassettes.locks import Membership

TRIES = 10  # how often a file may be replaced by its recorders while it is being opened


class TextStore:
    """A `Store` in one YAML file. An id is the number of the document at opening; what is added goes on from there."""

    def __init__(self, path: Path, digest_of: DigestOf, fingerprint: str, writable: bool) -> None:
        self.where = str(path)
        self._path = Path(os.path.realpath(path))
        self._digest_of = digest_of
        self._fingerprint = fingerprint
        self._writable = writable
        self._closed = False
        self._file: BinaryIO | None = None
        self._head = Head()
        self._spans: dict[int, Span] = {}
        self._last = 0  # the highest id given so far
        self._journal: Database | None = None
        self._member: Membership | None = None
        self._ids: dict[int, int] = {}  # id in the journal -> id here
        self._journaled: dict[int, int] = {}  # and back
        self._lock = asyncio.Lock()  # held while the journal is opened or folded
        self._adding = 0
        self._idle = asyncio.Event()
        self._idle.set()

    @classmethod
    async def open(
        cls, path: Path, *, digest_of: DigestOf, fingerprint: str, writable: bool, eager: bool = True
    ) -> TextStore:
        """See `open_store`; `eager` False opens the journal at the first write."""
        store = cls(path, digest_of, fingerprint, writable)
        try:
            await (store._open_writable(eager) if writable else store._open_readable())
        except BaseException:
            await store.abandon()
            raise
        return store

    @property
    def head(self) -> Head:
        """What the file's header says: the cassette's own match rules among it."""
        return self._head

    # --- opening

    async def _open_readable(self) -> None:
        for _ in range(TRIES):
            self._scan()
            if self._side("journal").exists():
                await self._open_journal()
                await self._skip_dropped()
            if self._is_current():
                return
            await self.abandon()
        raise CassetteError(f"cassette {self.where}: it was replaced {TRIES} times while it was being opened")

    async def _open_writable(self, eager: bool) -> None:
        self._make_file()
        async with self._lock:
            if eager or self._side("journal").exists():
                await self._join(recover=True)
            else:
                self._scan()

    def _make_file(self) -> None:
        """Makes folder and file where they are absent; the file is whole or not there."""
        from llm_simulator.cassettes.engine import failing

        with failing(self.where, "make it"):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            if self._path.exists():
                return
            fresh = self._path.with_name(f".{self._path.name}.new-{os.getpid()}")
            fresh.write_text(head())
            with suppress(FileExistsError):  # another recorder was faster
                os.link(fresh, self._path)
            fresh.unlink()

    def _side(self, what: str) -> Path:
        return self._path.with_name(f".{self._path.name}.{what}")

    def _scan(self) -> None:
        """Opens the file as it stands now, reads its header and notes where its documents are."""
        self._close_file()
        self._spans, self._last = {}, 0
        try:
            self._file = self._path.open("rb")
        except FileNotFoundError:
            if self._side("journal").exists():
                return  # killed before its first fold: all of it is in the journal
            raise absent(Path(self.where)) from None
        except OSError as problem:
            raise CassetteError(f"cassette {self.where}: cannot open it: {problem.strerror}") from problem
        pieces = split(self._file)
        self._read_head(next(pieces, Piece(0, b"", 0, 1)))
        self._spans = {piece.number: piece.span for piece in pieces}
        self._last = len(self._spans)

    def _read_head(self, piece: Piece) -> None:
        self._head = read_head(piece.data, Document(self.where, 0, piece.line))

    def _is_current(self) -> bool:
        """Whether the open file is the one at the path, so that no recorder has folded in between."""
        if self._file is None:
            return not self._path.exists()
        try:
            return os.path.samestat(os.fstat(self._file.fileno()), self._path.stat())
        except FileNotFoundError:
            return False

    async def _skip_dropped(self) -> None:
        """Leaves out what the journal says was deleted, and the journal where it was folded already."""
        from llm_simulator.cassettes.fold import dropped, was_folded

        assert self._journal is not None
        if await was_folded(self._path, self._journal):
            await self._journal.close()
            self._journal = None
            return
        drops = await dropped(self._journal)
        for id, span in list(self._spans.items()):
            if drops[span.check]:
                drops[span.check] -= 1
                del self._spans[id]

    async def _join(self, *, recover: bool) -> None:
        """Becomes one of the recorders; the first one folds what a killed one left. The caller holds our lock."""
        from llm_simulator.cassettes.locks import Membership, gate

        async with gate(self._path.parent):
            self._member = self._member or Membership(self._side("lock"))
            left = self._side("journal").exists()
            await self._open_journal()
            if left and self._member.alone():
                await self._fold()
                await self._open_journal()
            if recover:
                self._scan()
                await self._skip_dropped()

    async def _open_journal(self) -> None:
        from llm_simulator.cassettes.database import open_file

        self._journal = await open_file(
            self._side("journal"), digest_of=self._digest_of, fingerprint=self._fingerprint, writable=self._writable
        )

    # --- reading

    async def rows(self) -> AsyncIterator[Row]:
        for id, span in list(self._spans.items()):
            found = self._read(id, span, whole=False)
            yield Row(id, self._digest_of(found), found.provider, found.session, found.outcome, found.masked, "")
        if self._journal is not None:
            async for row in self._journal.rows():
                yield replace(row, id=self._claim(row.id))

    def _claim(self, journaled: int) -> int:
        """Our id of what has the id `journaled` in the journal."""
        if journaled not in self._ids:
            self._last += 1
            self._ids[journaled] = self._last
            self._journaled[self._last] = journaled
        return self._ids[journaled]

    async def load(self, id: int) -> Exchange:
        span = self._spans.get(id)
        if span is not None:
            return self._read(id, span, whole=True)
        if self._journal is None or id not in self._journaled:
            raise CassetteError(f"cassette {self.where}: exchange {id} is gone")
        return await self._journal.load(self._journaled[id])

    def _read(self, id: int, span: Span, *, whole: bool) -> Exchange:
        if self._file is None:
            raise CassetteError(f"cassette {self.where}: closed")
        data = os.pread(self._file.fileno(), span.length, span.offset)
        if check(data) != span.check:
            raise CassetteError(f"cassette {self.where}: exchange {id}: the file was changed since it was opened")
        exchange = read_exchange(data, Document(self.where, span.number, span.line), self._head, whole=whole)
        assert exchange is not None  # `split` leaves out empty documents
        return exchange

    # --- writing

    async def add(self, exchange: Exchange, digest: bytes, run: str) -> int:
        async with self._lock:
            journal = await self._ready()
            self._adding += 1
            self._idle.clear()
        try:
            return self._claim(await journal.add(exchange, digest, run))
        finally:
            self._adding -= 1
            if not self._adding:
                self._idle.set()

    async def delete(self, ids: Sequence[int]) -> None:
        from llm_simulator.cassettes.fold import DROP

        async with self._lock:
            journal = await self._ready()
            spans = {id: self._spans[id] for id in ids if id in self._spans}
            notes = {f"{DROP}{span.number}:{span.check}": self._digest(id, span) for id, span in spans.items()}
            await journal.note(notes)
            await journal.delete([self._journaled[id] for id in ids if id in self._journaled])
            for id in ids:
                self._spans.pop(id, None)
                self._ids.pop(self._journaled.pop(id, 0), None)

    def _digest(self, id: int, span: Span) -> str:
        return self._digest_of(self._read(id, span, whole=False)).hex()

    async def _ready(self) -> Database:
        """The journal, opened if need be. The caller holds our lock."""
        if self._closed or not self._writable:
            raise CassetteError(f"cassette {self.where}: {'closed' if self._closed else 'opened for reading only'}")
        if self._journal is None:
            await self._join(recover=False)
        assert self._journal is not None
        return self._journal

    async def flush(self) -> None:
        """Folds what was added into the text, unless other recorders are still at it: then it stays in the journal."""
        from llm_simulator.cassettes.locks import gate

        if self._member is None:
            return
        async with self._lock, gate(self._path.parent):
            await self._idle.wait()
            if self._journal is not None and self._member.alone():
                await self._fold()
                await self._open_journal()

    async def _fold(self) -> None:
        """Folds the journal and takes it away. The caller holds our lock and the gate, and is alone."""
        from llm_simulator.cassettes.fold import fold, was_folded

        journal = self._journal
        assert journal is not None
        if not await was_folded(self._path, journal):
            placed = await fold(self._path, journal)
            if placed is not None:
                self._take(placed)
        self._journal = None
        await journal.close()
        for suffix in ("", "-wal", "-shm"):
            self._side(f"journal{suffix}").unlink(missing_ok=True)

    def _take(self, placed: Sequence[Placed]) -> None:
        """Goes over to the folded file: every exchange keeps its id."""
        old: dict[str, deque[int]] = defaultdict(deque)
        for id, span in self._spans.items():
            old[span.check].append(id)
        spans: dict[int, Span] = {}
        for item in placed:
            same = old[item.span.check]
            mine = self._ids.get(item.journaled) if item.journaled is not None else same.popleft() if same else None
            if mine is not None:  # else another recorder's, or written into the file since it was opened
                spans[mine] = item.span
        self._close_file()
        self._spans, self._ids, self._journaled = spans, {}, {}
        self._file = self._path.open("rb")
        self._read_head(next(split(self._file)))

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        try:
            if self._member is not None:
                await self._leave(self._member)
        finally:
            await self.abandon()

    async def _leave(self, member: Membership) -> None:
        from llm_simulator.cassettes.locks import gate

        async with self._lock, gate(self._path.parent):
            await self._idle.wait()
            last = member.alone()
            if last and self._journal is not None:
                await self._fold()
            journal, self._journal, self._member = self._journal, None, None
            if journal is not None:  # before anybody else can take its files away
                await journal.close()
            member.leave(last=last)

    async def abandon(self) -> None:
        """Lets go of all files; what the journal holds stays there for the next one."""
        self._close_file()
        journal, self._journal = self._journal, None
        if journal is not None:
            await journal.close()
        member, self._member = self._member, None
        if member is not None:
            member.leave(last=False)

    def _close_file(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            file.close()
