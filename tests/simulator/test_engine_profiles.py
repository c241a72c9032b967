"""The user's profiles in the engine: whose times, which lengths, cached prompts, failures; quantiles and scatter."""

from __future__ import annotations

import json
import random
from array import array
from collections.abc import Iterable
from dataclasses import replace
from hashlib import blake2b

import pytest

from llm_simulator import dialects
from llm_simulator.profiles import pick
from llm_simulator.profiles.distributions import Constant, Empirical, LogNormal, Mixture
from llm_simulator.profiles.profile import ErrorRate, Profile, Slope, UsageRatio, Writes
from llm_simulator.profiles.traces import Trace, Traces
from llm_simulator.simulator.draws import FIRST, Draw
from llm_simulator.simulator.engine import Engine, Simulated
from llm_simulator.simulator.rng import DeterministicRng, keyed
from llm_simulator.types import JSON, RawRequest

RANKS = (0.5, 0.9, 0.95, 0.99)
BASE = Profile("mine", ("*",), Constant(0.5), Constant(0.01), Writes(), Constant(9.0))


def ask(
    engine: Engine,
    text: str = "Hello!",
    draw: Draw = FIRST,
    *,
    host: str = "api.openai.com",
    path: str = "/v1/chat/completions",
    model: str = "gpt-4o",
    **more: JSON,
) -> Simulated:
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": text}], **more}).encode()
    headers = (("content-type", "application/json"),)
    call = dialects.read(RawRequest("POST", path, host, headers=headers, body=body))
    return engine.simulate(call, dialects.of(call), blake2b(body, digest_size=16).digest(), draw)


def claude(engine: Engine, text: str = "Hi", **more: JSON) -> Simulated:
    return ask(
        engine, text, host="api.anthropic.com", path="/v1/messages", model="claude-sonnet-4-5", max_tokens=99, **more
    )


def recording(n: int = 300) -> Profile:
    """TTFT with a slow mode, rates that fall with it, lengths that go with both, bursts of two tokens."""
    rng = DeterministicRng(keyed(5))
    slow = Mixture((0.9, 0.1), (LogNormal(0.5, 0.1), LogNormal(1.2, 0.3)))
    ttfts = sorted(slow.quantile(rng.next_f64()) for _ in range(n))
    rates = sorted(LogNormal(0.01, 0.2).quantile(rng.next_f64()) for _ in range(n))
    items = tuple(
        Trace(at, n - 1 - at, 20 + at % 37, array("d", [0.01, 0.05, 0.02]), array("l", [2, 2, 2, 2])) for at in range(n)
    )
    return replace(BASE, ttft=Empirical(ttfts), rate=Empirical(rates), traces=Traces(items, n))


def quantiles(values: Iterable[float]) -> list[float]:
    found = Empirical(list(values))
    return [found.quantile(rank) for rank in RANKS]


@pytest.mark.parametrize("profile", [pick("openai", "gpt-4o"), recording()], ids=["shipped", "recorded"])
def test_a_thousand_repeats_meet_the_quantiles(profile: Profile) -> None:
    engine = Engine(9, profiles=[profile])
    made = [ask(engine, draw=Draw(0, k), max_tokens=50) for k in range(1000)]
    assert made[0].completion is not None
    count = len(made[0].completion.choices[0].parts[0].tokens)  # type: ignore[union-attr]  # pyright: ignore
    assert profile.rate is not None
    assert quantiles(one.ttft for one in made) == pytest.approx([profile.ttft.quantile(r) for r in RANKS], rel=0.1)
    rates = [(one.total - one.ttft) / (count - 1) for one in made]
    assert quantiles(rates) == pytest.approx([profile.rate.quantile(r) for r in RANKS], rel=0.1)


def test_a_thousand_distinct_calls_scatter_as_independent_draws_do() -> None:
    engine, profile = Engine(9, profiles=[recording()]), recording()
    made = [ask(engine, f"call {n}", max_tokens=1).ttft for n in range(1000)]
    ranks = sorted(profile.ttft.cdf(value) for value in made)
    worst = max(abs(rank - (place + 0.5) / 1000) for place, rank in enumerate(ranks))
    assert 0.008 < worst < 0.0515  # Kolmogorov and Smirnov: independent draws are between in 99 % of all cases
    order = [profile.ttft.cdf(value) for value in made]
    turns = sum((b - a) * (c - b) < 0 for a, b, c in zip(order, order[1:], order[2:], strict=False))
    assert turns == pytest.approx(2 / 3 * 998, abs=4 * (16 * 1000 / 90) ** 0.5)  # no pattern from one to the next


def test_order_and_company_change_nothing() -> None:
    draws = [(f"call {n % 7}", Draw(n % 2, n // 7)) for n in range(70)]
    one = {(text, draw): ask(Engine(9, profiles=[recording()]), text, draw).total for text, draw in draws[:10]}
    shuffled = draws.copy()
    random.Random(1).shuffle(shuffled)
    engine = Engine(9, profiles=[recording()])
    other = {(text, draw): ask(engine, text, draw).total for text, draw in shuffled}
    assert all(other[key] == total for key, total in one.items())


def test_the_first_answer_to_each_call_is_as_long_as_a_recorded_one() -> None:
    profile = recording()
    assert profile.traces is not None
    engine = Engine(9, profiles=[profile])
    made = [ask(engine, f"call {n}") for n in range(300)]
    counts = [one.usage.completion if one.usage else 0 for one in made]
    assert {*counts} <= {trace.tokens for trace in profile.traces.items}
    recorded = [
        profile.ttft.quantile(at / 299) + profile.rate.quantile(1 - at / 299) * (19 + at % 37)  # type: ignore[union-attr]  # pyright: ignore
        for at in range(300)
    ]
    assert quantiles(one.total for one in made)[:2] == pytest.approx(quantiles(recorded)[:2], rel=0.1)


def test_equal_calls_say_the_same_whenever_they_come() -> None:
    engine = Engine(9, profiles=[recording()])
    assert ask(engine, draw=Draw(0, 5)).completion == ask(Engine(9, profiles=[recording()])).completion


def test_a_total_of_its_own_is_for_answers_that_are_not_streamed() -> None:
    engine = Engine(1, profiles=[replace(BASE, total=Constant(0.75))])
    assert (ask(engine).ttft, ask(engine).total) == (0.75, 0.75)
    streamed = ask(engine, stream=True)
    assert streamed.usage is not None
    assert [streamed.ttft, streamed.total] == pytest.approx([0.5, 0.5 + 0.01 * (streamed.usage.completion - 1)])


def test_a_prompt_that_was_cached_comes_sooner() -> None:
    engine = Engine(1, profiles=[replace(BASE, cache_hit=Constant(0.1))])
    long = "word " * 3000
    system = [{"type": "text", "text": long, "cache_control": {"type": "ephemeral"}}]
    turns = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Yes?"},
        {"role": "user", "content": "Go on"},
    ]
    assert claude(engine, "Hi").ttft == 0.5
    for stream in (False, True):
        hit = claude(engine, system=system, messages=turns, stream=stream)
        assert hit.ttft == 0.1
        assert b"cache_read_input_tokens" in b"".join(chunk.data for chunk in hit.answer.chunks)  # type: ignore[union-attr]  # pyright: ignore


def test_profiles_by_cache_are_told_apart() -> None:
    miss, hit = replace(BASE, name="miss", cache="miss"), replace(BASE, name="hit", cache="hit", ttft=Constant(0.1))
    engine = Engine(1, profiles=[hit, miss])
    system = [{"type": "text", "text": "word " * 3000, "cache_control": {"type": "ephemeral"}}]
    turns = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Yes?"},
        {"role": "user", "content": "Go on"},
    ]
    assert (claude(engine).profile, claude(engine, system=system, messages=turns).profile) == ("miss", "hit")


def test_a_long_prompt_takes_longer_where_the_profile_says_so() -> None:
    engine = Engine(1, profiles=[replace(BASE, prompt_slope=Slope(0.0001, 0))])
    short, long = ask(engine, "Hi"), ask(engine, "word " * 5000)
    assert short.usage is not None
    assert long.usage is not None
    assert long.ttft - short.ttft == pytest.approx(0.0001 * (long.usage.prompt - short.usage.prompt))


def test_estimated_counts_follow_the_calibrated_ratio() -> None:
    text = "What is the capital of Austria? Answer at length."
    plain = claude(Engine(1, profiles=[BASE]), text).usage
    scaled = claude(Engine(1, profiles=[replace(BASE, usage_ratio=UsageRatio(1.5, 2.0, 40))]), text).usage
    assert plain is not None
    assert scaled is not None
    assert (scaled.prompt, scaled.completion) == (round(1.5 * plain.prompt), 2 * plain.completion)
    assert not scaled.exact
    counted = [
        ask(Engine(1, profiles=[replace(BASE, usage_ratio=ratio)]), text).usage for ratio in (None, UsageRatio(9.0))
    ]
    assert counted[0] == counted[1]  # OpenAI's are counted, not estimated


def test_failures_come_as_often_as_they_did() -> None:
    engine = Engine(3, profiles=[replace(BASE, errors=(ErrorRate(529, 0.05), ErrorRate(500, 0.02)))])
    made = ask(engine)
    found = [engine.failure(made, b"one", Draw(0, k)) for k in range(1000)]
    assert [sum(f is not None and f.status == status for f in found) for status in (529, 500)] == pytest.approx(
        [50, 20], abs=1
    )
    assert engine.failure(ask(Engine(3)), b"one", FIRST) is None


def test_an_answer_names_its_profile_and_how_it_was_found() -> None:
    assert (ask(Engine(1)).profile, ask(Engine(1)).by) == ("openai/gpt-4o", "")
    near = ask(Engine(1), model="gpt-5-mini")
    assert (near.profile, near.by) == ("openai/gpt-5.2", "gpt-5*")
