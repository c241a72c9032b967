"""Output items of the Responses API out of what a model said, with the pieces that their texts are streamed in.

Source: OpenAI API reference (response object), and recorded traffic of 2026 for ids, key order and which keys there are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, groupby, islice

from llm_simulator.dialects import logprobs
from llm_simulator.dialects.fields import Object, as_list, as_object, as_text, objects
from llm_simulator.dialects.hosts import ALPHANUMERIC
from llm_simulator.dialects.ids import code, is_raw
from llm_simulator.dialects.openai_responses_hosted import NO_TOOLS, Hosted, calls_of, citations_of
from llm_simulator.dialects.openai_responses_ids import Ids, encrypted
from llm_simulator.types import JSON, Choice, Finish, Part, Reasoning, Text, ToolCall

_WORD = re.compile(r"\w+")
_PART_TOKENS = 40  # of a part of a summary at least, before the next paragraph begins another one
_THOUGHT_PER_PART, _MOST_PARTS = 200, 6  # as recorded: 2 parts of 448 tokens of thought, 5 of 576

Pieces = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Item:
    """An output item as it is when done. `pieces`: of each text in it (content parts, summary parts or arguments), in
    order. `hidden`: tokens of thought that take time and are not shown."""

    final: Object
    pieces: tuple[Pieces, ...] = ()
    hidden: int = 0


@dataclass(frozen=True, slots=True)
class Manner:
    """How items are spelled for one request: `summary` shows thoughts, `phase` names the part of an answer that a message
    is, `hosted` are the provider's own tools that are used before a text, `top` how many alternatives stand beside each
    token's log probability (None: no log probabilities)."""

    ids: Ids
    summary: bool = False
    phase: bool = False
    hosted: Hosted = NO_TOOLS
    top: int | None = None


def items_of(choice: Choice, manner: Manner) -> list[Item]:
    """The output of an answer that the engine made. Of one that was cut off, the last item is incomplete."""
    grouped = [
        list(parts)
        for _, parts in groupby(choice.parts, key=lambda part: id(part) if not isinstance(part, Reasoning) else None)
    ]
    cut = choice.finish in (Finish.LENGTH, Finish.CONTENT_FILTER)
    made = [_item(parts, place, manner, cut and place == len(grouped) - 1) for place, parts in enumerate(grouped)]
    first = next((place for place, item in enumerate(made) if item.final["type"] == "message"), None)
    if first is not None:
        made[first:first] = [Item(final, pieces) for final, pieces in calls_of(manner.hosted, manner.ids)]
    return made


def _item(parts: list[Part], place: int, manner: Manner, cut: bool) -> Item:
    status = "incomplete" if cut else "completed"
    thoughts = [part for part in parts if isinstance(part, Reasoning)]
    match parts[0]:
        case Reasoning():
            return _reasoning(thoughts, place, manner)
        case Text() as text:
            return _message(text, place, manner, status)
        case ToolCall() as called:
            return _call(called, place, manner.ids, status)


def _message(text: Text, place: int, manner: Manner, status: str) -> Item:
    joined, extra = "".join(text.tokens), as_object(text.extra)
    told = [] if manner.top is None else logprobs.entries(text.tokens, manner.ids.seed, manner.top)
    sources = citations_of(manner.hosted, manner.ids, joined)
    part: Object = {"type": "output_text", "annotations": sources, "logprobs": told, "text": joined}
    if extra.get("type") == "refusal":
        part = {"type": "refusal", "refusal": joined}
    final: Object = {
        "id": manner.ids.make("msg", f"message {place}", 1 + place),
        "type": "message",
        "status": status,
        "content": [part],
    }
    if manner.phase:
        final["phase"] = "final_answer"
    return Item({**final, "role": "assistant"}, (text.tokens,))


def _call(called: ToolCall, place: int, ids: Ids, status: str) -> Item:
    identity = called.id
    if is_raw(identity):
        identity = "call_" + code(identity or ids.seed, f"call {place}", 24, ALPHANUMERIC)
    given = "".join(called.arguments)
    if as_object(called.extra).get("type") == "custom":
        item = ids.make("ctc", f"custom {place}", 1 + place)
        custom: Object = {"id": item, "type": "custom_tool_call", "status": status, "call_id": identity}
        return Item({**custom, "input": given, "name": called.name}, (called.arguments,))
    item = ids.make("fc", f"function {place}", 1 + place)
    final: Object = {"id": item, "type": "function_call", "status": status, "arguments": given, "call_id": identity}
    return Item({**final, "name": called.name}, (called.arguments,))


def _reasoning(thoughts: list[Reasoning], place: int, manner: Manner) -> Item:
    tokens = sum(len(thought.tokens) for thought in thoughts)
    shown = _summary(tuple(chain.from_iterable(thought.tokens for thought in thoughts))) if manner.summary else []
    final: Object = {
        "id": manner.ids.make("rs", f"reasoning {place}", 1 + place),
        "type": "reasoning",
        "content": [],
        "encrypted_content": encrypted(manner.ids, f"thoughts {place}", tokens),
        "summary": [{"type": "summary_text", "text": "".join(pieces)} for pieces in shown],
    }
    return Item(final, tuple(shown), tokens - sum(map(len, shown)))


def _summary(tokens: Pieces) -> list[Pieces]:
    """Thoughts as the provider shows them: some paragraphs, each under a title; the longer it thought, the more."""
    most = min(max(len(tokens) // _THOUGHT_PER_PART, 1), _MOST_PARTS)
    return [_titled(part) for part in islice(_paragraphs(tokens), most)]


def _titled(part: Pieces) -> Pieces:
    """The first words as a title, in one piece with the token that they come before: time is counted in tokens."""
    title = " ".join(_WORD.findall("".join(part))[:3]).capitalize()
    return (f"**{title}**\n\n{part[0]}", *part[1:]) if title else part


def _paragraphs(tokens: Pieces) -> Iterator[Pieces]:
    """The line breaks between paragraphs are dropped."""
    begun: list[str] = []
    for token in tokens:
        begun.append(token)
        if token.endswith("\n\n") and len(begun) >= _PART_TOKENS:
            yield (*begun[:-1], token.rstrip("\n"))
            begun = []
    if begun:
        yield tuple(begun)


def recorded_items(output: JSON, parts: tuple[Part, ...]) -> list[Item]:
    """The items of a recorded response with the pieces that came with it: one part for each text, in order."""
    left = iter(parts)
    return [Item(item, tuple(_pieces(next(left, None), text) for text in texts_of(item))) for item in objects(output)]


def _pieces(part: Part | None, text: str) -> Pieces:
    tokens = () if part is None else part.arguments if isinstance(part, ToolCall) else part.tokens
    return tokens if "".join(tokens) == text else (text,) if text else ()


ARGUMENTS = {
    "function_call": "arguments",
    "custom_tool_call": "input",
    "mcp_call": "arguments",
    "code_interpreter_call": "code",
}
"""The member of a call that is streamed piece by piece, by the item's type."""


def texts_of(item: Object) -> list[str]:
    """The texts of an item that are streamed piece by piece."""
    match item.get("type"):
        case "message":
            return [text_of(part) for part in objects(as_list(item.get("content")))]
        case "reasoning":
            summaries = [as_text(part.get("text")) for part in objects(as_list(item.get("summary")))]
            return summaries + [as_text(part.get("text")) for part in objects(as_list(item.get("content")))]
        case str() as kind if kind in ARGUMENTS:
            return [as_text(item.get(ARGUMENTS[kind]))]
        case _:
            return []


def text_of(part: Object) -> str:
    """The text of a content part; of a refusal its words."""
    return as_text(part.get("refusal")) if part.get("type") == "refusal" else as_text(part.get("text"))
