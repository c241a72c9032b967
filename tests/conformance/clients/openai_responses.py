"""The official OpenAI SDK on Responses (OpenAI, Azure in both forms) and on legacy completions."""

from __future__ import annotations

import json
import re
from typing import Any, Literal

import cases
import openai
from cases import SENTENCE, TOLD, TOOL, TOOL_SCHEMA, TOOL_TEXT, case, check_tool_input, raised, several, valid
from openai import AsyncOpenAI, AzureOpenAI, OpenAI
from openai.types.responses import Response
from pydantic import BaseModel

at = cases.hosts()
OPENAI = (OpenAI(api_key="sk-none", base_url=f"{at('api.openai.com')}/v1", max_retries=0), "gpt-4o-mini")
AZURE = (
    AzureOpenAI(
        azure_endpoint=at("conformance.openai.azure.com"),
        api_key="0" * 32,
        api_version="2025-03-01-preview",
        max_retries=0,
    ),
    "gpt-4o",
)
AZURE_V1 = (
    OpenAI(api_key="0" * 32, base_url=f"{at('conformance.openai.azure.com')}/openai/v1/", max_retries=0),
    "gpt-4o",
)
INSTRUCT = (OPENAI[0], "gpt-3.5-turbo-instruct")
AZURE_INSTRUCT = (AZURE[0], "gpt-35-turbo-instruct")
TOOLS: Any = [{"type": "function", "name": TOOL, "description": TOOL_TEXT, "parameters": TOOL_SCHEMA, "strict": True}]


class Person(BaseModel):
    name: str
    age: int
    mood: Literal["glad", "sad"]


def check_whole(answer: Response, model: str) -> None:
    valid(answer)
    assert answer.object == "response"
    assert answer.status == "completed"
    assert answer.model.startswith(model)
    assert re.fullmatch(r"resp_[0-9a-f]{48,50}", answer.id), answer.id
    assert answer.output_text
    assert answer.usage
    assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens


@case("openai.responses.create", "whole", *OPENAI)
@case("azure.responses", "whole", *AZURE)
@case("azure.v1.responses", "whole", *AZURE_V1)
def whole(client: OpenAI, model: str) -> None:
    check_whole(client.responses.create(model=model, input=SENTENCE, instructions="Be brief."), model)


@case("openai.responses.create", "asynchronous")
async def asynchronous() -> None:
    async with AsyncOpenAI(api_key="sk-none", base_url=OPENAI[0].base_url, max_retries=0) as client:
        check_whole(await client.responses.create(model=OPENAI[1], input=SENTENCE), OPENAI[1])


@case("openai.responses.create", "streaming", *OPENAI)
@case("azure.responses", "streaming", *AZURE)
@case("azure.v1.responses", "streaming", *AZURE_V1)
def streaming(client: OpenAI, model: str) -> None:
    events = [valid(event) for event in client.responses.create(model=model, input=SENTENCE, stream=True)]
    kinds = [event.type for event in events]
    assert kinds[:2] == ["response.created", "response.in_progress"]
    assert kinds[-1] == "response.completed"
    for kind in ("response.output_item.added", "response.content_part.added", "response.output_text.done"):
        assert kinds.count(kind) == 1, kinds
    text = several(event.delta for event in events if event.type == "response.output_text.delta")
    check_whole(events[-1].response, model)
    assert events[-1].response.output_text == text
    assert [event.sequence_number for event in events] == list(range(len(events)))


@case("openai.responses.create", "tool loop", *OPENAI)
@case("azure.responses", "tool loop", *AZURE)
@case("azure.v1.responses", "tool loop", *AZURE_V1)
def tool_loop(client: OpenAI, model: str) -> None:
    given: Any = [{"role": "user", "content": SENTENCE}]
    answer = client.responses.create(model=model, input=given, tools=TOOLS, tool_choice="required")
    rounds = 0
    while calls := [item for item in answer.output if item.type == "function_call"]:
        rounds += 1
        assert rounds < 5, "the loop does not end"
        given += [item.to_dict() for item in answer.output]
        for call in calls:
            check_tool_input(call.name, call.arguments)
            given.append({"type": "function_call_output", "call_id": call.call_id, "output": TOLD})
        answer = client.responses.create(model=model, input=given, tools=TOOLS, tool_choice="required")
    assert rounds >= 1
    assert answer.output_text


@case("openai.responses.create", "tool streaming", *OPENAI)
@case("azure.responses", "tool streaming", *AZURE)
def tool_streaming(client: OpenAI, model: str) -> None:
    choice: Any = {"type": "function", "name": TOOL}
    with client.responses.stream(model=model, input=SENTENCE, tools=TOOLS, tool_choice=choice) as stream:
        kinds = [event.type for event in stream]
        answer = stream.get_final_response()
    calls = [item for item in answer.output if item.type == "function_call"]
    for call in calls:
        check_tool_input(call.name, call.arguments)
    assert calls
    assert kinds.count("response.function_call_arguments.delta") >= 1
    assert kinds.count("response.function_call_arguments.done") == len(calls)


@case("openai.responses.create", "structured output, typed", *OPENAI)
@case("azure.responses", "structured output, typed", *AZURE)
def structured(client: OpenAI, model: str) -> None:
    answer = client.responses.parse(model=model, input=SENTENCE, text_format=Person)
    assert isinstance(answer.output_parsed, Person)


@case("openai.responses.create", "structured output, streaming", *OPENAI)
def structured_streaming(client: OpenAI, model: str) -> None:
    with client.responses.stream(model=model, input=SENTENCE, text_format=Person) as stream:
        stream.until_done()
        assert isinstance(stream.get_final_response().output_parsed, Person)


@case("openai.responses.create", "reasoning summary", OPENAI[0], "o4-mini")
def reasoning(client: OpenAI, model: str) -> None:
    wanted: Any = {"effort": "medium", "summary": "auto"}
    answer = valid(client.responses.create(model=model, input=SENTENCE, reasoning=wanted))
    thought = next(item for item in answer.output if item.type == "reasoning")
    assert thought.summary
    assert thought.summary[0].text
    assert answer.usage.output_tokens_details.reasoning_tokens > 0
    with client.responses.stream(model=model, input=SENTENCE, reasoning=wanted) as stream:
        kinds = [event.type for event in stream]
    assert "response.reasoning_summary_text.delta" in kinds


@case("openai.responses.create", "previous_response_id", *OPENAI)
def continued(client: OpenAI, model: str) -> None:
    first = client.responses.create(model=model, input=SENTENCE)
    second = client.responses.create(model=model, input="Go on.", previous_response_id=first.id)
    assert second.previous_response_id == first.id
    assert second.id != first.id
    assert first.usage
    assert second.usage
    assert second.usage.input_tokens > first.usage.input_tokens


@case("openai.responses.create", "max_output_tokens", *OPENAI)
def incomplete(client: OpenAI, model: str) -> None:
    answer = client.responses.create(model=model, input=SENTENCE, max_output_tokens=16)
    if answer.status == "completed":  # the text was shorter by chance
        assert answer.usage
        assert answer.usage.output_tokens <= 16
        return
    assert answer.status == "incomplete"
    assert answer.incomplete_details
    assert answer.incomplete_details.reason == "max_output_tokens"


@case("openai.responses.create", "request id", *OPENAI)
def headers(client: OpenAI, model: str) -> None:
    raw = client.responses.with_raw_response.create(model=model, input=SENTENCE)
    assert raw.request_id
    assert re.fullmatch(r"req_[0-9a-f]{32}", raw.request_id)


@case("openai.responses.create", "error: broken structure", *OPENAI)
@case("azure.responses", "error: broken structure", *AZURE)
@case("azure.v1.responses", "error: broken structure", *AZURE_V1)
def broken(client: OpenAI, model: str) -> None:
    wrong: Any = 17
    error = raised(openai.BadRequestError, lambda: client.responses.create(model=model, input=wrong))
    assert (error.status_code, error.type) == (400, "invalid_request_error")
    assert "input" in error.message
    assert error.request_id or error.response.headers["apim-request-id"]


@case("openai.responses.retrieve", "whole", *OPENAI)
def retrieve(client: OpenAI, model: str) -> None:
    made = client.responses.create(model=model, input=SENTENCE)
    found = valid(client.responses.retrieve(made.id))
    assert (found.id, found.output_text) == (made.id, made.output_text)


@case("openai.responses.retrieve", "error: unknown id", *OPENAI)
def retrieve_unknown(client: OpenAI, _: str) -> None:
    error = raised(openai.NotFoundError, lambda: client.responses.retrieve("resp_" + "0" * 48))
    assert error.status_code == 404
    assert error.request_id


@case("openai.responses.delete", "whole", *OPENAI)
def delete(client: OpenAI, model: str) -> None:
    made = client.responses.create(model=model, input=SENTENCE)
    client.responses.delete(made.id)
    raised(openai.NotFoundError, lambda: client.responses.retrieve(made.id))


@case("openai.responses.cancel", "whole", *OPENAI)
def cancel(client: OpenAI, model: str) -> None:
    made = client.responses.create(model=model, input=SENTENCE, background=True)
    assert made.status in ("queued", "in_progress")
    assert valid(client.responses.cancel(made.id)).status == "cancelled"


@case("openai.responses.create", "background", *OPENAI)
def background(client: OpenAI, model: str) -> None:
    answer = client.responses.create(model=model, input=SENTENCE, background=True)
    assert answer.status in ("queued", "in_progress")
    for _ in range(10):
        if answer.status == "completed":
            break
        answer = client.responses.retrieve(answer.id)
    check_whole(answer, model)


@case("openai.responses.input_items", "whole", *OPENAI)
def input_items(client: OpenAI, model: str) -> None:
    made = client.responses.create(model=model, input=SENTENCE)
    (item,) = list(client.responses.input_items.list(made.id))
    assert item.type == "message"
    assert item.content[0].type == "input_text"
    assert item.content[0].text == SENTENCE


@case("openai.responses.input_tokens", "whole", *OPENAI)
def input_tokens(client: OpenAI, model: str) -> None:
    counted = client.responses.input_tokens.count(model=model, input=SENTENCE)
    made = client.responses.create(model=model, input=SENTENCE)
    assert made.usage
    assert counted.input_tokens == made.usage.input_tokens


@case("openai.responses.compact", "whole", *OPENAI)
def compact(client: OpenAI, model: str) -> None:
    compacted: Any = client.responses.compact(model=model, input=SENTENCE)
    assert compacted.output


@case("openai.conversations.create", "with responses, items, delete", *OPENAI)
def conversation(client: OpenAI, model: str) -> None:
    made = client.conversations.create(metadata={"topic": "sea"})
    assert made.id.startswith("conv_")
    client.responses.create(model=model, input=SENTENCE, conversation=made.id)
    assert client.responses.create(model=model, input="Go on.", conversation=made.id).output_text
    items = list(client.conversations.items.list(made.id, order="asc"))
    assert [item.type for item in items] == ["message"] * 4
    assert client.conversations.delete(made.id).deleted


@case("openai.completions", "whole", *INSTRUCT)
@case("azure.completions", "whole", *AZURE_INSTRUCT)
def completion(client: OpenAI, model: str) -> None:
    answer = valid(client.completions.create(model=model, prompt=["Once", "Twice"], n=2, max_tokens=20))
    assert answer.object == "text_completion"
    assert [choice.index for choice in answer.choices] == [0, 1, 2, 3]
    assert all(choice.text for choice in answer.choices)
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


@case("openai.completions", "streaming", *INSTRUCT)
@case("azure.completions", "streaming", *AZURE_INSTRUCT)
def completion_streaming(client: OpenAI, model: str) -> None:
    stream = client.completions.create(
        model=model, prompt="Once", max_tokens=50, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    choices = [chunk.choices[0] for chunk in chunks if chunk.choices]
    several(choice.text for choice in choices)
    assert [choice.finish_reason for choice in choices if choice.finish_reason]
    assert [chunk.usage for chunk in chunks if chunk.usage]


@case("openai.completions", "error: broken structure", *INSTRUCT)
def completion_broken(client: OpenAI, model: str) -> None:
    wrong: Any = {"not": "a prompt"}
    error = raised(openai.BadRequestError, lambda: client.completions.create(model=model, prompt=wrong))
    assert error.request_id
    assert json.dumps(error.body)


if __name__ == "__main__":
    cases.main()
