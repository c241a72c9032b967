"""What a request and its model make of a Gemini answer beside its words: names, counts, what is hidden or signed.

Which model's answers have which keys: recorded traffic (2025 to August 2026).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from llm_simulator.dialects.fields import Object, as_object, is_block
from llm_simulator.dialects.gemini_ask import prompt_tokens, shows_thought
from llm_simulator.dialects.gemini_fields import pick, third_generation
from llm_simulator.dialects.gemini_media import Counts
from llm_simulator.dialects.gemini_sources import sourced
from llm_simulator.dialects.ids import is_raw, sealed
from llm_simulator.types import Call, Choice, Completion, Part, Reasoning, Text, ToolCall

# Which model answers to a name that moves (the `modelVersion` of answers recorded in August 2026).
_LATEST = {"gemini-flash-latest": "gemini-3.6-flash"}
_FIRST = re.compile(r"gemini-(?:1|2\.0|pro(?!-latest))")


@dataclass(frozen=True, slots=True)
class Manner:
    """How an answer is spelled. The default spells a recorded answer as it was.

    `first` is the generation before thinking (no index, mean log probability), `third` that of Gemini 3 and later.
    `shown`: thoughts are shown; `media` are the prompt's tokens that are no text, by modality, `cached` those of
    cached contents; `body` is the request's.
    """

    model: str = ""
    generated: bool = False
    vertex: bool = False
    first: bool = False
    third: bool = False
    shown: bool = True
    tools: bool = False
    media: Counts = ()
    cached: int = 0
    body: Object = field(default_factory=dict[str, object])


def manner_of(completion: Completion, call: Call) -> Manner:
    """The manner of an answer to a call: that of its model, unless the answer was recorded."""
    vertex = call.provider == "vertex"
    if completion.usage.raw is not None or not is_raw(completion.id):
        return Manner(vertex=vertex)
    body = as_object(call.body)
    model = _LATEST.get(completion.model.removeprefix("models/"), completion.model.removeprefix("models/"))
    counts = prompt_tokens(body, call.model)
    return Manner(
        model=model,
        generated=True,
        vertex=vertex,
        first=_FIRST.match(model) is not None,
        third=third_generation(model),
        shown=shows_thought(body),
        tools=bool(pick(body, "tools")),
        media=counts[1:],
        cached=max(0, completion.usage.prompt - sum(count for _, count in counts))
        if pick(body, "cachedContent")
        else 0,
        body=body,
    )


def dressed(completion: Completion, manner: Manner) -> Completion:
    """With what Google's own tools found, and with thought signatures where the provider puts them."""
    if not manner.generated:
        return completion
    choices = (sourced(choice, manner.body, completion.id) for choice in completion.choices)
    return replace(completion, choices=tuple(_signed(choice, manner, completion.id) for choice in choices))


def _signed(choice: Choice, manner: Manner, seed: str) -> Choice:
    """Thought is signed on the first call, from Gemini 3 on else on the last text."""
    if not any(isinstance(part, Reasoning) for part in choice.parts):
        return choice
    calls = [place for place, part in enumerate(choice.parts) if isinstance(part, ToolCall)]
    texts = [place for place, part in enumerate(choice.parts) if isinstance(part, Text) and not is_block(part)]
    on_text = manner.third or (manner.vertex and manner.tools)
    place = calls[0] if calls else texts[-1] if texts and on_text else None
    if place is None:
        return choice
    parts = list(choice.parts)
    parts[place] = _with_signature(parts[place], sealed(seed, f"thought {place}", 400))
    return replace(choice, parts=tuple(parts))


def _with_signature(part: Part, signature: str) -> Part:
    assert not isinstance(part, Reasoning)
    return replace(part, extra={**as_object(part.extra), "thoughtSignature": signature})
