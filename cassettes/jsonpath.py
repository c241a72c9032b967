"""JSON paths: the plain ones are ours, the rest is jsonpath-ng's, loaded only when a rule needs it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from llm_simulator.cassettes.canonical import ANY
from llm_simulator.errors import ConfigError
from llm_simulator.types import JSON

Step = str | int | None
"""A member's name, an element's index, or None for every one of them."""

Steps = tuple[Step, ...]

_PLAIN = re.compile(
    r"""\.(?P<name>[^\s.\[\]'"*?()@$]+) | \[(?P<index>-?\d+)\] | (?P<all>\.\*|\[\*\])
    | \['(?P<single>(?:[^'\\]|\\.)*)'\] | \["(?P<double>(?:[^"\\]|\\.)*)"\]""",
    re.VERBOSE,
)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Path:
    """A compiled JSON path. `steps` is set for a plain one, `expression` (jsonpath-ng) for any other."""

    text: str
    steps: Steps | None
    expression: Any = None

    def drop(self, value: JSON) -> JSON:
        """The value without what the path names: members go, elements become `ANY` (the others keep their places)."""
        for steps in self._found(value):
            value = _drop(value, steps)
        return value

    def hide(self, value: JSON) -> JSON:
        """The value with `ANY` in place of what the path names; a path that is not there changes nothing."""
        for steps in self._found(value):
            value = _hide(value, steps)
        return value

    def _found(self, value: JSON) -> list[Steps]:
        if self.steps is None:
            return [_steps_of(match.full_path) for match in self.expression.find(value)]
        return list(_expand(value, self.steps))


def compile_path(text: str) -> Path:
    """`$.a['b'][0].*` and all that jsonpath-ng understands. Raises ConfigError naming the path."""
    steps = _plain(text)
    return Path(text, steps) if steps is not None else Path(text, None, _foreign(text))


def spell(steps: Steps) -> str:
    """The path as text: `$.messages[0].content`, `$['odd key']`."""
    return "$" + "".join(_spell(step) for step in steps)


def _spell(step: Step) -> str:
    if step is None:
        return "[*]"
    if isinstance(step, int):
        return f"[{step}]"
    return f".{step}" if _NAME.fullmatch(step) else "['" + re.sub(r"([\\'])", r"\\\1", step) + "']"


def _plain(text: str) -> Steps | None:
    if not text.startswith("$"):
        return None
    steps: list[Step] = []
    at = 1
    while at < len(text):
        match = _PLAIN.match(text, at)
        if match is None:
            return None
        steps.append(_step(match))
        at = match.end()
    return tuple(steps)


def _step(match: re.Match[str]) -> Step:
    kind = match.lastgroup
    value = match.group(kind or 0)
    match kind:
        case "all":
            return None
        case "index":
            return int(value)
        case "name":
            return value
        case _:
            return _ESCAPE.sub(r"\1", value)


def _foreign(text: str) -> Any:
    from jsonpath_ng.exceptions import JSONPathError
    from jsonpath_ng.ext.parser import parse

    try:
        return parse(text)
    except JSONPathError as error:
        what = f"match.ignore: {text!r} is no JSON path ({error})"
        raise ConfigError(f'{what}; write "$.metadata.trace_id", or "/regex/" for text inside strings') from error


def _steps_of(path: Any) -> Steps:
    """A place that jsonpath-ng found, as steps."""
    from jsonpath_ng import Child, Fields, Index

    if isinstance(path, Child):
        return _steps_of(path.left) + _steps_of(path.right)
    if isinstance(path, Fields):
        return tuple(path.fields)
    if isinstance(path, Index):
        place: Any = path  # `indices` since 1.7, `index` before
        return tuple(place.indices) if hasattr(place, "indices") else (place.index,)
    return ()


def _expand(value: JSON, steps: Steps, done: Steps = ()) -> Iterator[Steps]:
    """The places in `value` that a plain path names."""
    if not steps:
        yield done
        return
    for step in _names(value, steps[0]):
        yield from _expand(value[step], steps[1:], (*done, step))


def _names(value: JSON, step: Step) -> list[Any]:
    if step is None:
        return list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
    if isinstance(step, str):
        return [step] if isinstance(value, dict) and step in value else []
    return [step % len(value)] if isinstance(value, list) and -len(value) <= step < len(value) else []


def _drop(value: JSON, steps: Steps) -> JSON:
    if steps and isinstance(steps[-1], str):
        _parent(value, steps).pop(steps[-1], None)
        return value
    return _hide(value, steps)


def _hide(value: JSON, steps: Steps) -> JSON:
    if not steps:
        return ANY
    parent = _parent(value, steps)
    if _names(parent, steps[-1]):  # it may have gone with one that stood above it
        parent[steps[-1]] = ANY
    return value


def _parent(value: JSON, steps: Steps) -> Any:
    for step in steps[:-1]:
        if not _names(value, step):
            return {}
        value = value[step]
    return value
