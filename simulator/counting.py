"""Counters that all workers share, as steps of `proxy/state.py`: how often equal calls came, what was played of a key."""

from __future__ import annotations

from llm_simulator.types import JSON


def count(value: JSON, event: JSON, now: float) -> tuple[JSON, JSON]:
    """One more; the result is how many there were before."""
    before = value if isinstance(value, int) else 0
    return before + 1, before


def consume(value: JSON, event: JSON, now: float) -> tuple[JSON, JSON]:
    """One more, unless there are `event` (an int; None: no limit) already; the result is how many there were before."""
    before = value if isinstance(value, int) else 0
    return (before if isinstance(event, int) and before >= event else before + 1), before
