"""Spells a completion as Cohere's v2 chat: one compact JSON body, or server-sent events, then `data: [DONE]`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache

from llm_simulator.dialects.cohere_manner import Manner
from llm_simulator.dialects.cohere_parse import FAILURE
from llm_simulator.dialects.fields import Object, as_list, as_object, dump, is_block, quote
from llm_simulator.dialects.ids import BASE36, code, is_raw, marked, uuid
from llm_simulator.dialects.sse import DONE
from llm_simulator.types import JSON, Choice, Completion, Finish, Frame, Part, Reasoning, Text, ToolCall, Usage


def word_of(choice: Choice) -> str:
    """The finish reason: the recorded word, or the one that our finish is called by."""
    if choice.word:
        return choice.word
    match choice.finish:
        case Finish.STOP:
            return "COMPLETE"
        case Finish.LENGTH:
            return "MAX_TOKENS"
        case Finish.TOOL_CALLS:
            return "TOOL_CALL"
        case Finish.CONTENT_FILTER:
            return "ERROR"
        case Finish.STOP_SEQUENCE:
            return "STOP_SEQUENCE"


def body(completion: Completion, manner: Manner) -> bytes:
    choice = _choice(completion)
    extra = as_object(choice.extra)
    answer = {
        "id": _identity(completion),
        "message": _message(choice, completion.id),
        "finish_reason": word_of(choice),
        "usage": usage_of(completion.usage, manner),
        **{name: extra[name] for name in ("logprobs", *FAILURE) if name in extra},
    }
    return escape(dump(answer))


def usage_of(usage: Usage, manner: Manner) -> Object:
    """Billed tokens, and all of them: with the hidden preamble, and the pictures told by themselves."""
    if usage.raw is not None:
        return as_object(usage.raw)
    pictures = {"image_tokens": manner.images} if manner.images else {}
    counted = {"input_tokens": usage.prompt + manner.preamble, "output_tokens": usage.completion, **pictures}
    return {
        "billed_units": {"input_tokens": usage.prompt, "output_tokens": usage.completion},
        "tokens": counted,
        **({"cached_tokens": usage.cached} if manner.cached else {}),
    }


def frames(completion: Completion, manner: Manner) -> Iterator[Frame]:
    """The events in their order on the wire; text and arguments one token each."""
    choice = _choice(completion)
    plan = _has_calls(choice)
    yield Frame(0, _start(_identity(completion)))
    token = 0
    content, calls = 0, 0
    likely = iter(as_list(as_object(choice.extra).get("logprobs")))
    for part in choice.parts:
        match part:
            case ToolCall():
                opening, closing, around = _call(part, completion.id, calls)
                pieces: Iterable[str] = part.arguments
                calls += 1
            case Text() if plan:
                opening, closing, around, pieces = b"", b"", _plan(), part.tokens
            case Text() if is_block(part):
                continue
            case Text() | Reasoning():
                opening, closing, around = _content(isinstance(part, Reasoning), content)
                pieces = part.tokens
                content += 1
        if opening:
            yield Frame(token, opening)
        for piece in pieces:
            event = around[0] + escape(quote(piece)) + around[1]
            if isinstance(part, Text) and not plan and (item := next(likely, None)) is not None:
                event = event.rstrip()[:-1] + b',"logprobs":' + escape(dump(item)) + b"}\n\n"
            yield Frame(token, event)
            token += 1
        if closing:
            yield Frame(max(token - 1, 0), closing)
    yield Frame(max(token - 1, 0), b"".join(_citations(choice)) + _end(choice, completion.usage, manner) + DONE)


def escape(data: bytes) -> bytes:
    """JSON as Go's encoder writes it: angle brackets, ampersand and the two line separators escaped."""
    data = data.replace(b"<", b"\\u003c").replace(b">", b"\\u003e").replace(b"&", b"\\u0026")
    return data.replace(b"\xe2\x80\xa8", b"\\u2028").replace(b"\xe2\x80\xa9", b"\\u2029")


def _choice(completion: Completion) -> Choice:
    return completion.choices[0] if completion.choices else Choice((), Finish.STOP)


def _has_calls(choice: Choice) -> bool:
    return any(isinstance(part, ToolCall) for part in choice.parts)


def _identity(completion: Completion) -> str:
    return marked(completion.id if not is_raw(completion.id) else uuid(completion.id, "chat"), completion)


def _call_id(call: ToolCall, seed: str, place: int) -> str:
    return call.id if not is_raw(call.id) else f"{call.name}_{code(call.id or seed, f'call {place}', 12, BASE36)}"


def _message(choice: Choice, seed: str) -> Object:
    """Role first, then what there is of content, plan, calls and citations."""
    calls = [part for part in choice.parts if isinstance(part, ToolCall)]
    texts = [part for part in choice.parts if isinstance(part, Text)] if calls else []
    plan = "".join("".join(part.tokens) for part in texts)
    content = [_block(part) for part in choice.parts if not isinstance(part, ToolCall) and part not in texts]
    spelled: list[JSON] = [
        {
            "id": _call_id(call, seed, place),
            "type": "function",
            "function": {"name": call.name, "arguments": "".join(call.arguments)},
        }
        for place, call in enumerate(calls)
    ]
    citations = as_object(choice.extra).get("citations")
    return {
        "role": "assistant",
        **({"content": content} if content else {}),
        **({"tool_plan": plan} if plan else {}),
        **({"tool_calls": spelled} if spelled else {}),
        **({"citations": citations} if citations is not None else {}),
    }


def _block(part: Part) -> Object:
    if isinstance(part, Reasoning):
        return {"type": "thinking", "thinking": "".join(part.tokens)}
    if isinstance(part, Text) and not is_block(part):
        return {"type": "text", "text": "".join(part.tokens)}
    return as_object(part.extra) if isinstance(part, Text) else {}


def _event(name: str, data: bytes) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + escape(data) + b"\n\n"


def _start(identity: str) -> bytes:
    message = {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}
    return _event("message-start", dump({"id": identity, "type": "message-start", "delta": {"message": message}}))


Around = tuple[bytes, bytes]
"""What stands before and after the piece in each event of a kind."""


@lru_cache(64)
def _content(thinking: bool, place: int) -> tuple[bytes, bytes, Around]:
    """Opening, closing and the deltas between them of a content block."""
    kind = "thinking" if thinking else "text"
    start = {"type": "content-start", "index": place, "delta": {"message": {"content": {"type": kind, kind: ""}}}}
    before = f'event: content-delta\ndata: {{"type":"content-delta","index":{place},"delta":{{"message":{{"content":{{'
    around = (before.encode() + f'"{kind}":'.encode(), b"}}}}\n\n")
    closing = _event("content-end", dump({"type": "content-end", "index": place}))
    return _event("content-start", dump(start)), closing, around


def _plan() -> Around:
    return b'event: tool-plan-delta\ndata: {"type":"tool-plan-delta","delta":{"message":{"tool_plan":', b"}}}\n\n"


def _call(call: ToolCall, seed: str, place: int) -> tuple[bytes, bytes, Around]:
    """Opening, closing and the deltas between them of a tool call."""
    function = {"name": call.name, "arguments": ""}
    spelled = {"id": _call_id(call, seed, place), "type": "function", "function": function}
    start = {"type": "tool-call-start", "index": place, "delta": {"message": {"tool_calls": spelled}}}
    before = f'event: tool-call-delta\ndata: {{"type":"tool-call-delta","index":{place},"delta":{{"message":'
    around = (before.encode() + b'{"tool_calls":{"function":{"arguments":', b"}}}}}\n\n")
    closing = _event("tool-call-end", dump({"type": "tool-call-end", "index": place}))
    return _event("tool-call-start", dump(start)), closing, around


def _citations(choice: Choice) -> Iterator[bytes]:
    for place, citation in enumerate(as_list(as_object(choice.extra).get("citations"))):
        start = {"type": "citation-start", "index": place, "delta": {"message": {"citations": citation}}}
        yield _event("citation-start", dump(start))
        yield _event("citation-end", dump({"type": "citation-end", "index": place}))


def _end(choice: Choice, usage: Usage, manner: Manner) -> bytes:
    extra = as_object(choice.extra)
    delta = {
        "finish_reason": word_of(choice),
        "usage": usage_of(usage, manner),
        **{name: extra[name] for name in FAILURE if name in extra},
    }
    return _event("message-end", dump({"type": "message-end", "delta": delta}))
