"""The tools that limits, queue, breakers and sessions need: made when one is first needed, and kept over a reload."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from functools import cached_property, partial
from typing import TYPE_CHECKING, Protocol

from llm_simulator.config.settings import Settings
from llm_simulator.proxy.session_book import SessionBook
from llm_simulator.proxy.state import State
from llm_simulator.simulator.limit_tiers import NO_LIMITS
from llm_simulator.telemetry.journal import Entry
from llm_simulator.types import Answer, Call, Condition

if TYPE_CHECKING:
    from llm_simulator.proxy.gate import Gate, Tools
    from llm_simulator.proxy.guarding import Perform
    from llm_simulator.proxy.known import Asked
    from llm_simulator.proxy.scenes import Stage
    from llm_simulator.simulator.breaker import Terms
    from llm_simulator.simulator.scenario import Then
    from llm_simulator.telemetry.metrics import Metrics

MOST_SESSIONS = 10_000
"""What is kept of sessions where nothing is said: every store of theirs has this bound of its own."""


class Running(Protocol):
    """A server, as far as this is concerned (`server.py`)."""

    settings: Settings
    stage: Stage


class Kit:
    """The tools of a server. `owner` tells workers apart that share the state, `environ` has the values of keys."""

    server: Running

    def __init__(self, state: State, metrics: Metrics, environ: Mapping[str, str], owner: str = "") -> None:
        """`server` is to be set before the first call."""
        self._state = state
        self._metrics = metrics
        self._environ = environ
        self._owner = owner
        self._made: Tools | None = None
        self.draining = False

    @property
    def tools(self) -> Tools:
        if self._made is None:
            from llm_simulator.proxy.breakers import Breakers  # who limits nothing does not pay for them
            from llm_simulator.proxy.gate import Tools
            from llm_simulator.proxy.limiter import Limiter
            from llm_simulator.proxy.turnstile import Turnstile

            turnstile = Turnstile(self._state, self._owner)
            self._metrics.gauge("llm_queue_waiting", "Calls that wait for their turn.", lambda: turnstile.waiting)
            limiter = Limiter(self._state, turnstile, self._refuse, lambda: self.server.settings.request_timeout_secs)
            self._made = Tools(turnstile, limiter, Breakers(self._state, self._metrics, self._refuse))
        return self._made

    @cached_property
    def sessions(self) -> SessionBook:
        return SessionBook(self._state, lambda: (self.server.stage,))

    def _refuse(self, condition: Condition, call: Call, entry: Entry) -> Answer:
        return self.server.stage.refuse(condition, call, entry)

    def gated(self, stage: Stage, settings: Settings) -> Stage | Gate:
        """The stage behind its gate; the stage itself where nothing of that kind is configured."""
        most = settings.max_sessions if settings.max_sessions != MOST_SESSIONS else None
        bounded = settings.session_ttl_secs is not None or most is not None
        if bounded or "sessions" in self.__dict__:
            self.sessions.configure(settings.session_ttl_secs, most)
        wanted = (settings.limits, settings.keys, settings.breaker, settings.lines, settings.max_concurrent, bounded)
        if not any(wanted):
            return stage
        from llm_simulator.proxy.gate import Gate

        return Gate(stage, settings, self.tools, self.sessions, self._environ)

    def before_upstream(self, terms: Terms, asked: Asked, entry: Entry, perform: Perform) -> Awaitable[Answer]:
        """What an upstream answers, unless its breaker is open."""
        return self.tools.breakers.around(terms, asked, entry, perform)

    def through(self, then: Then, scope: str, asked: Asked, entry: Entry, perform: Perform) -> Awaitable[Answer]:
        """What a scenario's rule performs, behind the rule's own breaker and limits (kept apart by `scope`)."""
        if then.breaker is not None:
            perform = partial(self.tools.breakers.around, then.breaker, asked, entry, perform)
        if then.limits is None:
            return perform()
        limits = then.limits.over(NO_LIMITS, asked.known.call.provider)
        return self.tools.limiter.around(limits, asked, entry, perform, scope)

    def drain(self) -> None:
        """The server shuts down: whoever waits for a turn is refused at once."""
        self.draining = True
        if self._made is not None:
            self._made.turnstile.close()
