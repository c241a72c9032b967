"""Work that nobody waits for, held until it is done."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from llm_simulator.errors import StateError

log = logging.getLogger("llm_simulator.service")


class Tasks:
    """Tasks of one event loop; a failure is logged."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._running.add(task)
        task.add_done_callback(self._done)

    async def done(self) -> None:
        """Returns when all that was started so far is over."""
        if self._running:
            await asyncio.wait(self._running)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if task.cancelled() or (error := task.exception()) is None:
            return
        if isinstance(error, StateError):
            log.warning("%s", error)
        else:
            log.error("a bug in llm-simulator", exc_info=error)
