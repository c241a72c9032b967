"""Each family against values computed once with scipy 1.17, and against its own samples."""

from __future__ import annotations

import math
import statistics
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_simulator.errors import ConfigError
from llm_simulator.profiles.distributions import (
    FAMILIES,
    Burr,
    Constant,
    Distribution,
    Empirical,
    ExGaussian,
    Exponential,
    Gamma,
    LogNormal,
    Mixture,
    Normal,
    Pareto,
    Quantiles,
    ShiftedLogNormal,
    Uniform,
    Weibull,
)
from llm_simulator.profiles.numerics import gamma_cdf
from llm_simulator.simulator.rng import DeterministicRng, keyed

RANKS = (0.01, 0.1, 0.5, 0.9, 0.99, 0.9999)
KNOWN: list[tuple[Distribution, float, tuple[float, ...]]] = [
    (Constant(3.0), 3.0, (3.0, 3.0, 3.0, 3.0, 3.0, 3.0)),
    (Uniform(1.0, 3.0), 2, (1.02, 1.2, 2, 2.8, 2.98, 2.9998)),
    (Normal(1.0, 0.8), 1.1633804, (0.038034473, 0.31255212, 1.1062413, 2.0753938, 2.8943591, 3.9977033)),
    (LogNormal(2.0, 0.3), 2.0920557, (0.99525412, 1.3616289, 2, 2.937658, 4.0190741, 6.1034374)),
    (ShiftedLogNormal(1.0, 2.0, 0.3), 3.0920557, (1.9952541, 2.3616289, 3, 3.937658, 5.0190741, 7.1034374)),
    (Exponential(3.0), 3, (0.030151008, 0.31608155, 2.0794415, 6.9077553, 13.815511, 27.631021)),
    (Gamma(0.05, 0.7), 0.035, (4.0912424e-41, 4.0912424e-21, 3.9017149e-07, 0.05342198, 0.76133918, 3.2368706)),
    (Gamma(2.5, 0.7), 1.75, (0.19400433, 0.5636078, 1.5230111, 3.2327249, 5.2801954, 9.0106912)),
    (Gamma(1000.0, 0.7), 700, (649.53571, 671.78575, 699.76668, 728.51402, 752.52298, 785.33292)),
    (Weibull(0.7, 3.0), 3.7974705, (0.0041984937, 0.12048884, 1.7771703, 9.8757989, 26.583679, 71.557958)),
    (Pareto(2.0, 1.5), 6, (2.0134454, 2.145532, 3.1748021, 9.2831777, 43.088694, 928.31777)),
    (ExGaussian(10.0, 0.5, 2.0), 12, (9.3427982, 10.064822, 11.448206, 14.66767, 19.27284, 28.483181)),
    (ExGaussian(10.0, 1.0, 0.05), 10.05, (7.7209207, 8.7668766, 10.049959, 11.333176, 12.379446, 13.774266)),
    (Burr(5.0, 0.4, 0.5), 0.95015014, (0.23993169, 0.3933543, 0.68012468, 1.5801376, 4.99999, 50.0)),
    (Burr(8.0, 1.3, 2.0), 1.9416744, (1.0896064, 1.4683735, 1.9142753, 2.4381499, 3.1027251, 4.8484161)),
    (
        Mixture((0.87, 0.13), (LogNormal(0.5, 0.07), LogNormal(0.8, 0.35))),
        0.54663618,
        (0.42031509, 0.45827881, 0.50536243, 0.6224195, 1.3178259, 2.4240061),
    ),
    (
        Mixture((3, 1), (Exponential(1.0), Normal(5.0, 1.0))),
        2.0000004,
        (0.013423013, 0.14310072, 1.0985648, 5.2926002, 6.7912176, 9.0037835),
    ),
    (Empirical([5.0, 1.0, 2.0]), 2.5, (1.02, 1.2, 2.0, 4.4, 4.94, 4.9994)),
    (Quantiles((0.0, 0.5, 1.0), (1.0, 2.0, 5.0)), 2.5, (1.02, 1.2, 2.0, 4.4, 4.94, 4.9994)),
]
IDS = [repr(distribution) for distribution, _, _ in KNOWN]


@pytest.mark.parametrize(("distribution", "mean", "values"), KNOWN, ids=IDS)
def test_quantiles_and_mean(distribution: Distribution, mean: float, values: tuple[float, ...]) -> None:
    assert distribution.mean == pytest.approx(mean, rel=1e-7)
    for rank, value in zip(RANKS, values, strict=True):
        assert distribution.quantile(rank) == pytest.approx(value, rel=1e-7)


@pytest.mark.parametrize(("distribution", "mean", "values"), KNOWN, ids=IDS)
def test_samples_follow_the_quantiles(distribution: Distribution, mean: float, values: tuple[float, ...]) -> None:
    rng = DeterministicRng(keyed(2, repr(distribution)))
    drawn = sorted(distribution.sample(rng) for _ in range(1000))
    for rank, value in zip(RANKS[1:4], values[1:4], strict=True):
        below = sum(x < value * (1 - 1e-9) for x in drawn) / 1000
        at_most = sum(x <= value * (1 + 1e-9) for x in drawn) / 1000
        assert below - 0.05 < rank < at_most + 0.05


@pytest.mark.parametrize("distribution", [distribution for distribution, _, _ in KNOWN], ids=IDS)
def test_every_rank_has_a_finite_value(distribution: Distribution) -> None:
    ranks = [0.0, 1e-12, 1e-6, *(n / 50 for n in range(1, 50)), 1 - 1e-6, 1 - 1e-12, 1.0]
    values = [distribution.quantile(rank) for rank in ranks]
    assert all(math.isfinite(value) and value >= 0 for value in values)
    assert all(a <= b * (1 + 1e-9) for a, b in pairwise(values))


def test_every_family_is_registered_and_known() -> None:
    assert {type(distribution) for distribution, _, _ in KNOWN} == set(FAMILIES.values())
    assert list(FAMILIES) == [family.name for family in FAMILIES.values()]


def test_what_falls_below_zero_is_zero() -> None:
    assert ShiftedLogNormal(-3.0, 1.0, 0.5).quantile(0.1) == 0
    assert ExGaussian(0.0, 1.0, 0.1).quantile(0.1) == 0
    assert min(ExGaussian(0.0, 1.0, 0.1).sample(DeterministicRng(keyed(n))) for n in range(20)) == 0


def test_exgaussian_with_a_tiny_tail_does_not_overflow() -> None:
    narrow = ExGaussian(10.0, 1.0, 1e-4)
    assert narrow.quantile(0.5) == pytest.approx(10.0001, rel=1e-6)
    assert narrow.quantile(1e-9) == pytest.approx(10 + statistics.NormalDist().inv_cdf(1e-9), rel=1e-3)


def test_pareto_without_a_mean() -> None:
    assert Pareto(1.0, 1.0).mean == math.inf


def test_a_table_that_begins_at_its_median_gives_no_zeros() -> None:
    table = Quantiles((0.5, 0.9, 0.95), (1.0, 5.0, 6.0))
    assert min(table.quantile(rank / 1000) for rank in range(1000)) > 0
    drawn = [table.quantile((rank + 0.5) / 20_000) for rank in range(20_000)]
    assert table.mean == pytest.approx(sum(drawn) / len(drawn), rel=0.01)


def test_quantiles_go_on_beyond_their_ends() -> None:
    table = Quantiles((0.1, 0.5, 0.9), (2.0, 4.0, 10.0))
    lower = LogNormal.of_quantiles({0.1: 2.0, 0.5: 4.0})  # what the first two ranks lie on
    assert [table.quantile(u) for u in (0.0, 0.001, 0.05)] == pytest.approx(
        [lower.quantile(u) for u in (0.0, 0.001, 0.05)]
    )
    assert table.cdf(table.quantile(0.03)) == pytest.approx(0.03)
    assert table.quantile(1.0) == pytest.approx(11.5)
    assert table.scaled(2.0).quantile(0.5) == 8.0
    assert table.mean == pytest.approx(sum(table.quantile((n + 0.5) / 10_000) for n in range(10_000)) / 10_000)


def test_quantiles_of_measurements_interpolate() -> None:
    table = Quantiles.of([5.0, 1.0, 3.0])
    assert [table.quantile(u) for u in (0, 0.25, 0.5, 0.75, 1)] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("distribution", [made for made, _, _ in KNOWN], ids=IDS)
def test_cdf_and_percentile_go_with_the_quantiles(distribution: Distribution) -> None:
    for rank in (0.05, 0.5, 0.95):
        value = distribution.quantile(rank)
        assert distribution.percentile(rank * 100) == pytest.approx(value)
        if not isinstance(distribution, Constant):
            assert distribution.cdf(value) == pytest.approx(rank, abs=1e-9)
    assert distribution.cdf(-1.0) == 0
    assert distribution.cdf(1e300) == pytest.approx(1)


@pytest.mark.parametrize("family", [Normal, LogNormal, Gamma, Uniform, Weibull])
def test_moments(family: type[Distribution]) -> None:
    made = family.of_moments(20.0, 4.0)
    ranks = [(n + 0.5) / 2000 for n in range(2000)]
    values = [made.quantile(u) for u in ranks]
    assert statistics.fmean(values) == pytest.approx(20.0, rel=2e-3)
    assert statistics.pstdev(values) == pytest.approx(4.0, rel=0.02)


def test_pareto_by_moments() -> None:
    made = Pareto.of_moments(2.0, 1.0)
    assert made.mean == pytest.approx(2.0)
    second = made.alpha * made.minimum**2 / (made.alpha - 2)
    assert math.sqrt(second - made.mean**2) == pytest.approx(1.0)


def test_an_exponential_has_one_parameter() -> None:
    assert Exponential.of_moments(2.0, 2.0) == Exponential(2.0)
    with pytest.raises(ConfigError, match="exponential has a standard deviation equal to its mean"):
        Exponential.of_moments(2.0, 1.0)


@pytest.mark.parametrize(
    ("family", "given"),
    [
        (Constant, {0.5: 3.0}),
        (Exponential, {0.9: 3.0}),
        (Uniform, {0.1: 1.0, 0.9: 2.0}),
        (Normal, {0.5: 8.0, 0.9: 10.0}),
        (LogNormal, {0.5: 0.8, 0.95: 1.5}),
        (LogNormal, {0.25: 0.8, 0.99: 1.5}),
        (Gamma, {0.5: 0.8, 0.95: 1.5}),
        (Gamma, {0.1: 0.1, 0.9: 5.0}),
        (Weibull, {0.5: 0.8, 0.95: 1.5}),
        (Pareto, {0.5: 0.8, 0.95: 1.5}),
        (ShiftedLogNormal, {0.5: 0.8, 0.9: 1.0, 0.99: 1.7}),
        (ExGaussian, {0.5: 0.8, 0.9: 1.0, 0.99: 1.25}),
        (Burr, {0.5: 0.8, 0.9: 1.0, 0.99: 1.3}),
        (Quantiles, {0.5: 0.8, 0.9: 1.0, 0.99: 1.7}),
        (Empirical, {0.5: 0.8, 0.9: 1.0}),
    ],
)
def test_percentiles_give_a_member(family: type[Distribution], given: dict[float, float]) -> None:
    made = family.of_quantiles(given)
    assert {rank: pytest.approx(made.quantile(rank), rel=1e-6) for rank in given} == given


def test_two_quantiles_have_a_short_form() -> None:
    assert LogNormal.through(0.8, 1.5) == LogNormal.of_quantiles({0.5: 0.8, 0.95: 1.5})


@pytest.mark.parametrize("family", [Constant, ExGaussian, ShiftedLogNormal, Burr, Mixture, Quantiles, Empirical])
def test_families_that_moments_do_not_give(family: type[Distribution]) -> None:
    with pytest.raises(ConfigError, match=f"{family.name} cannot be given by mean"):
        family.of_moments(1.0, 1.0)


@pytest.mark.parametrize(
    ("family", "given", "message"),
    [
        (Mixture, {0.5: 1.0}, "mixture cannot be given by percentiles"),
        (Constant, {0.5: 1.0, 0.9: 2.0}, "constant takes 1 percentile; got p50, p90"),
        (Gamma, {0.5: 1.0}, "gamma takes 2 percentiles; got p50"),
        (Quantiles, {0.5: 1.0}, "quantiles takes two or more percentiles; got 1"),
        (LogNormal, {0.5: 1.0, 1.0: 2.0}, "between 0 and 100"),
        (LogNormal, {0.5: 1.0, 0.9: 1.0}, "percentiles that ascend; got 1, 1"),
        (
            ShiftedLogNormal,
            {0.1: 1.0, 0.5: 2.0, 0.9: 2.5},
            "no shifted_lognormal is so",
        ),  # its lower tail is the longer
    ],
)
def test_percentiles_that_give_nobody(family: type[Distribution], given: dict[float, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        family.of_quantiles(given)


def test_a_mixture_has_a_weight_for_each_part() -> None:
    made = Mixture((3, 1), (Constant(1.0), Constant(2.0)))
    assert made.weights == (0.75, 0.25)
    assert [made.quantile(u) for u in (0.1, 0.74, 0.76, 0.9)] == [1.0, 1.0, 2.0, 2.0]
    for weights, parts in (((), ()), ((1.0,), ()), ((1.0, 0.0), (Constant(1.0), Constant(2.0)))):
        with pytest.raises(ConfigError, match="mixture takes a weight above 0 for each part"):
            Mixture(weights, parts)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0, 1e4), min_size=2, max_size=30))
def test_empirical_is_the_inclusive_rule(values: list[float]) -> None:
    """That of `statistics.quantiles(method="inclusive")` and of `numpy.quantile`."""
    made = Empirical(values)
    cuts = statistics.quantiles(values, n=20, method="inclusive")
    assert [made.percentile(5 * at) for at in range(1, 20)] == pytest.approx(cuts, rel=1e-12, abs=1e-12)
    assert (made.quantile(0), made.quantile(1)) == (min(values), max(values))
    assert made == Empirical(list(reversed(values)))
    assert hash(made) == hash(Empirical(sorted(values)))


def test_empirical_needs_a_value() -> None:
    with pytest.raises(ConfigError, match="empirical takes one or more values; got none"):
        Empirical([])
    assert (Empirical([3.0]).mean, Empirical([3.0]).cdf(2.9), Empirical([3.0]).cdf(3.0)) == (3.0, 0.0, 1.0)


@settings(max_examples=60, deadline=None)
@given(st.floats(0.02, 500), st.floats(1e-6, 1 - 1e-6))
def test_the_gamma_inverse_inverts(shape: float, u: float) -> None:
    assert gamma_cdf(shape, Gamma(shape, 1.0).quantile(u)) == pytest.approx(u, rel=1e-6, abs=1e-9)


def test_gamma_cdf_at_and_below_zero() -> None:
    assert gamma_cdf(2.0, 0.0) == gamma_cdf(2.0, -1.0) == 0.0
