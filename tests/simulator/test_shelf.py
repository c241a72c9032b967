"""What a session leaves behind: kept in order, bounded per session and in all; and the calls that live on it."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b

import pytest

from llm_simulator.dialects.base import Ask, Desk, Plain, Shelf, Turn
from llm_simulator.errors import SimulatorError
from llm_simulator.simulator.engine import Draw, Engine, Place, Simulated, runs_nothing
from llm_simulator.simulator.shelf import MemoryShelf, ShelfFullError, Shelves
from llm_simulator.types import JSON, Call, Completion, Condition, RawRequest, Reply


def test_objects_stand_in_order_of_creation() -> None:
    shelf = MemoryShelf()
    for identity, value in (("b", 1), ("a", 2), ("b", 3)):
        shelf.put("file", identity, value)
    assert shelf.all("file") == (("b", 3), ("a", 2))
    assert (shelf.get("file", "b"), shelf.get("batch", "b"), shelf.all("batch")) == (3, None, ())
    assert [shelf.remove("file", "b") for _ in range(2)] == [True, False]
    assert shelf.all("file") == (("a", 2),)


def nested(depth: int) -> JSON:
    value: JSON = {}
    for _ in range(depth):
        value = {"in": value}
    return value


@pytest.mark.parametrize(
    "value", [b"x" * 900, "x" * 900, {"data": ["x" * 400, b"y" * 500]}, {"x" * 900: 1}, nested(5000)]
)
def test_a_session_keeps_no_more_than_it_may(value: JSON) -> None:
    shelf = MemoryShelf(limit=1000)
    shelf.put("file", "small", "x")
    kept = shelf.bytes
    with pytest.raises(ShelfFullError, match=r"file large of \d+ bytes would be more than the 1000 allowed"):
        shelf.put("file", "large", value)
    assert (shelf.get("file", "small"), shelf.get("file", "large"), shelf.bytes) == ("x", None, kept)


def test_replacing_an_object_counts_its_size_once() -> None:
    shelf = MemoryShelf(limit=1000)
    for _ in range(10):
        shelf.put("file", "same", b"x" * 800)
    assert shelf.bytes < 1000


def test_sessions_do_not_see_each_other_and_the_least_used_go_first() -> None:
    shelves = Shelves(sessions=3)
    for name in "abc":
        shelves.of(name).put("file", "f", name)
    assert shelves.of("a").get("file", "f") == "a"
    shelves.of("d")
    assert shelves.of("a").get("file", "f") == "a"
    assert shelves.of("b").get("file", "f") is None  # it was used longest ago, and is new now


def test_sessions_that_keep_too_much_together_go() -> None:
    shelves = Shelves(total=1000)
    for name in "abc":
        shelves.of(name).put("file", "f", b"x" * 600)
    assert [shelves.of(name).get("file", "f") is not None for name in "ab"] == [False, False]
    assert shelves.of("c").get("file", "f") is not None


class Threads(Plain):
    """A dialect of conversations: `say` refers to the one before, `open` makes an object."""

    name = "threads"
    provider = "openai"
    api_version = "1"
    features: frozenset[str] = frozenset()
    simulates = frozenset({"say", "open", "count"})
    generates = frozenset({"say"})
    stateful = frozenset({"say", "open", "count"})

    def read(self, raw: RawRequest, provider: str) -> Call | None:
        return None

    def check(self, call: Call) -> Condition | None:
        return None

    def ask(self, call: Call) -> Ask:
        return Ask((Turn("user", call.body["text"]),), len(call.body["text"]), max_tokens=3)

    def write(self, completion: Completion, call: Call) -> Reply:
        return Reply(200, (), f"{completion.id} {completion.usage.prompt}".encode())

    def recall(self, call: Call, shelf: Shelf) -> Call | Condition:
        before = call.body.get("before")
        if before is None:
            return call
        text = shelf.get("said", before)
        if text is None:
            return Condition("previous_not_found", 404, f"{before} is not there")
        return Call(call.provider, call.family, "say", call.raw, call.model, body={"text": text + call.body["text"]})

    def retain(self, call: Call, completion: Completion, shelf: Shelf) -> None:
        shelf.put("said", completion.id, call.body["text"])

    def respond(self, call: Call, desk: Desk) -> Reply:
        if call.operation == "open":
            desk.shelf.put("thread", desk.seed.hex(), True)
            return Reply(200, (), desk.seed.hex().encode())
        return Reply(200, (), str(len(desk.shelf.all("thread"))).encode())

    def refuse(self, condition: Condition, call: Call) -> Reply:
        return Reply(condition.status, (), condition.message.encode())


Asking = Callable[..., Simulated]


@pytest.fixture
def simulate() -> Asking:
    engine, place = Engine(1), Place(MemoryShelf(), runs_nothing)

    def simulated(operation: str, occurrence: int = 0, **body: JSON) -> Simulated:
        raw = RawRequest("POST", f"/{operation}", body=repr(body).encode())
        call = Call("openai", "threads", operation, raw, model="gpt-4o", body=body)
        identity = blake2b(raw.body, digest_size=16).digest()
        return engine.simulate(call, Threads(), identity, Draw(0, occurrence), place=place)

    return simulated


def text(made: Simulated) -> str:
    chunks = made.answer.chunks
    assert isinstance(chunks, tuple)
    return b"".join(chunk.data for chunk in chunks).decode()


def test_a_call_that_refers_to_an_earlier_one_is_asked_with_it(simulate: Asking) -> None:
    first, prompt = text(simulate("say", text="Hello")).split()
    assert prompt == "5"
    assert text(simulate("say", text="again", before=first)).split()[1] == "10"
    assert text(simulate("say", text="Hello")).split()[0] == first  # equal calls get equal bytes


def test_what_is_not_there_is_refused(simulate: Asking) -> None:
    made = simulate("say", text="again", before="nothing")
    assert (made.answer.status, text(made)) == (404, "nothing is not there")


def test_equal_calls_make_several_objects_and_looking_is_not_kept(simulate: Asking) -> None:
    made = [text(simulate("open", occurrence)) for occurrence in range(3)]
    assert len(set(made)) == 3
    assert text(simulate("count")) == "3"
    simulate("open", 3)
    assert text(simulate("count")) == "4"


def test_without_a_server_there_are_no_inner_requests() -> None:
    with pytest.raises(SimulatorError, match="POST /v1/x: an inner request"):
        runs_nothing(RawRequest("POST", "/v1/x"))
