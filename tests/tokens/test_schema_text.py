"""The text that stands for a response format."""

from __future__ import annotations

from typing import Any

from llm_simulator.tokens.schema_text import format_text


def test_constraints_go_and_the_rest_stays() -> None:
    schema: Any = {
        "type": "object",
        "title": "Café",
        "description": "A place",
        "properties": {
            "required": {"type": "string", "minLength": 1, "pattern": "a", "enum": ["pattern"], "default": "x"},
            "items": {"type": "array", "items": {"$ref": "#/$defs/format"}, "minItems": 1},
        },
        "required": ["required"],
        "additionalProperties": False,
        "$defs": {"format": {"type": "integer", "minimum": 0, "const": {"default": 1}}},
        "anyOf": [{"maxLength": 3}, True],
    }
    assert format_text("place", "Where to go", schema) == (
        "# Response Formats\n\n## place\n\n// Where to go\n"
        '{"type":"object","title":"Caf\\u00e9","description":"A place","properties":{"required":{"type":"string",'
        '"enum":["pattern"]},"items":{"type":"array","items":{"$ref":"#/$defs/format"}}},'
        '"$defs":{"format":{"type":"integer","const":{"default":1}}},"anyOf":[{},true]}'
    )


def test_without_a_description_and_with_odd_schemas() -> None:
    assert format_text("n", "", {"properties": 3}) == '# Response Formats\n\n## n\n\n{"properties":3}'
    assert format_text("n", "", None) == "# Response Formats\n\n## n\n\nnull"
