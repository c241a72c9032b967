"""The small parts that scenarios are written in: patterns, templates, numbers that move, what a body must hold."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from llm_simulator.cassettes.jsonpath import compile_path
from llm_simulator.config.section import OneOrMore, Section
from llm_simulator.dialects import conditions
from llm_simulator.errors import ConfigError
from llm_simulator.simulator import faults_broken, faults_connect
from llm_simulator.simulator.faults import common, known
from llm_simulator.simulator.scenario_respond import problem_of
from llm_simulator.simulator.scenario_when import BodyTest, HeaderTest, Names, Nth, Ramp, Range, pattern_of
from llm_simulator.types import JSON


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _is_pattern(text: str) -> str:
    try:
        pattern_of(text)
    except re.error as error:
        raise ValueError(f"no regular expression between the slashes: {error}") from error
    return text


def _is_regex(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from error
    return text


def _is_template(text: str) -> str:
    if problem := problem_of(text):
        raise ValueError(f"not a template: {problem}")
    return text


def _is_path(text: str) -> str:
    try:
        compile_path(text)
    except ConfigError as error:
        raise ValueError(f'not a JSON path ({error.__cause__}); write "$.messages[0].content"') from error
    return text


def is_kind(text: str) -> str:
    """The name of a fault that an answer can be.

    Raises:
        ValueError: there is none; the message has the nearest names.
    """
    if problem := faults_broken.impossible(text):
        raise ValueError(f"this fault is not active here: {problem}")
    if faults_broken.find(text) is not None or faults_connect.find(text) or known(text):
        return text
    near = get_close_matches(text, _kinds(), 3, 0.5)
    hint = f"; did you mean {' or '.join(near)}?" if near else "."
    raise ValueError(
        f"no fault of this name{hint} Allowed are the conditions of docs/errors.md, {', '.join(common())}, and the "
        f"breaks {', '.join(sorted({*_breaks()}))}"
    )


def _kinds() -> list[str]:
    ids = [entry.id for entry in conditions.entries() if entry.spelled]
    return [*common(), *_breaks(), *(name.partition(".")[2] for name in ids), *ids]


def _breaks() -> tuple[str, ...]:
    return (*faults_broken.WAYS, *faults_broken.ALIASES, *faults_connect.KINDS, *faults_connect.ALIASES)


Pattern = Annotated[str, Field(min_length=1), AfterValidator(_is_pattern)]
Patterns = Annotated[tuple[Pattern, ...], BeforeValidator(_listed), OneOrMore()]
Strings = Annotated[tuple[str, ...], BeforeValidator(_listed), OneOrMore()]
Regex = Annotated[str, AfterValidator(_is_regex)]
Template = Annotated[str, AfterValidator(_is_template)]
JsonPath = Annotated[str, AfterValidator(_is_path)]
Kind = Annotated[str, AfterValidator(is_kind)]
RuleName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._ -]{0,63}$")]
Seconds = Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False)]


class RampSection(Section):
    """A number, or one that changes evenly in the course of a phase."""

    SHORT: ClassVar[list[JSON]] = [{"type": "number"}]

    start: float = Field(alias="from", allow_inf_nan=False)
    to: float = Field(allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _number(cls, value: Any) -> Any:
        return {"from": value, "to": value} if isinstance(value, int | float) and not isinstance(value, bool) else value

    @property
    def made(self) -> Ramp:
        return Ramp(self.start, self.to)

    @property
    def moves(self) -> bool:
        return self.start != self.to


def _is_share(value: RampSection) -> RampSection:
    if not (0 <= value.start <= 1 and 0 <= value.to <= 1):
        raise ValueError("a share is from 0 to 1")
    return value


def _is_wait(value: RampSection) -> RampSection:
    if not (0 <= value.start <= 86_400 and 0 <= value.to <= 86_400):
        raise ValueError("seconds from 0 to 86400 are allowed")
    return value


Share = Annotated[RampSection, AfterValidator(_is_share)]
Wait = Annotated[RampSection, AfterValidator(_is_wait)]


class RangeSection(Section):
    """A whole number, or all from `min` to `max`."""

    SHORT: ClassVar[list[JSON]] = [{"type": "integer"}]

    min: int | None = None
    max: int | None = None

    @model_validator(mode="before")
    @classmethod
    def _number(cls, value: Any) -> Any:
        return {"min": value, "max": value} if isinstance(value, int) and not isinstance(value, bool) else value

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min} is above max {self.max}")
        return self


class NthSection(Section):
    """Which of them, counted from 1. `by` says of what: equal calls (occurrence) or all calls of the session (calls)."""

    SHORT: ClassVar[list[JSON]] = [{"type": "integer", "minimum": 1}, {"like": "numbers"}]

    numbers: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(max_length=1000)] = ()
    every: Annotated[int, Field(ge=1)] | None = None
    by: Literal["occurrence", "calls"] = "occurrence"

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        if isinstance(value, int) and not isinstance(value, bool):
            return {"numbers": [value]}
        return {"numbers": value} if isinstance(value, list) else value

    @property
    def made(self) -> Nth:
        return Nth(self.numbers, self.every, self.by)


class EverySection(NthSection):
    """A number n: every nth."""

    SHORT: ClassVar[list[JSON]] = [{"type": "integer", "minimum": 1}]

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        return {"every": value} if isinstance(value, int) and not isinstance(value, bool) else value


class BodySection(Section):
    """What a JSON path of the body must name; a plain value is `equals`."""

    SHORT: ClassVar[list[JSON]] = [{"type": ["string", "number", "boolean", "null", "array"]}]

    equals: Any = None
    regex: Regex | None = None
    exists: bool | None = None

    @model_validator(mode="before")
    @classmethod
    def _plain(cls, value: Any) -> Any:
        return value if isinstance(value, dict) else {"equals": value}

    def made(self, path: str) -> BodyTest:
        equals = self.equals if "equals" in self.model_fields_set else ...
        return BodyTest(compile_path(path), equals, re.compile(self.regex) if self.regex else None, self.exists)


class UserSection(Section):
    """What the last words of the user must hold; a text is `contains`."""

    SHORT: ClassVar[list[JSON]] = [{"type": "string"}]

    contains: str = ""
    regex: Regex | None = None

    @model_validator(mode="before")
    @classmethod
    def _text(cls, value: Any) -> Any:
        return {"contains": value} if isinstance(value, str) else value

    @property
    def made(self) -> tuple[re.Pattern[str], ...]:
        plain = (re.compile(re.escape(self.contains), re.IGNORECASE),) if self.contains else ()
        return (*plain, re.compile(self.regex)) if self.regex else plain


Headers = dict[Annotated[str, Field(min_length=1)], Pattern | None]


def names_of(patterns: tuple[str, ...]) -> Names:
    return tuple(map(pattern_of, patterns))


def headers_of(given: Headers) -> tuple[HeaderTest, ...]:
    return tuple(HeaderTest(name.lower(), pattern_of(value) if value else None) for name, value in given.items())


def range_of(given: RangeSection | None) -> Range | None:
    return Range(given.min, given.max) if given else None


def _check_templates(value: Any) -> Any:
    """Every text in a JSON value is a template."""
    if isinstance(value, str):
        return _is_template(value)
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _check_templates(item)
    return value


Templates = Annotated[Any, AfterValidator(_check_templates)]
