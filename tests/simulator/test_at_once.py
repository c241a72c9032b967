"""Without waits: the same bytes and the same virtual times, every chunk due at 0, at each occurrence."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable

import pytest

from llm_simulator import dialects
from llm_simulator.simulator.draws import Draw
from llm_simulator.simulator.engine import SHARED_TOKENS, Engine
from llm_simulator.types import Chunk, RawRequest


def _call(**more: object) -> RawRequest:
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 60, **more}
    return RawRequest("POST", "/v1/chat/completions", body=json.dumps(body).encode())


def _known(chunks: Iterable[Chunk] | AsyncIterator[Chunk]) -> list[Chunk]:
    assert isinstance(chunks, Iterable)
    return list(chunks)


@pytest.mark.parametrize("stream", [True, False])
def test_at_once_says_the_same_without_waiting(stream: bool) -> None:
    call = dialects.read(_call(stream=stream))
    dialect, paced, hurried = dialects.of(call), Engine(3), Engine(3)
    for occurrence in range(4):
        draw = Draw(0, occurrence)
        slow = paced.simulate(call, dialect, b"k" * 16, draw)
        quick = hurried.simulate(call, dialect, b"k" * 16, draw, at_once=True)
        expected, got = _known(slow.answer.chunks), _known(quick.answer.chunks)
        assert [chunk.data for chunk in got] == [chunk.data for chunk in expected]
        assert (quick.ttft, quick.total) == (slow.ttft, slow.total)
        assert {chunk.due for chunk in got} == ({0.0} if stream else {quick.total})


def test_long_streams_are_spelled_anew_each_time() -> None:
    call = dialects.read(_call(stream=True, max_tokens=SHARED_TOKENS + 500, min_tokens=SHARED_TOKENS + 100))
    dialect, engine = dialects.of(call), Engine(3)
    bodies = [
        b"".join(c.data for c in _known(engine.simulate(call, dialect, b"k" * 16, at_once=True).answer.chunks))
        for _ in range(3)
    ]
    assert bodies[0] == bodies[1] == bodies[2]
