"""Long work in pieces: a generator pauses between them, so that whoever runs it can see to others meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from typing import TypeVar

from llm_simulator.types import Reply

_Item = TypeVar("_Item")
_Made = TypeVar("_Made")

Work = Generator[None, None, Reply]
"""An answer in pieces of a few milliseconds."""


def whole(work: Generator[None, None, _Made]) -> _Made:
    """What comes of it, without the pauses."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            made: _Made = end.value
            return made


def each(
    function: Callable[[_Item], _Made], items: Iterable[_Item], every: int = 1
) -> Generator[None, None, list[_Made]]:
    """`function` of all items, with a pause after `every` so many."""
    made: list[_Made] = []
    for place, item in enumerate(items, 1):
        made.append(function(item))
        if place % every == 0:
            yield
    return made
