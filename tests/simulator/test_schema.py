"""Values made for a schema are valid under it, as the library `jsonschema` sees it."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from jsonschema import Draft202012Validator
from schemas import SCHEMAS as ANY_SCHEMA
from schemas import SIMPLE

from llm_simulator.simulator.rng import DeterministicRng, keyed
from llm_simulator.simulator.schema import made_of, value_of
from llm_simulator.simulator.schema_check import Checker
from llm_simulator.simulator.schema_forms import Document, spelled
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


def valid(value: JSON, schema: JSON, _root: JSON) -> bool:
    return Draft202012Validator(plainly(schema)).is_valid(value)


def plainly(schema: JSON) -> JSON:
    """The schema in the spelling of draft 2020-12; a reference that leads nowhere allows anything."""
    if isinstance(schema, list):
        return [plainly(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("$ref") == "#/$defs/none":
        return True
    form = spelled(schema)
    return {name: plainly(part) for name, part in form.items()} if isinstance(form, dict) else form


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


def test_a_schema_that_requires_itself_comes_to_an_end_and_says_so() -> None:
    endless = {"type": "object", "properties": {"next": {"$ref": "#"}}, "required": ["next"]}
    made = made_of(endless, rng())
    value, depth = made.value, 0
    while value is not None:
        value, depth = value["next"], depth + 1
    assert depth == 5
    assert made.problem == (
        "schema: no value satisfies it: it requires itself without end, or something that is never allowed"
    )


def test_a_reference_to_itself_comes_to_an_end() -> None:
    assert made_of({"$ref": "#"}, rng()).problem.startswith("schema: no value satisfies it: ")


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


@settings(max_examples=60, deadline=None)
@given(ANY_SCHEMA)
def test_any_schema_is_satisfied_or_named(schema: JSON) -> None:
    made = made_of(schema, rng(json.dumps(schema)))
    assert made.problem or Draft202012Validator(schema).is_valid(made.value)
    assert made == made_of(schema, rng(json.dumps(schema)))


@settings(max_examples=40, deadline=None)
@given(SIMPLE)
def test_what_does_not_contradict_itself_is_satisfied(schema: JSON) -> None:
    assert made_of(schema, rng(json.dumps(schema))).problem == ""


@settings(max_examples=60, deadline=None)
@given(ANY_SCHEMA, SIMPLE)
def test_the_check_agrees_with_the_library(schema: JSON, other: JSON) -> None:
    for value in (value_of(other, rng(json.dumps(other))), value_of(schema, rng(json.dumps(schema)))):
        assert Checker(Document(schema)).valid(value, schema) is Draft202012Validator(schema).is_valid(value)


HARD: dict[str, JSON] = {
    "one of, overlapping": {"oneOf": [{"type": "integer"}, {"type": "number", "minimum": 0}]},
    "not": {"type": "integer", "minimum": 0, "maximum": 3, "not": {"enum": [0, 1, 3]}},
    "contains": {"type": "array", "contains": {"const": "x"}, "minContains": 2, "maxContains": 3, "maxItems": 5},
    "contains after fixed items": {
        "prefixItems": [{"type": "string"}],
        "contains": {"type": "integer"},
        "type": "array",
    },
    "if then": {
        "type": "object",
        "properties": {"country": {"enum": ["US", "NL"]}, "code": {"type": "string"}},
        "required": ["country", "code"],
        "if": {"properties": {"country": {"const": "US"}}},
        "then": {"properties": {"code": {"pattern": "^[0-9]{5}$"}}},
        "else": {"properties": {"code": {"pattern": "^[0-9]{4} [A-Z]{2}$"}}},
    },
    "dependent": {
        "type": "object",
        "properties": {"card": {"type": "string"}, "name": {"type": "string"}},
        "required": ["card"],
        "dependentRequired": {"card": ["name"], "name": ["street"]},
        "dependentSchemas": {"card": {"properties": {"pin": {"type": "integer"}}, "required": ["pin"]}},
    },
    "dependencies": {"type": "object", "required": ["a"], "dependencies": {"a": ["b"], "b": {"required": ["c"]}}},
    "map": {"type": "object", "additionalProperties": {"type": "integer"}, "minProperties": 4, "maxProperties": 4},
    "names": {"type": "object", "propertyNames": {"pattern": "^[a-z]_[0-9]+$"}, "minProperties": 3},
    "patterned": {"type": "object", "patternProperties": {"^f_[a-z]{3}$": {"type": "boolean"}}, "minProperties": 2}
    | {"additionalProperties": False},
    "closed by another": {
        "allOf": [
            {"properties": {"a": {"type": "integer"}}, "additionalProperties": {"type": "string"}},
            {"type": "object", "properties": {"a": True, "b": {"minLength": 3}}, "required": ["b", "c"]},
        ]
    },
    "unevaluated": {
        "type": "object",
        "allOf": [{"properties": {"a": {"type": "integer"}}, "required": ["a"]}],
        "unevaluatedProperties": False,
    },
    "two patterns": {"allOf": [{"type": "string", "pattern": "^[a-z0-9]+$"}, {"pattern": "[0-9]$", "maxLength": 6}]},
    "long pattern": {"type": "string", "pattern": "^[a-f]+$", "minLength": 200},
    "set of booleans": {"type": "array", "items": {"type": "boolean"}, "uniqueItems": True, "minItems": 2},
    "common multiple": {
        "allOf": [{"type": "integer", "multipleOf": 4}, {"multipleOf": 6}],
        "minimum": 10,
        "maximum": 14,
    },
    "tenths": {"type": "number", "multipleOf": 0.1, "minimum": 0.25, "maximum": 0.75},
    "tiny and open": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1e-9},
    "enum and bounds": {"enum": ["a", 3, 30, None], "type": ["integer", "null"], "minimum": 4},
    "anchor": {"$defs": {"x": {"$anchor": "here", "type": "null"}}, "type": "array", "items": {"$ref": "#here"}},
    "identified": {"$defs": {"x": {"$id": "urn:x", "type": "null"}}, "properties": {"a": {"$ref": "urn:x"}}}
    | {"required": ["a"], "type": "object"},
    "mutual recursion": {
        "$defs": {
            "a": {"type": "object", "properties": {"b": {"$ref": "#/$defs/b"}}, "required": ["b"]},
            "b": {"anyOf": [{"$ref": "#/$defs/a"}, {"type": "array", "items": {"$ref": "#/$defs/a"}}]},
        },
        "$ref": "#/$defs/a",
    },
}


@pytest.mark.parametrize("name", HARD)
def test_what_only_a_check_can_tell(name: str) -> None:
    for seed in range(30):
        made = made_of(HARD[name], rng(name, seed))
        assert made.problem == ""
        assert Draft202012Validator(HARD[name]).is_valid(made.value), made.value


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        (False, "it requires itself without end, or something that is never allowed"),
        ({"type": "string", "minLength": 3, "maxLength": 2}, "minLength 3 is more than maxLength 2"),
        ({"type": "integer", "minimum": 1.2, "maximum": 1.8}, "no integer is within minimum 1.2, maximum 1.8"),
        ({"allOf": [{"type": "string"}, {"type": "integer"}]}, "type: nothing is both string and integer"),
        ({"enum": [1, 2], "minimum": 3}, "enum: the other keywords leave none of the values"),
        ({"type": "array", "items": {"enum": [1]}, "uniqueItems": True, "minItems": 2}, "uniqueItems: there are not"),
        ({"type": "object", "required": ["a"], "additionalProperties": False}, "required: 'a' is not allowed"),
        ({"type": "string", "pattern": "^(a", "minLength": 1}, "pattern '^(a': a group is not closed"),
        ({"type": "string", "pattern": "^a$", "minLength": 2}, "pattern: no text found for ^a$"),
        ({"type": "array", "minItems": 10**9}, "minItems 1000000000 is more than 1000"),
        ({"type": "integer", "not": {"type": "number"}}, "not: the schema holds"),
    ],
)
def test_what_cannot_be_is_named(schema: JSON, reason: str) -> None:
    assert made_of(schema, rng()).problem.startswith(f"schema: no value satisfies it: {reason}")


def test_a_reference_to_another_document_is_refused_and_said() -> None:
    schema = {"type": "object", "properties": {"a": {"$ref": "https://example.com/s.json"}}, "required": ["a"]}
    made = made_of(schema, rng())
    assert set(made.value) == {"a"}
    assert made.problem == "$ref 'https://example.com/s.json': references to other documents are not followed"


@pytest.mark.parametrize(
    "schema", [{"type": "str"}, {"type": 1}, {"type": ["STRING"]}, {"type": "STRING", "nullable": False}]
)
def test_types_by_other_names(schema: JSON) -> None:
    assert isinstance(value_of(schema, rng()), str)


def test_a_schema_nested_beyond_what_python_follows_is_named() -> None:
    schema: JSON = {"type": "string"}
    for _ in range(2000):
        schema = {"type": "array", "items": schema, "minItems": 1}
    assert made_of(schema, rng()).problem


_KEYS = ("parameters", "input_schema", "inputSchema", "schema", "json", "responseSchema", "response_schema")


def _schemas(value: JSON) -> Iterator[JSON]:
    """Whatever stands in a request where schemas stand: tools of every provider, structured outputs."""
    if isinstance(value, dict):
        yield from (part for name, part in value.items() if name in _KEYS and isinstance(part, dict))
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from _schemas(part)


def test_every_recorded_schema_is_satisfied(shared: Path) -> None:
    seen: dict[str, JSON] = {}
    for path in sorted((shared / "traffic" / "dev").glob("*.jsonl.gz")):
        with gzip.open(path, "rt") as lines:
            for line in lines:
                seen |= {json.dumps(schema): schema for schema in _schemas(json.loads(line)["request_body"])}
    assert len(seen) > 150
    for text, schema in seen.items():
        for seed in range(3):
            made = made_of(schema, rng(text, seed))
            assert made.problem == ""
            assert valid(made.value, schema, schema), (text, made.value)
