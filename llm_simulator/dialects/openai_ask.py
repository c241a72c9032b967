"""What a chat completions request asks for, provider-neutral; odd values are taken leniently and named in a warning.

Source: OpenAI API reference, create chat completion.
"""

from __future__ import annotations

from collections.abc import Iterator

from llm_simulator import tokens
from llm_simulator.dialects.base import Ask, Tool, Turn
from llm_simulator.dialects.catalogue import Model, find
from llm_simulator.dialects.fields import Object, as_list, as_object, as_text, is_integer, objects
from llm_simulator.types import JSON, Call

MOST_CHOICES = 128


def ask(call: Call) -> Ask:
    """The request of a call that passed the check."""
    body = as_object(call.body)
    counted = tokens.count_chat(body, call.model)
    known = find(call.provider, call.model)
    warnings = list[str]()
    return Ask(
        turns=tuple(_turn(message) for message in objects(as_list(body.get("messages")))),
        prompt_tokens=counted.tokens,
        exact=counted.exact,
        max_tokens=_limit(body, known, counted.tokens, warnings),
        tools=tuple(_tools(body)),
        tool_choice=_tool_choice(body),
        choices=_choices(body, warnings),
        stop=_stop(body),
        schema=_schema(as_object(body.get("response_format"))),
        warnings=(*warnings, *_ignored(body)),
    )


def _turn(message: Object) -> Turn:
    calls = len(as_list(message.get("tool_calls"))) + bool(message.get("function_call"))
    return Turn(as_text(message.get("role")), _text_of(message.get("content")), calls)


def _text_of(content: JSON) -> str:
    if isinstance(content, str):
        return content
    texts = (as_text(part.get("text")) or as_text(part.get("refusal")) for part in objects(as_list(content)))
    return "\n".join(text for text in texts if text)


def _limit(body: Object, known: Model | None, prompt: int, warnings: list[str]) -> int | None:
    """The token limit that holds: what was asked for, within what the model can still put out."""
    name = "max_completion_tokens" if body.get("max_completion_tokens") is not None else "max_tokens"
    asked = body.get(name)
    if asked is None:
        return None
    if asked < 1:
        warnings.append(f"{name}: {asked} is below the minimum of 1; taken as not given")
        return None
    most = _most(known, prompt)
    if most and asked > most:
        warnings.append(f"{name}: {asked} is more than the {most} tokens that {known.id if known else ''} can put out")
        return most
    return int(asked)


def _most(known: Model | None, prompt: int) -> int:
    """The most tokens that a model can put out after such a prompt; 0 where unknown."""
    if not known:
        return 0
    left = max(known.context - prompt, 1) if known.context else 0
    return min(left, known.output) if left and known.output else left or known.output


def _choices(body: Object, warnings: list[str]) -> int:
    asked: JSON = body.get("n")
    if not is_integer(asked):
        return 1
    taken: int = min(max(asked, 1), MOST_CHOICES)
    if taken != asked:
        warnings.append(f"n: {asked} is outside of 1 to {MOST_CHOICES}; {taken} taken")
    return taken


def _stop(body: Object) -> tuple[str, ...]:
    given = body.get("stop")
    return tuple(
        text for text in ([given] if isinstance(given, str) else as_list(given)) if isinstance(text, str) and text
    )


def _tools(body: Object) -> Iterator[Tool]:
    """The functions on offer; hosted and custom tools are the provider's own to call."""
    functions = [as_object(tool.get("function")) for tool in objects(as_list(body.get("tools")))]
    for function in functions or objects(as_list(body.get("functions"))):
        if as_text(function.get("name")):
            yield Tool(as_text(function["name"]), as_text(function.get("description")), function.get("parameters"))


def _tool_choice(body: Object) -> str:
    """ "auto", "none", "required" or a function's name; Mistral says "any" for required."""
    given = body.get("tool_choice", body.get("function_call"))
    if isinstance(given, str):
        return {"none": "none", "required": "required", "any": "required"}.get(given, "auto")
    chosen = as_object(given)
    allowed = as_object(chosen.get("allowed_tools"))
    if allowed:
        return "required" if allowed.get("mode") == "required" else "auto"
    return as_text(as_object(chosen.get("function")).get("name")) or as_text(chosen.get("name")) or "auto"


def _schema(wanted: Object) -> JSON:
    match wanted.get("type"):
        case "json_schema":
            return as_object(as_object(wanted.get("json_schema")).get("schema"))
        case "json_object":
            return {}
        case _:
            return None


def _ignored(body: Object) -> Iterator[str]:
    if body.get("logprobs"):
        yield "logprobs: not simulated; null answered"
    if "audio" in as_list(body.get("modalities")):
        yield "modalities: audio is not simulated; text answered"
