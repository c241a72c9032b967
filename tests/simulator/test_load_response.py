"""One arrival schedule, one set of times: slots make the knee, neighbours slow each other down."""

from __future__ import annotations

import pytest

from llm_simulator.dialects.keepalive import Beat, beat_of
from llm_simulator.profiles.profile import Load
from llm_simulator.simulator.load import Place, Queue
from llm_simulator.simulator.schedule import kept_alive
from llm_simulator.types import Call, Chunk, RawRequest


def places(load: Load, *arrivals: float, ttft: float = 1.0, total: float = 3.0) -> list[Place]:
    queue = Queue(load)
    return [queue.enter(at, ttft, total) for at in arrivals]


def test_who_finds_no_slot_waits_for_the_first_to_end() -> None:
    waits = [place.wait for place in places(Load(slots=2), 0.0, 0.5, 1.0, 1.0, 1.0, 7.0)]
    # two run until 3.0 and 3.5; then in order, each for 3 s
    assert waits == pytest.approx([0.0, 0.0, 2.0, 2.5, 5.0, 0.0])


def test_without_slots_nobody_waits() -> None:
    assert [place.wait for place in places(Load(slowdown=0.1), *[0.0] * 20)] == [0.0] * 20


def test_tokens_are_slower_the_more_run_beside() -> None:
    made = places(Load(slowdown=0.5), 0.0, 0.0, 0.0, 100.0)
    assert [(place.running, place.factor) for place in made] == [(1, 1.0), (2, 1.5), (3, 2.0), (1, 1.0)]
    # the second ends at 1 + 2 * 1.5 = 4.0, so one that comes at 4.5 finds only the third
    later = places(Load(slowdown=0.5), 0.0, 0.0, 0.0, 4.5)[-1]
    assert later.running == 2


def test_waiting_ones_do_not_run() -> None:
    assert [place.running for place in places(Load(slots=2, slowdown=0.5), *[0.0] * 5)] == [1, 2, 2, 2, 2]


def test_the_wait_comes_first_and_only_tokens_slow_down() -> None:
    place = Place(2.0, 3, 1.5)
    assert [place.at(due, 1.0) for due in (0.5, 1.0, 3.0)] == [2.5, 3.0, 6.0]
    chunks = place.chunks([Chunk(1.0, b"a"), Chunk(2.0, b"b")], 1.0)
    assert list(chunks) == [Chunk(3.0, b"a"), Chunk(4.5, b"b")]


def test_the_knee() -> None:
    """Under capacity (8 slots / 3 s) nobody waits; over it the wait grows with every call."""
    calm = places(Load(slots=8), *[at * 0.4 for at in range(200)])
    busy = places(Load(slots=8), *[at * 0.3 for at in range(200)])
    assert max(place.wait for place in calm) == 0
    assert busy[199].wait == pytest.approx(200 * (0.375 - 0.3), abs=1.0)


def call(provider: str, family: str, stream: bool = True) -> Call:
    return Call(provider, family, "chat", RawRequest("POST", "/"), stream=stream)


@pytest.mark.parametrize(
    ("made", "data"),
    [
        (call("anthropic", "anthropic.messages"), b'event: ping\ndata: {"type": "ping"}\n\n'),
        (call("openrouter", "openai.chat"), b": OPENROUTER PROCESSING\n\n"),
        (call("deepseek", "openai.chat"), b": keep-alive\n\n"),
    ],
)
def test_who_keeps_a_stream_alive(made: Call, data: bytes) -> None:
    beat = beat_of(made)
    assert beat is not None
    assert beat.data == data


@pytest.mark.parametrize(
    "made",
    [
        call("anthropic", "anthropic.messages", stream=False),
        call("gemini", "gemini.generate"),
        call("gemini", "openai.chat"),
        call("openai", "openai.chat"),
        call("cohere", "cohere.chat"),
    ],
)
def test_who_does_not(made: Call) -> None:
    assert beat_of(made) is None


CHUNKS = (Chunk(25.0, b"a"), Chunk(26.0, b"b"), Chunk(90.0, b"c"), Chunk(90.0, b"d"))


def test_pings_once_the_answer_has_begun() -> None:
    made = list(kept_alive(CHUNKS, Beat(b"ping", 30.0, before=False)))
    assert [(chunk.due, chunk.data) for chunk in made] == [
        (25.0, b"a"),
        (26.0, b"b"),
        (55.0, b"ping"),
        (85.0, b"ping"),
        (90.0, b"c"),
        (90.0, b"d"),
    ]


def test_comments_until_the_answer_begins() -> None:
    made = list(kept_alive(CHUNKS, Beat(b": x", 10.0, before=True)))
    assert [chunk.due for chunk in made] == [10.0, 20.0, 25.0, 26.0, 90.0, 90.0]
