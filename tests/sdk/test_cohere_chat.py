"""Cohere v2 chat on the wire: bodies, events, errors and models as the API spells them, valid to its own SDK."""

from __future__ import annotations

import json
import re

import pytest
from asking import completed, data, frames, read
from cohere.types import GetModelResponse, ListModelsResponse
from cohere.v2.types import V2ChatResponse, V2ChatStreamResponse
from desks import desk
from pydantic import TypeAdapter
from strictness import unknown

from llm_simulator.dialects.base import Tool, Turn
from llm_simulator.dialects.cohere_chat import DIALECT
from llm_simulator.types import (
    JSON,
    Call,
    Completion,
    Condition,
    Finish,
    Frame,
    Part,
    RawRequest,
    Reasoning,
    Reply,
    Text,
    ToolCall,
    Usage,
    header,
)

EVENT: TypeAdapter[V2ChatStreamResponse] = TypeAdapter(V2ChatStreamResponse)
MESSAGES = [{"role": "user", "content": "hi"}]
BODY = {"model": "command-a-03-2025", "messages": MESSAGES, "stream": False}
START = {"ChatMessageStartEventDeltaMessage." + name for name in ("content", "tool_plan", "tool_calls", "citations")}
"""Fields that every recorded stream starts with and the SDK's type does not have."""


def ask(body: JSON = BODY) -> Call:
    return read(DIALECT, "/v2/chat", body)


STREAM = ask({**BODY, "stream": True})


def said(*parts: Part, finish: Finish = Finish.STOP) -> Completion:
    return completed(*parts, model="command-a-03-2025", finish=finish, usage=Usage(12, 5, 2))


def streamed(completion: Completion) -> list[Frame]:
    return frames(DIALECT.write(completion, STREAM))


def events(completion: Completion) -> list[JSON]:
    text = b"".join(frame.data for frame in streamed(completion)).decode()
    assert text.endswith("data: [DONE]\n\n")
    found: list[JSON] = []
    for event in text.removesuffix("\n\ndata: [DONE]\n\n").split("\n\n"):
        name, value = event.split("\ndata: ")
        found.append(json.loads(value))
        assert name == f"event: {found[-1]['type']}"
    return found


CALL = ToolCall("cd" * 16, "weather", ('{"city"', ':"Ulm"}'))


def test_a_whole_answer() -> None:
    body = data(DIALECT.write(said(Text(("R&D ", "<it>"))), ask())).decode()
    identity = json.loads(body)["id"]
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", identity)
    assert body == (
        f'{{"id":"{identity}","message":{{"role":"assistant","content":[{{"type":"text",'
        '"text":"R\\u0026D \\u003cit\\u003e"}]},"finish_reason":"COMPLETE",'
        '"usage":{"billed_units":{"input_tokens":12,"output_tokens":5},'
        '"tokens":{"input_tokens":512,"output_tokens":5},"cached_tokens":2}}'
    )


def test_text_before_a_call_is_the_plan() -> None:
    answer = json.loads(data(DIALECT.write(said(Text(("I look.",)), CALL, finish=Finish.TOOL_CALLS), ask())))
    call = answer["message"]["tool_calls"][0]
    assert re.fullmatch(r"weather_[0-9a-z]{12}", call.pop("id"))
    assert answer["message"] == {
        "role": "assistant",
        "tool_plan": "I look.",
        "tool_calls": [{"type": "function", "function": {"name": "weather", "arguments": '{"city":"Ulm"}'}}],
    }
    assert answer["finish_reason"] == "TOOL_CALL"


@pytest.mark.parametrize(
    "parts", [(Reasoning(("Hm",)), Text(("It ", "is."))), (Text(("Plan",)), CALL), (Reasoning(("Hm",)), CALL), ()]
)
def test_answers_are_valid_to_the_sdk(parts: tuple[Part, ...]) -> None:
    whole = V2ChatResponse.model_validate_json(data(DIALECT.write(said(*parts), ask())))
    assert list(unknown(whole)) == []
    found = [EVENT.validate_python(event) for event in events(said(*parts))]
    assert {name for event in found for name in unknown(event)} == START


def test_order_of_events() -> None:
    assert [event["type"] for event in events(said(Text(("I ", "look.")), CALL, CALL))] == [
        *("message-start", "tool-plan-delta", "tool-plan-delta"),
        *("tool-call-start", "tool-call-delta", "tool-call-delta", "tool-call-end"),
        *("tool-call-start", "tool-call-delta", "tool-call-delta", "tool-call-end"),
        "message-end",
    ]


def test_events_of_text() -> None:
    start, *found, end = events(said(Reasoning(("Hm",)), Text(("It ", "is."))))
    assert start["delta"]["message"] == {
        "role": "assistant",
        "content": [],
        "tool_plan": "",
        "tool_calls": [],
        "citations": [],
    }
    deltas = [event.get("delta", {}).get("message", {}).get("content") for event in found]
    assert deltas == [
        {"type": "thinking", "thinking": ""},
        {"thinking": "Hm"},
        None,
        {"type": "text", "text": ""},
        {"text": "It "},
        {"text": "is."},
        None,
    ]
    assert [event["index"] for event in found] == [0, 0, 0, 1, 1, 1, 1]
    assert end["delta"] == {
        "finish_reason": "COMPLETE",
        "usage": {
            "billed_units": {"input_tokens": 12, "output_tokens": 5},
            "tokens": {"input_tokens": 512, "output_tokens": 5},
            "cached_tokens": 2,
        },
    }


def test_frames_are_due_with_their_token() -> None:
    assert [frame.token for frame in streamed(said(Text(("a", "b", "c"))))] == [0, 0, 0, 1, 2, 2, 2]


def test_one_event_as_bytes() -> None:
    assert streamed(said(Text(("<&\u2028",))))[2].data == (
        b'event: content-delta\ndata: {"type":"content-delta","index":0,'
        b'"delta":{"message":{"content":{"text":"\\u003c\\u0026\\u2028"}}}}\n\n'
    )


@pytest.mark.parametrize(
    ("finish", "reason"),
    [
        (Finish.STOP, "COMPLETE"),
        (Finish.LENGTH, "MAX_TOKENS"),
        (Finish.TOOL_CALLS, "TOOL_CALL"),
        (Finish.STOP_SEQUENCE, "STOP_SEQUENCE"),
        (Finish.CONTENT_FILTER, "ERROR"),
    ],
)
def test_finish_reasons(finish: Finish, reason: str) -> None:
    assert json.loads(data(DIALECT.write(said(finish=finish), ask())))["finish_reason"] == reason


def test_the_preamble_depends_on_model_and_tools() -> None:
    old = ask({**BODY, "model": "command-r-08-2024"})
    tools = ask({**BODY, "tools": [{"type": "function", "function": {"name": "f"}}]})
    counts = [json.loads(data(DIALECT.write(said(), call)))["usage"]["tokens"]["input_tokens"] for call in (old, tools)]
    assert counts == [79, 1372]


def test_headers() -> None:
    reply = DIALECT.write(said(Text(("x",))), ask())
    assert re.fullmatch(r"[0-9a-f]{32}", header(reply.headers, "x-debug-trace-id"))
    assert header(reply.headers, "num_tokens") == "17"
    assert header(DIALECT.write(said(), STREAM).headers, "content-type") == "text/event-stream"


RECORDED = {
    "id": "8bd5b608-887c-49f7-a6b3-d3bd5830c3de",
    "message": {
        "role": "assistant",
        "content": [{"type": "text", "text": "The sky is green."}],
        "citations": [{"start": 11, "end": 17, "text": "green.", "sources": []}],
    },
    "finish_reason": "COMPLETE",
    "usage": {
        "billed_units": {"input_tokens": 13, "output_tokens": 5},
        "tokens": {"input_tokens": 693, "output_tokens": 42, "image_tokens": 3},
        "cached_tokens": 480,
    },
}


def test_what_a_recording_holds_is_kept_when_it_is_converted() -> None:
    found = DIALECT.parse(200, (), json.dumps(RECORDED).encode(), ask())
    assert found
    assert (found.model, found.usage.prompt, found.usage.completion, found.usage.cached) == (
        "command-a-03-2025",
        13,
        5,
        13,
    )
    assert [event["type"] for event in events(found)][-4:] == [
        "content-end",
        "citation-start",
        "citation-end",
        "message-end",
    ]
    again = DIALECT.parse(200, (), b"".join(frame.data for frame in streamed(found)), STREAM)
    assert again
    assert json.loads(data(DIALECT.write(again, ask()))) == RECORDED


def test_a_failure_in_the_stream_is_kept() -> None:
    start, end = events(said())
    end["delta"] = {"finish_reason": "ERROR", "usage": {}, "error": "bad", "error_type": "INVALID_TOOL_GENERATION"}
    body = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in (start, end))
    found = DIALECT.parse(200, (), body.encode(), STREAM)
    assert found
    assert events(found)[-1]["delta"] == end["delta"]
    assert DIALECT.usage(200, (), body.encode(), STREAM) is None


def test_a_block_of_another_kind_is_kept() -> None:
    content = [{"type": "text", "text": "a"}, {"type": "image", "url": "u"}]
    recorded = {**RECORDED, "message": {"role": "assistant", "content": content}}
    found = DIALECT.parse(200, (), json.dumps(recorded).encode(), ask())
    assert found
    assert json.loads(data(DIALECT.write(found, ask()))) == recorded
    assert [event["type"] for event in events(found)].count("content-start") == 1


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{", "invalid json syntax: "),
        ({"messages": MESSAGES}, "a model parameter is required for this endpoint."),
        ({"model": "m"}, "invalid request: required 'messages' param is missing or empty."),
        ({"model": "m", "messages": []}, "invalid request: required 'messages' param is missing or empty."),
        (
            {"model": "m", "messages": "hi"},
            "invalid type: parameter messages is of type string but should be of type array.",
        ),
        (
            {"model": "m", "messages": [{"content": "x"}]},
            "invalid request: required 'messages.0.role' param is missing or empty.",
        ),
        (
            {**BODY, "temperature": "hot"},
            "invalid type: parameter temperature is of type string but should be of type number.",
        ),
        (
            {**BODY, "max_tokens": 1.5},
            "invalid type: parameter max_tokens is of type number but should be of type integer.",
        ),
        ({**BODY, "stream": []}, "invalid type: parameter stream is of type array but should be of type boolean."),
        ({**BODY, "tools": {}}, "invalid type: parameter tools is of type object but should be of type array."),
        ({**BODY, "model": True}, "invalid type: parameter model is of type boolean but should be of type string."),
    ],
)
def test_structural_faults(body: JSON, message: str) -> None:
    call = ask(body)
    found = DIALECT.check(call)
    assert found
    assert found.message.startswith(message)
    assert json.loads(data(DIALECT.refuse(found, call)))["message"] == found.message


def test_what_is_not_structure_passes() -> None:
    assert DIALECT.check(ask({**BODY, "temperature": 9, "max_tokens": None})) is None


def test_an_error_in_the_envelope() -> None:
    condition = Condition("cassette_miss", 404, "No.", code="cassette_miss", retry=False, retry_after=0.4, extra=[1])
    reply = DIALECT.refuse(condition, ask())
    body = json.loads(data(reply))
    assert len(body.pop("id")) == 36
    assert body == {"error_type": "cassette_miss", "message": "No.", "llm_simulator": [1]}
    assert header(reply.headers, "retry-after") == "1"
    assert json.loads(data(DIALECT.refuse(Condition("x", 500, "m"), ask()))).keys() == {"id", "message"}


def test_what_is_asked() -> None:
    result = {"role": "tool", "tool_call_id": "t", "content": [{"type": "document", "document": {"data": {"r": "4"}}}]}
    call = {"id": "t", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    body = {
        "model": "command-a-03-2025",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "2+2?"}, {"type": "image_url", "image_url": {}}]},
            {"role": "assistant", "tool_plan": "I add.", "tool_calls": [call]},
            result,
        ],
        "tools": [{"type": "function", "function": {"name": "f", "description": "d", "parameters": {}}}],
        "documents": ["one", {"data": {"text": "two"}}, {"data": "three"}],
        "tool_choice": "REQUIRED",
        "stop_sequences": ["END"],
        "max_tokens": 50,
        "response_format": {"type": "json_object", "schema": {"type": "object"}},
    }
    found = DIALECT.ask(ask(body))
    assert found.turns == (
        Turn("system", "Be brief."),
        Turn("user", "2+2?"),
        Turn("assistant", "I add.", 1),
        Turn("tool", '{"r":"4"}'),
    )
    assert found.tools == (Tool("f", "d", {}),)
    assert (found.max_tokens, found.tool_choice, found.stop, found.schema) == (
        50,
        "required",
        ("END",),
        {"type": "object"},
    )
    assert found.prompt_tokens > 259
    assert (found.exact, found.warnings) == (False, ())


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (None, None),
        ({"type": "text"}, None),
        ({"type": "json_object"}, {}),
        ({"type": "json_object", "json_schema": {"type": "array"}}, {"type": "array"}),
    ],
)
def test_schemas(wanted: JSON, expected: JSON) -> None:
    assert DIALECT.ask(ask({**BODY, "response_format": wanted})).schema == expected


def test_twins_with_and_without_the_flag() -> None:
    assert [twin.body.get("stream") for twin in DIALECT.twins(STREAM)] == [False, None]


def models(path: str = "/v1/models", query: str = "") -> tuple[Call, Reply]:
    call = DIALECT.read(RawRequest("GET", path, query=query), "cohere")
    assert call
    assert DIALECT.check(call) is None
    return call, DIALECT.respond(call, desk())


def test_models_by_endpoint_and_page() -> None:
    call, reply = models(query="page_size=2&endpoint=rerank")
    assert (call.family, call.operation) == ("models", "models.list")
    page = ListModelsResponse.model_validate_json(data(reply))
    assert [model.endpoints for model in page.models] == [["rerank"], ["rerank"]]
    rest = json.loads(data(models(query=f"page_token={page.next_page_token}&endpoint=rerank")[1]))
    assert page.models[0].name not in [model["name"] for model in rest["models"]]


def test_one_model() -> None:
    call, reply = models("/v1/models/command-a-03-2025")
    assert (call.operation, call.model) == ("models.get", "command-a-03-2025")
    found = GetModelResponse.model_validate_json(data(reply))
    assert list(unknown(found)) == []
    assert (found.name, found.context_length) == ("command-a-03-2025", 256_000)


def test_an_unknown_model() -> None:
    reply = models("/v1/models/nope")[1]
    assert (reply.status, json.loads(data(reply))["message"][:22]) == (404, "model 'nope' not found")
