"""Estimates what providers without an offline tokenizer would count; every number here is inexact and labelled so.

A prompt is base + per_text x n(text) + per_tools x n(tools as JSON) + per_message x messages, n in o200k tokens.
Source: fits on recorded usage, by model family: within 1 to 6 % (median) without tools, 1 to 10 % with them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache

from llm_simulator.dialects.fields import spelled
from llm_simulator.tokens import Count, count
from llm_simulator.types import JSON, Choice, Finish, Reasoning, Text, ToolCall

O200K = "gpt-4o"


@dataclass(frozen=True, slots=True)
class Fit:
    base: float
    text: float
    tools: float = 0.0
    message: float = 0.0


@dataclass(frozen=True, slots=True)
class Measure:
    """What is counted of a prompt: tokens of its text, tokens of its tools, messages and images."""

    text: int
    tools: int
    messages: int
    images: int = 0


def measure(texts: Iterable[str], tools: JSON, messages: int, images: int = 0) -> Measure:
    return Measure(
        sum(count(text, O200K) for text in texts if text),
        count(spelled(tools), O200K) if tools else 0,
        messages,
        images,
    )


def apply(fit: Fit, size: Measure, image: int = 0) -> int:
    """The estimate in tokens, at least 1. `image` is what one picture costs."""
    text = fit.base + fit.text * size.text + fit.tools * size.tools + fit.message * size.messages
    return max(1, round(text) + image * size.images)


# The longest start of a model's name that is listed decides; "" is any other.
_ANTHROPIC = {
    "": Fit(5.0, 1.10, 0.0, 1.4),
    "claude-3-haiku": Fit(5.8, 1.02),
    "claude-3-opus": Fit(9.0, 0.99),
    "claude-3-5-haiku": Fit(5.6, 1.13),
    "claude-3-5-sonnet": Fit(5.2, 1.16),
    "claude-haiku-4-5": Fit(5.8, 1.13),
    "claude-sonnet-4": Fit(5.3, 1.16, 0.0, -0.24),
    "claude-sonnet-4-5": Fit(2.7, 1.05, 0.0, 3.03),
    "claude-sonnet-4-6": Fit(6.7, 1.03),
    "claude-opus-4-7": Fit(14.7, 1.40),
    "claude-opus-4-8": Fit(14.7, 1.40),
    "claude-haiku-5": Fit(14.7, 1.40),
    "claude-sonnet-5": Fit(14.7, 1.40),
    "claude-opus-5": Fit(14.7, 1.40),
    "claude-fable": Fit(14.7, 1.40),
    "claude-mythos": Fit(14.7, 1.40),
}
_ANTHROPIC_TOOLS = {
    "": Fit(480.0, 1.10, 1.10, 19.0),
    "claude-3-haiku": Fit(240.0, 1.10, 1.30),
    "claude-3-opus": Fit(240.0, 1.10, 1.30),
    "claude-3-5-haiku": Fit(241.5, 1.45, 1.54),
    "claude-3-5-sonnet": Fit(313.4, 1.10, 1.10),
    "claude-3-7-sonnet": Fit(313.4, 2.82, 0.80),
    "claude-haiku-4-5": Fit(474.1, 0.52, 1.19, 32.16),
    "claude-sonnet-4": Fit(298.1, 1.14, 0.96, 27.77),
    "claude-sonnet-4-5": Fit(483.4, 1.12, 1.07, 19.19),
    "claude-sonnet-4-6": Fit(522.5, 1.77, 0.69),
}
_GEMINI = {
    "": Fit(-2.0, 1.03, 0.0, 1.0),
    "gemini-3": Fit(0.0, 1.0),
}
_GEMINI_TOOLS = {
    "": Fit(-10.1, 1.13, 0.68, 6.26),
    "gemini-3": Fit(-5.0, 1.0, 1.15, 5.0),
    "gemini-flash-latest": Fit(-5.0, 1.0, 1.15, 5.0),
    "gemini-2.0-flash": Fit(2.9, 1.39, 0.46, -10.52),
    "gemini-2.5-pro": Fit(-1.1, 1.17, 0.50, 4.99),
}
_COHERE = {"": Fit(1.0, 1.03, 0.0, -1.0), "command-a": Fit(-0.5, 1.08), "command-r": Fit(-0.2, 1.05)}
_COHERE_TOOLS = {"": Fit(0.0, 0.70, 0.80), "command-r": Fit(1.0, 1.05, 0.40, -1.0)}
_COHERE_PREAMBLE = {"": 500, "command-r": 67, "command-r7b": 500}

# Answers: of text, of all tool calls together, in o200k tokens of what they say.
_ANSWERS = {
    "": (Fit(0.0, 1.04), Fit(4.7, 0.83)),
    "claude": (Fit(2.9, 1.11), Fit(31.8, 1.57)),
    "claude-haiku-4-5": (Fit(2.9, 1.08), Fit(30.3, 2.29)),
    "claude-sonnet-4-5": (Fit(2.8, 1.09), Fit(31.0, 1.51)),
    "claude-sonnet-4-6": (Fit(2.9, 1.08), Fit(35.5, 1.85)),
    "claude-opus-4-7": (Fit(2.6, 1.40), Fit(31.8, 1.98)),
    "claude-opus-4-8": (Fit(2.6, 1.40), Fit(31.8, 1.98)),
    "claude-opus-5": (Fit(2.6, 1.40), Fit(31.8, 1.98)),
    "claude-sonnet-5": (Fit(2.6, 1.40), Fit(31.8, 1.98)),
    "claude-haiku-5": (Fit(2.6, 1.40), Fit(31.8, 1.98)),
    "claude-fable": (Fit(2.6, 1.40), Fit(31.8, 1.98)),
    "claude-mythos": (Fit(2.6, 1.40), Fit(31.8, 1.98)),
    "command": (Fit(2.0, 1.07), Fit(2.0, 1.07)),
    "gemini-3": (Fit(0.0, 1.01), Fit(4.1, 0.99)),
    "gemini-2.0-flash": (Fit(0.7, 1.03), Fit(-0.4, 0.72)),
    "gemini-2.5-flash": (Fit(-0.1, 1.05), Fit(7.2, 0.89)),
    "gemini-2.5-pro": (Fit(0.0, 1.02), Fit(11.4, 0.21)),
}

ANTHROPIC_THINKING = 28
ANTHROPIC_SCHEMA = 195
ANTHROPIC_IMAGE = 1500
GEMINI_IMAGE = 258
COHERE_IMAGE = 259
COHERE_TOOL_PREAMBLE = 1360


@lru_cache(256)
def longest(names: tuple[str, ...], model: str) -> str:
    """The longest of the names that the model's begins with; "" where none does."""
    return max((name for name in names if model.startswith(name)), key=len, default="")


def _pick(fits: dict[str, Fit], model: str) -> Fit:
    return fits[longest(tuple(fits), model)]


def anthropic(model: str, size: Measure, *, thinking: bool, schema: bool) -> int:
    fit = _pick(_ANTHROPIC_TOOLS if size.tools else _ANTHROPIC, model)
    extra = (ANTHROPIC_THINKING if thinking else 0) + (ANTHROPIC_SCHEMA if schema else 0)
    return apply(fit, size, ANTHROPIC_IMAGE) + extra


def gemini(model: str, size: Measure) -> int:
    return apply(_pick(_GEMINI_TOOLS if size.tools else _GEMINI, model), size, GEMINI_IMAGE)


def cohere(model: str, size: Measure) -> int:
    """What Cohere bills; the hidden preamble of `cohere_preamble` comes on top in `usage.tokens`."""
    return apply(_pick(_COHERE_TOOLS if size.tools else _COHERE, model), size, COHERE_IMAGE)


def cohere_preamble(model: str, tools: bool) -> int:
    return COHERE_TOOL_PREAMBLE if tools else _COHERE_PREAMBLE[longest(tuple(_COHERE_PREAMBLE), model)]


def answer_of(model: str, limit: int | None) -> Callable[[Choice], Count]:
    """Counts what a provider would bill for a choice, its thought included; at most `limit`, and that where it was cut.

    A generated piece is a token, so nothing is tokenized again.
    """
    text, calls = _ANSWERS[longest(tuple(_ANSWERS), model)]

    def counted(choice: Choice) -> Count:
        if choice.finish is Finish.LENGTH and limit is not None:
            return Count(limit, exact=False)
        said = sum(len(part.tokens) for part in choice.parts if isinstance(part, Text))
        called = sum(_called(part) for part in choice.parts if isinstance(part, ToolCall))
        thought = sum(len(part.tokens) for part in choice.parts if isinstance(part, Reasoning))
        whole = thought + _scaled(text, said) + _scaled(calls, called)
        return Count(min(whole, limit) if limit is not None else whole, exact=False)

    return counted


def _scaled(fit: Fit, size: int) -> int:
    return max(1, round(fit.base + fit.text * size)) if size else 0


def _called(call: ToolCall) -> int:
    return count(call.name, O200K) + len(call.arguments)
