"""One call that says "Hi" in the form of each dialect, and how it is bent: what the edge cases are tried on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Form:
    """How a dialect is asked. `words` are the messages of turns [(role, content), ...]; roles are user and assistant.

    `limit` names the token limit, `most` is the largest that the model takes; `streamed` is the path for a stream where
    the body does not say so. `tool` is a tool with that schema, `used` a conversation in which tools of those ids were
    called and answered.
    """

    name: str
    path: str
    headers: Mapping[str, str]
    model: str
    words: Callable[[Sequence[tuple[str, Any]]], Body]
    limit: str
    most: int
    tool: Callable[[Any], Body] | None = None
    used: Callable[[Sequence[str]], Body] | None = None
    streamed: str = ""
    more: Mapping[str, Any] | None = None
    in_path: bool = False  # the model stands in the path

    def body(self, said: Any = "Hi", **extra: Any) -> Body:
        named = {} if self.in_path else {"model": self.model}
        return {**named, **(self.more or {}), **self.words([("user", said)]), **extra}

    def limited(self, tokens: Any) -> Body:
        if self.limit == "maxOutputTokens":
            return {"generationConfig": {self.limit: tokens}}
        return {self.limit: tokens}

    def path_of(self, model: str) -> str:
        return self.path.replace(self.model, model)

    @property
    def streaming(self) -> tuple[str, Body]:
        """The path for a stream, and what the body says beside."""
        return (self.streamed, {}) if self.streamed else (self.path, {"stream": True})


def _chat(turns: Sequence[tuple[str, Any]]) -> Body:
    return {"messages": [{"role": role, "content": content} for role, content in turns]}


def _input(turns: Sequence[tuple[str, Any]]) -> Body:
    return {"input": [{"role": role, "content": content} for role, content in turns]}


def _contents(turns: Sequence[tuple[str, Any]]) -> Body:
    spelled = {"user": "user", "assistant": "model"}
    return {"contents": [{"role": spelled.get(role, role), "parts": [{"text": said}]} for role, said in turns]}


def _function(schema: Any) -> Body:
    return {"tools": [{"type": "function", "function": {"name": "look", "description": "Looks", "parameters": schema}}]}


def _of_responses(schema: Any) -> Body:
    return {"tools": [{"type": "function", "name": "look", "description": "Looks", "parameters": schema}]}


def _of_anthropic(schema: Any) -> Body:
    return {"tools": [{"name": "look", "description": "Looks", "input_schema": schema}]}


def _of_gemini(schema: Any) -> Body:
    return {"tools": [{"functionDeclarations": [{"name": "look", "description": "Looks", "parameters": schema}]}]}


def _called(ids: Sequence[str]) -> Body:
    calls = [{"id": one, "type": "function", "function": {"name": "look", "arguments": "{}"}} for one in ids]
    results = [{"role": "tool", "tool_call_id": one, "content": "x"} for one in ids]
    asked = {"role": "assistant", "content": None, "tool_calls": calls}
    return {"messages": [{"role": "user", "content": "Hi"}, asked, *results], **_function({"type": "object"})}


def _called_responses(ids: Sequence[str]) -> Body:
    calls = [{"type": "function_call", "call_id": one, "name": "look", "arguments": "{}"} for one in ids]
    results = [{"type": "function_call_output", "call_id": one, "output": "x"} for one in ids]
    return {"input": [{"role": "user", "content": "Hi"}, *calls, *results], **_of_responses({"type": "object"})}


def _called_anthropic(ids: Sequence[str]) -> Body:
    calls = [{"type": "tool_use", "id": one, "name": "look", "input": {}} for one in ids]
    results = [{"type": "tool_result", "tool_use_id": one, "content": "x"} for one in ids]
    turns = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": calls},
        {"role": "user", "content": results},
    ]
    return {"messages": turns, **_of_anthropic({"type": "object"})}


_BEARER = {"authorization": "Bearer sk-proj-abcdefghijkl"}
_AZURE = "/x.openai.azure.com/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21"
_GOOGLE = "/generativelanguage.googleapis.com/v1beta/models/gemini-2.5-flash"
_VERTEX = "/us-central1-aiplatform.googleapis.com/v1/projects/p/locations/us-central1/publishers/google/models"

OPENAI = Form(
    "openai", "/api.openai.com/v1/chat/completions", _BEARER, "gpt-4o", _chat, "max_tokens", 16_384, _function, _called
)
RESPONSES = Form(
    "responses",
    "/api.openai.com/v1/responses",
    _BEARER,
    "gpt-4o",
    _input,
    "max_output_tokens",
    16_384,
    _of_responses,
    _called_responses,
)
AZURE = Form(
    "azure",
    _AZURE,
    {"api-key": "0123456789abcdef0123456789abcdef"},
    "gpt-4o",
    _chat,
    "max_tokens",
    16_384,
    _function,
    _called,
    in_path=True,
)
ANTHROPIC = Form(
    "anthropic",
    "/api.anthropic.com/v1/messages",
    {"x-api-key": "sk-ant-api03-abcdefgh", "anthropic-version": "2023-06-01"},
    "claude-sonnet-4-5",
    _chat,
    "max_tokens",
    64_000,
    _of_anthropic,
    _called_anthropic,
    more={"max_tokens": 100},
)
GEMINI = Form(
    "gemini",
    f"{_GOOGLE}:generateContent",
    {"x-goog-api-key": "AIzaSyabcdefgh"},
    "gemini-2.5-flash",
    _contents,
    "maxOutputTokens",
    65_536,
    _of_gemini,
    streamed=f"{_GOOGLE}:streamGenerateContent?alt=sse",
    in_path=True,
)
VERTEX = Form(
    "vertex",
    f"{_VERTEX}/gemini-2.5-flash:generateContent",
    {"authorization": "Bearer ya29.abcdefgh"},
    "gemini-2.5-flash",
    _contents,
    "maxOutputTokens",
    65_536,
    _of_gemini,
    streamed=f"{_VERTEX}/gemini-2.5-flash:streamGenerateContent?alt=sse",
    in_path=True,
)
COHERE = Form(
    "cohere",
    "/api.cohere.com/v2/chat",
    {"authorization": "Bearer cohere-key-1234"},
    "command-a-03-2025",
    _chat,
    "max_tokens",
    8_000,
    _function,
    _called,
)
MISTRAL = Form(
    "mistral",
    "/api.mistral.ai/v1/chat/completions",
    {"authorization": "Bearer mistral-key-1234"},
    "mistral-small-latest",
    _chat,
    "max_tokens",
    0,
    _function,
    _called,
)
GROQ = Form(
    "groq",
    "/api.groq.com/openai/v1/chat/completions",
    {"authorization": "Bearer gsk_abcdefghijkl"},
    "llama-3.3-70b-versatile",
    _chat,
    "max_tokens",
    32_768,
    _function,
    _called,
)
FORMS = (OPENAI, RESPONSES, AZURE, ANTHROPIC, GEMINI, VERTEX, COHERE, MISTRAL, GROQ)
