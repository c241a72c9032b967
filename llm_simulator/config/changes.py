"""What a running server takes from another configuration, and what it cannot."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType

from llm_simulator.config.settings import Settings

FIXED: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "host": ("server.host", "the socket is open"),
        "port": ("server.port", "the socket is open"),
        "workers": ("server.workers", "the workers are running"),
        "max_connections": ("server.max_connections", "the socket is open"),
        "max_body_bytes": ("server.max_body_bytes", "connections were made with it"),
        "connect_timeout_secs": ("server.connect_timeout_secs", "connections were made with it"),
        "journal_size": ("server.journal_size", "the journal is as large as it was made"),
        "cassette": ("cassettes.path", "the cassette is open"),
        "rules": ("cassettes.match", "the recordings are keyed by it"),
        "after_last": ("cassettes.after_last", "the recordings are being played by it"),
        "allow_truncated": ("cassettes.allow_truncated", "the cassette was opened with it"),
        "explain": ("cassettes.explain", "the cassette was opened with it"),
        "metrics": ("telemetry.metrics.enabled", "whoever reads them would see a gap"),
        "metrics_port": ("telemetry.metrics.prometheus_port", "the socket is open"),
        "log_format": ("telemetry.logging.format", "whoever reads the log was told its format at the start"),
        "otlp_endpoint": ("telemetry.tracing", "the exporter is running"),
        "otlp_protocol": ("telemetry.tracing.protocol", "the exporter is running"),
    }
)
"""Setting -> its field in the file, and why it cannot change while the server runs."""


def refused(old: Settings, new: Settings) -> Iterator[str]:
    """Why a running server cannot go over from one to the other; nothing: it can."""
    for name, (field, why) in FIXED.items():
        was, wanted = getattr(old, name), getattr(new, name)
        if was != wanted and not (name == "port" and wanted == 0):
            yield f"{field}: is {_spelled(wanted)} and was {_spelled(was)}; it cannot change while the server runs: {why}"
    if new.forwards and not old.forwards:
        yield f"{_asks(new)} forwards to providers, and the server was started to stay offline; start it with such a mode"
    if new.writes and not old.writes:
        yield f"{_asks(new)} records, and the cassette was opened to be read only; start the server with such a mode"


def _asks(settings: Settings) -> str:
    what = settings.mode.forwards or settings.mode.writes
    return f"cassettes.mode: {settings.mode.value}" if what else "scenarios: a rule"


def _spelled(value: object) -> str:
    from llm_simulator.config.problems import masked

    return masked(repr(getattr(value, "value", value)))


def taken(old: Settings, new: Settings) -> Settings:
    """The new settings as the running server has them: what is fixed stays as it came out (port 0: the one bound), and a
    seed that was drawn is drawn once."""
    kept = {name: getattr(old, name) for name in FIXED}
    if not new.deterministic and not old.deterministic:
        kept["seed"] = old.seed
    return replace(new, **kept)
