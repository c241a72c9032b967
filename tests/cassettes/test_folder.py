"""A folder of cassettes as one store."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from strategies import asked, digest
from test_database import listed, opened, put, run

from llm_simulator.cassettes import folder
from llm_simulator.cassettes.folder import file_name
from llm_simulator.cassettes.store import open_store
from llm_simulator.cassettes.text import load
from llm_simulator.cassettes.textwrite import dump
from llm_simulator.errors import CassetteError


def filled(path: Path) -> Path:
    (path / "b.yaml").write_text("".join(dump([asked(1), asked(2)])))
    (path / "c.yml").write_text("".join(dump([asked(3)])))
    (path / ".hidden.yaml").write_text("no cassette")
    (path / "notes.txt").write_text("no cassette")
    (path / "deeper").mkdir()

    async def main() -> None:
        async with opened(path / "a.db") as store:
            await put(store, asked(4))

    run(main())
    return path


def test_its_files_in_the_order_of_their_names(tmp_path: Path) -> None:
    filled(tmp_path)
    before = sorted(os.listdir(tmp_path))

    async def main() -> None:
        async with opened(tmp_path, writable=False) as store:
            rows = await listed(store)
            assert [row.id for row in rows] == [10_000, 10_001, 20_001, 10_002]
            assert [await store.load(row.id) for row in rows] == [asked(4), asked(1), asked(2), asked(3)]
            for gone in (30_001, 10_007):
                with pytest.raises(CassetteError, match="is gone"):
                    await store.load(gone)
            with pytest.raises(CassetteError, match="opened for reading only"):
                await put(store, asked(5))

    run(main())
    assert sorted(os.listdir(tmp_path)) == before


def test_what_is_added_goes_to_its_session_s_file(tmp_path: Path) -> None:
    path = tmp_path / "new"
    items = [asked(1, session="b"), asked(2), asked(3, session="team/one"), asked(4, session="b")]

    async def main() -> None:
        async with opened(path) as store:
            ids = await asyncio.gather(*(store.add(item, digest(item), "r") for item in items))
            assert [await store.load(id) for id in ids] == items
            await store.delete([ids[3], 77])
            await store.flush()
            assert [await store.load(id) for id in ids[:3]] == items[:3]
        assert sorted(os.listdir(path)) == ["b.yaml", "cassette.yaml", "team-one.yaml"]

    run(main())
    assert load((path / "b.yaml").read_bytes()) == items[:1]
    assert load((path / "team-one.yaml").read_bytes()) == [items[2]]


def test_files_that_are_only_read_get_no_journal(tmp_path: Path) -> None:
    filled(tmp_path)

    async def main() -> None:
        async with opened(tmp_path) as store:
            await store.add(asked(9, session="b"), digest(asked(9)), "r")
            hidden = {name for name in os.listdir(tmp_path) if name.startswith(".") and name.endswith(".journal")}
            assert hidden == {".b.yaml.journal"}

    run(main())
    assert load((tmp_path / "b.yaml").read_bytes()) == [asked(1), asked(2), asked(9, session="b")]


def test_a_file_that_is_no_cassette_is_an_error(tmp_path: Path) -> None:
    (filled(tmp_path) / "z.yaml").write_text("interactions: []\n")

    async def main() -> None:
        with pytest.raises(CassetteError, match=r"z\.yaml: not one of ours"):
            async with opened(tmp_path):
                pass

    run(main())


def test_too_many_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder, "_MOST", 2)
    filled(tmp_path)

    async def main() -> None:
        with pytest.raises(CassetteError, match=r"more than 2 files; import them into one \.db instead"):
            async with opened(tmp_path):
                pass

    run(main())


@pytest.mark.parametrize(
    ("session", "name"),
    [
        ("", "cassette.yaml"),
        ("a", "a.yaml"),
        ("../../etc/passwd", "etc-passwd.yaml"),
        (".hidden", "hidden.yaml"),
        ("é ü", "cassette.yaml"),
        ("x" * 300, "x" * 100 + ".yaml"),
        ("a\0b", "a-b.yaml"),
    ],
)
def test_the_file_of_a_session(session: str, name: str) -> None:
    assert file_name(session) == name


@pytest.mark.parametrize(
    ("spec", "complaint"),
    [
        ("x.json", "cassette x.json: unknown kind '.json'; allowed are .db, .sqlite, .sqlite3, .yaml, .yml, a folder"),
        ("nowhere", "cassette nowhere: does not exist; record one with"),
        (
            "mysql+aiomysql://u:secret@host/x",
            "cassette mysql+aiomysql://host/x: unknown kind 'mysql+aiomysql'; allowed are",
        ),
        ("://secret", "cassette URL of 9 characters: not a URL; allowed are sqlite+aiosqlite:///file.db"),
        ("sqlite://", "a database in memory cannot be shared; name a file"),
    ],
)
def test_a_wrong_spec(spec: str, complaint: str) -> None:
    with pytest.raises(CassetteError) as caught:
        run(open_store(spec, digest_of=digest, fingerprint="f", writable=False))
    assert complaint in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_sqlite_url_is_the_file(tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(f"sqlite:///{tmp_path}/x y%.db") as store:
            await put(store, asked(1))
            assert store.where == f"{tmp_path}/x y%.db"
        async with opened(tmp_path / "x y%.db", writable=False) as store:
            assert await store.load(1) == asked(1)

    run(main())
