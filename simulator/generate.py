"""What an answer says: thought, text, tool calls or structured output. A function of the call, never of how often it came."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from llm_simulator import tokens
from llm_simulator.dialects.base import Ask, Thinking, Tool, Turn
from llm_simulator.profiles.distributions import Constant, Distribution
from llm_simulator.simulator.draws import Lot
from llm_simulator.simulator.rng import DeterministicRng
from llm_simulator.simulator.schema import made_of
from llm_simulator.simulator.style import PLAIN, Style, filled
from llm_simulator.simulator.text import TextWriter, for_model
from llm_simulator.types import JSON, Choice, Finish, Reasoning, Text, ToolCall

__all__ = ["PLAIN", "Generated", "Style", "generate"]

CALL_TOKENS = 4
"""Tokens around a function call that the model chose itself, where the dialect does not count them."""
PREFACE_TOKENS = 8  # at least, before a tool call
INPUT_TOKENS = 24  # of what is put into a custom tool
_SPREAD = 0.7  # sigma of the lognormal that thoughts are drawn from
_THOUGHT = {"low": 60, "medium": 150, "high": 400, "xhigh": 900, "max": 1600}
_STEPPED = {"low": 150, "medium": 400, "high": 900, "xhigh": 1800, "max": 3000}
"""Median tokens of thought by effort: of models that count them one by one, and of the older ones that count in 64s.

After recorded usage of gpt-5.4 and 5.5 (n = 6), and of o4-mini and gpt-5 (n = 17): few, and spread over a decade.
"""


_IDLE = {"low": 0.9, "medium": 0.5, "high": 0.3, "xhigh": 0.1, "max": 0.05}
"""How often a sparing model does not think at all, by effort."""


@dataclass(frozen=True)
class Exactly(Constant):
    """A length that is met to the token, as that of a recorded answer whose times are replayed; others end with a sentence."""


@dataclass(frozen=True, slots=True)
class Generated:
    """The choices of an answer and the tokens of all of them together: billed, of these thought, and whether exactly so.

    `warnings` say where a schema could not be satisfied.
    """

    choices: tuple[Choice, ...]
    tokens: int
    reasoning: int = 0
    exact: bool = True
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Draft:
    """One choice in the making: `tokens` are those of its text and arguments, or what the provider bills."""

    choice: Choice
    tokens: int
    reasoning: int = 0
    exact: bool = True
    problem: str = ""


def generate(ask: Ask, model: str, lot: Lot, length: Distribution, style: Style) -> Generated:
    """Everything that the model says; `length` is the distribution of tokens where the request does not limit them."""
    made = [_choice(ask, model, lot, length, style, place) for place in range(max(ask.choices, 1))]
    return Generated(
        tuple(draft.choice for draft in made),
        sum(draft.tokens for draft in made),
        sum(draft.reasoning for draft in made),
        all(draft.exact for draft in made),
        tuple(dict.fromkeys(draft.problem for draft in made if draft.problem)),
    )


def _choice(ask: Ask, model: str, lot: Lot, length: Distribution, style: Style, place: int) -> _Draft:
    """Thought, then what it led to; made again a little shorter where the tokens around it would break the limit."""
    purpose = f"choice {place}"
    thought, spent = _thought(ask, model, lot.content(f"{purpose} thought")) if ask.thinking else (None, 0)
    room = ask.max_tokens
    if room is not None and thought is not None:
        room -= spent
        if room <= 0:
            return _Draft(Choice((thought,), Finish.LENGTH), ask.max_tokens or 0, _reported(spent, ask.thinking))
    said = _said(ask, model, lot.content(purpose), length, style, room)
    billed = _billed(ask, said, thought, spent)
    if ask.max_tokens is not None and room is not None and billed.tokens > ask.max_tokens:
        room = max(0, room - (billed.tokens - ask.max_tokens))
        said = _said(ask, model, lot.content(purpose), length, style, room)
        billed = _billed(ask, said, thought, spent)
        billed = replace(billed, tokens=min(billed.tokens, ask.max_tokens))
    return billed


def _billed(ask: Ask, said: _Draft, thought: Reasoning | None, spent: int) -> _Draft:
    choice = replace(said.choice, parts=(thought, *said.choice.parts)) if thought else said.choice
    if ask.count is None:
        return replace(said, choice=choice, tokens=said.tokens + spent, reasoning=spent)
    counted = ask.count(choice)
    return replace(said, choice=choice, tokens=counted.tokens, reasoning=spent, exact=counted.exact)


def _reported(spent: int, thinking: Thinking | None) -> int:
    """A thought that was cut off is reported in whole steps, too."""
    step = thinking.step if thinking else 1
    return spent // step * step


def _thought(ask: Ask, model: str, rng: DeterministicRng) -> tuple[Reasoning | None, int]:
    """The thought and its tokens; cut where it reaches its budget or the limit of the answer."""
    thinking = ask.thinking
    medians = _STEPPED if thinking and thinking.step > 1 else _THOUGHT
    if thinking is None or thinking.effort not in medians:
        return None, 0
    if thinking.sparing and rng.next_f64() < _IDLE[thinking.effort]:
        return None, 0
    drawn = medians[thinking.effort] * math.exp(_SPREAD * rng.next_normal())
    wanted = max(1, round(drawn / thinking.step)) * thinking.step
    limits = [limit for limit in (thinking.budget, ask.max_tokens) if limit is not None]
    writer = for_model(model)
    if thinking.step > 1:
        written = writer.write(rng, wanted, min((wanted, *limits)))
    else:
        written = writer.write(rng, wanted, min(limits, default=None))
    return (Reasoning(written.pieces), written.tokens) if written.tokens else (None, 0)


def _said(ask: Ask, model: str, rng: DeterministicRng, length: Distribution, style: Style, room: int | None) -> _Draft:
    if style.refusal:
        return _refusal(ask, style.refusal, model, room)
    if _calls_tool(ask, style):
        return _preface(ask, model, rng, style, room) if style.preface else _tool_calls(ask, model, rng, style, room)
    if ask.schema is not None:
        return _structured(ask, model, rng, room)
    return _text(ask, model, length, rng, style, room)


def _refusal(ask: Ask, text: str, model: str, room: int | None) -> _Draft:
    """Marked as one where the format has a place for it, else plain text."""
    pieces, count, cut = _limited(text, room, model)
    said = Text(pieces, {"type": "refusal"} if ask.refusals else None)
    return _Draft(Choice((said,), Finish.LENGTH if cut else Finish.STOP), count)


def _preface(ask: Ask, model: str, rng: DeterministicRng, style: Style, room: int | None) -> _Draft:
    """A sentence before the calls."""
    written = for_model(model).write(rng, PREFACE_TOKENS, room)
    left = None if room is None else room - written.tokens
    if left == 0:
        return _Draft(Choice((Text(written.pieces),), Finish.LENGTH), written.tokens)
    calls = _tool_calls(ask, model, rng, style, left)
    choice = replace(calls.choice, parts=(Text(written.pieces), *calls.choice.parts))
    return replace(calls, choice=choice, tokens=calls.tokens + written.tokens)


def _calls_tool(ask: Ask, style: Style) -> bool:
    """The turn after a tool's result ends in text, so that agent loops come to an end."""
    if not ask.tools or ask.tool_choice == "none" or _answered(ask.turns):
        return False
    return style.call_tools or ask.tool_choice != "auto"


def _answered(turns: Sequence[Turn]) -> bool:
    """Whether the prompt ends in results of tools: the last thing the assistant said was a call."""
    for turn in reversed(turns):
        if turn.role in ("assistant", "model", "chatbot"):
            return turn.tool_calls > 0
        if turn.role in ("tool", "function"):
            return True
    return False


def _text(ask: Ask, model: str, length: Distribution, rng: DeterministicRng, style: Style, room: int | None) -> _Draft:
    target = max(1, round(length.quantile(rng.next_f64())))
    given = _given(ask, model, target, rng, style)
    if given is None:
        kind = "lorem" if style.text == "lorem" else "markov"
        if isinstance(length, Exactly) and (room is None or target <= room):
            pieces, count = _exactly(for_model(model, kind), rng, target)
            cut = False
        else:
            written = for_model(model, kind).write(rng, target, room)
            pieces, count, cut = written.pieces, written.tokens, written.cut
    else:
        pieces, count, cut = _limited(given, room, model)
    stop = _first_stop("".join(pieces), ask.stop) if ask.stop else None
    if stop is not None:
        text = "".join(pieces)[: stop[0]]
        pieces, count = tokens.split(text, model), tokens.count(text, model)
        return _Draft(Choice((Text(pieces),), Finish.STOP_SEQUENCE, stop_sequence=stop[1]), count)
    return _Draft(Choice((Text(pieces),), Finish.LENGTH if cut else Finish.STOP), count)


def _exactly(writer: TextWriter, rng: DeterministicRng, target: int) -> tuple[tuple[str, ...], int]:
    """A text of so many tokens: its last sentence ends early, with a full stop."""
    written = writer.write(rng, target, target)
    if not written.cut or not written.pieces[-1][-1:].isalnum() or len(written.pieces) != written.tokens:
        return written.pieces, written.tokens
    return (*written.pieces[:-1], "."), written.tokens


def _given(ask: Ask, model: str, target: int, rng: DeterministicRng, style: Style) -> str | None:
    """The text that is not drawn but given: by the style, or by the caller who expects it."""
    match style.text:
        case "fixed":
            return style.content
        case "echo":
            return _last(ask.turns, "user") or None
        case "template":
            prose = for_model(model).write(rng, target).text if "{text}" in style.content else ""
            values = {
                "model": model,
                "user": _last(ask.turns, "user"),
                "system": _last(ask.turns, "system") or _last(ask.turns, "developer"),
                "turns": str(len(ask.turns)),
                "prompt_tokens": str(ask.prompt_tokens),
                "text": prose,
            }
            return filled(style.content, values)
        case _:
            return ask.prediction or None


def _last(turns: Sequence[Turn], role: str) -> str:
    return next((turn.text for turn in reversed(turns) if turn.role == role), "")


def _first_stop(text: str, stops: Sequence[str]) -> tuple[int, str] | None:
    found = [(at, stop) for stop in stops if stop and (at := text.find(stop)) >= 0]
    return min(found, default=None)


def _structured(ask: Ask, model: str, rng: DeterministicRng, room: int | None) -> _Draft:
    made = made_of(ask.schema, rng)
    pieces, count, cut = _limited(_compact(made.value), room, model)
    return _Draft(Choice((Text(pieces),), Finish.LENGTH if cut else Finish.STOP), count, problem=made.problem)


def _tool_calls(ask: Ask, model: str, rng: DeterministicRng, style: Style, room: int | None) -> _Draft:
    """One call, or several of different tools where there are so many."""
    named = next((tool for tool in ask.tools if tool.name == ask.tool_choice), None)
    start = 0 if named else rng.below(len(ask.tools))
    calls: list[ToolCall] = []
    spent, cut, problem = 0, False, ""
    for place in range(style.calls if ask.parallel else 1):
        tool = named or ask.tools[(start + place) % len(ask.tools)]
        around = 0 if named or ask.count else tokens.count(f" to=functions.{tool.name}", model) + CALL_TOKENS
        left = None if room is None else max(0, room - spent - around)
        call, count, cut, told = _tool_call(tool, model, rng, left)
        calls.append(call)
        spent += count + around
        problem = problem or told
        if cut:
            break
    return _Draft(Choice(tuple(calls), Finish.LENGTH if cut else Finish.TOOL_CALLS), spent, problem=problem)


def _tool_call(tool: Tool, model: str, rng: DeterministicRng, room: int | None) -> tuple[ToolCall, int, bool, str]:
    """The call, the tokens of its arguments, whether they were cut, and why they do not satisfy their schema."""
    identity = f"{rng.next_u64():016x}{rng.next_u64():016x}"
    if tool.kind == "custom":
        written = for_model(model).write(rng, INPUT_TOKENS, room)
        return ToolCall(identity, tool.name, written.pieces, {"type": "custom"}), written.tokens, written.cut, ""
    arguments, problem = _arguments(tool, rng)
    pieces, count, cut = _limited(_compact(arguments), room, model)
    return ToolCall(identity, tool.name, pieces), count, cut, problem


def _arguments(tool: Tool, rng: DeterministicRng) -> tuple[JSON, str]:
    if not tool.schema:
        return {}, ""
    made = made_of(tool.schema, rng)
    problem = f"tool {tool.name}: {made.problem}" if made.problem else ""
    return (made.value if isinstance(made.value, dict) else {}), problem


def _compact(value: JSON) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _limited(text: str, limit: int | None, model: str) -> tuple[tuple[str, ...], int, bool]:
    """Pieces and tokens of `text`, cut to `limit` tokens: to exactly as many where some end of it has them."""
    count = tokens.count(text, model)
    if limit is None or count <= limit:
        return tokens.split(text, model), count, False
    start = len("".join(tokens.split(text, model)[:limit]))
    for end in sorted(range(max(0, start - 24), min(len(text), start + 24)), key=lambda at: abs(at - start)):
        if tokens.count(text[:end], model) == limit:
            return tokens.split(text[:end], model), limit, True
    kept = text[:start]
    while tokens.count(kept, model) > limit:
        kept = kept[:-1]
    return tokens.split(kept, model), tokens.count(kept, model), True
