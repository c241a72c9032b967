"""What a configuration may say that has no effect: in this build, on this system, or beside what else it says."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from importlib.util import find_spec
from types import MappingProxyType

from llm_simulator.config.settings import Settings


def _watch(settings: Settings) -> str:
    watched = settings.watch and settings.origin is not None and settings.origin.path is not None
    return "watchfiles is not installed" if watched and find_spec("watchfiles") is None else ""


def _workers(settings: Settings) -> str:
    return "this system cannot fork: one process serves" if settings.workers > 1 and not hasattr(os, "fork") else ""


def _tracing(settings: Settings) -> str:
    there = find_spec("opentelemetry") is not None and find_spec("opentelemetry.sdk") is not None
    return "pip install 'llm-simulator[otel]' sends traces" if settings.otlp_endpoint and not there else ""


def _queue(settings: Settings) -> str:
    unlimited = settings.queue_size and not settings.max_concurrent
    return "without max_concurrent_requests nothing waits" if unlimited else ""


def _metrics_port(settings: Settings) -> str:
    return "telemetry.metrics.enabled is false" if settings.metrics_port and not settings.metrics else ""


NOT_ACTIVE: Mapping[str, Callable[[Settings], str]] = MappingProxyType(
    {
        "server.watch": _watch,
        "server.workers": _workers,
        "simulation.concurrency.queue_size": _queue,
        "telemetry.metrics.prometheus_port": _metrics_port,
        "telemetry.tracing.enabled": _tracing,
    }
)
"""Field -> why it is accepted and not active ("": it is active)."""


def not_active(settings: Settings) -> Iterator[tuple[str, str]]:
    """(field, why) of what is set and has no effect."""
    for field, why in NOT_ACTIVE.items():
        if told := why(settings):
            yield field, told
