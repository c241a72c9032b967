"""Anthropic on the wire: bodies, events, errors and models as the API spells them, valid to its own SDK."""

from __future__ import annotations

import json

import pytest
from anthropic.types import Message, ModelInfo, RawMessageStreamEvent
from asking import completed, data, frames, read
from desks import desk
from pydantic import TypeAdapter
from strictness import unknown

from llm_simulator.dialects.anthropic_messages import DIALECT
from llm_simulator.dialects.base import Tool, Turn
from llm_simulator.types import (
    JSON,
    Call,
    Choice,
    Completion,
    Condition,
    Finish,
    Frame,
    Headers,
    Part,
    RawRequest,
    Reasoning,
    Reply,
    Text,
    ToolCall,
    Usage,
    header,
)

EVENT: TypeAdapter[RawMessageStreamEvent] = TypeAdapter(RawMessageStreamEvent)
MESSAGES = [{"role": "user", "content": "hi"}]
BODY = {"model": "claude-sonnet-4-5", "max_tokens": 9, "messages": MESSAGES}


def ask(body: JSON, headers: Headers = ()) -> Call:
    return read(DIALECT, "/v1/messages", body, headers=headers)


def said(*parts: Part, finish: Finish = Finish.STOP, stop: str = "", usage: Usage | None = None) -> Completion:
    return completed(*parts, model="claude-sonnet-4-5", finish=finish, stop=stop, usage=usage or Usage(12, 5, 2))


def streamed(completion: Completion) -> list[Frame]:
    return frames(DIALECT.write(completion, ask({**BODY, "stream": True})))


def events(completion: Completion) -> list[tuple[str, JSON]]:
    text = b"".join(frame.data for frame in streamed(completion)).decode()
    pairs = (event.split("\ndata: ") for event in text.removesuffix("\n\n").split("\n\n"))
    return [(name.removeprefix("event: "), json.loads(value)) for name, value in pairs]


ALL = (
    Reasoning(("Hm", "m")),
    Text(("It ", "is.")),
    ToolCall("cd" * 16, "weather", ('{"city"', ':"Ulm"}')),
)


def test_a_whole_message() -> None:
    reply = DIALECT.write(said(Text(("It ", "is."))), ask(BODY))
    assert data(reply) == (
        b'{"model":"claude-sonnet-4-5-20250929","id":"msg_01'
        + json.loads(data(reply))["id"][6:].encode()
        + b'","type":"message",'
        b'"role":"assistant","content":[{"type":"text","text":"It is."}],"stop_reason":"end_turn","stop_sequence":null,'
        b'"stop_details":null,"usage":{"input_tokens":10,"cache_creation_input_tokens":0,"cache_read_input_tokens":2,'
        b'"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},"output_tokens":5,'
        b'"service_tier":"standard","inference_geo":"not_available"}}'
    )


def test_ids_are_well_formed() -> None:
    message = json.loads(data(DIALECT.write(said(*ALL), ask(BODY))))
    assert len(message["id"]) == len("msg_") + 24
    tool = message["content"][2]
    assert tool["id"].startswith("toolu_01")
    assert len(tool["id"]) == len("toolu_") + 24
    assert tool["input"] == {"city": "Ulm"}


def test_headers() -> None:
    reply = DIALECT.write(said(Text(("x",)), usage=Usage(3_400, 5)), ask(BODY))
    assert header(reply.headers, "content-type") == "application/json"
    assert header(reply.headers, "request-id").startswith("req_011C")
    assert len(header(reply.headers, "request-id")) == len("req_") + 24
    assert header(reply.headers, "anthropic-ratelimit-input-tokens-remaining") == "1997000"
    assert header(reply.headers, "anthropic-ratelimit-requests-remaining") == "19999"
    assert header(reply.headers, "anthropic-ratelimit-tokens-reset") == "2026-05-28T20:26:40Z"
    assert header(reply.headers, "anthropic-organization-id").count("-") == 4


def test_whole_messages_are_valid_to_the_sdk() -> None:
    message = Message.model_validate_json(data(DIALECT.write(said(*ALL, finish=Finish.TOOL_CALLS), ask(BODY))))
    assert list(unknown(message)) == []
    assert message.stop_reason == "tool_use"


def test_events_are_valid_to_the_sdk() -> None:
    for _, event in events(said(*ALL, finish=Finish.TOOL_CALLS)):
        if event["type"] != "ping":
            assert list(unknown(EVENT.validate_python(event))) == []


def test_order_of_events() -> None:
    assert [name for name, _ in events(said(*ALL))] == [
        "message_start",
        *("content_block_start", "ping", "content_block_delta", "content_block_delta"),
        *("content_block_delta", "content_block_stop"),  # the signature
        *("content_block_start", "content_block_delta", "content_block_delta", "content_block_stop"),
        *("content_block_start", "content_block_delta", "content_block_delta", "content_block_delta"),
        "content_block_stop",
        *("message_delta", "message_stop"),
    ]


def test_deltas() -> None:
    deltas = [event["delta"] for name, event in events(said(*ALL)) if name == "content_block_delta"]
    signature = deltas.pop(2)
    assert signature["type"] == "signature_delta"
    assert len(signature["signature"]) > 30
    assert deltas == [
        {"type": "thinking_delta", "thinking": "Hm"},
        {"type": "thinking_delta", "thinking": "m"},
        {"type": "text_delta", "text": "It "},
        {"type": "text_delta", "text": "is."},
        {"type": "input_json_delta", "partial_json": ""},
        {"type": "input_json_delta", "partial_json": '{"city"'},
        {"type": "input_json_delta", "partial_json": ':"Ulm"}'},
    ]


def test_usage_at_start_and_end() -> None:
    found = events(said(Text(("It ", "is."))))
    assert found[0][1]["message"]["usage"]["output_tokens"] == 1
    assert found[-2][1] == {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn", "stop_sequence": None, "stop_details": None},
        "usage": {
            "input_tokens": 10,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 2,
            "output_tokens": 5,
        },
    }


def test_frames_are_due_with_their_token() -> None:
    assert [frame.token for frame in streamed(said(Text(("a", "b", "c"))))] == [0, 0, 0, 1, 2, 2, 2]


def test_json_is_padded_before_the_last_brace() -> None:
    bodies = [frame.data for frame in streamed(said(Text(("a",) * 16)))]
    assert {body.count(b"  ") > 0 for body in bodies} == {True, False}
    assert all(body.endswith(b"}\n\n") for body in bodies)


@pytest.mark.parametrize(
    ("finish", "stop", "reason", "sequence"),
    [
        (Finish.STOP, "", "end_turn", None),
        (Finish.LENGTH, "", "max_tokens", None),
        (Finish.TOOL_CALLS, "", "tool_use", None),
        (Finish.STOP_SEQUENCE, "END", "stop_sequence", "END"),
        (Finish.CONTENT_FILTER, "", "refusal", None),
    ],
)
def test_stop_reasons(finish: Finish, stop: str, reason: str, sequence: str | None) -> None:
    message = json.loads(data(DIALECT.write(said(Text(("a",)), finish=finish, stop=stop), ask(BODY))))
    assert (message["stop_reason"], message["stop_sequence"]) == (reason, sequence)


def test_thinking_tokens_are_told() -> None:
    message = json.loads(data(DIALECT.write(said(Text(("a",)), usage=Usage(1, 9, 0, 4)), ask(BODY))))
    assert message["usage"]["output_tokens_details"] == {"thinking_tokens": 4}


RECORDED = {
    "id": "msg_01X",
    "type": "message",
    "role": "assistant",
    "model": "claude-opus-4-6",
    "content": [
        {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "x"}},
        {"type": "text", "text": "Cited.", "citations": [{"type": "char_location", "cited_text": "c"}]},
        {"type": "redacted_thinking", "data": "abc"},
        {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}, "caller": {"type": "direct"}},
    ],
    "stop_reason": "pause_turn",
    "stop_sequence": None,
    "stop_details": None,
    "usage": {"input_tokens": 3, "cache_creation_input_tokens": 4, "cache_read_input_tokens": 5, "output_tokens": 6},
}


def test_what_a_recording_holds_is_kept_when_it_is_converted() -> None:
    whole, stream = ask(BODY), ask({**BODY, "stream": True})
    found = DIALECT.parse(200, (), json.dumps(RECORDED).encode(), whole)
    assert found
    assert (found.usage.prompt, found.usage.cached, found.usage.completion) == (12, 5, 6)
    body = b"".join(frame.data for frame in streamed(found))
    again = DIALECT.parse(200, (), body, stream)
    assert again
    assert json.loads(data(DIALECT.write(again, whole))) == RECORDED


def test_a_stream_that_was_cut_is_read_as_far_as_it_goes() -> None:
    body = b"".join(frame.data for frame in streamed(said(Text(("It ", "is.")))))
    found = DIALECT.parse(200, (), body[: body.index(b"content_block_stop")], ask(BODY))
    assert found
    assert found.choices[0] == Choice((Text(("It ", "is.")),), Finish.LENGTH, extra=found.choices[0].extra)


def test_an_error_in_the_stream_is_no_completion() -> None:
    body = streamed(said(Text(("a",))))[0].data
    error = b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}\n\n'
    assert DIALECT.parse(200, (), body + error, ask(BODY)) is None


def test_the_date_of_a_recording() -> None:
    found = DIALECT.parse(200, (("Date", "Thu, 28 Nov 2024 15:59:47 GMT"),), json.dumps(RECORDED).encode(), ask(BODY))
    assert found
    assert found.created == 1_732_809_587


@pytest.mark.parametrize(
    ("body", "message", "param"),
    [
        (b"", "The request body is not valid JSON: the body is empty", None),
        (b'{"model":', "The request body is not valid JSON: ", None),
        ({}, "model: Field required", "model"),
        ({"model": 3, "messages": MESSAGES}, "model: Input should be a valid string", "model"),
        ({"model": "m"}, "messages: Field required", "messages"),
        ({"model": "m", "messages": "hi"}, "messages: Input should be a valid list", "messages"),
        ({"model": "m", "messages": []}, "messages: at least one message is required", "messages"),
        (
            {"model": "m", "messages": [3]},
            "messages.0: Input does not match the expected shape.",
            "messages.0",
        ),
        ({"model": "m", "messages": [{"content": "x"}]}, "messages.0.role: Field required", "messages.0.role"),
        ({"model": "m", "messages": [{"role": "user"}]}, "messages.0.content: Field required", "messages.0.content"),
        (
            {"model": "m", "messages": [{"role": "user", "content": [{"text": "x"}]}]},
            "messages.0.content.0.type: Field required",
            "messages.0.content.0.type",
        ),
        ({**BODY, "max_tokens": "9"}, "max_tokens: Input should be a valid integer", "max_tokens"),
        ({**BODY, "max_tokens": True}, "max_tokens: Input should be a valid integer", "max_tokens"),
        ({**BODY, "stream": 1}, "stream: Input should be a valid boolean", "stream"),
        ({**BODY, "tools": {}}, "tools: Input should be a valid list", "tools"),
        ({**BODY, "system": 1}, "system: Input should be a valid list", "system"),
        ({**BODY, "tools": [{"name": 1}]}, "tools.0.name: Input should be a valid string", "tools.0.name"),
    ],
)
def test_structural_faults(body: JSON, message: str, param: str | None) -> None:
    call = ask(body)
    found = DIALECT.check(call)
    assert found
    assert found.message.startswith(message)
    assert (found.status, found.param, found.retry) == (400, param, False)
    error = json.loads(data(DIALECT.refuse(found, call)))
    assert error["error"]["type"] == "invalid_request_error"


def test_a_missing_limit_is_taken_leniently() -> None:
    call = ask({"model": "m", "messages": MESSAGES})
    assert DIALECT.check(call) is None
    assert DIALECT.ask(call).max_tokens == 4096
    assert DIALECT.ask(call).warnings == ("max_tokens: Field required; 4096 taken",)


@pytest.mark.parametrize("extra", [{"temperature": 7}, {"system": None}, {"messages": [*MESSAGES, *MESSAGES]}])
def test_what_is_not_structure_passes(extra: JSON) -> None:
    assert DIALECT.check(ask({**BODY, **extra})) is None


def test_an_error_in_the_envelope() -> None:
    condition = Condition(
        "cassette_miss", 404, "No recording.", code="cassette_miss", retry=False, retry_after=2.5, extra={"near": []}
    )
    call = ask(BODY)
    reply = DIALECT.refuse(condition, call)
    request = header(reply.headers, "request-id")
    assert data(reply).decode() == (
        '{"type":"error","error":{"type":"not_found_error","message":"No recording.",'
        '"details":{"error_code":"cassette_miss"},"llm_simulator":{"near":[]}},"request_id":"' + request + '"}'
    )
    assert (reply.status, header(reply.headers, "retry-after")) == (404, "3")
    assert header(DIALECT.refuse(condition, ask({**BODY, "max_tokens": 8})).headers, "request-id") != request


@pytest.mark.parametrize(
    ("status", "given", "kind"),
    [
        (400, "", "invalid_request_error"),
        (401, "authentication_error", "authentication_error"),
        (405, "method_not_allowed", "invalid_request_error"),
        (429, "tokens", "rate_limit_error"),
        (500, "", "api_error"),
        (503, "server_error", "api_error"),
        (529, "", "overloaded_error"),
    ],
)
def test_error_types(status: int, given: str, kind: str) -> None:
    reply = DIALECT.refuse(Condition("x", status, "m", type=given), ask(BODY))
    assert json.loads(data(reply))["error"]["type"] == kind


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ((), ()),
        ((("anthropic-version", "2023-06-01"), ("x-stainless-lang", "python")), ()),
        ((("Anthropic-Beta", "b, a"),), (("anthropic-beta", "a,b"),)),
        ((("anthropic-beta", "a"), ("anthropic-beta", "b,a,")), (("anthropic-beta", "a,b"),)),
    ],
)
def test_only_betas_change_the_answer(headers: Headers, expected: Headers) -> None:
    assert ask(BODY, headers).semantic == expected


def test_what_is_asked() -> None:
    tool = {"name": "f", "description": "d", "input_schema": {"type": "object"}}
    result = {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "4"}]}
    body = {
        "model": "claude-sonnet-4-5",
        "max_tokens": 50,
        "system": [{"type": "text", "text": "Be brief."}],
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "2+2?"}, {"type": "image", "source": {}}]},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f", "input": {}}]},
            {"role": "user", "content": [result]},
        ],
        "tools": [tool, {"type": "web_search_20250305", "name": "web_search"}],
        "tool_choice": {"type": "tool", "name": "f"},
        "stop_sequences": ["END"],
        "output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}},
    }
    found = DIALECT.ask(ask(body))
    assert found.turns == (
        Turn("system", "Be brief."),
        Turn("user", "2+2?"),
        Turn("assistant", "", 1),
        Turn("user", "4"),
    )
    assert found.tools == (Tool("f", "d", {"type": "object"}),)
    assert (found.max_tokens, found.tool_choice, found.stop, found.schema) == (50, "f", ("END",), {"type": "object"})
    assert (found.exact, found.choices, found.warnings) == (False, 1, ())
    assert found.prompt_tokens > 2000


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (None, "auto"),
        ({"type": "auto"}, "auto"),
        ({"type": "any"}, "required"),
        ({"type": "none"}, "none"),
        ({"type": "tool"}, "required"),
    ],
)
def test_tool_choices(choice: JSON, expected: str) -> None:
    assert DIALECT.ask(ask({**BODY, "tool_choice": choice})).tool_choice == expected


def models(path: str = "/v1/models", query: str = "") -> tuple[Call, Reply]:
    call = DIALECT.read(RawRequest("GET", path, query=query), "anthropic")
    assert call
    assert DIALECT.check(call) is None
    return call, DIALECT.respond(call, desk())


def test_models_are_paged() -> None:
    call, reply = models(query="limit=3")
    assert (call.family, call.operation) == ("models", "models.list")
    page = json.loads(data(reply))
    names = [model["id"] for model in page["data"]]
    assert (len(names), page["has_more"], page["first_id"], page["last_id"]) == (3, True, names[0], names[2])
    second = json.loads(data(models(query=f"limit=1000&after_id={names[2]}")[1]))
    assert second["has_more"] is False
    assert names[0] not in [model["id"] for model in second["data"]]
    back = json.loads(data(models(query=f"limit=1&before_id={names[2]}")[1]))
    assert ([model["id"] for model in back["data"]], back["has_more"]) == ([names[1]], True)


def test_one_model_is_valid_to_the_sdk() -> None:
    call, reply = models("/v1/models/claude-sonnet-4-5-20250929")
    assert (call.operation, call.model) == ("models.get", "claude-sonnet-4-5-20250929")
    found = ModelInfo.model_validate_json(data(reply))
    assert list(unknown(found)) == []
    assert (found.display_name, found.created_at.isoformat()) == ("Claude Sonnet 4.5", "2025-09-29T00:00:00+00:00")


def test_an_unknown_model() -> None:
    reply = models("/v1/models/nope")[1]
    assert (reply.status, json.loads(data(reply))["error"]["message"]) == (404, "model: nope")
