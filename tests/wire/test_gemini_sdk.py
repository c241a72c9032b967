"""Google's own client at the simulator, on the developer API and on Vertex AI; OpenAI's client on the compatible path."""

from __future__ import annotations

import io
from collections.abc import Iterator
from math import sqrt
from typing import Any

import pytest
from google import genai
from google.auth.credentials import AnonymousCredentials
from google.genai import errors, types
from pydantic import BaseModel
from serving import ask, serving

from llm_simulator.config.settings import Settings

pytestmark = [pytest.mark.wire, pytest.mark.untraced]

MODEL = "gemini-2.5-flash"
DECLARED: Any = {
    "name": "weather",
    "description": "The weather of a city",
    "parameters_json_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
TOOLS: Any = [{"function_declarations": [DECLARED]}]
ANY: Any = {"function_calling_config": {"mode": "ANY"}}


class City(BaseModel):
    name: str
    people: int


@pytest.fixture(scope="module")
def base_url() -> Iterator[str]:
    with serving(Settings(port=0, speed=0.0)) as server:
        yield f"http://127.0.0.1:{server.port}"


@pytest.fixture(scope="module")
def client(base_url: str) -> genai.Client:
    options = types.HttpOptions(base_url=f"{base_url}/generativelanguage.googleapis.com")
    return genai.Client(api_key="simulated-key", http_options=options)


@pytest.fixture(scope="module")
def vertex(base_url: str) -> genai.Client:
    options = types.HttpOptions(base_url=f"{base_url}/us-central1-aiplatform.googleapis.com")
    credentials: Any = AnonymousCredentials()  # type: ignore[no-untyped-call]
    credentials.token = "t"
    return genai.Client(
        vertexai=True, project="p", location="us-central1", credentials=credentials, http_options=options
    )


def config(**more: Any) -> types.GenerateContentConfig:
    return types.GenerateContentConfig(**more)


@pytest.mark.parametrize("side", ["client", "vertex"])
def test_content(side: str, request: pytest.FixtureRequest) -> None:
    api: genai.Client = request.getfixturevalue(side)
    found = api.models.generate_content(model=MODEL, contents="Hello")
    assert found.text
    assert found.usage_metadata is not None
    assert found.usage_metadata.thoughts_token_count
    chunks = list(api.models.generate_content_stream(model=MODEL, contents="Hello"))
    assert "".join(chunk.text or "" for chunk in chunks)
    assert chunks[-1].candidates is not None
    assert chunks[-1].candidates[0].finish_reason in ("STOP", "MAX_TOKENS")


def test_thought_is_shown(client: genai.Client) -> None:
    thinking = types.ThinkingConfig(include_thoughts=True, thinking_budget=512)
    chunks = list(
        client.models.generate_content_stream(
            model="gemini-flash-latest", contents="Think", config=config(thinking_config=thinking)
        )
    )
    parts = [part for chunk in chunks for c in chunk.candidates or () for part in (c.content and c.content.parts) or ()]
    assert parts[0].thought
    assert parts[-1].thought_signature
    usage = chunks[-1].usage_metadata
    assert usage is not None
    assert 0 < (usage.thoughts_token_count or 0) <= 512


def test_tools_to_the_end(client: genai.Client) -> None:
    model = "gemini-3.5-flash"
    asked = types.Content(role="user", parts=[types.Part(text="The weather in Ulm?")])
    first = client.models.generate_content(model=model, contents=[asked], config=config(tools=TOOLS, tool_config=ANY))
    assert first.function_calls
    call = first.function_calls[0]
    assert (call.name, len(call.id or "")) == ("weather", 8)
    assert isinstance((call.args or {})["city"], str)
    assert first.candidates
    said = first.candidates[0].content
    assert said is not None
    result = types.Part.from_function_response(name="weather", response={"sky": "rain"})
    ended = client.models.generate_content(
        model=model,
        contents=[asked, said, types.Content(role="user", parts=[result])],
        config=config(tools=TOOLS, tool_config=ANY),
    )
    assert ended.text


def test_structured_output(client: genai.Client) -> None:
    wanted = config(response_mime_type="application/json", response_schema=City)
    found = client.models.generate_content(model=MODEL, contents="A city", config=wanted)
    assert isinstance(found.parsed, City)
    wanted = config(response_mime_type="application/json", response_json_schema=City.model_json_schema())
    found = client.models.generate_content(model=MODEL, contents="A city", config=wanted)
    assert City.model_validate_json(found.text or "")


def test_the_array_form(base_url: str) -> None:
    path = f"/generativelanguage.googleapis.com/v1/models/{MODEL}:streamGenerateContent"
    got = ask(base_url, path, {"contents": [{"parts": [{"text": "Hello"}]}]})
    assert got.header("content-type") == "application/json; charset=UTF-8"
    assert isinstance(got.json(), list)
    framed = ask(base_url, f"{path}?alt=sse", {"contents": [{"parts": [{"text": "Hello"}]}]})
    assert framed.header("content-type") == "text/event-stream"
    assert framed.body.count(b"\r\n\r\n") == framed.body.count(b"data: {")
    assert b"\n\n" not in framed.body


@pytest.mark.parametrize("side", ["client", "vertex"])
def test_tokens(side: str, request: pytest.FixtureRequest) -> None:
    api: genai.Client = request.getfixturevalue(side)
    assert (api.models.count_tokens(model=MODEL, contents="The quick brown fox").total_tokens or 0) > 2


@pytest.mark.parametrize("side", ["client", "vertex"])
def test_embeddings(side: str, request: pytest.FixtureRequest) -> None:
    api: genai.Client = request.getfixturevalue(side)
    texts = [types.Content(parts=[types.Part(text=text)]) for text in ("a cat", "a cat", "tax law")]
    found = api.models.embed_content(model="gemini-embedding-001", contents=texts)
    one, two, three = ([*(item.values or ())] for item in found.embeddings or ())
    assert (len(one), one) == (3072, two)
    assert abs(sqrt(sum(value * value for value in one)) - 1) < 1e-5
    assert sum(a * b for a, b in zip(one, three, strict=True)) < 0.5
    small = api.models.embed_content(
        model="gemini-embedding-001", contents="a", config=types.EmbedContentConfig(output_dimensionality=256)
    )
    assert small.embeddings
    assert len(small.embeddings[0].values or ()) == 256


def test_embeddings_of_the_second_generation_on_vertex(vertex: genai.Client) -> None:
    found = vertex.models.embed_content(model="gemini-embedding-2", contents="a cat")
    assert found.embeddings
    statistics = found.embeddings[0].statistics
    assert statistics is not None
    assert statistics.token_count == 2


def test_models(client: genai.Client, vertex: genai.Client) -> None:
    listed = list(client.models.list(config={"page_size": 20}))
    assert len(listed) > 40
    found = client.models.get(model=MODEL)
    assert (found.name, found.thinking) == (f"models/{MODEL}", True)
    with pytest.raises(errors.ClientError, match="no-such-model"):
        client.models.get(model="no-such-model")
    assert (vertex.models.get(model=MODEL).name or "").endswith(MODEL)


def test_googles_own_tools(client: genai.Client) -> None:
    tools: Any = [{"code_execution": {}}, {"google_search": {}}]
    found = client.models.generate_content(model=MODEL, contents="The sum?", config=config(tools=tools))
    assert found.executable_code
    assert found.code_execution_result
    assert found.text
    assert found.candidates
    grounding = found.candidates[0].grounding_metadata
    assert grounding is not None
    assert grounding.web_search_queries


def test_cached_contents_are_billed_apart(client: genai.Client) -> None:
    cache = client.caches.create(model=MODEL, config={"contents": "word " * 3000, "ttl": "300s"})
    assert cache.usage_metadata is not None
    found = client.models.generate_content(model=MODEL, contents="Hello", config=config(cached_content=cache.name))
    usage = found.usage_metadata
    assert usage is not None
    assert usage.cached_content_token_count == cache.usage_metadata.total_token_count
    assert (usage.prompt_token_count or 0) > (usage.cached_content_token_count or 0)
    client.caches.delete(name=cache.name or "")


def test_interactions(client: genai.Client) -> None:
    made: Any = client.interactions.create(model=MODEL, input="Hello")
    assert made.status in ("completed", "incomplete")
    assert client.interactions.get(id=made.id).id == made.id
    later: Any = client.interactions.create(model=MODEL, input="Go on", previous_interaction_id=made.id)
    assert later.usage.total_input_tokens > made.usage.total_input_tokens
    stream: Any = client.interactions.create(model=MODEL, input="Hello", stream=True)
    kinds = [event.event_type for event in stream]
    assert (kinds[0], kinds[-1]) == ("interaction.created", "interaction.completed")
    client.interactions.delete(id=made.id)


def test_files_caches_and_batches(client: genai.Client) -> None:
    assert list(client.files.list()) == []
    file = client.files.upload(file=io.BytesIO(b"hello"), config={"mime_type": "text/plain", "display_name": "a"})
    assert file.name
    assert client.files.get(name=file.name).size_bytes == 5
    assert [one.name for one in client.files.list()] == [file.name]
    client.files.delete(name=file.name)
    assert list(client.files.list()) == []
    cache = client.caches.create(model=MODEL, config={"contents": "one two", "ttl": "300s"})
    assert cache.name
    assert client.caches.update(name=cache.name, config={"ttl": "600s"}).expire_time != cache.expire_time
    assert [one.name for one in client.caches.list()] == [cache.name]
    client.caches.delete(name=cache.name)
    requests: Any = [{"contents": [{"parts": [{"text": "Hello"}]}]}]
    job = client.batches.create(model=MODEL, src=requests)
    assert job.name
    assert client.batches.get(name=job.name).state == types.JobState.JOB_STATE_RUNNING
    done = client.batches.get(name=job.name)
    assert done.state == types.JobState.JOB_STATE_SUCCEEDED
    assert done.dest
    assert done.dest.inlined_responses
    answer = done.dest.inlined_responses[0].response
    assert answer is not None
    assert answer.text
    assert [one.name for one in client.batches.list()] == [job.name]
    client.batches.delete(name=job.name)


def test_openais_client_on_the_compatible_path(base_url: str) -> None:
    from openai import OpenAI

    with OpenAI(api_key="k", base_url=f"{base_url}/generativelanguage.googleapis.com/v1beta/openai/") as api:
        answer = api.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "Hello"}])
        assert answer.choices[0].message.content
        stream = api.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "Hello"}], stream=True)
        assert "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)
        embedded = api.embeddings.create(model="gemini-embedding-001", input="Hello", dimensions=8)
        assert len(embedded.data[0].embedding) == 8
        assert f"models/{MODEL}" in {model.id for model in api.models.list()}
