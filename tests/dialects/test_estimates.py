"""Estimated counts of answers: by family, never above the limit, the limit where the answer was cut."""

from __future__ import annotations

import pytest

from llm_simulator.dialects.estimate import answer_of
from llm_simulator.types import Choice, Finish, Part, Reasoning, Text, ToolCall

HUNDRED = Text(("a ",) * 100)
CALL = ToolCall("", "weather", ("{",) * 10)


@pytest.mark.parametrize(
    ("model", "parts", "tokens"),
    [
        ("claude-3-haiku", (HUNDRED,), 114),
        ("claude-opus-5", (HUNDRED,), 143),
        ("claude-haiku-4-5", (CALL,), 55),
        ("claude-haiku-4-5", (Reasoning(("a",) * 50), HUNDRED, CALL), 50 + 111 + 55),
        ("gemini-2.5-flash", (HUNDRED,), 105),
        ("gemini-9", (HUNDRED,), 104),
        ("command-a-03-2025", (HUNDRED,), 109),
        ("command-a-03-2025", (), 0),
    ],
)
def test_answers(model: str, parts: tuple[Part, ...], tokens: int) -> None:
    counted = answer_of(model, None)(Choice(parts, Finish.STOP))
    assert (counted.tokens, counted.exact) == (tokens, False)


def test_limits() -> None:
    assert answer_of("claude-opus-5", 120)(Choice((HUNDRED,), Finish.STOP)).tokens == 120
    assert answer_of("claude-opus-5", 500)(Choice((HUNDRED,), Finish.LENGTH)).tokens == 500
    assert answer_of("claude-opus-5", None)(Choice((HUNDRED,), Finish.LENGTH)).tokens == 143
