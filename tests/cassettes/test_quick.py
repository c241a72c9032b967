"""The way into SQLite without a hop: rows are committed at once, or left to the other way; never waited for."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from llm_simulator import dialects
from llm_simulator.cassettes.cassette import Cassette
from llm_simulator.cassettes.quick import LARGEST, QuickWriter
from llm_simulator.cassettes.tables import Values, values
from llm_simulator.types import Exchange, RawRequest

RAW = RawRequest("POST", "/v1/chat/completions", "api.openai.com", body=b'{"model": "m"}')
EXCHANGE = Exchange(RAW, "openai", "openai.chat", "chat", "m", False, 200, (), ((1, b"{}"),))


def row(exchange: Exchange = EXCHANGE) -> Values:
    return values(exchange, b"k" * 16, "f" * 16, "run")


async def opened(path: Path) -> Cassette:
    return await Cassette.open(str(path), read=dialects.read, writable=True)


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(main())


def test_a_row_is_there_for_everyone_at_once(tmp_path: Path) -> None:
    async def main() -> None:
        cassette = await opened(tmp_path / "c.db")
        quick = QuickWriter(tmp_path / "c.db")
        assert [quick.add(row()), quick.add(row())] == [1, 2]
        with sqlite3.connect(tmp_path / "c.db") as other:
            assert other.execute("SELECT count(*) FROM exchanges").fetchall() == [(2,)]
        other.close()
        quick.close()
        assert quick.add(row()) == 3  # opened anew
        quick.close()
        await cassette.close()

    run(main)


def test_a_large_row_is_left_to_the_drivers_thread(tmp_path: Path) -> None:
    async def main() -> None:
        cassette = await opened(tmp_path / "c.db")
        large = replace(EXCHANGE, chunks=((1, b"x" * LARGEST),))
        assert QuickWriter(tmp_path / "c.db").add(row(large)) is None
        assert await cassette.add(large, dialects.read(RAW), replace=False) == 1
        await cassette.close()

    run(main)


def test_a_lock_is_not_waited_for_here_but_there(tmp_path: Path) -> None:
    async def main() -> None:
        cassette = await opened(tmp_path / "c.db")
        call = dialects.read(RAW)
        holder = sqlite3.connect(tmp_path / "c.db", isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        quick = QuickWriter(tmp_path / "c.db")
        assert quick.add(row()) is None
        waiting = asyncio.create_task(cassette.add(EXCHANGE, call, replace=False))
        await asyncio.sleep(0.05)
        assert not waiting.done()
        also = asyncio.create_task(cassette.add(EXCHANGE, call, replace=False))  # behind the other: order is kept
        await asyncio.sleep(0)
        holder.execute("ROLLBACK")
        holder.close()
        assert [await waiting, await also] == [1, 2]
        assert await cassette.add(EXCHANGE, call, replace=False) == 3
        await cassette.close()

    run(main)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c.db"]


@pytest.mark.parametrize("content", [b"", b"no database", None])
def test_what_is_no_cassette_is_left_to_the_other_way(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "c.db").write_bytes(content)
    assert QuickWriter(tmp_path / "c.db").add(row()) is None
    assert (tmp_path / "c.db").exists() == (content is not None)
