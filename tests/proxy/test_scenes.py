"""Scenarios at work without a socket: the clock is passed in, and every shipped scenario answers every format."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Coroutine, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import pytest

from llm_simulator import dialects
from llm_simulator.config import library
from llm_simulator.config.load import from_mapping
from llm_simulator.config.settings import Settings
from llm_simulator.dialects import conditions
from llm_simulator.errors import ConfigError, RequestError
from llm_simulator.proxy.perform import Performer
from llm_simulator.proxy.scenes import Stage
from llm_simulator.telemetry.journal import Entry
from llm_simulator.types import Answer, Condition, Mode, header

T = TypeVar("T")
HI = [{"role": "user", "content": "Hi"}]
TOOL = {"name": "weather", "parameters": {"type": "object"}}
_CHAT = {"model": "gpt-4o", "messages": HI, "tools": [{"type": "function", "function": TOOL}]}
_CLAUDE = {
    "model": "claude-opus-5",
    "max_tokens": 50,
    "messages": HI,
    "tools": [{"name": "weather", "input_schema": {"type": "object"}}],
}
_GEMINI = {
    "contents": [{"role": "user", "parts": [{"text": "Hi"}]}],
    "tools": [{"functionDeclarations": [{"name": "weather"}]}],
}
CALLS: list[tuple[str, Any]] = [
    ("/api.openai.com/v1/chat/completions", _CHAT),
    ("/api.openai.com/v1/chat/completions", {**_CHAT, "stream": True}),
    ("/api.openai.com/v1/responses", {"model": "gpt-4o", "input": "Hi", "tools": [{"type": "function", **TOOL}]}),
    ("/api.openai.com/v1/responses", {"model": "gpt-4o", "input": "Hi", "stream": True}),
    ("/api.openai.com/v1/embeddings", {"model": "text-embedding-3-small", "input": "Hi"}),
    ("/api.anthropic.com/v1/messages", _CLAUDE),
    ("/api.anthropic.com/v1/messages", {**_CLAUDE, "stream": True}),
    ("/generativelanguage.googleapis.com/v1beta/models/gemini-2.5-flash:generateContent", _GEMINI),
    ("/generativelanguage.googleapis.com/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse", _GEMINI),
    ("/api.cohere.com/v2/chat", {"model": "command-a-03-2025", "messages": HI, "stream": True}),
    ("/api.mistral.ai/v1/chat/completions", {"model": "mistral-small-latest", "messages": HI}),
]


FORMATS: dict[str, tuple[str, Any]] = {
    "openai": CALLS[0],
    "azure": ("/x.openai.azure.com/openai/deployments/d/chat/completions?api-version=2024-10-21", {"messages": HI}),
    "anthropic": CALLS[5],
    "gemini": CALLS[7],
    "cohere": ("/api.cohere.com/v2/chat", {"model": "command-a-03-2025", "messages": HI}),
    "mistral": CALLS[10],
}


@dataclass
class Clock:
    """Seconds that go by when the test says so."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


def run(main: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(main)


def staged(clock: Clock | None = None, scenario: str = "default", **scenarios: Any) -> Stage:
    settings = from_mapping({"scenarios": scenarios}) if scenarios else Settings()
    settings = replace(settings, scenario=scenario, mode=Mode.SIMULATE, speed=0.0)
    return Stage(settings, Performer(settings, None, None), clock or Clock())


async def asked(stage: Stage, path: str = CALLS[0][0], body: Any = _CHAT, **headers: str) -> tuple[Answer, Entry]:
    sent = tuple((name.replace("_", "-").encode(), value.encode()) for name, value in headers.items())
    known = stage.read("POST", path, sent, json.dumps(body).encode())
    entry = Entry(0.0, "POST", path, known.known.call.provider, "", "", False, 0, "refusal")
    return await stage.answer(known, entry), entry


def whole(answer: Answer) -> bytes:
    assert not isinstance(answer.chunks, AsyncIterator)
    return b"".join(chunk.data for chunk in answer.chunks)


async def statuses(stage: Stage, clock: Clock, at: Sequence[float]) -> list[int]:
    """Of distinct calls that arrive at these seconds."""
    start, found = clock.now, list[int]()
    for number, second in enumerate(at):
        clock.now = start + second
        answer, _ = await asked(stage, body={**_CHAT, "seed": number})
        found.append(answer.status)
    return found


def test_an_outage_by_the_clock_is_the_same_for_the_same_arrivals() -> None:
    clock = Clock()
    stage = staged(clock, "outage")
    schedule = [0, 10, 29, 31, 45, 59, 91, 1000]
    found = run(statuses(stage, clock, schedule))
    assert found == [200, 200, 200, 503, 503, 503, 200, 200]
    clock.now = 5000.0
    stage.activate("outage")
    assert run(statuses(stage, clock, schedule)) == found


def test_a_call_in_flight_keeps_its_scenario() -> None:
    async def main() -> tuple[str, str]:
        stage = staged(
            scenario="one", one={"rules": [{"then": {"respond": "one"}}]}, two={"rules": [{"then": {"respond": "two"}}]}
        )
        first = asyncio.ensure_future(asked(stage))
        await asyncio.sleep(0)
        stage.activate("two")
        second = await asked(stage)
        return (await first)[1].scenario, second[1].scenario

    assert run(main()) == ("one", "two")


def test_shares_hold_call_by_call_under_concurrency() -> None:
    rules = [
        {"name": "some", "when": {"share": 0.3}, "then": {"respond": "Hi"}},
        {"name": "rest", "then": {"respond": "Ho"}},
    ]

    async def one(stage: Stage, number: int) -> tuple[int, str]:
        _, entry = await asked(stage, body={**_CHAT, "seed": number})
        return number, entry.rule

    async def main(order: list[int], at_once: int) -> dict[int, str]:
        stage, found = staged(scenario="s", s={"rules": rules}), dict[int, str]()
        for start in range(0, len(order), at_once):
            found |= dict(await asyncio.gather(*(one(stage, number) for number in order[start : start + at_once])))
        return found

    calls = list(range(120))
    alone = run(main(calls, 1))
    assert run(main(calls[::-1], 40)) == alone
    assert 24 <= list(alone.values()).count("some") <= 48


def test_a_stage_without_a_scenario_is_the_performer() -> None:
    stage = staged()
    answer, entry = run(asked(stage))
    assert (entry.scenario, entry.rule, header(answer.headers, "x-llm-simulator-scenario")) == ("", "", "default")
    plain = Performer(Settings(mode=Mode.SIMULATE, speed=0.0), None, None)
    known = plain.read("POST", CALLS[0][0], (), json.dumps(_CHAT).encode())
    other = run(plain.answer(known, entry))
    assert (whole(answer), answer.headers) == (whole(other), other.headers)


def test_names_that_do_not_exist() -> None:
    with pytest.raises(ConfigError, match="no scenario 'nope'"):
        staged(scenario="nope")
    with pytest.raises(ConfigError, match="no latency profile 'nope'"):
        staged(scenario="x", x={"rules": [{"then": {"profile": "nope"}}]})
    with pytest.raises(RequestError, match="x-llm-simulator-scenario: there is no scenario 'nope'"):
        run(asked(staged(), x_llm_simulator_scenario="nope"))


def test_a_rules_profile_times_its_answers() -> None:
    stage = staged(scenario="x", x={"rules": [{"then": {"profile": "openai/gpt-4o-mini"}}]})
    answer, _ = run(asked(stage))
    assert header(answer.headers, "x-llm-simulator-profile") == "openai/gpt-4o-mini"


def test_a_break_that_does_not_fit_leaves_the_answer_whole() -> None:
    stage = staged(scenario="x", x={"rules": [{"then": {"fault": "stream_ends_without_terminator"}}]})
    answer, entry = run(asked(stage))
    assert (answer.status, entry.fault) == (200, "")
    assert entry.note == "fault stream_ends_without_terminator does not apply to this answer"


@pytest.mark.parametrize("provider", conditions.PROVIDERS)
def test_every_condition_of_the_catalogue_can_be_had_by_its_name_and_arrives_exactly_so(provider: str) -> None:
    names = [entry.id for entry in conditions.entries(provider) if entry.spelled and entry.status != 101]
    rules = [{"when": {"header": {"x-case": f"/^{re.escape(name)}$/"}}, "then": {"fault": name}} for name in names]
    path, body = FORMATS[provider]

    async def main() -> None:
        stage = staged(scenario="all", all={"rules": rules})
        for name in names:
            answer, entry = await asked(stage, path, body, x_case=name)
            call = stage.read("POST", path, ((b"x-case", name.encode()),), json.dumps(body).encode()).known.call
            expected = dialects.of(call).refuse(Condition(name, 0, ""), call)
            told = expected.body if isinstance(expected.body, bytes) else b"".join(one.data for one in expected.body)
            assert (answer.status, whole(answer), entry.fault) == (expected.status, told, name)
            ours = [item for item in answer.headers if not item[0].startswith(("x-llm-simulator-", "content-length"))]
            assert ours == [item for item in expected.headers if item[0].lower() != "content-length"], name

    run(main())


@pytest.mark.parametrize("name", library.shipped())
def test_every_shipped_scenario_answers_every_format(name: str) -> None:
    async def main() -> list[tuple[int, bytes, str]]:
        stage, found = staged(scenario=name), list[tuple[int, bytes, str]]()
        for path, body in CALLS:
            for occurrence in range(3):
                answer, entry = await asked(stage, path, body, x_llm_simulator_occurrence=str(occurrence))
                assert entry.scenario == name
                told = whole(answer)
                assert b"internal error" not in told
                found.append((answer.status, told, entry.rule))
        return found

    one = run(main())
    assert all(rule for _, _, rule in one)
    assert {status for status, _, _ in one} <= {0, 200, 400, 401, 403, 404, 429, 500, 502, 503, 529}
    assert run(main()) == one
