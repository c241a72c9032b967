"""Scenarios at work: which one a call is under, what it knows of the call, and what becomes of the rule's decision.

The decision is `simulator/scenario.py`; this adds what it must be told (clock, counts, prompt) and performs it with a
`Performer` of the rule's own settings. A call without a scenario passes by at the cost of one `if`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from llm_simulator import dialects
from llm_simulator.config import library
from llm_simulator.config.settings import Settings
from llm_simulator.errors import ConfigError, RequestError, SimulatorError
from llm_simulator.proxy.answers import relabel
from llm_simulator.proxy.door import RETRIES_HEADER, Visit
from llm_simulator.proxy.known import Asked, Known
from llm_simulator.proxy.perform import Performer
from llm_simulator.proxy.scene import SESSIONS_LIMIT, Scene, breaks, condition, labelled
from llm_simulator.proxy.simulating import warm
from llm_simulator.simulator.draws import Draw, Lot
from llm_simulator.telemetry.journal import Entry
from llm_simulator.types import Answer, Call, Condition, End, Headers, Outcome, Source, header

if TYPE_CHECKING:
    from llm_simulator.dialects.base import Ask
    from llm_simulator.proxy.sockets import Dialogue
    from llm_simulator.proxy.state import State
    from llm_simulator.simulator.casting import Cast, Playbill
    from llm_simulator.simulator.faults import Fault
    from llm_simulator.simulator.scenario import Chosen, Scenario

log = logging.getLogger("llm_simulator.calls")

_NOT_HERE = Condition(
    "not_simulated",
    501,
    "A scenario's `respond` answers calls that generate text, and this is none. Let another rule take it.",
    code="not_simulated",
    type="not_simulated",
    retry=False,
)


class Stage:
    """The performer of a server with the scenarios that it may play. `clock` gives seconds that never go back."""

    def __init__(
        self,
        settings: Settings,
        plain: Performer,
        clock: Callable[[], float] = time.monotonic,
        state: State | None = None,
    ) -> None:
        """`state`: where several workers keep what they have in common; then call `join`, too.

        Raises:
            ConfigError: there is no scenario of the name that the settings give.
        """
        self._settings = replace(settings, scenario=library.NONE)
        self.initial = settings.scenario
        plain = plain if settings.scenario == library.NONE else plain.variant(self._settings)
        self._plain = plain
        self._clock = clock
        self._state = state
        self._guard = plain.guard
        self._serials: dict[str, int] = {}  # of what was heard last for all calls ("") and for sessions
        self._scenes: dict[str, Scene] = {}
        self._of_session: OrderedDict[str, Scene | None] = OrderedDict()
        self._active: Scene | None = None
        self._bare = True  # no scenario but those that a call names itself
        self._everyday = self._without(settings)
        self.read = plain.read
        self.unreadable = plain.unreadable
        self.refuse = plain.refuse
        self.activate(settings.scenario)

    # --- which scenario

    @property
    def active(self) -> str:
        """The name of the scenario in force ("default": none)."""
        return self._active.scenario.name if self._active else library.NONE

    @property
    def of_sessions(self) -> Mapping[str, str]:
        """The sessions that have a scenario of their own."""
        scenes = self._of_session.items()
        return {session: scene.scenario.name if scene else library.NONE for session, scene in scenes}

    def activate(self, name: str, session: str = "", scenario: Scenario | None = None) -> None:
        """From now on calls (of that session) are under this scenario; its phases and counts begin.

        `scenario` is the one of that name where the settings do not have it.

        Raises:
            ConfigError: there is none of this name.
        """
        self._put(session, name, self._begun(name, scenario))

    def _put(self, session: str, name: str, scene: Scene | None) -> None:
        if session:
            self._of_session[session] = scene
            self._of_session.move_to_end(session)
            if len(self._of_session) > SESSIONS_LIMIT:
                forgotten, _ = self._of_session.popitem(last=False)
                self._serials.pop(forgotten, None)
        else:
            self._active = scene
        if scene is not None:
            self._scenes[name] = scene
        self._bare = self._active is None and not self._of_session

    def _without(self, settings: Settings) -> Scene | None:
        """What calls without a scenario are under, where the configuration has something to say of their providers."""
        if settings.providers is None or not settings.providers.decides:
            return None
        from llm_simulator.simulator.scenario import Scenario

        return Scene(Scenario(library.NONE), self._plain, self._settings, self._clock())

    def renewed(self, settings: Settings) -> Stage:
        """One of another configuration. What is in force stays so, by its name, with its clock and its counts.

        Raises:
            ConfigError: the scenario in force is gone, or what the settings name is not there.
        """
        other = Stage(replace(settings, scenario=library.NONE), self._plain.renewed(settings), self._clock, self._state)
        other.initial = settings.scenario
        other._begun(settings.scenario)  # all of it is checked now: it will be switched to
        other._serials = self._serials
        if self._active is not None:
            other._active = other._again(self._active)
        for session, scene in self._of_session.items():
            try:
                other._of_session[session] = other._again(scene) if scene is not None else None
            except ConfigError as error:
                log.warning("session %s has no scenario of its own any more: %s", session, error)
        for name, scene in self._scenes.items():
            with suppress(ConfigError):  # whoever names it is told
                other._scenes[name] = other._again(scene)
        other._bare = other._active is None and not other._of_session
        return other

    def _again(self, scene: Scene) -> Scene:
        """A scenario of another configuration, as this one has it.

        Raises:
            ConfigError: this one has none of that name.
        """
        name = scene.scenario.name
        try:
            scenario = library.find(name, self._settings.scenarios)
        except ConfigError as error:
            raise ConfigError(f"scenario {name!r} is in force: {error}") from error
        assert scenario is not None
        return scene.again(scenario, self._plain, self._settings)

    async def switch(self, name: str, session: str = "") -> None:
        """`activate` for all workers.

        Raises:
            ConfigError: there is no scenario of this name.
        """
        if self._state is None:
            self.activate(name, session)
            return
        self._begun(name)
        cast = await self._state.step("casting", "", {"do": "activate", "name": name, "session": session})
        await self._state.publish("scenario", [session, cast])

    async def join(self) -> None:
        """Takes over what is in force at the other workers. `heard` must be told already of what they switch to."""
        if self._state is None:
            return
        await self._state.step("casting", "", {"do": "begin", "name": self.initial})
        bill: Playbill = (await self._state.values("casting"))[""]
        self.heard("", bill["active"])
        for session, cast in bill["sessions"].items():
            self.heard(session, cast)

    def heard(self, session: str, cast: Cast) -> None:
        """What is in force from now on; what was overtaken on the way is known by its number."""
        if cast["serial"] < self._serials.get(session, 0):
            return
        try:
            self._put(session, cast["name"], self._begun(cast["name"], cast=cast))
        except ConfigError as error:  # this worker was configured anew, and the sender was not yet, or the other way
            log.warning("scenario %r was switched on by another worker, but: %s", cast["name"], error)
        else:
            self._serials[session] = cast["serial"]

    def _begun(self, name: str, given: Scenario | None = None, cast: Cast | None = None) -> Scene | None:
        scenario = given or library.find(name, self._settings.scenarios)
        if scenario is None:
            return None
        started, serial = (cast["started"], cast["serial"]) if cast else (self._clock(), 0)
        return Scene(scenario, self._plain, self._settings, started, serial)

    async def _named(self, name: str) -> None:
        """All workers have a scenario that a call names from the same moment on."""
        if self._state is None or name == library.NONE or name in self._scenes:
            return
        try:
            self._begun(name)
        except ConfigError:
            return  # `_scene` says so
        cast = await self._state.step("casting", "", {"do": "named", "name": name})
        scene = self._begun(name, cast=cast)
        if scene is not None and name not in self._scenes:
            self._scenes[name] = scene

    def _scene(self, asked: Asked) -> Scene | None:
        """The scenario of a call: the one that it names, that of its session, the one in force."""
        if name := asked.visit.scenario:
            scene = self._scenes.get(name)
            if scene is None and name != library.NONE:
                try:
                    scene = self._begun(name)
                except ConfigError as error:
                    raise RequestError("unknown_scenario", f"x-llm-simulator-scenario: {error}") from error
                assert scene is not None
                self._scenes[name] = scene
            return None if name == library.NONE else scene
        return self._of_session.get(asked.session, self._active)

    def connecting(self, call: Call) -> tuple[str, Chosen]:
        """The scenario in force, and what strikes a connection before there is a request (`proxy/connecting.py`)."""
        from llm_simulator.simulator.scenario import Chosen, connecting
        from llm_simulator.simulator.scenario_when import Situation

        scene, host = self._active, call.raw.host
        if scene is None:
            return library.NONE, Chosen()
        identity, before = f"connect {host}".encode(), scene.counted(f"connect {host}")
        situation = Situation(call, identity, Draw(0, before), calls=before, elapsed=self._clock() - scene.started)
        name = scene.scenario.name
        return name, connecting(scene.scenario, situation, Lot(self._settings.seed, name, identity))

    def sessions(self) -> set[str]:
        """Those that this process keeps something of."""
        return self._plain.sessions().union(self._of_session)

    def end_sessions(self, sessions: frozenset[str]) -> None:
        """Keeps nothing of them any more: counts, order, shelf, scenario."""
        self._plain.end_sessions(sessions)
        for session in sessions:
            self._of_session.pop(session, None)
            self._serials.pop(session, None)
            for scene in self._scenes.values():
                scene.forget(session)
        self._bare = self._active is None and not self._of_session

    # --- what becomes of a call

    def answer(self, asked: Asked, entry: Entry) -> Awaitable[Answer]:
        """The answer to a call.

        Raises:
            SimulatorError: anything that `refusal` turns into an answer.
        """
        if self._bare and not asked.visit.scenario and (self._everyday is None or self._untouched(asked.known.call)):
            return self._plain.answer(asked, entry)
        return self._played(asked, entry)

    def _untouched(self, call: Call) -> bool:
        """Whether the configuration has nothing to say of what becomes of a call."""
        providers = self._settings.providers
        return providers is None or providers.of(call.provider, call.model).untouched

    async def converse(self, asked: Asked, entry: Entry) -> Answer | Dialogue:
        """What answers a WebSocket handshake.

        Raises:
            SimulatorError: anything that `refusal` turns into an answer.
        """
        if asked.visit.scenario:
            await self._named(asked.visit.scenario)
        scene = self._scene(asked) or self._everyday
        if scene is None:
            return await self._plain.converse(asked, entry)
        if (unlisted := scene.plain.unlisted(asked.known)) is not None:
            return scene.plain.tell(unlisted, asked.known.call, entry)
        asked, chosen = await self._chosen(scene, asked, entry)
        fault, rule = chosen.fault, chosen.rule
        if fault is not None and (fault.what or fault.status) and not breaks(fault):
            told = scene.plain.tell(condition(fault, asked.known), asked.known.call, entry)
            entry.source = Source.FAULT.value
            return labelled(relabel(told, Source.FAULT), chosen, entry) if isinstance(told, Answer) else told
        if fault is not None:
            entry.note = f"fault {fault.name}: WebSockets are not broken or delayed"
            entry.fault = ""
        if rule is not None and (rule.then.respond is not None or rule.then.miss):
            return await self._performed(scene, chosen, asked, entry)
        return await (scene.performer(rule) if rule else scene.plain).converse(asked, entry)

    async def _played(self, asked: Asked, entry: Entry) -> Answer:
        if asked.visit.scenario:
            await self._named(asked.visit.scenario)
        scene = self._scene(asked) or self._everyday
        if scene is None:
            return await self._plain.answer(asked, entry)
        if (unlisted := scene.plain.unlisted(asked.known)) is not None:
            return scene.plain.refuse(unlisted, asked.known.call, entry)
        asked, chosen = await self._chosen(scene, asked, entry)
        try:
            answer = await self._let_through(scene, chosen, asked, entry)
        except SimulatorError as error:
            log.warning("%s %s: %s", entry.method, entry.path, error)
            answer = scene.plain.refusal(error, asked.known.call, entry)
        if chosen.rule is not None and chosen.rule.then.speed is not None:
            answer = replace(answer, speed=chosen.rule.then.speed)
        return labelled(answer, chosen, entry)

    async def _chosen(self, scene: Scene, asked: Asked, entry: Entry) -> tuple[Asked, Chosen]:
        """The call with its occurrence counted, and what its scenario says of it."""
        from llm_simulator.simulator.scenario import choose
        from llm_simulator.simulator.scenario_when import Situation

        scenario, known, visit = scene.scenario, asked.known, asked.visit
        if self._state is None:
            occurrence, calls = self._plain.occurrence(asked), scene.counted(asked.session)
        else:
            key = f"{scene.serial}.{scene.scenario.name}:{asked.session}"
            occurrence, calls = await asyncio.gather(
                self._plain.counted(asked), self._state.step("scene_calls", key, None)
            )
        if scenario.reads_prompt:
            await warm(known)
        situation = Situation(
            known.call,
            known.identity,
            Draw(visit.attempt, occurrence),
            asked.session,
            calls,
            self._clock() - scene.started,
            header(known.call.raw.headers, RETRIES_HEADER) != "",
            lambda: self._ask(known, asked.session),
        )
        chosen = choose(scenario, situation, self._lot(scene, known))
        if chosen.fault is None and self._everyday is not None:
            chosen = self._configured(scene, chosen, known, situation.draw)
        entry.scenario = "" if scenario.name == library.NONE else scenario.name
        entry.rule = chosen.rule.name if chosen.rule else ""
        if chosen.fault is not None:
            entry.fault, entry.priority = chosen.fault.name, chosen.fault.priority
        if scenario.vary:
            known = known.varied(occurrence)
        counted = Visit(visit.session, visit.attempt, occurrence, visit.scenario, visit.base_url)
        return Asked(known, counted, asked.session), chosen

    def _configured(self, scene: Scene, chosen: Chosen, known: Known, draw: Draw) -> Chosen:
        """With the error that the configuration has for some of these calls. What is asked of a provider is left alone: a
        recording must not have holes."""
        providers, rule = self._settings.providers, chosen.rule
        mode = (rule.then.mode if rule is not None else None) or self._settings.mode
        if providers is None or mode.forwards:
            return chosen
        call = known.call
        return replace(chosen, fault=providers.failing(call.provider, call.model, self._lot(scene, known), draw))

    def _lot(self, scene: Scene, known: Known) -> Lot:
        return Lot(self._settings.seed, scene.scenario.name, known.identity)

    def _ask(self, known: Known, session: str) -> Ask | None:
        """The prompt of a call, with the conversation that it goes on from; None where it has none."""
        call, dialect = known.call, known.dialect
        if call.operation not in dialect.generates or known.problem() is not None:
            return None
        whole = dialect.recall(call, self._plain.shelf(session)) if call.operation in dialect.stateful else call
        return None if isinstance(whole, Condition) else dialect.ask(whole)

    def _let_through(self, scene: Scene, chosen: Chosen, asked: Asked, entry: Entry) -> Awaitable[Answer]:
        """The rule's answer, if its limits and its breaker let the call through."""
        rule, perform = chosen.rule, partial(self._faulty, scene, chosen, asked, entry)
        if rule is None or self._guard is None or (rule.then.limits is None and rule.then.breaker is None):
            return perform()
        scope = f"{scene.scenario.name}/{rule.name}/{scene.started:.3f}"  # activated again, it begins anew
        return self._guard.through(rule.then, scope, asked, entry, perform)

    async def _faulty(self, scene: Scene, chosen: Chosen, asked: Asked, entry: Entry) -> Answer:
        """The rule's answer, and what its fault makes of it."""
        fault = chosen.fault
        if fault is None:
            return await self._performed(scene, chosen, asked, entry)
        from llm_simulator.simulator import faults_broken

        if breaks(fault):  # what is broken is looked into: not in a content-encoding
            await warm(asked.known)
            plain = Asked(asked.known.unencoded(), asked.visit, asked.session)
            answer = await self._performed(scene, chosen, plain, entry)
            broken = faults_broken.broken(answer, fault, asked.known.call) if answer.status else None
            if broken is None:
                entry.note, entry.fault = f"fault {fault.name} does not apply to this answer", ""
            else:
                answer = broken
                if not answer.status:
                    entry.source = Source.FAULT.value  # nothing of what was found or made is sent
                if answer.end is not End.COMPLETE:
                    entry.outcome = Outcome.TRUNCATED.value
        elif fault.what or fault.status:
            answer = self._failed(scene, fault, asked.known, entry)
        else:
            answer = await self._performed(scene, chosen, asked, entry)
        return faults_broken.delayed(answer, fault.waits)

    def _failed(self, scene: Scene, fault: Fault, known: Known, entry: Entry) -> Answer:
        from llm_simulator.simulator.faults import spelled

        reply = dialects.of(known.call).refuse(condition(fault, known), known.call)
        return scene.plain.fail(spelled(reply, fault, known.call), fault.name, entry)

    async def _performed(self, scene: Scene, chosen: Chosen, asked: Asked, entry: Entry) -> Answer:
        rule = chosen.rule
        if rule is None:
            return await scene.plain.answer(asked, entry)
        performer = scene.performer(rule)
        if rule.then.miss:
            return await performer.miss(asked, entry)
        if rule.then.respond is None:
            return await performer.answer(asked, entry)
        if asked.known.call.operation not in asked.known.dialect.generates:
            return performer.refuse(_NOT_HERE, asked.known.call, entry)
        from llm_simulator.proxy.scripted import sayer

        say = sayer(scene.scenario, rule, asked, self._lot(scene, asked.known))
        return await performer.respond(asked, entry, say)

    # --- what a server says of itself

    def refusal(self, error: SimulatorError, call: Call, entry: Entry) -> Answer:
        """What a client gets for one of our own errors."""
        return self._plain.refusal(error, call, entry)

    def headers(self, source: Source, scenario: str = "") -> Headers:
        """What every answer says of itself."""
        found = self._plain.headers(source)
        if not scenario:
            return found
        return tuple((name, scenario if name == "x-llm-simulator-scenario" else value) for name, value in found)
