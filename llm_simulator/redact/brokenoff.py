"""Secrets that lost their end because the body broke off there: the start of a key, or of a known value."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice

from llm_simulator.redact.placeholder import Span
from llm_simulator.redact.values import Value, bytes_text

SHORTEST = 8
"""So many characters of a known value, or behind a key's prefix, give too much away."""

_ENDS = re.compile(r"\0|\Z")
_MOST_ENDS = 1000
_LONGEST = 512  # characters of a value that are compared; a longer piece of one ends in a key's shape or not at all


def find_broken_off(text: str, prefixes: Iterable[str], values: Iterable[Value]) -> Iterator[Span]:
    """Where a secret starts that reaches to the end of the text (or to a NUL: the end of a joined text) unfinished."""
    start = f"(?:{'|'.join(map(re.escape, prefixes))})"
    key = re.compile(rf"(?<![A-Za-z0-9_-]){start}[A-Za-z0-9_-]{{{SHORTEST},}}(?=\0|\Z)", re.ASCII)
    for match in key.finditer(text):
        yield Span(*match.span(), "key that broke off")
    known = [(bytes_text(value.text)[:_LONGEST], value.kind) for value in values]
    for end in islice((match.start() for match in _ENDS.finditer(text)), _MOST_ENDS):
        for secret, kind in known:
            if size := _reaches(text, end, secret):
                yield Span(end - size, end, kind)


def _reaches(text: str, end: int, secret: str) -> int:
    """How many of the first characters of `secret` stand before `end`, if enough do."""
    sizes = range(min(len(secret), end), SHORTEST - 1, -1)
    return next((size for size in sizes if text.startswith(secret[:size], end - size)), 0)
