"""Recorded responses as calibration keeps them: which TTFT goes with which rate, and the (gap, burst) sequence of each.

A trace holds no latency of its own, only its ranks within the recording: the times come from the profile's distributions
at those ranks, so the marginals are exact and what belongs together stays together (the study: docs/latency.md).
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from dataclasses import dataclass, field

from llm_simulator.profiles.chance import Chance

SHAPED = 3
"""A trace with fewer gaps says nothing of how tokens arrive: it borrows the sequence of another one."""


def _no_floats() -> array[float]:
    return array("d")


def _no_sizes() -> array[int]:
    return array("l")


@dataclass(frozen=True, slots=True)
class Trace:
    """One recorded response. Equal ranks do not occur; the order among equal times is that of the recording."""

    ttft_rank: int  # 0-based rank of its TTFT among those that have one; -1: it has none
    rate_rank: int  # the same of its seconds per token after the first; -1: it has none (one token, or none known)
    tokens: int = 0  # output tokens; 0 where unknown
    gaps: array[float] = field(default_factory=_no_floats)  # seconds between writes; empty where not recorded
    sizes: array[int] = field(default_factory=_no_sizes)  # tokens per write, one more than gaps; empty with them


@dataclass(frozen=True, slots=True)
class Drawn:
    """A trace that a main draw fell on: the ranks of this response's TTFT and rate in the distributions, in [0, 1]."""

    trace: Trace
    ttft: float
    rate: float


@dataclass(frozen=True, slots=True)
class Traces:
    """The traces of a recording with `n` responses.

    Where all are kept (`len(items) == n`) the TTFT ranks run from 0 to the number of those that have one, less one, and
    the rate ranks likewise; of a selection they are those among all `n`.
    """

    items: tuple[Trace, ...]
    n: int
    _scales: tuple[int, int] = field(init=False, repr=False, compare=False)  # what TTFT and rate ranks are divided by
    _shaped: tuple[Trace, ...] = field(init=False, repr=False, compare=False)
    _longest: array[float] = field(
        init=False, repr=False, compare=False
    )  # the longest gap of each shaped one, ascending

    def __post_init__(self) -> None:
        whole = len(self.items) == self.n
        scales = tuple(
            1 + max(ranks, default=0) if whole else self.n
            for ranks in ([t.ttft_rank for t in self.items], [t.rate_rank for t in self.items])
        )
        object.__setattr__(self, "_scales", scales)
        shaped = tuple(trace for trace in self.items if len(trace.gaps) >= SHAPED)
        object.__setattr__(self, "_shaped", shaped)
        object.__setattr__(self, "_longest", array("d", sorted(max(trace.gaps) for trace in shaped)))

    def at(self, u: float) -> tuple[Trace, float]:
        """The trace that the main draw `u` falls on, and where in its stratum, in [0, 1)."""
        place = u * len(self.items)
        at = min(int(place), len(self.items) - 1)
        return self.items[at], min(place - at, 1.0)

    def drawn(self, chance: Chance) -> Drawn:
        """The response of this chance: its first draw picks the trace, its second the place in the rate's stratum."""
        trace, place = self.at(chance.next_f64())
        second = chance.next_f64()
        of_ttft, of_rate = self._scales
        ttft = place if trace.ttft_rank < 0 else (trace.ttft_rank + place) / of_ttft
        return Drawn(trace, ttft, second if trace.rate_rank < 0 else (trace.rate_rank + second) / of_rate)

    def gaps(self, trace: Trace, count: int, chance: Chance) -> list[float] | None:
        """The gap before each of `count` tokens after the first, in seconds as recorded; 0 inside a write.

        The sequence of `trace` (or, where it has no shape, of one drawn) from a drawn start, wrapped. None: nobody has one.
        """
        if len(trace.gaps) < SHAPED:
            if not self._shaped:
                return None
            trace = self._shaped[int(chance.next_f64() * len(self._shaped))]
        recorded, sizes, last = trace.gaps, trace.sizes, len(trace.gaps)
        gaps = [0.0] * max(count, 0)
        start = at = int(chance.next_f64() * (last + 1))
        seam = (
            recorded[start - 1] if start else recorded[last - 1]
        )  # what the start left out comes where the end meets it
        token = sizes[at]
        while token <= count:
            at = at + 1 if at < last else 0
            gaps[token - 1] += recorded[at - 1] if at else seam
            token += sizes[at]
        return gaps

    def stalled(self, gaps: list[float], decode: float, chance: Chance) -> list[float]:
        """Gaps of a trace stretched to last `decode` seconds, their longest as long as those of the recording are.

        The longest stall of a response does not scale with its speed, so it is drawn from the longest of all traces, at its
        own rank among them; the others fill the rest. Where that would more than double or halve them all are stretched alike.
        """
        drawn = sum(gaps)
        if drawn <= 0:
            return gaps
        factor, top = decode / drawn, max(gaps)
        stall, equal = self._stall(top, chance), gaps.count(top)
        others = drawn - top * equal
        rest = (decode - stall * equal) / others if others > 0 else 0.0
        if not factor / 2 <= rest <= factor * 2:
            return [gap * factor for gap in gaps]
        return [stall if gap == top else gap * rest for gap in gaps]

    def _stall(self, top: float, chance: Chance) -> float:
        """A longest gap at the rank of `top`."""
        longest = self._longest
        last = len(longest) - 1
        place = (min(bisect_left(longest, top), last) + chance.next_f64()) / len(longest) * last
        at = min(int(place), max(last - 1, 0))
        return longest[at] + (longest[min(at + 1, last)] - longest[at]) * (place - at)

    @property
    def shaped(self) -> bool:
        """Whether any response shows how tokens arrive."""
        return bool(self._shaped)
