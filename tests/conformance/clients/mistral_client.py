"""The official Mistral SDK."""

from __future__ import annotations

import json
from typing import Any, Literal

import cases
from cases import SENTENCE, TOLD, TOOL, TOOL_SCHEMA, TOOL_TEXT, case, check_tool_input, raised, raised_like, several
from mistralai.client import Mistral
from mistralai.client.errors import HTTPValidationError, SDKError
from pydantic import BaseModel

client = Mistral(api_key="none", server_url=cases.hosts()("api.mistral.ai"))
MODEL = "mistral-small-latest"
MESSAGES: Any = [{"role": "user", "content": SENTENCE}]
TOOLS: Any = [{"type": "function", "function": {"name": TOOL, "description": TOOL_TEXT, "parameters": TOOL_SCHEMA}}]


class Person(BaseModel):
    name: str
    age: int
    mood: Literal["glad", "sad"]


@case("mistral.chat", "whole")
def whole() -> None:
    answer = client.chat.complete(model=MODEL, messages=MESSAGES)
    assert answer.choices[0].message
    assert answer.choices[0].message.content
    assert answer.choices[0].finish_reason == "stop"
    assert (answer.usage.total_tokens or 0) > 0


@case("mistral.chat", "asynchronous")
async def asynchronous() -> None:
    async with Mistral(api_key="none", server_url=cases.hosts()("api.mistral.ai")) as other:
        assert (await other.chat.complete_async(model=MODEL, messages=MESSAGES)).choices


@case("mistral.chat", "streaming")
def streaming() -> None:
    chunks = [event.data for event in client.chat.stream(model=MODEL, messages=MESSAGES)]
    several(str(chunk.choices[0].delta.content or "") for chunk in chunks)
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert chunks[-1].usage


@case("mistral.chat", "tool loop")
def tool_loop() -> None:
    messages: Any = [*MESSAGES]
    called = 0
    for _ in range(5):
        answer = client.chat.complete(model=MODEL, messages=messages, tools=TOOLS, tool_choice="any")
        message: Any = answer.choices[0].message
        messages.append(message)
        if not message.tool_calls:
            break
        called += 1
        for call in message.tool_calls:
            check_tool_input(call.function.name, call.function.arguments)
            messages.append({"role": "tool", "tool_call_id": call.id, "name": TOOL, "content": TOLD})
    assert called
    assert message.content


@case("mistral.chat", "structured output, typed")
def structured() -> None:
    answer = client.chat.parse(response_format=Person, model=MODEL, messages=MESSAGES)
    assert answer.choices
    assert answer.choices[0].message
    assert isinstance(answer.choices[0].message.parsed, Person)


@case("mistral.chat", "error: broken structure")
def broken() -> None:
    refusals = (SDKError, HTTPValidationError)
    error = raised_like(refusals, lambda: client.chat.complete(model=MODEL, messages=[]))
    assert error.status_code in (400, 422)
    assert json.loads(error.body)


@case("mistral.embeddings", "whole")
def embeddings() -> None:
    answer = client.embeddings.create(model="mistral-embed", inputs=["cat", "sea"])
    assert [len(item.embedding or []) for item in answer.data] == [1024, 1024]


@case("mistral.models", "whole")
def models() -> None:
    assert client.models.list().data


@case("mistral.models", "error: unknown model")
def model_unknown() -> None:
    assert raised(SDKError, lambda: client.models.retrieve(model_id="no-such-model")).status_code == 404


if __name__ == "__main__":
    cases.main()
