"""Processes that record into one cassette, and die doing so."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from strategies import asked, digest

from llm_simulator.cassettes.store import open_store
from llm_simulator.cassettes.text import load
from llm_simulator.cassettes.textwrite import dump
from llm_simulator.types import Exchange

pytestmark = [pytest.mark.wire, pytest.mark.untraced]

STRATEGIES = Path(__file__).resolve().parents[1] / "cassettes"

RECORDER = f"""
import asyncio, sys
sys.path.insert(0, {str(STRATEGIES)!r})
from strategies import asked, digest
from llm_simulator.cassettes.store import open_store

async def main(path, start, count):
    store = await open_store(path, digest_of=digest, fingerprint="f", writable=True)
    numbers = iter(range(start, start + count))

    async def client():
        for number in numbers:
            item = asked(number)
            await store.add(item, digest(item), "r")
            print(number, flush=True)

    await asyncio.gather(*(client() for _ in range(8)))
    await store.close()

asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
"""


def recorder(path: Path, start: int, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", RECORDER, str(path), str(start), str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def acknowledged(process: subprocess.Popen[str]) -> set[int]:
    assert process.stdout is not None
    with process.stdout as lines:
        return {int(line) for line in lines if line.endswith("\n")}


def held(path: Path, *, writable: bool) -> list[bytes]:
    async def main() -> list[bytes]:
        store = await open_store(str(path), digest_of=digest, fingerprint="f", writable=writable)
        try:
            rows = [row async for row in store.rows()]
            found: list[Exchange] = [await store.load(row.id) for row in rows]
            assert [digest(one) for one in found] == [row.digest for row in rows]
            return [row.digest for row in rows]
        finally:
            await store.close()

    return asyncio.run(main())


@pytest.mark.parametrize("name", ["x.db", "x.yaml"])
def test_two_processes_record_into_one_file(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    processes = [recorder(path, start, 150) for start in (0, 1000)]
    seen = [acknowledged(process) for process in processes]
    assert [process.wait() for process in processes] == [0, 0]
    assert seen == [set(range(150)), set(range(1000, 1150))]
    assert os.listdir(tmp_path) == [name]
    assert sorted(held(path, writable=False)) == sorted(digest(asked(n)) for n in (*range(150), *range(1000, 1150)))


@pytest.mark.parametrize("name", ["x.db", "x.yaml"])
def test_killed_recorders_lose_nothing_that_was_acknowledged(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    promised: set[int] = set()
    for attempt in range(4):
        process = recorder(path, attempt * 100_000, 100_000)
        assert process.stdout is not None
        for _ in range(20 + attempt * 30):
            promised.add(int(process.stdout.readline()))
        process.send_signal(signal.SIGKILL)
        promised |= acknowledged(process)
        assert process.wait() == -signal.SIGKILL
        found = held(path, writable=False)
        assert {digest(asked(n)) for n in promised} <= set(found)
        assert len(set(found)) == len(found)
    found = held(path, writable=True)
    assert {digest(asked(n)) for n in promised} <= set(found)
    assert os.listdir(tmp_path) == [name]
    if name == "x.yaml":
        assert [digest(one) for one in load(path.read_bytes())] == found


def test_reading_text_writes_nothing_and_needs_no_database(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("".join(dump([asked(1), asked(2, session="s", masked=("$.a",))])))
    program = f"""
import asyncio, sys
from llm_simulator.cassettes.store import open_store
async def main():
    store = await open_store({str(path)!r}, digest_of=lambda e: b"k", fingerprint="f", writable=False)
    rows = [(row.id, row.digest, row.session, row.masked) async for row in store.rows()]
    print(rows, (await store.load(2)).session)
    await store.close()
asyncio.run(main())
assert not {{"sqlalchemy", "pydantic", "brotli", "zstandard"}} & set(sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[(1, b'k', '', ()), (2, b'k', 's', ('$.a',))] s\n"
    assert os.listdir(tmp_path) == ["x.yaml"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read and write everything")
def test_files_without_permission_are_named(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("")
    path.chmod(0)
    with pytest.raises(Exception, match=r"x\.yaml: cannot open it: Permission denied"):
        held(path, writable=False)
