"""What one of several workers has in common with the others: state, counts, the order of recordings, notices.

Finished calls go to the keeper in batches, a moment after they ended: a worker that is killed loses those of that moment
(`FLUSH_SECONDS`) at most, one that ends by itself none. Whoever reads the sums has all workers send theirs first.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from llm_simulator.cassettes.base import Row
from llm_simulator.proxy.books import Shared, recorded_by
from llm_simulator.proxy.link import Link, within
from llm_simulator.proxy.replicas import TOPIC, Replicas
from llm_simulator.proxy.state_remote import Remote
from llm_simulator.telemetry.journal import UNSHOWN, Entry
from llm_simulator.telemetry.metrics import Metrics
from llm_simulator.types import JSON, Outcome

if TYPE_CHECKING:
    from llm_simulator.cassettes.cassette import Cassette
    from llm_simulator.recorder.writer import Recorder
    from llm_simulator.simulator.shelf import Shelves
    from llm_simulator.telemetry.observer import Observer

log = logging.getLogger("llm_simulator.workers")

FLUSH_SECONDS = 0.02
LEAVE_SECONDS = 2.0
BATCH = 500  # finished calls that are sent at once
SENT = tuple(name for name in Entry.__slots__ if name not in UNSHOWN)
_facts: Callable[[Entry], tuple[Any, ...]] = attrgetter(*SENT)


def entry_of(facts: tuple[Any, ...]) -> Entry:
    """The call that another process reported."""
    return Entry(**dict(zip(SENT, facts, strict=True)))


class Crew:
    """The others, as worker `number` (from 0) of `count` knows them."""

    def __init__(self, number: int, count: int, link: Link, state: Remote, run: str) -> None:
        self.number = number
        self.count = count
        self.state = state
        self.books = Shared(link)
        self.run = run
        self._link = link
        self._loop = asyncio.get_running_loop()
        self._calls: list[tuple[Any, ...]] = []
        self._played: list[int] = []
        self._due: asyncio.TimerHandle | None = None
        self._observer: Observer | None = None
        self._recorder: Recorder | None = None

    @classmethod
    async def join(cls, number: int, count: int, path: str, run: str, lost: Callable[[], None]) -> Crew:
        """Connects with the keeper that listens at `path`; `lost` is called when it is gone."""
        state = Remote()
        crew: Crew | None = None

        def answer(what: str, arguments: tuple[Any, ...]) -> Any:
            if what == "heard":
                return state.tell(*arguments)
            assert what == "report", what
            return crew.report() if crew is not None else None

        loop = asyncio.get_running_loop()
        _, link = await loop.create_unix_connection(lambda: Link(answer, lambda _: lost()), path)
        state.over(link)
        crew = cls(number, count, link, state, run)
        await link.ask("join", crew.owner, number, os.getpid())
        return crew

    @property
    def owner(self) -> str:
        """What tells this process apart from its predecessors of the same number."""
        return f"w{self.number}.{os.getpid()}"

    async def enlist(
        self, observer: Observer, cassette: Cassette | None, recorder: Recorder | None, shelves: Shelves
    ) -> None:
        """From now on their counts, positions and objects are common to all workers."""
        self._observer, self._recorder = observer, recorder
        observer.keep = self._keep
        if cassette is not None:
            cassette.shared = _Order(self, cassette)
            self.state.subscribe("recorded", cassette.shared.heard)
        replicas = Replicas(self.number, self.state, shelves)
        self.state.subscribe(TOPIC, replicas.heard)
        replicas.load(await self._link.ask("shelves"))

    async def leave(self) -> None:
        """Says the last that there is to say, sees that it has arrived, and goes."""
        await within(LEAVE_SECONDS, self._link.ask("report", *self._unreported()))
        self._link.close()

    def _keep(self, entry: Entry) -> None:
        self._calls.append(_facts(entry))
        if len(self._calls) >= BATCH:
            self.report()
        else:
            self.soon()

    def played(self, id: int) -> None:
        self._played.append(id)
        self.soon()

    def soon(self) -> None:
        if self._due is None:
            self._due = self._loop.call_later(FLUSH_SECONDS, self.report)

    def report(self) -> None:
        """Tells the keeper what it does not know yet, and how all sums of this worker stand."""
        if self._due is not None:
            self._due.cancel()
            self._due = None
        self._link.tell("report", *self._unreported())

    def _unreported(self) -> tuple[Any, ...]:
        """Calls and recordings played since the last time, and the sums."""
        calls, self._calls = self._calls, []
        played, self._played = self._played, []
        metrics = self._observer.metrics if self._observer is not None else Metrics()
        return calls, played, (metrics.others.figures(), metrics.late_counts(), recorded_by(self._recorder))


class _Order:
    """The order in which recordings are played, and what is added to them, common to all workers."""

    def __init__(self, crew: Crew, cassette: Cassette) -> None:
        self._crew = crew
        self._cassette = cassette
        self._known: set[int] = set()

    def consumed(self, session: str, digest: bytes, limit: int | None) -> Awaitable[int]:
        return self._crew.state.step("played", f"{digest[:8].hex()}:{session}", limit)

    def played(self, id: int) -> None:
        if id not in self._known:
            self._known.add(id)
            self._crew.played(id)

    async def added(self, row: Row, replaced: tuple[bytes, ...]) -> None:
        facts = (row.id, row.digest, row.provider, row.session, row.outcome.value, row.masked, row.run)
        await self._crew.state.publish("recorded", (self._crew.number, facts, replaced))

    def heard(self, message: JSON) -> None:
        number, (id, digest, provider, session, outcome, masked, run), replaced = message
        if number != self._crew.number:
            self._cassette.learn(Row(id, digest, provider, session, Outcome(outcome), masked, run), replaced)
