"""What a profile file may say about a quantity, and how it is told what is wrong."""

from __future__ import annotations

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
from llm_simulator.profiles.spec import distribution
from llm_simulator.profiles.spelled import spelled
from llm_simulator.types import JSON

USUAL = Quantiles((0.1, 0.5, 0.9), (0.8, 1.0, 1.5))
P95 = 1.6448536269514722


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (20, Constant(20.0)),
        ({"distribution": "constant", "value_ms": 20}, Constant(0.02)),
        ({"p50_ms": 800}, USUAL.scaled(0.8)),
        ({"p50_s": 0.8, "p95_ms": 1500}, LogNormal.through(0.8, 1.5)),
        ({"p50_ms": 800, "p95_ms": 800}, Constant(0.8)),
        ({"distribution": "log_normal", "p50_ms": 800, "p95_ms": 1500}, LogNormal.through(0.8, 1.5)),
        ({"distribution": "weibull", "p50_ms": 800, "p95_ms": 1500}, Weibull.through(0.8, 1.5)),
        ({"distribution": "empirical", "p50_ms": 800, "p95_ms": 1500}, Quantiles((0.5, 0.95), (0.8, 1.5))),
        ({"p99.9_ms": 90, "p10_ms": 3, "p50_ms": 4}, Quantiles((0.1, 0.5, 0.999), (0.003, 0.004, 0.09))),
        ({"mean_ms": 20, "std_dev_ms": 5}, Normal(0.02, 0.005)),
        ({"distribution": "normal", "mean_ms": 20, "std_ms": 5}, Normal(0.02, 0.005)),
        ({"mean_ms": 20}, Constant(0.02)),
        ({"mean_ms": 20, "std_dev_ms": 0}, Constant(0.02)),
        ({"distribution": "gamma", "mean_ms": 20, "std_dev_ms": 10}, Gamma(4.0, 0.005)),
        ({"distribution": "Uniform", "low_ms": 0, "high_s": 1}, Uniform(0.0, 1.0)),
        ({"distribution": "normal", "mu_ms": -5, "sigma_ms": 5}, Normal(-0.005, 0.005)),
        ({"distribution": "lognormal", "median_secs": 2, "sigma": 0.3}, LogNormal(2.0, 0.3)),
        (
            {"distribution": "shifted-lognormal", "shift_ms": -100, "median_ms": 500, "sigma": 0.3},
            ShiftedLogNormal(-0.1, 0.5, 0.3),
        ),
        ({"distribution": "exponential", "scale_ms": 10}, Exponential(0.01)),
        ({"distribution": "gamma", "shape": 2, "scale_ms": 10}, Gamma(2.0, 0.01)),
        ({"distribution": "weibull", "shape": 2, "scale_ms": 10}, Weibull(2.0, 0.01)),
        ({"distribution": "pareto", "minimum_ms": 10, "alpha": 2}, Pareto(0.01, 2.0)),
        ({"distribution": "gamma", "p10_ms": 1, "p50_ms": 5}, Gamma.of_quantiles({0.1: 0.001, 0.5: 0.005})),
        ({"distribution": "exponential", "mean_ms": 5}, Exponential(0.005)),
        ({"distribution": "exponential", "p95_ms": 5}, Exponential.of_quantiles({0.95: 0.005})),
        ({"distribution": "Burr XII", "c": 5, "k": 0.5, "scale_ms": 400}, Burr(5.0, 0.5, 0.4)),
        (
            {"distribution": "burr", "p50_ms": 8, "p90_ms": 10, "p99_ms": 13},
            Burr.of_quantiles({0.5: 0.008, 0.9: 0.01, 0.99: 0.013}),
        ),
        ({"distribution": "empirical", "values_ms": [3, 1, 2]}, Empirical([0.003, 0.001, 0.002])),
        ({"distribution": "empirical", "values_us": "3000 1000\n 2000"}, Empirical([0.003, 0.001, 0.002])),
        ({"distribution": "empirical", "values_ns": "1500"}, Empirical([1.5e-6])),
        (
            {
                "distribution": "mixture",
                "parts": [{"weight": 3, "median_ms": 500, "sigma": 0.1}, {"weight": 1, "p50_ms": 900, "p95_ms": 2000}],
            },
            Mixture((0.75, 0.25), (LogNormal(0.5, 0.1), LogNormal.through(0.9, 2.0))),
        ),
        ({"distribution": "ex_gaussian", "mu_ms": 10, "sigma_ms": 2, "tau_ms": 3}, ExGaussian(0.01, 0.002, 0.003)),
    ],
)
def test_forms(spec: JSON, expected: Distribution) -> None:
    made = distribution(spec, "x.ttft", usual=USUAL)
    assert type(made) is type(expected)
    for rank in (0.05, 0.5, 0.95):
        assert made.quantile(rank) == pytest.approx(expected.quantile(rank), rel=1e-12)


def test_a_length_has_no_unit() -> None:
    made = distribution({"p50": 100, "p95": 400}, "x.length", usual=USUAL, time=False)
    assert made.quantile(0.5) == pytest.approx(100)
    with pytest.raises(ConfigError, match=r"x\.length\.p50_ms: unknown unit; allowed is p50$"):
        distribution({"p50_ms": 100}, "x.length", usual=USUAL, time=False)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("fast", r"x: got 'fast'; allowed are a number or a mapping"),
        (True, r"x: got True"),
        (None, r"x: got None"),
        (-1, r"x: got -1; allowed is 0 or more"),
        (float("inf"), r"x: got inf; allowed is a number"),
        ({}, r"x: got nothing; allowed are percentiles, mean and std_dev, or `distribution` \(constant, "),
        ({"p50": 100}, r"x\.p50: unknown unit; allowed is p50_ms or p50_s"),
        ({"p50_ms": "soon"}, r"x\.p50_ms: got 'soon'; allowed is a number"),
        ({"p50_ms": -3}, r"x\.p50_ms: got -3; allowed is 0 or more"),
        ({"p50_ms": 5, "p90_ms": 4, "p99_ms": 9}, r"x: the percentiles descend"),
        ({"p95_ms": 5}, r"x: got the percentiles p95; allowed are p50, p50 with p95, or .* two or more"),
        ({"distribution": "gamma", "p50_ms": 5}, r"x: gamma takes 2 percentiles; got p50"),
        (
            {"distribution": "mixture", "p50_ms": 1, "p95_ms": 5},
            r"x: got p50_ms, p95_ms for mixture; allowed is \{parts",
        ),
        ({"distribution": "mixture", "parts": [{"p50_ms": 1}]}, r"x\.parts\[0\].weight: got None"),
        ({"distribution": "mixture", "parts": [{"weight": 0, "p50_ms": 1}]}, r"x\.parts\[0\]: got .* `weight` above 0"),
        ({"distribution": "mixture", "parts": [{"weight": 1, "p50": 1}]}, r"x\.parts\[0\]\.p50: unknown unit"),
        ({"distribution": "empirical", "values": [1]}, r"x\.values: unknown unit; allowed is values_ms"),
        ({"distribution": "empirical", "values_ms": []}, r"x\.values_ms: got \[\]; allowed are numbers"),
        ({"distribution": "empirical", "values_ms": "1 b"}, r"x\.values_ms: could not convert .*'b'; allowed are"),
        ({"distribution": "empirical", "values_ms": [1, -1]}, r"x\.values_ms: got -1"),
        ({"distribution": "empirical", "values_ms": [1, float("nan")]}, r"x\.values_ms: got nan or inf"),
        ({"distribution": "empirical", "mean_ms": 3, "std_dev_ms": 1}, r"x: empirical cannot be given by mean"),
        ({"distribution": "empirical", "mu_ms": 3}, r"x: got mu for empirical; allowed are values"),
        ({"distribution": "exponential", "mean_ms": 3, "std_dev_ms": 1}, r"x: exponential has a standard deviation"),
        ({"p50_ms": 0, "p95_ms": 5}, r"x\.p50: got 0; allowed is more than 0"),
        ({"mean_ms": 0, "std_dev_ms": 5}, r"x\.mean: got 0; allowed is more than 0"),
        ({"distribution": "burr", "mean_ms": 1, "std_dev_ms": 5}, r"x: burr cannot be given by mean"),
        ({"distribution": "zipf", "scale_ms": 1}, r"x\.distribution: got 'zipf'; allowed are constant, uniform"),
        ({"distribution": "gamma", "shape": 1}, r"x: got shape for gamma; allowed are shape, scale"),
        ({"distribution": "gamma"}, r"x: got no parameters for gamma; allowed are shape, scale"),
        ({"distribution": "quantiles", "mu_ms": 1}, r"x: got mu for quantiles; allowed are percentiles"),
        ({"distribution": "gamma", "shape_ms": 1, "scale_ms": 2}, r"x\.shape_ms: unknown unit; allowed is shape"),
        ({"distribution": "normal", "mu_ms": 1, "sigma_ms": 0}, r"x\.sigma: got 0 for normal; allowed is more than 0"),
        ({"shape": 1}, r"x\.shape: unknown unit"),
        ({"mu_ms": 1}, r"x: got mu_ms; allowed are percentiles"),
    ],
)
def test_errors_name_the_field(spec: JSON, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        distribution(spec, "x", usual=USUAL)


@pytest.mark.parametrize(
    "made",
    [
        Constant(0.02),
        Constant(1 / 3),
        Uniform(0.0, 1.0),
        Normal(-0.005, 0.005),
        LogNormal(0.428, 0.55),
        LogNormal(2 / 3, 1 / 7),
        ShiftedLogNormal(-0.1, 0.5, 0.3),
        Exponential(0.01),
        Gamma(2.0, 0.01),
        Weibull(2.0, 0.01),
        Pareto(0.01, 2.0),
        ExGaussian(0.01, 0.002, 0.003),
        Burr(5.0, 0.5, 0.4),
        Mixture((0.75, 0.25), (LogNormal(0.5, 0.1), Gamma(2.0, 0.2))),
        Quantiles((0.0, 1 / 3, 0.999, 1.0), (0.1, 0.2, 1 / 3, 5.0)),
        Quantiles((0.5, 0.95), (0.8, 1.5)),
        USUAL.scaled(1 / 95),
        Empirical([0.003, 0.001, 0.123456]),
        Empirical([0.003, 0.000000015]),
        Empirical([1 / 3]),
    ],
    ids=repr,
)
@pytest.mark.parametrize("time", [True, False])
def test_what_is_spelled_is_read_back_equal(made: Distribution, time: bool) -> None:
    assert distribution(spelled(made, time=time), "x", usual=USUAL, time=time) == made


@settings(max_examples=80, deadline=None)
@given(st.floats(1e-9, 1e4), st.lists(st.floats(0, 1e3), min_size=1, max_size=5))
def test_every_number_survives(value: float, values: list[float]) -> None:
    for made in (Constant(value), LogNormal(value, 0.5), Empirical(values)):
        assert distribution(spelled(made), "x", usual=USUAL) == made


def test_what_is_spelled_is_short() -> None:
    assert spelled(LogNormal(0.428, 0.5)) == {"distribution": "lognormal", "median_ms": 428, "sigma": 0.5}
    assert spelled(Constant(20.0), time=False) == 20
    assert spelled(Empirical([0.02, 0.0105])) == {"distribution": "empirical", "values_us": "10500 20000"}
    assert spelled(Quantiles((0.1, 0.5), (3.0, 4.5)), time=False) == {"p10": 3, "p50": 4.5}
