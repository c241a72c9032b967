"""Fits: the simplest family that meets the quantiles, else the recording; intervals that hold the truth."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_simulator.errors import ConfigError
from llm_simulator.profiles.distributions import (
    Burr,
    Constant,
    Distribution,
    Empirical,
    ExGaussian,
    LogNormal,
    Mixture,
    Quantiles,
    ShiftedLogNormal,
)
from llm_simulator.recorder.calibration.families import CANDIDATES, Values, condensed
from llm_simulator.recorder.calibration.fit import FEW, GATE, RANKS, bootstrap, fit, recording

CANDIDATE = dict(CANDIDATES)


def exact(distribution: Distribution, n: int = 2000) -> Values:
    """A recording that lies on a distribution: its values at even ranks."""
    return np.array([distribution.quantile((at + 0.5) / n) for at in range(n)])


@pytest.mark.parametrize(
    ("name", "truth"),
    [
        ("lognormal", LogNormal(0.5, 0.3)),
        ("shifted lognormal", ShiftedLogNormal(0.3, 0.1, 0.8)),
        ("exGaussian", ExGaussian(0.5, 0.03, 0.2)),
        ("Burr XII", Burr(6.0, 0.4, 0.5)),
        ("2 lognormals", Mixture((0.85, 0.15), (LogNormal(0.4, 0.07), LogNormal(0.9, 0.3)))),
        ("3 lognormals", Mixture((0.5, 0.35, 0.15), (LogNormal(5, 0.3), LogNormal(11.4, 0.1), LogNormal(30, 0.1)))),
    ],
)
def test_each_family_finds_itself(name: str, truth: Distribution) -> None:
    found = CANDIDATE[name](condensed(exact(truth)))
    assert found is not None
    for rank in (0.1, *RANKS):
        assert found.quantile(rank) == pytest.approx(truth.quantile(rank), rel=0.03)


@pytest.mark.parametrize(
    ("truth", "family"),
    [
        (LogNormal(0.5, 0.3), "lognormal"),
        (ShiftedLogNormal(0.4, 0.05, 1.0), "shifted_lognormal"),
        (Mixture((0.6, 0.4), (LogNormal(0.2, 0.05), LogNormal(1.5, 0.2))), "mixture"),
        (Constant(0.25), "constant"),
    ],
)
def test_the_simplest_family_that_fits_is_chosen(truth: Distribution, family: str) -> None:
    found = fit(exact(truth))
    assert found.family == family
    assert not found.low_confidence
    assert max(found.errors.values()) <= GATE


def test_what_no_family_fits_stays_as_it_was_recorded() -> None:
    values = [0.1] * 180 + [0.2] * 170 + [0.5] * 20 + [3.0] * 20 + [20.0] * 10
    found = fit(values)
    assert found.family == "empirical"
    assert isinstance(found.distribution, Empirical)
    assert min(found.tried.values()) > GATE
    assert "the recording itself" in found.why
    for rank in RANKS:
        assert found.distribution.quantile(rank) == pytest.approx(float(np.quantile(values, rank)), abs=1e-6)


def test_a_slow_call_is_kept() -> None:
    values = [*exact(LogNormal(0.5, 0.1), 99), 187.0]
    assert fit(values).distribution.quantile(1.0) == 187.0


def test_few_values_are_a_lognormal_of_low_confidence() -> None:
    found = fit([0.4, 0.5, 0.9, 0.45])
    assert (found.family, found.low_confidence, found.n) == ("lognormal", True, 4)
    assert f"under {FEW}" in found.why
    assert found.uncertain == RANKS


def test_zeros_leave_only_the_recording() -> None:
    found = fit([0.0] * 50 + [0.5] * 50)
    assert found.family == "empirical"
    assert found.tried == {}


@pytest.mark.parametrize("values", [[], [1.0, float("nan")], [1.0, float("inf")], [-0.1, 1.0]])
def test_what_is_no_latency_is_refused(values: list[float]) -> None:
    with pytest.raises(ConfigError, match="allowed are one or more finite ones"):
        fit(values)


@pytest.mark.parametrize("n", [401, 6000])
def test_a_long_recording_is_thinned_within_half_a_percent_and_keeps_its_tail(n: int) -> None:
    values = np.sort(np.random.default_rng(1).lognormal(0, 0.6, n))
    values[-1] = 90.0
    kept = recording(values)
    assert isinstance(kept, Quantiles)
    assert len(kept.values) < n
    assert kept.quantile(1.0) == pytest.approx(90.0)
    for rank in np.linspace(0, 1, 997):
        assert kept.quantile(float(rank)) == pytest.approx(float(np.quantile(values, rank)), rel=0.005)


def _resampled(values: Values, rank: float) -> tuple[float, float]:
    chance = np.random.default_rng(5)
    found = np.quantile(np.quantile(chance.choice(values, (4000, len(values))), rank, axis=1), (0.025, 0.975))
    return float(found[0]), float(found[1])


@pytest.mark.parametrize("n", [1, 2, 30, 250])
def test_the_bootstrap_is_that_of_resampling(n: int) -> None:
    values = np.sort(np.random.default_rng(2).lognormal(0, 0.5, n))
    for rank, found in bootstrap(values, 0).items():
        assert found == pytest.approx(_resampled(values, rank), rel=0.15)


def test_the_interval_holds_the_truth_19_times_in_20() -> None:
    truth = LogNormal(0.5, 0.4)
    chance = np.random.default_rng(3)
    inside = {rank: 0 for rank in (0.5, 0.9)}
    for _ in range(200):
        intervals = bootstrap(np.sort(chance.lognormal(np.log(0.5), 0.4, 300)), 1)
        for rank in inside:
            low, high = intervals[rank]
            inside[rank] += low <= truth.quantile(rank) <= high
    assert all(180 <= count <= 200 for count in inside.values())


_SHAPES: tuple[Callable[[np.random.Generator, int], Values], ...] = (
    lambda chance, n: chance.lognormal(-1, 0.4, n),
    lambda chance, n: chance.gamma(2.0, 0.3, n),
    lambda chance, n: 0.2 + chance.exponential(0.2, n),
    lambda chance, n: np.where(chance.random(n) < 0.9, chance.normal(0.5, 0.01, n), chance.pareto(1.2, n) + 0.6),
)


@settings(max_examples=20)
@given(shape=st.sampled_from(_SHAPES), n=st.integers(1, 700), seed=st.integers(0, 99))
def test_every_fit_meets_the_recording_unless_there_is_too_little(
    shape: Callable[[np.random.Generator, int], Values], n: int, seed: int
) -> None:
    values = shape(np.random.default_rng(seed), n)
    found = fit(values)
    assert found.n == n
    if n >= FEW:
        assert max(found.errors.values()) <= GATE
        for rank in RANKS:  # the product's own quantile, since that is what is simulated
            recorded = float(np.quantile(values, rank))
            assert found.distribution.quantile(rank) == pytest.approx(recorded, rel=GATE + 1e-6)
    for rank, (low, high) in found.intervals.items():
        assert low <= high, rank
