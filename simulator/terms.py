"""A session's life as a step of `proxy/state.py`: it begins with its first call and ends when it has been silent for its TTL.

The TTL counts from the beginning of its last call. A call under way keeps its session: that ends when the call does. While
what is kept of an ended session is being forgotten (`busy`), a new call of that name waits for it: both are never mixed.
"""

from __future__ import annotations

from typing import Any

from llm_simulator.types import JSON

BUSY_SECONDS = 5.0
"""Whoever forgets a session and does not say so within this time is dead."""


def begin(ttl: float | None) -> JSON:
    """A call of the session begins."""
    return {"do": "begin", "ttl": ttl}


def end(ttl: float | None, first: float) -> JSON:
    """A call ends; `first` is what its `begin` gave."""
    return {"do": "end", "ttl": ttl, "first": first}


def close(ttl: float | None, force: bool) -> JSON:
    """It is to end now: where it has been silent for too long, or anyway."""
    return {"do": "close", "ttl": ttl, "force": force}


FORGOTTEN: JSON = {"do": "forgotten"}
"""All that was kept of it is gone."""


def step(value: JSON, event: JSON, now: float) -> tuple[JSON, JSON]:
    """One event. Of its result `forget` says: forget what is kept, then tell `FORGOTTEN`; `again`: come again in a moment."""
    busy = value is not None and now < value["busy"]
    match event["do"]:
        case "begin":
            if busy:
                return value, {"again": True}
            if value is None or value["busy"]:
                return _born(now), {"first": now, "fresh": True}
            if over(value, event["ttl"], now):
                return {**value, "busy": now + BUSY_SECONDS}, {"forget": True, "again": True}
            new = {**value, "last": now, "calls": value["calls"] + 1, "active": value["active"] + 1}
            return new, {"first": value["first"], "fresh": False}
        case "end":
            if value is None or busy or value["first"] != event["first"]:
                return value, {}
            new = {**value, "active": value["active"] - 1}
            if over(new, event["ttl"], now):
                return {**new, "busy": now + BUSY_SECONDS}, {"forget": True}
            return new, {}
        case "close":
            if value is None or busy or not (event["force"] or over(value, event["ttl"], now)):
                return value, {}
            return {**value, "busy": now + BUSY_SECONDS}, {"forget": True}
        case _:
            return None, {}


def over(value: Any, ttl: float | None, now: float) -> bool:
    """Whether a session's time is over."""
    return ttl is not None and not value["active"] and now >= value["last"] + ttl


def _born(now: float) -> JSON:
    return {"first": now, "last": now, "calls": 1, "active": 1, "busy": 0.0}
