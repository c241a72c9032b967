"""Cassettes written elsewhere: equal after the way back, whole or not there, without secrets."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from llm_simulator import dialects
from llm_simulator.cassettes.cassette import Cassette
from llm_simulator.cassettes.store import open_store
from llm_simulator.errors import CassetteError
from llm_simulator.recorder.exporting import ExportReport, export_cassette
from llm_simulator.recorder.importing import import_into
from llm_simulator.redact.coding import encode
from llm_simulator.redact.redactor import Redactor
from llm_simulator.types import Exchange, Headers, Outcome, RawRequest

JSON_TYPE: Headers = (("content-type", "application/json"),)


def exchange(
    number: int, *, headers: Headers = JSON_TYPE, body: bytes = b"{}", outcome: Outcome = Outcome.COMPLETE
) -> Exchange:
    sent = RawRequest("POST", f"/v1/{number}", "api.openai.com", "https", "", JSON_TYPE, b'{"model":"m"}')
    half = len(body) // 2
    chunks = tuple((at, data) for at, data in ((10, body[:half]), (20, body[half:])) if data)
    return Exchange(
        sent,
        "openai",
        "opaque",
        "unknown",
        "m",
        False,
        200,
        headers,
        chunks,
        "OK",
        outcome,
        "s",
        "2024-01-01T00:00:00Z",
        1,
        2,
    )


ZIPPED = exchange(1, headers=(("content-encoding", "gzip"), *JSON_TYPE), body=encode(b'{"zipped":true}', "gzip"))
EXCHANGES = (exchange(0), ZIPPED, exchange(2, body=b"\x00\xff", outcome=Outcome.TRUNCATED), exchange(3, body=b""))


async def _record(spec: Path, exchanges: tuple[Exchange, ...]) -> None:
    cassette = await Cassette.open(str(spec), read=dialects.read, writable=True, run="run-1")
    for one in exchanges:
        await cassette.add(one, dialects.read(one.request), replace=False)
    await cassette.close()


async def _load(spec: Path) -> list[tuple[Exchange, str]]:
    store = await open_store(str(spec), digest_of=lambda one: bytes(16), fingerprint="test", writable=False)
    try:
        return [(await store.load(row.id), row.run) async for row in store.rows()]
    finally:
        await store.close()


def record(spec: Path, *exchanges: Exchange) -> None:
    asyncio.run(_record(spec, exchanges or EXCHANGES))


def load(spec: Path) -> list[tuple[Exchange, str]]:
    return asyncio.run(_load(spec))


def export(spec: Path, target: Path | str, **options: bool | str) -> ExportReport:
    return asyncio.run(export_cassette(str(spec), str(target), redactor=Redactor({}), **options))  # type: ignore[arg-type]


@pytest.mark.parametrize("first", ["a.db", "a.yaml"])
@pytest.mark.parametrize("second", ["b.db", "b.yaml"])
def test_the_way_back_is_equal(tmp_path: Path, first: str, second: str) -> None:
    record(tmp_path / first)
    report = export(tmp_path / first, tmp_path / "deep" / second)
    assert report == ExportReport(str(tmp_path / "deep" / second), second.removeprefix("b."), 4, 0)
    run = "run-1" if (first, second) == ("a.db", "b.db") else ""
    assert load(tmp_path / "deep" / second) == [(one, run) for one in EXCHANGES]
    asyncio.run(import_into(str(tmp_path / "c.yaml"), [tmp_path / "deep" / second], redactor=Redactor({})))
    assert load(tmp_path / "c.yaml") == [(one, "") for one in EXCHANGES]
    assert sorted(path.name for path in (tmp_path / "deep").iterdir()) == [second]


def test_exports_are_the_same_bytes_each_time(tmp_path: Path) -> None:
    record(tmp_path / "a.db")
    export(tmp_path / "a.db", tmp_path / "b.yaml")
    export(tmp_path / "b.yaml", tmp_path / "c.yaml")
    assert (tmp_path / "b.yaml").read_bytes() == (tmp_path / "c.yaml").read_bytes()


@pytest.mark.parametrize("target", ["b.yaml", "b.db"])
def test_text_only_gives_up_wire_bytes(tmp_path: Path, target: str) -> None:
    record(tmp_path / "a.db")
    assert export(tmp_path / "a.db", tmp_path / target, text_only=True).freed == 1
    freed = load(tmp_path / target)[1][0]
    assert (freed.body, freed.headers, freed.marks) == (b'{"zipped":true}', JSON_TYPE, frozenset({"text-only"}))


def test_what_is_a_secret_today_does_not_leave(tmp_path: Path) -> None:
    record(tmp_path / "a.db", exchange(0, body=b'{"v":"hunter2-hunter2-hunter2"}'))
    redactor = Redactor({"MY_API_KEY": "hunter2-hunter2-hunter2"})
    asyncio.run(export_cassette(str(tmp_path / "a.db"), str(tmp_path / "b.yaml"), redactor=redactor))
    assert "hunter2" not in (tmp_path / "b.yaml").read_text()


def test_targets_that_are_taken(tmp_path: Path) -> None:
    record(tmp_path / "a.db")
    for name in ("b.yaml", "b.db"):
        (tmp_path / name).write_text("precious")
        with pytest.raises(CassetteError, match="it exists; choose another name, or --force"):
            export(tmp_path / "a.db", tmp_path / name)
        assert (tmp_path / name).read_text() == "precious"
        export(tmp_path / "a.db", tmp_path / name, overwrite=True)
        assert len(load(tmp_path / name)) == 4
    url = f"sqlite+aiosqlite:///{tmp_path}/c.db"
    assert export(tmp_path / "a.db", url).format == "db"
    assert len(load(tmp_path / "c.db")) == 4
    with pytest.raises(CassetteError, match="there are recordings in it already"):
        export(tmp_path / "a.db", url)


def test_a_failed_export_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(CassetteError, match="does not exist"):
        export(tmp_path / "none.db", tmp_path / "b.yaml")
    assert list(tmp_path.iterdir()) == []
    record(tmp_path / "a.yaml")
    text = (tmp_path / "a.yaml").read_text()
    (tmp_path / "a.yaml").write_text(text.replace("status: 200", "status: none"))
    for target in ("b.yaml", "b.db"):
        with pytest.raises(CassetteError, match="status"):
            export(tmp_path / "a.yaml", tmp_path / target)
    (tmp_path / "file").write_text("")
    with pytest.raises(CassetteError, match=r"export to .*: "):
        export(tmp_path / "none.db", tmp_path / "file" / "b.yaml")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.yaml", "file"]


def test_formats_by_suffix_and_name(tmp_path: Path) -> None:
    record(tmp_path / "a.db")
    with pytest.raises(CassetteError, match=r"unknown suffix '\.txt'; allowed are \.db, "):
        export(tmp_path / "a.db", tmp_path / "b.txt")
    with pytest.raises(CassetteError, match="export format 'xml' is unknown; allowed are db, yaml"):
        export(tmp_path / "a.db", tmp_path / "b.txt", format="xml")
    assert export(tmp_path / "a.db", tmp_path / "b.txt", format="yaml").format == "yaml"


def test_large_exports_are_counted_as_they_go(tmp_path: Path) -> None:
    record(tmp_path / "a.db", *(replace(exchange(number), session=str(number)) for number in range(130)))
    told: list[int] = []
    done = export_cassette(str(tmp_path / "a.db"), str(tmp_path / "b.db"), redactor=Redactor({}), progress=told.append)
    assert (asyncio.run(done).exchanges, told) == (130, [64, 128, 130])
    assert [one.session for one, _ in load(tmp_path / "b.db")] == [str(number) for number in range(130)]
