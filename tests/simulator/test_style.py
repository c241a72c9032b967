"""How answers sound: styles of text, thought, several calls, refusals; counted and cut to the token all the same."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from llm_simulator import tokens
from llm_simulator.dialects.base import Ask, Thinking, Tool, Turn
from llm_simulator.profiles.distributions import Constant
from llm_simulator.simulator.corpus import LOREM
from llm_simulator.simulator.draws import Lot
from llm_simulator.simulator.generate import Generated, generate
from llm_simulator.simulator.style import PLACEHOLDERS, Style, filled
from llm_simulator.tokens.tally import Count
from llm_simulator.types import Choice, Finish, Reasoning, Text, ToolCall

MODEL = "gpt-4o"
TURNS = (Turn("system", "Be brief."), Turn("user", "Grüezi 🍜! 你好"))
ASK = Ask(TURNS, 12)
PLAN = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS = (Tool("look", schema=PLAN), Tool("listen", schema=PLAN), Tool("note", kind="custom"))


def made(ask: Ask, style: Style, *, model: str = MODEL, call: bytes = b"call", length: int = 40) -> Generated:
    return generate(ask, model, Lot(1, "default", call), Constant(length), style)


def text_of(generated: Generated) -> str:
    (choice,) = generated.choices
    return "".join(piece for part in choice.parts if isinstance(part, Text) for piece in part.tokens)


@pytest.mark.parametrize(
    ("style", "text"),
    [
        (Style("echo"), "Grüezi 🍜! 你好"),
        (Style("fixed", "**42** 👩‍👩‍👧"), "**42** 👩‍👩‍👧"),
        (Style("template", "{user} → {model}/{system} {{x}} {turns}"), "Grüezi 🍜! 你好 → gpt-4o/Be brief. {x} 2"),
        (Style("template", "{prompt_tokens}"), "12"),
    ],
)
@pytest.mark.parametrize("limit", [None, 0, 1, 2, 3, 5, 8])
def test_given_text_is_cut_to_the_token_and_never_inside_a_character(
    style: Style, text: str, limit: int | None
) -> None:
    generated = made(replace(ASK, max_tokens=limit), style)
    said = text_of(generated)
    assert text.startswith(said)
    assert generated.tokens == tokens.count(said, MODEL)
    if limit is None or tokens.count(text, MODEL) <= limit:
        assert said == text
    else:
        assert generated.tokens <= limit
        assert generated.choices[0].finish is Finish.LENGTH


def test_prose_in_a_template() -> None:
    said = text_of(made(ASK, Style("template", "Answer: {text}")))
    assert 40 <= tokens.count(said.removeprefix("Answer: "), MODEL) < 90


def test_lorem_is_latin() -> None:
    words = {word.strip(".,").lower() for part in LOREM for word in part.split()}
    for call in range(20):
        said = text_of(made(ASK, Style("lorem"), call=b"%d" % call))
        assert {word.strip(".,").lower() for word in said.split()} <= words


def test_what_was_put_in_is_not_filled_again() -> None:
    assert filled("{user}", dict.fromkeys(PLACEHOLDERS, "{model}")) == "{model}"


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"text": "verse"}, "text: 'verse' is unknown"),
        ({"text": "fixed"}, "content: text 'fixed' needs one"),
        ({"text": "template", "content": "{user.__class__}"}, "content: {user.__class__} is unknown"),
        ({"calls": 0}, "calls: 0 is not allowed; 1 to 16 are"),
    ],
)
def test_a_style_that_cannot_be_is_refused(fields: dict[str, str], problem: str) -> None:
    with pytest.raises(ValueError, match=re.escape(problem)):
        Style(**fields)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def test_predicted_text_is_what_is_said() -> None:
    assert text_of(made(replace(ASK, prediction="def f(): pass"), Style())) == "def f(): pass"


# Thought


@pytest.mark.parametrize("step", [1, 64])
@pytest.mark.parametrize("effort", ["low", "medium", "high", "xhigh", "max"])
def test_thought_comes_first_and_is_counted(effort: str, step: int) -> None:
    generated = made(replace(ASK, thinking=Thinking(effort, step=step)), Style())
    thought, said = generated.choices[0].parts
    assert isinstance(thought, Reasoning)
    assert isinstance(said, Text)
    assert generated.reasoning == tokens.count("".join(thought.tokens), MODEL) > 0
    assert generated.reasoning % step == 0
    assert generated.tokens == generated.reasoning + tokens.count("".join(said.tokens), MODEL)
    assert text_of(generated) == text_of(made(ASK, Style()))


@pytest.mark.parametrize("effort", ["none", "minimal"])
def test_little_effort_is_no_thought(effort: str) -> None:
    assert made(replace(ASK, thinking=Thinking(effort)), Style()) == made(ASK, Style())


def test_a_sparing_model_often_does_not_think() -> None:
    def thinks(effort: str) -> int:
        ask = replace(ASK, thinking=Thinking(effort, sparing=True))
        return sum(made(ask, Style(), call=b"%d" % call).reasoning > 0 for call in range(200))

    assert thinks("low") < 40
    assert 70 < thinks("medium") < 130
    assert thinks("max") > 170


def test_more_effort_is_more_thought() -> None:
    means = [
        sum(made(replace(ASK, thinking=Thinking(effort)), Style(), call=b"%d" % call).reasoning for call in range(60))
        for effort in ("low", "medium", "high", "xhigh", "max")
    ]
    assert means == sorted(means)


@pytest.mark.parametrize("limit", [1, 20, 63, 64, 100])
def test_a_limit_may_leave_nothing_but_thought(limit: int) -> None:
    generated = made(replace(ASK, max_tokens=limit, thinking=Thinking("max", step=64)), Style())
    (thought,) = generated.choices[0].parts
    assert isinstance(thought, Reasoning)
    assert generated.choices[0].finish is Finish.LENGTH
    assert generated.tokens == limit == tokens.count("".join(thought.tokens), MODEL)
    assert generated.reasoning == limit // 64 * 64


def test_a_limit_counts_thought_and_text() -> None:
    free = made(replace(ASK, thinking=Thinking("low")), Style())
    cut = made(replace(ASK, thinking=Thinking("low"), max_tokens=free.tokens - 10), Style())
    assert (cut.tokens, cut.reasoning) == (free.tokens - 10, free.reasoning)
    assert cut.choices[0].finish is Finish.LENGTH


def test_a_budget_bounds_thought_alone() -> None:
    generated = made(replace(ASK, thinking=Thinking("max", budget=30)), Style())
    assert generated.reasoning == 30
    assert text_of(generated) == text_of(made(ASK, Style()))


def test_what_the_provider_bills_counts_against_the_limit() -> None:
    free = tokens.count(text_of(made(ASK, Style())), MODEL)

    def count(choice: Choice) -> Count:
        return Count(free + 3 if choice.finish is Finish.LENGTH else free + 7, exact=False)

    assert made(replace(ASK, count=count), Style()).tokens == free + 7
    cut = made(replace(ASK, count=count, max_tokens=free + 3), Style())
    assert (cut.tokens, tokens.count(text_of(cut), MODEL), cut.exact) == (free + 3, free - 1, False)
    assert cut.choices[0].finish is Finish.LENGTH


# Tools and refusals


def calls_of(generated: Generated) -> list[ToolCall]:
    return [part for part in generated.choices[0].parts if isinstance(part, ToolCall)]


def test_several_calls_at_once_are_of_different_tools() -> None:
    ask = replace(ASK, tools=TOOLS, tool_choice="required")
    calls = calls_of(made(ask, Style(calls=3)))
    assert {call.name for call in calls} == {"look", "listen", "note"}
    assert len({call.id for call in calls}) == 3
    for call in calls:
        text = "".join(call.arguments)
        assert call.extra == {"type": "custom"} if call.name == "note" else set(json.loads(text)) == {"city"}
    assert len(calls_of(made(replace(ask, parallel=False), Style(calls=3)))) == 1
    assert [call.name for call in calls_of(made(replace(ask, tool_choice="look"), Style(calls=2)))] == ["look", "look"]


def test_a_limit_cuts_the_last_of_several_calls() -> None:
    ask = replace(ASK, tools=TOOLS[:2], tool_choice="look")
    first = tokens.count("".join(calls_of(made(ask, Style(calls=2)))[0].arguments), MODEL)
    cut = made(replace(ask, max_tokens=first + 2), Style(calls=2))
    assert cut.tokens == first + 2
    assert cut.choices[0].finish is Finish.LENGTH
    assert len(calls_of(cut)) == 2


def test_a_sentence_before_the_calls() -> None:
    ask = replace(ASK, tools=TOOLS[:1], tool_choice="required")
    generated = made(ask, Style(preface=True))
    text, call = generated.choices[0].parts
    assert isinstance(text, Text)
    assert isinstance(call, ToolCall)
    assert generated.choices[0].finish is Finish.TOOL_CALLS
    cut = made(replace(ask, max_tokens=3), Style(preface=True))
    assert (len(cut.choices[0].parts), cut.tokens, cut.choices[0].finish) == (1, 3, Finish.LENGTH)


@pytest.mark.parametrize(("refusals", "extra"), [(True, {"type": "refusal"}), (False, None)])
def test_a_refusal_is_marked_where_the_format_has_a_place_for_it(refusals: bool, extra: object) -> None:
    (part,) = made(replace(ASK, refusals=refusals), Style(refusal="I can't help.")).choices[0].parts
    assert part == Text(tokens.split("I can't help.", MODEL), extra)


def test_a_schema_that_cannot_be_is_a_warning() -> None:
    impossible = {"type": "integer", "minimum": 2, "maximum": 1}
    (told,) = made(replace(ASK, schema=impossible), Style()).warnings
    assert told.startswith("schema: no value satisfies it: no integer is within minimum 2, maximum 1")
    broken = replace(
        ASK, tools=(Tool("look", schema={"type": "object", "required": ["a"], "additionalProperties": False}),)
    )
    (told,) = made(replace(broken, tool_choice="look"), Style()).warnings
    assert told.startswith("tool look: schema: no value satisfies it")
