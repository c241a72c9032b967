"""Prometheus metrics of one process, in a registry of their own (prometheus_client is imported on first use)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from llm_simulator.telemetry.journal import Entry

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry, Counter, Histogram

MODEL_LIMIT = 500
"""Distinct model labels kept; further ones count as "other": a client cannot grow the registry without bound."""

_TTFT_BUCKETS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0)
_DURATION_BUCKETS = (0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
_LABELS = ("provider", "model", "source", "status")


class _Children(NamedTuple):
    """The metrics of one set of labels, looked up once."""

    requests: Counter
    errors: Counter
    duration: Histogram
    ttft: Histogram
    prompt: Counter
    completion: Counter


class Metrics:
    """The five metrics of a call and the lateness of paced writes."""

    def __init__(self) -> None:
        from prometheus_client import CollectorRegistry, Counter, Histogram

        self.registry: CollectorRegistry = CollectorRegistry()
        made = self.registry
        self._requests = Counter("llm_requests", "Calls answered.", _LABELS, registry=made)
        self._errors = Counter("llm_errors", "Calls answered with a status of 400 or above.", _LABELS, registry=made)
        self._tokens = Counter("llm_tokens", "Tokens by direction.", (*_LABELS, "direction"), registry=made)
        self._duration = Histogram(
            "llm_request_duration_seconds",
            "Request read to end of body.",
            _LABELS,
            registry=made,
            buckets=_DURATION_BUCKETS,
        )
        self._ttft = Histogram(
            "llm_latency_ttft_seconds",
            "Request read to first body byte.",
            _LABELS,
            registry=made,
            buckets=_TTFT_BUCKETS,
        )
        self._models: set[str] = set()
        self._children: dict[tuple[str, str, str, str], _Children] = {}

    def add(self, entry: Entry) -> None:
        labels = (entry.provider, self._model(entry.model), entry.source, str(entry.status))
        children = self._children.get(labels) or self._prepare(labels)
        children.requests.inc()
        children.duration.observe(entry.duration)
        if entry.ttft is not None:
            children.ttft.observe(entry.ttft)
        if entry.status >= 400:
            children.errors.inc()
        if entry.prompt_tokens:
            children.prompt.inc(entry.prompt_tokens)
        if entry.completion_tokens:
            children.completion.inc(entry.completion_tokens)

    def _prepare(self, labels: tuple[str, str, str, str]) -> _Children:
        made = self._children[labels] = _Children(
            self._requests.labels(*labels),
            self._errors.labels(*labels),
            self._duration.labels(*labels),
            self._ttft.labels(*labels),
            self._tokens.labels(*labels, "prompt"),
            self._tokens.labels(*labels, "completion"),
        )
        return made

    def _model(self, model: str) -> str:
        if model in self._models or len(self._models) < MODEL_LIMIT:
            self._models.add(model)
            return model
        return "other"

    def lateness(self, bounds: Sequence[float], read: Callable[[], tuple[Sequence[int], float]]) -> None:
        """Publishes a histogram that somebody else keeps: `read` gives the counts per bucket and their sum."""
        from prometheus_client.core import HistogramMetricFamily
        from prometheus_client.registry import Collector

        class Lateness(Collector):
            def collect(self) -> list[HistogramMetricFamily]:
                counts, total = read()
                running, buckets = 0, []
                for bound, count in zip((*map(str, bounds), "+Inf"), counts, strict=True):
                    running += count
                    buckets.append((bound, running))
                family = HistogramMetricFamily("llm_stream_lateness_seconds", "Due time to write of paced chunks.")
                family.add_metric([], buckets=buckets, sum_value=total)
                return [family]

        self.registry.register(Lateness())

    def text(self) -> bytes:
        """The exposition format (text, version 0.0.4)."""
        from prometheus_client import generate_latest

        return generate_latest(self.registry)
