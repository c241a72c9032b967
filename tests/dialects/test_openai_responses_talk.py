"""Responses over a WebSocket: what the client says, and what is answered; without a socket."""

from __future__ import annotations

import json

import pytest
from desks import desk

from llm_simulator import dialects
from llm_simulator.dialects.base import Desk, Reaction, Talk
from llm_simulator.types import JSON, Call, Choice, Completion, Condition, Finish, RawRequest, Text, Usage


def handshake() -> Call:
    headers = (("Upgrade", "websocket"), ("Sec-WebSocket-Key", "x"))
    return dialects.read(RawRequest("GET", "/v1/responses", "api.openai.com", headers=headers))


def talking(at: Desk) -> Talk:
    return dialects.of(handshake()).talk(handshake(), at)


def heard(talk: Talk, event: JSON) -> Reaction:
    return talk.hear(1, json.dumps(event).encode())


def said(text: str, number: int = 1) -> Completion:
    choice = Choice((Text((text,)),), Finish.STOP)
    return Completion(f"{number:032x}", 1_780_000_000, "gpt-4o", (choice,), Usage(9, 3))


def created(**fields: JSON) -> JSON:
    return {"type": "response.create", "model": "gpt-4o", "input": "Hello!", **fields}


def test_the_handshake_is_known() -> None:
    call = handshake()
    assert (call.operation, dialects.of(call).check(call)) == ("responses.connect", None)
    plain = dialects.read(RawRequest("GET", "/v1/responses", "api.openai.com"))
    assert plain.operation == "unknown"


def test_a_response_is_answered_event_by_event() -> None:
    talk = talking(desk())
    assert talk.open() == ()
    reaction = heard(talk, created())
    assert reaction.events == ()
    assert reaction.ask is not None
    dialect = dialects.of(reaction.ask)
    assert [turn.text for turn in dialect.ask(reaction.ask).turns] == ["Hello!"]
    reply = dialect.write(said("Hi!"), reaction.ask)
    assert not isinstance(reply.body, bytes)
    lines = [frame.data for frame in reply.body]
    assert all(line.endswith(b"}\n") and line.count(b"\n") == 1 for line in lines)
    kinds = [json.loads(line)["type"] for line in lines]
    assert (kinds[0], kinds[-1]) == ("response.created", "response.completed")


def test_it_goes_on_from_what_was_said() -> None:
    at = desk()
    talk = talking(at)
    heard(talk, created())
    talk.begun(said("Hi!"))
    assert talk.said(said("Hi!")) == ()
    [(identity, _)] = at.shelf.all("response")
    reaction = heard(talk, created(input="And you?", previous_response_id=identity))
    assert reaction.ask is not None
    dialect = dialects.of(reaction.ask)
    assert [turn.text for turn in dialect.ask(reaction.ask).turns] == ["Hello!", "Hi!", "And you?"]
    reply = dialect.write(said("Fine.", 2), reaction.ask)
    assert not isinstance(reply.body, bytes)
    assert json.loads(next(iter(reply.body)).data)["response"]["previous_response_id"] == identity
    talk.said(said("Fine.", 2))
    kept = at.shelf.all("response")[-1][1]
    assert (kept["previous"], len(kept["input"])) == (identity, 1)


@pytest.mark.parametrize(
    ("event", "code", "param"),
    [
        ([], None, None),
        ({"type": "session.update"}, "invalid_value", "type"),
        ({"type": "response.create", "model": "gpt-4o"}, "missing_required_parameter", "input"),
        (
            created(previous_response_id="resp_none"),
            "previous_response_not_found",
            "previous_response_id",
        ),
    ],
)
def test_errors_are_events(event: JSON, code: str | None, param: str | None) -> None:
    [told] = heard(talking(desk()), event).events
    answer = json.loads(told)
    assert (answer["type"], answer["status"]) == ("error", 400)
    assert (answer["error"]["code"], answer["error"]["param"]) == (code, param)


def test_one_at_a_time() -> None:
    talk = talking(desk())
    heard(talk, created())
    [told] = heard(talk, created()).events
    assert "in progress" in json.loads(told)["error"]["message"]
    talk.said(said("Hi!"))
    assert heard(talk, created()).ask is not None


def test_a_condition_as_an_event() -> None:
    told = dialects.of(handshake()).event(Condition("cassette_miss", 404, "Not recorded", code="cassette_miss"))
    assert json.loads(told)["error"]["code"] == "cassette_miss"
