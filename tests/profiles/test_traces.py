"""The draw of a recorded response: marginals exact, ranks kept together, gaps in their own order, longest stall its own."""

from __future__ import annotations

import statistics
from array import array
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_simulator.profiles.distributions import Constant, Empirical, Uniform
from llm_simulator.profiles.profile import Profile, Writes
from llm_simulator.profiles.traces import Trace, Traces
from llm_simulator.simulator.draws import Draw, Lot, Stratified
from llm_simulator.simulator.rng import DeterministicRng, keyed


class Fixed:
    """A chance that says what it is told, the last of it again and again."""

    def __init__(self, *draws: float) -> None:
        self._draws = list(draws)

    def next_f64(self) -> float:
        return self._draws.pop(0) if len(self._draws) > 1 else self._draws[0]

    def next_normal(self) -> float:
        raise AssertionError("no normal draw expected")


def trace(ttft: int, rate: int, tokens: int = 9, *gaps: float, sizes: tuple[int, ...] = ()) -> Trace:
    return Trace(ttft, rate, tokens, array("d", gaps), array("l", sizes or ([1] * (len(gaps) + 1) if gaps else [])))


def profile_with(*items: Trace, n: int = 0) -> Profile:
    traces = Traces(items, n or len(items))
    times = [1.0 + at for at in range(traces.n)]
    rates = [0.01 * (1 + at) for at in range(traces.n)]
    return Profile("x", ("*",), Empirical(times), Empirical(rates), Writes(), Constant(7.0), traces=traces)


def test_one_draw_picks_the_response_and_the_place_in_its_stratum() -> None:
    profile = profile_with(trace(1, 0), trace(0, 1))
    drawn = Traces(profile.traces.items, 2).drawn(Fixed(0.25, 0.5)) if profile.traces else None
    assert drawn is not None
    assert (drawn.trace.ttft_rank, drawn.ttft, drawn.rate) == (1, 0.75, 0.25)
    assert profile.outline(11, Fixed(0.25, 0.5)) == pytest.approx((1.75, 1.75 + 0.0125 * 10))


def test_a_rank_that_is_not_there_is_drawn() -> None:
    traces = Traces((trace(-1, 0), trace(0, -1), trace(1, 1)), 3)
    first, second = traces.drawn(Fixed(0.1, 0.5)), traces.drawn(Fixed(0.5, 0.4))
    assert [first.ttft, first.rate] == pytest.approx([0.3, 0.25])
    assert [second.ttft, second.rate] == pytest.approx([0.25, 0.4])


def test_of_a_selection_the_ranks_are_those_among_all() -> None:
    few = Traces(tuple(trace(at, 9 - at) for at in range(0, 10, 2)), 10)
    assert few.drawn(Fixed(0.999, 0.0)).ttft == pytest.approx(0.8995)


def test_marginals_and_coupling_over_the_occurrences_of_a_call() -> None:
    """TTFT and rate run against each other in this recording; totals come out as recorded, not as if independent."""
    rng = DeterministicRng(keyed(1))
    n = 120
    ttfts = sorted(0.4 + rng.next_f64() ** 3 for _ in range(n))
    rates = sorted(0.01 + 0.02 * rng.next_f64() for _ in range(n))
    items = tuple(trace(at, n - 1 - at, 101) for at in range(n))
    profile = replace(profile_with(*items), ttft=Empirical(ttfts), rate=Empirical(rates))
    made = [profile.outline(101, Stratified(Lot(7, "s", b"one"), Draw(0, k), "latency")) for k in range(2000)]
    recorded = [ttfts[at] + rates[n - 1 - at] * 100 for at in range(n)]
    for drawn, values in (([t for t, _ in made], ttfts), ([total for _, total in made], recorded)):
        for rank in (0.5, 0.9, 0.95, 0.99):
            assert Empirical(drawn).quantile(rank) == pytest.approx(Empirical(values).quantile(rank), rel=0.03)


def test_the_length_is_that_of_the_response_that_the_times_come_from() -> None:
    profile = profile_with(trace(0, 0, 30), trace(1, 1, 0), trace(2, 2, 50))
    assert [profile.length_of(Fixed(u)) for u in (0.1, 0.5, 0.9)] == [30, 7.0, 50]
    assert replace(profile, traces=None).length_of(Fixed(0.1)) == 7.0


def test_gaps_go_round_from_a_drawn_write() -> None:
    traces = Traces((trace(0, 0, 9, 0.1, 0.2, 0.3, sizes=(1, 2, 1, 1)),), 1)
    at_start = traces.gaps(traces.items[0], 9, Fixed(0.0))
    # the writes of 1, 2, 1, 1 tokens, then (the seam: 0.3 again) from the start
    assert at_start == [0.1, 0, 0.2, 0.3, 0.3, 0.1, 0, 0.2, 0.3]
    later = traces.gaps(traces.items[0], 5, Fixed(0.5))
    assert later == [0.3, 0.2, 0.1, 0, 0.2]  # from the third write; what lay before it is the seam


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(0.001, 5), min_size=3, max_size=12),
    st.data(),
    st.integers(1, 200),
    st.integers(0, 2**32),
)
def test_gaps_last_as_long_as_the_rate_says(gaps: list[float], data: st.DataObject, count: int, seed: int) -> None:
    size = st.integers(1, 6)
    sizes = data.draw(st.lists(size, min_size=len(gaps) + 1, max_size=len(gaps) + 1))
    profile = profile_with(trace(0, 0, 9, *gaps, sizes=tuple(sizes)), trace(1, 1, 9, *gaps[::-1], sizes=tuple(sizes)))
    timings = profile.generate_streaming_timings(count, DeterministicRng(seed))
    assert (timings.ttft, timings.total) == profile.outline(count, DeterministicRng(seed))
    assert len(timings.gaps) == count - 1
    assert min(timings.gaps, default=0.0) >= 0


def test_every_gap_comes_once_in_a_round() -> None:
    gaps = (0.1, 0.2, 0.3, 0.4)
    traces = Traces((trace(0, 0, 9, *gaps),), 1)
    for u in (0.0, 0.3, 0.5, 0.7, 0.99):
        made = traces.gaps(traces.items[0], 5, Fixed(u))
        assert made is not None
        assert {0.1, 0.2, 0.3, 0.4} == set(made)


def test_who_has_no_shape_borrows_one() -> None:
    traces = Traces((trace(0, 0, 9, 0.5), trace(1, 1, 9, 0.1, 0.2, 0.3)), 2)
    assert traces.gaps(traces.items[0], 2, Fixed(0.0)) == [0.1, 0.2]
    assert Traces((trace(0, 0, 9, 0.5),), 1).gaps(traces.items[0], 2, Fixed(0.0)) is None
    assert (traces.shaped, Traces((trace(0, 0),), 1).shaped) == (True, False)


def test_without_any_shape_gaps_are_made_as_ever() -> None:
    bare = profile_with(trace(0, 0, 9), trace(1, 1, 9))
    timings = bare.generate_streaming_timings(50, DeterministicRng(3))
    assert timings.total == bare.outline(50, DeterministicRng(3))[1]
    assert statistics.stdev(timings.gaps) > 0


def test_the_longest_stall_has_a_distribution_of_its_own() -> None:
    quick = trace(0, 0, 9, 0.01, 0.02, 0.5, 0.01)
    slow = trace(1, 1, 9, 0.01, 0.02, 0.9, 0.01)
    traces = Traces((quick, slow), 2)
    stretched = traces.stalled([0.01, 0.02, 0.5, 0.01], 0.65, Fixed(0.5))
    assert sum(stretched) == pytest.approx(0.65)
    assert max(stretched) == pytest.approx(0.5 + 0.4 * 0.25)
    assert traces.stalled([0.01, 0.02, 0.5, 0.01], 5.0, Fixed(0.5)) == pytest.approx(
        [gap * 5.0 / 0.54 for gap in (0.01, 0.02, 0.5, 0.01)]
    )
    assert traces.stalled([0.0, 0.0], 1.0, Fixed(0.5)) == [0.0, 0.0]


def test_absolute_gaps_of_a_trace_are_taken_as_recorded() -> None:
    items = (trace(0, -1, 9, 0.1, 0.2, 0.3),)
    profile = replace(profile_with(*items), rate=None)
    assert profile.generate_streaming_timings(3, Fixed(0.0)).gaps == pytest.approx([0.1, 0.2])


def test_no_traces_change_nothing() -> None:
    profile = Profile("x", ("*",), Uniform(0, 1), Uniform(0, 1), Writes(gap=Constant(1.0)), Constant(100))
    assert profile.outline(3, Fixed(0.25, 0.75)) == (0.25, 1.75)
