"""The kinds of shared state (`proxy/state.py`). A new one is a pure step and a line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from llm_simulator.config import generations
from llm_simulator.proxy.state import Machine
from llm_simulator.simulator import breaker, casting, counting, limits, slots, terms

COUNTS_LIMIT = 200_000
PLAYED_LIMIT = 400_000
LIMITS = 100_000


def cut(key: str) -> tuple[str, str]:
    """The first part of a key that begins with the length of that ("4:mine..."), and the rest."""
    size, _, rest = key.partition(":")
    return rest[: int(size)], rest[int(size) :]


def first(key: str) -> str:
    """The session of a key that begins with it."""
    return cut(key)[0]


def _after(colons: int) -> Callable[[str], str]:
    """A key that ends in its session, after so many colons."""
    return lambda key: key.split(":", colons)[colons]


_ALL: tuple[Machine, ...] = (
    # key: equal calls of a session (k of the determinism laws)
    Machine("occurrences", counting.count, COUNTS_LIMIT, _after(2)),
    # key: an activation of a scenario and a session
    Machine("scene_calls", counting.count, casting.SESSIONS_LIMIT, _after(1)),
    Machine("played", counting.consume, PLAYED_LIMIT, _after(1)),  # key: recordings of one key and a session
    Machine("config", generations.step, 1),  # one key: the configuration in force, since one was taken while running
    Machine("casting", casting.step, 1),  # one key: which scenarios are in force
    Machine("limits", limits.step, LIMITS, first),  # key: session, credential, provider and model family
    Machine("slots", slots.step, LIMITS),  # key: what is limited
    Machine("breakers", breaker.step, LIMITS, first),  # key: session, upstream, model
    Machine("sessions", terms.step, 1_000_000),  # key: its name
)
MACHINES: Mapping[str, Machine] = {machine.name: machine for machine in _ALL}
