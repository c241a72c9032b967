"""YAML nodes read field by field: nothing is constructed; complaints say file, document, line, field, got and allowed.

Scalars are taken as the text that stands there, so that `0123`, `on` or `2024-01-01` in a header stay what they are.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import yaml

from llm_simulator.errors import CassetteError
from llm_simulator.types import JSON

if TYPE_CHECKING:
    from yaml import SafeLoader as _Safe
else:  # a PyYAML without libyaml is slower, with the same result
    _Safe = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_JSON_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_JSON_WORDS: dict[str, JSON] = {"true": True, "false": False, "null": None, "~": None, "": None}
_CORE = frozenset(
    f"tag:yaml.org,2002:{name}" for name in ["str", "int", "float", "bool", "null", "timestamp", "merge", "value"]
)
_TAGS: dict[type[yaml.Node], str] = {
    yaml.ScalarNode: "tag:yaml.org,2002:str",
    yaml.SequenceNode: "tag:yaml.org,2002:seq",
    yaml.MappingNode: "tag:yaml.org,2002:map",
}
_SHOWN = 60  # characters of a wrong value that a message repeats


class _Loader(_Safe):
    """Guesses no types (that a plain scalar looks like a date is none of our business), which is faster by a third."""

    def resolve(self, kind: type[yaml.Node], value: object, implicit: object) -> str:
        return _TAGS[kind]

    def descend_resolver(self, current_node: object, current_index: object) -> None:
        pass

    def ascend_resolver(self) -> None:
        pass


@dataclass(frozen=True, slots=True)
class Document:
    """Where a document stands: file, its number (0 is the header) and the line (from 1) that it starts at."""

    file: str
    number: int
    line: int

    def at(self, node: yaml.Node) -> str:
        return f"cassette {self.file}: document {self.number}, line {self.line + int(node.start_mark.line)}"


def compose(data: bytes, document: Document) -> yaml.Node | None:
    """The root node of one document (None: it is empty); CassetteError where it is not YAML."""
    try:
        node: yaml.Node | None = yaml.compose(data, Loader=_Loader)
    except yaml.MarkedYAMLError as problem:
        mark = problem.problem_mark or problem.context_mark
        line = document.line + (mark.line if mark else 0)
        raise CassetteError(
            f"cassette {document.file}: document {document.number}, line {line}: not YAML: {problem.problem}"
        ) from problem
    except (yaml.YAMLError, RecursionError, ValueError) as problem:
        raise CassetteError(
            f"cassette {document.file}: document {document.number}, line {document.line}: not YAML: {problem}"
        ) from problem
    return node


class Fields:
    """A mapping whose fields are asked for by name; a field that is not among `allowed` is an error at once."""

    def __init__(self, node: yaml.Node, document: Document, allowed: tuple[str, ...], path: str = "") -> None:
        self.document = document
        self.node = node
        self.path = path
        self._nodes: dict[str, yaml.Node] = {}
        for name, value in entries(node, document, path or "the document"):
            if name not in allowed:
                raise self.wrong(value, f"unknown field {self._path(name)!r}", f"allowed are {', '.join(allowed)}")
            if name in self._nodes:
                raise self.wrong(value, f"field {self._path(name)!r} stands twice")
            self._nodes[name] = value

    def __contains__(self, name: str) -> bool:
        return name in self._nodes

    def get(self, name: str) -> yaml.Node | None:
        return self._nodes.get(name)

    def wrong(self, node: yaml.Node, *what: str) -> CassetteError:
        return CassetteError(f"{self.document.at(node)}: {'; '.join(what)}")

    def fault(self, name: str, *what: str) -> CassetteError:
        """The error for field `name`."""
        return self.wrong(self._nodes.get(name, self.node), f"field {self._path(name)!r}: {what[0]}", *what[1:])

    def _path(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name

    def text(self, name: str, default: str | None = None) -> str:
        """The field as text; without `default` it must be there."""
        node = self._nodes.get(name)
        if node is not None:
            return string(node, self.document, self._path(name))
        if default is None:
            raise self.fault(name, "is missing")
        return default

    def number(self, name: str, default: int) -> int:
        if name not in self:
            return default
        found = self.text(name)
        try:
            return int(found)
        except ValueError:
            raise self.fault(name, f"got {shown(found)}", "allowed is a whole number") from None

    def choice(self, name: str, default: str, allowed: tuple[str, ...]) -> str:
        found = self.text(name, default)
        if found not in allowed:
            raise self.fault(name, f"got {shown(found)}", f"allowed are {', '.join(allowed)}")
        return found

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of texts; () where the field is absent."""
        node = self._nodes.get(name)
        if node is None:
            return ()
        if not isinstance(node, yaml.SequenceNode):
            raise self.fault(name, f"got {kind(node)}", "allowed is a list of texts")
        return tuple(string(item, self.document, self._path(name)) for item in node.value)

    def items(self, name: str) -> tuple[yaml.Node, ...]:
        """The nodes of a list; () where the field is absent."""
        node = self._nodes.get(name)
        if node is None:
            return ()
        if not isinstance(node, yaml.SequenceNode):
            raise self.fault(name, f"got {kind(node)}", "allowed is a list")
        return tuple(node.value)

    def pairs(self, name: str) -> tuple[tuple[str, str], ...]:
        """`{name: value}`, or a list of `name: value` and `[name, value]` (repeats and order kept); () where absent."""
        node = self._nodes.get(name)
        if node is None or (isinstance(node, yaml.ScalarNode) and node.value == ""):
            return ()
        return tuple(_pairs(node, self.document, self._path(name)))

    def base64(self, name: str) -> bytes:
        try:
            return base64.b64decode("".join(self.text(name).split()), validate=True)
        except (binascii.Error, ValueError) as problem:
            raise self.fault(name, f"is not base64: {problem}") from None


def entries(node: yaml.Node, document: Document, path: str) -> Iterator[tuple[str, yaml.Node]]:
    """The entries of a mapping; CassetteError where `node` is none."""
    if not isinstance(node, yaml.MappingNode):
        raise CassetteError(f"{document.at(node)}: {path}: got {kind(node)}; allowed is a mapping of fields")
    for key, value in node.value:
        yield string(key, document, f"a name in {path}"), value


def string(node: yaml.Node, document: Document, path: str) -> str:
    """A scalar as the text that stands there, or `{base64: ...}` (see scalars.py); CassetteError for anything else."""
    if isinstance(node, yaml.ScalarNode):
        if node.tag not in _CORE:
            raise CassetteError(f"{document.at(node)}: field {path!r}: tag {node.tag!r}; allowed is no tag at all")
        return str(node.value)
    if isinstance(node, yaml.MappingNode) and len(node.value) == 1:
        data = Fields(node, document, ("base64",), path).base64("base64")
        try:
            return data.decode("utf-8", "surrogatepass")
        except UnicodeDecodeError as problem:
            raise CassetteError(f"{document.at(node)}: field {path!r}: {problem}") from None
    raise CassetteError(f"{document.at(node)}: field {path!r}: got {kind(node)}; allowed is a text")


def _pairs(node: yaml.Node, document: Document, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(node, yaml.MappingNode):
        for name, value in entries(node, document, path):
            if isinstance(value, yaml.SequenceNode):
                yield from ((name, string(one, document, path)) for one in value.value)
            else:
                yield name, string(value, document, path)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            if isinstance(item, yaml.SequenceNode) and len(item.value) == 2:
                yield string(item.value[0], document, path), string(item.value[1], document, path)
            else:
                yield from ((name, string(value, document, path)) for name, value in entries(item, document, path))
    else:
        raise CassetteError(
            f"{document.at(node)}: field {path!r}: got {kind(node)}; allowed is a list of `name: value`"
        )


def json_value(node: yaml.Node, document: Document, path: str, seen: set[int] | None = None) -> JSON:
    """A hand-written structure as JSON: plain `true`, `1.5`, `null` are what they are there, all else is text."""
    seen = set() if seen is None else seen
    if not isinstance(node, yaml.ScalarNode):
        if id(node) in seen:  # a few lines of aliases could grow to gigabytes
            raise CassetteError(f"{document.at(node)}: field {path!r}: got an alias; allowed are values written out")
        seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        return {name: json_value(value, document, path, seen) for name, value in entries(node, document, path)}
    if isinstance(node, yaml.SequenceNode):
        return [json_value(item, document, path, seen) for item in node.value]
    text = string(node, document, path)
    if not isinstance(node, yaml.ScalarNode) or node.style:  # quoted or a block
        return text
    if text in _JSON_WORDS:
        return _JSON_WORDS[text]
    if not _JSON_NUMBER.fullmatch(text):
        return text
    return float(text) if re.search("[.eE]", text) else int(text)


def kind(node: yaml.Node) -> str:
    match node:
        case yaml.MappingNode():
            return "a mapping"
        case yaml.SequenceNode():
            return "a list"
        case _:
            return f"the text {shown(str(node.value))}"


def shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "...")
