"""Reads recorded Anthropic messages, whole or streamed, back into a completion; everything it cannot name it keeps.

Source: Messages API reference; block and event kinds as seen in recorded traffic (2024 to 2026).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from llm_simulator.dialects.fields import (
    Object,
    as_count,
    as_object,
    as_text,
    block,
    load,
    merged,
    objects,
    spelled,
    without,
    words,
)
from llm_simulator.dialects.sse import events, is_stream
from llm_simulator.types import JSON, Choice, Completion, Finish, Part, Reasoning, Text, ToolCall, Usage

FINISHES = {
    "end_turn": Finish.STOP,
    "pause_turn": Finish.STOP,
    "max_tokens": Finish.LENGTH,
    "model_context_window_exceeded": Finish.LENGTH,
    "tool_use": Finish.TOOL_CALLS,
    "stop_sequence": Finish.STOP_SEQUENCE,
    "refusal": Finish.CONTENT_FILTER,
}
_OWN = ("id", "type", "role", "model", "content", "stop_reason", "stop_sequence", "usage")


def parse(body: bytes, created: int) -> Completion | None:
    """The completion in a 200 body; None where it holds no message (an error, HTML, nothing)."""
    text = body.decode("utf-8", "replace")
    if is_stream(text):
        return _stream(events(text), created)
    message = as_object(load(text))
    return _completion(message, _parts(message), created) if message.get("type") == "message" else None


def usage_of(raw: Object) -> Usage:
    """`prompt` is all input: read, written and uncached; the raw object keeps the split."""
    cached = as_count(raw.get("cache_read_input_tokens"))
    written = as_count(raw.get("cache_creation_input_tokens"))
    thinking = as_count(as_object(raw.get("output_tokens_details")).get("thinking_tokens"))
    prompt = as_count(raw.get("input_tokens")) + cached + written
    return Usage(prompt, as_count(raw.get("output_tokens")), cached, thinking, raw=raw)


def _completion(message: Object, parts: tuple[Part, ...], created: int) -> Completion:
    word = as_text(message.get("stop_reason"))
    choice = Choice(
        parts,
        FINISHES.get(word, Finish.STOP if word else Finish.LENGTH),
        as_text(message.get("stop_sequence")),
        word,
        without(message, *_OWN),
    )
    identity, model = as_text(message.get("id")), as_text(message.get("model"))
    return Completion(identity, created, model, (choice,), usage_of(as_object(message.get("usage"))))


def _parts(message: Object) -> tuple[Part, ...]:
    return tuple(_part(item) for item in objects(message.get("content")))


def _part(item: Object) -> Part:
    match item.get("type"):
        case "text":
            return _text(words(as_text(item.get("text"))), item)
        case "thinking":
            return Reasoning(words(as_text(item.get("thinking"))), as_text(item.get("signature")))
        case "tool_use":
            return _tool_call(item, words(spelled(item.get("input", {}))))
        case _:
            return block(item)


def _text(tokens: tuple[str, ...], item: Object) -> Text:
    return Text(tokens or ("",), without(item, "type", "text"))


def _tool_call(item: Object, arguments: tuple[str, ...]) -> ToolCall:
    extra = without(item, "type", "id", "name", "input")
    return ToolCall(as_text(item.get("id")), as_text(item.get("name")), arguments, extra)


@dataclass(slots=True)
class _Block:
    """A content block as its events come in."""

    start: Object
    pieces: list[str] = field(default_factory=list)
    signature: str = ""
    citations: list[JSON] = field(default_factory=list)

    def add(self, delta: Object) -> None:
        match delta.get("type"):
            case "text_delta":
                self.pieces.append(as_text(delta.get("text")))
            case "thinking_delta":
                self.pieces.append(as_text(delta.get("thinking")))
            case "input_json_delta":
                self.pieces.append(as_text(delta.get("partial_json")))
            case "signature_delta":
                self.signature += as_text(delta.get("signature"))
            case "citations_delta":
                self.citations.append(delta.get("citation"))
            case _:
                pass

    def part(self) -> Part:
        match self.start.get("type"):
            case "text":
                item = {**self.start, "citations": self.citations} if self.citations else self.start
                return _text(merged([as_text(self.start.get("text")), *self.pieces]), item)
            case "thinking":
                return Reasoning(merged(self.pieces), self.signature or as_text(self.start.get("signature")))
            case "tool_use":
                return _tool_call(self.start, merged(self.pieces) or ("{}",))
            case _:
                given = load("".join(self.pieces)) if self.pieces else None
                return block(self.start if given is None else {**self.start, "input": given})


def _stream(stream: Iterable[tuple[str, str]], created: int) -> Completion | None:
    message: Object = {}
    usage: Object = {}
    blocks: dict[int, _Block] = {}
    for _, data in stream:
        event = as_object(load(data))
        match event.get("type"):
            case "message_start":
                message = as_object(event.get("message"))
                usage = as_object(message.get("usage"))
            case "content_block_start":
                blocks[as_count(event.get("index"))] = _Block(as_object(event.get("content_block")))
            case "content_block_delta" if found := blocks.get(as_count(event.get("index"))):
                found.add(as_object(event.get("delta")))
            case "message_delta":
                message = {**message, **as_object(event.get("delta"))}
                usage = {**usage, **{k: v for k, v in as_object(event.get("usage")).items() if v is not None}}
            case "error":
                return None
            case _:
                pass
    parts = tuple(found.part() for _, found in sorted(blocks.items()))
    return _completion({**message, "usage": usage}, parts, created) if message.get("type") == "message" else None
