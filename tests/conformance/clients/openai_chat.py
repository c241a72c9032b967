"""The official OpenAI SDK on chat completions: OpenAI, Azure in both forms, and Gemini's OpenAI-compatible path."""

from __future__ import annotations

import base64
import json
import re
from typing import Any, Literal

import cases
import openai
from cases import SENTENCE, TOLD, TOOL, TOOL_SCHEMA, TOOL_TEXT, case, check_tool_input, raised, several, valid
from openai import AsyncOpenAI, AzureOpenAI, OpenAI
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from pydantic import BaseModel

at = cases.hosts()
OPENAI = (OpenAI(api_key="sk-none", base_url=f"{at('api.openai.com')}/v1", max_retries=0), "gpt-4o-mini")
AZURE = (
    AzureOpenAI(
        azure_endpoint=at("conformance.openai.azure.com"), api_key="0" * 32, api_version="2024-10-21", max_retries=0
    ),
    "gpt-4o",
)
AZURE_V1 = (
    OpenAI(api_key="0" * 32, base_url=f"{at('conformance.openai.azure.com')}/openai/v1/", max_retries=0),
    "gpt-4o",
)
COMPAT = (
    OpenAI(api_key="AIza-none", base_url=f"{at('generativelanguage.googleapis.com')}/v1beta/openai/", max_retries=0),
    "gemini-2.5-flash",
)

Function: Any = {"name": TOOL, "description": TOOL_TEXT, "parameters": TOOL_SCHEMA, "strict": True}
TOOLS: Any = [{"type": "function", "function": Function}]
MESSAGES: Any = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": SENTENCE}]


class Person(BaseModel):
    name: str
    age: int
    mood: Literal["glad", "sad"]
    friends: list[str]


def check_usage(usage: Any) -> None:
    assert usage.prompt_tokens > 0
    assert usage.completion_tokens > 0
    assert usage.total_tokens >= usage.prompt_tokens + usage.completion_tokens


def check_whole(completion: ChatCompletion, model: str) -> None:
    valid(completion)
    assert completion.object == "chat.completion"
    assert completion.model.startswith(model)
    assert completion.created > 1_600_000_000
    (choice,) = completion.choices
    assert choice.finish_reason == "stop"
    assert choice.message.role == "assistant"
    assert choice.message.content
    check_usage(completion.usage)


@case("openai.chat.completions", "whole", *OPENAI)
@case("azure.chat", "whole", *AZURE)
@case("azure.v1.chat", "whole", *AZURE_V1)
@case("gemini.openai_compat.chat", "whole", *COMPAT)
def whole(client: OpenAI, model: str) -> None:
    check_whole(client.chat.completions.create(model=model, messages=MESSAGES), model)


@case("openai.chat.completions", "asynchronous")
async def asynchronous() -> None:
    async with AsyncOpenAI(api_key="sk-none", base_url=OPENAI[0].base_url, max_retries=0) as client:
        check_whole(await client.chat.completions.create(model=OPENAI[1], messages=MESSAGES), OPENAI[1])
        stream = await client.chat.completions.create(model=OPENAI[1], messages=MESSAGES, stream=True)
        text = [chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices]
        several(text)


@case("openai.chat.completions", "streaming", *OPENAI)
@case("azure.chat", "streaming", *AZURE)
@case("azure.v1.chat", "streaming", *AZURE_V1)
@case("gemini.openai_compat.chat", "streaming", *COMPAT)
def streaming(client: OpenAI, model: str) -> None:
    stream = client.chat.completions.create(
        model=model, messages=MESSAGES, stream=True, stream_options={"include_usage": True}
    )
    chunks: list[ChatCompletionChunk] = list(stream)
    choices = [valid(chunk).choices[0] for chunk in chunks if chunk.choices]
    assert choices[0].delta.role == "assistant"
    several(choice.delta.content or "" for choice in choices)
    assert [choice.finish_reason for choice in choices if choice.finish_reason] == ["stop"]
    check_usage([chunk.usage for chunk in chunks if chunk.usage][-1])
    assert len({chunk.id for chunk in chunks if chunk.id}) == 1


@case("azure.chat", "content filter annotations", *AZURE)
@case("azure.v1.chat", "content filter annotations", *AZURE_V1)
def annotations(client: OpenAI, model: str) -> None:
    answer = client.chat.completions.create(model=model, messages=MESSAGES).to_dict()
    assert "prompt_filter_results" in answer
    assert all("content_filter_results" in choice for choice in answer["choices"])  # type: ignore[attr-defined]
    first = next(iter(client.chat.completions.create(model=model, messages=MESSAGES, stream=True)))
    assert first.choices == []
    assert "prompt_filter_results" in first.to_dict()


def ask_tool(client: OpenAI, model: str, messages: Any, **options: Any) -> Any:
    return client.chat.completions.create(model=model, messages=messages, tools=TOOLS, **options)


@case("openai.chat.completions", "tool loop", *OPENAI)
@case("azure.chat", "tool loop", *AZURE)
@case("azure.v1.chat", "tool loop", *AZURE_V1)
@case("gemini.openai_compat.chat", "tool loop", *COMPAT)
def tool_loop(client: OpenAI, model: str) -> None:
    messages = [*MESSAGES]
    rounds = 0
    while True:
        choice = ask_tool(client, model, messages, tool_choice="required").choices[0]
        messages.append(choice.message.model_dump(exclude_none=True))
        if not choice.message.tool_calls:
            break
        rounds += 1
        assert rounds < 5, "the loop does not end"
        assert choice.finish_reason == "tool_calls"
        for call in choice.message.tool_calls:
            check_tool_input(call.function.name, call.function.arguments)
            messages.append({"role": "tool", "tool_call_id": call.id, "content": TOLD})
    assert rounds >= 1
    assert choice.finish_reason == "stop"
    assert choice.message.content


@case("openai.chat.completions", "tool streaming", *OPENAI)
@case("azure.chat", "tool streaming", *AZURE)
@case("azure.v1.chat", "tool streaming", *AZURE_V1)
@case("gemini.openai_compat.chat", "tool streaming", *COMPAT)
def tool_streaming(client: OpenAI, model: str) -> None:
    with client.chat.completions.stream(
        model=model, messages=MESSAGES, tools=TOOLS, tool_choice={"type": "function", "function": {"name": TOOL}}
    ) as stream:
        kinds = [event.type for event in stream]
        answer = stream.get_final_completion()
    # Gemini ends the stream with the chunk that has the call: the SDK then tells of no "done".
    assert ("tool_calls.function.arguments.done" in kinds) != (client is COMPAT[0])
    calls = answer.choices[0].message.tool_calls or []
    assert calls
    for call in calls:
        check_tool_input(call.function.name, call.function.arguments)
        assert call.function.parsed_arguments
    assert kinds.count("tool_calls.function.arguments.delta") >= 1


@case("openai.chat.completions", "structured output, typed", *OPENAI)
@case("azure.chat", "structured output, typed", *AZURE)
@case("azure.v1.chat", "structured output, typed", *AZURE_V1)
@case("gemini.openai_compat.chat", "structured output, typed", *COMPAT)
def structured(client: OpenAI, model: str) -> None:
    parsed = client.chat.completions.parse(model=model, messages=MESSAGES, response_format=Person)
    assert isinstance(parsed.choices[0].message.parsed, Person)


@case("openai.chat.completions", "structured output, streaming", *OPENAI)
@case("azure.chat", "structured output, streaming", *AZURE)
def structured_streaming(client: OpenAI, model: str) -> None:
    with client.chat.completions.stream(model=model, messages=MESSAGES, response_format=Person) as stream:
        parsed = [event.parsed for event in stream if event.type == "content.done"]
    assert isinstance(parsed[0], Person)


@case("openai.chat.completions", "JSON mode", *OPENAI)
def json_mode(client: OpenAI, model: str) -> None:
    answer = client.chat.completions.create(model=model, messages=MESSAGES, response_format={"type": "json_object"})
    assert isinstance(json.loads(answer.choices[0].message.content or ""), dict)


@case("openai.chat.completions", "image input", *OPENAI)
@case("azure.chat", "image input", *AZURE)
def image(client: OpenAI, model: str) -> None:
    url = f"data:image/png;base64,{base64.b64encode(cases.PNG).decode()}"
    content: Any = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": url}}]
    answer = client.chat.completions.create(model=model, messages=[{"role": "user", "content": content}])
    assert answer.choices[0].message.content


@case("openai.chat.completions", "n, logprobs, max_tokens, stop", *OPENAI)
def options(client: OpenAI, model: str) -> None:
    answer = client.chat.completions.create(
        model=model, messages=MESSAGES, n=3, logprobs=True, top_logprobs=2, max_tokens=5, stop=["###"], seed=7
    )
    valid(answer)
    assert [choice.index for choice in answer.choices] == [0, 1, 2]
    for choice in answer.choices:
        assert choice.finish_reason in ("length", "stop")
        tokens = (choice.logprobs and choice.logprobs.content) or []
        assert "".join(token.token for token in tokens) == choice.message.content
        assert all(len(token.top_logprobs) == 2 for token in tokens)
    assert any(choice.finish_reason == "length" for choice in answer.choices)
    assert answer.usage
    assert answer.usage.completion_tokens <= 15


@case("openai.chat.completions", "reasoning tokens", OPENAI[0], "o4-mini")
def reasoning(client: OpenAI, model: str) -> None:
    answer = client.chat.completions.create(model=model, messages=MESSAGES, reasoning_effort="medium")
    assert answer.usage
    assert answer.usage.completion_tokens_details
    assert (answer.usage.completion_tokens_details.reasoning_tokens or 0) > 0
    assert answer.choices[0].message.content


@case("openai.chat.completions", "request id and rate limits", *OPENAI)
@case("azure.chat", "request id and rate limits", *AZURE)
def headers(client: OpenAI, model: str) -> None:
    raw = client.chat.completions.with_raw_response.create(model=model, messages=MESSAGES)
    assert raw.request_id
    azure = isinstance(client, AzureOpenAI)
    assert re.fullmatch(r"[0-9a-f-]{36}" if azure else r"req_[0-9a-f]{32}", raw.request_id)
    assert int(raw.headers["x-ratelimit-remaining-requests"]) >= 0
    assert int(raw.headers["x-ratelimit-limit-tokens"]) > 0
    assert raw.parse()._request_id == raw.request_id


@case("openai.chat.completions.retrieve", "whole", *OPENAI)
def stored(client: OpenAI, model: str) -> None:
    made = client.chat.completions.create(model=model, messages=MESSAGES, store=True)
    found = client.chat.completions.retrieve(made.id)
    assert found.choices[0].message.content == made.choices[0].message.content


@case("openai.chat.completions", "error: broken structure", *OPENAI)
@case("azure.chat", "error: broken structure", *AZURE)
@case("azure.v1.chat", "error: broken structure", *AZURE_V1)
def broken(client: OpenAI, model: str) -> None:
    wrong: Any = "not a list"
    error = raised(openai.BadRequestError, lambda: client.chat.completions.create(model=model, messages=wrong))
    assert error.status_code == 400
    assert error.type == "invalid_request_error"
    assert error.request_id or error.response.headers["apim-request-id"]
    assert "messages" in error.message


@case("gemini.openai_compat.chat", "error: broken structure", *COMPAT)
def broken_compat(client: OpenAI, model: str) -> None:
    wrong: Any = "not a list"
    error = raised(openai.BadRequestError, lambda: client.chat.completions.create(model=model, messages=wrong))
    assert error.status_code == 400
    assert isinstance(error.body, list)
    assert error.body[0]["error"]["status"] == "INVALID_ARGUMENT"


@case("openai.chat.completions", "error: broken structure, streaming", *OPENAI)
def broken_streaming(client: OpenAI, model: str) -> None:
    wrong: Any = []
    error = raised(
        openai.BadRequestError, lambda: client.chat.completions.create(model=model, messages=wrong, stream=True)
    )
    assert error.request_id


if __name__ == "__main__":
    cases.main()
