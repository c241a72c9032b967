"""Cohere's v1 chats, embeddings, rankings and tokens as recorded: read and written again, answers of the same shape."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from desks import desk

from llm_simulator import dialects
from llm_simulator.dialects.cohere_v1 import DIALECT
from llm_simulator.types import JSON, Call, RawRequest

pytestmark = pytest.mark.shared

Record = dict[str, Any]
OTHERS = ("/v1/embed", "/v2/embed", "/v1/rerank", "/v2/rerank", "/v1/tokenize")


@pytest.fixture(scope="module")
def records(shared: Path) -> list[Record]:
    return list(_lines(shared))


def _lines(shared: Path) -> Iterator[Record]:
    for path in sorted((shared / "traffic" / "dev").glob("*.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            found = (json.loads(line) for line in lines)
            yield from (record for record in found if record["provider"] == "cohere")


def call_of(record: Record) -> Call:
    body = json.dumps(record["request_body"]).encode()
    headers = tuple(record["request_headers"].items())
    return dialects.read(RawRequest(record["method"], record["path"], record["host"], "https", "", headers, body))


def chats(records: list[Record]) -> list[Record]:
    return [record for record in records if record["endpoint"] == "/v1/chat" and record["status"] == 200]


def test_every_chat_is_read_and_written_as_it_was(records: list[Record]) -> None:
    counts: Counter[bool] = Counter()
    for record in chats(records):
        call = call_of(record)
        assert (call.family, DIALECT.check(call)) == ("cohere.v1", None)
        assert DIALECT.ask(call).turns
        body = record["response_body"].encode()
        found = DIALECT.parse(200, (), body, call)
        assert found, record["source"]
        for form in (call, *DIALECT.twins(call)):
            written = DIALECT.write(found, form).body
            data = written if isinstance(written, bytes) else b"".join(frame.data for frame in written)
            assert DIALECT.parse(200, (), data, form) is not None
            if form is call:
                counts[data.rstrip() == body.rstrip()] += 1
                assert [json.loads(line) for line in data.split(b"\n") if line] == [
                    json.loads(line) for line in body.split(b"\n") if line
                ]
    assert counts == {True: 19}


def _paths(value: JSON, at: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield f"{at}.{name}:{'number' if isinstance(item, int | float) else type(item).__name__}"
            yield from _paths(item, f"{at}.{name}")
    if isinstance(value, list):
        for item in value[:3]:
            yield f"{at}[]:{'number' if isinstance(item, int | float) else type(item).__name__}"
            yield from _paths(item, f"{at}[]")


def test_other_answers_have_the_recorded_shape(records: list[Record]) -> None:
    mine = [record for record in records if record["endpoint"] in OTHERS]
    assert len(mine) == 20
    for record in mine:
        call = call_of(record)
        dialect = dialects.of(call)
        assert dialect.check(call) is None, record["source"]
        body = dialect.respond(call, desk()).body
        assert isinstance(body, bytes)
        answer, recorded = json.loads(body), json.loads(record["response_body"])
        assert list(answer) == list(recorded), record["source"]
        assert set(_paths(answer)) == set(_paths(recorded)), record["source"]
        if "texts" in recorded:
            assert answer["texts"] == recorded["texts"]
        if "embeddings" in recorded:
            assert _lengths(answer) == _lengths(recorded)


def _lengths(answer: JSON) -> JSON:
    return {kind: [len(vector) for vector in vectors] for kind, vectors in answer["embeddings"].items()}
