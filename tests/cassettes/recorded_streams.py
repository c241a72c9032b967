"""Recorded chat streams with given times, as our recorder takes them down: for tests of calibration."""

from __future__ import annotations

import json
from collections.abc import Sequence

from llm_simulator.types import Exchange, Headers, Outcome, RawRequest

SSE: Headers = (("content-type", "text/event-stream"),)
JSON_TYPE: Headers = (("content-type", "application/json"),)


def request(model: str = "gpt-4o-mini", *, stream: bool = True, text: str = "hi there") -> RawRequest:
    body = {"model": model, "messages": [{"role": "user", "content": text}], "stream": stream}
    return RawRequest(
        "POST", "/v1/chat/completions", "api.openai.com", headers=JSON_TYPE, body=json.dumps(body).encode()
    )


def event(**fields: object) -> bytes:
    return b"data: " + json.dumps({"id": "chatcmpl-1", "object": "chat.completion.chunk", **fields}).encode() + b"\n\n"


def said(text: str) -> bytes:
    return event(choices=[{"index": 0, "delta": {"content": text}, "finish_reason": None}])


HELLO = event(choices=[{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}])
STOP = event(choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}])
DONE = b"data: [DONE]\n\n"


def usage(prompt: int, completion: int, *, cached: int = 0, reasoning: int = 0) -> dict[str, object]:
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": cached},
        "completion_tokens_details": {"reasoning_tokens": reasoning},
    }


def streamed(
    writes: Sequence[tuple[float, int]],
    *,
    model: str = "gpt-4o-mini",
    cached: int = 0,
    reasoning: int = 0,
    outcome: Outcome = Outcome.COMPLETE,
    headers: Headers = SSE,
    marks: frozenset[str] = frozenset(),
    recorded_at: str = "2026-05-01T10:00:00.000Z",
) -> Exchange:
    """A stream whose writes are (seconds after the request, tokens); the greeting comes 10 ms before the first."""
    tokens = sum(count for _, count in writes)
    chunks = [(round((writes[0][0] - 0.01) * 1e9), HELLO)]
    chunks += [(round(at * 1e9), said("word") * count) for at, count in writes]
    last = round(writes[-1][0] * 1e9)
    end = STOP + event(choices=[], usage=usage(9, tokens + reasoning, cached=cached, reasoning=reasoning)) + DONE
    chunks.append((last + 200_000, end))
    return made(request(model), 200, headers, chunks, outcome=outcome, marks=marks, recorded_at=recorded_at)


def whole(total: float, tokens: int, *, model: str = "gpt-4o-mini", text: str = "word " * 5) -> Exchange:
    body = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": model,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": usage(9, tokens),
    }
    chunks = [(round(total * 1e9), json.dumps(body).encode())]
    return made(request(model, stream=False), 200, JSON_TYPE, chunks)


def refused(status: int, code: str, *, model: str = "gpt-4o-mini") -> Exchange:
    body = json.dumps({"error": {"message": "no", "type": "requests", "code": code}}).encode()
    return made(request(model), status, JSON_TYPE, [(50_000_000, body)])


def made(
    raw: RawRequest,
    status: int,
    headers: Headers,
    chunks: Sequence[tuple[int, bytes]],
    *,
    outcome: Outcome = Outcome.COMPLETE,
    marks: frozenset[str] = frozenset(),
    recorded_at: str = "",
) -> Exchange:
    from llm_simulator import dialects

    call = dialects.read(raw)
    return Exchange(
        raw,
        call.provider,
        call.family,
        call.operation,
        call.model,
        call.stream,
        status,
        headers,
        tuple(chunks),
        outcome=outcome,
        recorded_at=recorded_at,
        head_ns=chunks[0][0] if chunks else 0,
        recorder="llm-simulator test",
        marks=marks,
    )
