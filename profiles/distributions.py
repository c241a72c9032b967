"""Distributions of non-negative quantities: a rank in, a value out. No scipy, no state.

Every one has `quantile(u)` (the inverse of its distribution function; u in [0, 1]), `sample(chance)` and `mean`. Values
have the unit of the parameters (seconds for times, tokens for lengths); parameters without a unit say so. A draw is
never negative: what a family would put below 0 is 0 (normal: cut off there and renormalised).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from math import exp, gamma, inf, lgamma, log, log1p, pi, sqrt
from typing import ClassVar

from llm_simulator.errors import ConfigError
from llm_simulator.profiles.chance import Chance
from llm_simulator.profiles.numerics import NORMAL, clip, gamma_cdf, invert, normal_cdf

P95 = NORMAL.inv_cdf(0.95)


class Distribution(ABC):
    """A family with its parameters."""

    name: ClassVar[str]

    @abstractmethod
    def quantile(self, u: float) -> float:
        """The value that a share `u` of draws does not exceed."""

    @property
    @abstractmethod
    def mean(self) -> float:
        """The expected value; `inf` where it does not exist."""

    def sample(self, chance: Chance) -> float:
        """One draw; it takes exactly one uniform value unless the family says otherwise."""
        return self.quantile(chance.next_f64())

    @classmethod
    def of_moments(cls, mean: float, std: float) -> Distribution:
        """The member with this mean and standard deviation (std > 0).

        Raises:
            ConfigError: the family cannot be given so.
        """
        raise ConfigError(f"{cls.name} cannot be given by mean and standard deviation; give its parameters")

    @classmethod
    def through(cls, p50: float, p95: float) -> Distribution:
        """The member with these quantiles (0 < p50 < p95).

        Raises:
            ConfigError: the family cannot be given so.
        """
        raise ConfigError(f"{cls.name} cannot be given by p50 and p95; give its parameters")


@dataclass(frozen=True)
class Constant(Distribution):
    """Always `value`; draws nothing."""

    name: ClassVar[str] = "constant"
    value: float

    def quantile(self, u: float) -> float:
        return self.value

    @property
    def mean(self) -> float:
        return self.value

    def sample(self, chance: Chance) -> float:
        return self.value


@dataclass(frozen=True)
class Uniform(Distribution):
    """Even between `low` and `high`."""

    name: ClassVar[str] = "uniform"
    low: float
    high: float

    @classmethod
    def of_moments(cls, mean: float, std: float) -> Uniform:
        return cls(max(0.0, mean - std * sqrt(3)), mean + std * sqrt(3))

    def quantile(self, u: float) -> float:
        return self.low + u * (self.high - self.low)

    @property
    def mean(self) -> float:
        return (self.low + self.high) / 2


@dataclass(frozen=True)
class Normal(Distribution):
    """Normal with `mu` and `sigma` before it is cut off at 0."""

    name: ClassVar[str] = "normal"
    mu: float
    sigma: float

    @classmethod
    def of_moments(cls, mean: float, std: float) -> Normal:
        """Of the normal before the cut, as every simulator means it."""
        return cls(mean, std)

    @classmethod
    def through(cls, p50: float, p95: float) -> Normal:
        """Of the normal before the cut."""
        return cls(p50, (p95 - p50) / P95)

    @cached_property
    def _below(self) -> float:
        """The share that is cut off."""
        return normal_cdf(-self.mu / self.sigma)

    def quantile(self, u: float) -> float:
        rank = self._below + u * (1 - self._below)
        return max(0.0, self.mu + self.sigma * NORMAL.inv_cdf(clip(rank)))

    @property
    def mean(self) -> float:
        return self.mu + self.sigma * NORMAL.pdf(self.mu / self.sigma) / (1 - self._below)


@dataclass(frozen=True)
class LogNormal(Distribution):
    """`median` and the standard deviation `sigma` of the natural logarithm (no unit)."""

    name: ClassVar[str] = "lognormal"
    median: float
    sigma: float

    @classmethod
    def through(cls, p50: float, p95: float) -> LogNormal:
        return cls(p50, log(p95 / p50) / P95)

    @classmethod
    def of_moments(cls, mean: float, std: float) -> LogNormal:
        variance = log1p((std / mean) ** 2)
        return cls(mean * exp(-variance / 2), sqrt(variance))

    def quantile(self, u: float) -> float:
        return self.median * exp(self.sigma * NORMAL.inv_cdf(clip(u)))

    @property
    def mean(self) -> float:
        return self.median * exp(self.sigma**2 / 2)


@dataclass(frozen=True)
class ShiftedLogNormal(Distribution):
    """`shift` plus a lognormal of `median` and `sigma` (of the logarithm, no unit)."""

    name: ClassVar[str] = "shifted_lognormal"
    shift: float
    median: float
    sigma: float

    def quantile(self, u: float) -> float:
        return max(0.0, self.shift + self.median * exp(self.sigma * NORMAL.inv_cdf(clip(u))))

    @property
    def mean(self) -> float:
        return self.shift + self.median * exp(self.sigma**2 / 2)


@dataclass(frozen=True)
class Exponential(Distribution):
    """Memoryless, with expected value `scale`."""

    name: ClassVar[str] = "exponential"
    scale: float

    def quantile(self, u: float) -> float:
        return -self.scale * log1p(-clip(u))

    @property
    def mean(self) -> float:
        return self.scale


@dataclass(frozen=True)
class Gamma(Distribution):
    """`shape` (no unit) and `scale`; its mean is their product. The inverse is found by Newton's method."""

    name: ClassVar[str] = "gamma"
    shape: float
    scale: float

    @classmethod
    def of_moments(cls, mean: float, std: float) -> Gamma:
        return cls((mean / std) ** 2, std**2 / mean)

    def quantile(self, u: float) -> float:
        u = clip(u)
        return self.scale * invert(lambda x: gamma_cdf(self.shape, x), self._density, u, self._guess(u), 0.0)

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


@dataclass(frozen=True)
class Weibull(Distribution):
    """`shape` (no unit; under 1 it has a long tail) and `scale`, the value at rank 1 - 1/e."""

    name: ClassVar[str] = "weibull"
    shape: float
    scale: float

    @classmethod
    def through(cls, p50: float, p95: float) -> Weibull:
        shape = log(log(20) / log(2)) / log(p95 / p50)
        return cls(shape, p50 / log(2) ** (1 / shape))

    def quantile(self, u: float) -> float:
        return float(self.scale * (-log1p(-clip(u))) ** (1 / self.shape))

    @property
    def mean(self) -> float:
        return self.scale * gamma(1 + 1 / self.shape)


@dataclass(frozen=True)
class Pareto(Distribution):
    """Never under `minimum`; tail index `alpha` (no unit). No mean where alpha <= 1."""

    name: ClassVar[str] = "pareto"
    minimum: float
    alpha: float

    @classmethod
    def through(cls, p50: float, p95: float) -> Pareto:
        alpha = log(10) / log(p95 / p50)
        return cls(p50 * 0.5 ** (1 / alpha), alpha)

    def quantile(self, u: float) -> float:
        return float(self.minimum * (1 - clip(u)) ** (-1 / self.alpha))

    @property
    def mean(self) -> float:
        return self.minimum * self.alpha / (self.alpha - 1) if self.alpha > 1 else inf


@dataclass(frozen=True)
class ExGaussian(Distribution):
    """A normal (`mu`, `sigma`) plus an exponential of mean `tau`; the little below 0 counts as 0."""

    name: ClassVar[str] = "exgaussian"
    mu: float
    sigma: float
    tau: float

    def quantile(self, u: float) -> float:
        u = clip(u)
        start = self.mean + sqrt(self.sigma**2 + self.tau**2) * NORMAL.inv_cdf(u)
        low = self.mu - 12 * self.sigma
        return max(0.0, invert(self._cdf, self._density, u, max(start, low + self.sigma), low))

    @property
    def mean(self) -> float:
        return self.mu + self.tau

    def sample(self, chance: Chance) -> float:
        """One normal and one uniform draw."""
        return max(0.0, self.mu + self.sigma * chance.next_normal() - self.tau * log(1 - chance.next_f64()))

    def _tail(self, x: float) -> float:
        """exp(w^2/2 - z w) * Phi(z - w), z = (x - mu) / sigma and w = sigma / tau, safe from overflow."""
        z, w = (x - self.mu) / self.sigma, self.sigma / self.tau
        power = w * w / 2 - z * w
        if power < 700:
            return exp(power) * normal_cdf(z - w)
        return exp(-z * z / 2) / (sqrt(2 * pi) * (w - z))  # Mills' ratio, far left of the mean

    def _cdf(self, x: float) -> float:
        return normal_cdf((x - self.mu) / self.sigma) - self._tail(x)

    def _density(self, x: float) -> float:
        return self._tail(x) / self.tau


@dataclass(frozen=True)
class Quantiles(Distribution):
    """Values at ranks, straight lines between them: what a recording is without any family.

    `ranks` ascend within [0, 1], `values` do not descend. Beyond the first and last rank the last line goes on (not
    below 0), so that a table of p50, p90, p99 has a tail.
    """

    name: ClassVar[str] = "quantiles"
    ranks: tuple[float, ...]
    values: tuple[float, ...]
    _slopes: tuple[float, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        steps = zip(pairwise(self.ranks), pairwise(self.values), strict=True)
        slopes = tuple((y1 - y0) / (x1 - x0) for (x0, x1), (y0, y1) in steps)
        object.__setattr__(self, "_slopes", slopes)

    @classmethod
    def of(cls, measured: Sequence[float]) -> Quantiles:
        """Of measurements (two or more): sorted, evenly ranked from 0 to 1."""
        last = len(measured) - 1
        return cls(tuple(at / last for at in range(last + 1)), tuple(sorted(measured)))

    def scaled(self, factor: float) -> Quantiles:
        return Quantiles(self.ranks, tuple(value * factor for value in self.values))

    def quantile(self, u: float) -> float:
        at = min(max(bisect_right(self.ranks, u) - 1, 0), len(self._slopes) - 1)
        return max(0.0, self.values[at] + (u - self.ranks[at]) * self._slopes[at])

    @property
    def mean(self) -> float:
        """The area under the lines, by trapezes; exact where the line does not meet 0."""
        ranks = (0.0, *(rank for rank in self.ranks if 0 < rank < 1), 1.0)
        return sum((b - a) * (self.quantile(a) + self.quantile(b)) / 2 for a, b in pairwise(ranks))


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
        Quantiles,
    )
}
"""By the name that a profile gives; a new family is one class and its place here."""
