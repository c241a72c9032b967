"""What Mistral refuses beyond broken structure. Source: the error catalogue (conditions_mistral.json), docs.mistral.ai."""

from __future__ import annotations

import re

from llm_simulator.dialects.conditions import raised
from llm_simulator.dialects.fields import Object, objects
from llm_simulator.dialects.rules import Asked, Rule, malformed, names, number, reworded, roles
from llm_simulator.types import JSON, Condition

KEY = re.compile(r"[A-Za-z0-9_-]{4,}")
_CHAT = names(
    """frequency_penalty guardrails max_tokens messages metadata model n parallel_tool_calls prediction presence_penalty
    prompt_cache_key prompt_mode random_seed reasoning_effort response_format safe_prompt stop stream stream_options temperature
    tool_choice tools top_p"""
)


def authentication(asked: Asked) -> Condition | None:
    if not asked.key:
        return raised("mistral.unauthorized_kong")
    return raised("mistral.unauthorized") if malformed(asked.key, KEY) else None


def _is_chat(asked: Asked) -> bool:
    return asked.ends("/chat/completions")


def parameters(asked: Asked) -> Condition | None:
    unknown = [name for name in asked.body if name not in _CHAT] if _is_chat(asked) else []
    return _invalid("extra_forbidden", unknown[0], "Extra inputs are not permitted", asked.body) if unknown else None


def ranges(asked: Asked) -> Condition | None:
    temperature, top_p = number(asked.body.get("temperature")), number(asked.body.get("top_p"))
    limit = number(asked.body.get("max_tokens"))
    if temperature is not None and temperature > 1.5:
        return _invalid("less_than_equal", "temperature", "Input should be less than or equal to 1.5", asked.body)
    if temperature is not None and temperature < 0:
        return _invalid("greater_than_equal", "temperature", "Input should be greater than or equal to 0", asked.body)
    if top_p is not None and not 0 < top_p <= 1:
        return _invalid("less_than_equal", "top_p", "Input should be less than or equal to 1", asked.body)
    if limit is not None and limit < 0:
        return _invalid("greater_than_equal", "max_tokens", "Input should be greater than or equal to 0", asked.body)
    return None


def _invalid(kind: str, name: str, message: str, body: Object) -> Condition:
    """A 422 with the fault as Mistral's validator (pydantic) lists it."""
    fault: Object = {"type": kind, "loc": ["body", name], "msg": message, "input": body.get(name)}
    raised_condition = raised("mistral.validation")
    return Condition(raised_condition.name, 422, message, details=[fault])


def turns(asked: Asked) -> Condition | None:
    """The last turn is the user's or a tool's, and a tool answers a call."""
    spoken = roles(asked.body.get("messages")) if _is_chat(asked) else []
    messages: list[JSON] = objects(asked.body.get("messages")) if _is_chat(asked) else []
    for place, role in enumerate(spoken):
        if role not in ("system", "user", "assistant", "tool", "developer"):
            return _invalid("union_tag_invalid", "messages", f"Input tag '{role}' is not a known role", asked.body)
        if role == "tool" and (place == 0 or spoken[place - 1] not in ("assistant", "tool")):
            before = spoken[place - 1] if place else "start"
            return reworded(
                "mistral.bad_request",
                f"Unexpected role 'tool' after role '{before}'",
                kind="invalid_request_message_order",
                code="3230",
            )
    if spoken and spoken[-1] == "assistant" and not messages[-1].get("prefix"):
        words = "Expected last role User or Tool (or Assistant with prefix True) for serving but got assistant"
        return _order(words)
    return None


def _order(words: str) -> Condition:
    return reworded("mistral.bad_request", words, kind="invalid_request_message_order", code="3230")


def context_window(asked: Asked) -> Condition | None:
    window = asked.model.context if asked.model else 0
    if not window or not _is_chat(asked) or len(asked.call.raw.body) <= window:  # a token is a byte at least
        return None
    count = asked.prompt_tokens()
    if count <= window:
        return None
    words = f"Prompt contains {count} tokens, too large for model with {window} maximum context length"
    return reworded("mistral.context_too_long", words)


RULES: tuple[Rule, ...] = (authentication, parameters, ranges, turns, context_window)
