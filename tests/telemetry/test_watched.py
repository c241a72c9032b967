"""No span is made for a collector that is not there."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from llm_simulator.telemetry import traces
from llm_simulator.telemetry.journal import Entry
from llm_simulator.telemetry.traces import PAUSE_SECONDS, Traces, Watched


class Fake(SpanExporter):
    """Takes some time for each export, and fails where it is told to."""

    def __init__(self) -> None:
        self.now = 100.0
        self.result = SpanExportResult.SUCCESS
        self.seen: list[bool] = []
        self.watched = Watched(self, lambda: self.now)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.seen.append(self.watched.stuck)
        self.now += PAUSE_SECONDS + 1
        self.seen.append(self.watched.stuck)
        return self.result


def test_a_collector_is_stuck_after_a_failure_and_during_a_long_export() -> None:
    fake = Fake()
    assert not fake.watched.stuck
    fake.watched.export(())
    assert (fake.seen, fake.watched.stuck) == ([False, True], False)
    fake.result = SpanExportResult.FAILURE
    fake.watched.export(())
    assert fake.watched.stuck
    fake.now += PAUSE_SECONDS
    assert not fake.watched.stuck


class Failing(SpanExporter):
    def __init__(self) -> None:
        self.spans = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.spans += len(spans)
        return SpanExportResult.FAILURE


def test_spans_are_dropped_until_it_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traces, "PAUSE_SECONDS", 1e6)
    failing = Failing()
    made = Traces(failing, "1", {})
    made._exporter._failed = -1e6  # pyright: ignore[reportPrivateUsage]
    entry = Entry(5.0, "POST", "/v1/x", "openai", "gpt-4o", "chat", False, 200, "simulator")
    made.add(entry, None)
    made._provider.force_flush()  # pyright: ignore[reportPrivateUsage]
    made.add(entry, None)
    made.add(entry, None)
    assert (failing.spans, made.dropped) == (1, 2)
    made._provider.shutdown()  # pyright: ignore[reportPrivateUsage]
