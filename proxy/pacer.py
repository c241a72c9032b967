"""One heap of due times and one timer serve every paced stream; a stream is advanced by a callback, it never sleeps.

A sleeping task per stream is late by its place in the ready queue; here all streams due now are advanced in one pass.
"""

from __future__ import annotations

import asyncio
import heapq
from bisect import bisect_left
from collections.abc import Callable

Advance = Callable[[float], float | None]
"""Writes what is due at `now` (loop time, seconds), returns the loop time of the next step, or None at the end."""

LATENESS_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)


class Pacer:
    """Advances streams by absolute due time. Not thread-safe: one per event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self._loop = loop or asyncio.get_running_loop()
        self._heap: list[tuple[float, int, Advance, asyncio.Future[None]]] = []
        self._sequence = 0
        self._timer: asyncio.TimerHandle | None = None
        self.late_counts = [0] * (len(LATENESS_BUCKETS) + 1)  # writes by lateness bucket, upper bounds above
        self.late_sum = 0.0

    def __len__(self) -> int:
        """Streams that still wait."""
        return len(self._heap)

    def run(self, first: float, advance: Advance) -> asyncio.Future[None]:
        """Calls `advance` at loop time `first` and then whenever it asks; the future is done when it returns None.

        An exception of `advance` ends its own stream only and is set on the future. A cancelled future stops it.
        """
        done: asyncio.Future[None] = self._loop.create_future()
        self._push(first, advance, done)
        self._arm()
        return done

    def _push(self, due: float, advance: Advance, done: asyncio.Future[None]) -> None:
        self._sequence += 1
        heapq.heappush(self._heap, (due, self._sequence, advance, done))

    def _arm(self) -> None:
        first = self._heap[0][0]
        if self._timer is not None:
            if self._timer.when() <= first:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(first, self._fire)

    def _fire(self) -> None:
        self._timer = None
        heap, counts, time = self._heap, self.late_counts, self._loop.time
        again: list[tuple[float, Advance, asyncio.Future[None]]] = []
        now = time()
        while heap and heap[0][0] <= now:
            due, number, advance, done = heap[0]
            following = None
            if not done.done():
                late = now - due
                counts[bisect_left(LATENESS_BUCKETS, late)] += 1
                self.late_sum += late
                following = self._advance(advance, now, done)
                now = time()
            if following is not None and following > now:
                heapq.heapreplace(heap, (following, number, advance, done))  # half the work of a pop and a push
                continue
            heapq.heappop(heap)
            if following is not None:
                again.append((following, advance, done))
        for due, advance, done in again:  # due again already: after all others
            self._push(due, advance, done)
        if heap:
            self._arm()

    @staticmethod
    def _advance(advance: Advance, now: float, done: asyncio.Future[None]) -> float | None:
        try:
            following = advance(now)
        except Exception as error:  # noqa: BLE001  the stream's own task raises it
            done.set_exception(error)
            return None
        if following is None:
            done.set_result(None)
        return following
