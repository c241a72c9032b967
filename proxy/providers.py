"""What is covered, and whether it answers: the listing of `GET /admin/providers`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llm_simulator.dialects import registry
from llm_simulator.dialects.base import Dialect
from llm_simulator.proxy.selfcheck import Trial, trials
from llm_simulator.simulator.engine import Engine

FEATURES: Mapping[str, frozenset[str]] = {
    "chat completion": frozenset(("chat", "responses")),
    "streaming": frozenset(("streaming",)),
    "function calling": frozenset(("function_calling", "tool_use")),
    "tool use": frozenset(("function_calling", "tool_use")),
    "vision": frozenset(("vision",)),
    "embeddings": frozenset(("embeddings",)),
    "JSON mode": frozenset(("structured_output",)),
    "system prompts": frozenset(("chat", "responses")),
}
"""What people ask for, and the names that dialects declare: any of them will do."""


def listing() -> dict[str, Any]:
    """Every dialect, with a check of its examples: takes about a second the first time, for the token ranks."""
    engine = Engine(0)
    found = [_of(dialect, engine) for dialect in registry.dialects()]
    failed = sum(item["health"]["status"] == "failed" for item in found)
    return {"status": "failed" if failed else "ok", "failed": failed, "providers": found}


def _of(dialect: Dialect, engine: Engine) -> dict[str, Any]:
    return {
        "name": dialect.name,
        "provider": dialect.provider,
        "api_version": dialect.api_version,
        "features": {name: bool(words & dialect.features) for name, words in FEATURES.items()},
        "also": sorted(dialect.features.difference(*FEATURES.values())),
        "operations": sorted(dialect.simulates),
        "health": _health(dialect, engine),
    }


def _health(dialect: Dialect, engine: Engine) -> dict[str, Any]:
    """Failed says which example, and why."""
    try:
        tried = trials(dialect, engine)
    except Exception as error:  # noqa: BLE001  a dialect of a third party that breaks must not hide the others
        return {"status": "failed", "reasons": [f"{type(error).__name__}: {error}"]}
    reasons = [_reason(trial) for trial in tried if trial.problem]
    if not tried:
        return {"status": "unknown", "reasons": ["it declares no routes to try"]}
    return {"status": "failed" if reasons else "ok", "checked": len(tried), **({"reasons": reasons} if reasons else {})}


def _reason(trial: Trial) -> str:
    return f"{trial.route.operation} ({trial.route.method} {trial.route.path}): {trial.problem}"
