"""What a Responses request asks for, provider-neutral; odd values are taken leniently and named in a warning.

Source: OpenAI API reference, create a response. What the call refers to has been filled in by `recall`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from llm_simulator import tokens
from llm_simulator.dialects import openai_responses_echo as echo
from llm_simulator.dialects.base import Ask, Tool, Turn
from llm_simulator.dialects.catalogue import Model, find, most_after
from llm_simulator.dialects.fields import Object, as_list, as_object, as_text, is_integer, objects
from llm_simulator.dialects.openai_responses_hosted import is_covered
from llm_simulator.dialects.openai_responses_ids import Ids
from llm_simulator.dialects.openai_responses_items import Manner, items_of
from llm_simulator.dialects.thinking import thinking_of
from llm_simulator.types import JSON, Call, Choice, Finish, Reasoning

if TYPE_CHECKING:
    from llm_simulator.tokens.tally import Count

SMALLEST = 16
"""The least `max_output_tokens` that the provider takes."""
_NOBODY = Manner(Ids("", 0))
_ROLES = {"developer": "system"}


def ask(call: Call) -> Ask:
    """The request of a call that passed the check."""
    body = as_object(call.body)
    counted = tokens.count_responses_input(body, call.model)
    warnings = list[str]()
    return Ask(
        turns=tuple(turns(body)),
        prompt_tokens=counted.tokens,
        exact=counted.exact,
        max_tokens=_limit(body, find(call.provider, call.model), counted.tokens, warnings),
        tools=tuple(_tools(body)),
        tool_choice=_tool_choice(body),
        schema=_schema(echo.form(as_object(as_object(body.get("text")).get("format")))),
        parallel=body.get("parallel_tool_calls") is not False,
        thinking=thinking_of(call.model, as_text(as_object(body.get("reasoning")).get("effort"))),
        refusals=True,
        count=counter(body, call.model),
        warnings=(*warnings, *_ignored(body)),
    )


def counter(body: Object, model: str) -> Callable[[Choice], Count]:
    """What the provider bills for an answer to this request."""

    def count(choice: Choice) -> Count:
        thought = sum(len(part.tokens) for part in choice.parts if isinstance(part, Reasoning))
        output = [item.final for item in items_of(choice, _NOBODY)]
        output += [{"status": "incomplete"}] if choice.finish is Finish.LENGTH else []  # also where it only thought
        return tokens.count_responses_output(body, output, model, reasoning=thought)

    return count


def turns(body: Object) -> Iterator[Turn]:
    """The prompt as messages: instructions, then the input's items. A call is a turn of the assistant's."""
    if instructions := as_text(body.get("instructions")):
        yield Turn("system", instructions)
    given = body.get("input")
    if isinstance(given, str):
        yield Turn("user", given)
    for item in objects(as_list(given)):
        match item.get("type"):
            case "message" | None:
                role = as_text(item.get("role"))
                yield Turn(_ROLES.get(role, role), text_in(item.get("content")))
            case str() as kind if kind.endswith("_call_output"):
                yield Turn("tool", text_in(item.get("output")))
            case "function_call" | "custom_tool_call":
                yield Turn("assistant", "", 1)
            case _:
                continue


def text_in(content: JSON) -> str:
    """The text of a content: a string, or parts of which some hold text."""
    if isinstance(content, str):
        return content
    texts = (as_text(part.get("text")) or as_text(part.get("refusal")) for part in objects(as_list(content)))
    return "\n".join(text for text in texts if text)


def _limit(body: Object, known: Model | None, prompt: int, warnings: list[str]) -> int | None:
    """The token limit that holds: what was asked for, within what the model can still put out."""
    asked: JSON = body.get("max_output_tokens")
    if not is_integer(asked):
        return None
    if asked < 1:
        warnings.append(f"max_output_tokens: {asked} is below the minimum of {SMALLEST}; taken as not given")
        return None
    if asked < SMALLEST:
        warnings.append(f"max_output_tokens: {asked} is below the minimum of {SMALLEST}; taken all the same")
    most = most_after(known, prompt)
    if most and asked > most:
        warnings.append(
            f"max_output_tokens: {asked} is more than the {most} tokens that {known and known.id} can put out"
        )
        return most
    return int(asked)


def _tools(body: Object) -> Iterator[Tool]:
    """The tools that may be called and the client runs; hosted ones are the provider's own to call."""
    allowed = _allowed(body)
    for tool in objects(as_list(body.get("tools"))):
        name = as_text(tool.get("name"))
        if not name or (allowed is not None and name not in allowed):
            continue
        match tool.get("type"):
            case "function":
                yield Tool(name, as_text(tool.get("description")), echo.parameters(tool))
            case "custom":
                yield Tool(name, as_text(tool.get("description")), kind="custom")
            case _:
                continue


def _allowed(body: Object) -> set[str] | None:
    """The names that `tool_choice` narrows the tools down to, None where it does not."""
    choice = as_object(body.get("tool_choice"))
    if choice.get("type") != "allowed_tools":
        return None
    return {as_text(tool.get("name")) for tool in objects(as_list(choice.get("tools")))}


def _tool_choice(body: Object) -> str:
    """ "auto", "none", "required" or a function's name."""
    given = body.get("tool_choice")
    if isinstance(given, str):
        return given if given in ("none", "required") else "auto"
    chosen = as_object(given)
    if chosen.get("type") == "allowed_tools":
        return "required" if chosen.get("mode") == "required" else "auto"
    return as_text(chosen.get("name")) if chosen.get("type") in ("function", "custom") else "auto"


def _schema(wanted: Object) -> JSON:
    match wanted.get("type"):
        case "json_schema":
            return as_object(wanted.get("schema"))
        case "json_object":
            return {}
        case _:
            return None


def _ignored(body: Object) -> Iterator[str]:
    hosted = {as_text(tool.get("type")) for tool in objects(as_list(body.get("tools")))} - {"function", "custom"}
    for kind in sorted(hosted):
        if not is_covered(kind):
            yield f"tools: {kind} is not called by the simulator"
