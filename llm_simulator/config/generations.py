"""Which configuration is in force, as all workers know it (`proxy/state.py`)."""

from __future__ import annotations

from llm_simulator.types import JSON

FIRST = 1
"""The one that the process was started with."""


def step(value: JSON, event: JSON, now: float) -> tuple[JSON, JSON]:
    """The configuration `event` is the next one, unless it is the one in force already. The result is what is in force."""
    if value is not None and value["fingerprint"] == event["fingerprint"]:
        return value, value
    number = (value["generation"] if value is not None else FIRST) + 1
    made = {**event, "generation": number}
    return made, made
