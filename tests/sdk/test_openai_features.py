"""What chat requests of OpenAI and Azure ask for beside text: thought, log probabilities, predictions, refusals, labels."""

from __future__ import annotations

import json
import math

import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from llm_simulator import dialects, tokens
from llm_simulator.dialects import ids, logprobs
from llm_simulator.dialects.thinking import thinking_of
from llm_simulator.simulator.engine import Engine
from llm_simulator.simulator.style import Style
from llm_simulator.types import JSON, Call, Completion, RawRequest, ToolCall, Usage

USER = {"role": "user", "content": "Hello 🍜!"}
AZURE = "/openai/deployments/gpt-4o/chat/completions"
FUNCTION = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}
CUSTOM = {"type": "custom", "custom": {"name": "note"}}


def call_of(*, azure: bool = False, **fields: JSON) -> Call:
    host, path = ("x.openai.azure.com", AZURE) if azure else ("api.openai.com", "/v1/chat/completions")
    body = {"model": "gpt-4o", "messages": [USER], **fields}
    return dialects.read(RawRequest("POST", path, host, body=json.dumps(body).encode()))


def bytes_of(call: Call, style: Style = Style(), *, labelled: bool = False) -> bytes:  # noqa: B008  frozen
    answer = Engine(2, style=style, labelled=labelled).simulate(call, dialects.of(call), b"one", at_once=True).answer
    return b"".join(chunk.data for chunk in answer.chunks)  # type: ignore[union-attr]  # pyright: ignore


def answer_of(style: Style = Style(), **fields: JSON) -> JSON:  # noqa: B008  frozen
    return json.loads(bytes_of(call_of(**fields), style))


def chunks_of(style: Style = Style(), **fields: JSON) -> list[JSON]:  # noqa: B008  frozen
    lines = bytes_of(call_of(stream=True, **fields), style).decode().split("\n\n")
    return [json.loads(line.removeprefix("data: ")) for line in lines if line and line != "data: [DONE]"]


# Thought


@pytest.mark.parametrize(
    ("model", "effort", "step"),
    [
        ("o3", "medium", 64),
        ("o1-mini-2024-09-12", "medium", 64),
        ("gpt-5-nano", "medium", 64),
        ("gpt-5-pro", "high", 64),
        ("openai/o4-mini", "medium", 64),
        ("deepseek-reasoner", "medium", 1),
        ("qwen3:8b", "medium", 1),
        ("gemini-2.5-pro", "medium", 1),
        ("magistral-small-latest", "medium", 1),
    ],
)
def test_models_that_think_unasked(model: str, effort: str, step: int) -> None:
    thinking = thinking_of(model)
    assert thinking
    assert (thinking.effort, thinking.step) == (effort, step)


@pytest.mark.parametrize(
    "model", ["gpt-4o", "gpt-5-chat-latest", "gpt-5.2", "claude-sonnet-4-5", "llama3", "grok-4-non-reasoning"]
)
def test_models_that_do_not_think_unasked(model: str) -> None:
    assert thinking_of(model) is None


def test_what_is_asked_counts() -> None:
    assert thinking_of("gpt-5.4", "low")
    assert thinking_of("claude-opus-4-5", budget=2000)
    assert thinking_of("gpt-4o", "high") is None
    assert thinking_of("gpt-5.4", "none") is None
    assert thinking_of("gemini-2.5-flash", budget=0) is None
    always = thinking_of("o3", "none")
    assert always
    assert always.effort == "minimal"


def test_thought_is_told_in_the_counts_alone() -> None:
    answer = answer_of(model="gpt-5-nano", reasoning_effort="low")
    message, usage = answer["choices"][0]["message"], answer["usage"]
    thought = usage["completion_tokens_details"]["reasoning_tokens"]
    assert thought > 0
    assert thought % 64 == 0
    assert set(message) == {"role", "content", "refusal", "annotations"}
    assert usage["completion_tokens"] == thought + tokens.count(message["content"], "gpt-5-nano") + 9
    assert "logprobs" not in answer["choices"][0]
    assert answer["system_fingerprint"] is None


def test_too_small_a_limit_leaves_an_empty_text() -> None:
    answer = answer_of(model="o3", reasoning_effort="high", max_completion_tokens=100)
    (choice,) = answer["choices"]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("", "length")
    assert answer["usage"]["completion_tokens"] == 100
    assert answer["usage"]["completion_tokens_details"]["reasoning_tokens"] == 64
    *_, last = chunks_of(model="o3", reasoning_effort="high", max_completion_tokens=100)
    assert last["choices"][0]["finish_reason"] == "length"


@pytest.mark.parametrize("model", ["gpt-4o", "gpt-5-nano", "o3", "gpt-5.4"])
@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"n": 3},
        {"max_completion_tokens": 700},
        {"max_completion_tokens": 20},
        {"tools": [FUNCTION], "tool_choice": "required"},
        {"tools": [FUNCTION], "tool_choice": {"type": "function", "function": {"name": "look"}}},
        {"response_format": {"type": "json_object"}},
        {"stop": "e"},
    ],
)
@pytest.mark.parametrize("azure", [False, True])
def test_the_bill_is_what_the_counting_rules_say_of_the_answer(model: str, fields: JSON, azure: bool) -> None:
    call = call_of(azure=azure, model=model, **fields)
    completion = Engine(2).complete(call, dialects.of(call), b"one")
    answer = json.loads(bytes_of(call))
    counted = tokens.count_completion(call.body, answer["choices"], call.model, reasoning=0, azure=azure)
    thought = answer["usage"]["completion_tokens_details"]["reasoning_tokens"]
    cut = [choice for choice in answer["choices"] if choice["finish_reason"] == "length"]
    assert (
        completion.usage.completion == answer["usage"]["completion_tokens"] == counted.tokens + (0 if cut else thought)
    )
    limit = fields.get("max_completion_tokens")
    assert limit is None or answer["usage"]["completion_tokens"] <= limit


# Log probabilities


@pytest.mark.parametrize("top", [0, 1, 5, 20])
def test_log_probabilities_in_a_body(top: int) -> None:
    answer = answer_of(logprobs=True, top_logprobs=top)
    (choice,) = ChatCompletion.model_validate(answer).choices
    assert choice.logprobs
    assert choice.logprobs.refusal is None
    assert "".join(entry.token for entry in choice.logprobs.content or ()) == choice.message.content
    for entry in choice.logprobs.content or ():
        assert bytes(entry.bytes or ()).decode() == entry.token
        assert len(entry.top_logprobs) == top
        shares = [math.exp(other.logprob) for other in entry.top_logprobs]
        assert sum(shares) <= 1 + 1e-9
        assert shares == sorted(shares, reverse=True)
        assert top == 0 or entry.token in {other.token for other in entry.top_logprobs}
        assert len({other.token for other in entry.top_logprobs}) == top


def test_a_stream_tells_the_same_log_probabilities() -> None:
    whole = answer_of(logprobs=True, top_logprobs=2)["choices"][0]["logprobs"]["content"]
    first, *pieces, last = (chunk["choices"][0]["logprobs"] for chunk in chunks_of(logprobs=True, top_logprobs=2))
    assert first == {"content": [], "refusal": None}
    assert last is None
    assert [entry for told in pieces for entry in told["content"]] == whole


def test_padding_holds_with_log_probabilities() -> None:
    lines = bytes_of(call_of(stream=True, logprobs=True, top_logprobs=3)).decode().split("\n\n")
    assert {len(line.removeprefix("data: ")) % 16 for line in lines if line.startswith("data: {")} == {1}


def test_choices_differ_in_their_log_probabilities() -> None:
    one, other = answer_of(logprobs=True, n=2)["choices"]
    assert one["logprobs"]["content"][0]["logprob"] != other["logprobs"]["content"][0]["logprob"]


def test_not_asked_for_there_are_none() -> None:
    assert answer_of()["choices"][0]["logprobs"] is None
    assert logprobs.wanted({"logprobs": False, "top_logprobs": 3}) is None
    assert answer_of(logprobs=True, tools=[FUNCTION], tool_choice="required")["choices"][0]["logprobs"] is None


# Predictions, refusals, tools, labels


def test_a_prediction_that_comes_true() -> None:
    text = "class Cat:\n    name = 'Mia'\n"
    answer = answer_of(prediction={"type": "content", "content": text})
    assert answer["choices"][0]["message"]["content"] == text
    details = answer["usage"]["completion_tokens_details"]
    assert details["accepted_prediction_tokens"] == tokens.count(text, "gpt-4o")
    assert details["rejected_prediction_tokens"] == 0
    cut = answer_of(prediction={"type": "content", "content": [{"type": "text", "text": text}]}, max_tokens=3)
    assert cut["usage"]["completion_tokens_details"]["rejected_prediction_tokens"] == tokens.count(text, "gpt-4o") - 3


def test_a_refusal_has_its_own_place() -> None:
    style = Style(refusal="I'm sorry, I can't.")
    (choice,) = answer_of(style)["choices"]
    assert (choice["message"]["content"], choice["message"]["refusal"]) == (None, "I'm sorry, I can't.")
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks_of(style)]
    assert "".join(delta["refusal"] for delta in deltas if delta.get("refusal")) == "I'm sorry, I can't."
    call = call_of(stream=True)
    found = dialects.of(call).parse(200, (), bytes_of(call, style), call)
    assert found
    assert found.choices[0].extra["message"] == {"refusal": "I'm sorry, I can't."}


@pytest.mark.parametrize("stream", [False, True])
def test_calls_at_once(stream: bool) -> None:
    call = call_of(stream=stream, tools=[FUNCTION, CUSTOM], tool_choice="required")
    found = dialects.of(call).parse(200, (), bytes_of(call, Style(calls=2)), call)
    assert found
    assert [part.name for part in found.choices[0].parts if isinstance(part, ToolCall)] in (
        ["look", "note"],
        ["note", "look"],
    )
    (one,) = answer_of(Style(calls=2), tools=[FUNCTION, CUSTOM], tool_choice="required", parallel_tool_calls=False)[
        "choices"
    ][0]["message"]["tool_calls"]
    assert one["id"].startswith("call_")


def test_only_allowed_tools_are_called() -> None:
    allowed = {"mode": "required", "tools": [{"type": "function", "function": {"name": "look"}}]}
    other = {"type": "function", "function": {"name": "listen"}}
    choice = {"type": "allowed_tools", "allowed_tools": allowed}
    answer = answer_of(Style(calls=3), tools=[other, FUNCTION, CUSTOM], tool_choice=choice)
    assert {call["function"]["name"] for call in answer["choices"][0]["message"]["tool_calls"]} == {"look"}


def test_a_named_custom_tool_gets_text() -> None:
    answer = answer_of(tools=[FUNCTION, CUSTOM], tool_choice={"type": "custom", "custom": {"name": "note"}})
    (call,) = answer["choices"][0]["message"]["tool_calls"]
    assert (call["type"], call["custom"]["name"]) == ("custom", "note")
    assert call["custom"]["input"]
    ChatCompletion.model_validate(answer)


def test_labels_in_the_body() -> None:
    call = call_of()
    plain, labelled = (json.loads(bytes_of(call, labelled=labelled)) for labelled in (False, True))
    assert labelled["id"] == plain["id"].replace("chatcmpl-", "chatcmpl-sim-")
    assert labelled["model"] == plain["model"] + "-simulated"
    assert labelled["choices"] == plain["choices"]
    for line in bytes_of(call_of(stream=True), labelled=True).decode().split("\n\n"):
        if line.startswith("data: {"):
            chunk = ChatCompletionChunk.model_validate_json(line.removeprefix("data: "))
            assert (chunk.id[:13], chunk.model) == ("chatcmpl-sim-", "gpt-4o-2024-08-06-simulated")


@pytest.mark.parametrize(
    ("identity", "shown"),
    [
        ("chatcmpl-abc", "chatcmpl-sim-abc"),
        ("msg_01abc", "msg_sim_01abc"),
        ("resp_0a1b", "resp_sim_0a1b"),
        ("8b1e7bf8-28c8-46b2", "sim-8b1e7bf8-28c8-46b2"),
        ("0a1b", "sim-0a1b"),
    ],
)
def test_marked_ids(identity: str, shown: str) -> None:
    completion = Completion("", 0, "m", (), Usage(0, 0), labelled=True)
    assert ids.marked(identity, completion) == shown
    assert ids.marked_model("m", completion) == "m-simulated"


@pytest.mark.parametrize(
    ("fields", "warning"), [({"store": True}, "store: "), ({"modalities": ["text", "audio"]}, "modalities: ")]
)
def test_what_is_not_simulated_is_said(fields: JSON, warning: str) -> None:
    call = call_of(**fields)
    (told,) = dialects.of(call).ask(call).warnings
    assert told.startswith(warning)
