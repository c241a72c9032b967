"""From a recorded exchange to its answer."""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from dataclasses import replace

import pytest

from llm_simulator.proxy.replay import accepts, replay
from llm_simulator.types import Chunk, End, Exchange, Outcome, RawRequest, header

RECORDED = Exchange(
    request=RawRequest("POST", "/v1/chat/completions", "api.openai.com"),
    provider="openai",
    family="openai.chat",
    operation="chat",
    model="gpt-4o",
    stream=True,
    status=200,
    headers=(("Content-Type", "text/event-stream"), ("X-Request-Id", "req_1"), ("x-request-id", "again")),
    chunks=((5_000_000, b"data: a\n\n"), (7_000_000, b"data: [DONE]\n\n")),
    head_ns=4_000_000,
)


def _chunks(exchange: Exchange, accepted: str = "") -> list[Chunk]:
    chunks = replay(exchange, accepted).answer.chunks
    assert isinstance(chunks, Iterable)
    return list(chunks)


def test_a_stream_keeps_bytes_boundaries_offsets_and_headers() -> None:
    made = replay(RECORDED, "gzip")
    assert made.answer.headers == RECORDED.headers
    assert _chunks(RECORDED) == [Chunk(0.005, b"data: a\n\n"), Chunk(0.007, b"data: [DONE]\n\n")]
    assert (made.answer.head_due, made.ttft, made.total, made.size) == (0.004, 0.005, 0.007, 23)
    assert made.answer.end is End.COMPLETE


def test_a_coding_the_client_refuses_is_undone_chunk_by_chunk() -> None:
    body = gzip.compress(b"hello " * 500)
    headers = (("content-type", "text/plain"), ("Content-Encoding", "gzip"), ("Content-Length", str(len(body))))
    zipped = replace(RECORDED, headers=headers, chunks=((1, body[:30]), (2, body[30:])))
    assert b"".join(c.data for c in _chunks(zipped, "gzip, br")) == body
    assert b"".join(c.data for c in _chunks(zipped, "")) == b"hello " * 500
    made = replay(zipped, "br").answer.headers
    assert made == (("content-type", "text/plain"), ("x-llm-simulator-adapted", "encoding"))


def test_a_redacted_value_is_not_sent() -> None:
    from llm_simulator.redact import Redactor

    secret = replace(RECORDED, headers=(("set-cookie", "session=0123456789abcdef"), ("x-ok", "1")))
    stored = Redactor({}).exchange(secret)
    assert replay(stored, "").answer.headers == (("x-ok", "1"),)


def test_a_line_break_in_a_hand_written_header_is_no_new_header() -> None:
    edited = replace(RECORDED, headers=(("x-a", "1\r\nset-cookie: b"),))
    assert replay(edited, "").answer.headers == (("x-a", "1  set-cookie: b"),)


@pytest.mark.parametrize(("speed", "sent"), [(1.0, "60"), (2.0, "30"), (8.0, "7.5"), (0.0, "0"), (1e6, "0")])
def test_retry_after_is_divided_too(speed: float, sent: str) -> None:
    limited = replace(RECORDED, status=429, headers=(("retry-after", "60"), ("date", "x")))
    headers = replay(limited, "", speed=speed).answer.headers
    assert header(headers, "retry-after") == sent
    assert header(headers, "x-llm-simulator-retry-after") == ("" if speed == 1.0 else "60")


def test_an_empty_body_has_a_length() -> None:
    empty = replace(RECORDED, stream=False, status=200, headers=(), chunks=())
    assert replay(empty, "").answer.headers == (("content-length", "0"),)


def test_a_truncated_recording_ends_truncated() -> None:
    assert replay(replace(RECORDED, outcome=Outcome.TRUNCATED), "").answer.end is End.TRUNCATED


@pytest.mark.parametrize(
    ("accepted", "coding", "takes"),
    [
        ("gzip, deflate, br", "gzip", True),
        ("gzip, deflate, br", "GZIP", True),
        ("", "gzip", False),
        ("*", "br", True),
        ("*;q=0", "br", False),
        ("gzip;q=0, *", "gzip", False),
        ("gzip; q=0.5", "gzip", True),
        ("gzip", "x-gzip", True),
        ("gzip", "gzip, br", False),
        ("gzip, br", "gzip, br", True),
        ("", "identity", True),
    ],
)
def test_accept_encoding(accepted: str, coding: str, takes: bool) -> None:
    assert accepts(accepted, coding) is takes
