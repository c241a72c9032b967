"""How completions of the chat completions format are spelled by each provider; streams: see openai_stream.

Source: OpenAI API reference (chat completions object and chunk object), and recorded traffic for order and layout.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain

from llm_simulator import tokens
from llm_simulator.dialects import jsonstyle, logprobs
from llm_simulator.dialects.catalogue import Model, find, models
from llm_simulator.dialects.fields import Object, as_object, as_text, is_refusal
from llm_simulator.dialects.hosts import ALPHANUMERIC, AZURE, OPENAI, At, Talk, Wire, wire_of
from llm_simulator.dialects.ids import HEX, code, is_raw, marked, marked_model
from llm_simulator.dialects.thinking import habit_of
from llm_simulator.types import JSON, Call, Choice, Completion, Finish, Reasoning, Text, ToolCall, Usage

__all__ = ["ALPHANUMERIC", "AZURE", "OPENAI", "Wire", "wire_of"]

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


def served(call: Call) -> str:
    """The snapshot that answers to the name asked for: gpt-4o is gpt-4o-2024-08-06.

    An Azure deployment has a name of its own: the model in the request or else in that name is what it is taken to serve.
    """
    asked = as_text(as_object(call.body).get("model"))
    known = find(call.provider, call.model) or (find("azure", asked) if call.provider == "azure" else None)
    if known is None and call.provider == "azure":
        known = _named_in(call.model)
    return known.serves or known.id if known else call.model


@lru_cache(256)
def _named_in(deployment: str) -> Model | None:
    """The model whose name a deployment's name holds: "my-gpt-4o-mini-eu" is gpt-4o-mini."""
    words = re.split(r"[^a-z0-9.]+", deployment.lower())
    spelled = f"-{'-'.join(words)}-"
    found = [model for model in models("azure") if model.mode == "chat" and f"-{model.id}-" in spelled]
    return max(found, key=lambda model: len(model.id), default=None)


def is_recorded(completion: Completion) -> bool:
    """Whether it was read out of a recording: then its ids and names stand. Mistral's ids look like raw ones."""
    return not is_raw(completion.id) or bool(completion.usage.raw) or any(choice.word for choice in completion.choices)


def usage_object(usage: Usage, wire: Wire, call: Call | None = None, completion: Completion | None = None) -> Object:
    """The counts; those of a recording as they stand."""
    if usage.raw:
        return as_object(usage.raw)
    counts = wire.counts(usage)
    predicted = as_object(as_object(call.body).get("prediction")) if call and wire.full else {}
    if predicted and completion:
        accepted, rejected = _predicted(predicted, completion)
        details = as_object(counts.get("completion_tokens_details"))
        details.update(accepted_prediction_tokens=accepted, rejected_prediction_tokens=rejected)
    return counts


def _predicted(prediction: Object, completion: Completion) -> tuple[int, int]:
    """How many tokens of the predicted text came, from its start on, and how many did not."""
    given = prediction.get("content")
    parts = given if isinstance(given, list) else [{"text": given}]
    expected = tokens.split("".join(as_text(as_object(part).get("text")) for part in parts), completion.model)
    said = [token for part in completion.choices[0].parts if isinstance(part, Text) for token in part.tokens]
    same = next((place for place, pair in enumerate(zip(expected, said, strict=False)) if pair[0] != pair[1]), None)
    accepted = min(len(expected), len(said)) if same is None else same
    return accepted, len(expected) - accepted


def extra(choice: Choice, part: str) -> Object:
    """What else a recording held: of the "choice", its "message", or (at the first choice) the "top" object."""
    return as_object(as_object(choice.extra).get(part))


@dataclass(frozen=True, slots=True)
class Head:
    """What all objects of one answer share. `top_logprobs` is None where the request asks for no log probabilities."""

    wire: Wire
    talk: Talk
    recorded: bool
    legacy: bool
    top: Object
    fields: Object
    tail: Object
    logprobs: bool
    top_logprobs: int | None = None

    @property
    def seed(self) -> str:
        return self.talk.seed

    def object(self, kind: str) -> Object:
        return {"id": self.fields["id"], "object": kind, **{k: v for k, v in self.fields.items() if k != "id"}}

    def dressed(self, spelled: Object, at: At) -> Object:
        """The object as the host has it."""
        return self.wire.dress(spelled, at, self.talk)


def head_of(completion: Completion, call: Call) -> Head:
    wire, recorded = wire_of(call.provider, call.raw.host), is_recorded(completion)
    body = as_object(call.body)
    top = extra(completion.choices[0], "top") if completion.choices else {}
    model = (completion.model if recorded else served(call)) or call.model
    fields = {
        "id": completion.id if recorded else marked(wire.identity(completion.id, completion.created), completion),
        "created": completion.created,
        "model": marked_model(model, completion),
    }
    wanted = None if recorded else logprobs.wanted(body)
    return Head(
        wire,
        Talk(completion.id, completion.usage, completion.created),
        recorded,
        "functions" in body and "tools" not in body,
        top,
        fields,
        _tail(completion, body, wire, top, model, recorded),
        # OpenAI leaves the key out for models that think; Azure and what was recorded have it.
        wire.logprobs and (recorded or wire.filters or habit_of(model) is None),
        wanted if wire.logprobs else None,
    )


def _tail(completion: Completion, body: Object, wire: Wire, top: Object, model: str, recorded: bool) -> Object:
    tail: Object = {}
    if "service_tier" in top:
        tail["service_tier"] = top["service_tier"]
    elif wire.tier and not recorded:
        tail["service_tier"] = _tier(body.get("service_tier"))
    if recorded:
        if wire.full or completion.fingerprint:
            tail["system_fingerprint"] = completion.fingerprint or None
    elif wire.full:
        tail["system_fingerprint"] = _fingerprint(completion.fingerprint, model)
    elif own := wire.print(completion.fingerprint or model):
        tail["system_fingerprint"] = own
    return tail


def _tier(asked: JSON) -> str:
    return asked if asked in ("flex", "priority") else "default"


def _fingerprint(raw: str, model: str) -> str | None:
    """gpt-4o and gpt-4.1 have one; older models and those that think do not (as recorded)."""
    if model.startswith("gpt-3.5") or (model.startswith("gpt-4") and not model.startswith(("gpt-4o", "gpt-4.1"))):
        return None
    if habit_of(model) is not None:
        return None
    return "fp_" + (raw[:10] or code(model, "fingerprint", 10, HEX))


def body(completion: Completion, call: Call) -> bytes:
    """The whole answer in the provider's layout."""
    head = head_of(completion, call)
    wire = head.wire
    answer = head.object("chat.completion")
    answer["choices"] = [_whole(head, index, choice) for index, choice in enumerate(completion.choices)]
    answer["usage"] = usage_object(completion.usage, wire, call, completion)
    answer.update(head.tail)
    answer.update(head.top)
    if wire.filters:
        answer.setdefault("prompt_filter_results", prompt_filter())
        answer = jsonstyle.ordered(answer)
    return wire.whole(head.dressed(answer, At.WHOLE))


def prompt_filter() -> JSON:
    return [{"prompt_index": 0, "content_filter_results": _PROMPT_FILTER}]


def _whole(head: Head, index: int, choice: Choice) -> Object:
    spelled_choice: Object = {"index": index, "message": _message(head, choice)}
    if head.logprobs or head.top_logprobs is not None:
        spelled_choice["logprobs"] = _logprobs(head, choice, index)
    spelled_choice |= {"finish_reason": word(choice, head.legacy), **extra(choice, "choice")}
    if head.wire.filters:
        spelled_choice.setdefault("content_filter_results", CONTENT_FILTER)
    return spelled_choice


def _logprobs(head: Head, choice: Choice, index: int) -> JSON:
    if head.top_logprobs is None:
        return None
    said: dict[str, list[str]] = {"content": [], "refusal": []}
    for part in choice.parts:
        if isinstance(part, Text):
            said["refusal" if is_refusal(part) else "content"] += part.tokens
    told = {
        name: logprobs.entries(pieces, f"{head.seed} {index}", head.top_logprobs) if pieces else None
        for name, pieces in said.items()
    }
    return told if any(told.values()) else None


def word(choice: Choice, legacy: bool = False) -> str:
    """The finish reason: the recorded word, else OpenAI's."""
    if choice.word:
        return choice.word
    return "function_call" if legacy and choice.finish is Finish.TOOL_CALLS else _WORDS[choice.finish]


def _message(head: Head, choice: Choice) -> Object:
    refusals = [part for part in choice.parts if isinstance(part, Text) and is_refusal(part)]
    texts = [part for part in choice.parts if isinstance(part, Text) and not is_refusal(part)]
    calls = [part for part in choice.parts if isinstance(part, ToolCall)]
    thoughts = [part for part in choice.parts if isinstance(part, Reasoning)]
    more = extra(choice, "message")
    silent = bool(calls or refusals) or head.recorded
    message: Object = {"role": "assistant", "content": _joined(texts) if texts or not silent else None}
    if thoughts and head.wire.thinking:
        message[head.wire.thinking] = _joined(thoughts)
    if calls and is_legacy(head, calls[0]):
        message["function_call"] = {"name": calls[0].name, "arguments": "".join(calls[0].arguments)}
    elif calls:
        message["tool_calls"] = [call_whole(head, part, place) for place, part in enumerate(calls)]
    if head.wire.full:
        message.update({"refusal": _joined(refusals) if refusals else None, "annotations": []})
    return {**message, **more}


def call_whole(head: Head, part: ToolCall, place: int) -> Object:
    return {**call_of(head, part, place), kind_of(part): {"name": part.name, given_of(part): "".join(part.arguments)}}


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
        identity = head.wire.call_id(identity or head.seed, place)
    return {"id": identity, "type": "function", **as_object(part.extra)}
