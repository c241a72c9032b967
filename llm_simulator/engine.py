"""The simulator without a server: a chat request as a dict in, the answer as a dict out. No socket, no file, no clock.

The answers are those of `llm-simulator serve --mode simulate` with the same seed and scenario, byte for byte.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from llm_simulator.cassettes.key import Matcher
from llm_simulator.config import library
from llm_simulator.config.load import from_mapping
from llm_simulator.config.settings import Label, Settings, Validation
from llm_simulator.dialects import conditions
from llm_simulator.dialects.sse import events
from llm_simulator.errors import ConfigError, RequestError, SimulatorError
from llm_simulator.profiles.file import load
from llm_simulator.proxy.known import Known
from llm_simulator.proxy.sessions import Occurrences
from llm_simulator.simulator.draws import Draw, Lot
from llm_simulator.simulator.engine import Engine, Simulated
from llm_simulator.simulator.rng import Checkpoint, DeterministicRng
from llm_simulator.types import JSON, Condition, RawRequest

if TYPE_CHECKING:
    from llm_simulator.simulator.providers import Providers

__all__ = ["Checkpoint", "DeterministicRng", "SimulationEngine", "Timed"]

_PATH = "/v1/chat/completions"
_HEADERS = (("content-type", "application/json"), ("authorization", "Bearer sk-in-process"))


class Timed(NamedTuple):
    """A chunk of a stream and the seconds between it and the one before (of the first: since the request)."""

    chunk: dict[str, JSON]
    delay: float


class _State(NamedTuple):
    """All that a configuration decides; replaced as a whole."""

    settings: Settings
    engine: Engine
    matcher: Matcher
    occurrences: Occurrences


class SimulationEngine:
    """Answers OpenAI chat requests. `config` is a `Settings`, or a mapping with the sections of a configuration file.

    Equal requests get equal answers; the latency of the second one differs from that of the first, as in life. One event
    loop or thread at a time.

    Raises:
        ConfigError: the configuration is wrong; the message lists every problem.
    """

    def __init__(self, config: Settings | Mapping[str, Any] | None = None) -> None:
        self._state: _State | None = _state(config)

    @property
    def settings(self) -> Settings:
        """What is in force now."""
        return self._running().settings

    def process_chat_completion(self, request: Mapping[str, JSON]) -> dict[str, JSON]:
        """The body of the answer to a request without `stream`, at once.

        Raises:
            RequestError: the request would be refused; `status`, `name` and `param` say how.
            SimulatorError: the engine is shut down.
        """
        made, _ = self._simulate({name: value for name, value in request.items() if (name, value) != ("stream", True)})
        answer: dict[str, JSON] = json.loads(b"".join(data for _, data in made))
        return answer

    async def process_chat_completion_stream(
        self, request: Mapping[str, JSON], *, paced: bool = False
    ) -> AsyncIterator[Timed]:
        """The chunks of the answer with their delays (seconds, not divided by `speed`).

        `paced`: each comes when it is due, waits divided by `speed` (0: none). Without it all come at once.

        Raises:
            RequestError: the request would be refused.
            SimulatorError: the engine is shut down.
        """
        made, speed = self._simulate({**request, "stream": True})
        loop = asyncio.get_running_loop()
        start, before = loop.time(), 0.0
        for due, data in made:
            if paced and speed:
                await asyncio.sleep(start + due / speed - loop.time())  # by absolute time: no drift
            for chunk in _chunks(data):
                yield Timed(chunk, due - before)
                before = due

    def reload_config(self, config: Settings | Mapping[str, Any] | None) -> None:
        """Takes another configuration; streams that are running end as they began.

        Raises:
            ConfigError: it is wrong. Then the one before stays in force.
            SimulatorError: the engine is shut down.
        """
        self._running()
        self._state = _state(config)

    def shutdown(self) -> None:
        """Lets go of everything. Streams that are running end as usual; further requests raise."""
        self._state = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.shutdown()

    def _running(self) -> _State:
        if self._state is None:
            raise SimulatorError("the engine is shut down; make a new SimulationEngine")
        return self._state

    def _simulate(self, request: dict[str, JSON]) -> tuple[Iterator[tuple[float, bytes]], float]:
        """(due, bytes) of each chunk, and the speed."""
        state = self._running()
        known = Known(RawRequest("POST", _PATH, headers=_HEADERS, body=_encoded(request)), state.matcher)
        strict = state.settings.validation is Validation.PROVIDER
        problem = known.objection() if strict else known.problem()
        providers = state.settings.providers
        hidden = providers.hidden if providers is not None and known.call.model else None
        problem = problem or known.stranger(state.settings.models, strict=strict, hidden=hidden)
        draw = Draw(0, state.occurrences.next("", known.identity, 0))
        if problem is None and providers is not None:
            problem = _failure(providers, state.settings, known, draw)
        if problem is not None:
            raise RequestError(problem.name, problem.message, status=problem.status, param=problem.param)
        made: Simulated = state.engine.simulate(known.call, known.dialect, known.identity, draw)
        chunks = made.answer.chunks
        if isinstance(chunks, AsyncIterator):
            raise SimulatorError("a simulated answer is known up front")
        return ((chunk.due, chunk.data) for chunk in chunks), state.settings.speed


def _state(config: Settings | Mapping[str, Any] | None) -> _State:
    settings = config if isinstance(config, Settings) else from_mapping(config or {})
    if settings.scenario != library.NONE:
        raise ConfigError(f"scenario is {settings.scenario!r}: scenarios are played by a server, not by this engine")
    if settings.speed < 0:
        raise ConfigError(f"speed is {settings.speed:g}; 0 (no waits) or above is allowed")
    labelled = settings.label is Label.BODY
    profiles = [profile for path in settings.profiles for profile in load(path)]
    _unbroken(settings.providers)
    engine = Engine(
        settings.seed,
        settings.scenario,
        style=settings.style,
        labelled=labelled,
        profiles=profiles,
        providers=settings.providers,
    )
    return _State(settings, engine, Matcher(settings.rules), Occurrences())


def _failure(providers: Providers, settings: Settings, known: Known, draw: Draw) -> Condition | None:
    """The error that the configuration has for this call."""
    call = known.call
    lot = Lot(settings.seed, settings.scenario, known.identity)
    fault = providers.failing(call.provider, call.model, lot, draw)
    if fault is None:
        return None
    from llm_simulator.simulator.faults import condition_of

    made = condition_of(fault, call)
    found = conditions.find(made.name, call.provider)
    return replace(made, message=made.message or (found.message if found is not None else ""))


def _unbroken(providers: Providers | None) -> None:
    """
    Raises:
        ConfigError: a connection is to be broken, and there is none.
    """
    if providers is None:
        return
    from llm_simulator.simulator import faults_broken

    for entry in providers.entries:
        for error in entry.errors:
            if faults_broken.find(error.fault.what) is not None:
                raise ConfigError(
                    f"errors: {error.fault.name} breaks a connection: that takes a server, not this engine"
                )


def _encoded(request: dict[str, JSON]) -> bytes:
    """As the SDKs send it."""
    try:
        text = json.dumps(request, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise RequestError("bad_json", f"the request cannot be written as JSON: {error}") from error
    return text.encode("utf-8", "surrogatepass")


def _chunks(data: bytes) -> Iterator[dict[str, JSON]]:
    for _, text in events(data.decode()):
        if text != "[DONE]":
            yield json.loads(text)
