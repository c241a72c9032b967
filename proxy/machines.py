"""The kinds of shared state (`proxy/state.py`). A new one is a pure step and a line here."""

from __future__ import annotations

from collections.abc import Mapping

from llm_simulator.config import generations
from llm_simulator.proxy.state import Machine
from llm_simulator.simulator import casting, counting

COUNTS_LIMIT = 200_000
PLAYED_LIMIT = 400_000

_ALL: tuple[Machine, ...] = (
    Machine("occurrences", counting.count, COUNTS_LIMIT),  # key: equal calls of a session (k of the determinism laws)
    Machine("scene_calls", counting.count, casting.SESSIONS_LIMIT),  # key: an activation of a scenario and a session
    Machine("played", counting.consume, PLAYED_LIMIT),  # key: recordings of one key and a session
    Machine("config", generations.step, 1),  # one key: the configuration in force, since one was taken while running
    Machine("casting", casting.step, 1),  # one key: which scenarios are in force
)
MACHINES: Mapping[str, Machine] = {machine.name: machine for machine in _ALL}
