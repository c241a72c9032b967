"""What stands where a secret stood: as long as the secret, safe in JSON and URLs, known again whatever its length."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import NamedTuple

WORD = "REDACTED"

MASKED = re.compile(r"REDACTED_*")
"""A placeholder of any length >= 8 (shorter secrets become asterisks, which ordinary text has too)."""


_DONE = re.compile(r"(?:REDACTED|[_*])*")
_NUMBERS = {1: "9", 2: "95", 3: "120"}  # tab, underscore, x: as many digits as the character had


class Span(NamedTuple):
    """Where in a text a secret stands, and by which rule it is one."""

    start: int
    end: int
    kind: str
    number: bool = False  # a character spelled as an integer (a `bytes` list of log-probabilities)
    more: bool = False  # a further piece of a secret that was counted with its first one


def placeholder(length: int) -> str:
    """`length` characters: REDACTED and underscores, or asterisks below 8."""
    return WORD.ljust(length, "_") if length >= len(WORD) else "*" * length


def is_placeholder(text: str) -> bool:
    """Whether the text is nothing but placeholders (or empty): there is nothing left to mask."""
    return _DONE.fullmatch(text) is not None


def fresh(text: str, spans: Iterable[Span]) -> list[Span]:
    """The spans that are not placeholders already, in order, overlapping ones joined."""
    ordered = sorted(span for span in spans if not is_placeholder(text[span.start : span.end]))
    if not ordered:
        return ordered
    done = [match.span() for match in MASKED.finditer(text)]
    return _joined([span for span in ordered if not _inside(span, done)])


def _inside(span: Span, done: Sequence[tuple[int, int]]) -> bool:
    at = bisect_right(done, (span.start, len(WORD) << 60)) - 1
    return at >= 0 and span.end <= done[at][1]


def _joined(ordered: list[Span]) -> list[Span]:
    out: list[Span] = []
    for span in ordered:
        if out and span.start < out[-1].end:
            out[-1] = out[-1]._replace(end=max(span.end, out[-1].end))
        else:
            out.append(span)
    return out


def cover(text: str, spans: Iterable[Span]) -> str:
    """The text with a placeholder of the same length over each span (in order, not overlapping)."""
    out: list[str] = []
    at = 0
    for span in spans:
        size = span.end - span.start
        out += text[at : span.start], _NUMBERS[size] if span.number else placeholder(size)
        at = span.end
    return "".join(out) + text[at:]
