"""Work on the event loop, one piece in each pass: what arrives meanwhile is stamped in time."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial


class Turns:
    """Who has something to do for a millisecond waits here for a pass of the loop; first come, first served."""

    def __init__(self) -> None:
        self._waiting: deque[Callable[[], None]] = deque()
        self._taken = False

    def later(self, work: Callable[[], None]) -> None:
        """Does `work` in a pass to come. It must not raise."""
        self._waiting.append(work)
        if not self._taken:
            self._take()

    async def mine(self) -> None:
        """Returns in a pass that nobody else has: at once where this one is free."""
        if not self._taken:
            self._take()
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(partial(_wake, turn))
        await turn

    def _take(self) -> None:
        self._taken = True
        asyncio.get_running_loop().call_soon(self._next)

    def _next(self) -> None:
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._next)
            self._waiting.popleft()()
        else:
            self._taken = False


def _wake(turn: asyncio.Future[None]) -> None:
    if not turn.done():  # whoever waited may be gone
        turn.set_result(None)
