"""The one place a finished call is told to: journal, metrics, tally and log all say the same."""

from __future__ import annotations

import logging
from functools import lru_cache

from llm_simulator.telemetry.journal import Entry, Journal
from llm_simulator.telemetry.metrics import Metrics
from llm_simulator.telemetry.prices import cost_of
from llm_simulator.telemetry.tally import Tally
from llm_simulator.types import Usage

log = logging.getLogger("llm_simulator.calls")


@lru_cache(maxsize=4096)
def _cost(provider: str, model: str, prompt: int, completion: int) -> float | None:
    """Calls recur: the same answer costs the same."""
    return cost_of(provider, model, Usage(prompt, completion))


class Observer:
    """Journal, metrics and tally of one process."""

    def __init__(self, journal_size: int) -> None:
        self.journal = Journal(journal_size)
        self.metrics = Metrics()
        self.tally = Tally()

    def add(self, entry: Entry) -> None:
        """Takes a finished call; its cost is worked out here."""
        if entry.prompt_tokens or entry.completion_tokens:
            entry.cost_usd = _cost(entry.provider, entry.model, entry.prompt_tokens or 0, entry.completion_tokens or 0)
        self.journal.add(entry)
        self.metrics.add(entry)
        self.tally.add(entry)
        if log.isEnabledFor(logging.INFO):
            log.info(
                "%s %s %s %d %s %.1f ms%s",
                entry.method,
                entry.path,
                entry.model or "-",
                entry.status,
                entry.source,
                entry.duration * 1e3,
                f" ({entry.note})" if entry.note else "",
            )
