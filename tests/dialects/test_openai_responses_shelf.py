"""Stored responses: what is kept, referred to, looked at, cancelled and deleted; without an engine."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from desks import desk

from llm_simulator import dialects
from llm_simulator.dialects.base import Desk
from llm_simulator.dialects.openai_responses_shelf import KEPT
from llm_simulator.errors import SimulatorError
from llm_simulator.simulator.engine import Engine, Place, runs_nothing
from llm_simulator.simulator.shelf import MemoryShelf
from llm_simulator.types import JSON, Call, Choice, Completion, Condition, Finish, RawRequest, Text, ToolCall, Usage

HOST = "api.openai.com"
WEATHER = ToolCall("a" * 32, "weather", ('{"city":', '"Ulm"}'))


def asking(**fields: JSON) -> Call:
    body = {"model": "gpt-4o", "input": "Hello!", **fields}
    return dialects.read(RawRequest("POST", "/v1/responses", HOST, body=json.dumps(body).encode()))


def calling(method: str, path: str, query: str = "") -> Call:
    return dialects.read(RawRequest(method, f"/v1/responses/{path}", HOST, query=query))


def stored(call: Call, at: Desk, said: str = "Hi!", number: int = 1) -> str:
    """Keeps an answer to the call; its id."""
    identity = f"{number:032x}"
    choice = Choice((Text((said,)),), Finish.STOP)
    return kept(call, at, Completion(identity, 1_780_000_000, "gpt-4o", (choice,), Usage(9, 3)))


def kept(call: Call, at: Desk, completion: Completion) -> str:
    dialects.of(call).retain(call, completion, at.shelf)
    return at.shelf.all("response")[-1][0]


def answer(call: Call, at: Desk) -> tuple[int, JSON]:
    reply = dialects.of(call).respond(call, at)
    assert isinstance(reply.body, bytes)
    return reply.status, json.loads(reply.body)


def history(call: Call, at: Desk) -> list[JSON]:
    filled = dialects.of(call).recall(call, at.shelf)
    assert isinstance(filled, Call)
    items: list[JSON] = filled.body["input"]
    return items


def text_of(item: JSON) -> str:
    content = item["content"]
    return content if isinstance(content, str) else content[0]["text"]


def test_a_conversation_is_filled_in() -> None:
    at = desk()
    first = stored(asking(), at)
    second = stored(asking(input="And you?", previous_response_id=first), at, "Fine.", 2)
    items = history(asking(input="Good.", previous_response_id=second), at)
    said = [
        (item.get("role"), item["content"] if isinstance(item["content"], str) else item["content"][0]["text"])
        for item in items
    ]
    assert said == [
        ("user", "Hello!"),
        ("assistant", "Hi!"),
        ("user", "And you?"),
        ("assistant", "Fine."),
        ("user", "Good."),
    ]


def test_instructions_are_not_carried_over() -> None:
    at = desk()
    first = stored(asking(instructions="Be kind"), at)
    call = asking(previous_response_id=first)
    filled = dialects.of(call).recall(call, at.shelf)
    assert isinstance(filled, Call)
    assert "instructions" not in filled.body
    assert "previous_response_id" not in filled.body


def test_after_a_tools_result_the_prompt_counts_what_was_said_before() -> None:
    at = desk()
    asked = asking(tools=[{"type": "function", "name": "weather"}])
    choice = Choice((WEATHER,), Finish.TOOL_CALLS)
    first = kept(asked, at, Completion("1" * 32, 1_780_000_000, "gpt-4o", (choice,), Usage(9, 3)))
    output = as_stored(first, at)["output"][0]
    result = {"type": "function_call_output", "call_id": output["call_id"], "output": "sunny"}
    call = asking(input=[result], previous_response_id=first)
    filled = dialects.of(call).recall(call, at.shelf)
    assert isinstance(filled, Call)
    by_history = asking(input=[{"role": "user", "content": "Hello!"}, output, result])
    assert dialects.of(call).ask(filled).prompt_tokens == dialects.of(call).ask(by_history).prompt_tokens
    assert [turn.role for turn in dialects.of(call).ask(filled).turns] == ["user", "assistant", "tool"]


def as_stored(identity: str, at: Desk) -> JSON:
    return at.shelf.get("response", identity)["response"]


def test_an_item_is_named_instead_of_repeated() -> None:
    at = desk()
    first = stored(asking(), at)
    item = as_stored(first, at)["output"][0]
    items = history(asking(input=[{"type": "item_reference", "id": item["id"]}, {"role": "user", "content": "?"}]), at)
    assert items == [item, {"role": "user", "content": "?"}]
    call = asking(input=[{"type": "item_reference", "id": "msg_none"}])
    missing = dialects.of(call).recall(call, at.shelf)
    assert isinstance(missing, Condition)
    assert (missing.status, missing.message) == (404, "Item with id 'msg_none' not found.")


def test_an_unknown_previous_response_is_refused() -> None:
    call = asking(previous_response_id="resp_none")
    missing = dialects.of(call).recall(call, desk().shelf)
    assert isinstance(missing, Condition)
    assert (missing.status, missing.code, missing.param) == (
        400,
        "previous_response_not_found",
        "previous_response_id",
    )


@pytest.mark.parametrize(("fields", "there"), [({}, True), ({"store": True}, True), ({"store": False}, False)])
def test_what_is_stored(fields: dict[str, JSON], there: bool) -> None:
    at = desk()
    call = asking(**fields)
    dialects.of(call).retain(
        call, Completion("1" * 32, 1, "gpt-4o", (Choice((Text(("x",)),), Finish.STOP),), Usage(1, 1)), at.shelf
    )
    assert bool(at.shelf.all("response")) is there


def test_the_oldest_make_room() -> None:
    at = desk()
    for number in range(KEPT + 5):
        stored(asking(), at, number=number)
        stored(asking(), at, number=number)  # an equal call has an equal id, and takes no room
    held = [identity for identity, _ in at.shelf.all("response")]
    assert len(held) == KEPT
    assert stored(asking(), desk(), number=5) == held[0]


def test_every_session_stores_what_the_engine_made_once() -> None:
    engine, call = Engine(1), asking()
    dialect = dialects.of(call)
    places = [Place(MemoryShelf(), runs_nothing) for _ in range(2)]
    made = [engine.simulate(call, dialect, b"call", place=place) for place in (*places, *places)]
    assert made[0].completion is made[1].completion is made[3].completion
    stored_in = [place.shelf.all("response") for place in places]
    assert [len(held) for held in stored_in] == [1, 1]
    assert stored_in[0][0][0] == stored_in[1][0][0]
    other = replace(call, raw=replace(call.raw, body=call.raw.body.replace(b"}", b', "metadata": {"run": "2"}}')))
    engine.simulate(dialects.read(other.raw), dialect, b"call", place=places[0])  # what is not compared is repeated
    assert as_stored(stored_in[0][0][0], replace(desk(), shelf=places[0].shelf))["metadata"] == {"run": "2"}


def test_long_inputs_push_older_ones_out() -> None:
    at = replace(desk(), shelf=MemoryShelf(limit=100_000))
    for number in range(12):
        stored(asking(input="x" * 20_000), at, number=number)
    assert 1 <= len(at.shelf.all("response")) < 5
    with pytest.raises(SimulatorError):
        stored(asking(input="x" * 200_000), at, number=12)


def test_looked_at_deleted_gone() -> None:
    at = desk()
    identity = stored(asking(metadata={"a": "b"}), at)
    status, shown = answer(calling("GET", identity), at)
    assert (status, shown["id"], shown["metadata"]) == (200, identity, {"a": "b"})
    assert answer(calling("DELETE", identity), at) == (200, {"id": identity, "object": "response", "deleted": True})
    for call in (
        calling("GET", identity),
        calling("DELETE", identity),
        calling("POST", f"{identity}/cancel"),
        calling("GET", f"{identity}/input_items"),
        calling("GET", identity, "stream=true"),
    ):
        status, refused = answer(call, at)
        assert (status, refused["error"]["message"]) == (404, f"Response with id '{identity}' not found.")


def test_in_the_background() -> None:
    at = desk()
    identity = stored(asking(background=True), at)
    shown = [answer(calling("GET", identity), at)[1] for _ in range(3)]
    assert [(one["status"], len(one["output"])) for one in shown] == [
        ("in_progress", 0),
        ("completed", 1),
        ("completed", 1),
    ]
    assert answer(calling("POST", f"{identity}/cancel"), at)[1]["status"] == "completed"


def test_cancelled() -> None:
    at = desk()
    identity = stored(asking(background=True), at)
    status, cancelled = answer(calling("POST", f"{identity}/cancel"), at)
    assert (status, cancelled["status"], cancelled["output"]) == (200, "cancelled", [])
    assert answer(calling("GET", identity), at)[1]["status"] == "cancelled"
    synchronous = stored(asking(), at, number=2)
    status, refused = answer(calling("POST", f"{synchronous}/cancel"), at)
    assert (status, refused["error"]["message"]) == (400, "Cannot cancel a synchronous response.")


def test_streamed_again_from_where_it_broke_off() -> None:
    at = desk()
    call = asking(background=True, stream=True)
    completion = Completion("1" * 32, 1_780_000_000, "gpt-4o", (Choice((Text(("a", "b")),), Finish.STOP),), Usage(9, 3))
    first = dialects.of(call).write(completion, call)
    assert not isinstance(first.body, bytes)
    sent = [frame.data for frame in first.body]
    identity = kept(call, at, completion)
    for query, skipped in (("stream=true", 0), ("stream=true&starting_after=4", 5)):
        again = calling("GET", identity, query)
        reply = dialects.of(again).respond(again, at)
        assert not isinstance(reply.body, bytes)
        assert [frame.data for frame in reply.body] == sent[skipped:]


@pytest.mark.parametrize(
    ("fields", "lacks"), [({"stream": True}, "background=true"), ({"background": True}, "stream=true")]
)
def test_not_streamed_again(fields: dict[str, JSON], lacks: str) -> None:
    at = desk()
    identity = stored(asking(**fields), at)
    status, refused = answer(calling("GET", identity, "stream=true"), at)
    message = f"This response cannot be streamed because it was not created with {lacks}."
    assert (status, refused["error"]["message"], refused["error"]["param"]) == (400, message, "stream")


LIST = [{"role": "user", "content": f"number {n}"} for n in range(5)]


@pytest.mark.parametrize(
    ("query", "numbers", "more"),
    [
        ("", [4, 3, 2, 1, 0], False),
        ("order=asc", [0, 1, 2, 3, 4], False),
        ("order=asc&limit=2", [0, 1], True),
        ("limit=5", [4, 3, 2, 1, 0], False),
        ("limit=0", [4], True),
        ("limit=many", [4, 3, 2, 1, 0], False),
    ],
)
def test_input_items(query: str, numbers: list[int], more: bool) -> None:
    at = desk()
    identity = stored(asking(input=LIST), at)
    _, page = answer(calling("GET", f"{identity}/input_items", query), at)
    assert [item["content"][0]["text"] for item in page["data"]] == [f"number {n}" for n in numbers]
    assert (page["first_id"], page["last_id"]) == (page["data"][0]["id"], page["data"][-1]["id"])
    assert page["has_more"] is more


def test_pages_follow_each_other() -> None:
    at = desk()
    identity = stored(asking(input=LIST), at)
    seen: list[str] = []
    after, more = "", True
    while more:
        _, page = answer(calling("GET", f"{identity}/input_items", f"limit=2&after={after}"), at)
        seen += [item["content"][0]["text"] for item in page["data"]]
        after, more = page["last_id"], page["has_more"]
    assert seen == [f"number {n}" for n in (4, 3, 2, 1, 0)]


def test_input_items_of_every_kind_have_ids() -> None:
    at = desk()
    given = [
        {"role": "assistant", "content": "Hm"},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "1"},
        {"type": "reasoning", "id": "rs_1", "summary": []},
    ]
    identity = stored(asking(input=given), at)
    _, page = answer(calling("GET", f"{identity}/input_items", "order=asc"), at)
    prefixes = [item["id"].partition("_")[0] for item in page["data"]]
    assert prefixes == ["msg", "fc", "fco", "rs"]
    assert [item.get("status") for item in page["data"]] == ["completed", "completed", "completed", None]
    assert page["data"][0]["content"][0]["type"] == "output_text"


def test_tokens_and_compaction() -> None:
    at = desk()
    counting = dialects.read(replace(asking().raw, path="/v1/responses/input_tokens"))
    assert answer(counting, at) == (200, {"object": "response.input_tokens", "input_tokens": 9})
    compacting = dialects.read(replace(asking(input=LIST).raw, path="/v1/responses/compact"))
    _, made = answer(compacting, at)
    assert [item["type"] for item in made["output"]] == ["message"] * 5 + ["compaction"]
    assert made["object"] == "response.compaction"
    for path in ("input_tokens", "compact"):
        lost = dialects.read(replace(asking(previous_response_id="resp_0").raw, path=f"/v1/responses/{path}"))
        assert answer(lost, at)[0] == 400
