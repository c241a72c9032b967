"""The engine: equal calls get equal bytes, at any time and in any order; repeats meet the profile's quantiles."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import blake2b

import pytest

from llm_simulator import tokens
from llm_simulator.dialects.base import Ask, Desk, Plain, Turn
from llm_simulator.profiles import pick
from llm_simulator.profiles.distributions import Constant
from llm_simulator.profiles.profile import Profile, Writes
from llm_simulator.simulator import engine as module
from llm_simulator.simulator.draws import FIRST
from llm_simulator.simulator.engine import CREATED_BASE, CREATED_SPAN, Draw, Engine, Simulated
from llm_simulator.types import (
    Call,
    Chunk,
    Completion,
    Condition,
    Frame,
    RawRequest,
    Reply,
    Source,
    Text,
    Usage,
)

CLOCKWORK = Profile("clockwork", ("*",), Constant(0.5), Constant(0.01), Writes(), Constant(20))


@dataclass
class Spelled(Plain):
    """A dialect that spells a completion as one JSON body, or as one line per token; counts how often it is asked."""

    name: str = "plain"
    provider: str = "openai"
    api_version: str = "1"
    features: frozenset[str] = frozenset({"chat"})
    simulates: frozenset[str] = frozenset({"chat", "models.list"})
    generates: frozenset[str] = frozenset({"chat"})
    written: list[str] = field(default_factory=lambda: [])

    def read(self, raw: RawRequest, provider: str) -> Call | None:
        return None

    def check(self, call: Call) -> Condition | None:
        return None

    def ask(self, call: Call) -> Ask:
        return Ask(
            (Turn("user", call.body["text"]),),
            tokens.count(call.body["text"], call.model),
            max_tokens=call.body.get("max_tokens"),
            choices=call.body.get("n", 1),
            warnings=("max_tokens: 0 accepted",) if call.body.get("max_tokens") == 0 else (),
        )

    def write(self, completion: Completion, call: Call) -> Reply:
        self.written.append(completion.id)
        kind = (("content-type", "text/plain"),)
        if call.stream:
            return Reply(200, kind, self._frames(completion))
        texts = ["".join(tokens_of(completion, place)) for place in range(len(completion.choices))]
        body = {"id": completion.id, "created": completion.created, "model": completion.model, "texts": texts}
        return Reply(200, kind, json.dumps(body).encode())

    @staticmethod
    def _frames(completion: Completion) -> Iterator[Frame]:
        token = 0
        for place in range(len(completion.choices)):
            for piece in tokens_of(completion, place):
                yield Frame(token, json.dumps(piece).encode() + b"\n")
                token += 1
        yield Frame(max(token - 1, 0), b"end\n")

    def respond(self, call: Call, desk: Desk) -> Reply:
        if call.stream:
            return Reply(200, (), iter((Frame(0, desk.seed), Frame(0, b"!"))))
        return Reply(200, (("content-length", "16"),), desk.seed)

    def refuse(self, condition: Condition, call: Call) -> Reply:
        return Reply(condition.status, (), condition.message.encode())


def tokens_of(completion: Completion, place: int) -> tuple[str, ...]:
    (part,) = completion.choices[place].parts
    assert isinstance(part, Text)
    return part.tokens


def call_of(text: str = "Hello!", stream: bool = False, model: str = "gpt-4o", /, **more: int) -> tuple[Call, bytes]:
    body = {"text": text, "model": model, "stream": stream, **more}
    data = json.dumps(body).encode()
    raw = RawRequest("POST", "/v1/chat/completions", body=data)
    call = Call("openai", "openai.chat", "chat", raw, model=model, stream=stream, body=body)
    return call, blake2b(data, digest_size=16).digest()


def sent(made: Simulated) -> list[Chunk]:
    assert isinstance(made.answer.chunks, Iterable)
    return list(made.answer.chunks)


def simulate(
    engine: Engine, text: str = "Hello!", draw: Draw = FIRST, *, stream: bool = False, **more: int
) -> Simulated:
    call, identity = call_of(text, stream, **more)
    return engine.simulate(call, Spelled(), identity, draw)


def test_a_whole_answer() -> None:
    made = simulate(Engine(1))
    (chunk,) = sent(made)
    body = json.loads(chunk.data)
    assert made.answer.status == 200
    assert made.answer.source is Source.SIMULATOR
    assert made.answer.headers == (("content-type", "text/plain"), ("content-length", str(len(chunk.data))))
    assert made.usage == Usage(2, tokens.count(body["texts"][0], "gpt-4o"))
    assert chunk.due == made.total > made.ttft > 0
    assert made.profile == "openai/gpt-4o"
    assert body["model"] == "gpt-4o"
    assert len(body["id"]) == 32
    assert CREATED_BASE <= body["created"] < CREATED_BASE + CREATED_SPAN


def test_a_stream_says_the_usage_it_has() -> None:
    made = simulate(Engine(1), stream=True)
    chunks = sent(made)
    assert made.usage is not None
    text = "".join(json.loads(chunk.data) for chunk in chunks[:-1])
    assert tokens.count(text, "gpt-4o") == made.usage.completion
    assert made.answer.headers == (("content-type", "text/plain"),)
    dues = [chunk.due for chunk in chunks]
    assert dues == sorted(dues)
    assert (dues[0], dues[-1]) == (made.ttft, made.total)


@pytest.mark.parametrize("stream", [False, True])
def test_equal_calls_get_equal_answers_from_any_engine(stream: bool) -> None:
    one, other = Engine(1), Engine(1)
    simulate(other, "Something else", stream=stream)
    first = sent(simulate(one, stream=stream))
    again = [sent(simulate(one, stream=stream)) for _ in range(4)]
    assert again == [first] * 4
    assert sent(simulate(other, stream=stream)) == first


@pytest.mark.parametrize("stream", [False, True])
def test_order_and_occurrence_do_not_change_what_is_said(stream: bool) -> None:
    jobs = [(f"call {n}", Draw(0, k)) for n in range(20) for k in range(3)]
    shuffled = random.Random(3).sample(jobs, len(jobs))
    one, other = Engine(4), Engine(4)
    straight = {job: sent(simulate(one, *job, stream=stream)) for job in jobs}
    assert {job: sent(simulate(other, *job, stream=stream)) for job in shuffled} == straight
    for n in range(20):
        spoken = [[chunk.data for chunk in straight[f"call {n}", Draw(0, k)]] for k in range(3)]
        assert spoken[0] == spoken[1] == spoken[2]
        assert len({straight[f"call {n}", Draw(0, k)][-1].due for k in range(3)}) == 3


def test_seed_scenario_and_call_change_what_is_said() -> None:
    bodies = [
        sent(simulate(engine, text))[0].data
        for engine in (Engine(1), Engine(2), Engine(1, "slow"))
        for text in ("Hello!", "Bye!")
    ]
    assert len(set(bodies)) == 6


def test_attempt_and_occurrence_change_when_it_is_said() -> None:
    engine = Engine(1)
    times = [simulate(engine, draw=draw).ttft for draw in (Draw(), Draw(1), Draw(0, 1), Draw(1, 1))]
    assert len(set(times)) == 4


def test_a_stream_and_a_whole_answer_of_one_identity_take_as_long() -> None:
    whole, identity = call_of()
    streamed, _ = call_of("Hello!", True)
    engine, dialect = Engine(1), Spelled()
    one = engine.simulate(whole, dialect, identity, Draw(0, 2))
    other = engine.simulate(streamed, dialect, identity, Draw(0, 2))
    assert (one.ttft, one.total) == (other.ttft, other.total)
    assert one.completion == other.completion


def test_a_profile_may_be_given() -> None:
    call, identity = call_of("Hello!", True, max_tokens=11)
    made = Engine(1).simulate(call, Spelled(), identity, profile=CLOCKWORK)
    assert (made.profile, made.ttft) == ("clockwork", 0.5)
    assert made.total == pytest.approx(0.6)
    assert len(sent(made)) == 12


def test_choices_arrive_side_by_side() -> None:
    call, identity = call_of("Hello!", True, max_tokens=10, n=4)
    made = Engine(1).simulate(call, Spelled(), identity, profile=CLOCKWORK)
    assert made.usage is not None
    assert made.usage.completion == 40
    assert made.total == sent(made)[-1].due < 0.5 + 0.01 * 10 + 1e-9


def test_no_tokens_is_an_answer() -> None:
    for stream in (False, True):
        made = simulate(Engine(1), stream=stream, max_tokens=0)
        assert made.usage == Usage(2, 0)
        assert made.warnings == ("max_tokens: 0 accepted",)
        assert made.ttft == made.total
        assert [chunk.due for chunk in sent(made)] == [made.ttft]


def test_repeats_meet_the_quantiles_of_the_profile() -> None:
    engine = Engine(9)
    profile = pick("openai", "gpt-4o")
    assert profile.rate is not None
    made = [simulate(engine, draw=Draw(0, k)) for k in range(1000)]
    assert made[0].usage is not None
    count = made[0].usage.completion
    firsts = sorted(one.ttft for one in made)
    rates = sorted((one.total - one.ttft) / (count - 1) for one in made)
    for rank in (0.5, 0.9, 0.95, 0.99):
        place = round(rank * 1000)
        assert firsts[place] == pytest.approx(profile.ttft.quantile(rank), rel=0.03)
        assert rates[place] == pytest.approx(profile.rate.quantile(rank), rel=0.03)


def test_distinct_calls_scatter() -> None:
    engine = Engine(9)
    ranks = sorted(simulate(engine, f"call {n}", max_tokens=1).ttft for n in range(300))
    assert len(set(ranks)) == 300
    profile = pick("openai", "gpt-4o")
    assert ranks[150] == pytest.approx(profile.ttft.quantile(0.5), rel=0.15)


def test_created_counts_from_a_base_that_can_be_given() -> None:
    call, identity = call_of()
    one = Engine(1).complete(call, Spelled(), identity)
    other = Engine(1, created_base=0).complete(call, Spelled(), identity)
    assert one.created - other.created == CREATED_BASE
    assert (one.id, one.choices, one.fingerprint) == (other.id, other.choices, other.fingerprint)
    assert len(one.fingerprint) == 10


def test_operations_that_generate_nothing_come_as_a_whole() -> None:
    for stream in (False, True):
        call = Call("openai", "models", "models.list", RawRequest("GET", "/v1/models"), stream=stream)
        made = Engine(1).simulate(call, Spelled(), b"identity")
        assert (made.usage, made.completion, made.profile) == (None, None, "openai/objects-read")
        assert 0.05 < made.ttft == made.total < 0.5
        assert [chunk.due for chunk in sent(made)] == [made.total] * (2 if stream else 1)
        assert made.answer.headers == (() if stream else (("content-length", "16"),))


def test_a_repeated_call_is_prepared_once() -> None:
    engine, dialect = Engine(1), Spelled()
    for stream, writes in ((False, 1), (True, 2)):  # a stream is spelled again once, then shared
        call, identity = call_of("Hello!", stream)
        dialect.written.clear()
        answers = [sent(engine.simulate(call, dialect, identity)) for _ in range(5)]
        assert len(dialect.written) == writes
        assert answers == [answers[0]] * 5


def test_streams_that_share_frames_run_at_their_own_pace() -> None:
    engine, dialect = Engine(1), Spelled()
    call, identity = call_of("Hello!", True)
    whole = [chunk.data for chunk in sent(engine.simulate(call, dialect, identity))]
    one, other = (iter(sent_lazily(engine.simulate(call, dialect, identity))) for _ in range(2))
    ahead = [next(one).data for _ in range(5)]
    assert [chunk.data for chunk in other] == whole
    assert ahead + [chunk.data for chunk in one] == whole


def sent_lazily(made: Simulated) -> Iterator[Chunk]:
    assert isinstance(made.answer.chunks, Iterator)
    return made.answer.chunks


def test_bodies_that_differ_where_the_key_does_not_are_not_mixed_up() -> None:
    engine = Engine(1)
    plain, identity = call_of()
    other, _ = call_of("Hello!", False, "gpt-4o-mini")
    assert json.loads(sent(engine.simulate(plain, Spelled(), identity))[0].data)["model"] == "gpt-4o"
    assert json.loads(sent(engine.simulate(other, Spelled(), identity))[0].data)["model"] == "gpt-4o-mini"


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT_CALLS", 3)
    engine, dialect = Engine(1), Spelled()
    for turn in range(2):
        for n in range(5):
            call, identity = call_of(f"call {n}")
            engine.simulate(call, dialect, identity)
        assert len(dialect.written) == 5 * (turn + 1)
    call, identity = call_of("call 4")
    engine.simulate(call, dialect, identity)
    assert len(dialect.written) == 10


def test_a_large_request_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT_BYTES", 32_000)
    engine, dialect = Engine(1), Spelled()
    for _ in range(2):
        call, identity = call_of("x" * 3000)
        engine.simulate(call, dialect, identity)
    assert len(dialect.written) == 2


def test_a_long_stream_is_spelled_for_each_client(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SHARED_TOKENS", 5)
    engine, dialect = Engine(1), Spelled()
    call, identity = call_of("Hello!", True, max_tokens=6)
    answers = [sent(engine.simulate(call, dialect, identity)) for _ in range(4)]
    assert answers == [answers[0]] * 4
    assert len(dialect.written) == 4
