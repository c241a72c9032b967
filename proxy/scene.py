"""A scenario from its activation on, and what its decision makes of an answer."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from typing import TYPE_CHECKING

from llm_simulator.config.settings import Settings, Validation
from llm_simulator.proxy import labels
from llm_simulator.proxy.known import Known
from llm_simulator.proxy.perform import Performer
from llm_simulator.telemetry.journal import Entry
from llm_simulator.types import Answer, Condition

if TYPE_CHECKING:
    from llm_simulator.simulator.faults import Fault
    from llm_simulator.simulator.scenario import Chosen, Rule, Scenario

SESSIONS_LIMIT = 10_000


class Scene:
    """A scenario from its activation on: its clock, the calls of each session, a performer for each rule.

    Activating it again makes a new one, so a call in flight keeps what it began with.
    """

    def __init__(self, scenario: Scenario, plain: Performer, settings: Settings, now: float, serial: int = 0) -> None:
        """`serial` tells activations apart where several workers count together.

        Raises:
            ConfigError: a rule names a latency profile that does not exist.
        """
        self.scenario = scenario
        self.started = now
        self.serial = serial
        self._settings = replace(settings, scenario=scenario.name)
        self.plain = plain.variant(self._settings)
        self._performers: dict[str, Performer] = {}
        self._calls: OrderedDict[str, int] = OrderedDict()
        for rule in scenario.rules:
            if rule.then.profile:
                self.performer(rule)  # now: a name that is wrong is not found out by the first call

    def again(self, scenario: Scenario, plain: Performer, settings: Settings) -> Scene:
        """The same as it is after a change of the configuration: begun when it was, with its counts.

        Raises:
            ConfigError: as above.
        """
        other = Scene(scenario, plain, settings, self.started, self.serial)
        other._calls = self._calls
        return other

    def performer(self, rule: Rule) -> Performer:
        """The one with the settings of a rule."""
        then = rule.then
        if not then.varies:
            return self.plain
        made = self._performers.get(rule.name)
        if made is None:
            base = self._settings
            strict = (
                base.validation if then.strict is None else Validation.PROVIDER if then.strict else Validation.LENIENT
            )
            speed = base.speed if then.speed is None else then.speed
            breaker = base.breaker if then.breaker is None else None  # it has passed its rule's
            settings = replace(base, mode=then.mode or base.mode, speed=speed, validation=strict, breaker=breaker)
            made = self._performers[rule.name] = self.plain.variant(settings, then.profile)
        return made

    def counted(self, session: str) -> int:
        """How many calls of the session came before this one, which is counted now."""
        before = self._calls.get(session, 0)
        self._calls[session] = before + 1
        self._calls.move_to_end(session)
        if len(self._calls) > SESSIONS_LIMIT:
            self._calls.popitem(last=False)
        return before

    def forget(self, session: str) -> None:
        """Its calls are counted anew."""
        self._calls.pop(session, None)


def breaks(fault: Fault) -> bool:
    """Whether a fault spoils an answer on its way, other than one that is told in its place."""
    from llm_simulator.simulator.faults_broken import find

    return bool(fault.what) and find(fault.what) is not None


def condition(fault: Fault, known: Known) -> Condition:
    """What a fault tells instead of an answer."""
    from llm_simulator.simulator.faults import condition_of

    return condition_of(fault, known.call)


def labelled(answer: Answer, chosen: Chosen, entry: Entry) -> Answer:
    """With the rule, the fault and the phase that it is due to."""
    more: list[tuple[str, str]] = []
    if chosen.rule is not None:
        more.append(("x-llm-simulator-rule", chosen.rule.name))
    if entry.fault:
        more.append(("x-llm-simulator-fault", entry.fault))
    state = f"phase {chosen.phase or 'none'}" if chosen.state else "faults" if chosen.bursts else ""
    return labels.labelled(answer, state, tuple(more))
