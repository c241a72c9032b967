"""Input and output tokens of the Responses API."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_simulator.tokens import Count, count, count_responses_input, count_responses_output
from llm_simulator.tokens.responses import hides_reasoning
from llm_simulator.tokens.tool_text import tools_text

USER = {"role": "user", "content": "Hello"}
ADD = {
    "type": "function",
    "name": "add",
    "description": "Adds.",
    "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}},
}
TOLD = count(tools_text([ADD]), "gpt-4o")
HEADER = count(" to=functions.add", "gpt-4o")
ARGUMENTS = count('{"a":1}', "gpt-4o")
CALL: dict[str, Any] = {"type": "function_call", "call_id": "c", "name": "add", "arguments": '{"a": 1}'}
RESULT = {"type": "function_call_output", "call_id": "c", "output": "Hello"}
IN_MARCH_2025, IN_2025, IN_2026 = 1741000000, 1755000000, 1770000000


@pytest.mark.parametrize(
    ("body", "model", "tokens"),
    [
        ({"input": "Hello"}, "gpt-4o", 3 + 5),
        ({"input": [USER]}, "gpt-5", 2 + 5),
        ({"input": [USER], "instructions": "Be brief."}, "gpt-4o", 3 + 7 + 5),
        ({"input": [{**USER, "type": "message", "content": [{"type": "input_text", "text": "Hello"}]}]}, "o3", 2 + 5),
        ({"input": "Hello", "tools": [ADD]}, "gpt-4o", 3 + 5 + TOLD - 3),
        ({"input": "Hello", "tools": [ADD]}, "o3", 2 + 5 + TOLD),
        ({"input": [USER, CALL, RESULT]}, "gpt-4o", 3 + 5 + (4 + HEADER + ARGUMENTS) + (4 + 1 + 1)),
        ({"input": [USER, {**CALL, "id": "fc"}, RESULT]}, "gpt-4o", 3 + 5 + (4 + HEADER + ARGUMENTS) + (4 + 1 + 1 + 3)),
        ({"input": [USER, CALL, RESULT]}, "gpt-5", 2 + 5 + (4 + HEADER + ARGUMENTS + 6) + (4 + 1 + 1)),
        ({"input": [USER, CALL, RESULT]}, "gpt-5.5", 2 + 5 + (4 + HEADER + ARGUMENTS + 9) + (4 + 1 + 1)),
        ({"input": [{"type": "reasoning", "encrypted_content": "A" * 2000}, USER]}, "gpt-5", 2 + 2 + 5),
    ],
)
def test_input(body: Any, model: str, tokens: int) -> None:
    assert count_responses_input(body, model) == Count(tokens)


@pytest.mark.parametrize(("model", "more"), [("gpt-4o", 1), ("gpt-5", 0)])
def test_text_format(model: str, more: int) -> None:
    form = {"type": "json_schema", "name": "n", "schema": {"type": "object"}}
    told = count('# Response Formats\n\n## n\n\n{"type":"object"}', model)
    plain = count_responses_input({"input": "Hello"}, model).tokens
    assert count_responses_input({"input": "Hello", "text": {"format": form}}, model) == Count(plain + told + more)
    assert count_responses_input({"input": "Hello", "text": {"format": {"type": "text"}}}, model) == Count(plain)


@pytest.mark.parametrize(
    ("change", "more", "why"),
    [
        ({"tools": [ADD]}, TOLD + 3, "gpt-5 has read hidden text about tools at times"),
        ({"tools": [{**ADD, "description": ""}]}, None, "gpt-5 has read hidden text about tools at times"),
        ({"tools": [{"type": "web_search"}]}, 294, "a hosted tool has instructions that are not in the request"),
        ({"previous_response_id": "resp_1"}, 0, "`previous_response_id` refers to text that is not in the request"),
        (
            {"input": [USER, {"type": "reasoning", "encrypted_content": "A" * 1228}]},
            2 + 45,
            "encrypted reasoning cannot be counted",
        ),
        ({"input": [USER, {"type": "reasoning", "summary": []}]}, 2, "encrypted reasoning cannot be counted"),
        (
            {"input": [USER, {"type": "computer_call"}]},
            0,
            "an input item of type 'computer_call' cannot be counted from the request",
        ),
    ],
)
def test_what_cannot_be_known_is_said(change: Any, more: int | None, why: str) -> None:
    counted = count_responses_input({"input": [USER], **change}, "gpt-5")
    assert (counted.exact, counted.why) == (False, why)
    assert more is None or counted.tokens == 7 + more


@pytest.mark.parametrize(
    ("choice", "tools", "created", "more"),
    [
        ("auto", [ADD], None, 0),
        ("required", [ADD], None, HEADER + 4),
        ("required", [ADD], IN_2025, 0),
        ("required", [ADD], IN_2026, HEADER + 4),
        ("required", [ADD, ADD], None, 0),
        ({"type": "function", "name": "add"}, [ADD, ADD], None, HEADER + 4),
        ({"type": "web_search"}, [ADD], None, 0),
    ],
)
def test_forcing_a_call_costs_since_2026(choice: Any, tools: Any, created: int | None, more: int) -> None:
    body = {"input": "Hello", "tools": tools}
    plain = count_responses_input(body, "gpt-4o").tokens
    assert count_responses_input({**body, "tool_choice": choice}, "gpt-4o", created=created).tokens == plain + more


def test_early_calls_had_hidden_input() -> None:
    assert count_responses_input({"input": "Hello"}, "gpt-4o", created=IN_MARCH_2025).tokens == 8 + 18
    told = count_responses_input({"input": "Hello", "tools": [ADD]}, "gpt-4o", created=IN_MARCH_2025)
    assert (told.tokens, told.exact) == (8 + TOLD - 3 + 216, False)


def message(text: str, status: str = "completed") -> dict[str, Any]:
    return {"type": "message", "status": status, "content": [{"type": "output_text", "text": text}]}


PARALLEL = (
    '{"tool_uses":[{"recipient_name":"functions.add","parameters":{"a":1}},'
    '{"recipient_name":"functions.add","parameters":{"a":1}}]}'
)


@pytest.mark.parametrize(
    ("body", "output", "tokens"),
    [
        ({}, [message("Hello")], 1 + 1),
        ({"tools": [ADD]}, [message("Hello")], 1 + 2),
        ({"max_output_tokens": 16}, [message("Hello", "incomplete")], 16),
        ({"tools": [ADD]}, [CALL], HEADER + count('{"a": 1}', "gpt-4o") + 5),
        ({"tools": [ADD], "tool_choice": "required"}, [CALL], count('{"a": 1}', "gpt-4o") + 1),
        (
            {"tools": [ADD]},
            [CALL, CALL],
            count(" to=multi_tool_use.parallel", "gpt-4o") + count(PARALLEL, "gpt-4o") + 5,
        ),
    ],
)
def test_output(body: Any, output: Any, tokens: int) -> None:
    assert count_responses_output(body, output, "gpt-4o") == Count(tokens)


@pytest.mark.parametrize(
    ("model", "output", "tokens"),
    [
        ("gpt-5", [{"type": "reasoning"}, message("Hello")], 64 + 1 + 6),
        ("gpt-5.1", [message("Hello")], 64 + 1 + 6),
        ("gpt-5.4", [message("Hello")], 64 + 1 + 4 + 2),
        ("o3", [message("Hello")], 64 + 1 + 10),
        ("gpt-5.4", [CALL, CALL], 64 + 2 * (HEADER + count('{"a": 1}', "gpt-5.4") + 8) + 2),
        ("gpt-5", [CALL], 64 + HEADER + count('{"a": 1}', "gpt-5") + 10),
    ],
)
def test_reasoned_output_is_an_estimate(model: str, output: Any, tokens: int) -> None:
    counted = count_responses_output({}, output, model, reasoning=64)
    assert (counted.tokens, counted.exact) == (tokens, False)


def test_without_reasoning_gpt_5_1_is_billed_four_more() -> None:
    assert count_responses_output({}, [message("Hello")], "gpt-5.1").tokens == 1 + 10


NEWS = {"type": "search", "query": "latest news on AI", "queries": ["latest news on AI"]}


def test_a_web_search_is_billed_its_query() -> None:
    output = [{"type": "web_search_call", "action": NEWS}, message("Hello")]
    counted = count_responses_output({"tools": [{"type": "web_search_preview"}]}, output, "gpt-4.1")
    assert counted == Count(10 + 4 + 1 + 2)


@pytest.mark.parametrize(
    ("item", "tokens"),
    [
        ({"type": "web_search_call"}, 10),
        ({"type": "web_search_call", "action": {**NEWS, "queries": ["latest news on AI", "more"]}}, 14),
        ({"type": "file_search_call"}, 0),
    ],
)
def test_output_of_hosted_tools_is_an_estimate(item: dict[str, Any], tokens: int) -> None:
    counted = count_responses_output({}, [item, message("Hello")], "gpt-4o")
    assert counted == Count(tokens + 2, False, "a hosted tool's own tokens are not in the answer")


@pytest.mark.parametrize(
    ("output", "reasoning", "created", "hidden"),
    [
        ([{"type": "reasoning"}, message("Hello")], 64, 1774963686, True),
        ([{"type": "reasoning"}, message("Hello")], 64, 1768899211, False),
        ([{"type": "reasoning"}, message("Hello")], 9, 1776481282, False),
        ([message("Hello")], 0, 1776481282, False),
    ],
)
def test_reasoning_told_to_the_last_multiple_of_64(output: Any, reasoning: int, created: int, hidden: bool) -> None:
    assert hides_reasoning(output, reasoning, created) is hidden


STRANGE = st.recursive(
    st.none() | st.integers() | st.sampled_from(["function", "message", "function_call", "reasoning", "required"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "type",
                    "role",
                    "content",
                    "text",
                    "format",
                    "tools",
                    "input",
                    "arguments",
                    "name",
                    "parameters",
                    "call_id",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(STRANGE, STRANGE, STRANGE)
@settings(max_examples=50, deadline=None)
def test_no_body_is_too_strange(body: Any, item: Any, tools: Any) -> None:
    whole = {"input": [item, USER], "tools": tools, "tool_choice": item, "text": body}
    assert count_responses_input(whole, "gpt-4o").tokens >= 8
    assert count_responses_input(body, "gpt-5").tokens >= 2
