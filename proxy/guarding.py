"""What a performer and a stage know of limits and breakers: somebody who lets a call through, or answers it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Protocol

from llm_simulator.proxy.known import Asked
from llm_simulator.telemetry.journal import Entry
from llm_simulator.types import Answer

if TYPE_CHECKING:
    from llm_simulator.simulator.breaker import Terms
    from llm_simulator.simulator.scenario import Then

Perform = Callable[[], Awaitable[Answer]]


class Guard(Protocol):
    """`proxy/kit.py` is the one that there is."""

    def before_upstream(self, terms: Terms, asked: Asked, entry: Entry, perform: Perform) -> Awaitable[Answer]:
        """What an upstream answers, unless its breaker is open."""
        ...

    def through(self, then: Then, scope: str, asked: Asked, entry: Entry, perform: Perform) -> Awaitable[Answer]:
        """What a scenario's rule performs, behind the rule's own breaker and limits (kept apart by `scope`)."""
        ...
