"""Strings for a JSON schema: by format (RFC 3339, 5321, 3986, 9562 ...), by pattern, by length; else a few words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from llm_simulator.simulator.patterns import PatternError, compiled, matching
from llm_simulator.simulator.rng import DeterministicRng
from llm_simulator.simulator.schema_forms import ImpossibleError, patterns_of
from llm_simulator.simulator.text import chain

TRIES = 60
LONGEST = 1 << 20
"""Characters: a longer `minLength` is given up."""

_EDGES = ".,;:!?*`“”"
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def string_of(schema: Mapping[str, Any], rng: DeterministicRng) -> str:
    """Text that has the pattern, the length and, where these leave it free, the format of a flat schema.

    Raises:
        ImpossibleError: none was found.
    """
    least, most = int(schema.get("minLength", 0)), schema.get("maxLength")
    if most is not None and least > most:
        raise ImpossibleError(f"minLength {least} is more than maxLength {most}")
    if least > LONGEST:
        raise ImpossibleError(f"minLength {least} is more than {LONGEST} characters, which is the most made here")
    if patterns := patterns_of(schema):
        return _patterned(patterns, least, most, rng)
    write = FORMATS.get(str(schema.get("format", "")))
    for _ in range(8 if write else 0):
        assert write is not None
        text = write(rng)
        if least <= len(text) and (most is None or len(text) <= most):
            return text
    return _sized(words(rng, 1, 4), least, most, rng)


def words(rng: DeterministicRng, least: int, most: int) -> str:
    """So many words of the corpus, without the punctuation around them."""
    known = chain().words
    drawn = (known[rng.below(len(known))] for _ in range(least + rng.below(most - least + 1)))
    return " ".join(word.strip(_EDGES) for word in drawn)


def _sized(text: str, least: int, most: int | None, rng: DeterministicRng) -> str:
    parts = [text]
    size = len(text)
    while size < least:
        parts.append(" " + words(rng, 1, 4))
        size += len(parts[-1])
    text = "".join(parts)
    if most is None or len(text) <= most:
        return text
    cut = text[: int(most)]
    return cut[:-1] + _LETTERS[rng.below(26)] if cut.endswith(" ") else cut


def _patterned(patterns: list[str], least: int, most: int | None, rng: DeterministicRng) -> str:
    """Text from the first pattern; tried longer and shorter until the others and the length are met, too."""
    known = [expression for expression in map(compiled, patterns) if expression is not None]
    try:
        for attempt in range(TRIES):
            stretch = 0 if attempt % 4 == 3 else 3 + (least >> 2) + attempt
            text = matching(patterns[attempt % len(patterns)], rng, stretch)
            for candidate in (text, _sized(text, least, most, rng), _filled(text, least, most)):
                fits = least <= len(candidate) and (most is None or len(candidate) <= most)
                if fits and all(expression.search(candidate) for expression in known):
                    return candidate
    except PatternError as error:
        raise ImpossibleError(str(error)) from None
    raise ImpossibleError(f"pattern: no text found for {' and '.join(patterns)} of {least} to {most} characters")


def _filled(text: str, least: int, most: int | None) -> str:
    """The text made long enough with its own last character, or cut."""
    if len(text) < least:
        return text + (text[-1:] or "a") * (least - len(text))
    return text if most is None else text[: int(most)]


def _day(rng: DeterministicRng) -> str:
    return f"{2020 + rng.below(7)}-{1 + rng.below(12):02}-{1 + rng.below(28):02}"


def _clock(rng: DeterministicRng) -> str:
    return f"{rng.below(24):02}:{rng.below(60):02}:{rng.below(60):02}Z"


def _uuid(rng: DeterministicRng) -> str:
    bits = f"{rng.next_u64():016x}{rng.next_u64():016x}"
    return f"{bits[:8]}-{bits[8:12]}-4{bits[13:16]}-a{bits[17:20]}-{bits[20:]}"


def _email(rng: DeterministicRng) -> str:
    return f"user{rng.below(1000)}@example.com"


def _uri(rng: DeterministicRng) -> str:
    return f"https://example.com/{rng.below(100000)}"


def _path(rng: DeterministicRng) -> str:
    return f"/{_LETTERS[rng.below(26)]}/{rng.below(100)}"


FORMATS: Mapping[str, Callable[[DeterministicRng], str]] = {
    "date": _day,
    "time": _clock,
    "date-time": lambda rng: f"{_day(rng)}T{_clock(rng)}",
    "duration": lambda rng: f"PT{1 + rng.below(59)}M",
    "email": _email,
    "idn-email": _email,
    "hostname": lambda rng: f"host{rng.below(1000)}.example.com",
    "idn-hostname": lambda rng: f"host{rng.below(1000)}.example.com",
    "ipv4": lambda rng: f"192.0.2.{rng.below(256)}",
    "ipv6": lambda rng: f"2001:db8::{rng.below(65536):x}",
    "uri": _uri,
    "url": _uri,
    "iri": _uri,
    "uri-reference": _path,
    "iri-reference": _path,
    "uri-template": lambda rng: f"https://example.com/{rng.below(100)}/{{name}}",
    "json-pointer": _path,
    "relative-json-pointer": lambda rng: f"{rng.below(3)}{_path(rng)}",
    "regex": lambda rng: f"^[a-z]{{1,{1 + rng.below(9)}}}$",
    "uuid": _uuid,
    "byte": lambda rng: "c2ltdWxhdGVk",
    "base64": lambda rng: "c2ltdWxhdGVk",
}
"""By the name of the format; unknown ones get plain words. Addresses are those reserved for documentation."""
