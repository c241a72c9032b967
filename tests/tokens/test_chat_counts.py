"""Prompt tokens of chats. The expected sums are written as their parts: priming, frames, roles, contents."""

from __future__ import annotations

import base64
import json
import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_simulator.tokens import Count, count, count_chat
from llm_simulator.tokens.chat import functions_of
from llm_simulator.tokens.tally import Family, family_of
from llm_simulator.tokens.tool_text import tools_text

USER = {"role": "user", "content": "Hello"}  # 3 + 1 + 1
SYSTEM = {"role": "system", "content": "Be brief."}  # 3 + 1 + 3
ADD = {
    "type": "function",
    "function": {
        "name": "add",
        "description": "Adds.",
        "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
    },
}
TEXT = tools_text(functions_of({"tools": [ADD]}))
TOLD = count(TEXT, "gpt-4o")


def call(id: str, arguments: str = '{"a": 1}') -> dict[str, Any]:
    return {"id": id, "type": "function", "function": {"name": "add", "arguments": arguments}}


def png(width: int, height: int) -> str:
    data = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + struct.pack(">II", width, height)
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"


@pytest.mark.parametrize(
    ("model", "family"),
    [
        ("gpt-4o", Family.CLASSIC),
        ("gpt-35-turbo", Family.CLASSIC),
        ("gpt-4.1", Family.CLASSIC),
        ("claude", Family.CLASSIC),
        ("o3-mini", Family.O_SERIES),
        ("gpt-5", Family.GPT5),
        ("openai/gpt-5.2", Family.GPT5),
        ("ft:gpt-4o:acme", Family.CLASSIC),
        ("codex-mini", Family.GPT5),
    ],
)
def test_family(model: str, family: Family) -> None:
    assert family_of(model) is family


@pytest.mark.parametrize(
    ("model", "messages", "tokens"),
    [
        ("gpt-4o", [USER], 3 + 5),
        ("gpt-3.5-turbo", [USER], 3 + 5),
        ("o3", [USER], 2 + 5),
        ("gpt-5", [USER], 2 + 5),
        ("gpt-4o", [SYSTEM, USER], 3 + 7 + 5),
        ("gpt-4o", [{**USER, "name": "Bob"}], 3 + 5 + 2),  # ":Bob"
        ("gpt-4o", [{"role": "user", "content": [{"type": "text", "text": "Hello"}] * 2}], 3 + 6),
        ("gpt-4o", [{"role": "assistant", "content": None, "refusal": None}], 3 + 4),
        ("gpt-4o", [{"role": "assistant", "content": [{"type": "refusal", "refusal": "Hello"}]}], 3 + 5),
    ],
)
def test_messages(model: str, messages: Any, tokens: int) -> None:
    assert count_chat({"messages": messages}, model) == Count(tokens)


@pytest.mark.parametrize(
    ("model", "messages", "tokens"),
    [
        ("gpt-4o", [USER], 3 + 5 + (4 + TOLD) - 1),  # in a system message of its own
        ("gpt-4o", [SYSTEM, USER], 3 + 5 + (4 + count("Be brief.\n\n" + TEXT, "gpt-4o")) - 1),  # appended to the first
        ("o3", [SYSTEM, USER], 2 + 5 + (4 + count("Be brief.\n\n" + TEXT, "o3"))),
        ("gpt-5", [SYSTEM, USER], 2 + 7 + 5 + (4 + TOLD) + 81),
    ],
)
def test_tools(model: str, messages: Any, tokens: int) -> None:
    assert count_chat({"messages": messages, "tools": [ADD]}, model) == Count(tokens)
    assert count_chat({"messages": messages, "functions": [ADD["function"]]}, model) == Count(tokens)


def test_tools_are_appended_to_the_last_text_of_a_system_message() -> None:
    system = {"role": "system", "content": [{"type": "text", "text": "One."}, {"type": "text", "text": "Be brief."}]}
    appended = count("One.", "gpt-4o") + count("Be brief.\n\n" + TEXT, "gpt-4o")
    assert count_chat({"messages": [system], "tools": [ADD]}, "gpt-4o") == Count(3 + 4 + appended - 1)
    empty = {"role": "system", "content": []}
    assert count_chat({"messages": [empty], "tools": [ADD]}, "gpt-4o") == Count(3 + 4 + TOLD - 1)


@pytest.mark.parametrize(
    ("model", "choice", "more"),
    [
        ("gpt-4o", "auto", 0),
        ("gpt-4o", "required", 0),
        ("gpt-4o", {"type": "function", "function": {"name": "add"}}, 1 + 4),
        ("gpt-4", {"type": "function", "function": {"name": "add"}}, count(" to=functions.add", "gpt-4") + 4),
        ("gpt-5", {"type": "function", "function": {"name": "add"}}, 0),
    ],
)
def test_tool_choice(model: str, choice: Any, more: int) -> None:
    body = {"messages": [USER], "tools": [ADD]}
    assert count_chat({**body, "tool_choice": choice}, model).tokens == count_chat(body, model).tokens + more


def test_the_older_function_call() -> None:
    body = {"messages": [USER], "functions": [ADD["function"]]}
    assert (
        count_chat({**body, "function_call": {"name": "add"}}, "gpt-4").tokens == count_chat(body, "gpt-4").tokens + 5
    )


def test_response_format() -> None:
    schema = {"name": "sum", "schema": {"type": "object", "required": ["a"]}, "strict": True}
    body = {"messages": [USER], "response_format": {"type": "json_schema", "json_schema": schema}}
    told = '# Response Formats\n\n## sum\n\n{"type":"object"}'
    assert count_chat(body, "gpt-4o") == Count(3 + 5 + 4 + count(told, "gpt-4o") + 2 + 1)
    assert count_chat(body, "o3") == Count(2 + 5 + 4 + count(told, "o3"))
    both = count(f"{TEXT}\n\n{told}", "gpt-4o")
    assert count_chat({**body, "tools": [ADD]}, "gpt-4o") == Count(3 + 5 + 4 + both - 1)
    plain = {"messages": [USER], "response_format": {"type": "json_object"}}
    assert count_chat(plain, "gpt-4o") == Count(8)


HEADER = count(" to=functions.add", "gpt-4o")
ARGUMENTS = count('{"a":1}', "gpt-4o")  # whatever spaces the client sent


@pytest.mark.parametrize(("model", "priming", "around"), [("gpt-4o", 3, 2), ("o3", 2, 11), ("gpt-5", 2, 8)])
def test_an_earlier_call_and_its_result(model: str, priming: int, around: int) -> None:
    messages = [
        USER,
        {"role": "assistant", "content": None, "tool_calls": [call("c1")]},
        {"role": "tool", "tool_call_id": "c1", "content": "Hello"},
    ]
    tokens = priming + 5 + (4 + HEADER + ARGUMENTS + around) + (4 + 1 + 1)
    assert count_chat({"messages": messages}, model) == Count(tokens)


def test_text_beside_a_call_is_a_message_of_its_own() -> None:
    silent = [USER, {"role": "assistant", "content": "", "tool_calls": [call("c1")]}]
    spoken = [USER, {"role": "assistant", "content": "Hello", "tool_calls": [call("c1")]}]
    assert count_chat({"messages": spoken}, "gpt-4o").tokens == count_chat({"messages": silent}, "gpt-4o").tokens + 5


def test_the_older_function_messages_count_the_same() -> None:
    older = [
        USER,
        {"role": "assistant", "content": None, "function_call": {"name": "add", "arguments": '{"a":1}'}},
        {"role": "function", "name": "add", "content": "Hello"},
    ]
    assert count_chat({"messages": older}, "gpt-4o") == Count(3 + 5 + (4 + HEADER + ARGUMENTS + 2) + (4 + 1 + 1))


def test_several_calls_are_one_call_and_one_result() -> None:
    messages = [
        USER,
        {"role": "assistant", "tool_calls": [call("c1"), call("c2", "not json")]},
        {"role": "tool", "tool_call_id": "c1", "content": '{"b":[2]}'},
        {"role": "tool", "tool_call_id": "c2", "content": [{"type": "text", "text": "fine"}]},
        USER,
    ]
    uses = (
        '{"tool_uses":[{"recipient_name":"functions.add","parameters":{"a":1}},'
        '{"recipient_name":"functions.add","parameters":not json}]}'
    )
    name = "multi_tool_use.parallel"
    made = 4 + count(f" to={name}", "gpt-4o") + count(uses, "gpt-4o") + 2
    result = 4 + count(name, "gpt-4o") + count('[{"b": [2]}, "fine"]', "gpt-4o")
    assert count_chat({"messages": messages}, "gpt-4o") == Count(3 + 5 + made + result + 5)
    assert count_chat({"messages": messages[:4]}, "gpt-4o") == Count(3 + 5 + made + result)
    apart = 2 * (4 + HEADER + 8) + ARGUMENTS + count("not json", "gpt-5") + 2 * (4 + 1) + 5 + 1
    assert count_chat({"messages": messages[:4]}, "gpt-5") == Count(2 + 5 + apart)


def test_images() -> None:
    def body(**image: str) -> Any:
        return {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": image}]}]}

    assert count_chat(body(url=png(512, 512)), "gpt-4o") == Count(3 + 4 + 255)
    assert count_chat(body(url=png(512, 512), detail="low"), "gpt-4o") == Count(3 + 4 + 85)
    assert count_chat(body(url="https://example.com/a.png", detail="low"), "gpt-4o") == Count(3 + 4 + 85)
    remote = count_chat(body(url="https://example.com/a.png"), "gpt-4o")
    assert remote == Count(3 + 4 + 765, False, "the size of an image is not in the request")


@pytest.mark.parametrize(
    ("body", "model", "why"),
    [
        ({"messages": [USER]}, "claude-opus-4", "'claude-opus-4' is no model of OpenAI's by name"),
        (None, "gpt-4o", "no messages"),
        ({"messages": "Hello"}, "gpt-4o", "no messages"),
        (
            {"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]},
            "gpt-4o",
            "a content part of type 'input_audio' cannot be counted from the request",
        ),
    ],
)
def test_what_cannot_be_known_is_said(body: Any, model: str, why: str) -> None:
    counted = count_chat(body, model)
    assert (counted.exact, counted.why) == (False, why)


def test_a_schema_nested_beyond_reason_is_a_doubt() -> None:
    schema: Any = {"type": "string"}
    for _ in range(3000):
        schema = {"items": schema}
    body = {"messages": [USER], "response_format": {"json_schema": {"name": "n", "schema": schema}}}
    assert count_chat(body, "gpt-4o").why == "a schema is nested too deeply"


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(["function", "text", "tool", "user", "\ud800"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "role",
                    "content",
                    "name",
                    "tool_calls",
                    "function",
                    "arguments",
                    "id",
                    "type",
                    "text",
                    "image_url",
                    "url",
                    "messages",
                    "tools",
                    "parameters",
                    "properties",
                    "items",
                    "anyOf",
                    "enum",
                    "$ref",
                    "required",
                    "title",
                    "default",
                    "minimum",
                    "additionalProperties",
                    "json_schema",
                    "schema",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(ANYTHING, ANYTHING, ANYTHING, ANYTHING)
@settings(max_examples=60, deadline=None)
def test_no_body_is_too_strange(message: Any, schema: Any, tool: Any, choice: Any) -> None:
    function = {"type": "function", "function": {"name": "f", "parameters": {"properties": {"a": schema}}}}
    body = {
        "messages": [message, USER],
        "tools": [function, tool],
        "tool_choice": choice,
        "response_format": {"json_schema": {"schema": schema}},
    }
    assert count_chat(body, "gpt-4o").tokens > 8
    assert count_chat(message, "gpt-5").tokens >= 2
    json.dumps(body)  # the strategy makes JSON
