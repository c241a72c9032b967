"""Answers by template: what they say, that chance in them is the call's own, and that every provider's format takes them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llm_simulator.config.scenario_fields import UserSection
from llm_simulator.config.scenarios import RespondSection
from llm_simulator.simulator.rng import DeterministicRng
from llm_simulator.simulator.scenario_respond import Request, TemplateError, problem_of, said
from llm_simulator.simulator.scenario_when import Told
from llm_simulator.types import Choice, Finish, Reasoning, Text, ToolCall

BODY = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Oslo please"}], "n": 2, "tags": ["a", "b"]}


def answer(respond: Any, told: Told | None = None, seed: int = 1, **more: Any) -> Choice:
    script = RespondSection.model_validate(respond).made
    request = Request(BODY, "gpt-4o", "openai", told or Told(user="Oslo please", tool="12 degrees"), **more)
    return said(script, request, DeterministicRng(seed), "scenario s, rule r")


def text(choice: Choice) -> str:
    return "".join("".join(part.tokens) for part in choice.parts if isinstance(part, Text))


TEXTS: list[tuple[str, str]] = [
    ("plain", "plain"),
    ("{{ user }}!", "Oslo please!"),
    ("{{ request.model }}, {{ request['n'] + 1 }}", "gpt-4o, 3"),
    ("{{ jsonpath('$.messages[0].content') }}", "Oslo please"),
    ("{{ jsonpath('$.none', 'nothing') }}", "nothing"),
    ("{{ jsonpaths('$.tags[*]') | join('+') }}", "a+b"),
    ("{% for tag in request.tags %}{{ tag }};{% endfor %}", "a;b;"),
    ("{{ turn }} {{ attempt }} {{ occurrence }} {{ session }}", "1 2 3 s"),
    ("{{ tool_result | upper }}", "12 DEGREES"),
    ("line\n", "line\n"),
]


@pytest.mark.parametrize(("template", "expected"), TEXTS)
def test_what_a_template_says(template: str, expected: str) -> None:
    choice = answer(template, attempt=2, occurrence=3, session="s")
    assert (text(choice), choice.finish) == (expected, Finish.STOP)


def test_what_a_request_holds_is_never_a_template() -> None:
    assert text(answer("{{ user }}", Told(user="{{ 7 * 7 }}"))) == "{{ 7 * 7 }}"


@pytest.mark.parametrize(
    "template",
    [
        "{{ nothing }}",
        "{{ user.nothing.more }}",
        "{{ 1 / 0 }}",
        "{{ ''.__class__.__mro__ }}",
        "{{ request.update({}) }}",
    ],
)
def test_a_template_that_fails_says_where(template: str) -> None:
    with pytest.raises(TemplateError, match=r"scenario s, rule r: template ['\"]\{\{"):
        answer(template)


def test_chance_in_a_template_is_the_calls_own() -> None:
    template = "{{ choice('a', 'b', 'c') }}{{ choice(['x', 'y']) }}{{ integer(1, 6) }}"
    assert text(answer(template)) == text(answer(template))
    assert len({text(answer(template, seed=seed)) for seed in range(50)}) > 15
    assert problem_of("{{ [1, 2] | random }}") == "No filter named 'random'. (line 1 of the template)"


def test_tool_calls_with_arguments_of_their_own_type() -> None:
    respond = {
        "text": "Let me look.",
        "tool_calls": [
            {
                "name": "get_{{ 'weather' }}",
                "arguments": {"city": "{{ user }}", "n": "{{ request.n }}", "deep": [{"x": 1}]},
            }
        ],
    }
    choice = answer(respond)
    spoken, call = choice.parts
    assert isinstance(spoken, Text)
    assert isinstance(call, ToolCall)
    assert (call.name, json.loads("".join(call.arguments))) == (
        "get_weather",
        {"city": "Oslo please", "n": 2, "deep": [{"x": 1}]},
    )
    assert choice.finish is Finish.TOOL_CALLS
    assert len(call.id) == 32


def test_structured_output() -> None:
    choice = answer({"json": {"city": "{{ user }}", "ok": True, "rank": "{{ 1 + 1 }}", "none": None}})
    assert json.loads(text(choice)) == {"city": "Oslo please", "ok": True, "rank": 2, "none": None}
    assert text(answer({"json": None})) == "null"


def test_reasoning_and_finish() -> None:
    choice = answer({"reasoning": "Hm.", "text": "No.", "finish": "content_filter"})
    assert isinstance(choice.parts[0], Reasoning)
    assert choice.finish is Finish.CONTENT_FILTER


def test_a_conversation_in_turns() -> None:
    respond = [{"tool_calls": [{"name": "f"}]}, "It is {{ tool_result }}.", "Bye."]
    turns = [answer(respond, Told(tool="12", turn=turn)) for turn in (1, 2, 3, 9)]
    assert [turn.finish for turn in turns] == [Finish.TOOL_CALLS, Finish.STOP, Finish.STOP, Finish.STOP]
    assert [text(turn) for turn in turns] == ["", "It is 12.", "Bye.", "Bye."]


def test_user_words_are_found_in_any_case() -> None:
    patterns = UserSection.model_validate("What?").made
    assert [bool(pattern.search("so WHAT? ")) for pattern in patterns] == [True]
