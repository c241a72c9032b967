"""Cohere's v2 chat API: what it asks, what is refused, and how its answers and errors are spelled.

Source: docs.cohere.com/v2/reference/chat and /reference/errors, and recorded traffic for headers and layouts.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from llm_simulator.dialects import cohere_models, cohere_parse, cohere_write, estimate
from llm_simulator.dialects.base import Ask, Desk, Plain, Tool, Turn
from llm_simulator.dialects.cohere_check import check
from llm_simulator.dialects.fields import Object, as_limit, as_list, as_object, as_text, dump, objects, spelled
from llm_simulator.dialects.ids import digest, of_refusal, recorded_at, uuid
from llm_simulator.dialects.reading import json_object, text_field, wants_stream
from llm_simulator.dialects.twins import with_stream
from llm_simulator.types import JSON, Call, Completion, Condition, Headers, RawRequest, Reply, Usage

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
        ("chat", "streaming", "tool_use", "vision", "thinking", "structured_output", "models")
    )
    simulates: frozenset[str] = frozenset(("chat", "models.list", "models.get"))
    generates: frozenset[str] = frozenset(("chat",))

    def read(self, raw: RawRequest, provider: str) -> Call | None:
        if provider != self.provider:
            return None
        if raw.method == "POST" and raw.path.rstrip("/") == "/v2/chat":
            return _read_chat(raw)
        return cohere_models.read(raw)

    def check(self, call: Call) -> Condition | None:
        return check(call) if call.operation == "chat" else None

    def ask(self, call: Call) -> Ask:
        return _ask(as_object(call.body), call.model)

    def write(self, completion: Completion, call: Call) -> Reply:
        preamble = estimate.cohere_preamble(call.model, bool(as_object(call.body).get("tools")))
        if call.stream:
            return Reply(200, (*_SSE, *_headers(completion.id)), cohere_write.frames(completion, preamble))
        counted: Headers = (
            ("num_chars", str(len(call.raw.body))),
            ("num_tokens", str(completion.usage.total)),
        )
        return Reply(200, (*_JSON, *_headers(completion.id), *counted), cohere_write.body(completion, preamble))

    def respond(self, call: Call, desk: Desk) -> Reply:
        found = cohere_models.answer(call)
        if isinstance(found, Condition):
            return self.refuse(found, call)
        return Reply(200, (*_JSON, *_headers(desk.seed.hex())), dump(found))

    def refuse(self, condition: Condition, call: Call) -> Reply:
        seed = of_refusal(condition, call)
        kind = {"error_type": condition.code} if condition.code else {}
        extra = {"llm_simulator": condition.extra} if condition.extra is not None else {}
        body = {**kind, "id": uuid(seed, "error"), "message": condition.message, **extra}
        headers = (*_JSON, *_headers(seed), *_advice(condition), *condition.headers)
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


def _ask(body: Object, model: str) -> Ask:
    messages = objects(body.get("messages"))
    images = sum(1 for item in messages for part in objects(item.get("content")) if part.get("type") == "image_url")
    size = estimate.measure(_counted(body, messages), body.get("tools"), len(messages), images)
    return Ask(
        tuple(_turn(message) for message in messages),
        estimate.cohere(model, size),
        exact=False,
        max_tokens=as_limit(body.get("max_tokens")),
        tools=tuple(_tools(body)),
        tool_choice={"REQUIRED": "required", "NONE": "none"}.get(as_text(body.get("tool_choice")), "auto"),
        stop=tuple(as_text(item) for item in as_list(body.get("stop_sequences")) if item),
        schema=_schema(as_object(body.get("response_format"))),
    )


def _turn(message: Object) -> Turn:
    calls = len(objects(message.get("tool_calls")))
    return Turn(as_text(message.get("role")), _text_of(message), calls)


def _text_of(message: Object) -> str:
    """Content as text: its text blocks, the documents of tool results; the plan where there is only that."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    texts = [_block_text(item) for item in objects(content)]
    return "\n".join(text for text in texts if text) or as_text(message.get("tool_plan"))


def _block_text(item: Object) -> str:
    document = as_object(item.get("document"))
    return spelled(document.get("data")) if document else as_text(item.get("text"))


def _counted(body: Object, messages: list[Object]) -> Iterator[str]:
    for message in messages:
        yield _text_of(message)
        for call in objects(message.get("tool_calls")):
            function = as_object(call.get("function"))
            yield as_text(function.get("name")) + as_text(function.get("arguments"))
    yield from (_document_text(item) for item in as_list(body.get("documents")))


def _document_text(document: JSON) -> str:
    """A document's text: itself, its data, or the values of its data."""
    data = as_object(document).get("data", document)
    return data if isinstance(data, str) else " ".join(as_text(value) for value in as_object(data).values())


def _tools(body: Object) -> Iterator[Tool]:
    for item in objects(body.get("tools")):
        function = as_object(item.get("function"))
        yield Tool(as_text(function.get("name")), as_text(function.get("description")), function.get("parameters"))


def _schema(wanted: Object) -> JSON:
    """The schema of `json_object`, in older SDKs `schema`; {} for plain JSON mode."""
    if wanted.get("type") != "json_object":
        return None
    given = wanted.get("json_schema")
    return as_object(wanted.get("schema") if given is None else given)


def _headers(identity: str) -> Headers:
    trace = digest(identity, "trace")
    return (*_EDGE, ("x-debug-trace-id", trace.hex()), ("x-envoy-upstream-service-time", str(10 + trace[0])))


def _advice(condition: Condition) -> Iterator[tuple[str, str]]:
    if condition.retry is not None:
        yield "x-should-retry", "true" if condition.retry else "false"
    if condition.retry_after is not None:
        yield "retry-after", str(math.ceil(condition.retry_after))


DIALECT = CohereChat()
