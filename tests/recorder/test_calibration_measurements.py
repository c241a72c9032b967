"""Tables of measurements: what a row becomes, and where an error is said to be."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from llm_simulator.errors import CassetteError
from llm_simulator.recorder.calibration.reading import read
from llm_simulator.recorder.calibration.samples import Sample

HEAD = "provider,model,kind,stream,prompt_tokens,output_tokens,ttft_ms,total_ms,cache,run,status,error"
STREAM = {"provider": "openai", "model": "m", "unit": "sse_chunk", "output_tokens": 4, "ttft_ms": 100, "total_ms": 190}


def table(folder: Path, *rows: str, head: str = HEAD, name: str = "requests.csv") -> Path:
    path = folder / name
    path.write_text("\n".join((head, *rows)) + "\n")
    return path


def samples(path: Path) -> list[Sample]:
    return list(read([str(path)], complain=lambda line: pytest.fail(line)))


def lines(folder: Path, *values: object) -> Path:
    path = folder / "chunks.jsonl"
    path.write_text("\n".join(json.dumps(value) for value in values))
    return path


def test_a_row_is_a_call(tmp_path: Path) -> None:
    (one,) = samples(table(tmp_path, "openai,gpt-4o,chat,1,550,151,314.857,2532.842,unknown,r1,,"))
    assert (one.provider, one.model, one.stream, one.cache) == ("openai", "gpt-4o", True, "")
    assert (one.prompt_tokens, one.output_tokens) == (550, 151)
    assert one.ttft == pytest.approx(0.314857)
    assert one.total == pytest.approx(2.532842)
    assert one.rate == pytest.approx((2.532842 - 0.314857) / 150)
    assert one.labels == {
        "provider": "openai",
        "model": "gpt-4o",
        "kind": "chat",
        "run": "r1",
        "error": "",
        "reuse": "unknown",
    }


@pytest.mark.parametrize(
    ("cells", "stream"), [("1,,5,100,900", True), ("0,,5,,900", False), (",,5,100,900", True), (",,1,100,100", False)]
)
def test_whether_it_was_streamed(tmp_path: Path, cells: str, stream: bool) -> None:
    (one,) = samples(table(tmp_path, f"p,m,chat,{cells},miss,r,,"))
    assert one.stream is stream


@pytest.mark.parametrize(
    ("cache", "known"),
    [("miss", "miss"), ("repeat", "hit"), ("shared_prefix", "hit"), ("hit", "hit"), ("unknown", ""), ("session", "")],
)
def test_the_cache(tmp_path: Path, cache: str, known: str) -> None:
    (one,) = samples(table(tmp_path, f"p,m,chat,1,,5,100,900,{cache},r,,"))
    assert (one.cache, one.labels["reuse"]) == (known, cache)


def test_a_failure_needs_no_times(tmp_path: Path) -> None:
    limited, timeout = samples(table(tmp_path, "p,m,chat,1,,,,,,r,429,rate_limit", "p,m,chat,1,,,,,,r,0,timeout"))
    assert limited.failed
    assert (limited.status, limited.condition) == (429, "rate_limit")
    assert timeout.failed
    assert (timeout.status, timeout.outcome) == (0, "upstream-failed")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("p,m,chat,1,,5,soon,900,,r,,", "requests.csv: line 3: ttft_ms: got 'soon', allowed is a number"),
        ("p,m,chat,1,,5,100,-1,,r,,", "line 3: total_ms: got '-1', allowed is a number of 0 or more"),
        ("p,m,chat,1,,5,100,inf,,r,,", "line 3: total_ms: got 'inf'"),
        ("p,m,chat,1,,5,901,900,,r,,", r"line 3: total_ms: got 900, allowed is at least ttft_ms \(901\)"),
        ("p,m,chat,maybe,,5,1,9,,r,,", "line 3: stream: got 'maybe', allowed is 0, 1, true or false"),
        ("p,m,chat,1,,,,,,r,,", "line 3: ttft_ms or total_ms: got nothing"),
        ("p,m,chat,1,,5,100", "line 3: got 7 fields, allowed are 12 as in the first line"),
    ],
)
def test_an_error_names_file_line_and_field(tmp_path: Path, row: str, message: str) -> None:
    with pytest.raises(CassetteError, match=message):
        samples(table(tmp_path, "p,m,chat,1,,5,1,9,,r,,", row))


def test_a_table_without_times_says_what_it_needs(tmp_path: Path) -> None:
    with pytest.raises(CassetteError, match="line 1: got the columns name, age; needed is ttft_ms or total_ms"):
        samples(table(tmp_path, "x,3", head="name,age"))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"ttft_ms": 1', "chunks.jsonl: line 2: not valid JSON"),
        ("[1]", "line 2: got list, allowed is one JSON object per line"),
        (json.dumps(STREAM | {"itl_ms": "10"}), "line 2: itl_ms: got '10', allowed is a list of numbers"),
        (json.dumps(STREAM | {"itl_ms": [1, None]}), "line 2: itl_ms: got None, allowed is a list of numbers"),
        (
            json.dumps(STREAM | {"itl_ms": [1], "unit": "packet"}),
            "unit: got 'packet', allowed is sse_chunk or tls_record",
        ),
        (
            json.dumps(STREAM | {"itl_ms": [1], "chunk_bytes": [1]}),
            "chunk_bytes: got 1 entries, allowed is 2, one more",
        ),
    ],
)
def test_an_error_of_a_line(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "chunks.jsonl"
    path.write_text(json.dumps(STREAM) + "\n" + line + "\n")
    with pytest.raises(CassetteError, match=message):
        samples(path)


def test_events_become_writes_at_2_ms(tmp_path: Path) -> None:
    (one,) = samples(lines(tmp_path, STREAM | {"itl_ms": [0.5, 39.5, 0.4, 49.6]}))
    assert one.stream
    assert list(one.gaps) == pytest.approx([0.04, 0.05])
    assert list(one.sizes) == [2, 1, 1]  # 5 events, 4 tokens: the last event says that it is over


def test_records_become_writes_at_a_tenth_of_a_millisecond(tmp_path: Path) -> None:
    row = {"unit": "tls_record", "itl_ms": [1.0, 0.05, 20.0], "chunk_bytes": [1780, 721, 360, 1081], "output_tokens": 8}
    (one,) = samples(lines(tmp_path, STREAM | row))
    assert list(one.gaps) == pytest.approx([0.001, 0.02005])
    assert sum(one.sizes) == 8
    assert list(one.sizes) == [3, 2, 3]  # the first record holds the headers: it counts as a usual one
    assert list(one.chunks) == [1780, 721, 360, 1081]


def test_a_clock_that_was_set_back_does_not_shorten_a_call(tmp_path: Path) -> None:
    back, early = samples(
        lines(tmp_path, STREAM | {"itl_ms": [40.0, -1000.0, 50.0], "total_ms": 150}, STREAM | {"ttft_ms": -900})
    )
    assert back.total == pytest.approx(1.15)
    assert back.impossible == 1
    assert list(back.gaps) == pytest.approx([0.04, 0.05])
    assert (early.ttft, early.total, early.impossible) == (None, None, 1)


def test_gzip_and_folders(tmp_path: Path) -> None:
    plain = table(tmp_path, "p,m,chat,1,,5,100,900,,r,,")
    (tmp_path / "more.csv.gz").write_bytes(gzip.compress(plain.read_bytes()))
    lines(tmp_path, STREAM)
    assert len(samples(tmp_path)) == 3


def test_what_does_not_exist_is_said_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(CassetteError, match="no such file or folder"):
        next(read([str(table(tmp_path)), str(tmp_path / "absent.csv")], complain=print))


@pytest.mark.shared
def test_the_genuine_tables_can_be_read(shared: Path) -> None:
    found = samples_of_all(shared / "latency" / "dev")
    assert found["requests_audit.csv.gz"] == 48_501
    assert found["chunks_latencylab.jsonl.gz"] == 144
    assert found["chunks_gpt4o_tls.jsonl.gz"] == 90


def samples_of_all(folder: Path) -> dict[str, int]:
    paths = sorted((*folder.glob("requests_*"), *folder.glob("chunks_*")))
    return {path.name: len(samples(path)) for path in paths}
