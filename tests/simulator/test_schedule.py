"""Frames and timings make chunks."""

from __future__ import annotations

from array import array
from collections.abc import Iterator

import pytest

from llm_simulator.profiles import Timings
from llm_simulator.simulator.schedule import hurried, paced
from llm_simulator.types import Chunk, Frame

TIMINGS = Timings(0.5, array("d", [0.5, 0.5, 0.75]))


def test_frames_are_due_with_their_tokens() -> None:
    frames = [Frame(0, b"start"), Frame(0, b"a"), Frame(1, b"b"), Frame(2, b"c"), Frame(2, b"end")]
    assert [chunk.due for chunk in paced(frames, TIMINGS, 3)] == [0.5, 0.5, 0.5, 0.75, 0.75]


def test_what_comes_after_the_last_token_is_due_with_it() -> None:
    assert list(paced([Frame(9, b"end")], TIMINGS, 3)) == [Chunk(0.75, b"end")]


def test_an_empty_answer_is_due_at_the_first_token() -> None:
    assert list(paced([Frame(0, b"end")], Timings(0.25, array("d")), 0)) == [Chunk(0.25, b"end")]


def test_choices_side_by_side_share_the_times() -> None:
    frames = [Frame(token, b"") for token in range(6)]
    assert [chunk.due for chunk in paced(frames, TIMINGS, 6)] == [0.5, 0.5, 0.5, 0.5, 0.75, 0.75]


def test_chunks_are_made_as_they_are_asked_for() -> None:
    def endless() -> Iterator[Frame]:
        while True:
            yield Frame(0, b"x")

    assert next(paced(endless(), TIMINGS, 3)) == Chunk(0.5, b"x")


@pytest.mark.parametrize(("speed", "due"), [(1.0, 0.5), (2.0, 0.25), (0.5, 1.0), (0.0, 0.0)])
def test_speed_divides_the_waits(speed: float, due: float) -> None:
    assert list(hurried([Chunk(0.5, b"x")], speed)) == [Chunk(due, b"x")]
