"""Turns a call into an `Answer`: find, decide, perform. It opens no socket of its own; `Forwarding` does for it."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import AsyncIterator
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, assert_never

from llm_simulator import dialects, tokens
from llm_simulator.cassettes.cassette import Cassette, Found
from llm_simulator.cassettes.key import Matcher
from llm_simulator.config.settings import Label, Settings, Validation
from llm_simulator.dialects import conditions
from llm_simulator.dialects.base import Dialect
from llm_simulator.errors import RequestError, SimulatorError
from llm_simulator.proxy import convert
from llm_simulator.proxy.door import Visit
from llm_simulator.proxy.inflight import Loads
from llm_simulator.proxy.known import Asked, Known, RawHeaders, Reader
from llm_simulator.proxy.repeats import Repeats, spelled_times
from llm_simulator.proxy.replay import Replayed, replay
from llm_simulator.proxy.saying import condition_of, own_profiles, profile_named, told, with_pings
from llm_simulator.proxy.sessions import Occurrences
from llm_simulator.simulator import decide as decisions
from llm_simulator.simulator.draws import Draw
from llm_simulator.simulator.shelf import Shelves
from llm_simulator.telemetry.journal import Entry
from llm_simulator.types import Answer, Call, Chunk, Condition, Headers, Mode, RawRequest, Reply, Source, Usage, header

if TYPE_CHECKING:
    from llm_simulator.dialects.base import Shelf
    from llm_simulator.dialects.pieces import Work
    from llm_simulator.profiles.profile import ErrorRate, Profile
    from llm_simulator.proxy.forwarding import Forwarding
    from llm_simulator.proxy.guarding import Guard
    from llm_simulator.proxy.sockets import Dialogue
    from llm_simulator.proxy.state import State
    from llm_simulator.simulator.engine import Engine, Place, Sayer, Simulated

log = logging.getLogger("llm_simulator.calls")

PREPARED_BYTES = 16 << 20
"""Body bytes of prepared answers kept; the least recently used ones go first."""


@dataclass(frozen=True, slots=True)
class _Prepared:
    replayed: Replayed
    usage: Usage | None
    adapted: str


class Performer:
    """Answers calls for one server. What it holds is bounded: prepared answers by bytes, counters by number."""

    def __init__(
        self,
        settings: Settings,
        cassette: Cassette | None,
        forwarding: Forwarding | None,
        state: State | None = None,
    ) -> None:
        """`state`: where several workers count together."""
        self._settings = settings
        self._state = state
        self.guard: Guard | None = None  # who stands before upstreams and rules
        self._cassette = cassette
        self._forwarding = forwarding
        self._reader = Reader(Matcher(settings.rules))
        self._occurrences = Occurrences()
        self._shelves = Shelves()
        self._strict = settings.validation is Validation.PROVIDER
        self._profiles = own_profiles(settings)
        self._profile: Profile | None = None  # of every simulated answer; None: as provider and model have it
        self._engines: dict[str, Engine] = {}  # by scenario, shared with all variants
        self._loads = Loads(settings.speed)
        self._repeats = Repeats()
        self._recorded_models: set[str] = set()
        self._prepared: OrderedDict[tuple[int, str, bool], _Prepared] = OrderedDict()
        self._prepared_bytes = 0

    @cached_property
    def _engine(self) -> Engine:
        from llm_simulator.simulator.engine import Engine  # with texts and profiles: a replay does not pay for them

        settings = self._settings
        if settings.scenario not in self._engines:
            labelled = settings.label is Label.BODY
            self._engines[settings.scenario] = Engine(
                settings.seed,
                settings.scenario,
                style=settings.style,
                labelled=labelled,
                profiles=self._profiles,
                providers=settings.providers,
            )
        return self._engines[settings.scenario]

    def variant(self, settings: Settings, profile: str = "") -> Performer:
        """One with other settings (scenario, mode, speed, validation); sessions, counts and all that was read are the same.

        Raises:
            ConfigError: there is no latency profile of that name.
        """
        other = copy(self)
        other.__dict__.pop("_engine", None)
        other._settings = settings
        other._strict = settings.validation is Validation.PROVIDER
        other._profile = profile_named(profile, self._profiles) if profile else None
        other._loads = Loads(settings.speed)
        other._prepared, other._prepared_bytes = OrderedDict(), 0
        other._repeats = Repeats()
        if self._forwarding is not None:
            replaces = settings.mode is Mode.RECORD
            other._forwarding = self._forwarding.variant(replace=replaces, scenario=settings.scenario)
        return other

    def renewed(self, settings: Settings) -> Performer:
        """One of another configuration; sessions, counts and the cassette are the same, what was read is read anew.

        Raises:
            ConfigError: a file of latency profiles is wrong.
        """
        other = self.variant(settings)
        other._reader = Reader(Matcher(settings.rules))
        other._profiles = own_profiles(settings)
        other._engines = {}
        if other._forwarding is not None:
            other._forwarding = other._forwarding.renewed(settings.upstreams, settings.request_timeout_secs)
        return other

    def _stranger(self, known: Known) -> Condition | None:
        """The refusal of a model that is not there."""
        providers = self._settings.providers
        hidden = providers.hidden if providers is not None and providers.hides else None
        return known.stranger(self._settings.models, strict=self._strict, hidden=hidden)

    def unlisted(self, known: Known) -> Condition | None:
        """The refusal of a model that is switched off, whether or not a call to it was recorded."""
        providers, call = self._settings.providers, known.call
        if providers is None or not call.model or not providers.hidden(call.provider, call.model):
            return None
        return self._stranger(known)

    def occurrence(self, asked: Asked) -> int:
        """Which one of equal calls this is (k); it is counted, unless its sender says."""
        if asked.visit.occurrence is not None:
            return asked.visit.occurrence
        return self._occurrences.next(asked.session, asked.known.identity, asked.visit.attempt)

    async def counted(self, asked: Asked) -> int:
        """`occurrence`, counted by all workers together."""
        if self._state is None or asked.visit.occurrence is not None:
            return self.occurrence(asked)
        key = f"{asked.visit.attempt}:{asked.known.identity.hex()}:{asked.session}"
        before: int = await self._state.step("occurrences", key, None)
        return before

    async def _draw(self, asked: Asked) -> Draw:
        return Draw(asked.visit.attempt, await self.counted(asked))

    def shelf(self, session: str) -> Shelf:
        """What a session left behind."""
        return self._shelves.of(session)

    def sessions(self) -> set[str]:
        """Those that this process counts calls of, or keeps a shelf of."""
        played = self._cassette.sessions() if self._cassette is not None else ()
        return self._occurrences.sessions().union(self._shelves.sessions(), played)

    def end_sessions(self, sessions: frozenset[str]) -> None:
        """Keeps nothing of them any more."""
        self._occurrences.forget(sessions)
        self._shelves.forget(sessions)
        if self._cassette is not None:
            self._cassette.end_sessions(sessions)

    async def warm(self, known: Known) -> None:
        """Loads what counting the call's tokens needs: the first time, and others are served meanwhile."""
        if _counts_tokens(known.call, known.dialect) and not tokens.loaded(known.call.model):
            await asyncio.to_thread(tokens.warm, known.call.model)

    def read(self, method: str, target: str, headers: RawHeaders, body: bytes) -> Asked:
        """The request, with the call that it makes.

        Raises:
            RequestError: the target or one of our own headers is malformed.
        """
        return self._reader.read(method, target, headers, body)

    def unreadable(self, method: str) -> Asked:
        """What stands for a request that `read` refused."""
        return Asked(self._reader.known(RawRequest(method, "/")), Visit(), "")

    async def answer(self, asked: Asked, entry: Entry) -> Answer:
        """The answer to a call; notes in `entry` what it did.

        Raises:
            SimulatorError: anything that `refusal` turns into an answer.
        """
        found, adapted = await self._find(asked.known.call, asked.known.dialect, asked.session)
        return await self._perform(self._decide(asked.known, found), asked, entry, adapted=adapted)

    async def respond(self, asked: Asked, entry: Entry, say: Sayer) -> Answer:
        """What `say` has to say to a call that generates, in its provider's format and time."""
        known = asked.known
        problem = known.objection() if self._strict else known.problem()
        if problem is not None:
            return self.refuse(problem, known.call, entry)
        answer = await self._simulate(asked, entry, say)
        if entry.source != Source.SIMULATOR.value:
            return answer
        entry.source = Source.RESPONSE.value
        return relabel(answer, Source.RESPONSE)

    def fail(self, reply: Reply, why: str, entry: Entry) -> Answer:
        """A failure that a scenario asked for, at once."""
        entry.source, entry.note = Source.FAULT.value, why
        return _immediate(reply, self._headers(Source.FAULT), Source.FAULT)

    async def miss(self, asked: Asked, entry: Entry) -> Answer:
        """As if it were not recorded."""
        return await self._miss(asked.known.call, asked.session, entry)

    async def _perform(
        self, decision: decisions.Decision[Found], asked: Asked, entry: Entry, *, adapted: bool
    ) -> Answer:
        known = asked.known
        call = known.call
        match decision:
            case decisions.Replay(found=hit):
                self._retain(known, hit, asked.session)
                return self._replay(known, hit, adapted, entry)
            case decisions.Simulate():
                stranger = self._stranger(known)
                if stranger is not None and not await self._recorded(call):
                    return self.refuse(stranger, call, entry)
                return await self._simulate(asked, entry)
            case decisions.Refuse(condition=condition):
                return self.refuse(condition, call, entry)
            case decisions.Forward(record=record, compare=compare):
                if self._forwarding is None:
                    raise SimulatorError(f"mode {self._settings.mode.value} forwards, but nothing is set up to forward")
                recorded = None
                if compare is not None:
                    entry.exchange, recorded = compare.id, compare.exchange
                ask = partial(self._forwarding.forward, call, asked.visit, entry, record=record, recorded=recorded)
                breaker = self._settings.breaker
                if breaker is None or breaker.all or self.guard is None:
                    return await ask()
                return await self.guard.before_upstream(breaker.terms, asked, entry, ask)
            case decisions.Miss():
                return await self._miss(call, asked.session, entry)
            case _:
                assert_never(decision)

    def _decide(self, known: Known, found: Found | None) -> decisions.Decision[Found]:
        return decisions.decide(
            self._settings.mode,
            found=found,
            simulable=known.call.operation in known.dialect.simulates,
            problem=known.objection if self._strict else known.problem,
        )

    async def converse(self, asked: Asked, entry: Entry) -> Answer | Dialogue:
        """What answers a WebSocket handshake: a conversation, or the answer that declines it.

        Raises:
            SimulatorError: anything that `refusal` turns into an answer.
        """
        call, dialect = asked.known.call, asked.known.dialect
        found = None
        if self._cassette is not None and self._settings.mode.looks_up:
            found = await self._cassette.find(call, asked.session, self._settings.seed)
        decision = self._decide(asked.known, found)
        match decision:
            case decisions.Replay(found=hit) if hit.exchange.status == 101:
                from llm_simulator.proxy.dialogues import Played

                entry.source, entry.exchange = Source.CASSETTE.value, hit.id
                settings = self._settings
                return Played(hit.exchange, call, settings.rules, entry, dialect.event, settings.speed)
            case decisions.Simulate() if call.operation in dialect.converses:
                stranger = self._stranger(asked.known)
                if stranger is not None and not await self._recorded(call):
                    return self.tell(stranger, call, entry)
                return await self._act(asked, entry)
            case decisions.Refuse(condition=condition):
                return self.tell(condition, call, entry)
            case decisions.Forward(record=record) if self._forwarding is not None:
                return await self._forwarding.converse(call, asked.visit, entry, record=record)
            case _:
                return await self._perform(decision, asked, entry, adapted=False)

    async def _act(self, asked: Asked, entry: Entry) -> Dialogue:
        from llm_simulator.proxy.dialogues import Acted

        known = asked.known
        entry.source = Source.SIMULATOR.value
        draw = await self._draw(asked)
        place = self._place(asked.session, asked.visit.base_url)
        talk = self._engine.talk(known.call, known.dialect, known.identity, place)

        def simulate(call: Call, identity: bytes) -> Simulated:
            return self._engine.simulate(call, known.dialect, identity, draw, at_once=self._settings.speed == 0)

        return Acted(talk, simulate, entry, self._settings.speed)

    async def _recorded(self, call: Call) -> bool:
        """Whether the cassette knows the call's model."""
        if self._cassette is None or call.model in self._recorded_models:
            return self._cassette is not None
        known = await self._cassette.has_model(call)
        if known and len(self._recorded_models) < 1024:
            self._recorded_models.add(call.model)
        return known

    async def _find(self, call: Call, dialect: Dialect, session: str) -> tuple[Found | None, bool]:
        """The recording of `call`, or of its twin (then True: it must be converted)."""
        if self._cassette is None or not self._settings.mode.looks_up:
            return None, False
        if found := await self._cassette.find(call, session, self._settings.seed):
            return found, False
        if self._settings.mode.forwards:
            return None, False  # a conversion must not stand in for what can be recorded
        for twin in dialect.twins(call):
            found = await self._cassette.find(twin, session, self._settings.seed)
            if found is not None and found.exchange.status < 400:
                return found, True
        return None, False

    def _retain(self, known: Known, found: Found, session: str) -> None:
        """A later call that is simulated may refer to what was replayed: a response that the conversation goes on from."""
        call, dialect = known.call, known.dialect
        if self._settings.mode is Mode.AUTO and call.operation in dialect.stateful & dialect.generates:
            completion = convert.recorded_completion(found.exchange, dialect, call)
            if completion is not None:
                dialect.retain(call, completion, self._shelves.of(session))

    def _replay(self, known: Known, found: Found, adapted: bool, entry: Entry) -> Answer:
        if found.exchange.status == 101:
            return self.refuse(_UPGRADE, known.call, entry)
        entry.source, entry.exchange = Source.CASSETTE.value, found.id
        prepared = self._prepare(known, found, adapted)
        entry.virtual_ttft, entry.virtual_total = prepared.replayed.ttft, prepared.replayed.total
        if prepared.usage is not None:
            entry.prompt_tokens, entry.completion_tokens = prepared.usage.prompt, prepared.usage.completion
        answer = prepared.replayed.answer
        entry.adapted = prepared.adapted
        if self._settings.explain:
            entry.note = ", ".join(found.rules) or "byte for byte"
            answer = _with_headers(answer, (("x-llm-simulator-explain", entry.note),))
        return answer

    def _prepare(self, known: Known, found: Found, adapted: bool) -> _Prepared:
        key = (found.id, known.accepted, adapted)
        prepared = self._prepared.get(key)
        if prepared is not None:
            self._prepared.move_to_end(key)
            return prepared
        exchange, call, dialect = found.exchange, known.call, known.dialect
        if adapted:
            replayed = convert.convert(exchange, call, dialect, speed=self._settings.speed)
        else:
            replayed = replay(exchange, known.accepted, speed=self._settings.speed)
        mine = self._headers(Source.CASSETTE, ("x-llm-simulator-exchange", str(found.id)))
        answer = replace(_with_headers(replayed.answer, mine), kept=True)
        usage = convert.recorded_usage(exchange, dialect, call)
        note = header(answer.headers, "x-llm-simulator-adapted")
        prepared = _Prepared(Replayed(answer, replayed.ttft, replayed.total, replayed.size), usage, note)
        self._keep(key, prepared)
        return prepared

    def _keep(self, key: tuple[int, str, bool], prepared: _Prepared) -> None:
        if prepared.replayed.size > PREPARED_BYTES // 4:
            return
        self._prepared[key] = prepared
        self._prepared_bytes += prepared.replayed.size
        while self._prepared_bytes > PREPARED_BYTES or len(self._prepared) > 4096:
            _, old = self._prepared.popitem(last=False)
            self._prepared_bytes -= old.replayed.size

    async def _simulate(self, asked: Asked, entry: Entry, say: Sayer | None = None) -> Answer:
        entry.source = Source.SIMULATOR.value
        known = asked.known
        call, identity = known.call, known.identity
        draw = Draw(asked.visit.attempt, self.occurrence(asked)) if self._state is None else await self._draw(asked)
        if say is None and (repeat := self._repeats.of(known)) is not None:
            return repeat.answer(draw, entry)
        stateful = call.operation in known.dialect.stateful
        place = self._place(asked.session, asked.visit.base_url) if stateful else None
        await self.warm(known)
        work = self._engine.work(call, known.dialect, identity, draw, place)
        reply = await in_turns(work) if work is not None else None
        made = self._engine.simulate(
            call,
            known.dialect,
            identity,
            draw,
            profile=self._profile,
            at_once=self._settings.speed == 0,
            place=place,
            made=reply,
            say=say,
            varies=known.varies,
        )
        failure = self._engine.failure(made, known.varies or identity, draw) if say is None else None
        if failure is not None:
            return self._fail(failure, made, call, entry)
        made, ahead = self._loads.entered(made)
        if self._settings.speed:
            made = with_pings(made, call)
        entry.virtual_ttft, entry.virtual_total, entry.profile = made.ttft, made.total, made.profile
        if made.usage is not None:
            entry.prompt_tokens, entry.completion_tokens = made.usage.prompt, made.usage.completion
        extra = list(told(made, call.provider))
        if stateful or ahead:
            extra.append(("x-llm-simulator-state", ", ".join(filter(None, ("session" if stateful else "", ahead)))))
        for warning in made.warnings:
            extra.append(("x-llm-simulator-warning", warning))
            log.warning("%s %s: %s", call.provider, call.model, warning)
        if say is None and work is None and not stateful and self._settings.speed == 0:
            said = made.answer.headers + self._headers(Source.SIMULATOR, *extra)
            self._repeats.keep(known, made, said, self._engine.lot(identity))
        extra += spelled_times(made.ttft, made.total)
        if made.answer.status < 400:
            return _with_headers(made.answer, self._headers(Source.SIMULATOR, *extra))
        entry.source = Source.REFUSAL.value  # what it refers to is not there
        return replace(_with_headers(made.answer, self._headers(Source.REFUSAL, *extra)), source=Source.REFUSAL)

    def _fail(self, failure: ErrorRate, made: Simulated, call: Call, entry: Entry) -> Answer:
        """A failure as often as the profile has it, when the answer would have begun."""
        entry.source, entry.profile = Source.FAULT.value, made.profile
        entry.virtual_ttft = entry.virtual_total = made.ttft
        entry.note = failure.condition or f"status {failure.status}"
        reply = dialects.of(call).refuse(condition_of(failure, call.provider), call)
        named = (("x-llm-simulator-profile", made.profile), *spelled_times(made.ttft, made.ttft))
        answer = _immediate(reply, self._headers(Source.FAULT, *named), Source.FAULT)
        due = 0.0 if self._settings.speed == 0 else made.ttft
        assert not isinstance(answer.chunks, AsyncIterator)
        return replace(answer, chunks=tuple(Chunk(due, chunk.data) for chunk in answer.chunks), head_due=due)

    def _place(self, session: str, base_url: str) -> Place:
        from llm_simulator.simulator.engine import Place, runs_nothing

        shelf = self._shelves.of(session)
        inner = Place(shelf, runs_nothing, base_url)
        return Place(shelf, lambda raw: self._run(raw, inner), base_url)

    def _run(self, raw: RawRequest, place: Place) -> Reply:
        """Answers a request that another one contains, all at once."""
        known = self._reader.known(raw)
        call, dialect = known.call, known.dialect
        problem = known.objection() if self._strict else known.problem()
        problem = problem or self._stranger(known)
        problem = problem or (None if call.operation in dialect.simulates else decisions.NOT_SIMULATED)
        if problem is not None:
            return dialect.refuse(problem, call)
        answer = self._engine.simulate(call, dialect, known.identity, at_once=True, place=place).answer
        assert not isinstance(answer.chunks, AsyncIterator)  # what is simulated is known up front
        return Reply(answer.status, answer.headers, b"".join(chunk.data for chunk in answer.chunks))

    async def _miss(self, call: Call, session: str, entry: Entry) -> Answer:
        entry.note = "not recorded"
        if self._cassette is None:
            message = "No cassette is open, so nothing is recorded. Give one with --cassette, or use --mode auto."
            entry.report = message
            condition = _missed(message, None)
        else:
            report = await self._cassette.miss(call, session, command=self._record_command())
            entry.note, entry.report = report.reason.value, report.as_text()
            condition = _missed(report.as_text(), report.as_json())
        answer = self.refuse(condition, call, entry)
        entry.source = Source.MISS.value
        return relabel(answer, Source.MISS)

    def _record_command(self) -> str:
        ours = f"llm-simulator run --cassette {self._settings.cassette} --mode record-missing -- <your command>"
        return self._settings.record_command or ours

    def refuse(self, condition: Condition, call: Call, entry: Entry) -> Answer:
        """The refusal in the provider's own envelope."""
        entry.source = Source.REFUSAL.value
        entry.note = entry.note or condition.name
        reply = dialects.of(call).refuse(condition, call)
        return _immediate(reply, self._headers(Source.REFUSAL), Source.REFUSAL)

    def tell(self, condition: Condition, call: Call, entry: Entry) -> Answer | Dialogue:
        """The refusal of a WebSocket handshake, or what is said once it is accepted."""
        found = conditions.find(condition.name, call.provider)
        if found is None or found.status != 101:
            return self.refuse(condition, call, entry)
        from llm_simulator.proxy.dialogues import Told

        entry.source, entry.note = Source.REFUSAL.value, condition.name
        return Told(dialects.of(call).refuse(condition, call), found.close)

    def refusal(self, error: SimulatorError, call: Call, entry: Entry) -> Answer:
        """What a client gets for one of our own errors."""
        name = error.name if isinstance(error, RequestError) else getattr(error, "name", type(error).__name__)
        param = error.param if isinstance(error, RequestError) else None
        retry = False if isinstance(error, RequestError) and error.status != 408 else None  # sent faster it succeeds
        condition = Condition(name, error.status, str(error), param=param, code=name, retry=retry)
        return self.refuse(condition, call, entry)

    def headers(self, source: Source) -> Headers:
        """What every answer says of itself."""
        return self._headers(source)

    def _headers(self, source: Source, *more: tuple[str, str]) -> Headers:
        return (
            ("x-llm-simulator-source", source.value),
            ("x-llm-simulator-scenario", self._settings.scenario),
            *more,
        )


_UPGRADE = Condition(
    "upgrade_required",
    426,
    "What was recorded for this call is a WebSocket; ask with `Upgrade: websocket`.",
    retry=False,
)


def _missed(message: str, extra: object) -> Condition:
    return Condition("cassette_miss", 404, message, code="cassette_miss", retry=False, extra=extra)


def _counts_tokens(call: Call, dialect: Dialect) -> bool:
    return call.operation in dialect.generates or ("embeddings" in dialect.features and call.model != "")


async def in_turns(work: Work) -> Reply:
    """What long work comes to: the loop sees to other clients between its pieces."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            made: Reply = end.value
            return made
        await asyncio.sleep(0)


def _with_headers(answer: Answer, more: Headers) -> Answer:
    return Answer(
        answer.status, answer.headers + more, answer.chunks, answer.end, answer.reason, answer.source, answer.head_due
    )


def relabel(answer: Answer, source: Source) -> Answer:
    """The answer as one that came from elsewhere."""
    headers = tuple((n, source.value if n == "x-llm-simulator-source" else v) for n, v in answer.headers)
    return replace(answer, headers=headers, source=source)


def _immediate(reply: Reply, more: Headers, source: Source) -> Answer:
    """A reply that is due at once; a stream stays one, without a length."""
    headers = tuple(item for item in reply.headers if item[0].lower() != "content-length")
    if not isinstance(reply.body, bytes):
        frames = tuple(Chunk(0.0, frame.data) for frame in reply.body)
        return Answer(reply.status, (*headers, *more), frames, source=source)
    chunks = (Chunk(0.0, reply.body),) if reply.body else ()
    length = ("content-length", str(len(reply.body)))
    return Answer(reply.status, (*headers, length, *more), chunks, source=source)
