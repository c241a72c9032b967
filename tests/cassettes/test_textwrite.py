"""Exchanges as YAML text, and back."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from strategies import asked, exchanges, gzipped

from llm_simulator.cassettes import fields
from llm_simulator.cassettes.body import text_only
from llm_simulator.cassettes.text import load
from llm_simulator.cassettes.textwrite import document, dump, head
from llm_simulator.types import Exchange, Message, Outcome, RawRequest

TEXT = """\
llm-simulator: cassette
schema: 1
matcher: 1
---
provider: openai
family: openai.chat
operation: chat
model: gpt-4o
stream: false
request:
  method: POST
  host: api.openai.com
  path: /v1/chat/completions
  headers:
    - Content-Type: application/json
    - Accept: "*/*"
  json: |
    {
      "model": "gpt-4o",
      "messages": [
        {
          "role": "user",
          "content": "question 0"
        }
      ]
    }
  layout: spaced
response:
  status: 200
  headers:
    - Content-Type: application/json
    - x-request-id: req_1
  json: |
    {
      "id": "chatcmpl-1",
      "choices": [
        {
          "message": {
            "content": "hello"
          }
        }
      ]
    }
  layout: indent-2, newline
metadata:
  recorded_at: "2026-11-24T10:00:00Z"
  recorder: llm-simulator 0.1.0
  chunks: |
    1000000+20 2000000+91
"""

EVENTS = b'event: a\ndata: {"x": 1}\n\ndata: [DONE]\n\n'


def dumped(*items: Exchange) -> str:
    return "".join(dump(items))


def response(text: str) -> str:
    return text[text.index("response:") : text.index("metadata:")]


def test_a_cassette_as_text() -> None:
    assert dumped(asked()) == TEXT
    assert load(TEXT.encode()) == [asked()]


def test_two_recordings_differ_in_the_metadata_only() -> None:
    body = asked().body
    again = asked(chunks=((5, body[:3]), (9, body[3:])), recorded_at="2027-01-01T00:00:00Z", head_ns=4, connect_ns=3)
    old, new = (document(one).split("metadata:") for one in (asked(), again))
    assert old[0] == new[0]
    assert new[1] == (
        '\n  recorded_at: "2027-01-01T00:00:00Z"\n  recorder: llm-simulator 0.1.0\n  matcher: 1\n'
        "  connect_ns: 3\n  head_ns: 4\n  chunks: |\n    5+3 9+108\n"
    )


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(exchanges())
def test_every_exchange_comes_back_and_so_does_the_text(exchange: Exchange) -> None:
    text = dumped(exchange, exchange)
    back = load(text.encode())
    assert back == [exchange, exchange]
    assert dumped(*back) == text


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(exchanges())
def test_text_only_comes_back_too(exchange: Exchange) -> None:
    text = "".join(dump([exchange], plain=True))
    assert load(text.encode()) == [text_only(exchange)]


def test_the_slow_loader_reads_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fields, "_Loader", yaml.SafeLoader)
    assert load(TEXT.encode()) == [asked()]


@pytest.mark.parametrize(
    ("body", "written"),
    [
        (EVENTS, '  sse: |\n    event: a\n    data: {"x": 1}\n\n    data: [DONE]\n'),
        (
            EVENTS.replace(b"\n", b"\r\n"),
            '  sse: |\n    event: a\n    data: {"x": 1}\n\n    data: [DONE]\n  newline: crlf\n',
        ),
        (EVENTS[:-1], '  sse: |\n    event: a\n    data: {"x": 1}\n\n    data: [DONE]\n  ending: raw\n'),
        (b"data: a\r\ndata: b\n\n", '  sse: |\n    data: a\n    data: b\n  crlf_lines: "1"\n'),
        (b"data: a\rdata: b\n\n", '  sse: "data: a\\rdata: b\\n"\n'),
        (b"data: \xff\n\n", '  base64: "ZGF0YTog/woK"\n'),
        (b"", ""),
    ],
)
def test_event_streams(body: bytes, written: str) -> None:
    exchange = asked(headers=(("Content-Type", "text/event-stream"),), chunks=((1, body),) if body else ())
    text = dumped(exchange)
    assert response(text) == f"response:\n  status: 200\n  headers:\n    - Content-Type: text/event-stream\n{written}"
    assert load(text.encode()) == [exchange]


def test_events_that_came_one_by_one_at_once_need_no_sizes() -> None:
    chunks = ((0, b"data: 1\n\n"), (0, b"data: 2\n\n"))
    exchange = asked(headers=(("Content-Type", "text/event-stream"),), chunks=chunks)
    assert "chunks" not in dumped(exchange)
    assert load(dumped(exchange).encode()) == [exchange]


def test_an_encoded_body_is_shown_decoded_and_kept_encoded() -> None:
    wire = gzipped(b'{"a":1}')
    exchange = asked(
        headers=(("Content-Encoding", "gzip"), ("content-length", str(len(wire)))),
        chunks=((1, wire[:9]), (2, wire[9:])),
    )
    text = dumped(exchange)
    assert '  json: |\n    {\n      "a": 1\n    }\n  wire: "H4sIAAAAAAAC' in text
    assert load(text.encode()) == [exchange]


def test_text_only_gives_up_the_encoding_and_says_so() -> None:
    wire = gzipped(b'{"a":1}')
    request = replace(asked().request, headers=(("content-encoding", "gzip"),), body=wire)
    exchange = asked(
        request=request,
        headers=(("Content-Encoding", "gzip"), ("content-length", str(len(wire))), ("x-a", "b")),
        chunks=((1, wire[:12]), (2, wire[12:])),
        marks=frozenset({"redacted"}),
    )
    plain = text_only(exchange)
    assert plain.request == replace(request, headers=(), body=b'{"a":1}')
    assert plain.headers == (("x-a", "b"),)
    assert [at for at, _ in plain.chunks] == [1, 2]
    assert plain.body == b'{"a":1}'
    assert plain.marks == {"redacted", "text-only"}
    assert plain.provenance == {
        "request content-encoding": "gzip",
        "response content-encoding": "gzip",
        "response content-length": str(len(wire)),
    }
    assert "wire" not in "".join(dump([exchange], plain=True))


@pytest.mark.parametrize("wire", [b"no gzip at all", b""])
def test_text_only_leaves_alone_what_is_not_encoded(wire: bytes) -> None:
    exchange = asked(headers=(("content-encoding", "gzip"),), chunks=((0, wire),))
    assert text_only(exchange) == exchange


def test_a_compressed_stream_that_broke_off_is_shown_as_far_as_it_goes() -> None:
    wire = gzipped(b"data: " + bytes(range(32, 127)) * 40)[:-20]
    exchange = asked(headers=(("content-encoding", "gzip"),), chunks=((0, wire),), outcome=Outcome.TRUNCATED)
    text = dumped(exchange)
    assert "    data:  !" in text
    assert "outcome: truncated\n" in text
    assert load(text.encode()) == [exchange]


def test_long_binary_and_many_chunks_stand_in_rows() -> None:
    body = bytes(range(256)) * 2
    exchange = asked(chunks=tuple((n * 1_000_000_000, body[n * 8 : n * 8 + 8]) for n in range(64)))
    text = dumped(exchange)
    assert max(len(line) for line in text.splitlines()) == 104
    assert load(text.encode()) == [exchange]


def test_all_that_is_rare_stands_there_too() -> None:
    exchange = Exchange(
        RawRequest("GET", "/v1/realtime", "localhost:9", "http", "a=b"),
        "openai", "openai.realtime", "realtime", "", True, 101, (("a", "1"), ("A", "2"), ("a", "3")), (),
        "Switching", Outcome.CLIENT_GONE, "s 1",
        marks=frozenset({"redacted", "imported"}), masked=("$.a", "$.b[0]"),
        provenance=MappingProxyType({"source": "x.yaml", "note": "a\nb"}),
        messages=(
            Message("client", 1, b'{"type":"x"}', 5), Message("server", 2, b"\xff", 6), Message("server", 8, b"", 7),
        ),
    )  # fmt: skip
    text = dumped(exchange)
    assert load(text.encode()) == [exchange]
    assert text[text.index("response:") :] == (
        """\
response:
  status: 101
  reason: Switching
  headers:
    - a: 1
    - A: 2
    - a: 3
messages:
  - from: client
    opcode: 1
    json: |
      {
        "type": "x"
      }
  - from: server
    opcode: 2
    base64: "/w=="
  - from: server
    opcode: 8
outcome: client-gone
marks:
  - imported
  - redacted
masked:
  - "$.a"
  - "$.b[0]"
provenance:
  - note: "a\\nb"
  - source: x.yaml
metadata:
  messages: |
    5 6 7
"""
    )


def test_no_exchanges_are_a_cassette_too() -> None:
    assert "".join(dump([])) == head() == "llm-simulator: cassette\nschema: 1\n"
    assert load(head().encode()) == []
