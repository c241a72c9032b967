"""What is wrong with a configuration, one line each: file, line, field, what it is and what is allowed."""

from __future__ import annotations

import types
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError
    from yaml import Node

_SHOWN = 200
"""Characters of a value that are shown."""


def problems(error: ValidationError, path: Path | None, text: str, model: type[BaseModel]) -> Iterator[str]:
    """One line for each problem; `model` is what the whole file is."""
    root = _composed(path, text)
    for problem in error.errors(include_url=False):
        location = tuple(part for part in problem["loc"] if part != "[key]")
        field = _spelled(location)
        line = _line_in(root, location) if root is not None else _line(text, location)
        where = f"{path or 'environment'}:{line or ''}".rstrip(":")
        allowed = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "extra_forbidden":
            yield f"{where}: {field}: no such field; allowed here: {', '.join(siblings(location, model))}"
        else:
            value = repr(problem["input"])
            shown = value if len(value) <= _SHOWN else f"{value[: _SHOWN - 3]}..."
            yield f"{where}: {field}: is {shown}; {allowed[:1].lower()}{allowed[1:]}"


def _spelled(location: Sequence[int | str]) -> str:
    spelled = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return spelled.lstrip(".") or "the whole"


def siblings(location: Sequence[Any], model: type[BaseModel]) -> list[str]:
    """The fields that are allowed beside the last part of `location`."""
    found = model
    for part in location[:-1]:
        field = _field(found, part) if isinstance(part, str) else None
        if field is not None:
            found = _section_in(field) or found
        elif part == "scenarios":
            from llm_simulator.config.scenarios import ScenarioSection

            found = ScenarioSection
    return sorted(field.alias or name for name, field in found.model_fields.items())


def _field(model: type[BaseModel], name: str) -> Any:
    for own, field in model.model_fields.items():
        if name in (own, field.alias):
            return None if own == "scenarios" else field.annotation
    return None


def _section_in(annotation: Any) -> type[BaseModel] | None:
    """The section inside `X | None`, `tuple[X, ...]`, `dict[str, X]`, `Annotated[X, ...]`."""
    from pydantic import BaseModel

    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        return annotation if issubclass(annotation, BaseModel) else None
    if get_origin(annotation) in (Union, types.UnionType, tuple, dict) or hasattr(annotation, "__metadata__"):
        return next((found for part in get_args(annotation) if (found := _section_in(part))), None)
    return None


# --- lines


def _composed(path: Path | None, text: str) -> Node | None:
    """The file as nodes that know their lines: YAML, and JSON, which is YAML but for tabs."""
    if not text or (path is not None and path.suffix.lower() == ".toml"):
        return None
    import yaml

    try:
        return yaml.compose(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError:
        return None


def _line_in(node: Node, location: Sequence[int | str]) -> int | None:
    """The line of the innermost part of `location` that is written: of its key, where it has one."""
    from yaml import MappingNode, SequenceNode

    found: int | None = None
    at: Any = node
    for part in location:
        if isinstance(at, MappingNode):
            pair = next(((key, value) for key, value in at.value if key.value == str(part)), None)
            if pair is None:
                continue  # a shorthand: what stands for it is on the line of its parent
            found, at = pair[0].start_mark.line + 1, pair[1]
        elif isinstance(at, SequenceNode) and isinstance(part, int) and part < len(at.value):
            at = at.value[part]
            found = at.start_mark.line + 1
    return found


def _line(text: str, location: Sequence[int | str]) -> int | None:
    """The line where the innermost named field of `location` stands, found by walking down its parents."""
    found, start = None, 0
    lines = text.splitlines()
    for part in location:
        if not isinstance(part, str):
            continue
        for number in range(start, len(lines)):
            if (
                lines[number].lstrip(" -\t{[\"'").startswith(part)
                or f'"{part}"' in lines[number]
                or f"{part}:" in lines[number]
            ):
                found, start = number + 1, number
                break
    return found
