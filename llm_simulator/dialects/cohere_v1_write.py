"""Spells a completion as Cohere's v1 chat: one compact JSON body, or one JSON object a line and event."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from llm_simulator.dialects.cohere_manner import Manner, cited, manner_of, planned, sources
from llm_simulator.dialects.cohere_write import escape, usage_of
from llm_simulator.dialects.fields import (
    Object,
    as_list,
    as_object,
    as_text,
    dump,
    is_block,
    load,
    objects,
    quote,
    without,
)
from llm_simulator.dialects.ids import is_raw, marked, uuid
from llm_simulator.types import JSON, Call, Choice, Completion, Finish, Frame, Reasoning, Text, ToolCall, Usage


@dataclass(frozen=True, slots=True)
class Answer:
    """A v1 answer: `whole` is the body of one that is not streamed, `choice` what the stream is cut from."""

    choice: Choice
    whole: Object


def word_of(choice: Choice) -> str:
    """The finish reason: the recorded word, or the one that our finish is called by (a tool call is a plain COMPLETE)."""
    if choice.word:
        return choice.word
    match choice.finish:
        case Finish.STOP | Finish.TOOL_CALLS:
            return "COMPLETE"
        case Finish.LENGTH:
            return "MAX_TOKENS"
        case Finish.CONTENT_FILTER:
            return "ERROR_TOXIC"
        case Finish.STOP_SEQUENCE:
            return "STOP_SEQUENCE"


def answer_of(completion: Completion, call: Call) -> Answer:
    choice = completion.choices[0] if completion.choices else Choice((), Finish.STOP)
    generated = completion.usage.raw is None and is_raw(completion.id)
    choice = planned(choice, completion) if generated else choice
    extra = _made(choice, completion, call) if generated else as_object(choice.extra)
    calls = _calls(choice)
    whole = {
        **({"response_id": extra["response_id"]} if "response_id" in extra else {}),
        "text": text_of(choice),
        "generation_id": marked(uuid(completion.id, "generation"), completion) if generated else completion.id,
        **({"chat_history": extra["chat_history"]} if "chat_history" in extra else {}),
        "finish_reason": word_of(choice),
        "meta": _meta(completion.usage, manner_of(call)),
        **(without(extra, "response_id", "chat_history") or {}),
        **({"tool_calls": calls} if calls else {}),
    }
    return Answer(choice, whole)


def body(answer: Answer) -> bytes:
    return escape(dump(answer.whole))


def frames(answer: Answer, *, framed: bool) -> Iterator[Frame]:
    """The events in their order on the wire, a token each; `framed` as server-sent events."""
    spell = _framed if framed else _line
    whole, token = answer.whole, 0
    yield Frame(0, spell("stream-start", {"generation_id": whole["generation_id"]}))
    if "documents" in whole:
        yield Frame(0, spell("search-results", {"documents": whole["documents"]}))
    called = "tool_calls" in whole
    for part in answer.choice.parts:
        if isinstance(part, Reasoning):
            token += len(part.tokens)  # v1 does not show thought
        if isinstance(part, Text) and not is_block(part):
            for piece in part.tokens:
                yield Frame(token, _text(piece, plan=called, framed=framed))
                token += 1
    for place, part in enumerate(part for part in answer.choice.parts if isinstance(part, ToolCall)):
        yield Frame(token, spell("tool-calls-chunk", {"tool_call_delta": {"index": place, "name": part.name}}))
        for piece in part.arguments:
            yield Frame(token, spell("tool-calls-chunk", {"tool_call_delta": {"index": place, "parameters": piece}}))
            token += 1
    last = max(token - 1, 0)
    if called:
        said = {"text": whole["text"], "tool_calls": whole["tool_calls"]}
        yield Frame(last, spell("tool-calls-generation", said))
    if "citations" in whole:
        yield Frame(last, spell("citation-generation", {"citations": whole["citations"]}))
    end = {"response": whole, "finish_reason": whole["finish_reason"]}
    yield Frame(last, spell("stream-end", end, finished=True))


def text_of(choice: Choice) -> str:
    return "".join("".join(part.tokens) for part in choice.parts if isinstance(part, Text) and not is_block(part))


def _made(choice: Choice, completion: Completion, call: Call) -> Object:
    """The fields beside the text of a generated answer."""
    asked = as_object(call.body)
    given = sources({"documents": asked.get("documents")})
    found = [({**spot, "document_ids": [one.identity]}, one) for spot, one in cited(choice, given, completion.id)]
    citations = [without(spot, "sources") for spot, _ in found]
    shown = {one.identity: one.shown["document"] for _, one in found}
    return {
        "response_id": uuid(completion.id, "response"),
        "chat_history": list(_history(asked, choice)),
        **({"citations": citations, "documents": list(shown.values())} if citations else {}),
    }


def _history(asked: Object, choice: Choice) -> Iterator[Object]:
    """The conversation so far with this turn, as the API gives it back: roles in capitals, nothing that is null."""
    for item in objects(asked.get("chat_history")):
        role = as_text(item.get("role")).upper()
        yield {"role": role, **{name: value for name, value in item.items() if name != "role" and value is not None}}
    if asked.get("message"):
        yield {"role": "USER", "message": asked["message"]}
    if as_list(asked.get("tool_results")):
        yield {"role": "TOOL", "tool_results": asked["tool_results"]}
    calls = _calls(choice)
    yield {"role": "CHATBOT", "message": text_of(choice), **({"tool_calls": calls} if calls else {})}


def _calls(choice: Choice) -> list[JSON]:
    calls = (part for part in choice.parts if isinstance(part, ToolCall))
    return [
        {"name": call.name, "parameters": as_object(load("".join(call.arguments))), **as_object(call.extra)}
        for call in calls
    ]


def _meta(usage: Usage, manner: Manner) -> Object:
    if usage.raw is not None:
        return as_object(usage.raw)
    return {"api_version": {"version": "1"}, **usage_of(usage, manner)}


def _text(piece: str, *, plan: bool, framed: bool) -> bytes:
    """An event of one token, made around it."""
    if plan:
        spell = _framed if framed else _line
        return spell("tool-calls-chunk", {"tool_call_delta": {"text": piece}, "text": piece})
    data = b'{"is_finished":false,"event_type":"text-generation","text":' + escape(quote(piece)) + b"}\n"
    return b"event: text-generation\ndata: " + data + b"\n" if framed else data


def _line(kind: str, fields: Object, *, finished: bool = False) -> bytes:
    return escape(dump({"is_finished": finished, "event_type": kind, **fields})) + b"\n"


def _framed(kind: str, fields: Object, *, finished: bool = False) -> bytes:
    return b"event: " + kind.encode() + b"\ndata: " + _line(kind, fields, finished=finished) + b"\n"
