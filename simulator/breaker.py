"""A circuit breaker: closed, open, half-open. Pure: time is passed in.

Closed, it counts failures in a row, and opens at the threshold. Open, it refuses until its timeout is over. Half-open, it
lets a few probes through: so many successes close it, one failure opens it again. Source: Nygard, Release It!, 2nd ed., 5.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from llm_simulator.types import JSON

CLOSED, OPEN, HALF_OPEN = "closed", "open", "half-open"


@dataclass(frozen=True, slots=True)
class Terms:
    """When a breaker opens and closes: failures in a row, seconds that it stays open, probes at once, successes to close."""

    failures: int = 5
    successes: int = 2
    timeout: float = 30.0
    probes: int = 1

    def spelled(self) -> list[Any]:
        return [self.failures, self.successes, self.timeout, self.probes]


@dataclass(frozen=True, slots=True)
class Breaking:
    """The terms of all breakers, and whether they guard simulated and replayed calls, too."""

    terms: Terms
    all: bool = False

    def as_json(self) -> dict[str, JSON]:
        """As it is written."""
        failures, successes, timeout, probes = self.terms.spelled()
        named = {"failures": failures, "successes": successes, "timeout_secs": timeout, "probes": probes}
        return {**named, "guards": "all" if self.all else "forwarded"}


def check(terms: Terms) -> JSON:
    """May a call go through?"""
    return {"do": "check", "terms": terms.spelled()}


def record(terms: Terms, success: bool | None, number: int) -> JSON:
    """How a call that went through ended (None: its client left, nobody knows); `number` is what its check gave."""
    return {"do": "record", "terms": terms.spelled(), "success": success, "number": number}


def by_hand(what: str, terms: Terms | None = None) -> JSON:
    """`trip` or `reset`, whatever it has counted; without terms they are those that it had."""
    return {"do": what} if terms is None else {"do": what, "terms": terms.spelled()}


TRIP: JSON = by_hand("trip")
RESET: JSON = by_hand("reset")


def step(value: JSON, event: JSON, now: float) -> tuple[JSON, JSON]:
    """One event. The result is `{"state", "ok", "wait": seconds, "moved": the state it has left or "", "number"}`.

    `number` grows with each move, so that a call from before it does not count after it.
    """
    old: dict[str, Any] = value or {
        "state": CLOSED,
        "failures": 0,
        "successes": 0,
        "probes": 0,
        "since": now,
        "number": 0,
    }
    terms = Terms(*event["terms"]) if "terms" in event else Terms(*old.get("terms", ()))
    new: dict[str, Any] = {**old, "terms": terms.spelled()}
    ok = True
    match event["do"]:
        case "check":
            ok = _check(new, terms, now)
        case "record":
            _record(new, terms, event["success"], event["number"], now)
        case "trip":
            _move(new, OPEN, now)
        case _:
            _move(new, CLOSED, now)
    wait = max(0.0, new["since"] + terms.timeout - now) if new["state"] == OPEN else 0.0 if ok else 1.0
    moved = old["state"] if old["state"] != new["state"] else ""
    return new, {"state": new["state"], "ok": ok, "wait": wait, "moved": moved, "number": new["number"]}


def _check(new: dict[str, Any], terms: Terms, now: float) -> bool:
    if new["state"] == OPEN and now >= new["since"] + terms.timeout:
        _move(new, HALF_OPEN, now)
    if new["state"] == HALF_OPEN and new["probes"] >= terms.probes and now >= new["probed"] + terms.timeout:
        new["probes"] = 0  # whoever had them never told how they ended
    if new["state"] != HALF_OPEN:
        return bool(new["state"] == CLOSED)
    if new["probes"] >= terms.probes:
        return False
    new["probes"] += 1
    new["probed"] = now
    return True


def _record(new: dict[str, Any], terms: Terms, success: bool | None, number: int, now: float) -> None:
    if number != new["number"] or new["state"] == OPEN:
        return
    if new["state"] == CLOSED:
        if success is not None:
            new["failures"] = 0 if success else new["failures"] + 1
        if new["failures"] >= terms.failures:
            _move(new, OPEN, now)
        return
    new["probes"] = max(0, new["probes"] - 1)
    if success is False:
        _move(new, OPEN, now)
    elif success:
        new["successes"] += 1
        if new["successes"] >= terms.successes:
            _move(new, CLOSED, now)


def _move(new: dict[str, Any], state: str, now: float) -> None:
    new.update(state=state, failures=0, successes=0, probes=0, since=now, probed=now, number=new["number"] + 1)
