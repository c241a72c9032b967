"""JSON schemas in one form: spellings made equal, references followed, and two schemas joined into one that means both.

A *flat* schema has no reference, `allOf`, `anyOf`, `oneOf` or `if` at its top: its keywords all hold at once. Patterns
of several schemas stand in a list under PATTERNS, since no one pattern means both.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any, cast

from llm_simulator.types import JSON

Schema = dict[str, Any]

PATTERNS = "\0patterns"
ANY = ("null", "boolean", "integer", "number", "string", "array", "object")
_NUMBERED = ("string", "number", "integer", "boolean", "array", "object", "null")  # google.cloud.aiplatform Type
_PYTHON = {"str": "string", "int": "integer", "float": "number", "bool": "boolean", "list": "array", "dict": "object"}
_LARGER = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties", "minContains")
_SMALLER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties", "maxContains")
_NUMERIC = frozenset((*_LARGER, *_SMALLER, "multipleOf"))
_BOTH = ("propertyNames", "contains", "unevaluatedItems")  # schemas that must both hold


class ImpossibleError(Exception):
    """No value satisfies the schema, or none was found; the text says which keyword and why."""


def spelled(schema: JSON) -> Schema | bool:
    """A schema with the older and Gemini's spellings turned into those of draft 2020-12.

    Other names of types, `nullable`, boolean exclusive bounds, `items` as a list, `dependencies`, `definitions` by reference.
    """
    if isinstance(schema, bool):
        return schema
    if not isinstance(schema, dict):
        return True
    made: Schema = dict(cast("Schema", schema))
    kinds = made.get("type")
    if isinstance(kinds, list):
        made["type"] = [_kind(kind) for kind in listed(kinds)]
    elif kinds is not None:
        made["type"] = _kind(kinds)
        if made["type"] not in ANY:
            del made["type"]
    if made.pop("nullable", False) is True:
        _admit_null(made)
    _spell_bounds(made)
    _spell_items(made)
    _spell_dependencies(made)
    return made


def _kind(name: object) -> str:
    """A type in the words of JSON schema: Gemini's upper case, Vertex's numbers, Cohere v1's Python names."""
    if isinstance(name, int) and 0 < name <= len(_NUMBERED):
        return _NUMBERED[name - 1]
    text = str(name).lower()
    return _PYTHON.get(text.partition("[")[0], text)


def _admit_null(made: Schema) -> None:
    kinds = kinds_of(made)
    if kinds and "null" not in kinds:
        made["type"] = [*kinds, "null"]
    if isinstance(made.get("enum"), list) and None not in made["enum"]:
        made["enum"] = [*made["enum"], None]


def _spell_bounds(made: Schema) -> None:
    """Draft 4 has `exclusiveMinimum: true` beside `minimum`."""
    if not made.keys() & _NUMERIC:
        return
    for bound, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        if isinstance(made.get(exclusive), bool) and made.pop(exclusive) and bound in made:
            made[exclusive] = made.pop(bound)
    for name in made.keys() & _NUMERIC:
        value = made[name]
        if isinstance(value, str) and value.lstrip("-").isdigit():  # Gemini and protobuf spell int64 as text
            made[name] = int(value)
        elif isinstance(value, bool) or not isinstance(value, int | float):
            del made[name]


def _spell_items(made: Schema) -> None:
    if isinstance(made.get("items"), list):
        made["prefixItems"] = made.pop("items")
        if "additionalItems" in made:
            made["items"] = made.pop("additionalItems")


def _spell_dependencies(made: Schema) -> None:
    if "dependencies" not in made:
        return
    for name, needs in objects(made.pop("dependencies")).items():
        kind = "dependentRequired" if isinstance(needs, list) else "dependentSchemas"
        made[kind] = {**objects(made.get(kind)), name: needs}


def objects(value: JSON) -> Mapping[str, Any]:
    """`value` where it is an object, else an empty one."""
    return cast("Schema", value) if isinstance(value, dict) else {}


def listed(value: JSON) -> list[Any]:
    return value if isinstance(value, list) else []


def kinds_of(schema: Mapping[str, Any]) -> list[str]:
    """The types that a schema names; none where it leaves them open."""
    kinds = schema.get("type")
    return [kinds] if isinstance(kinds, str) else [str(kind) for kind in listed(kinds)]


class Document:
    """The root schema, as what references lead into. Nothing outside of it is ever fetched."""

    def __init__(self, root: JSON) -> None:
        self.root = root
        self._named: dict[str, JSON] | None = None

    def at(self, reference: str) -> JSON:
        """The schema that a reference means.

        Raises:
            ImpossibleError: it leads out of the document or to nothing in it.
        """
        base, _, fragment = reference.partition("#")
        if base and base not in self._names():
            raise ImpossibleError(f"$ref {reference!r}: references to other documents are not followed")
        place = self._names()[base] if base else self.root
        if fragment and not fragment.startswith("/"):
            if f"#{fragment}" not in self._names():
                raise ImpossibleError(f"$ref {reference!r} leads to nothing in this schema")
            return self._names()[f"#{fragment}"]
        for step in filter(None, _unquoted(fragment).split("/")):
            place = _child(place, step.replace("~1", "/").replace("~0", "~"), reference)
        return place

    def _names(self) -> dict[str, JSON]:
        """Sub-schemas by `$id` and `#anchor`."""
        if self._named is None:
            self._named = dict(_named(self.root))
        return self._named


def _unquoted(text: str) -> str:
    from urllib.parse import unquote

    return unquote(text) if "%" in text else text


def _child(place: JSON, step: str, reference: str) -> JSON:
    if isinstance(place, Mapping) and step in place:
        return cast("Mapping[str, Any]", place)[step]
    if isinstance(place, list) and step.isdigit() and int(step) < len(listed(place)):
        return listed(place)[int(step)]
    raise ImpossibleError(f"$ref {reference!r} leads to nothing in this schema")


def _named(root: JSON) -> Iterator[tuple[str, JSON]]:
    """Iterative: a schema may be nested as deeply as JSON can be."""
    waiting: list[JSON] = [root]
    while waiting:
        place = waiting.pop()
        if isinstance(place, Mapping):
            given = cast("Mapping[str, Any]", place)
            if isinstance(given.get("$id"), str):
                yield given["$id"].partition("#")[0], place
            for keyword in ("$anchor", "$dynamicAnchor"):
                if isinstance(given.get(keyword), str):
                    yield f"#{given[keyword]}", place
            waiting.extend(given.values())
        elif isinstance(place, list):
            waiting.extend(listed(place))


def joined(one: Mapping[str, Any], other: Mapping[str, Any]) -> Schema:
    """The flat schema of what satisfies both.

    Raises:
        ImpossibleError: nothing can (types or enums without a common value).
    """
    made: Schema = {**one, **other}
    _join_values(made, one, other)
    for name in (*_LARGER, *_SMALLER):
        if name in one and name in other:
            made[name] = max(one[name], other[name]) if name in _LARGER else min(one[name], other[name])
    if "multipleOf" in one and "multipleOf" in other:
        made["multipleOf"] = _common(one["multipleOf"], other["multipleOf"])
    if patterns := [*patterns_of(one), *patterns_of(other)]:
        made[PATTERNS] = list(dict.fromkeys(patterns))
        made.pop("pattern", None)
    for name in _BOTH:
        if name in one and name in other:
            made[name] = both(one[name], other[name])
    if one.get("uniqueItems") or other.get("uniqueItems"):
        made["uniqueItems"] = True
    _join_items(made, one, other)
    _join_properties(made, one, other)
    for name in ("examples",):
        if name in one and name in other:
            made[name] = [*listed(one[name]), *listed(other[name])]
    return made


def patterns_of(schema: Mapping[str, Any]) -> list[str]:
    own = [schema["pattern"]] if isinstance(schema.get("pattern"), str) else []
    return [*listed(schema.get(PATTERNS)), *own]


def both(one: JSON, other: JSON) -> JSON:
    if one is True or one == {} or one == other:
        return other
    if other is True or other == {}:
        return one
    return False if one is False or other is False else {"allOf": [one, other]}


def same(one: JSON, other: JSON) -> bool:
    """JSON's equality: 1 is 1.0, but true is not 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        ours, theirs = cast("Mapping[str, Any]", one), cast("Mapping[str, Any]", other)
        return ours.keys() == theirs.keys() and all(same(ours[name], theirs[name]) for name in ours)
    if isinstance(one, list) and isinstance(other, list):
        items, others = listed(one), listed(other)
        return len(items) == len(others) and all(map(same, items, others))
    return bool(one == other)


def _join_values(made: Schema, one: Mapping[str, Any], other: Mapping[str, Any]) -> None:
    kinds, others = kinds_of(one), kinds_of(other)
    if kinds and others:
        made["type"] = _common_kinds(kinds, others)
    if "enum" in one and "enum" in other:
        made["enum"] = [
            value for value in listed(one["enum"]) if any(same(value, item) for item in listed(other["enum"]))
        ]
        if not made["enum"]:
            raise ImpossibleError("enum: the schemas that must all hold have no value in common")
    if "const" in one and "const" in other and not same(one["const"], other["const"]):
        raise ImpossibleError(f"const: {one['const']!r} and {other['const']!r} cannot both be")


def _common_kinds(kinds: list[str], others: list[str]) -> list[str]:
    common = [
        kind
        for kind in ANY
        if (kind in kinds or (kind == "integer" and "number" in kinds))
        and (kind in others or (kind == "integer" and "number" in others))
    ]
    common = [kind for kind in common if not (kind == "integer" and "number" in common)]
    if not common:
        raise ImpossibleError(f"type: nothing is both {' or '.join(kinds)} and {' or '.join(others)}")
    return common


def _common(one: float, other: float) -> float:
    """The least common multiple, of fractions too."""
    ours, theirs = Fraction(str(one)), Fraction(str(other))
    least = Fraction(
        math.lcm(ours.numerator * theirs.denominator, theirs.numerator * ours.denominator),
        ours.denominator * theirs.denominator,
    )
    return int(least) if least.denominator == 1 else float(least)


def _join_items(made: Schema, one: Mapping[str, Any], other: Mapping[str, Any]) -> None:
    ours, theirs = listed(one.get("prefixItems")), listed(other.get("prefixItems"))
    rest, others = one.get("items", True), other.get("items", True)
    if "items" in one or "items" in other:
        made["items"] = both(rest, others)
    if ours or theirs:
        made["prefixItems"] = [
            both(ours[at] if at < len(ours) else rest, theirs[at] if at < len(theirs) else others)
            for at in range(max(len(ours), len(theirs)))
        ]


def _join_properties(made: Schema, one: Mapping[str, Any], other: Mapping[str, Any]) -> None:
    """Where one of them knows a property that the other does not, the other's rule for such properties holds, too."""
    ours, theirs = objects(one.get("properties")), objects(other.get("properties"))
    if ours or theirs:
        made["properties"] = {
            name: both(
                ours[name] if name in ours else _unknown(one, name),
                theirs[name] if name in theirs else _unknown(other, name),
            )
            for name in dict.fromkeys((*ours, *theirs))
        }
    if "additionalProperties" in one or "additionalProperties" in other:
        made["additionalProperties"] = both(
            one.get("additionalProperties", True), other.get("additionalProperties", True)
        )
    for name in ("required",):
        if name in one or name in other:
            made[name] = list(dict.fromkeys((*listed(one.get(name)), *listed(other.get(name)))))
    for name in ("patternProperties", "dependentSchemas"):
        if name in one and name in other:
            left, right = objects(one[name]), objects(other[name])
            made[name] = {
                key: both(left.get(key, True), right.get(key, True)) for key in dict.fromkeys((*left, *right))
            }
    if "dependentRequired" in one and "dependentRequired" in other:
        left, right = objects(one["dependentRequired"]), objects(other["dependentRequired"])
        made["dependentRequired"] = {
            key: [*listed(left.get(key)), *listed(right.get(key))] for key in dict.fromkeys((*left, *right))
        }


def _unknown(schema: Mapping[str, Any], name: str) -> JSON:
    """What a schema without the property `name` says of it."""
    if objects(schema.get("patternProperties")):
        return True  # the check sorts out which of them hold
    return schema.get("additionalProperties", True)
