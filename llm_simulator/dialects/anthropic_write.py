"""Spells a completion as an Anthropic message: one compact JSON body, or server-sent events made around each token.

The JSON of an event is padded with 0 to 15 spaces before its last brace, as on the wire; only `ping` is not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache

from llm_simulator.dialects.anthropic_cache import NOTHING, Cached
from llm_simulator.dialects.anthropic_manner import RECORDED, Manner
from llm_simulator.dialects.fields import Object, as_list, as_object, block, dump, is_block, load, quote, spelled, words
from llm_simulator.dialects.ids import code, is_raw, marked, marked_model, sealed
from llm_simulator.types import JSON, Choice, Completion, Finish, Frame, Part, Reasoning, Text, ToolCall, Usage

PING = b'event: ping\ndata: {"type": "ping"}\n\n'
_TAILS = tuple(b" " * pad + b"}\n\n" for pad in (13, 2, 7, 0, 11, 5, 14, 9, 1, 12, 4, 8, 15, 3, 10, 6))
_LATE = ("output_tokens_details", "server_tool_use")  # counts that only the last usage carries
_DELTA = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens", *_LATE)


def word_of(choice: Choice) -> str:
    """The stop reason: the recorded word, or the one that our finish is called by."""
    if choice.word:
        return choice.word
    match choice.finish:
        case Finish.STOP:
            return "end_turn"
        case Finish.LENGTH:
            return "max_tokens"
        case Finish.TOOL_CALLS:
            return "tool_use"
        case Finish.CONTENT_FILTER:
            return "refusal"
        case Finish.STOP_SEQUENCE:
            return "stop_sequence"


def body(completion: Completion, manner: Manner = RECORDED) -> bytes:
    choice = _choice(completion, manner)
    parts = (_shown(part, manner, completion.id, place) for place, part in enumerate(choice.parts))
    content = [_block(part, manner, completion.id, place) for place, part in enumerate(parts)]
    ending, usage = _ending(choice, manner), usage_of(completion.usage, manner)
    return dump(_message(completion, manner, content, ending, usage))


def usage_of(usage: Usage, manner: Manner = RECORDED) -> Object:
    """The usage object of a whole message; a recorded one as it stands."""
    if usage.raw is not None:
        return as_object(usage.raw)
    cached = manner.cached if manner.cached != NOTHING else Cached(usage.cached)
    thought = manner.thinks or (usage.reasoning > 0 and (manner.current or not manner.model))
    thinking = {"output_tokens_details": {"thinking_tokens": usage.reasoning}} if thought else {}
    told = {
        "input_tokens": usage.prompt - cached.read - cached.written - cached.hour,
        "cache_creation_input_tokens": cached.written + cached.hour,
        "cache_read_input_tokens": cached.read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": cached.written,
            "ephemeral_1h_input_tokens": cached.hour,
        },
        "output_tokens": usage.completion,
        **thinking,
        **({"server_tool_use": {"web_search_requests": 1, "web_fetch_requests": 0}} if manner.searched else {}),
        "service_tier": "standard",
        **({"inference_geo": manner.geo} if manner.geo else {}),
    }
    return {name: told[name] for name in manner.counts} if manner.counts else told


def frames(completion: Completion, manner: Manner = RECORDED) -> Iterator[Frame]:
    """The events in their order on the wire: message_start, blocks with a ping after the first start, delta, stop."""
    choice = _choice(completion, manner)
    usage = usage_of(completion.usage, manner)
    early = {name: count for name, count in usage.items() if name not in _LATE}
    early["output_tokens"] = min(1, completion.usage.completion)
    start = {"type": "message_start", "message": _message(completion, manner, [], _unended(choice, manner), early)}
    yield Frame(0, _event("message_start", dump(start), 0))
    token = 0
    for place, made in enumerate(choice.parts):
        part = _shown(made, manner, completion.id, place)
        opening = _opening(part, manner, completion.id, place)
        yield Frame(token, (opening if place else opening + PING) + b"".join(_first(part, place)))
        for data in _deltas(part, place):
            yield Frame(token, data)
            token += 1
        token += _hidden(made, part)
        yield Frame(max(token - 1, 0), _closing(part, completion.id, place))
    last = max(token - 1, 0)
    late = {name: usage[name] for name in (_DELTA if not manner.counts else ("output_tokens",)) if name in usage}
    delta = {"type": "message_delta", "delta": _ending(choice, manner), "usage": late}
    yield Frame(
        last, _event("message_delta", dump(delta), last) + _event("message_stop", b'{"type":"message_stop"}', 3)
    )


def _choice(completion: Completion, manner: Manner) -> Choice:
    if manner.refused:
        return Choice((), Finish.CONTENT_FILTER)
    return completion.choices[0] if completion.choices else Choice((), Finish.STOP)


def _shown(part: Part, manner: Manner, seed: str, place: int) -> Part:
    """Thought as the client gets to see it: encrypted, or its signature alone."""
    if not isinstance(part, Reasoning) or not (manner.redacted or manner.omitted):
        return part
    if manner.redacted:
        return block({"type": "redacted_thinking", "data": sealed(seed, f"redacted {place}", 300)})
    return Reasoning((), part.signature)


def _hidden(made: Part, shown: Part) -> int:
    """The tokens that were thought and not shown; they take their time all the same."""
    return len(made.tokens) if isinstance(made, Reasoning) and made is not shown else 0


def _message(completion: Completion, manner: Manner, content: list[Object], ending: Object, usage: Object) -> Object:
    identity = completion.id if not is_raw(completion.id) else "msg_01" + code(completion.id, "message", 22)
    identity = marked(identity, completion)
    model, kind = (
        {"model": marked_model(manner.model or completion.model, completion)},
        {"id": identity, "type": "message", "role": "assistant"},
    )
    retired = manner.model and not manner.current  # their answers named the model later
    head = {**kind, **model} if retired else {**model, **kind}
    return {**head, "content": content, **ending, "usage": usage}


def _ending(choice: Choice, manner: Manner) -> Object:
    return {
        "stop_reason": word_of(choice),
        "stop_sequence": choice.stop_sequence or None,
        **_details(choice, manner),
        **as_object(choice.extra),
    }


def _unended(choice: Choice, manner: Manner) -> Object:
    """The same keys before the end is known."""
    known = manner.current or "stop_details" in as_object(choice.extra)
    return {"stop_reason": None, "stop_sequence": None, **({"stop_details": None} if known else {})}


def _details(choice: Choice, manner: Manner) -> Object:
    if not manner.current:
        return {}
    refused = {"type": "refusal", "category": None, "explanation": None}
    return {"stop_details": refused if choice.finish is Finish.CONTENT_FILTER else None}


def _tool_id(call: ToolCall, seed: str, place: int) -> str:
    return call.id if not is_raw(call.id) else "toolu_01" + code(call.id or seed, f"tool {place}", 22)


def _block(part: Part, manner: Manner, seed: str, place: int) -> Object:
    match part:
        case Text() if is_block(part):
            return as_object(part.extra)
        case Text():
            return {"type": "text", "text": "".join(part.tokens), **as_object(part.extra)}
        case Reasoning():
            return {"type": "thinking", "thinking": "".join(part.tokens), "signature": _signature(part, seed, place)}
        case ToolCall():
            given = as_object(load("".join(part.arguments)))
            return {**_tool_start(part, seed, place), "input": given, **_caller(part, manner)}


def _tool_start(call: ToolCall, seed: str, place: int) -> Object:
    return {"type": "tool_use", "id": _tool_id(call, seed, place), "name": call.name}


def _caller(call: ToolCall, manner: Manner) -> Object:
    return {**({"caller": {"type": "direct"}} if manner.current else {}), **as_object(call.extra)}


def _signature(part: Reasoning, seed: str, place: int) -> str:
    return part.signature or sealed(seed, f"signature {place}", 300)


def _opening(part: Part, manner: Manner, seed: str, place: int) -> bytes:
    match part:
        case Text() if is_block(part):
            content: JSON = {**part.extra, "input": {}} if _is_call(part.extra) else part.extra
        case Text():
            extra = as_object(part.extra)
            content = {**extra, **({"citations": []} if extra.get("citations") else {}), "type": "text", "text": ""}
        case Reasoning():
            content = {"type": "thinking", "thinking": "", "signature": ""}
        case ToolCall():
            content = {**_tool_start(part, seed, place), "input": {}, **_caller(part, manner)}
    start = {"type": "content_block_start", "index": place, "content_block": content}
    return _event("content_block_start", dump(start), place)


def _first(part: Part, place: int) -> Iterator[bytes]:
    """What stands before a block's own deltas: its citations, or the input of a tool that the API itself runs."""
    if isinstance(part, Text) and is_block(part) and _is_call(part.extra):
        around = _around("input_json_delta", "partial_json", place)
        yield around + b'""}}\n\n'
        yield from _texts(words(spelled(part.extra["input"])), around)
    elif isinstance(part, Text):
        around = _around("citations_delta", "citation", place)
        yield from (around + dump(item) + b"}}\n\n" for item in as_list(as_object(part.extra).get("citations")))


def _is_call(given: JSON) -> bool:
    return as_object(given).get("type") in ("server_tool_use", "mcp_tool_use") and isinstance(given.get("input"), dict)


@lru_cache(256)
def _around(kind: str, name: str, place: int) -> bytes:
    start = f'{{"type":"content_block_delta","index":{place},"delta":{{"type":"{kind}","{name}":'
    return b"event: content_block_delta\ndata: " + start.encode()


def _deltas(part: Part, place: int) -> Iterable[bytes]:
    match part:
        case Text():
            return _texts(part.tokens, _around("text_delta", "text", place))
        case Reasoning():
            return _texts(part.tokens, _around("thinking_delta", "thinking", place))
        case ToolCall():
            around = _around("input_json_delta", "partial_json", place)
            first = around + b'""}}\n\n'
            return (first + data if at == 0 else data for at, data in enumerate(_texts(part.arguments, around)))


def _texts(tokens: Iterable[str], around: bytes) -> Iterator[bytes]:
    for at, token in enumerate(tokens):
        yield around + quote(token) + b"}" + _TAILS[at & 15]


def _closing(part: Part, seed: str, place: int) -> bytes:
    """What ends a block: its signature where it has one, then the stop."""
    last = b""
    if isinstance(part, Reasoning):
        signature = quote(_signature(part, seed, place))
        last = _around("signature_delta", "signature", place) + signature + b"}" + _TAILS[place & 15]
    stop = f'{{"type":"content_block_stop","index":{place}}}'
    return last + _event("content_block_stop", stop.encode(), place + 5)


def _event(name: str, data: bytes, turn: int) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + data[:-1] + _TAILS[turn & 15]
