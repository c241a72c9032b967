"""What a request and its model make of an Anthropic answer beside its words: names, counts, what is hidden.

Sources: platform.claude.com/docs/en/build-with-claude (extended thinking, prompt caching, handling stop reasons); which
model's answers have which keys: recorded traffic (2024 to 2026).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from llm_simulator.dialects.anthropic_ask import text_of, thinks
from llm_simulator.dialects.anthropic_cache import NOTHING, Cached, cached
from llm_simulator.dialects.anthropic_models import served
from llm_simulator.dialects.fields import Object, as_object, as_text, objects
from llm_simulator.dialects.ids import is_raw
from llm_simulator.types import Call, Completion, Part, Text

# Anthropic's own strings for testing: a prompt with one of them is refused, or thought about behind closed doors.
MAGIC = "ANTHROPIC_MAGIC_STRING_TRIGGER_"
REFUSAL, REDACTED = f"{MAGIC}REFUSAL_", f"{MAGIC}REDACTED_THINKING_"

_RETIRED = re.compile(r"claude-(?:[123]|instant)")
_FIRST = re.compile(
    r"claude-(?:[12]|instant|3-(?:opus|sonnet|haiku))"
)  # mostly recorded before there was a prompt cache
_CACHED_KEYS = ("cache_creation_input_tokens", "cache_read_input_tokens")
_GLOBAL = re.compile(r"claude-(?:opus-4-[6-9]|sonnet-4-[6-9]|(?:opus|sonnet|haiku|fable|mythos)-[5-9]|mythos-preview)")
_SILENT = re.compile(r"claude-(?:opus-4-[7-9]|(?:opus|sonnet|haiku|fable|mythos)-[5-9]|mythos-preview)")


@dataclass(frozen=True, slots=True)
class Manner:
    """How an answer is spelled. The default spells a recorded answer as it was.

    `current` has the keys that answers got in 2026, `counts` names those of `usage` before (none: all); `geo` is "" where
    the answer does not say. `thinks` adds the count of thinking tokens; `omitted` thought has only its signature,
    `redacted` thought is encrypted.
    """

    model: str = ""
    current: bool = False
    geo: str = ""
    cached: Cached = NOTHING
    thinks: bool = False
    omitted: bool = False
    redacted: bool = False
    refused: bool = False
    searched: bool = False
    counts: tuple[str, ...] = ()


RECORDED = Manner()


def manner_of(completion: Completion, call: Call) -> Manner:
    """The manner of an answer to a call: that of its model, unless the answer was recorded."""
    if completion.usage.raw is not None or not is_raw(completion.id):
        return RECORDED
    body, model = as_object(call.body), served(completion.model)
    current = _RETIRED.match(model) is None
    last, split = _last_prompt(body), cached(body, call.model, completion.usage.prompt)
    return Manner(
        model=model,
        current=current,
        geo=_geo(body, model) if current else "",
        cached=split,
        thinks=current and thinks(body),
        omitted=_display(body, model) == "omitted",
        redacted=REDACTED in last,
        refused=REFUSAL in last,
        counts=() if current else _counts(model, split),
        searched=any(_is_search(part) for choice in completion.choices for part in choice.parts),
    )


def _counts(model: str, split: Cached) -> tuple[str, ...]:
    """The counts that a retired model told, as most often recorded."""
    if _FIRST.match(model) and split == NOTHING:
        return ("input_tokens", "output_tokens")
    return ("input_tokens", *_CACHED_KEYS, "output_tokens", "service_tier")


def _is_search(part: Part) -> bool:
    return isinstance(part, Text) and as_object(part.extra).get("type") == "web_search_tool_result"


def _last_prompt(body: Object) -> str:
    messages = objects(body.get("messages"))
    text = text_of(messages[-1].get("content")) if messages else ""
    return text if MAGIC in text else ""


def _geo(body: Object, model: str) -> str:
    return as_text(body.get("inference_geo")) or ("global" if _by_name(_GLOBAL, model) else "not_available")


def _display(body: Object, model: str) -> str:
    """Whether thought is shown: as the request says, else as the model does."""
    asked = as_text(as_object(body.get("thinking")).get("display"))
    return asked or ("omitted" if _by_name(_SILENT, model) else "summarized")


@lru_cache(256)
def _by_name(pattern: re.Pattern[str], model: str) -> bool:
    return pattern.match(model) is not None
