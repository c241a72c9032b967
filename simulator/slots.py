"""So many at once, a line behind them, and no more. Pure: time is passed in, waiting is somebody else's.

Who finds neither a free slot nor room in the line is refused and told when to come back; a place in the line is then kept
for it beyond the line's size, so that coming back succeeds. Value and events are small: running calls are counted by owner
(a worker), so that those of a worker that died can be dropped at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from llm_simulator.types import JSON

GRACE = 2.0
"""Seconds that a place is kept beyond the time that was told."""
PROMISES = 1000


@dataclass(frozen=True, slots=True)
class Line:
    """So many calls at once, and so many that wait for their turn."""

    most: int
    waiting: int = 0


def enter(ticket: str, most: int, line: int, who: str = "", back: float = 0.0) -> JSON:
    """A call comes. `ticket` is "owner:number" and unique; `most` may run, `line` may wait. `who` is equal for a call and its
    retries, which are told to come back in `back` seconds (0: they are told nothing)."""
    return {"do": "enter", "ticket": ticket, "most": most, "line": line, "who": who, "back": back}


def leave(ticket: str) -> JSON:
    """A call ends, or leaves the line."""
    return {"do": "leave", "ticket": ticket}


def drop(owner: str) -> JSON:
    """A worker is gone, and all its calls with it."""
    return {"do": "drop", "ticket": f"{owner}:"}


@dataclass(slots=True)
class _Slots:
    most: int
    running: dict[str, int]
    line: list[str]
    told: list[tuple[float, str]]

    @property
    def count(self) -> int:
        return sum(self.running.values())

    def packed(self) -> JSON:
        if not self.running and not self.line and not self.told:
            return None
        return {"most": self.most, "running": self.running, "line": self.line, "told": self.told}


def step(value: JSON, event: JSON, now: float) -> tuple[JSON, JSON]:
    """One event. The result is `{"state": "in" | "waits" | "full" | "", "next": [tickets that may run now], "running",
    "waiting", "told": whether coming back as told succeeds}`."""
    old: Any = value or {"most": 0, "running": {}, "line": [], "told": []}
    told = [(due, who) for due, who in old["told"] if due + GRACE >= now]
    slots = _Slots(event.get("most", old["most"]), dict(old["running"]), list(old["line"]), told)
    ticket = event["ticket"]
    admitted: list[str] = []
    state, promised = "", len(told)
    if event["do"] == "enter":
        state = _enter(slots, event, now)
    else:
        if event["do"] == "drop":
            _drop(slots, ticket)
        else:
            _leave(slots, ticket)
        while slots.line and slots.count < slots.most:
            admitted.append(slots.line.pop(0))
            _run(slots, admitted[-1])
    result = {"state": state, "next": admitted, "running": slots.count, "waiting": len(slots.line)}
    result["told"] = len(slots.told) > promised
    return slots.packed(), result


def _enter(slots: _Slots, event: JSON, now: float) -> str:
    ticket, who = event["ticket"], event["who"]
    if slots.count < slots.most and not slots.line:
        _run(slots, ticket)
        return "in"
    kept = next((told for told in slots.told if told[1] == who and told[0] <= now + 1e-6), None) if who else None
    if kept is not None:
        slots.told.remove(kept)
    if kept is not None or len(slots.line) < event["line"]:
        slots.line.append(ticket)
        return "waits"
    if event["back"] and len(slots.told) < PROMISES:
        slots.told.append((now + event["back"], who))
    return "full"


def _run(slots: _Slots, ticket: str) -> None:
    owner = ticket.partition(":")[0]
    slots.running[owner] = slots.running.get(owner, 0) + 1


def _leave(slots: _Slots, ticket: str) -> None:
    if ticket in slots.line:
        slots.line.remove(ticket)
        return
    owner = ticket.partition(":")[0]
    left = slots.running.get(owner, 0) - 1
    if left > 0:
        slots.running[owner] = left
    else:
        slots.running.pop(owner, None)


def _drop(slots: _Slots, prefix: str) -> None:
    slots.running.pop(prefix[:-1], None)
    slots.line = [ticket for ticket in slots.line if not ticket.startswith(prefix)]
