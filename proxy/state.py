"""State that is common to all workers of a machine: limits, breakers, counters, sessions, the scenario in force.

The interface is one atomic step: a named pure function (a machine) from a small value and an event to a new value and a
result. `Embedded` steps in this process and needs no server. Several workers share the `Embedded` of their supervisor;
several machines could share a Redis, where the step is a read, this same function, and a write if nothing changed since.

Law (c) of the determinism laws (docs/architecture.md): what is kept here depends on history by nature.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from llm_simulator.types import JSON

Step = Callable[[JSON, JSON, float], tuple[JSON, JSON]]
"""(value, event, seconds) -> (new value, result). The value of a key is None at first, and again once it is forgotten;
a new value of None forgets it. Values, events and results are JSON; the function is pure."""


@dataclass(frozen=True, slots=True)
class Machine:
    """One kind of state: how it steps and how many keys of it are kept (the least recently used ones go first)."""

    name: str
    step: Step
    limit: int = 10_000
    session: Callable[[str], str] | None = None  # of a key, where what is kept ends with its session


class State(Protocol):
    """Where shared state lives."""

    async def step(self, machine: str, key: str, event: JSON) -> JSON:
        """One atomic step of `key`, and its result.

        Raises:
            StateError: whoever keeps the state cannot be reached.
        """
        ...

    async def values(self, machine: str) -> Mapping[str, JSON]:
        """All keys of a machine with their values, the least recently used first."""
        ...

    async def forget(self, sessions: list[str]) -> None:
        """All that is kept of these sessions is gone."""
        ...

    async def publish(self, topic: str, message: JSON) -> None:
        """Tells all workers, this one included. Returns when this one has heard."""
        ...

    def subscribe(self, topic: str, heard: Callable[[JSON], None]) -> None:
        """`heard` is called on the event loop with each message of the topic."""
        ...


class Embedded:
    """The state of one process. `clock` gives seconds that never go back."""

    def __init__(self, machines: Mapping[str, Machine], clock: Callable[[], float] = time.monotonic) -> None:
        self._machines = machines
        self._clock = clock
        self._values: dict[str, OrderedDict[str, JSON]] = {name: OrderedDict() for name in machines}
        self._heard: dict[str, list[Callable[[JSON], None]]] = {}

    def at_once(self, machine: str, key: str, event: JSON) -> JSON:
        """`step` for who need not wait."""
        kind, values = self._machines[machine], self._values[machine]
        value, result = kind.step(values.get(key), event, self._clock())
        if value is None:
            values.pop(key, None)
            return result
        values[key] = value
        values.move_to_end(key)
        if len(values) > kind.limit:
            values.popitem(last=False)
        return result

    async def step(self, machine: str, key: str, event: JSON) -> JSON:
        return self.at_once(machine, key, event)

    async def values(self, machine: str) -> Mapping[str, JSON]:
        return dict(self._values[machine])

    def keys(self, machine: str) -> list[str]:
        """All keys of a machine."""
        return list(self._values[machine])

    def forget_at_once(self, sessions: list[str]) -> None:
        """`forget` for who need not wait."""
        gone = frozenset(sessions)
        for name, machine in self._machines.items():
            if machine.session is not None:
                values = self._values[name]
                for key in [key for key in values if machine.session(key) in gone]:
                    del values[key]

    async def forget(self, sessions: list[str]) -> None:
        self.forget_at_once(sessions)

    async def publish(self, topic: str, message: JSON) -> None:
        self.tell(topic, message)

    def tell(self, topic: str, message: JSON) -> None:
        """`publish` for who need not wait."""
        for heard in self._heard.get(topic, ()):
            heard(message)

    def subscribe(self, topic: str, heard: Callable[[JSON], None]) -> None:
        self._heard.setdefault(topic, []).append(heard)
