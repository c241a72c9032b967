"""Reads recorded Cohere v2 chat answers, whole or streamed, back into a completion.

Text beside tool calls is the plan (`tool_plan`); any other text is content. Counts are the billed ones: `usage.tokens`
also holds a hidden preamble, which the raw usage object keeps.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from llm_simulator.dialects.fields import Object, as_count, as_object, as_text, block, load, merged, objects, words
from llm_simulator.dialects.sse import events, is_stream
from llm_simulator.types import JSON, Choice, Completion, Finish, Part, Reasoning, Text, ToolCall, Usage

FINISHES = {
    "COMPLETE": Finish.STOP,
    "STOP_SEQUENCE": Finish.STOP_SEQUENCE,
    "MAX_TOKENS": Finish.LENGTH,
    "TOOL_CALL": Finish.TOOL_CALLS,
    "ERROR": Finish.CONTENT_FILTER,
    "TIMEOUT": Finish.LENGTH,
}
FAILURE = ("error", "error_type")


def parse(body: bytes, created: int, model: str) -> Completion | None:
    """The completion in a 200 body; None where it holds none. Cohere does not repeat the model: the caller names it."""
    text = body.decode("utf-8", "replace")
    if is_stream(text):
        return _stream(events(text), created, model)
    answer = as_object(load(text))
    message = as_object(answer.get("message"))
    if message.get("role") != "assistant":
        return None
    extra: Object = {name: message[name] for name in ("citations",) if name in message}
    extra.update((name, answer[name]) for name in ("logprobs", *FAILURE) if name in answer)
    return _completion(answer, tuple(_parts(message)), extra, created, model)


def usage_of(raw: Object) -> Usage:
    billed, tokens = as_object(raw.get("billed_units")), as_object(raw.get("tokens"))
    counts = billed or tokens
    cached = min(as_count(raw.get("cached_tokens")), as_count(counts.get("input_tokens")))
    return Usage(as_count(counts.get("input_tokens")), as_count(counts.get("output_tokens")), cached, raw=raw)


def _completion(answer: Object, parts: tuple[Part, ...], extra: Object, created: int, model: str) -> Completion:
    word = as_text(answer.get("finish_reason"))
    choice = Choice(parts, FINISHES.get(word, Finish.STOP if word else Finish.LENGTH), word=word, extra=extra or None)
    return Completion(as_text(answer.get("id")), created, model, (choice,), usage_of(as_object(answer.get("usage"))))


def _parts(message: Object) -> Iterable[Part]:
    for item in objects(message.get("content")):
        match item.get("type"):
            case "text":
                yield Text(words(as_text(item.get("text"))) or ("",))
            case "thinking":
                yield Reasoning(words(as_text(item.get("thinking"))))
            case _:
                yield block(item)
    if message.get("tool_plan"):
        yield Text(words(as_text(message["tool_plan"])))
    for call in objects(message.get("tool_calls")):
        function = as_object(call.get("function"))
        arguments = words(as_text(function.get("arguments")))
        yield ToolCall(as_text(call.get("id")), as_text(function.get("name")), arguments)


@dataclass(slots=True)
class _Whole:
    """An answer as its events come in: content blocks and tool calls by index, the plan, the citations."""

    content: dict[int, tuple[str, list[str]]] = field(default_factory=dict[int, tuple[str, list[str]]])
    plan: list[str] = field(default_factory=list[str])
    calls: dict[int, tuple[Object, list[str]]] = field(default_factory=dict[int, tuple[Object, list[str]]])
    citations: list[JSON] = field(default_factory=list[JSON])

    def add(self, event: Object) -> None:
        place = as_count(event.get("index"))
        message = as_object(as_object(event.get("delta")).get("message"))
        match event.get("type"):
            case "content-start":
                start = as_object(message.get("content"))
                self.content[place] = (as_text(start.get("type")) or "text", [_content(start)])
            case "content-delta":
                self.content.setdefault(place, ("text", []))[1].append(_content(as_object(message.get("content"))))
            case "tool-plan-delta":
                self.plan.append(as_text(message.get("tool_plan")))
            case "tool-call-start":
                call = as_object(message.get("tool_calls"))
                self.calls[place] = (call, [as_text(as_object(call.get("function")).get("arguments"))])
            case "tool-call-delta" if place in self.calls:
                function = as_object(as_object(message.get("tool_calls")).get("function"))
                self.calls[place][1].append(as_text(function.get("arguments")))
            case "citation-start":
                self.citations.append(message.get("citations"))
            case _:
                pass

    def parts(self) -> Iterable[Part]:
        for _, (kind, pieces) in sorted(self.content.items()):
            yield Reasoning(merged(pieces)) if kind == "thinking" else Text(merged(pieces) or ("",))
        if self.plan:
            yield Text(merged(self.plan) or ("",))
        for _, (call, pieces) in sorted(self.calls.items()):
            function = as_object(call.get("function"))
            yield ToolCall(as_text(call.get("id")), as_text(function.get("name")), merged(pieces))


def _content(content: Object) -> str:
    return as_text(content.get("text")) or as_text(content.get("thinking"))


def _stream(stream: Iterable[tuple[str, str]], created: int, model: str) -> Completion | None:
    whole, answer, extra = _Whole(), Object(), Object()
    for _, data in stream:
        event = as_object(load(data))
        match event.get("type"):
            case "message-start":
                answer["id"] = event.get("id")
            case "message-end":
                delta = as_object(event.get("delta"))
                answer.update(finish_reason=delta.get("finish_reason"), usage=delta.get("usage"))
                extra.update((name, delta[name]) for name in FAILURE if name in delta)
            case _:
                whole.add(event)
    if "id" not in answer:
        return None
    if whole.citations:
        extra["citations"] = whole.citations
    return _completion(answer, tuple(whole.parts()), extra, created, model)
