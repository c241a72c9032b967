"""Gemini's Interactions API: what is asked, answers whole and streamed, what a session keeps; as recorded."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asking
import pytest
from asking import data, events, frames, joined, read
from desks import desk
from google.genai._gaos.types.interactions.interaction import Interaction
from google.genai._gaos.types.interactions.interactionsseevent import InteractionSSEEvent
from pydantic import TypeAdapter

from llm_simulator.dialects.base import Desk, Thinking, Tool, Turn
from llm_simulator.dialects.gemini_interactions import DIALECT
from llm_simulator.types import (
    JSON,
    Call,
    Completion,
    Condition,
    Finish,
    Part,
    Reasoning,
    Reply,
    Text,
    ToolCall,
    Usage,
)

THOUGHT, TEXT = Reasoning(("Hm", "m")), Text(("It ", "is."))
CALL = ToolCall("cd" * 16, "weather", ('{"city"', ':"Ulm"}'))
EVENT: TypeAdapter[Any] = TypeAdapter(InteractionSSEEvent)


def ask(body: JSON = None, method: str = "POST", path: str = "") -> Call:
    return read(DIALECT, f"/v1beta/interactions{path}", body, method)


def body(**more: JSON) -> JSON:
    return {"model": "gemini-2.5-flash", "input": "hi", **more}


def completed(*parts: Part, finish: Finish = Finish.STOP) -> Completion:
    return asking.completed(*parts, model="gemini-2.5-flash", finish=finish, usage=Usage(9, 7, 0, 2))


def written(asked: JSON, *parts: Part, finish: Finish = Finish.STOP) -> Any:
    reply = DIALECT.write(completed(*parts, finish=finish), ask(asked))
    if isinstance(reply.body, bytes):
        Interaction.model_validate_json(reply.body)
        return json.loads(reply.body)
    reply = Reply(reply.status, reply.headers, frames(reply))
    assert joined(reply).endswith(b"\n\nevent: done\ndata: [DONE]\n\n")
    found = events(reply)
    for event in found:
        assert type(EVENT.validate_python(event)).__name__ != "UnknownInteractionSSEEvent"
    return found


def test_a_whole_interaction() -> None:
    found = written(body(), THOUGHT, TEXT)
    assert list(found) == [
        "id", "status", "usage", "created", "updated", "service_tier", "steps", "object", "model",
    ]  # fmt: skip
    assert (found["status"], found["object"], found["model"]) == ("completed", "interaction", "gemini-2.5-flash")
    assert (len(found["id"]), found["id"][:6]) == (70, "v1_Chd")
    assert found["usage"] == {
        "total_tokens": 16,
        "total_input_tokens": 9,
        "input_tokens_by_modality": [{"modality": "text", "tokens": 9}],
        "total_cached_tokens": 0,
        "total_output_tokens": 5,
        "total_tool_use_tokens": 0,
        "total_thought_tokens": 2,
    }
    assert found["steps"][0].keys() == {"signature", "type"}
    assert found["steps"][1] == {"content": [{"text": "It is.", "type": "text"}], "type": "model_output"}


def test_summaries_where_asked_for() -> None:
    asked = body(generation_config={"thinking_summaries": "auto"})
    assert written(asked, THOUGHT, TEXT)["steps"][0]["summary"] == [{"text": "Hmm", "type": "text"}]
    deltas = [event["delta"]["type"] for event in written({**asked, "stream": True}, THOUGHT, TEXT) if "delta" in event]
    assert deltas == ["thought_summary", "thought_signature", "text", "text"]


def test_events_in_order() -> None:
    found = written(body(stream=True), THOUGHT, TEXT)
    assert [event["event_type"] for event in found] == [
        "interaction.created", "interaction.status_update",
        "step.start", "step.delta", "step.stop",
        "step.start", "step.delta", "step.delta", "step.stop",
        "interaction.completed",
    ]  # fmt: skip
    assert "steps" not in found[-1]["interaction"]
    assert found[-1]["interaction"]["usage"]["total_tokens"] == 16


def test_calls_wait_for_their_results() -> None:
    found = written(body(), CALL, finish=Finish.TOOL_CALLS)
    step = found["steps"][0]
    assert (found["status"], len(step["id"])) == ("requires_action", 8)
    assert step["arguments"] == {"city": "Ulm"}
    events = written(body(stream=True), CALL, finish=Finish.TOOL_CALLS)
    assert events[3]["delta"] == {"arguments": '{"city":"Ulm"}', "type": "arguments_delta"}


@pytest.mark.parametrize(
    ("finish", "status"), [(Finish.LENGTH, "incomplete"), (Finish.CONTENT_FILTER, "failed"), (Finish.STOP, "completed")]
)
def test_status(finish: Finish, status: str) -> None:
    assert written(body(), TEXT, finish=finish)["status"] == status


PNG = {"type": "image", "data": "", "mime_type": "image/png"}


@pytest.mark.parametrize(
    ("given", "turns"),
    [
        ("hi", [("user", "hi")]),
        ([{"type": "text", "text": "hi"}, PNG], [("user", "hi")]),
        (
            [{"role": "user", "content": "a"}, {"role": "model", "content": [{"text": "b"}]}],
            [("user", "a"), ("assistant", "b")],
        ),
        ([{"type": "user_input", "content": [{"type": "text", "text": "a"}]}], [("user", "a")]),
        (
            [
                {"type": "function_call", "name": "t", "arguments": {}, "id": "1"},
                {"type": "function_result", "call_id": "1", "name": "t", "result": "rain"},
            ],
            [("assistant", ""), ("tool", '{"result":"rain"}')],
        ),
    ],
)
def test_inputs(given: JSON, turns: list[tuple[str, str]]) -> None:
    assert [(turn.role, turn.text) for turn in DIALECT.ask(ask(body(input=given))).turns] == turns


def test_what_is_asked() -> None:
    tool = {"type": "function", "name": "weather", "description": "w", "parameters": {"type": "object"}}
    config = {"max_output_tokens": 9, "stop_sequences": ["x"], "thinking_level": "low", "tool_choice": "any"}
    found = DIALECT.ask(
        ask(body(system_instruction="Be brief", tools=[tool, {"type": "google_search"}], generation_config=config))
    )
    assert found.turns[0] == Turn("system", "Be brief")
    assert found.tools == (Tool("weather", "w", {"type": "object"}),)
    assert (found.max_tokens, found.stop, found.tool_choice) == (9, ("x",), "required")
    assert found.thinking == Thinking("low")
    one = DIALECT.ask(ask(body(generation_config={"tool_choice": {"allowed_tools": {"mode": "any", "tools": ["a"]}}})))
    assert one.tool_choice == "a"


@pytest.mark.parametrize(
    ("more", "schema"),
    [
        ({}, None),
        ({"response_format": {"type": "object"}}, {"type": "object"}),
        ({"response_format": [{"type": "text", "mime_type": "application/json", "schema": {"a": 1}}]}, {"a": 1}),
        ({"response_format": {"type": "text", "mime_type": "text/plain"}}, None),
        ({"response_mime_type": "application/json"}, {}),
    ],
)
def test_structured_output(more: dict[str, JSON], schema: JSON) -> None:
    assert DIALECT.ask(ask(body(**more))).schema == schema


def test_pictures_are_counted() -> None:
    found = written(body(input=[{"type": "text", "text": "hi"}, PNG]), TEXT)
    assert {"modality": "image", "tokens": 258} in found["usage"]["input_tokens_by_modality"]


def answer(at: Desk, call: Call) -> Any:
    assert DIALECT.check(call) is None
    return json.loads(data(DIALECT.respond(call, at)))


def test_what_a_session_keeps() -> None:
    at = desk()
    asked = ask(body())
    DIALECT.retain(asked, completed(TEXT), at.shelf)
    made = written(body(), TEXT)
    path = f"/{made['id']}"
    assert answer(at, ask(method="GET", path=path)) == made
    later = DIALECT.recall(ask(body(input="more", previous_interaction_id=made["id"])), at.shelf)
    assert isinstance(later, Call)
    assert [(turn.role, turn.text) for turn in DIALECT.ask(later).turns] == [
        ("user", "hi"),
        ("assistant", "It is."),
        ("user", "more"),
    ]
    assert answer(at, ask(method="POST", path=f"{path}/cancel"))["error"]["code"] == 400
    assert answer(at, ask(method="DELETE", path=path)) == {}
    assert answer(at, ask(method="GET", path=path))["error"]["code"] == 404
    assert isinstance(DIALECT.recall(ask(body(previous_interaction_id=made["id"])), at.shelf), Condition)
    DIALECT.retain(ask(body(store=False)), completed(TEXT), at.shelf)
    assert at.shelf.all("gemini.interactions") == ()


def test_in_the_background() -> None:
    at = desk()
    asked = body(background=True, agent="deep-research-pro-preview-12-2025", model=None)
    begun = written(asked, TEXT)
    assert list(begun) == ["id", "status", "created", "updated", "object", "agent"]
    DIALECT.retain(ask(asked), completed(TEXT), at.shelf)
    look = ask(method="GET", path=f"/{begun['id']}")
    assert [answer(at, look)["status"] for _ in range(2)] == ["in_progress", "completed"]
    DIALECT.retain(ask(asked), completed(TEXT), at.shelf)
    assert answer(at, ask(method="POST", path=f"/{begun['id']}/cancel"))["status"] == "cancelled"
    assert answer(at, look)["status"] == "cancelled"


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({}, "The required parameter 'input' is missing."),
        ({"input": "hi"}, "Either 'model' or 'agent' must be specified."),
        ({"input": 1}, "Invalid value at 'input': it should be string or array or object."),
    ],
)
def test_faults(asked: JSON, message: str) -> None:
    found = DIALECT.check(ask(asked))
    assert found
    assert (found.status, found.message) == (400, message)


def test_other_methods() -> None:
    found = DIALECT.check(ask(method="PUT"))
    assert found
    assert found.status == 404


def _recorded(shared: Path) -> Iterator[Any]:
    for path in sorted((shared / "traffic" / "dev").glob("*.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            yield from (record for record in map(json.loads, lines) if record["endpoint"].endswith("/interactions"))


def _paths(value: JSON, at: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield f"{at}.{name}"
            yield from _paths(item, f"{at}.{name}")
    if isinstance(value, list):
        for item in value:
            yield from _paths(item, f"{at}[]")


def _events(text: str) -> list[Any]:
    return [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: {")] or [json.loads(text)]


def _kinds(events: list[Any]) -> list[str]:
    kinds = [event.get("event_type", "") for event in events]
    return [kind for kind in kinds if kind != "step.delta"]


@pytest.mark.shared
def test_shapes_are_the_recorded_ones(shared: Path) -> None:
    seen = 0
    for record in _recorded(shared):
        asked = record["request_body"]
        assert DIALECT.check(ask(asked)) is None
        finish = Finish.LENGTH if '"incomplete"' in record["response_body"] else Finish.STOP
        found = written(asked, THOUGHT, TEXT, finish=finish)
        events = found if isinstance(found, list) else [found]
        recorded = _events(record["response_body"])
        assert _kinds(events) == _kinds(recorded), record["source"]
        mine, theirs = ({path for event in side for path in _paths(event)} for side in (events, recorded))
        assert mine - theirs == set(), record["source"]
        assert {path for path in theirs - mine if not path.startswith(".metadata")} == set(), record["source"]
        seen += 1
    assert seen == 8
