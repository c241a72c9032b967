"""What requests and models make of Anthropic's answers: thought shown or hidden, cache counts, keys by generation."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import pytest
from anthropic.types import Message, ModelInfo, RawMessageStreamEvent
from asking import completed, events, read
from desks import desk
from pydantic import TypeAdapter
from strictness import unknown

from llm_simulator.dialects.anthropic_ask import ask, pages, prompt_tokens
from llm_simulator.dialects.anthropic_cache import NOTHING, cached
from llm_simulator.dialects.anthropic_messages import DIALECT
from llm_simulator.dialects.base import Thinking
from llm_simulator.types import (
    JSON,
    Call,
    Choice,
    Completion,
    Finish,
    Part,
    RawRequest,
    Reasoning,
    Text,
    ToolCall,
    Usage,
)

EVENT: TypeAdapter[RawMessageStreamEvent] = TypeAdapter(RawMessageStreamEvent)
ALL = (Reasoning(("Hm", "m")), Text(("It ", "is.")), ToolCall("cd" * 16, "weather", ('{"city"', ':"Ulm"}')))
LONG = "Rules of the house. " * 900


def call(model: str = "claude-haiku-4-5", said: str = "hi", **more: JSON) -> Call:
    body = {"model": model, "max_tokens": 2000, "messages": [{"role": "user", "content": said}], **more}
    return read(DIALECT, "/v1/messages", body)


def written(asked: Call, *parts: Part, finish: Finish = Finish.TOOL_CALLS) -> Any:
    usage = Usage(DIALECT.ask(asked).prompt_tokens, 9, 0, 2 if isinstance(parts[0], Reasoning) else 0)
    reply = DIALECT.write(completed(*parts, model=asked.model, finish=finish, usage=usage), asked)
    if isinstance(reply.body, bytes):
        assert list(unknown(Message.model_validate_json(reply.body))) == []
        return json.loads(reply.body)
    found = events(reply)
    assert [list(unknown(EVENT.validate_python(event))) for event in found if event["type"] != "ping"] != [[]]
    return found


@pytest.mark.parametrize(
    ("thinking", "more", "wanted"),
    [
        ({"type": "enabled", "budget_tokens": 1024}, {}, Thinking("medium", 1024)),
        ({"type": "adaptive"}, {}, Thinking("high")),
        ({"type": "adaptive"}, {"output_config": {"effort": "low"}}, Thinking("low")),
        ({"type": "disabled"}, {}, None),
        ({"type": "between_tools"}, {}, None),
        (None, {}, None),
    ],
)
def test_thinking_is_asked_for(thinking: JSON, more: dict[str, JSON], wanted: Thinking | None) -> None:
    assert DIALECT.ask(call(thinking=thinking, **more)).thinking == wanted


def test_older_models_do_not_think() -> None:
    assert (
        DIALECT.ask(call("claude-3-haiku-20240307", thinking={"type": "enabled", "budget_tokens": 99})).thinking is None
    )


def test_thought_is_shown_with_its_signature() -> None:
    thinking = {"type": "enabled", "budget_tokens": 1024}
    message = written(call(thinking=thinking), *ALL)
    assert message["content"][0]["thinking"] == "Hmm"
    assert message["content"][0]["signature"].startswith("E")
    assert len(message["content"][0]["signature"]) == 400
    assert message["usage"]["output_tokens_details"] == {"thinking_tokens": 2}
    assert "output_tokens_details" not in written(call(), *ALL[1:])["usage"]


@pytest.mark.parametrize(
    ("model", "display"), [("claude-haiku-4-5", "omitted"), ("claude-opus-5", None), ("claude-opus-4-8", None)]
)
def test_omitted_thought_has_its_signature_alone(model: str, display: str | None) -> None:
    thinking = {"type": "adaptive", **({"display": display} if display else {})}
    found = written(call(model, thinking=thinking, stream=True), *ALL)
    deltas = [event["delta"] for event in found if event["type"] == "content_block_delta" and event["index"] == 0]
    assert [delta["type"] for delta in deltas] == ["signature_delta"]
    assert written(call(model, thinking=thinking), *ALL)["content"][0]["thinking"] == ""


def test_hidden_thought_takes_its_time() -> None:
    thinking = {"type": "enabled", "budget_tokens": 1024}
    shown, hidden = (
        DIALECT.write(
            Completion("ab" * 16, 0, "claude-haiku-4-5", (Choice(ALL, Finish.TOOL_CALLS),), Usage(1, 9, 0, 2)),
            call(thinking={**thinking, "display": display}, stream=True),
        ).body
        for display in ("summarized", "omitted")
    )
    assert not isinstance(shown, bytes)
    assert not isinstance(hidden, bytes)
    assert max(frame.token for frame in shown) == max(frame.token for frame in hidden) == 5


def test_magic_strings() -> None:
    thinking = {"type": "enabled", "budget_tokens": 1024}
    redacted = f"ANTHROPIC_MAGIC_STRING_TRIGGER_REDACTED_THINKING_{'4' * 64}"
    block = written(call(said=redacted, thinking=thinking), *ALL)["content"][0]
    assert (block["type"], len(block["data"])) == ("redacted_thinking", 400)
    started = written(call(said=redacted, thinking=thinking, stream=True), *ALL)[1]
    assert started["content_block"] == block
    refused = written(call(said=f"ANTHROPIC_MAGIC_STRING_TRIGGER_REFUSAL_{'1' * 64}"), *ALL)
    assert (refused["stop_reason"], refused["content"]) == ("refusal", [])
    assert refused["stop_details"] == {"type": "refusal", "category": None, "explanation": None}


@pytest.mark.parametrize(
    ("model", "shown", "geo", "current"),
    [
        ("claude-3-5-haiku-latest", "claude-3-5-haiku-20241022", None, False),
        ("claude-sonnet-4-0", "claude-sonnet-4-20250514", "not_available", True),
        ("claude-haiku-4-5", "claude-haiku-4-5-20251001", "not_available", True),
        ("claude-sonnet-4-6", "claude-sonnet-4-6", "global", True),
        ("claude-opus-5-5", "claude-opus-5-5", "global", True),
    ],
)
def test_keys_by_generation(model: str, shown: str, geo: str | None, current: bool) -> None:
    message = written(call(model), *ALL[1:])
    assert (message["model"], message["usage"].get("inference_geo")) == (shown, geo)
    assert ("stop_details" in message, "caller" in message["content"][1]) == (current, current)


@pytest.mark.parametrize(
    ("model", "counts"),
    [
        ("claude-3-opus-20240229", {"input_tokens", "output_tokens"}),
        (
            "claude-3-7-sonnet-latest",
            {
                "input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens",
                "output_tokens", "service_tier",
            },
        ),
    ],
)  # fmt: skip
def test_retired_models_tell_less(model: str, counts: set[str]) -> None:
    assert written(call(model), *ALL[1:])["usage"].keys() == counts
    *_, delta, _ = written(call(model, stream=True), *ALL[1:])
    assert delta["usage"].keys() == {"output_tokens"}


def test_where_inference_runs_may_be_asked_for() -> None:
    assert written(call("claude-opus-5", inference_geo="us"), *ALL[1:])["usage"]["inference_geo"] == "us"


def cache_control(ttl: str = "") -> JSON:
    return {"type": "ephemeral", **({"ttl": ttl} if ttl else {})}


def system(ttl: str = "") -> JSON:
    return [{"type": "text", "text": LONG, "cache_control": cache_control(ttl)}]


def user(text: str, *, marked: bool = False) -> JSON:
    block = {"type": "text", "text": text}
    return {"role": "user", "content": [{**block, "cache_control": cache_control()} if marked else block]}


HELLO: JSON = {"role": "assistant", "content": "hello"}


@pytest.mark.parametrize(
    ("body", "read", "written", "hour"),
    [
        ({"messages": [user("hi")]}, 0, 0, 0),
        ({"messages": [user("hi", marked=True)]}, 0, 0, 0),
        ({"system": system(), "messages": [user("hi")]}, 0, 1, 0),
        ({"system": system("1h"), "messages": [user("hi")]}, 0, 0, 1),
        ({"system": system(), "messages": [user("hi"), HELLO, user("more")]}, 1, 0, 0),
        ({"system": LONG, "messages": [user("hi", marked=True), HELLO, user("more " * 20, marked=True)]}, 1, 1, 0),
        ({"cache_control": cache_control(), "messages": [user(LONG)]}, 0, 1, 0),
        (
            {"tools": [{"name": "t", "description": LONG, "cache_control": cache_control()}], "messages": [user("a")]},
            0,
            1,
            0,
        ),
    ],
)
def test_cache(body: dict[str, JSON], read: int, written: int, hour: int) -> None:
    model = "claude-sonnet-4-5"
    prompt = prompt_tokens(body, model)
    found = cached(body, model, prompt)
    assert (found.read > 0, found.written > 0, found.hour > 0) == (bool(read), bool(written), bool(hour))
    assert found.read + found.written + found.hour <= prompt - 3
    assert found == NOTHING or found.read + found.written + found.hour > 1024


def test_short_prompts_are_not_cached() -> None:
    body = {"system": system(), "messages": [user("hi")]}
    assert cached(body, "claude-haiku-4-5", 4000) == NOTHING


@pytest.mark.parametrize(
    ("content", "more"),
    [
        ([{"type": "image", "source": {"type": "url", "url": "https://x/y.png"}}], 1500),
        ([{"type": "image", "source": {"type": "base64", "data": "not an image"}}], 1500),
        ([{"type": "document", "source": {"type": "url", "url": "https://x/y.pdf"}}], 2300),
        ([{"type": "tool_result", "content": [{"type": "image", "source": {"type": "url", "url": "x"}}]}], 1500),
        ([{"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "a b c"}]}}], 3),
        ([{"type": "redacted_thinking", "data": "E" * 999}], 0),
        ([{"type": "thinking", "thinking": "long " * 99, "signature": "E"}], 0),
    ],
)
def test_what_is_counted(content: JSON, more: int) -> None:
    bare = prompt_tokens({"messages": [{"role": "user", "content": []}]}, "claude-sonnet-4-5")
    found = prompt_tokens({"messages": [{"role": "user", "content": content}]}, "claude-sonnet-4-5")
    assert abs(found - bare - more) <= more * 0.1 + 1


def test_pages_of_a_pdf() -> None:
    assert pages(b64encode(b"/Type /Pages /Type /Page /Type/Page>>").decode()) == 2
    assert pages("%%%") == pages("") == 1


def test_parallel_calls_may_be_switched_off() -> None:
    body = {"messages": [user("a")], "tool_choice": {"type": "auto", "disable_parallel_tool_use": True}}
    assert not ask(body, "claude-opus-5").parallel
    assert ask({"messages": [user("a")]}, "claude-opus-5").parallel


def test_tokens_are_counted_without_an_answer() -> None:
    body = {"model": "claude-haiku-4-5", "messages": [user("hi")]}
    raw = RawRequest("POST", "/v1/messages/count_tokens", body=json.dumps(body).encode())
    asked = DIALECT.read(raw, "anthropic")
    assert asked
    assert DIALECT.check(asked) is None
    reply = DIALECT.respond(asked, desk())
    assert reply.body == b'{"input_tokens":%d}' % prompt_tokens(body, "claude-haiku-4-5")
    assert not any(name.startswith("anthropic-ratelimit") for name, _ in reply.headers)


def test_the_list_of_models_is_valid_and_has_no_aliases() -> None:
    asked = DIALECT.read(RawRequest("GET", "/v1/models", query="limit=1000"), "anthropic")
    assert asked
    reply = DIALECT.respond(asked, desk())
    assert isinstance(reply.body, bytes)
    listed = [ModelInfo.model_validate(item) for item in json.loads(reply.body)["data"]]
    assert [list(unknown(model)) for model in listed] == [[]] * len(listed)
    assert "claude-haiku-4-5" not in {model.id for model in listed}
    ends = {model.id: model.retires_at for model in listed if model.lifecycle == "deprecated"}
    assert str(ends["claude-sonnet-4-5-20250929"])[:10] == "2026-11-30"
