"""Has a provider become slower than its profile? Recorded quantiles, with what chance alone explains, against the profile's.

A quantile has drifted where three things agree: its confidence interval lies beyond the profile's quantile, beyond the
interval which that quantile itself had when it was calibrated, and the difference is more than the tolerance. The
intervals are so wide that in 95 of 100 checks of an unchanged provider *no* quantile of any quantity drifts (Bonferroni),
as far as calls are independent; the tolerance bears what calls of one session have in common.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from math import inf

import numpy as np
from scipy.stats import binom

from llm_simulator.profiles import Profile
from llm_simulator.profiles.distributions import Distribution
from llm_simulator.recorder.calibration.fit import RANKS
from llm_simulator.recorder.calibration.samples import Sample
from llm_simulator.types import JSON

FEWEST = 10
"""Calls under which nothing is told."""
CONFIDENCE = 0.95
_MOST_DRAWS = 4000

Draws = Callable[[int, int], Sequence[float]]
"""Totals of a profile: of so many tokens, so many of them."""


class Verdict(Enum):
    """Of one quantile, or of all of one quantity."""

    SAME = "same"  # nothing that chance or the tolerance does not explain
    SLOWER = "slower"
    FASTER = "faster"
    UNKNOWN = "too few"  # fewer than FEWEST calls


@dataclass(frozen=True, slots=True)
class Compared:
    """One quantile in seconds: of the profile, of the recording, and the interval of the latter."""

    rank: float
    profile: float
    recorded: float
    low: float
    high: float
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Measured:
    """A quantity of the calls that a profile is for: "ttft", "cached" (TTFT of cached prompts), "rate" or "total"."""

    profile: str
    quantity: str
    n: int
    quantiles: tuple[Compared, ...]

    @property
    def verdict(self) -> Verdict:
        verdicts = {each.verdict for each in self.quantiles}
        for first in (Verdict.SLOWER, Verdict.FASTER, Verdict.UNKNOWN):
            if first in verdicts:
                return first
        return Verdict.SAME


@dataclass(slots=True)
class Recorded:
    """What was recorded of the calls that one profile is for."""

    profile: Profile
    values: dict[str, list[float]] = field(default_factory=dict)
    tokens: list[int] = field(default_factory=list)  # of the answers that were not streamed

    def add(self, sample: Sample) -> None:
        if not sample.stream:
            if sample.total is not None:
                self._add("total", sample.total)
                self.tokens.append(sample.output_tokens)
            return
        if sample.ttft is not None:
            cached = sample.cache == "hit" and self.profile.cache_hit is not None
            self._add("cached" if cached else "ttft", sample.ttft - self._of_prompt(sample))
        if sample.rate is not None:
            self._add("rate", sample.rate)

    def _add(self, quantity: str, value: float) -> None:
        self.values.setdefault(quantity, []).append(value)

    def _of_prompt(self, sample: Sample) -> float:
        """What the profile itself says a prompt of this length adds."""
        slope = self.profile.prompt_slope
        if slope is None or not sample.prompt_tokens:
            return 0.0
        return slope.seconds * (sample.prompt_tokens - sample.cached_tokens - slope.reference)


def compared(recorded: Iterable[Recorded], draws: Callable[[Profile], Draws], tolerance: float) -> tuple[Measured, ...]:
    """All quantities of all profiles. `draws` gives what simulates the totals of a profile."""
    asked = [
        (one, quantity, sorted(values), expected)
        for one in recorded
        for quantity, values in one.values.items()
        if (expected := _expected(one, quantity, draws(one.profile))) is not None
    ]
    level = (1 - CONFIDENCE) / (2 * len(RANKS) * max(len(asked), 1))
    return tuple(
        Measured(
            one.profile.name,
            quantity,
            len(values),
            tuple(_judged(values, expected, _known(one.profile, quantity), level, tolerance)),
        )
        for one, quantity, values, expected in asked
    )


def _expected(one: Recorded, quantity: str, draws: Draws) -> Mapping[float, float] | None:
    """The quantiles of the profile; None where it says nothing of this quantity."""
    profile = one.profile
    if quantity != "total":
        distribution = {"ttft": profile.ttft, "cached": profile.cache_hit, "rate": profile.rate}[quantity]
        return _quantiles(distribution) if distribution else _rates(draws)
    if profile.total is not None:
        return _quantiles(profile.total)
    each = max(_MOST_DRAWS // len(one.tokens), 1)
    totals = [total for tokens in one.tokens if tokens for total in draws(tokens, each)]
    return {rank: float(np.quantile(totals, rank)) for rank in RANKS} if totals else None


def _quantiles(distribution: Distribution) -> Mapping[float, float]:
    return {rank: distribution.quantile(rank) for rank in RANKS}


def _rates(draws: Draws) -> Mapping[float, float]:
    """Seconds per token of a profile that is given by gaps: of answers of 200 tokens, less the TTFT."""
    ends, starts = draws(200, 1000), draws(1, 1000)
    rates = (np.asarray(ends) - np.asarray(starts)) / 199
    return {rank: float(np.quantile(rates, rank)) for rank in RANKS}


def _known(profile: Profile, quantity: str) -> Mapping[str, JSON]:
    """The intervals that the quantiles had when the profile was calibrated, where it says so."""
    told = (profile.quality or {}).get(quantity)
    intervals = told.get("intervals") if isinstance(told, Mapping) else None
    return intervals if isinstance(intervals, Mapping) else {}


def _judged(
    values: Sequence[float], expected: Mapping[float, float], known: Mapping[str, JSON], level: float, tolerance: float
) -> Iterator[Compared]:
    for rank, profile in expected.items():
        recorded = float(np.quantile(values, rank))
        low, high = interval(values, rank, level)
        least, most = known.get(f"p{rank * 100:g}", (profile, profile))
        if len(values) < FEWEST:
            verdict = Verdict.UNKNOWN
        elif low > max(profile, most) and recorded > profile * (1 + tolerance):
            verdict = Verdict.SLOWER
        elif high < min(profile, least) and recorded < profile * (1 - tolerance):
            verdict = Verdict.FASTER
        else:
            verdict = Verdict.SAME
        yield Compared(rank, profile, recorded, low, high, verdict)


def interval(values: Sequence[float], rank: float, level: float) -> tuple[float, float]:
    """Of the true quantile, from ascending values, with at most `level` outside at either end; `inf` where none is known.

    By order statistics (Conover, Practical Nonparametric Statistics, 3.2): the number of values below the quantile is
    binomial. In the middle this is the bootstrap's interval; at the ends that one is too sure: it cannot go beyond the
    largest value, though 200 calls are all below the p99 in 13 of 100 recordings.
    """
    n = len(values)
    below, above = int(binom.ppf(level, n, rank)), int(binom.ppf(1 - level, n, rank))
    return (values[below - 1] if below else 0.0), (values[above] if above < n else inf)
