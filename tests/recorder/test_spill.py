"""Recorded bytes wait in bounded memory, then in a file that shows nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_simulator.recorder.spill import Memory, Waiting


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=400), max_size=20), st.integers(0, 3000), st.integers(0, 3000))
def test_what_goes_in_comes_out(pieces: list[bytes], total: int, each: int) -> None:
    memory = Memory(total, each)
    waiting = Waiting(memory)
    for number, piece in enumerate(pieces):
        waiting.add(number, piece)
    assert waiting.chunks() == tuple(enumerate(pieces))
    assert waiting.chunks() == tuple(enumerate(pieces))
    assert waiting.size == sum(map(len, pieces))
    assert 0 <= memory.free <= total
    waiting.close()
    assert memory.free == total


def test_two_recordings_share_the_memory() -> None:
    memory = Memory(total=1000, each=600)
    assert memory.take(500, 0)
    assert not memory.take(200, 500)  # one of them has its share
    assert memory.take(500, 0)
    assert not memory.take(1, 0)  # all of it is taken
    assert memory.free == 0


def test_the_file_does_not_show_what_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    waiting = Waiting(Memory(0, 0))
    secret = b"sk-proj-" + b"A" * 500
    waiting.add(1, secret)
    waiting.add(2, secret)
    assert list(tmp_path.iterdir()) == []  # it has no name
    file = waiting.file
    assert file is not None
    on_disk = os.pread(file.fileno(), 4096, 0)
    assert len(on_disk) == 1016
    assert b"sk-" not in on_disk
    assert b"AAAA" not in on_disk
    assert on_disk[:508] != on_disk[508:]  # no key stream is used twice
    assert waiting.chunks() == ((1, secret), (2, secret))
    waiting.close()
    waiting.close()
    assert file.closed


def test_a_damaged_file_is_an_error() -> None:
    waiting = Waiting(Memory(0, 0))
    waiting.add(1, b"abc")
    assert waiting.file is not None
    waiting.file.truncate(1)
    with pytest.raises(OSError, match="shorter than what was written"):
        waiting.chunks()
    waiting.close()
