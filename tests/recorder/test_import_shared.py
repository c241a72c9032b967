"""The genuine recordings beside the clone: each imports, exactly, and the two forms of one recording agree."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from llm_simulator.cassettes.store import open_store
from llm_simulator.recorder.exporting import export_cassette
from llm_simulator.recorder.import_report import ImportReport
from llm_simulator.recorder.importing import Redacts, import_into
from llm_simulator.redact.coding import decode
from llm_simulator.redact.redactor import Redactor
from llm_simulator.types import JSON, Exchange, header

pytestmark = pytest.mark.shared

HOP_BY_HOP = {"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}


def lines(shared: Path) -> Iterator[JSON]:
    for file in sorted((shared / "traffic/dev").glob("*.jsonl.gz")):
        with gzip.open(file) as stream:
            for line in stream:
                yield json.loads(line)


async def _load(spec: Path) -> list[Exchange]:
    store = await open_store(str(spec), digest_of=lambda one: bytes(16), fingerprint="test", writable=False)
    try:
        return [await store.load(row.id) async for row in store.rows()]
    finally:
        await store.close()


class Blind:
    """Redacts nothing: what the import itself does to a recording can be compared byte for byte."""

    def exchange(self, exchange: Exchange) -> Exchange:
        return exchange

    def text(self, s: str) -> str:
        return s


def imported(spec: Path, *paths: Path, redactor: Redacts) -> tuple[ImportReport, list[Exchange]]:
    report = asyncio.run(import_into(str(spec), paths, redactor=redactor))
    return report, asyncio.run(_load(spec))


@pytest.fixture(scope="module")
def corpus(
    shared: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[ImportReport, list[Exchange], list[Exchange]]:
    """All JSONL: the report, the exchanges in SQLite, and those read from its export to YAML."""
    folder = tmp_path_factory.mktemp("corpus")
    files = sorted((shared / "traffic/dev").glob("*.jsonl.gz"))
    report, exchanges = imported(folder / "all.db", *files, redactor=Blind())
    asyncio.run(export_cassette(str(folder / "all.db"), str(folder / "all.yaml"), redactor=Blind()))
    return report, exchanges, asyncio.run(_load(folder / "all.yaml"))


def told(line: JSON) -> bytes:
    packed = line.get("response_body_b64")
    return base64.b64decode(packed) if packed is not None else (line["response_body"] or "").encode()


def end_to_end(headers: dict[str, str], body: bytes) -> dict[str, str]:
    """What of the recorded headers is exact: not hop-by-hop, and no promise that the decoded body does not keep."""
    gone = HOP_BY_HOP | ({"content-encoding", "content-length"} if "content-encoding" in headers else set())
    if headers.get("content-length") != str(len(body)):
        gone.add("content-length")
    return {name: value for name, value in headers.items() if name not in gone}


def test_every_line_of_the_corpus_is_exact(
    shared: Path, corpus: tuple[ImportReport, list[Exchange], list[Exchange]]
) -> None:
    report, exchanges, again = corpus
    assert (report.imported, report.failed, report.decoded) == (1413, 0, 509)
    assert exchanges == again
    for line, exchange in zip(lines(shared), exchanges, strict=True):
        body = told(line)
        assert exchange.status == line["status"]
        assert decode(exchange.body, header(exchange.headers, "content-encoding")) == body
        assert dict(exchange.headers) == end_to_end(line["response_headers"], body)
        assert exchange.session == line["source"].rpartition("#")[0]
        assert exchange.provenance["source"] == line["source"]
        assert ("decoded" in exchange.marks) == ("content-encoding" in line["response_headers"])
        if line["request_body"] is not None:
            assert json.loads(exchange.request.body) == line["request_body"]


def test_sessions_are_their_files_in_order(
    shared: Path, corpus: tuple[ImportReport, list[Exchange], list[Exchange]]
) -> None:
    _, exchanges, _ = corpus
    assert [one.session for one in exchanges] == [line["source"].rpartition("#")[0] for line in lines(shared)]


def test_redaction_changes_no_body(
    shared: Path, tmp_path: Path, corpus: tuple[ImportReport, list[Exchange], list[Exchange]]
) -> None:
    """The recorders had taken the credentials out: whatever is masked now would be a false alarm."""
    files = sorted((shared / "traffic/dev").glob("*.jsonl.gz"))
    _, masked = imported(tmp_path / "all.db", *files, redactor=Redactor({}))
    assert [two.body for two in masked] == [one.body for one in corpus[1]]


def without_ids(twin: JSON) -> re.Pattern[bytes]:
    """The body of a line, in which organisation and user ids were replaced after recording."""
    return re.compile(b'[^/"]+'.join(re.escape(part) for part in told(twin).split(b"REDACTED")))


def test_original_cassettes_agree_with_their_lines(shared: Path, tmp_path: Path) -> None:
    folder = shared / "traffic/dev/original-cassettes"
    report, exchanges = imported(tmp_path / "c.db", folder, redactor=Blind())
    assert (report.imported, report.failed) == (156, 0)
    assert report.skipped == (("index.json", "no known format: a list"),)
    assert Counter(file.format for file in report.files if not file.skipped) == {"vcrpy": 44, "go-vcr": 4}
    twins = {line["source"]: line for line in lines(shared)}
    numbers: Counter[str] = Counter()
    compared = 0
    for exchange in exchanges:
        owner, _, path = exchange.session.partition("/")
        name = f"{owner.replace('__', '/', 1)}:{path}"
        twin = twins.get(f"{name}#{numbers[name]}")
        numbers[name] += 1
        if twin is None:  # another host than an LLM provider's, or a repeated interaction: not in the JSONL
            continue
        compared += 1
        assert exchange.status == twin["status"]
        body = decode(exchange.body, header(exchange.headers, "content-encoding"))
        assert without_ids(twin).fullmatch(body)
        assert (exchange.request.method, exchange.request.host or twin["host"]) == (twin["method"], twin["host"])
    assert compared == 114
    assert compared == sum(source.rpartition("#")[0] in numbers for source in twins)  # no line is left over


def kept(exchange: Exchange) -> tuple[object, ...]:
    """What every foreign format keeps, headers aside."""
    raw = exchange.request
    body = decode(exchange.body, header(exchange.headers, "content-encoding"))
    sent = (raw.method, raw.scheme, raw.host, raw.target, raw.body)
    return exchange.status, body, sent, exchange.family, exchange.model


def headers_of(exchange: Exchange, format: str) -> object:
    """Those that do not speak of the coding. JSONL has lower-case names with one value each; VCR.py groups by name."""
    gone = ("content-encoding", "content-length")
    told = [(name, value) for name, value in exchange.headers if name.lower() not in gone]
    if format != "jsonl":
        return sorted(told)
    names = {name.lower() for name, _ in told}
    return {name: ", ".join(value for key, value in told if key.lower() == name) for name in names}


@pytest.mark.parametrize(
    ("format", "name", "found"), [("har", "x.har", "har"), ("jsonl", "x.jsonl", "jsonl"), ("vcr", "x.yaml", "vcrpy")]
)
def test_genuine_cassettes_survive_a_foreign_format(
    shared: Path, tmp_path: Path, format: str, name: str, found: str
) -> None:
    _, before = imported(tmp_path / "a.db", shared / "traffic/dev/original-cassettes", redactor=Blind())
    asyncio.run(export_cassette(str(tmp_path / "a.db"), str(tmp_path / name), redactor=Blind(), format=format))
    report, after = imported(tmp_path / "b.db", tmp_path / name, redactor=Blind())
    assert [(file.format, file.imported, file.failed) for file in report.files] == [(found, 156, 0)]
    assert [kept(exchange) for exchange in after] == [kept(exchange) for exchange in before]
    assert [headers_of(exchange, format) for exchange in after] == [headers_of(exchange, format) for exchange in before]
