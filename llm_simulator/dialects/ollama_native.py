"""Ollama's own API: /api/chat and /api/generate (JSON lines unless `stream` is false), /api/embed, /api/tags, /api/version.

Source: ollama/docs/api.md, and recorded answers of 2024 to 2026.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from llm_simulator import tokens
from llm_simulator.dialects import jsonstyle, ollama_parse, openai_ask, pieces, vectors
from llm_simulator.dialects.base import Ask, Desk, Plain, Route, Thinking, Turn
from llm_simulator.dialects.fields import Object, as_count, as_list, as_object, as_text, dump, load, objects
from llm_simulator.dialects.ids import BASE36, code, digest, is_raw, marked_model, rfc3339
from llm_simulator.dialects.pieces import Work
from llm_simulator.dialects.reading import json_object, text_field
from llm_simulator.dialects.structure import Rule, fault_in
from llm_simulator.dialects.thinking import thinking_of
from llm_simulator.dialects.twins import with_stream
from llm_simulator.types import (
    JSON,
    Call,
    Completion,
    Condition,
    Finish,
    Frame,
    Headers,
    RawRequest,
    Reasoning,
    Reply,
    Text,
    ToolCall,
    Usage,
)

FAMILY = "ollama.native"
VERSION = "0.12.6"
DIMENSIONS = 768  # of nomic-embed-text
_AT_ONCE = 16  # vectors that take no time worth speaking of
_JSON: Headers = (("content-type", "application/json; charset=utf-8"),)
_LINES: Headers = (("content-type", "application/x-ndjson"),)
_PLAIN: Headers = (("content-type", "text/plain"),)
_PATHS = {
    ("POST", "/api/chat"): "chat",
    ("POST", "/api/generate"): "generate",
    ("POST", "/api/embed"): "embed",
    ("POST", "/api/embeddings"): "embeddings",
    ("GET", "/api/tags"): "models.list",
    ("GET", "/api/version"): "version",
}
_HELLO: JSON = [{"role": "user", "content": "Hello!"}]
_RULES = {
    "chat": (
        Rule("model", "string", required=True),
        Rule("messages", "array"),
        Rule("tools", "array"),
        Rule("options", "object"),
    ),
    "generate": (Rule("model", "string", required=True), Rule("prompt", "string"), Rule("options", "object")),
    "embed": (Rule("model", "string", required=True), Rule("input", "string|array")),
    "embeddings": (Rule("model", "string", required=True), Rule("prompt", "string")),
}
_LOAD, _PER_PROMPT_TOKEN, _PER_TOKEN = 50_000_000, 1_000_000, 10_000_000  # nanoseconds


class OllamaNative(Plain):
    """POST /api/chat and its neighbours."""

    name = "ollama_native"
    provider = "ollama"
    api_version = VERSION
    features: frozenset[str] = frozenset(("chat", "streaming", "tool_use", "structured_output", "embeddings", "models"))
    simulates: frozenset[str] = frozenset(_PATHS.values())
    generates: frozenset[str] = frozenset(("chat", "generate"))
    routes: tuple[Route, ...] = (
        Route("POST", "/api/chat", "chat", "Chat", {"model": "llama3.2", "messages": _HELLO, "stream": False}),
        Route(
            "POST", "/api/generate", "generate", "Completion", {"model": "llama3.2", "prompt": "Hi", "stream": False}
        ),
        Route("POST", "/api/embed", "embed", "Embeddings", {"model": "nomic-embed-text", "input": ["Hi"]}),
        Route("POST", "/api/embeddings", "embeddings", "An embedding", {"model": "nomic-embed-text", "prompt": "Hi"}),
        Route("GET", "/api/tags", "models.list", "Models"),
        Route("GET", "/api/version", "version", "Version"),
    )

    def read(self, raw: RawRequest, provider: str) -> Call | None:
        if not raw.path.startswith("/api/"):
            return None
        operation = _PATHS.get((raw.method, raw.path))
        if operation is None or raw.method == "GET":
            return Call(provider, FAMILY, operation or "unknown", raw)
        body, problem = json_object(raw)
        stream = operation in self.generates and as_object(body).get("stream") is not False
        return Call(provider, FAMILY, operation, raw, text_field(body, "model"), stream, body, problem)

    def check(self, call: Call) -> Condition | None:
        if call.problem:
            return Condition("bad_json", 400, call.problem)
        rules = _RULES.get(call.operation)
        fault = fault_in(call.body, rules) if rules else None
        if fault and fault.missing:
            return Condition("missing_parameter", 400, f"{fault.dotted} is required", param=fault.dotted)
        if fault:
            return Condition("invalid_type", 400, f"{fault.dotted}: {fault.kind} expected", param=fault.dotted)
        messages = as_list(as_object(call.body).get("messages"))
        wrong = next((place for place, item in enumerate(messages) if not isinstance(item, dict)), None)
        if wrong is not None:
            return Condition("invalid_type", 400, f"messages.{wrong}: object expected", param=f"messages.{wrong}")
        return None

    def ask(self, call: Call) -> Ask:
        body = as_object(call.body)
        options = as_object(body.get("options"))
        messages = _messages(body)
        limit, stops = options.get("num_predict"), options.get("stop")
        counted = tokens.count_chat({**body, "messages": messages}, call.model)
        return Ask(
            turns=tuple(_turn(message) for message in messages),
            prompt_tokens=counted.tokens,
            exact=False,
            max_tokens=limit if isinstance(limit, int) and limit > 0 else None,
            tools=tuple(openai_ask.tools(body)),
            stop=tuple(stop for stop in ([stops] if isinstance(stops, str) else as_list(stops)) if as_text(stop)),
            schema=_schema(body.get("format")),
            thinking=_thinking(body.get("think"), call.model),
        )

    def write(self, completion: Completion, call: Call) -> Reply:
        writer = _Writer(completion, call)
        if call.stream:
            return Reply(200, _LINES, writer.lines())
        return Reply(200, _JSON, dump(writer.whole()))

    def respond(self, call: Call, desk: Desk) -> Reply:
        match call.operation:
            case "version":
                return Reply(200, _JSON, dump({"version": VERSION}))
            case "models.list":
                return Reply(200, _JSON, dump({"models": []}))
            case "embed" | "embeddings":
                return pieces.whole(_embedded(call, desk))
            case _:
                return Reply(404, _PLAIN, b"404 page not found")

    def work(self, call: Call, desk: Desk) -> Work | None:
        many = len(as_list(as_object(call.body).get("input"))) > _AT_ONCE
        return _embedded(call, desk) if call.operation == "embed" and many else None

    def refuse(self, condition: Condition, call: Call) -> Reply:
        error: Object = {"error": condition.message}
        if condition.code is not None:
            error["code"] = condition.code  # its own errors have none; ours (a miss) are told by it
        if condition.extra is not None:
            error["llm_simulator"] = condition.extra
        return Reply(condition.status, (*_JSON, *condition.headers), jsonstyle.compact(error))

    def parse(self, status: int, headers: Headers, body: bytes, call: Call) -> Completion | None:
        return ollama_parse.parse(body, call.model) if status == 200 and call.operation in self.generates else None

    def usage(self, status: int, headers: Headers, body: bytes, call: Call) -> Usage | None:
        if status != 200:
            return None
        if call.operation == "embed":
            return Usage(as_count(as_object(load(body)).get("prompt_eval_count")), 0)
        return ollama_parse.usage_in(body) if call.operation in self.generates else None

    def twins(self, call: Call) -> tuple[Call, ...]:
        if call.operation not in self.generates or call.problem or not isinstance(call.body, dict):
            return ()
        if call.stream:
            return (with_stream(call, False),)
        return (replace(with_stream(call, None), stream=True), with_stream(call, True))


def _messages(body: Object) -> list[Object]:
    """The conversation; of a completion, its system text and prompt as one."""
    if "messages" in body or "prompt" not in body:
        return objects(as_list(body.get("messages")))
    system = as_text(body.get("system"))
    return [
        *([{"role": "system", "content": system}] if system else []),
        {"role": "user", "content": as_text(body["prompt"])},
    ]


def _turn(message: Object) -> Turn:
    return Turn(as_text(message.get("role")), as_text(message.get("content")), len(as_list(message.get("tool_calls"))))


def _schema(wanted: JSON) -> JSON:
    if isinstance(wanted, dict):
        return as_object(wanted)
    return {} if wanted == "json" else None


def _thinking(think: JSON, model: str) -> Thinking | None:
    """`think` is true, false or an effort."""
    if isinstance(think, bool):
        return thinking_of(model, "medium" if think else "none")
    return thinking_of(model, as_text(think))


def _embedded(call: Call, desk: Desk) -> Work:
    body = as_object(call.body)
    if call.operation == "embeddings":
        return Reply(200, _JSON, dump({"embedding": list(_vector(as_text(body.get("prompt")), call.model))}))
    given = body.get("input")
    texts = [as_text(text) for text in (given if isinstance(given, list) else [given])]
    spent = sum(tokens.count(text, call.model) for text in texts)
    mark = digest(desk.seed.hex(), "vectors").hex()
    made = yield from pieces.each(lambda text: dump(list(_vector(text, call.model))), texts, 4)
    answer = {
        "model": call.model,
        "embeddings": mark,
        "total_duration": _LOAD + spent * _PER_PROMPT_TOKEN,
        "load_duration": _LOAD,
        "prompt_eval_count": spent,
    }
    return Reply(200, _JSON, jsonstyle.spliced(answer, {mark: made}))


def _vector(text: str, model: str) -> tuple[float, ...]:
    return vectors.embed(text, DIMENSIONS, model)


class _Writer:
    """One answer, whole or as lines."""

    def __init__(self, completion: Completion, call: Call) -> None:
        self._completion = completion
        self._call = call
        self._model = marked_model(completion.model or call.model, completion)
        self._parts = completion.choices[0].parts if completion.choices else ()

    def whole(self) -> Object:
        return {**self._head(self._tokens()), **self._said(self._message()), "done": True, **self._end()}

    def lines(self) -> Iterator[Frame]:
        """A line for each piece of thought and text, one for the calls, one that ends it."""
        token = 0
        for part in self._parts:
            if isinstance(part, ToolCall):
                token += len(part.arguments)
                continue
            name = "thinking" if isinstance(part, Reasoning) else "content"
            for piece in part.tokens:
                message = {"role": "assistant", "content": "", name: piece}
                yield Frame(token, self._line(token, message))
                token += 1
        last = max(token - 1, 0)
        if calls := self._calls():
            yield Frame(last, self._line(last, {"role": "assistant", "content": "", "tool_calls": calls}))
        ending = {**self._head(token), **self._said({"role": "assistant", "content": ""}), "done": True, **self._end()}
        yield Frame(last, dump(ending) + b"\n")

    def _line(self, token: int, message: Object) -> bytes:
        return dump({**self._head(token), **self._said(message), "done": False}) + b"\n"

    def _tokens(self) -> int:
        return sum(len(part.arguments if isinstance(part, ToolCall) else part.tokens) for part in self._parts)

    def _head(self, token: int) -> Object:
        """Its time is when the token would have come."""
        seconds, rest = divmod(token * _PER_TOKEN // 1000, 1_000_000)
        return {"model": self._model, "created_at": f"{rfc3339(self._completion.created + seconds)[:-1]}.{rest:06}Z"}

    def _said(self, message: Object) -> Object:
        """A message; of a completion, its text alone."""
        if self._call.operation == "chat":
            return {"message": message}
        thought = {"thinking": message["thinking"]} if "thinking" in message else {}
        return {"response": message["content"], **thought}

    def _message(self) -> Object:
        message: Object = {"role": "assistant"}
        for name, kind in (("content", Text), ("thinking", Reasoning)):
            said = "".join(piece for part in self._parts if isinstance(part, kind) for piece in part.tokens)
            if said or name == "content":
                message[name] = said
        if calls := self._calls():
            message["tool_calls"] = calls
        return message

    def _calls(self) -> list[Object]:
        calls = [part for part in self._parts if isinstance(part, ToolCall)]
        return [
            {
                "id": "call_" + code(part.id, f"call {place}", 8, BASE36) if is_raw(part.id) else part.id,
                "function": {"index": place, "name": part.name, "arguments": load("".join(part.arguments)) or {}},
            }
            for place, part in enumerate(calls)
        ]

    def _end(self) -> Object:
        """Why it ended and what it took, in nanoseconds; of a recording as it stands."""
        usage = self._completion.usage
        choice = self._completion.choices[0] if self._completion.choices else None
        word = (
            choice.word if choice and choice.word else "length" if choice and choice.finish is Finish.LENGTH else "stop"
        )
        if usage.raw:
            return {"done_reason": word, **as_object(usage.raw)}
        prompt, made = usage.prompt * _PER_PROMPT_TOKEN, usage.completion * _PER_TOKEN
        context = {} if self._call.operation == "chat" else {"context": self._context()}
        return {
            "done_reason": word,
            **context,
            "total_duration": _LOAD + prompt + made,
            "load_duration": _LOAD,
            "prompt_eval_count": usage.prompt,
            "prompt_eval_duration": prompt,
            "eval_count": usage.completion,
            "eval_duration": made,
        }

    def _context(self) -> list[int]:
        """The conversation as tokens: in our encoding, since that of the model is not here."""
        text = "".join(piece for part in self._parts if isinstance(part, Text) for piece in part.tokens)
        prompt = as_text(as_object(self._call.body).get("prompt"))
        return [*tokens.encode(prompt, self._call.model), *tokens.encode(text, self._call.model)]


DIALECT = OllamaNative()
