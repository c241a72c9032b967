"""OpenAI's Responses API, and every host that serves it: create and stream, stored responses, Azure's forms.

Source: OpenAI API reference (responses, streaming events), Azure OpenAI reference, and recorded traffic.
"""

from __future__ import annotations

import re
from urllib.parse import parse_qs, unquote

from llm_simulator import tokens
from llm_simulator.dialects import (
    azure_chat,
    host_headers,
    hosts,
    jsonstyle,
    openai_chat,
    openai_headers,
    openai_responses_ask,
    openai_responses_check,
    openai_responses_parse,
    openai_responses_shelf,
    openai_responses_stream,
    openai_responses_talk,
)
from llm_simulator.dialects.base import Ask, Desk, Plain, Route, Shelf
from llm_simulator.dialects.fields import Object, as_object
from llm_simulator.dialects.openai_responses_ids import Ids, encrypted
from llm_simulator.dialects.openai_responses_inputs import input_items, number_in
from llm_simulator.dialects.openai_responses_talk import CREATE, TURN
from llm_simulator.dialects.openai_responses_write import draft, identity_of, underway, usage_object, whole
from llm_simulator.dialects.reading import json_object, maybe_json, semantic, text_field, wants_stream
from llm_simulator.dialects.routes_openai import AZURE_RESPONSES, OPENAI_RESPONSES
from llm_simulator.dialects.twins import with_stream
from llm_simulator.types import JSON, Call, Completion, Condition, Frame, Headers, RawRequest, Reply, Usage, header

FAMILY = "openai.responses"
CONNECT = "responses.connect"
_BETA = ("openai-beta",)
_PATH = re.compile(
    r"(?:|.*/v\d\w*|.*/openai|.*/deployments/[^/]+)/responses(?:/(?P<id>[^/]+))?(?:/(?P<part>[a-z_]+))?/?"
)
_ONE = re.compile(r"/responses/+([^/]+)")
_COLLECTION = {"input_tokens": "responses.input_tokens", "compact": "responses.compact"}
_OF_ONE = {
    ("GET", None): "responses.retrieve",
    ("DELETE", None): "responses.delete",
    ("POST", "cancel"): "responses.cancel",
    ("GET", "input_items"): "responses.input_items",
}
_STORED = frozenset((CREATE, *_COLLECTION.values(), *_OF_ONE.values()))


class OpenAIResponses(Plain):
    """.../responses and what lies below it."""

    name = "openai_responses"
    provider = "openai"
    api_version = "v1"
    features: frozenset[str] = frozenset(
        (
            "responses",
            "streaming",
            "function_calling",
            "structured_output",
            "reasoning",
            "vision",
            "stored",
            "background",
        )
    )
    simulates: frozenset[str] = _STORED | {CONNECT, TURN}
    generates: frozenset[str] = frozenset((CREATE, TURN))
    converses: frozenset[str] = frozenset((CONNECT,))
    stateful: frozenset[str] = _STORED
    routes: tuple[Route, ...] = OPENAI_RESPONSES

    def read(self, raw: RawRequest, provider: str) -> Call | None:
        match = _PATH.fullmatch(raw.path)
        if match is None:
            return None
        operation = _operation(raw.method, match["id"], match["part"])
        if operation == "unknown" and not match["id"] and header(raw.headers, "sec-websocket-key"):
            operation = CONNECT
        return None if operation is None else _read(raw, provider, operation)

    def check(self, call: Call) -> Condition | None:
        return openai_responses_check.check(call)

    def ask(self, call: Call) -> Ask:
        return openai_responses_ask.ask(call)

    def recall(self, call: Call, shelf: Shelf) -> Call | Condition:
        return openai_responses_shelf.expanded(call, shelf)

    def retain(self, call: Call, completion: Completion, shelf: Shelf) -> None:
        if not openai_responses_shelf.is_kept(identity_of(completion), call, shelf):
            openai_responses_shelf.keep(draft(completion, call), call, shelf)

    def write(self, completion: Completion, call: Call) -> Reply:
        made, body = draft(completion, call), as_object(call.body)
        headers = self.success(completion.id, completion.usage, call)
        if call.stream:
            events = openai_responses_stream.frames(made, body)
            return Reply(200, headers, map(_message, events) if call.operation == TURN else events)
        response = made.response
        if response.get("background") is True and response.get("status") != "queued" and not completion.choices[0].word:
            response = underway(response, body, "queued")
        return Reply(200, headers, jsonstyle.indented_ascii(whole(response, call)))

    def success(self, seed: str, usage: Usage | None, call: Call) -> Headers:
        """The usual headers of a 200; without a `usage` nothing was generated, and no limits are told."""
        host = hosts.name_of(call.provider, call.raw.host)
        if host != "openai":
            return host_headers.of_success(host, seed, usage or Usage(0, 0), stream=call.stream)
        kind = openai_headers.SSE_TYPE if call.stream else openai_headers.JSON_TYPE
        limits = openai_headers.limits(usage.total) if usage else ()
        return (*kind, *openai_headers.own(seed), *limits, *openai_headers.edge(seed))

    def respond(self, call: Call, desk: Desk) -> Reply:
        if call.operation == "responses.retrieve" and call.stream:
            return self._streamed(call, desk)
        found = _answer(call, desk)
        if isinstance(found, Condition):
            return self.refuse(found, call)
        return Reply(200, self.success(desk.seed.hex(), None, call), jsonstyle.indented_ascii(whole(found, call)))

    def _streamed(self, call: Call, desk: Desk) -> Reply:
        """A response in the background once more, after the event that the client saw last."""
        made = openai_responses_shelf.stream_again(_identity(call), desk.shelf)
        if isinstance(made, Condition):
            return self.refuse(made, call)
        after = number_in(_asked(call).get("starting_after", ""))
        skipped = 0 if after is None else after + 1
        padded = _asked(call).get("include_obfuscation") != "false"
        events: list[Frame] = list(
            openai_responses_stream.frames(made, {"stream_options": {"include_obfuscation": padded}})
        )
        return Reply(200, self.success(desk.seed.hex(), None, call), events[skipped:])

    def talk(self, call: Call, desk: Desk) -> openai_responses_talk.Talk:
        return openai_responses_talk.Talk(call, desk)

    def event(self, condition: Condition) -> bytes:
        return openai_responses_talk.error(condition)

    def refuse(self, condition: Condition, call: Call) -> Reply:
        return openai_chat.DIALECT.refuse(condition, call)

    def parse(self, status: int, headers: Headers, body: bytes, call: Call) -> Completion | None:
        if status != 200 or call.operation != CREATE:
            return None
        return openai_responses_parse.parse(body, call.model)

    def usage(self, status: int, headers: Headers, body: bytes, call: Call) -> Usage | None:
        if status == 200 and call.operation == "responses.input_tokens":
            return Usage(0, 0)  # it tells of tokens, and uses none
        if status != 200 or call.operation != CREATE:
            return None
        return openai_responses_parse.usage_in(body)

    def twins(self, call: Call) -> tuple[Call, ...]:
        if call.operation != CREATE or call.problem or not isinstance(call.body, dict):
            return ()
        return tuple(with_stream(call, flag) for flag in ((None, False) if call.stream else (True,)))


class AzureResponses(OpenAIResponses):
    """/openai/responses?api-version= and /openai/v1/responses: other headers and errors, the filter's findings."""

    name = "azure_responses"
    provider = "azure"
    api_version = "2025-03-01-preview"
    routes: tuple[Route, ...] = AZURE_RESPONSES

    def success(self, seed: str, usage: Usage | None, call: Call) -> Headers:
        return azure_chat.DIALECT.success(Completion(seed, 0, call.model, (), usage or Usage(0, 0)), call)

    def refuse(self, condition: Condition, call: Call) -> Reply:
        return azure_chat.DIALECT.refuse(condition, call)


def _message(frame: Frame) -> Frame:
    """An event of a stream as a line of its own, for a WebSocket."""
    return Frame(frame.token, frame.data.partition(b"\ndata: ")[2].rstrip() + b"\n")


def _operation(method: str, identity: str | None, part: str | None) -> str | None:
    """What a path and method do; "unknown" is a known path with another method, None no path of this API."""
    if identity is None:
        return CREATE if method == "POST" and not part else None if part else "unknown"
    if identity in _COLLECTION and part is None:
        return _COLLECTION[identity] if method == "POST" else "unknown"
    if part not in (None, "cancel", "input_items"):
        return None
    return _OF_ONE.get((method, part), "unknown")


def _read(raw: RawRequest, provider: str, operation: str) -> Call:
    generating = operation == CREATE or operation in _COLLECTION.values()
    body, problem = json_object(raw) if generating else maybe_json(raw)
    streamed = parse_qs(raw.query).get("stream") == ["true"] if operation == "responses.retrieve" else False
    return Call(
        provider,
        FAMILY,
        operation,
        raw,
        model=text_field(body, "model") or azure_chat.deployment(raw.path) or _of_prompt(body),
        stream=wants_stream(body) if operation == CREATE else streamed,
        body=body,
        problem=problem,
        semantic=semantic(raw.headers, _BETA),
    )


def _of_prompt(body: JSON) -> str:
    """The model that a stored prompt names: nobody knows which, so one that takes every parameter."""
    return "gpt-4.1" if as_object(body).get("prompt") else ""


def _identity(call: Call) -> str:
    match = _ONE.search(call.raw.path)
    return unquote(match[1]) if match else ""


def _asked(call: Call) -> dict[str, str]:
    return {name: values[-1] for name, values in parse_qs(call.raw.query).items()}


def _answer(call: Call, desk: Desk) -> Object | Condition:
    """The object that answers a call which generates nothing."""
    match call.operation:
        case "responses.retrieve":
            return openai_responses_shelf.look(_identity(call), desk.shelf)
        case "responses.delete":
            return openai_responses_shelf.delete(_identity(call), desk.shelf)
        case "responses.cancel":
            return openai_responses_shelf.cancel(_identity(call), desk.shelf)
        case "responses.input_items":
            return openai_responses_shelf.page(_identity(call), call.raw.query, desk.shelf)
        case "responses.input_tokens":
            return _counted(call, desk)
        case _:
            return _compacted(call, desk)


def _counted(call: Call, desk: Desk) -> Object | Condition:
    filled = openai_responses_shelf.expanded(call, desk.shelf)
    if isinstance(filled, Condition):
        return filled
    count = tokens.count_responses_input(as_object(filled.body), filled.model)
    return {"object": "response.input_tokens", "input_tokens": count.tokens}


def _compacted(call: Call, desk: Desk) -> Object | Condition:
    """The user's messages as they are, and all the rest in one sealed item."""
    filled = openai_responses_shelf.expanded(call, desk.shelf)
    if isinstance(filled, Condition):
        return filled
    ids, body = Ids(desk.seed.hex(), desk.created), as_object(filled.body)
    identity = ids.make("resp", "compaction")
    items = input_items(body, identity)
    read = tokens.count_responses_input(body, filled.model).tokens
    made = min(read, 200)
    sealed: Object = {"id": ids.make("cmp", "item"), "type": "compaction"}
    return {
        "id": identity,
        "object": "response.compaction",
        "created_at": desk.created,
        "output": [
            *(item for item in items if item.get("role") == "user"),
            {**sealed, "encrypted_content": encrypted(ids, "compaction", made)},
        ],
        "usage": usage_object(Usage(read, made)),
    }


DIALECT = OpenAIResponses()
AZURE = AzureResponses()
