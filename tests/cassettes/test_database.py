"""Exchanges in SQLite."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from sqlalchemy.dialects.sqlite import dialect as sqlite_dialect
from sqlalchemy.ext.asyncio import create_async_engine
from strategies import asked, digest, exchanges

from llm_simulator.cassettes.database import Database, open_file
from llm_simulator.cassettes.store import Row, Store, open_store
from llm_simulator.cassettes.tables import ROWS
from llm_simulator.errors import CassetteError
from llm_simulator.types import Exchange, Outcome

T = TypeVar("T")


def run(work: Awaitable[T]) -> T:
    async def main() -> T:
        return await work

    return asyncio.run(main())


@asynccontextmanager
async def opened(path: Path | str, *, writable: bool = True, rules: str = "f") -> AsyncGenerator[Store]:
    store = await open_store(str(path), digest_of=digest, fingerprint=rules, writable=writable)
    try:
        yield store
    finally:
        await store.close()


async def put(store: Store, *items: Exchange, run: str = "r") -> list[int]:
    return [await store.add(item, digest(item), run) for item in items]


async def listed(store: Store) -> list[Row]:
    return [row async for row in store.rows()]


def test_what_was_added_is_there_after_reopening(tmp_path: Path) -> None:
    first, second = asked(1), asked(2, session="s", outcome=Outcome.TRUNCATED, masked=("$.a",), provider="azure")

    async def main() -> None:
        async with opened(tmp_path / "deep" / "er" / "x.db") as store:
            assert await put(store, first, second) == [1, 2]
        async with opened(tmp_path / "deep" / "er" / "x.db", writable=False) as store:
            assert await listed(store) == [
                Row(1, digest(first), "openai", "", Outcome.COMPLETE, (), "r"),
                Row(2, digest(second), "azure", "s", Outcome.TRUNCATED, ("$.a",), "r"),
            ]
            assert [await store.load(id) for id in (1, 2)] == [first, second]

    run(main())


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(exchanges())
def test_every_exchange_comes_back_exactly(tmp_path_factory: pytest.TempPathFactory, exchange: Exchange) -> None:
    async def main() -> None:
        async with opened(tmp_path_factory.mktemp("db") / "x.db") as store:
            [id] = await put(store, exchange, run=exchange.reason)
            assert await store.load(id) == exchange
            [row] = await listed(store)
            assert (row.session, row.provider, row.masked) == (exchange.session, exchange.provider, exchange.masked)
            assert row.run == exchange.reason

    run(main())


def test_at_rest_it_is_one_plain_file(tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(tmp_path / "x.db") as store:
            await put(store, asked())
            assert os.path.exists(tmp_path / "x.db-wal")
        assert os.listdir(tmp_path) == ["x.db"]
        async with opened(tmp_path / "x.db", writable=False) as store:
            await listed(store)
            assert os.listdir(tmp_path) == ["x.db"]
            with pytest.raises(CassetteError, match="opened for reading only"):
                await put(store, asked())
            with pytest.raises(CassetteError, match="opened for reading only"):
                await store.delete([1])

    run(main())
    assert os.listdir(tmp_path) == ["x.db"]


def test_ids_follow_the_order_of_adding_also_in_one_batch(tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(tmp_path / "x.db") as store:
            items = [asked(n) for n in range(150)]
            ids = await asyncio.gather(*(store.add(item, digest(item), "r") for item in items))
            assert ids == list(range(1, 151))
            assert [row.digest for row in await listed(store)] == [digest(item) for item in items]

    run(main())


def test_deleted_ones_are_gone_and_their_ids_are_not_used_again(tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(tmp_path / "x.db") as store:
            await put(store, asked(1), asked(2), asked(3))
            await store.delete([2, 3, 99])
            await store.delete([])
            assert [row.id for row in await listed(store)] == [1]
            with pytest.raises(CassetteError, match=r"x\.db: exchange 3 is gone"):
                await store.load(3)
            assert await put(store, asked(4)) == [4]

    run(main())


def counting(calls: list[Exchange]) -> Callable[[Exchange], bytes]:
    def other(exchange: Exchange) -> bytes:
        calls.append(exchange)
        return digest(replace(exchange, request=replace(exchange.request, method="other")))

    return other


async def rekeyed(path: Path, rules: str, writable: bool) -> tuple[list[bytes], int]:
    calls: list[Exchange] = []
    store = await open_store(str(path), digest_of=counting(calls), fingerprint=rules, writable=writable)
    rows = await listed(store)
    await store.close()
    assert all(call.chunks == () for call in calls)  # answers are not even read
    return [row.digest for row in rows], len(calls)


def test_other_rules_recompute_the_keys_once(tmp_path: Path) -> None:
    items = [asked(n) for n in range(120)]
    keys = [counting([])(item) for item in items]
    path = tmp_path / "x.db"

    async def main() -> None:
        async with opened(path) as store:
            await put(store, *items)
        assert await rekeyed(path, "g", writable=False) == (keys, 120)
        assert await rekeyed(path, "g", writable=True) == (keys, 120)
        assert await rekeyed(path, "g", writable=False) == (keys, 0)
        assert await rekeyed(path, "f", writable=True) == ([digest(item) for item in items], 0)
        async with opened(path, rules="g") as store:
            await store.delete([1])
        with sqlite3.connect(path) as connection:
            assert connection.execute("SELECT count(*), min(exchange) FROM keys").fetchone() == (119, 2)
        connection.close()

    run(main())


def test_rows_never_touch_the_pages_with_bodies(tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(tmp_path / "x.db") as store:
            await put(store, asked())

    run(main())
    connection = sqlite3.connect(tmp_path / "x.db")
    sql = str(ROWS.compile(dialect=sqlite_dialect(paramstyle="named")))  # param_1 is SQLite's OFFSET
    plan = connection.execute(f"EXPLAIN QUERY PLAN {sql}", {"fingerprint": "f", "after": 0, "many": 9, "param_1": 0})
    steps = [step for *_, step in plan.fetchall()]
    connection.close()
    assert steps[0] == "SEARCH exchanges USING COVERING INDEX rows (id>?)"


# --- files that are no cassettes


def test_an_absent_file_is_named_with_the_way_to_record_one(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    with pytest.raises(CassetteError) as caught:
        run(rekeyed(path, "f", writable=False))
    assert str(caught.value) == (
        f"cassette {path}: does not exist; record one with: "
        f"llm-simulator run --cassette {path} --mode record -- COMMAND (or check the path)"
    )
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("writable", [True, False])
@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"request:\n" * 200, "file is not a database (not a SQLite file, or a damaged one)"),
        (b"SQLite format 3\0" + b"\0" * 2000, "file is not a database"),
    ],
)
def test_a_file_of_another_kind(tmp_path: Path, content: bytes, complaint: str, writable: bool) -> None:
    path = tmp_path / "x.db"
    path.write_bytes(content)
    with pytest.raises(CassetteError) as caught:
        run(rekeyed(path, "f", writable))
    assert str(caught.value).startswith(f"cassette {path}: cannot open it: ")
    assert complaint in str(caught.value)
    assert path.read_bytes() == content


def test_an_empty_file_is_no_cassette_to_read_but_may_become_one(tmp_path: Path) -> None:
    (tmp_path / "x.db").touch()
    with pytest.raises(CassetteError, match=r"x\.db: no cassette is in it"):
        run(rekeyed(tmp_path / "x.db", "f", writable=False))
    assert run(rekeyed(tmp_path / "x.db", "f", writable=True)) == ([], 0)


@pytest.mark.parametrize("keep", [0.1, 0.5, 0.9])
def test_a_half_written_file(tmp_path: Path, keep: float) -> None:
    path = tmp_path / "x.db"

    async def main() -> None:
        async with opened(path) as store:
            await put(store, *(asked(n) for n in range(50)))

    run(main())
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * keep)])
    for writable in (True, False):
        with pytest.raises(CassetteError, match=r"x\.db: cannot .*malformed \(the file is damaged or half-written\)"):
            run(rekeyed(path, "f", writable))


def spoil(path: Path, sql: str) -> None:
    connection = sqlite3.connect(path)
    connection.execute(sql)
    connection.commit()
    connection.close()


def made(path: Path) -> Path:
    async def main() -> None:
        async with opened(path) as store:
            await put(store, asked())

    run(main())
    return path


@pytest.mark.parametrize("writable", [True, False])
def test_another_schema_version_is_named(tmp_path: Path, writable: bool) -> None:
    path = made(tmp_path / "x.db")
    spoil(path, "UPDATE meta SET value = '7' WHERE name = 'schema'")
    with pytest.raises(CassetteError, match=r"x\.db: schema version 7; this release supports 1"):
        run(rekeyed(path, "f", writable))


def test_a_database_of_something_else(tmp_path: Path) -> None:
    spoil(tmp_path / "x.db", "CREATE TABLE users (id)")
    with pytest.raises(CassetteError, match=r"a database of something else \(tables users\)"):
        run(rekeyed(tmp_path / "x.db", "f", writable=True))
    spoil(tmp_path / "x.db", "CREATE TABLE meta (id)")
    with pytest.raises(CassetteError, match=r"x\.db: cannot open it: no such column: meta\.value"):
        run(rekeyed(tmp_path / "x.db", "f", writable=False))


def test_a_damaged_exchange_is_named(tmp_path: Path) -> None:
    path = made(tmp_path / "x.db")
    spoil(path, "UPDATE exchanges SET detail = '{}'")

    async def main() -> None:
        async with opened(path, writable=False) as store:
            with pytest.raises(CassetteError, match=r"x\.db: exchange 1: damaged: KeyError: 'request'"):
                await store.load(1)
        async with opened(path, writable=False, rules="g") as store:
            with pytest.raises(CassetteError, match=r"x\.db: exchange 1: damaged"):
                await listed(store)

    run(main())


# --- writes that fail


async def limit(store: Store, pages: int) -> None:
    """Makes the disk full: SQLite refuses more than `pages` pages just as it does when a write has no space."""
    assert isinstance(store, Database)
    driver = (await (await store.writer()).get_raw_connection()).driver_connection
    assert driver is not None
    await driver.execute_fetchall(f"PRAGMA max_page_count={pages}")


def test_a_full_disk_fails_the_adds_and_later_ones_work(tmp_path: Path) -> None:
    big = asked(1, chunks=((0, b"x" * 500_000),))

    async def main() -> None:
        async with opened(tmp_path / "x.db") as store:
            await put(store, asked(0))
            await limit(store, 20)
            results = await asyncio.gather(
                *(store.add(big, digest(big), "r") for _ in range(3)), return_exceptions=True
            )
            for result in results:
                assert isinstance(result, CassetteError)
                assert str(result) == (
                    f"cassette {tmp_path / 'x.db'}: cannot write it: database or disk is full (the disk is full)"
                )
            assert await put(store, asked(2), big) == [2, 3]  # the new connection knows no limit
            assert [row.id for row in await listed(store)] == [1, 2, 3]

    run(main())


def test_a_lock_that_stays_is_an_error_and_one_that_goes_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llm_simulator.cassettes.engine.BUSY_MS", 20)
    path = made(tmp_path / "x.db")

    async def main() -> None:
        async with opened(path) as store:
            other = sqlite3.connect(path, isolation_level=None)
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(CassetteError, match=r"cannot write it: database is locked \(another process has held"):
                await put(store, asked(2))
            other.execute("COMMIT")
            other.close()
            assert await put(store, asked(3)) == [2]

    run(main())


def test_two_stores_write_one_file(tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(tmp_path / "x.db") as one, opened(tmp_path / "x.db") as two:
            items = [asked(n) for n in range(40)]
            ids = await asyncio.gather(
                *((one, two)[n % 2].add(item, digest(item), "r") for n, item in enumerate(items))
            )
            assert sorted(ids) == list(range(1, 41))
            for id, item in zip(ids, items, strict=True):
                assert await one.load(id) == item
        assert os.listdir(tmp_path) == ["x.db"]

    run(main())


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CassetteError, match=r"x\.db: cannot make its folder: .*(Not a directory|File exists)"):
        run(rekeyed(tmp_path / "file" / "x.db", "f", writable=True))


def test_closed_is_closed(tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(tmp_path / "x.db") as store:
            await store.flush()
            await store.close()
            with pytest.raises(CassetteError, match=r"x\.db: closed"):
                await put(store, asked())

    run(main())


def test_a_long_run_checkpoints_beside_the_writer(tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(tmp_path / "x.db") as store:
            big = asked(1, chunks=((0, b"x" * 1_500_000),))
            for _ in range(4):
                await store.add(big, digest(big), "r")
            await store.flush()
            assert os.path.getsize(tmp_path / "x.db") > 4_000_000  # it has left the WAL already

    run(main())


def test_notes_are_kept_by_name(tmp_path: Path) -> None:
    async def main() -> None:
        store = await open_file(tmp_path / "x.db", digest_of=digest, fingerprint="f", writable=True)
        await store.note({"a:1": "x", "a:2": "y", "b": "z"})
        await store.note({"a:2": "new"})
        assert await store.notes("a:") == {"a:1": "x", "a:2": "new"}
        await store.close()

    run(main())


def test_a_burst_of_reads_waits_in_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long: a pool of connections would give up, or serve those who came later."""
    impatient = partial(create_async_engine, pool_timeout=0.01)
    monkeypatch.setattr("llm_simulator.cassettes.engine.create_async_engine", impatient)

    async def main() -> None:
        async with opened(tmp_path / "x.db") as store:
            await put(store, asked(1))
        async with opened(tmp_path / "x.db", writable=False) as store:
            found = await asyncio.gather(*(store.load(1) for _ in range(300)))
        assert set(map(digest, found)) == {digest(asked(1))}

    run(main())
