"""Gemini's generateContent and streamGenerateContent, on Google AI and on Vertex AI: requests, answers, errors.

Source: ai.google.dev/api/generate-content, cloud.google.com/vertex-ai REST reference, and recorded traffic.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from llm_simulator.dialects import estimate, gemini_models, gemini_parse, gemini_write
from llm_simulator.dialects.base import Ask, Desk, Plain, Tool, Turn
from llm_simulator.dialects.fields import Object, as_limit, as_list, as_object, as_text, objects, spelled
from llm_simulator.dialects.gemini_check import check
from llm_simulator.dialects.gemini_fields import dumped, form_of, pick, split_path, with_alt
from llm_simulator.dialects.ids import digest, recorded_at
from llm_simulator.dialects.reading import json_object
from llm_simulator.types import JSON, Call, Completion, Condition, Headers, RawRequest, Reply, Usage

_STATUS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    413: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_JSON: Headers = (("content-type", "application/json; charset=UTF-8"),)
_SSE: Headers = (("content-type", "text/event-stream"), ("content-disposition", "attachment"))
# Without alt-svc: it would send clients past us, to a port where nobody listens.
_EDGE: Headers = (
    ("vary", "Origin"),
    ("vary", "X-Origin"),
    ("vary", "Referer"),
    ("server", "scaffolding on HTTPServer2"),
    ("x-xss-protection", "0"),
    ("x-frame-options", "SAMEORIGIN"),
    ("x-content-type-options", "nosniff"),
)
DEPTH = 64
"""How deeply a schema is followed."""

_ROLES = {"model": "assistant", "function": "tool"}


class GeminiGenerate(Plain):
    """One provider of the API: "gemini" or "vertex". Answers differ in few fields, so the code is one."""

    name = "gemini_generate"
    api_version = "v1beta"
    features: frozenset[str] = frozenset(
        ("chat", "streaming", "function_calling", "vision", "thinking", "structured_output", "models")
    )
    simulates: frozenset[str] = frozenset(("chat", "models.list", "models.get"))
    generates: frozenset[str] = frozenset(("chat",))

    def __init__(self, provider: str) -> None:
        self.provider = provider

    def read(self, raw: RawRequest, provider: str) -> Call | None:
        if provider != self.provider:
            return None
        found = split_path(raw.path) if raw.method == "POST" else None
        if found:
            return _read_chat(raw, provider, *found)
        return gemini_models.read(raw, provider)

    def check(self, call: Call) -> Condition | None:
        return check(call) if call.operation == "chat" else None

    def ask(self, call: Call) -> Ask:
        return _ask(as_object(call.body), call.model)

    def write(self, completion: Completion, call: Call) -> Reply:
        form = form_of(call.raw.query, call.stream)
        headers = self._headers(completion.id)
        vertex = self.provider == "vertex"
        if not call.stream:
            return Reply(200, (*_JSON, *headers), gemini_write.body(completion, form, vertex))
        return Reply(200, (*(_SSE if form.sse else _JSON), *headers), gemini_write.frames(completion, form, vertex))

    def respond(self, call: Call, desk: Desk) -> Reply:
        found = gemini_models.answer(call)
        if isinstance(found, Condition):
            return self.refuse(found, call)
        return Reply(200, (*_JSON, *self._headers(desk.seed.hex())), dumped(found, indent=True) + b"\n")

    def refuse(self, condition: Condition, call: Call) -> Reply:
        body = dumped({"error": _error(condition)}, indent=True) + b"\n"
        advice = () if condition.retry is None else (("x-should-retry", "true" if condition.retry else "false"),)
        return Reply(condition.status, (*_JSON, *_EDGE, *advice, *condition.headers), body)

    def parse(self, status: int, headers: Headers, body: bytes, call: Call) -> Completion | None:
        if status != 200 or call.operation != "chat":
            return None
        found = gemini_parse.parse(body, recorded_at(headers))
        return replace(found, model=call.model) if found and not found.model else found

    def usage(self, status: int, headers: Headers, body: bytes, call: Call) -> Usage | None:
        completion = self.parse(status, headers, body, call)
        return completion.usage if completion and completion.usage.raw else None

    def twins(self, call: Call) -> tuple[Call, ...]:
        """What was recorded as SSE, as an array, or not streamed at all: each can stand for the others."""
        if call.operation != "chat":
            return ()
        sse = form_of(call.raw.query, call.stream).sse
        if not call.stream:
            return _as(call, True, True), _as(call, True, False)
        return _as(call, False, False), _as(call, True, not sse)

    def _headers(self, identity: str) -> Headers:
        duration = 200 + int.from_bytes(digest(identity, "duration", 2), "big") % 1800
        tier: Headers = (("x-gemini-service-tier", "standard"),) if self.provider == "gemini" else ()
        return (*_EDGE, ("server-timing", f"gfet4t7; dur={duration}"), *tier)


def _read_chat(raw: RawRequest, provider: str, model: str, stream: bool) -> Call:
    body, problem = json_object(raw)
    return Call(provider, "gemini.generate", "chat", raw, model=model, stream=stream, body=body, problem=problem)


def _as(call: Call, stream: bool, sse: bool) -> Call:
    """The same call by the other method or with the other `alt`."""
    path, _, _ = call.raw.path.rpartition(":")
    method = "streamGenerateContent" if stream else "generateContent"
    raw = replace(call.raw, path=f"{path}:{method}", query=with_alt(call.raw.query, stream and sse))
    return replace(call, raw=raw, stream=stream)


def _ask(body: Object, model: str) -> Ask:
    config = as_object(pick(body, "generationConfig"))
    contents = objects(pick(body, "contents"))
    system = _text_of(objects(pick(body, "systemInstruction")))
    turns = ((Turn("system", system),) if system else ()) + tuple(_turn(content) for content in contents)
    images = sum(1 for part in _parts(contents) if pick(part, "inlineData") or pick(part, "fileData"))
    size = estimate.measure(_counted(body, contents), pick(body, "tools"), len(contents), images)
    stop = pick(config, "stopSequences")
    return Ask(
        turns,
        estimate.gemini(model, size),
        exact=False,
        max_tokens=_number(pick(config, "maxOutputTokens")),
        tools=tuple(_tools(body)),
        tool_choice=_tool_choice(as_object(pick(body, "toolConfig"))),
        choices=_number(pick(config, "candidateCount")) or 1,
        stop=tuple(as_text(item) for item in ([stop] if isinstance(stop, str) else as_list(stop)) if item),
        schema=_schema(config),
        warnings=tuple(_warnings(contents)),
    )


def _number(value: JSON) -> int | None:
    """A positive whole number, also as text (protobuf's JSON allows it)."""
    return as_limit(int(value) if isinstance(value, str) and value.isdecimal() else value)


def _warnings(contents: list[Object]) -> Iterator[str]:
    for place, content in enumerate(contents):
        role = as_text(content.get("role"))
        if role not in ("", "user", "model", "function"):
            yield f"contents[{place}].role: Please use a valid role: user, model; {role!r} taken"


def _parts(contents: list[Object]) -> Iterator[Object]:
    for content in contents:
        yield from objects(pick(content, "parts"))


def _text_of(contents: list[Object]) -> str:
    """The visible text of contents: their text and the results of functions; thoughts are not."""
    texts = (_part_text(part) for part in _parts(contents) if part.get("thought") is not True)
    return "\n".join(text for text in texts if text)


def _part_text(part: Object) -> str:
    response = as_object(pick(part, "functionResponse"))
    return spelled(response.get("response")) if response else as_text(part.get("text"))


def _turn(content: Object) -> Turn:
    role = as_text(content.get("role")) or "user"
    calls = sum(1 for part in _parts([content]) if pick(part, "functionCall"))
    return Turn(_ROLES.get(role, role), _text_of([content]), calls)


def _counted(body: Object, contents: list[Object]) -> Iterator[str]:
    yield _text_of(objects(pick(body, "systemInstruction")))
    for part in _parts(contents):
        yield _part_text(part)
        call = as_object(pick(part, "functionCall"))
        if call:
            yield as_text(call.get("name")) + spelled(call.get("args"))


def _tools(body: Object) -> Iterator[Tool]:
    for tool in objects(pick(body, "tools")):
        for item in objects(pick(tool, "functionDeclarations")):
            schema = pick(item, "parametersJsonSchema")
            schema = json_schema(pick(item, "parameters")) if schema is None else schema
            yield Tool(as_text(item.get("name")), as_text(item.get("description")), schema)


def _tool_choice(config: Object) -> str:
    calling = as_object(pick(config, "functionCallingConfig"))
    allowed = as_list(pick(calling, "allowedFunctionNames"))
    match as_text(calling.get("mode")).upper():
        case "ANY":
            return as_text(allowed[0]) if len(allowed) == 1 else "required"
        case "NONE":
            return "none"
        case _:
            return "auto"


def _schema(config: Object) -> JSON:
    """The schema of a structured output; {} where only the MIME type asks for JSON."""
    given = pick(config, "responseJsonSchema")
    given = json_schema(pick(config, "responseSchema")) if given is None else given
    wants_json = as_text(pick(config, "responseMimeType")) == "application/json"
    return given if given is not None else ({} if wants_json else None)


def json_schema(schema: JSON, depth: int = 0) -> JSON:
    """Google's OpenAPI-like Schema as JSON Schema: lower-case types, `nullable` as a type of its own."""
    if isinstance(schema, list):
        return [json_schema(item, depth + 1) for item in schema if depth < DEPTH]
    if not isinstance(schema, dict):
        return schema
    named: Object = {name: json_schema(value, depth + 1) for name, value in as_object(schema).items() if depth < DEPTH}
    kind = named.get("type")
    if isinstance(kind, str):
        named["type"] = [kind.lower(), "null"] if named.pop("nullable", False) is True else kind.lower()
    return named


def _error(condition: Condition) -> Object:
    status = _STATUS.get(condition.status, "INTERNAL" if condition.status >= 500 else "INVALID_ARGUMENT")
    details = list(_details(condition))
    extra = {"llm_simulator": condition.extra} if condition.extra is not None else {}
    error: Object = {"code": condition.status, "message": condition.message, "status": status}
    return {**error, **({"details": details} if details else {}), **extra}


def _details(condition: Condition) -> Iterator[Object]:
    """google.rpc details: the field at fault, our own code, and when to come again (there is no retry-after here)."""
    if condition.param:
        violation = {"field": condition.param, "description": condition.message}
        yield {"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [violation]}
    if condition.code:
        reason = {"reason": condition.code, "domain": "googleapis.com"}
        yield {"@type": "type.googleapis.com/google.rpc.ErrorInfo", **reason}
    if condition.retry_after is not None:
        yield {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": f"{condition.retry_after:g}s"}


DIALECT = GeminiGenerate("gemini")
VERTEX = GeminiGenerate("vertex")
