"""Timings: what adds up, what is drawn first, how tokens fall into writes."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_simulator.profiles import pick
from llm_simulator.profiles.distributions import Constant, LogNormal, Normal, Uniform
from llm_simulator.profiles.profile import GAP_SHAPE, Profile, Writes
from llm_simulator.simulator.rng import DeterministicRng, keyed

STEADY = Profile("steady", ("*",), Constant(0.5), Constant(0.02), Writes(gap=Constant(1.0)), Constant(100))
BURSTS = Profile("bursts", ("*",), Constant(0.5), Constant(0.02), Writes((2,), (1.0,), Constant(1.0)), Constant(100))
ABSOLUTE = Profile("itl", ("*",), Constant(0.5), None, Writes(gap=Normal(0.02, 0.005)), Constant(100))


class Fixed:
    """A chance that says what it is told."""

    def __init__(self, draws: Iterable[float]) -> None:
        self._draws = iter(draws)

    def next_f64(self) -> float:
        return next(self._draws)

    def next_normal(self) -> float:
        raise AssertionError("no normal draw expected")


def rng(*parts: str | int) -> DeterministicRng:
    return DeterministicRng(keyed(3, *parts))


def test_even_tokens() -> None:
    timings = STEADY.generate_streaming_timings(5, rng())
    assert timings.ttft == 0.5
    assert timings.gaps == pytest.approx([0.02] * 4)
    assert timings.total == pytest.approx(0.58)
    assert [timings.due(token) for token in (0, 4, 99)] == pytest.approx([0.5, 0.58, 0.58])


def test_tokens_of_one_write_are_due_together() -> None:
    timings = BURSTS.generate_streaming_timings(5, rng())
    assert timings.gaps == pytest.approx([0, 0.04, 0, 0.04])
    assert timings.total == pytest.approx(0.58)


@pytest.mark.parametrize("profile", [STEADY, BURSTS, ABSOLUTE])
@pytest.mark.parametrize("count", [0, 1])
def test_few_tokens_end_with_the_first(profile: Profile, count: int) -> None:
    timings = profile.generate_streaming_timings(count, rng())
    assert (timings.ttft, timings.total, timings.gaps, timings.due(3)) == (0.5, 0.5, [], 0.5)


def test_a_single_write_still_takes_its_time() -> None:
    timings = BURSTS.generate_streaming_timings(2, rng())
    assert timings.gaps == pytest.approx([0.02])


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 400), st.integers(0, 2**64 - 1), st.sampled_from(["openai", "azure", "anthropic"]))
def test_rate_and_count_make_the_total(count: int, seed: int, provider: str) -> None:
    profile = pick(provider, "any")
    timings = profile.generate_streaming_timings(count, DeterministicRng(seed))
    outline = profile.outline(count, DeterministicRng(seed))
    assert outline == (timings.ttft, timings.total)
    assert len(timings.gaps) == max(count - 1, 0)
    assert all(gap >= 0 for gap in timings.gaps)
    assert sum(timings.gaps) == pytest.approx(timings.total - timings.ttft, abs=1e-9)


def test_the_first_draw_is_the_first_token_and_the_second_the_rate() -> None:
    profile = Profile("x", ("*",), Uniform(0, 1), Uniform(0, 1), Writes(gap=Constant(1.0)), Constant(100))
    timings = profile.generate_streaming_timings(3, Fixed([0.25, 0.75]))
    assert (timings.ttft, timings.total) == (0.25, 1.75)
    assert profile.outline(3, Fixed([0.25, 0.75])) == (0.25, 1.75)


def test_absolute_gaps_are_drawn_one_by_one() -> None:
    timings = ABSOLUTE.generate_streaming_timings(2001, rng("absolute"))
    assert statistics.fmean(timings.gaps) == pytest.approx(0.02, rel=0.02)
    assert statistics.stdev(timings.gaps) == pytest.approx(0.005, rel=0.06)
    assert ABSOLUTE.outline(50, rng("a")) == (0.5, ABSOLUTE.generate_streaming_timings(50, rng("a")).total)


def test_a_speed_factor_multiplies_all_gaps_of_a_response() -> None:
    varied = Profile("x", ("*",), Constant(0.5), None, Writes(gap=Constant(0.02)), Constant(9), speed_sigma=0.2)
    timings = varied.generate_streaming_timings(11, Fixed([0.5, 0.9, *[0.5] * 10]))
    assert timings.gaps == pytest.approx([0.02 * LogNormal(1.0, 0.2).quantile(0.9)] * 10)


def test_openai_streams_look_like_openai_streams() -> None:
    """180 captures of gpt-4o: 2 tokens in 87 % of writes; gaps between writes 20, 77 ms at p50, p95; cv 1.24."""
    profile = pick("openai", "gpt-4o")
    gaps: list[float] = []
    sizes: list[int] = []
    for response in range(60):
        timings = profile.generate_streaming_timings(300, rng("openai", response))
        between = [gap for gap in timings.gaps if gap > 1e-9]
        gaps += between
        places = [place for place, gap in enumerate(timings.gaps) if gap > 1e-9]
        sizes += [later - earlier for earlier, later in pairwise(places)]
    gaps.sort()
    assert sizes.count(2) / len(sizes) == pytest.approx(0.87, abs=0.02)
    assert gaps[len(gaps) // 2] == pytest.approx(0.020, rel=0.3)
    assert gaps[len(gaps) * 95 // 100] == pytest.approx(0.077, rel=0.15)
    assert statistics.stdev(gaps) / statistics.fmean(gaps) == pytest.approx(1.24, rel=0.1)


def test_the_longest_stall_is_not_that_of_even_tokens() -> None:
    profile = pick("openai", "gpt-4o")
    stalls = [max(profile.generate_streaming_timings(300, rng("stall", n)).gaps) for n in range(40)]
    assert statistics.median(stalls) > 6 / 95


def test_sizes_by_share() -> None:
    writes = Writes((1, 2, 4), (0.25, 0.75, 1.0), GAP_SHAPE)
    assert [writes.size(u) for u in (0.0, 0.2, 0.25, 0.7, 0.75, 0.999, 1.0)] == [1, 1, 2, 2, 4, 4, 4]


@pytest.mark.parametrize(
    ("model", "family", "matches"),
    [("gpt-4o", "", True), ("gpt-4o-mini", "openai.chat", True), ("gpt-4", "", False), ("", "", False)],
)
def test_models_are_globs(model: str, family: str, matches: bool) -> None:
    profile = Profile("x", ("gpt-4o*",), Constant(1), None, Writes(), Constant(1))
    assert profile.matches(model, family) is matches


def test_a_profile_may_be_for_one_family() -> None:
    profile = Profile("x", ("*",), Constant(1), None, Writes(), Constant(1), family="*.embeddings")
    assert profile.matches("any", "openai.embeddings")
    assert not profile.matches("any", "openai.chat")
