"""What holds where a request wants more tokens than its model has, of the answer or of the prompt: lenient, and told."""

from __future__ import annotations

from dataclasses import replace

from llm_simulator.dialects.base import Ask
from llm_simulator.dialects.catalogue import Model, find
from llm_simulator.dialects.fields import as_object
from llm_simulator.dialects.gemini_fields import pick
from llm_simulator.types import JSON, Call

ROOM = 4096
"""Tokens that a prompt which is cut leaves for an answer of no limit of its own."""
_NAMES = {"anthropic": "max_tokens", "cohere": "max_tokens", "gemini": "maxOutputTokens", "vertex": "maxOutputTokens"}


def within(ask: Ask, call: Call) -> Ask:
    """What is asked for, within what the model can take and put out."""
    return _in_window(_limited(ask, call), call)


def _in_window(ask: Ask, call: Call) -> Ask:
    """A prompt that is longer than the model's window is cut to what leaves room for an answer."""
    known = _model(call)
    window = known.context if known else 0
    if not window or ask.prompt_tokens < window:
        return ask
    kept = window - min(ask.max_tokens or ROOM, window // 2)
    told = f"prompt: {ask.prompt_tokens} tokens do not fit into the {window} of {call.model}; cut to {kept}"
    return replace(ask, prompt_tokens=kept, warnings=(*ask.warnings, told))


def _model(call: Call) -> Model | None:
    provider = {"vertex": "gemini"}.get(call.provider, call.provider)
    known = find(provider, call.model.removeprefix("models/"))
    return (find(provider, known.serves) or known) if known and known.serves and not known.context else known


def _limited(ask: Ask, call: Call) -> Ask:
    """The limit of the answer, for providers whose dialects leave that to us."""
    name = _NAMES.get(call.provider)
    if name is None:
        return ask
    given = _given(call, name)
    if isinstance(given, int | float) and not isinstance(given, bool) and given < 1:
        taken = f"{ask.max_tokens} taken" if ask.max_tokens else "taken as not given"
        others = tuple(warning for warning in ask.warnings if not warning.startswith(f"{name}:"))
        return replace(ask, warnings=(*others, f"{name}: {given:g} is below the minimum of 1; {taken}"))
    known = _model(call)
    most = known.output if known else 0
    if not most or ask.max_tokens is None or ask.max_tokens <= most:
        return ask
    told = f"{name}: {ask.max_tokens} is more than the {most} tokens that {call.model} can put out"
    return replace(ask, max_tokens=most, warnings=(*ask.warnings, told))


def _given(call: Call, name: str) -> JSON:
    body = as_object(call.body)
    return pick(as_object(pick(body, "generationConfig")), name) if name == "maxOutputTokens" else body.get(name)
