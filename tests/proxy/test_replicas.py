"""What calls leave behind can be told to other workers whole: every change is told, and nothing changes untold."""

from __future__ import annotations

import asyncio
import marshal
from typing import Any

import pytest

from llm_simulator.dialects.base import Dialect
from llm_simulator.dialects.registry import dialects
from llm_simulator.proxy import selfcheck
from llm_simulator.proxy.machines import MACHINES
from llm_simulator.proxy.replicas import TOPIC, Replicas, contents
from llm_simulator.proxy.state import Embedded
from llm_simulator.simulator.shelf import MemoryShelf, Shelves
from llm_simulator.types import JSON

KEEPING = [dialect for dialect in dialects() if dialect.stateful]


class Told(MemoryShelf):
    """A shelf that tells of its changes as they go to another process."""

    made: Told

    def __init__(self) -> None:
        super().__init__(changed=self._tell)
        self.changes: list[bytes] = []
        Told.made = self

    def _tell(self, kind: str, identity: str, value: JSON) -> None:
        self.changes.append(marshal.dumps((kind, identity, value)))


@pytest.mark.parametrize("dialect", KEEPING, ids=[type(each).__name__ + each.provider for each in KEEPING])
def test_another_worker_has_the_same(dialect: Dialect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selfcheck, "MemoryShelf", Told)
    selfcheck.trials(dialect)
    other = MemoryShelf()
    for change in Told.made.changes:
        other.learn(*marshal.loads(change))
    assert list(other.everything()) == list(Told.made.everything())


def test_workers_know_when_a_call_is_settled() -> None:
    async def run() -> None:
        state = Embedded(MACHINES)
        shelves = [Shelves() for _ in range(3)]
        replicas = [Replicas(number, state, each) for number, each in enumerate(shelves)]
        for each in replicas[:2]:
            state.subscribe(TOPIC, each.heard)
            each.load([])
        state.subscribe(TOPIC, replicas[2].heard)  # it has not loaded yet
        before: list[Any] = [("s", "file", "old", {"n": 0})]
        shelves[0].of("s").put("file", "a", {"n": 1, "data": b"\0"})
        shelves[0].of("s").put("file", "b", {"n": 2})
        shelves[0].of("s").remove("file", "a")
        assert shelves[0].settle is not None
        await shelves[0].settle()
        assert contents(shelves[1]) == contents(shelves[0]) == [("s", "file", "b", {"n": 2})]
        replicas[2].load(before)
        assert contents(shelves[2]) == [*before, ("s", "file", "b", {"n": 2})]

    asyncio.run(run())
