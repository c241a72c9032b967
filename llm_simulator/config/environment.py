"""What the environment lays over the file: `LLM_SIMULATOR__SECTION__FIELD=value`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from llm_simulator.config.lines import Place
from llm_simulator.config.settings import VARIABLES
from llm_simulator.errors import ConfigError

_NAMED = ("providers", "errors", "upstreams", "scenarios")
"""Sections whose keys are the user's own names: a variable cannot spell the `-` and `.` in them."""


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable with the place that it sets. `text` is what it holds, `value` what that is as JSON, where it is JSON."""

    name: str
    place: tuple[str, ...]
    text: str
    value: Any


def variables(environ: Mapping[str, str], values: Mapping[str, Any]) -> list[Variable]:
    """Those that set something, the outer ones first. `values` of the file tell how its own names are spelled."""
    named = sorted((name, text) for name, text in environ.items() if name.upper().startswith(VARIABLES))
    return [Variable(name, _place(name, values), text, _value(text)) for name, text in named]


def _place(name: str, values: Mapping[str, Any]) -> tuple[str, ...]:
    parts = name[len(VARIABLES) :].lower().split("__")
    inner: Any = values
    for at, part in enumerate(parts):
        if not isinstance(inner, Mapping):
            break
        if part not in inner and parts[0] in _NAMED:
            parts[at] = next((key for key in inner if _plain(str(key)) == part), part)
        inner = inner.get(parts[at])
    return tuple(parts)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "_", name.lower())


def _value(text: str) -> Any:
    """A variable's text as the JSON value it spells, else as text."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def lay_over(values: dict[str, Any], given: Iterable[Variable]) -> None:
    """Puts them into the values of the file.

    Raises:
        ConfigError: one names a field of something that has none.
    """
    for variable in given:
        put(values, variable, variable.value)


def put(values: dict[str, Any], variable: Variable, value: Any) -> None:
    """Puts a value where the variable names it.

    Raises:
        ConfigError: it names a field of something that has none.
    """
    *sections, last = variable.place
    inner: Any = values
    for section in sections:
        held = inner.setdefault(section, {})
        if held is None:  # an empty section
            held = inner[section] = {}
        if not isinstance(held, dict):
            place = ".".join(variable.place)
            raise ConfigError(f"{variable.name}: {place}: {section!r} holds {held!r:.100}, which has no field {last!r}")
        inner = held
    inner[last] = value


def of_place(given: Iterable[Variable], place: Place) -> Variable | None:
    """The variable that set what stands at a place: the last one whose own place is it, or around it."""
    return next((one for one in reversed([*given]) if place[: len(one.place)] == one.place), None)
