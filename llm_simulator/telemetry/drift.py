"""How fresh answers differ from recorded ones: of a call, and summed up over a run. Values only (see recorder/compare.py)."""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

MOST_CALLS = 1000
"""Calls kept one by one; all of them are counted."""

MOST_TIMES = 100_000
"""Calls whose times go into the medians."""


class Aspect(Enum):
    """What can change at a provider, gravest first."""

    STATUS = "status"
    SHAPE = "shape"  # content type, keys and the types of their values
    MODEL = "model"  # the name of the model that says it answered
    HEADERS = "headers"
    USAGE = "usage"  # tokens counted otherwise for the same text
    TEXT = "text"  # the words (tool calls, values) that came back
    LATENCY = "latency"


CONTRACT = (Aspect.STATUS, Aspect.SHAPE)
"""What a client's code depends on: these are a difference; the rest may change with every call."""


@dataclass(frozen=True, slots=True)
class Change:
    """One change: where, and what stood there; "" on the side that has nothing (on both: `where` says it all)."""

    aspect: Aspect
    where: str
    before: str
    after: str

    def __str__(self) -> str:
        if self.before and self.after:
            return f"{self.where} was {self.before}, is {self.after}"
        if self.before or self.after:
            return f"{self.where} is {'gone' if self.before else 'new'}"
        return self.where

    def as_json(self) -> dict[str, Any]:
        return {
            "aspect": self.aspect.value,
            "where": self.where,
            "before": self.before or None,
            "after": self.after or None,
        }


@dataclass(frozen=True, slots=True)
class Times:
    """Milliseconds to the first and to the last byte of the body; None where they are not known."""

    ttft: float | None = None
    total: float | None = None


@dataclass(frozen=True, slots=True)
class Drift:
    """All that changed between a recording and a fresh answer."""

    changes: tuple[Change, ...] = ()
    before: Times = Times()
    after: Times = Times()

    def aspects(self) -> tuple[Aspect, ...]:
        """What changed, gravest first."""
        found = {change.aspect for change in self.changes}
        return tuple(aspect for aspect in Aspect if aspect in found)

    def contract(self) -> str:
        """The changes that a client's code may break on, as one line; "" where there are none."""
        return "; ".join(str(change) for change in self.changes if change.aspect in CONTRACT)

    def as_json(self) -> dict[str, Any]:
        return {
            "aspects": [aspect.value for aspect in self.aspects()],
            "changes": [change.as_json() for change in self.changes],
            "ttft_ms": [self.before.ttft, self.after.ttft],
            "total_ms": [self.before.total, self.after.total],
        }


@dataclass(frozen=True, slots=True)
class Checked:
    """A call that was compared; `exchange` is the id of its recording."""

    exchange: int | None
    method: str
    path: str
    model: str
    drift: Drift

    def as_json(self) -> dict[str, Any]:
        about = {"exchange": self.exchange, "method": self.method, "path": self.path, "model": self.model}
        return {**about, **self.drift.as_json()}


def _times() -> array[float]:
    return array("d")


@dataclass(slots=True)
class Verification:
    """All comparisons of a run."""

    compared: int = 0
    same: int = 0
    broken: int = 0  # calls whose status or shape changed
    counts: Counter[Aspect] = field(default_factory=lambda: Counter[Aspect]())
    calls: list[Checked] = field(default_factory=lambda: [])
    _ttft: tuple[array[float], array[float]] = field(default_factory=lambda: (_times(), _times()))
    _total: tuple[array[float], array[float]] = field(default_factory=lambda: (_times(), _times()))

    def add(self, checked: Checked) -> None:
        drift = checked.drift
        self.compared += 1
        self.same += not drift.changes
        self.broken += drift.contract() != ""
        self.counts.update(drift.aspects())
        if len(self.calls) < MOST_CALLS:
            self.calls.append(checked)
        _note(self._ttft, drift.before.ttft, drift.after.ttft)
        _note(self._total, drift.before.total, drift.after.total)

    def medians(self) -> dict[str, tuple[float, float]]:
        """Median milliseconds, recorded and now, of the calls where both are known."""
        named = {"ttft": self._ttft, "total": self._total}
        return {name: (_median(was), _median(now)) for name, (was, now) in named.items() if was}

    def as_json(self) -> dict[str, Any]:
        return {
            "compared": self.compared,
            "same": self.same,
            "changed": {aspect.value: self.counts[aspect] for aspect in Aspect},
            "median_ms": {
                name: {"recorded": round(was, 3), "now": round(now, 3)} for name, (was, now) in self.medians().items()
            },
            "calls": [call.as_json() for call in self.calls],
        }


def _median(values: array[float]) -> float:
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def _note(times: tuple[array[float], array[float]], before: float | None, after: float | None) -> None:
    if before is not None and after is not None and len(times[0]) < MOST_TIMES:
        times[0].append(before)
        times[1].append(after)
