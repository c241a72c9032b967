"""Anthropic's own client at the simulator: every endpoint that it has for messages, batches, files and models."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import anthropic
import pytest
from anthropic import Anthropic
from pydantic import BaseModel
from serving import serving
from strictness import unknown

from llm_simulator.config.settings import Settings

pytestmark = [pytest.mark.wire, pytest.mark.untraced]

MODEL = "claude-haiku-4-5"
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
TOOL: Any = {
    "name": "weather",
    "description": "The weather of a city",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


class City(BaseModel):
    name: str
    people: int


@pytest.fixture(scope="module")
def client() -> Iterator[Anthropic]:
    with serving(Settings(port=0, speed=0.0)) as server:
        base_url = f"http://127.0.0.1:{server.port}/api.anthropic.com"
        with Anthropic(api_key="sk-ant-simulated-key", base_url=base_url, max_retries=0) as made:
            yield made


def test_a_message(client: Anthropic) -> None:
    message = client.messages.create(model=MODEL, max_tokens=64, messages=[{"role": "user", "content": "Hello"}])
    assert list(unknown(message)) == []
    assert message.model == "claude-haiku-4-5-20251001"
    assert message.content[0].type == "text"
    assert message.stop_reason in ("end_turn", "max_tokens")


def test_a_stream_with_thought(client: Anthropic) -> None:
    kinds: list[str] = []
    with client.messages.stream(
        model=MODEL,
        max_tokens=2000,
        thinking={"type": "enabled", "budget_tokens": 1024},
        messages=[{"role": "user", "content": "Think about this"}],
    ) as stream:
        kinds.extend(event.type for event in stream)
        message = stream.get_final_message()
    assert list(unknown(message)) == []
    thought = message.content[0]
    assert thought.type == "thinking"
    assert thought.thinking
    assert thought.signature.startswith("E")
    assert message.content[-1].type == "text"
    assert {"message_start", "content_block_start", "content_block_delta", "thinking", "signature", "text"} <= {*kinds}
    assert message.usage.output_tokens_details is not None
    assert 0 < message.usage.output_tokens_details.thinking_tokens < message.usage.output_tokens
    again = client.messages.create(
        model=MODEL,
        max_tokens=2000,
        thinking={"type": "enabled", "budget_tokens": 1024},
        messages=[
            {"role": "user", "content": "Think about this"},
            {"role": "assistant", "content": message.content},
            {"role": "user", "content": "And now?"},
        ],
    )
    assert list(unknown(again)) == []


def test_redacted_thought_and_refusal(client: Anthropic) -> None:
    redacted = "ANTHROPIC_MAGIC_STRING_TRIGGER_REDACTED_THINKING_46C9A13E193C177646C7398A98432ECC"
    message = client.messages.create(
        model=MODEL,
        max_tokens=2000,
        thinking={"type": "enabled", "budget_tokens": 1024},
        messages=[{"role": "user", "content": redacted}],
    )
    assert message.content[0].type == "redacted_thinking"
    refusal = "ANTHROPIC_MAGIC_STRING_TRIGGER_REFUSAL_1FAEFB6177B4672DEE07F9D3AFC62588"
    with client.messages.stream(model=MODEL, max_tokens=20, messages=[{"role": "user", "content": refusal}]) as stream:
        refused = stream.get_final_message()
    assert (refused.stop_reason, refused.content) == ("refusal", [])
    assert refused.stop_details is not None


def test_tools_to_the_end(client: Anthropic) -> None:
    asked: Any = [{"role": "user", "content": "How is the weather in Ulm?"}]
    with client.messages.stream(
        model=MODEL, max_tokens=200, tools=[TOOL], tool_choice={"type": "any"}, messages=asked
    ) as stream:
        pieces = [event.partial_json for event in stream if event.type == "input_json"]
        message = stream.get_final_message()
    call = message.content[-1]
    assert call.type == "tool_use"
    assert pieces
    assert message.stop_reason == "tool_use"
    assert isinstance(call.input, dict)
    assert isinstance(call.input["city"], str)
    result: Any = {"type": "tool_result", "tool_use_id": call.id, "content": "Rain"}
    ended = client.messages.create(
        model=MODEL,
        max_tokens=200,
        tools=[TOOL],
        tool_choice={"type": "any"},
        messages=[*asked, {"role": "assistant", "content": message.content}, {"role": "user", "content": [result]}],
    )
    assert ended.stop_reason in ("end_turn", "max_tokens")


def test_structured_output(client: Anthropic) -> None:
    parsed = client.messages.parse(
        model=MODEL, max_tokens=500, output_format=City, messages=[{"role": "user", "content": "A city"}]
    )
    assert isinstance(parsed.parsed_output, City)


def test_images_and_documents_are_counted(client: Anthropic) -> None:
    pdf = base64.b64encode(b"%PDF-1.4 /Type /Pages /Type /Page /Type /Page").decode()
    source = {"type": "base64", "media_type": "image/png", "data": PNG}
    text: Any = [{"type": "text", "text": "What is this?"}]

    def tokens(*blocks: object) -> int:
        content: Any = [*blocks, *text]
        return client.messages.count_tokens(model=MODEL, messages=[{"role": "user", "content": content}]).input_tokens

    plain = tokens()
    assert tokens({"type": "image", "source": source}) == plain + 1
    document = {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": pdf}}
    assert tokens(document) > plain + 4000
    written = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "word " * 100}}
    assert tokens(written) > plain + 90


def test_sources(client: Anthropic) -> None:
    tools: Any = [{"type": "web_search_20250305", "name": "web_search"}]
    with client.messages.stream(
        model=MODEL, max_tokens=300, tools=tools, messages=[{"role": "user", "content": "The weather in Ulm?"}]
    ) as stream:
        kinds = {event.type for event in stream}
        message = stream.get_final_message()
    assert list(unknown(message)) == []
    assert [block.type for block in message.content][:2] == ["server_tool_use", "web_search_tool_result"]
    assert "citation" in kinds
    source: Any = {"type": "text", "media_type": "text/plain", "data": "The sky is green. Grass is blue."}
    document: Any = {"type": "document", "source": source, "citations": {"enabled": True}}
    content: Any = [document, {"type": "text", "text": "What colour is it?"}]
    cited = client.messages.create(model=MODEL, max_tokens=300, messages=[{"role": "user", "content": content}])
    assert any(block.type == "text" and block.citations for block in cited.content)


def test_the_prompt_cache_is_written_then_read(client: Anthropic) -> None:
    system: Any = [{"type": "text", "text": "Rules of the house. " * 1000, "cache_control": {"type": "ephemeral"}}]
    turns: Any = [{"role": "user", "content": "Hello"}]
    first = client.messages.create(model=MODEL, max_tokens=20, system=system, messages=turns)
    written = first.usage.cache_creation_input_tokens
    assert written is not None
    assert written > 4096
    assert first.usage.cache_creation is not None
    assert first.usage.cache_creation.ephemeral_5m_input_tokens == written
    turns += [{"role": "assistant", "content": "Hi"}, {"role": "user", "content": "Go on"}]
    second = client.messages.create(model=MODEL, max_tokens=20, system=system, messages=turns)
    assert second.usage.cache_creation_input_tokens == 0
    assert second.usage.cache_read_input_tokens is not None
    assert abs(second.usage.cache_read_input_tokens - written) < 60


def test_a_batch(client: Anthropic) -> None:
    params: Any = {"model": MODEL, "max_tokens": 20, "messages": [{"role": "user", "content": "Hello"}]}
    broken: Any = {"model": MODEL, "max_tokens": 20, "messages": []}
    made = client.messages.batches.create(
        requests=[{"custom_id": "one", "params": params}, {"custom_id": "two", "params": broken}]
    )
    assert client.messages.batches.retrieve(made.id).processing_status == "in_progress"
    ended = client.messages.batches.retrieve(made.id)
    assert (ended.processing_status, ended.request_counts.succeeded) == ("ended", 1)
    lines = {line.custom_id: line.result for line in client.messages.batches.results(made.id)}
    assert [list(unknown(line)) for line in lines.values()] == [[], []]
    one, two = lines["one"], lines["two"]
    assert one.type == "succeeded"
    assert one.message.usage.service_tier == "batch"
    assert two.type == "errored"
    assert two.error.error.type == "invalid_request_error"
    assert [batch.id for batch in client.messages.batches.list()] == [made.id]
    with pytest.raises(anthropic.BadRequestError, match="already ended"):
        client.messages.batches.cancel(made.id)
    assert client.messages.batches.delete(made.id).type == "message_batch_deleted"
    with pytest.raises(anthropic.NotFoundError):
        client.messages.batches.retrieve(made.id)
    second = client.messages.batches.create(requests=[{"custom_id": "one", "params": params}])
    assert client.messages.batches.cancel(second.id).processing_status == "canceling"


def test_files(client: Anthropic) -> None:
    made = client.files.upload(file=("notes.txt", b"hello", "text/plain"))
    assert list(unknown(made)) == []
    assert client.files.retrieve_metadata(made.id) == made
    assert [file.id for file in client.files.list()] == [made.id]
    with pytest.raises(anthropic.BadRequestError, match="downloadable"):
        client.files.download(made.id)
    assert client.files.delete(made.id).type == "file_deleted"
    with pytest.raises(anthropic.NotFoundError):
        client.files.retrieve_metadata(made.id)


def test_models(client: Anthropic) -> None:
    listed = list(client.models.list(limit=5))
    assert len(listed) > 10
    assert [list(unknown(model)) for model in listed if list(unknown(model))] == []
    assert client.models.retrieve("claude-haiku-4-5").id == "claude-haiku-4-5-20251001"
    with pytest.raises(anthropic.NotFoundError):
        client.models.retrieve("no-such-model")
