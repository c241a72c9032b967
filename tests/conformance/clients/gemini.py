"""The official Google SDK: the Gemini API (v1 and v1beta) and Vertex."""

from __future__ import annotations

import io
from typing import Any, Literal

import cases
from cases import SENTENCE, TOLD, TOOL, TOOL_SCHEMA, TOOL_TEXT, case, check_tool_input, raised, several
from google import genai
from google.genai import errors, types
from google.oauth2.credentials import Credentials
from pydantic import BaseModel

at = cases.hosts()
BASE = at("generativelanguage.googleapis.com")
V1 = genai.Client(api_key="AIza-none", http_options={"base_url": BASE})
BETA = genai.Client(api_key="AIza-none", http_options={"base_url": BASE, "api_version": "v1beta"})
VERTEX = genai.Client(
    vertexai=True,
    project="ours",
    location="us-central1",
    credentials=Credentials("ya29.none"),
    http_options={"base_url": at("us-central1-aiplatform.googleapis.com")},
)
MODEL = "gemini-2.5-flash"
EMBEDDING = "gemini-embedding-001"


class Person(BaseModel):
    name: str
    age: int
    mood: Literal["glad", "sad"]
    friends: list[str]


FUNCTIONS = types.Tool(
    function_declarations=[
        types.FunctionDeclaration(
            name=TOOL,
            description=TOOL_TEXT,
            parameters_json_schema={k: v for k, v in TOOL_SCHEMA.items() if k != "additionalProperties"},
        )
    ]
)
CALLING = types.GenerateContentConfig(
    tools=[FUNCTIONS],
    tool_config=types.ToolConfig(
        function_calling_config=types.FunctionCallingConfig(mode=types.FunctionCallingConfigMode.ANY)
    ),
    automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
)


def check_whole(answer: types.GenerateContentResponse) -> None:
    assert answer.text
    assert answer.response_id
    assert (answer.model_version or "").startswith(MODEL)
    assert answer.candidates
    assert answer.candidates[0].finish_reason == types.FinishReason.STOP
    assert answer.candidates[0].content
    assert answer.candidates[0].content.role == "model"
    usage = answer.usage_metadata
    assert usage
    assert (usage.prompt_token_count or 0) > 0
    assert (usage.candidates_token_count or 0) > 0
    counts = (usage.prompt_token_count, usage.candidates_token_count, usage.thoughts_token_count)
    assert usage.total_token_count == sum(count or 0 for count in counts)


@case("gemini.generateContent", "whole", V1)
@case("gemini.generateContent", "whole, v1beta", BETA)
@case("vertex.generateContent", "whole", VERTEX)
def whole(client: genai.Client) -> None:
    config = types.GenerateContentConfig(system_instruction="Be brief.", temperature=0.5)
    check_whole(client.models.generate_content(model=MODEL, contents=SENTENCE, config=config))


@case("gemini.generateContent", "asynchronous", BASE, "")
async def asynchronous(base: str, _: str) -> None:
    client = genai.Client(api_key="AIza-none", http_options={"base_url": base})
    check_whole(await client.aio.models.generate_content(model=MODEL, contents=SENTENCE))
    stream = await client.aio.models.generate_content_stream(model=MODEL, contents=SENTENCE)
    several([chunk.text or "" async for chunk in stream])
    await client.aio.aclose()


@case("gemini.streamGenerateContent", "streaming", V1)
@case("gemini.streamGenerateContent", "streaming, v1beta", BETA)
@case("vertex.streamGenerateContent", "streaming", VERTEX)
def streaming(client: genai.Client) -> None:
    chunks = list(client.models.generate_content_stream(model=MODEL, contents=SENTENCE))
    several(chunk.text or "" for chunk in chunks)
    reasons = [candidate.finish_reason for chunk in chunks for candidate in chunk.candidates or []]
    assert reasons[-1] == types.FinishReason.STOP
    assert not any(reasons[:-1])
    assert all(chunk.usage_metadata for chunk in chunks)
    assert len({chunk.response_id for chunk in chunks}) == 1


@case("gemini.generateContent", "tool loop", V1)
@case("vertex.generateContent", "tool loop", VERTEX)
def tool_loop(client: genai.Client) -> None:
    contents: Any = [types.Content(role="user", parts=[types.Part(text=SENTENCE)])]
    rounds = 0
    while True:
        answer = client.models.generate_content(model=MODEL, contents=contents, config=CALLING)
        if not answer.function_calls:
            break
        rounds += 1
        assert rounds < 5, "the loop does not end"
        for call in answer.function_calls:
            check_tool_input(call.name or "", call.args)
        assert answer.candidates
        contents.append(answer.candidates[0].content)
        parts = [
            types.Part.from_function_response(name=call.name or "", response={"result": TOLD})
            for call in answer.function_calls
        ]
        contents.append(types.Content(role="user", parts=parts))
    assert rounds >= 1
    assert answer.text


@case("gemini.generateContent", "automatic function calling", V1)
def automatic(client: genai.Client) -> None:
    seen: list[str] = []

    def read_thermometer(city: str) -> str:
        """Reads the thermometer of a city."""
        seen.append(city)
        return TOLD

    calling = types.FunctionCallingConfig(mode=types.FunctionCallingConfigMode.ANY)
    config = types.GenerateContentConfig(
        tools=[read_thermometer], tool_config=types.ToolConfig(function_calling_config=calling)
    )
    answer = client.models.generate_content(model=MODEL, contents=SENTENCE, config=config)
    assert seen
    assert answer.text


@case("gemini.streamGenerateContent", "tool streaming", V1)
def tool_streaming(client: genai.Client) -> None:
    chunks = client.models.generate_content_stream(model=MODEL, contents=SENTENCE, config=CALLING)
    calls = [call for chunk in chunks for call in chunk.function_calls or []]
    assert calls
    for call in calls:
        check_tool_input(call.name or "", call.args)


@case("gemini.generateContent", "structured output, typed", V1)
@case("vertex.generateContent", "structured output, typed", VERTEX)
def structured(client: genai.Client) -> None:
    config = types.GenerateContentConfig(response_mime_type="application/json", response_schema=Person)
    answer = client.models.generate_content(model=MODEL, contents=SENTENCE, config=config)
    assert isinstance(answer.parsed, Person)
    config = types.GenerateContentConfig(response_mime_type="application/json", response_schema=list[Person])
    answer = client.models.generate_content(model=MODEL, contents=SENTENCE, config=config)
    assert isinstance(answer.parsed, list)
    assert all(isinstance(item, Person) for item in answer.parsed)


@case("gemini.generateContent", "responseJsonSchema", V1)
def json_schema(client: genai.Client) -> None:
    config = types.GenerateContentConfig(
        response_mime_type="application/json", response_json_schema=Person.model_json_schema()
    )
    answer = client.models.generate_content(model=MODEL, contents=SENTENCE, config=config)
    Person.model_validate_json(answer.text or "")


@case("gemini.streamGenerateContent", "structured output, streaming", V1)
def structured_streaming(client: genai.Client) -> None:
    config = types.GenerateContentConfig(response_mime_type="application/json", response_schema=Person)
    chunks = client.models.generate_content_stream(model=MODEL, contents=SENTENCE, config=config)
    Person.model_validate_json("".join(chunk.text or "" for chunk in chunks))


@case("gemini.generateContent", "thoughts", V1)
def thoughts(client: genai.Client) -> None:
    config = types.GenerateContentConfig(
        thinking_config=types.ThinkingConfig(include_thoughts=True, thinking_budget=1024)
    )
    answer = client.models.generate_content(model=MODEL, contents=SENTENCE, config=config)
    assert answer.usage_metadata
    assert (answer.usage_metadata.thoughts_token_count or 0) > 0
    assert any(part.thought and part.text for part in answer.parts or [])


@case("gemini.generateContent", "image input", V1)
def image(client: genai.Client) -> None:
    part = types.Part.from_bytes(data=cases.PNG, mime_type="image/png")
    assert client.models.generate_content(model=MODEL, contents=[part, "What is this?"]).text


@case("gemini.generateContent", "candidateCount, maxOutputTokens", V1)
def options(client: genai.Client) -> None:
    config = types.GenerateContentConfig(
        candidate_count=2, max_output_tokens=5, thinking_config=types.ThinkingConfig(thinking_budget=0)
    )
    answer = client.models.generate_content(model=MODEL, contents=SENTENCE, config=config)
    assert answer.candidates
    assert len(answer.candidates) == 2
    assert {candidate.finish_reason for candidate in answer.candidates} == {types.FinishReason.MAX_TOKENS}


@case("gemini.generateContent", "chat session", V1)
def chat(client: genai.Client) -> None:
    session = client.chats.create(model=MODEL)
    assert session.send_message("Hello").text
    several(chunk.text or "" for chunk in session.send_message_stream(SENTENCE))
    assert len(session.get_history()) >= 4  # of a stream it keeps every chunk


@case("gemini.generateContent", "error: broken structure", V1)
@case("vertex.generateContent", "error: broken structure", VERTEX)
def broken(client: genai.Client) -> None:
    options = types.HttpOptions(extra_body={"generationConfig": {"temperature": "warm"}})
    config = types.GenerateContentConfig(temperature=0.5, http_options=options)
    error = raised(
        errors.ClientError,
        lambda: client.models.generate_content(model=MODEL, contents=SENTENCE, config=config),
    )
    assert (error.code, error.status) == (400, "INVALID_ARGUMENT")
    assert error.message


@case("gemini.streamGenerateContent", "error: broken structure", V1)
def broken_streaming(client: genai.Client) -> None:
    options = types.HttpOptions(extra_body={"generationConfig": {"temperature": "warm"}})
    config = types.GenerateContentConfig(temperature=0.5, http_options=options)
    error = raised(
        errors.ClientError,
        lambda: list(client.models.generate_content_stream(model=MODEL, contents=SENTENCE, config=config)),
    )
    assert (error.code, error.status) == (400, "INVALID_ARGUMENT")


@case("gemini.countTokens", "whole", V1)
@case("vertex.countTokens", "whole", VERTEX)
def count(client: genai.Client) -> None:
    counted = client.models.count_tokens(model=MODEL, contents=SENTENCE)
    answer = client.models.generate_content(model=MODEL, contents=SENTENCE)
    assert answer.usage_metadata
    assert counted.total_tokens == answer.usage_metadata.prompt_token_count


@case("gemini.batchEmbedContents", "whole", V1)
@case("vertex.embeddings", "whole", VERTEX)
def embed(client: genai.Client) -> None:
    answer = client.models.embed_content(model=EMBEDDING, contents=["a grey cat sleeps", "stock prices"])
    assert answer.embeddings
    assert [len(item.values or []) for item in answer.embeddings] == [3072, 3072]
    config = types.EmbedContentConfig(output_dimensionality=768, task_type="RETRIEVAL_QUERY")
    answer = client.models.embed_content(model=EMBEDDING, contents="cat", config=config)
    assert answer.embeddings
    assert len(answer.embeddings[0].values or []) == 768


@case("gemini.models.list", "whole", V1)
@case("gemini.models.list", "whole, v1beta", BETA)
def models(client: genai.Client) -> None:
    names = [model.name for model in client.models.list(config={"page_size": 10})]  # pages
    assert f"models/{MODEL}" in names
    assert len(set(names)) == len(names) > 10


@case("gemini.models.get", "whole", V1)
def model(client: genai.Client) -> None:
    found = client.models.get(model=MODEL)
    assert found.name == f"models/{MODEL}"
    assert (found.input_token_limit or 0) > 1000


@case("gemini.models.get", "error: unknown model", V1)
def model_unknown(client: genai.Client) -> None:
    error = raised(errors.ClientError, lambda: client.models.get(model="no-such-model"))
    assert (error.code, error.status) == (404, "NOT_FOUND")


@case("gemini.interactions.create", "whole", V1)
def interaction(client: genai.Client) -> None:
    made: Any = client.interactions.create(model=MODEL, input=SENTENCE)
    assert made.status == "completed"
    assert made.output_text
    assert made.usage.total_output_tokens > 0


@case("gemini.interactions.create", "streaming", V1)
def interaction_streaming(client: genai.Client) -> None:
    events: list[Any] = list(client.interactions.create(model=MODEL, input=SENTENCE, stream=True))
    kinds = [event.event_type for event in events]
    assert kinds[:2] == ["interaction.created", "interaction.status_update"]
    assert kinds[-1] == "interaction.completed"
    several(event.delta.text for event in events if getattr(getattr(event, "delta", None), "type", "") == "text")


@case("gemini.interactions.create", "tool loop", V1)
def interaction_tools(client: genai.Client) -> None:
    tools: Any = [{"type": "function", "name": TOOL, "description": TOOL_TEXT, "parameters": TOOL_SCHEMA}]
    options: Any = {"model": MODEL, "tools": tools, "generation_config": {"tool_choice": "any"}}
    made: Any = client.interactions.create(input=SENTENCE, **options)
    for _ in range(4):
        if made.status != "requires_action":
            break
        calls = [step for step in made.steps if step.type == "function_call"]
        for call in calls:
            check_tool_input(call.name, call.arguments)
        told = [{"type": "function_result", "name": TOOL, "call_id": call.id, "result": TOLD} for call in calls]
        made = client.interactions.create(input=told, previous_interaction_id=made.id, **options)
    assert made.status == "completed"
    assert made.output_text


@case("gemini.interactions.get", "whole", V1)
def interaction_got(client: genai.Client) -> None:
    made: Any = client.interactions.create(model=MODEL, input=SENTENCE)
    found: Any = client.interactions.get(id=made.id)
    assert (found.id, found.output_text) == (made.id, made.output_text)


def upload(client: genai.Client) -> Any:
    options = types.UploadFileConfig(mime_type="text/plain", display_name="sea")
    return client.files.upload(file=io.BytesIO(b"The sea is salt."), config=options)


@case("gemini.files.list", "upload, get, list, use, delete", BETA)
def files(client: genai.Client) -> None:
    made = upload(client)
    assert client.files.get(name=made.name).state == types.FileState.ACTIVE
    assert made.name in [file.name for file in client.files.list()]
    assert client.models.generate_content(model=MODEL, contents=[made, "What is this?"]).text
    client.files.delete(name=made.name)
    assert raised(errors.ClientError, lambda: client.files.get(name=made.name)).code in (403, 404)


@case("gemini.cachedContents.list", "create, use, update, list, delete", BETA)
def caches(client: genai.Client) -> None:
    options = types.CreateCachedContentConfig(contents="The sea is wide. " * 2000, ttl="600s")
    made = client.caches.create(model=MODEL, config=options)
    assert made.usage_metadata
    assert (made.usage_metadata.total_token_count or 0) > 1000
    config = types.GenerateContentConfig(cached_content=made.name)
    usage = client.models.generate_content(model=MODEL, contents="Why?", config=config).usage_metadata
    assert usage
    assert (usage.cached_content_token_count or 0) > 1000
    client.caches.update(name=made.name or "", config=types.UpdateCachedContentConfig(ttl="700s"))
    assert made.name in [cache.name for cache in client.caches.list()]
    client.caches.delete(name=made.name or "")
    assert raised(errors.ClientError, lambda: client.caches.get(name=made.name or "")).code in (403, 404)


@case("gemini.batches.list", "create, lifecycle, results, list, delete", BETA)
def batches(client: genai.Client) -> None:
    source = [types.InlinedRequest(contents=f"Number {n}") for n in range(2)]
    batch = client.batches.create(model=MODEL, src=source)
    for _ in range(10):
        if batch.state == types.JobState.JOB_STATE_SUCCEEDED:
            break
        batch = client.batches.get(name=batch.name or "")
    assert batch.dest
    answers = [item.response for item in batch.dest.inlined_responses or []]
    assert [bool(answer and answer.text) for answer in answers] == [True, True]
    assert batch.name in [found.name for found in client.batches.list()]
    client.batches.delete(name=batch.name or "")


if __name__ == "__main__":
    cases.main()
