"""Simulated calls at work: the engine's answer with its load, its failures, its pings and what it says of itself."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from copy import copy
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from llm_simulator import dialects, tokens
from llm_simulator.config.settings import Label, Settings
from llm_simulator.proxy.answers import immediate, own_headers, with_headers
from llm_simulator.proxy.inflight import Loads
from llm_simulator.proxy.known import Asked, Known
from llm_simulator.proxy.labels import STATE
from llm_simulator.proxy.repeats import Repeats, note, spelled_times
from llm_simulator.proxy.saying import condition_of, own_profiles, profile_named, told, with_pings
from llm_simulator.simulator import decide as decisions
from llm_simulator.simulator.draws import Draw
from llm_simulator.simulator.shelf import Shelves
from llm_simulator.telemetry.journal import Entry
from llm_simulator.types import Answer, Call, Chunk, Condition, Headers, RawRequest, Reply, Source

if TYPE_CHECKING:
    from llm_simulator.dialects.pieces import Work
    from llm_simulator.profiles.profile import ErrorRate, Profile
    from llm_simulator.proxy.sockets import Dialogue
    from llm_simulator.simulator.engine import Engine, Place, Sayer, Simulated

log = logging.getLogger("llm_simulator.calls")

Inner = Callable[[RawRequest], tuple[Known, Condition | None]]
"""Reads a request that another one contains; with what is wrong with it."""


class Simulation:
    """The simulator of one configuration. Its variants share the engines; shelves are those of the server."""

    def __init__(self, settings: Settings, shelves: Shelves, inner: Inner) -> None:
        """
        Raises:
            ConfigError: a file of latency profiles is wrong.
        """
        self._settings = settings
        self._shelves = shelves
        self._inner = inner
        self._profiles = own_profiles(settings)
        self._profile: Profile | None = None  # of every answer; None: as provider and model have it
        self._engines: dict[str, Engine] = {}  # by scenario
        self._loads = Loads(settings.speed)
        self._repeats = Repeats()

    def variant(self, settings: Settings, profile: str, inner: Inner) -> Simulation:
        """One with another scenario, speed or validation; `profile` is the name of that of every answer ("": as before).

        Raises:
            ConfigError: there is no latency profile of that name.
        """
        other = copy(self)
        other.__dict__.pop("_engine", None)
        other._settings, other._inner = settings, inner
        other._profile = profile_named(profile, self._profiles) if profile else None
        other._loads = Loads(settings.speed)
        other._repeats = Repeats()
        return other

    @cached_property
    def _engine(self) -> Engine:
        from llm_simulator.simulator.engine import Engine  # with texts and profiles: a replay does not pay for them

        settings = self._settings
        if settings.scenario not in self._engines:
            self._engines[settings.scenario] = Engine(
                settings.seed,
                settings.scenario,
                style=settings.style,
                labelled=settings.label is Label.BODY,
                profiles=self._profiles,
                providers=settings.providers,
            )
        return self._engines[settings.scenario]

    async def answer(self, asked: Asked, entry: Entry, draw: Draw, say: Sayer | None = None) -> Answer:
        """The answer to a call; notes in `entry` what it is. `say` answers in the place of the generator."""
        entry.source = Source.SIMULATOR.value
        known = asked.known
        if say is None and (repeat := self._repeats.of(known)) is not None:
            return repeat.answer(draw, entry)
        made, lasting = await self._made(asked, draw, say)
        failure = self._engine.failure(made, known.varies or known.identity, draw) if say is None else None
        if failure is not None:
            return self._fail(failure, made, known.call, entry)
        made, ahead = self._loads.entered(made)
        if self._settings.speed:
            made = with_pings(made, known.call)
        note(entry, made, made.ttft, made.total)
        extra = self._told(made, known, ahead)
        if lasting and self._settings.speed == 0:
            said = made.answer.headers + self._headers(Source.SIMULATOR, *extra)
            self._repeats.keep(known, made, said, self._engine.lot(known.identity))
        times = spelled_times(made.ttft, made.total)
        if made.answer.status < 400:
            return with_headers(made.answer, self._headers(Source.SIMULATOR, *extra, *times))
        entry.source = Source.REFUSAL.value  # what it refers to is not there
        return replace(with_headers(made.answer, self._headers(Source.REFUSAL, *extra, *times)), source=Source.REFUSAL)

    async def _made(self, asked: Asked, draw: Draw, say: Sayer | None) -> tuple[Simulated, bool]:
        """The engine's answer, and whether every equal call gets the same."""
        known = asked.known
        call, dialect = known.call, known.dialect
        stateful = call.operation in dialect.stateful
        place = self._place(asked.session, asked.visit.base_url) if stateful else None
        await warm(known)
        work = self._engine.work(call, dialect, known.identity, draw, place)
        made = self._engine.simulate(
            call,
            dialect,
            known.identity,
            draw,
            profile=self._profile,
            at_once=self._settings.speed == 0,
            place=place,
            made=await in_turns(work) if work is not None else None,
            say=say,
            varies=known.varies,
        )
        if stateful and self._shelves.settle is not None:
            await self._shelves.settle()
        return made, say is None and work is None and not stateful

    def _told(self, made: Simulated, known: Known, ahead: str) -> Headers:
        """What it says of its profile, its counts, its state and its warnings."""
        call = known.call
        extra = list(told(made, call.provider))
        state = ", ".join(filter(None, ("session" if call.operation in known.dialect.stateful else "", ahead)))
        if state:
            extra.append((STATE, state))
        for warning in made.warnings:
            extra.append(("x-llm-simulator-warning", warning))
            log.warning("%s %s: %s", call.provider, call.model, warning)
        return tuple(extra)

    def _fail(self, failure: ErrorRate, made: Simulated, call: Call, entry: Entry) -> Answer:
        """A failure as often as the profile has it, when the answer would have begun."""
        entry.source, entry.profile = Source.FAULT.value, made.profile
        entry.virtual_ttft = entry.virtual_total = made.ttft
        entry.note = failure.condition or f"status {failure.status}"
        reply = dialects.of(call).refuse(condition_of(failure, call.provider), call)
        named = (("x-llm-simulator-profile", made.profile), *spelled_times(made.ttft, made.ttft))
        answer = immediate(reply, self._headers(Source.FAULT, *named), Source.FAULT)
        due = 0.0 if self._settings.speed == 0 else made.ttft
        assert not isinstance(answer.chunks, AsyncIterator)
        return replace(answer, chunks=tuple(Chunk(due, chunk.data) for chunk in answer.chunks), head_due=due)

    def talk(self, asked: Asked, entry: Entry, draw: Draw) -> Dialogue:
        """The conversation that a WebSocket handshake opens."""
        from llm_simulator.proxy.dialogues import Acted

        known = asked.known
        entry.source = Source.SIMULATOR.value
        place = self._place(asked.session, asked.visit.base_url)
        talk = self._engine.talk(known.call, known.dialect, known.identity, place)

        def simulate(call: Call, identity: bytes) -> Simulated:
            return self._engine.simulate(call, known.dialect, identity, draw, at_once=self._settings.speed == 0)

        return Acted(talk, simulate, entry, self._settings.speed)

    def _place(self, session: str, base_url: str) -> Place:
        from llm_simulator.simulator.engine import Place, runs_nothing

        shelf = self._shelves.of(session)
        inner = Place(shelf, runs_nothing, base_url)
        return Place(shelf, lambda raw: self._run(raw, inner), base_url)

    def _run(self, raw: RawRequest, place: Place) -> Reply:
        """Answers a request that another one contains, all at once."""
        known, problem = self._inner(raw)
        call, dialect = known.call, known.dialect
        problem = problem or (None if call.operation in dialect.simulates else decisions.NOT_SIMULATED)
        if problem is not None:
            return dialect.refuse(problem, call)
        answer = self._engine.simulate(call, dialect, known.identity, at_once=True, place=place).answer
        assert not isinstance(answer.chunks, AsyncIterator)  # what is simulated is known up front
        return Reply(answer.status, answer.headers, b"".join(chunk.data for chunk in answer.chunks))

    def _headers(self, source: Source, *more: tuple[str, str]) -> Headers:
        return own_headers(source, self._settings.scenario, *more)


async def warm(known: Known) -> None:
    """Loads what counting the call's tokens needs: the first time, and others are served meanwhile."""
    call, dialect = known.call, known.dialect
    counts = call.operation in dialect.generates or ("embeddings" in dialect.features and call.model != "")
    if counts and not tokens.loaded(call.model):
        await asyncio.to_thread(tokens.warm, call.model)


async def in_turns(work: Work) -> Reply:
    """What long work comes to: the loop sees to other clients between its pieces."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            made: Reply = end.value
            return made
        await asyncio.sleep(0)
