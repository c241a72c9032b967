"""A scenario: rules, of which the first that fits decides what becomes of a call. A pure function of what is passed in.

Whose chance it is: every share and every probability is the main draw of the call's own generator, under the name of its
rule (`draws.Lot`), so the same calls are hit on every run, in any order, on any worker. Phases by clock or by the calls
of a session are state: they depend on what came before.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from llm_simulator.simulator.draws import Lot
from llm_simulator.simulator.faults import Fault
from llm_simulator.simulator.scenario_when import Situation, When
from llm_simulator.types import Mode

if TYPE_CHECKING:
    from llm_simulator.simulator.breaker import Terms
    from llm_simulator.simulator.limit_tiers import Allowed
    from llm_simulator.simulator.scenario_respond import Script


@dataclass(frozen=True, slots=True)
class Step:
    """A phase; `length` is in seconds or calls, None to the end."""

    name: str
    length: float | None = None


@dataclass(frozen=True, slots=True)
class Phases:
    """Phases one after the other; `repeat` begins anew after the last one."""

    by: str
    steps: tuple[Step, ...]
    repeat: bool = False

    def at(self, place: float) -> tuple[str, float]:
        """The name of the phase at `place` (seconds or calls from 0) and how much of it is over, from 0 to 1."""
        whole = sum(step.length or 0.0 for step in self.steps)
        if self.repeat and whole > 0:
            place %= whole
        for step in self.steps:
            if step.length is None:
                return step.name, 0.0
            if place < step.length:
                return step.name, place / step.length
            place -= step.length
        return "", 0.0


@dataclass(frozen=True, slots=True)
class Then:
    """What becomes of a call: one of `mode`, `respond`, `fault`, `miss`; none of them is the mode of the server.

    `faults` strike now and then on top of it, the one with the highest priority that does. `profile` names a latency
    profile, `speed` divides waits, `strict` is `validation: provider`; None leaves them as the server has them. `limits`
    and `breaker` stand before all of it.
    """

    mode: Mode | None = None
    respond: Script | None = None
    fault: Fault | None = None
    miss: bool = False
    faults: tuple[Fault, ...] = ()
    profile: str = ""
    speed: float | None = None
    strict: bool | None = None
    limits: Allowed | None = None
    breaker: Terms | None = None

    @property
    def varies(self) -> bool:
        """Whether it needs other settings than those of the server."""
        given = (self.mode, self.speed, self.strict, self.breaker)
        return any(one is not None for one in given) or bool(self.profile)


@dataclass(frozen=True, slots=True)
class Rule:
    """`name` is what journal and draws know it by."""

    name: str
    when: When
    then: Then


@dataclass(frozen=True, slots=True)
class Scenario:
    """`vary`: equal calls get different answers, one for each occurrence; else equal bytes."""

    name: str
    rules: tuple[Rule, ...] = ()
    about: str = ""
    phases: Phases | None = None
    vary: bool = False

    @property
    def reads_prompt(self) -> bool:
        return any(rule.when.reads_prompt or rule.then.respond is not None for rule in self.rules)

    @property
    def forwards(self) -> bool:
        """Whether a rule may contact an upstream."""
        return any(rule.then.mode is not None and rule.then.mode.forwards for rule in self.rules)

    @property
    def writes(self) -> bool:
        """Whether a rule may add to the cassette."""
        return any(rule.then.mode is not None and rule.then.mode.writes for rule in self.rules)


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a scenario says of a call: its rule (None: none fits), the fault that strikes, and in which phase."""

    rule: Rule | None = None
    fault: Fault | None = None
    phase: str = ""
    progress: float = 0.0
    state: bool = False  # whether the phase depends on what came before
    bursts: bool = False  # whether its faults do


def choose(scenario: Scenario, situation: Situation, lot: Lot) -> Chosen:
    """The first rule that fits, and the fault that strikes under it."""
    phases = scenario.phases
    phase, progress = phases.at(situation.place(phases.by)) if phases else ("", 0.0)
    state = phases is not None and phases.by != "occurrence"
    for rule in scenario.rules:
        if rule.when.holds(situation, lot, rule.name, phase, progress):
            fault = _struck(rule, situation, lot, phase, progress, connects=False)
            if fault is not None and fault.delay is not None:
                fault = replace(fault, waits=fault.delay.at(progress))
            bursts = any(fault.strategy.remembers for fault in rule.then.faults)
            return Chosen(rule, fault, phase, progress, state, bursts)
    return Chosen(phase=phase, progress=progress, state=state)


def connecting(scenario: Scenario, situation: Situation, lot: Lot) -> Chosen:
    """What strikes a connection before there is a request: the first rule that fits and has such faults decides."""
    phases = scenario.phases
    phase, progress = phases.at(situation.place(phases.by)) if phases else ("", 0.0)
    for rule in scenario.rules:
        given = (rule.then.fault, *rule.then.faults)
        if any(fault.connects for fault in given if fault) and rule.when.holds(
            situation, lot, rule.name, phase, progress
        ):
            return Chosen(rule, _struck(rule, situation, lot, phase, progress, connects=True), phase, progress)
    return Chosen(phase=phase, progress=progress)


def _struck(rule: Rule, situation: Situation, lot: Lot, phase: str, progress: float, *, connects: bool) -> Fault | None:
    """The fault of a rule that strikes: of those of connections, or of the others."""
    always = rule.then.fault
    if always is not None and always.connects is connects:
        return always
    struck = [fault for fault in rule.then.faults if fault.connects is connects]
    ordered = sorted(struck, key=lambda fault: -fault.priority)  # stable: the first of equals goes first
    purpose = f"{rule.name} fault "
    return next(
        (fault for fault in ordered if fault.strategy.strikes(situation, lot, purpose + fault.name, phase, progress)),
        None,
    )
