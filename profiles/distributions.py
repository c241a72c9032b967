"""Distributions of non-negative quantities: a rank in, a value out. No scipy, no state.

Every one has `quantile(u)` (the inverse of its distribution function; u in [0, 1]), `percentile(p)` (p in 0..100),
`cdf(x)`, `sample(chance)` and `mean`. It is given by its parameters, by `of_moments` (mean and standard deviation) where
two numbers determine it, or by `of_quantiles` (as many percentiles as it has parameters). Values have the unit of the
parameters (seconds for times, tokens for lengths); parameters without a unit say so. A draw is never negative: what a
family would put below 0 is 0 (normal: cut off there and renormalised).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import exp, expm1, lgamma, log, log1p, sqrt
from typing import ClassVar

from llm_simulator.errors import ConfigError
from llm_simulator.profiles.chance import Chance
from llm_simulator.profiles.family import Distribution
from llm_simulator.profiles.mixture import Mixture
from llm_simulator.profiles.numerics import (
    NORMAL,
    clip,
    gamma_cdf,
    invert,
    located,
    normal_cdf,
    shaped,
    solved,
)
from llm_simulator.profiles.tables import Empirical, Quantiles
from llm_simulator.profiles.tails import Burr, ExGaussian, Pareto, Weibull

__all__ = [
    "FAMILIES",
    "Burr",
    "Constant",
    "Distribution",
    "Empirical",
    "ExGaussian",
    "Exponential",
    "Gamma",
    "LogNormal",
    "Mixture",
    "Normal",
    "Pareto",
    "Quantiles",
    "ShiftedLogNormal",
    "Uniform",
    "Weibull",
]


@dataclass(frozen=True)
class Constant(Distribution):
    """Always `value`; draws nothing."""

    name: ClassVar[str] = "constant"
    points: ClassVar[int] = 1
    value: float

    @classmethod
    def _through(cls, ranks: tuple[float, ...], values: tuple[float, ...]) -> Constant:
        return cls(values[0])

    def quantile(self, u: float) -> float:
        return self.value

    def cdf(self, x: float) -> float:
        return float(x >= self.value)

    @property
    def mean(self) -> float:
        return self.value

    def sample(self, chance: Chance) -> float:
        return self.value


@dataclass(frozen=True)
class Uniform(Distribution):
    """Even between `low` and `high`."""

    name: ClassVar[str] = "uniform"
    points: ClassVar[int] = 2
    low: float
    high: float

    @classmethod
    def of_moments(cls, mean: float, std: float) -> Uniform:
        return cls(max(0.0, mean - std * sqrt(3)), mean + std * sqrt(3))

    @classmethod
    def _through(cls, ranks: tuple[float, ...], values: tuple[float, ...]) -> Uniform:
        low, width = located(ranks, values)
        return cls(low, low + width)

    def quantile(self, u: float) -> float:
        return max(0.0, self.low + u * (self.high - self.low))

    def cdf(self, x: float) -> float:
        return min(max((x - self.low) / (self.high - self.low), 0.0), 1.0) if x >= 0 else 0.0

    @property
    def mean(self) -> float:
        if self.low >= 0:
            return (self.low + self.high) / 2
        return self.high**2 / 2 / (self.high - self.low)


@dataclass(frozen=True)
class Normal(Distribution):
    """Normal with `mu` and `sigma` before it is cut off at 0."""

    name: ClassVar[str] = "normal"
    points: ClassVar[int] = 2
    mu: float
    sigma: float

    @classmethod
    def of_moments(cls, mean: float, std: float) -> Normal:
        """Of the normal before the cut, as every simulator means it."""
        return cls(mean, std)

    @classmethod
    def _through(cls, ranks: tuple[float, ...], values: tuple[float, ...]) -> Normal:
        """Of the normal before the cut."""
        return cls(*located([NORMAL.inv_cdf(rank) for rank in ranks], values))

    @cached_property
    def _below(self) -> float:
        """The share that is cut off."""
        return normal_cdf(-self.mu / self.sigma)

    def quantile(self, u: float) -> float:
        rank = self._below + u * (1 - self._below)
        return max(0.0, self.mu + self.sigma * NORMAL.inv_cdf(clip(rank)))

    def cdf(self, x: float) -> float:
        return max(0.0, normal_cdf((x - self.mu) / self.sigma) - self._below) / (1 - self._below)

    @property
    def mean(self) -> float:
        return self.mu + self.sigma * NORMAL.pdf(self.mu / self.sigma) / (1 - self._below)


@dataclass(frozen=True)
class LogNormal(Distribution):
    """`median` and the standard deviation `sigma` of the natural logarithm (no unit)."""

    name: ClassVar[str] = "lognormal"
    points: ClassVar[int] = 2
    median: float
    sigma: float

    @classmethod
    def of_moments(cls, mean: float, std: float) -> LogNormal:
        variance = log1p((std / mean) ** 2)
        return cls(mean * exp(-variance / 2), sqrt(variance))

    @classmethod
    def _through(cls, ranks: tuple[float, ...], values: tuple[float, ...]) -> LogNormal:
        middle, sigma = located([NORMAL.inv_cdf(rank) for rank in ranks], [log(value) for value in values])
        return cls(values[0] if ranks[0] == 0.5 else exp(middle), sigma)

    def quantile(self, u: float) -> float:
        return self.median * exp(self.sigma * NORMAL.inv_cdf(clip(u)))

    def cdf(self, x: float) -> float:
        return normal_cdf(log(x / self.median) / self.sigma) if x > 0 else 0.0

    @property
    def mean(self) -> float:
        return self.median * exp(self.sigma**2 / 2)


@dataclass(frozen=True)
class ShiftedLogNormal(Distribution):
    """`shift` plus a lognormal of `median` and `sigma` (of the logarithm, no unit); the little below 0 counts as 0."""

    name: ClassVar[str] = "shifted_lognormal"
    points: ClassVar[int] = 3
    shift: float
    median: float
    sigma: float

    @classmethod
    def _through(cls, ranks: tuple[float, ...], values: tuple[float, ...]) -> ShiftedLogNormal:
        marks = [NORMAL.inv_cdf(rank) for rank in ranks]

        def standard(sigma: float) -> list[float]:
            return [exp(sigma * mark) for mark in marks]

        sigma = shaped(standard, values, 1e-5, 50.0, cls.name)
        return cls(*located(standard(sigma), values), sigma)

    def quantile(self, u: float) -> float:
        return max(0.0, self.shift + self.median * exp(self.sigma * NORMAL.inv_cdf(clip(u))))

    def cdf(self, x: float) -> float:
        return normal_cdf(log((x - self.shift) / self.median) / self.sigma) if x > max(self.shift, 0.0) else 0.0

    @property
    def mean(self) -> float:
        return self.shift + self.median * exp(self.sigma**2 / 2)


@dataclass(frozen=True)
class Exponential(Distribution):
    """Memoryless, with expected value `scale`."""

    name: ClassVar[str] = "exponential"
    points: ClassVar[int] = 1
    scale: float

    @classmethod
    def of_moments(cls, mean: float, std: float) -> Exponential:
        """
        Raises:
            ConfigError: the two differ; those of an exponential are the same.
        """
        if abs(std - mean) > 1e-9 * mean:
            raise ConfigError(f"{cls.name} has a standard deviation equal to its mean; give the mean alone")
        return cls(mean)

    @classmethod
    def _through(cls, ranks: tuple[float, ...], values: tuple[float, ...]) -> Exponential:
        return cls(values[0] / -log1p(-ranks[0]))

    def quantile(self, u: float) -> float:
        return -self.scale * log1p(-clip(u))

    def cdf(self, x: float) -> float:
        return -expm1(-x / self.scale) if x > 0 else 0.0

    @property
    def mean(self) -> float:
        return self.scale


@dataclass(frozen=True)
class Gamma(Distribution):
    """`shape` (no unit) and `scale`; its mean is their product. The inverse is found by Newton's method."""

    name: ClassVar[str] = "gamma"
    points: ClassVar[int] = 2
    shape: float
    scale: float

    @classmethod
    def of_moments(cls, mean: float, std: float) -> Gamma:
        return cls((mean / std) ** 2, std**2 / mean)

    @classmethod
    def _through(cls, ranks: tuple[float, ...], values: tuple[float, ...]) -> Gamma:
        low, high = ranks
        ratio = log(values[1] / values[0])
        shape = solved(
            lambda a: log(cls(a, 1.0).quantile(high) / cls(a, 1.0).quantile(low)) - ratio, 0.02, 1e6, cls.name
        )
        return cls(shape, values[1] / cls(shape, 1.0).quantile(high))

    def quantile(self, u: float) -> float:
        u = clip(u)
        return self.scale * invert(lambda x: gamma_cdf(self.shape, x), self._density, u, self._guess(u), 0.0)

    def cdf(self, x: float) -> float:
        return gamma_cdf(self.shape, x / self.scale)

    @property
    def mean(self) -> float:
        return self.shape * self.scale

    def _density(self, x: float) -> float:
        return exp((self.shape - 1) * log(x) - x - lgamma(self.shape)) if x > 0 else 0.0

    def _guess(self, u: float) -> float:
        """Wilson and Hilferty (1931); near 0 the leading term of the series."""
        a = self.shape
        cube = 1 - 1 / (9 * a) + NORMAL.inv_cdf(u) / (3 * sqrt(a))
        return a * cube**3 if cube > 0.3 else max(exp((log(u) + lgamma(a + 1)) / a), 1e-300)


FAMILIES: dict[str, type[Distribution]] = {
    family.name: family
    for family in (
        Constant,
        Uniform,
        Normal,
        LogNormal,
        ShiftedLogNormal,
        Exponential,
        Gamma,
        Weibull,
        Pareto,
        ExGaussian,
        Burr,
        Mixture,
        Quantiles,
        Empirical,
    )
}
"""By the name that a profile gives; a new family is one class and its place here."""
