"""Distributions that are tables of values: what a recording is without any family."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import exp, log
from typing import ClassVar

from llm_simulator.errors import ConfigError
from llm_simulator.profiles.family import Distribution
from llm_simulator.profiles.numerics import NORMAL, clip, normal_cdf


@dataclass(frozen=True)
class Quantiles(Distribution):
    """Values at ranks, straight lines between them.

    `ranks` ascend within [0, 1], `values` do not descend. Beyond the last rank the last line goes on, so that a table of
    p50, p90, p99 has a tail; below the first one the values fall as those of the lognormal through the first two do: a
    straight line would soon be at 0.
    """

    name: ClassVar[str] = "quantiles"
    ranks: tuple[float, ...]
    values: tuple[float, ...]
    _slopes: tuple[float, ...] = field(init=False, repr=False, compare=False)
    _first: float = field(init=False, repr=False, compare=False)  # the first rank as a normal deviate
    _sigma: float = field(init=False, repr=False, compare=False)  # of the logarithm, below it

    def __post_init__(self) -> None:
        steps = zip(pairwise(self.ranks), pairwise(self.values), strict=True)
        slopes = tuple((y1 - y0) / (x1 - x0) for (x0, x1), (y0, y1) in steps)
        object.__setattr__(self, "_slopes", slopes)
        (low, high), (least, more) = (NORMAL.inv_cdf(clip(rank)) for rank in self.ranks[:2]), self.values[:2]
        object.__setattr__(self, "_first", low)
        object.__setattr__(self, "_sigma", log(more / least) / (high - low) if least > 0 else 0.0)

    @classmethod
    def of(cls, measured: Sequence[float]) -> Quantiles:
        """Of measurements (two or more): sorted, evenly ranked from 0 to 1."""
        last = len(measured) - 1
        return cls(tuple(at / last for at in range(last + 1)), tuple(sorted(measured)))

    @classmethod
    def of_quantiles(cls, given: Mapping[float, float]) -> Quantiles:
        """Of two or more percentiles that do not descend."""
        if len(given) < 2:
            raise ConfigError(f"{cls.name} takes two or more percentiles; got {len(given)}")
        return cls(tuple(given), tuple(given.values()))

    def scaled(self, factor: float) -> Quantiles:
        return Quantiles(self.ranks, tuple(value * factor for value in self.values))

    def quantile(self, u: float) -> float:
        if u < self.ranks[0]:
            return self.values[0] * exp(self._sigma * (NORMAL.inv_cdf(clip(u)) - self._first))
        at = min(bisect_right(self.ranks, u) - 1, len(self._slopes) - 1)
        return max(0.0, self.values[at] + (u - self.ranks[at]) * self._slopes[at])

    def cdf(self, x: float) -> float:
        if x < self.values[0]:
            within = x > 0 and self._sigma > 0 and self.ranks[0] > 0
            return normal_cdf(self._first + log(x / self.values[0]) / self._sigma) if within else 0.0
        at = min(max(bisect_right(self.values, x) - 1, 0), len(self._slopes) - 1)
        slope = self._slopes[at]
        rank = self.ranks[at] + (x - self.values[at]) / slope if slope else self.ranks[at + 1]
        return min(max(rank, 0.0), 1.0)

    @property
    def mean(self) -> float:
        """The area under the lines, by trapezes, and under the lognormal before the first of them."""
        ranks = (*(rank for rank in self.ranks if rank < 1), 1.0)
        lines = sum((b - a) * (self.quantile(a) + self.quantile(b)) / 2 for a, b in pairwise(ranks))
        if not ranks[0]:
            return lines
        sigma, first = self._sigma, self._first
        return lines + self.values[0] * exp(sigma * (sigma / 2 - first)) * normal_cdf(first - sigma)


@dataclass(frozen=True)
class Empirical(Distribution):
    """Measured `values` at even ranks from 0 to 1, straight lines between them: the rule of `numpy.quantile`.

    They are sorted here; one alone is a constant. Nothing is beyond the smallest and the largest.
    """

    name: ClassVar[str] = "empirical"
    values: array[float]

    def __init__(self, values: Sequence[float]) -> None:
        """
        Raises:
            ConfigError: there are none.
        """
        if not len(values):
            raise ConfigError(f"{self.name} takes one or more values; got none")
        object.__setattr__(self, "values", array("d", sorted(values)))

    def __hash__(self) -> int:
        return hash(self.values.tobytes())

    def __repr__(self) -> str:
        first, last = self.values[0], self.values[-1]
        return f"Empirical({len(self.values)} values, {first:g} to {last:g})"

    @classmethod
    def of_quantiles(cls, given: Mapping[float, float]) -> Distribution:
        """Percentiles are no measurements: straight lines between them."""
        return Quantiles.of_quantiles(given)

    def quantile(self, u: float) -> float:
        values = self.values
        place = u * (len(values) - 1)
        at = int(place)
        if at >= len(values) - 1:
            return max(0.0, values[-1])
        low = values[at]
        return max(0.0, low + (values[at + 1] - low) * (place - at))

    def cdf(self, x: float) -> float:
        values = self.values
        if x < values[0] or len(values) == 1:
            return float(x >= values[0])
        after = bisect_right(values, x)
        if after == len(values):
            return 1.0
        low, high = values[after - 1], values[after]
        return (after - 1 + (x - low) / (high - low)) / (len(values) - 1)

    @property
    def mean(self) -> float:
        """The area under the lines."""
        values = self.values
        if len(values) == 1:
            return values[0]
        return (sum(values) - (values[0] + values[-1]) / 2) / (len(values) - 1)
