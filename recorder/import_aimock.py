"""Fixtures of aimock: single-turn chat answers, as exchanges of the provider that the file's name says.

aimock keeps no request and no wire bytes: the request is made from what a fixture matches on, the answer is spelled
anew (`provenance` says so). A fixture that needs more than one user message and a model has no equal in a request; it is
named and left out. Source: src/types.ts and src/recorder.ts of CopilotKit/aimock.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from hashlib import blake2b
from types import MappingProxyType

from llm_simulator import dialects
from llm_simulator.recorder import fields
from llm_simulator.recorder.interaction import Body, FieldError, Imported, Read, attempt, shown
from llm_simulator.recorder.source import Source
from llm_simulator.types import (
    JSON,
    Call,
    Choice,
    Completion,
    Condition,
    Finish,
    Part,
    RawRequest,
    Reasoning,
    Reply,
    Text,
    ToolCall,
    Usage,
)

FORMAT = "aimock"

_PROVIDERS = ("openai", "anthropic", "gemini", "cohere")
_PLAIN = {"userMessage", "model", "turnIndex", "hasToolResult", "sequenceIndex", "endpoint"}
_FINISHES = {finish.value: finish for finish in Finish}
_JSON = (("content-type", "application/json"),)


def claims(source: Source) -> bool:
    tree = source.tree
    return "match" in tree.outline("fixtures") and "response" in tree.outline("fixtures")


def read(source: Source) -> Iterator[Read]:
    provider = provider_of(source.name)
    for number, (line, get) in enumerate(source.tree.items("fixtures"), 1):
        where = ", ".join(part for part in (f"fixture {number}", line) if part)
        yield attempt(where, get, lambda item, where: _imported(item, where, provider))


def provider_of(name: str) -> str:
    """`openai-2026-01-01T...-1a2b3c4d.json` and `some-test/anthropic.json` say it; else it is OpenAI."""
    stem = name.rpartition("/")[2].partition(".")[0].partition("-")[0].lower()
    return stem if stem in _PROVIDERS else "openai"


def _imported(item: JSON, where: str, provider: str) -> Imported:
    whole = fields.mapping(item, "fixture")
    call = dialects.read(_request(fields.mapping(whole.get("match"), "match"), provider))
    answer = fields.mapping(whole.get("response"), "response")
    reply = _refusal(answer, call) if "error" in answer else _answer(answer, call, item)
    assert isinstance(reply.body, bytes)  # the call does not stream
    head, done = _times(whole.get("recordedTimings"))
    return Imported(
        where,
        call.raw,
        Body(call.raw.body, plain=True, rebuilt=True),
        reply.status,
        reply.headers,
        Body(reply.body, plain=True),
        head_ns=head,
        done_ns=done,
        provenance=MappingProxyType(
            {"request body": "made from the match of an aimock fixture", "response body": _MADE}
        ),
    )


_MADE = "spelled anew: aimock keeps no wire bytes"


# --- the request


def _request(match: Mapping[str, JSON], provider: str) -> RawRequest:
    _check_plain(match)
    message = fields.text(match.get("userMessage"), "match.userMessage")
    model = fields.text(match.get("model"), "match.model")
    path, body = _spelled(provider, model, message)
    host = dialects.PROVIDER_HOSTS[provider]
    return RawRequest("POST", path, host, headers=_JSON, body=fields.dumped(body, "match").data)


def _check_plain(match: Mapping[str, JSON]) -> None:
    if more := sorted(match.keys() - _PLAIN):
        raise FieldError(f"match.{more[0]}", shown(match[more[0]]), f"only {', '.join(sorted(_PLAIN))}")
    for name, allowed in (("turnIndex", (None, 0)), ("hasToolResult", (None, False)), ("endpoint", (None, "chat"))):
        if match.get(name) not in allowed:
            raise FieldError(f"match.{name}", shown(match[name]), f"{allowed[1]}: earlier turns are not in a fixture")


def _spelled(provider: str, model: str, message: str) -> tuple[str, JSON]:
    turn = {"role": "user", "content": message}
    match provider:
        case "anthropic":
            return "/v1/messages", {"model": model, "max_tokens": 4096, "messages": [turn]}
        case "gemini":
            return f"/v1beta/models/{model}:generateContent", {
                "contents": [{"role": "user", "parts": [{"text": message}]}]
            }
        case "cohere":
            return "/v2/chat", {"model": model, "messages": [turn]}
        case _:
            return "/v1/chat/completions", {"model": model, "messages": [turn]}


# --- the answer


def _refusal(answer: Mapping[str, JSON], call: Call) -> Reply:
    error = fields.mapping(answer["error"], "response.error")
    message = fields.text(error.get("message"), "response.error.message")
    status = fields.status(answer.get("status", 500), "response.status")
    kind = fields.optional(error.get("type"), "response.error.type")
    code = fields.optional(error.get("code"), "response.error.code") or None
    return dialects.of(call).refuse(Condition(kind or "server_error", status, message, code=code, type=kind), call)


def _answer(answer: Mapping[str, JSON], call: Call, item: JSON) -> Reply:
    parts = _parts(answer)
    if not parts:
        raise FieldError("response", shown(answer), "content, toolCalls, blocks or error: a chat answer")
    tools = any(isinstance(part, ToolCall) for part in parts)
    word = fields.optional(answer.get("finishReason"), "response.finishReason")
    finish = _FINISHES.get(word, Finish.TOOL_CALLS if tools else Finish.STOP)
    created = answer.get("created")
    seed = blake2b(json.dumps(item, sort_keys=True).encode(), digest_size=16).hexdigest()
    completion = Completion(
        id=fields.optional(answer.get("id"), "response.id") or seed,
        created=created if isinstance(created, int) else 0,
        model=fields.optional(answer.get("model"), "response.model") or call.model,
        choices=(Choice(parts, finish),),
        usage=_usage(answer.get("usage")),
        fingerprint=fields.optional(answer.get("systemFingerprint"), "response.systemFingerprint"),
    )
    return dialects.of(call).write(completion, call)


def _parts(answer: Mapping[str, JSON]) -> tuple[Part, ...]:
    parts: list[Part] = []
    if thought := answer.get("reasoning"):
        signature = fields.optional(answer.get("reasoningSignature"), "response.reasoningSignature")
        parts.append(Reasoning((fields.text(thought, "response.reasoning"),), signature))
    if blocks := answer.get("blocks"):
        return (*parts, *(_block(block, place) for place, block in enumerate(_list(blocks, "response.blocks"))))
    if (content := answer.get("content")) not in (None, ""):
        parts.append(Text((_json_text(content),)))
    calls = _list(answer.get("toolCalls") or [], "response.toolCalls")
    return (*parts, *(_tool(call, place) for place, call in enumerate(calls)))


def _list(value: JSON, field: str) -> list[JSON]:
    if isinstance(value, list):
        return value
    raise FieldError(field, shown(value), "a list")


def _block(block: JSON, place: int) -> Part:
    held = fields.mapping(block, "response.blocks")
    if held.get("type") == "text":
        return Text((fields.text(held.get("text"), "response.blocks.text"),))
    return _tool(held, place)


def _tool(call: JSON, place: int) -> ToolCall:
    held = fields.mapping(call, "response.toolCalls")
    name = fields.text(held.get("name"), "response.toolCalls.name")
    made = blake2b(f"{place} {name}".encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()
    given = fields.optional(held.get("id"), "response.toolCalls.id")
    return ToolCall(given or f"call_{made}", name, (_json_text(held.get("arguments", "{}")),))


def _json_text(value: JSON) -> str:
    """aimock takes an object for the text of its JSON."""
    return value if isinstance(value, str) else fields.dumped(value, "response").data.decode()


def _usage(value: JSON) -> Usage:
    held = value if isinstance(value, Mapping) else {}
    prompt = _first(held, "prompt_tokens", "input_tokens", "promptTokenCount")
    return Usage(prompt, _first(held, "completion_tokens", "output_tokens", "candidatesTokenCount"), exact=bool(held))


def _first(held: Mapping[str, JSON], *names: str) -> int:
    return next((value for name in names if isinstance(value := held.get(name), int)), 0)


def _times(value: JSON) -> tuple[int, int]:
    """Time to the first token and to the end, in ns; aimock keeps milliseconds."""
    held = value if isinstance(value, Mapping) else {}
    head, done = (held.get(name) for name in ("ttftMs", "totalDurationMs"))
    if not isinstance(head, int | float) or not isinstance(done, int | float) or not 0 <= head <= done < 1e9:
        return 0, 0
    return round(head * 1e6), round(done * 1e6)
