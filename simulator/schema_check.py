"""Whether a value satisfies a JSON schema (draft 2020-12 and the older spellings): what the maker checks itself with.

Formats are annotations, as the specification has them. References lead within the document only.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

from llm_simulator.simulator.patterns import compiled
from llm_simulator.simulator.schema_forms import (
    Document,
    ImpossibleError,
    kinds_of,
    listed,
    objects,
    patterns_of,
    same,
    spelled,
)
from llm_simulator.types import JSON

DEEPEST = 200
_TYPES: dict[str, tuple[type, ...]] = {
    "null": (type(None),),
    "boolean": (bool,),
    "string": (str,),
    "array": (list,),
    "object": (dict,),
}


class Checker:
    """Checks values against schemas of one document."""

    def __init__(self, document: Document) -> None:
        self._document = document

    def complaint(self, value: JSON, schema: JSON, depth: int = 0) -> str:
        """What is wrong, by keyword; "" where the value is valid."""
        if depth > DEEPEST:
            return "nested too deeply to be checked"
        form = spelled(schema)
        if isinstance(form, bool):
            return "" if form else "false: nothing is allowed here"
        return next(self._complaints(value, form, depth), "")

    def valid(self, value: JSON, schema: JSON, depth: int = 0) -> bool:
        return not self.complaint(value, schema, depth)

    def _complaints(self, value: JSON, form: Mapping[str, Any], depth: int) -> Iterator[str]:
        yield from _of_any(value, form)
        yield from self._applied(value, form, depth)
        if isinstance(value, bool) or value is None:
            return
        if isinstance(value, int | float):
            yield from _of_number(value, form)
        elif isinstance(value, str):
            yield from _of_text(value, form)
        elif isinstance(value, list):
            yield from self._of_array(value, form, depth)
        elif isinstance(value, dict):
            yield from self._of_object(value, form, depth)

    def _applied(self, value: JSON, form: Mapping[str, Any], depth: int) -> Iterator[str]:
        for keyword in ("$ref", "$dynamicRef", "$recursiveRef"):
            if keyword in form:
                try:
                    target = self._document.at(str(form[keyword]))
                except ImpossibleError:
                    continue  # leads nowhere we follow: allows anything
                yield from _said(self.complaint(value, target, depth + 1), keyword)
        for part in listed(form.get("allOf")):
            yield from _said(self.complaint(value, part, depth + 1), "allOf")
        for keyword in ("anyOf", "oneOf"):
            if keyword in form:
                fits = sum(self.valid(value, part, depth + 1) for part in listed(form[keyword]))
                if not fits or (keyword == "oneOf" and fits > 1):
                    yield f"{keyword}: {fits} of the schemas hold"
        if "not" in form and self.valid(value, form["not"], depth + 1):
            yield "not: the schema holds"
        if "if" in form:
            branch = "then" if self.valid(value, form["if"], depth + 1) else "else"
            if branch in form:
                yield from _said(self.complaint(value, form[branch], depth + 1), branch)

    def _of_array(self, value: list[Any], form: Mapping[str, Any], depth: int) -> Iterator[str]:
        if not form.get("minItems", 0) <= len(value) <= form.get("maxItems", len(value)):
            yield f"{len(value)} items"
        first = listed(form.get("prefixItems"))
        for place, item in enumerate(value):
            part = first[place] if place < len(first) else form.get("items", True)
            yield from _said(self.complaint(item, part, depth + 1), f"[{place}]")
        if form.get("uniqueItems") and not unique(value):
            yield "uniqueItems: two items are equal"
        if "contains" in form:
            found = sum(self.valid(item, form["contains"], depth + 1) for item in value)
            if not form.get("minContains", 1) <= found <= form.get("maxContains", found):
                yield f"contains: {found} items do"

    def _of_object(self, value: dict[str, Any], form: Mapping[str, Any], depth: int) -> Iterator[str]:
        if not form.get("minProperties", 0) <= len(value) <= form.get("maxProperties", len(value)):
            yield f"{len(value)} properties"
        if missing := [name for name in listed(form.get("required")) if name not in value]:
            yield f"required: {missing[0]!r} is missing"
        for name, item in value.items():
            for part in rules_of(form, name):
                yield from _said(self.complaint(item, part, depth + 1), f".{name}")
            if "propertyNames" in form:
                yield from _said(self.complaint(name, form["propertyNames"], depth + 1), "propertyNames")
        for name, needs in objects(form.get("dependentRequired")).items():
            if name in value and any(need not in value for need in listed(needs)):
                yield f"dependentRequired: {name!r} needs more"
        for name, part in objects(form.get("dependentSchemas")).items():
            if name in value:
                yield from _said(self.complaint(value, part, depth + 1), "dependentSchemas")
        if form.get("unevaluatedProperties") is False:
            known = self._evaluated(form, value, depth)
            if unknown := [name for name in value if name not in known]:
                yield f"unevaluatedProperties: {unknown[0]!r}"

    def _evaluated(self, form: Mapping[str, Any], value: dict[str, Any], depth: int) -> set[str]:
        """The properties that a keyword of the schema, or of one applied in place, has looked at."""
        if depth > DEEPEST:
            return set(value)
        own = {"properties", "patternProperties", "additionalProperties"} & form.keys()
        known = {name for name in value if own and list(rules_of(form, name, default=None))}
        for part in self._in_place(form, value, depth):
            inner = spelled(part)
            if not isinstance(inner, bool) and self.valid(value, part, depth + 1):
                known |= self._evaluated(inner, value, depth + 1)
        return known

    def _in_place(self, form: Mapping[str, Any], value: dict[str, Any], depth: int) -> Iterator[JSON]:
        for keyword in ("allOf", "anyOf", "oneOf"):
            yield from listed(form.get(keyword))
        if "$ref" in form:
            try:
                yield self._document.at(str(form["$ref"]))
            except ImpossibleError:
                return
        if "if" in form:
            yield form["if"]
            yield form.get("then" if self.valid(value, form["if"], depth + 1) else "else", True)
        yield from (part for name, part in objects(form.get("dependentSchemas")).items() if name in value)


def rules_of(form: Mapping[str, Any], name: str, default: JSON = True) -> Iterator[JSON]:
    """What a schema says of the value of a property; `default` (None: nothing) is additionalProperties left open."""
    known = objects(form.get("properties"))
    found = False
    if name in known:
        found = True
        yield known[name]
    for pattern, part in objects(form.get("patternProperties")).items():
        expression = compiled(pattern)
        if expression is not None and expression.search(name):
            found = True
            yield part
    rest = form.get("additionalProperties", default)
    if not found and rest is not None:
        yield rest


def unique(values: Sequence[JSON]) -> bool:
    """Whether no two of the values are equal as JSON."""
    keys = [_key(value) for value in values]
    return len(set(keys)) == len(keys)


def _key(value: JSON) -> str:
    """Equal for equal values: numbers by value, objects by sorted keys."""
    return json.dumps(_plain(value), sort_keys=True)


def _plain(value: JSON) -> JSON:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_plain(item) for item in value]  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}  # pyright: ignore[reportUnknownVariableType]
    return value


def _said(complaint: str, place: str) -> Iterator[str]:
    if complaint:
        yield f"{place} {complaint}"


def _of_any(value: JSON, form: Mapping[str, Any]) -> Iterator[str]:
    kinds = kinds_of(form)
    if kinds and not any(is_a(value, kind) for kind in kinds):
        yield f"type: {value!r} is no {' or '.join(kinds)}"
    if "const" in form and not same(value, form["const"]):
        yield "const: another value"
    if isinstance(form.get("enum"), list) and not any(same(value, item) for item in form["enum"]):
        yield "enum: not one of the values"


def is_a(value: JSON, kind: str) -> bool:
    if kind in ("integer", "number"):
        return (
            not isinstance(value, bool)
            and isinstance(value, int | float)
            and (kind == "number" or isinstance(value, int) or value.is_integer())
        )
    return isinstance(value, _TYPES.get(kind, (object,)))


def _of_number(value: float, form: Mapping[str, Any]) -> Iterator[str]:
    if value < form.get("minimum", value) or value > form.get("maximum", value):
        yield f"{value} is outside of minimum and maximum"
    if value <= form.get("exclusiveMinimum", value - 1 - abs(value)):
        yield f"exclusiveMinimum: {value}"
    if value >= form.get("exclusiveMaximum", value + 1 + abs(value)):
        yield f"exclusiveMaximum: {value}"
    if form.get("multipleOf") and not is_multiple(value, form["multipleOf"]):
        yield f"multipleOf: {value}"


def is_multiple(value: float, step: float) -> bool:
    """Both as decimals and as binary fractions: validators differ in which of them they take."""
    exact = (Fraction(repr(value)) / Fraction(repr(step))).denominator == 1
    return exact and (isinstance(step, int) or float(value / step).is_integer())


def _of_text(value: str, form: Mapping[str, Any]) -> Iterator[str]:
    if not form.get("minLength", 0) <= len(value) <= form.get("maxLength", len(value)):
        yield f"{len(value)} characters"
    for pattern in patterns_of(form):
        expression = compiled(pattern)
        if expression is not None and not expression.search(value):
            yield f"pattern: {pattern}"
