"""The token limit that holds where a request sets one that its model cannot keep: lenient, and told in a warning."""

from __future__ import annotations

from dataclasses import replace

from llm_simulator.dialects.base import Ask
from llm_simulator.dialects.catalogue import find
from llm_simulator.dialects.fields import as_object
from llm_simulator.dialects.gemini_fields import pick
from llm_simulator.types import JSON, Call

_NAMES = {"anthropic": "max_tokens", "cohere": "max_tokens", "gemini": "maxOutputTokens", "vertex": "maxOutputTokens"}


def within(ask: Ask, call: Call) -> Ask:
    """What is asked for, within what the model can put out; for providers whose dialects leave that to us."""
    name = _NAMES.get(call.provider)
    if name is None:
        return ask
    given = _given(call, name)
    if isinstance(given, int | float) and not isinstance(given, bool) and given < 1:
        taken = f"{ask.max_tokens} taken" if ask.max_tokens else "taken as not given"
        others = tuple(warning for warning in ask.warnings if not warning.startswith(f"{name}:"))
        return replace(ask, warnings=(*others, f"{name}: {given:g} is below the minimum of 1; {taken}"))
    known = find({"vertex": "gemini"}.get(call.provider, call.provider), call.model.removeprefix("models/"))
    most = known.output if known else 0
    if not most or ask.max_tokens is None or ask.max_tokens <= most:
        return ask
    told = f"{name}: {ask.max_tokens} is more than the {most} tokens that {call.model} can put out"
    return replace(ask, max_tokens=most, warnings=(*ask.warnings, told))


def _given(call: Call, name: str) -> JSON:
    body = as_object(call.body)
    return pick(as_object(pick(body, "generationConfig")), name) if name == "maxOutputTokens" else body.get(name)
