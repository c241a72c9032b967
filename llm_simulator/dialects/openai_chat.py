"""OpenAI's chat completions, and every provider that speaks the same format (Groq, Mistral, Together, DeepSeek, ...).

Source: OpenAI API reference (chat, errors, rate limits), and recorded traffic for headers and layouts.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from llm_simulator import tokens
from llm_simulator.dialects import (
    conditions,
    host_headers,
    hosts,
    jsonstyle,
    openai_ask,
    openai_check,
    openai_headers,
    openai_parse,
    openai_stream,
    openai_wire,
)
from llm_simulator.dialects.base import Ask, Desk, Plain, Route
from llm_simulator.dialects.fields import Object, as_object, load
from llm_simulator.dialects.ids import digest, of_refusal
from llm_simulator.dialects.reading import json_object, semantic, text_field, wants_stream
from llm_simulator.dialects.routes_openai import OPENAI_CHAT
from llm_simulator.dialects.twins import respell, with_stream
from llm_simulator.types import Call, Completion, Condition, Headers, RawRequest, Reply, Usage

FAMILY = "openai.chat"
PATH_END = "/chat/completions"
_BETA = ("openai-beta",)

_JSON: Headers = (("content-type", "application/json"),)
_GATEWAY: Headers = (("content-type", "application/json; charset=utf-8"), ("vary", "Origin"))
_EDGE: Headers = (
    ("x-openai-proxy-wasm", "v0.1"),
    ("cf-cache-status", "DYNAMIC"),
    ("server", "cloudflare"),
    ("x-content-type-options", "nosniff"),
)
_GATEWAY_NAMES = ("model_not_found", "invalid_url", "method_not_allowed")
_TYPES = {429: "requests", 503: "service_unavailable_error"}


class OpenAIChat(Plain):
    """POST .../chat/completions."""

    name = "openai_chat"
    provider = "openai"
    api_version = "v1"
    features: frozenset[str] = frozenset(
        ("chat", "streaming", "function_calling", "vision", "structured_output", "choices", "models")
    )
    simulates: frozenset[str] = frozenset(("chat",))
    generates: frozenset[str] = frozenset(("chat",))
    routes: tuple[Route, ...] = OPENAI_CHAT

    def read(self, raw: RawRequest, provider: str) -> Call | None:
        if not raw.path.endswith(PATH_END):
            return None
        return read_chat(raw, provider)

    def check(self, call: Call) -> Condition | None:
        return openai_check.check(call)

    def ask(self, call: Call) -> Ask:
        return openai_ask.ask(call)

    def write(self, completion: Completion, call: Call) -> Reply:
        counted = _counted(completion, call)
        return Reply(
            200,
            self.success(completion, call),
            openai_stream.frames(counted, call) if call.stream else openai_wire.body(counted, call),
        )

    def success(self, completion: Completion, call: Call) -> Headers:
        """The usual headers of a 200."""
        host = hosts.name_of(call.provider, call.raw.host)
        return host_headers.of_success(host, completion.id, completion.usage, stream=call.stream)

    def respond(self, call: Call, desk: Desk) -> Reply:
        condition = Condition("not_found", 404, f"Invalid URL ({call.raw.method} {call.raw.path})", retry=False)
        return self.refuse(condition, call)

    def refuse(self, condition: Condition, call: Call) -> Reply:
        if exact := conditions.answer(condition, call):
            return exact
        if call.provider == "gemini":  # its OpenAI-compatible path: Google's error in an array
            return _googles(condition, call)
        if call.provider == "mistral":
            return _mistrals(condition, call)
        gateway = condition.status == 401 or condition.name in _GATEWAY_NAMES
        body = jsonstyle.gateway if gateway else jsonstyle.indented
        identity = (
            (("x-request-id", request_id(of_refusal(condition, call))),)
            if gateway
            else openai_headers.own(of_refusal(condition, call), exposed="X-Request-ID")
        )
        headers = (*(_GATEWAY if gateway else _JSON), *identity, *advice(condition), *_EDGE, *condition.headers)
        return Reply(condition.status, headers, body({"error": error_object(condition)}))

    def parse(self, status: int, headers: Headers, body: bytes, call: Call) -> Completion | None:
        return openai_parse.parse(body, call.model) if status == 200 else None

    def usage(self, status: int, headers: Headers, body: bytes, call: Call) -> Usage | None:
        return openai_parse.usage_in(body) if status == 200 else None

    def twins(self, call: Call) -> tuple[Call, ...]:
        if call.operation != "chat" or call.problem or not isinstance(call.body, dict):
            return ()
        if call.stream:
            return tuple(_with_options(with_stream(call, flag), None) for flag in (None, False))
        streamed = with_stream(call, True)
        return tuple(_with_options(streamed, options) for options in (None, {"include_usage": True}))


def _mistrals(condition: Condition, call: Call) -> Reply:
    """Mistral has no `error` around its errors."""
    kind = condition.type or ("internal_server_error" if condition.status >= 500 else "invalid_request_error")
    named = replace(condition, name="mistral.bad_request", type=kind, headers=(*advice(condition), *condition.headers))
    reply = conditions.answer(replace(named, retry_after=None), call)
    assert reply is not None  # the catalogue has it
    return replace(reply, status=condition.status)


def _googles(condition: Condition, call: Call) -> Reply:
    from llm_simulator.dialects import gemini_generate

    reply = gemini_generate.DIALECT.refuse(condition, call)
    assert isinstance(reply.body, bytes)
    return replace(reply, body=jsonstyle.indented_line([load(reply.body)]))


def read_chat(raw: RawRequest, provider: str, model: str = "") -> Call:
    """A chat call; `model` where the path names it and the body need not."""
    if raw.method != "POST":
        return Call(provider, FAMILY, "unknown", raw, semantic=semantic(raw.headers, _BETA))
    body, problem = json_object(raw)
    return Call(
        provider,
        FAMILY,
        "chat",
        raw,
        model=model or text_field(body, "model"),
        stream=wants_stream(body),
        body=body,
        problem=problem,
        semantic=semantic(raw.headers, _BETA),
    )


def _with_options(call: Call, options: Object | None) -> Call:
    """The call with these `stream_options` and no others."""
    given = as_object(call.body)
    if options is None and "stream_options" not in given:
        return call
    body = {name: value for name, value in given.items() if name != "stream_options"}
    if options is not None:
        body["stream_options"] = options
    return replace(call, body=body, raw=replace(call.raw, body=respell(call.raw.body, "stream_options", options)))


def _counted(completion: Completion, call: Call) -> Completion:
    """A recorded stream may have told no usage: then the prompt is counted, where it will be shown."""
    usage = completion.usage
    if usage.raw or usage.prompt or not openai_wire.is_recorded(completion) or not _shows_usage(call):
        return completion
    prompt = tokens.count_chat(as_object(call.body), completion.model).tokens
    return replace(completion, usage=replace(usage, prompt=prompt))


def _shows_usage(call: Call) -> bool:
    options = as_object(as_object(call.body).get("stream_options"))
    return (
        not call.stream
        or options.get("include_usage") is True
        or hosts.wire_of(call.provider, call.raw.host).usage_last
    )


def request_id(seed: str) -> str:
    return "req_" + digest(seed, "request").hex()


def error_object(condition: Condition) -> Object:
    """The inside of the envelope; all four keys are always there."""
    kind = (
        condition.type
        or _TYPES.get(condition.status)
        or ("server_error" if condition.status >= 500 else "invalid_request_error")
    )
    error: Object = {"message": condition.message, "type": kind, "param": condition.param, "code": condition.code}
    if condition.extra is not None:
        error["llm_simulator"] = condition.extra
    return error


def advice(condition: Condition) -> Iterator[tuple[str, str]]:
    """Whether and when to try again."""
    if condition.retry is not None:
        yield "x-should-retry", "true" if condition.retry else "false"
    if condition.retry_after is not None:
        yield "retry-after", str(math.ceil(condition.retry_after))
        yield "retry-after-ms", str(math.ceil(condition.retry_after * 1000))


DIALECT = OpenAIChat()
