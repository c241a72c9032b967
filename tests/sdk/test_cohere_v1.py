"""Cohere's v1 chat: what it asks, its answers whole, as JSON lines and as events, valid to the SDK in strict form."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cohere.types import NonStreamedChatResponse, StreamedChatResponse
from pydantic import TypeAdapter
from strictness import unknown

from llm_simulator.dialects.base import Tool, Turn
from llm_simulator.dialects.cohere_v1 import DIALECT
from llm_simulator.types import (
    JSON,
    Call,
    Choice,
    Completion,
    Finish,
    Headers,
    Part,
    RawRequest,
    Reasoning,
    Text,
    ToolCall,
    Usage,
    header,
)

EVENT: TypeAdapter[StreamedChatResponse] = TypeAdapter(StreamedChatResponse)
TEXT = Text(("It ", "is <so>."))
CALL = ToolCall("cd" * 16, "weather", ('{"city"', ':"Ulm"}'))


def ask(body: JSON, headers: Headers = ()) -> Call:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    found = DIALECT.read(RawRequest("POST", "/v1/chat", headers=headers, body=data), "cohere")
    assert found
    return found


def completed(*parts: Part, finish: Finish = Finish.STOP) -> Completion:
    return Completion("ab" * 16, 1_780_000_000, "command-a-03-2025", (Choice(parts, finish),), Usage(12, 5))


def whole(body: JSON, *parts: Part, finish: Finish = Finish.STOP) -> Any:
    reply = DIALECT.write(completed(*parts, finish=finish), ask(body))
    assert isinstance(reply.body, bytes)
    assert list(unknown(NonStreamedChatResponse.model_validate_json(reply.body))) == []
    return json.loads(reply.body)


def streamed(body: JSON, *parts: Part, finish: Finish = Finish.STOP) -> list[Any]:
    reply = DIALECT.write(completed(*parts, finish=finish), ask({**body, "stream": True}))
    assert not isinstance(reply.body, bytes)
    assert header(reply.headers, "content-type") == "application/stream+json"
    found = [json.loads(line) for line in b"".join(frame.data for frame in reply.body).splitlines()]
    for event in found:
        EVENT.validate_python(event)
    return found


def test_a_whole_answer() -> None:
    history = [{"role": "System", "message": "Be brief", "tool_calls": None}]
    found = whole({"message": "hi", "chat_history": history}, TEXT)
    assert list(found) == ["response_id", "text", "generation_id", "chat_history", "finish_reason", "meta"]
    assert found["text"] == "It is <so>."
    assert found["chat_history"] == [
        {"role": "SYSTEM", "message": "Be brief"},
        {"role": "USER", "message": "hi"},
        {"role": "CHATBOT", "message": "It is <so>."},
    ]
    assert found["meta"] == {
        "api_version": {"version": "1"},
        "billed_units": {"input_tokens": 12, "output_tokens": 5},
        "tokens": {"input_tokens": 512, "output_tokens": 5},
        "cached_tokens": 0,
    }


def test_layout_and_counts() -> None:
    reply = DIALECT.write(completed(TEXT), ask({"message": "hi"}))
    assert isinstance(reply.body, bytes)
    assert b"\\u003cso\\u003e" in reply.body
    assert header(reply.headers, "num_tokens") == "17"


def test_lines_in_order() -> None:
    found = streamed({"message": "hi"}, TEXT)
    kinds = [event["event_type"] for event in found]
    assert kinds == ["stream-start", "text-generation", "text-generation", "stream-end"]
    assert [event["is_finished"] for event in found] == [False, False, False, True]
    assert found[1] == {"is_finished": False, "event_type": "text-generation", "text": "It "}
    assert found[-1]["response"] == {
        **whole({"message": "hi"}, TEXT),
        "chat_history": found[-1]["response"]["chat_history"],
    }
    assert found[0]["generation_id"] == found[-1]["response"]["generation_id"]


def test_events_where_asked_for() -> None:
    call = ask({"message": "hi", "stream": True}, (("Accepts", "text/event-stream"),))
    reply = DIALECT.write(completed(TEXT), call)
    assert header(reply.headers, "content-type") == "text/event-stream"
    assert not isinstance(reply.body, bytes)
    first, *_ = [frame.data for frame in reply.body]
    assert first.startswith(b'event: stream-start\ndata: {"is_finished":false,')
    assert first.endswith(b"}\n\n")


def test_tool_calls_come_with_a_plan() -> None:
    found = whole({"message": "hi"}, CALL, finish=Finish.TOOL_CALLS)
    assert found["tool_calls"] == [{"name": "weather", "parameters": {"city": "Ulm"}}]
    assert found["text"] == "I will use the weather tool to answer the user's request."
    assert found["finish_reason"] == "COMPLETE"
    events = streamed({"message": "hi"}, CALL, finish=Finish.TOOL_CALLS)
    chunks = [event["tool_call_delta"] for event in events if event["event_type"] == "tool-calls-chunk"]
    assert "".join(chunk.get("text", "") for chunk in chunks) == found["text"]
    assert {"index": 0, "name": "weather"} in chunks
    assert "".join(chunk.get("parameters", "") for chunk in chunks) == '{"city":"Ulm"}'
    assert [event["event_type"] for event in events][-2:] == ["tool-calls-generation", "stream-end"]
    assert events[-2]["tool_calls"] == found["tool_calls"]


def test_thought_is_not_shown() -> None:
    assert whole({"message": "hi"}, Reasoning(("Hm",)), TEXT)["text"] == "It is <so>."
    assert len(streamed({"message": "hi"}, Reasoning(("Hm",)), TEXT)) == 4


def test_documents_are_cited() -> None:
    documents = [{"title": "Sky", "text": "The sky is green."}, {"id": "two", "text": "Grass is blue."}]
    found = whole({"message": "hi", "documents": documents}, Text(("The ", "sky is green.")))
    assert found["citations"]
    shown = {document["id"] for document in found["documents"]}
    for citation in found["citations"]:
        assert found["text"][citation["start"] : citation["end"]] == citation["text"]
        assert set(citation["document_ids"]) <= shown <= {"doc:0", "two"}
    kinds = [event["event_type"] for event in streamed({"message": "hi", "documents": documents}, TEXT)]
    assert (kinds[1], kinds[-2]) == ("search-results", "citation-generation")


@pytest.mark.parametrize(
    ("finish", "word"),
    [
        (Finish.STOP, "COMPLETE"),
        (Finish.LENGTH, "MAX_TOKENS"),
        (Finish.STOP_SEQUENCE, "STOP_SEQUENCE"),
        (Finish.CONTENT_FILTER, "ERROR_TOXIC"),
    ],
)
def test_finish_words(finish: Finish, word: str) -> None:
    assert whole({"message": "hi"}, TEXT, finish=finish)["finish_reason"] == word


def test_what_is_asked() -> None:
    found = DIALECT.ask(
        ask(
            {
                "message": "hi",
                "preamble": "Be brief",
                "chat_history": [{"role": "USER", "message": "a"}, {"role": "Chatbot", "message": "b"}],
                "max_tokens": 9,
                "stop_sequences": ["x"],
                "response_format": {"type": "json_object", "schema": {"type": "object"}},
            }
        )
    )
    assert found.turns == (
        Turn("system", "Be brief"),
        Turn("user", "a"),
        Turn("assistant", "b"),
        Turn("user", "hi"),
    )
    assert (found.max_tokens, found.stop, found.schema) == (9, ("x",), {"type": "object"})


def test_a_tools_result_is_the_last_turn() -> None:
    results = [{"call": {"name": "t", "parameters": {}}, "outputs": [{"sky": "rain"}]}]
    found = DIALECT.ask(ask({"message": "hi", "tool_results": results}))
    assert found.turns[-1] == Turn("tool", '[{"sky":"rain"}]')


def test_parameter_definitions_become_a_schema() -> None:
    definitions = {
        "city": {"type": "str", "description": "c", "required": True},
        "days": {"type": "List[int]"},
        "odd": {"type": "Weird"},
    }
    tools = [{"name": "weather", "description": "w", "parameter_definitions": definitions}, {"name": "bare"}]
    found = DIALECT.ask(ask({"message": "hi", "tools": tools})).tools
    assert found == (
        Tool(
            "weather",
            "w",
            {
                "type": "object",
                "properties": {
                    "city": {"type": "string", "description": "c"},
                    "days": {"type": "array", "description": "", "items": {"type": "integer"}},
                    "odd": {"type": "string", "description": ""},
                },
                "required": ["city"],
            },
        ),
        Tool("bare"),
    )


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{", "invalid json syntax: "),
        ({}, "invalid request: message must be at least 1 token long."),
        ({"message": ""}, "invalid request: message must be at least 1 token long."),
        ({"message": 1}, "invalid type: parameter message is not of type string."),
        ({"message": "hi", "stop_sequences": "x"}, "invalid type: parameter stop_sequences is not of type array."),
    ],
)
def test_faults(body: JSON, message: str) -> None:
    found = DIALECT.check(ask(body))
    assert found
    assert (found.status, found.message[: len(message)]) == (400, message)


def test_results_need_no_message() -> None:
    assert DIALECT.check(ask({"message": "", "tool_results": [{"outputs": []}]})) is None


@pytest.mark.parametrize("parts", [(TEXT,), (Text(("I will.",)), CALL)])
def test_what_is_written_is_read_again(parts: tuple[Part, ...]) -> None:
    body = {"message": "hi"}
    answers = []
    for stream in (False, True):
        call = ask({**body, "stream": stream})
        reply = DIALECT.write(completed(*parts), call)
        data = reply.body if isinstance(reply.body, bytes) else b"".join(frame.data for frame in reply.body)
        found = DIALECT.parse(200, (), data, call)
        assert found
        assert DIALECT.usage(200, (), data, call) == found.usage
        again = DIALECT.write(found, ask(body)).body
        assert isinstance(again, bytes)
        answers.append(json.loads(again))
    assert answers[0] == answers[1]
    assert answers[0]["text"] == "".join(parts[0].tokens) if isinstance(parts[0], Text) else True


@pytest.mark.parametrize("body", [b"", b"{}", b'{"event_type":"stream-start"}\n', b"<html>", b"[1]"])
def test_what_holds_no_answer(body: bytes) -> None:
    assert DIALECT.parse(200, (), body, ask({"message": "hi"})) is None
