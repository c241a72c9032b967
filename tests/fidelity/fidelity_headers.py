"""Header names and value formats as each provider sends them: the formats are learned from the recorded values."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

HOP_BY_HOP = frozenset(("connection", "keep-alive", "transfer-encoding", "trailer", "upgrade", "te"))
OF_THE_BODY = frozenset(("content-length", "content-encoding", "set-cookie"))
"""Depend on the wire, the client or a cookie jar, not on the provider's format: not compared."""
UNTOLD = re.compile(r"REDACTED|^\*+$|^$")
"""Values that the recorders took out: nothing is learned from them."""
_PIECE = re.compile(r"[A-Za-z0-9]+|[^A-Za-z0-9]")
_DURATION = re.compile(r"(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+")


def compared(names: Iterable[str]) -> set[str]:
    """The names whose presence and format are the provider's."""
    lower = {name.lower() for name in names}
    return {name for name in lower if name not in HOP_BY_HOP | OF_THE_BODY}


def joined(headers: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Repeated fields as one, as the recordings have them (RFC 9110, 5.2)."""
    values: dict[str, list[str]] = {}
    for name, value in headers:
        values.setdefault(name.lower(), []).append(value)
    return tuple((name, ", ".join(found)) for name, found in values.items())


@dataclass(slots=True)
class Formats:
    """What the recorded values of one header look like, as regular expressions, one per skeleton of separators."""

    values: set[str] = field(default_factory=set)

    def pattern(self) -> re.Pattern[str] | None:
        """None where nothing was learned."""
        if not self.values:
            return None
        if all(_DURATION.fullmatch(value) for value in self.values):
            return _DURATION
        groups: dict[str, list[list[str]]] = defaultdict(list)
        for value in sorted(self.values):
            pieces = _PIECE.findall(value)
            groups[_skeleton(pieces)].append(pieces)
        return re.compile("|".join(f"(?:{_columns(group)})" for _, group in sorted(groups.items())))


def _skeleton(pieces: Sequence[str]) -> str:
    return "".join("x" if piece.isalnum() else piece for piece in pieces)


def _columns(rows: list[list[str]]) -> str:
    return "".join(_column([row[place] for row in rows]) for place in range(len(rows[0])))


def _column(values: list[str]) -> str:
    """The narrowest class that holds all values of one place."""
    distinct = sorted(set(values))
    if all(re.fullmatch(r"[A-Z]{3}", value) for value in distinct):  # an airport, a time zone
        return "[A-Z]{3}"
    if all(not value.isalnum() for value in distinct) or (len(distinct) == 1 and distinct[0].isalpha()):
        return "|".join(map(re.escape, distinct)) if len(distinct) == 1 else f"(?:{'|'.join(map(re.escape, distinct))})"
    if all(value.isdigit() for value in distinct):
        return r"\d+"
    if all(value.isalpha() for value in distinct) and len(distinct) <= 4:
        return f"(?:{'|'.join(distinct)})"
    letters = "".join(distinct)
    if re.fullmatch(r"[0-9a-f]+", letters):
        return "[0-9a-f]" + _length(distinct)
    case = "a-z" if letters == letters.lower() else "A-Z" if letters == letters.upper() else "A-Za-z"
    return f"[0-9{case}]" + _length(distinct)


def _length(values: list[str]) -> str:
    lengths = sorted({len(value) for value in values})
    return f"{{{lengths[0]}}}" if len(lengths) == 1 else f"{{{max(1, lengths[0] - 2)},{lengths[-1] + 2}}}"


@dataclass(slots=True)
class Sent:
    """Of one group of exchanges: how many there are, and the header names in them with how often they were seen."""

    exchanges: int = 0
    seen: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    formats: dict[str, Formats] = field(default_factory=lambda: defaultdict(Formats))

    def note(self, headers: Iterable[tuple[str, str]]) -> None:
        self.exchanges += 1
        for name, value in headers:
            self.seen[name.lower()] += 1
            if not UNTOLD.search(value):
                self.formats[name.lower()].values.add(value)

    def misfits(self, headers: Iterable[tuple[str, str]]) -> list[tuple[str, str, str]]:
        """(name, value, pattern) of the headers that do not look like the recorded ones."""
        found: list[tuple[str, str, str]] = []
        for name, value in headers:
            pattern = self.formats[name.lower()].pattern() if name.lower() in self.formats else None
            if pattern is not None and not pattern.fullmatch(value):
                found.append((name.lower(), value, pattern.pattern))
        return found
