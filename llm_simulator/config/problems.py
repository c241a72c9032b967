"""What is wrong with a configuration, one line each: file, line, field, what it is and what is allowed."""

from __future__ import annotations

import json
import re
import types
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin

from llm_simulator.config.lines import Finder, Place, finder
from llm_simulator.errors import ConfigError

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError
    from pydantic_core import ErrorDetails

_SHOWN = 200
"""Characters of a value that are shown."""
_SECRET = re.compile(r"token$|secret|password|api_key", re.IGNORECASE)
_USERINFO = re.compile(r"(?<=://)[^/@\s'\"]+@")
_UNKNOWN = "extra_forbidden"
SetBy = Callable[[Place], str]
"""The environment variable that set what stands at a place; "" where it is the file's."""


@dataclass(frozen=True, slots=True)
class Problem:
    """`where` is a file or a variable; `line` counts from 1; `value` is what it is, spelled; `allowed` what may be."""

    where: str
    line: int | None
    field: str
    value: str | None
    allowed: str

    def __str__(self) -> str:
        at = f"{self.where}:{self.line}" if self.line else self.where
        said = f"{at}: {self.field}: " if self.field else f"{at}: "
        return f"{said}is {self.value}; {self.allowed}" if self.value is not None else f"{said}{self.allowed}"

    def as_json(self) -> dict[str, Any]:
        return {
            "file": self.where,
            "line": self.line,
            "field": self.field,
            "value": self.value,
            "allowed": self.allowed,
            "message": str(self),
        }


def error_of(problems: Iterable[Problem]) -> ConfigError:
    """All that is wrong with a configuration, one per line."""
    return ConfigError("\n".join(dict.fromkeys(map(str, problems))))


def problems(error: ValidationError, path: Path, text: str, model: type[BaseModel]) -> Iterator[Problem]:
    """Those of a file that is all of it a `model`."""
    find = finder(path.suffix.lower(), text)
    return (spelled(each, str(path), find, model) for each in error.errors(include_url=False))


def spelled(
    problem: ErrorDetails, where: str, find: Finder, model: type[BaseModel], set_by: SetBy = lambda _: ""
) -> Problem:
    """One problem that pydantic found in a file or in what the environment lays over it."""
    place = place_of(problem)
    variable = set_by(place)
    line = None if variable else find(place)
    field = spelled_place(place)
    allowed = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == _UNKNOWN:
        return Problem(variable or where, line, field, None, _unknown(place, model))
    if problem["type"] == "missing":
        return Problem(variable or where, line, field, None, "is missing")
    value = shown(place, problem["input"])
    return Problem(variable or where, line, field, value, f"{allowed[:1].lower()}{allowed[1:]}")


def place_of(problem: ErrorDetails) -> Place:
    """Where it is, without what only pydantic knows of."""
    return tuple(part for part in problem["loc"] if part != "[key]")


def _unknown(place: Place, model: type[BaseModel]) -> str:
    allowed = siblings(place, model)
    near = get_close_matches(str(place[-1]), allowed, 1, 0.6) if place else []
    hint = f"; did you mean {near[0]}?" if near else ""
    return f"no such field; allowed here: {', '.join(allowed)}{hint}"


def spelled_place(place: Sequence[int | str]) -> str:
    """`server.port`, `rules[0].when`; a name that would not be seen for what it is is quoted."""
    spelled = "".join(f"[{part}]" if isinstance(part, int) else f".{_seen(part)}" for part in place)
    return spelled.removeprefix(".") or "the whole"


def _seen(name: str) -> str:
    return name if name and name.isprintable() and name == name.strip() else json.dumps(name)


def shown(place: Place, value: Any) -> str:
    """A value as a message may show it: short, and no secret."""
    if place and (_SECRET.search(str(place[-1])) or (place[0] == "keys" and place[-1] != "state")):
        return "***"
    spelled = masked(repr(value))
    return spelled if len(spelled) <= _SHOWN else f"{spelled[: _SHOWN - 3]}..."


def masked(text: str) -> str:
    """A text without the user and password of a URL."""
    return _USERINFO.sub("***@", text)


def siblings(place: Sequence[Any], model: type[BaseModel]) -> list[str]:
    """The fields that are allowed beside the last part of `place`."""
    found = model
    for part in place[:-1]:
        if not isinstance(part, str):
            continue
        if found is model and (later := _read_later(part)) is not None:
            found = later
        elif (annotation := _annotation(found, part)) is not None:
            found = _section_in(annotation) or found
    return sorted(field.alias or name for name, field in found.model_fields.items() if field.alias != "$schema")


def _read_later(name: str) -> type[BaseModel] | None:
    """The section that a name of the file stands for, where the file's own schema does not have it (`schema.py`)."""
    if name == "scenarios":
        from llm_simulator.config.scenarios import ScenarioSection

        return ScenarioSection
    if name in ("providers", "errors"):
        from llm_simulator.config.provider_fields import ErrorSection, ProviderSection

        return ProviderSection if name == "providers" else ErrorSection
    if name in ("limits", "breaker", "keys"):
        from llm_simulator.config import limits_fields as limits

        sections: dict[str, type[BaseModel]] = {"limits": limits.LimitSection, "breaker": limits.BreakerSection}
        return sections.get(name, limits.KeysSection)
    return None


def _annotation(model: type[BaseModel], name: str) -> Any:
    return next((f.annotation for own, f in model.model_fields.items() if name in (own, f.alias)), None)


def _section_in(annotation: Any) -> type[BaseModel] | None:
    """The section inside `X | None`, `tuple[X, ...]`, `dict[str, X]`, `Annotated[X, ...]`."""
    from pydantic import BaseModel

    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        return annotation if issubclass(annotation, BaseModel) else None
    if get_origin(annotation) in (Union, types.UnionType, tuple, dict) or hasattr(annotation, "__metadata__"):
        return next((found for part in get_args(annotation) if (found := _section_in(part))), None)
    return None
