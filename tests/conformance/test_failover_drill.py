"""A real LiteLLM router fails over while its provider is down, and goes back when it is up again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from conformance_run import second_line, serving_process
from serving import ask

pytestmark = [pytest.mark.wire, pytest.mark.untraced, pytest.mark.xdist_group("conformance")]

DOWN: Any = {"name": "down", "when": {"phase": "down"}, "then": {"fault": "unavailable"}}
UP: Any = {"name": "up", "then": "server"}


def outage(by: str, *steps: tuple[str, float]) -> dict[str, Any]:
    timed = [{"name": name, "for": length} if length else {"name": name} for name, length in steps]
    return {"phases": {"by": by, "steps": timed}, "rules": [DOWN, UP]}


CONFIG = {
    "scenarios": {
        "outage-by-calls": outage("calls", ("calm", 3), ("down", 4), ("recovered", 0)),
        "outage-by-clock": outage("clock", ("down", 4), ("recovered", 0)),
    }
}


@pytest.mark.timeout(900)  # the first run makes the environment
def test_a_router_fails_over_and_recovers(tmp_path: Path) -> None:
    config = tmp_path / "drill.json"
    config.write_text(json.dumps(CONFIG))
    with (tmp_path / "server.log").open("w") as log, serving_process(log, "--config", str(config)) as base_url:
        made = second_line("failover_drill.py", base_url)
        assert made.returncode == 0, made.stderr[-4000:]
        drills = json.loads(made.stdout.splitlines()[-1])
        scenarios = ask(base_url, "/admin/summary").json()["scenarios"]
    assert drills["calls"] == ["gpt"] * 3 + ["claude"] * 4 + ["gpt"] * 3
    assert drills["clock"][0] == "claude"
    assert drills["clock"][-2:] == ["gpt", "gpt"]
    assert set(drills["library"]) == {"claude", "gemini"}
    assert drills["again"] == drills["library"]
    counted = scenarios["outage-by-calls"]
    assert (counted["calls"], counted["rules"]) == (10, {"down": 4, "up": 6})
    assert scenarios["healthy"]["calls"] == 4 + drills["clock"].count("claude")
    assert scenarios["failover-drill"]["rules"]["primary down"] == 24
