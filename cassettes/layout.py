"""JSON bodies shown one field per line and given back byte for byte: only white space changes, every lexeme stays.

A layout names the white space that the body had: "compact" (`{"a":1}`), "spaced" (`{"a": 1, "b": 2}`, Python's way),
"indent-2", "indent-4"; after it may come "ascii" (characters beyond ASCII were `\\uXXXX`) and "newline" (at the end).
"""

from __future__ import annotations

import json
import re

from llm_simulator.cassettes.scalars import UNSHOWN
from llm_simulator.types import JSON

LAYOUTS = ("compact", "spaced", "indent-2", "indent-4")
FLAGS = ("ascii", "newline")

_STRING = r'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_TOKEN = re.compile(rf'{_STRING}|[{{}}\[\],:]|[^\s{{}}\[\],:"]++')
_SPACE = re.compile(rf"({_STRING})|[ \t\r\n]++")
_SEPARATOR = re.compile(rf"({_STRING})|([,:])[ \t\r\n]*+|[ \t\r\n]++")
_INDENT = re.compile(r"^( +)", re.M)
_ESCAPES = re.compile(r"\\[^u]|(?:\\u[0-9a-f]{4})+")
_NON_ASCII = re.compile(r"[^\x00-\x7f]+")


def parse(text: str) -> JSON:
    """The value of JSON text; ValueError where it is none (or nested too deeply to be shown)."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def show(text: str) -> tuple[str, str] | None:
    """(the body one field per line, its layout) such that `restore` gives `text` back, or None where none does."""
    if text[:1] not in ("{", "[") or not _is_json(text):
        return None
    core = text.removesuffix("\n")
    flags = ("newline",) if core != text else ()
    block = pretty(core)
    layout = next((name for name in LAYOUTS if _spaced(block, name) == core), None)
    if layout is None:
        return None
    plain = _unescape(block) if core.isascii() and "\\u" in core else block
    if plain != block and _escape(plain) == block:
        block, flags = plain, ("ascii", *flags)
    return block, ", ".join((layout, *flags))


def restore(block: str, layout: str) -> str:
    """The body that `show` was given. `block` may be edited: its white space is replaced by the layout's."""
    name, *flags = layout.split(", ")
    text = _spaced(block, name)
    if "ascii" in flags:
        text = _escape(text)
    return text + "\n" if "newline" in flags else text


def known(layout: str) -> bool:
    """Whether `layout` is one that `restore` takes."""
    name, *flags = layout.split(", ")
    return name in LAYOUTS and all(flag in FLAGS for flag in flags)


def pretty(text: str) -> str:
    """JSON text with one member or element per line, two spaces deep; its lexemes stay as they are."""
    out: list[str] = []
    depth = 0
    fresh = False  # the last token opened an object or array
    for token in _TOKEN.findall(text):
        if token in ("}", "]"):
            depth -= 1
            out.append(token if fresh else f"\n{'  ' * depth}{token}")
            fresh = False
            continue
        if fresh:
            out.append(f"\n{'  ' * depth}")
        fresh = token in ("{", "[")
        if fresh:
            depth += 1
        out.append(f",\n{'  ' * depth}" if token == "," else ": " if token == ":" else token)
    return "".join(out)


def _spaced(block: str, name: str) -> str:
    match name:
        case "compact":
            return _SPACE.sub(r"\1", block)
        case "spaced":
            return _SEPARATOR.sub(lambda found: found[1] or (f"{found[2]} " if found[2] else ""), block)
        case "indent-4":
            return _INDENT.sub(r"\1\1", block)
        case _:
            return block


def _is_json(text: str) -> bool:
    try:
        parse(text)
    except ValueError:
        return False
    return True


def _unescape(text: str) -> str:
    return _ESCAPES.sub(lambda found: _plain(found[0]), text)


def _plain(escapes: str) -> str:
    """The characters of a run of `\\uXXXX`; those that text cannot show stay escaped."""
    if escapes[1] != "u":
        return escapes
    characters = json.loads(f'"{escapes}"')
    return "".join(c if c > "\x7f" and not UNSHOWN.search(c) else json.dumps(c)[1:-1] for c in characters)


def _escape(text: str) -> str:
    return _NON_ASCII.sub(lambda found: json.dumps(found[0])[1:-1], text)
