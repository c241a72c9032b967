"""Which places of a request body were masked by a rule that the match key cannot repeat: by value or by a name.

A key of a known shape needs no path: `mask` makes the live text and the recorded one equal. These places are ignored
when a live request is compared with the recording.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from urllib.parse import unquote_plus

from llm_simulator.redact.placeholder import MASKED
from llm_simulator.redact.shapes import mask
from llm_simulator.types import JSON

WHOLE = "$"
"""The path of the whole body, where no smaller place can be named."""

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_NAME = re.compile(r'\bname="?([^";\r\n]+)')
_JSON_START = re.compile(r"(?:\xef\xbb\xbf)?\s*[{\[]")


def masked_paths(before: str, after: str, content_type: str) -> tuple[str, ...]:
    """JSON paths (for a form: `$.field`) of what differs between two byte texts of one body beyond known shapes."""
    if before == after or _alike(before, after):
        return ()
    if _JSON_START.match(before[:64]):
        return _json_paths(before, after)
    if "x-www-form-urlencoded" in content_type:
        return _form_paths(before, after)
    if content_type.startswith("multipart/"):
        return _part_paths(before, after)
    return (WHOLE,)


def _alike(before: str, after: str) -> bool:
    return MASKED.sub("", mask(before)) == MASKED.sub("", mask(after))


def _json_paths(before: str, after: str) -> tuple[str, ...]:
    try:
        was, now = (json.loads(text.encode("latin-1")) for text in (before, after))
        return tuple(dict.fromkeys(_changed(was, now, WHOLE)))
    except (ValueError, RecursionError):
        return (WHOLE,)


def _changed(was: JSON, now: JSON, path: str) -> Iterator[str]:
    if isinstance(was, dict) and isinstance(now, dict):
        if not all(map(_alike, was, now)) or len(was) != len(now):
            yield path
            return
        for old, (name, value) in zip(was.values(), now.items(), strict=True):
            yield from _changed(old, value, path + step(name))
    elif isinstance(was, list) and isinstance(now, list):
        for at, (old, value) in enumerate(zip(was, now, strict=True)):
            yield from _changed(old, value, f"{path}[{at}]")
    elif was != now and not (isinstance(was, str) and isinstance(now, str) and _alike(was, now)):
        yield path


def step(name: str) -> str:
    """A member's name as a step of a JSON path."""
    if _PLAIN.fullmatch(name):
        return f".{name}"
    escaped = name.replace("\\", "\\\\").replace("'", "\\'")
    return f"['{escaped}']"


def _form_paths(before: str, after: str) -> tuple[str, ...]:
    was, now = before.split("&"), after.split("&")
    if len(was) != len(now):
        return (WHOLE,)
    names = [new.partition("=")[0] for old, new in zip(was, now, strict=True) if not _alike(old, new)]
    return tuple(dict.fromkeys(WHOLE + step(_field(name)) for name in names))


def _field(name: str) -> str:
    return unquote_plus(name.strip(), errors="surrogateescape")


def _part_paths(before: str, after: str) -> tuple[str, ...]:
    """The names of the parts in which the texts differ: the last `name=` before each difference."""
    starts = [(match.end(), match[1]) for match in _NAME.finditer(after)]
    if len(before) != len(after) or not starts:
        return (WHOLE,)
    ends = [at for at, _ in starts[1:]] + [len(after)]
    paths = [
        WHOLE + step(name)
        for (at, name), end in zip(starts, ends, strict=True)
        if not _alike(before[at:end], after[at:end])
    ]
    return tuple(dict.fromkeys(paths)) or (WHOLE,)
