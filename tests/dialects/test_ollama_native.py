"""Ollama's own API: JSON lines by default, thought apart from text, calls with objects as arguments, durations."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from desks import desk

from llm_simulator import dialects
from llm_simulator.simulator.engine import Engine
from llm_simulator.simulator.style import Style
from llm_simulator.types import JSON, Call, Choice, Finish, RawRequest, Reasoning, Text, ToolCall, header

USER = [{"role": "user", "content": "Hi"}]
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}


def call_of(path: str, body: JSON = None, *, method: str = "POST") -> Call:
    data = json.dumps(body).encode() if method == "POST" else b""
    return dialects.read(RawRequest(method, path, "localhost:11434", "http", body=data))


def chat(**fields: JSON) -> Call:
    return call_of("/api/chat", {"model": "llama3.2", "messages": USER, **fields})


def bytes_of(call: Call, style: Style = Style()) -> bytes:  # noqa: B008  frozen
    answer = Engine(2, style=style).simulate(call, dialects.of(call), b"one", at_once=True).answer
    return b"".join(chunk.data for chunk in answer.chunks)  # type: ignore[union-attr]  # pyright: ignore


def lines_of(call: Call, style: Style = Style()) -> list[JSON]:  # noqa: B008  frozen
    return [json.loads(line) for line in bytes_of(call, style).splitlines()]


def shown(choice: Choice) -> JSON:
    """What was thought, said and called, without ids."""
    return [
        (part.name, json.loads("".join(part.arguments))) if isinstance(part, ToolCall) else "".join(part.tokens)
        for part in choice.parts
    ]


def test_lines_are_the_default() -> None:
    call = chat()
    assert call.stream
    *pieces, last = lines_of(call)
    assert [list(piece) for piece in pieces] == [["model", "created_at", "message", "done"]] * len(pieces)
    assert (last["done"], last["done_reason"], last["message"]) == (True, "stop", {"role": "assistant", "content": ""})
    assert list(last)[5:] == [
        "total_duration", "load_duration", "prompt_eval_count", "prompt_eval_duration", "eval_count", "eval_duration",
    ]  # fmt: skip
    assert len(pieces) <= last["eval_count"] < len(pieces) + 9  # a sign may take several tokens
    assert [piece["created_at"] for piece in pieces] == sorted(piece["created_at"] for piece in pieces)
    assert header(
        dialects.of(call).write(Engine(1).complete(call, dialects.of(call), b""), call).headers, "content-type"
    ) == ("application/x-ndjson")


def test_whole_says_the_same_as_lines() -> None:
    whole = json.loads(bytes_of(chat(stream=False)))
    *pieces, last = lines_of(chat())
    assert whole["message"]["content"] == "".join(piece["message"]["content"] for piece in pieces)
    assert whole["eval_count"] == last["eval_count"]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("fields", "style"),
    [
        ({}, Style()),
        ({"model": "qwen3:8b"}, Style()),
        ({"options": {"num_predict": 5}}, Style()),
        ({"tools": [TOOL]}, Style(call_tools=True, calls=2)),
        ({"format": {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}}, Style()),
    ],
)
def test_what_is_said_reads_back(fields: JSON, style: Style, stream: bool) -> None:
    call = chat(**fields, stream=stream)
    said = Engine(2, style=style).complete(call, dialects.of(call), b"one")
    found = dialects.of(call).parse(200, (), bytes_of(call, style), call)
    assert found
    assert (found.choices[0].finish, shown(found.choices[0])) == (said.choices[0].finish, shown(said.choices[0]))
    assert (found.usage.prompt, found.usage.completion) == (said.usage.prompt, said.usage.completion)


@pytest.mark.parametrize(
    ("model", "think", "thinks"),
    [("qwen3:8b", None, True), ("qwen3:8b", False, False), ("gpt-oss:20b", "low", True), ("llama3", True, False)],
)
def test_who_thinks(model: str, think: JSON, thinks: bool) -> None:
    call = chat(model=model, think=think)
    parts = Engine(2).complete(call, dialects.of(call), b"one").choices[0].parts
    assert isinstance(parts[0], Reasoning if thinks else Text)


def test_a_call_has_an_object_as_its_arguments() -> None:
    whole = json.loads(bytes_of(chat(stream=False, tools=[TOOL]), Style(call_tools=True)))
    (call,) = whole["message"]["tool_calls"]
    assert call["function"] == {"index": 0, "name": "look", "arguments": {}}
    assert call["id"].startswith("call_")
    assert whole["done_reason"] == "stop"


def test_a_completion_has_a_context() -> None:
    body = {"model": "llama3", "prompt": "Hi", "system": "Be brief.", "stream": False}
    whole = json.loads(bytes_of(call_of("/api/generate", body)))
    assert set(whole) >= {"response", "context", "done_reason"}
    assert all(isinstance(token, int) for token in whole["context"])


def test_vectors_list_and_version() -> None:
    dialect = dialects.of(chat())
    call = call_of("/api/embed", {"model": "nomic-embed-text", "input": ["a", "b"]})
    made = dialect.respond(call, desk())
    assert isinstance(made.body, bytes)
    assert [len(vector) for vector in json.loads(made.body)["embeddings"]] == [768, 768]
    for method, path, body in (
        ("GET", "/api/version", b'{"version":"0.12.6"}'),
        ("GET", "/api/tags", b'{"models":[]}'),
        ("GET", "/api/nothing", b"404 page not found"),
    ):
        assert dialect.respond(call_of(path, method=method), desk()).body == body


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "model is required"),
        ({"model": "a", "messages": {}}, "messages: array expected"),
        ({"model": "a", "messages": ["b"]}, "messages.0: object expected"),
    ],
)
def test_broken_structure(body: JSON, message: str) -> None:
    call = call_of("/api/chat", body)
    condition = dialects.of(call).check(call)
    assert condition
    assert condition.message == message
    refused = dialects.of(call).refuse(condition, call)
    assert (refused.status, json.loads(refused.body)) == (400, {"error": message})  # type: ignore[arg-type]  # pyright: ignore


def test_twins_in_every_spelling() -> None:
    assert [twin.stream for twin in dialects.of(chat()).twins(chat())] == [False]
    whole = chat(stream=False)
    assert [(twin.stream, "stream" in twin.body) for twin in dialects.of(whole).twins(whole)] == [
        (True, False),
        (True, True),
    ]


def test_recorded_answers_read_back_and_are_written_as_they_were(shared: Path) -> None:
    seen = 0
    for path in sorted((shared / "traffic" / "dev").glob("*.jsonl.gz")):
        with gzip.open(path, "rt") as lines:
            for row in map(json.loads, lines):
                if (
                    row["provider"] != "ollama"
                    or row["status"] != 200
                    or row["path"] not in ("/api/chat", "/api/generate")
                ):
                    continue
                call = call_of(row["path"], row["request_body"])
                found = dialects.of(call).parse(200, (), row["response_body"].encode(), call)
                assert found
                assert found.choices[0].finish in (Finish.STOP, Finish.LENGTH, Finish.TOOL_CALLS)
                reply = dialects.of(call).write(found, call)
                body = reply.body if isinstance(reply.body, bytes) else b"".join(frame.data for frame in reply.body)
                ours, theirs = (data.splitlines() for data in (body, row["response_body"].encode()))
                assert len(ours) == len(theirs)
                for one, other in zip(ours, theirs, strict=True):
                    mine, recorded = json.loads(one), json.loads(other)
                    assert {**mine, "created_at": ""} == {**recorded, "created_at": ""}
                seen += 1
    assert seen == 20
