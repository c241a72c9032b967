"""The law of chance (docs/architecture.md, Determinism): repeats are stratified, distinct calls independent."""

from __future__ import annotations

import statistics

import pytest

from llm_simulator.simulator.draws import GOLDEN, SECOND, Draw, Lot, Stratified
from llm_simulator.simulator.rng import fraction, keyed

LOT = Lot(1, "default", b"call")


def test_the_main_draw_is_the_law() -> None:
    start = fraction(keyed(1, "default", b"call", 2, "share"))
    assert LOT.main(Draw(2, 5), "share") == (start + 5 * GOLDEN) % 1.0


@pytest.mark.parametrize(
    "other", [Lot(2, "default", b"call"), Lot(1, "slow", b"call"), Lot(1, "default", b"other call")]
)
def test_seed_scenario_and_call_count(other: Lot) -> None:
    assert other.main(Draw(), "share") != LOT.main(Draw(), "share")
    assert other.further(Draw(), "share").next_u64() != LOT.further(Draw(), "share").next_u64()
    assert other.content("text").next_u64() != LOT.content("text").next_u64()


def test_attempt_occurrence_and_purpose_count() -> None:
    draws = [Draw(), Draw(1), Draw(0, 1)]
    assert len({LOT.main(draw, purpose) for draw in draws for purpose in ("a", "b")}) == 6
    assert len({LOT.further(draw, purpose).next_u64() for draw in draws for purpose in ("a", "b")}) == 6


@pytest.mark.parametrize("count", [100, 1000, 20_000])
def test_repeats_fill_every_stratum(count: int) -> None:
    ranks = sorted(LOT.main(Draw(0, k), "latency") for k in range(count))
    worst = max(abs(rank - (place + 0.5) / count) for place, rank in enumerate(ranks))
    assert worst < 4 / count


def test_a_share_is_kept_over_repeats() -> None:
    assert sum(LOT.main(Draw(0, k), "share") < 0.3 for k in range(1000)) in (299, 300, 301)


def test_distinct_calls_scatter_as_independent_draws() -> None:
    ranks = [Lot(1, "default", b"%d" % call).main(Draw(), "latency") for call in range(4000)]
    assert statistics.correlation(ranks[:-1], ranks[1:]) == pytest.approx(0, abs=0.05)
    counts = [sum(place / 10 <= rank < (place + 1) / 10 for rank in ranks) for place in range(10)]
    spread = sum((count - 400) ** 2 / 400 for count in counts)
    assert 1.15 < spread < 27.9  # as chi-square with 9 degrees of freedom scatters: neither even nor lumpy


def test_the_two_dimensions_of_a_decision_fill_the_square() -> None:
    pairs: list[tuple[float, float]] = []
    for k in range(1000):
        chance = Stratified(LOT, Draw(0, k), "latency")
        pairs.append((chance.next_f64(), chance.next_f64()))
    assert statistics.correlation([x for x, _ in pairs], [y for _, y in pairs]) == pytest.approx(0, abs=0.02)
    cells = [sum(1 for x, y in pairs if (int(x * 5), int(y * 5)) == (i, j)) for i in range(5) for j in range(5)]
    assert min(cells) >= 32  # of 40 expected
    assert max(cells) <= 48


def test_stratified_draws_come_in_order() -> None:
    chance = Stratified(LOT, Draw(1, 3), "latency")
    further = LOT.further(Draw(1, 3), "latency")
    assert chance.next_f64() == LOT.main(Draw(1, 3), "latency")
    assert chance.next_f64() == LOT.main(Draw(1, 3), "latency 2", SECOND)
    assert [chance.next_f64(), chance.next_normal()] == [further.next_f64(), further.next_normal()]
