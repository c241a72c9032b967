"""What requests and models make of Cohere's v2 answers: plans, citations, counts."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from cohere.types import LogprobItem

from llm_simulator import dialects
from llm_simulator.dialects.base import Thinking
from llm_simulator.dialects.cohere_chat import DIALECT
from llm_simulator.simulator.draws import FIRST
from llm_simulator.simulator.engine import Engine
from llm_simulator.types import (
    JSON,
    Call,
    Choice,
    Completion,
    Finish,
    Part,
    RawRequest,
    Reasoning,
    Text,
    ToolCall,
    Usage,
)

CALL = ToolCall("cd" * 16, "weather", ('{"city"', ':"Ulm"}'))
USER: JSON = {"role": "user", "content": "hi"}
RESULT: JSON = {
    "role": "tool",
    "tool_call_id": "weather_1",
    "content": [{"type": "document", "document": {"data": "{}"}}],
}


def call(model: str = "command-a-03-2025", messages: JSON = None, **more: JSON) -> Call:
    body = {"model": model, "messages": messages or [USER], **more}
    found = DIALECT.read(RawRequest("POST", "/v2/chat", body=json.dumps(body).encode()), "cohere")
    assert found
    return found


def written(asked: Call, *parts: Part, finish: Finish = Finish.STOP) -> Any:
    completion = Completion("ab" * 16, 0, asked.model, (Choice(parts, finish),), Usage(12, 5))
    body = DIALECT.write(completion, asked).body
    if isinstance(body, bytes):
        return json.loads(body)
    text = b"".join(frame.data for frame in body).decode()
    return [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: {")]


@pytest.mark.parametrize(
    ("model", "thinking", "wanted"),
    [
        ("command-a-reasoning-08-2025", None, Thinking("medium")),
        ("command-a-reasoning-08-2025", {"type": "disabled"}, None),
        ("command-a-reasoning-08-2025", {"type": "enabled", "token_budget": 99}, Thinking("medium", 99)),
        ("command-a-03-2025", {"type": "enabled"}, None),
    ],
)
def test_thinking(model: str, thinking: JSON, wanted: Thinking | None) -> None:
    assert DIALECT.ask(call(model, thinking=thinking)).thinking == wanted


def test_calls_come_with_a_plan() -> None:
    message = written(call(), CALL, ToolCall("ef" * 16, "time", ("{}",)), finish=Finish.TOOL_CALLS)["message"]
    assert message["tool_plan"] == "I will use the weather and time tools to answer the user's request."
    kinds = [event["type"] for event in written(call(stream=True), CALL, finish=Finish.TOOL_CALLS)]
    assert kinds[:2] == ["message-start", "tool-plan-delta"]
    assert kinds[-4:] == ["tool-call-delta", "tool-call-delta", "tool-call-end", "message-end"]


def test_a_model_that_thought_has_no_plan() -> None:
    message = written(call(), Reasoning(("Hm",)), CALL, finish=Finish.TOOL_CALLS)["message"]
    assert (message["content"], "tool_plan" in message) == ([{"type": "thinking", "thinking": "Hm"}], False)


DOCUMENTS: JSON = [{"id": "sky", "data": {"text": "The sky is green."}}, "Grass is blue."]


@pytest.mark.parametrize(
    ("asked", "kinds"),
    [
        (call(documents=DOCUMENTS), {"document"}),
        (call(messages=[USER, {"role": "assistant", "tool_calls": []}, RESULT]), {"tool"}),
        (call(messages=[USER, {"role": "tool", "tool_call_id": "c", "content": "rain"}]), {"tool"}),
        (call(documents=DOCUMENTS, citation_options={"mode": "OFF"}), set[str]()),
        (call(), set[str]()),
        (call(messages=[RESULT, USER]), set[str]()),
    ],
)
def test_citations(asked: Call, kinds: set[str]) -> None:
    message = written(asked, Text(("The ", "sky ", "is green.")))["message"]
    citations = message.get("citations", [])
    for citation in citations:
        assert message["content"][0]["text"][citation["start"] : citation["end"]] == citation["text"]
    assert {source["type"] for citation in citations for source in citation["sources"]} == kinds


def test_citations_are_streamed() -> None:
    found = written(call(documents=DOCUMENTS, stream=True), Text(("The ", "sky.")))
    starts = [event for event in found if event["type"] == "citation-start"]
    assert starts
    assert starts[0]["delta"]["message"]["citations"]["type"] == "TEXT_CONTENT"


def test_sources_as_recorded() -> None:
    citation = written(call(documents=DOCUMENTS[:1]), Text(("green.",)))["message"]["citations"][0]
    assert citation == {
        "start": 0,
        "end": 6,
        "text": "green.",
        "sources": [{"type": "document", "id": "sky", "document": {"text": "The sky is green.", "id": "sky"}}],
        "type": "TEXT_CONTENT",
    }
    result = {
        "role": "tool",
        "tool_call_id": "c",
        "content": [{"type": "document", "document": {"data": {"out": "5"}}}],
    }
    citation = written(call(messages=[USER, result]), Text(("5.",)))["message"]["citations"][0]
    assert citation["sources"] == [{"type": "tool", "id": "c:0", "tool_output": {"out": "5"}}]


PICTURE: JSON = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://x/y.png"}}]}


@pytest.mark.parametrize(
    ("asked", "tokens", "cached"),
    [
        (call(), {"input_tokens": 512, "output_tokens": 5}, True),
        (call("command-r"), {"input_tokens": 79, "output_tokens": 5}, False),
        (call("command-r-08-2024"), {"input_tokens": 79, "output_tokens": 5}, True),
        (call(messages=[PICTURE]), {"input_tokens": 512, "output_tokens": 5, "image_tokens": 259}, True),
    ],
)
def test_counts(asked: Call, tokens: JSON, cached: bool) -> None:
    usage = written(asked, Text(("a",)))["usage"]
    assert (usage["tokens"], "cached_tokens" in usage) == (tokens, cached)


@pytest.mark.parametrize("stream", [False, True])
def test_log_probabilities_of_the_text(stream: bool) -> None:
    """Of each token, whole and streamed alike, and the SDK's own type takes them."""
    body = {"model": "command-a-03-2025", "messages": [{"role": "user", "content": "Hi"}], "logprobs": True}
    raw = RawRequest("POST", "/v2/chat", "api.cohere.com", body=json.dumps({**body, "stream": stream}).encode())
    call = dialects.read(raw)
    answer = Engine(0).simulate(call, dialects.of(call), b"identity", FIRST, at_once=True).answer
    assert not isinstance(answer.chunks, AsyncIterator)
    text = b"".join(chunk.data for chunk in answer.chunks).decode()
    events = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: {")]
    found = [event["logprobs"] for event in events if "logprobs" in event] if stream else json.loads(text)["logprobs"]
    said = (
        "".join(event["delta"]["message"]["content"]["text"] for event in events if event["type"] == "content-delta")
        if stream
        else json.loads(text)["message"]["content"][0]["text"]
    )
    items = [LogprobItem.model_validate(item) for item in found]
    assert "".join(item.text or "" for item in items) == said
    assert all(item.logprobs and item.logprobs[0] <= 0 and len(item.token_ids) == 1 for item in items)
