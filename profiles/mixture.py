"""Several processes in one quantity, such as a fast path and a slow one: weighted parts of any family."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from llm_simulator.errors import ConfigError
from llm_simulator.profiles.family import Distribution
from llm_simulator.profiles.numerics import clip

_CELLS = 256
_NARROW = 0.01  # cells of the table up to this relative width
_PRECISE = 1e-12
_CLOSE = 1e-10  # in rank
_STEPS = 200


@dataclass(frozen=True)
class Mixture(Distribution):
    """A draw is of each of the `parts` with the share of its weight; `weights` (no unit) are scaled to sum to 1.

    The inverse of the whole is found numerically, so that a rank means the same as in any other family.
    """

    name: ClassVar[str] = "mixture"
    weights: tuple[float, ...]
    parts: tuple[Distribution, ...]

    def __init__(self, weights: Sequence[float], parts: Sequence[Distribution]) -> None:
        """
        Raises:
            ConfigError: there is not one weight above 0 for each of one or more parts.
        """
        if not parts or len(weights) != len(parts) or min(weights) <= 0:
            raise ConfigError(f"{self.name} takes a weight above 0 for each part; got {len(parts)} and {list(weights)}")
        total = sum(weights)
        even = abs(total - 1) < 1e-9  # read from a file: scaling again would change the last digits
        object.__setattr__(self, "weights", tuple(weight if even else weight / total for weight in weights))
        object.__setattr__(self, "parts", tuple(parts))

    def cdf(self, x: float) -> float:
        share = 0.0
        for weight, part in zip(self.weights, self.parts, strict=True):
            share += weight * part.cdf(x)
        return share

    def quantile(self, u: float) -> float:
        u = clip(u)
        at = int(u * _CELLS)
        if not 0 < at < _CELLS - 1:
            return self._found(u, *self._bracket(u))
        low, high = self._grid[at], self._grid[at + 1]
        if high - low > _NARROW * low:
            return self._found(u, low, high)
        x, slope = low + (u * _CELLS - at) * (high - low), (high - low) * _CELLS
        for _ in range(5):  # the inverse is all but straight here
            miss = self.cdf(x) - u
            if abs(miss) < _CLOSE:
                return x
            x = min(max(x - miss * slope, low), high)
        return self._found(u, low, high)

    def _found(self, u: float, low: float, high: float) -> float:
        return _root(lambda x: self.cdf(x) - u, low, high)

    def _bracket(self, u: float) -> tuple[float, float]:
        """Where the quantile lies: between those of the parts."""
        values = [part.quantile(u) for part in self.parts]
        return min(values), max(values)

    @cached_property
    def _grid(self) -> tuple[float, ...]:
        """The quantiles at even ranks, between which others are looked for."""
        ranks = [at / _CELLS for at in range(_CELLS)]
        return tuple(self._found(clip(rank), *self._bracket(clip(rank))) for rank in ranks)

    @property
    def mean(self) -> float:
        return sum(weight * part.mean for weight, part in zip(self.weights, self.parts, strict=True))


def _root(miss: Callable[[float], float], low: float, high: float) -> float:
    """Where an ascending function is 0 between `low` and `high`: false position (Illinois), bisection where that crawls."""
    if low >= high:
        return high
    below, above = miss(low), miss(high)
    if below >= 0:
        return low
    side = 0
    for step in range(_STEPS):
        width = high - low
        if width <= _PRECISE * abs(high):
            break
        x = low - below * width / (above - below) if above > below and step % 8 != 7 else (low + high) / 2
        if not low < x < high:
            x = (low + high) / 2
        here = miss(x)
        if here == 0:
            return x
        if here < 0:
            low, below = x, here
            above = above / 2 if side < 0 else above
            side = -1
        else:
            high, above = x, here
            below = below / 2 if side > 0 else below
            side = 1
    return high
