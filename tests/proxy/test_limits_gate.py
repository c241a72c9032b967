"""The gate without a socket: clock and wall are passed in, so one arrival schedule gives the same answers every time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import pytest

from llm_simulator.config.load import from_mapping
from llm_simulator.config.settings import Settings
from llm_simulator.errors import StateError
from llm_simulator.proxy.gate import Gate, Tools
from llm_simulator.proxy.kit import Kit
from llm_simulator.proxy.limiter import Limiter
from llm_simulator.proxy.machines import MACHINES
from llm_simulator.proxy.perform import Performer
from llm_simulator.proxy.scenes import Stage
from llm_simulator.proxy.state import Embedded
from llm_simulator.proxy.turnstile import No, Pass, Turnstile
from llm_simulator.simulator.slots import Line
from llm_simulator.telemetry.journal import Entry
from llm_simulator.telemetry.metrics import Metrics
from llm_simulator.types import JSON, Answer

T = TypeVar("T")
PATH = "/api.anthropic.com/v1/messages"
WALL = 1_750_000_000.0


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class House:
    """A server as far as the gate is concerned."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.settings = settings
        self.state = Embedded(MACHINES, clock)
        self.kit = Kit(self.state, Metrics(), {})
        performer = Performer(settings, None, None)
        performer.guard = self.kit
        self.stage = Stage(settings, performer, clock)
        self.kit.server = self
        made = self.kit.tools
        limiter = Limiter(self.state, made.turnstile, self.stage.refuse, lambda: 5.0, lambda: WALL + clock.now)
        self.kit._made = Tools(made.turnstile, limiter, made.breakers)  # pyright: ignore[reportPrivateUsage]
        gate = self.kit.gated(self.stage, settings)
        assert isinstance(gate, Gate)
        self.gate = gate

    async def answer(self, text: str, key: str = "sk-1") -> Answer:
        body = {"model": "claude-opus-5", "max_tokens": 20, "messages": [{"role": "user", "content": text}]}
        asked = self.gate.read("POST", PATH, ((b"x-api-key", key.encode()),), json.dumps(body).encode())
        call = asked.known.call
        entry = Entry(0, "POST", call.raw.path, call.provider, call.model, call.operation, False, 0, "")
        answer = await self.gate.answer(asked, entry)
        entry.status = answer.status
        entry.settle()
        return answer


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


def limited(**limits: Any) -> Settings:
    return replace(from_mapping({"simulation": {"speed": 0}, "limits": {"anthropic": limits}}))


SCHEDULE: Sequence[tuple[float, str]] = [
    (0, "a"),
    (0, "b"),
    (1, "c"),
    (1.5, "a"),
    (30, "c"),
    (31, "d"),
    (61, "e"),
    (200, "f"),
]


def test_one_arrival_schedule_gives_the_same_answers_every_time() -> None:
    async def played() -> list[tuple[int, tuple[tuple[str, str], ...]]]:
        clock = Clock()
        house = House(limited(rpm=2, itpm=4000, otpm=4000), clock)
        seen: list[tuple[int, tuple[tuple[str, str], ...]]] = []
        for at, text in SCHEDULE:
            clock.now = at
            answer = await house.answer(text)
            seen.append((answer.status, answer.headers))
        return seen

    once, twice = run(played()), run(played())
    assert once == twice
    assert [status for status, _ in once] == [200, 200, 429, 429, 200, 429, 429, 200]
    resets = dict(once[0][1])["anthropic-ratelimit-requests-reset"]
    assert resets == "2025-06-15T15:07:10Z"  # half a minute after the wall's time


def test_what_limits_nobody_is_no_gate() -> None:
    async def gated() -> object:
        settings = Settings()
        kit = Kit(Embedded(MACHINES), Metrics(), {})
        stage = Stage(settings, Performer(settings, None, None))
        return kit.gated(stage, settings) is stage

    assert run(gated())


def test_limits_of_other_keys_are_other_limits() -> None:
    async def played() -> list[int]:
        house = House(limited(rpm=1), Clock())
        return [(await house.answer("Hi", key)).status for key in ("sk-1", "sk-2", "sk-1")]

    assert run(played()) == [200, 200, 429]


class Lost:
    """A state whose keeper is gone."""

    async def step(self, machine: str, key: str, event: JSON) -> JSON:
        raise StateError("the keeper is gone")

    async def values(self, machine: str) -> dict[str, JSON]:
        return {}

    async def forget(self, sessions: list[str]) -> None:
        raise StateError("the keeper is gone")

    async def publish(self, topic: str, message: JSON) -> None:
        raise StateError("the keeper is gone")

    def subscribe(self, topic: str, heard: Any) -> None:
        """Nobody ever hears."""


def test_without_the_keeper_of_the_state_nobody_waits_for_ever(caplog: pytest.LogCaptureFixture) -> None:
    async def tried() -> int:
        turnstile = Turnstile(Lost())
        with pytest.raises(StateError):
            await turnstile.enter("all", Line(1), "me", 1)
        turnstile.leave(Pass("all", "0:0"))
        await asyncio.sleep(0.01)
        return turnstile.waiting

    assert run(tried()) == 0
    assert "the keeper is gone" in caplog.text


class Remote(Embedded):
    """As several workers have it: not at once."""

    async def step(self, machine: str, key: str, event: JSON) -> JSON:
        await asyncio.sleep(0)
        return self.at_once(machine, key, event)


async def _moment() -> None:
    """Until all that can go on has gone on."""
    for _ in range(20):
        await asyncio.sleep(0)


def test_two_workers_share_slots_and_line() -> None:
    async def played() -> tuple[list[object], list[str]]:
        state = Remote(MACHINES)
        one, other = Turnstile(state, "w0"), Turnstile(state, "w1")
        held = await one.enter("all", Line(1, 2), "a", 5)
        assert isinstance(held, Pass)
        waits = asyncio.create_task(other.enter("all", Line(1, 2), "b", 5))
        late = asyncio.create_task(one.enter("all", Line(1, 2), "c", 0.05))
        await _moment()
        full = await other.enter("all", Line(1, 2), "d", 5)
        timed_out = await late
        one.leave(held)
        turn = await waits
        assert isinstance(turn, Pass)
        other.leave(turn)
        await asyncio.sleep(0.01)
        return [full, timed_out], state.keys("slots")

    results, kept = run(played())
    assert results == [No.LATER, No.TIMEOUT]
    assert kept == ["all"]  # the promise to the one that was refused


def test_a_turnstile_that_closes_lets_nobody_wait() -> None:
    async def played() -> list[object]:
        turnstile = Turnstile(Embedded(MACHINES))
        await turnstile.enter("all", Line(1, 5), "a", 5)
        waits = asyncio.create_task(turnstile.enter("all", Line(1, 5), "b", 5))
        await _moment()
        turnstile.close()
        return [await waits, await turnstile.enter("all", Line(1, 5), "c", 5)]

    assert run(played()) == [No.CLOSING, No.CLOSING]
