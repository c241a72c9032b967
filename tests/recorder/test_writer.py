"""Recordings are redacted and committed; a failure is counted, logged once, without secrets, and stops nobody."""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime

import pytest

from llm_simulator.errors import CassetteError
from llm_simulator.recorder.spill import Memory
from llm_simulator.recorder.tap import Tap
from llm_simulator.recorder.writer import LARGE, RECORDER, Recorder
from llm_simulator.redact import Redactor
from llm_simulator.types import Call, Exchange, Outcome, RawRequest

SECRET = "sk-proj-aB3dE5gH7jK9mN1pQ3sTaB3dE5gH7jK9mN1pQ3sT"
CALL = Call(
    "openai",
    "openai.chat",
    "chat",
    RawRequest("POST", "/v1/chat/completions", headers=(("authorization", f"Bearer {SECRET}"),), body=b"{}"),
)


class Shelf:
    """A cassette that keeps what it is given, or fails as told."""

    def __init__(self, error: Exception | None = None) -> None:
        self.kept: list[tuple[Exchange, Call, bool]] = []
        self.error = error
        self.flushed = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def add(self, exchange: Exchange, call: Call, *, replace: bool) -> int:
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        self.kept.append((exchange, call, replace))
        return len(self.kept)

    async def flush(self) -> None:
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        self.flushed += 1


def recorder(shelf: Shelf, memory: Memory | None = None) -> Recorder:
    return Recorder(shelf, Redactor({}), matcher=7, memory=memory, now=lambda: "2026-01-01T00:00:00.000Z")


def filled(made: Recorder, body: bytes = b"all is well") -> Tap:
    tap = made.tap(CALL, session="s", read_ns=0)
    tap.head(200, "OK", (), 5)
    tap.chunk(10, body)
    tap.end(Outcome.COMPLETE)
    return tap


def test_a_recording() -> None:
    async def main() -> None:
        shelf = Shelf()
        memory = Memory(total=5000)
        made = recorder(shelf, memory)
        assert await made.commit(filled(made, f"it is {SECRET}".encode()), CALL, replace=True)
        ((exchange, call, replace),) = shelf.kept
        assert SECRET not in repr(exchange)
        assert exchange.request.headers == (("authorization", "Bearer REDACTED"),)
        assert (exchange.recorder, exchange.matcher, exchange.session) == (RECORDER, 7, "s")
        assert exchange.recorded_at == "2026-01-01T00:00:00.000Z"
        assert (call, replace) == (CALL, True)
        assert (made.recorded, made.failed, made.redactions) == (1, 0, 2)
        assert memory.free == 5000
        await made.close()
        assert shelf.flushed == 1

    asyncio.run(main())


def test_a_large_recording_is_redacted_too() -> None:
    async def main() -> None:
        shelf = Shelf()
        made = recorder(shelf)
        body = b"x " * (LARGE // 2) + SECRET.encode()
        assert await made.commit(filled(made, body), CALL, replace=False)
        assert shelf.kept[0][0].body == body[: -len(SECRET)] + b"REDACTED".ljust(len(SECRET), b"_")

    asyncio.run(main())


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        (CassetteError(f"c.db: disk full while writing {SECRET}"), "c.db: disk full while writing REDACTED"),
        (ValueError(f"surprise: {SECRET}"), "not recorded: ValueError in add:"),
    ],
)
def test_a_failure_is_counted_and_logged_once(error: Exception, shown: str, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        made = recorder(Shelf(error))
        with caplog.at_level(logging.ERROR):
            assert not await made.commit(filled(made), CALL, replace=True)
            assert not await made.commit(filled(made), CALL, replace=True)
        assert (made.recorded, made.failed) == (0, 2)

    asyncio.run(main())
    (record,) = caplog.records
    assert record.getMessage().startswith(shown)
    assert SECRET not in caplog.text


def test_a_broken_tap_is_not_stored(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        shelf = Shelf()
        made = recorder(shelf)
        tap = filled(made)
        tap.broken = "OSError: no space"
        assert not await made.commit(tap, CALL, replace=False)
        assert shelf.kept == []
        assert made.failed == 1

    asyncio.run(main())
    assert caplog.messages == ["not recorded, the tap broke: OSError: no space"]


def test_a_caller_that_leaves_does_not_stop_the_commit() -> None:
    async def main() -> None:
        shelf = Shelf()
        shelf.gate.clear()
        made = recorder(shelf)
        waiting = asyncio.ensure_future(made.commit(filled(made), CALL, replace=False))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        shelf.gate.set()
        await made.close()
        assert len(shelf.kept) == 1
        assert made.recorded == 1

    asyncio.run(main())


def test_close_is_bounded(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        shelf = Shelf()
        shelf.gate.clear()
        made = recorder(shelf)
        waiting = asyncio.ensure_future(made.commit(filled(made), CALL, replace=False))
        await asyncio.sleep(0)
        await made.close(timeout=0.01)
        assert made.failed == 1
        waiting.cancel()
        shelf.gate.set()
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    asyncio.run(main())
    assert caplog.messages == [
        "1 recordings were not stored within 0.01 s",
        "the cassette was not flushed within 0.01 s",
    ]


def test_close_reports_a_cassette_that_cannot_be_flushed(caplog: pytest.LogCaptureFixture) -> None:
    asyncio.run(recorder(Shelf(CassetteError("c.yaml: read-only"))).close())
    assert caplog.messages == ["c.yaml: read-only"]


def test_the_time_of_day_is_utc() -> None:
    made = Recorder(Shelf(), Redactor({}))
    at = made.tap(CALL, read_ns=0).exchange().recorded_at
    assert at.endswith("Z")
    assert datetime.fromisoformat(at).tzinfo is not None
