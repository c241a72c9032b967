"""Values that satisfy a JSON schema, drawn from a seed: structured outputs and the arguments of tool calls.

Honoured: draft 2020-12 with the older spellings and Gemini's (see schema_forms): types, enum, const, bounds, lengths,
patterns, formats, objects, arrays, allOf, anyOf, oneOf, not, if, dependencies, references within the document, recursion.
What cannot be made directly (not, oneOf, if, contains) is made, checked and made again; a budget of steps ends that.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from llm_simulator.simulator import schema_numbers
from llm_simulator.simulator.patterns import PatternError, matching
from llm_simulator.simulator.rng import DeterministicRng
from llm_simulator.simulator.schema_check import Checker, rules_of, unique
from llm_simulator.simulator.schema_flat import ANY_KINDS, DEEP, Flattener
from llm_simulator.simulator.schema_forms import (
    PATTERNS,
    Document,
    ImpossibleError,
    Schema,
    both,
    kinds_of,
    listed,
    objects,
    same,
    spelled,
)
from llm_simulator.simulator.schema_strings import string_of, words
from llm_simulator.types import JSON

TRIES = 24  # of one value, where it must be checked
ITEMS = 1000  # the most items or properties made because the schema requires so many
_OPTIONAL = 0.6  # the share of optional properties that are there
_CHECKED = frozenset(
    ("not", "oneOf", "allOf", "$ref", "$dynamicRef", "if", "contains", "dependentSchemas", "dependentRequired")
) | {"propertyNames", "patternProperties", "unevaluatedProperties", "examples", "anyOf", "dependencies"}
_PLAIN: JSON = {
    "type": "object",
    "properties": {"title": {"type": "string"}, "count": {"type": "integer"}, "done": {"type": "boolean"}},
    "required": ["title", "count", "done"],
}
"""What JSON mode without a schema answers with."""


@dataclass(frozen=True, slots=True)
class Made:
    """A value, and why it does not satisfy its schema ("" where it does)."""

    value: JSON
    problem: str = ""


def value_of(schema: JSON, rng: DeterministicRng) -> JSON:
    """A value that is valid under `schema`; {} and True allow anything and get a small object."""
    return made_of(schema, rng).value


def made_of(schema: JSON, rng: DeterministicRng) -> Made:
    """A value for `schema`. Where none was found: one that is as near as it came, and the reason."""
    root = schema if (isinstance(schema, Mapping) and schema) or schema is False else _PLAIN
    maker = _Maker(root, rng)
    try:
        return Made(maker.make(root, 0), maker.flattener.refused)
    except (ImpossibleError, RecursionError) as error:
        reason = str(error) or "nested too deeply"
    near = _Maker(root, rng, lenient=True)
    try:
        value = near.make(root, 0)
    except (ImpossibleError, RecursionError):
        value = {}
    return Made(value, f"schema: no value satisfies it: {reason}")


class _Maker:
    """Makes values of one document. `lenient`: null where nothing satisfies a part, and nothing is made twice."""

    def __init__(self, root: JSON, rng: DeterministicRng, *, lenient: bool = False) -> None:
        document = Document(root)
        self._rng = rng
        self._checker = Checker(document)
        self._lenient = lenient
        self.flattener = Flattener(document, rng)

    def make(self, given: JSON, depth: int) -> JSON:
        """A value that satisfies `given`.

        Raises:
            ImpossibleError: none was found.
        """
        form = spelled(given)
        if form is True:
            return words(self._rng, 1, 3)
        if math.isinf(self.flattener.height(given)):
            if self._lenient and depth >= DEEP:
                return None
            if not self._lenient:
                raise ImpossibleError("it requires itself without end, or something that is never allowed")
        reason = "false: nothing is allowed here"
        for attempt in range(0 if form is False else 1 if self._lenient else TRIES):
            self.flattener.spend()
            try:
                flat = self.flattener.flat(form, depth)
                value = self._value(flat, depth, attempt)
            except ImpossibleError as error:
                if self.flattener.exhausted:
                    raise
                reason = str(error)
                continue
            checked = flat.keys() & _CHECKED or (isinstance(form, dict) and form.keys() & _CHECKED)
            reason = self._checker.complaint(value, form) if checked else ""
            if not reason or self._lenient:
                return value
        if self._lenient:
            return None
        raise ImpossibleError(reason)

    def _value(self, flat: Schema, depth: int, attempt: int) -> JSON:
        if "const" in flat:
            return self._allowed([flat["const"]], flat, "const")
        if isinstance(flat.get("enum"), list):
            return self._allowed(flat["enum"], flat, "enum")
        examples = [value for value in listed(flat.get("examples")) if self._checker.valid(value, flat)]
        if examples and self._rng.next_f64() < 0.5:
            return self._pick(examples)
        match self._kind(flat, depth, attempt):
            case "object":
                return self._object(flat, depth)
            case "array":
                return self._array(flat, depth, attempt)
            case "integer":
                return schema_numbers.integer_of(flat, self._rng)
            case "number":
                return schema_numbers.number_of(flat, self._rng)
            case "boolean":
                return self._rng.next_f64() < 0.5
            case "null":
                return None
            case _:
                return string_of(flat, self._rng)

    def _allowed(self, values: list[Any], flat: Schema, keyword: str) -> JSON:
        """One of the values that the other keywords leave."""
        others = {name: part for name, part in flat.items() if name != keyword}
        left = [value for value in values if self._checker.valid(value, others)]
        if not left:
            raise ImpossibleError(f"{keyword}: the other keywords leave none of the values")
        return self._pick(left)

    def _kind(self, flat: Schema, depth: int, attempt: int) -> str:
        kinds = kinds_of(flat) or _implied(flat)
        if not kinds:
            return ANY_KINDS[self._rng.below(len(ANY_KINDS))] if attempt else "string"
        if len(kinds) == 1:
            return kinds[0]
        if depth >= DEEP:
            return min(kinds, key=lambda kind: (kind in ("object", "array"), kind != "null"))
        if "null" in kinds and self._rng.next_f64() < 0.8:
            kinds = [kind for kind in kinds if kind != "null"]
        return str(self._pick(kinds))

    def _object(self, flat: Schema, depth: int) -> JSON:
        made: dict[str, JSON] = {}
        required = [str(name) for name in listed(flat.get("required"))]
        known = objects(flat.get("properties"))
        most = flat.get("maxProperties", max(ITEMS, len(known) + len(required)))
        wanted = self._wanted(flat, required, depth)
        missing = [name for name in dict.fromkeys((*required, *wanted)) if name not in known]
        if barred := [name for name in required if False in rules_of(flat, name)]:
            raise ImpossibleError(f"required: {barred[0]!r} is not allowed")
        for name in [*(name for name in known if name in wanted or name in required), *missing]:
            if name in required:
                made[name] = self._property(flat, name, depth)
            elif len(made) + sum(other not in made for other in required) < most:
                self._try_property(made, flat, name, depth)
        self._fill(made, flat, depth)
        return made

    def _wanted(self, flat: Schema, required: list[str], depth: int) -> dict[str, None]:
        """Optional properties that are to be there, with what those need (names in order, as an ordered set)."""
        needs = objects(flat.get("dependentRequired"))
        touchy = objects(flat.get("dependentSchemas"))
        drawn = [
            name
            for name in objects(flat.get("properties"))
            if depth < DEEP and self._rng.next_f64() < _OPTIONAL and name not in touchy and name not in required
        ]
        wanted: dict[str, None] = {}
        while drawn:
            name = drawn.pop()
            if name not in wanted and name not in required:
                wanted[name] = None
                drawn.extend(str(need) for need in listed(needs.get(name)))
        return wanted

    def _fill(self, made: dict[str, JSON], flat: Schema, depth: int) -> None:
        """Further properties where too few are there, and some where the schema is a map."""
        known = objects(flat.get("properties"))
        rest = flat.get("additionalProperties")
        a_map = (
            not known and depth < DEEP and (isinstance(rest, Mapping) or bool(objects(flat.get("patternProperties"))))
        )
        least = int(flat.get("minProperties", 0))
        if least > ITEMS:
            raise ImpossibleError(f"minProperties {least} is more than {ITEMS}, which is the most made here")
        wanted = max(least, 1 + self._rng.below(2) if a_map and not made else 0)
        for name in known:
            if len(made) < least and name not in made:
                self._try_property(made, flat, name, depth)
        for name in self._names(flat):
            if len(made) >= min(wanted, flat.get("maxProperties", wanted)):
                return
            if name not in made:
                self._try_property(made, flat, name, depth)
        if len(made) < least:
            raise ImpossibleError(f"minProperties: only {len(made)} of {least} could be made")

    def _names(self, flat: Schema) -> Iterator[str]:
        """Names that a schema without a list of its own may have."""
        patterns = list(objects(flat.get("patternProperties")))
        closed = flat.get("additionalProperties", True) is False or flat.get("unevaluatedProperties") is False
        for attempt in range(40 + 4 * min(int(flat.get("minProperties", 0)), ITEMS)):
            if patterns and (closed or attempt % 2):
                try:
                    yield matching(patterns[attempt % len(patterns)], self._rng, 3)
                except PatternError:
                    continue
            elif not closed and "propertyNames" in flat:
                name = self.make({"type": "string", "allOf": [flat["propertyNames"]]}, DEEP)
                yield str(name)
            elif not closed:
                yield words(self._rng, 1, 1).lower() + ("" if attempt < 20 else str(attempt))

    def _try_property(self, made: dict[str, JSON], flat: Schema, name: str, depth: int) -> None:
        """Adds an optional property where a value for it can be made."""
        if "propertyNames" in flat and not self._checker.valid(name, flat["propertyNames"]):
            return
        if self.flattener.height({"allOf": list(rules_of(flat, name))}) > 1000:
            return
        try:
            made[name] = self._property(flat, name, depth)
        except ImpossibleError:
            if self.flattener.exhausted:
                raise

    def _property(self, flat: Schema, name: str, depth: int) -> JSON:
        rules = list(rules_of(flat, name))
        return self.make(rules[0] if len(rules) == 1 else {"allOf": rules}, depth + 1)

    def _array(self, flat: Schema, depth: int, attempt: int) -> JSON:
        first, rest = listed(flat.get("prefixItems")), flat.get("items", True)
        least = int(flat.get("minItems", 0))
        contained = int(flat.get("minContains", 1)) if "contains" in flat else 0
        if least > ITEMS or contained > ITEMS:
            raise ImpossibleError(f"minItems {max(least, contained)} is more than {ITEMS}, which is the most made here")
        wanted = least if depth >= DEEP else max(least, len(first) or 1 + self._rng.below(3))
        # What must be contained comes last, behind the fixed items or, at every other try, as one of them.
        wanted = max(wanted, contained + (len(first) if contained and attempt % 2 == 0 else 0))
        wanted = min(wanted, int(flat.get("maxItems", wanted)))
        made: list[JSON] = []
        for place in range(wanted):
            part = first[place] if place < len(first) else rest
            if place >= wanted - contained:
                part = both(part, flat["contains"])
            try:
                made.append(self._item(part, made, bool(flat.get("uniqueItems")), depth + 1))
            except ImpossibleError:
                if place < least or contained or self.flattener.exhausted:
                    raise
                break
        return made

    def _item(self, part: JSON, made: list[JSON], different: bool, depth: int) -> JSON:
        for _ in range(30 if different else 1):
            value = self.make(part, depth)
            if not different or unique([*made, value]):
                return value
        values = next((listed(rule.get("enum")) for rule in [spelled(part)] if isinstance(rule, dict)), [])
        for value in values:
            if self._checker.valid(value, part) and not any(same(value, other) for other in made):
                return value
        raise ImpossibleError("uniqueItems: there are not enough different values")

    def _pick(self, options: list[Any]) -> JSON:
        return options[self._rng.below(len(options))]


_OF_OBJECTS = {
    "properties",
    "required",
    "additionalProperties",
    "patternProperties",
    "minProperties",
    "maxProperties",
} | {
    "propertyNames",
    "dependentRequired",
    "dependentSchemas",
    "unevaluatedProperties",
}
_OF_ARRAYS = {"items", "prefixItems", "minItems", "maxItems", "uniqueItems", "contains"}
_OF_NUMBERS = {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}
_OF_STRINGS = {"minLength", "maxLength", "pattern", "format", PATTERNS}


def _implied(flat: Schema) -> list[str]:
    """The type that a schema without `type` speaks of."""
    families = (("object", _OF_OBJECTS), ("array", _OF_ARRAYS), ("number", _OF_NUMBERS), ("string", _OF_STRINGS))
    return [kind for kind, keywords in families if flat.keys() & keywords][:1]
