"""When the tokens of an answer arrive: the time to the first, then writes of several tokens with gaps between them.

What 275,000 public requests show: tokens do not arrive evenly but in bursts of one network write; gaps vary within a
response, and each response has a rate of its own, so that totals scatter as real ones do.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import accumulate, pairwise
from math import exp, log, sqrt

from llm_simulator.profiles.chance import Chance
from llm_simulator.profiles.distributions import Distribution, LogNormal, Quantiles
from llm_simulator.profiles.numerics import NORMAL, clip

SHAPE_RANKS = (0.1, 0.5, 0.9, 0.95, 0.99)
TTFT_SHAPE = Quantiles(SHAPE_RANKS, (0.94, 1.0, 1.23, 1.44, 2.01))
"""Time to first token over its median: medians of 42 sessions with one endpoint each, 2024-09
(chenchenygu/auditing-prompt-caching)."""
RATE_SHAPE = Quantiles(SHAPE_RANKS, (1 / 1.15, 1.0, 1.15, 1.24, 1.41))
"""Seconds per token of a response over the median; p90 to p99 as above, p10 mirrored from p90."""
GAP_SHAPE = LogNormal(1.0, sqrt(log(1 + 1.2**2)))
"""Gaps between the writes of one response: coefficient of variation 1.2 (OpenAI chat, 2024 and 2026)."""


@dataclass(frozen=True, slots=True)
class Timings:
    """When each token of a response is due, in seconds after the request was read; `dues` is cumulative."""

    ttft: float
    dues: array[float]

    @property
    def total(self) -> float:
        """When the last token is due."""
        return self.dues[-1] if self.dues else self.ttft

    @property
    def gaps(self) -> list[float]:
        """The waits after the first token, one less than there are tokens."""
        return [later - earlier for earlier, later in pairwise(self.dues)]

    def due(self, token: int) -> float:
        """When the token with this 0-based number is due; what comes after the last is due with it."""
        return self.dues[min(token, len(self.dues) - 1)] if self.dues else self.ttft


@dataclass(frozen=True, slots=True)
class Writes:
    """How many tokens go out in one write: `sizes` with the cumulative `shares` up to each; the gaps between writes.

    `gap` is in seconds, or in any unit where the profile has a rate (then only its shape counts).
    """

    sizes: tuple[int, ...] = (1,)
    shares: tuple[float, ...] = (1.0,)
    gap: Distribution = GAP_SHAPE

    def size(self, u: float) -> int:
        return self.sizes[min(bisect_right(self.shares, u), len(self.sizes) - 1)]


@dataclass(frozen=True, slots=True)
class Profile:
    """The latency of one model or a family of them.

    `models` are glob patterns, `family` one of a wire format ("*": any). `rate` is the seconds per token of a whole
    response; where it is None the gaps of `writes` are seconds and each response multiplies them by a lognormal speed
    factor of median 1 and `speed_sigma`. `length` is how many tokens an answer has where nothing limits it.
    `source` says where the numbers are from and when they were taken.
    """

    name: str
    models: tuple[str, ...]
    ttft: Distribution
    rate: Distribution | None
    writes: Writes
    length: Distribution
    family: str = "*"
    speed_sigma: float = 0.0
    source: str = ""

    def matches(self, model: str, family: str = "") -> bool:
        return any(fnmatchcase(model, pattern) for pattern in self.models) and fnmatchcase(family, self.family)

    def outline(self, token_count: int, chance: Chance) -> tuple[float, float]:
        """Time to first token and total, in seconds: what `generate_streaming_timings` gives for the same chance."""
        if self.rate is None:
            timings = self.generate_streaming_timings(token_count, chance)
            return timings.ttft, timings.total
        ttft = self.ttft.quantile(chance.next_f64())
        decode = self.rate.quantile(chance.next_f64()) * max(token_count - 1, 0)
        return ttft, ttft + decode

    def generate_streaming_timings(self, token_count: int, chance: Chance) -> Timings:
        """The times of `token_count` tokens. The first draw is the rank of the TTFT, the second that of the rate."""
        ttft = self.ttft.quantile(chance.next_f64())
        rank = chance.next_f64()
        gaps = self._gaps(token_count - 1, chance)
        if self.rate is None:
            factor = exp(self.speed_sigma * NORMAL.inv_cdf(clip(rank))) if self.speed_sigma else 1.0
        else:
            factor = self._stretch(gaps, self.rate.quantile(rank) * len(gaps))
        dues = array("d", accumulate((gap * factor for gap in gaps), initial=ttft))
        if self.rate is not None and gaps:
            _settle(dues, ttft + self.rate.quantile(rank) * len(gaps))
        return Timings(ttft, dues if token_count > 0 else array("d"))

    def _gaps(self, count: int, chance: Chance) -> list[float]:
        """The gap before each token after the first: 0 inside a write."""
        writes = self.writes
        draw, gap = chance.next_f64, writes.gap.sample
        if writes.sizes == (1,):
            return [gap(chance) for _ in range(count)]
        gaps = [0.0] * max(count, 0)
        at = writes.size(draw())
        while at <= count:
            gaps[at - 1] = gap(chance)
            at += writes.size(draw())
        return gaps

    @staticmethod
    def _stretch(gaps: list[float], decode: float) -> float:
        """What the gaps must be multiplied by to last `decode` seconds together."""
        drawn = sum(gaps)
        if drawn <= 0 and gaps:
            gaps[-1] = drawn = 1.0  # all tokens fell into one write: the last one comes at the end
        return decode / drawn if drawn else 0.0


def _settle(dues: array[float], total: float) -> None:
    """Ends exactly at `total`, to which the sum of the gaps comes only within rounding; the order stays."""
    at = len(dues) - 1
    dues[at] = total
    while at and dues[at - 1] > total - 1e-9:
        at -= 1
        dues[at] = total
