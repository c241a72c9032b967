"""OpenAI's Realtime API: the WebSocket handshake and what is asked for inside of it, and client secrets; Azure's paths, too.

Source: OpenAI API reference (realtime, GA), learn.microsoft.com (Azure OpenAI realtime). What is not simulated: voice
activity detection (a client's own `input_audio_buffer.commit` and `response.create` are answered), MCP, translation.
"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import parse_qs

from llm_simulator import tokens
from llm_simulator.dialects import azure_chat, jsonstyle, openai_chat, openai_realtime_write
from llm_simulator.dialects.base import Ask, Desk, Dialect, Plain, Route, Talk, Tool, Turn
from llm_simulator.dialects.fields import as_list, as_object, as_text, is_integer, objects
from llm_simulator.dialects.ids import code
from llm_simulator.dialects.openai_realtime_talk import Conversation, session_of
from llm_simulator.dialects.openai_words import method_not_allowed
from llm_simulator.dialects.reading import maybe_json
from llm_simulator.dialects.routes_openai import OPENAI_REALTIME
from llm_simulator.types import JSON, Call, Completion, Condition, RawRequest, Reply, header

FAMILY = "openai.realtime"
_SOCKET = ("/v1/realtime", "/openai/realtime", "/openai/v1/realtime")
_SECRETS = "/realtime/client_secrets"
_LASTS = 600  # seconds that a client secret is good for where the request does not say
_ITEM_TOKENS = 4  # around a message
_MODEL = "gpt-realtime"


class OpenAIRealtime(Plain):
    """GET .../realtime (WebSocket) and POST .../realtime/client_secrets."""

    name = "openai_realtime"
    provider = "openai"
    api_version = "v1"
    features: frozenset[str] = frozenset(("realtime", "streaming", "function_calling", "audio"))
    simulates: frozenset[str] = frozenset(("realtime", "realtime.response", "realtime.client_secrets"))
    generates: frozenset[str] = frozenset(("realtime.response",))
    converses: frozenset[str] = frozenset(("realtime",))
    routes: tuple[Route, ...] = OPENAI_REALTIME

    def read(self, raw: RawRequest, provider: str) -> Call | None:
        if raw.path.endswith(_SECRETS):
            body, problem = maybe_json(raw)
            operation = "realtime.client_secrets" if raw.method == "POST" else "unknown"
            return Call(provider, FAMILY, operation, raw, _session_model(body), body=body, problem=problem)
        if not raw.path.endswith(_SOCKET):
            return None
        asked = parse_qs(raw.query)
        model = (asked.get("model") or asked.get("deployment") or [""])[0]
        upgrade = header(raw.headers, "sec-websocket-version") or header(raw.headers, "sec-websocket-key")
        operation = "realtime" if raw.method == "GET" else "unknown"
        return Call(provider, FAMILY, operation, raw, model, stream=True, problem="" if upgrade else _NO_UPGRADE)

    def check(self, call: Call) -> Condition | None:
        if call.operation == "unknown":
            return method_not_allowed(call)
        if call.problem:
            status = 426 if call.operation == "realtime" else 400
            return Condition(
                "bad_handshake" if status == 426 else "bad_json",
                status,
                call.problem,
                type="invalid_request_error",
                retry=False,
            )
        if call.operation == "realtime" and not call.model and "call_id=" not in call.raw.query:
            message = "You must provide a model parameter."
            return Condition(
                "missing_model", 400, message, "model", "missing_model", "invalid_request_error", retry=False
            )
        return None

    def ask(self, call: Call) -> Ask:
        body = as_object(call.body)
        response, items = as_object(body.get("response")), objects(as_list(body.get("items")))
        turns = tuple(_turn(item) for item in items)
        instructions = as_text(response.get("instructions"))
        text = [instructions, *(turn.text for turn in turns)]
        prompt = sum(tokens.count(part, call.model) + _ITEM_TOKENS for part in text if part)
        most: JSON = response.get("max_output_tokens")
        return Ask(
            (Turn("system", instructions), *turns) if instructions else turns,
            prompt,
            exact=False,
            max_tokens=most if is_integer(most) and most > 0 else None,
            tools=tuple(_tools(response.get("tools"))),
            tool_choice=_tool_choice(response.get("tool_choice")),
        )

    def write(self, completion: Completion, call: Call) -> Reply:
        return Reply(200, (), openai_realtime_write.frames(completion, as_object(call.body)))

    def respond(self, call: Call, desk: Desk) -> Reply:
        asked = as_object(call.body)
        seed = desk.seed.hex()
        after: JSON = as_object(asked.get("expires_after")).get("seconds")
        session = session_of(seed, call.model or _MODEL, desk.created, as_object(asked.get("session")))
        answer = {
            "value": "ek_" + code(seed, "secret", 32),
            "expires_at": desk.created + (after if is_integer(after) else _LASTS),
            "session": {**session, "client_secret": None} if session.get("type") == "transcription" else session,
        }
        headers = (("content-type", "application/json"), ("x-request-id", openai_chat.request_id(seed)))
        return Reply(200, headers, jsonstyle.indented(answer))

    def refuse(self, condition: Condition, call: Call) -> Reply:
        speaker: Dialect = azure_chat.DIALECT if call.provider == "azure" else openai_chat.DIALECT
        return speaker.refuse(condition, call)

    def talk(self, call: Call, desk: Desk) -> Talk:
        return Conversation(call, desk.seed.hex(), desk.created)

    def event(self, condition: Condition) -> bytes:
        return openai_realtime_write.error(condition)


_NO_UPGRADE = "This endpoint is a WebSocket: ask for it with `Upgrade: websocket` (RFC 6455)."


def _session_model(body: JSON) -> str:
    return as_text(as_object(as_object(body).get("session")).get("model"))


def _turn(item: dict[str, JSON]) -> Turn:
    match item.get("type"):
        case "function_call":
            return Turn("assistant", as_text(item.get("arguments")), 1)
        case "function_call_output":
            return Turn("tool", as_text(item.get("output")))
        case _:
            parts = objects(as_list(item.get("content")))
            said = (as_text(part.get("text")) or as_text(part.get("transcript")) for part in parts)
            return Turn(as_text(item.get("role")) or "user", "\n".join(text for text in said if text))


def _tools(given: JSON) -> Iterator[Tool]:
    for tool in objects(as_list(given)):
        if tool.get("type") == "function" and as_text(tool.get("name")):
            yield Tool(as_text(tool["name"]), as_text(tool.get("description")), tool.get("parameters"))


def _tool_choice(given: JSON) -> str:
    if isinstance(given, str):
        return given if given in ("none", "required") else "auto"
    return as_text(as_object(given).get("name")) or "auto"


DIALECT = OpenAIRealtime()
