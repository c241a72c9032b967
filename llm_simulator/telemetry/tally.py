"""Counts per provider and model for a run's summary. Plain numbers, so that two runs can be compared."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from llm_simulator.telemetry.drift import Checked, Verification
from llm_simulator.telemetry.journal import Entry


@dataclass(slots=True)
class Line:
    """What happened to the calls of one provider and model."""

    recorded: int = 0
    replayed: int = 0
    simulated: int = 0
    missed: int = 0
    forwarded: int = 0
    refused: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    spent_usd: float = 0.0  # at list prices, as far as they are known: what went upstream
    saved_usd: float = 0.0  # and what was answered here instead

    @property
    def calls(self) -> int:
        return self.replayed + self.simulated + self.missed + self.forwarded + self.refused


_COUNTED_AS = {
    "cassette": "replayed",
    "simulator": "simulated",
    "response": "simulated",
    "miss": "missed",
    "upstream": "forwarded",
    "refusal": "refused",
    "fault": "refused",
}


@dataclass(slots=True)
class Tally:
    """Lines by (provider, model), in order of first appearance."""

    lines: dict[tuple[str, str], Line] = field(default_factory=lambda: {})
    differences: list[str] = field(default_factory=lambda: [])
    verification: Verification = field(default_factory=Verification)

    def add(self, entry: Entry) -> None:
        line = self.lines.setdefault((entry.provider, entry.model), Line())
        counted = _COUNTED_AS[entry.source]
        setattr(line, counted, getattr(line, counted) + 1)
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
        return {"models": rows, "total": {"calls": total.calls, **_values(total)}, "differences": self.differences}


def _values(line: Line) -> dict[str, float]:
    return {name: round(getattr(line, name), 8) for name in Line.__slots__}


def _sum(lines: Iterable[Line]) -> Line:
    total = Line()
    for line in lines:
        for name in Line.__slots__:
            setattr(total, name, getattr(total, name) + getattr(line, name))
    return total
