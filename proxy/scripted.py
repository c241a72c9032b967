"""What a rule's script says to a call: the bridge from `simulator/scenario_respond.py` to the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_simulator.proxy.known import Asked
from llm_simulator.simulator.draws import Draw, Lot
from llm_simulator.simulator.generate import Generated
from llm_simulator.simulator.rng import DeterministicRng
from llm_simulator.simulator.scenario import Rule, Scenario
from llm_simulator.simulator.scenario_respond import Request, length, said
from llm_simulator.simulator.scenario_when import told
from llm_simulator.types import Call, Choice

if TYPE_CHECKING:
    from llm_simulator.dialects.base import Ask
    from llm_simulator.simulator.engine import Sayer


def sayer(scenario: Scenario, rule: Rule, asked: Asked, lot: Lot) -> Sayer:
    """What takes the place of the generator for this call."""
    script, visit = rule.then.respond, asked.visit
    assert script is not None
    draw = Draw(visit.attempt, visit.occurrence or 0)

    def chance(place: int) -> DeterministicRng:
        purpose = f"respond {rule.name} {place}"
        return lot.further(draw, purpose) if scenario.vary else lot.content(purpose)

    def say(call: Call, ask: Ask) -> Generated:
        request = Request(call.body, call.model, call.provider, told(ask), asked.session, draw.attempt, draw.occurrence)
        where = f"scenario {scenario.name}, rule {rule.name}"
        choices = tuple(said(script, request, chance(place), where) for place in range(max(1, ask.choices)))
        counts = [_counted(choice, ask, call.model) for choice in choices]
        return Generated(
            choices,
            sum(count[0] for count in counts),
            sum(count[1] for count in counts),
            all(count[2] for count in counts),
        )

    return say


def _counted(choice: Choice, ask: Ask, model: str) -> tuple[int, int, bool]:
    """The tokens that are billed, of these thought, and whether exactly so."""
    total, thought = length(choice, model)
    if ask.count is None:
        return total, thought, True
    counted = ask.count(choice)
    return counted.tokens, thought, counted.exact
