"""The process that keeps what workers share: state, journal, sums. They ask it over a Unix socket.

It takes one step at a time, so all that goes through it is exact. Of a worker that died it keeps what it had told.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Mapping
from typing import Any

from llm_simulator.config.settings import Settings
from llm_simulator.proxy.crew import entry_of
from llm_simulator.proxy.link import Link, within
from llm_simulator.proxy.machines import MACHINES
from llm_simulator.proxy.metrics_port import MetricsPort
from llm_simulator.proxy.pacer import LATENESS_BUCKETS
from llm_simulator.proxy.replicas import TOPIC as OBJECTS
from llm_simulator.proxy.replicas import contents, learn
from llm_simulator.proxy.state import Embedded
from llm_simulator.proxy.tasks import Tasks
from llm_simulator.proxy.turnstile import TOPIC as SLOTS
from llm_simulator.proxy.turnstile import dropped
from llm_simulator.simulator.shelf import Shelves
from llm_simulator.telemetry.figures import Figures, added, counters
from llm_simulator.telemetry.observer import Observer

log = logging.getLogger("llm_simulator.workers")

HEARD_SECONDS = 5.0
"""How long whoever publishes waits for a worker that does not answer."""
REPORT_SECONDS = 2.0

_Late = tuple[list[int], float]


class Keeper:
    """What the workers of one server have in common. `count` of them are expected."""

    def __init__(self, settings: Settings, count: int) -> None:
        self.state = Embedded(MACHINES)
        self.observer = Observer(settings.journal_size)
        self._count = count
        self._sums: dict[Link, tuple[Figures, _Late, Mapping[str, int]]] = {}
        self._gone: tuple[Figures, _Late, Mapping[str, int]] = ({}, ([], 0.0), {})  # sums of those that are dead
        self._links: dict[Link, str] = {}  # with the name under which each holds slots
        self._workers: dict[Link, tuple[int, int]] = {}  # number and process
        self._tasks = Tasks()
        self._joined = 0
        self._played: set[int] = set()
        self._shelves = Shelves()
        self._nobody = asyncio.Event()
        self._nobody.set()
        metrics = self.observer.metrics
        metrics.lateness(LATENESS_BUCKETS, self._lateness)
        metrics.gauge("llm_workers", "Workers that are alive.", lambda: len(self._links))
        metrics.gather = self._figures

    def connected(self) -> Link:
        """The keeper's end of a new connection."""

        def answer(what: str, arguments: tuple[Any, ...]) -> Any:
            return self._answer(link, what, arguments)

        link = Link(answer, self._lost)
        return link

    async def empty(self, seconds: float) -> bool:
        """Waits until no worker is left, at most so long; whether that is so."""
        return await within(seconds, self._nobody.wait())

    def _answer(self, link: Link, what: str, arguments: tuple[Any, ...]) -> Any:
        match what:
            case "step":
                return self.state.at_once(*arguments)
            case "report":
                return self._report(link, *arguments)
            case "join":
                return self._join(link, *arguments)
            case "values":
                return self.state.values(*arguments)
            case "forget":
                return self._forget(*arguments)
            case "publish":
                return self._publish(*arguments)
            case "shelves":
                return contents(self._shelves)
            case "workers":
                return sorted(self._workers.values())
            case "metrics" | "calls" | "summary" | "recorded" | "played":
                return self._read(what, arguments)
            case _:
                raise ValueError(f"the keeper does not know how to {what!r}")

    # --- workers come and go

    def _join(self, link: Link, owner: str, number: int, process: int) -> None:
        self._links[link] = owner
        self._workers[link] = number, process
        self._nobody.clear()
        self._joined += 1
        if self._joined > self._count:
            self.observer.metrics.count("llm_worker_restarts", "Workers that took the place of one that died.")

    def _lost(self, link: Link) -> None:
        owner = self._links.pop(link, None)
        self._workers.pop(link, None)
        if owner is not None and (tickets := dropped(self.state, owner)):
            self._tasks.start(self._publish(SLOTS, tickets))
        figures, late, recorded = self._sums.pop(link, ({}, ([], 0.0), {}))
        kept, was_late, were_recorded = self._gone
        self._gone = (added((kept, counters(figures))), _both((was_late, late)), _sum((were_recorded, recorded)))
        if not self._links:
            self._nobody.set()

    def _forget(self, sessions: list[str]) -> None:
        self.state.forget_at_once(sessions)
        self._shelves.forget(frozenset(sessions))

    async def _publish(self, topic: str, message: Any) -> None:
        if topic == OBJECTS:
            learn(self._shelves, message[1])  # for those who come later
        asked = (within(HEARD_SECONDS, link.ask("heard", topic, message)) for link in self._links)
        heard = await asyncio.gather(*asked)
        if not all(heard):
            log.warning("%d of %d workers did not hear of %r", heard.count(False), len(heard), topic)

    # --- the books

    def _report(self, link: Link, calls: list[tuple[Any, ...]], played: list[int], sums: Any) -> None:
        for facts in calls:
            self.observer.file(entry_of(facts))
        self._played.update(played)
        self._sums[link] = sums

    async def told(self) -> None:
        """Returns when every worker has told what it knows."""
        await asyncio.gather(*(within(REPORT_SECONDS, link.ask("report")) for link in self._links))

    async def metrics(self) -> bytes:
        await self.told()
        return self.observer.metrics.text()

    async def _read(self, what: str, arguments: tuple[Any, ...]) -> Any:
        if what == "metrics":
            return await self.metrics()
        await self.told()
        match what:
            case "calls":
                (limit,) = arguments
                journal = self.observer.journal
                entries = sorted(journal, key=lambda entry: entry.at + entry.duration)  # they came in batches
                return journal.total, [entry.as_json() for entry in entries[-limit:]] if limit else []
            case "summary":
                return self.observer.tally.as_json()
            case "recorded":
                return _sum((self._gone[2], *(recorded for _, _, recorded in self._sums.values())))
            case _:
                return frozenset(self._played)

    def _figures(self) -> Figures:
        own = self.observer.metrics.others.figures()
        return added((own, self._gone[0], *(figures for figures, _, _ in self._sums.values())))

    def _lateness(self) -> _Late:
        empty: _Late = ([0] * (len(LATENESS_BUCKETS) + 1), 0.0)
        return _both((empty, self._gone[1], *(late for _, late, _ in self._sums.values())))


def _both(several: tuple[_Late, ...]) -> _Late:
    """The sums of histograms; one without counts is empty."""
    filled = [counts for counts, _ in several if counts]
    return [sum(column) for column in zip(*filled, strict=True)], sum(total for _, total in several)


def _sum(several: tuple[Mapping[str, int], ...]) -> dict[str, int]:
    names = dict.fromkeys(name for counts in several for name in counts)
    return {name: sum(counts.get(name, 0) for counts in several) for name in names}


async def keep(
    settings: Settings, count: int, door: socket.socket, metrics_doors: list[socket.socket], lifeline: int
) -> None:
    """Keeps until the supervisor lets go of the other end of `lifeline`, and then until all workers are gone."""
    loop = asyncio.get_running_loop()
    over = asyncio.Event()
    loop.add_reader(lifeline, over.set)
    keeper = Keeper(settings, count)
    server = await loop.create_unix_server(keeper.connected, sock=door)
    port = await MetricsPort.open(metrics_doors, keeper.metrics) if metrics_doors else None
    await over.wait()
    loop.remove_reader(lifeline)
    await keeper.empty(settings.drain_secs + HEARD_SECONDS)
    server.close()
    if port is not None:
        await port.close()
