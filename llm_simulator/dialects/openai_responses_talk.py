"""Responses over a WebSocket: each `response.create` of the client is answered with the events that a stream would hold.

Source: OpenAI API reference (WebSocket mode), the SDK's `responses.connect`; errors as public clients decode them.
"""

from __future__ import annotations

import json
from dataclasses import replace

from llm_simulator.dialects.base import Desk, Reaction
from llm_simulator.dialects.fields import Object, as_text, load, spelled
from llm_simulator.dialects.openai_responses_check import check
from llm_simulator.dialects.openai_responses_shelf import expanded, keep
from llm_simulator.dialects.openai_responses_write import draft
from llm_simulator.dialects.openai_words import refusal
from llm_simulator.types import Call, Completion, Condition, RawRequest

CREATE, TURN = "responses.create", "responses.turn"
_CREATES = "response.create"
_OF_THE_EVENT = ("type", "event_id", "stream", "background")
_REFERENCES = ("previous_response_id", "conversation")


class Talk:
    """One connection (`dialects.base.Talk`): it remembers nothing but the call that is being answered."""

    def __init__(self, call: Call, desk: Desk) -> None:
        self._call = call
        self._shelf = desk.shelf
        self._asked: Call | None = None

    def open(self) -> tuple[bytes, ...]:
        return ()

    def hear(self, opcode: int, data: bytes) -> Reaction:
        event = load(data)
        if not isinstance(event, dict):
            return _wrong(refusal("invalid_json", "Could not parse the event: it is not a JSON object."))
        if event.get("type") != _CREATES:
            message = f"Invalid value: '{as_text(event.get('type'))[:100]}'. Supported values are: '{_CREATES}'."
            return _wrong(refusal("invalid_value", message, "type", "invalid_value"))
        if self._asked is not None:
            return _wrong(refusal("response_in_progress", "A response is in progress on this connection."))
        return self._create({name: value for name, value in event.items() if name not in _OF_THE_EVENT})

    def _create(self, body: Object) -> Reaction:
        asked = self._as(CREATE, body)
        condition = check(asked)
        filled = condition or expanded(asked, self._shelf)
        if isinstance(filled, Condition):
            return _wrong(filled)
        self._asked = asked
        # What it goes on from is repeated in the answer, so it stays beside the history that was filled in.
        named = {name: body[name] for name in _REFERENCES if name in body}
        return Reaction(ask=self._as(TURN, {**filled.body, **named}))

    def _as(self, operation: str, body: Object) -> Call:
        data = json.dumps(body, sort_keys=True, separators=(",", ":")).encode()
        raw = RawRequest("POST", self._call.raw.path, self._call.raw.host, body=data)
        model = as_text(body.get("model"))
        return replace(self._call, operation=operation, raw=raw, body=body, model=model, stream=True)

    def begun(self, completion: Completion) -> None:
        """Nothing is to be known before the end."""

    def said(self, completion: Completion) -> tuple[bytes, ...]:
        asked, self._asked = self._asked, None
        if asked is not None:
            keep(draft(completion, asked), asked, self._shelf)
        return ()


def error(condition: Condition) -> bytes:
    """The error event; the connection stays open."""
    inner: Object = {
        "type": condition.type or "invalid_request_error",
        "code": condition.code,
        "message": condition.message,
        "param": condition.param,
    }
    return spelled({"type": "error", "status": condition.status, "error": inner}).encode("utf-8", "backslashreplace")


def _wrong(condition: Condition) -> Reaction:
    return Reaction((error(condition),))
