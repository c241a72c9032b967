"""Reads recorded Cohere v1 chat answers (one object, JSON lines or events) back into a completion.

The last event of a stream repeats the whole answer; the cuts between tokens are those of the events before it.
"""

from __future__ import annotations

from collections.abc import Iterator

from llm_simulator.dialects.fields import (
    Object,
    as_count,
    as_object,
    as_text,
    load,
    merged,
    objects,
    spelled,
    without,
    words,
)
from llm_simulator.dialects.sse import events, is_stream
from llm_simulator.types import Choice, Completion, Finish, Part, Text, ToolCall, Usage

FINISHES = {
    "COMPLETE": Finish.STOP,
    "STOP_SEQUENCE": Finish.STOP_SEQUENCE,
    "MAX_TOKENS": Finish.LENGTH,
    "ERROR_LIMIT": Finish.LENGTH,
    "ERROR_TOXIC": Finish.CONTENT_FILTER,
    "ERROR": Finish.CONTENT_FILTER,
    "USER_CANCEL": Finish.STOP,
}
_OWN = ("text", "generation_id", "finish_reason", "meta", "tool_calls")


def parse(body: bytes, created: int, model: str) -> Completion | None:
    """The completion in a 200 body; None where it holds none, or a stream was cut before its last event."""
    text = body.decode("utf-8", "replace")
    found = list(_objects(text))
    if len(found) == 1 and "text" in found[0]:
        return _completion(found[0], words(as_text(found[0]["text"])), created, model)
    last = as_object(found[-1].get("response")) if found else {}
    if "text" not in last:
        return None
    pieces = merged([as_text(event.get("text")) for event in found if event.get("event_type") in _TEXTS])
    pieces = pieces if "".join(pieces) == last["text"] else words(as_text(last["text"]))
    return _completion(last, pieces, created, model)


_TEXTS = ("text-generation", "tool-calls-chunk")


def usage_of(raw: Object) -> Usage:
    """The billed counts; the raw object keeps the others and the API's version."""
    billed, counted = as_object(raw.get("billed_units")), as_object(raw.get("tokens"))
    counts = billed or counted
    cached = min(as_count(raw.get("cached_tokens")), as_count(counts.get("input_tokens")))
    return Usage(as_count(counts.get("input_tokens")), as_count(counts.get("output_tokens")), cached, raw=raw)


def _objects(text: str) -> Iterator[Object]:
    if is_stream(text):
        yield from (as_object(load(data)) for _, data in events(text))
        return
    yield from (as_object(load(line)) for line in text.split("\n") if line.strip())


def _completion(answer: Object, pieces: tuple[str, ...], created: int, model: str) -> Completion:
    word = as_text(answer.get("finish_reason"))
    calls = [_call(item) for item in objects(answer.get("tool_calls"))]
    parts: tuple[Part, ...] = (*((Text(pieces or ("",)),) if pieces or not calls else ()), *calls)
    finish = Finish.TOOL_CALLS if calls else FINISHES.get(word, Finish.STOP if word else Finish.LENGTH)
    choice = Choice(parts, finish, word=word, extra=without(answer, *_OWN))
    usage = usage_of(as_object(answer.get("meta")))
    return Completion(as_text(answer.get("generation_id")), created, model, (choice,), usage)


def _call(item: Object) -> ToolCall:
    arguments = words(spelled(item.get("parameters", {})))
    return ToolCall("", as_text(item.get("name")), arguments, without(item, "name", "parameters"))
