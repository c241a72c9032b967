"""The section `telemetry` of the configuration file: logs, metrics, traces (docs/telemetry.md)."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from llm_simulator.config.section import Section

DEFAULT_COLLECTOR = "http://localhost:4318"


def _collector(url: str) -> str:
    """Raises:
    ValueError: it is no URL of a collector.
    """
    try:
        parts = urlsplit(url)
        named = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        if named or not url:
            return url
    except ValueError:
        pass
    raise ValueError(f"{url!r} is no URL of a collector; http://HOST:PORT or https://HOST:PORT is allowed")


class LoggingSection(Section):
    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["text", "json"] = Field(default="text", description="json: one object a line")


class MetricsSection(Section):
    enabled: bool = Field(default=True, description="false: /metrics answers 404")
    prometheus_port: Annotated[int, Field(ge=0, le=65535)] | None = Field(
        default=None, description="a second port that serves /metrics, of all workers together; none by default"
    )


class TracingSection(Section):
    """One OpenTelemetry span per call, sent to a collector. Needs the extra `otel`."""

    enabled: bool | None = Field(default=None, description="default: whether there is an otlp_endpoint")
    otlp_endpoint: Annotated[str, AfterValidator(_collector)] = Field(
        default="", description=f"base URL of the collector; {DEFAULT_COLLECTOR} where only `enabled` is given"
    )
    protocol: Literal["auto", "http", "grpc"] = Field(
        default="auto", description="auto: grpc at port 4317, as OpenTelemetry assigns it, else http (protobuf)"
    )

    @property
    def endpoint(self) -> str:
        """The collector; "" where no traces are wanted."""
        wanted = bool(self.otlp_endpoint) if self.enabled is None else self.enabled
        return (self.otlp_endpoint or DEFAULT_COLLECTOR) if wanted else ""


class TelemetrySection(Section):
    logging: LoggingSection = LoggingSection()
    metrics: MetricsSection = MetricsSection()
    tracing: TracingSection = TracingSection()
