"""From measured values to a distribution: the simplest family whose quantiles are right, else the recording itself.

Nothing is trimmed: slow calls are the p99. Two recordings of one endpoint differ more than any two careful fits of one,
so a fit is judged against the recording that it came from, and the interval says how far that may be from the truth.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from llm_simulator.errors import ConfigError
from llm_simulator.profiles.distributions import Constant, Distribution, Empirical, Quantiles
from llm_simulator.recorder.calibration.families import CANDIDATES, Values, condensed, lognormal

RANKS = (0.5, 0.9, 0.95, 0.99)
"""The quantiles that a fit is judged by."""
GATE = 0.05
"""How far off the worst of them may be: half of what is promised."""
FEW = 30
"""Under so many values the lognormal has the smallest error at p99, and no family is within 10 % more than 4 times in 10."""
POINTS = 400
"""A recording of more values is kept as about so many points of its quantile function, where that is exact enough."""
_EXACT = 0.005
_DRAWS = 2000


@dataclass(frozen=True, slots=True)
class Fit:
    """A distribution in place of `n` measured values.

    `errors`: its quantile over the recorded one, minus 1, absolute, at each of RANKS. `intervals`: the bootstrap 95 %
    interval of the recorded quantile. `tried`: the worst error of each family that was looked at, simplest first.
    `low_confidence`: fewer than 30 values. `why`: the choice in a sentence.
    """

    distribution: Distribution
    family: str
    n: int
    errors: Mapping[float, float]
    intervals: Mapping[float, tuple[float, float]]
    tried: Mapping[str, float]
    low_confidence: bool
    why: str

    @property
    def uncertain(self) -> tuple[float, ...]:
        """The ranks whose interval is wider than 10 % of the value to either side: too few values to promise more."""
        middle = {rank: sum(interval) / 2 for rank, interval in self.intervals.items()}
        return tuple(r for r, (low, high) in self.intervals.items() if middle[r] > 0 and high - low > 0.2 * middle[r])


def fit(values: Sequence[float] | Values, *, seed: int = 0) -> Fit:
    """The fit of measured values: finite, not negative. `seed` is of the bootstrap alone.

    Raises:
        ConfigError: there are none, or one is negative, infinite or no number.
    """
    ordered: Values = np.sort(np.asarray(values, dtype=np.float64))
    if not len(ordered) or not np.isfinite(ordered[-1]) or ordered[0] < 0:
        raise ConfigError(f"cannot fit {len(ordered)} values; allowed are one or more finite ones, 0 or above")
    intervals = bootstrap(ordered, seed)
    if ordered[0] == ordered[-1]:
        same = Constant(float(ordered[0]))
        return _made(same, "constant", ordered, intervals, {}, "All values are the same.")
    tried: dict[str, float] = {}
    positive = condensed(ordered[ordered > 0])
    if len(ordered) < FEW:
        few = lognormal(positive)
        tried["lognormal"] = worst(few, ordered)
        why = f"Only {len(ordered)} values: a lognormal is the safest guess under {FEW}, with low confidence."
        return _made(few, "lognormal", ordered, intervals, tried, why)
    for name, candidate in CANDIDATES if ordered[0] > 0 else ():
        found = candidate(positive)
        if found is None:
            continue
        tried[name] = worst(found, ordered)
        if tried[name] <= GATE:
            return _made(found, found.name, ordered, intervals, tried, _chosen(name, tried))
    kept = recording(ordered)
    return _made(kept, "empirical", ordered, intervals, tried, _refused(tried))


def worst(distribution: Distribution, ordered: Values) -> float:
    """The largest relative error at RANKS."""
    return max(_errors(distribution, ordered).values())


def _errors(distribution: Distribution, ordered: Values) -> dict[float, float]:
    recorded = np.quantile(ordered, RANKS)
    floor = max(float(recorded[-1]) * 1e-9, 1e-12)  # a quantile of 0 is met by 0
    return {
        rank: abs(distribution.quantile(rank) - float(value)) / max(float(value), floor)
        for rank, value in zip(RANKS, recorded, strict=True)
    }


def bootstrap(ordered: Values, seed: int) -> dict[float, tuple[float, float]]:
    """The 95 % interval of each quantile over resamples of the recording, without resampling it.

    The k-th smallest of n values drawn with replacement is the value at index floor(n U), U the k-th smallest of n
    uniform ones: Beta(k, n - k + 1). The one after it follows as U' = U + (1 - U) Beta(1, n - k).
    """
    n = len(ordered)
    chance = np.random.default_rng(seed)
    intervals: dict[float, tuple[float, float]] = {}
    for rank in RANKS:
        place = rank * (n - 1)
        below = int(place)
        low = chance.beta(below + 1, n - below, _DRAWS)
        high = low + (1 - low) * (chance.beta(1, n - below - 1, _DRAWS) if below + 1 < n else 0.0)
        first, second = (ordered[np.minimum((n * u).astype(np.int64), n - 1)] for u in (low, high))
        found = np.quantile(first + (place - below) * (second - first), (0.025, 0.975))
        intervals[rank] = (float(found[0]), float(found[1]))
    return intervals


def recording(ordered: Values) -> Distribution:
    """The recording itself: all its values, or points of its quantile function that keep every one within 0.5 %."""
    # A file tells whole microseconds, or nanoseconds where that is not exact enough, in half the characters.
    digits = 6 if np.median(ordered) >= 0.01 else 9
    if len(ordered) <= POINTS:
        return Empirical([round(float(value), digits) for value in ordered])
    kept = _outline(ordered)
    last = len(ordered) - 1
    return Quantiles(tuple(at / last for at in kept), tuple(round(float(ordered[at]), digits) for at in kept))


def _outline(ordered: Values) -> list[int]:
    """Indices such that the line between two that follow each other is within 0.5 % of all values between them.

    Halves the widest stretches until it holds: first and last value, and so the tail, are always among them.
    """
    kept: list[int] = []
    waiting = [(0, len(ordered) - 1)]
    while waiting:
        low, high = waiting.pop()
        between = ordered[low : high + 1]
        line = np.linspace(between[0], between[-1], len(between))
        off = np.abs(line - between) / np.maximum(between, 1e-12)
        at = int(np.argmax(off))
        if off[at] <= _EXACT or at in (0, len(between) - 1):
            kept += [low, high]
        else:
            waiting += [(low, low + at), (low + at, high)]
    return sorted(set(kept))


def _made(
    distribution: Distribution,
    family: str,
    ordered: Values,
    intervals: Mapping[float, tuple[float, float]],
    tried: Mapping[str, float],
    why: str,
) -> Fit:
    errors = MappingProxyType(_errors(distribution, ordered))
    n = len(ordered)
    return Fit(distribution, family, n, errors, MappingProxyType(dict(intervals)), dict(tried), n < FEW, why)


def _chosen(name: str, tried: Mapping[str, float]) -> str:
    met = f"{name} meets p50, p90, p95 and p99 within {GATE:.0%} (worst {tried[name]:.1%})"
    return f"{met}; simpler families do not." if len(tried) > 1 else f"{met}; it is the simplest family."


def _refused(tried: Mapping[str, float]) -> str:
    if not tried:
        return "Some values are 0, which no family allows: the recording itself."
    best = min(tried, key=lambda name: tried[name])
    return f"No family meets p50 to p99 within {GATE:.0%} (best: {best}, {tried[best]:.1%}): the recording itself."
