"""The text that OpenAI's models read in place of a `json_schema` response format: the schema without its constraints."""

from __future__ import annotations

import json
from collections.abc import Mapping

from llm_simulator.types import JSON

# Enforced by constrained sampling, so the model is not told (found from recorded counts).
_ENFORCED = frozenset(
    (
        "required",
        "additionalProperties",
        "default",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "multipleOf",
        "minItems",
        "maxItems",
        "minLength",
        "maxLength",
        "pattern",
        "format",
        "uniqueItems",
    )
)
_BY_NAME = ("properties", "$defs", "definitions", "patternProperties")  # objects whose keys are names, not keywords


def format_text(name: str, description: str, schema: JSON) -> str:
    """The section that describes one response format called `name`."""
    told = f"// {description}\n" if description else ""
    body = json.dumps(_told(schema), separators=(",", ":"))
    return f"# Response Formats\n\n## {name}\n\n{told}{body}"


def _told(schema: JSON) -> JSON:
    if isinstance(schema, list):
        return [_told(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: _named(value) if key in _BY_NAME else _value(key, value)
        for key, value in schema.items()
        if key not in _ENFORCED
    }


def _named(value: JSON) -> JSON:
    return {name: _told(schema) for name, schema in value.items()} if isinstance(value, Mapping) else value


def _value(key: str, value: JSON) -> JSON:
    return value if key in ("enum", "const", "examples") else _told(value)
