"""The JSON layouts of the providers, by the name that says how they look on the wire."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from json.encoder import encode_basestring, encode_basestring_ascii
from math import isfinite

from llm_simulator.dialects.fields import dump
from llm_simulator.types import JSON

_BEYOND = re.compile(r"[^\x00-\x7f]+")
_SCALARS: dict[type, Callable[[JSON], str]] = {
    str: encode_basestring,
    int: int.__repr__,
    float: lambda value: repr(value) if isfinite(value) else json.dumps(value),
    bool: lambda value: "true" if value else "false",
    type(None): lambda value: "null",
}


def compact(value: JSON) -> bytes:
    """No white space: SSE data, Azure's gateway, most compatible servers."""
    return dump(value)


def spliced(value: JSON, lists: Mapping[str, Sequence[bytes]]) -> bytes:
    """Compact, with a list in the place of each text that `lists` has items for: JSON that was spelled before, in pieces.

    Such a text must be one that nobody else can have written there: a digest.
    """
    text = dump(value)
    for mark, items in lists.items():
        text = text.replace(dump(mark), b"[" + b",".join(items) + b"]", 1)
    return text


def compact_line(value: JSON) -> bytes:
    """Compact with a trailing newline: Azure and Groq completions."""
    return dump(value) + b"\n"


def indented(value: JSON) -> bytes:
    """Two spaces, no trailing newline: OpenAI's application errors."""
    return _utf8(_laid_out(value, "  ", ""))


def indented_ascii(value: JSON) -> bytes:
    """As `indented`, with `\\u` escapes for all beyond ASCII: OpenAI's Responses."""
    text = _laid_out(value, "  ", "")
    return (text if text.isascii() else _BEYOND.sub(_escape, text)).encode()


def _escape(found: re.Match[str]) -> str:
    return encode_basestring_ascii(found[0])[1:-1]


def indented_line(value: JSON) -> bytes:
    """Two spaces and a trailing newline: OpenAI's chat completions and model lists."""
    return _utf8(_laid_out(value, "  ", "") + "\n")


def gateway(value: JSON) -> bytes:
    """Four spaces and a trailing newline: errors of OpenAI's gateway (401, 405, unknown path or chat model)."""
    return _utf8(_laid_out(value, "    ", "") + "\n")


def _laid_out(value: JSON, step: str, margin: str) -> str:
    """As `json.dumps(value, indent=..., ensure_ascii=False)` in a third of its time: that one is not in C."""
    spell = _SCALARS.get(type(value))
    if spell:
        return spell(value)
    if not value:
        return "[]" if isinstance(value, list) else "{}"
    inner = f"{margin}{step}"
    if isinstance(value, list):
        return f"[\n{inner}" + f",\n{inner}".join(_each(value, step, inner)) + f"\n{margin}]"
    texts = zip(map(encode_basestring, value), _each(value.values(), step, inner), strict=True)
    return f"{{\n{inner}" + f",\n{inner}".join(map(": ".join, texts)) + f"\n{margin}}}"


def _each(values: Iterable[JSON], step: str, margin: str) -> list[str]:
    spells = _SCALARS  # most values are scalars: no call of our own for them
    return [spell(value) if (spell := spells.get(type(value))) else _laid_out(value, step, margin) for value in values]


def _utf8(text: str) -> bytes:
    """A lone surrogate comes out as the escape that JSON has for it."""
    return text.encode("utf-8", "backslashreplace")


def ordered(value: JSON) -> JSON:
    """The same value with the keys of its objects in alphabetical order, as Azure has them.

    `prompt_filter_results` is added by another layer there and keeps its own order.
    """
    if isinstance(value, dict):
        return {key: item if key == "prompt_filter_results" else ordered(item) for key, item in sorted(value.items())}
    return [ordered(item) for item in value] if isinstance(value, list) else value
