"""Counts per provider and model for a run's summary. Plain numbers, so that two runs can be compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from llm_simulator.telemetry.drift import Checked, Verification
from llm_simulator.telemetry.journal import Entry

ANSWERED = ("replayed", "simulated", "templated", "missed", "forwarded", "refused", "failed")
"""How a call may have been answered: each is counted as one of these."""


@dataclass(slots=True)
class Line:
    """What happened to the calls of one provider and model."""

    recorded: int = 0
    replayed: int = 0
    simulated: int = 0
    templated: int = 0
    missed: int = 0
    forwarded: int = 0
    refused: int = 0
    failed: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    spent_usd: float = 0.0  # at list prices, as far as they are known: what went upstream
    saved_usd: float = 0.0  # and what was answered here instead

    @property
    def calls(self) -> int:
        return sum(getattr(self, name) for name in ANSWERED)


_COUNTED_AS = {
    "cassette": "replayed",
    "simulator": "simulated",
    "response": "templated",
    "miss": "missed",
    "upstream": "forwarded",
    "refusal": "refused",
    "fault": "failed",
}


@dataclass(slots=True)
class Played:
    """What happened to the calls of one scenario: how they were answered, by which rule, and which faults struck."""

    answered: Counter[str] = field(default_factory=lambda: Counter())
    rules: Counter[str] = field(default_factory=lambda: Counter())
    faults: Counter[str] = field(default_factory=lambda: Counter())

    def add(self, entry: Entry, counted: str) -> None:
        self.answered[counted] += 1
        self.rules[entry.rule or "no rule"] += 1
        if entry.fault:
            self.faults[entry.fault] += 1

    def as_json(self) -> dict[str, Any]:
        counts = {name: dict(sorted(getattr(self, name).items())) for name in self.__slots__}
        return {"calls": self.answered.total(), **counts}

    def told(self, name: str) -> str:
        """A line for a person."""
        parts = [f"{count} {how}" for how, count in sorted(self.answered.items())]
        rules = [f"{rule} {count}" for rule, count in sorted(self.rules.items())]
        faults = [f"{fault} {count}" for fault, count in sorted(self.faults.items())]
        said = f"scenario {name}: {', '.join(parts)}; by rule: {', '.join(rules)}"
        return f"{said}; faults: {', '.join(faults)}" if faults else said


@dataclass(slots=True)
class Tally:
    """Lines by (provider, model), in order of first appearance."""

    lines: dict[tuple[str, str], Line] = field(default_factory=lambda: {})
    differences: list[str] = field(default_factory=lambda: [])
    verification: Verification = field(default_factory=Verification)
    scenarios: dict[str, Played] = field(default_factory=lambda: {})

    def add(self, entry: Entry) -> None:
        line = self.lines.setdefault((entry.provider, entry.model), Line())
        counted = _COUNTED_AS[entry.source]
        setattr(line, counted, getattr(line, counted) + 1)
        if entry.scenario:
            self.scenarios.setdefault(entry.scenario, Played()).add(entry, counted)
        line.recorded += entry.recorded
        line.prompt_tokens += entry.prompt_tokens or 0
        line.completion_tokens += entry.completion_tokens or 0
        cost = entry.cost_usd or 0.0
        if counted == "forwarded":
            line.spent_usd += cost
        else:
            line.saved_usd += cost
        if entry.differs:
            self.differences.append(f"{entry.method} {entry.path} {entry.model}: {entry.differs}")
        if entry.drift is not None:
            self.verification.add(Checked(entry.exchange, entry.method, entry.path, entry.model, entry.drift))

    def total(self) -> Line:
        return _sum(self.lines.values())

    def as_json(self) -> dict[str, Any]:
        rows = [
            {"provider": provider, "model": model, "calls": line.calls, **_values(line)}
            for (provider, model), line in self.lines.items()
        ]
        total = self.total()
        played = {name: one.as_json() for name, one in self.scenarios.items()}
        sums = {"calls": total.calls, **_values(total)}
        return {"models": rows, "total": sums, "differences": self.differences, "scenarios": played}


def _values(line: Line) -> dict[str, float]:
    return {name: round(getattr(line, name), 8) for name in Line.__slots__}


def _sum(lines: Iterable[Line]) -> Line:
    total = Line()
    for line in lines:
        for name in Line.__slots__:
            setattr(total, name, getattr(total, name) + getattr(line, name))
    return total
