"""Gemini's generateContent and streamGenerateContent, on Google AI and on Vertex AI: requests, answers, errors.

Source: ai.google.dev/api/generate-content, cloud.google.com/vertex-ai REST reference, and recorded traffic.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from llm_simulator.dialects import conditions, gemini_ask, gemini_models, gemini_parse, gemini_stream, gemini_write
from llm_simulator.dialects.base import Ask, Desk, Plain, Route, Shelf
from llm_simulator.dialects.fields import Object, as_object, as_text, load, objects
from llm_simulator.dialects.gemini_check import check
from llm_simulator.dialects.gemini_fields import dumped, form_of, pick, split_path, with_alt
from llm_simulator.dialects.gemini_manner import manner_of
from llm_simulator.dialects.ids import digest, recorded_at
from llm_simulator.dialects.reading import json_object
from llm_simulator.dialects.routes_gemini import GEMINI_GENERATE, VERTEX_GENERATE
from llm_simulator.types import JSON, Call, Completion, Condition, Frame, Headers, RawRequest, Reply, Usage

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


CACHED = "chat.cached"
"""A call that names cached contents: how it is billed depends on what the session keeps."""
CHATS = ("chat", CACHED)


class GeminiGenerate(Plain):
    """One provider of the API: "gemini" or "vertex". Answers differ in few fields, so the code is one."""

    name = "gemini_generate"
    api_version = "v1beta"
    features: frozenset[str] = frozenset(
        ("chat", "streaming", "function_calling", "vision", "thinking", "structured_output", "models")
    )
    simulates: frozenset[str] = frozenset((*CHATS, "countTokens", "models.list", "models.get"))
    generates: frozenset[str] = frozenset(CHATS)
    stateful: frozenset[str] = frozenset((CACHED,))

    def __init__(self, provider: str) -> None:
        self.provider = provider
        self.routes: tuple[Route, ...] = VERTEX_GENERATE if provider == "vertex" else GEMINI_GENERATE

    def read(self, raw: RawRequest, provider: str) -> Call | None:
        if provider != self.provider:
            return None
        found = split_path(raw.path) if raw.method == "POST" else None
        if found:
            return _read_posted(raw, provider, *found)
        return gemini_models.read(raw, provider)

    def check(self, call: Call) -> Condition | None:
        if call.operation == "countTokens":
            return check(replace(call, body=_asked(call.body)))
        return check(call) if call.operation in CHATS else None

    def ask(self, call: Call) -> Ask:
        return gemini_ask.ask(as_object(call.body), call.model)

    def recall(self, call: Call, shelf: Shelf) -> Call | Condition:
        """With the cache in the place of its name; one that the session does not keep costs nothing."""
        body = as_object(call.body)
        name = as_text(pick(body, "cachedContent")).removeprefix("cachedContents/")
        return replace(call, body={**body, "cachedContent": shelf.get("cachedContents", name)})

    def write(self, completion: Completion, call: Call) -> Reply:
        form = form_of(call.raw.query, call.stream)
        headers = self.edge(completion.id)
        manner = manner_of(completion, call)
        if not call.stream:
            ranges = (("accept-ranges", "none"),) if self.provider == "vertex" else ()
            return Reply(200, (*_JSON, *headers, *ranges), gemini_write.body(completion, form, manner))
        return Reply(200, (*(_SSE if form.sse else _JSON), *headers), gemini_stream.frames(completion, form, manner))

    def respond(self, call: Call, desk: Desk) -> Reply:
        found = _counted(call) if call.operation == "countTokens" else gemini_models.answer(call, desk.hidden)
        if isinstance(found, Condition):
            return self.refuse(found, call)
        return Reply(200, self.headers_of(desk.seed.hex()), dumped(found, indent=True) + b"\n")

    def headers_of(self, seed: str) -> Headers:
        """The headers of an answer that nothing was generated for."""
        return (*_JSON, *self._headers(seed))

    def refuse(self, condition: Condition, call: Call) -> Reply:
        if exact := conditions.answer(condition, call):
            return streamed(exact, call)
        body = dumped({"error": _error(condition)}, indent=True) + b"\n"
        advice = () if condition.retry is None else (("x-should-retry", "true" if condition.retry else "false"),)
        return Reply(condition.status, (*_JSON, *_EDGE, *advice, *condition.headers), body)

    def parse(self, status: int, headers: Headers, body: bytes, call: Call) -> Completion | None:
        if status != 200 or call.operation not in CHATS:
            return None
        found = gemini_parse.parse(body, recorded_at(headers))
        return replace(found, model=call.model) if found and not found.model else found

    def usage(self, status: int, headers: Headers, body: bytes, call: Call) -> Usage | None:
        if status == 200 and call.operation == "countTokens":
            return Usage(0, 0)  # it tells of tokens, and uses none
        completion = self.parse(status, headers, body, call)
        return completion.usage if completion and completion.usage.raw else None

    def twins(self, call: Call) -> tuple[Call, ...]:
        """What was recorded as SSE, as an array, or not streamed at all: each can stand for the others."""
        if call.operation not in CHATS:
            return ()
        sse = form_of(call.raw.query, call.stream).sse
        if not call.stream:
            return _as(call, True, True), _as(call, True, False)
        return _as(call, False, False), _as(call, True, not sse)

    def edge(self, identity: str) -> Headers:
        """The headers of a generated answer without its content-type."""
        return (*self._headers(identity), *self._tier())

    def _headers(self, identity: str) -> Headers:
        if self.provider == "vertex":
            return _EDGE
        duration = 200 + int.from_bytes(digest(identity, "duration", 2), "big") % 1800
        return (*_EDGE, ("server-timing", f"gfet4t7; dur={duration}"))

    def _tier(self) -> Headers:
        return (("x-gemini-service-tier", "standard"),) if self.provider == "gemini" else ()


def streamed(reply: Reply, call: Call) -> Reply:
    """A whole answer (a blocked prompt, an empty candidate) in the form that a streaming call wants: one event or array."""
    if not call.stream or reply.status != 200 or not isinstance(reply.body, bytes):
        return reply
    if not form_of(call.raw.query, True).sse:
        return Reply(200, reply.headers, b"[" + reply.body.rstrip(b"\n") + b"\n]\n")
    others = tuple(item for item in reply.headers if item[0] != "content-type")
    event = b"data: " + dumped(load(reply.body), indent=False) + b"\r\n\r\n"
    return Reply(200, (*_SSE, *others), (Frame(0, event),))


def _read_posted(raw: RawRequest, provider: str, model: str, method: str) -> Call:
    body, problem = json_object(raw)
    chat = CACHED if pick(as_object(body), "cachedContent") else "chat"
    operation, stream = ("countTokens" if method == "countTokens" else chat), method == "streamGenerateContent"
    return Call(provider, "gemini.generate", operation, raw, model=model, stream=stream, body=body, problem=problem)


def _asked(body: JSON) -> JSON:
    """The request whose tokens are to be counted: the body, or what it holds as `generateContentRequest`."""
    inner = pick(as_object(body), "generateContentRequest")
    return body if inner is None else inner


def _counted(call: Call) -> Object:
    """Tokens of a prompt by modality; Vertex also counts the characters that older models were billed by."""
    body = as_object(_asked(call.body))
    counts = gemini_ask.prompt_tokens(body, call.model)
    details = [{"modality": kind, "tokenCount": count} for kind, count in counts]
    texts = gemini_ask.text_of(objects(pick(body, "contents")))
    characters: Object = {"totalBillableCharacters": len("".join(texts.split()))} if call.provider == "vertex" else {}
    return {"totalTokens": sum(count for _, count in counts), **characters, "promptTokensDetails": details}


def _as(call: Call, stream: bool, sse: bool) -> Call:
    """The same call by the other method or with the other `alt`."""
    path, _, _ = call.raw.path.rpartition(":")
    method = "streamGenerateContent" if stream else "generateContent"
    raw = replace(call.raw, path=f"{path}:{method}", query=with_alt(call.raw.query, stream and sse))
    return replace(call, raw=raw, stream=stream)


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
