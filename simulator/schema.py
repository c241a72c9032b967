"""Values that satisfy a JSON schema (draft 2020-12, the part that structured outputs use), drawn from a seed.

Honoured: type (also a list, and Gemini's upper case), nullable, enum, const, properties, required, items, prefixItems,
minItems, maxItems, uniqueItems, minimum and maximum with their exclusive forms, multipleOf, minLength, maxLength,
common formats, anyOf, oneOf, allOf, $ref within the document, recursion. Not: pattern, not, if, dependencies.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from llm_simulator.simulator.rng import DeterministicRng
from llm_simulator.simulator.text import chain
from llm_simulator.types import JSON

DEEP = 5  # levels below which only what is required is made
DEEPEST = 40  # levels at which a schema that requires itself is given up
_PLAIN: JSON = {
    "type": "object",
    "properties": {"title": {"type": "string"}, "count": {"type": "integer"}, "done": {"type": "boolean"}},
    "required": ["title", "count", "done"],
}
"""What JSON mode without a schema answers with."""


def value_of(schema: JSON, rng: DeterministicRng) -> JSON:
    """A value that is valid under `schema`; {} and True allow anything and get a small object."""
    if not isinstance(schema, Mapping) or not schema:
        return _Maker(_PLAIN, rng).make(_PLAIN, 0)
    return _Maker(schema, rng).make(schema, 0)


class _Maker:
    __slots__ = ("_rng", "_root")

    def __init__(self, root: JSON, rng: DeterministicRng) -> None:
        self._root = root
        self._rng = rng

    def make(self, given: JSON, depth: int) -> JSON:
        schema = self._resolved(given, depth)
        if not schema or depth > DEEPEST:
            return self._words(1, 3) if depth <= DEEPEST else None
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return self._pick(schema["enum"])
        match self._kind(schema, depth):
            case "object":
                return self._object(schema, depth)
            case "array":
                return self._array(schema, depth)
            case "integer":
                return self._integer(schema)
            case "number":
                return self._number(schema)
            case "boolean":
                return self._rng.next_f64() < 0.5
            case "null":
                return None
            case _:
                return self._string(schema)

    def _resolved(self, given: JSON, depth: int) -> dict[str, JSON]:
        """One plain schema: references followed, `allOf` merged, one branch of `anyOf` and `oneOf` taken."""
        schema: dict[str, JSON] = dict(given) if isinstance(given, Mapping) else {}
        for _ in range(DEEPEST):
            if "$ref" in schema:
                schema = _merged(
                    {name: part for name, part in schema.items() if name != "$ref"}, self._at(schema["$ref"])
                )
            elif "allOf" in schema:
                parts = schema.pop("allOf")
                for part in parts:
                    schema = _merged(schema, part)
            elif branches := schema.pop("anyOf", None) or schema.pop("oneOf", None):
                schema = _merged(schema, self._branch(branches, depth))
            else:
                break
        return schema

    def _branch(self, branches: JSON, depth: int) -> JSON:
        """Any branch; deep down the plainest, so that recursion ends."""
        if depth < DEEP:
            return self._pick(branches)
        return min(branches, key=lambda branch: len(str(branch)) if isinstance(branch, Mapping) else 0)

    def _at(self, reference: JSON) -> JSON:
        """What `#/$defs/name` points at; {} where it points at nothing in this document."""
        place = self._root
        for step in str(reference).removeprefix("#").strip("/").split("/"):
            if not step:
                continue
            step = step.replace("~1", "/").replace("~0", "~")
            place = place.get(step, {}) if isinstance(place, Mapping) else {}
        return place

    def _kind(self, schema: Mapping[str, JSON], depth: int) -> str:
        kinds = schema.get("type")
        if isinstance(kinds, list) and kinds:
            named = [str(kind).lower() for kind in kinds]
            return "null" if "null" in named and depth >= DEEP else str(self._pick(named))
        if schema.get("nullable") is True and depth >= DEEP:
            return "null"
        if isinstance(kinds, str):
            return kinds.lower()
        if "properties" in schema or "required" in schema:
            return "object"
        if "items" in schema or "prefixItems" in schema:
            return "array"
        return "number" if schema.keys() & {"minimum", "maximum", "multipleOf"} else "string"

    def _object(self, schema: Mapping[str, JSON], depth: int) -> JSON:
        properties = schema.get("properties")
        known: Mapping[str, JSON] = properties if isinstance(properties, Mapping) else {}
        required = [str(name) for name in schema.get("required") or ()]
        made: dict[str, JSON] = {}
        for name, part in known.items():
            if name in required or (depth < DEEP and self._rng.next_f64() < 0.6):
                made[name] = self.make(part, depth + 1)
        more = schema.get("additionalProperties")
        for name in required:
            if name not in made:
                made[name] = self.make(more if isinstance(more, Mapping) else {}, depth + 1)
        return made

    def _array(self, schema: Mapping[str, JSON], depth: int) -> JSON:
        first = schema.get("prefixItems")
        made = [self.make(part, depth + 1) for part in first] if isinstance(first, list) else []
        least = int(schema.get("minItems") or 0)
        wanted = least if depth >= DEEP else max(least, len(made), 1 + self._rng.below(3))
        most = schema.get("maxItems")
        wanted = wanted if most is None else min(wanted, int(most))
        items = schema.get("items", {})
        for _ in range(20 * wanted):  # a set of few values may not have as many different ones as were drawn for
            if len(made) >= wanted:
                break
            value = self.make(items, depth + 1)
            if not schema.get("uniqueItems") or value not in made:
                made.append(value)
        return made[:wanted] if most is not None else made

    def _integer(self, schema: Mapping[str, JSON]) -> int:
        low, high = _bounds(schema, 1, 100)
        step = schema.get("multipleOf") or 1
        least, most = math.ceil(low / step), math.floor(high / step)
        return int((least + self._rng.below(max(most - least + 1, 1))) * step)

    def _number(self, schema: Mapping[str, JSON]) -> float:
        low, high = _bounds(schema, 0, 100)
        if step := schema.get("multipleOf"):
            least, most = math.ceil(low / step), math.floor(high / step)
            return float((least + self._rng.below(max(most - least + 1, 1))) * step)
        value = round(low + self._rng.next_f64() * (high - low), 2)
        return float(value) if low <= value <= high else (low + high) / 2

    def _string(self, schema: Mapping[str, JSON]) -> str:
        text = self._formatted(str(schema.get("format", "")))
        if text is not None:
            return text
        least, most = int(schema.get("minLength") or 0), schema.get("maxLength")
        text = self._words(1, 4)
        while len(text) < least:
            text += " " + self._words(1, 4)
        return text if most is None or len(text) <= int(most) else text[: int(most)]

    def _words(self, least: int, most: int) -> str:
        words = chain().words
        drawn = (words[self._rng.below(len(words))] for _ in range(least + self._rng.below(most - least + 1)))
        return " ".join(word.strip(".,;:!?*`“”") for word in drawn)

    def _formatted(self, name: str) -> str | None:
        below, rng = self._rng.below, self._rng
        day = f"{2020 + below(7)}-{1 + below(12):02}-{1 + below(28):02}"
        clock = f"{below(24):02}:{below(60):02}:{below(60):02}Z"
        match name:
            case "date":
                return day
            case "time":
                return clock
            case "date-time":
                return f"{day}T{clock}"
            case "duration":
                return f"PT{1 + below(59)}M"
            case "email":
                return f"user{below(1000)}@example.com"
            case "hostname":
                return f"host{below(1000)}.example.com"
            case "ipv4":
                return f"192.0.2.{below(256)}"
            case "ipv6":
                return f"2001:db8::{below(65536):x}"
            case "uri":
                return f"https://example.com/{below(100000)}"
            case "uuid":
                bits = f"{rng.next_u64():016x}{rng.next_u64():016x}"
                return f"{bits[:8]}-{bits[8:12]}-4{bits[13:16]}-a{bits[17:20]}-{bits[20:]}"
            case _:
                return None

    def _pick(self, options: JSON) -> JSON:
        return options[self._rng.below(len(options))]


def _bounds(schema: Mapping[str, JSON], low: int, high: int) -> tuple[float, float]:
    """The allowed range: what the schema leaves open is near the bound that it has, else [low, high]."""
    step = 1 if str(schema.get("type", "")).lower() == "integer" else 0.01
    least, most = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    if isinstance(above, (int, float)) and not isinstance(above, bool):
        least = above + step
    if isinstance(below, (int, float)) and not isinstance(below, bool):
        most = below - step
    if least is None:
        least = low if most is None or most >= low else most - (high - low)
    if most is None:
        most = max(high, least + (high - low))
    return least, most


def _merged(one: Mapping[str, JSON], other: JSON) -> dict[str, JSON]:
    """Both schemas at once: properties and required united, of the rest the second one's word counts."""
    if not isinstance(other, Mapping):
        return dict(one)
    made = {**one, **other}
    if "properties" in one and "properties" in other:
        made["properties"] = {**one["properties"], **other["properties"]}
    if "required" in one and "required" in other:
        made["required"] = [*one["required"], *(name for name in other["required"] if name not in one["required"])]
    if "allOf" in one and "allOf" in other:
        made["allOf"] = [*one["allOf"], *other["allOf"]]
    return made
