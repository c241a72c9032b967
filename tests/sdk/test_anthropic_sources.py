"""Anthropic's answers that name sources: documents that may be cited, a web search; valid to the SDK in strict form."""

from __future__ import annotations

import json
from typing import Any

import pytest
from anthropic.types import Message, RawMessageStreamEvent
from asking import events, read
from pydantic import TypeAdapter
from strictness import unknown

from llm_simulator.dialects.anthropic_messages import DIALECT
from llm_simulator.types import (
    JSON,
    Call,
    Choice,
    Completion,
    Finish,
    Part,
    Reasoning,
    Text,
    ToolCall,
    Usage,
)

EVENT: TypeAdapter[RawMessageStreamEvent] = TypeAdapter(RawMessageStreamEvent)
SAID = Text(("It", " is.", " So", " it", " is.", " More", " follows"))
SEARCH: JSON = {"type": "web_search_20250305", "name": "web_search"}


def call(*content: JSON, stream: bool = False, **more: JSON) -> Call:
    messages = [{"role": "user", "content": [{"type": "text", "text": "Weather in Ulm today?"}, *content]}]
    body = {"model": "claude-haiku-4-5", "max_tokens": 99, "messages": messages, "stream": stream, **more}
    return read(DIALECT, "/v1/messages", body)


def written(asked: Call, *parts: Part) -> Any:
    completion = Completion("ab" * 16, 0, asked.model, (Choice(parts or (SAID,), Finish.STOP),), Usage(9, 7))
    reply = DIALECT.write(completion, asked)
    if isinstance(reply.body, bytes):
        assert list(unknown(Message.model_validate_json(reply.body))) == []
        return json.loads(reply.body)
    found = events(reply)
    assert [name for event in found if event["type"] != "ping" for name in unknown(EVENT.validate_python(event))] == []
    return found


def document(source: JSON, *, cited: bool = True) -> JSON:
    return {"type": "document", "source": source, "title": "Sky", "citations": {"enabled": cited}}


TEXT: JSON = {"type": "text", "media_type": "text/plain", "data": "The sky is green. Grass is blue."}


@pytest.mark.parametrize(
    ("source", "kind", "more"),
    [
        (TEXT, "char_location", {"start_char_index", "end_char_index"}),
        ({"type": "base64", "data": ""}, "page_location", {"start_page_number", "end_page_number"}),
        (
            {"type": "content", "content": [{"type": "text", "text": "a"}]},
            "content_block_location",
            {"start_block_index"},
        ),
    ],
)
def test_documents_are_cited(source: JSON, kind: str, more: set[str]) -> None:
    content = written(call(document(source)))["content"]
    assert [item["text"] for item in content] == ["It is.", " So it is.", " More follows"]
    assert ["citations" in item for item in content] == [False, True, False]
    citation = content[1]["citations"][0]
    assert (citation["type"], citation["document_title"], more - citation.keys()) == (kind, "Sky", set())


def test_a_text_is_quoted() -> None:
    citation = written(call(document(TEXT)))["content"][1]["citations"][0]
    assert TEXT["data"][citation["start_char_index"] : citation["end_char_index"]] == citation["cited_text"] != ""


def test_a_citation_comes_before_its_text() -> None:
    found = written(call(document(TEXT), stream=True))
    second = [event for event in found if event.get("index") == 1]
    assert second[0]["content_block"] == {"citations": [], "type": "text", "text": ""}
    assert [event["delta"]["type"] for event in second[1:-1]] == ["citations_delta"] + ["text_delta"] * 3


@pytest.mark.parametrize(
    "asked",
    [
        call(),
        call(document(TEXT, cited=False)),
        call(document(TEXT), output_config={"format": {"type": "json_schema", "schema": {}}}),
    ],
)
def test_what_is_not_cited(asked: Call) -> None:
    assert written(asked)["content"] == [{"type": "text", "text": "".join(SAID.tokens)}]


def test_a_search_is_made() -> None:
    message = written(call(tools=[SEARCH]), Reasoning(("Hm",)), SAID)
    kinds = [item["type"] for item in message["content"]]
    assert kinds == ["thinking", "server_tool_use", "web_search_tool_result", "text", "text", "text"]
    _, asked, found, *texts = message["content"]
    assert asked["id"] == found["tool_use_id"]
    assert asked["input"] == {"query": "Weather in Ulm today"}
    citation = texts[1]["citations"][0]
    assert citation["url"] in {one["url"] for one in found["content"]}
    assert message["usage"]["server_tool_use"]["web_search_requests"] == 1


def test_a_search_is_streamed() -> None:
    found = written(call(tools=[SEARCH], stream=True))
    first = [event for event in found if event.get("index") == 0]
    assert first[0]["content_block"]["input"] == {}
    pieces = [event["delta"]["partial_json"] for event in first[1:-1]]
    assert (pieces[0], json.loads("".join(pieces))) == ("", {"query": "Weather in Ulm today"})
    assert found[-2]["usage"]["server_tool_use"]["web_search_requests"] == 1


def test_no_search() -> None:
    used = [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": [{"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}]},
        {"role": "user", "content": "b"},
    ]
    for asked in (call(tools=[SEARCH], tool_choice={"type": "none"}), call(tools=[SEARCH], messages=used)):
        assert [item["type"] for item in written(asked)["content"]] == ["text"]
    tool = ToolCall("cd" * 16, "weather", ("{}",))
    assert [item["type"] for item in written(call(tools=[SEARCH]), tool)["content"]] == ["tool_use"]


def test_what_was_recorded_stays() -> None:
    asked = call(document(TEXT), tools=[SEARCH], stream=True)
    completion = Completion("msg_1", 0, "m", (Choice((SAID,), Finish.STOP),), Usage(1, 1, raw={"input_tokens": 1}))
    body = DIALECT.write(completion, asked).body
    assert not isinstance(body, bytes)
    assert b"citations" not in b"".join(frame.data for frame in body)
