"""What a call passes before it is answered: key, free slot, session, limits, breaker. Made only where any is configured."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from llm_simulator.config.settings import Settings
from llm_simulator.errors import RequestError, SimulatorError
from llm_simulator.proxy.breakers import Breakers
from llm_simulator.proxy.known import Asked
from llm_simulator.proxy.labels import labelled
from llm_simulator.proxy.limiter import Limiter
from llm_simulator.proxy.scenes import Stage
from llm_simulator.proxy.session_book import SessionBook
from llm_simulator.proxy.turnstile import BACK_SECONDS, No, Turnstile
from llm_simulator.simulator.faults import Fault, condition_of
from llm_simulator.simulator.faults_broken import delayed
from llm_simulator.simulator.slots import Line
from llm_simulator.telemetry.journal import Entry
from llm_simulator.types import Answer, Call, Condition, Source

if TYPE_CHECKING:
    from llm_simulator.proxy.sockets import Dialogue

log = logging.getLogger("llm_simulator.calls")

Perform = Callable[[], Awaitable["Answer | Dialogue"]]


@dataclass(frozen=True, slots=True)
class Tools:
    """One of each for a process; what they count is common to all workers."""

    turnstile: Turnstile
    limiter: Limiter
    breakers: Breakers


class Gate:
    """Stands before a `Stage`, and looks like one to the service."""

    def __init__(
        self, stage: Stage, settings: Settings, tools: Tools, sessions: SessionBook, environ: Mapping[str, str]
    ) -> None:
        self._stage = stage
        self._settings = settings
        self._tools = tools
        self._sessions = sessions
        self._keys = settings.keys.made(environ) if settings.keys is not None else None
        self._whole = Line(settings.max_concurrent, settings.queue_size) if settings.max_concurrent else None
        self.read = stage.read
        self.unreadable = stage.unreadable
        self.refuse = stage.refuse
        self.refusal = stage.refusal
        self.headers = stage.headers
        self.connecting = stage.connecting

    async def answer(self, asked: Asked, entry: Entry) -> Answer:
        """As `Stage.answer`; our own errors come as answers, so that these say how the limits stand, too."""
        answer = await self._through(asked, entry, partial(self._caught, asked, entry, self._stage.answer))
        assert isinstance(answer, Answer)
        return answer

    async def converse(self, asked: Asked, entry: Entry) -> Answer | Dialogue:
        """As `Stage.converse`."""
        return await self._through(asked, entry, partial(self._caught, asked, entry, self._stage.converse))

    async def _through(self, asked: Asked, entry: Entry, perform: Perform) -> Answer | Dialogue:
        call, tools, breaker = asked.known.call, self._tools, self._settings.breaker
        if self._keys is not None and (condition := self._keys.refusal(call)) is not None:
            entry.note = f"key {self._keys.state(call).value}"
            return self.refuse(condition, call, entry)
        if breaker is not None and breaker.all:
            perform = partial(tools.breakers.around, breaker.terms, asked, entry, perform)
        limits = self._settings.limits.of(call.provider, call.model) if self._settings.limits is not None else None
        if limits is not None:
            perform = partial(tools.limiter.around, limits, asked, entry, perform)
        if self._sessions.active:
            perform = partial(self._sessions.around, asked, entry, perform)
        return await self._in_turn(asked, entry, perform)

    async def _caught(
        self, asked: Asked, entry: Entry, perform: Callable[[Asked, Entry], Awaitable[Answer | Dialogue]]
    ) -> Answer | Dialogue:
        try:
            return await perform(asked, entry)
        except SimulatorError as error:
            log.warning("%s %s: %s", entry.method, entry.path, error)
            return self.refusal(error, asked.known.call, entry)

    async def _in_turn(self, asked: Asked, entry: Entry, perform: Perform) -> Answer | Dialogue:
        """Performs it once there is a slot of its provider's and of the server's."""
        call, waited = asked.known.call, 0.0
        own = self._settings.lines.get(call.provider)
        for key, line in ((f"0:{call.provider}", own), ("0:", self._whole)):
            if line is None:
                continue
            who = f"{asked.session} {asked.known.identity.hex()}"
            entered = await self._tools.turnstile.enter(key, line, who, self._settings.request_timeout_secs)
            if isinstance(entered, No):
                return self._crowded(entered, call, entry)
            entry.ends(partial(self._tools.turnstile.leave, entered))
            waited += entered.waited
        answer = await perform()
        if not waited or not isinstance(answer, Answer):
            return answer
        if answer.source in (Source.REFUSAL, Source.MISS):  # nobody waits for these
            return labelled(answer, f"queued {waited:.3f} s")
        speed = self._settings.speed if answer.speed is None else answer.speed
        return labelled(delayed(answer, waited * speed), f"queued {waited:.3f} s")

    def _crowded(self, why: No, call: Call, entry: Entry) -> Answer:
        if why is No.CLOSING:
            return self.refusal(RequestError("shutting_down", SHUTTING_DOWN, status=503), call, entry)
        # Azure calls a lack of capacity a 429; here it is the resource that is unavailable.
        what = "unavailable" if call.provider == "azure" else "overloaded"
        condition: Condition = condition_of(Fault(what, what), call)
        if why is No.LATER:
            condition = replace(condition, retry_after=BACK_SECONDS)
        entry.note = "queue full" if why is not No.TIMEOUT else "waited too long in the queue"
        return labelled(self.refuse(condition, call, entry), "queue")


SHUTTING_DOWN = "llm-simulator is shutting down: no new calls"
