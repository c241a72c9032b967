"""The official Cohere SDK: v2 and v1."""

from __future__ import annotations

import math
import re
from typing import Any, Literal

import cases
import cohere
from cases import SENTENCE, TOLD, TOOL, TOOL_SCHEMA, TOOL_TEXT, case, check_tool_input, raised, several
from cohere.core.api_error import ApiError
from pydantic import BaseModel

BASE = cases.hosts()("api.cohere.com")
client = cohere.ClientV2(api_key="none", base_url=BASE)
first = cohere.Client(api_key="none", base_url=BASE)
MODEL = "command-a-03-2025"
EMBEDDING = "embed-v4.0"
RERANK = "rerank-v3.5"
ONCE: Any = {"max_retries": 0}
MESSAGES: Any = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": SENTENCE}]
TOOLS: Any = [{"type": "function", "function": {"name": TOOL, "description": TOOL_TEXT, "parameters": TOOL_SCHEMA}}]
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Person(BaseModel):
    name: str
    age: int
    mood: Literal["glad", "sad"]


def chat(messages: Any = MESSAGES, **options: Any) -> Any:
    return client.chat(model=MODEL, messages=messages, request_options=ONCE, **options)


def check_whole(answer: Any) -> None:
    assert UUID.fullmatch(answer.id), answer.id
    assert answer.finish_reason == "COMPLETE"
    assert answer.message.role == "assistant"
    assert answer.message.content[0].text
    assert answer.usage.billed_units.output_tokens > 0
    assert answer.usage.tokens.input_tokens > 0


@case("cohere.v2.chat", "whole")
def whole() -> None:
    check_whole(chat())


@case("cohere.v2.chat", "asynchronous")
async def asynchronous() -> None:
    async with cohere.AsyncClientV2(api_key="none", base_url=BASE) as other:
        check_whole(await other.chat(model=MODEL, messages=MESSAGES))
        events = [event async for event in other.chat_stream(model=MODEL, messages=MESSAGES)]
        assert events[-1].type == "message-end"


@case("cohere.v2.chat", "streaming")
def streaming() -> None:
    events: list[Any] = list(client.chat_stream(model=MODEL, messages=MESSAGES))
    kinds = [event.type for event in events]
    assert kinds[:2] == ["message-start", "content-start"], kinds
    assert kinds[-2:] == ["content-end", "message-end"], kinds
    several(event.delta.message.content.text for event in events if event.type == "content-delta")
    assert events[-1].delta.finish_reason == "COMPLETE"
    assert events[-1].delta.usage.tokens.output_tokens > 0


@case("cohere.v2.chat", "tool loop")
def tool_loop() -> None:
    messages = [*MESSAGES]
    rounds = 0
    while True:
        answer = chat(messages, tools=TOOLS, tool_choice="REQUIRED")
        if not answer.message.tool_calls:
            break
        rounds += 1
        assert rounds < 5, "the loop does not end"
        assert answer.finish_reason == "TOOL_CALL"
        messages.append(answer.message)
        for call in answer.message.tool_calls:
            check_tool_input(call.function.name, call.function.arguments)
            messages.append({"role": "tool", "tool_call_id": call.id, "content": TOLD})
    assert rounds >= 1
    assert answer.message.content[0].text


@case("cohere.v2.chat", "tool streaming")
def tool_streaming() -> None:
    events: list[Any] = list(client.chat_stream(model=MODEL, messages=MESSAGES, tools=TOOLS, tool_choice="REQUIRED"))
    kinds = [event.type for event in events]
    start = kinds.index("tool-call-start")
    call = events[start].delta.message.tool_calls
    arguments = call.function.arguments or ""
    for event in events[start + 1 :]:
        if event.type == "tool-call-end":
            break
        arguments += event.delta.message.tool_calls.function.arguments
    check_tool_input(call.function.name, arguments)
    assert events[-1].delta.finish_reason == "TOOL_CALL"


@case("cohere.v2.chat", "structured output, typed")
def structured() -> None:
    answer = chat(response_format={"type": "json_object", "schema": Person.model_json_schema()})
    Person.model_validate_json(answer.message.content[0].text)


@case("cohere.v2.chat", "documents")
def documents() -> None:
    answer = chat(documents=["The sea is salt.", {"id": "two", "data": {"text": "The sea is wide."}}])
    assert answer.message.content[0].text


@case("cohere.v2.chat", "max_tokens")
def limits() -> None:
    assert chat(max_tokens=5).finish_reason == "MAX_TOKENS"


@case("cohere.v2.chat", "headers")
def headers() -> None:
    raw = client.with_raw_response.chat(model=MODEL, messages=MESSAGES)
    assert re.fullmatch(r"[0-9a-f]{32}", raw.headers["x-debug-trace-id"])
    check_whole(raw.data)


@case("cohere.v2.chat", "error: broken structure")
def broken() -> None:
    wrong: Any = {"additional_body_parameters": {"messages": "not a list"}, "max_retries": 0}
    error = raised(cohere.BadRequestError, lambda: client.chat(model=MODEL, messages=MESSAGES, request_options=wrong))
    assert error.status_code == 400
    assert error.body["message"]
    assert UUID.fullmatch(error.body["id"])


@case("cohere.v2.chat", "error: broken structure, streaming")
def broken_streaming() -> None:
    wrong: Any = {"additional_body_parameters": {"messages": "not a list"}}
    error = raised(
        cohere.BadRequestError,
        lambda: list(client.chat_stream(model=MODEL, messages=MESSAGES, request_options=wrong)),
    )
    assert error.body["message"]


@case("cohere.v1.chat", "whole")
def first_whole() -> None:
    answer = first.chat(model=MODEL, message=SENTENCE, preamble="Be brief.")
    assert answer.text
    assert answer.finish_reason == "COMPLETE"
    assert UUID.fullmatch(answer.generation_id or "")
    assert answer.chat_history
    assert [turn.role for turn in answer.chat_history][-1] == "CHATBOT"
    assert answer.meta
    assert answer.meta.billed_units
    assert (answer.meta.billed_units.output_tokens or 0) > 0


@case("cohere.v1.chat", "streaming")
def first_streaming() -> None:
    events: list[Any] = list(first.chat_stream(model=MODEL, message=SENTENCE))
    assert [events[0].event_type, events[-1].event_type] == ["stream-start", "stream-end"]
    text = several(event.text for event in events if event.event_type == "text-generation")
    assert events[-1].finish_reason == "COMPLETE"
    assert events[-1].response.text == text


@case("cohere.v1.chat", "tools offered")
def first_tools() -> None:
    definitions = {"city": {"type": "str", "description": "its name", "required": True}}
    tools: Any = [{"name": TOOL, "description": TOOL_TEXT, "parameter_definitions": definitions}]
    answer = first.chat(model=MODEL, message=SENTENCE, tools=tools, force_single_step=True)
    for _ in range(4):
        if not answer.tool_calls:
            break
        results: Any = [{"call": call, "outputs": [{"degrees": 18}]} for call in answer.tool_calls]
        answer = first.chat(model=MODEL, message=SENTENCE, tools=tools, tool_results=results, force_single_step=True)
    assert answer.text


@case("cohere.v1.chat", "error: broken structure")
def first_broken() -> None:
    wrong: Any = {"additional_body_parameters": {"message": 17}, "max_retries": 0}
    error = raised(cohere.BadRequestError, lambda: first.chat(model=MODEL, message=SENTENCE, request_options=wrong))
    assert error.body["message"]


def unit(vector: Any) -> None:
    assert abs(math.sqrt(sum(value * value for value in vector)) - 1) < 1e-3


@case("cohere.v2.embed", "all types")
def embed() -> None:
    answer = client.embed(
        model=EMBEDDING,
        input_type="search_document",
        texts=["cat", "sea"],
        embedding_types=["float", "int8", "uint8", "binary", "ubinary", "base64"],
        output_dimension=256,
    )
    assert UUID.fullmatch(answer.id)
    made = answer.embeddings
    assert [len(vector) for vector in made.float_ or []] == [256, 256]
    for vector in made.float_ or []:
        unit(vector)
    assert [len(vector) for vector in made.int8 or []] == [256, 256]
    assert [len(vector) for vector in made.binary or []] == [32, 32]
    assert all(-128 <= value <= 127 for value in (made.int8 or [[]])[0])
    assert all(0 <= value <= 255 for value in (made.ubinary or [[]])[0])
    assert len(made.base64 or []) == 2


@case("cohere.v2.embed", "error: broken structure")
def embed_broken() -> None:
    wrong: Any = {"additional_body_parameters": {"texts": "not a list"}, "max_retries": 0}
    error = raised(
        cohere.BadRequestError,
        lambda: client.embed(model=EMBEDDING, input_type="search_query", texts=["x"], request_options=wrong),
    )
    assert error.body["message"]


@case("cohere.v1.embed", "whole")
def first_embed() -> None:
    answer: Any = first.embed(model="embed-english-v3.0", input_type="search_query", texts=["cat", "sea"])
    assert [len(vector) for vector in answer.embeddings] == [1024, 1024]
    assert answer.response_type == "embeddings_floats"


@case("cohere.v2.rerank", "whole")
def rerank() -> None:
    answer = client.rerank(
        model=RERANK, query="salt sea", documents=["stock prices", "the salt of the sea", "cats"], top_n=2
    )
    assert answer.results[0].index == 1
    scores = [result.relevance_score for result in answer.results]
    assert len(scores) == 2
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)


@case("cohere.v1.rerank", "whole")
def first_rerank() -> None:
    answer = first.rerank(model=RERANK, query="sea", documents=["cats", "the sea"], return_documents=True)
    assert len(answer.results) == 2
    assert answer.results[0].document
    assert answer.results[0].document.text == "the sea"


@case("cohere.tokenize", "whole")
def tokenize() -> None:
    answer = client.tokenize(model=MODEL, text="The sea is salt.", offline=False)
    assert len(answer.tokens) == len(answer.token_strings) > 2
    assert "".join(answer.token_strings) == "The sea is salt."


@case("cohere.detokenize", "whole")
def detokenize() -> None:
    tokens = client.tokenize(model=MODEL, text="The sea is salt.", offline=False).tokens
    assert client.detokenize(model=MODEL, tokens=tokens, offline=False).text == "The sea is salt."


@case("cohere.models.list", "whole")
def models() -> None:
    names = [model.name for model in client.models.list(page_size=1000).models]
    assert MODEL in names
    chatting = client.models.list(endpoint="chat", page_size=1000).models
    assert all("chat" in (model.endpoints or []) for model in chatting)


@case("cohere.models.get", "whole")
def model() -> None:
    found = client.models.get(MODEL)
    assert found.name == MODEL
    assert (found.context_length or 0) > 1000


@case("cohere.models.get", "error: unknown model")
def model_unknown() -> None:
    error = raised(cohere.NotFoundError, lambda: client.models.get("no-such-model", request_options=ONCE))
    assert isinstance(error, ApiError)
    assert error.body["message"]


if __name__ == "__main__":
    cases.main()
