"""Reads untrusted JSON: nothing here raises, whatever the client or the recording holds."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from json.decoder import JSONDecoder
from json.encoder import encode_basestring, encode_basestring_ascii
from typing import Any, cast

from llm_simulator.types import JSON, Text

Object = dict[str, Any]

_WORDS = re.compile(r"\s*\S{1,12}|\s+")
_SPACE = re.compile(r"[ \t\n\r]*")
_DECODER = JSONDecoder()


def as_object(value: JSON) -> Object:
    return cast("Object", value) if isinstance(value, dict) else {}


def as_list(value: JSON) -> list[Any]:
    return value if isinstance(value, list) else []


def as_text(value: JSON) -> str:
    return value if isinstance(value, str) else ""


def as_count(value: JSON) -> int:
    """A token count: a number as a whole one, anything else as 0."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0
    return int(value) if -1e15 < value < 1e15 else 0


def as_limit(value: JSON) -> int | None:
    """A positive whole number, or None."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def is_integer(value: JSON) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: JSON) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def objects(value: JSON) -> list[Object]:
    """The objects of a list; an object alone counts as a list of one (Google's JSON reader takes it so)."""
    if isinstance(value, dict):
        return [cast("Object", value)]
    return [cast("Object", item) for item in as_list(value) if isinstance(item, dict)]


def without(value: Object, *names: str) -> Object | None:
    """What is left of an object without `names`; None where nothing is."""
    return {name: item for name, item in value.items() if name not in names} or None


def load(text: str | bytes) -> JSON:
    """Parsed JSON; None where it does not parse."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def spelled(value: JSON) -> str:
    """A value as compact JSON text; "" where it is nested too deeply to be written."""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    except RecursionError:
        return ""


def quote(text: str) -> bytes:
    """A JSON string; escaped where UTF-8 cannot hold the text (lone surrogates)."""
    try:
        return encode_basestring(text).encode()
    except UnicodeEncodeError:
        return encode_basestring_ascii(text).encode()


def dump(value: JSON, *, colon: str = ":", indent: int | None = None) -> bytes:
    """JSON with raw UTF-8: compact, or indented; `colon` is ": " where a provider puts a space there."""
    separators = (",", ": ") if indent else (",", colon)
    text = json.dumps(value, ensure_ascii=False, separators=separators, indent=indent)
    try:
        return text.encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=separators, indent=indent).encode()


def words(text: str) -> tuple[str, ...]:
    """Text in pieces of about a token, for streaming an answer that was recorded whole. Joined they are the text.

    No token ranks are loaded for it: an adapted replay must start as fast as an exact one.
    """
    return tuple(_WORDS.findall(text))


def merged(pieces: list[str]) -> tuple[str, ...]:
    """The pieces that hold anything."""
    return tuple(piece for piece in pieces if piece)


def block(extra: JSON) -> Text:
    """A block of another kind than text, thinking or tool call, kept whole."""
    return Text((), extra=extra)


def is_block(part: Text) -> bool:
    return not part.tokens and bool(part.extra)


def is_refusal(part: Text) -> bool:
    """Text that says that the model will not answer, where the format tells that apart."""
    return as_object(part.extra).get("type") == "refusal"


def skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def elements(text: str) -> Iterator[JSON]:
    """The values of a JSON array as far as they are complete (a recorded array may have been cut)."""
    at = skip(text, 0)
    while at < len(text) and text[at] in "[,":
        try:
            value, at = _DECODER.raw_decode(text, skip(text, at + 1))
        except (ValueError, RecursionError):
            return
        yield value
        at = skip(text, at)
