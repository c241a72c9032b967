"""Journal, tally, metrics and log tell the same of a call."""

from __future__ import annotations

import logging

import pytest

from llm_simulator.telemetry import log as log_module
from llm_simulator.telemetry.journal import Entry, Journal
from llm_simulator.telemetry.metrics import MODEL_LIMIT, Metrics
from llm_simulator.telemetry.observer import Observer
from llm_simulator.telemetry.tally import Tally


def _entry(source: str = "cassette", model: str = "gpt-4o", status: int = 200, **more: object) -> Entry:
    made = Entry(0.0, "POST", "/v1/chat/completions", "openai", model, "chat", False, status, source)
    for name, value in more.items():
        setattr(made, name, value)
    return made


def test_the_journal_is_bounded_and_says_only_what_is_known() -> None:
    journal = Journal(2)
    for number in range(3):
        journal.add(_entry(exchange=number))
    assert (journal.total, len(journal), [entry.exchange for entry in journal]) == (3, 2, [1, 2])
    shown = next(iter(journal)).as_json()
    assert shown["at"] == "1970-01-01T00:00:00.000+00:00"
    assert "session" not in shown
    assert "ttft" not in shown


def test_the_tally_counts_by_provider_and_model() -> None:
    tally = Tally()
    for entry in (
        _entry(prompt_tokens=3, completion_tokens=5, cost_usd=5.75e-05),
        _entry("upstream", recorded=True, differs="status was 200, is 500"),
        _entry("simulator"),
        _entry("miss", status=404),
        _entry("refusal", "other", 400),
    ):
        tally.add(entry)
    made = tally.as_json()
    assert made["models"][0] == {
        "provider": "openai", "model": "gpt-4o", "calls": 4, "recorded": 1, "replayed": 1, "simulated": 1, "templated": 0,
        "missed": 1, "forwarded": 1, "refused": 0, "failed": 0, "prompt_tokens": 3, "completion_tokens": 5, "spent_usd": 0.0,
        "saved_usd": 5.75e-05,
    }  # fmt: skip
    assert (made["total"]["calls"], made["total"]["refused"]) == (5, 1)
    assert made["differences"] == ["POST /v1/chat/completions gpt-4o: status was 200, is 500"]


def test_the_tally_counts_by_scenario_rule_and_fault() -> None:
    tally, metrics = Tally(), Metrics()
    for entry in (
        _entry(scenario="mixed", rule="recorded"),
        _entry("response", scenario="mixed", rule="templated"),
        _entry("fault", status=429, scenario="mixed", rule="failed", fault="rate_limit"),
        _entry("simulator", scenario="mixed"),
        _entry("simulator"),
    ):
        tally.add(entry)
        metrics.add(entry)
    assert tally.as_json()["scenarios"] == {
        "mixed": {
            "calls": 4,
            "answered": {"failed": 1, "replayed": 1, "simulated": 1, "templated": 1},
            "rules": {"failed": 1, "no rule": 1, "recorded": 1, "templated": 1},
            "faults": {"rate_limit": 1},
        }
    }
    assert tally.total().calls == 5
    assert tally.scenarios["mixed"].told("mixed") == (
        "scenario mixed: 1 failed, 1 replayed, 1 simulated, 1 templated; "
        "by rule: failed 1, no rule 1, recorded 1, templated 1; faults: rate_limit 1"
    )
    assert (
        'llm_faults_total{fault="rate_limit",priority="",rule="failed",scenario="mixed"} 1.0' in metrics.text().decode()
    )


def test_metrics_in_the_exposition_format() -> None:
    metrics = Metrics()
    metrics.add(_entry(ttft=0.2, duration=1.0, prompt_tokens=3, completion_tokens=5))
    metrics.add(_entry("miss", status=404))
    metrics.lateness((0.1, 1.0), lambda: ([1, 2, 3], 9.5))
    text = metrics.text().decode()
    labels = 'model="gpt-4o",provider="openai",source="cassette",status="200"'
    assert f"llm_requests_total{{{labels}}} 1.0" in text
    assert f'llm_tokens_total{{direction="completion",{labels}}} 5.0' in text
    assert f'llm_latency_ttft_seconds_bucket{{le="0.2",{labels}}} 1.0' in text
    assert 'llm_errors_total{model="gpt-4o",provider="openai",source="miss",status="404"} 1.0' in text
    assert 'llm_stream_lateness_seconds_bucket{le="+Inf"} 6.0' in text
    assert "llm_stream_lateness_seconds_sum 9.5" in text
    assert "llm_stream_lateness_p99_seconds 1.0" in text  # beyond the last bound


def test_p99_of_lateness_lies_within_its_bucket() -> None:
    metrics = Metrics()
    metrics.lateness((0.001, 0.005), lambda: ([90, 10, 0], 0.2))
    assert "llm_stream_lateness_p99_seconds 0.0046" in metrics.text().decode()
    metrics.lateness((0.001, 0.005), lambda: ([0, 0, 0], 0.0))
    assert "llm_stream_lateness_p99_seconds 0.0" in metrics.text().decode()


def test_a_client_cannot_grow_the_labels_without_bound() -> None:
    metrics = Metrics()
    for number in range(MODEL_LIMIT + 5):
        metrics.add(_entry(model=f"m{number}"))
    text = metrics.text().decode()
    assert 'llm_requests_total{model="other",provider="openai",source="cassette",status="200"} 5.0' in text
    assert f'model="m{MODEL_LIMIT}"' not in text


def test_a_log_line_is_cleaned_whoever_wrote_it(capsys: pytest.CaptureFixture[str]) -> None:
    root, ours = logging.getLogger(), logging.getLogger("llm_simulator")
    before = (root.handlers[:], root.level, ours.level)
    try:
        log_module.set_up("info", lambda line: line.replace("s3cret", "REDACTED"))
        Observer(10).add(_entry(note="with s3cret"))
        logging.getLogger("other.library").warning("its %s", "s3cret")
        shown = capsys.readouterr().err
    finally:
        root.handlers[:], root.level = before[0], before[1]
        ours.setLevel(before[2])
    assert "POST /v1/chat/completions gpt-4o 200 cassette 0.0 ms (with REDACTED)" in shown
    assert "its REDACTED" in shown
    assert "s3cret" not in shown
