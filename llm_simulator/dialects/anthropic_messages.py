"""Anthropic's Messages API: what it asks, what is refused, and how its answers and errors are spelled.

Source: platform.claude.com/docs/en/api (messages, errors, models), and recorded traffic for headers and layouts.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from llm_simulator.dialects import anthropic_ask, anthropic_models, anthropic_parse, anthropic_write, conditions
from llm_simulator.dialects.anthropic_check import check
from llm_simulator.dialects.anthropic_manner import manner_of
from llm_simulator.dialects.anthropic_sources import dressed
from llm_simulator.dialects.base import Ask, Desk, Plain, Route
from llm_simulator.dialects.fields import Object, as_object, dump
from llm_simulator.dialects.ids import HEX, code, is_raw, of_refusal, recorded_at, rfc3339, uuid
from llm_simulator.dialects.reading import json_object, text_field, wants_stream
from llm_simulator.dialects.routes_anthropic import ANTHROPIC_MESSAGES
from llm_simulator.dialects.twins import with_stream
from llm_simulator.types import Call, Completion, Condition, Headers, RawRequest, Reply, Usage

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


_POSTED = {"/v1/messages": "chat", "/v1/messages/count_tokens": "count_tokens"}


class AnthropicMessages(Plain):
    """POST /v1/messages and /v1/messages/count_tokens, GET /v1/models."""

    name = "anthropic_messages"
    provider = "anthropic"
    api_version = "2023-06-01"
    features: frozenset[str] = frozenset(
        ("chat", "streaming", "tool_use", "vision", "thinking", "structured_output", "prompt_caching", "models")
    )
    simulates: frozenset[str] = frozenset(("chat", "count_tokens", "models.list", "models.get"))
    generates: frozenset[str] = frozenset(("chat",))
    routes: tuple[Route, ...] = ANTHROPIC_MESSAGES

    def read(self, raw: RawRequest, provider: str) -> Call | None:
        if provider != self.provider:
            return None
        posted = _POSTED.get(raw.path.rstrip("/")) if raw.method == "POST" else None
        return _read_posted(raw, posted) if posted else anthropic_models.read(raw)

    def check(self, call: Call) -> Condition | None:
        return check(call) if call.operation in _POSTED.values() else None

    def ask(self, call: Call) -> Ask:
        return anthropic_ask.ask(as_object(call.body), call.model)

    def write(self, completion: Completion, call: Call) -> Reply:
        completion = dressed(completion, call)
        manner = manner_of(completion, call)
        headers = _headers(completion.id, completion.created, completion.usage)
        if call.stream:
            return Reply(200, (*_SSE, *headers), anthropic_write.frames(completion, manner))
        return Reply(200, (*_JSON, *headers), anthropic_write.body(completion, manner))

    def respond(self, call: Call, desk: Desk) -> Reply:
        found = _counted(call) if call.operation == "count_tokens" else anthropic_models.answer(call, desk.hidden)
        if isinstance(found, Condition):
            return self.refuse(found, call)
        return Reply(200, headers_of(desk.seed.hex()), dump(found))

    def refuse(self, condition: Condition, call: Call) -> Reply:
        if exact := conditions.answer(condition, call):
            return exact
        seed = of_refusal(condition, call)
        headers = _identity(seed)
        body = {"type": "error", "error": _error(condition), "request_id": headers[0][1]}
        return Reply(
            condition.status, (*_JSON, *headers, *_advice(condition), *_edge(seed), *condition.headers), dump(body)
        )

    def parse(self, status: int, headers: Headers, body: bytes, call: Call) -> Completion | None:
        if status != 200 or call.operation != "chat":
            return None
        return anthropic_parse.parse(body, recorded_at(headers))

    def usage(self, status: int, headers: Headers, body: bytes, call: Call) -> Usage | None:
        if status == 200 and call.operation == "count_tokens":
            return Usage(0, 0)  # it tells of tokens, and uses none
        completion = self.parse(status, headers, body, call)
        return completion.usage if completion and completion.usage.raw else None

    def twins(self, call: Call) -> tuple[Call, ...]:
        if call.operation != "chat" or call.problem or not isinstance(call.body, dict):
            return ()
        return tuple(with_stream(call, flag) for flag in ((None, False) if call.stream else (True,)))


def headers_of(seed: str, kind: str = "application/json") -> Headers:
    """The headers of an answer that nothing was generated for: no rate limits."""
    return (("content-type", kind), *_identity(seed), *_edge(seed))


def _counted(call: Call) -> Object:
    return {"input_tokens": anthropic_ask.prompt_tokens(as_object(call.body), call.model)}


def _read_posted(raw: RawRequest, operation: str) -> Call:
    body, problem = json_object(raw)
    return Call(
        "anthropic",
        "anthropic.messages",
        operation,
        raw,
        model=text_field(body, "model"),
        stream=operation == "chat" and wants_stream(body),
        body=body,
        problem=problem,
        semantic=betas(raw.headers),
    )


def betas(headers: Headers) -> Headers:
    """The beta names, in any order and over any number of header lines the same. The version header is not one of them:

    each SDK release sends its own, and a cassette must outlive an upgrade.
    """
    names = {name.strip() for key, value in headers if key.lower() == "anthropic-beta" for name in value.split(",")}
    listed = ",".join(sorted(names - {""}))
    return (("anthropic-beta", listed),) if listed else ()


def _identity(seed: str) -> Headers:
    return (
        ("request-id", "req_011C" + code(seed, "request", 20)),
        ("anthropic-organization-id", uuid("llm-simulator", "organization")),
    )


def _edge(seed: str) -> Headers:
    return (("cf-ray", f"{code(seed, 'ray', 16, HEX)}-LHR"), *_EDGE)


def _headers(identity: str, created: int, usage: Usage) -> Headers:
    seed = identity if is_raw(identity) else identity.removeprefix("msg_01")
    used = {
        "input-tokens": usage.prompt - usage.cached,
        "output-tokens": usage.completion,
        "requests": 1,
        "tokens": usage.prompt - usage.cached + usage.completion,
    }
    return (*_identity(seed), *_rate_limits(used, rfc3339(created)), *_edge(seed))


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
