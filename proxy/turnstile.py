"""So many calls at once, for all workers together, and a line of those that wait for their turn."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass
from enum import Enum
from typing import Any

from llm_simulator.proxy.state import Embedded, State
from llm_simulator.proxy.tasks import Tasks
from llm_simulator.simulator import slots
from llm_simulator.simulator.slots import Line
from llm_simulator.types import JSON

MACHINE = "slots"
TOPIC = "slots"
BACK_SECONDS = 1.0
"""When who finds the line full is told to come back; a place in it is then kept."""


@dataclass(frozen=True, slots=True)
class Pass:
    """A slot that is taken."""

    key: str
    ticket: str
    waited: float = 0.0


class No(Enum):
    """Why a call got no slot."""

    FULL = "full"  # and nothing is kept for it
    LATER = "later"  # there is a place in the line for it in `BACK_SECONDS`
    TIMEOUT = "timeout"  # its turn did not come in time
    CLOSING = "closing"  # the server is shutting down


class Turnstile:
    """Lets calls through as slots become free. `owner` names this process among those that share the state."""

    def __init__(self, state: State, owner: str = "") -> None:
        self._state = state
        self._owner = owner or "0"
        self._numbers = itertools.count()
        self._waiting: dict[str, asyncio.Future[bool]] = {}
        self._loop = asyncio.get_running_loop()
        self._tasks = Tasks()
        self._closing = False
        state.subscribe(TOPIC, self._heard)

    @property
    def waiting(self) -> int:
        """How many of this process wait."""
        return len(self._waiting)

    async def enter(self, key: str, line: Line, who: str, timeout: float) -> Pass | No:
        """Takes a slot, once it is this call's turn; `leave` gives it back. `who` is equal for a call and its retries."""
        ticket = f"{self._owner}:{next(self._numbers)}"
        turn: asyncio.Future[bool] = self._loop.create_future()
        self._waiting[ticket] = turn
        try:
            asked = slots.enter(ticket, line.most, line.waiting, who, BACK_SECONDS)
            result = await self._state.step(MACHINE, key, asked)
            if result["state"] == "in":
                return Pass(key, ticket)
            if result["state"] == "full":
                return No.LATER if result["told"] else No.FULL
            started = self._loop.time()
            await asyncio.sleep(0)  # a timeout needs a task around it (proxy/lane.py)
            async with asyncio.timeout(timeout):
                admitted = await turn if not self._closing else False
        except TimeoutError:
            self.leave(Pass(key, ticket))
            return No.TIMEOUT
        except asyncio.CancelledError:  # the client left: somebody else goes first
            self.leave(Pass(key, ticket))
            raise
        finally:
            self._waiting.pop(ticket, None)
        if not admitted:
            self.leave(Pass(key, ticket))
            return No.CLOSING
        return Pass(key, ticket, self._loop.time() - started)

    def leave(self, taken: Pass) -> None:
        """Gives a slot, or a place in the line, back. It does not wait for that."""
        if isinstance(self._state, Embedded):
            self._state.tell(TOPIC, self._state.at_once(MACHINE, taken.key, slots.leave(taken.ticket))["next"])
        else:
            self._tasks.start(self._leave(taken))

    async def _leave(self, taken: Pass) -> None:
        result = await self._state.step(MACHINE, taken.key, slots.leave(taken.ticket))
        if result["next"]:
            await self._state.publish(TOPIC, result["next"])

    def _heard(self, tickets: JSON) -> None:
        for ticket in tickets:
            turn = self._waiting.get(ticket)
            if turn is not None and not turn.done():
                turn.set_result(True)

    async def all(self) -> list[dict[str, Any]]:
        """What is limited by number, how many run and how many wait."""
        values = await self._state.values(MACHINE)
        return [
            {
                "of": key,
                "limit": value["most"],
                "running": sum(value["running"].values()),
                "waiting": len(value["line"]),
            }
            for key, value in values.items()
        ]

    def close(self) -> None:
        """Whoever waits is refused at once, and whoever would have to."""
        self._closing = True
        for turn in self._waiting.values():
            if not turn.done():
                turn.set_result(False)


def dropped(state: Embedded, owner: str) -> list[str]:
    """Frees what a worker that is gone had taken; those whose turn it is now are to be told (`TOPIC`)."""
    return [ticket for key in state.keys(MACHINE) for ticket in state.at_once(MACHINE, key, slots.drop(owner))["next"]]
