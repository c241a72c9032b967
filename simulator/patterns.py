"""Text that matches a regular expression, drawn from a seed.

The part of ECMA-262 that JSON schemas use: alternatives, groups, classes, escapes, quantifiers, anchors. Look-around,
back-references and word boundaries make no text of their own: whoever asks checks what came out and asks again.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from functools import lru_cache

from llm_simulator.simulator.rng import DeterministicRng

MOST = 400
"""Pieces after which repeats are cut to their minimum: nested repeats multiply."""

_DIGITS = "0123456789"
_LOWER = "abcdefghijklmnopqrstuvwxyz"
_WORD = _LOWER + _LOWER.upper() + _DIGITS + "_"
_PLAIN = _LOWER + _LOWER.upper() + _DIGITS + " .,-_"
_PRINTABLE = "".join(map(chr, range(32, 127)))
_CLASSES = {
    "d": _DIGITS,
    "w": _WORD,
    "s": " ",
    "D": "".join(sign for sign in _PRINTABLE if sign not in _DIGITS),
    "W": "".join(sign for sign in _PRINTABLE if sign not in _WORD),
    "S": _PRINTABLE[1:],
}
_CONTROL = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v", "0": "\0"}
_NAMED = re.compile(r"\\[pP]\{(\^?[^}]*)\}")
_REPEAT = re.compile(r"\{(\d*)(,?)(\d*)\}")
_GROUP = re.compile(r"\?(?::|P?<[A-Za-z_]\w*>)")
_AROUND = re.compile(r"\?<?[=!]")


@dataclass(frozen=True, slots=True)
class Signs:
    """Any one of these characters."""

    signs: str


@dataclass(frozen=True, slots=True)
class Repeat:
    what: Node
    least: int
    most: int | None


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the sequences."""

    branches: tuple[tuple[Node, ...], ...]


Node = Signs | Repeat | Choice


class PatternError(ValueError):
    """The pattern cannot be read; the text says where."""


@lru_cache(maxsize=512)
def parse(pattern: str) -> Choice:
    """Raises:
    PatternError: see there.
    """
    reader = _Reader(pattern)
    tree = reader.choice(0)
    if reader.at < len(pattern):
        raise PatternError(f"pattern {pattern!r}: unexpected {pattern[reader.at]!r} at {reader.at}")
    return tree


@lru_cache(maxsize=512)
def compiled(pattern: str) -> re.Pattern[str] | None:
    """The pattern for Python's engine, or None where that does not know it (`\\p{...}` of a script)."""
    text = _NAMED.sub(lambda match: r"[^\W\d_]" if match[1].startswith(("L", "Alpha")) else r"\w", pattern)
    text = re.sub(r"\(\?<(?=[A-Za-z_])", "(?P<", text)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", FutureWarning
            )  # "[[a]" means a set of two to ECMA-262, and to Python so far
            return re.compile(text)
    except (re.error, OverflowError, RecursionError):
        return None


def matching(pattern: str, rng: DeterministicRng, stretch: int = 3) -> str:
    """Text that matches; an open repeat comes up to `stretch` times more often than it must.

    Raises:
        PatternError: the pattern cannot be read.
    """
    made: list[str] = []
    _write(parse(pattern), rng, stretch, made)
    return "".join(made)


def _write(node: Node, rng: DeterministicRng, stretch: int, made: list[str]) -> None:
    match node:
        case Signs(signs):
            made.append(signs[rng.below(len(signs))] if signs else "")
        case Choice(branches):
            place = rng.below(len(branches)) if len(branches) > 1 else 0
            for part in branches[place]:
                _write(part, rng, stretch, made)
        case Repeat(what, least, most):
            room = stretch if most is None else min(stretch, most - least)
            more = rng.below(room + 1) if room > 0 and len(made) < MOST else 0
            for _ in range(least + more):
                _write(what, rng, stretch, made)


class _Reader:
    """A recursive descent over the pattern; `at` is the next character."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def choice(self, depth: int) -> Choice:
        if depth > 50:
            raise PatternError(f"pattern {self.text[:40]!r}...: groups are nested too deeply")
        branches: list[tuple[Node, ...]] = []
        while True:
            branches.append(self._sequence(depth))
            if self._peek() != "|":
                return Choice(tuple(branches))
            self.at += 1

    def _sequence(self, depth: int) -> tuple[Node, ...]:
        made: list[Node] = []
        while self._peek() not in ("", "|", ")"):
            atom = self._atom(depth)
            if atom is not None:
                made.append(self._repeated(atom))
        return tuple(made)

    def _peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def _atom(self, depth: int) -> Node | None:
        sign = self._peek()
        self.at += 1
        match sign:
            case "^" | "$":
                return None
            case ".":
                return Signs(_PLAIN)
            case "(":
                return self._group(depth)
            case "[":
                return Signs(self._class())
            case "\\":
                return self._escape()
            case "*" | "+" | "?":
                raise PatternError(f"pattern {self.text!r}: nothing to repeat at {self.at - 1}")
            case _:
                return Signs(sign)

    def _group(self, depth: int) -> Node | None:
        around = _AROUND.match(self.text, self.at)
        named = _GROUP.match(self.text, self.at)
        if around or named:
            self.at = (around or named).end()  # type: ignore[union-attr]
        inner = self.choice(depth + 1)
        if self._peek() != ")":
            raise PatternError(f"pattern {self.text!r}: a group is not closed")
        self.at += 1
        return None if around else inner

    def _repeated(self, atom: Node) -> Node:
        sign = self._peek()
        counted = _REPEAT.match(self.text, self.at) if sign == "{" else None
        if sign in ("*", "+", "?") and sign:
            self.at += 1
            least, most = {"*": (0, None), "+": (1, None), "?": (0, 1)}[sign]
        elif counted and (counted[1] or counted[3]):
            self.at = counted.end()
            least = int(counted[1] or 0)
            most = int(counted[3]) if counted[3] else None if counted[2] else least
        else:
            return atom
        if self._peek() in ("?", "+") and self._peek():
            self.at += 1
        if least > 10_000:
            raise PatternError(f"pattern {self.text!r}: {least} repeats are too many")
        return Repeat(atom, least, most)

    def _escape(self) -> Node | None:
        named = _NAMED.match(self.text, self.at - 1)
        if named:
            self.at = named.end()
            return Signs(_of_property(named[1]))
        sign = self._peek()
        self.at += 1
        if sign in _CLASSES:
            return Signs(_CLASSES[sign])
        if sign in ("b", "B", "A", "Z", "z") or (sign.isdigit() and sign != "0"):
            return None
        return Signs(self._character(sign))

    def _character(self, sign: str) -> str:
        """What an escaped `sign` (already read) stands for."""
        if sign in _CONTROL:
            return _CONTROL[sign]
        code = re.compile(r"\{([0-9a-fA-F]+)\}|([0-9a-fA-F]{4})" if sign == "u" else r"([0-9a-fA-F]{2})()")
        found = code.match(self.text, self.at) if sign in ("u", "x") else None
        if found:
            self.at = found.end()
            return chr(min(int(found[1] or found[2], 16), 0x10FFFF))
        return sign

    def _class(self) -> str:
        """The characters of a bracket expression; of a negated one, those that are easy to read."""
        negated = self._peek() == "^"
        self.at += negated
        signs: dict[str, None] = {}
        first = True
        while first or self._peek() != "]":
            if not self._peek():
                raise PatternError(f"pattern {self.text!r}: a class is not closed")
            if first and self._peek() == "]":  # in ECMA-262 an empty class, which matches nothing
                break
            first = False
            self._item(signs)
        self.at += 1
        if negated:
            plain = "".join(sign for sign in _PLAIN if sign not in signs)
            return plain or "".join(sign for sign in _PRINTABLE if sign not in signs) or "é"
        return "".join(signs)

    def _item(self, signs: dict[str, None]) -> None:
        low = self._one()
        dash = self._peek() == "-" and self.text[self.at + 1 : self.at + 2] not in ("]", "")
        if len(low) != 1 or not dash:
            signs.update(dict.fromkeys(low))
            return
        self.at += 1
        high = self._one()
        if len(high) != 1:
            signs.update(dict.fromkeys(f"{low}-{high}"))
            return
        span = range(ord(low), min(ord(high), ord(low) + 512) + 1)
        signs.update(dict.fromkeys(chr(code) for code in span if not 0xD800 <= code < 0xE000))

    def _one(self) -> str:
        """One character of a class, or all of a shorthand."""
        sign = self._peek()
        self.at += 1
        if sign != "\\":
            return sign
        named = _NAMED.match(self.text, self.at - 1)
        if named:
            self.at = named.end()
            return _of_property(named[1])
        sign = self._peek()
        self.at += 1
        return _CLASSES.get(sign) or ("\b" if sign == "b" else self._character(sign))


def _of_property(name: str) -> str:
    """A few characters that have a Unicode property."""
    kind = name.rpartition("=")[2]
    if kind.startswith("N"):
        return _DIGITS
    if kind.startswith("Lu") or kind == "Uppercase":
        return _LOWER.upper()
    return "-.,!" if kind.startswith("P") else _LOWER
