"""What is known of all calls: where `/metrics` and `/admin` look it up, whether one worker serves or several."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from llm_simulator.telemetry.observer import Observer

if TYPE_CHECKING:
    from llm_simulator.proxy.link import Link
    from llm_simulator.recorder.writer import Recorder


class Books(Protocol):
    """The sums over all workers, as they are at the moment of asking."""

    async def metrics(self) -> bytes:
        """In Prometheus' text format."""
        ...

    async def calls(self, limit: int) -> tuple[int, list[dict[str, Any]]]:
        """How many calls there were, and the last ones, the oldest first."""
        ...

    async def summary(self) -> dict[str, Any]:
        """Counts per provider, model and scenario."""
        ...

    async def recorded(self) -> Mapping[str, int]:
        """What became of recordings: `recorded`, `failed_writes`, `redactions`."""
        ...

    async def played(self) -> frozenset[int]:
        """The recordings that other workers have played."""
        ...

    async def workers(self) -> list[dict[str, int]]:
        """The processes that serve: `number` (from 0) and `process`, its id."""
        ...


class Own:
    """Those of this process."""

    def __init__(self, observer: Observer, recorder: Recorder | None = None) -> None:
        self._observer = observer
        self._recorder = recorder

    async def metrics(self) -> bytes:
        return self._observer.metrics.text()

    async def calls(self, limit: int) -> tuple[int, list[dict[str, Any]]]:
        journal = self._observer.journal
        entries = list(journal)[-limit:] if limit else []
        return journal.total, [entry.as_json() for entry in entries]

    async def summary(self) -> dict[str, Any]:
        return self._observer.tally.as_json()

    async def recorded(self) -> Mapping[str, int]:
        return recorded_by(self._recorder)

    async def played(self) -> frozenset[int]:
        return frozenset()

    async def workers(self) -> list[dict[str, int]]:
        return [{"number": 0, "process": os.getpid()}]


class Shared:
    """Those that the keeper has, once all workers have told it what they know."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def metrics(self) -> bytes:
        text: bytes = await self._link.ask("metrics")
        return text

    async def calls(self, limit: int) -> tuple[int, list[dict[str, Any]]]:
        total, calls = await self._link.ask("calls", limit)
        return total, calls

    async def summary(self) -> dict[str, Any]:
        summary: dict[str, Any] = await self._link.ask("summary")
        return summary

    async def recorded(self) -> Mapping[str, int]:
        counts: Mapping[str, int] = await self._link.ask("recorded")
        return counts

    async def played(self) -> frozenset[int]:
        ids: frozenset[int] = await self._link.ask("played")
        return ids

    async def workers(self) -> list[dict[str, int]]:
        alive: list[tuple[int, int]] = await self._link.ask("workers")
        return [{"number": number, "process": process} for number, process in alive]


def recorded_by(recorder: Recorder | None) -> dict[str, int]:
    """The counts of one recorder."""
    if recorder is None:
        return {}
    return {"recorded": recorder.recorded, "failed_writes": recorder.failed, "redactions": recorder.redactions}
