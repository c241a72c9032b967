"""Values made for a schema are valid under it: checked by a small validator of our own."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_simulator.simulator.rng import DeterministicRng, keyed
from llm_simulator.simulator.schema import value_of
from llm_simulator.types import JSON

WEATHER: JSON = {
    "type": "object",
    "properties": {
        "city": {"type": "string"},
        "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
        "days": {"type": "integer", "minimum": 1, "maximum": 5},
        "alerts": {"type": "boolean"},
        "near": {
            "type": "array",
            "items": {"type": "number", "minimum": -90, "maximum": 90},
            "minItems": 2,
            "maxItems": 2,
        },
    },
    "required": ["city", "unit", "days", "near"],
    "additionalProperties": False,
}
TREE: JSON = {
    "$defs": {
        "node": {
            "type": "object",
            "properties": {
                "name": {"type": "string"},
                "children": {"type": "array", "items": {"$ref": "#/$defs/node"}},
                "parent": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
            },
            "required": ["name", "children", "parent"],
        }
    },
    "$ref": "#/$defs/node",
}
SCHEMAS: dict[str, JSON] = {
    "weather": WEATHER,
    "tree": TREE,
    "upper case": {
        "type": "OBJECT",
        "properties": {"a": {"type": "STRING"}, "b": {"type": "INTEGER"}},
        "required": ["a", "b"],
    },
    "type list": {"type": ["string", "null"]},
    "const": {"type": "object", "properties": {"kind": {"const": "x"}}, "required": ["kind"]},
    "one of": {"oneOf": [{"type": "integer", "exclusiveMinimum": 3, "exclusiveMaximum": 6}, {"type": "boolean"}]},
    "all of": {
        "allOf": [
            {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
            {"properties": {"b": {"type": "string", "minLength": 30, "maxLength": 33}}, "required": ["b"]},
        ]
    },
    "no type": {"properties": {"a": {"items": {"minimum": 5}}}, "required": ["a"]},
    "tuple": {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}], "items": {"type": "boolean"}},
    "set": {"type": "array", "items": {"enum": [1, 2, 3]}, "uniqueItems": True, "minItems": 3},
    "multiple": {"type": "integer", "multipleOf": 7, "minimum": 20, "maximum": 30},
    "multiple number": {"type": "number", "multipleOf": 0.5, "minimum": 1, "maximum": 2},
    "narrow": {"type": "number", "minimum": 0.001, "maximum": 0.002},
    "above": {"type": "integer", "minimum": 1000},
    "below": {"type": "integer", "maximum": -1000},
    "null": {"type": "null"},
    "undeclared": {"type": "object", "required": ["x"], "additionalProperties": {"type": "integer"}},
    "escaped": {
        "$defs": {"a/b": {"type": "integer"}},
        "type": "array",
        "items": {"$ref": "#/$defs/a~1b"},
        "minItems": 1,
    },
    "dangling": {"type": "object", "properties": {"a": {"$ref": "#/$defs/none"}}, "required": ["a"]},
}
KINDS: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}


def valid(value: JSON, schema: JSON, root: JSON) -> bool:
    if "$ref" in schema:
        place = root
        for step in schema["$ref"][2:].split("/"):
            place = place.get(step.replace("~1", "/"), {})
        return valid(value, place, root)
    kinds = schema.get("type")
    if kinds and not any(fits(value, kind.lower()) for kind in ([kinds] if isinstance(kinds, str) else kinds)):
        return False
    checks = [
        "const" not in schema or value == schema["const"],
        "enum" not in schema or value in schema["enum"],
        all(valid(value, part, root) for part in schema.get("allOf", ())),
        "anyOf" not in schema or any(valid(value, part, root) for part in schema["anyOf"]),
        "oneOf" not in schema or sum(valid(value, part, root) for part in schema["oneOf"]) == 1,
    ]
    if isinstance(value, Mapping):
        known = schema.get("properties", {})
        checks += [set(schema.get("required", ())) <= value.keys()]
        checks += [valid(value[name], part, root) for name, part in known.items() if name in value]
        if schema.get("additionalProperties") is False:
            checks += [value.keys() <= known.keys()]
    if isinstance(value, list):
        first = schema.get("prefixItems", [])
        checks += [valid(item, part, root) for item, part in zip(value, first, strict=False)]
        checks += [valid(item, schema.get("items", {}), root) for item in value[len(first) :]]
        checks += [schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", 99)]
        checks += [not schema.get("uniqueItems") or all(value.count(item) == 1 for item in value)]
    if isinstance(value, str):
        checks += [schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", 10_000)]
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        checks += [schema.get("minimum", value) <= value <= schema.get("maximum", value)]
        checks += [schema.get("exclusiveMinimum", value - 1) < value < schema.get("exclusiveMaximum", value + 1)]
        checks += [value % schema.get("multipleOf", value or 1) == 0]
    return all(checks)


def fits(value: JSON, kind: str) -> bool:
    return isinstance(value, KINDS[kind]) and (kind == "boolean" or not isinstance(value, bool))


def rng(*parts: str | int) -> DeterministicRng:
    return DeterministicRng(keyed(5, *parts))


@pytest.mark.parametrize("name", SCHEMAS)
def test_values_are_valid(name: str) -> None:
    for seed in range(60):
        value = value_of(SCHEMAS[name], rng(name, seed))
        assert valid(value, SCHEMAS[name], SCHEMAS[name]), value


def test_a_seed_decides() -> None:
    assert value_of(WEATHER, rng(1)) == value_of(WEATHER, rng(1))
    assert len({str(value_of(WEATHER, rng(seed))) for seed in range(50)}) > 45


def test_what_is_optional_comes_and_goes() -> None:
    assert {"alerts" in value_of(WEATHER, rng(seed)) for seed in range(20)} == {True, False}


@pytest.mark.parametrize("schema", [{}, None, True])
def test_json_mode_without_a_schema_is_a_small_object(schema: JSON) -> None:
    value = value_of(schema, rng())
    assert {name: type(part) for name, part in value.items()} == {"title": str, "count": int, "done": bool}


def test_a_schema_that_requires_itself_comes_to_an_end() -> None:
    endless = {"type": "object", "properties": {"next": {"$ref": "#"}}, "required": ["next"]}
    value, depth = value_of(endless, rng()), 0
    while value is not None:
        value, depth = value["next"], depth + 1
    assert depth == 41


def test_a_reference_to_itself_comes_to_an_end() -> None:
    assert isinstance(value_of({"$ref": "#"}, rng()), str)


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("date", r"\d{4}-\d\d-\d\d"),
        ("time", r"\d\d:\d\d:\d\dZ"),
        ("date-time", r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"),
        ("duration", r"PT\d+M"),
        ("email", r"user\d+@example\.com"),
        ("hostname", r"host\d+\.example\.com"),
        ("ipv4", r"192\.0\.2\.\d+"),
        ("ipv6", r"2001:db8::[0-9a-f]+"),
        ("uri", r"https://example\.com/\d+"),
        ("uuid", r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}"),
        ("unheard-of", r"[^\n]+"),
    ],
)
def test_formats(name: str, pattern: str) -> None:
    for seed in range(20):
        assert re.fullmatch(pattern, value_of({"type": "string", "format": name}, rng(name, seed)))


def array_of(item: JSON, least: int) -> JSON:
    return {"type": "array", "items": item, "minItems": least}


def object_of(parts: dict[str, JSON], wanted: set[str]) -> JSON:
    return {"type": "object", "properties": parts, "required": [name for name in parts if name in wanted]}


def either(one: JSON, other: JSON) -> JSON:
    return {"anyOf": [one, other]}


def nested(inner: st.SearchStrategy[JSON]) -> st.SearchStrategy[JSON]:
    names = st.sampled_from("abcd")
    return st.one_of(
        st.builds(array_of, inner, st.integers(0, 3)),
        st.builds(object_of, st.dictionaries(names, inner), st.sets(names)),
        st.builds(either, inner, inner),
    )


LEAVES: list[JSON] = [
    {"type": "string"},
    {"type": "integer"},
    {"type": "number", "minimum": 2.5},
    {"type": "boolean"},
    {"enum": ["a", 1, None]},
    {"type": "string", "maxLength": 5},
]
SIMPLE = st.recursive(st.sampled_from(LEAVES), nested, max_leaves=8)


@settings(max_examples=60, deadline=None)
@given(SIMPLE, st.integers(0, 2**64 - 1))
def test_any_simple_schema(schema: JSON, seed: int) -> None:
    assert valid(value_of(schema, DeterministicRng(seed)), schema, schema)
