"""A desk to respond at, for tests of dialects without an engine."""

from __future__ import annotations

from llm_simulator.dialects.base import Desk
from llm_simulator.simulator.engine import runs_nothing
from llm_simulator.simulator.shelf import MemoryShelf

SEED = bytes(range(16))


def desk(seed: bytes = SEED, created: int = 1_767_225_600, base_url: str = "http://127.0.0.1:8080") -> Desk:
    """With an empty shelf; inner requests cannot be run."""
    return Desk(seed, created, MemoryShelf(), runs_nothing, base_url)
