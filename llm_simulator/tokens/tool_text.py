"""The text that OpenAI's models read in place of `tools`: TypeScript-like declarations with comments.

The layout is known from recorded counts, from openai/harmony (src/encoding.rs), and from renderings that public prompt
collections and serbyte-development/json-schema-to-openai-typescript captured; where they differ, the counts decided.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from llm_simulator.tokens.tally import mapping, text
from llm_simulator.types import JSON

_CONSTRAINTS = (
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "pattern",
    "format",
    "minItems",
    "maxItems",
)
_DEEPEST = 16  # levels of a schema that are written out; below them stands `any`


def tools_text(functions: Sequence[Mapping[str, JSON]]) -> str:
    """The declarations of `functions` (each with name, description, parameters) as one text."""
    return _declarations(json.dumps(functions))


@lru_cache(maxsize=64)  # a client offers the same tools call after call
def _declarations(functions: str) -> str:
    blocks = ["# Tools", "## functions", "namespace functions {"]
    blocks += ["\n".join(_function(function)) for function in json.loads(functions)]
    blocks.append("} // namespace functions")
    return "\n\n".join(blocks)


def described(functions: Sequence[Mapping[str, JSON]]) -> bool:
    """Whether any function says what it is for."""
    return any(function.get("description") for function in functions)


def _function(function: Mapping[str, JSON]) -> Iterator[str]:
    name, schema = text(function.get("name")), mapping(function.get("parameters"))
    yield from _comment(text(function.get("description")))
    if _properties(schema):
        yield f"type {name} = (_: {_Writer(schema).written(schema, 0).whole}) => any;"
    else:
        yield f"type {name} = () => any;"


def _comment(content: str) -> Iterator[str]:
    if content:
        yield from (f"// {line.strip()}".rstrip() for line in content.split("\n"))


@dataclass(frozen=True, slots=True)
class _Written:
    """A type with what is said about it: comment lines before it, and a remark behind it on its last line."""

    type: str
    above: tuple[str, ...] = ()
    remark: str = ""

    @property
    def plain(self) -> bool:
        return not self.above and not self.remark and "\n" not in self.type

    @property
    def whole(self) -> str:
        return "\n".join([*self.above, self.type]) + (f" // {self.remark}" if self.remark else "")


class _Writer:
    """Writes the types of one function's parameters; a `$ref` is looked up in the schema it was made for."""

    def __init__(self, root: Mapping[str, JSON]) -> None:
        self._root = root
        self._open: list[str] = []  # references being written: one of them inside itself is not followed

    def written(self, schema: JSON, depth: int) -> _Written:
        if not isinstance(schema, dict):
            return _Written("never" if schema is False else "any")
        if not isinstance(ref := schema.get("$ref"), str):
            return _Written(self._type(schema, depth), tuple(_about(schema)), _remark(schema))
        if ref in self._open:
            return _Written("any", remark=f"$ref: {_json(ref)}")
        self._open.append(ref)
        try:
            siblings = {key: value for key, value in schema.items() if key != "$ref"}
            return self.written({**self._resolve(ref), **siblings}, depth)
        finally:
            self._open.pop()

    def _resolve(self, ref: str) -> Mapping[str, JSON]:
        found: JSON = self._root
        for step in ref.removeprefix("#/").split("/"):
            found = mapping(found).get(step.replace("~1", "/").replace("~0", "~"))
        return mapping(found)

    def _type(self, schema: Mapping[str, JSON], depth: int) -> str:
        if depth > _DEEPEST:
            return "any"
        name = self._bare(schema, depth)
        return f"{name} | null" if schema.get("nullable") is True and "null" not in name else name

    def _bare(self, schema: Mapping[str, JSON], depth: int) -> str:
        if isinstance(options := schema.get("enum"), list):
            return " | ".join(map(_json, options)) or "any"
        if "const" in schema:
            return _json(schema["const"])
        for word, sign in (("anyOf", "|"), ("oneOf", "|"), ("allOf", "&")):
            if isinstance(variants := schema.get(word), list) and variants:
                return _joined([self.written(variant, depth + 1) for variant in variants], sign)
        match schema.get("type"):
            case "string" | "number" | "boolean" | "null" as name:
                return str(name)
            case "integer":
                return "number"
            case "array":
                return self._array(schema, depth)
            case "object":
                return self._object(schema, depth)
            case list():
                return repr(_ordered(schema))  # the dict of a Python program, as it seems: nothing else tried fits
            case _:
                return self._object(schema, depth) if _properties(schema) else "any"

    def _array(self, schema: Mapping[str, JSON], depth: int) -> str:
        if isinstance(first := schema.get("prefixItems"), list):
            items = [f"item{i}?: {self.written(item, depth + 1).type}" for i, item in enumerate(first)]
            if isinstance(schema.get("items"), dict):
                items.append(f"...items: {self.written(schema['items'], depth + 1).type}[]")
            return f"[{', '.join(items)}]"
        item = self.written(schema.get("items"), depth + 1)
        if not item.plain:
            return f"Array<\n{item.whole}\n>"
        return f"Array<{item.type}>" if " | " in item.type and item.type[0] != "{" else f"{item.type}[]"

    def _object(self, schema: Mapping[str, JSON], depth: int) -> str:
        required = schema.get("required")
        needed = required if isinstance(required, list) else []
        properties = {key: self.written(value, depth + 1) for key, value in _properties(schema).items()}
        signed = {key if key in needed else f"{key}?": value for key, value in properties.items()}
        if (rest := schema.get("additionalProperties")) is True or isinstance(rest, dict):
            signed["[key: string]"] = self.written(rest, depth + 1)
        if not signed:
            return "object"
        if all(value.plain for value in signed.values()):
            return "{ " + ", ".join(f"{key}: {value.type}" for key, value in signed.items()) + " }"
        return "\n".join(["{", *(line for key, value in signed.items() for line in _property(key, value)), "}"])


def _property(key: str, value: _Written) -> Iterator[str]:
    yield from value.above
    if "\n" not in value.type:
        yield f"{key}: {value.type}," + (f" // {value.remark}" if value.remark else "")
        return
    if value.remark:
        yield f"// {value.remark}"
    yield f"{key}:{value.type}," if value.type.startswith("\n") else f"{key}: {value.type},"


def _joined(variants: Sequence[_Written], sign: str) -> str:
    """Variants on one line where nothing is said about any of them, else one a line."""
    if all(variant.plain for variant in variants):
        return f" {sign} ".join(variant.type for variant in variants)
    lines = [line for v in variants for line in (*v.above, f" {sign} {_Written(v.type, remark=v.remark).whole}")]
    return "\n" + "\n".join(lines) + "\n"


def _about(schema: Mapping[str, JSON]) -> Iterator[str]:
    title, description = text(schema.get("title")), text(schema.get("description"))
    yield from _comment(title)
    if title and description:
        yield "//"
    yield from _comment(description)
    examples = schema.get("examples")
    match examples if isinstance(examples, list) else []:
        case []:
            pass
        case [example]:
            yield f"// Example: {_json(example)}"
        case several:
            yield "// Examples:"
            yield from (f"// - {_json(example)}" for example in several)


def _remark(schema: Mapping[str, JSON]) -> str:
    said = [f"default: {_json(schema['default'])}"] if "default" in schema else []
    said += [f"{word}: {_constraint(word, schema)}" for word in _CONSTRAINTS if word in schema]
    return ", ".join(said)


def _constraint(word: str, schema: Mapping[str, JSON]) -> str:
    value = schema[word]
    if word == "pattern":
        return f"/{value}/"
    if schema.get("type") == "number" and isinstance(value, int) and abs(value) < 2**53:
        return _json(float(value))
    return _json(value)


def _ordered(schema: JSON) -> JSON:
    """A schema with `type` and `description` first at every level."""
    if isinstance(schema, list):
        return [_ordered(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    first = [key for key in ("type", "description") if key in schema]
    return {key: _ordered(schema[key]) for key in [*first, *(key for key in schema if key not in first)]}


def _properties(schema: Mapping[str, JSON]) -> Mapping[str, JSON]:
    return mapping(schema.get("properties"))


def _json(value: JSON) -> str:
    return json.dumps(value, ensure_ascii=False)
