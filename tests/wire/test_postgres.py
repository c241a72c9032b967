"""Exchanges in PostgreSQL: the code of the SQLite store against a throw-away server."""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from strategies import asked, digest, exchanges
from test_database import counting, listed, opened, put, run

from llm_simulator.cassettes.store import open_store
from llm_simulator.errors import CassetteError
from llm_simulator.types import Exchange

pytestmark = pytest.mark.wire

PLACES = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True)


def program(name: str) -> str | None:
    return next((str(place / name) for place in PLACES if (place / name).exists()), shutil.which(name))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A URL up to the database name; the server refuses root, so then it runs as `nobody`."""
    initdb, ctl = program("initdb"), program("pg_ctl")
    if initdb is None or ctl is None:
        pytest.skip("no PostgreSQL server binaries here (apt-get install postgresql)")
    user = pwd.getpwnam("nobody").pw_name if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="llm-simulator-pg-", dir="/tmp"))
    if user:
        shutil.chown(folder, user)
    port = free_port()
    how: dict[str, Any] = {
        "user": user,
        "cwd": folder,
        "check": True,
        "stdout": subprocess.DEVNULL,
        "stderr": subprocess.STDOUT,
    }
    data = str(folder / "data")
    subprocess.run([initdb, "-D", data, "-U", "tester", "--auth=trust", "-E", "UTF8", "--locale=C"], **how)
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
    subprocess.run([ctl, "-D", data, "-w", "-l", str(folder / "log"), "-o", options, "start"], **how)
    try:
        yield f"postgresql://tester:not-a-secret@127.0.0.1:{port}"
    finally:
        subprocess.run([ctl, "-D", data, "-m", "immediate", "stop"], **how)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def url(server: str, request: pytest.FixtureRequest) -> str:
    """A fresh database for the test."""
    name = f"t{abs(hash(request.node.name))}"

    async def create() -> None:
        import asyncpg

        connection = await asyncpg.connect(f"{server}/postgres")
        await connection.execute(f"CREATE DATABASE {name}")
        await connection.close()

    run(create())
    return f"{server}/{name}"


def test_add_load_delete(url: str) -> None:
    async def main() -> None:
        async with opened(url) as store:
            assert "not-a-secret" not in store.where
            items = [asked(n) for n in range(70)]
            ids = await asyncio.gather(*(store.add(item, digest(item), "r") for item in items))
            assert ids == list(range(1, 71))
            await store.delete([2, 3])
        async with opened(url, writable=False) as store:
            rows = await listed(store)
            assert [row.id for row in rows] == [1, *range(4, 71)]
            assert rows[0].digest == digest(items[0])
            assert await store.load(1) == items[0]
            with pytest.raises(CassetteError, match="exchange 2 is gone"):
                await store.load(2)

    run(main())


def test_every_exchange_comes_back_exactly(url: str) -> None:
    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(exchanges())
    def check(exchange: Exchange) -> None:
        async def main() -> None:
            async with opened(url) as store:
                [id] = await put(store, exchange, run=exchange.model)
                assert await store.load(id) == exchange
                *_, row = await listed(store)
                assert (row.id, row.session, row.run, row.masked) == (
                    id,
                    exchange.session,
                    exchange.model,
                    exchange.masked,
                )

        run(main())

    check()


def test_other_rules_recompute_the_keys_once(url: str) -> None:
    async def main() -> None:
        async with opened(url) as store:
            await put(store, asked(1), asked(2))
        for again in (2, 0):
            calls: list[Exchange] = []
            other = counting(calls)
            store = await open_store(url, digest_of=other, fingerprint="g", writable=True)
            assert [row.digest for row in await listed(store)] == [other(asked(1)), other(asked(2))]
            await store.close()
            assert len(calls) == again + 2  # two of them by this test

    run(main())


def test_many_open_it_at_once(url: str) -> None:
    async def main() -> None:
        async def recorder(number: int) -> None:
            async with opened(url) as store:
                await put(store, asked(number))

        await asyncio.gather(*(recorder(number) for number in range(5)))
        async with opened(url, writable=False) as store:
            assert len(await listed(store)) == 5

    run(main())


def test_a_server_that_drops_connections_is_used_again(url: str) -> None:
    async def main() -> None:
        import asyncpg

        async with opened(url) as store:
            await put(store, asked(1))
            other = await asyncpg.connect(url)
            await other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
                " AND datname = current_database()"
            )
            await other.close()
            with pytest.raises(CassetteError, match="cannot write it: "):
                await put(store, asked(2))
            assert await put(store, asked(3)) == [2]
            assert await store.load(2) == asked(3)

    run(main())


def test_what_is_no_cassette(url: str) -> None:
    for wrong, complaint in (
        (url, "no cassette is in it"),
        (f"{url}_absent", "cannot open it: "),
        ("postgresql://u:not-a-secret@127.0.0.1:1/x", "cassette postgresql+asyncpg://127.0.0.1:1/x: cannot open it: "),
    ):
        with pytest.raises(CassetteError) as caught:
            run(open_store(wrong, digest_of=digest, fingerprint="f", writable=False))
        assert complaint in str(caught.value)
        assert "not-a-secret" not in str(caught.value)
