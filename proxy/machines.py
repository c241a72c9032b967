"""The kinds of shared state (`proxy/state.py`). A new one is a pure step and a line here."""

from __future__ import annotations

from collections.abc import Mapping

from llm_simulator.proxy.state import Machine

_ALL: tuple[Machine, ...] = ()
MACHINES: Mapping[str, Machine] = {machine.name: machine for machine in _ALL}
