"""Any scenario and any call: the decision never crashes, is the same in any order, and shares are as large as they say."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from llm_simulator import dialects
from llm_simulator.config.scenarios import ScenarioSection
from llm_simulator.simulator.draws import Draw, Lot
from llm_simulator.simulator.scenario import Chosen, Scenario, choose
from llm_simulator.simulator.scenario_when import Situation
from llm_simulator.types import Call, RawRequest

FEWER = settings(max_examples=40)

# --- scenarios

PHASES = ("calm", "down", "up")
SHARES = st.floats(0, 1)
COUNTS = st.integers(1, 6)
PLACES = st.sampled_from(["occurrence", "calls"])
NAMES = st.sampled_from(["*", "gpt-4o*", "/mini|nano/", "openai", "anthropic", "chat", "/v1/*", "[", "s-?", "claude-*"])
TEXTS = st.text(max_size=12)
TEMPLATES = st.sampled_from(["Hi", "{{ choice('a', 'b') }}", "{{ user }} {{ turn }}", "{{ jsonpath('$.a', 1) }}"])
REGEXES = st.sampled_from(["^What", "weather|rain", r"\d+", "", "(a*)*$", "\\Z"])
PATHS = st.sampled_from(
    ["$.n", "$.messages[*].content", "$..content", "$.messages[-1].role", "$.messages[?(@.n > 1)]", "$"]
)
MOVING = SHARES | st.fixed_dictionaries({"from": SHARES, "to": SHARES})
RANGES = st.integers(-2, 50) | st.fixed_dictionaries(
    {}, optional={"min": st.integers(-2, 9), "max": st.integers(10, 99)}
)
NTH = COUNTS | st.lists(COUNTS, max_size=3) | st.fixed_dictionaries({"by": PLACES}, optional={"every": COUNTS})
HEADERS = st.dictionaries(st.sampled_from(["X-Team", "x-other"]), NAMES | st.none(), max_size=2)
KINDS = st.sampled_from(
    ["rate_limit", "overloaded", "early_close", "hang", "malformed_json", "openai.rate_limit_tokens"]
)
BURSTS = st.fixed_dictionaries(
    {"length": st.floats(0.5, 2), "every": st.floats(2.5, 9), "by": st.sampled_from(["occurrence", "calls", "clock"])},
    optional={"start": st.floats(0, 9)},
)


def when(phases: Sequence[str]) -> st.SearchStrategy[dict[str, Any]]:
    """Any conditions; ramps and phases only where there are phases."""
    tests = (
        st.none()
        | st.integers()
        | TEXTS
        | st.fixed_dictionaries({}, optional={"regex": REGEXES, "exists": st.booleans()})
    )
    more = {"phase": st.sampled_from(phases)} if phases else {}
    names = {
        field: NAMES | st.lists(NAMES, min_size=1, max_size=2)
        for field in ("provider", "operation", "model", "path", "session")
    }
    return st.fixed_dictionaries(
        {},
        optional={
            **names,
            **more,
            "stream": st.booleans(),
            "header": HEADERS,
            "body": st.dictionaries(PATHS, tests, max_size=2),
            "user": TEXTS | st.fixed_dictionaries({"regex": REGEXES}),
            "tool_result": st.booleans(),
            "turn": RANGES,
            "prompt_tokens": RANGES,
            "share": MOVING if phases else SHARES,
            "nth": NTH,
        },
    )


def fault(phases: Sequence[str], number: int) -> st.SearchStrategy[dict[str, Any]]:
    more = {"phase": st.sampled_from(phases)} if phases else {}
    waits = st.fixed_dictionaries({"from": st.floats(0, 9), "to": st.floats(0, 9)}) if phases else st.floats(0, 9)
    optional = {
        **more,
        "priority": st.integers(-3, 3),
        "probability": MOVING if phases else SHARES,
        "every": COUNTS | st.fixed_dictionaries({"every": COUNTS, "by": PLACES}),
        "first_attempts": COUNTS,
        "burst": BURSTS,
        "header": HEADERS,
        "session": NAMES,
        "delay": waits,
        "status": st.integers(400, 599),
    }
    return st.fixed_dictionaries({"kind": KINDS, "name": st.just(f"f{number}")}, optional=optional)


def then(phases: Sequence[str]) -> st.SearchStrategy[Any]:
    faults = st.integers(0, 3).flatmap(
        lambda count: st.tuples(*(fault(phases, number) for number in range(count))).map(list)
    )
    more = {"faults": faults, "speed": st.floats(0, 9), "validation": st.sampled_from(["lenient", "provider"])}
    modes = st.sampled_from(["replay", "auto", "simulate", "miss", "server"])
    answers = (
        TEMPLATES
        | st.lists(TEMPLATES, min_size=1, max_size=3)
        | st.fixed_dictionaries({"json": st.dictionaries(TEXTS, TEMPLATES)})
    )
    return (
        modes
        | st.fixed_dictionaries({"mode": modes}, optional=more)
        | st.fixed_dictionaries({"respond": answers}, optional=more)
        | st.fixed_dictionaries({"fault": KINDS})
    )


STEPS = st.permutations(PHASES).flatmap(
    lambda names: st.integers(1, 3).flatmap(
        lambda count: st.lists(st.floats(0.5, 5), min_size=count, max_size=count).map(
            lambda lengths: [{"name": name, "for": length} for name, length in zip(names, lengths, strict=False)]
        )
    )
)
TIMED = st.fixed_dictionaries(
    {"by": st.sampled_from(["clock", "calls", "occurrence"]), "steps": STEPS, "repeat": st.booleans()}
)


@st.composite
def scenarios(draw: st.DrawFn) -> Scenario:
    """A scenario as it could stand in a file."""
    phases: dict[str, Any] = draw(st.just({}) | TIMED)
    names = [step["name"] for step in phases.get("steps", ())]
    rules = st.fixed_dictionaries({"when": when(names), "then": then(names)})
    named = [{"name": f"rule {at}", **rule} for at, rule in enumerate(draw(st.lists(rules, max_size=4)))]
    return ScenarioSection.model_validate({"phases": phases or None, "rules": named}).made("any")


# --- calls

BODIES: tuple[tuple[str, str, Any], ...] = (
    (
        "api.openai.com",
        "/v1/chat/completions",
        {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "What?"}]},
    ),
    (
        "api.anthropic.com",
        "/v1/messages",
        {
            "model": "claude-opus-5",
            "max_tokens": 9,
            "stream": True,
            "messages": [
                {"role": "user", "content": "the weather"},
                {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f", "input": {}}]},
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "12 degrees"}]},
            ],
        },
    ),
    ("api.openai.com", "/v1/embeddings", {"model": "text-embedding-3-small", "input": ["a"], "n": 2}),
    ("api.openai.com", "/v1/models", None),
    ("api.cohere.com", "/v2/chat", {"model": "command-a-03-2025", "messages": "not a list"}),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["messages", "n", "content", "a"]), inner)
    ),
    max_leaves=8,
)


@st.composite
def calls(draw: st.DrawFn) -> Call:
    host, path, body = draw(st.sampled_from(BODIES))
    if draw(st.booleans()):
        body = draw(JSON)
    headers = (("x-team", "blue"),) if draw(st.booleans()) else ()
    raw = RawRequest("POST" if body is not None else "GET", path, host, headers=headers, body=_bytes(body))
    return dialects.read(raw)


def _bytes(body: Any) -> bytes:
    return b"" if body is None else json.dumps(body).encode()


@st.composite
def situations(draw: st.DrawFn) -> Situation:
    """A call at any moment of a run."""
    call = draw(calls())
    dialect = dialects.of(call)
    asks = call.operation in dialect.generates and dialect.check(call) is None
    return Situation(
        call,
        blake2b(call.raw.path.encode() + call.raw.body, digest_size=16).digest(),
        Draw(draw(st.integers(0, 3)), draw(st.integers(0, 40))),
        draw(st.sampled_from(["", "s-1", "other"])),
        draw(st.integers(0, 50)),
        draw(st.floats(0, 100)),
        draw(st.booleans()),
        (lambda: dialect.ask(call)) if asks else (lambda: None),
    )


def again(situation: Situation) -> Situation:
    """The same, of which nothing has been read yet."""
    one = situation
    return Situation(one.call, one.identity, one.draw, one.session, one.calls, one.elapsed, one.retries, one.asks)


def decided(scenario: Scenario, situation: Situation, seed: int) -> Chosen:
    return choose(scenario, situation, Lot(seed, scenario.name, situation.identity))


@given(scenarios(), situations(), st.integers(0, 2**64 - 1))
def test_any_scenario_decides_any_call(scenario: Scenario, situation: Situation, seed: int) -> None:
    """It does not crash, and what it says is one of its own rules, phases and faults."""
    chosen = decided(scenario, situation, seed)
    steps = scenario.phases.steps if scenario.phases else ()
    assert chosen.phase in {"", *(step.name for step in steps)}
    assert 0 <= chosen.progress <= 1
    assert chosen.state is (scenario.phases is not None and scenario.phases.by != "occurrence")
    if chosen.rule is None:
        assert chosen.fault is None
        return
    assert chosen.rule in scenario.rules
    allowed = {fault.name for fault in (chosen.rule.then.fault, *chosen.rule.then.faults) if fault is not None}
    assert chosen.fault is None or (chosen.fault.name in allowed and chosen.fault.waits >= 0)


@FEWER
@given(scenarios(), st.lists(situations(), min_size=2, max_size=5), st.randoms(use_true_random=False))
def test_the_decision_is_the_same_in_any_order(scenario: Scenario, asked: list[Situation], chance: Any) -> None:
    first = [decided(scenario, situation, 7) for situation in asked]
    order = list(range(len(asked)))
    chance.shuffle(order)
    for at in (*order, *order):
        assert decided(scenario, again(asked[at]), 7) == first[at]


@FEWER
@given(scenarios(), situations(), st.integers(0, 2**64 - 1), st.integers(0, 3))
def test_a_rule_that_fits_nothing_changes_nothing(
    scenario: Scenario, situation: Situation, seed: int, place: int
) -> None:
    """What a rule draws is its own: one more before it does not touch it."""
    extra = ScenarioSection.model_validate({"rules": [{"name": "never", "when": {"share": 0}, "then": "miss"}]}).made(
        "any"
    )
    rules = (*scenario.rules[:place], *extra.rules, *scenario.rules[place:])
    other = Scenario(scenario.name, rules, scenario.about, scenario.phases, scenario.vary)
    assert decided(other, again(situation), seed) == decided(scenario, situation, seed)


# --- shares

DISTINCT = 1000
SIGMAS, SMALL = 5.5, 5
"""So far off is none of these examples but once in a hundred thousand runs; `SMALL` is for counts that are not yet normal."""


def within(hits: int, share: float, of: int = DISTINCT) -> bool:
    """Whether so many hits are what a binomial distribution gives."""
    return abs(hits - share * of) <= SIGMAS * math.sqrt(of * share * (1 - share)) + SMALL


CHAT = dialects.read(RawRequest("POST", BODIES[0][1], BODIES[0][0], body=_bytes(BODIES[0][2])))


def _hits(scenario: Scenario, seed: int, rule: str) -> tuple[int, int]:
    """How many of many distinct calls the rule takes, and on how many of those a fault strikes."""
    taken = struck = 0
    for number in range(DISTINCT):
        situation = Situation(CHAT, number.to_bytes(16, "big"))
        chosen = decided(scenario, situation, seed)
        if chosen.rule is not None and chosen.rule.name == rule:
            taken, struck = taken + 1, struck + (chosen.fault is not None)
    return taken, struck


@FEWER
@given(st.floats(0.01, 0.99), st.floats(0.01, 0.99), st.integers(0, 2**64 - 1))
def test_shares_of_distinct_calls_are_binomial(share: float, probability: float, seed: int) -> None:
    faults = [{"kind": "overloaded", "probability": probability}]
    rules = [{"name": "some", "when": {"share": share}, "then": {"mode": "simulate", "faults": faults}}]
    taken, struck = _hits(ScenarioSection.model_validate({"rules": rules}).made("any"), seed, "some")
    assert within(taken, share)
    assert within(struck, probability, taken)


@given(st.floats(0.01, 0.99), st.integers(0, 2**64 - 1), st.integers(1, 400))
def test_repeats_of_one_call_are_closer_than_chance(share: float, seed: int, repeats: int) -> None:
    """Stratified: of n repeats the share's count is off by O(log n), whatever the call."""
    rules = [{"name": "some", "when": {"share": share}, "then": "simulate"}]
    scenario = ScenarioSection.model_validate({"rules": rules}).made("any")
    situations = [Situation(CHAT, b"one", Draw(0, k)) for k in range(repeats)]
    hits = sum(decided(scenario, situation, seed).rule is not None for situation in situations)
    assert abs(hits - share * repeats) <= 2 + math.log2(repeats + 1)
