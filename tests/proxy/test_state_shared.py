"""What workers share: steps in any interleaving equal steps one after the other, frames survive any cut."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_simulator.errors import StateError
from llm_simulator.proxy.link import Link
from llm_simulator.proxy.machines import MACHINES
from llm_simulator.proxy.state import Embedded
from llm_simulator.proxy.state_remote import Remote
from llm_simulator.simulator import casting
from llm_simulator.types import JSON

KEYS = ("0:ab:", "0:ab:mine", "1:ab:")
ASKED = st.lists(st.tuples(st.sampled_from(["occurrences", "played"]), st.sampled_from(KEYS)), max_size=60)


class Wire(asyncio.Transport):
    """Brings what is written to the other end, in pieces of the given sizes, in a later pass of the loop."""

    def __init__(self, sizes: list[int]) -> None:
        super().__init__()
        self.other: Link | None = None
        self._sizes = sizes or [1 << 20]
        self._loop = asyncio.get_running_loop()

    def write(self, data: Any) -> None:
        self._loop.call_soon(self._bring, bytes(data))

    def _bring(self, data: bytes) -> None:
        assert self.other is not None
        place = number = 0
        while place < len(data):
            size = self._sizes[number % len(self._sizes)]
            self.other.data_received(data[place : place + size])
            place, number = place + size, number + 1

    def close(self) -> None:
        assert self.other is not None
        self._loop.call_soon(self.other.connection_lost, None)


def forget(link: Link) -> None:
    """Nobody minds that it is gone."""


def echo(what: str, arguments: tuple[Any, ...]) -> Any:
    return arguments[0]


def joined(answer: Any, sizes: list[int]) -> tuple[Link, Link]:
    """Two ends of a connection; the second one answers."""
    ends = Link(echo, forget), Link(answer, forget)
    for mine, other in (ends, ends[::-1]):
        wire = Wire(sizes)
        wire.other = other
        mine.connection_made(wire)
    return ends


@given(ASKED, st.lists(st.integers(1, 9), max_size=4), st.integers(1, 4))
def test_workers_count_as_one(asked: list[tuple[str, str]], sizes: list[int], workers: int) -> None:
    """Steps that several workers ask for at once give the results of one worker's, each of them once."""

    async def run() -> Counter[tuple[str, str, int]]:
        kept = Embedded(MACHINES)

        def answer(what: str, arguments: tuple[Any, ...]) -> Any:
            return kept.at_once(*arguments)

        states: list[Remote] = []
        for _ in range(workers):
            state = Remote()
            state.over(joined(answer, sizes)[0])
            states.append(state)
        steps = [states[at % workers].step(machine, key, None) for at, (machine, key) in enumerate(asked)]
        results = await asyncio.gather(*steps)
        return Counter((machine, key, got) for (machine, key), got in zip(asked, results, strict=True))

    alone = Embedded(MACHINES)
    assert asyncio.run(run()) == Counter((m, k, alone.at_once(m, k, None)) for m, k in asked)


@given(st.lists(st.sampled_from(KEYS), max_size=30), st.integers(0, 5))
def test_nobody_takes_more_than_there_is(keys: list[str], limit: int) -> None:
    state = Embedded(MACHINES)
    taken = [(key, state.at_once("played", key, limit)) for key in keys]
    for key in KEYS:
        mine = [got for name, got in taken if name == key]
        assert mine == [min(number, limit) for number in range(len(mine))]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(VALUES, max_size=5), st.lists(st.integers(1, 7), max_size=3))
def test_what_is_said_arrives_as_it_was(values: list[JSON], sizes: list[int]) -> None:
    async def run() -> list[JSON]:
        link, _ = joined(echo, sizes)
        return list(await asyncio.gather(*(link.ask("echo", value) for value in values)))

    assert asyncio.run(run()) == values


def test_a_question_that_fails_says_why() -> None:
    async def run() -> None:
        def answer(what: str, arguments: tuple[Any, ...]) -> Any:
            raise StateError(f"{what}: no")

        link, other = joined(answer, [])
        with pytest.raises(StateError, match="StateError: step: no"):
            await link.ask("step")
        waiting = link.ask("later")
        link.connection_lost(None)
        for question in (waiting, link.ask("step")):
            with pytest.raises(StateError, match="is gone"):
                await question
        other.connection_lost(None)

    asyncio.run(run())


def stepped(*events: dict[str, str]) -> tuple[Any, list[Any]]:
    value: JSON = None
    results: list[Any] = []
    for now, event in enumerate(events):
        value, result = casting.step(value, event, float(now))
        results.append(result)
    return value, results


def test_the_first_worker_begins_for_all() -> None:
    _, (first, second) = stepped({"do": "begin", "name": "slow"}, {"do": "begin", "name": "slow"})
    assert first == second == {"name": "slow", "started": 0.0, "serial": 0}


def test_who_activates_last_has_the_highest_number() -> None:
    bill, results = stepped(
        {"do": "begin", "name": "default"},
        {"do": "activate", "name": "outage", "session": ""},
        {"do": "activate", "name": "slow", "session": "mine"},
        {"do": "named", "name": "outage"},
        {"do": "named", "name": "flaky"},
        {"do": "forget", "session": "mine"},
    )
    assert [one["serial"] for one in results] == [0, 1, 2, 1, 3, 1]
    assert bill["active"]["name"] == "outage"
    assert bill["sessions"] == {}
    assert bill["named"]["flaky"]["started"] == 4.0


def test_sessions_with_a_scenario_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(casting, "SESSIONS_LIMIT", 2)
    bill, _ = stepped(*({"do": "activate", "name": "slow", "session": str(number)} for number in range(4)))
    assert list(bill["sessions"]) == ["2", "3"]


def test_an_unknown_event_is_named() -> None:
    with pytest.raises(ValueError, match="'dance' is no event"):
        casting.step(None, {"do": "dance"}, 0.0)
