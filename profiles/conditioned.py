"""What a prompt does to the time to first token: its length, and whether the provider had it cached."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from llm_simulator.profiles.family import Distribution
from llm_simulator.profiles.profile import Profile


@dataclass(frozen=True)
class Moved(Distribution):
    """`base` plus `offset` (of the same unit), never below 0. No family of its own: a file never names it."""

    name: ClassVar[str] = "moved"
    base: Distribution
    offset: float

    def quantile(self, u: float) -> float:
        return max(0.0, self.base.quantile(u) + self.offset)

    def cdf(self, x: float) -> float:
        return self.base.cdf(x - self.offset) if x >= 0 else 0.0

    @property
    def mean(self) -> float:
        """Without what the cut at 0 adds."""
        return self.base.mean + self.offset


def conditioned(profile: Profile, uncached: int, cached: int) -> Profile:
    """The profile for a prompt of which `cached` tokens were read from the provider's cache and `uncached` were not."""
    ttft = profile.cache_hit if cached and profile.cache_hit else profile.ttft
    slope = profile.prompt_slope
    if slope:
        ttft = Moved(ttft, slope.seconds * (uncached - slope.reference))
    return profile if ttft is profile.ttft else replace(profile, ttft=ttft)
