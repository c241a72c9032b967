"""A recorded exchange as a sample: when its text came, in which writes, what became of it."""

from __future__ import annotations

import gzip
from dataclasses import replace

import pytest
import recorded_streams as rec
from hypothesis import given
from hypothesis import strategies as st

from llm_simulator.recorder.calibration.said import said
from llm_simulator.recorder.calibration.samples import Sample
from llm_simulator.recorder.calibration.streams import Reader
from llm_simulator.recorder.calibration.writes import APART, merged, whole
from llm_simulator.types import Exchange, Outcome, RawRequest


def sample(exchange: Exchange) -> Sample:
    found = Reader().sample(exchange, "test")
    assert found is not None
    return found


WRITES = [(0.5, 1), (0.53, 2), (0.55, 2), (0.75, 3)]


def test_a_stream() -> None:
    one = sample(rec.streamed(WRITES))
    assert (one.provider, one.model, one.family, one.stream) == ("openai", "gpt-4o-mini", "openai.chat", True)
    assert (one.prompt_tokens, one.output_tokens, one.cache) == (9, 8, "miss")
    assert one.ttft == pytest.approx(0.5)  # not when the role was told
    assert one.total == pytest.approx(0.7502)
    assert list(one.gaps) == pytest.approx([0.03, 0.02, 0.2])
    assert list(one.sizes) == [1, 2, 2, 3]
    assert one.at == 1777629600.0
    assert not one.failed


def test_what_a_content_encoding_hides_is_read_as_it_came() -> None:
    plain = rec.streamed(WRITES)
    packed = gzip.compress(plain.body)
    cut = len(packed) // 2
    headers = (*rec.SSE, ("content-encoding", "gzip"))
    one = sample(replace(plain, headers=headers, chunks=((500_000_000, packed[:cut]), (600_000_000, packed[cut:]))))
    assert one.output_tokens == 8
    assert one.total == pytest.approx(0.6)


def test_pieces_that_arrive_together_were_written_together() -> None:
    one = sample(rec.streamed([(0.5, 1), (0.5005, 1), (0.54, 1), (0.541, 1)]))
    assert list(one.gaps) == pytest.approx([0.04])
    assert list(one.sizes) == [2, 2]


def test_an_event_that_is_cut_counts_when_it_is_whole() -> None:
    event = rec.said("word")
    arrivals = said([(1_000_000_000, event[:20]), (2_000_000_000, event[20:] + event)], "", lined=False)
    assert arrivals is not None
    assert [(one.at, one.pieces) for one in arrivals.arrivals] == [(1.0, 0), (2.0, 2)]


def test_hidden_thought_came_before_the_first_token() -> None:
    one = sample(rec.streamed(WRITES, reasoning=192))
    assert one.output_tokens == 8


def test_a_cached_prompt() -> None:
    assert sample(rec.streamed(WRITES, cached=8)).cache == "hit"


def test_a_client_that_left_tells_a_ttft_only() -> None:
    one = sample(rec.streamed(WRITES, outcome=Outcome.CLIENT_GONE))
    assert one.ttft == pytest.approx(0.5)
    assert (one.failed, one.total, one.rate) == (False, None, None)


def test_an_imported_stream_has_no_gaps() -> None:
    one = sample(rec.streamed(WRITES, marks=frozenset({"imported"})))
    assert one.ttft == pytest.approx(0.49)
    assert list(one.gaps) == []


@pytest.mark.parametrize(
    ("exchange", "status", "condition"),
    [
        (rec.refused(429, "rate_limit_exceeded"), 429, "rate_limit_exceeded"),
        (replace(rec.refused(500, "x"), chunks=((1, b"<html>"),)), 500, ""),
        (rec.streamed(WRITES, outcome=Outcome.TRUNCATED), 200, "truncated"),
        (replace(rec.refused(0, "x"), chunks=(), outcome=Outcome.UPSTREAM_FAILED), 0, "upstream-failed"),
    ],
)
def test_a_failure_is_an_outcome(exchange: Exchange, status: int, condition: str) -> None:
    one = sample(exchange)
    assert one.failed
    assert (one.status, one.condition, one.ttft, one.total) == (status, condition, None, None)


def test_an_answer_that_came_whole() -> None:
    one = sample(rec.whole(1.25, 42))
    assert one.total == pytest.approx(1.25)
    assert (one.stream, one.ttft, one.output_tokens) == (False, None, 42)
    assert one.prompt_ratio == pytest.approx(1.0)  # we count the same 9
    assert one.completion_ratio > 1


@pytest.mark.parametrize(
    "raw",
    [
        RawRequest("GET", "/v1/models", "api.openai.com"),
        RawRequest("POST", "/v1/files", "api.openai.com"),
        RawRequest("POST", "/anything", "example.org", body=b"{}"),
    ],
)
def test_what_is_no_call_of_a_model_is_no_sample(raw: RawRequest) -> None:
    assert Reader().sample(rec.made(raw, 200, rec.JSON_TYPE, [(1, b"{}")]), "test") is None


EVENTS = {
    "anthropic": (b'event: content_block_delta\ndata: {"type":"content_block_delta","delta":{"text":"four"}}\n\n', 4),
    "anthropic start": (b'data: {"type":"content_block_start","content_block":{"type":"text","text":"x"}}\n\n', 0),
    "anthropic tool": (
        b'data: {"type":"content_block_delta","delta":{"partial_json":"{\\"a\\""}}\n\n',
        6,
    ),  # as it is escaped
    "responses": (b'data: {"type":"response.output_text.delta","delta":"four"}\n\n', 4),
    "responses done": (b'data: {"type":"response.output_text.done","text":"four"}\n\n', 0),
    "gemini": (b'data: {"candidates":[{"content":{"parts":[{"text":"four"}]}}]}\r\n\r\n', 4),
    "gemini call": (b'data: {"candidates":[{"content":{"parts":[{"functionCall":{"args":{"a":1}}}]}}]}\n\n', 14),
    "cohere": (b'data: {"type":"content-delta","delta":{"message":{"content":{"text":"four"}}}}\n\n', 4),
    "chat tool": (b'data: {"choices":[{"delta":{"tool_calls":[{"function":{"arguments":"{}"}}]}}]}\n\n', 2),
    "comment": (b": ping\n\n", 0),
    "no json": (b"data: [DONE]\n\n", 0),
}


@pytest.mark.parametrize("name", EVENTS)
def test_the_new_text_of_an_event(name: str) -> None:
    data, size = EVENTS[name]
    found = said([(1, data)], "", lined=False)
    assert found is not None
    assert sum(one.size for one in found.arrivals) == size


def test_a_document_per_line() -> None:
    lines = b'{"message":{"content":"four"}}\n{"done":true,"eval_count":1}'
    found = said([(1, lines[:20]), (2, lines[20:])], "", lined=True)
    assert found is not None
    assert [one.size for one in found.arrivals] == [0, 4, 0]
    assert b"eval_count" in found.counted


@given(st.lists(st.integers(0, 40), min_size=1, max_size=60), st.integers(1, 400))
def test_tokens_are_spread_over_the_writes(weights: list[int], tokens: int) -> None:
    sizes = whole([float(weight) for weight in weights], tokens)
    assert len(sizes) == len(weights)
    assert min(sizes) >= 1
    if any(weights) and tokens >= len(weights):
        assert sum(sizes) == tokens


@given(st.lists(st.floats(0, 1), max_size=60))
def test_merging_loses_no_time_before_the_last_write(gaps: list[float]) -> None:
    between, carried = merged(gaps, [1.0] * (len(gaps) + 1), APART)
    assert sum(carried) == len(gaps) + 1
    assert len(carried) == len(between) + 1
    upto = max((at for at, gap in enumerate(gaps, 1) if gap >= APART), default=0)
    assert sum(between) == pytest.approx(sum(gaps[:upto]))
