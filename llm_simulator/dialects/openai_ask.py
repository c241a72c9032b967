"""What a chat completions request asks for, provider-neutral; odd values are taken leniently and named in a warning.

Source: OpenAI API reference, create chat completion.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from llm_simulator import tokens
from llm_simulator.dialects.base import Ask, Thinking, Tool, Turn
from llm_simulator.dialects.catalogue import Model, find, most_after
from llm_simulator.dialects.fields import Object, as_limit, as_list, as_object, as_text, is_integer, is_refusal, objects
from llm_simulator.dialects.thinking import thinking_of
from llm_simulator.types import JSON, Call, Choice, Finish, Reasoning, Text, ToolCall

if TYPE_CHECKING:
    from llm_simulator.tokens.tally import Count

MOST_CHOICES = 128
_COUNTED = ("openai", "azure")
"""Providers whose rules for the tokens of an answer are known."""


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
        tools=tuple(_allowed(body, list(tools(body)))),
        tool_choice=_tool_choice(body),
        choices=_choices(body, warnings),
        stop=_stop(body),
        schema=_schema(as_object(body.get("response_format"))),
        warnings=(*warnings, *_ignored(body)),
        parallel=body.get("parallel_tool_calls") is not False and "functions" not in body,
        thinking=_thinking(body, call.model),
        prediction=_text_of(as_object(body.get("prediction")).get("content")),
        refusals=call.provider in _COUNTED,
        count=_count_of(body, call) if call.provider in _COUNTED else None,
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
    most = most_after(known, prompt)
    if most and asked > most:
        warnings.append(f"{name}: {asked} is more than the {most} tokens that {known.id if known else ''} can put out")
        return most
    return int(asked)


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


def tools(body: Object) -> Iterator[Tool]:
    """The functions and custom tools on offer; hosted tools are the provider's own to call."""
    listed = objects(as_list(body.get("tools")))
    for given in listed:
        kind = "custom" if given.get("type") == "custom" else "function"
        yield from _tool(as_object(given.get(kind)), kind)
    for function in [] if listed else objects(as_list(body.get("functions"))):
        yield from _tool(function, "function")


def _tool(given: Object, kind: str) -> Iterator[Tool]:
    if as_text(given.get("name")):
        yield Tool(as_text(given["name"]), as_text(given.get("description")), given.get("parameters"), kind)


def _chosen(body: Object) -> JSON:
    return body.get("tool_choice", body.get("function_call"))


def _tool_choice(body: Object) -> str:
    """ "auto", "none", "required" or a tool's name; Mistral says "any" for required."""
    given = _chosen(body)
    if isinstance(given, str):
        return {"none": "none", "required": "required", "any": "required"}.get(given, "auto")
    chosen = as_object(given)
    if allowed := as_object(chosen.get("allowed_tools")):
        return "required" if allowed.get("mode") == "required" else "auto"
    kind = as_object(chosen.get("function")) or as_object(chosen.get("custom"))
    return as_text(kind.get("name")) or as_text(chosen.get("name")) or "auto"


def _allowed(body: Object, offered: list[Tool]) -> list[Tool]:
    """The tools that `allowed_tools` leaves; all where it names none."""
    allowed = as_object(as_object(_chosen(body)).get("allowed_tools"))
    if not allowed:
        return offered
    names = [
        as_text((as_object(tool.get("function")) or as_object(tool.get("custom"))).get("name"))
        for tool in objects(as_list(allowed.get("tools")))
    ]
    return [tool for tool in offered if tool.name in names]


def _schema(wanted: Object) -> JSON:
    match wanted.get("type"):
        case "json_schema":
            return as_object(as_object(wanted.get("json_schema")).get("schema"))
        case "json_object":
            return {}
        case _:
            return None


def _thinking(body: Object, model: str) -> Thinking | None:
    """OpenAI's `reasoning_effort`, OpenRouter's `reasoning`, and the `thinking` that DeepSeek and others took over."""
    reasoning, thinking = as_object(body.get("reasoning")), as_object(body.get("thinking"))
    effort = as_text(body.get("reasoning_effort")) or as_text(reasoning.get("effort"))
    if thinking.get("type") == "disabled" or reasoning.get("enabled") is False:
        effort = "none"
    budget = as_limit(reasoning.get("max_tokens")) or as_limit(thinking.get("budget_tokens"))
    if not effort and (thinking.get("type") == "enabled" or reasoning.get("enabled") is True):
        return thinking_of(model, "medium", budget) or Thinking("medium", budget)
    return thinking_of(model, effort, budget)


def _count_of(body: Object, call: Call) -> Callable[[Choice], Count]:
    """What OpenAI bills for a choice, by the same rules that recorded answers are counted with."""
    azure, model = call.provider == "azure", call.model

    def count(choice: Choice) -> Count:
        thought = sum(tokens.count("".join(part.tokens), model) for part in choice.parts if isinstance(part, Reasoning))
        finish = "length" if choice.finish is Finish.LENGTH else "stop"
        answer = {"message": message_of(choice), "finish_reason": finish}
        return tokens.count_completion(body, [answer], model, reasoning=thought, azure=azure)

    return count


def message_of(choice: Choice) -> Object:
    """The message of a choice, as far as its tokens are concerned."""
    texts, refusals = (
        [token for part in choice.parts if isinstance(part, Text) and is_refusal(part) is kind for token in part.tokens]
        for kind in (False, True)
    )
    calls = [part for part in choice.parts if isinstance(part, ToolCall)]
    message: Object = {"role": "assistant", "content": "".join(texts) or None}
    if calls:
        message["tool_calls"] = [
            {"type": "function", "function": {"name": part.name, "arguments": "".join(part.arguments)}}
            for part in calls
        ]
    if refusals:
        message["refusal"] = "".join(refusals)
    return message


def _ignored(body: Object) -> Iterator[str]:
    if "audio" in as_list(body.get("modalities")):
        yield "modalities: audio is not simulated in chat completions; text answered"
    if body.get("store") is True:
        yield "store: simulated chat completions are not stored"
