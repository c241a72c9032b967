"""Recordings are redacted and committed; a failure is counted, logged once, without secrets, and stops nobody."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
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
        self.expected: list[tuple[RawRequest, Call, tuple[str, ...]]] = []
        self.error = error
        self.flushed = 0
        self.gate = asyncio.Event()
        self.gate.set()

    def expect(self, request: RawRequest, call: Call, masked: tuple[str, ...]) -> None:
        self.expected.append((request, call, masked))

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
    tap = made.tap(CALL, session="s", start_ns=0)
    tap.head(200, "OK", (), 5)
    tap.chunk(10, body)
    tap.end(Outcome.COMPLETE)
    return tap


async def shielded(commit: asyncio.Task[bool]) -> bool:
    return await asyncio.shield(commit)


def test_what_can_be_done_early_is_done_early() -> None:
    async def main() -> None:
        shelf = Shelf()
        made = recorder(shelf)
        tap = made.tap(CALL, start_ns=0)
        made.begin(tap, CALL)
        await asyncio.sleep(0)
        ((request, call, masked),) = shelf.expected
        assert request.headers == (("authorization", "Bearer REDACTED"),)
        assert (call, masked) == (CALL, ())
        tap.head(200, "OK", (("content-type", "text/event-stream"),), 5)
        for place, piece in enumerate((f'data: "{SECRET[:9]}"\n', f'\ndata: "{SECRET[9:]}"\n\n')):
            tap.chunk(place, piece.encode())
        tap.end(Outcome.COMPLETE)
        assert await made.commit(tap, CALL, replace=False)
        assert shelf.kept[0][0].request == request
        assert SECRET[:9] not in shelf.kept[0][0].body.decode()

    asyncio.run(main())


def test_a_large_request_is_left_to_the_end() -> None:
    async def main() -> None:
        shelf = Shelf()
        made = recorder(shelf)
        large = replace(CALL, raw=replace(CALL.raw, body=b"x" * LARGE))
        made.begin(made.tap(large, start_ns=0), large)
        await asyncio.sleep(0)
        assert shelf.expected == []

    asyncio.run(main())


def test_what_fails_early_is_not_recorded(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        shelf = Shelf()
        made = recorder(shelf)

        def fails(request: RawRequest, call: Call, masked: tuple[str, ...]) -> None:
            raise ZeroDivisionError("division by zero")

        monkeypatch.setattr(shelf, "expect", fails)
        tap = made.tap(CALL, start_ns=0)
        made.begin(tap, CALL)
        assert not await made.commit(tap, CALL, replace=False)
        assert (shelf.kept, made.failed) == ([], 1)

    asyncio.run(main())
    assert caplog.messages == ["not recorded, the tap broke: ZeroDivisionError: division by zero"]


def test_a_recording() -> None:
    async def main() -> None:
        shelf = Shelf()
        memory = Memory(total=5000)
        made = recorder(shelf, memory)
        assert await made.commit(filled(made, f"it is {SECRET}".encode()), CALL, replace=True)
        ((exchange, call, replaces),) = shelf.kept
        assert SECRET not in repr(exchange)
        assert exchange.request.headers == (("authorization", "Bearer REDACTED"),)
        assert (exchange.recorder, exchange.matcher, exchange.session) == (RECORDER, 7, "s")
        assert exchange.recorded_at == "2026-01-01T00:00:00.000Z"
        assert (call, replaces) == (CALL, True)
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
        waiting = asyncio.ensure_future(shielded(made.commit(filled(made), CALL, replace=False)))
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
        waiting = made.commit(filled(made), CALL, replace=False)
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
    at = made.tap(CALL, start_ns=0).exchange().recorded_at
    assert at.endswith("Z")
    assert datetime.fromisoformat(at).tzinfo is not None
