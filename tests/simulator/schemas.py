"""Hypothesis strategies for JSON schemas that have values, and what else the schema tests share."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

Schema = dict[str, Any]

NAMES = st.sampled_from(["a", "b", "name", "größe", "x-1", ""])
SCALARS: st.SearchStrategy[Any] = st.one_of(st.none(), st.booleans(), st.integers(-9, 9), st.text(max_size=4))
PATTERNS = [
    "^[a-z]{2,5}$",
    r"^\d{3}-\d{4}$",
    "^(foo|bar)+$",
    r"[A-Z]\w*",
    r"^[^@\s]+@[a-z]+\.com$",
    "^.{4,}$",
    r"^\+?[1-9]\d{1,14}$",
]
FORMATS = ["date", "date-time", "uuid", "email", "uri", "ipv4", "ipv6", "time", "hostname", "unknown"]


def _pair(values: st.SearchStrategy[Any], low: str, high: str) -> st.SearchStrategy[Schema]:
    """Both bounds, one or none; never the wrong way round."""
    both = st.tuples(values, values).map(lambda pair: {low: min(pair), high: max(pair)})
    return st.one_of(st.just({}), values.map(lambda value: {low: value}), values.map(lambda value: {high: value}), both)


STRINGS: st.SearchStrategy[Schema] = st.one_of(
    _pair(st.integers(0, 30), "minLength", "maxLength").map(lambda bounds: {"type": "string", **bounds}),
    st.sampled_from(PATTERNS).map(lambda pattern: {"type": "string", "pattern": pattern}),
    st.sampled_from(FORMATS).map(lambda name: {"type": "string", "format": name}),
)
NUMBERS: st.SearchStrategy[Schema] = st.one_of(
    _pair(st.integers(-1000, 1000), "minimum", "maximum").map(lambda bounds: {"type": "integer", **bounds}),
    st.integers(-50, 50).map(lambda low: {"type": "integer", "exclusiveMinimum": low, "exclusiveMaximum": low + 2}),
    st.tuples(st.integers(1, 40), st.integers(-100, 100)).map(
        lambda pair: {"type": "integer", "multipleOf": pair[0], "minimum": pair[1], "maximum": pair[1] + pair[0]}
    ),
    _pair(st.floats(-1e6, 1e6), "minimum", "maximum").map(lambda bounds: {"type": "number", **bounds}),
    st.sampled_from([0.01, 0.1, 0.25, 0.5, 2.5, 3]).map(lambda step: {"type": "number", "multipleOf": step}),
    st.floats(-1e3, 1e3).map(lambda low: {"type": "number", "exclusiveMinimum": low, "exclusiveMaximum": low + 1}),
)
LEAVES: st.SearchStrategy[Any] = st.one_of(
    STRINGS,
    NUMBERS,
    st.sampled_from([{"type": "boolean"}, {"type": "null"}, {}, True, {"type": ["string", "null"]}]),
    st.lists(SCALARS, min_size=1, max_size=4).map(lambda values: {"enum": values}),
    SCALARS.map(lambda value: {"const": value}),
)


@st.composite
def objects_of(draw: st.DrawFn, parts: st.SearchStrategy[Any]) -> Schema:
    properties = draw(st.dictionaries(NAMES, parts, max_size=4))
    made: Schema = {"type": "object", "properties": properties}
    if properties:
        made["required"] = draw(st.lists(st.sampled_from(sorted(properties)), unique=True))
        if draw(st.booleans()):
            names = st.sampled_from(sorted(properties))
            made["dependentRequired"] = draw(st.dictionaries(names, st.lists(names, unique=True), max_size=2))
    made |= draw(st.sampled_from([{}, {"additionalProperties": False}, {"additionalProperties": {"type": "integer"}}]))
    if made.get("additionalProperties") is not False:
        made |= draw(st.sampled_from([{}, {"minProperties": 3}, {"patternProperties": {"^y-": {"type": "string"}}}]))
    return made


@st.composite
def arrays_of(draw: st.DrawFn, parts: st.SearchStrategy[Any]) -> Schema:
    made: Schema = {"type": "array", "items": draw(parts), **draw(_pair(st.integers(0, 4), "minItems", "maxItems"))}
    if draw(st.booleans()):
        made["prefixItems"] = draw(st.lists(parts, min_size=1, max_size=2))
    if draw(st.integers(0, 4)) == 0:
        made |= {"items": {"type": "integer"}, "uniqueItems": True}
    elif draw(st.integers(0, 4)) == 0:
        made |= {"items": True, "contains": {"type": "integer", "minimum": 5}, "minItems": 1, "maxItems": 6}
    return made


def _depending(pair: tuple[Any, Any]) -> Schema:
    """An object whose further properties depend on its kind."""
    kind = {"properties": {"kind": {"const": "one"}}, "required": ["kind"]}
    one, other = ({"properties": {name: part}, "required": [name]} for name, part in zip("ab", pair, strict=True))
    return {"type": "object", "properties": {"kind": {"enum": ["one", "two"]}}, "if": kind, "then": one, "else": other}


def _grown(parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    branches = st.lists(parts, min_size=1, max_size=3)
    kinds = st.sampled_from(["string", "integer", "boolean", "null", "array", "object"])
    return st.one_of(
        objects_of(parts),
        arrays_of(parts),
        branches.map(lambda parts: {"anyOf": parts}),
        kinds.map(lambda kind: {"oneOf": [{"type": kind}, {"type": "number", "minimum": 0.5}]}),
        objects_of(parts).map(lambda part: {"allOf": [part, {"type": "object", "properties": {"a": True}}]}),
        kinds.map(lambda kind: {"not": {"type": kind}}),
        st.tuples(parts, parts).map(_depending),
        st.just({"$ref": "#/$defs/part"}),
        st.just({"type": "array", "items": {"$ref": "#"}, "maxItems": 2}),
    )


SCHEMAS: st.SearchStrategy[Schema] = st.tuples(st.recursive(LEAVES, _grown, max_leaves=8), LEAVES).map(
    lambda pair: {**(pair[0] if isinstance(pair[0], dict) else {}), "$defs": {"part": pair[1]}}
)
"""Whole documents: the parts may refer to the root and to `#/$defs/part`."""


def _simply(parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    lists = parts.map(lambda part: {"type": "array", "items": part, "minItems": 1, "maxItems": 3})
    branches = st.lists(parts, min_size=1, max_size=3).map(lambda parts: {"anyOf": parts})
    return st.one_of(lists, branches, st.dictionaries(NAMES, parts, max_size=4).map(_all_required))


def _all_required(parts: Schema) -> Schema:
    return {"type": "object", "properties": parts, "required": [*parts], "additionalProperties": False}


SIMPLE: st.SearchStrategy[Any] = st.recursive(LEAVES, _simply, max_leaves=8)
"""What strict structured output allows: nothing in it contradicts the rest."""
