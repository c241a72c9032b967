"""What an answer says: text, tool calls or structured output. A function of the call, never of how often it came."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from llm_simulator import tokens
from llm_simulator.dialects.base import Ask, Tool, Turn
from llm_simulator.profiles.distributions import Distribution
from llm_simulator.simulator.draws import Lot
from llm_simulator.simulator.rng import DeterministicRng
from llm_simulator.simulator.schema import value_of
from llm_simulator.simulator.text import for_model
from llm_simulator.types import JSON, Choice, Finish, Text, ToolCall

CALL_TOKENS = 4
"""Tokens around a function call that the model chose itself (OpenAI's rule, measured on recorded calls)."""


@dataclass(frozen=True, slots=True)
class Style:
    """What a scenario may ask for: `call_tools` makes tool_choice "auto" call a tool, until one has answered."""

    call_tools: bool = False


PLAIN = Style()


@dataclass(frozen=True, slots=True)
class Generated:
    """The choices of an answer, and the tokens of all of them together (re-encoded as a whole, tiktoken)."""

    choices: tuple[Choice, ...]
    tokens: int


def generate(ask: Ask, model: str, lot: Lot, length: Distribution, style: Style) -> Generated:
    """Everything that the model says; `length` is the distribution of tokens where the request does not limit them."""
    made = [_choice(ask, model, lot, length, style, place) for place in range(max(ask.choices, 1))]
    return Generated(tuple(choice for choice, _ in made), sum(count for _, count in made))


def _choice(ask: Ask, model: str, lot: Lot, length: Distribution, style: Style, place: int) -> tuple[Choice, int]:
    rng = lot.content(f"choice {place}")
    if _calls_tool(ask, style):
        return _tool_call(ask, model, rng)
    if ask.schema is not None:
        return _structured(ask.schema, ask.max_tokens, model, rng)
    return _text(ask, model, length, rng)


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


def _text(ask: Ask, model: str, length: Distribution, rng: DeterministicRng) -> tuple[Choice, int]:
    target = max(1, round(length.quantile(rng.next_f64())))
    written = for_model(model).write(rng, target, ask.max_tokens)
    stop = _first_stop(written.text, ask.stop) if ask.stop else None
    if stop is not None:
        text = written.text[: stop[0]]
        pieces, count = tokens.split(text, model), tokens.count(text, model)
        return Choice((Text(pieces),), Finish.STOP_SEQUENCE, stop_sequence=stop[1]), count
    return Choice((Text(written.pieces),), Finish.LENGTH if written.cut else Finish.STOP), written.tokens


def _first_stop(text: str, stops: Sequence[str]) -> tuple[int, str] | None:
    found = [(at, stop) for stop in stops if stop and (at := text.find(stop)) >= 0]
    return min(found, default=None)


def _structured(schema: JSON, limit: int | None, model: str, rng: DeterministicRng) -> tuple[Choice, int]:
    pieces, count, cut = _limited(_compact(value_of(schema, rng)), limit, model)
    return Choice((Text(pieces),), Finish.LENGTH if cut else Finish.STOP), count


def _tool_call(ask: Ask, model: str, rng: DeterministicRng) -> tuple[Choice, int]:
    named = next((tool for tool in ask.tools if tool.name == ask.tool_choice), None)
    tool = named or ask.tools[rng.below(len(ask.tools))]
    around = 0 if named else tokens.count(f" to=functions.{tool.name}", model) + CALL_TOKENS
    limit = None if ask.max_tokens is None else max(0, ask.max_tokens - around)
    identity = f"{rng.next_u64():016x}{rng.next_u64():016x}"
    pieces, count, cut = _limited(_compact(_arguments(tool, rng)), limit, model)
    call = ToolCall(identity, tool.name, pieces)
    return Choice((call,), Finish.LENGTH if cut else Finish.TOOL_CALLS), count + around


def _arguments(tool: Tool, rng: DeterministicRng) -> JSON:
    if not tool.schema:
        return {}
    value = value_of(tool.schema, rng)
    return value if isinstance(value, dict) else {}


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
