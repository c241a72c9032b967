"""A folder of cassettes is one store: its files in the order of their names; what is added goes to one per session."""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

from llm_simulator.cassettes.base import DATABASES, TEXTS, Row, Store, absent
from llm_simulator.errors import CassetteError
from llm_simulator.types import Exchange

_MOST = 10_000
"""An id is the id in its file times this, plus the number of the file."""

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST = 100


class FolderStore:
    """A `Store` over all cassettes of a folder (not of the folders in it)."""

    def __init__(self, path: Path, member: Callable[[Path], Awaitable[Store]], writable: bool) -> None:
        self.where = str(path)
        self._path = path
        self._member = member
        self._writable = writable
        self._members: list[Store] = []
        self._by_name: dict[str, int] = {}
        self._joining = asyncio.Lock()

    @classmethod
    async def open(cls, path: Path, member: Callable[[Path], Awaitable[Store]], *, writable: bool) -> FolderStore:
        """`member` opens one file. Files of other kinds do not count; a YAML file that is no cassette is an error."""
        if not path.exists():
            if not writable:
                raise absent(path)
            path.mkdir(parents=True)
        store = cls(path, member, writable)
        try:
            for file in cassettes(path):
                await store._join(file)
        except BaseException:
            await store.close()
            raise
        return store

    async def _join(self, file: Path) -> int:
        number = len(self._members)
        if number == _MOST:
            raise CassetteError(f"cassette {self.where}: more than {_MOST} files; import them into one .db instead")
        self._members.append(await self._member(file))
        self._by_name[file.name] = number
        return number

    async def rows(self) -> AsyncIterator[Row]:
        for number, member in enumerate(list(self._members)):
            async for row in member.rows():
                yield replace(row, id=row.id * _MOST + number)

    def _place(self, id: int) -> tuple[Store, int]:
        inner, number = divmod(id, _MOST)
        if number >= len(self._members):
            raise CassetteError(f"cassette {self.where}: exchange {id} is gone")
        return self._members[number], inner

    async def load(self, id: int) -> Exchange:
        member, inner = self._place(id)
        return await member.load(inner)

    async def add(self, exchange: Exchange, digest: bytes, run: str) -> int:
        if not self._writable:
            raise CassetteError(f"cassette {self.where}: opened for reading only")
        name = file_name(exchange.session)
        async with self._joining:
            number = self._by_name.get(name)
            if number is None:
                number = await self._join(self._path / name)
        return await self._members[number].add(exchange, digest, run) * _MOST + number

    async def delete(self, ids: Sequence[int]) -> None:
        inner: dict[int, list[int]] = defaultdict(list)
        for id in ids:
            inner[id % _MOST].append(id // _MOST)
        for number, some in inner.items():
            if number < len(self._members):
                await self._members[number].delete(some)

    async def flush(self) -> None:
        for member in self._members:
            await member.flush()

    async def close(self) -> None:
        """Closes every file, whatever becomes of the others."""
        async with AsyncExitStack() as stack:
            for member in self._members:
                stack.push_async_callback(member.close)


def cassettes(path: Path) -> list[Path]:
    """The cassette files of a folder, by name; hidden ones are none."""
    kinds = (*DATABASES, *TEXTS)
    return sorted(file for file in path.iterdir() if file.suffix.lower() in kinds and not file.name.startswith("."))


def file_name(session: str) -> str:
    """The file that a session's exchanges go to."""
    safe = _UNSAFE.sub("-", session).strip("-.")[:_LONGEST]
    return f"{safe or 'cassette'}.yaml"
