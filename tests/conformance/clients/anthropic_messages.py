"""The official Anthropic SDK: messages, token counts, message batches, models."""

from __future__ import annotations

import base64
import re
from typing import Any, Literal

import anthropic
import cases
from anthropic import Anthropic, AsyncAnthropic, beta_tool
from anthropic.types import Message
from cases import SENTENCE, TOLD, TOOL, TOOL_SCHEMA, TOOL_TEXT, case, check_tool_input, raised, several, valid
from pydantic import BaseModel

BASE = cases.hosts()("api.anthropic.com")
client = Anthropic(api_key="sk-ant-none", base_url=BASE, max_retries=0)
MODEL = "claude-sonnet-5"
MESSAGES: Any = [{"role": "user", "content": SENTENCE}]
TOOLS: Any = [{"name": TOOL, "description": TOOL_TEXT, "input_schema": TOOL_SCHEMA}]


class Person(BaseModel):
    name: str
    age: int
    mood: Literal["glad", "sad"]


def create(messages: Any = MESSAGES, **options: Any) -> Any:
    return client.messages.create(**{"model": MODEL, "max_tokens": 1000, "messages": messages, **options})


def check_whole(message: Message) -> None:
    valid(message)
    assert re.fullmatch(r"msg_01\w{22}", message.id), message.id
    assert (message.type, message.role, message.stop_reason) == ("message", "assistant", "end_turn")
    assert message.model.startswith(MODEL)
    (block,) = message.content
    assert block.type == "text"
    assert block.text
    assert message.usage.input_tokens > 0
    assert message.usage.output_tokens > 0


@case("anthropic.messages", "whole")
def whole() -> None:
    check_whole(create(system="Be brief."))


@case("anthropic.messages", "asynchronous")
async def asynchronous() -> None:
    async with AsyncAnthropic(api_key="sk-ant-none", base_url=BASE, max_retries=0) as other:
        check_whole(await other.messages.create(model=MODEL, max_tokens=1000, messages=MESSAGES))
        async with other.messages.stream(model=MODEL, max_tokens=1000, messages=MESSAGES) as stream:
            several([text async for text in stream.text_stream])


@case("anthropic.messages", "streaming")
def streaming() -> None:
    events = [valid(event) for event in create(stream=True)]
    kinds = [event.type for event in events]
    assert kinds[:2] == ["message_start", "content_block_start"], kinds
    assert kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"], kinds
    several(event.delta.text for event in events if event.type == "content_block_delta")
    assert events[0].message.content == []
    assert events[0].message.usage.input_tokens > 0
    assert events[-2].delta.stop_reason == "end_turn"
    assert events[-2].usage.output_tokens > 0


@case("anthropic.messages", "streaming, gathered")
def streaming_gathered() -> None:
    with client.messages.stream(model=MODEL, max_tokens=1000, messages=MESSAGES) as stream:
        text = several(stream.text_stream)
        message = stream.get_final_message()
    check_whole(message)
    assert message.content[0].text == text  # type: ignore[union-attr]


@case("anthropic.messages", "tool loop")
def tool_loop() -> None:
    messages = [*MESSAGES]
    rounds = 0
    while True:
        message = create(messages, tools=TOOLS, tool_choice={"type": "any"})
        messages.append({"role": "assistant", "content": message.content})
        calls = [block for block in message.content if block.type == "tool_use"]
        if not calls:
            break
        rounds += 1
        assert rounds < 5, "the loop does not end"
        assert message.stop_reason == "tool_use"
        for call in calls:
            assert re.fullmatch(r"toolu_01\w{22}", call.id), call.id
            check_tool_input(call.name, call.input)
        results = [{"type": "tool_result", "tool_use_id": call.id, "content": TOLD} for call in calls]
        messages.append({"role": "user", "content": results})
    assert rounds >= 1
    assert message.stop_reason == "end_turn"
    assert message.content[-1].text


@case("anthropic.messages", "tool streaming")
def tool_streaming() -> None:
    choice: Any = {"type": "tool", "name": TOOL}
    with client.messages.stream(
        model=MODEL, max_tokens=1000, messages=MESSAGES, tools=TOOLS, tool_choice=choice
    ) as stream:
        kinds = [event.type for event in stream]
        message = stream.get_final_message()
    calls = [block for block in message.content if block.type == "tool_use"]
    assert calls
    for call in calls:
        check_tool_input(call.name, call.input)
    assert kinds.count("input_json") >= 1
    assert message.stop_reason == "tool_use"


@case("anthropic.messages", "tool runner")
def tool_runner() -> None:
    seen: list[str] = []

    @beta_tool
    def read_thermometer(city: str, days: int) -> str:
        """Reads the thermometer of a city.

        Args:
            city: its name
            days: how many
        """
        seen.append(f"{city} {days}")
        return TOLD

    runner = client.beta.messages.tool_runner(
        model=MODEL, max_tokens=1000, messages=MESSAGES, tools=[read_thermometer], tool_choice={"type": "any"}
    )
    message = runner.until_done()
    assert seen
    assert message.content[-1].type == "text"


@case("anthropic.messages", "structured output, typed")
def structured() -> None:
    message = client.messages.parse(model=MODEL, max_tokens=1000, messages=MESSAGES, output_format=Person)
    assert isinstance(message.parsed_output, Person)


@case("anthropic.messages", "structured output, streaming")
def structured_streaming() -> None:
    with client.messages.stream(model=MODEL, max_tokens=1000, messages=MESSAGES, output_format=Person) as stream:
        message = stream.get_final_message()
    assert isinstance(message.parsed_output, Person)


@case("anthropic.messages", "thinking")
def thinking() -> None:
    wanted = {"type": "enabled", "budget_tokens": 2000, "display": "summarized"}
    options: Any = {"max_tokens": 4000, "thinking": wanted}
    message = valid(create(**options))
    kinds = [block.type for block in message.content]
    assert kinds == ["thinking", "text"], kinds
    assert message.content[0].thinking
    assert message.content[0].signature
    again = [*MESSAGES, {"role": "assistant", "content": message.content}, {"role": "user", "content": "And now?"}]
    assert create(again, **options).content
    deltas = [event.delta.type for event in create(**options, stream=True) if event.type == "content_block_delta"]
    assert deltas.count("signature_delta") == 1
    assert deltas.index("thinking_delta") < deltas.index("signature_delta") < deltas.index("text_delta")


@case("anthropic.messages", "images and documents in")
def images() -> None:
    picture = {"type": "base64", "media_type": "image/png", "data": base64.b64encode(cases.PNG).decode()}
    text = {"type": "text", "media_type": "text/plain", "data": "The sea is salt."}
    content = [
        {"type": "image", "source": picture},
        {"type": "document", "source": text, "title": "Sea"},
        {"type": "text", "text": "What is this?"},
    ]
    check_whole(create([{"role": "user", "content": content}]))


@case("anthropic.messages", "prompt cache usage")
def cached() -> None:
    system = [{"type": "text", "text": "The sea is wide. " * 2000, "cache_control": {"type": "ephemeral"}}]
    usage = valid(create(system=system)).usage
    assert usage.cache_creation_input_tokens is not None
    assert usage.cache_read_input_tokens is not None
    assert usage.cache_creation_input_tokens + usage.cache_read_input_tokens > 1000


@case("anthropic.messages", "max_tokens, stop_sequences")
def limits() -> None:
    message = create(max_tokens=5, stop_sequences=["###"])
    assert message.stop_reason == "max_tokens"
    assert message.usage.output_tokens <= 5


@case("anthropic.messages", "request id and rate limits")
def headers() -> None:
    raw = client.messages.with_raw_response.create(model=MODEL, max_tokens=1000, messages=MESSAGES)
    assert raw.request_id
    assert re.fullmatch(r"req_011C\w{20}", raw.request_id), raw.request_id
    assert raw.parse()._request_id == raw.request_id
    assert int(raw.headers["anthropic-ratelimit-requests-limit"]) > 0
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", raw.headers["anthropic-ratelimit-tokens-reset"])


@case("anthropic.messages", "error: broken structure")
def broken() -> None:
    error = raised(anthropic.BadRequestError, lambda: create("not a list"))
    assert (error.status_code, error.type) == (400, "invalid_request_error")
    assert error.request_id.startswith("req_")
    assert "messages" in error.api_message


@case("anthropic.messages", "error: broken structure, streaming")
def broken_streaming() -> None:
    error = raised(anthropic.BadRequestError, lambda: create("not a list", stream=True))
    assert error.request_id.startswith("req_")


@case("anthropic.messages.count_tokens", "whole")
def count() -> None:
    plain = valid(client.messages.count_tokens(model=MODEL, messages=MESSAGES))
    assert plain.input_tokens == create().usage.input_tokens
    tools = client.messages.count_tokens(model=MODEL, messages=MESSAGES, tools=TOOLS, system="Be brief.")
    assert tools.input_tokens > plain.input_tokens


@case("anthropic.messages.count_tokens", "error: broken structure")
def count_broken() -> None:
    wrong: Any = "not a list"
    error = raised(anthropic.BadRequestError, lambda: client.messages.count_tokens(model=MODEL, messages=wrong))
    assert error.request_id


def batch() -> Any:
    params: Any = {"model": MODEL, "max_tokens": 100, "messages": MESSAGES}
    return client.messages.batches.create(requests=[{"custom_id": f"line-{n}", "params": params} for n in range(3)])


@case("anthropic.batches.create", "whole")
def batch_made() -> None:
    made = valid(batch())
    assert re.fullmatch(r"msgbatch_01\w{22}", made.id), made.id
    assert made.processing_status == "in_progress"
    assert made.request_counts.processing == 3
    assert made.results_url is None


@case("anthropic.batches.create", "error: broken structure")
def batch_broken() -> None:
    error = raised(anthropic.BadRequestError, lambda: client.messages.batches.create(requests=[]))
    assert error.request_id


@case("anthropic.batches.retrieve", "lifecycle")
def batch_lifecycle() -> None:
    ended(batch())


def ended(made: Any) -> Any:
    for _ in range(10):
        if made.processing_status == "ended":
            break
        made = valid(client.messages.batches.retrieve(made.id))
    assert made.processing_status == "ended"
    assert made.request_counts.succeeded == 3
    assert made.results_url.startswith("http://127.0.0.1:")
    return made


@case("anthropic.batches.results", "whole")
def batch_results() -> None:
    lines = [valid(line) for line in client.messages.batches.results(ended(batch()).id)]
    assert sorted(line.custom_id for line in lines) == ["line-0", "line-1", "line-2"]
    for line in lines:
        assert line.result.type == "succeeded"
        assert line.result.message.content[0].text


@case("anthropic.batches.list", "whole")
def batches() -> None:
    made = [batch().id, batch().id]
    found = [item.id for item in client.messages.batches.list(limit=1)]  # pages
    assert set(made) <= set(found)


@case("anthropic.batches.cancel", "whole")
def batch_cancelled() -> None:
    cancelled = valid(client.messages.batches.cancel(batch().id))
    assert cancelled.processing_status in ("canceling", "ended")
    assert cancelled.cancel_initiated_at


@case("anthropic.batches.delete", "whole")
def batch_deleted() -> None:
    made = ended(batch())
    assert client.messages.batches.delete(made.id).id == made.id
    raised(anthropic.NotFoundError, lambda: client.messages.batches.retrieve(made.id))


@case("anthropic.batches.retrieve", "error: unknown id")
def batch_unknown() -> None:
    error = raised(anthropic.NotFoundError, lambda: client.messages.batches.retrieve("msgbatch_01unknown"))
    assert error.type == "not_found_error"
    assert error.request_id


@case("anthropic.models.list", "whole")
def models() -> None:
    found = [valid(model).id for model in client.models.list(limit=3)]  # pages
    assert len(found) > 3
    assert len(set(found)) == len(found)
    assert MODEL in found


@case("anthropic.models.retrieve", "whole")
def model() -> None:
    assert valid(client.models.retrieve(MODEL)).id == MODEL


@case("anthropic.models.retrieve", "error: unknown model")
def model_unknown() -> None:
    error = raised(anthropic.NotFoundError, lambda: client.models.retrieve("no-such-model"))
    assert error.type == "not_found_error"
    assert error.request_id


def upload() -> Any:
    return client.files.upload(file=("sea.txt", b"The sea is salt.", "text/plain"))


@case("anthropic.files.upload", "upload, use, delete")
def file() -> None:
    made = upload()
    assert made.id.startswith("file_")
    assert (made.filename, made.mime_type, made.size_bytes) == ("sea.txt", "text/plain", 16)
    content = [
        {"type": "document", "source": {"type": "file", "file_id": made.id}},
        {"type": "text", "text": "What is this?"},
    ]
    check_whole(create([{"role": "user", "content": content}]))
    client.files.delete(made.id)
    raised(anthropic.NotFoundError, lambda: client.files.retrieve_metadata(made.id))


@case("anthropic.files.list", "whole")
def files() -> None:
    made = upload()
    assert made.id in [found.id for found in client.files.list(limit=1)]  # pages


if __name__ == "__main__":
    cases.main()
