"""Anthropic's Messages API: what it asks, what is refused, and how its answers and errors are spelled.

Source: platform.claude.com/docs/en/api (messages, errors, models), and recorded traffic for headers and layouts.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from llm_simulator.dialects import anthropic_models, anthropic_parse, anthropic_write, estimate
from llm_simulator.dialects.anthropic_check import check
from llm_simulator.dialects.base import Ask, Desk, Plain, Tool, Turn
from llm_simulator.dialects.fields import Object, as_limit, as_list, as_object, as_text, dump, objects, spelled
from llm_simulator.dialects.ids import code, is_raw, of_refusal, recorded_at, rfc3339, uuid
from llm_simulator.dialects.reading import json_object, text_field, wants_stream
from llm_simulator.dialects.twins import with_stream
from llm_simulator.types import JSON, Call, Completion, Condition, Headers, RawRequest, Reply, Usage

DEFAULT_MAX_TOKENS = 4096

_TYPES = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_KNOWN_TYPES = frozenset((*_TYPES.values(), "invalid_request_error", "api_error", "forbidden"))
_EDGE: Headers = (
    ("server", "cloudflare"),
    ("cf-cache-status", "DYNAMIC"),
    ("strict-transport-security", "max-age=31536000; includeSubDomains; preload"),
    ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
    ("x-robots-tag", "none"),
)
_JSON: Headers = (("content-type", "application/json"),)
_SSE: Headers = (("content-type", "text/event-stream; charset=utf-8"), ("cache-control", "no-cache"))
_LIMITS = (("input-tokens", 2_000_000), ("output-tokens", 400_000), ("requests", 20_000), ("tokens", 2_400_000))


class AnthropicMessages(Plain):
    """POST /v1/messages and GET /v1/models."""

    name = "anthropic_messages"
    provider = "anthropic"
    api_version = "2023-06-01"
    features: frozenset[str] = frozenset(
        ("chat", "streaming", "tool_use", "vision", "thinking", "structured_output", "models")
    )
    simulates: frozenset[str] = frozenset(("chat", "models.list", "models.get"))
    generates: frozenset[str] = frozenset(("chat",))

    def read(self, raw: RawRequest, provider: str) -> Call | None:
        if provider != self.provider:
            return None
        if raw.method == "POST" and raw.path.rstrip("/") == "/v1/messages":
            return _read_chat(raw)
        return anthropic_models.read(raw)

    def check(self, call: Call) -> Condition | None:
        return check(call) if call.operation == "chat" else None

    def ask(self, call: Call) -> Ask:
        return _ask(as_object(call.body), call.model)

    def write(self, completion: Completion, call: Call) -> Reply:
        headers = _headers(completion.id, completion.created, completion.usage)
        if call.stream:
            return Reply(200, (*_SSE, *headers), anthropic_write.frames(completion))
        return Reply(200, (*_JSON, *headers), anthropic_write.body(completion))

    def respond(self, call: Call, desk: Desk) -> Reply:
        found = anthropic_models.answer(call)
        if isinstance(found, Condition):
            return self.refuse(found, call)
        return Reply(200, (*_JSON, *_identity(desk.seed.hex()), *_EDGE), dump(found))

    def refuse(self, condition: Condition, call: Call) -> Reply:
        headers = _identity(of_refusal(condition, call))
        body = {"type": "error", "error": _error(condition), "request_id": headers[0][1]}
        return Reply(condition.status, (*_JSON, *headers, *_advice(condition), *_EDGE, *condition.headers), dump(body))

    def parse(self, status: int, headers: Headers, body: bytes, call: Call) -> Completion | None:
        if status != 200 or call.operation != "chat":
            return None
        return anthropic_parse.parse(body, recorded_at(headers))

    def usage(self, status: int, headers: Headers, body: bytes, call: Call) -> Usage | None:
        completion = self.parse(status, headers, body, call)
        return completion.usage if completion and completion.usage.raw else None

    def twins(self, call: Call) -> tuple[Call, ...]:
        if call.operation != "chat" or call.problem or not isinstance(call.body, dict):
            return ()
        return tuple(with_stream(call, flag) for flag in ((None, False) if call.stream else (True,)))


def _read_chat(raw: RawRequest) -> Call:
    body, problem = json_object(raw)
    return Call(
        "anthropic",
        "anthropic.messages",
        "chat",
        raw,
        model=text_field(body, "model"),
        stream=wants_stream(body),
        body=body,
        problem=problem,
        semantic=_betas(raw.headers),
    )


def _betas(headers: Headers) -> Headers:
    """The beta names, in any order and over any number of header lines the same. The version header is not one of them:

    each SDK release sends its own, and a cassette must outlive an upgrade.
    """
    names = {name.strip() for key, value in headers if key.lower() == "anthropic-beta" for name in value.split(",")}
    listed = ",".join(sorted(names - {""}))
    return (("anthropic-beta", listed),) if listed else ()


def _ask(body: Object, model: str) -> Ask:
    messages = objects(body.get("messages"))
    system = _text_of(body.get("system"))
    turns = ((Turn("system", system),) if system else ()) + tuple(_turn(message) for message in messages)
    thinking = as_object(body.get("thinking")).get("type") in ("enabled", "adaptive")
    images = sum(1 for message in messages for item in objects(message.get("content")) if item.get("type") == "image")
    size = estimate.measure(_counted(body), body.get("tools"), len(messages), images)
    limit, schema = as_limit(body.get("max_tokens")), _schema(body)
    return Ask(
        turns,
        estimate.anthropic(model, size, thinking=thinking, schema=schema is not None),
        exact=False,
        max_tokens=limit or DEFAULT_MAX_TOKENS,
        tools=tuple(_tools(body)),
        tool_choice=_tool_choice(as_object(body.get("tool_choice"))),
        stop=tuple(as_text(item) for item in as_list(body.get("stop_sequences")) if item),
        schema=schema,
        warnings=() if limit else (f"max_tokens: Field required; {DEFAULT_MAX_TOKENS} taken",),
    )


def _turn(message: Object) -> Turn:
    content = message.get("content")
    calls = sum(1 for item in objects(content) if item.get("type") == "tool_use")
    return Turn(as_text(message.get("role")), _text_of(content), calls)


def _text_of(content: JSON, depth: int = 0) -> str:
    """The visible text of a message: its text blocks, and those of its tool results."""
    if isinstance(content, str) or depth > 2:
        return as_text(content)
    return "\n".join(
        as_text(item.get("text")) if "text" in item else _text_of(item.get("content"), depth + 1)
        for item in objects(content)
        if item.get("type") in ("text", "tool_result")
    )


def _counted(body: Object) -> Iterator[str]:
    """All text that is billed as input: system, messages, tool calls and results; not earlier thinking."""
    yield _text_of(body.get("system"))
    for message in objects(body.get("messages")):
        yield _text_of(message.get("content"))
        for item in objects(message.get("content")):
            if item.get("type") == "tool_use":
                yield as_text(item.get("name")) + spelled(item.get("input"))


def _tools(body: Object) -> Iterator[Tool]:
    """The client's own tools; hosted ones (web search, code execution) have a type and are the provider's to call."""
    for item in objects(body.get("tools")):
        if as_text(item.get("type")) in ("", "custom") and as_text(item.get("name")):
            yield Tool(as_text(item["name"]), as_text(item.get("description")), item.get("input_schema"))


def _tool_choice(choice: Object) -> str:
    match choice.get("type"):
        case "any":
            return "required"
        case "tool":
            return as_text(choice.get("name")) or "required"
        case "none":
            return "none"
        case _:
            return "auto"


def _schema(body: Object) -> JSON:
    """The schema of a structured output: `output_config.format`, in the beta of 2025 `output_format`."""
    given = as_object(as_object(body.get("output_config")).get("format")) or as_object(body.get("output_format"))
    return as_object(given.get("schema")) if given.get("type") == "json_schema" else None


def _identity(seed: str) -> Headers:
    return (
        ("request-id", "req_011C" + code(seed, "request", 20)),
        ("anthropic-organization-id", uuid("llm-simulator", "organization")),
    )


def _headers(identity: str, created: int, usage: Usage) -> Headers:
    seed = identity if is_raw(identity) else identity.removeprefix("msg_01")
    used = {
        "input-tokens": usage.prompt - usage.cached,
        "output-tokens": usage.completion,
        "requests": 1,
        "tokens": usage.prompt - usage.cached + usage.completion,
    }
    return (*_identity(seed), *_rate_limits(used, rfc3339(created)), *_EDGE)


def _rate_limits(used: dict[str, int], reset: str) -> Iterator[tuple[str, str]]:
    """Limit, remaining and reset of each window; token counts to the nearest thousand, as the API rounds them."""
    for window, limit in _LIMITS:
        left = limit - used[window]
        name = f"anthropic-ratelimit-{window}"
        yield f"{name}-limit", str(limit)
        yield f"{name}-remaining", str(left if window == "requests" else round(left, -3))
        yield f"{name}-reset", reset


def _error(condition: Condition) -> Object:
    named = condition.type if condition.type in _KNOWN_TYPES else ""
    kind = (
        named or _TYPES.get(condition.status) or ("api_error" if condition.status >= 500 else "invalid_request_error")
    )
    details = {"details": {"error_code": condition.code}} if condition.code else {}
    extra = {"llm_simulator": condition.extra} if condition.extra is not None else {}
    return {"type": kind, "message": condition.message, **details, **extra}


def _advice(condition: Condition) -> Iterator[tuple[str, str]]:
    if condition.retry is not None:
        yield "x-should-retry", "true" if condition.retry else "false"
    if condition.retry_after is not None:
        yield "retry-after", str(math.ceil(condition.retry_after))


DIALECT = AnthropicMessages()
