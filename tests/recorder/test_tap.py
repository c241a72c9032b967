"""A tap takes down what passes, with its times, and never raises into the stream."""

from __future__ import annotations

import gc

import pytest

from llm_simulator.recorder.spill import Memory
from llm_simulator.recorder.tap import Tap, end_to_end
from llm_simulator.types import Call, Exchange, Outcome, RawRequest

CALL = Call(
    "openai", "openai.chat", "chat", RawRequest("POST", "/v1/chat/completions", body=b'{"stream": true}'), "gpt", True
)


def tap(memory: Memory | None = None, largest: int = 1000) -> Tap:
    return Tap(
        CALL,
        start_ns=1_000,
        memory=memory or Memory(),
        session="s",
        recorded_at="2026-01-01T00:00:00Z",
        recorder="r",
        matcher=3,
        largest=largest,
    )


def test_a_whole_exchange() -> None:
    made = tap()
    made.head(200, "Fine", (("X-A", "1"), ("Connection", "close, x-b"), ("X-B", "2"), ("x-a", "3")), 1_700, 200)
    made.chunk(1_900, b"data: 1\n\n")
    made.chunk(2_200, b"data: 2\n\n")
    made.end(Outcome.COMPLETE)
    assert made.exchange() == Exchange(
        CALL.raw,
        "openai",
        "openai.chat",
        "chat",
        "gpt",
        True,
        200,
        (("X-A", "1"), ("x-a", "3")),
        ((700, b"data: 1\n\n"), (1_000, b"data: 2\n\n")),
        reason="Fine",
        outcome=Outcome.COMPLETE,
        session="s",
        recorded_at="2026-01-01T00:00:00Z",
        connect_ns=200,
        head_ns=500,
        recorder="r",
        matcher=3,
    )
    assert made.broken == ""
    assert made.size == 18


@pytest.mark.parametrize("outcome", list(Outcome))
def test_outcomes(outcome: Outcome) -> None:
    made = tap()
    made.end(outcome)
    assert made.exchange().outcome is outcome
    assert made.exchange().status == 0


def test_without_an_end_it_is_truncated() -> None:
    assert tap().exchange().outcome is Outcome.TRUNCATED


def test_times_before_the_request_was_read_count_as_its_moment() -> None:
    made = tap()
    made.head(200, "", (), 900, 0)
    made.chunk(999, b"x")
    assert made.exchange().head_ns == 0
    assert made.exchange().chunks == ((0, b"x"),)


def test_too_long_an_answer_breaks_the_tap_and_frees_its_memory() -> None:
    memory = Memory(total=5000)
    made = tap(memory, largest=10)
    made.chunk(1, b"12345678")
    made.chunk(2, b"901")
    made.chunk(3, b"more")
    made.end(Outcome.COMPLETE)
    assert made.broken == "the answer is longer than 10 bytes"
    assert memory.free == 5000
    assert made.exchange().chunks == ()
    assert made.exchange().outcome is Outcome.TRUNCATED


class FullDisk(Memory):
    """Memory that fails as a spill file on a full disk does."""

    def take(self, size: int, held: int) -> bool:
        raise OSError(28, "No space left on device")


def test_an_error_never_reaches_the_stream() -> None:
    made = tap(FullDisk())
    made.chunk(1, b"abc")
    made.chunk(2, b"def")
    made.end(Outcome.COMPLETE)
    assert made.broken == "OSError: [Errno 28] No space left on device"
    assert made.exchange().chunks == ()


def test_an_error_of_reading_back_is_noted() -> None:
    made = tap(Memory(0, 0))
    made.chunk(1, b"abc")
    assert made.waiting.file is not None
    made.waiting.file.truncate(0)
    made.end(Outcome.COMPLETE)
    assert made.exchange().chunks == ()
    assert made.broken == "OSError: the spill file is shorter than what was written to it"


def test_a_forgotten_tap_gives_its_memory_back() -> None:
    memory = Memory(total=5000)
    made = tap(memory)
    made.chunk(1, b"abc")
    assert memory.free == 5000 - 103
    del made
    gc.collect()
    assert memory.free == 5000


def test_hop_by_hop_headers() -> None:
    headers = (("Transfer-Encoding", "chunked"), ("Keep-Alive", "x"), ("content-encoding", "gzip"), ("Upgrade", "h2c"))
    assert end_to_end(headers) == (("content-encoding", "gzip"),)
