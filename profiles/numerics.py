"""The few special functions that the distributions need, without scipy: `serve` never loads it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import erfc, exp, inf, lgamma, log, sqrt
from statistics import NormalDist

from llm_simulator.errors import ConfigError

NORMAL = NormalDist()
TINY = 2.0**-54
"""The smallest rank looked up, and half the distance of the largest from 1: every quantile is finite."""

_STEPS = 200
_PRECISE = 1e-11


def clip(u: float) -> float:
    """A rank that every inverse can bear: [TINY, 1 - 2 TINY]."""
    return min(max(u, TINY), 1.0 - 2 * TINY)


def normal_cdf(x: float) -> float:
    """Of the standard normal; exact in the far left tail, too."""
    return 0.5 * erfc(-x / sqrt(2.0))


def gamma_cdf(shape: float, x: float) -> float:
    """Regularised lower incomplete gamma function P(shape, x): DLMF 8.11.4 (series), 8.9.2 (continued fraction)."""
    if x <= 0:
        return 0.0
    front = exp(shape * log(x) - x - lgamma(shape))
    if x < shape + 1:
        return front * _series(shape, x)
    return 1.0 - front * _continued(shape, x)


def _series(shape: float, x: float) -> float:
    term = total = 1.0 / shape
    for step in range(1, 100_000):
        term *= x / (shape + step)
        total += term
        if term < total * 1e-16:
            break
    return total


def _continued(shape: float, x: float) -> float:
    """Lentz's method (Numerical Recipes 6.2)."""
    tiny = 1e-300
    b = x + 1 - shape
    c, d = 1 / tiny, 1 / b
    value = d
    for step in range(1, 100_000):
        a = step * (shape - step)
        b += 2
        d = a * d + b
        d = 1 / (d if abs(d) > tiny else tiny)
        c = b + a / c
        c = c if abs(c) > tiny else tiny
        change = c * d
        value *= change
        if abs(change - 1) < 1e-16:
            break
    return value


def invert(cdf: Callable[[float], float], pdf: Callable[[float], float], u: float, start: float, low: float) -> float:
    """x with cdf(x) = u, above `low`: Newton from `start`, kept in a bracket that bisection narrows where it strays."""
    high = inf
    x = start
    for _ in range(_STEPS):
        miss = cdf(x) - u
        low, high = (x, high) if miss < 0 else (low, x)
        slope = pdf(x)
        following = x - miss / slope if slope > 0 else low
        if not low < following < high:
            following = (low + high) / 2 if high < inf else low + 2 * max(x - low, abs(x), TINY)
        if abs(following - x) <= _PRECISE * abs(following) or miss == 0:
            return following if miss else x
        x = following
    return x


def located(standard: Sequence[float], values: Sequence[float]) -> tuple[float, float]:
    """Location and scale of the line that takes the first and last of `standard` to those of `values`."""
    scale = (values[-1] - values[0]) / (standard[-1] - standard[0])
    return values[0] - standard[0] * scale, scale


def solved(miss: Callable[[float], float], low: float, high: float, family: str) -> float:
    """Where a monotone function of a shape is 0, by bisection of its logarithm.

    Raises:
        ConfigError: it is 0 nowhere between `low` and `high`: no member of the family is like that.
    """
    sign = miss(low) > 0
    if sign is (miss(high) > 0):
        raise ConfigError(f"no {family} is so; another family, or more than two percentiles without one, may be")
    low, high = log(low), log(high)
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if (miss(exp(middle)) > 0) is sign else (low, middle)
    return exp((low + high) / 2)


def shaped(
    standard: Callable[[float], Sequence[float]], values: Sequence[float], low: float, high: float, family: str
) -> float:
    """The shape with which three quantiles of the standard member are spaced as three `values` are.

    Raises:
        ConfigError: there is none.
    """
    target = _spacing(values)
    return solved(lambda shape: _spacing(standard(shape)) - target, low, high, family)


def _spacing(values: Sequence[float]) -> float:
    first, second, third = values
    return log((third - second) / (second - first))
