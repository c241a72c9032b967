"""A recording in one line, for lists of them: what was asked and what came back. Nothing in it is a secret."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from llm_simulator import dialects
from llm_simulator.cassettes.miss import Summary, summary
from llm_simulator.types import Exchange


@dataclass(frozen=True, slots=True)
class About:
    """The recording `id` of a cassette."""

    id: int
    call: Summary
    status: int
    outcome: str
    recorded_at: str

    @classmethod
    def of(cls, id: int, exchange: Exchange) -> About:
        call = summary(dialects.read(exchange.request))
        return cls(id, call, exchange.status, exchange.outcome.value, exchange.recorded_at)

    @property
    def text(self) -> str:
        ended = "" if self.outcome == "complete" else f" {self.outcome}"
        return f"{self.id:>6}  {self.status}{ended}  {self.call.text}"

    def as_json(self) -> dict[str, Any]:
        facts = {name: getattr(self.call, name) for name in self.call.__slots__}
        return {"id": self.id, **facts, "status": self.status, "outcome": self.outcome, "recorded_at": self.recorded_at}
