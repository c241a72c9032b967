"""The one place a finished call is told to: journal, metrics, tally and log all say the same."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING

from llm_simulator.telemetry.journal import Entry, Journal
from llm_simulator.telemetry.log import FACTS
from llm_simulator.telemetry.metrics import Metrics
from llm_simulator.telemetry.prices import cost_of
from llm_simulator.telemetry.tally import Tally
from llm_simulator.types import Usage

if TYPE_CHECKING:  # the extra `otel`
    from llm_simulator.telemetry.traces import Traces

log = logging.getLogger("llm_simulator.calls")


@lru_cache(maxsize=4096)
def _cost(provider: str, model: str, prompt: int, completion: int) -> float | None:
    """Calls recur: the same answer costs the same."""
    return cost_of(provider, model, Usage(prompt, completion))


class Observer:
    """Journal, metrics and tally of one process; `traces`, where spans are wanted."""

    def __init__(self, journal_size: int, traces: Traces | None = None) -> None:
        self.journal = Journal(journal_size)
        self.metrics = Metrics()
        self.tally = Tally()
        self.traces = traces
        self.keep: Callable[[Entry], None] = self.file  # one of several workers sends them to their keeper instead

    def add(self, entry: Entry) -> None:
        """Takes a finished call; its cost is worked out here."""
        if entry.prompt_tokens or entry.completion_tokens:
            entry.cost_usd = _cost(entry.provider, entry.model, entry.prompt_tokens or 0, entry.completion_tokens or 0)
        if self.traces is not None:
            asked, entry.asked = entry.asked, None
            self.traces.add(entry, asked)
        self.keep(entry)
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
                extra={FACTS: entry.as_json},
            )

    def file(self, entry: Entry) -> None:
        """Into journal, metrics and tally."""
        self.journal.add(entry)
        self.metrics.add(entry)
        self.tally.add(entry)
