"""Realtime: the handshake and the secrets, and a conversation event by event; every event fits the SDK's own model."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from desks import desk
from openai.types.realtime import RealtimeServerEvent
from pydantic import TypeAdapter

from llm_simulator import dialects
from llm_simulator.dialects.base import Talk
from llm_simulator.dialects.openai_realtime import DIALECT
from llm_simulator.simulator.engine import Engine
from llm_simulator.types import Call, Condition, Headers, RawRequest

EVENT: TypeAdapter[Any] = TypeAdapter(RealtimeServerEvent)
KEY = (("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="), ("Sec-WebSocket-Version", "13"))


def handshake(
    target: str = "/v1/realtime?model=gpt-realtime", host: str = "api.openai.com", headers: Headers = KEY
) -> Call:
    path, _, query = target.partition("?")
    return dialects.read(RawRequest("GET", path, host, query=query, headers=headers))


class Client:
    """Says events to a conversation, lets the engine speak at once, and checks all that comes back."""

    def __init__(self, call: Call) -> None:
        self._talk: Talk = DIALECT.talk(call, desk())
        self._engine = Engine(1)
        self.heard = [self._checked(event) for event in self._talk.open()]

    def say(self, event: dict[str, Any] | bytes, *, hold: bool = False) -> list[dict[str, Any]]:
        """What came back; `hold` leaves a response running."""
        reaction = self._talk.hear(1, event if isinstance(event, bytes) else json.dumps(event).encode())
        events = [self._checked(one) for one in reaction.events]
        if reaction.ask is not None:
            made = self._engine.simulate(reaction.ask, DIALECT, reaction.ask.raw.body[:16], at_once=True)
            assert made.completion is not None
            assert not isinstance(made.answer.chunks, AsyncIterator)
            self._talk.begun(made.completion)
            lines = b"".join(chunk.data for chunk in made.answer.chunks).splitlines()
            events += [self._checked(one) for one in (lines[:1] if hold else lines)]
            if not hold:
                events += [self._checked(one) for one in self._talk.said(made.completion)]
        self.heard += events
        return events

    @staticmethod
    def _checked(data: bytes) -> dict[str, Any]:
        event = EVENT.validate_json(data)
        assert event.type == json.loads(data)["type"]
        return dict(json.loads(data))


def text(kind: str = "user", said: str = "Hello!") -> dict[str, Any]:
    content = [{"type": "input_text", "text": said}]
    return {"type": "conversation.item.create", "item": {"type": "message", "role": kind, "content": content}}


def kinds(events: list[dict[str, Any]]) -> list[str]:
    return [event["type"] for event in events]


@pytest.mark.parametrize(
    ("target", "host", "model"),
    [
        ("/v1/realtime?model=gpt-realtime", "api.openai.com", "gpt-realtime"),
        ("/v1/realtime?model=gpt-realtime", "", "gpt-realtime"),
        ("/openai/v1/realtime?model=mine", "r.openai.azure.com", "mine"),
        ("/openai/realtime?api-version=2024-10-01-preview&deployment=mine", "r.openai.azure.com", "mine"),
    ],
)
def test_handshakes(target: str, host: str, model: str) -> None:
    call = handshake(target, host)
    assert (call.family, call.operation, call.model) == ("openai.realtime", "realtime", model)
    assert dialects.of(call) is DIALECT
    assert DIALECT.check(call) is None


@pytest.mark.parametrize(
    ("call", "status"),
    [
        (handshake("/v1/realtime"), 400),
        (handshake(headers=()), 426),
        (dialects.read(RawRequest("POST", "/v1/realtime", "api.openai.com", headers=KEY)), 405),
        (dialects.read(RawRequest("GET", "/v1/realtime/client_secrets", "api.openai.com")), 405),
        (
            dialects.read(
                RawRequest(
                    "POST",
                    "/v1/realtime/client_secrets",
                    "api.openai.com",
                    headers=(("content-type", "application/json"),),
                    body=b"{",
                )
            ),
            400,
        ),
    ],
)
def test_what_is_no_handshake_is_refused(call: Call, status: int) -> None:
    condition = DIALECT.check(call)
    assert condition is not None
    assert condition.status == DIALECT.refuse(condition, call).status == status


def test_text_comes_as_the_provider_sends_it() -> None:
    client = Client(handshake())
    client.say({"type": "session.update", "session": {"output_modalities": ["text"]}})
    added = client.say(text())
    assert kinds(added) == ["conversation.item.added", "conversation.item.done"]
    events = client.say({"type": "response.create"})
    assert [kind for kind in dict.fromkeys(kinds(events))] == [
        "response.created",
        "response.output_item.added",
        "conversation.item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "conversation.item.done",
        "response.done",
        "rate_limits.updated",
    ]
    said = "".join(event["delta"] for event in events if event["type"] == "response.output_text.delta")
    done = next(event for event in events if event["type"] == "response.done")["response"]
    assert done["output"][0]["content"] == [{"type": "output_text", "text": said}]
    assert done["usage"]["input_tokens"] > 0
    first = next(event for event in events if event["type"] == "conversation.item.added")
    assert first["previous_item_id"] == added[0]["item"]["id"]
    ids = [event["event_id"] for event in client.heard]
    assert len(set(ids)) == len(ids)


def test_the_next_turn_knows_the_one_before() -> None:
    client = Client(handshake())
    client.say(text())
    one = client.say({"type": "response.create"})
    two = client.say({"type": "response.create"})
    usage = [next(e for e in events if e["type"] == "response.done")["response"]["usage"] for events in (one, two)]
    assert usage[1]["input_tokens"] > usage[0]["input_tokens"]


def test_audio_comes_with_its_transcript() -> None:
    client = Client(handshake())
    events = client.say({"type": "response.create"})
    counts = {kind: kinds(events).count(kind) for kind in set(kinds(events))}
    assert counts["response.output_audio.delta"] == counts["response.output_audio_transcript.delta"] > 0
    assert kinds(events).index("response.output_audio.done") < kinds(events).index(
        "response.output_audio_transcript.done"
    )


def test_an_answer_outside_of_the_conversation_leaves_nothing_in_it() -> None:
    client = Client(handshake())
    events = client.say({"type": "response.create", "response": {"conversation": "none", "input": [text()["item"]]}})
    assert not [kind for kind in kinds(events) if kind.startswith("conversation.")]
    assert client.say(text())[0]["previous_item_id"] is None


def test_a_limit_cuts_the_answer() -> None:
    events = Client(handshake()).say({"type": "response.create", "response": {"max_output_tokens": 2}})
    done = next(event for event in events if event["type"] == "response.done")["response"]
    assert (done["status"], done["status_details"]) == (
        "incomplete",
        {"type": "incomplete", "reason": "max_output_tokens"},
    )


def test_a_cancelled_response_is_the_one_that_runs() -> None:
    client = Client(handshake())
    (created,) = client.say({"type": "response.create"}, hold=True)
    (again,) = client.say({"type": "response.create", "event_id": "mine"})
    assert (again["error"]["code"], again["error"]["event_id"]) == ("conversation_already_has_active_response", "mine")
    (done,) = client.say({"type": "response.cancel"})
    assert done["response"]["id"] == created["response"]["id"]
    assert done["response"]["status"] == "cancelled"


ITEM = {
    "type": "conversation.item.create",
    "item": {"id": "item_mine", "type": "message", "role": "user", "content": []},
}


def test_items_are_placed_shown_and_deleted() -> None:
    client = Client(handshake())
    client.say(text())
    first = client.say({**ITEM, "previous_item_id": "root"})[0]
    assert first["previous_item_id"] is None
    after = client.say({**text(), "previous_item_id": "item_mine"})[0]
    assert after["previous_item_id"] == "item_mine"
    (shown,) = client.say({"type": "conversation.item.retrieve", "item_id": "item_mine"})
    assert shown["item"]["id"] == "item_mine"
    (cut,) = client.say(
        {"type": "conversation.item.truncate", "item_id": "item_mine", "content_index": 0, "audio_end_ms": 9}
    )
    assert cut["audio_end_ms"] == 9
    (gone,) = client.say({"type": "conversation.item.delete", "item_id": "item_mine"})
    assert gone["item_id"] == "item_mine"
    (error,) = client.say({"type": "conversation.item.retrieve", "item_id": "item_mine"})
    assert error["error"]["code"] == "item_not_found"


def test_audio_is_committed_once() -> None:
    client = Client(handshake())
    assert client.say({"type": "input_audio_buffer.append", "audio": "AAAA"}) == []
    committed, added, _ = client.say({"type": "input_audio_buffer.commit"})
    assert committed["item_id"] == added["item"]["id"]
    assert client.say({"type": "input_audio_buffer.commit"})[0]["error"]["code"] == "input_audio_buffer_commit_empty"
    client.say({"type": "input_audio_buffer.append", "audio": "AAAA"})
    assert kinds(client.say({"type": "input_audio_buffer.clear"})) == ["input_audio_buffer.cleared"]
    assert client.say({"type": "input_audio_buffer.commit"})[0]["error"]["code"] == "input_audio_buffer_commit_empty"


@pytest.mark.parametrize(
    ("event", "code", "param"),
    [
        (b"no json", "invalid_json", None),
        (b"[]", "invalid_json", None),
        (b"[" * 100_000, "invalid_json", None),
        ({}, "invalid_event", None),
        ({"type": 1}, "invalid_event", None),
        ({"type": "nonsense"}, "invalid_value", "type"),
        ({"type": "session.update"}, "missing_required_parameter", "session"),
        ({"type": "conversation.item.create"}, "missing_required_parameter", "item"),
        ({**ITEM, "previous_item_id": "item_none"}, "item_not_found", "item_id"),
        ({"type": "conversation.item.delete", "item_id": "x"}, "item_not_found", "item_id"),
        ({"type": "conversation.item.truncate", "item_id": "x"}, "item_not_found", "item_id"),
        ({"type": "input_audio_buffer.append"}, "missing_required_parameter", "audio"),
        ({"type": "response.cancel"}, "response_cancel_not_active", None),
    ],
)
def test_a_wrong_event_is_answered_and_the_conversation_goes_on(
    event: dict[str, Any] | bytes, code: str, param: str | None
) -> None:
    client = Client(handshake())
    (error,) = client.say(event)
    assert (error["type"], error["error"]["code"], error["error"]["param"]) == ("error", code, param)
    assert kinds(client.say(text())) == ["conversation.item.added", "conversation.item.done"]


def test_a_model_cannot_change_once_something_was_said() -> None:
    client = Client(handshake())
    client.say(text())
    (error,) = client.say({"type": "session.update", "session": {"model": "gpt-realtime-mini"}})
    assert error["error"]["param"] == "session.model"


@pytest.mark.parametrize("kind", ["realtime", "transcription"])
def test_secrets(kind: str) -> None:
    body = json.dumps({"session": {"type": kind}, "expires_after": {"anchor": "created_at", "seconds": 60}}).encode()
    headers = (("content-type", "application/json"),)
    call = dialects.read(
        RawRequest("POST", "/v1/realtime/client_secrets", "api.openai.com", headers=headers, body=body)
    )
    assert DIALECT.check(call) is None
    reply = DIALECT.respond(call, desk(created=1000))
    assert isinstance(reply.body, bytes)
    answer = json.loads(reply.body)
    assert (answer["session"]["type"], answer["expires_at"]) == (kind, 1060)


def test_errors_of_ours_are_events_too() -> None:
    event = json.loads(DIALECT.event(Condition("cassette_miss", 404, "not recorded", code="cassette_miss")))
    assert EVENT.validate_python(event).error.code == "cassette_miss"
