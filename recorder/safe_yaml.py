"""Foreign YAML without trust: no Python object is ever built, aliases cannot blow up, what is in doubt stays text.

`tree(text)` parses once; its parts are built one by one, so that a bad one does not lose the others.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import yaml
from yaml.constructor import ConstructorError
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from llm_simulator.errors import CassetteError
from llm_simulator.recorder.interaction import FieldError
from llm_simulator.types import JSON

if TYPE_CHECKING:
    from yaml import SafeLoader
else:  # without libyaml it is slower, the result is the same
    SafeLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_EXTRA = 64_000_000
"""The most characters that aliases may add to a document when followed: VCR.py writes a few, a bomb writes billions."""

_STANDARD = "tag:yaml.org,2002:"
_STRINGLIKE = re.compile(r"(?:[a-z_0-9]+\.)*(?:istr|str|unicode)")  # multidict's header name, in all its modules
_WHOLE = re.compile(r"^[-+]?(?:0|[1-9][0-9]*)$")
_REAL = re.compile(
    r"^(?:[-+]?[0-9]+\.[0-9]*(?:[eE][-+][0-9]+)?|\.[0-9]+(?:[eE][-+][0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
)


class _Loader(SafeLoader):
    """`SafeLoader` without dates, base 60, octal, merge keys (`<<` multiplies like aliases) and yes/no."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's own shape

    def flatten_mapping(self, node: MappingNode) -> None:
        """Merge keys stay ordinary keys."""


_Loader.add_implicit_resolver(_STANDARD + "null", re.compile(r"^(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""])
_Loader.add_implicit_resolver(_STANDARD + "bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF"))
_Loader.add_implicit_resolver(_STANDARD + "int", _WHOLE, list("-+0123456789"))
_Loader.add_implicit_resolver(_STANDARD + "float", _REAL, list("-+0123456789."))


def _text(loader: _Loader, node: Node) -> str:
    if not isinstance(node, ScalarNode):
        raise ConstructorError(None, None, f"{node.tag} must be text", node.start_mark)
    return str(node.value)


def _binary(loader: _Loader, node: Node) -> bytes:
    """Strict, unlike PyYAML's: a damaged body is refused, never cut short."""
    try:
        return base64.b64decode("".join(_text(loader, node).split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ConstructorError(None, None, f"{node.tag} is no base64: {error}", node.start_mark) from None


def _whole(loader: _Loader, node: Node) -> int:
    digits = _text(loader, node)
    try:
        return int(digits)
    except ValueError:
        raise ConstructorError(None, None, f"a number of {len(digits)} characters", node.start_mark) from None


def _sequence(loader: _Loader, node: Node) -> list[Any]:
    if not isinstance(node, SequenceNode):
        raise ConstructorError(None, None, f"{node.tag} must be a list", node.start_mark)
    return loader.construct_sequence(node, deep=True)


def _applied(loader: _Loader, suffix: str, node: Node) -> str:
    """`!!python/object/apply:multidict._multidict.istr [Content-Type]` is the text in it; nothing is ever called."""
    if not _STRINGLIKE.fullmatch(suffix):
        raise _refused(suffix, node)
    given = node.value if isinstance(node, SequenceNode) else [node]
    if len(given) == 1 and isinstance(given[0], ScalarNode):
        return str(given[0].value)
    raise ConstructorError(None, None, f"python tag {suffix[:60]!r} must hold one text", node.start_mark)


def _refuse(loader: _Loader, suffix: str, node: Node) -> Any:
    raise _refused(suffix, node)


def _refused(suffix: str, node: Node) -> ConstructorError:
    return ConstructorError(None, None, f"the python tag {suffix[:60]!r}", node.start_mark)


for _name in ("str", "unicode"):
    _Loader.add_constructor(f"{_STANDARD}python/{_name}", _text)
for _name, _of in (("int", "int"), ("long", "int"), ("float", "float"), ("bool", "bool"), ("none", "null")):
    _Loader.add_constructor(f"{_STANDARD}python/{_name}", _Loader.yaml_constructors[_STANDARD + _of])
for _name in ("tuple", "list"):
    _Loader.add_constructor(f"{_STANDARD}python/{_name}", _sequence)
_Loader.add_constructor(_STANDARD + "python/dict", _Loader.yaml_constructors[_STANDARD + "map"])
for _tag in (_STANDARD + "binary", _STANDARD + "python/bytes", "!binary"):  # "!binary" is Ruby's
    _Loader.add_constructor(_tag, _binary)
for _tag in (_STANDARD + "int", _STANDARD + "python/int", _STANDARD + "python/long"):
    _Loader.add_constructor(_tag, _whole)
_Loader.add_multi_constructor(_STANDARD + "python/object/apply:", _applied)
_Loader.add_multi_constructor(_STANDARD + "python/object/new:", _applied)
_Loader.add_multi_constructor(_STANDARD + "python/", _refuse)


class YamlTree:
    """A parsed document: `names`, `value` and `items` of its top mapping; nothing is built before it is asked for."""

    def __init__(self, root: Node | None) -> None:
        self._root = root

    @property
    def kind(self) -> str:
        match self._root:
            case None:
                return "nothing"
            case MappingNode():
                return "a mapping"
            case SequenceNode():
                return "a list"
            case _:
                return "a single value"

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(_keys(self._root))

    def value(self, key: str) -> JSON:
        node = _child(self._root, key)
        return None if node is None else self._build(node, key)

    def length(self, key: str) -> int | None:
        """How many elements the list at `key` has; None where there is no list."""
        node = _child(self._root, key)
        return len(node.value) if isinstance(node, SequenceNode) else None

    def items(self, key: str) -> Iterator[tuple[str, Callable[[], JSON]]]:
        """Where each element of the list at `key` starts ("line 12"), and what builds it or raises FieldError."""
        node = _child(self._root, key)
        for item in node.value if isinstance(node, SequenceNode) else ():
            yield f"line {item.start_mark.line + 1}", partial(self._build, item, key)

    def outline(self, key: str) -> dict[str, frozenset[str]]:
        """The keys of the first mapping in the list at `key`, each with the keys below it: they tell formats apart."""
        node = _child(self._root, key)
        first = node.value[0] if isinstance(node, SequenceNode) and node.value else None
        return {name: frozenset(_keys(_child(first, name))) for name in _keys(first)}

    def _build(self, node: Node, field: str) -> JSON:
        builder = _Loader("")  # a fresh one: what a failed construction leaves behind would spoil the next
        try:
            return builder.construct_document(node)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark
            line = f" (line {mark.line + 1})" if mark else ""
            raise FieldError(field, f"{error.problem or error}{line}", "plain values, binary and text tags") from None
        except (ValueError, TypeError, OverflowError) as error:
            raise FieldError(field, str(error), "plain values") from None
        finally:
            builder.dispose()


def _keys(node: Node | None) -> Iterator[str]:
    if isinstance(node, MappingNode):
        yield from (str(key.value) for key, _ in node.value if isinstance(key, ScalarNode))


def _child(node: Node | None, name: str) -> Node | None:
    if not isinstance(node, MappingNode):
        return None
    return next((held for key, held in node.value if isinstance(key, ScalarNode) and key.value == name), None)


def tree(text: str, name: str) -> YamlTree:
    """The one document in `text`.

    Raises:
        CassetteError: it is no YAML, holds several documents, is nested too deeply, or its aliases multiply.
    """
    loader = _Loader(text)
    try:
        root: Node | None = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise CassetteError(f"{name}: {where}not valid YAML: {error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise CassetteError(f"{name}: not valid YAML: {error}") from None
    except RecursionError:
        raise CassetteError(f"{name}: YAML nested too deeply") from None
    finally:
        loader.dispose()
    if root is not None:
        _check_aliases(root, name)
    return YamlTree(root)


def _check_aliases(root: Node, name: str) -> None:
    """Refuses a document that contains itself, or whose aliases make it more than `_EXTRA` characters larger."""
    full: dict[int, int] = {}  # id(node) -> characters with all aliases followed; 0 while it is being counted
    own = 0
    stack: list[Node] = [root]
    while stack:
        node = stack[-1]
        below = [] if isinstance(node, ScalarNode) else _below(node)
        if id(node) not in full:
            full[id(node)] = 0
            own += _size(node)
            stack += [child for child in below if id(child) not in full]
            if any(full.get(id(child)) == 0 for child in below):
                raise CassetteError(f"{name}: line {node.start_mark.line + 1}: an alias contains itself")
        else:
            stack.pop()
            if full[id(node)] == 0:
                full[id(node)] = _size(node) + sum(full[id(child)] for child in below)
    if full[id(root)] - own > _EXTRA:
        raise CassetteError(
            f"{name}: its aliases stand for more than {_EXTRA:,} characters; write them out or drop them"
        )


def _below(node: Node) -> list[Node]:
    if isinstance(node, MappingNode):
        return [part for pair in node.value for part in pair]
    return list(node.value)


def _size(node: Node) -> int:
    return 1 + (len(node.value) if isinstance(node, ScalarNode) else 0)
