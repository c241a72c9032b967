"""What calibration knows of one recorded call: times, tokens, outcome. Numbers only; the text of a call is never in it."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


def nothing() -> Mapping[str, str]:
    return MappingProxyType({})


def seconds() -> array[float]:
    return array("d")


def counts() -> array[int]:
    return array("l")


@dataclass(frozen=True, slots=True)
class Sample:
    """One recorded call. Times are seconds; a count of 0 means unknown.

    `ttft` is the time to the first content, `total` to the last byte, both after the request was sent. `gaps` are the
    waits between the writes of a stream and `sizes` the tokens of each write (one more than gaps; both empty where only
    totals were recorded); `chunks` are the bytes of each network read, as recorded. `status` is the HTTP status (0: there
    was no answer), `outcome` one of `types.Outcome`'s values; `condition` names what a failure was, `at` is when the call
    was made (unix seconds), `prompt_ratio` and `completion_ratio` are the provider's token counts over ours (0: unknown),
    and `labels` holds further columns by which recordings can be grouped (run, region).
    """

    provider: str = ""
    model: str = ""
    stream: bool = True
    cache: str = ""  # "hit", "miss" or "" (unknown)
    prompt_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    ttft: float | None = None
    total: float | None = None
    gaps: array[float] = field(default_factory=seconds)
    sizes: array[int] = field(default_factory=counts)
    status: int = 200
    outcome: str = "complete"
    at: float = 0.0
    chunks: array[int] = field(default_factory=counts)
    source: str = ""
    family: str = "*"
    kind: str = "chat"
    condition: str = ""
    prompt_ratio: float = 0.0
    completion_ratio: float = 0.0
    impossible: int = 0  # times below 0 that were left out: the clock was set while the call ran
    labels: Mapping[str, str] = field(default_factory=nothing)

    @property
    def failed(self) -> bool:
        """An outcome with a rate of its own, never a sample of latency."""
        return self.outcome not in ("complete", "client-gone") or not 200 <= self.status < 300

    @property
    def rate(self) -> float | None:
        """Seconds per token after the first, of a stream; None where it cannot be known."""
        if not self.stream or self.ttft is None or self.total is None or self.output_tokens < 2:
            return None
        decode = self.total - self.ttft
        return decode / (self.output_tokens - 1) if decode > 0 else None
