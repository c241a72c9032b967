"""What is refused, in OpenAI's words, and what is asked."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_simulator import dialects
from llm_simulator.dialects.base import Tool, Turn
from llm_simulator.dialects.openai_chat import DIALECT
from llm_simulator.types import JSON, Call, RawRequest

USER = {"role": "user", "content": "Hello!"}
PLAIN = {"model": "gpt-4o", "messages": [USER]}


def chat(body: JSON, method: str = "POST") -> Call:
    raw = RawRequest(method, "/v1/chat/completions", "api.openai.com", body=json.dumps(body).encode())
    return dialects.read(raw)


def messages(*given: JSON) -> JSON:
    return {"model": "gpt-4o", "messages": list(given)}


MISSING, TYPE, VALUE = "missing_required_parameter", "invalid_type", "invalid_value"


@pytest.mark.parametrize(
    ("body", "message", "param", "code"),
    [
        ({}, "you must provide a model parameter", None, None),
        ({"model": "", "messages": [USER]}, "you must provide a model parameter", None, None),
        ({"model": 7}, "Invalid type for 'model': expected a string, but got an integer instead.", "model", TYPE),
        ({"model": "m"}, "Missing required parameter: 'messages'.", "messages", MISSING),
        ({"model": "m", "messages": None}, "Missing required parameter: 'messages'.", "messages", MISSING),
        (
            {"model": "m", "messages": []},
            "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead.",
            "messages",
            "empty_array",
        ),
        (
            {"model": "m", "messages": "hi"},
            "Invalid type for 'messages': expected an array of objects, but got a string instead.",
            "messages",
            TYPE,
        ),
        (
            {**PLAIN, "temperature": "hot"},
            "Invalid type for 'temperature': expected a decimal, but got a string instead.",
            "temperature",
            TYPE,
        ),
        (
            {**PLAIN, "n": 1.5},
            "Invalid type for 'n': expected an integer, but got a decimal number instead.",
            "n",
            TYPE,
        ),
        (
            {**PLAIN, "stream": "true"},
            "Invalid type for 'stream': expected a boolean, but got a string instead.",
            "stream",
            TYPE,
        ),
        (
            {**PLAIN, "max_tokens": True},
            "Invalid type for 'max_tokens': expected an integer, but got a boolean instead.",
            "max_tokens",
            TYPE,
        ),
        (
            {**PLAIN, "metadata": ["x"]},
            "Invalid type for 'metadata': expected an object, but got an array instead.",
            "metadata",
            TYPE,
        ),
        (
            {**PLAIN, "user": {}},
            "Invalid type for 'user': expected a string, but got an object instead.",
            "user",
            TYPE,
        ),
        (
            messages("hi"),
            "Invalid type for 'messages[0]': expected an object, but got a string instead.",
            "messages[0]",
            TYPE,
        ),
        (
            messages(USER, {"content": "x"}),
            "Missing required parameter: 'messages[1].role'.",
            "messages[1].role",
            MISSING,
        ),
        (
            messages({"role": "robot", "content": "x"}),
            "Invalid value: 'robot'. "
            "Supported values are: 'system', 'assistant', 'user', 'function', 'tool', and 'developer'.",
            "messages[0].role",
            VALUE,
        ),
        (
            messages({"role": "user", "content": 3}),
            "Invalid type for 'messages[0].content': "
            "expected one of a string or array of objects, but got an integer instead.",
            "messages[0].content",
            TYPE,
        ),
        (
            messages({"role": "user"}),
            "Invalid value for 'content': expected a string, got null.",
            "messages.[0].content",
            None,
        ),
        (
            messages({"role": "user", "content": [{"text": "x"}]}),
            "Missing required parameter: 'messages[0].content[0].type'.",
            "messages[0].content[0].type",
            MISSING,
        ),
        (
            messages({"role": "assistant", "tool_calls": {}}),
            "Invalid type for 'messages[0].tool_calls': expected an array of objects, but got an object instead.",
            "messages[0].tool_calls",
            TYPE,
        ),
        (
            messages({"role": "assistant", "tool_calls": [{"id": 1}]}),
            "Invalid type for 'messages[0].tool_calls[0].id': expected a string, but got an integer instead.",
            "messages[0].tool_calls[0].id",
            TYPE,
        ),
        ({**PLAIN, "tools": [{}]}, "Missing required parameter: 'tools[0].type'.", "tools[0].type", MISSING),
        (
            {**PLAIN, "tools": [{"type": "function"}]},
            "Missing required parameter: 'tools[0].function.name'.",
            "tools[0].function.name",
            MISSING,
        ),
        (
            {**PLAIN, "functions": [{}]},
            "Missing required parameter: 'functions[0].name'.",
            "functions[0].name",
            MISSING,
        ),
    ],
)
def test_refusals(body: JSON, message: str, param: str | None, code: str | None) -> None:
    condition = DIALECT.check(chat(body))
    assert condition
    assert (condition.message, condition.param, condition.code) == (message, param, code)
    assert (condition.status, condition.type, condition.retry) == (400, "invalid_request_error", False)


@pytest.mark.parametrize(
    "body",
    [
        PLAIN,
        {**PLAIN, "temperature": None, "stop": None, "tools": None},
        {**PLAIN, "temperature": 99, "max_tokens": -1, "unknown": {}, "tools": [{"type": "web_search"}]},
        messages({"role": "assistant", "content": None, "tool_calls": []}),
        messages({"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}),
        messages({"role": "user", "content": []}),
    ],
)
def test_what_is_let_through(body: JSON) -> None:
    assert DIALECT.check(chat(body)) is None


@pytest.mark.parametrize("body", [b"{", b"", b"\xff", b"[]"])
def test_broken_json(body: bytes) -> None:
    call = dialects.read(RawRequest("POST", "/v1/chat/completions", body=body))
    condition = DIALECT.check(call)
    assert condition
    assert condition.message.startswith("We could not parse the JSON body of your request.")
    assert condition.extra == {"problem": call.problem}


def test_a_wrong_method() -> None:
    condition = DIALECT.check(chat(None, "GET"))
    assert condition
    assert condition.status == 405
    assert condition.message == (
        "Not allowed to GET on /v1/chat/completions. (HINT: Perhaps you meant to use a different HTTP method?)"
    )


def test_a_plain_question() -> None:
    ask = DIALECT.ask(chat(PLAIN))
    assert (ask.turns, ask.prompt_tokens, ask.exact, ask.max_tokens) == ((Turn("user", "Hello!"),), 9, True, None)
    assert (ask.tools, ask.tool_choice, ask.choices, ask.stop, ask.schema, ask.warnings) == (
        (),
        "auto",
        1,
        (),
        None,
        (),
    )


def test_turns_hold_visible_text_and_count_calls() -> None:
    parts = [
        {"type": "text", "text": "a"},
        {"type": "image_url", "image_url": {"url": "data:,"}},
        {"type": "text", "text": "b"},
    ]
    called = {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}, {"id": "2"}]}
    legacy = {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}}
    refused = {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]}
    ask = DIALECT.ask(chat(messages({"role": "user", "content": parts}, called, legacy, refused)))
    assert ask.turns == (
        Turn("user", "a\nb"),
        Turn("assistant", "", 2),
        Turn("assistant", "", 1),
        Turn("assistant", "no"),
    )


FUNCTION = {"name": "weather", "description": "d", "parameters": {"type": "object"}}
OTHER = {"name": "clock"}


@pytest.mark.parametrize(
    ("body", "tools"),
    [
        ({"tools": [{"type": "function", "function": FUNCTION}]}, (Tool("weather", "d", {"type": "object"}),)),
        ({"functions": [FUNCTION, OTHER]}, (Tool("weather", "d", {"type": "object"}), Tool("clock"))),
        ({"tools": [{"type": "web_search"}, {"type": "function", "function": OTHER}]}, (Tool("clock"),)),
        ({}, ()),
    ],
)
def test_tools(body: JSON, tools: tuple[Tool, ...]) -> None:
    assert DIALECT.ask(chat({**PLAIN, **body})).tools == tools


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({"tool_choice": "auto"}, "auto"),
        ({"tool_choice": "none"}, "none"),
        ({"tool_choice": "required"}, "required"),
        ({"tool_choice": "any"}, "required"),
        ({"tool_choice": {"type": "function", "function": {"name": "f"}}}, "f"),
        ({"tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": []}}}, "required"),
        ({"tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": []}}}, "auto"),
        ({"function_call": {"name": "g"}}, "g"),
        ({"function_call": "none"}, "none"),
        ({"tool_choice": {}}, "auto"),
        ({"tool_choice": None}, "auto"),
    ],
)
def test_tool_choice(choice: JSON, expected: str) -> None:
    assert DIALECT.ask(chat({**PLAIN, **choice})).tool_choice == expected


TOO_MUCH = "max_tokens: 99999 is more than the 16384 tokens that gpt-4o can put out"


@pytest.mark.parametrize(
    ("body", "limit", "warnings"),
    [
        ({"max_tokens": 5}, 5, ()),
        ({"max_tokens": 5, "max_completion_tokens": 7}, 7, ()),
        ({"max_tokens": 0}, None, ("max_tokens: 0 is below the minimum of 1; taken as not given",)),
        (
            {"max_completion_tokens": -3},
            None,
            ("max_completion_tokens: -3 is below the minimum of 1; taken as not given",),
        ),
        ({"max_tokens": 99999}, 16384, (TOO_MUCH,)),
        ({"max_tokens": 99999, "model": "own-model"}, 99999, ()),
    ],
)
def test_token_limits(body: JSON, limit: int | None, warnings: tuple[str, ...]) -> None:
    ask = DIALECT.ask(chat({**PLAIN, **body}))
    assert (ask.max_tokens, ask.warnings) == (limit, warnings)


@pytest.mark.parametrize(
    ("n", "choices", "warnings"),
    [
        (None, 1, ()),
        (3, 3, ()),
        (0, 1, ("n: 0 is outside of 1 to 128; 1 taken",)),
        (10**9, 128, ("n: 1000000000 is outside of 1 to 128; 128 taken",)),
    ],
)
def test_choices(n: JSON, choices: int, warnings: tuple[str, ...]) -> None:
    ask = DIALECT.ask(chat({**PLAIN, "n": n}))
    assert (ask.choices, ask.warnings) == (choices, warnings)


@pytest.mark.parametrize(
    ("body", "stop", "schema"),
    [
        ({"stop": "END"}, ("END",), None),
        ({"stop": ["a", "", 3, "b"]}, ("a", "b"), None),
        ({"response_format": {"type": "json_object"}}, (), {}),
        ({"response_format": {"type": "text"}}, (), None),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"schema": {"type": "object"}}}},
            (),
            {"type": "object"},
        ),
        ({"response_format": {"type": "json_schema"}}, (), {}),
    ],
)
def test_stop_and_schema(body: JSON, stop: tuple[str, ...], schema: JSON) -> None:
    ask = DIALECT.ask(chat({**PLAIN, **body}))
    assert (ask.stop, ask.schema) == (stop, schema)


def test_what_is_not_simulated_is_named() -> None:
    ask = DIALECT.ask(chat({**PLAIN, "logprobs": True, "modalities": ["text", "audio"], "store": True}))
    assert [warning.partition(":")[0] for warning in ask.warnings] == ["modalities", "store"]


JSONS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
NAMES = [
    "model", "messages", "max_tokens", "n", "stop", "tools", "tool_choice", "functions", "response_format", "role",
    "stream_options", "content", "tool_calls", "type", "function", "name", "parameters", "json_schema", "allowed_tools",
]  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(NAMES),
        JSONS | st.lists(st.dictionaries(st.sampled_from(NAMES), JSONS, max_size=4), max_size=2),
        max_size=5,
    )
)
def test_any_body_is_refused_or_asked_but_never_raises(changes: JSON) -> None:
    call = chat({**PLAIN, **changes})
    condition = DIALECT.check(call)
    if condition is None:
        assert DIALECT.ask(call).prompt_tokens >= 1
    else:
        assert DIALECT.refuse(condition, call).status == 400
