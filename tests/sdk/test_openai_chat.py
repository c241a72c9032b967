"""How chat completions are written and read back: bodies, streams, errors; OpenAI, Azure and the look-alikes."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
from desks import desk
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from llm_simulator import dialects
from llm_simulator.types import (
    JSON,
    Call,
    Choice,
    Completion,
    Condition,
    Finish,
    Frame,
    Part,
    RawRequest,
    Reasoning,
    Reply,
    Text,
    ToolCall,
    Usage,
    header,
)

ID = "0123456789abcdef" * 2
USER = {"role": "user", "content": "Hello!"}
SAID = (Text(("Hi", " there", "!")),)
CALLS = (ToolCall("a" * 32, "weather", ('{"city":', '"Ulm"}')), ToolCall("b" * 32, "clock", ("{}",)))
HOSTS = {
    "openai": ("api.openai.com", "/v1/chat/completions"),
    "azure": ("x.openai.azure.com", "/openai/deployments/my-gpt/chat/completions"),
    "groq": ("api.groq.com", "/openai/v1/chat/completions"),
    "mistral": ("api.mistral.ai", "/v1/chat/completions"),
    "deepseek": ("api.deepseek.com", "/chat/completions"),
    "together": ("api.together.xyz", "/v1/chat/completions"),
    "xai": ("api.x.ai", "/v1/chat/completions"),
    "fireworks": ("api.fireworks.ai", "/inference/v1/chat/completions"),
    "openrouter": ("openrouter.ai", "/api/v1/chat/completions"),
    "perplexity": ("api.perplexity.ai", "/chat/completions"),
    "ollama": ("localhost:11434", "/v1/chat/completions"),
    "vllm": ("localhost:8000", "/v1/chat/completions"),
    "gemini": ("generativelanguage.googleapis.com", "/v1beta/openai/chat/completions"),
    "nobody": ("llm.example.com", "/v1/chat/completions"),
}


def chat(provider: str = "openai", **fields: JSON) -> Call:
    host, path = HOSTS[provider]
    body = {"model": "gpt-4o", "messages": [USER], **fields}
    return dialects.read(RawRequest("POST", path, host, body=json.dumps(body).encode()))


def said(*parts: Part, finish: Finish = Finish.STOP, usage: Usage = Usage(9, 3)) -> Completion:  # noqa: B008  frozen
    return Completion(ID, 1_780_000_000, "gpt-4o", (Choice(parts, finish),), usage, "0a1b2c3d4e")


def whole(completion: Completion, call: Call) -> JSON:
    reply = dialects.of(call).write(completion, call)
    assert isinstance(reply.body, bytes)
    return json.loads(reply.body)


def frames(completion: Completion, call: Call) -> list[Frame]:
    reply = dialects.of(call).write(completion, call)
    assert not isinstance(reply.body, bytes)
    return list(reply.body)


def chunks(completion: Completion, call: Call) -> list[JSON]:
    lines = [frame.data.decode() for frame in frames(completion, call)]
    assert all(line.startswith("data: ") and line.endswith("\n\n") for line in lines)
    assert lines.pop() == "data: [DONE]\n\n"
    return [json.loads(line.removeprefix("data: ")) for line in lines]


def joined(reply: Reply) -> bytes:
    return reply.body if isinstance(reply.body, bytes) else b"".join(frame.data for frame in reply.body)


def back(completion: Completion, call: Call) -> Completion:
    dialect = dialects.of(call)
    reply = dialect.write(completion, call)
    found = dialect.parse(200, reply.headers, joined(reply), call)
    assert found
    return found


WHOLE = """\
{
  "id": "chatcmpl-%s",
  "object": "chat.completion",
  "created": 1780000000,
  "model": "gpt-4o-2024-08-06",
  "choices": [
    {
      "index": 0,
      "message": {
        "role": "assistant",
        "content": "Hi there!",
        "refusal": null,
        "annotations": []
      },
      "logprobs": null,
      "finish_reason": "stop"
    }
  ],
  "usage": {
    "prompt_tokens": 9,
    "completion_tokens": 3,
    "total_tokens": 12,
    "prompt_tokens_details": {
      "cached_tokens": 0,
      "audio_tokens": 0
    },
    "completion_tokens_details": {
      "reasoning_tokens": 0,
      "audio_tokens": 0,
      "accepted_prediction_tokens": 0,
      "rejected_prediction_tokens": 0
    }
  },
  "service_tier": "default",
  "system_fingerprint": "fp_0a1b2c3d4e"
}
"""


def test_a_whole_answer_to_the_byte() -> None:
    body = joined(dialects.of(chat()).write(said(*SAID), chat())).decode()
    identity = re.findall(r'"id": "chatcmpl-([A-Za-z0-9]{29})"', body)
    assert body == WHOLE % identity[0]


def test_the_chunks_of_a_stream() -> None:
    call = chat(stream=True, stream_options={"include_usage": True})
    found = chunks(said(*SAID), call)
    assert [tuple(chunk) for chunk in found] == [
        ("id", "object", "created", "model", "service_tier", "system_fingerprint", "choices", "usage", "obfuscation")
    ] * len(found)
    assert [chunk["choices"] for chunk in found] == [
        [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]
        for delta, finish in [
            ({"role": "assistant", "content": "", "refusal": None}, None),
            ({"content": "Hi"}, None),
            ({"content": " there"}, None),
            ({"content": "!"}, None),
            ({}, "stop"),
        ]
    ] + [[]]
    assert [chunk["usage"] for chunk in found[:-1]] == [None] * 5
    assert found[-1]["usage"]["total_tokens"] == 12
    assert [frame.token for frame in frames(said(*SAID), call)] == [0, 0, 1, 2, 2, 2, 2]


def test_without_usage_asked_for_there_is_none() -> None:
    assert all("usage" not in chunk for chunk in chunks(said(*SAID), chat(stream=True)))


@pytest.mark.parametrize("options", [{}, {"include_usage": True}])
def test_obfuscation_fills_each_chunk_to_one_length(options: JSON) -> None:
    completion = said(Text(tuple("a" * n + "é\n" for n in range(40))))
    lines = [frame.data.decode()[6:-2] for frame in frames(completion, chat(stream=True, stream_options=options))][:-1]
    assert {len(line) % 16 for line in lines} == {1}
    assert all(re.fullmatch("[A-Za-z0-9]{0,15}", json.loads(line)["obfuscation"]) for line in lines)


def test_obfuscation_can_be_left_out() -> None:
    found = chunks(said(*SAID), chat(stream=True, stream_options={"include_obfuscation": False}))
    assert all("obfuscation" not in chunk for chunk in found)
    assert found[1]["choices"][0]["delta"] == {"content": "Hi"}


def test_a_tool_call_alone_comes_with_the_role() -> None:
    found = [chunk["choices"][0]["delta"] for chunk in chunks(said(CALLS[0]), chat(stream=True))]
    identity: str = found[0]["tool_calls"][0]["id"]
    assert re.fullmatch("call_[A-Za-z0-9]{24}", identity)
    start = {"index": 0, "id": identity, "type": "function", "function": {"name": "weather", "arguments": ""}}
    assert found == [
        {"role": "assistant", "content": None, "tool_calls": [start], "refusal": None},
        {"tool_calls": [{"index": 0, "function": {"arguments": '{"city":'}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": '"Ulm"}'}}]},
        {},
    ]


def test_several_tool_calls_get_a_chunk_of_their_own_each() -> None:
    made = frames(said(*CALLS, finish=Finish.TOOL_CALLS), chat(stream=True))
    found = [json.loads(frame.data[6:])["choices"][0] for frame in made[:-1]]
    assert found[0]["delta"] == {"role": "assistant", "content": None, "refusal": None}
    assert [
        (call["index"], call["function"].get("name"), call["function"]["arguments"])
        for choice in found
        for call in choice["delta"].get("tool_calls", [])
    ] == [(0, "weather", ""), (0, None, '{"city":'), (0, None, '"Ulm"}'), (1, "clock", ""), (1, None, "{}")]
    assert found[-1]["finish_reason"] == "tool_calls"
    assert [frame.token for frame in made] == [0, 0, 0, 1, 2, 2, 2, 2]


def test_text_before_a_tool_call() -> None:
    found = chunks(said(Text(("I look",)), CALLS[0]), chat(stream=True))
    assert [next(iter(chunk["choices"][0]["delta"]), "") for chunk in found] == [
        "role", "content", "tool_calls", "tool_calls", "tool_calls", "",
    ]  # fmt: skip
    message = whole(said(Text(("I look",)), CALLS[0]), chat())["choices"][0]["message"]
    assert list(message) == ["role", "content", "tool_calls", "refusal", "annotations"]
    assert message["content"] == "I look"


def test_the_deprecated_function_call() -> None:
    functions = [{"name": "weather"}]
    one = whole(said(CALLS[0], finish=Finish.TOOL_CALLS), chat(functions=functions))["choices"][0]
    assert one["message"]["function_call"] == {"name": "weather", "arguments": '{"city":"Ulm"}'}
    assert one["finish_reason"] == "function_call"
    found = chunks(said(CALLS[0]), chat(functions=functions, stream=True))
    assert found[0]["choices"][0]["delta"]["function_call"] == {"name": "weather", "arguments": ""}
    assert found[1]["choices"][0]["delta"] == {"function_call": {"arguments": '{"city":'}}


def test_several_choices_take_turns() -> None:
    completion = replace(
        said(), choices=(Choice((Text(("a", "b")),), Finish.STOP), Choice((Text(("c",)),), Finish.LENGTH))
    )
    made = frames(completion, chat(stream=True, n=2))
    found = [json.loads(frame.data[6:])["choices"][0] for frame in made[:-1]]
    assert [(choice["index"], choice["delta"].get("content"), choice["finish_reason"]) for choice in found] == [
        (0, "", None), (1, "", None),
        (0, "a", None), (1, "c", None),
        (0, "b", None), (1, None, "length"),
        (0, None, "stop"),
    ]  # fmt: skip
    assert [frame.token for frame in made] == [0, 0, 0, 1, 2, 2, 2, 2]
    assert [choice["index"] for choice in whole(completion, chat(n=2))["choices"]] == [0, 1]


def test_hidden_thinking_takes_its_time_but_is_not_shown() -> None:
    completion = said(Reasoning(("hm", "hm")), Text(("a",)), usage=Usage(9, 3, reasoning=2))
    made = frames(completion, chat(stream=True))
    assert [frame.token for frame in made] == [2, 2, 2, 2]
    answer = whole(completion, chat())
    assert "hm" not in json.dumps(answer)
    assert answer["usage"]["completion_tokens_details"]["reasoning_tokens"] == 2


@pytest.mark.parametrize(
    ("provider", "field", "beside"),
    [
        ("xai", "reasoning_content", {}),
        ("groq", "reasoning", {}),
        ("deepseek", "reasoning_content", {"content": None}),
        ("vllm", "reasoning_content", {}),
    ],
)
def test_shown_thinking(provider: str, field: str, beside: JSON) -> None:
    completion = said(Reasoning(("hm", "hm")), Text(("a",)))
    assert whole(completion, chat(provider))["choices"][0]["message"][field] == "hmhm"
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks(completion, chat(provider, stream=True))]
    assert deltas[0]["role"] == "assistant"
    assert deltas[1:3] == [{**beside, field: "hm"}, {**beside, field: "hm"}]
    assert back(completion, chat(provider, stream=True)).choices[0].parts == completion.choices[0].parts


def test_nothing_said() -> None:
    assert whole(said(), chat())["choices"][0]["message"]["content"] == ""
    assert [chunk["choices"][0]["delta"] for chunk in chunks(said(), chat(stream=True))] == [
        {"role": "assistant", "content": "", "refusal": None}, {},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ("gpt-4o", "gpt-4o-2024-08-06"),
        ("gpt-4", "gpt-4-0613"),
        ("gpt-4o-2024-11-20", "gpt-4o-2024-11-20"),
        ("own", "own"),
    ],
)
def test_an_alias_is_answered_by_its_snapshot(asked: str, answered: str) -> None:
    assert whole(said(), chat(model=asked))["model"] == answered


@pytest.mark.parametrize(
    ("deployment", "asked", "answered"),
    [
        ("gpt-4o", None, "gpt-4o-2024-08-06"),
        ("team-GPT-4o-mini_eu", None, "gpt-4o-mini-2024-07-18"),
        ("gpt-4omni", None, "gpt-4omni"),
        ("mine", "gpt-4o", "gpt-4o-2024-08-06"),
        ("mine", "mine", "mine"),
    ],
)
def test_a_deployment_serves_the_model_that_it_or_the_request_names(
    deployment: str, asked: str | None, answered: str
) -> None:
    host, path = HOSTS["azure"]
    body = {"messages": [USER], **({"model": asked} if asked else {})}
    raw = RawRequest("POST", path.replace("my-gpt", deployment), host, body=json.dumps(body).encode())
    assert whole(said(), dialects.read(raw))["model"] == answered


def test_fingerprint_and_tier() -> None:
    assert whole(said(), chat(model="gpt-3.5-turbo"))["system_fingerprint"] is None
    assert re.fullmatch("fp_[0-9a-f]{10}", whole(replace(said(), fingerprint=""), chat())["system_fingerprint"])
    assert whole(said(), chat(service_tier="flex"))["service_tier"] == "flex"
    assert whole(said(), chat(service_tier="auto"))["service_tier"] == "default"


def test_headers_of_a_success() -> None:
    headers = dialects.of(chat()).write(said(), chat()).headers
    assert header(headers, "content-type") == "application/json"
    assert re.fullmatch("req_[0-9a-f]{32}", header(headers, "x-request-id"))
    assert header(headers, "openai-version") == "2020-10-01"
    assert header(headers, "openai-processing-ms").isdecimal()
    assert header(headers, "x-ratelimit-remaining-requests") == "9999"
    assert header(headers, "x-ratelimit-remaining-tokens") == "49999988"
    assert header(headers, "x-ratelimit-reset-requests") == "6ms"
    assert header(dialects.of(chat()).write(said(), chat(stream=True)).headers, "content-type") == (
        "text/event-stream; charset=utf-8"
    )


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("parts", [SAID, CALLS, (Text(("I look",)), CALLS[0]), ()])
def test_the_sdk_takes_every_answer(parts: tuple[Part, ...], stream: bool) -> None:
    call = chat(stream=stream, stream_options={"include_usage": True})
    if stream:
        for chunk in chunks(said(*parts), call):
            known = ChatCompletionChunk.model_validate(chunk)
            assert known.model_extra == {}
    else:
        answer = ChatCompletion.model_validate(whole(said(*parts), call), strict=True)
        assert answer.model_extra == {}
        assert answer.choices[0].message.model_extra == {}


# Azure


def test_azure_whole() -> None:
    reply = dialects.of(chat("azure")).write(said(*SAID), chat("azure"))
    body = joined(reply).decode()
    assert body == json.dumps(json.loads(body), separators=(",", ":")) + "\n"
    answer = json.loads(body)
    assert list(answer) == sorted(answer)
    assert answer["choices"][0]["content_filter_results"]["hate"] == {"filtered": False, "severity": "safe"}
    assert answer["prompt_filter_results"][0]["prompt_index"] == 0
    assert "service_tier" not in answer
    assert header(reply.headers, "x-ms-deployment-name") == "my-gpt"
    assert header(reply.headers, "x-ratelimit-reset-tokens") == "6"
    assert re.fullmatch("[0-9a-f-]{36}", header(reply.headers, "apim-request-id"))


def test_azure_stream() -> None:
    found = chunks(said(*SAID), chat("azure", stream=True))
    assert (found[0]["id"], found[0]["choices"], found[0]["created"]) == ("", [], 0)
    assert found[0]["prompt_filter_results"][0]["content_filter_results"]["jailbreak"]["detected"] is False
    assert found[1]["choices"][0]["content_filter_results"] == {}
    assert found[2]["choices"][0]["delta"] == {"content": "Hi"}
    assert all(list(chunk) == sorted(chunk) for chunk in found)


def test_azure_reads_the_deployment() -> None:
    call = chat("azure", model="ignored")
    assert (call.provider, call.model, dialects.of(call).name) == ("azure", "my-gpt", "azure_chat")
    raw = replace(call.raw, path="/openai/v1/chat/completions")
    assert dialects.read(raw).model == "ignored"
    body = json.dumps({"messages": [USER]}).encode()
    assert dialects.of(call).check(dialects.read(replace(call.raw, body=body))) is None


@pytest.mark.parametrize(
    ("condition", "error"),
    [
        (Condition("x", 401, "no", code="401"), {"code": "401", "message": "no", "type": "invalid_request_error"}),
        (Condition("x", 500, "busy"), {"code": "InternalServerError", "message": "busy", "type": "server_error"}),
        (Condition("x", 404, "gone"), {"code": "404", "message": "gone", "type": "invalid_request_error"}),
        (
            Condition("cassette_miss", 404, "gone", code="cassette_miss", extra={"near": 1}),
            {"code": "cassette_miss", "message": "gone", "type": "invalid_request_error", "llm_simulator": {"near": 1}},
        ),
        (
            Condition("invalid_type", 400, "bad", "n", "invalid_type"),
            {"message": "bad", "type": "invalid_request_error", "param": "n", "code": "invalid_type"},
        ),
    ],
)
def test_azure_errors(condition: Condition, error: JSON) -> None:
    reply = dialects.of(chat("azure")).refuse(condition, chat("azure"))
    assert isinstance(reply.body, bytes)
    assert json.loads(reply.body) == {"error": error}


# Errors


def laid_out(step: str, end: str, kind: str, code: str, more: str = "") -> str:
    inner = ['"message": "no"', f'"type": "{kind}"', '"param": null', f'"code": {code}', *([more] if more else [])]
    members = ",\n".join(2 * step + line for line in inner)
    return f'{{\n{step}"error": {{\n{members}\n{step}}}\n}}{end}'


BAD = "invalid_request_error"
MISS = Condition("cassette_miss", 404, "no", code="cassette_miss", extra=7)


@pytest.mark.parametrize(
    ("condition", "body"),
    [
        (Condition("missing_model", 400, "no", type=BAD), laid_out("  ", "", BAD, "null")),
        (Condition("x", 401, "no", code="invalid_api_key"), laid_out("    ", "\n", BAD, '"invalid_api_key"')),
        (Condition("model_not_found", 404, "no"), laid_out("    ", "\n", BAD, "null")),
        (Condition("server_error", 500, "no"), laid_out("  ", "", "server_error", "null")),
        (MISS, laid_out("  ", "", BAD, '"cassette_miss"', '"llm_simulator": 7')),
    ],
)
def test_error_layouts(condition: Condition, body: str) -> None:
    reply = dialects.of(chat()).refuse(condition, chat())
    assert isinstance(reply.body, bytes)
    assert (reply.status, reply.body.decode()) == (condition.status, body)


@pytest.mark.parametrize(
    ("status", "kind"),
    [(429, "requests"), (500, "server_error"), (503, "service_unavailable_error"), (422, "invalid_request_error")],
)
def test_error_types_by_status(status: int, kind: str) -> None:
    reply = dialects.of(chat()).refuse(Condition("x", status, "m"), chat())
    assert isinstance(reply.body, bytes)
    assert json.loads(reply.body)["error"]["type"] == kind


def test_advice_and_own_headers() -> None:
    condition = Condition("x", 429, "m", retry=True, retry_after=1.2, headers=(("x-own", "1"),))
    headers = dialects.of(chat()).refuse(condition, chat()).headers
    assert [header(headers, name) for name in ("x-should-retry", "retry-after", "retry-after-ms", "x-own")] == [
        "true", "2", "1200", "1",
    ]  # fmt: skip
    assert header(headers, "x-request-id").startswith("req_")
    gateway = dialects.of(chat()).refuse(Condition("x", 401, "m", retry=False), chat()).headers
    assert (header(gateway, "x-should-retry"), header(gateway, "openai-version")) == ("false", "")
    assert header(gateway, "content-type") == "application/json; charset=utf-8"
    assert header(dialects.of(chat()).refuse(Condition("x", 429, "m"), chat()).headers, "retry-after") == ""


def test_no_operation_without_generation() -> None:
    assert dialects.of(chat()).respond(chat(), desk()).status == 404


# Reading back


@pytest.mark.parametrize("provider", HOSTS)
@pytest.mark.parametrize("stream", [False, True])
@settings(max_examples=8, deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=9), min_size=1, max_size=30))
def test_any_text_survives(provider: str, stream: bool, tokens: list[str]) -> None:
    call = chat(provider, stream=stream, stream_options={"include_usage": True})
    found = back(said(Text(tuple(tokens))), call)
    assert [("".join(part.tokens) if isinstance(part, Text) else "") for part in found.choices[0].parts] == [
        "".join(tokens)
    ]
    assert (found.usage.prompt, found.usage.completion, found.choices[0].finish) == (9, 3, Finish.STOP)


@pytest.mark.parametrize("provider", HOSTS)
def test_stream_and_whole_say_the_same_under_the_same_name(provider: str) -> None:
    completion = said(Text(("a",)), *CALLS, finish=Finish.TOOL_CALLS)
    one = back(completion, chat(provider))
    other = back(completion, chat(provider, stream=True, stream_options={"include_usage": True}))
    assert (one.id, one.created, one.model, one.fingerprint, one.usage) == (
        other.id, other.created, other.model, other.fingerprint, other.usage,
    )  # fmt: skip
    assert one.choices[0].finish is other.choices[0].finish is Finish.TOOL_CALLS
    assert [
        (part.id, part.name, "".join(part.arguments)) for part in one.choices[0].parts if isinstance(part, ToolCall)
    ] == [
        (part.id, part.name, "".join(part.arguments)) for part in other.choices[0].parts if isinstance(part, ToolCall)
    ]


@pytest.mark.parametrize("finish", [Finish.STOP, Finish.LENGTH, Finish.TOOL_CALLS, Finish.CONTENT_FILTER])
def test_finish_survives(finish: Finish) -> None:
    assert back(said(*SAID, finish=finish), chat()).choices[0].finish is finish
    assert back(said(*SAID, finish=finish), chat(stream=True)).choices[0].finish is finish


def test_a_lone_surrogate_is_escaped() -> None:
    for call in (chat(), chat(stream=True)):
        assert "".join(back(said(Text(("a", "\ud800"))), call).choices[0].parts[0].tokens) == "a\ud800"  # type: ignore[union-attr]  # a Text


RECORDED: JSON = {
    "id": "chatcmpl-Recorded",
    "object": "chat.completion",
    "created": 7,
    "model": "gpt-4o-2024-05-13",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": None, "refusal": "I will not", "annotations": [{"type": "x"}]},
            "logprobs": {"content": None, "refusal": [{"token": "I"}]},
            "finish_reason": "stop",
        },
        {
            "index": 1,
            "message": {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {"id": "call_1", "type": "custom", "custom": {"name": "sql", "input": "select 1"}},
                    {"id": "call_2", "type": "function", "function": {"name": "f", "arguments": ""}},
                ],
                "refusal": None,
                "annotations": [],
            },
            "logprobs": None,
            "finish_reason": "eos",
        },
    ],
    "usage": {"prompt_tokens": 5, "completion_tokens": 6, "total_tokens": 11, "own": 1},
    "service_tier": "scale",
    "system_fingerprint": None,
    "x_own": {"a": 1},
}


def recorded(body: JSON, call: Call) -> Completion:
    found = dialects.of(call).parse(200, (), json.dumps(body).encode(), call)
    assert found
    return found


def test_a_recorded_answer_is_written_back_as_it_was() -> None:
    assert whole(recorded(RECORDED, chat()), chat()) == RECORDED


def test_a_recorded_answer_survives_being_streamed() -> None:
    streamed = back(recorded(RECORDED, chat()), chat(stream=True, stream_options={"include_usage": True}))
    assert whole(streamed, chat()) == RECORDED


def test_a_recorded_stream_without_usage_is_counted() -> None:
    streamed = back(replace(said(*SAID), id="chatcmpl-Recorded"), chat(stream=True))
    assert (streamed.usage.exact, streamed.usage.prompt, streamed.usage.completion) == (False, 0, 3)
    assert whole(streamed, chat())["usage"]["prompt_tokens"] == 9


def test_ids_like_raw_material_stay_where_recorded() -> None:
    call = chat("mistral")
    mistral = {**RECORDED, "id": "f" * 32, "choices": RECORDED["choices"][1:]}
    assert whole(recorded(mistral, call), call)["id"] == "f" * 32


def test_a_streamed_refusal_is_put_together() -> None:
    deltas = [{"role": "assistant", "content": "", "refusal": None}, {"refusal": "I "}, {"refusal": "won't"}]
    notes = [{"annotations": [{"type": "a"}]}, {"annotations": [{"type": "b"}]}]
    lines = [{"id": "x", "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas + notes]
    body = "".join(f"data: {json.dumps(line)}\n\n" for line in lines)
    found = dialects.of(chat()).parse(200, (), body.encode(), chat())
    assert found
    message = whole(found, chat())["choices"][0]["message"]
    assert (message["content"], message["refusal"]) == (None, "I won't")
    assert message["annotations"] == [{"type": "a"}, {"type": "b"}]


def test_mistrals_thinking_blocks() -> None:
    content = [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "yes"}]
    message = {"role": "assistant", "content": content}
    body = {"id": "x", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
    assert recorded(body, chat("mistral")).choices[0].parts == (Reasoning(("hm",)), Text(("yes",)))


def test_a_function_call_read_back() -> None:
    message = {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}}
    body = {**RECORDED, "choices": [{**RECORDED["choices"][0], "message": message, "finish_reason": "function_call"}]}
    found = recorded(body, chat())
    assert found.choices[0].finish is Finish.TOOL_CALLS
    for call in (chat(), chat(stream=True)):
        again = whole(back(found, call), chat())["choices"][0]["message"]
        assert again["function_call"] == {"name": "f", "arguments": "{}"}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"<html>",
        b"[]",
        b"{}",
        b"null",
        b'{"error":{}}',
        b"data: {\n\n",
        b"\xff",
        b'{"choices":[]}',
        b'{"choices":[{"text":"x"}]}',
    ],
)
def test_what_is_no_answer_parses_as_none(body: bytes) -> None:
    dialect = dialects.of(chat())
    assert dialect.parse(200, (), body, chat()) is None
    assert dialect.usage(200, (), body, chat()) is None
    assert dialect.parse(500, (), json.dumps(RECORDED).encode(), chat()) is None
    assert dialect.usage(500, (), json.dumps(RECORDED).encode(), chat()) is None


def test_usage_out_of_every_place() -> None:
    dialect, call = dialects.of(chat()), chat()
    counts = {"prompt_tokens": 3, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 2}}
    details = {"completion_tokens_details": {"reasoning_tokens": 1}}
    for body in (
        json.dumps({"usage": {**counts, **details}}),
        "data: "
        + json.dumps({"choices": [], "usage": {**counts, **details}})
        + '\n\ndata: {"usage":null}\n\ndata: [DONE]\n\n',
        "data: " + json.dumps({"x_groq": {"usage": {**counts, **details}}}) + "\n\n",
    ):
        usage = dialect.usage(200, (), body.encode(), call)
        assert usage
        assert (usage.prompt, usage.completion, usage.cached, usage.reasoning, usage.exact) == (3, 4, 2, 1, True)
    assert dialect.usage(200, (), b'data: {"usage":null}\n\n', call) is None


# Twins


def test_twins_of_a_whole_answer() -> None:
    found = dialects.of(chat()).twins(chat())
    assert [twin.body.get("stream_options") for twin in found] == [None, {"include_usage": True}]
    assert all(twin.stream and dialects.read(twin.raw) == twin for twin in found)


def test_twins_of_a_stream() -> None:
    call = chat(stream=True, stream_options={"include_usage": True})
    found = dialects.of(call).twins(call)
    assert [twin.body.get("stream", "absent") for twin in found] == ["absent", False]
    assert all("stream_options" not in twin.body and not twin.stream for twin in found)
    assert all(dialects.read(twin.raw) == twin for twin in found)
    assert found[0].body == chat().body


def test_no_twins_of_what_is_broken() -> None:
    broken = dialects.read(RawRequest("POST", "/v1/chat/completions", body=b"{"))
    assert dialects.of(broken).twins(broken) == ()
    assert dialects.of(chat()).twins(replace(chat(), operation="unknown")) == ()
