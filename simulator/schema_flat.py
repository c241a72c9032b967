"""From a schema with references and alternatives to a flat one: branches taken by chance, or the shallowest deep down."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from llm_simulator.simulator.rng import DeterministicRng
from llm_simulator.simulator.schema_forms import (
    ANY,
    Document,
    ImpossibleError,
    Schema,
    joined,
    kinds_of,
    listed,
    objects,
    spelled,
)
from llm_simulator.types import JSON

ANY_KINDS = ("string", "integer", "object", "boolean", "array", "number", "null")
DEEP = 5  # levels below which only what is required is made
STEPS = 6_000
"""Schemas looked at for one value, after which it is given up: what excludes itself cannot be told from what is hard."""
_DEEPEST = 60
_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")
_APPLIED = frozenset((*_REFERENCES, "allOf", "anyOf", "oneOf", "if", "then", "else", "$defs", "definitions"))


class Flattener:
    """Flattens the schemas of one document; counts its steps over all of them."""

    def __init__(self, document: Document, rng: DeterministicRng) -> None:
        self._document = document
        self._rng = rng
        self._left = STEPS
        self._heights: dict[int, tuple[JSON, float]] = {}
        self.refused = ""  # the first reference that was not followed

    @property
    def exhausted(self) -> bool:
        return self._left <= 0

    def spend(self) -> None:
        """Raises:
        ImpossibleError: all steps are taken.
        """
        self._left -= 1
        if self._left <= 0:
            raise ImpossibleError(f"no value was found in {STEPS} steps")

    def flat(self, given: JSON, depth: int, seen: tuple[str, ...] = ()) -> Schema:
        """One flat schema whose values satisfy `given`, but for what only a check can tell.

        Raises:
            ImpossibleError: nothing can.
        """
        form = spelled(given)
        if isinstance(form, bool):
            if form:
                return {}
            raise ImpossibleError("false: nothing is allowed here")
        self.spend()
        if len(seen) > _DEEPEST:
            raise ImpossibleError("references are nested too deeply")
        flat: Schema = {name: part for name, part in form.items() if name not in _APPLIED}
        for keyword in _REFERENCES:
            if keyword in form:
                flat = joined(self._referred(str(form[keyword]), depth, seen), flat)
        for part in listed(form.get("allOf")):
            flat = joined(flat, self.flat(part, depth, seen))
        for keyword in ("anyOf", "oneOf"):
            if form.get(keyword):
                flat = self._branch(flat, listed(form[keyword]), keyword, depth, seen)
        if "if" in form:
            flat = self._condition(flat, form, depth, seen)
        return self._dependent(flat, depth, seen)

    def _referred(self, reference: str, depth: int, seen: tuple[str, ...]) -> Schema:
        if reference in seen:
            raise ImpossibleError(f"$ref {reference!r} leads back to itself")
        try:
            target = self._document.at(reference)
        except ImpossibleError as error:
            self.refused = self.refused or str(error)
            return {}
        return self.flat(target, depth, (*seen, reference))

    def _branch(self, flat: Schema, branches: list[Any], keyword: str, depth: int, seen: tuple[str, ...]) -> Schema:
        reason = ""
        for branch in self._ordered(branches, depth):
            try:
                return joined(flat, self.flat(branch, depth, seen))
            except ImpossibleError as error:
                if self.exhausted:
                    raise
                reason = str(error)
        raise ImpossibleError(f"{keyword}: no branch can hold ({reason})")

    def _ordered(self, branches: list[Any], depth: int) -> list[Any]:
        """Branches in the order in which they are tried: null seldom first, deep down the shallowest first."""
        if depth >= DEEP:
            return sorted(branches, key=self.height)
        start = self._rng.below(len(branches))
        order = [*branches[start:], *branches[:start]]
        if len(order) > 1 and self._rng.next_f64() < 0.8:
            order.sort(key=lambda branch: isinstance(branch, Mapping) and kinds_of(branch) == ["null"])
        return sorted(order, key=lambda branch: math.isinf(self.height(branch)))

    def _condition(self, flat: Schema, form: Schema, depth: int, seen: tuple[str, ...]) -> Schema:
        holds = depth < DEEP and self._rng.next_f64() < 0.5
        for then in (holds, not holds):
            try:
                if not then:
                    return joined(flat, self.flat(form.get("else", True), depth, seen))
                under = joined(flat, self.flat(form["if"], depth, seen))
                return joined(under, self.flat(form.get("then", True), depth, seen))
            except ImpossibleError:
                if self.exhausted:
                    raise
        raise ImpossibleError("if: neither then nor else can hold")

    def _dependent(self, flat: Schema, depth: int, seen: tuple[str, ...]) -> Schema:
        """What the required properties require besides."""
        done: set[str] = set()
        while names := [name for name in listed(flat.get("required")) if name not in done]:
            name = str(names[0])
            done.add(names[0])
            if needs := listed(objects(flat.get("dependentRequired")).get(name)):
                flat = {**flat, "required": list(dict.fromkeys((*flat["required"], *needs)))}
            if name in objects(flat.get("dependentSchemas")):
                flat = joined(flat, self.flat(flat["dependentSchemas"][name], depth, seen))
        return flat

    def height(self, schema: JSON, above: tuple[int, ...] = ()) -> float:
        """How many levels the shallowest value has: 0 for a scalar, infinite where a schema requires itself."""
        known = self._heights.get(id(schema))
        if known is not None:
            return known[1]
        form = spelled(schema)
        if isinstance(form, bool):
            return 0 if form else math.inf
        if id(schema) in above or len(above) > _DEEPEST:
            return math.inf
        found = self._measured(form, (*above, id(schema)))
        if not above or not math.isinf(found):
            self._heights[id(schema)] = (schema, found)  # the schema is kept, so that its id is not used again
        return found

    def _measured(self, form: Schema, above: tuple[int, ...]) -> float:
        if "const" in form or "enum" in form:
            return 0
        heights: list[float] = [self._own_height(form, above)]
        for keyword in _REFERENCES:
            if keyword in form:
                try:
                    heights.append(self.height(self._document.at(str(form[keyword])), above))
                except ImpossibleError:
                    continue
        heights += [self.height(part, above) for part in listed(form.get("allOf"))]
        for keyword in ("anyOf", "oneOf"):
            if branches := listed(form.get(keyword)):
                heights.append(min(self.height(part, above) for part in branches))
        return max(heights)

    def _own_height(self, form: Schema, above: tuple[int, ...]) -> float:
        kinds = kinds_of(form) or (["object"] if "required" in form else list(ANY))
        if any(kind not in ("object", "array") for kind in kinds):
            return 0
        return min(
            self._object_height(form, above) if kind == "object" else self._array_height(form, above) for kind in kinds
        )

    def _object_height(self, form: Schema, above: tuple[int, ...]) -> float:
        known = objects(form.get("properties"))
        parts = [self.height(known.get(str(name), True), above) for name in listed(form.get("required"))]
        return 1 + max(parts, default=0)

    def _array_height(self, form: Schema, above: tuple[int, ...]) -> float:
        least = int(form.get("minItems", 0))
        first = listed(form.get("prefixItems"))
        parts = [self.height(part, above) for part in first[:least]]
        if least > len(first):
            parts.append(self.height(form.get("items", True), above))
        return 1 + max(parts, default=0)
