"""How completions of the chat completions format are spelled by each provider; streams: see openai_stream.

Source: OpenAI API reference (chat completions object and chunk object), and recorded traffic for order and layout.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain

from llm_simulator.dialects import jsonstyle
from llm_simulator.dialects.catalogue import find
from llm_simulator.dialects.fields import Object, as_object
from llm_simulator.dialects.ids import code, digest, is_raw, uuid
from llm_simulator.types import JSON, Call, Choice, Completion, Finish, Reasoning, Text, ToolCall, Usage

ALPHANUMERIC = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

_WORDS = {
    Finish.STOP: "stop",
    Finish.LENGTH: "length",
    Finish.TOOL_CALLS: "tool_calls",
    Finish.CONTENT_FILTER: "content_filter",
    Finish.STOP_SEQUENCE: "stop",
}
_SAFE = {"filtered": False, "severity": "safe"}
_UNDETECTED = {"detected": False, "filtered": False}
_PROMPT_FILTER: Object = {
    "hate": _SAFE,
    "jailbreak": _UNDETECTED,
    "self_harm": _SAFE,
    "sexual": _SAFE,
    "violence": _SAFE,
}
CONTENT_FILTER: Object = {
    "hate": _SAFE,
    "protected_material_code": _UNDETECTED,
    "protected_material_text": _UNDETECTED,
    "self_harm": _SAFE,
    "sexual": _SAFE,
    "violence": _SAFE,
}


def _chat_id(seed: str) -> str:
    return "chatcmpl-" + code(seed, "chat", 29, ALPHANUMERIC)


@dataclass(frozen=True, slots=True)
class Wire:
    """How one provider spells the format.

    `whole` lays out a body. `full`: nulls and details as OpenAI shows them, `tier`: the service tier too. `pad` is what
    the length of a chunk's JSON leaves over 16 (its obfuscation sees to that), None where there is none. `filters`:
    Azure's content filter results and alphabetical keys. `thinking` names the field of reasoning text, "" hides it.
    `usage_last`: the finish chunk carries the usage, asked for or not. `identity` makes an answer's id.
    """

    whole: Callable[[JSON], bytes] = jsonstyle.compact
    full: bool = False
    tier: bool = False
    pad: int | None = None
    filters: bool = False
    thinking: str = "reasoning_content"
    usage_last: bool = False
    identity: Callable[[str], str] = _chat_id


OPENAI = Wire(jsonstyle.indented_line, full=True, tier=True, pad=1, thinking="")
AZURE = Wire(jsonstyle.compact_line, full=True, pad=3, filters=True, thinking="")
_PLAIN = Wire()
_WIRES = {
    "openai": OPENAI,
    "azure": AZURE,
    "groq": Wire(jsonstyle.compact_line, thinking="reasoning", identity=lambda seed: f"chatcmpl-{uuid(seed, 'chat')}"),
    "mistral": Wire(usage_last=True, identity=lambda seed: digest(seed, "chat").hex()),
    "deepseek": Wire(usage_last=True, identity=lambda seed: uuid(seed, "chat")),
    "openrouter": Wire(thinking="reasoning"),
    "together": Wire(jsonstyle.indented, thinking="reasoning"),
}


def wire_of(provider: str) -> Wire:
    return _WIRES.get(provider, _PLAIN)


def served(call: Call) -> str:
    """The snapshot that answers to the name asked for: gpt-4o is gpt-4o-2024-08-06."""
    known = find(call.provider, call.model)
    return known.serves or known.id if known else call.model


def is_recorded(completion: Completion) -> bool:
    """Whether it was read out of a recording: then its ids and names stand. Mistral's ids look like raw ones."""
    return not is_raw(completion.id) or bool(completion.usage.raw) or any(choice.word for choice in completion.choices)


def usage_object(usage: Usage, wire: Wire) -> Object:
    """The counts; those of a recording as they stand."""
    if usage.raw:
        return as_object(usage.raw)
    counts: Object = {
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.completion,
        "total_tokens": usage.total,
    }
    if wire.full:
        counts["prompt_tokens_details"] = {"cached_tokens": usage.cached, "audio_tokens": 0}
        counts["completion_tokens_details"] = {
            "reasoning_tokens": usage.reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        }
    return counts


def extra(choice: Choice, part: str) -> Object:
    """What else a recording held: of the "choice", its "message", or (at the first choice) the "top" object."""
    return as_object(as_object(choice.extra).get(part))


@dataclass(frozen=True, slots=True)
class Head:
    """What all objects of one answer share."""

    wire: Wire
    seed: str
    recorded: bool
    legacy: bool
    top: Object
    fields: Object
    tail: Object

    def object(self, kind: str) -> Object:
        return {"id": self.fields["id"], "object": kind, **{k: v for k, v in self.fields.items() if k != "id"}}


def head_of(completion: Completion, call: Call) -> Head:
    wire, recorded = wire_of(call.provider), is_recorded(completion)
    top = extra(completion.choices[0], "top") if completion.choices else {}
    model = (completion.model if recorded else served(call)) or call.model
    fields = {
        "id": completion.id if recorded else wire.identity(completion.id),
        "created": completion.created,
        "model": model,
    }
    tail: Object = {}
    if "service_tier" in top:
        tail["service_tier"] = top["service_tier"]
    elif wire.tier and not recorded:
        tail["service_tier"] = _tier(as_object(call.body).get("service_tier"))
    if wire.full or (completion.fingerprint and recorded):
        print_of = (completion.fingerprint or None) if recorded else _fingerprint(completion.fingerprint, model)
        tail["system_fingerprint"] = print_of
    body = as_object(call.body)
    legacy = "functions" in body and "tools" not in body
    return Head(wire, completion.id, recorded, legacy, top, fields, tail)


def _tier(asked: JSON) -> str:
    return asked if asked in ("flex", "priority") else "default"


def _fingerprint(raw: str, model: str) -> str | None:
    """gpt-3.5 has none."""
    if model.startswith("gpt-3.5"):
        return None
    return "fp_" + (raw[:10] or code(model, "fingerprint", 10, "0123456789abcdef"))


def body(completion: Completion, call: Call) -> bytes:
    """The whole answer in the provider's layout."""
    head = head_of(completion, call)
    wire = head.wire
    answer = head.object("chat.completion")
    answer["choices"] = [_whole(head, index, choice) for index, choice in enumerate(completion.choices)]
    answer["usage"] = usage_object(completion.usage, wire)
    answer.update(head.tail)
    answer.update(head.top)
    if wire.filters:
        answer.setdefault("prompt_filter_results", prompt_filter())
        answer = jsonstyle.ordered(answer)
    return wire.whole(answer)


def prompt_filter() -> JSON:
    return [{"prompt_index": 0, "content_filter_results": _PROMPT_FILTER}]


def _whole(head: Head, index: int, choice: Choice) -> Object:
    spelled_choice: Object = {
        "index": index,
        "message": _message(head, choice),
        "logprobs": None,
        "finish_reason": word(choice, head.legacy),
        **extra(choice, "choice"),
    }
    if head.wire.filters:
        spelled_choice.setdefault("content_filter_results", CONTENT_FILTER)
    return spelled_choice


def word(choice: Choice, legacy: bool = False) -> str:
    """The finish reason: the recorded word, else OpenAI's."""
    if choice.word:
        return choice.word
    return "function_call" if legacy and choice.finish is Finish.TOOL_CALLS else _WORDS[choice.finish]


def _message(head: Head, choice: Choice) -> Object:
    texts = [part for part in choice.parts if isinstance(part, Text)]
    calls = [part for part in choice.parts if isinstance(part, ToolCall)]
    thoughts = [part for part in choice.parts if isinstance(part, Reasoning)]
    silent = bool(calls) or head.recorded
    message: Object = {"role": "assistant", "content": _joined(texts) if texts or not silent else None}
    if thoughts and head.wire.thinking:
        message[head.wire.thinking] = _joined(thoughts)
    if calls and is_legacy(head, calls[0]):
        message["function_call"] = {"name": calls[0].name, "arguments": "".join(calls[0].arguments)}
    elif calls:
        message["tool_calls"] = [
            {**call_of(head, part, place), kind_of(part): {"name": part.name, given_of(part): "".join(part.arguments)}}
            for place, part in enumerate(calls)
        ]
    if head.wire.full:
        message.update({"refusal": None, "annotations": []})
    return {**message, **extra(choice, "message")}


def _joined(parts: list[Text] | list[Reasoning]) -> str:
    return "".join(chain.from_iterable(part.tokens for part in parts))


def is_legacy(head: Head, part: ToolCall) -> bool:
    """Whether the deprecated single `function_call` is used: recorded so, or asked for with `functions`."""
    return as_object(part.extra).get("type") == "function_call" or (head.legacy and not head.recorded)


def kind_of(part: ToolCall) -> str:
    return "custom" if as_object(part.extra).get("type") == "custom" else "function"


def given_of(part: ToolCall) -> str:
    return "input" if kind_of(part) == "custom" else "arguments"


def call_of(head: Head, part: ToolCall, place: int) -> Object:
    """Id, type and what else was recorded of a tool call."""
    identity = part.id
    if is_raw(identity):
        identity = "call_" + code(identity or head.seed, f"call {place}", 24, ALPHANUMERIC)
    return {"id": identity, "type": "function", **as_object(part.extra)}
