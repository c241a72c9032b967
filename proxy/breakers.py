"""Circuit breakers at work, one for each upstream and model (and session), common to all workers.

A call passes its session's breaker and the one of all sessions. That one moves only by hand (`/admin/breakers`), and back.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from llm_simulator.dialects.resolve import PROVIDER_HOSTS
from llm_simulator.proxy.known import Asked
from llm_simulator.proxy.labels import labelled
from llm_simulator.proxy.limiter import Refuse
from llm_simulator.proxy.machines import cut
from llm_simulator.proxy.state import Embedded, State
from llm_simulator.proxy.tasks import Tasks
from llm_simulator.simulator import breaker as steps
from llm_simulator.simulator.breaker import CLOSED, HALF_OPEN, Terms
from llm_simulator.telemetry.journal import Entry
from llm_simulator.telemetry.metrics import Metrics
from llm_simulator.types import JSON, Answer, Call, Condition, Outcome

log = logging.getLogger("llm_simulator.calls")

MACHINE = "breakers"
_BROKEN = frozenset({Outcome.TRUNCATED.value, Outcome.UPSTREAM_FAILED.value})

A = TypeVar("A")


@dataclass(frozen=True, slots=True)
class Place:
    """Which breaker: `session` "" is the one of all."""

    upstream: str
    model: str
    session: str = ""

    @property
    def key(self) -> str:
        return f"{len(self.session)}:{self.session}{len(self.upstream)}:{self.upstream}{self.model}"

    @classmethod
    def read(cls, key: str) -> Place:
        session, rest = cut(key)
        upstream, model = cut(rest)
        return cls(upstream, model, session)

    def __str__(self) -> str:
        return f"{self.upstream}/{self.model}" + (f" (session {self.session})" if self.session else "")


def upstream_of(call: Call) -> str:
    """The host that a call is meant for; its provider's where it names none."""
    return call.raw.host or PROVIDER_HOSTS.get(call.provider, call.provider)


class Breakers:
    """Guards calls; `metrics` counts the moves."""

    def __init__(self, state: State, metrics: Metrics, refuse: Refuse) -> None:
        self._state = state
        self._refuse = refuse
        self._metrics = metrics
        self._tasks = Tasks()

    async def around(self, terms: Terms, asked: Asked, entry: Entry, perform: Callable[[], Awaitable[A]]) -> A | Answer:
        """What `perform` gives, or a 503 while the breaker is open. How the call ended is counted at its end."""
        call = asked.known.call
        upstream = upstream_of(call)
        places = dict.fromkeys((Place(upstream, call.model), Place(upstream, call.model, asked.session)))
        passed: dict[Place, JSON] = {}
        for place in places:
            result = await self._step(place, steps.check(terms), entry)
            passed[place] = result
            if not result["ok"]:
                self._probes_back(passed, terms)
                return _refused(result, place, call, entry, self._refuse)
        entry.ends(lambda: self._ended(passed, terms, entry))
        return await perform()

    async def _step(self, place: Place, event: JSON, entry: Entry | None = None) -> JSON:
        result = await self._state.step(MACHINE, place.key, event)
        self._moved(place, result, entry)
        return result

    def _moved(self, place: Place, result: JSON, entry: Entry | None) -> None:
        if not result["moved"]:
            return
        said = f"breaker {place}: {result['moved']} -> {result['state']}"
        log.warning(said)
        labels = {"upstream": place.upstream, "model": place.model, "state": result["state"]}
        self._metrics.count("llm_breaker_transitions", "Moves of circuit breakers, by the state they came to.", labels)
        if entry is not None:
            entry.note = f"{entry.note}; {said}" if entry.note else said

    def _ended(self, passed: Mapping[Place, JSON], terms: Terms, entry: Entry) -> None:
        success = _success(entry)
        for place, result in passed.items():
            if place.session or result["state"] == HALF_OPEN or len(passed) == 1:
                self._record(place, steps.record(terms, success, result["number"]), entry)

    def _probes_back(self, passed: Mapping[Place, JSON], terms: Terms) -> None:
        """A call that passed one breaker and not the next was no probe."""
        for place, result in passed.items():
            if result["ok"] and result["state"] == HALF_OPEN:
                self._record(place, steps.record(terms, None, result["number"]), None)

    def _record(self, place: Place, event: JSON, entry: Entry | None) -> None:
        if isinstance(self._state, Embedded):
            self._moved(place, self._state.at_once(MACHINE, place.key, event), entry)
        else:
            self._tasks.start(self._later(place, event))

    async def _later(self, place: Place, event: JSON) -> None:
        await self._step(place, event)

    # --- by hand

    async def by_hand(self, what: str, place: Place, terms: Terms | None) -> str:
        """`trip`s or `reset`s a breaker; without a session it is that of all, and each session's. The state it is in; ""
        where there is none: `terms` are those of the server (None: it has no breakers but those of scenarios)."""
        known = [Place.read(key) for key in await self._state.values(MACHINE)]
        same = [each for each in known if (each.upstream, each.model) == (place.upstream, place.model)]
        if terms is None and not same:
            return ""
        event = steps.by_hand(what, terms)
        places = [place, *(each for each in same if each.session and not place.session)]
        results = [await self._step(place, event) for place in places]
        state: str = results[0]["state"]
        return state

    async def all(self) -> list[dict[str, Any]]:
        """Every breaker that there is."""
        listed: list[dict[str, Any]] = []
        for key, value in (await self._state.values(MACHINE)).items():
            place = Place.read(key)
            shown = {name: value[name] for name in ("state", "failures", "successes", "probes")}
            named = {"upstream": place.upstream, "model": place.model, "session": place.session}
            if value["state"] != CLOSED or place.session or value["failures"] or value["number"]:
                listed.append({**named, **shown})
        return listed


def _success(entry: Entry) -> bool | None:
    if entry.status >= 500 or entry.outcome in _BROKEN:
        return False
    return None if not entry.status or entry.outcome == Outcome.CLIENT_GONE.value else True


def _refused(result: JSON, place: Place, call: Call, entry: Entry, refuse: Refuse) -> Answer:
    state = result["state"]
    tells = "it lets no call through" if state == steps.OPEN else "its probes are under way"
    condition = Condition(
        "breaker_open",
        503,
        f"The circuit breaker of {place.upstream} for {place.model or 'this'} is {state}: {tells}.",
        code="breaker_open",
        retry_after=max(result["wait"], 0.001),
    )
    entry.note = f"breaker {place} is {state}"
    return labelled(refuse(condition, call, entry), f"breaker {state}")
