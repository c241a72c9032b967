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

_ESCAPE = re.compile(r"\\(?:u[0-9a-fA-F]{4}|[bfnrt])|%[0-9a-fA-F]{2}")
_ANY_ESCAPE = re.compile(r"\\(?:u[0-9a-fA-F]{4}|[\"\\/bfnrt])")


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
                yield Span(*_whole(text, *match.span()), self.kind)


def _whole(text: str, start: int, end: int) -> tuple[int, int]:
    """The span, without an escape that it would cut at its start and with one that it would cut at its end.

    JSON must stay JSON: `\\n` before `abc` may be a line end, whatever the secret begins with.
    """
    for at in range(max(0, start - 5), start):
        match = _ESCAPE.match(text, at)
        if match and match.end() > start and (text[at] == "%" or _odd(text, at)):
            return min(match.end(), end), end
    if text[end - 1] == "\\" and _odd(text, end - 1) and (match := _ANY_ESCAPE.match(text, end - 1)):
        return start, match.end()
    return start, end


def _odd(text: str, at: int) -> bool:
    """Whether the backslash here begins an escape: an even number stands before it."""
    before = text[max(0, at - 64) : at]
    return (len(before) - len(before.rstrip("\\"))) % 2 == 0


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
        ways.insert(0, rf"\\{{1,15}}{re.escape(char)}")
    if char in _ESCAPES:
        ways.append(rf"\\{{1,15}}{_ESCAPES[char]}")
    if char == " ":
        ways.append(r"\+")
    return f"(?:{'|'.join(ways)})"


def _units(char: str) -> str:
    """JSON's `\\uXXXX`, a surrogate pair where it takes two (RFC 8259, 7)."""
    code = char.encode("utf-16-be", "surrogatepass").hex()
    return "".join(rf"\\{{1,15}}u{_any_case(code[at : at + 4])}" for at in range(0, len(code), 4))


def _percent(byte: int) -> str:
    return f"%(?:25)*{_any_case(f'{byte:02x}')}"


def _any_case(digits: str) -> str:
    return "".join(f"[{digit}{digit.upper()}]" if digit.isalpha() else digit for digit in digits)
