"""Secrets known by value (from the environment, or a credential of the same exchange), however they are escaped.

Texts here are "byte text": bytes decoded as latin-1, one character per byte.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from llm_simulator.redact.names import secret_variable
from llm_simulator.redact.placeholder import Span, is_placeholder

SHORTEST = 12
"""A value shorter than this may be an ordinary word; it is masked only where a name says what it is."""

_PLAIN = re.compile(r"[A-Za-z0-9_]+", re.ASCII)

_HEX = re.compile(r"u[0-9a-fA-F]{4}")
_HEX_PAIR = re.compile(r"[0-9a-fA-F]{2}")
_HALF = re.compile(r"%[0-9a-fA-F]\Z")


def bytes_text(text: str) -> str:
    """The UTF-8 bytes of a text, one character each."""
    return text if text.isascii() else text.encode("utf-8", "surrogatepass").decode("latin-1")


@dataclass(frozen=True)
class Value:
    """One secret value. `core` is its longest run that no encoding escapes: where that is absent, the value is."""

    text: str
    kind: str

    @cached_property
    def core(self) -> str:
        return max(_PLAIN.findall(self.text), key=len, default="")

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        return re.compile("".join(map(_spellings, self.text)))

    def find(self, text: str, vocabulary: str) -> Iterator[Span]:
        if self.core in vocabulary:
            for match in self.pattern.finditer(text):
                yield Span(_whole_escapes(text, *match.span()), match.end(), self.kind)


def _whole_escapes(text: str, start: int, end: int) -> int:
    """The start, or a little later where the first characters belong to an escape: JSON must stay JSON."""
    before = text[max(0, start - 5) : start]
    if (len(before) - len(before.rstrip("\\"))) % 2:
        four = _HEX.match(text, start)
        return min(end, start + (5 if four else 1)) if text[start] in "bfnrtu" else start
    if before.endswith("%") and _HEX_PAIR.match(text, start):
        return start + 2
    return start + 1 if _HALF.search(before) and text[start] in "0123456789abcdefABCDEF" else start


def values(secrets: Iterable[tuple[str, str]]) -> tuple[Value, ...]:
    """Values from (kind, secret) pairs: trimmed, 12 characters or more, each once, longest first."""
    kinds: dict[str, str] = {}
    for kind, secret in secrets:
        trimmed = secret.strip()
        if len(trimmed) >= SHORTEST and not is_placeholder(trimmed):
            kinds.setdefault(trimmed, kind)
    return tuple(Value(text, kinds[text]) for text in sorted(kinds, key=len, reverse=True))


def from_environment(environ: Mapping[str, str]) -> tuple[Value, ...]:
    """The values of the environment variables whose names say secret; a finding names the variable, never the value."""
    return values((f"value of ${name}", value) for name, value in environ.items() if secret_variable(name))


_ESCAPES = {"\n": "n", "\r": "r", "\t": "t", "\b": "b", "\f": "f"}


def _spellings(char: str) -> str:
    """A pattern for one character as JSON (nested too), percent-encoding and forms may spell it."""
    if char.isascii() and (char.isalnum() or char == "_"):
        return char
    plain = bytes_text(char)
    ways = [re.escape(plain), _units(char), "".join(_percent(byte) for byte in plain.encode("latin-1"))]
    if char != plain:
        ways.append(re.escape(char))  # as a JSON reader gives it for an escape
    if char in "\"/'\\":
        ways.insert(0, rf"\\+{re.escape(char)}")
    if char in _ESCAPES:
        ways.append(rf"\\+{_ESCAPES[char]}")
    if char == " ":
        ways.append(r"\+")
    return f"(?:{'|'.join(ways)})"


def _units(char: str) -> str:
    """JSON's `\\uXXXX`, a surrogate pair where it takes two (RFC 8259, 7)."""
    code = char.encode("utf-16-be", "surrogatepass").hex()
    return "".join(rf"\\+u{_any_case(code[at : at + 4])}" for at in range(0, len(code), 4))


def _percent(byte: int) -> str:
    return f"%(?:25)*{_any_case(f'{byte:02x}')}"


def _any_case(digits: str) -> str:
    return "".join(f"[{digit}{digit.upper()}]" if digit.isalpha() else digit for digit in digits)
