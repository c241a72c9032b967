"""Token limits that a model cannot keep are capped or left out, and told; the engine's answers say so."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llm_simulator import dialects
from llm_simulator.dialects import limits
from llm_simulator.simulator.draws import FIRST
from llm_simulator.simulator.engine import Engine
from llm_simulator.types import Call, RawRequest

HI = [{"role": "user", "content": "Hi"}]


def anthropic(limit: Any) -> Call:
    return post(
        "api.anthropic.com", "/v1/messages", {"model": "claude-sonnet-4-5", "max_tokens": limit, "messages": HI}
    )


def cohere(limit: Any) -> Call:
    return post("api.cohere.com", "/v2/chat", {"model": "command-a-03-2025", "max_tokens": limit, "messages": HI})


def gemini(limit: Any) -> Call:
    body = {"contents": [{"parts": [{"text": "Hi"}]}], "generation_config": {"max_output_tokens": limit}}
    return post("generativelanguage.googleapis.com", "/v1beta/models/gemini-2.5-flash:generateContent", body)


def post(host: str, path: str, body: Any) -> Call:
    return dialects.read(RawRequest("POST", path, host, body=json.dumps(body).encode()))


@pytest.mark.parametrize(
    ("call", "limit", "warnings"),
    [
        (anthropic(100), 100, ()),
        (anthropic(0), 4096, ("max_tokens: 0 is below the minimum of 1; 4096 taken",)),
        (
            anthropic(10**6),
            64_000,
            ("max_tokens: 1000000 is more than the 64000 tokens that claude-sonnet-4-5 can put out",),
        ),
        (cohere(100), 100, ()),
        (cohere(0), None, ("max_tokens: 0 is below the minimum of 1; taken as not given",)),
        (cohere(9000), 8000, ("max_tokens: 9000 is more than the 8000 tokens that command-a-03-2025 can put out",)),
        (gemini(100), 100, ()),
        (gemini(-1), None, ("maxOutputTokens: -1 is below the minimum of 1; taken as not given",)),
        (
            gemini(10**6),
            65_536,
            ("maxOutputTokens: 1000000 is more than the 65536 tokens that gemini-2.5-flash can put out",),
        ),
    ],
)
def test_limits(call: Call, limit: int | None, warnings: tuple[str, ...]) -> None:
    ask = limits.within(dialects.of(call).ask(call), call)
    assert (ask.max_tokens, ask.warnings) == (limit, warnings)
    assert Engine(0).simulate(call, dialects.of(call), b"identity", FIRST).warnings == warnings
