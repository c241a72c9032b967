"""Prometheus metrics of one event loop. A call is counted in plain numbers; prometheus_client only spells them.

It is imported when `/metrics` is read, not before: neither the start nor a call pays for it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from llm_simulator.telemetry.figures import COUNTER, Figures, Others
from llm_simulator.telemetry.journal import Entry

if TYPE_CHECKING:
    from prometheus_client.metrics_core import HistogramMetricFamily, Metric

MODEL_LIMIT = 500
"""Distinct model labels kept; further ones count as "other": a client cannot grow the registry without bound."""

_TTFT_BUCKETS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0)
_DURATION_BUCKETS = (0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
_LABELS = ("provider", "model", "source", "status")
_FAULT_LABELS = ("scenario", "rule", "fault", "priority")


class _Counted:
    """The numbers of one set of labels."""

    __slots__ = ("completion", "duration", "durations", "errors", "prompt", "requests", "ttft", "ttfts")

    def __init__(self) -> None:
        self.requests = self.errors = self.prompt = self.completion = 0
        self.duration = self.ttft = 0.0
        self.durations = [0] * (len(_DURATION_BUCKETS) + 1)  # calls by bucket, not yet cumulative
        self.ttfts = [0] * (len(_TTFT_BUCKETS) + 1)


class Metrics:
    """The five metrics of a call, the lateness of paced writes, and what others count (`others`).

    Of several workers, each sends its calls and its `others.figures()` to the keeper, whose `gather` adds them up.
    """

    def __init__(self) -> None:
        self._models: set[str] = set()
        self._counted: dict[tuple[str, str, str, int], _Counted] = {}
        self._faults: dict[tuple[str, str, str, str], int] = {}
        self._late: tuple[Sequence[float], Callable[[], tuple[Sequence[int], float]]] | None = None
        self.others = Others()
        self.gather: Callable[[], Figures] = self.others.figures

    def add(self, entry: Entry) -> None:
        labels = (entry.provider, self._model(entry.model), entry.source, entry.status)
        counted = self._counted.get(labels)
        if counted is None:
            counted = self._counted[labels] = _Counted()
        if entry.fault:
            priority = "" if entry.priority is None else str(entry.priority)
            struck = (entry.scenario, entry.rule, entry.fault, priority)
            self._faults[struck] = self._faults.get(struck, 0) + 1
        counted.requests += 1
        counted.duration += entry.duration
        counted.durations[bisect_left(_DURATION_BUCKETS, entry.duration)] += 1
        if entry.ttft is not None:
            counted.ttft += entry.ttft
            counted.ttfts[bisect_left(_TTFT_BUCKETS, entry.ttft)] += 1
        if entry.status >= 400:
            counted.errors += 1
        if entry.prompt_tokens:
            counted.prompt += entry.prompt_tokens
        if entry.completion_tokens:
            counted.completion += entry.completion_tokens

    def _model(self, model: str) -> str:
        if model in self._models:
            return model
        if len(self._models) < MODEL_LIMIT:
            self._models.add(model)
            return model
        return "other"

    def lateness(self, bounds: Sequence[float], read: Callable[[], tuple[Sequence[int], float]]) -> None:
        """Publishes a histogram that somebody else keeps: `read` gives the counts per bucket and their sum."""
        self._late = bounds, read

    def count(self, name: str, about: str, labels: Mapping[str, str] | None = None, by: float = 1) -> None:
        """Adds to a counter (spelled `<name>_total`)."""
        self.others.count(name, about, labels or {}, by)

    def gauge(self, name: str, about: str, read: Callable[[], float]) -> None:
        """Publishes a number that is read when it is asked for; the workers' numbers are added up."""
        self.others.gauge(name, about, read)

    def late_counts(self) -> tuple[list[int], float]:
        """Paced writes by how late they were (not cumulated), and the sum of it in seconds."""
        counts, total = self._late[1]() if self._late is not None else ((), 0.0)
        return list(counts), total

    def text(self) -> bytes:
        """The exposition format (text, version 0.0.4)."""
        from prometheus_client import CollectorRegistry, generate_latest
        from prometheus_client.registry import Collector

        families = list(self._families())

        class Counts(Collector):
            def collect(self) -> list[Metric]:
                return families

        registry = CollectorRegistry()
        registry.register(Counts())
        return generate_latest(registry)

    def _families(self) -> Iterator[Metric]:
        from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

        requests = CounterMetricFamily("llm_requests", "Calls answered.", labels=_LABELS)
        errors = CounterMetricFamily("llm_errors", "Calls answered with a status of 400 or above.", labels=_LABELS)
        tokens = CounterMetricFamily("llm_tokens", "Tokens by direction.", labels=(*_LABELS, "direction"))
        duration = HistogramMetricFamily("llm_request_duration_seconds", "Request read to end of body.", labels=_LABELS)
        ttft = HistogramMetricFamily("llm_latency_ttft_seconds", "Request read to first body byte.", labels=_LABELS)
        for (provider, model, source, status), counted in self._counted.items():
            labels = (provider, model, source, str(status))
            requests.add_metric(labels, counted.requests)
            errors.add_metric(labels, counted.errors)
            tokens.add_metric((*labels, "prompt"), counted.prompt)
            tokens.add_metric((*labels, "completion"), counted.completion)
            _fill(duration, labels, _DURATION_BUCKETS, counted.durations, counted.duration)
            _fill(ttft, labels, _TTFT_BUCKETS, counted.ttfts, counted.ttft)
        yield from (requests, errors, tokens, duration, ttft)
        if self._faults:
            faults = CounterMetricFamily("llm_faults", "Faults injected.", labels=_FAULT_LABELS)
            for struck, count in self._faults.items():
                faults.add_metric(struck, count)
            yield faults
        for (kind, name, about), values in self.gather().items():
            named = tuple(label for label, _ in next(iter(values)))
            family = (CounterMetricFamily if kind == COUNTER else GaugeMetricFamily)(name, about, labels=named)
            for told, value in values.items():
                family.add_metric([text for _, text in told], value)
            yield family
        if self._late is not None:
            bounds, read = self._late
            late = HistogramMetricFamily("llm_stream_lateness_seconds", "Due time to write of paced chunks.")
            counts, total = read()
            _fill(late, (), bounds, counts, total)
            yield late
            p99 = _quantile(0.99, bounds, counts)
            yield GaugeMetricFamily("llm_stream_lateness_p99_seconds", "p99 of the same, since the start.", value=p99)


def _quantile(q: float, bounds: Sequence[float], counts: Sequence[int]) -> float:
    """As `histogram_quantile` has it: even within a bucket, the last bound beyond it; 0 where nothing was counted."""
    below, low, wanted = 0, 0.0, q * sum(counts)
    for bound, count in zip(bounds, counts, strict=False):
        if count and below + count >= wanted:
            return low + (bound - low) * (wanted - below) / count
        below, low = below + count, bound
    return low if sum(counts) else 0.0


def _fill(
    family: HistogramMetricFamily, labels: Sequence[str], bounds: Sequence[float], counts: Sequence[int], total: float
) -> None:
    """Adds a histogram to its family, buckets cumulated as the format wants them."""
    running, buckets = 0, []
    for bound, count in zip((*map(str, bounds), "+Inf"), counts, strict=True):
        running += count
        buckets.append((bound, running))
    family.add_metric(labels, buckets=buckets, sum_value=total)
