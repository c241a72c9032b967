"""The configuration in force, as an operator may see it: by the names of the file, without secrets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from llm_simulator.config.active import not_active
from llm_simulator.config.problems import masked
from llm_simulator.config.settings import Settings
from llm_simulator.types import JSON

HIDDEN = "***"


def shown(settings: Settings) -> dict[str, JSON]:
    """`config`: section -> field -> value; `not_active`: what is set and has no effect here, and why."""
    return {"config": _clean(sections(settings)), "not_active": dict(not_active(settings))}


def sections(settings: Settings) -> dict[str, JSON]:
    """All settings by their places in the file."""
    said = settings.providers.given if settings.providers is not None else {}
    return {
        "server": {
            "host": settings.host,
            "port": settings.port,
            "workers": settings.workers,
            "max_connections": settings.max_connections,
            "request_timeout_secs": settings.request_timeout_secs,
            "connect_timeout_secs": settings.connect_timeout_secs,
            "drain_secs": settings.drain_secs,
            "max_body_bytes": settings.max_body_bytes,
            "journal_size": settings.journal_size,
            "hosts": list(settings.hosts),
            "origins": list(settings.origins),
            "allow_remote": settings.allow_remote,
            "admin_token": HIDDEN if settings.admin_token else "",
            "watch": settings.watch,
        },
        "simulation": {
            "deterministic": settings.deterministic,
            "seed": settings.seed,
            "speed": settings.speed,
            "validation": settings.validation.value,
            "models": list(settings.models),
            "profiles": list(settings.profiles),
            "style": asdict(settings.style),
            "concurrency": {
                "max_concurrent_requests": settings.max_concurrent,
                "queue_size": settings.queue_size,
                "providers": {
                    name: {"max_concurrent_requests": line.most, "queue_size": line.waiting}
                    for name, line in settings.lines.items()
                },
            },
        },
        "response": {"label": settings.label.value},
        "providers": said.get("providers", {}),
        "errors": said.get("errors", {}),
        "cassettes": {
            "path": settings.cassette,
            "mode": settings.mode.value,
            "match": {
                "ignore": list(settings.rules.ignore),
                "headers": list(settings.rules.headers),
                "host": settings.rules.host,
            },
            "after_last": settings.after_last.value,
            "allow_truncated": settings.allow_truncated,
            "explain": settings.explain,
        },
        "upstreams": dict(settings.upstreams),
        "limits": settings.limits.as_json() if settings.limits is not None else {},
        "breaker": settings.breaker.as_json() if settings.breaker is not None else False,
        "keys": settings.keys.as_json() if settings.keys is not None else {"policy": "any"},
        "sessions": {"ttl_secs": settings.session_ttl_secs, "max": settings.max_sessions},
        "telemetry": {
            "logging": {"level": settings.log_level, "format": settings.log_format},
            "metrics": {"enabled": settings.metrics, "prometheus_port": settings.metrics_port},
            "tracing": {
                "enabled": bool(settings.otlp_endpoint),
                "otlp_endpoint": settings.otlp_endpoint,
                "protocol": settings.otlp_protocol,
            },
        },
        "scenario": settings.scenario,
        "scenarios": {name: scenario.about for name, scenario in settings.scenarios.items()},
    }


def _clean(value: Any) -> Any:
    """Without the user and password of URLs."""
    match value:
        case str():
            return masked(value)
        case Mapping():
            return {masked(str(name)): _clean(inner) for name, inner in value.items()}
        case list() | tuple():
            return [_clean(inner) for inner in value]
        case _:
            return value


def flat(values: Mapping[str, Any], *at: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """(place, value) of each field that is no section."""
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from flat(value, *at, str(name))
        else:
            yield (*at, str(name)), value
