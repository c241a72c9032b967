"""The section `telemetry`: what it means, and that mistakes are found at their place."""

from __future__ import annotations

from typing import Any

import pytest

from llm_simulator.config.load import from_mapping
from llm_simulator.config.telemetry_fields import DEFAULT_COLLECTOR
from llm_simulator.errors import ConfigError

SAMPLE = {
    "logging": {"level": "warning", "format": "json"},
    "metrics": {"enabled": True, "prometheus_port": 9090},
    "tracing": {"enabled": True, "otlp_endpoint": "http://localhost:4317"},
}


def test_the_sample_means_what_it_says() -> None:
    made = from_mapping({"telemetry": SAMPLE})
    assert (made.log_level, made.log_format, made.metrics, made.metrics_port) == ("warning", "json", True, 9090)
    assert (made.otlp_endpoint, made.otlp_protocol) == ("http://localhost:4317", "auto")


@pytest.mark.parametrize(
    ("tracing", "endpoint"),
    [
        ({}, ""),
        ({"enabled": True}, DEFAULT_COLLECTOR),
        ({"enabled": False, "otlp_endpoint": "http://c:1"}, ""),
        ({"otlp_endpoint": "https://c.example/otlp"}, "https://c.example/otlp"),
        ({"protocol": "grpc"}, ""),
    ],
)
def test_when_traces_are_made(tracing: dict[str, Any], endpoint: str) -> None:
    assert from_mapping({"telemetry": {"tracing": tracing}}).otlp_endpoint == endpoint


@pytest.mark.parametrize(
    ("section", "shows"),
    [
        (
            {"tracing": {"otlp_endpoint": "localhost:4317"}},
            ["telemetry.tracing.otlp_endpoint", "no URL of a collector"],
        ),
        ({"tracing": {"otlp_endpoint": "http://c:port"}}, ["telemetry.tracing.otlp_endpoint", "http://HOST:PORT"]),
        ({"tracing": {"protocol": "udp"}}, ["telemetry.tracing.protocol", "http"]),
        ({"logging": {"format": "xml"}}, ["telemetry.logging.format", "json"]),
        ({"metrics": {"prometheus_port": 70000}}, ["telemetry.metrics.prometheus_port", "65535"]),
        ({"tracing": {"endpoint": "http://c:1"}}, ["telemetry.tracing.endpoint"]),
    ],
)
def test_mistakes_are_told(section: dict[str, Any], shows: list[str]) -> None:
    with pytest.raises(ConfigError) as found:
        from_mapping({"telemetry": section})
    assert all(text in str(found.value) for text in shows), str(found.value)
