"""Turns a call into an `Answer`: find, decide, perform. It opens no socket of its own; `Forwarding` does for it."""

from __future__ import annotations

import logging
from copy import copy
from functools import partial
from typing import TYPE_CHECKING, assert_never

from llm_simulator import dialects
from llm_simulator.cassettes.cassette import Cassette, Found
from llm_simulator.cassettes.key import Matcher
from llm_simulator.config.settings import Settings, Validation
from llm_simulator.dialects import conditions
from llm_simulator.dialects.base import Dialect
from llm_simulator.errors import RequestError, SimulatorError
from llm_simulator.proxy import convert
from llm_simulator.proxy.answers import immediate, own_headers, relabel, with_headers
from llm_simulator.proxy.door import Visit
from llm_simulator.proxy.known import Asked, Known, RawHeaders, Reader
from llm_simulator.proxy.replays import Replays
from llm_simulator.proxy.sessions import Occurrences
from llm_simulator.proxy.simulating import Simulation
from llm_simulator.simulator import decide as decisions
from llm_simulator.simulator.draws import Draw
from llm_simulator.simulator.shelf import Shelves
from llm_simulator.telemetry.journal import Entry
from llm_simulator.types import Answer, Call, Condition, Headers, Mode, RawRequest, Reply, Source

if TYPE_CHECKING:
    from llm_simulator.dialects.base import Shelf
    from llm_simulator.proxy.forwarding import Forwarding
    from llm_simulator.proxy.guarding import Guard
    from llm_simulator.proxy.sockets import Dialogue
    from llm_simulator.proxy.state import State
    from llm_simulator.simulator.engine import Sayer

log = logging.getLogger("llm_simulator.calls")


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
        self.shelves = Shelves()
        self._strict = settings.validation is Validation.PROVIDER
        self._simulation = Simulation(settings, self.shelves, self._inner)
        self._recorded_models: set[str] = set()
        self._replays = Replays(settings.scenario, settings.speed)

    def variant(self, settings: Settings, profile: str = "") -> Performer:
        """One with other settings (scenario, mode, speed, validation); sessions, counts and all that was read are the same.

        Raises:
            ConfigError: there is no latency profile of that name.
        """
        other = copy(self)
        other._settings = settings
        other._strict = settings.validation is Validation.PROVIDER
        other._simulation = self._simulation.variant(settings, profile, other._inner)
        other._replays = Replays(settings.scenario, settings.speed)
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
        other._simulation = Simulation(settings, self.shelves, other._inner)
        if other._forwarding is not None:
            other._forwarding = other._forwarding.renewed(settings.upstreams, settings.request_timeout_secs)
        return other

    def _stranger(self, known: Known) -> Condition | None:
        """The refusal of a model that is not there."""
        providers = self._settings.providers
        hides = providers is not None and providers.hides and known.call.model
        hidden = providers.hidden if providers is not None and hides else None
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

    def _inner(self, raw: RawRequest) -> tuple[Known, Condition | None]:
        """A request that another one contains, and what is wrong with it."""
        known = self._reader.known(raw)
        problem = known.objection() if self._strict else known.problem()
        return known, problem or self._stranger(known)

    def shelf(self, session: str) -> Shelf:
        """What a session left behind."""
        return self.shelves.of(session)

    def sessions(self) -> set[str]:
        """Those that this process counts calls of, or keeps a shelf of."""
        played = self._cassette.sessions() if self._cassette is not None else ()
        return self._occurrences.sessions().union(self.shelves.sessions(), played)

    def end_sessions(self, sessions: frozenset[str]) -> None:
        """Keeps nothing of them any more."""
        self._occurrences.forget(sessions)
        self.shelves.forget(sessions)
        if self._cassette is not None:
            self._cassette.end_sessions(sessions)

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
        answer = await self._simulation.answer(asked, entry, await self._draw(asked), say)
        if entry.source != Source.SIMULATOR.value:
            return answer
        entry.source = Source.RESPONSE.value
        return relabel(answer, Source.RESPONSE)

    def fail(self, reply: Reply, why: str, entry: Entry) -> Answer:
        """A failure that a scenario asked for, at once."""
        entry.source, entry.note = Source.FAULT.value, why
        return immediate(reply, self.headers(Source.FAULT), Source.FAULT)

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
                if self.shelves.settle is not None:
                    await self.shelves.settle()
                return self._replay(known, hit, adapted, entry)
            case decisions.Simulate():
                stranger = self._stranger(known)
                if stranger is not None and not await self._recorded(call):
                    return self.refuse(stranger, call, entry)
                return await self._simulation.answer(asked, entry, await self._draw(asked))
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
                return self._simulation.talk(asked, entry, await self._draw(asked))
            case decisions.Refuse(condition=condition):
                return self.tell(condition, call, entry)
            case decisions.Forward(record=record) if self._forwarding is not None:
                return await self._forwarding.converse(call, asked.visit, entry, record=record)
            case _:
                return await self._perform(decision, asked, entry, adapted=False)

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
                dialect.retain(call, completion, self.shelves.of(session))

    def _replay(self, known: Known, found: Found, adapted: bool, entry: Entry) -> Answer:
        if found.exchange.status == 101:
            return self.refuse(_UPGRADE, known.call, entry)
        entry.source, entry.exchange = Source.CASSETTE.value, found.id
        prepared = self._replays.of(known, found, adapted)
        entry.virtual_ttft, entry.virtual_total = prepared.replayed.ttft, prepared.replayed.total
        if prepared.usage is not None:
            entry.prompt_tokens, entry.completion_tokens = prepared.usage.prompt, prepared.usage.completion
        answer = prepared.replayed.answer
        entry.adapted = prepared.adapted
        if self._settings.explain:
            entry.note = ", ".join(found.rules) or "byte for byte"
            answer = with_headers(answer, (("x-llm-simulator-explain", entry.note),))
        return answer

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
        return immediate(reply, self.headers(Source.REFUSAL), Source.REFUSAL)

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
        return own_headers(source, self._settings.scenario)


_UPGRADE = Condition(
    "upgrade_required",
    426,
    "What was recorded for this call is a WebSocket; ask with `Upgrade: websocket`.",
    retry=False,
)


def _missed(message: str, extra: object) -> Condition:
    return Condition("cassette_miss", 404, message, code="cassette_miss", retry=False, extra=extra)
