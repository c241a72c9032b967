"""Cohere's own clients (v1 and v2) at the simulator: chat, embeddings, rerank, tokens, models."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import cohere
import pytest
from serving import serving
from strictness import unknown

from llm_simulator.config.settings import Settings

pytestmark = [pytest.mark.wire, pytest.mark.untraced]

MODEL = "command-a-03-2025"
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS: Any = [{"type": "function", "function": {"name": "weather", "description": "w", "parameters": SCHEMA}}]
DOCUMENTS: Any = [{"id": "sky", "data": {"text": "The sky is green."}}]


@pytest.fixture(scope="module")
def base_url() -> Iterator[str]:
    with serving(Settings(port=0, speed=0.0)) as server:
        yield f"http://127.0.0.1:{server.port}/api.cohere.com"


@pytest.fixture(scope="module")
def client(base_url: str) -> cohere.ClientV2:
    return cohere.ClientV2(api_key="simulated-key", base_url=base_url)


@pytest.fixture(scope="module")
def first(base_url: str) -> cohere.Client:
    return cohere.Client(api_key="simulated-key", base_url=base_url)


def messages(*more: Any) -> Any:
    return [{"role": "user", "content": "How is the weather?"}, *more]


def test_chat(client: cohere.ClientV2) -> None:
    found = client.chat(model=MODEL, messages=messages())
    assert list(unknown(found)) == []
    assert found.message.content
    kinds = [event.type for event in client.chat_stream(model=MODEL, messages=messages())]
    assert (kinds[0], kinds[-1]) == ("message-start", "message-end")


def test_reasoning(client: cohere.ClientV2) -> None:
    found = client.chat(model="command-a-reasoning-08-2025", messages=messages())
    assert [item.type for item in found.message.content or ()] == ["thinking", "text"]


def test_tools_to_the_end(client: cohere.ClientV2) -> None:
    found = client.chat(model=MODEL, messages=messages(), tools=TOOLS, tool_choice="REQUIRED")
    assert found.finish_reason == "TOOL_CALL"
    assert found.message.tool_plan
    calls = found.message.tool_calls
    assert calls
    said = {"role": "assistant", "tool_calls": calls, "tool_plan": found.message.tool_plan}
    result = {"role": "tool", "tool_call_id": calls[0].id, "content": '{"sky": "rain"}'}
    ended = client.chat(model=MODEL, messages=messages(said, result), tools=TOOLS, tool_choice="REQUIRED")
    assert ended.finish_reason in ("COMPLETE", "MAX_TOKENS")
    assert ended.message.citations
    kinds = {
        event.type
        for event in client.chat_stream(model=MODEL, messages=messages(), tools=TOOLS, tool_choice="REQUIRED")
    }
    assert {"tool-plan-delta", "tool-call-start", "tool-call-delta", "tool-call-end"} <= kinds


def test_documents_and_structure(client: cohere.ClientV2) -> None:
    found = client.chat(model=MODEL, messages=messages(), documents=DOCUMENTS)
    assert list(unknown(found)) == []
    assert found.message.citations
    wanted: Any = {"type": "json_object", "json_schema": SCHEMA}
    found = client.chat(model=MODEL, messages=messages(), response_format=wanted)
    assert found.message.content
    first = found.message.content[0]
    assert first.type == "text"
    assert '"city"' in first.text


def test_the_first_version_of_chat(first: cohere.Client) -> None:
    found = first.chat(model=MODEL, message="Hello")
    assert list(unknown(found)) == []
    assert found.text
    assert found.chat_history
    events = list(first.chat_stream(model=MODEL, message="Hello"))
    kinds = [event.event_type for event in events]
    assert (kinds[0], kinds[1], kinds[-1]) == ("stream-start", "text-generation", "stream-end")
    tools: Any = [{"name": "weather", "description": "w", "parameter_definitions": {"city": {"type": "str"}}}]
    results: Any = [{"call": {"name": "weather", "parameters": {"city": "Ulm"}}, "outputs": [{"sky": "rain"}]}]
    assert first.chat(model=MODEL, message="Hello", tools=tools, tool_results=results).text


def test_embeddings(client: cohere.ClientV2, first: cohere.Client) -> None:
    kinds: Any = ["float", "int8", "uint8", "binary", "ubinary", "base64"]
    found = client.embed(model="embed-v4.0", input_type="search_document", texts=["a", "b"], embedding_types=kinds)
    assert list(unknown(found)) == []
    assert found.embeddings.float_
    assert len(found.embeddings.float_[0]) == 1536
    assert found.embeddings.ubinary
    assert len(found.embeddings.ubinary[1]) == 192
    older = first.embed(model="embed-english-v3.0", input_type="search_query", texts=["a"])
    assert older.response_type == "embeddings_floats"
    assert len(older.embeddings[0]) == 1024


def test_rerank(client: cohere.ClientV2, first: cohere.Client) -> None:
    documents = ["This is about physics.", "This is about penguins."]
    found = client.rerank(model="rerank-v3.5", query="penguins", documents=documents)
    assert [item.index for item in found.results] == [1, 0]
    older = first.rerank(model="rerank-english-v3.0", query="penguins", documents=documents, return_documents=True)
    assert older.results[0].document is not None
    assert older.results[0].document.text == documents[1]


def test_tokens(first: cohere.Client) -> None:
    found = first.tokenize(text="hello, world", model=MODEL, offline=False)
    assert found.token_strings == ["hello", ",", " world"]
    assert first.detokenize(tokens=found.tokens, model=MODEL, offline=False).text == "hello, world"


def test_models(client: cohere.ClientV2) -> None:
    assert client.models.get(MODEL).name == MODEL
    assert client.models.get("command-r").context_length == 128_000
    names = {model.name for model in client.models.list(page_size=100, endpoint="embed").models}
    assert "embed-v4.0" in names
    with pytest.raises(cohere.NotFoundError):
        client.models.get("no-such-model")
