"""When the tokens of an answer arrive: the time to the first, then writes of several tokens with gaps between them.

What 275,000 public requests show: tokens do not arrive evenly but in bursts of one network write; gaps vary within a
response, and each response has a rate of its own, so that totals scatter as real ones do.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from itertools import accumulate, pairwise
from math import exp, log, sqrt

from llm_simulator.profiles.chance import Chance
from llm_simulator.profiles.distributions import Distribution, LogNormal, Quantiles
from llm_simulator.profiles.numerics import NORMAL, clip
from llm_simulator.profiles.traces import Trace, Traces
from llm_simulator.types import JSON

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

    def __post_init__(self) -> None:
        # To 12 places, so that shares written down and summed up again are the same.
        object.__setattr__(self, "shares", tuple(round(share, 12) for share in self.shares))

    def size(self, u: float) -> int:
        return self.sizes[min(bisect_right(self.shares, u), len(self.sizes) - 1)]


@dataclass(frozen=True, slots=True)
class Slope:
    """What a prompt adds to the TTFT: `seconds` per token of it that is not cached, above `reference` tokens (below: less)."""

    seconds: float
    reference: int = 0


@dataclass(frozen=True, slots=True)
class Load:
    """How calls in flight together slow each other down.

    `slots` run at once, others wait for one before their TTFT begins (0: no limit). Each running beside it makes the tokens
    of an answer slower by `slowdown` (no unit): seconds per token are multiplied by 1 + slowdown * (running - 1).
    """

    slots: int = 0
    slowdown: float = 0.0


@dataclass(frozen=True, slots=True)
class ErrorRate:
    """A failure as an outcome of its own: its status, the condition of the catalogue ("" by status), its share of calls."""

    status: int
    rate: float
    condition: str = ""


@dataclass(frozen=True, slots=True)
class UsageRatio:
    """The provider's count over ours, the median of `n` exchanges: for counts that are only estimated."""

    prompt: float = 1.0
    completion: float = 1.0
    n: int = 0


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a profile is from: what was measured, when (ISO date), how many answers, under which conditions."""

    source: str = ""
    date: str = ""
    n: int = 0
    conditions: str = ""


@dataclass(frozen=True, slots=True)
class Profile:
    """The latency of one model or a family of them.

    `provider`, `models` and `family` (of a wire format) are glob patterns; `operations` names those that generate nothing
    (embeddings, lists), for which it then is ("": those that do). `stream` and `cache` ("hit", "miss", "any": whether the
    prompt was cached) narrow it. `ttft` is in seconds. `rate` is the seconds per token of a whole response; where it is
    None the gaps of `writes` are seconds and each response multiplies them by a lognormal speed factor of median 1 and
    `speed_sigma`. `total` replaces TTFT and rate where an answer is not streamed. `length` is how many tokens an answer has
    where nothing limits it. With `traces` (recorded responses) TTFT, rate, length and the sequence of gaps of an answer are
    those that belong together.
    Off where they are None: `prompt_slope`, `cache_hit` (the TTFT of a cached prompt), `load`.
    `source`, `provenance` and `quality` (of the fit) say where the numbers are from, when they were taken, how good they are.
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
    traces: Traces | None = None
    provider: str = "*"
    operations: tuple[str, ...] = ()
    stream: bool | None = None
    cache: str = "any"
    total: Distribution | None = None
    prompt_slope: Slope | None = None
    cache_hit: Distribution | None = None
    load: Load | None = None
    errors: tuple[ErrorRate, ...] = ()
    usage_ratio: UsageRatio | None = None
    provenance: Provenance | None = None
    quality: Mapping[str, JSON] | None = field(default=None, hash=False)

    def matches(self, model: str, family: str = "") -> bool:
        return bool(self.pattern_of(model)) and fnmatchcase(family, self.family)

    def pattern_of(self, model: str) -> str:
        """The first of its patterns that a model (in lower case) fits, or ""."""
        return next((pattern for pattern in self.models if fnmatchcase(model, pattern)), "")

    def fits(self, provider: str, operation: str, family: str, stream: bool, cached: bool) -> bool:
        """Whether it is for such calls, whatever the model; `operation` is "" for those that generate."""
        return (
            fnmatchcase(provider, self.provider)
            and (
                any(fnmatchcase(operation, pattern) for pattern in self.operations)
                if operation
                else not self.operations
            )
            and fnmatchcase(family, self.family)
            and self.stream in (None, stream)
            and self.cache in ("any", "hit" if cached else "miss")
        )

    def length_of(self, chance: Chance) -> float:
        """How many tokens an answer has that nothing limits. With traces it is that of the one which the first draw picks:
        together with the times of the same chance, totals are those of the recording."""
        u = chance.next_f64()
        if self.traces is not None:
            trace, _ = self.traces.at(u)
            if trace.tokens:
                return trace.tokens
        return self.length.quantile(u)

    def outline(self, token_count: int, chance: Chance) -> tuple[float, float]:
        """Time to first token and total, in seconds: what `generate_streaming_timings` gives for the same chance."""
        if self.rate is None:
            timings = self.generate_streaming_timings(token_count, chance)
            return timings.ttft, timings.total
        if self.traces is None:
            ttft, rate = chance.next_f64(), chance.next_f64()
        else:
            drawn = self.traces.drawn(chance)
            ttft, rate = drawn.ttft, drawn.rate
        first = self.ttft.quantile(ttft)
        return first, first + self.rate.quantile(rate) * max(token_count - 1, 0)

    def whole(self, token_count: int, chance: Chance) -> tuple[float, float]:
        """Time to first token and total of an answer that is not streamed: it comes as a whole, at the total."""
        if self.total is None:
            return self.outline(token_count, chance)
        total = self.total.quantile(chance.next_f64())
        return total, total

    def generate_streaming_timings(self, token_count: int, chance: Chance) -> Timings:
        """The times of `token_count` tokens. The first draw is the rank of the TTFT, the second that of the rate."""
        first, rank, trace = self._ranks(chance)
        ttft, count = self.ttft.quantile(first), max(token_count - 1, 0)
        recorded = self.traces.gaps(trace, count, chance) if self.traces and trace else None
        gaps = self._gaps(count, chance) if recorded is None else recorded
        if self.rate is None:
            factor = exp(self.speed_sigma * NORMAL.inv_cdf(clip(rank))) if self.speed_sigma else 1.0
            return Timings(ttft, _cumulated(ttft, gaps, factor, token_count))
        decode = self.rate.quantile(rank) * count
        if recorded is not None and self.traces:
            gaps = self.traces.stalled(recorded, decode, chance)
        dues = _cumulated(ttft, gaps, self._stretch(gaps, decode), token_count)
        if gaps:
            _settle(dues, ttft + decode)
        return Timings(ttft, dues)

    def _ranks(self, chance: Chance) -> tuple[float, float, Trace | None]:
        """Of the TTFT and of the rate, and the trace that they belong to."""
        if self.traces is None:
            return chance.next_f64(), chance.next_f64(), None
        drawn = self.traces.drawn(chance)
        return drawn.ttft, drawn.rate, drawn.trace

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


def _cumulated(ttft: float, gaps: list[float], factor: float, count: int) -> array[float]:
    """When each of `count` tokens is due."""
    return array("d", accumulate((gap * factor for gap in gaps), initial=ttft) if count > 0 else ())


def _settle(dues: array[float], total: float) -> None:
    """Ends exactly at `total`, to which the sum of the gaps comes only within rounding; the order stays."""
    at = len(dues) - 1
    dues[at] = total
    while at and dues[at - 1] > total - 1e-9:
        at -= 1
        dues[at] = total
