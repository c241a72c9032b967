"""Sessions as they come and go: who is there, when one's time is over, and that nothing of it is left then.

Who is who: proxy/sessions.py. What is kept of a session: counts, order of recordings, shelf, scenario, limits, breakers.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Protocol, TypeVar

from llm_simulator.proxy.known import Asked
from llm_simulator.proxy.state import State
from llm_simulator.proxy.tasks import Tasks
from llm_simulator.simulator import terms
from llm_simulator.telemetry.journal import Entry
from llm_simulator.types import JSON

MACHINE = "sessions"
TOPIC = "sessions"
_MOMENT = 0.005
_ROOM = 0.9  # of the most sessions, once the oldest were ended
_KEYED = ("occurrences", "scene_calls", "played", "limits", "breakers")

A = TypeVar("A")


class Keeps(Protocol):
    """Whoever keeps something of sessions in this process."""

    def sessions(self) -> Iterable[str]:
        """Those that something is kept of."""
        ...

    def end_sessions(self, sessions: frozenset[str]) -> None:
        """Keeps nothing of them any more."""
        ...


class SessionBook:
    """The sessions of a server; with a TTL (seconds) or a number of them configured they end by themselves."""

    def __init__(self, state: State, keepers: Callable[[], Iterable[Keeps]]) -> None:
        self._state = state
        self._keepers = keepers
        self._tasks = Tasks()
        self._due: asyncio.TimerHandle | None = None
        self.configure(None, None)
        self._known = 0  # about how many there are, of which `_fresh` began here since they were counted
        state.subscribe(TOPIC, self._heard)

    def configure(self, ttl: float | None, most: int | None) -> None:
        """From now on."""
        self._ttl, self._most = ttl, most

    @property
    def active(self) -> bool:
        """Whether sessions end by themselves."""
        return self._ttl is not None or self._most is not None

    async def around(self, asked: Asked, entry: Entry, perform: Callable[[], Awaitable[A]]) -> A:
        """What `perform` gives; the session does not end before the call does."""
        session = asked.session
        if not session:
            return await perform()
        while (result := await self._state.step(MACHINE, session, terms.begin(self._ttl))).get("again"):
            if result.get("forget"):
                await self._forget([session])
            else:
                await asyncio.sleep(_MOMENT)
        entry.ends(lambda: self._tasks.start(self._ended(session, result["first"])))
        if result["fresh"]:
            self._came()
        return await perform()

    async def _ended(self, session: str, first: float) -> None:
        result = await self._state.step(MACHINE, session, terms.end(self._ttl, first))
        if result.get("forget"):
            await self._forget([session])

    def _came(self) -> None:
        self._known += 1
        if self._due is None and self._ttl is not None:
            self._due = asyncio.get_running_loop().call_later(max(self._ttl / 2, 0.05), self._sweep)
        if self._most is not None and self._known > self._most:
            self._known = 0
            self._tasks.start(self._trim(self._most))

    # --- ending

    def _sweep(self) -> None:
        self._due = None
        self._tasks.start(self._trim(self._most))

    async def _trim(self, most: int | None) -> None:
        """Ends those whose time is over, and of too many the ones that were silent for longest."""
        values = await self._state.values(MACHINE)
        surplus = len(values) - int(most * _ROOM) if most is not None and len(values) > most else 0
        idle = [name for name, value in values.items() if not value["active"]]
        now = time.monotonic()
        gone = [name for name in idle[surplus:] if terms.over(values[name], self._ttl, now)]
        ended = [name for name in idle[:surplus] if await self._close(name, force=True)]
        ended += [name for name in gone if await self._close(name, force=False)]
        await self._forget(ended)
        self._known = len(values) - len(ended)
        if self._known and self._due is None and self._ttl is not None:
            self._due = asyncio.get_running_loop().call_later(max(self._ttl / 2, 0.05), self._sweep)

    async def _close(self, session: str, *, force: bool) -> bool:
        result = await self._state.step(MACHINE, session, terms.close(self._ttl, force))
        return bool(result.get("forget"))

    async def _forget(self, sessions: list[str]) -> None:
        if not sessions:
            return
        await self._state.forget(sessions)
        bill = (await self._state.values("casting")).get("")
        for session in sessions:
            if bill is not None and session in bill["sessions"]:
                await self._state.step("casting", "", {"do": "forget", "session": session})
        await self._state.publish(TOPIC, sessions)
        for session in sessions:
            await self._state.step(MACHINE, session, terms.FORGOTTEN)

    def _heard(self, sessions: JSON) -> None:
        gone = frozenset(sessions)
        for keeper in self._keepers():
            keeper.end_sessions(gone)

    async def end(self, session: str) -> bool:
        """Ends a session now; whether it was there. Its calls under way complete."""
        there = session in {each["id"] for each in await self.all()}
        await self._close(session, force=True)
        await self._forget([session])
        return there

    # --- looking

    async def all(self) -> list[dict[str, Any]]:
        """Every session that something is kept of, with what is known of its life."""
        lives = await self._state.values(MACHINE)
        names = dict.fromkeys(lives)
        for keeper in self._keepers():
            names.update(dict.fromkeys(keeper.sessions()))
        names.update(dict.fromkeys(await self._state_sessions()))
        now = time.monotonic()
        return [{"id": name, **_life(lives.get(name), now)} for name in names if name]

    async def _state_sessions(self) -> list[str]:
        from llm_simulator.proxy.machines import MACHINES

        found: dict[str, None] = {}
        for name in _KEYED:
            of = MACHINES[name].session
            if of is not None:
                found.update(dict.fromkeys(map(of, await self._state.values(name))))
        return list(found)


def _life(value: Mapping[str, Any] | None, now: float) -> dict[str, Any]:
    if value is None:
        return {}
    return {
        "calls": value["calls"],
        "active": value["active"],
        "age_secs": round(max(0.0, now - value["first"]), 3),
        "silent_secs": round(max(0.0, now - value["last"]), 3),
    }
