"""Which scenarios are in force and since when, as a step of `proxy/state.py`: the same for all workers.

Every activation gets a number (`serial`) and the time of the clock that all share: calls are counted under the number,
phases run from the time. An activation that is heard late is known by its number.
"""

from __future__ import annotations

from typing import TypedDict

from llm_simulator.types import JSON

SESSIONS_LIMIT = 10_000


class Cast(TypedDict):
    """A scenario in force. `started` is in seconds of the common clock; "default" is none."""

    name: str
    started: float
    serial: int


class Playbill(TypedDict):
    """`sessions` are those with a scenario of their own, `named` the ones that calls chose by header."""

    serial: int
    active: Cast
    sessions: dict[str, Cast]
    named: dict[str, Cast]


def step(value: JSON, event: JSON, now: float) -> tuple[JSON, JSON]:
    """What the event makes of the playbill; the result is the `Cast` in question.

    Events: `{"do": "begin", "name"}` (the scenario of the settings: in force unless there is one already),
    `{"do": "activate", "name", "session"}`, `{"do": "named", "name"}` (as it was begun last, else from now on),
    `{"do": "forget", "session"}` (the session ends: the result is what is in force without it).
    """
    bill: Playbill = value or Playbill(
        serial=0, active=Cast(name="default", started=now, serial=0), sessions={}, named={}
    )
    match event["do"]:
        case "begin":
            if value is None:
                begun = Cast(name=event["name"], started=now, serial=0)
                bill = Playbill(serial=0, active=begun, sessions={}, named={event["name"]: begun})
            return bill, bill["active"]
        case "activate":
            return _activated(bill, event["name"], event["session"], now)
        case "named":
            found = bill["named"].get(event["name"])
            return (bill, found) if found is not None else _activated(bill, event["name"], None, now)
        case "forget":
            rest = {name: one for name, one in bill["sessions"].items() if name != event["session"]}
            left = Playbill(serial=bill["serial"], active=bill["active"], sessions=rest, named=bill["named"])
            return left, left["active"]
        case other:
            raise ValueError(f"casting: {other!r} is no event; begin, activate, named and forget are")


def _activated(bill: Playbill, name: str, session: str | None, now: float) -> tuple[Playbill, Cast]:
    """`session` "" is all calls, None only those that name the scenario themselves."""
    made = Cast(name=name, started=now, serial=bill["serial"] + 1)
    active, sessions = bill["active"], bill["sessions"]
    if session == "":
        active = made
    elif session is not None:
        rest = {known: one for known, one in sessions.items() if known != session}
        if len(rest) >= SESSIONS_LIMIT:
            rest.pop(next(iter(rest)))
        sessions = {**rest, session: made}
    return Playbill(serial=made["serial"], active=active, sessions=sessions, named={**bill["named"], name: made}), made
