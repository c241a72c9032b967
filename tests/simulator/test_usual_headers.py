"""Request ids and rate limits on every answer, in each provider's names and formats; endpoints that have none have none."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from llm_simulator import dialects
from llm_simulator.simulator.draws import FIRST
from llm_simulator.simulator.engine import Engine
from llm_simulator.types import RawRequest

HI = [{"role": "user", "content": "Hi"}]
PARTS = {"contents": [{"parts": [{"text": "Hi"}]}]}
NUMBER, UUID = r"\d+", r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
DURATION, TIME = r"(?:\d+m)?(?:\d+(?:\.\d+)?s|\d+ms)", r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
Formats = dict[str, str]

OPENAI_ID: Formats = {"x-request-id": r"req_[0-9a-f]{32}"}
OPENAI: Formats = OPENAI_ID | {
    f"x-ratelimit-{what}-{unit}": DURATION if what == "reset" else NUMBER
    for what in ("limit", "remaining", "reset")
    for unit in ("requests", "tokens")
}
AZURE_ID: Formats = {"apim-request-id": UUID, "x-request-id": UUID}
AZURE_LEFT: Formats = {f"x-ratelimit-remaining-{unit}": NUMBER for unit in ("requests", "tokens")}
AZURE: Formats = (
    AZURE_ID
    | AZURE_LEFT
    | {f"x-ratelimit-{what}-{unit}": NUMBER for what in ("limit", "reset") for unit in ("requests", "tokens")}
    | {f"x-ratelimit-renewalperiod-{unit}": "60" for unit in ("requests", "tokens")}
)
ANTHROPIC_ID: Formats = {"request-id": r"req_011C[1-9A-HJ-NP-Za-km-z]{20}"}
ANTHROPIC: Formats = ANTHROPIC_ID | {
    f"anthropic-ratelimit-{unit}-{what}": TIME if what == "reset" else NUMBER
    for unit in ("input-tokens", "output-tokens", "requests", "tokens")
    for what in ("limit", "remaining", "reset")
}
COHERE: Formats = {"x-debug-trace-id": r"[0-9a-f]{32}"}
MISTRAL: Formats = {"mistral-correlation-id": r"[0-9a-f-]{36}", "x-kong-request-id": r"[0-9a-f-]{36}"} | {
    f"x-ratelimit-{name}": NUMBER
    for name in (
        "limit-req-10-second",
        "remaining-req-10-second",
        "limit-tokens-minute",
        "remaining-tokens-minute",
        "limit-tokens-month",
        "remaining-tokens-month",
        "tokens-query-cost",
    )
}
GROQ: Formats = OPENAI | {"x-request-id": r"req_[0-9a-z]{26}"}

CALLS: list[tuple[str, str, Any, Formats]] = [
    ("api.openai.com", "/v1/chat/completions", {"model": "gpt-4o", "messages": HI}, OPENAI),
    ("api.openai.com", "/v1/chat/completions", {"model": "gpt-4o", "messages": HI, "stream": True}, OPENAI),
    ("api.openai.com", "/v1/completions", {"model": "gpt-3.5-turbo-instruct", "prompt": "Hi"}, OPENAI),
    ("api.openai.com", "/v1/embeddings", {"model": "text-embedding-3-small", "input": "Hi"}, OPENAI),
    ("api.openai.com", "/v1/responses", {"model": "gpt-4o", "input": "Hi"}, OPENAI),
    ("api.openai.com", "/v1/images/generations", {"model": "gpt-image-1", "prompt": "Hi"}, OPENAI_ID),
    ("api.openai.com", "/v1/models", None, OPENAI_ID),
    ("api.openai.com", "/v1/files", None, OPENAI_ID),
    ("x.openai.azure.com", "/openai/deployments/d/chat/completions", {"messages": HI}, AZURE),
    ("x.openai.azure.com", "/openai/deployments/d/embeddings", {"input": "Hi"}, AZURE_ID | AZURE_LEFT),
    ("api.anthropic.com", "/v1/messages", {"model": "claude-opus-5", "max_tokens": 9, "messages": HI}, ANTHROPIC),
    ("api.anthropic.com", "/v1/messages/count_tokens", {"model": "claude-opus-5", "messages": HI}, ANTHROPIC_ID),
    ("api.anthropic.com", "/v1/models", None, ANTHROPIC_ID),
    ("generativelanguage.googleapis.com", "/v1beta/models/gemini-2.5-flash:generateContent", PARTS, {}),
    ("api.cohere.com", "/v2/chat", {"model": "command-a-03-2025", "messages": HI}, COHERE),
    ("api.cohere.com", "/v1/models", None, COHERE),
    ("api.mistral.ai", "/v1/chat/completions", {"model": "mistral-small-latest", "messages": HI}, MISTRAL),
    ("api.mistral.ai", "/v1/embeddings", {"model": "mistral-embed", "input": ["Hi"]}, MISTRAL),
    ("api.groq.com", "/openai/v1/chat/completions", {"model": "llama-3.3-70b-versatile", "messages": HI}, GROQ),
]


@pytest.mark.parametrize(
    ("host", "path", "body", "formats"), CALLS, ids=lambda value: value if value in CALLS else None
)
def test_ids_and_limits(host: str, path: str, body: Any, formats: Formats) -> None:
    method, data = ("GET", b"") if body is None else ("POST", json.dumps(body).encode())
    call = dialects.read(RawRequest(method, path, host, body=data))
    made = Engine(0).simulate(call, dialects.of(call), b"identity", FIRST)
    headers = dict(made.answer.headers)
    assert made.answer.status == 200
    assert {name for name, form in formats.items() if not re.fullmatch(form, headers.get(name, ""))} == set()
    limits = {name for name in headers if "ratelimit" in name and "abusepenalty" not in name}
    assert limits == {name for name in formats if "ratelimit" in name}
