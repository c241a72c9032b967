"""What a store of exchanges is: it keeps them whole, in recorded order, and never holds all bodies in memory.

Every kind of cassette (SQLite, PostgreSQL, YAML text, a folder of them) is one `Store`; see `store.open_store`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias

from llm_simulator.errors import CassetteError
from llm_simulator.types import Exchange, Outcome

DigestOf: TypeAlias = Callable[[Exchange], bytes]
"""The 16-byte match key of a stored exchange. It sees the request and the call's facts only: no chunks, no messages."""

DATABASES = (".db", ".sqlite", ".sqlite3")
TEXTS = (".yaml", ".yml")


@dataclass(frozen=True, slots=True)
class Row:
    """The small facts of one stored exchange: enough to index it."""

    id: int
    digest: bytes
    provider: str
    session: str
    outcome: Outcome
    masked: tuple[str, ...]
    run: str


class Store(Protocol):
    """Recorded exchanges on disk or in a database. Every method raises CassetteError, with `where` in the message."""

    where: str  # for messages: a path, or a URL without credentials

    def rows(self) -> AsyncIterator[Row]:
        """All exchanges in recorded order, digests under the rules that the store was opened with."""
        ...

    async def load(self, id: int) -> Exchange:
        """One exchange, whole; CassetteError where it is gone or corrupt."""
        ...

    async def add(self, exchange: Exchange, digest: bytes, run: str) -> int:
        """Keeps one more exchange and returns its id after the commit."""
        ...

    async def delete(self, ids: Sequence[int]) -> None:
        """Removes exchanges; ids that are gone already are no error."""
        ...

    async def flush(self) -> None:
        """Brings everything that was added into its final place."""
        ...

    async def close(self) -> None:
        """Flushes and lets go of every file and connection; closing twice is fine."""
        ...


def absent(path: Path) -> CassetteError:
    """The error for a cassette that was to be read but does not exist."""
    return CassetteError(
        f"cassette {path}: does not exist; record one with: "
        f"llm-simulator run --cassette {path} --mode record -- COMMAND (or check the path)"
    )
