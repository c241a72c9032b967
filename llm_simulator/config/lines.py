"""On which line of a configuration file a field stands: YAML by its nodes, JSON by its tokens, TOML by its statements."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from yaml import Node

Place = tuple[int | str, ...]
Finder: TypeAlias = Callable[[Place], int | None]
"""The line (from 1) of the innermost part of a place that is written: of its key, where it has one."""


def finder(suffix: str, text: str) -> Finder:
    """For a file of this kind, which has been parsed before."""
    if suffix == ".toml":
        return _of_map(_first(_toml(text)))
    if suffix == ".json":
        return _of_map(_first(json_lines(text)))
    return _yaml(text)


def _first(placed: Iterator[tuple[Place, int]]) -> dict[Place, int]:
    lines: dict[Place, int] = {}
    for place, line in placed:
        lines.setdefault(place, line)
    return lines


def _of_map(lines: Mapping[Place, int]) -> Finder:
    def find(place: Place) -> int | None:
        found: int | None = None
        at: Place = ()
        for part in place:
            if (*at, part) in lines:
                at = (*at, part)
                found = lines[at]
        return found

    return find


# --- YAML


def composed(text: str) -> Node | None:
    """The nodes of a text that is valid YAML."""
    import yaml

    node: Node | None = yaml.compose(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return node


def _yaml(text: str) -> Finder:
    root = composed(text)
    return lambda place: _line_in(root, place)


def _line_in(node: Node | None, place: Place) -> int | None:
    from yaml import MappingNode, SequenceNode

    found: int | None = None
    at: Any = node
    for part in place:
        if isinstance(at, MappingNode):
            pair = next(((key, value) for key, value in at.value if key.value == str(part)), None)
            if pair is None:
                continue  # a shorthand: what stands for it is on the line of its parent
            found, at = pair[0].start_mark.line + 1, pair[1]
        elif isinstance(at, SequenceNode) and isinstance(part, int) and part < len(at.value):
            at = at.value[part]
            found = at.start_mark.line + 1
    return found


# --- JSON

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{},:]|[^\s\[\]{},:"]+|\n')


def json_lines(text: str) -> Iterator[tuple[Place, int]]:
    """Each member and item with the line where it begins."""
    import json

    line = 1
    at: list[int | str] = []  # of each container around: the number of its item, the name of its member
    naming: list[bool] = []  # of each container around: whether it is an object, and its next text a name
    for token in _TOKEN.findall(text):
        match token:
            case "\n":
                line += 1
            case "{" | "[":
                at.append("" if token == "{" else 0)
                naming.append(token == "{")
                if token == "[":
                    yield tuple(at), line
            case "}" | "]":
                at.pop()
                naming.pop()
            case ",":
                naming[-1] = isinstance(at[-1], str)
                if isinstance(at[-1], int):
                    at[-1] += 1
            case ":":
                naming[-1] = False
            case _ if naming and naming[-1]:
                at[-1] = json.loads(token)
                yield tuple(at), line
            case _ if at and isinstance(at[-1], int):
                yield tuple(at), line
            case _:
                pass
        if token in ("{", "[") and len(at) > 1 and isinstance(at[-2], int):
            yield tuple(at[:-1]), line


# --- TOML

_WORD = re.compile(r"[A-Za-z0-9_-]+|\"(?:[^\"\\]|\\.)*\"|'[^']*'")


def _toml(text: str) -> Iterator[tuple[Place, int]]:
    """Each table and key with its line. A statement is the shortest run of lines that is TOML by itself."""
    table: Place = ()
    counts: dict[Place, int] = {}
    for number, statement, value in _statements(text):
        start = statement.lstrip()
        if start.startswith("["):
            table = _table(value, counts if start.startswith("[[") else None, counts)
            for end in range(len(table)):
                yield table[: end + 1], number
            continue
        for place in _inside(value):
            yield (*table, *place), number + _offset(statement, place)


def _statements(text: str) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """(line, text, value) of each."""
    begun, first = "", 1
    for number, line in enumerate(text.splitlines(), 1):
        begun = f"{begun}\n{line}" if begun else line
        try:
            value = tomllib.loads(begun)
        except tomllib.TOMLDecodeError:
            continue  # it goes on
        if value:
            yield first, begun, value
        begun, first = "", number + 1


def _table(value: dict[str, Any], new: dict[Place, int] | None, counts: dict[Place, int]) -> Place:
    """The place that a header opens; of an array of tables the next item."""
    place: Place = ()
    inner: Any = value
    while isinstance(inner, dict) and inner:
        name, inner = next(iter(inner.items()))
        place = (*place, name)
        if new is not None and isinstance(inner, list):
            new[place] = new.get(place, -1) + 1
            return (*place, new[place])
        if place in counts:
            place = (*place, counts[place])
    return place


def _inside(value: Any) -> Iterator[Place]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in items:
        yield (name,)
        for place in _inside(inner):
            yield (name, *place)


def _offset(statement: str, place: Place) -> int:
    """How many lines below the start of a statement its innermost name stands, as far as can be told by looking for it."""
    found = at = 0
    lines = statement.split("\n")
    for part in place:
        for offset in range(at, len(lines)):
            if part in (word.strip("\"'") for word in _WORD.findall(lines[offset])):
                found = at = offset
                break
    return found
