"""OpenAI's own client at the simulator: the Responses API with all it stores, and legacy completions."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any, Literal

import openai
import pytest
from openai import AsyncOpenAI, AzureOpenAI, OpenAI
from openai.types.responses import Response
from pydantic import BaseModel
from serving import serving

from llm_simulator.config.settings import Settings
from llm_simulator.proxy.server import Server

pytestmark = [pytest.mark.wire, pytest.mark.untraced]

MODEL = "gpt-4.1-mini"
TOOL: Any = {
    "type": "function",
    "name": "get_weather",
    "description": "The weather of a city",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


class City(BaseModel):
    name: str
    people: int
    climate: Literal["mild", "harsh"]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving(Settings(port=0, speed=0.0)) as running:
        yield running


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[OpenAI]:
    base_url = f"http://127.0.0.1:{server.port}/api.openai.com/v1"
    with OpenAI(api_key="sk-simulated", base_url=base_url, max_retries=0) as made:
        yield made


def test_a_text(client: OpenAI) -> None:
    answer = client.responses.with_raw_response.create(model=MODEL, input="Hello", metadata={"run": "7"})
    response = answer.parse()
    assert response.status == "completed"
    assert response.output_text
    assert response.model == "gpt-4.1-mini-2025-04-14"
    assert response.metadata == {"run": "7"}
    assert response.usage is not None
    assert response.usage.total_tokens == response.usage.input_tokens + response.usage.output_tokens
    assert answer.headers["x-request-id"].startswith("req_")
    assert answer.headers["x-llm-simulator-state"] == "session"


def test_a_stream_tells_what_the_whole_answer_tells(client: OpenAI) -> None:
    whole = client.responses.create(model=MODEL, input="A long story")
    with client.responses.stream(model=MODEL, input="A long story") as stream:
        events = list(stream)
        final = stream.get_final_response()
    assert [event.sequence_number for event in events] == list(range(len(events)))
    kinds = list(dict.fromkeys(event.type for event in events))
    assert kinds == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert final.output_text == "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert final.status == whole.status == "completed"


def test_tools_to_the_end(client: OpenAI) -> None:
    asked: Any = [{"role": "user", "content": "How is the weather in Ulm?"}]
    first = client.responses.create(model=MODEL, input=asked, tools=[TOOL], tool_choice="required")
    [call] = first.output
    assert call.type == "function_call"
    assert list(json.loads(call.arguments)) == ["city"]
    result: Any = {"type": "function_call_output", "call_id": call.call_id, "output": "sunny"}
    history: Any = [*asked, call.to_dict(), result]
    by_history = client.responses.create(model=MODEL, input=history, tools=[TOOL], tool_choice="required")
    by_reference = client.responses.create(
        model=MODEL, input=[result], previous_response_id=first.id, tools=[TOOL], tool_choice="required"
    )
    for last in (by_history, by_reference):
        assert last.output_text
        assert [item.type for item in last.output] == ["message"]
    assert by_reference.previous_response_id == first.id
    assert by_history.usage is not None
    assert by_reference.usage is not None
    assert by_history.usage.input_tokens == by_reference.usage.input_tokens


def test_tool_arguments_are_streamed(client: OpenAI) -> None:
    with client.responses.stream(model=MODEL, input="Ulm?", tools=[TOOL], tool_choice="required") as stream:
        pieces = [event.delta for event in stream if event.type == "response.function_call_arguments.delta"]
        [call] = stream.get_final_response().output
    assert call.type == "function_call"
    assert "".join(pieces) == call.arguments


def test_parsed_into_a_type(client: OpenAI) -> None:
    answer = client.responses.parse(model=MODEL, input="Describe Ulm", text_format=City)
    assert isinstance(answer.output_parsed, City)
    with client.responses.stream(model=MODEL, input="Describe Bonn", text_format=City) as stream:
        assert isinstance(stream.get_final_response().output_parsed, City)


def test_stored_looked_at_and_deleted(client: OpenAI) -> None:
    first = client.responses.create(model=MODEL, input="What is an owl?")
    second = client.responses.create(model=MODEL, input="And a bat?", previous_response_id=first.id)
    assert client.responses.retrieve(first.id).to_dict() == first.to_dict()
    items = list(client.responses.input_items.list(second.id, order="asc", limit=2))
    assert [item.type for item in items] == ["message", "message", "message"]
    assert [getattr(item, "role", "") for item in items] == ["user", "assistant", "user"]
    client.responses.delete(first.id)
    with pytest.raises(openai.NotFoundError, match=f"Response with id '{first.id}' not found"):
        client.responses.retrieve(first.id)
    with pytest.raises(openai.BadRequestError) as refused:
        client.responses.create(model=MODEL, input="More", previous_response_id=first.id)
    assert refused.value.code == "previous_response_not_found"


def test_not_stored(client: OpenAI) -> None:
    answer = client.responses.create(model=MODEL, input="Forget this", store=False)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(answer.id)


def test_in_the_background(client: OpenAI) -> None:
    job = client.responses.create(model=MODEL, input="Think about owls", background=True)
    seen = [job.status]
    while seen[-1] in ("queued", "in_progress"):
        seen.append(client.responses.retrieve(job.id).status)
    assert seen == ["queued", "in_progress", "completed"]
    assert client.responses.retrieve(job.id).output_text
    assert client.responses.cancel(job.id).status == "completed"
    other = client.responses.create(model=MODEL, input="Think about bats", background=True)
    assert client.responses.cancel(other.id).status == "cancelled"
    assert client.responses.retrieve(other.id).status == "cancelled"
    plain = client.responses.create(model=MODEL, input="Think about cats")
    with pytest.raises(openai.BadRequestError, match="Cannot cancel a synchronous response"):
        client.responses.cancel(plain.id)


def test_a_broken_off_stream_is_taken_up_again(client: OpenAI) -> None:
    stream = client.responses.create(model=MODEL, input="Owls", background=True, stream=True)
    events = list(stream)
    created = events[0]
    assert created.type == "response.created"
    assert [event.type for event in events[:3]] == ["response.created", "response.queued", "response.in_progress"]
    again = list(client.responses.retrieve(created.response.id, stream=True, starting_after=5))
    assert [event.to_dict() for event in again] == [event.to_dict() for event in events[6:]]


def test_too_few_tokens(client: OpenAI) -> None:
    answer = client.responses.create(model=MODEL, input="A long story", max_output_tokens=16)
    assert answer.status == "incomplete"
    assert answer.incomplete_details is not None
    assert answer.incomplete_details.reason == "max_output_tokens"
    assert answer.usage is not None
    assert answer.usage.output_tokens == 16


def test_tokens_are_counted_without_an_answer(client: OpenAI) -> None:
    counted = client.responses.input_tokens.count(model=MODEL, input="Hello there")
    answer = client.responses.create(model=MODEL, input="Hello there")
    assert answer.usage is not None
    assert counted.input_tokens == answer.usage.input_tokens


def test_compacted(client: OpenAI) -> None:
    before: Any = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    made = client.responses.with_raw_response.compact(model=MODEL, input=before)
    assert [item.type for item in made.parse().output] == ["message", "compaction"]
    # The SDK takes a user's message for one of the assistant's and warns when it is written back.
    more: Any = [*made.http_response.json()["output"], {"role": "user", "content": "Go on"}]
    assert client.responses.create(model=MODEL, input=more).output_text


def test_in_a_conversation(client: OpenAI) -> None:
    talk = client.conversations.create(metadata={"topic": "owls"}, items=[{"role": "user", "content": "I like owls."}])
    first = client.responses.create(model=MODEL, input="Why?", conversation=talk.id)
    client.responses.create(model=MODEL, input="Go on", conversation={"id": talk.id})
    assert first.conversation is not None
    assert first.conversation.id == talk.id
    items = list(client.conversations.items.list(talk.id, order="asc", limit=2))
    assert [getattr(item, "role", "") for item in items] == ["user", "user", "assistant", "user", "assistant"]
    alone = client.responses.create(model=MODEL, input="Why?")
    assert first.usage is not None
    assert alone.usage is not None
    assert first.usage.input_tokens > alone.usage.input_tokens
    client.conversations.delete(talk.id)
    with pytest.raises(openai.NotFoundError, match="not found"):
        client.responses.create(model=MODEL, input="More", conversation=talk.id)


@pytest.mark.filterwarnings("ignore:connect.. must be used:DeprecationWarning")  # the SDK uses `websockets` the old way
def test_over_a_websocket(client: OpenAI) -> None:
    with client.responses.connect() as connection:
        connection.response.create(model=MODEL, input="Hello")
        first = _until_completed(connection)
        connection.response.create(model=MODEL, input="And?", previous_response_id=first.id)
        second = _until_completed(connection)
        connection.response.create(model=MODEL, input="And?", previous_response_id="resp_none")
        refused = connection.recv()
    assert second.previous_response_id == first.id
    assert refused.type == "error"
    assert client.responses.retrieve(second.id).output_text == second.output_text


def _until_completed(connection: Any) -> Response:
    for event in connection:
        if event.type == "response.completed":
            assert isinstance(event.response, Response)
            return event.response
    raise AssertionError("the socket ended before the response")


def test_async(server: Server) -> None:
    async def talk() -> tuple[str, str]:
        base_url = f"http://127.0.0.1:{server.port}/api.openai.com/v1"
        async with AsyncOpenAI(api_key="sk-simulated", base_url=base_url, max_retries=0) as client:
            whole = await client.responses.create(model=MODEL, input="Hello")
            async with client.responses.stream(model=MODEL, input="Hello") as stream:
                final = await stream.get_final_response()
            return whole.output_text, final.output_text

    whole, streamed = asyncio.run(talk())
    assert whole
    assert streamed


@pytest.mark.parametrize("kept", [True, False])
def test_azure(server: Server, kept: bool) -> None:
    endpoint = f"http://127.0.0.1:{server.port}/res.openai.azure.com"
    with AzureOpenAI(
        api_key="0" * 32, azure_endpoint=endpoint, api_version="2025-04-01-preview", max_retries=0
    ) as client:
        answer = client.responses.with_raw_response.create(model="my-gpt-4o", input="Hello", store=kept)
        assert answer.headers["apim-request-id"]
        response = answer.parse()
        assert response.output_text
        assert "content_filters" in response.to_dict()
        with client.responses.stream(model="my-gpt-4o", input="Hello") as stream:
            assert stream.get_final_response().output_text
    with OpenAI(api_key="0" * 32, base_url=f"{endpoint}/openai/v1/", max_retries=0) as client:
        assert client.responses.create(model="my-gpt-4o", input="Hello").output_text


def test_legacy_completions(client: OpenAI) -> None:
    answer = client.completions.create(model="gpt-3.5-turbo-instruct", prompt=["One", "Two"], n=2, echo=True)
    assert [choice.index for choice in answer.choices] == [0, 1, 2, 3]
    assert [choice.text[:3] for choice in answer.choices] == ["One", "One", "Two", "Two"]
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 64
    assert {choice.finish_reason for choice in answer.choices} == {"length"}


def test_legacy_completions_streamed(client: OpenAI) -> None:
    whole = client.completions.create(model="davinci-002", prompt=[9906, 1917], max_tokens=8, logprobs=2)
    stream = client.completions.create(
        model="davinci-002",
        prompt=[9906, 1917],
        max_tokens=8,
        logprobs=2,
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = list(stream)
    assert whole.choices[0].logprobs is not None
    assert len(whole.choices[0].logprobs.tokens or ()) == 8
    assert len(chunks) == 9
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 8
    assert chunks[-2].choices[0].finish_reason == "length"
    assert all(chunk.choices[0].logprobs for chunk in chunks[:-1])


def test_legacy_completions_at_azure(server: Server) -> None:
    endpoint = f"http://127.0.0.1:{server.port}/res.openai.azure.com"
    with AzureOpenAI(api_key="0" * 32, azure_endpoint=endpoint, api_version="2024-10-21", max_retries=0) as client:
        answer = client.completions.create(model="my-instruct", prompt="Once upon a time", max_tokens=5)
    assert answer.model == "my-instruct"
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 5
