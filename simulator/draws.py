"""Which chance a call gets: a function of (seed, scenario, call, r, k), never of what other calls drew before.

The main draw of a decision is u = frac(h(seed, scenario, call, r, purpose) + k * STEP): repeats of one call fill [0, 1)
evenly, distinct calls are independent. Further draws come from a generator seeded by h(..., k, purpose).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from llm_simulator.simulator.rng import DeterministicRng, fraction, keyed

GOLDEN = 0.6180339887498949  # (sqrt(5) - 1) / 2: the multiples modulo 1 are as even as those of any number
SECOND = 0.41421356237309515
"""sqrt(2) - 1, for the second dimension of a decision: with GOLDEN again all repeats would pair the ranks alike."""


@dataclass(frozen=True, slots=True)
class Draw:
    """Which try of a call this is: r, the SDK's retry count, and k, how many equal ones came before."""

    attempt: int = 0
    occurrence: int = 0


FIRST = Draw()


@lru_cache(maxsize=4096)
def _start(seed: int, scenario: str, identity: bytes, attempt: int, purpose: str) -> float:
    """Where the main draws of a call begin: the same for all its occurrences."""
    return fraction(keyed(seed, scenario, identity, attempt, purpose))


@dataclass(frozen=True, slots=True)
class Lot:
    """A call in a scenario, as far as chance is concerned."""

    seed: int
    scenario: str
    identity: bytes

    def main(self, draw: Draw, purpose: str, step: float = GOLDEN) -> float:
        """The main draw of a decision, in [0, 1)."""
        start = _start(self.seed, self.scenario, self.identity, draw.attempt, purpose)
        return (start + draw.occurrence * step) % 1.0

    def further(self, draw: Draw, purpose: str) -> DeterministicRng:
        """The generator of a decision's further draws."""
        return DeterministicRng(keyed(self.seed, self.scenario, self.identity, draw.attempt, draw.occurrence, purpose))

    def content(self, purpose: str) -> DeterministicRng:
        """The generator of what the answer says: the same at every occurrence and attempt."""
        return DeterministicRng(keyed(self.seed, self.scenario, self.identity, "content", purpose))


class Stratified:
    """A decision's draws in order: its main draw, that of its second dimension, then further ones (a `Chance`)."""

    __slots__ = ("_draw", "_lot", "_purpose", "_rng", "_taken")

    def __init__(self, lot: Lot, draw: Draw, purpose: str) -> None:
        self._lot = lot
        self._draw = draw
        self._purpose = purpose
        self._taken = 0
        self._rng: DeterministicRng | None = None

    def next_f64(self) -> float:
        taken = self._taken
        if taken > 1:
            return self._further().next_f64()
        self._taken = taken + 1
        if taken == 0:
            return self._lot.main(self._draw, self._purpose)
        return self._lot.main(self._draw, self._purpose + " 2", SECOND)

    def next_normal(self) -> float:
        return self._further().next_normal()

    def _further(self) -> DeterministicRng:
        if self._rng is None:
            self._rng = self._lot.further(self._draw, self._purpose)
        return self._rng
