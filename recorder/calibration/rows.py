"""Exchanges of a SQLite cassette one after another, without an event loop: a third of the time of loading each by its id."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from llm_simulator.cassettes.codec import Record, unpack
from llm_simulator.cassettes.engine import BUSY_MS, failing
from llm_simulator.cassettes.store import open_store
from llm_simulator.cassettes.tables import EXCHANGES
from llm_simulator.errors import CassetteError
from llm_simulator.types import Exchange

_MAGIC = b"SQLite format 3\0"
_ALL = f"SELECT id, detail, request, response, messages FROM {EXCHANGES.name} WHERE id > ? ORDER BY id LIMIT {{}}"
_PAGE = 64  # exchanges held at once; between two pages nothing is locked


def claims(head: bytes) -> bool:
    return head.startswith(_MAGIC)


def exchanges(path: Path, name: str, complain: Callable[[str], None]) -> Iterator[Exchange]:
    """The exchanges in recorded order; one that is damaged is complained of and left out.

    Raises:
        CassetteError: the file is no cassette, of an unknown version, or cannot be read.
    """
    asyncio.run(_check(path))
    address = f"file:{quote(str(path.absolute()))}?mode=ro"
    with failing(str(path), "read it"), closing(sqlite3.connect(address, uri=True, timeout=BUSY_MS / 1000)) as held:
        last = 0
        while page := held.execute(_ALL.format(_PAGE), (last,)).fetchall():
            for id, *columns in page:
                try:
                    exchange = unpack(Record(*columns))
                except CassetteError as error:
                    complain(f"{name}: exchange {id}: {error}")
                else:
                    yield exchange
            last = page[-1][0]


async def _check(path: Path) -> None:
    """Opens it as a store does, which looks at its schema and length."""
    store = await open_store(str(path), digest_of=lambda _: bytes(16), fingerprint="import", writable=False)
    await store.close()
