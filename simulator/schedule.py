"""When the pieces of an answer are due: frames and timings make chunks. Waiting is data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from llm_simulator.dialects.keepalive import Beat
from llm_simulator.profiles import Timings
from llm_simulator.types import Chunk, Frame


def paced(frames: Iterable[Frame], timings: Timings, tokens: int) -> Iterator[Chunk]:
    """Each frame with the token that it carries; made one by one as the wire asks for them.

    `tokens` is how many the frames are numbered by. Several choices are numbered through but arrive side by side: then
    there are fewer times than tokens, and the tokens are spread evenly over them.
    """
    dues = timings.dues
    last = len(dues) - 1
    for frame in frames:
        if last < 0:
            yield Chunk(timings.ttft, frame.data)
            continue
        at = frame.token if tokens == last + 1 else frame.token * (last + 1) // tokens
        yield Chunk(dues[min(at, last)], frame.data)


def kept_alive(chunks: Iterable[Chunk], beat: Beat) -> Iterator[Chunk]:
    """The same chunks with what the provider sends in long waits: a function of the schedule, not of the clock."""
    following: float | None = beat.every if beat.before else None
    first = True
    for chunk in chunks:
        while following is not None and following < chunk.due:
            yield Chunk(following, beat.data)
            following += beat.every
        yield chunk
        if first:
            first, following = False, None if beat.before else chunk.due + beat.every


def hurried(chunks: Iterable[Chunk], speed: float) -> Iterator[Chunk]:
    """The same chunks, their waits divided by `speed`; 0 leaves no wait at all."""
    pace = 1.0 / speed if speed else 0.0
    return (Chunk(chunk.due * pace, chunk.data) for chunk in chunks)
