"""How calls in flight together slow each other down (state: off unless a profile has a `load`).

Slots make the knee: who finds none free waits for the first that ends, and that wait comes before the time to first token.
Who runs beside others gets its tokens more slowly. The clock is passed in: one arrival schedule gives one set of times.
Sources: seconds per token are linear in concurrency, 1 + 0.05 (c - 1) (50 sweeps, LottoLottoLotto/4x3090-llm-benchmarks);
TTFT is a queue (philschmid/llmperf-bench).
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from llm_simulator.profiles.profile import Load
from llm_simulator.types import Chunk


@dataclass(frozen=True, slots=True)
class Place:
    """What a call found: seconds it waits for a slot, how many run with it (itself counted), by how much they slow it."""

    wait: float
    running: int
    factor: float

    def at(self, due: float, ttft: float) -> float:
        """When something is due that would be at `due` with nobody around."""
        return self.wait + due if due <= ttft else self.wait + ttft + (due - ttft) * self.factor

    def chunks(self, chunks: Iterable[Chunk], ttft: float) -> Iterator[Chunk]:
        return (Chunk(self.at(chunk.due, ttft), chunk.data) for chunk in chunks)


@dataclass(slots=True)
class Queue:
    """The calls of one profile in flight: when each will have ended. Those that a client gave up hold their slot to the end."""

    load: Load
    _ends: list[float] = field(default_factory=lambda: [])

    def enter(self, now: float, ttft: float, total: float) -> Place:
        """A call that arrives at `now` (seconds, never before the one before it) and would take `total` alone."""
        ends = self._ends
        while ends and ends[0] <= now:
            heapq.heappop(ends)
        start = now
        if self.load.slots and len(ends) >= self.load.slots:
            # Who came before and still waits has its slot counted by when it ends: the first to end is ours.
            start = heapq.nsmallest(len(ends) - self.load.slots + 1, ends)[-1]
        running = 1 + sum(end > start for end in ends)
        place = Place(start - now, running, 1 + self.load.slowdown * (running - 1))
        heapq.heappush(ends, now + place.at(total, ttft))
        return place
