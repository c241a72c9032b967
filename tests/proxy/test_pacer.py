"""The pacer over a loop whose clock we turn: absolute due times, one timer, no drift."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest

from llm_simulator.proxy.pacer import Pacer


class _Timer:
    def __init__(self, when: float, callback: Callable[[], None]) -> None:
        self._when, self.callback, self.cancelled = when, callback, False

    def when(self) -> float:
        return self._when

    def cancel(self) -> None:
        self.cancelled = True


Log = list[tuple[str, float]]


class FakeLoop:
    """Time passes only in `advance`."""

    def __init__(self) -> None:
        self.now = 0.0
        self.timers: list[_Timer] = []
        self._real = asyncio.new_event_loop()

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Callable[[], None]) -> _Timer:
        timer = _Timer(when, callback)
        self.timers.append(timer)
        return timer

    def create_future(self) -> asyncio.Future[None]:
        return self._real.create_future()

    def close(self) -> None:
        self._real.close()

    def advance(self, to: float) -> None:
        while True:
            due = sorted((t for t in self.timers if not t.cancelled and t.when() <= to), key=lambda t: t.when())
            if not due:
                break
            self.timers.remove(due[0])
            self.now = max(self.now, due[0].when())
            due[0].callback()
        self.now = to


@pytest.fixture
def loop() -> Any:
    made = FakeLoop()
    yield made
    made.close()


def _stream(log: Log, name: str, dues: list[float]) -> Callable[[float], float | None]:
    rest = iter(dues)

    def advance(now: float) -> float | None:
        log.append((name, now))
        return next(rest, None)

    return advance


def test_streams_are_advanced_in_the_order_they_are_due(loop: FakeLoop) -> None:
    pacer, log = Pacer(cast(asyncio.AbstractEventLoop, loop)), Log()
    a = pacer.run(1.0, _stream(log, "a", [3.0]))
    b = pacer.run(2.0, _stream(log, "b", [2.5, 4.0]))
    loop.advance(10.0)
    assert log == [("a", 1.0), ("b", 2.0), ("b", 2.5), ("a", 3.0), ("b", 4.0)]
    assert a.done()
    assert b.done()
    assert len(pacer) == 0


def test_an_earlier_stream_moves_the_timer_forward(loop: FakeLoop) -> None:
    pacer, log = Pacer(cast(asyncio.AbstractEventLoop, loop)), Log()
    pacer.run(5.0, _stream(log, "late", []))
    pacer.run(1.0, _stream(log, "early", []))
    assert [t.when() for t in loop.timers if not t.cancelled] == [1.0]
    loop.advance(6.0)
    assert log == [("early", 1.0), ("late", 5.0)]


def test_a_late_timer_does_not_shift_what_follows(loop: FakeLoop) -> None:
    pacer, log = Pacer(cast(asyncio.AbstractEventLoop, loop)), Log()
    pacer.run(1.0, _stream(log, "s", [2.0]))
    loop.now = 1.4  # the loop was busy
    loop.advance(3.0)
    assert log == [("s", 1.4), ("s", 2.0)]
    assert sum(pacer.late_counts) == 2
    assert pacer.late_sum == pytest.approx(0.4)


def test_a_failing_stream_ends_alone(loop: FakeLoop) -> None:
    pacer, log = Pacer(cast(asyncio.AbstractEventLoop, loop)), Log()

    def fail(now: float) -> float | None:
        raise ConnectionResetError("gone")

    failed = pacer.run(1.0, fail)
    other = pacer.run(1.0, _stream(log, "ok", []))
    loop.advance(2.0)
    assert isinstance(failed.exception(), ConnectionResetError)
    assert other.done()
    assert log == [("ok", 1.0)]


def test_a_cancelled_stream_is_not_advanced(loop: FakeLoop) -> None:
    pacer, log = Pacer(cast(asyncio.AbstractEventLoop, loop)), Log()
    pacer.run(1.0, _stream(log, "s", [])).cancel()
    loop.advance(2.0)
    assert log == []
