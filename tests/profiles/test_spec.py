"""What a profile file may say about a quantity, and how it is told what is wrong."""

from __future__ import annotations

import pytest

from llm_simulator.errors import ConfigError
from llm_simulator.profiles.distributions import (
    Constant,
    Distribution,
    ExGaussian,
    Exponential,
    Gamma,
    LogNormal,
    Normal,
    Pareto,
    Quantiles,
    ShiftedLogNormal,
    Uniform,
    Weibull,
)
from llm_simulator.profiles.spec import distribution
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
        ({"distribution": "gamma", "p10_ms": 1, "p50_ms": 5}, r"x: got the percentiles p10, p50; allowed"),
        ({"distribution": "gamma", "p50_ms": 1, "p95_ms": 5}, r"x: gamma cannot be given by p50 and p95"),
        ({"p50_ms": 0, "p95_ms": 5}, r"x\.p50: got 0; allowed is more than 0"),
        ({"mean_ms": 0, "std_dev_ms": 5}, r"x\.mean: got 0; allowed is more than 0"),
        ({"distribution": "pareto", "mean_ms": 1, "std_dev_ms": 5}, r"x: pareto cannot be given by mean"),
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
