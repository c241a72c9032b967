"""Legacy completions: read, checked, asked for, spelled whole and streamed, read back."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types import Completion as Theirs

from llm_simulator import dialects, tokens
from llm_simulator.types import JSON, Call, Choice, Completion, Finish, RawRequest, Text, Usage, header

ID = "0123456789abcdef" * 2
MODEL = "gpt-3.5-turbo-instruct"


def asking(host: str = "api.openai.com", path: str = "/v1/completions", **fields: JSON) -> Call:
    body = {"model": MODEL, "prompt": "Once", **fields}
    return dialects.read(RawRequest("POST", path, host, body=json.dumps(body).encode()))


def said(*texts: tuple[str, ...], finish: Finish = Finish.LENGTH) -> Completion:
    choices = tuple(Choice((Text(pieces),), finish) for pieces in texts)
    return Completion(ID, 1_780_000_000, MODEL, choices, Usage(9, sum(map(len, texts))))


def whole(completion: Completion, call: Call) -> JSON:
    reply = dialects.of(call).write(completion, call)
    assert isinstance(reply.body, bytes)
    return json.loads(reply.body)


def chunks(completion: Completion, call: Call) -> list[JSON]:
    reply = dialects.of(call).write(completion, call)
    assert not isinstance(reply.body, bytes)
    lines = [frame.data.decode() for frame in reply.body]
    assert lines.pop() == "data: [DONE]\n\n"
    return [json.loads(line.removeprefix("data: ")) for line in lines]


@pytest.mark.parametrize(
    ("host", "path", "provider", "model"),
    [
        ("api.openai.com", "/v1/completions", "openai", MODEL),
        ("x.openai.azure.com", "/openai/deployments/my-own/completions", "azure", "my-own"),
        ("x.openai.azure.com", "/openai/v1/completions", "azure", MODEL),
        ("api.fireworks.ai", "/inference/v1/completions", "fireworks", MODEL),
        ("api.deepseek.com", "/beta/completions", "deepseek", MODEL),
    ],
)
def test_read(host: str, path: str, provider: str, model: str) -> None:
    call = asking(host, path)
    assert (call.provider, call.family, call.operation, call.model) == (
        provider,
        "openai.completions",
        "completions.create",
        model,
    )


@pytest.mark.parametrize(
    ("host", "path"),
    [
        ("api.openai.com", "/v1/chat/completions"),
        ("api.portkey.ai", "/v1/prompts/p/completions"),
        ("api.writer.com", "/v1/completions"),
        ("api.mistral.ai", "/v1/fim/completions"),
    ],
)
def test_other_paths_are_not_ours(host: str, path: str) -> None:
    assert asking(host, path).family != "openai.completions"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"model": None}, "you must provide a model parameter"),
        ({"n": "two"}, "Invalid type for 'n': expected an integer, but got a string instead."),
        ({"prompt": {"a": 1}}, "Invalid type for 'prompt': expected one of a string or array of objects"),
        ({"prompt": []}, "but got an empty array instead"),
        ({"prompt": ["a", 1]}, "but got a mixture instead"),
        ({"prompt": [["a"]]}, "but got a mixture instead"),
    ],
)
def test_broken_requests(fields: dict[str, JSON], message: str) -> None:
    call = asking(**fields)
    found = dialects.of(call).check(call)
    assert found is not None
    assert found.status == 400
    assert message in found.message


@pytest.mark.parametrize("prompt", [None, "", "a", ["a", "b"], [9906], [[9906], [1917]]])
def test_fine_requests(prompt: JSON) -> None:
    call = asking(prompt=prompt)
    assert dialects.of(call).check(call) is None
    assert dialects.of(call).ask(call).choices >= 1


@pytest.mark.parametrize(
    ("fields", "prompt", "choices", "limit", "warnings"),
    [
        ({}, 1, 1, 16, 0),
        ({"prompt": ["One", "Two"], "n": 2, "max_tokens": 7}, 2, 4, 7, 0),
        ({"prompt": [9906, 1917]}, 2, 1, 16, 0),
        ({"max_tokens": 0}, 1, 1, 16, 1),
        ({"n": 1000}, 1, 128, 16, 1),
        ({"prompt": ["One"] * 20, "n": 20}, 20, 128, 16, 1),
    ],
)
def test_asked_for(fields: dict[str, JSON], prompt: int, choices: int, limit: int, warnings: int) -> None:
    call = asking(**fields)
    ask = dialects.of(call).ask(call)
    assert (ask.prompt_tokens, ask.choices, ask.max_tokens, len(ask.warnings)) == (prompt, choices, limit, warnings)


def test_whole() -> None:
    made = whole(said(("a", " b"), ("c",)), asking(n=2))
    Theirs.model_validate(made)
    assert list(made) == ["id", "object", "created", "model", "choices", "usage"]
    assert made["id"].startswith("cmpl-")
    assert len(made["id"]) == len("cmpl-") + 29
    assert made["choices"] == [
        {"text": "a b", "index": 0, "logprobs": None, "finish_reason": "length"},
        {"text": "c", "index": 1, "logprobs": None, "finish_reason": "length"},
    ]
    assert made["usage"] == {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}
    reply = dialects.of(asking()).write(said(("a",)), asking())
    assert isinstance(reply.body, bytes)
    assert reply.body.startswith(b'{\n  "id"')
    assert reply.body.endswith(b"}\n")
    assert header(reply.headers, "openai-model") == MODEL


@pytest.mark.parametrize(
    ("finish", "texts", "words"),
    [
        (Finish.LENGTH, ["a", " b"], [None, "length"]),
        (Finish.STOP, ["a", " b", ""], [None, None, "stop"]),
    ],
)
def test_streamed(finish: Finish, texts: list[str], words: list[str | None]) -> None:
    made = chunks(said(("a", " b"), finish=finish), asking(stream=True))
    assert list(made[0]) == ["id", "object", "created", "choices", "model"]
    assert [chunk["choices"][0]["text"] for chunk in made] == texts
    assert [chunk["choices"][0]["finish_reason"] for chunk in made] == words


def test_streamed_choices_take_turns_and_usage_comes_last() -> None:
    call = asking(stream=True, n=2, stream_options={"include_usage": True})
    made = chunks(said(("a", "b"), ("c",)), call)
    assert [chunk["choices"][0]["index"] for chunk in made[:-1]] == [0, 1, 0]
    assert [chunk["usage"] for chunk in made[:-1]] == [None] * 3
    assert made[-1]["choices"] == []
    assert made[-1]["usage"]["total_tokens"] == 12


@pytest.mark.parametrize("stream", [False, True])
def test_echo(stream: bool) -> None:
    call = asking(prompt=["One", "Two"], n=2, echo=True, stream=stream)
    completion = said(("a",), ("b",), ("c",), ("d",))
    texts = ["", "", "", ""]
    if stream:
        for chunk in chunks(completion, call):
            texts[chunk["choices"][0]["index"]] += chunk["choices"][0]["text"]
    else:
        texts = [choice["text"] for choice in whole(completion, call)["choices"]]
    assert texts == ["Onea", "Oneb", "Twoc", "Twod"]


@pytest.mark.parametrize("stream", [False, True])
def test_echoed_tokens(stream: bool) -> None:
    call = asking(prompt=tokens.encode("Hello world", MODEL), echo=True, stream=stream)
    completion = said(("!",))
    made = chunks(completion, call)[0] if stream else whole(completion, call)
    assert made["choices"][0]["text"].startswith("Hello world")


def test_tokens_that_do_not_exist_are_left_out() -> None:
    numbers = [*tokens.encode("Hello world", MODEL), -1, 10**9, 10**30]
    made = whole(said(("!",)), asking(prompt=numbers, echo=True))
    assert made["choices"][0]["text"] == "Hello world!"


def test_azure_tells_what_its_filter_found() -> None:
    call = asking("x.openai.azure.com", "/openai/deployments/my-own/completions")
    made = whole(said(("a",)), call)
    assert list(made) == ["choices", "created", "id", "model", "object", "prompt_filter_results", "usage"]
    assert "hate" in made["choices"][0]["content_filter_results"]
    streamed = asking("x.openai.azure.com", "/openai/deployments/my-own/completions", stream=True)
    first, *_ = chunks(said(("a", "b")), streamed)
    assert "hate" in first["choices"][0]["content_filter_results"]


@pytest.mark.parametrize("echo", [False, True])
def test_logprobs(echo: bool) -> None:
    call = asking(prompt="Hello world", logprobs=3, echo=echo)
    found = whole(said(("a", " bc", "")), call)["choices"][0]["logprobs"]
    expected = [*(["Hello", " world"] if echo else []), "a", " bc", ""]
    assert found["tokens"] == expected
    assert found["text_offset"] == [len("".join(expected[:n])) for n in range(len(expected))]
    assert (found["token_logprobs"][0] is None) is echo
    assert all(-3 < likely <= 0 for likely in found["token_logprobs"][1:])
    assert [len(top) for top in found["top_logprobs"] if top] == [3] * (len(expected) - echo)
    streamed = chunks(said(("a", " bc", "")), asking(prompt="Hello world", logprobs=3, echo=echo, stream=True))
    parts = [chunk["choices"][0]["logprobs"] for chunk in streamed]
    assert [n for part in parts if part for n in part["tokens"]] == expected[: len(expected) - 1]


@pytest.mark.parametrize(
    ("provider", "names", "of_choice"),
    [
        (
            "vllm",
            ["id", "object", "created", "model", "choices", "usage"],
            ["index", "text", "logprobs", "finish_reason", "stop_reason"],
        ),
        (
            "together",
            ["id", "object", "created", "model", "prompt", "choices", "usage"],
            ["text", "finish_reason", "logprobs", "index"],
        ),
    ],
)
def test_other_hosts_have_another_order(provider: str, names: list[str], of_choice: list[str]) -> None:
    made = whole(said(("a",)), replace(asking(), provider=provider))
    assert list(made) == names
    assert list(made["choices"][0]) == of_choice
    first, *_ = chunks(said(("a", "b")), replace(asking(stream=True), provider=provider))
    assert list(first["choices"][0]) == of_choice


def test_labelled_in_the_body() -> None:
    made = whole(replace(said(("a",)), labelled=True), asking())
    assert made["id"].startswith("cmpl-sim-")
    assert made["model"] == f"{MODEL}-simulated"


def test_a_snapshot_answers() -> None:
    call = asking(model="davinci-002")
    assert whole(said(("a",)), call)["model"] == "davinci:2023-07-21-v2"


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.text(min_size=1, max_size=6), max_size=5).map(tuple), min_size=1, max_size=3),
    st.sampled_from([Finish.LENGTH, Finish.STOP]),
    st.booleans(),
)
def test_what_is_written_reads_back(texts: list[tuple[str, ...]], finish: Finish, streamed: bool) -> None:
    call = asking(stream=streamed, n=len(texts), stream_options={"include_usage": True} if streamed else None)
    dialect = dialects.of(call)
    reply = dialect.write(said(*texts, finish=finish), call)
    body = reply.body if isinstance(reply.body, bytes) else b"".join(frame.data for frame in reply.body)
    found = dialect.parse(200, (), body, call)
    assert found is not None
    read = [
        "".join("".join(part.tokens) for part in choice.parts if isinstance(part, Text)) for choice in found.choices
    ]
    assert read == ["".join(pieces) for pieces in texts]
    assert [choice.finish for choice in found.choices] == [finish] * len(texts)
    assert (found.usage.prompt, found.usage.completion) == (9, sum(map(len, texts)))


@pytest.mark.parametrize("body", [b"", b"{}", b"<html>", b'{"error": {}}', b"data: [DONE]\n\n"])
def test_no_completion_reads_as_none(body: bytes) -> None:
    call = asking()
    assert dialects.of(call).parse(200, (), body, call) is None
