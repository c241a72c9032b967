"""Cohere's v2 chat API: what it asks, what is refused, and how its answers and errors are spelled.

Source: docs.cohere.com/v2/reference/chat and /reference/errors, and recorded traffic for headers and layouts.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from llm_simulator.dialects import cohere_ask, cohere_models, cohere_parse, cohere_write, conditions
from llm_simulator.dialects.base import Ask, Desk, Plain, Route
from llm_simulator.dialects.cohere_check import check
from llm_simulator.dialects.cohere_manner import dressed, manner_of
from llm_simulator.dialects.fields import as_object, dump
from llm_simulator.dialects.ids import digest, of_refusal, recorded_at, uuid
from llm_simulator.dialects.reading import json_object, text_field, wants_stream
from llm_simulator.dialects.routes_cohere import COHERE_CHAT
from llm_simulator.dialects.twins import with_stream
from llm_simulator.types import Call, Completion, Condition, Headers, RawRequest, Reply, Usage

TRIAL_CALLS = 40
"""Calls a minute of a trial key, whose limits are told in headers; those of a production key are not."""

_JSON: Headers = (("content-type", "application/json"),)
_SSE: Headers = (("content-type", "text/event-stream"),)
_EDGE: Headers = (
    ("access-control-expose-headers", "X-Debug-Trace-ID"),
    ("cache-control", "no-cache, no-store, no-transform, must-revalidate, private, max-age=0"),
    ("expires", "Thu, 01 Jan 1970 00:00:00 GMT"),
    ("pragma", "no-cache"),
    ("vary", "Origin"),
    ("x-accel-expires", "0"),
    ("server", "envoy"),
    ("via", "1.1 google"),
)


class CohereChat(Plain):
    """POST /v2/chat and GET /v1/models."""

    name = "cohere_chat"
    provider = "cohere"
    api_version = "v2"
    features: frozenset[str] = frozenset(
        ("chat", "streaming", "tool_use", "vision", "thinking", "structured_output", "citations", "models")
    )
    simulates: frozenset[str] = frozenset(("chat", "models.list", "models.get"))
    generates: frozenset[str] = frozenset(("chat",))
    routes: tuple[Route, ...] = COHERE_CHAT

    def read(self, raw: RawRequest, provider: str) -> Call | None:
        if provider != self.provider:
            return None
        if raw.method == "POST" and raw.path.rstrip("/") == "/v2/chat":
            return _read_chat(raw)
        return cohere_models.read(raw)

    def check(self, call: Call) -> Condition | None:
        return check(call) if call.operation == "chat" else None

    def ask(self, call: Call) -> Ask:
        return cohere_ask.ask(as_object(call.body), call.model)

    def write(self, completion: Completion, call: Call) -> Reply:
        made, manner = dressed(completion, call), manner_of(call)
        if call.stream:
            return Reply(200, (*_SSE, *headers_of(completion.id)), cohere_write.frames(made, manner))
        counted: Headers = (
            ("num_chars", str(len(call.raw.body))),
            ("num_tokens", str(completion.usage.total)),
        )
        return Reply(200, (*_JSON, *headers_of(completion.id), *counted), cohere_write.body(made, manner))

    def respond(self, call: Call, desk: Desk) -> Reply:
        found = cohere_models.answer(call, desk.hidden)
        if isinstance(found, Condition):
            return self.refuse(found, call)
        return Reply(200, (*_JSON, *headers_of(desk.seed.hex())), dump(found))

    def refuse(self, condition: Condition, call: Call) -> Reply:
        if exact := conditions.answer(condition, call):
            return exact
        seed = of_refusal(condition, call)
        kind = {"error_type": condition.code} if condition.code else {}
        extra = {"llm_simulator": condition.extra} if condition.extra is not None else {}
        body = {**kind, "id": uuid(seed, "error"), "message": condition.message, **extra}
        headers = (*_JSON, *headers_of(seed), *_advice(condition), *condition.headers)
        return Reply(condition.status, headers, cohere_write.escape(dump(body)))

    def parse(self, status: int, headers: Headers, body: bytes, call: Call) -> Completion | None:
        if status != 200 or call.operation != "chat":
            return None
        return cohere_parse.parse(body, recorded_at(headers), call.model)

    def usage(self, status: int, headers: Headers, body: bytes, call: Call) -> Usage | None:
        completion = self.parse(status, headers, body, call)
        return completion.usage if completion and completion.usage.raw else None

    def twins(self, call: Call) -> tuple[Call, ...]:
        """The SDKs spell `"stream": false` out; other clients leave it away."""
        if call.operation != "chat" or call.problem or not isinstance(call.body, dict):
            return ()
        return tuple(with_stream(call, flag) for flag in ((False, None) if call.stream else (True,)))


def _read_chat(raw: RawRequest) -> Call:
    body, problem = json_object(raw)
    model, stream = text_field(body, "model"), wants_stream(body)
    return Call("cohere", "cohere.chat", "chat", raw, model=model, stream=stream, body=body, problem=problem)


def headers_of(identity: str) -> Headers:
    """The headers of every answer, without the content-type."""
    trace = digest(identity, "trace")
    return (
        *_EDGE,
        ("x-debug-trace-id", trace.hex()),
        ("x-endpoint-monthly-call-limit", "1000"),
        ("x-envoy-upstream-service-time", str(10 + trace[0])),
        ("x-trial-endpoint-call-limit", str(TRIAL_CALLS)),
        ("x-trial-endpoint-call-remaining", str(TRIAL_CALLS - 1)),
    )


def _advice(condition: Condition) -> Iterator[tuple[str, str]]:
    if condition.retry is not None:
        yield "x-should-retry", "true" if condition.retry else "false"
    if condition.retry_after is not None:
        yield "retry-after", str(math.ceil(condition.retry_after))


DIALECT = CohereChat()
