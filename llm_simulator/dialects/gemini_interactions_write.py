"""Spells a completion as an interaction: one compact JSON body, or events (LF, each with its name) that end in `[DONE]`.

Source: ai.google.dev/api/interactions and recorded traffic (May and June 2026).
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Iterator
from dataclasses import dataclass

from llm_simulator.dialects.fields import Object, as_object, as_text, dump, is_block, load
from llm_simulator.dialects.gemini_media import Counts
from llm_simulator.dialects.gemini_stream import groups
from llm_simulator.dialects.gemini_write import response_id, visible
from llm_simulator.dialects.ids import BASE36, code, marked, rfc3339, sealed
from llm_simulator.types import JSON, Choice, Completion, Finish, Frame, Part, Reasoning, Text, ToolCall


@dataclass(frozen=True, slots=True)
class Asked:
    """What an interaction repeats of its request: `actor` is its model or agent; `summaries` shows thought."""

    actor: Object
    summaries: bool
    background: bool
    media: Counts = ()


def identity_of(completion: Completion) -> str:
    """The id: a response id twice, as fields 1 and 2 of a protobuf message, in base64."""
    response = response_id(completion).encode()
    message = b"\n" + bytes((len(response),)) + response + b"\x12" + bytes((len(response),)) + response
    return marked("v1_" + urlsafe_b64encode(message).rstrip(b"=").decode(), completion)


def interaction(completion: Completion, asked: Asked) -> Object:
    """The whole interaction, done."""
    return {
        "id": identity_of(completion),
        "status": status_of(completion),
        "usage": usage_of(completion, asked.media),
        **_times(completion),
        "service_tier": "standard",
        "steps": steps_of(completion, asked),
        "object": "interaction",
        **asked.actor,
    }


def begun(completion: Completion, asked: Asked) -> Object:
    """An interaction in the background that has only begun."""
    head = {"id": identity_of(completion), "status": "in_progress", **_times(completion)}
    return {**head, "object": "interaction", **asked.actor}


def body(completion: Completion, asked: Asked) -> bytes:
    return dump(begun(completion, asked) if asked.background else interaction(completion, asked))


def status_of(completion: Completion) -> str:
    finish = completion.choices[0].finish if completion.choices else Finish.STOP
    match finish:
        case Finish.TOOL_CALLS:
            return "requires_action"
        case Finish.LENGTH:
            return "incomplete"
        case Finish.CONTENT_FILTER:
            return "failed"
        case Finish.STOP | Finish.STOP_SEQUENCE:
            return "completed"


def usage_of(completion: Completion, media: Counts) -> Object:
    usage = completion.usage
    text = usage.prompt - sum(count for _, count in media)
    counts = (("TEXT", text), *media)
    return {
        "total_tokens": usage.total,
        "total_input_tokens": usage.prompt,
        "input_tokens_by_modality": [{"modality": kind.lower(), "tokens": count} for kind, count in counts],
        "total_cached_tokens": usage.cached,
        "total_output_tokens": visible(usage),
        "total_tool_use_tokens": 0,
        "total_thought_tokens": usage.reasoning,
    }


def steps_of(completion: Completion, asked: Asked) -> list[JSON]:
    return [_step(part, place, completion.id, asked) for place, part in enumerate(_parts(completion))]


def frames(completion: Completion, asked: Asked) -> Iterator[Frame]:
    """The events in their order on the wire."""
    identity = identity_of(completion)
    head = {"id": identity, "status": "in_progress", "object": "interaction", **asked.actor}
    yield Frame(0, _event("interaction.created", {"interaction": head}))
    yield Frame(0, _event("interaction.status_update", {"interaction_id": identity, "status": "in_progress"}))
    token = 0
    for place, part in enumerate(_parts(completion)):
        yield Frame(token, _event("step.start", {"index": place, "step": _start(part, place, completion.id)}))
        for delta, length in _deltas(part, place, completion.id, asked):
            token += length
            yield Frame(max(token - 1, 0), _event("step.delta", {"index": place, "delta": delta}))
        yield Frame(max(token - 1, 0), _event("step.stop", {"index": place}))
    done = {name: value for name, value in interaction(completion, asked).items() if name != "steps"}
    end = _event("interaction.completed", {"interaction": done}) + b"event: done\ndata: [DONE]\n\n"
    yield Frame(max(token - 1, 0), end)


def _parts(completion: Completion) -> tuple[Part, ...]:
    """Thought, text and calls, each a step; texts that follow one another are one."""
    choice = completion.choices[0] if completion.choices else Choice((), Finish.STOP)
    return tuple(part for part in choice.parts if not (isinstance(part, Text) and is_block(part)))


def _times(completion: Completion) -> Object:
    moment = rfc3339(completion.created)
    return {"created": moment, "updated": moment}


def _step(part: Part, place: int, seed: str, asked: Asked) -> Object:
    match part:
        case Reasoning():
            summary = {"summary": [_text("".join(part.tokens))]} if asked.summaries else {}
            return {"signature": _signature(part, place, seed), **summary, "type": "thought"}
        case ToolCall():
            return _start(part, place, seed) | {"arguments": as_object(load("".join(part.arguments)))}
        case Text():
            return {"content": [_text("".join(part.tokens))], "type": "model_output"}


def _start(part: Part, place: int, seed: str) -> Object:
    match part:
        case Reasoning():
            return {"type": "thought"}
        case ToolCall():
            identity = code(part.id or seed, f"call {place}", 8, BASE36)
            return {"id": identity, "name": part.name, "arguments": {}, "type": "function_call"}
        case Text():
            return {"type": "model_output"}


def _deltas(part: Part, place: int, seed: str, asked: Asked) -> Iterator[tuple[Object, int]]:
    """The deltas of a step, each with the tokens that it took."""
    match part:
        case Reasoning():
            if asked.summaries:
                yield {"content": _text("".join(part.tokens)), "type": "thought_summary"}, len(part.tokens)
            spent = 0 if asked.summaries else len(part.tokens)
            yield {"signature": _signature(part, place, seed), "type": "thought_signature"}, spent
        case ToolCall():
            yield {"arguments": "".join(part.arguments), "type": "arguments_delta"}, len(part.arguments)
        case Text():
            for text, length in groups(part.tokens, first=True):
                yield _text(text), length


def _signature(part: Reasoning, place: int, seed: str) -> str:
    return part.signature or sealed(seed, f"thought {place}", 300)


def _text(text: str) -> Object:
    return {"text": text, "type": "text"}


def _event(name: str, fields: Object) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + dump({**fields, "event_type": name}) + b"\n\n"


def told(body: Object) -> str:
    """What an interaction is by: its model, or the agent that was asked."""
    return as_text(body.get("model")) or as_text(body.get("agent"))
