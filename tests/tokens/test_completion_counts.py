"""Completion tokens of chats, legacy completions, and embeddings."""

from __future__ import annotations

from typing import Any

import pytest

from llm_simulator.tokens import Count, count, count_completion, count_embeddings, count_legacy_completion
from llm_simulator.tokens.completion import end_of_turn

TOOLS = {"tools": [{"type": "function", "function": {"name": "add"}}]}
IN_2024, IN_EARLY_2025, IN_2026 = 1717200000, 1740000000, 1770000000


def said(text: str, finish: str = "stop") -> dict[str, Any]:
    return {"message": {"role": "assistant", "content": text}, "finish_reason": finish}


def called(*arguments: str) -> dict[str, Any]:
    calls = [{"id": "c", "function": {"name": "add", "arguments": given}} for given in arguments]
    return {"message": {"role": "assistant", "content": None, "tool_calls": calls}, "finish_reason": "tool_calls"}


HEADER = count(" to=functions.add", "gpt-4o")
ARGUMENTS = count('{"a":1}', "gpt-4o")


@pytest.mark.parametrize(
    ("azure", "created", "tokens"),
    [
        (False, None, 0),
        (False, IN_2024, 0),
        (False, IN_EARLY_2025, 1),
        (False, IN_2026, 0),
        (True, None, 1),
        (True, IN_2024, 0),
        (True, IN_2026, 1),
    ],
)
def test_the_end_of_a_turn_was_not_always_billed(azure: bool, created: int | None, tokens: int) -> None:
    assert end_of_turn(azure, created) == tokens
    assert count_completion({}, [said("Hello")], "gpt-4o", azure=azure, created=created) == Count(1 + tokens)
    assert count_completion({"stop": ["x"]}, [said("Hello")], "gpt-4o", azure=azure, created=created) == Count(1)


@pytest.mark.parametrize(
    ("request_", "choices", "tokens"),
    [
        ({}, [said("Hello"), said("hello world")], 1 + 2),
        (TOOLS, [said("Hello")], 1 + 1),
        (TOOLS, [said("Hello", "length")], 1),
        ({"max_tokens": 7}, [said("Hello", "length")], 7),
        ({"max_completion_tokens": 9, "max_tokens": 7}, [said("Hello", "length")], 9),
        ({**TOOLS, "response_format": {"json_schema": {"name": "n"}}}, [said("Hello")], 1 + 1 + 4),
        ({}, [{"message": {"content": None, "refusal": "Hello"}, "finish_reason": "stop"}], 1 + 1),
        (TOOLS, [called('{"a":1}')], HEADER + ARGUMENTS + 4),
        ({**TOOLS, "tool_choice": {"function": {"name": "add"}}}, [called('{"a":1}')], ARGUMENTS),
        (
            TOOLS,
            [called('{"a": 1}', '{"a": 1}')],
            count(" to=multi_tool_use.parallel", "gpt-4o")
            + count(
                '{"tool_uses":[{"recipient_name":"functions.add","parameters":{"a":1}},'
                '{"recipient_name":"functions.add","parameters":{"a":1}}]}',
                "gpt-4o",
            )
            + 4,
        ),
    ],
)
def test_answers(request_: Any, choices: Any, tokens: int) -> None:
    assert count_completion(request_, choices, "gpt-4o") == Count(tokens)


def test_gpt_4_0613_has_a_shorter_frame_around_calls() -> None:
    longer = count_completion(TOOLS, [called("{}")], "gpt-4").tokens
    assert count_completion(TOOLS, [called("{}")], "gpt-4-0613").tokens == longer - 3


@pytest.mark.parametrize(
    ("model", "choices", "tokens"),
    [
        ("gpt-5", [said("Hello")], 64 + 1 + 9),
        ("gpt-5.2", [said("Hello")], 64 + 1 + 3),
        ("o3", [said("Hello")], 64 + 1 + 10),
        ("gpt-5", [called('{"a":1}', '{"a":1}')], 64 + 2 * (HEADER + ARGUMENTS + 13)),
        ("gpt-5.2", [called('{"a":1}')], 64 + HEADER + ARGUMENTS + 7),
    ],
)
def test_reasoned_answers_are_estimates(model: str, choices: Any, tokens: int) -> None:
    counted = count_completion({}, choices, model, reasoning=64)
    assert (counted.tokens, counted.exact) == (tokens, False)


def test_a_withheld_answer_is_an_estimate() -> None:
    counted = count_completion({}, [{"finish_reason": "content_filter"}], "gpt-4o")
    assert counted == Count(0, False, "a withheld answer is billed, but not shown")


@pytest.mark.parametrize(
    ("request_", "choices", "prompt", "completion"),
    [
        ({"prompt": "hello world"}, [{"text": "Hello", "finish_reason": "stop"}], 2, 1),
        ({"prompt": ["Hello", "hello world"], "max_tokens": 5}, [{"text": "x", "finish_reason": "length"}] * 2, 3, 10),
        ({"prompt": [1, 2, 3]}, [{"text": "Hello", "finish_reason": "length"}], 3, 16),
        ({"prompt": "hello world", "echo": True}, [{"text": "hello world", "finish_reason": "length"}], 2, 2),
    ],
)
def test_legacy_completions(request_: Any, choices: Any, prompt: int, completion: int) -> None:
    assert count_legacy_completion(request_, choices, "davinci-002") == (Count(prompt), Count(completion))


@pytest.mark.parametrize(
    ("value", "tokens", "exact"),
    [
        ("hello world", 2, True),
        (["hello world", "Hello"], 3, True),
        ([1, 2, 3], 3, True),
        ([[1, 2], [3]], 3, True),
        ([], 0, True),
        (None, 0, False),
        ([True, {}], 0, False),
    ],
)
def test_embeddings(value: Any, tokens: int, exact: bool) -> None:
    counted = count_embeddings({"input": value}, "text-embedding-3-small")
    assert (counted.tokens, counted.exact) == (tokens, exact)
