"""Answers by template: what a script says to a call, provider-neutral; the dialect spells it like any other completion.

Templates are Jinja2 in its sandbox, from the user's configuration only: what a request holds is data to them and is never
read as one. jinja2 is imported when a template is first compiled.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from llm_simulator import tokens
from llm_simulator.cassettes.jsonpath import Path, compile_path
from llm_simulator.errors import SimulatorError
from llm_simulator.simulator.rng import DeterministicRng
from llm_simulator.simulator.scenario_when import Told, values
from llm_simulator.types import JSON, Choice, Finish, Part, Reasoning, Text, ToolCall

if TYPE_CHECKING:
    from jinja2 import Template
    from jinja2.sandbox import SandboxedEnvironment

FINISHES: Mapping[str, Finish] = {finish.value: finish for finish in Finish}


class TemplateError(SimulatorError):
    """A template that fails on a call: it names what is not there, or divides by nothing."""

    name = "template_failed"


@dataclass(frozen=True, slots=True)
class Called:
    """A tool call of a script: name and arguments, whose texts are templates; or templates for the arguments as a whole."""

    name: str
    arguments: JSON = field(default=None, hash=False)


@dataclass(frozen=True, slots=True)
class Said:
    """One answer of a script. `structured` is a JSON value whose texts are templates (... : none)."""

    text: str = ""
    reasoning: str = ""
    tool_calls: tuple[Called, ...] = ()
    structured: JSON = field(default=..., hash=False)
    finish: Finish | None = None


@dataclass(frozen=True, slots=True)
class Script:
    """What is answered in which turn of a conversation; the last one in all further turns."""

    turns: tuple[Said, ...]

    def at(self, turn: int) -> Said:
        """The answer in that turn, counted from 1."""
        return self.turns[min(turn, len(self.turns)) - 1]


@dataclass(frozen=True, slots=True)
class Request:
    """What templates may look at: the call's body and prompt, and which try of it this is."""

    body: JSON
    model: str
    provider: str
    told: Told
    session: str = ""
    attempt: int = 0
    occurrence: int = 0


def said(script: Script, request: Request, rng: DeterministicRng, where: str) -> Choice:
    """What the script answers to this request; `where` names the rule.

    Raises:
        TemplateError: a template fails on it.
    """
    answer = script.at(request.told.turn)
    scope = _scope(request, rng)
    try:
        parts = tuple(_parts(answer, scope, request.model, rng))
    except TemplateError as error:
        raise TemplateError(f"{where}: {error}") from error
    called = any(isinstance(part, ToolCall) for part in parts)
    return Choice(parts, answer.finish or (Finish.TOOL_CALLS if called else Finish.STOP))


def _parts(answer: Said, scope: Mapping[str, Any], model: str, rng: DeterministicRng) -> Iterator[Part]:
    if answer.reasoning:
        yield Reasoning(tokens.split(rendered(answer.reasoning, scope), model))
    text = rendered(answer.text, scope)
    if answer.structured is not ...:
        text = _compact(filled(answer.structured, scope))
    if text or not answer.tool_calls:
        yield Text(tokens.split(text, model))
    for call in answer.tool_calls:
        arguments = _compact(filled(call.arguments if call.arguments is not None else {}, scope))
        identity = f"{rng.next_u64():016x}{rng.next_u64():016x}"
        yield ToolCall(identity, rendered(call.name, scope), tokens.split(arguments, model))


def length(choice: Choice, model: str) -> tuple[int, int]:
    """The tokens of a choice, and how many of them are thought."""
    total = thought = 0
    for part in choice.parts:
        count = tokens.count("".join(part.arguments if isinstance(part, ToolCall) else part.tokens), model)
        total += count
        thought += count if isinstance(part, Reasoning) else 0
    return total, thought


def _compact(value: JSON) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)


def filled(value: JSON, scope: Mapping[str, Any]) -> JSON:
    """The value with its texts rendered. A text that is one `{{ expression }}` alone keeps the expression's type."""
    match value:
        case str():
            whole = _expression(value)
            return rendered(value, scope) if whole is None else _evaluated(whole, scope, value)
        case list():
            return [filled(item, scope) for item in value]
        case dict():
            return {name: filled(item, scope) for name, item in value.items()}
        case _:
            return value


def _expression(text: str) -> str | None:
    inner = text.strip()
    if not (inner.startswith("{{") and inner.endswith("}}")) or "}}" in inner[2:-2] or "{{" in inner[2:-2]:
        return None
    return inner[2:-2].strip("-").strip()


def rendered(text: str, scope: Mapping[str, Any]) -> str:
    """A template's text.

    Raises:
        TemplateError: it fails.
    """
    if "{" not in text:
        return text
    made: str = _run(lambda: _compiled(text).render(scope), text)
    return made


def _evaluated(expression: str, scope: Mapping[str, Any], text: str) -> JSON:

    def evaluate() -> Any:
        found = _compiled_expression(expression)(**scope)
        return str(found) if _is_undefined(found) else found

    return _run(evaluate, text)


def _is_undefined(value: object) -> bool:
    from jinja2 import Undefined

    return isinstance(value, Undefined)


def _run(render: Callable[[], Any], text: str) -> Any:
    try:
        return render()
    except Exception as error:  # a template may do anything that an expression can
        shown = text if len(text) <= 80 else f"{text[:77]}..."
        raise TemplateError(f"template {shown!r}: {type(error).__name__}: {error}") from error


def problem_of(text: str) -> str:
    """What is wrong with a template, or ""."""
    if "{" not in text:
        return ""
    from jinja2 import TemplateSyntaxError

    try:
        _compiled(text)
    except TemplateSyntaxError as error:
        return f"{error.message} (line {error.lineno} of the template)"
    return ""


@cache
def _environment() -> SandboxedEnvironment:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    made = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True)
    made.filters.pop("random", None)  # global chance: `choice` is seeded
    made.globals.pop("lipsum", None)
    return made


@lru_cache(maxsize=1024)
def _compiled(text: str) -> Template:
    return _environment().from_string(text)


@lru_cache(maxsize=1024)
def _compiled_expression(expression: str) -> Callable[..., Any]:
    return _environment().compile_expression(expression, undefined_to_none=False)


@lru_cache(maxsize=1024)
def _path(text: str) -> Path:
    return compile_path(text)


def _scope(request: Request, rng: DeterministicRng) -> dict[str, Any]:
    """The names that templates know."""
    body, about = request.body, request.told

    def every(path: str) -> list[Any]:
        return list(values(_path(path), body))

    def jsonpath(path: str, default: Any = None) -> Any:
        return next(iter(values(_path(path), body)), default)

    def choice(*options: Any) -> Any:
        given = options[0] if len(options) == 1 and isinstance(options[0], list | tuple) else options
        return given[rng.below(len(given))]

    def integer(least: int, most: int) -> int:
        return least + rng.below(most - least + 1)

    return {
        "request": body,
        "jsonpath": jsonpath,
        "jsonpaths": every,
        "choice": choice,
        "integer": integer,
        "user": about.user,
        "system": about.system,
        "tool_result": about.tool,
        "turn": about.turn,
        "prompt_tokens": about.prompt_tokens,
        "model": request.model,
        "provider": request.provider,
        "session": request.session,
        "attempt": request.attempt,
        "occurrence": request.occurrence,
    }
