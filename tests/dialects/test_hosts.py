"""The chat completions format as each host spells it: what sets them apart, in bodies, streams and headers."""

from __future__ import annotations

import json
import re

import pytest

from llm_simulator import dialects
from llm_simulator.dialects import hosts
from llm_simulator.simulator.engine import Engine
from llm_simulator.simulator.style import Style
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

ID = "0123456789abcdef" * 2
CREATED = 1_780_000_000
SAID = (Text(("Hi", " there")),)
CALLED = (ToolCall("a" * 32, "look", ('{"x":', "1}")),)
ADDRESSES = {
    "groq": ("api.groq.com", "/openai/v1/chat/completions"),
    "mistral": ("api.mistral.ai", "/v1/chat/completions"),
    "deepseek": ("api.deepseek.com", "/chat/completions"),
    "together": ("api.together.xyz", "/v1/chat/completions"),
    "fireworks": ("api.fireworks.ai", "/inference/v1/chat/completions"),
    "xai": ("api.x.ai", "/v1/chat/completions"),
    "openrouter": ("openrouter.ai", "/api/v1/chat/completions"),
    "perplexity": ("api.perplexity.ai", "/chat/completions"),
    "ollama": ("localhost:11434", "/v1/chat/completions"),
    "vllm": ("localhost:8000", "/v1/chat/completions"),
    "gemini": ("generativelanguage.googleapis.com", "/v1beta/openai/chat/completions"),
}


def call_of(host: str, **fields: JSON) -> Call:
    address, path = ADDRESSES[host]
    body = {"model": "openai/some-model", "messages": [{"role": "user", "content": "Hi"}], **fields}
    return dialects.read(RawRequest("POST", path, address, body=json.dumps(body).encode()))


def completion(*parts: Part, finish: Finish = Finish.STOP, usage: Usage = Usage(9, 3)) -> Completion:  # noqa: B008  frozen
    return Completion(ID, CREATED, "some-model", (Choice(parts, finish),), usage, "0a1b2c3d4e")


def whole(host: str, *parts: Part, **more: JSON) -> JSON:
    call = call_of(host)
    reply = dialects.of(call).write(completion(*parts, **more), call)
    assert isinstance(reply.body, bytes)
    return json.loads(reply.body)


def stream(host: str, *parts: Part, fields: JSON = None, **more: JSON) -> list[JSON]:
    call = call_of(host, stream=True, **(fields or {}))
    reply = dialects.of(call).write(completion(*parts, **more), call)
    assert not isinstance(reply.body, bytes)
    lines = [frame.data.decode() for frame in reply.body]
    assert lines.pop() == "data: [DONE]\n\n"
    return [json.loads(line.removeprefix("data: ")) for line in lines if not line.startswith(":")]


@pytest.mark.parametrize("host", ADDRESSES)
def test_every_host_is_in_the_table(host: str) -> None:
    assert host in hosts.WIRES
    assert hosts.name_of(call_of(host).provider, call_of(host).raw.host) == host


@pytest.mark.parametrize(
    ("host", "keys"),
    [
        ("groq", "id object created model choices usage system_fingerprint x_groq"),
        ("mistral", "id created model usage object choices"),
        ("deepseek", "id object created model choices usage system_fingerprint"),
        ("together", "id object created model prompt choices usage"),
        ("fireworks", "id object created model choices usage"),
        ("xai", "id object created model choices usage system_fingerprint"),
        ("openrouter", "id provider model object created choices usage"),
        ("perplexity", "id model created usage citations search_results object choices"),
        ("ollama", "id object created model choices usage system_fingerprint"),
        ("vllm", "id object created model choices usage"),
        ("gemini", "choices created id model object usage"),
    ],
)
def test_the_keys_of_a_body_in_order(host: str, keys: str) -> None:
    assert list(whole(host, *SAID)) == keys.split()


@pytest.mark.parametrize(
    ("host", "pattern"),
    [
        ("groq", r"chatcmpl-[0-9a-f-]{36}"),
        ("mistral", "[0-9a-f]{32}"),
        ("deepseek", "[0-9a-f-]{36}"),
        ("together", r"\w{7}-\w{6}-[0-9a-f]{16}"),
        ("openrouter", rf"gen-{CREATED}-\w{{20}}"),
        ("ollama", r"chatcmpl-\d{1,3}"),
        ("vllm", "chatcmpl-[0-9a-f]{32}"),
        ("gemini", r"[\w-]{22}"),
    ],
)
def test_ids(host: str, pattern: str) -> None:
    (one,) = {chunk["id"] for chunk in stream(host, *SAID)}
    assert re.fullmatch(pattern, one)
    assert whole(host, *SAID)["id"] == one


@pytest.mark.parametrize(
    ("host", "pattern"),
    [
        ("groq", "[0-9a-z]{9}"),
        ("mistral", r"\w{9}"),
        ("deepseek", "call_0_[0-9a-f-]{36}"),
        ("together", "call_[0-9a-z]{24}"),
        ("vllm", "chatcmpl-tool-[0-9a-f]{32}"),
        ("gemini", r"function-call-\d{19}"),
    ],
)
def test_ids_of_tool_calls(host: str, pattern: str) -> None:
    (call,) = whole(host, *CALLED, finish=Finish.TOOL_CALLS)["choices"][0]["message"]["tool_calls"]
    assert re.fullmatch(pattern, call["id"])


@pytest.mark.parametrize("host", ["mistral", "ollama", "gemini"])
def test_a_call_comes_whole_with_the_finish(host: str) -> None:
    *_, last = stream(host, *CALLED, finish=Finish.TOOL_CALLS)
    (choice,) = last["choices"]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["delta"]["tool_calls"][0]["function"] == {"name": "look", "arguments": '{"x":1}'}


def test_mistral_leaves_out_types_and_pads_its_chunks() -> None:
    (call,) = whole("mistral", *CALLED)["choices"][0]["message"]["tool_calls"]
    assert list(call) == ["id", "function"]
    assert whole("mistral", *SAID)["choices"][0]["message"]["tool_calls"] is None
    first, *rest = stream("mistral", *SAID)
    assert "p" not in first
    assert all(hosts.ALPHABET.startswith(chunk["p"]) for chunk in rest)
    assert list(rest[-1]["usage"]) == ["prompt_tokens", "total_tokens", "completion_tokens"]
    assert all("logprobs" not in chunk["choices"][0] for chunk in (first, *rest))


def test_groq_tells_times_and_its_own_id() -> None:
    body = whole("groq", *SAID)
    assert list(body["usage"])[:3] == ["queue_time", "prompt_tokens", "prompt_time"]
    first, *pieces, last = stream("groq", *SAID)
    assert first["x_groq"] == body["x_groq"] == {"id": last["x_groq"]["id"]}
    assert re.fullmatch("req_[0-9a-z]{26}", first["x_groq"]["id"])
    assert last["x_groq"]["usage"] == body["usage"]
    assert all("x_groq" not in chunk for chunk in pieces)
    *_, usage = stream("groq", *SAID, fields={"stream_options": {"include_usage": True}})
    assert (usage["choices"], usage["usage"]) == ([], body["usage"])


def test_deepseek_tells_hits_and_misses_of_its_cache() -> None:
    counts = whole("deepseek", *SAID, usage=Usage(9, 3, cached=4, reasoning=2))["usage"]
    assert (counts["prompt_cache_hit_tokens"], counts["prompt_cache_miss_tokens"]) == (4, 5)
    assert counts["completion_tokens_details"] == {"reasoning_tokens": 2}


def test_together_repeats_the_text_beside_the_delta() -> None:
    *pieces, last = (chunk["choices"][0] for chunk in stream("together", *SAID))
    assert [(piece["text"], piece["delta"]["content"]) for piece in pieces] == [("Hi", "Hi"), (" there", " there")]
    assert all(piece["delta"]["role"] == "assistant" for piece in pieces)
    assert (last["text"], last["finish_reason"], last["delta"]["content"]) == ("", "stop", "")
    assert last["seed"] == whole("together", *SAID)["choices"][0]["seed"] > 2**53


def test_openrouter_keeps_the_connection_warm_and_names_who_served() -> None:
    call = call_of("openrouter", stream=True)
    reply = dialects.of(call).write(completion(*SAID), call)
    assert not isinstance(reply.body, bytes)
    assert next(iter(reply.body)).data == b": OPENROUTER PROCESSING\n\n"
    chunks = stream("openrouter", *SAID)
    assert {chunk["provider"] for chunk in chunks} == {"OpenAI"}
    assert chunks[-1]["usage"]["total_tokens"] == 12
    assert chunks[-1]["choices"][0]["native_finish_reason"] == "stop"
    assert all(chunk["choices"][0]["delta"]["role"] == "assistant" for chunk in chunks)


def test_perplexity_repeats_the_whole_message_in_every_chunk() -> None:
    chunks = stream("perplexity", *SAID)
    assert [chunk["choices"][0]["message"]["content"] for chunk in chunks] == ["Hi", "Hi there", "Hi there"]
    assert [chunk["choices"][0]["delta"]["content"] for chunk in chunks] == ["Hi", " there", ""]
    assert all(chunk["usage"]["total_tokens"] == 12 and len(chunk["citations"]) == 2 for chunk in chunks)


def test_xai_counts_thought_apart() -> None:
    counts = whole("xai", Reasoning(("hm",)), *SAID, usage=Usage(9, 3, reasoning=1))["usage"]
    assert (counts["completion_tokens"], counts["total_tokens"]) == (2, 12)
    assert counts["completion_tokens_details"]["reasoning_tokens"] == 1


def test_vllm_says_by_what_stop_it_ended() -> None:
    (choice,) = whole("vllm", *SAID)["choices"]
    assert (choice["stop_reason"], choice["message"]["tool_calls"]) == (None, [])
    first, *pieces, last = stream("vllm", *SAID)
    assert first["choices"][0]["delta"] == {"role": "assistant"}
    assert (last["choices"][0]["delta"], last["choices"][0]["stop_reason"]) == ({"content": " there"}, None)
    assert all("stop_reason" not in piece["choices"][0] for piece in pieces)


def test_gemini_sorts_its_keys_and_leaves_out_nulls() -> None:
    chunks = stream("gemini", *SAID)
    assert all(list(chunk) == sorted(chunk) for chunk in chunks)
    assert chunks[0]["choices"] == [{"delta": {"content": "Hi", "role": "assistant"}, "index": 0}]


@pytest.mark.parametrize(
    ("host", "names"),
    [
        ("groq", {"x-request-id", "x-ratelimit-limit-tokens", "via", "cf-ray"}),
        ("mistral", {"mistral-correlation-id", "x-kong-request-id", "x-ratelimit-tokens-query-cost"}),
        ("deepseek", {"x-ds-trace-id", "access-control-allow-credentials"}),
        ("together", {"x-inference-time", "x-ratelimit-limit"}),
        ("vllm", {"server"}),
        ("ollama", set[str]()),
    ],
)
def test_headers(host: str, names: set[str]) -> None:
    call = call_of(host)
    sent = {name for name, _ in dialects.of(call).write(completion(*SAID), call).headers}
    assert names | {"content-type"} <= sent
    assert not any(name.startswith(("openai-", "x-openai-")) for name in sent)


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("host", ADDRESSES)
def test_what_the_engine_says_reads_back(host: str, streamed: bool) -> None:
    tool = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}
    for style, fields in ((Style(), {}), (Style(call_tools=True, calls=2), {"tools": [tool]})):
        call = call_of(host, stream=streamed, **fields)
        engine = Engine(5, style=style)
        said = engine.complete(call, dialects.of(call), b"one").choices[0]
        answer = engine.simulate(call, dialects.of(call), b"one", at_once=True).answer
        found = dialects.of(call).parse(200, answer.headers, b"".join(chunk.data for chunk in answer.chunks), call)  # type: ignore[union-attr]  # pyright: ignore
        assert found
        assert (found.choices[0].finish, _plain(found.choices[0])) == (said.finish, _plain(said))


def _plain(choice: Choice) -> JSON:
    """What is said and called, without ids."""
    text = "".join(piece for part in choice.parts if isinstance(part, Text) for piece in part.tokens)
    return text, [(part.name, "".join(part.arguments)) for part in choice.parts if isinstance(part, ToolCall)]
