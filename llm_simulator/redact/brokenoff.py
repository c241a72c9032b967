"""Secrets that lost their end because the body broke off there: the start of a key, or of a known value."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import NamedTuple
from urllib.parse import unquote_plus

from llm_simulator.redact.placeholder import Span
from llm_simulator.redact.values import Value, bytes_text

SHORTEST = 8
"""So many characters of a known value, or behind a key's prefix, give too much away."""

_ENDS = re.compile(r"\0|\Z")
_MOST_ENDS = 1000
_LONGEST = 512  # characters of a value that are compared; a longer piece of one ends in a key's shape or not at all
_WIDEST = 7  # what JSON inside JSON, or percent-encoding, makes of one byte

_JSON = re.compile(r"\\u[0-9a-fA-F]{4}|\\[\"\\/bfnrt]|\\(?:u[0-9a-fA-F]{0,3})?\Z|.", re.DOTALL)
_PERCENT = re.compile(r"%[0-9a-fA-F]{2}|%[0-9a-fA-F]?\Z|.", re.DOTALL)


class _Reading(NamedTuple):
    """A text as some reader sees it; `places` says where each of its characters starts in the text."""

    text: str
    places: list[int]


def find_broken_off(text: str, prefixes: Iterable[str], values: Iterable[Value]) -> Iterator[Span]:
    """Where a secret starts that reaches to the end of the text (or to a NUL: the end of a joined text) unfinished."""
    start = f"(?:{'|'.join(map(re.escape, prefixes))})"
    key = re.compile(rf"(?<![A-Za-z0-9_-]){start}[A-Za-z0-9_-]{{{SHORTEST},}}(?=\0|\Z)", re.ASCII)
    for match in key.finditer(text):
        yield Span(*match.span(), "key that broke off")
    known = [(bytes_text(value.text)[:_LONGEST], value.kind) for value in values]
    widest = max((len(secret) for secret, _ in known), default=0) * _WIDEST
    for end in islice((match.start() for match in _ENDS.finditer(text)) if known else (), _MOST_ENDS):
        for reading in _readings(text, max(0, end - widest), end):
            for secret, kind in known:
                if size := _reaches(reading.text, secret):
                    yield Span(reading.places[-size], end, kind)


def _readings(text: str, start: int, end: int) -> Iterator[_Reading]:
    """The end of a text as it is, and as readers of JSON, of JSON inside JSON and of URLs and forms see it."""
    plain = _Reading(text[start:end], list(range(start, end)))
    yield plain
    if "\\" in plain.text:
        once = _reread(plain, _JSON, _from_json)
        yield once
        if "\\" in once.text:
            yield _reread(once, _JSON, _from_json)
    if "%" in plain.text or "+" in plain.text:
        yield _reread(plain, _PERCENT, _from_percent)


def _reread(reading: _Reading, pattern: re.Pattern[str], read: Callable[[str], str]) -> _Reading:
    out: list[str] = []
    places: list[int] = []
    for match in pattern.finditer(reading.text):
        plain = read(match[0])
        out.append(plain)
        places += [reading.places[match.start()]] * len(plain)
    return _Reading("".join(out), places)


def _from_json(token: str) -> str:
    """The character of an escape, as UTF-8 byte text; nothing for an escape that lost its end."""
    if len(token) == 1 and token != "\\":
        return token
    return bytes_text(json.loads(f'"{token}"')) if len(token) in (2, 6) and token != "\\u" else ""


def _from_percent(token: str) -> str:
    if len(token) == 1 and token != "%":
        return " " if token == "+" else token
    return unquote_plus(token, "latin-1") if len(token) == 3 else ""


def _reaches(text: str, secret: str) -> int:
    """How many of the first characters of `secret` the text ends with, if enough do."""
    sizes = range(min(len(secret), len(text)), SHORTEST - 1, -1)
    return next((size for size in sizes if text.endswith(secret[:size])), 0)
