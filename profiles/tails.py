"""Families with a tail: what is rare and long is in their shape."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, expm1, gamma, inf, lgamma, log, log1p, pi, sqrt
from typing import ClassVar

from llm_simulator.profiles.chance import Chance
from llm_simulator.profiles.family import Distribution
from llm_simulator.profiles.numerics import NORMAL, clip, invert, located, normal_cdf, shaped, solved


@dataclass(frozen=True)
class Weibull(Distribution):
    """`shape` (no unit; under 1 it has a long tail) and `scale`, the value at rank 1 - 1/e."""

    name: ClassVar[str] = "weibull"
    points: ClassVar[int] = 2
    shape: float
    scale: float

    @classmethod
    def of_moments(cls, mean: float, std: float) -> Weibull:
        variation = log1p((std / mean) ** 2)
        shape = solved(lambda k: lgamma(1 + 2 / k) - 2 * lgamma(1 + 1 / k) - variation, 0.05, 1e4, cls.name)
        return cls(shape, mean / gamma(1 + 1 / shape))

    @classmethod
    def _through(cls, ranks: tuple[float, ...], values: tuple[float, ...]) -> Weibull:
        middle, inverse = located([log(-log1p(-rank)) for rank in ranks], [log(value) for value in values])
        return cls(1 / inverse, exp(middle))

    def quantile(self, u: float) -> float:
        return float(self.scale * (-log1p(-clip(u))) ** (1 / self.shape))

    def cdf(self, x: float) -> float:
        return -expm1(-((x / self.scale) ** self.shape)) if x > 0 else 0.0

    @property
    def mean(self) -> float:
        return self.scale * gamma(1 + 1 / self.shape)


@dataclass(frozen=True)
class Pareto(Distribution):
    """Never under `minimum`; tail index `alpha` (no unit). No mean where alpha <= 1."""

    name: ClassVar[str] = "pareto"
    points: ClassVar[int] = 2
    minimum: float
    alpha: float

    @classmethod
    def of_moments(cls, mean: float, std: float) -> Pareto:
        alpha = 1 + sqrt(1 + (mean / std) ** 2)
        return cls(mean * (alpha - 1) / alpha, alpha)

    @classmethod
    def _through(cls, ranks: tuple[float, ...], values: tuple[float, ...]) -> Pareto:
        least, inverse = located([-log1p(-rank) for rank in ranks], [log(value) for value in values])
        return cls(exp(least), 1 / inverse)

    def quantile(self, u: float) -> float:
        return float(self.minimum * (1 - clip(u)) ** (-1 / self.alpha))

    def cdf(self, x: float) -> float:
        return 1 - (self.minimum / x) ** self.alpha if x > self.minimum else 0.0

    @property
    def mean(self) -> float:
        return self.minimum * self.alpha / (self.alpha - 1) if self.alpha > 1 else inf


@dataclass(frozen=True)
class ExGaussian(Distribution):
    """A normal (`mu`, `sigma`) plus an exponential of mean `tau`; the little below 0 counts as 0."""

    name: ClassVar[str] = "exgaussian"
    points: ClassVar[int] = 3
    mu: float
    sigma: float
    tau: float

    @classmethod
    def _through(cls, ranks: tuple[float, ...], values: tuple[float, ...]) -> ExGaussian:
        def standard(tau: float) -> list[float]:
            unit = cls(0.0, 1.0, tau)
            return [unit._inverse(rank) for rank in ranks]

        tau = shaped(standard, values, 1e-2, 1e3, cls.name)
        mu, sigma = located(standard(tau), values)
        return cls(mu, sigma, tau * sigma)

    def quantile(self, u: float) -> float:
        return max(0.0, self._inverse(clip(u)))

    def cdf(self, x: float) -> float:
        return min(max(self._cdf(x), 0.0), 1.0) if x >= 0 else 0.0

    @property
    def mean(self) -> float:
        return self.mu + self.tau

    def sample(self, chance: Chance) -> float:
        """One normal and one uniform draw."""
        return max(0.0, self.mu + self.sigma * chance.next_normal() - self.tau * log(1 - chance.next_f64()))

    def _inverse(self, u: float) -> float:
        """Below 0, too."""
        start = self.mean + sqrt(self.sigma**2 + self.tau**2) * NORMAL.inv_cdf(u)
        low = self.mu - 12 * self.sigma
        return invert(self._cdf, self._density, u, max(start, low + self.sigma), low)

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
class Burr(Distribution):
    """Burr XII: `c` (no unit) shapes the body, `k` (no unit) the tail, `scale` the size; scipy's `burr12(c, k)`.

    No mean where c * k <= 1.
    """

    name: ClassVar[str] = "burr"
    points: ClassVar[int] = 3
    c: float
    k: float
    scale: float

    @classmethod
    def _through(cls, ranks: tuple[float, ...], values: tuple[float, ...]) -> Burr:
        logs = [log(value) for value in values]

        def standard(k: float) -> list[float]:
            return [_burr(rank, k) for rank in ranks]

        k = shaped(standard, logs, 1e-2, 1e4, cls.name)
        size, inverse = located(standard(k), logs)
        return cls(1 / inverse, k, exp(size))

    def quantile(self, u: float) -> float:
        return self.scale * exp(min(_burr(clip(u), self.k) / self.c, 600.0))

    def cdf(self, x: float) -> float:
        if x <= 0:
            return 0.0
        power = self.c * log(x / self.scale)
        return -expm1(-self.k * (power if power > 700 else log1p(exp(power))))

    @property
    def mean(self) -> float:
        c, k = self.c, self.k
        if c * k <= 1:
            return inf
        return self.scale * exp(lgamma(k - 1 / c) + lgamma(1 + 1 / c) - lgamma(k))


def _burr(u: float, k: float) -> float:
    """The logarithm of Burr XII's quantile with c = 1 and scale 1."""
    power = -log1p(-u) / k
    return log(expm1(power)) if power < 1 else power + log1p(-exp(-power))
