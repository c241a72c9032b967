"""Finds the first place where a request body has not the shape that its provider wants; the words are the dialect's."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from llm_simulator.dialects.fields import Object, is_integer, is_number
from llm_simulator.types import JSON

Kind = str
"""JSON types joined by "|": string, integer, number, boolean, array, object."""

_IS: Mapping[str, Callable[[JSON], bool]] = {
    "string": lambda value: isinstance(value, str),
    "integer": is_integer,
    "number": is_number,
    "boolean": lambda value: isinstance(value, bool),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}


@dataclass(frozen=True, slots=True)
class Rule:
    """One field: its name, the JSON types it may have, and whether it must be there. A null counts as absent."""

    name: str
    kind: Kind
    required: bool = False


@dataclass(frozen=True, slots=True)
class Fault:
    """Where (names and indexes from the body down), what type was wanted, and what was found (None: it is missing)."""

    path: tuple[str | int, ...]
    kind: Kind
    found: JSON

    @property
    def missing(self) -> bool:
        return self.found is None

    @property
    def dotted(self) -> str:
        return ".".join(map(str, self.path))


def fits(value: JSON, kind: Kind) -> bool:
    return any(_IS[name](value) for name in kind.split("|"))


def fault_in(value: JSON, rules: Iterable[Rule], path: tuple[str | int, ...] = ()) -> Fault | None:
    """The first field of an object that is missing or has another type; the object itself where it is none."""
    if not isinstance(value, dict):
        return Fault(path, "object", value)
    fields: Object = value
    for rule in rules:
        found = fields.get(rule.name)
        if (found is None and rule.required) or (found is not None and not fits(found, rule.kind)):
            return Fault((*path, rule.name), rule.kind, found)
    return None


def first(faults: Iterable[Fault | None]) -> Fault | None:
    """The first fault of a lazy sequence of checks."""
    return next((fault for fault in faults if fault), None)
