"""Which rule a call gets, and which fault: tables of situations, and that chance depends on nothing but the call."""

from __future__ import annotations

import json
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_simulator import dialects
from llm_simulator.config.scenarios import ScenarioSection
from llm_simulator.dialects.base import Ask, Turn
from llm_simulator.simulator.draws import Draw, Lot
from llm_simulator.simulator.scenario import Chosen, Scenario, choose
from llm_simulator.simulator.scenario_when import Situation, told
from llm_simulator.types import Call, RawRequest

HI = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "What is the weather?"}], "n": 1}


def made(*rules: Any, name: str = "s", **more: Any) -> Scenario:
    return ScenarioSection.model_validate({"rules": list(rules), **more}).made(name)


def call(body: Any = HI, path: str = "/v1/chat/completions", host: str = "api.openai.com", **headers: str) -> Call:
    sent = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return dialects.read(RawRequest("POST", path, host, headers=sent, body=json.dumps(body).encode()))


def situation(of: Call | None = None, **more: Any) -> Situation:
    asked = of or call()
    more.setdefault("asks", lambda: dialects.of(asked).ask(asked))
    return Situation(asked, more.pop("identity", asked.raw.body), **more)


def chosen(scenario: Scenario, at: Situation | None = None, seed: int = 1) -> Chosen:
    where = at or situation()
    return choose(scenario, where, Lot(seed, scenario.name, where.identity))


def fits(when: dict[str, Any], at: Situation | None = None) -> bool:
    return chosen(made({"when": when, "then": "replay"}), at).rule is not None


TOOLS = [
    {"role": "user", "content": "go"},
    {
        "role": "assistant",
        "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
    },
    {"role": "tool", "tool_call_id": "1", "content": "12 degrees"},
]
TOOLED = {"model": "gpt-4o", "messages": TOOLS}
CLAUDE = {
    "model": "claude-opus-5",
    "max_tokens": 9,
    "messages": [
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "12 degrees"}]},
    ],
}

FITTING: list[tuple[dict[str, Any], bool]] = [
    ({}, True),
    ({"provider": "openai"}, True),
    ({"provider": ["anthropic", "open*"]}, True),
    ({"provider": "anthropic"}, False),
    ({"operation": "chat"}, True),
    ({"model": "gpt-4o*"}, True),
    ({"model": "gpt-4o"}, False),
    ({"model": "/mini|nano/"}, True),
    ({"path": "/v1/*"}, True),
    ({"path": "/v2/*"}, False),
    ({"stream": True}, False),
    ({"stream": False}, True),
    ({"header": {"X-Team": "blue"}}, True),
    ({"header": {"x-team": "red"}}, False),
    ({"header": {"x-team": None}}, True),
    ({"header": {"x-other": None}}, False),
    ({"session": "s-*"}, True),
    ({"session": "t-*"}, False),
    ({"body": {"$.n": 1}}, True),
    ({"body": {"$.n": 1.0}}, True),
    ({"body": {"$.n": True}}, False),
    ({"body": {"$.n": {"equals": 2}}}, False),
    ({"body": {"$.messages[*].content": {"regex": "weather"}}}, True),
    ({"body": {"$.messages[-1].role": "user"}}, True),
    ({"body": {"$.tools": {"exists": False}}}, True),
    ({"body": {"$.tools": {"exists": True}}}, False),
    ({"body": {"$.tools": None}}, False),
    ({"body": {"$..content": {"regex": "^What"}}}, True),
    ({"body": {"$.messages[?(@.role=='user')].content": {"exists": True}}}, True),
    ({"user": "WEATHER"}, True),
    ({"user": "sports"}, False),
    ({"user": {"regex": r"^What .*\?$"}}, True),
    ({"user": {"contains": "what", "regex": "sports"}}, False),
    ({"tool_result": False}, True),
    ({"tool_result": True}, False),
    ({"turn": 1}, True),
    ({"turn": {"min": 2}}, False),
    ({"prompt_tokens": {"min": 5, "max": 30}}, True),
    ({"prompt_tokens": {"min": 31}}, False),
    ({"share": 1}, True),
    ({"share": 0}, False),
    ({"nth": 3}, True),
    ({"nth": [1, 2]}, False),
    ({"nth": {"every": 3}}, True),
    ({"nth": {"every": 2}}, False),
    ({"nth": {"numbers": [8], "by": "calls"}}, True),
    ({"provider": "openai", "model": "gpt-4", "user": "weather"}, False),
]


@pytest.mark.parametrize(("when", "expected"), FITTING)
def test_what_a_rule_asks(when: dict[str, Any], expected: bool) -> None:
    at = situation(call(x_team="blue"), session="s-1", draw=Draw(0, 2), calls=7)
    assert fits(when, at) is expected


@pytest.mark.parametrize("body", [TOOLED, CLAUDE], ids=["openai", "anthropic"])
def test_a_tool_result_is_seen_under_whatever_role_it_comes(body: Any) -> None:
    asked = call(body) if body is TOOLED else call(body, "/v1/messages", "api.anthropic.com")
    at = situation(asked)
    assert fits({"tool_result": True, "turn": 2}, at)
    assert (at.told.user, at.told.turn) == ("go", 2)


def test_facts_of_a_prompt() -> None:
    turns = (Turn("system", "be"), Turn("user", "a"), Turn("model", "b"), Turn("user", "c"))
    said = told(Ask(turns, 12))
    assert (said.user, said.system, said.turn, said.prompt_tokens, said.tool_result) == ("c", "be", 2, 12, False)


def test_a_prompt_is_read_only_where_a_rule_looks() -> None:
    def never() -> Ask | None:
        raise AssertionError

    assert chosen(made({"when": {"model": "x", "user": "hi"}, "then": "miss"}), situation(asks=never)).rule is None


def test_the_first_rule_that_fits_decides() -> None:
    rules = made(
        {"name": "a", "when": {"model": "x"}, "then": "miss"},
        {"name": "b", "then": "replay"},
        {"name": "c", "then": "simulate"},
    )
    found = chosen(rules).rule
    assert found is not None
    assert (found.name, found.then.mode) == ("b", found.then.mode)
    assert chosen(made()).rule is None


# --- chance


def _picked(scenario: Scenario, order: list[tuple[int, int]], seed: int = 1) -> dict[tuple[int, int], bool]:
    """For calls (which, occurrence): whether the first rule took them."""
    found: dict[tuple[int, int], bool] = {}
    for which, occurrence in order:
        at = situation(call({**HI, "n": which}), draw=Draw(0, occurrence))
        rule = chosen(scenario, at, seed).rule
        found[which, occurrence] = rule is not None and rule.name == "recorded"
    return found


SHARED = made({"name": "recorded", "when": {"share": 0.3}, "then": "replay"}, {"name": "rest", "then": "simulate"})


def test_a_share_is_the_same_in_any_order_and_about_as_large_as_said() -> None:
    order = list(product(range(400), range(5)))
    one = _picked(SHARED, order)
    assert _picked(SHARED, order[::-1]) == one
    assert 0.26 < sum(one.values()) / len(one) < 0.34
    assert _picked(SHARED, order, seed=2) != one


def test_repeats_of_one_call_are_stratified() -> None:
    for which in range(20):
        hits = sum(_picked(SHARED, [(which, occurrence) for occurrence in range(100)]).values())
        assert 28 <= hits <= 32


def test_two_rules_draw_apart() -> None:
    both = made(
        {"name": "a", "when": {"share": 0.5}, "then": "replay"}, {"name": "b", "when": {"share": 0.5}, "then": "miss"}
    )
    names = []
    for which in range(1000):
        rule = chosen(both, situation(call({**HI, "n": which}))).rule
        names.append(rule.name if rule else "")
    assert 430 < names.count("a") < 570
    assert 190 < names.count("b") < 310


# --- phases

PHASES = {"by": "clock", "steps": [{"name": "calm", "for": 30}, {"name": "down", "for": 30}, {"name": "up"}]}


@pytest.mark.parametrize(
    ("elapsed", "phase", "progress"),
    [
        (0, "calm", 0),
        (15, "calm", 0.5),
        (29.9, "calm", 29.9 / 30),
        (30, "down", 0),
        (45, "down", 0.5),
        (60, "up", 0),
        (1e9, "up", 0),
    ],
)
def test_phases_by_the_clock(elapsed: float, phase: str, progress: float) -> None:
    found = chosen(made(phases=PHASES), situation(elapsed=elapsed))
    assert (found.phase, found.state) == (phase, True)
    assert found.progress == pytest.approx(progress)


@pytest.mark.parametrize("by", ["calls", "occurrence"])
def test_phases_by_calls_repeat(by: str) -> None:
    steps = [{"name": "a", "for": 2}, {"name": "b", "for": 2}]
    scenario = made(phases={"by": by, "steps": steps, "repeat": True})
    where: list[dict[str, Any]] = [{"calls": at} if by == "calls" else {"draw": Draw(0, at)} for at in range(8)]
    found = [chosen(scenario, situation(**at)) for at in where]
    assert "".join(one.phase for one in found) == "aabbaabb"
    assert all(one.state is (by == "calls") for one in found)


def test_after_the_last_phase_there_is_none() -> None:
    scenario = made(
        {"when": {"phase": "a"}, "then": "miss"}, phases={"by": "calls", "steps": [{"name": "a", "for": 1}]}
    )
    assert chosen(scenario, situation(calls=0)).rule is not None
    assert chosen(scenario, situation(calls=1)) == Chosen(None, None, "", 0.0, True)


def test_a_share_climbs_in_the_course_of_its_phase() -> None:
    climbing = made(
        {"name": "refused", "when": {"phase": "calm", "share": {"from": 0, "to": 1}}, "then": "miss"}, phases=PHASES
    )

    def hits(elapsed: float) -> int:
        calls = (situation(call({**HI, "n": which}), elapsed=elapsed) for which in range(300))
        return sum(chosen(climbing, at).rule is not None for at in calls)

    assert hits(0) == 0
    assert 40 < hits(7.5) < 110
    assert 190 < hits(22.5) < 260


# --- faults


def struck(faults: list[dict[str, Any]], at: Situation | None = None) -> str:
    found = chosen(made({"then": {"faults": faults}}), at).fault
    return found.name if found else ""


STRIKES: list[tuple[list[dict[str, Any]], dict[str, Any], str]] = [
    ([{"kind": "rate_limit"}], {}, "rate_limit"),
    ([{"kind": "rate_limit", "name": "mine"}], {}, "mine"),
    ([{"kind": "rate_limit", "probability": 0}], {}, ""),
    ([{"kind": "rate_limit", "first_attempts": 1}], {"draw": Draw(0, 0), "retries": True}, "rate_limit"),
    ([{"kind": "rate_limit", "first_attempts": 1}], {"draw": Draw(1, 0), "retries": True}, ""),
    ([{"kind": "rate_limit", "first_attempts": 1}], {"draw": Draw(0, 9), "retries": True}, "rate_limit"),
    ([{"kind": "rate_limit", "first_attempts": 2}], {"draw": Draw(0, 1)}, "rate_limit"),
    ([{"kind": "rate_limit", "first_attempts": 2}], {"draw": Draw(0, 2)}, ""),
    ([{"kind": "rate_limit", "every": 3}], {"draw": Draw(0, 2)}, "rate_limit"),
    ([{"kind": "rate_limit", "every": 3}], {"draw": Draw(0, 3)}, ""),
    ([{"kind": "rate_limit", "every": {"every": 3, "by": "calls"}}], {"calls": 5}, "rate_limit"),
    ([{"kind": "rate_limit", "session": "a*"}], {"session": "abc"}, "rate_limit"),
    ([{"kind": "rate_limit", "session": "a*"}], {"session": "b"}, ""),
    ([{"kind": "rate_limit", "header": {"x-team": "blue"}}], {}, ""),
    ([{"kind": "rate_limit"}, {"kind": "overloaded"}], {}, "rate_limit"),
    ([{"kind": "rate_limit"}, {"kind": "overloaded", "priority": 1}], {}, "overloaded"),
    ([{"kind": "rate_limit"}, {"kind": "overloaded", "priority": 1, "probability": 0}], {}, "rate_limit"),
    ([{"name": "late", "delay": 2}], {}, "late"),
    ([{"status": 418}], {}, "status 418"),
]


@pytest.mark.parametrize(("faults", "at", "name"), STRIKES)
def test_when_a_fault_strikes(faults: list[dict[str, Any]], at: dict[str, Any], name: str) -> None:
    assert struck(faults, situation(**at)) == name


def test_a_delay_climbs_with_its_phase() -> None:
    scenario = made({"then": {"faults": [{"name": "late", "delay": {"from": 0, "to": 4}}]}}, phases=PHASES)
    found = chosen(scenario, situation(elapsed=15)).fault
    assert found is not None
    assert found.waits == 2.0


# --- whatever is sent

_JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=12,
)
_EVERYTHING = made(
    {
        "when": {"body": {"$.messages[*].content": {"regex": "a"}, "$..x": 1, "$.a[?(@.b > 3)]": {"exists": True}}},
        "then": "miss",
    },
    {"when": {"user": "a", "turn": {"min": 2}}, "then": "replay"},
    {"when": {"tool_result": True, "prompt_tokens": {"max": 9}, "share": 0.5}, "then": "simulate"},
    {"when": {"header": {"x": "*"}, "nth": {"every": 2}}, "then": {"fault": "rate_limit"}},
)


@given(_JSON, st.integers(0, 5), st.integers(0, 99), st.floats(0, 1e6))
def test_any_body_is_decided_alike_twice(body: Any, attempt: int, occurrence: int, elapsed: float) -> None:
    asked = call(body)

    def ask() -> Ask | None:
        dialect = dialects.of(asked)
        return None if dialect.check(asked) else dialect.ask(asked)

    at = [situation(asked, draw=Draw(attempt, occurrence), elapsed=elapsed, asks=ask) for _ in range(2)]
    assert chosen(_EVERYTHING, at[0]) == chosen(_EVERYTHING, at[1])
