"""The engine in a process: the server's answers, its refusals, and a configuration that is replaced as a whole."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from llm_simulator.cassettes.key import Matcher
from llm_simulator.config.settings import Settings
from llm_simulator.engine import Checkpoint, DeterministicRng, SimulationEngine, Timed
from llm_simulator.errors import ConfigError, RequestError, SimulatorError
from llm_simulator.proxy.known import Known
from llm_simulator.simulator.engine import Engine
from llm_simulator.types import RawRequest

ASKED = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 12}


def read(engine: SimulationEngine, request: dict[str, Any], *, paced: bool = False) -> list[Timed]:
    async def all_of() -> list[Timed]:
        return [timed async for timed in engine.process_chat_completion_stream(request, paced=paced)]

    return asyncio.run(all_of())


def served(seed: int, request: dict[str, Any]) -> bytes:
    """What the server's own path makes of a request, written with spaces and in another order."""
    body = json.dumps(dict(reversed(request.items()))).encode()
    known = Known(RawRequest("POST", "/v1/chat/completions", body=body), Matcher())
    chunks = Engine(seed).simulate(known.call, known.dialect, known.identity).answer.chunks
    return b"".join(chunk.data for chunk in chunks)  # type: ignore[union-attr]  # known up front


def test_an_answer_is_the_servers() -> None:
    assert SimulationEngine(Settings(seed=7)).process_chat_completion(ASKED) == json.loads(served(7, ASKED))


@pytest.mark.parametrize("stream", [True, False])
def test_a_stream_is_the_servers_whatever_the_request_says(stream: bool) -> None:
    events = served(7, {**ASKED, "stream": True}).decode().split("\n\n")
    expected = [json.loads(event.removeprefix("data: ")) for event in events[:-2]]
    assert [chunk for chunk, _ in read(SimulationEngine(Settings(seed=7)), {**ASKED, "stream": stream})] == expected


def test_a_plain_answer_whatever_the_request_says() -> None:
    engine = SimulationEngine()
    assert engine.process_chat_completion({**ASKED, "stream": True}) == engine.process_chat_completion(ASKED)


def test_delays_are_from_chunk_to_chunk() -> None:
    engine = SimulationEngine({"simulation": {"seed": 7}})
    delays = [delay for _, delay in read(engine, ASKED)]
    body = json.dumps({**ASKED, "stream": True}, separators=(",", ":")).encode()
    known = Known(RawRequest("POST", "/v1/chat/completions", body=body), Matcher())
    made = Engine(7).simulate(known.call, known.dialect, known.identity)
    assert delays[0] == made.ttft > 0
    assert sum(delays) == pytest.approx(made.total)
    assert min(delays) == 0


def test_a_paced_stream_waits_its_time() -> None:
    engine = SimulationEngine(Settings(speed=20.0))
    loop = asyncio.new_event_loop()
    try:
        start = loop.time()
        timed = loop.run_until_complete(_whole(engine))
        assert loop.time() - start >= sum(delay for _, delay in timed) / 20
    finally:
        loop.close()


async def _whole(engine: SimulationEngine) -> list[Timed]:
    return [timed async for timed in engine.process_chat_completion_stream(ASKED, paced=True)]


@pytest.mark.parametrize(
    ("request_body", "status", "name", "param"),
    [
        ({"model": "gpt-4o"}, 400, "missing_parameter", "messages"),
        ({"model": "gpt-4o", "messages": [{"role": "user", "content": {1, 2}}]}, 400, "bad_json", None),
    ],
)
def test_a_wrong_request_raises(request_body: dict[str, Any], status: int, name: str, param: str | None) -> None:
    with pytest.raises(RequestError) as caught:
        SimulationEngine().process_chat_completion(request_body)
    assert (caught.value.status, caught.value.name, caught.value.param) == (status, name, param)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"simulation": {"seed": -1, "speed": -1}}, r"(?s)config: simulation\.seed.*config: simulation\.speed"),
        ({"simulaton": {}}, r"config: simulaton: no such field"),
        (Settings(speed=-1.0), r"speed is -1; 0 \(no waits\) or above"),
        ({"cassettes": {"match": {"ignore": ["/(/"]}}}, r"match\.ignore"),
    ],
)
def test_a_wrong_configuration_changes_nothing(config: Any, said: str) -> None:
    engine = SimulationEngine({"simulation": {"seed": 3}})
    before = engine.process_chat_completion(ASKED)
    with pytest.raises(ConfigError, match=said):
        engine.reload_config(config)
    assert engine.settings.seed == 3
    assert engine.process_chat_completion(ASKED) == before


def test_a_running_stream_ends_as_it_began() -> None:
    engine = SimulationEngine(Settings(seed=1))
    whole = [chunk for chunk, _ in read(engine, ASKED)]

    async def interrupted() -> list[Any]:
        got: list[Any] = []
        async for chunk, _ in engine.process_chat_completion_stream(ASKED):
            got.append(chunk)
            if len(got) == 2:
                engine.reload_config(Settings(seed=2))
            if len(got) == 4:
                engine.shutdown()
        return got

    assert asyncio.run(interrupted()) == whole


def test_nothing_is_answered_after_the_end() -> None:
    with SimulationEngine() as engine:
        engine.process_chat_completion(ASKED)
    for use in (
        lambda: engine.process_chat_completion(ASKED),
        lambda: read(engine, ASKED),
        lambda: engine.reload_config(None),
        lambda: engine.settings,
    ):
        with pytest.raises(SimulatorError, match="shut down"):
            use()


def test_a_checkpoint_brings_draws_and_forks_to_another_generator() -> None:
    rng = DeterministicRng(5)
    rng.next_normal()
    other = DeterministicRng(6)
    other.restore(rng.checkpoint())
    assert [other.next_normal() for _ in range(3)] == [rng.next_normal() for _ in range(3)]
    assert other.fork("x").next_u64() == rng.fork("x").next_u64()


@pytest.mark.parametrize("state", [0, -1, 1 << 64])
def test_a_state_that_no_generator_has_is_refused(state: int) -> None:
    with pytest.raises(ValueError, match=f"state is {state}"):
        DeterministicRng(1).restore(Checkpoint(state, None, 1))
