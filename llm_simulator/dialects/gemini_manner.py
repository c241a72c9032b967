"""What a request and its model make of a Gemini answer beside its words: names, counts, what is hidden or signed.

Which model's answers have which keys: recorded traffic (2025 to August 2026).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from llm_simulator.dialects.fields import as_object
from llm_simulator.dialects.gemini_ask import prompt_tokens, shows_thought
from llm_simulator.dialects.gemini_fields import pick, third_generation
from llm_simulator.dialects.gemini_media import Counts
from llm_simulator.dialects.ids import is_raw, sealed
from llm_simulator.types import Call, Choice, Completion, Part, Reasoning, Text, ToolCall

# Which model answers to a name that moves (the `modelVersion` of answers recorded in August 2026).
_LATEST = {"gemini-flash-latest": "gemini-3.6-flash"}
_FIRST = re.compile(r"gemini-(?:1|2\.0|pro(?!-latest))")


@dataclass(frozen=True, slots=True)
class Manner:
    """How an answer is spelled. The default spells a recorded answer as it was.

    `first` is the generation before thinking (no index, mean log probability), `third` that of Gemini 3 and later.
    `shown`: thoughts are shown; `media` are the prompt's tokens that are no text, by modality.
    """

    model: str = ""
    generated: bool = False
    vertex: bool = False
    first: bool = False
    third: bool = False
    shown: bool = True
    tools: bool = False
    media: Counts = ()


def manner_of(completion: Completion, call: Call) -> Manner:
    """The manner of an answer to a call: that of its model, unless the answer was recorded."""
    vertex = call.provider == "vertex"
    if completion.usage.raw is not None or not is_raw(completion.id):
        return Manner(vertex=vertex)
    body = as_object(call.body)
    model = _LATEST.get(completion.model.removeprefix("models/"), completion.model.removeprefix("models/"))
    return Manner(
        model=model,
        generated=True,
        vertex=vertex,
        first=_FIRST.match(model) is not None,
        third=third_generation(model),
        shown=shows_thought(body),
        tools=bool(pick(body, "tools")),
        media=prompt_tokens(body, call.model)[1:],
    )


def signed(completion: Completion, manner: Manner) -> Completion:
    """With thought signatures where the provider puts them: on the first call, from Gemini 3 on else on the last text."""
    if not manner.generated or not any(isinstance(part, Reasoning) for c in completion.choices for part in c.parts):
        return completion
    return replace(completion, choices=tuple(_signed(choice, manner, completion.id) for choice in completion.choices))


def _signed(choice: Choice, manner: Manner, seed: str) -> Choice:
    calls = [place for place, part in enumerate(choice.parts) if isinstance(part, ToolCall)]
    texts = [place for place, part in enumerate(choice.parts) if isinstance(part, Text)]
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
