"""Cohere's v1 chat: what it asks, what is refused, and what comes back. Its stream is JSON lines, or events where asked for.

Source: docs.cohere.com/v1/reference/chat, and recorded traffic for headers and layouts.
"""

from __future__ import annotations

from collections.abc import Iterator

from llm_simulator.dialects import cohere_v1_parse, cohere_v1_write, estimate
from llm_simulator.dialects.base import Ask, Desk, Plain, Route, Tool, Turn
from llm_simulator.dialects.cohere_ask import document_text, schema_of
from llm_simulator.dialects.cohere_chat import DIALECT as V2
from llm_simulator.dialects.cohere_chat import headers_of
from llm_simulator.dialects.fields import Object, as_limit, as_list, as_object, as_text, objects, spelled
from llm_simulator.dialects.ids import recorded_at
from llm_simulator.dialects.reading import json_object, text_field, wants_stream
from llm_simulator.dialects.routes_cohere import COHERE_V1
from llm_simulator.dialects.structure import Rule, fault_in
from llm_simulator.dialects.thinking import thinking_of
from llm_simulator.dialects.twins import with_stream
from llm_simulator.types import JSON, Call, Completion, Condition, Headers, RawRequest, Reply, Usage, header

DEFAULT_MODEL = "command-a-03-2025"

_JSON: Headers = (("content-type", "application/json"),)
_LINES: Headers = (("content-type", "application/stream+json"),)
_SSE: Headers = (("content-type", "text/event-stream"),)
_BODY = (
    Rule("message", "string", required=True),
    Rule("model", "string"),
    Rule("stream", "boolean"),
    Rule("preamble", "string"),
    Rule("chat_history", "array"),
    Rule("documents", "array"),
    Rule("tools", "array"),
    Rule("tool_results", "array"),
    Rule("stop_sequences", "array"),
    Rule("max_tokens", "integer"),
    Rule("temperature", "number"),
    Rule("response_format", "object"),
)
_ROLES = {"chatbot": "assistant", "user": "user", "system": "system", "tool": "tool"}
_TYPES = {
    "str": "string",
    "string": "string",
    "text": "string",
    "int": "integer",
    "integer": "integer",
    "float": "number",
    "number": "number",
    "bool": "boolean",
    "boolean": "boolean",
    "list": "array",
    "array": "array",
    "dict": "object",
    "object": "object",
}


class CohereV1(Plain):
    """POST /v1/chat."""

    name = "cohere_v1"
    provider = "cohere"
    api_version = "v1"
    features: frozenset[str] = frozenset(("chat", "streaming", "tool_use", "structured_output", "citations"))
    simulates: frozenset[str] = frozenset(("chat",))
    generates: frozenset[str] = frozenset(("chat",))
    routes: tuple[Route, ...] = COHERE_V1

    def read(self, raw: RawRequest, provider: str) -> Call | None:
        if provider != self.provider or raw.method != "POST" or raw.path.rstrip("/") != "/v1/chat":
            return None
        body, problem = json_object(raw)
        model, stream = text_field(body, "model") or DEFAULT_MODEL, wants_stream(body)
        return Call(provider, "cohere.v1", "chat", raw, model=model, stream=stream, body=body, problem=problem)

    def check(self, call: Call) -> Condition | None:
        if call.problem:
            why = call.problem.removeprefix("the body is not JSON: ")
            return _refusal("bad_json", f"invalid json syntax: {why}")
        fault = fault_in(call.body, _BODY)
        if fault and fault.missing:
            return _refusal("missing_parameter", "invalid request: message must be at least 1 token long.", "message")
        if fault:
            wanted = fault.kind.replace("|", " or ")
            words = f"invalid type: parameter {fault.dotted} is not of type {wanted}."
            return _refusal("invalid_type", words, fault.dotted)
        if not call.body["message"] and not as_list(call.body.get("tool_results")):
            return _refusal("invalid_value", "invalid request: message must be at least 1 token long.", "message")
        return None

    def ask(self, call: Call) -> Ask:
        return _ask(as_object(call.body), call.model)

    def write(self, completion: Completion, call: Call) -> Reply:
        answer = cohere_v1_write.answer_of(completion, call)
        if not call.stream:
            usage = completion.usage
            counted: Headers = (("num_chars", str(len(call.raw.body))), ("num_tokens", str(usage.total)))
            return Reply(200, (*_JSON, *headers_of(completion.id), *counted), cohere_v1_write.body(answer))
        framed = _wants_events(call)
        frames = cohere_v1_write.frames(answer, framed=framed)
        return Reply(200, (*(_SSE if framed else _LINES), *headers_of(completion.id)), frames)

    def respond(self, call: Call, desk: Desk) -> Reply:
        return V2.respond(call, desk)

    def refuse(self, condition: Condition, call: Call) -> Reply:
        return V2.refuse(condition, call)

    def parse(self, status: int, headers: Headers, body: bytes, call: Call) -> Completion | None:
        return cohere_v1_parse.parse(body, recorded_at(headers), call.model) if status == 200 else None

    def usage(self, status: int, headers: Headers, body: bytes, call: Call) -> Usage | None:
        completion = self.parse(status, headers, body, call)
        return completion.usage if completion and completion.usage.raw else None

    def twins(self, call: Call) -> tuple[Call, ...]:
        if call.problem or not isinstance(call.body, dict):
            return ()
        return tuple(with_stream(call, flag) for flag in ((False, None) if call.stream else (True,)))


def _wants_events(call: Call) -> bool:
    """Whether server-sent events are asked for in place of JSON lines: by `Accepts`, as the API spells it."""
    return "text/event-stream" in (header(call.raw.headers, "accepts"), header(call.raw.headers, "accept"))


def _ask(body: Object, model: str) -> Ask:
    turns = tuple(_turns(body))
    tools = tuple(_tools(body))
    texts = [turn.text for turn in turns] + [document_text(item) for item in as_list(body.get("documents"))]
    size = estimate.measure(texts, body.get("tools"), len(turns))
    return Ask(
        turns,
        estimate.cohere(model, size),
        exact=False,
        max_tokens=as_limit(body.get("max_tokens")),
        tools=tools,
        stop=tuple(as_text(item) for item in as_list(body.get("stop_sequences")) if item),
        schema=schema_of(as_object(body.get("response_format"))),
        thinking=thinking_of(model),
        count=estimate.answer_of(model, as_limit(body.get("max_tokens"))),
    )


def _turns(body: Object) -> Iterator[Turn]:
    if as_text(body.get("preamble")):
        yield Turn("system", as_text(body["preamble"]))
    for item in objects(body.get("chat_history")):
        role = as_text(item.get("role")).lower()
        results = spelled(item["tool_results"]) if item.get("tool_results") else ""
        yield Turn(
            _ROLES.get(role, role), as_text(item.get("message")) or results, len(objects(item.get("tool_calls")))
        )
    if as_text(body.get("message")):
        yield Turn("user", as_text(body["message"]))
    for item in objects(body.get("tool_results")):
        yield Turn("tool", spelled(item.get("outputs")))


def _tools(body: Object) -> Iterator[Tool]:
    for item in objects(body.get("tools")):
        yield Tool(as_text(item.get("name")), as_text(item.get("description")), _schema(item))


def _schema(tool: Object) -> JSON:
    """Cohere's parameter definitions as JSON Schema; types are Python's ("List[str]" among them)."""
    given = as_object(tool.get("parameter_definitions"))
    if not given:
        return None
    properties = {name: _property(as_object(item)) for name, item in given.items()}
    required = [name for name, item in given.items() if as_object(item).get("required") is True]
    return {"type": "object", "properties": properties, "required": required}


def _property(item: Object) -> Object:
    outer, _, inner = as_text(item.get("type")).lower().partition("[")
    kind = _TYPES.get(outer, "string")
    found: Object = {"type": kind, "description": as_text(item.get("description"))}
    if kind == "array":
        found["items"] = {"type": _TYPES.get(inner.rstrip("]"), "string")}
    return found


def _refusal(name: str, message: str, param: str | None = None) -> Condition:
    return Condition(name, 400, message, param, retry=False)


DIALECT = CohereV1()
