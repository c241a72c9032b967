"""What sessions left behind (files, batches, stored responses), the same at every worker.

Each worker has all of it, so looking costs nothing. What a call changes is published before its answer goes out: whoever
has the answer finds the object at any worker. Of two changes of one object at the same moment the last one stays.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable

from llm_simulator.errors import StateError
from llm_simulator.proxy.state import State
from llm_simulator.proxy.tasks import Tasks
from llm_simulator.simulator.shelf import ShelfFullError, Shelves
from llm_simulator.types import JSON

log = logging.getLogger("llm_simulator.workers")

TOPIC = "shelf"

Change = tuple[str, str, str, JSON]
"""Session, kind, id, and the object (None: it was removed)."""


class Replicas:
    """The shelves of worker `number`."""

    def __init__(self, number: int, state: State, shelves: Shelves) -> None:
        self._number = number
        self._state = state
        self._shelves = shelves
        self._loop = asyncio.get_running_loop()
        self._early: list[Change] | None = []  # what was heard before `load`
        self._unsaid: list[Change] = []
        self._due: asyncio.Handle | None = None
        self._tasks = Tasks()
        shelves.changed, shelves.settle = self._changed, self._settle

    def load(self, changes: Iterable[Change]) -> None:
        """What there was before this worker came."""
        early, self._early = self._early or [], None
        learn(self._shelves, [*changes, *early])

    def heard(self, message: JSON) -> None:
        """What a worker published."""
        number, changes = message
        if self._early is not None:
            self._early += changes
        elif number != self._number:
            learn(self._shelves, changes)

    def _changed(self, session: str, kind: str, identity: str, value: JSON) -> None:
        self._unsaid.append((session, kind, identity, value))
        if self._due is None:  # a conversation over a WebSocket settles nothing
            self._due = self._loop.call_soon(self._publish)

    def _publish(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None
        changes, self._unsaid = self._unsaid, []
        if changes:
            self._tasks.start(self._told(changes))

    async def _told(self, changes: list[Change]) -> None:
        try:
            await self._state.publish(TOPIC, (self._number, changes))
        except (StateError, ValueError) as error:  # nobody to tell, or nested too deeply to be sent
            log.error("other workers do not know of %s %s: %s", *changes[0][1:3], error)

    async def _settle(self) -> None:
        """Returns when all that was changed here is known everywhere."""
        self._publish()
        await self._tasks.done()


def learn(shelves: Shelves, changes: Iterable[Change]) -> None:
    """Takes over what was changed elsewhere."""
    for session, kind, identity, value in changes:
        try:
            shelves.of(session).learn(kind, identity, value)
        except ShelfFullError as error:
            log.warning("session %s: %s", session, error)


def contents(shelves: Shelves) -> list[Change]:
    """All that there is, as changes of nothing."""
    return [(session, *found) for session in shelves.sessions() for found in shelves.of(session).everything()]
