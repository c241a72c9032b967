"""The load of each profile that has one, on the real clock: what calls in flight together do to each other's times."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llm_simulator.simulator.engine import Simulated
    from llm_simulator.simulator.load import Queue


class Loads:
    """One queue per profile. Where nothing waits (speed 0) nothing is in flight, and there is no load.

    `clock` gives seconds that never go back.
    """

    def __init__(self, speed: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._speed = speed
        self._clock = clock
        self._queues: dict[str, Queue] = {}

    def entered(self, made: Simulated) -> tuple[Simulated, str]:
        """The answer as late as its load makes it, and what its state header says of that ("" where it has none)."""
        load = made.timed.load if made.timed else None
        if load is None or not self._speed or isinstance(made.answer.chunks, AsyncIterator):
            return made, ""
        queue = self._queues.get(made.profile)
        if queue is None:
            from llm_simulator.simulator.load import Queue

            queue = self._queues[made.profile] = Queue(load)
        place = queue.enter(self._clock() * self._speed, made.ttft, made.total)
        chunks = place.chunks(made.answer.chunks, made.ttft)
        slower = replace(
            made,
            answer=replace(made.answer, chunks=chunks),
            ttft=place.at(made.ttft, made.ttft),
            total=place.at(made.total, made.ttft),
        )
        return slower, f"load running={place.running} waited-ms={place.wait * 1e3:.3f}"
