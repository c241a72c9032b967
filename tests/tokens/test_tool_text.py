"""The declarations that stand for tools, kind of schema by kind of schema."""

from __future__ import annotations

from typing import Any

import pytest

from llm_simulator.tokens.tool_text import described, tools_text


def text_of(**properties: Any) -> str:
    """What stands for a function `f` whose parameters are `properties`, none of them required."""
    return parameters_text({"type": "object", "properties": properties})


def parameters_text(schema: Any) -> str:
    whole = tools_text([{"name": "f", "parameters": schema}])
    return whole.removeprefix(HEAD).removesuffix(TAIL)


HEAD = "# Tools\n\n## functions\n\nnamespace functions {\n\n"
TAIL = "\n\n} // namespace functions"


def test_two_functions() -> None:
    assert (
        tools_text(
            [
                {
                    "name": "weather",
                    "description": "Weather of a place.\n\n  In Celsius.",
                    "parameters": {
                        "type": "object",
                        "properties": {
                            "place": {"type": "string", "description": "Town, country"},
                            "unit": {"type": "string", "enum": ["C", "F"], "default": "C"},
                        },
                        "required": ["place"],
                    },
                    "strict": True,
                },
                {"name": "now"},
            ]
        )
        == """# Tools

## functions

namespace functions {

// Weather of a place.
//
// In Celsius.
type weather = (_: {
// Town, country
place: string,
unit?: "C" | "F", // default: "C"
}) => any;

type now = () => any;

} // namespace functions"""
    )


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        ({"type": "string"}, "string"),
        ({"type": "number"}, "number"),
        ({"type": "integer"}, "number"),
        ({"type": "boolean"}, "boolean"),
        ({"type": "null"}, "null"),
        ({"type": "object"}, "object"),
        ({"type": "array"}, "any[]"),
        ({}, "any"),
        (True, "any"),
        (False, "never"),
        ("nonsense", "any"),
        ({"type": "nonsense"}, "any"),
        ({"type": "string", "nullable": True}, "string | null"),
        ({"enum": ["a", 1, True, None]}, '"a" | 1 | true | null'),
        ({"enum": []}, "any"),
        ({"const": {"a": [1]}}, '{"a": [1]}'),
        ({"type": "array", "items": {"type": "integer"}}, "number[]"),
        ({"type": "array", "items": {"type": "array", "items": {"type": "string"}}}, "string[][]"),
        ({"type": "array", "items": {"anyOf": [{"type": "string"}, {"type": "null"}]}}, "Array<string | null>"),
        ({"type": "array", "items": {"type": "object", "properties": {"a": {"type": "string"}}}}, "{ a?: string }[]"),
        ({"type": "array", "prefixItems": [{"type": "string"}]}, "[item0?: string]"),
        (
            {"type": "array", "prefixItems": [{"type": "string"}], "items": {"type": "number"}},
            "[item0?: string, ...items: number[]]",
        ),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "string | null"),
        ({"oneOf": [{"const": 1}, {"const": 2}]}, "1 | 2"),
        ({"allOf": [{"type": "string"}, {"type": "number"}]}, "string & number"),
        ({"anyOf": []}, "any"),
        ({"type": "object", "additionalProperties": {"type": "string"}}, "{ [key: string]: string }"),
        (
            {"type": "object", "properties": {"a": {"type": "null"}}, "additionalProperties": True},
            "{ a?: null, [key: string]: any }",
        ),
        (
            {"type": "object", "properties": {"a": {"type": "null"}}, "additionalProperties": False},
            "{ a?: null }",
        ),
        ({"properties": {"a": {"type": "null"}}, "required": ["a"]}, "{ a: null }"),
        ({"$ref": "#/nowhere"}, "any"),
        ({"x": 1, "type": ["string", "null"]}, "{'type': ['string', 'null'], 'x': 1}"),
    ],
)
def test_types_on_one_line(schema: Any, text: str) -> None:
    assert text_of(x=schema) == f"type f = (_: {{ x?: {text} }}) => any;"


@pytest.mark.parametrize(
    ("schema", "lines"),
    [
        ({"type": "string", "title": "T"}, "// T\nx?: string,"),
        ({"type": "string", "title": "T", "description": "D\n more"}, "// T\n//\n// D\n// more\nx?: string,"),
        ({"type": "string", "examples": ["a", "b"]}, '// Examples:\n// - "a"\n// - "b"\nx?: string,'),
        ({"type": "string", "examples": ["a"]}, '// Example: "a"\nx?: string,'),
        (
            {"type": "integer", "default": 1, "minimum": 0, "maximum": 5},
            "x?: number, // default: 1, minimum: 0, maximum: 5",
        ),
        ({"type": "number", "exclusiveMinimum": 0}, "x?: number, // exclusiveMinimum: 0.0"),
        ({"type": "number", "minimum": 10**400}, f"x?: number, // minimum: {10**400}"),
        ({"type": "string", "pattern": "^a$", "format": "date"}, 'x?: string, // pattern: /^a$/, format: "date"'),
        ({"type": "array", "items": {"type": "string"}, "maxItems": 4}, "x?: string[], // maxItems: 4"),
        (
            {"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}], "default": None},
            '// default: null\nx?:\n | string // format: "date"\n | null\n,',
        ),
        (
            {"oneOf": [{"type": "string"}, {"type": "number", "description": "Numeric."}], "description": "One."},
            "// One.\nx?:\n | string\n// Numeric.\n | number\n,",
        ),
        (
            {"type": "array", "minItems": 1, "items": {"type": "object", "properties": {"a": {"title": "A"}}}},
            "// minItems: 1\nx?: Array<\n{\n// A\na?: any,\n}\n>,",
        ),
        (
            {"type": "object", "title": "X", "properties": {"a": {"type": "string", "title": "A"}}},
            "// X\nx?: {\n// A\na?: string,\n},",
        ),
    ],
)
def test_properties_with_something_said(schema: Any, lines: str) -> None:
    assert text_of(x=schema) == f"type f = (_: {{\n{lines}\n}}) => any;"


def test_title_and_description_of_all_parameters_stand_before_them() -> None:
    schema = {"type": "object", "title": "F", "description": "All.", "properties": {"a": {"type": "string"}}}
    assert parameters_text(schema) == "type f = (_: // F\n//\n// All.\n{ a?: string }) => any;"


def test_references_are_written_out_but_not_inside_themselves() -> None:
    schema = {
        "type": "object",
        "properties": {"tree": {"$ref": "#/$defs/a~1b"}},
        "$defs": {
            "a/b": {
                "type": "object",
                "title": "Node",
                "properties": {"name": {"type": "string"}, "next": {"$ref": "#/$defs/a~1b"}},
            }
        },
    }
    assert parameters_text(schema) == (
        'type f = (_: {\n// Node\ntree?: {\nname?: string,\nnext?: any, // $ref: "#/$defs/a~1b"\n},\n}) => any;'
    )


def test_what_is_nested_without_end_ends() -> None:
    schema: Any = {"type": "string"}
    for _ in range(200):
        schema = {"type": "object", "properties": {"a": schema}}
    assert "any" in parameters_text(schema)


def test_described() -> None:
    assert described([{"name": "a"}, {"name": "b", "description": "B"}])
    assert not described([{"name": "a", "description": ""}])
