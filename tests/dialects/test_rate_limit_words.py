"""How each provider spells its limits and its refusals: tables, no clock, no socket."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from llm_simulator import dialects
from llm_simulator.dialects import rate_limits
from llm_simulator.dialects.rate_limits import (
    CONCURRENT,
    DAY,
    INPUT,
    OUTPUT,
    REQUESTS,
    TOKENS,
    Refused,
    Window,
    duration,
    headers,
    refusal,
    without,
)
from llm_simulator.types import Call, RawRequest, Reply, header

WALL = 1_771_371_960.0  # 2026-02-17T23:46:00Z
MINUTE = {REQUESTS: Window(500, 499, 0.12), TOKENS: Window(30_000, 29_958, 0.084)}
ASKED: dict[str, tuple[str, str, Any]] = {
    "openai": ("api.openai.com", "/v1/chat/completions", {"model": "gpt-4o"}),
    "azure": ("x.openai.azure.com", "/openai/deployments/d/chat/completions", {}),
    "anthropic": ("api.anthropic.com", "/v1/messages", {"model": "claude-opus-5"}),
    "gemini": ("generativelanguage.googleapis.com", "/v1beta/models/gemini-2.5-flash:generateContent", {}),
    "cohere": ("api.cohere.com", "/v2/chat", {"model": "command-a-03-2025"}),
    "mistral": ("api.mistral.ai", "/v1/chat/completions", {"model": "mistral-small-latest"}),
    "groq": ("api.groq.com", "/openai/v1/chat/completions", {"model": "llama-3.3-70b-versatile"}),
}


def call(name: str) -> Call:
    host, path, body = ASKED[name]
    return dialects.read(RawRequest("POST", path, host, body=json.dumps(body).encode()))


@pytest.mark.parametrize(
    ("seconds", "spelled"),
    [
        (0, "0s"),
        (0.0061, "7ms"),
        (0.12, "120ms"),
        (0.9999, "1s"),
        (1.5, "1.5s"),
        (20, "20s"),
        (73.588, "1m13.588s"),
        (360, "6m0s"),
        (432, "7m12s"),
        (3600, "1h0m0s"),
        (86_400, "24h0m0s"),
    ],
)
def test_times_as_go_spells_them(seconds: float, spelled: str) -> None:
    assert duration(seconds) == spelled


@pytest.mark.parametrize(
    ("provider", "expected"),
    [
        (
            "openai",
            {
                "x-ratelimit-limit-requests": "500",
                "x-ratelimit-limit-tokens": "30000",
                "x-ratelimit-remaining-requests": "499",
                "x-ratelimit-remaining-tokens": "29958",
                "x-ratelimit-reset-requests": "120ms",
                "x-ratelimit-reset-tokens": "84ms",
            },
        ),
        (
            "azure",
            {
                "x-ratelimit-abusepenalty-active": "False",
                "x-ratelimit-limit-requests": "500",
                "x-ratelimit-remaining-requests": "499",
                "x-ratelimit-renewalperiod-requests": "60",
                "x-ratelimit-reset-requests": "120",
                "x-ratelimit-limit-tokens": "30000",
                "x-ratelimit-remaining-tokens": "29958",
                "x-ratelimit-renewalperiod-tokens": "60",
                "x-ratelimit-reset-tokens": "84",
            },
        ),
        (
            "mistral",
            {
                "x-ratelimit-limit-req-minute": "500",
                "x-ratelimit-remaining-req-minute": "499",
                "x-ratelimit-limit-tokens-minute": "30000",
                "x-ratelimit-remaining-tokens-minute": "29958",
                "x-ratelimit-tokens-query-cost": "42",
            },
        ),
        ("cohere", {"x-trial-endpoint-call-limit": "500", "x-trial-endpoint-call-remaining": "499"}),
        (
            "xai",
            {
                "x-ratelimit-limit-requests": "500",
                "x-ratelimit-limit-tokens": "30000",
                "x-ratelimit-remaining-requests": "499",
                "x-ratelimit-remaining-tokens": "29958",
            },
        ),
        (
            "together",
            {
                "x-ratelimit-limit": "500",
                "x-ratelimit-remaining": "499",
                "x-ratelimit-reset": "1",
                "x-tokenlimit-limit": "30000",
                "x-tokenlimit-remaining": "29958",
                "x-tokenlimit-reset": "1",
            },
        ),
        ("gemini", {}),
        ("vertex", {}),
        ("deepseek", {}),
    ],
)
def test_headers_of_each_provider(provider: str, expected: dict[str, str]) -> None:
    assert dict(headers(provider, MINUTE, WALL, 42)) == expected


def test_anthropic_tells_times_of_the_clock_and_rounds_tokens() -> None:
    standing = {REQUESTS: Window(50, 49, 1.2), INPUT: Window(30_000, 29_400, 1), OUTPUT: Window(8_000, 7_600, 3)}
    told = dict(headers("anthropic", standing, WALL))
    assert told["anthropic-ratelimit-requests-reset"] == "2026-02-17T23:46:02Z"
    assert told["anthropic-ratelimit-input-tokens-remaining"] == "29000"
    assert told["anthropic-ratelimit-output-tokens-remaining"] == "8000"
    assert (told["anthropic-ratelimit-tokens-limit"], told["anthropic-ratelimit-tokens-reset"]) == (
        *("38000", "2026-02-17T23:46:03Z"),
    )


def test_groq_tells_the_requests_of_a_day() -> None:
    told = dict(headers("groq", {**MINUTE, DAY: Window(14_400, 14_397, 17.9)}, WALL))
    assert (told["x-ratelimit-limit-requests"], told["x-ratelimit-reset-requests"]) == ("14400", "17.9s")


def test_what_was_recorded_of_another_account_goes() -> None:
    recorded = (
        ("content-type", "application/json"),
        ("X-RateLimit-Limit-Requests", "1"),
        ("anthropic-ratelimit-tokens-reset", "then"),
        ("x-endpoint-monthly-call-limit", "1000"),
        ("x-trial-endpoint-call-remaining", "9"),
        ("ratelimitbysize-reset", "33"),
        ("x-request-id", "req_1"),
    )
    assert without(recorded) == (recorded[0], recorded[-1])


def replied(name: str, refused: Refused) -> tuple[Reply, str]:
    made = call(name)
    reply = dialects.of(made).refuse(refusal(refused, made), made)
    assert isinstance(reply.body, bytes)
    return reply, reply.body.decode()


@pytest.mark.parametrize("name", ASKED)
@pytest.mark.parametrize("by", [REQUESTS, DAY, TOKENS, INPUT, OUTPUT, CONCURRENT])
def test_every_refusal_is_a_429_that_says_when(name: str, by: str) -> None:
    reply, body = replied(name, Refused(by, 7777, 7777, 3, 12.3))
    assert reply.status == 429
    told = header(reply.headers, "retry-after")
    assert told == ("" if name == "gemini" else "13")
    if name in ("openai", "azure", "groq"):
        assert header(reply.headers, "retry-after-ms") == "12300"
    json.loads(body)


@pytest.mark.parametrize(
    ("name", "by", "words"),
    [
        ("openai", REQUESTS, "on requests per min (RPM): Limit 7,Used 7,Requested 1. Please try again in 1.5s"),
        ("openai", TOKENS, "on tokens per min (TPM): Limit 7"),
        ("openai", DAY, "on requests per day (RPD): Limit 7"),
        ("azure", TOKENS, "Please retry after 2 seconds"),
        ("anthropic", REQUESTS, "rate limit of 7 requests per minute"),
        ("anthropic", INPUT, "rate limit of 7 input tokens per minute"),
        ("anthropic", OUTPUT, "rate limit of 7 output tokens per minute"),
        ("anthropic", OUTPUT, "model: claude-opus-5)"),
        ("gemini", REQUESTS, "limit: 7, model: gemini-2.5-flash"),
        ("cohere", TOKENS, "limit is 7 tokens per minute"),
        ("groq", TOKENS, "for llama-3.3-70b-versatile in organization"),
    ],
)
def test_refusals_have_the_numbers_of_this_limit(name: str, by: str, words: str) -> None:
    _, body = replied(name, Refused(by, 7, 7, 1, 1.5))
    assert words.replace(",U", ", U").replace(",R", ", R") in body


def test_a_call_that_is_too_large_alone_is_told_so() -> None:
    reply, body = replied("openai", Refused(TOKENS, 100, 0, 4000, None))
    assert "Request too large for gpt-4o" in body
    assert "Limit 100, Requested 4000" in body
    assert reply.status == 429


def test_whoever_uses_openais_words_is_refused_in_them() -> None:
    made = call("groq")
    assert re.match(r"openai\.", rate_limits.refusal(Refused(REQUESTS, 1, 1, 1, 1.0), made).name)
