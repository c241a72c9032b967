"""Answers that nothing is generated for, and the tokens that they tell of: what `x-llm-simulator-usage` goes by."""

from __future__ import annotations

import json

import pytest
from desks import desk

from llm_simulator import dialects
from llm_simulator.dialects.base import Thinking
from llm_simulator.types import JSON, RawRequest, Usage

HI: JSON = [{"role": "user", "content": "hi"}]
CONTENT: JSON = {"parts": [{"text": "hello world"}]}
GOOGLE, VERTEX = "generativelanguage.googleapis.com", "us-central1-aiplatform.googleapis.com"
PUBLISHER = "/v1/projects/p/locations/us-central1/publishers/google/models/"
EMBED: JSON = {"model": "embed-v4.0", "input_type": "search_document", "texts": ["hello world"]}


def told(host: str, path: str, body: JSON) -> Usage | None:
    call = dialects.read(RawRequest("POST", path, host, body=json.dumps(body).encode()))
    dialect = dialects.of(call)
    assert dialect.check(call) is None
    reply = dialect.respond(call, desk())
    assert reply.status == 200
    assert isinstance(reply.body, bytes)
    assert dialect.usage(500, reply.headers, reply.body, call) is None
    return dialect.usage(200, reply.headers, reply.body, call)


@pytest.mark.parametrize(
    ("host", "path", "body", "tokens"),
    [
        ("api.openai.com", "/v1/embeddings", {"model": "text-embedding-3-small", "input": "hello world"}, 2),
        ("api.cohere.com", "/v2/embed", {**EMBED, "embedding_types": ["float", "int8"]}, 2),
        ("api.cohere.com", "/v1/embed", EMBED, 2),
        (GOOGLE, "/v1beta/models/gemini-embedding-2:embedContent", {"content": CONTENT}, 2),
        (GOOGLE, "/v1beta/models/gemini-embedding-2:batchEmbedContents", {"requests": [{"content": CONTENT}] * 3}, 6),
        (VERTEX, f"{PUBLISHER}gemini-embedding-001:predict", {"instances": [{"content": "hello world"}]}, 2),
        ("localhost:11434", "/api/embed", {"model": "nomic-embed-text", "input": ["hello world"] * 20}, 40),
        ("api.anthropic.com", "/v1/messages/count_tokens", {"model": "claude-opus-4-5", "messages": HI}, 0),
        (GOOGLE, "/v1beta/models/gemini-2.5-flash:countTokens", {"contents": [CONTENT]}, 0),
        ("api.openai.com", "/v1/responses/input_tokens", {"model": "gpt-4o", "input": "hi"}, 0),
    ],
)
def test_tokens_that_are_used(host: str, path: str, body: JSON, tokens: int) -> None:
    usage = told(host, path, body)
    assert usage is not None
    assert (usage.prompt, usage.completion) == (tokens, 0)


def test_an_embedder_that_does_not_tell() -> None:
    assert told(GOOGLE, "/v1beta/models/gemini-embedding-001:embedContent", {"content": CONTENT}) is None


@pytest.mark.parametrize(
    ("tail", "tokens"),
    [(b',"usage":{"prompt_tokens":7}}', 7), (b',"usage":{"prompt_tokens":7},"id":"x"}', 7), (b"}", None)],
)
def test_recorded_usage_of_embeddings(tail: bytes, tokens: int | None) -> None:
    body = b'{"data":[]' + tail
    call = dialects.read(RawRequest("POST", "/v1/embeddings", "api.openai.com", body=b"{}"))
    usage = dialects.of(call).usage(200, (), body, call)
    assert (usage.prompt if usage else None) == tokens


@pytest.mark.parametrize(
    ("model", "config", "wanted"),
    [
        ("gemini-2.5-flash-lite", {"maxOutputTokens": 64, "thinkingConfig": {"thinkingLevel": "high"}}, 57),
        ("gemini-2.5-flash-lite", {"maxOutputTokens": 64, "thinkingConfig": {"thinkingBudget": 20}}, 20),
        ("gemini-2.5-flash-lite", {"maxOutputTokens": 1, "thinkingConfig": {"thinkingLevel": "low"}}, 1),
        ("gemini-2.5-flash-lite", {"thinkingConfig": {"thinkingLevel": "high"}}, None),
        ("gemini-2.5-flash", {"maxOutputTokens": 64}, None),
    ],
)
def test_flash_lite_leaves_room_for_an_answer(model: str, config: JSON, wanted: int | None) -> None:
    body = {"contents": [CONTENT], "generationConfig": config}
    path = f"/v1beta/models/{model}:generateContent"
    call = dialects.read(RawRequest("POST", path, GOOGLE, body=json.dumps(body).encode()))
    thinking = dialects.of(call).ask(call).thinking
    assert isinstance(thinking, Thinking)
    assert thinking.budget == wanted
