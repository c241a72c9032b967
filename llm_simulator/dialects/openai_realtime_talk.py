"""One Realtime conversation: what it holds, and how it answers each event of its client.

Source: OpenAI API reference, realtime client events. Pure: the same events in, the same events out.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from llm_simulator.dialects.base import Reaction
from llm_simulator.dialects.fields import Object, as_list, as_object, as_text, objects
from llm_simulator.dialects.openai_realtime_write import error, identity, line
from llm_simulator.types import JSON, Call, Completion, Condition, RawRequest, Reasoning, ToolCall

_HOUR = 3600
_PCM: Object = {"type": "audio/pcm", "rate": 24000}
_OF_THE_RESPONSE = (
    "instructions",
    "tools",
    "tool_choice",
    "output_modalities",
    "max_output_tokens",
    "audio",
    "metadata",
)
_NO_JSON = "Could not parse the event: it is not a JSON object."


def session_of(seed: str, model: str, created: int, given: Object) -> Object:
    """A session as the server shows it; `given` is what its client asked for."""
    if given.get("type") == "transcription":
        kind: Object = {"type": "transcription", "object": "realtime.transcription_session"}
        return _merged({**kind, "id": identity("sess", seed, "session"), "expires_at": 0, "include": None}, given)
    detection: Object = {
        "type": "server_vad",
        "threshold": 0.5,
        "prefix_padding_ms": 300,
        "silence_duration_ms": 200,
        "idle_timeout_ms": None,
        "create_response": True,
        "interrupt_response": True,
    }
    return _merged(
        {
            "type": "realtime",
            "object": "realtime.session",
            "id": identity("sess", seed, "session"),
            "model": model,
            "output_modalities": ["audio"],
            "instructions": "",
            "tools": [],
            "tool_choice": "auto",
            "max_output_tokens": "inf",
            "tracing": None,
            "truncation": "auto",
            "prompt": None,
            "expires_at": created + _HOUR,
            "audio": {
                "input": {
                    "format": _PCM,
                    "transcription": None,
                    "noise_reduction": None,
                    "turn_detection": detection,
                },
                "output": {"format": _PCM, "voice": "marin", "speed": 1.0},
            },
            "include": None,
        },
        given,
    )


def _merged(base: Object, more: Object) -> Object:
    """`base` with what `more` says; objects are merged, all else is replaced."""
    out = dict(base)
    for name, value in more.items():
        before = out.get(name)
        out[name] = _merged(before, value) if isinstance(before, dict) and isinstance(value, dict) else value
    return out


class Conversation:
    """A `Talk`. The items it holds are those a client sees, oldest first."""

    def __init__(self, call: Call, seed: str, created: int) -> None:
        self._call = call
        self._seed = seed
        self._session = session_of(seed, call.model, created, {})
        self._id = identity("conv", seed, "conversation")
        self._items: list[Object] = []
        self._sent = self._made = 0
        self._heard = 0  # bytes of audio that were appended and not committed
        self._running = ""  # the id of the response that is being said
        self._keeps = True  # whether what is being said becomes part of the conversation
        self._answers: dict[str, Callable[[Object], Reaction]] = {
            "session.update": self._update,
            "conversation.item.create": self._create,
            "conversation.item.retrieve": self._retrieve,
            "conversation.item.delete": self._delete,
            "conversation.item.truncate": self._truncate,
            "input_audio_buffer.append": self._append,
            "input_audio_buffer.commit": self._commit,
            "input_audio_buffer.clear": self._clear,
            "output_audio_buffer.clear": lambda _: Reaction((self._event("output_audio_buffer.cleared"),)),
            "response.create": self._respond,
            "response.cancel": self._cancel,
        }

    def open(self) -> tuple[bytes, ...]:
        return (self._event("session.created", session=self._session),)

    def hear(self, opcode: int, data: bytes) -> Reaction:
        event = _parsed(data)
        if event is None:
            return self._wrong("invalid_json", _NO_JSON)
        kind, own = event.get("type"), event.get("event_id")
        if not isinstance(kind, str) or not kind:
            return self._wrong("invalid_event", "The 'type' field is missing.", own=own)
        answer = self._answers.get(kind)
        if answer is None:
            allowed = ", ".join(f"'{name}'" for name in self._answers)
            text = f"Invalid value: '{kind[:100]}'. Supported values are: {allowed}."
            return self._wrong("invalid_value", text, "type", own)
        return answer(event)

    def begun(self, completion: Completion) -> None:
        self._running = identity("resp", completion.id, "response")

    def said(self, completion: Completion) -> tuple[bytes, ...]:
        self._running = ""
        if not self._keeps:
            return ()
        parts = [part for part in completion.choices[0].parts if not isinstance(part, Reasoning)]
        for place, part in enumerate(parts):
            own: Object = {"id": identity("item", completion.id, f"item {place}")}
            if isinstance(part, ToolCall):
                called = {"call_id": part.id, "name": part.name, "arguments": "".join(part.arguments)}
                self._items.append({**own, "type": "function_call", **called})
            else:
                content = [{"type": "output_text", "text": "".join(part.tokens)}]
                self._items.append({**own, "type": "message", "role": "assistant", "content": content})
        return ()

    # --- one method for each event of the client

    def _update(self, event: Object) -> Reaction:
        given = event.get("session")
        if not isinstance(given, dict):
            return self._missing("session", event)
        if given.get("model") not in (None, self._session["model"]) and self._items:
            return self._wrong("invalid_value", "The model of a running session cannot change.", "session.model", event)
        self._session = _merged(self._session, given)
        return Reaction((self._event("session.updated", session=self._session),))

    def _create(self, event: Object) -> Reaction:
        given = event.get("item")
        if not isinstance(given, dict):
            return self._missing("item", event)
        place = self._place_after(event.get("previous_item_id"))
        if place is None:
            return self._not_found(as_text(event.get("previous_item_id")), event)
        self._made += 1
        item = {
            "id": as_text(given.get("id")) or identity("item", self._seed, f"item {self._made}"),
            "object": "realtime.item",
            **{name: value for name, value in given.items() if name not in ("id", "object", "status")},
            "status": "completed",
        }
        return Reaction(self._kept(item, place))

    def _kept(self, item: Object, place: int) -> tuple[bytes, ...]:
        before = self._items[place - 1]["id"] if place else None
        self._items.insert(place, item)
        return (
            self._event("conversation.item.added", previous_item_id=before, item=item),
            self._event("conversation.item.done", previous_item_id=before, item=item),
        )

    def _place_after(self, previous: JSON) -> int | None:
        if previous is None:
            return len(self._items)
        if previous == "root":
            return 0
        places = [place + 1 for place, item in enumerate(self._items) if item["id"] == previous]
        return places[0] if places else None

    def _retrieve(self, event: Object) -> Reaction:
        found = [item for item in self._items if item["id"] == event.get("item_id")]
        if not found:
            return self._not_found(as_text(event.get("item_id")), event)
        return Reaction((self._event("conversation.item.retrieved", item=found[0]),))

    def _delete(self, event: Object) -> Reaction:
        kept = [item for item in self._items if item["id"] != event.get("item_id")]
        if len(kept) == len(self._items):
            return self._not_found(as_text(event.get("item_id")), event)
        self._items = kept
        return Reaction((self._event("conversation.item.deleted", item_id=event["item_id"]),))

    def _truncate(self, event: Object) -> Reaction:
        if not any(item["id"] == event.get("item_id") for item in self._items):
            return self._not_found(as_text(event.get("item_id")), event)
        told = {name: event.get(name, 0) for name in ("item_id", "content_index", "audio_end_ms")}
        return Reaction((self._event("conversation.item.truncated", **told),))

    def _append(self, event: Object) -> Reaction:
        if not isinstance(event.get("audio"), str):
            return self._missing("audio", event)
        self._heard += len(event["audio"]) * 3 // 4
        return Reaction()

    def _commit(self, event: Object) -> Reaction:
        if not self._heard:
            text = "Error committing input audio buffer: buffer too small. Expected at least 100ms of audio."
            return self._wrong("input_audio_buffer_commit_empty", text, own=event.get("event_id"))
        self._heard = 0
        self._made += 1
        item: Object = {
            "id": identity("item", self._seed, f"item {self._made}"),
            "object": "realtime.item",
            "type": "message",
            "status": "completed",
            "role": "user",
            "content": [{"type": "input_audio", "transcript": None}],
        }
        before = self._items[-1]["id"] if self._items else None
        told = self._event("input_audio_buffer.committed", previous_item_id=before, item_id=item["id"])
        return Reaction((told, *self._kept(item, len(self._items))))

    def _clear(self, event: Object) -> Reaction:
        self._heard = 0
        return Reaction((self._event("input_audio_buffer.cleared"),))

    def _respond(self, event: Object) -> Reaction:
        if self._running:
            text = "Conversation already has an active response"
            return self._wrong("conversation_already_has_active_response", text, own=event.get("event_id"))
        given = as_object(event.get("response"))
        response = {name: self._session.get(name) for name in _OF_THE_RESPONSE}
        response["audio"] = {"output": as_object(as_object(self._session.get("audio")).get("output"))}
        response = _merged(response, {name: given[name] for name in _OF_THE_RESPONSE if name in given})
        items = [*self._items, *objects(as_list(given.get("input")))] if "input" not in given else given["input"]
        body: Object = {
            "response": response,
            "conversation": None if given.get("conversation") == "none" else self._id,
            "items": [{"id": None, **item} for item in objects(as_list(items))],
        }
        self._keeps = body["conversation"] is not None
        raw = RawRequest("POST", self._call.raw.path, self._call.raw.host, body=_canonical(body))
        return Reaction(
            ask=Call(
                self._call.provider,
                self._call.family,
                "realtime.response",
                raw,
                self._call.model,
                stream=True,
                body=body,
            )
        )

    def _cancel(self, event: Object) -> Reaction:
        if not self._running:
            text = "Cancellation failed: no active response found"
            return self._wrong("response_cancel_not_active", text, own=event.get("event_id"))
        running, self._running = self._running, ""
        response: Object = {
            "object": "realtime.response",
            "id": running,
            "status": "cancelled",
            "status_details": {"type": "cancelled", "reason": "client_cancelled"},
            "output": [],
            "conversation_id": self._id,
            "output_modalities": self._session["output_modalities"],
            "max_output_tokens": self._session["max_output_tokens"],
            "usage": None,
            "metadata": None,
        }
        return Reaction((self._event("response.done", response=response),), stop=True)

    # --- spelling

    def _event(self, kind: str, **fields: Any) -> bytes:
        self._sent += 1
        return line({"type": kind, "event_id": identity("event", self._seed, f"event {self._sent}"), **fields})

    def _missing(self, name: str, event: Object) -> Reaction:
        text = f"Missing required parameter: '{name}'."
        return self._wrong("missing_required_parameter", text, name, event.get("event_id"))

    def _not_found(self, identity: str, event: Object) -> Reaction:
        text = f"Item with item_id '{identity[:100]}' not found."
        return self._wrong("item_not_found", text, "item_id", event.get("event_id"))

    @staticmethod
    def _wrong(code: str, message: str, param: str | None = None, own: JSON = None) -> Reaction:
        """`own` is the client's event, or its id."""
        named = own.get("event_id") if isinstance(own, dict) else own
        condition = Condition(code, 400, message, param, code, "invalid_request_error", extra=named)
        return Reaction((error(condition),))


def _parsed(data: bytes) -> Object | None:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _canonical(body: Object) -> bytes:
    return json.dumps(body, sort_keys=True, separators=(",", ":")).encode()
