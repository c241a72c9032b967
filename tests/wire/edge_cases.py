"""The validation lines of docs/edge-cases.md: how a request is bent, and what each dialect makes of it at both levels.

An outcome is a status, with `!` where the answer comes with a warning; "" where the dialect has no such thing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from edge_forms import ANTHROPIC, COHERE, Form

Bent = tuple[str, Any]
"""A path and a body."""

_SMALL: Mapping[str, tuple[str, int]] = MappingProxyType(
    {
        "openai": ("gpt-4", 8_192),
        "responses": ("gpt-4", 8_192),
        "azure": ("gpt-4", 8_192),
        "anthropic": ("claude-sonnet-4-5", 200_000),
        "gemini": ("gemma-3-27b-it", 131_072),
        "vertex": ("gemma-3-27b-it", 131_072),
        "cohere": ("command-a-translate-08-2025", 8_000),
        "mistral": ("mistral-small", 32_000),
        "groq": ("llama-3.3-70b-versatile", 131_072),
    }
)
"""A model of each with a small window, in tokens."""


@dataclass(frozen=True)
class Line:
    """One line. `lenient` and `provider` give the outcome of each dialect, "*" that of all others.

    `said` is what the refusals under `provider` say, by dialect.
    """

    name: str
    about: str
    bend: Callable[[Form], Bent]
    lenient: Mapping[str, str]
    provider: Mapping[str, str]
    said: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def outcome(self, form: Form, level: str) -> str:
        outcomes: Mapping[str, str] = getattr(self, level)
        return outcomes.get(form.name, outcomes["*"])


def _body(bend: Callable[[Form], Any]) -> Callable[[Form], Bent]:
    return lambda form: (form.path, bend(form))


def _config(form: Form, gemini: Mapping[str, Any], others: Mapping[str, Any]) -> Any:
    """Parameters where the dialect has them."""
    inside = form.limit == "maxOutputTokens"
    return form.body(generationConfig=dict(gemini)) if inside else form.body(**others)


def _other_model(form: Form) -> Bent:
    body = form.body()
    if not form.in_path:
        body["model"] = "no-such-model"
    return form.path_of("no-such-model"), body


def _long(form: Form) -> Bent:
    model, window = _SMALL[form.name]
    body = form.body("word " * (window * 6 // 5))
    if not form.in_path:
        body["model"] = model
    return form.path_of(model), body


def _deep(levels: int) -> Callable[[Form], Bent]:
    """A tool whose schema is nested so deep, spelled by hand: `json` would give up."""

    def bend(form: Form) -> Bent:
        assert form.tool is not None
        body = json.dumps({**form.body(), **form.tool({"type": "object", "properties": {"a": "@"}})})
        return form.path, body.replace('"@"', '{"a":' * levels + "1" + "}" * levels).encode()

    return bend


def _turns(form: Form, *turns: tuple[str, Any]) -> Any:
    return {**form.body(), **form.words(turns)}


def _tool(schema: Any) -> Callable[[Form], Bent]:
    def bend(form: Form) -> Bent:
        assert form.tool is not None
        return form.path, {**form.body(), **form.tool(schema)}

    return bend


def _duplicate(form: Form) -> Bent:
    assert form.used is not None
    return form.path, {**form.body(), **form.used(("call_1", "call_1"))}


_NO_IDS = {"gemini": "", "vertex": ""}
_STOP = {ANTHROPIC.name: "stop_sequences", COHERE.name: "stop_sequences"}

LINES = (
    Line(
        "empty-messages",
        "no messages: an empty list",
        _body(lambda form: {**form.body(), **form.words(())}),
        {"*": "400"},
        {"*": "400"},
        {
            "openai": "empty array",
            "anthropic": "at least one message is required",
            "gemini": "contents is not specified",
        },
    ),
    Line(
        "limit-of-0",
        "token limit 0: the default is taken",
        _body(lambda form: form.body(**form.limited(0))),
        {"*": "200!"},
        {"*": "400", "cohere": "200!", "mistral": "200!", "groq": "200!"},
        {"openai": "Expected a value >= 1, but got 0", "responses": "Expected a value >= 16, but got 0"},
    ),
    Line(
        "limit-beyond-the-model",
        "token limit above what the model puts out: capped",
        _body(lambda form: form.body(**form.limited(10**9))),
        {"*": "200!"},
        {"*": "400", "mistral": "200!", "groq": "200!"},
        {"openai": "max_tokens is too large: 1000000000", "anthropic": "1000000000 > 64000"},
    ),
    Line(
        "unknown-model",
        "a model that nobody has, with those that there are",
        _other_model,
        {"*": "404", "responses": "400", "mistral": "400", "azure": "200", "groq": "200"},
        {"*": "404", "responses": "400", "mistral": "400", "groq": "200"},
        {"openai": "The model `no-such-model` does not exist", "mistral": "Invalid model: no-such-model"},
    ),
    Line(
        "very-long-message",
        "a prompt longer than the window: cut",
        _long,
        {"*": "200!"},
        {"*": "400", "groq": "200!"},
        {"openai": "maximum context length is 8192 tokens", "anthropic": "prompt is too long"},
    ),
    Line(
        "null-content",
        "content null",
        _body(lambda form: form.body(None)),
        {"*": "400", "gemini": "200", "vertex": "200", "cohere": "200"},
        {"*": "400"},
        {
            "openai": "expected a string, got null",
            "gemini": "required oneof field 'data' must have one initialized field",
            "vertex": "must have a text parameter",
            "cohere": "message must not be empty in a turn",
        },
    ),
    Line("nul", "a NUL in the text", _body(lambda form: form.body("a\x00b")), {"*": "200"}, {"*": "200"}),
    Line(
        "lone-surrogate",
        "a lone surrogate in the text",
        _body(lambda form: form.body("a\ud800b")),
        {"*": "200"},
        {"*": "200"},
    ),
    Line("deep-json", "JSON nested 300 deep", _deep(300), {"*": "200"}, {"*": "200"}),
    Line("too-deep-json", "JSON nested 100,000 deep", _deep(100_000), {"*": "400"}, {"*": "400"}),
    Line(
        "both-limits",
        "max_tokens together with max_completion_tokens",
        _body(lambda form: form.body(max_tokens=20, max_completion_tokens=10)),
        {"*": "200"},
        {"*": "400", "cohere": "200", "mistral": "422", "groq": "200"},
        {"openai": "at the same time is not supported", "azure": "at the same time is not supported"},
    ),
    Line(
        "stream-options-alone",
        "stream_options without stream",
        _body(lambda form: form.body(stream_options={"include_usage": True})),
        {"*": "200"},
        {"*": "400", "responses": "200", "cohere": "200", "mistral": "200", "groq": "200"},
        {"openai": "only allowed when 'stream' is enabled", "anthropic": "Extra inputs are not permitted"},
    ),
    Line(
        "broken-tool-schema",
        "a tool whose schema is of no known type",
        _tool({"type": "wizard", "properties": {"a": 5}}),
        {"*": "200"},
        {"*": "400", "cohere": "200", "mistral": "200", "groq": "200"},
        {
            "openai": "got 'type: \"wizard\"'",
            "responses": "got 'type: \"wizard\"'",
            "anthropic": "tools.0.custom.input_schema.type: Input should be 'object'",
            "gemini": '(type.googleapis.com/google.ai.generativelanguage.v1beta.Type), "wizard"',
        },
    ),
    Line(
        "schema-of-no-object",
        "a tool whose schema is a text",
        _tool("nonsense"),
        {"*": "400", "gemini": "200", "vertex": "200", "cohere": "200"},
        {"*": "400", "gemini": "200", "vertex": "200", "cohere": "200"},
    ),
    Line(
        "unknown-role",
        "a message of an unknown role",
        _body(lambda form: _turns(form, ("wizard", "Hi"))),
        {"*": "400", "anthropic": "200", "gemini": "200!", "vertex": "200!", "cohere": "200"},
        {"*": "400"},
        {"openai": "Invalid value: 'wizard'", "anthropic": "Input should be 'user' or 'assistant'"},
    ),
    Line(
        "duplicate-tool-ids",
        "two tool calls of one id",
        _duplicate,
        {"*": "200", **_NO_IDS},
        {"*": "400", "responses": "200", "mistral": "200", "groq": "200", **_NO_IDS},
        {
            "openai": "Duplicate value for 'tool_call_id' of 'call_1', in messages[2] and messages[3].",
            "anthropic": "`tool_use` ids must be unique",
            "cohere": "cannot have duplicate tool ids",
        },
    ),
    Line(
        "out-of-range",
        "temperature 9",
        _body(lambda form: _config(form, {"temperature": 9}, {"temperature": 9})),
        {"*": "200"},
        {"*": "400", "mistral": "422", "groq": "200"},
        {"openai": "Expected a value <= 2, but got 9", "anthropic": "temperature: range: 0..1"},
    ),
    Line(
        "wrong-type",
        "temperature as a text",
        _body(lambda form: _config(form, {"temperature": "hot"}, {"temperature": "hot"})),
        {"*": "400"},
        {"*": "400"},
    ),
    Line(
        "unknown-field",
        "a field that nobody knows",
        _body(lambda form: form.body(wizardry=1)),
        {"*": "200"},
        {"*": "400", "cohere": "200", "mistral": "422", "groq": "200"},
        {"openai": "Unrecognized request argument supplied: wizardry", "responses": "Unknown parameter: 'wizardry'"},
    ),
    Line(
        "several-choices",
        "n (candidateCount) 3",
        _body(lambda form: _config(form, {"candidateCount": 3}, {"n": 3})),
        {"*": "200"},
        {"*": "200", "responses": "400", "anthropic": "400"},
    ),
    Line(
        "stop",
        "stop sequences",
        _body(lambda form: _config(form, {"stopSequences": ["e"]}, {_STOP.get(form.name, "stop"): ["e"]})),
        {"*": "200"},
        {"*": "200", "responses": "400"},
    ),
    Line(
        "logprobs",
        "log probabilities",
        _body(
            lambda form: _config(form, {"responseLogprobs": True, "logprobs": 2}, {"logprobs": True, "top_logprobs": 2})
        ),
        {"*": "200"},
        {"*": "200", "responses": "400", "anthropic": "400", "mistral": "422"},
    ),
    Line(
        "seed",
        "a seed",
        _body(lambda form: _config(form, {"seed": 3}, {"seed": 3})),
        {"*": "200"},
        {"*": "200", "responses": "400", "anthropic": "400", "mistral": "422"},
    ),
)
