"""The engine through every chat dialect: whole and streamed answers read back, and last as long as they say."""

from __future__ import annotations

import json
from collections.abc import Iterable

import pytest

from llm_simulator import dialects, tokens
from llm_simulator.simulator.engine import Draw, Engine
from llm_simulator.types import JSON, Call, Choice, Finish, RawRequest, Text, ToolCall

MESSAGES = [{"role": "user", "content": "Hi"}]
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
FUNCTION = {"type": "function", "function": {"name": "look", "parameters": SCHEMA}}
OPENAI = "/v1/chat/completions"
AZURE = "/openai/deployments/gpt-4o/chat/completions"
GEMINI = "/v1beta/models/gemini-2.5-flash:"
GENERATE, STREAM = f"{GEMINI}generateContent", f"{GEMINI}streamGenerateContent"
CONTENTS = [{"role": "user", "parts": [{"text": "Hi"}]}]
CASES: dict[str, tuple[str, str, JSON]] = {
    "openai": ("api.openai.com", OPENAI, {"model": "gpt-4o", "messages": MESSAGES}),
    "openai three": ("api.openai.com", OPENAI, {"model": "gpt-4o", "messages": MESSAGES, "n": 3}),
    "openai cut": ("api.openai.com", OPENAI, {"model": "gpt-4o", "messages": MESSAGES, "max_tokens": 7}),
    "openai tool": (
        "api.openai.com",
        OPENAI,
        {"model": "gpt-4o", "messages": MESSAGES, "tools": [FUNCTION], "tool_choice": "required"},
    ),
    "azure": ("mine.openai.azure.com", AZURE, {"messages": MESSAGES}),
    "anthropic": (
        "api.anthropic.com",
        "/v1/messages",
        {"model": "claude-sonnet-4-5", "max_tokens": 500, "messages": MESSAGES},
    ),
    "anthropic tool": (
        "api.anthropic.com",
        "/v1/messages",
        {
            "model": "claude-sonnet-4-5",
            "max_tokens": 500,
            "messages": MESSAGES,
            "tools": [{"name": "look", "input_schema": SCHEMA}],
            "tool_choice": {"type": "any"},
        },
    ),
    "gemini": ("generativelanguage.googleapis.com", GENERATE, {"contents": CONTENTS}),
    "gemini cut": (
        "generativelanguage.googleapis.com",
        GENERATE,
        {"contents": CONTENTS, "generationConfig": {"maxOutputTokens": 7, "thinkingConfig": {"thinkingBudget": 0}}},
    ),
    "cohere": ("api.cohere.com", "/v2/chat", {"model": "command-a-03-2025", "messages": MESSAGES}),
    "cohere cut": ("api.cohere.com", "/v2/chat", {"model": "command-a-03-2025", "messages": MESSAGES, "max_tokens": 7}),
}


def call_of(name: str, stream: bool) -> Call:
    host, path, body = CASES[name]
    query = ""
    if path == GENERATE and stream:
        path, query = STREAM, "alt=sse"
    elif stream:
        body = {**body, "stream": True}
    headers = (("content-type", "application/json"),)
    raw = RawRequest("POST", path, host=host, query=query, headers=headers, body=json.dumps(body).encode())
    call = dialects.read(raw)
    assert call.stream is stream
    assert dialects.of(call).check(call) is None
    return call


def said(choice: Choice) -> tuple[str, JSON]:
    """The text of a choice, and the name and arguments of its tool call."""
    text = "".join(piece for part in choice.parts if isinstance(part, Text) for piece in part.tokens)
    called = [(part.name, json.loads("".join(part.arguments))) for part in choice.parts if isinstance(part, ToolCall)]
    return text, called


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_an_answer_reads_back_and_lasts_as_long_as_it_says(name: str, stream: bool) -> None:
    call = call_of(name, stream)
    dialect = dialects.of(call)
    for k in range(3):
        made = Engine(3).simulate(call, dialect, b"identity", Draw(0, k))
        assert isinstance(made.answer.chunks, Iterable)
        chunks = list(made.answer.chunks)
        dues = [chunk.due for chunk in chunks]
        assert dues == sorted(dues)
        assert made.ttft <= dues[0]
        assert dues[-1] == made.total
        body = b"".join(chunk.data for chunk in chunks)
        read = dialect.parse(made.answer.status, made.answer.headers, body, call)
        assert read is not None
        assert made.completion is not None
        assert [said(choice) for choice in read.choices] == [said(choice) for choice in made.completion.choices]


@pytest.mark.parametrize("name", [name for name in CASES if name.endswith("cut")])
def test_a_limit_is_met_in_every_dialect(name: str) -> None:
    call = call_of(name, False)
    completion = Engine(3).complete(call, dialects.of(call), b"identity")
    (choice,) = completion.choices
    assert choice.finish is Finish.LENGTH
    assert completion.usage.completion == 7 == tokens.count(said(choice)[0], call.model)


def test_a_list_of_models_needs_no_generation() -> None:
    call = dialects.read(RawRequest("GET", "/v1/models", host="api.openai.com"))
    made = Engine(3).simulate(call, dialects.of(call), b"identity")
    assert (made.usage, made.profile) == (None, "openai/objects-read")
