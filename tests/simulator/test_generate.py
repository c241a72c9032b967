"""What answers say: text, tool calls, structured output; limits, stops and counts."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from llm_simulator import tokens
from llm_simulator.dialects.base import Ask, Tool, Turn
from llm_simulator.profiles.distributions import Constant, Quantiles
from llm_simulator.simulator.draws import Lot
from llm_simulator.simulator.generate import PLAIN, Generated, Style, generate
from llm_simulator.types import Choice, Finish, Text, ToolCall

MODEL = "gpt-4o"
USER = Turn("user", "What is the weather in Zürich?")
ASK = Ask((USER,), 12)
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
    "required": ["city", "days"],
    "additionalProperties": False,
}
TOOLS = (Tool("get_weather", "Of a city", SCHEMA), Tool("get_time"))
LENGTH = Constant(60)


def made(ask: Ask, *, identity: bytes = b"call", seed: int = 1, style: Style = PLAIN, model: str = MODEL) -> Generated:
    return generate(ask, model, Lot(seed, "default", identity), LENGTH, style)


def only(generated: Generated) -> Choice:
    (choice,) = generated.choices
    return choice


def text_of(choice: Choice) -> str:
    (part,) = choice.parts
    assert isinstance(part, Text)
    return "".join(part.tokens)


def call_of(choice: Choice) -> ToolCall:
    (part,) = choice.parts
    assert isinstance(part, ToolCall)
    return part


def test_plain_text_stops_as_a_sentence() -> None:
    generated = made(ASK)
    assert only(generated).finish is Finish.STOP
    assert text_of(only(generated))[-1] in ".?!"
    assert 60 <= generated.tokens == tokens.count(text_of(only(generated)), MODEL) < 120


@pytest.mark.parametrize("limit", [0, 1, 2, 16, 59])
def test_max_tokens_cuts_exactly(limit: int) -> None:
    generated = made(replace(ASK, max_tokens=limit))
    assert only(generated).finish is Finish.LENGTH
    assert generated.tokens == limit == tokens.count(text_of(only(generated)), MODEL)


def test_a_limit_above_the_length_does_not_matter() -> None:
    assert made(replace(ASK, max_tokens=4096)) == made(ASK)


def test_equal_calls_are_equal_and_others_are_not() -> None:
    assert made(ASK) == made(ASK)
    assert len({text_of(only(made(ASK, identity=b"%d" % call))) for call in range(100)}) == 100
    assert made(ASK, seed=2) != made(ASK)


def test_length_is_drawn_from_the_profile() -> None:
    length = Quantiles((0.0, 1.0), (10, 300))
    counts = sorted(generate(ASK, MODEL, Lot(1, "", b"%d" % n), length, PLAIN).tokens for n in range(400))
    assert counts[40] == pytest.approx(10 + 29 + 8, abs=15)
    assert counts[200] == pytest.approx(155 + 8, abs=20)
    assert counts[360] == pytest.approx(271 + 8, abs=20)


def test_choices_differ_and_are_counted_together() -> None:
    generated = made(replace(ASK, choices=3))
    texts = [text_of(choice) for choice in generated.choices]
    assert len(set(texts)) == 3
    assert generated.tokens == sum(tokens.count(text, MODEL) for text in texts)
    assert generated.choices[0] == only(made(ASK))


def test_a_stop_sequence_ends_the_text_before_it() -> None:
    whole = text_of(only(made(ASK)))
    stop = whole[37:41]
    generated = made(replace(ASK, stop=("never in it", whole[80:90], stop)))
    choice = only(generated)
    assert choice.finish is Finish.STOP_SEQUENCE
    assert choice.stop_sequence == stop
    assert text_of(choice) == whole[: whole.index(stop)]
    assert generated.tokens == tokens.count(text_of(choice), MODEL)


def test_a_stop_that_does_not_occur_changes_nothing() -> None:
    assert made(replace(ASK, stop=("§§§", ""))) == made(ASK)


def test_a_required_tool_is_called_with_valid_arguments() -> None:
    names: set[str] = set()
    for call in range(30):
        generated = made(replace(ASK, tools=TOOLS, tool_choice="required"), identity=b"%d" % call)
        assert only(generated).finish is Finish.TOOL_CALLS
        tool = call_of(only(generated))
        arguments = json.loads("".join(tool.arguments))
        if tool.name == "get_weather":
            assert {name: type(value) for name, value in arguments.items()} == {"city": str, "days": int}
        else:
            assert arguments == {}
        around = tokens.count(f" to=functions.{tool.name}", MODEL) + 4
        assert generated.tokens == around + tokens.count("".join(tool.arguments), MODEL)
        names.add(tool.name)
    assert names == {"get_weather", "get_time"}


def test_a_named_tool_costs_only_its_arguments() -> None:
    generated = made(replace(ASK, tools=TOOLS, tool_choice="get_weather"))
    tool = call_of(only(generated))
    assert tool.name == "get_weather"
    assert len(tool.id) == 32
    assert int(tool.id, 16) > 0
    assert generated.tokens == tokens.count("".join(tool.arguments), MODEL)


@pytest.mark.parametrize(
    ("choice", "style", "calls"),
    [
        ("auto", PLAIN, False),
        ("auto", Style(call_tools=True), True),
        ("none", Style(call_tools=True), False),
        ("required", PLAIN, True),
        ("get_time", PLAIN, True),
    ],
)
def test_when_a_tool_is_called(choice: str, style: Style, calls: bool) -> None:
    generated = made(replace(ASK, tools=TOOLS, tool_choice=choice), style=style)
    assert isinstance(only(generated).parts[0], ToolCall) is calls


@pytest.mark.parametrize(
    ("turns", "calls"),
    [
        ((USER, Turn("assistant", "", 1), Turn("tool", "12 °C")), False),
        ((USER, Turn("assistant", "", 1), Turn("user", "12 °C")), False),  # Anthropic, Gemini: results are the user's
        ((USER, Turn("model", "", 2), Turn("user", "12 °C")), False),
        ((USER, Turn("tool", "12 °C")), False),
        ((USER, Turn("assistant", "", 1), Turn("tool", "12 °C"), Turn("assistant", "It is 12 °C."), USER), True),
        ((), True),
    ],
)
def test_the_turn_after_a_result_is_text(turns: tuple[Turn, ...], calls: bool) -> None:
    generated = made(replace(ASK, turns=turns, tools=TOOLS, tool_choice="required"))
    assert isinstance(only(generated).parts[0], ToolCall) is calls


def test_no_tools_means_text() -> None:
    assert isinstance(only(made(replace(ASK, tool_choice="required"))).parts[0], Text)


def test_arguments_of_a_schema_that_is_no_object_are_empty() -> None:
    odd = (Tool("odd", schema={"type": "array"}),)
    assert call_of(only(made(replace(ASK, tools=odd, tool_choice="odd")))).arguments == tokens.split("{}", MODEL)


def test_a_cut_tool_call_ends_by_length() -> None:
    generated = made(replace(ASK, tools=TOOLS, tool_choice="get_weather", max_tokens=4))
    assert only(generated).finish is Finish.LENGTH
    assert generated.tokens == 4 == tokens.count("".join(call_of(only(generated)).arguments), MODEL)


def test_structured_output_is_compact_json_of_the_schema() -> None:
    generated = made(replace(ASK, schema=SCHEMA))
    text = text_of(only(generated))
    assert set(json.loads(text)) == {"city", "days"}
    assert ": " not in text
    assert only(generated).finish is Finish.STOP
    assert generated.tokens == tokens.count(text, MODEL)


@pytest.mark.parametrize("model", ["gpt-4o", "gpt-4-turbo"])
@pytest.mark.parametrize("limit", range(12))
def test_structured_output_is_cut_to_the_token(model: str, limit: int) -> None:
    properties = {f"número {n}": {"type": "string"} for n in range(9)}
    wide = {"type": "object", "properties": properties, "required": list(properties)}
    generated = made(replace(ASK, schema=wide, max_tokens=limit), model=model)
    assert only(generated).finish is Finish.LENGTH
    assert generated.tokens == limit == tokens.count(text_of(only(generated)), model)
