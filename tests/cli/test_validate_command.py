"""`llm-simulator validate`: everything that is wrong at once, or what is set and from where."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from llm_simulator.cli import cli

BAD = """\
server: {port: x, hots: [a]}
cassettes: {mode: replay}
simulation:
  speed: fast
  profiles: [nowhere.yaml]
providers:
  gpt-4o:
    errors: {rate_limt: 0.1}
scenarios:
  a: {rules: [{then: {fault: nope}}, {then: {profile: nix}}]}
telemetry: {metrics: {prometheus_port: 8080}}
"""
GOOD = """\
server: {admin_token: hidden}
simulation: {deterministic: false, seed: 3, concurrency: {queue_size: 5}}
providers:
  opnai: {enabled: false}
"""


def validate(path: Path, *more: str, **environ: str) -> Result:
    return CliRunner().invoke(cli, ["validate", "--config", str(path), *more], env=environ, catch_exceptions=False)


def test_all_errors_at_once_with_line_and_field(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(BAD, "utf-8")
    done = validate(path, LLM_SIMULATOR__SESSIONS__MAX="0")
    places = [line.removeprefix("error: ").removeprefix(str(path)).split(": ")[:2] for line in done.stderr.splitlines()]
    assert done.exit_code == 2
    assert places[:-1] == [
        [":1", "server.port"],
        [":1", "server.hots"],
        [":4", "simulation.speed"],
        [":8", "providers.gpt-4o.errors.rate_limt"],
        [":10", "scenarios.a.rules[0].then.fault.kind"],
        ["LLM_SIMULATOR__SESSIONS__MAX", "sessions.max"],
        [":2", "cassettes.mode"],
        [":11", "telemetry.metrics.prometheus_port"],
        [":5", "simulation.profiles[0]"],
        [":10", "scenarios.a.rules[1].then.profile"],
    ]
    assert done.stderr.splitlines()[-1] == f"{path}: 10 errors"


def test_the_same_as_json(tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text('[server]\nport = "x"\n[cassettes]\nmode = "replay"\n', "utf-8")
    done = validate(path, "--json")
    told: Any = json.loads(done.stdout)
    assert (done.exit_code, told["valid"], len(told["errors"])) == (2, False, 2)
    first = told["errors"][0]
    assert {name: first[name] for name in ("file", "line", "field", "value")} == {
        "file": str(path),
        "line": 2,
        "field": "server.port",
        "value": "'x'",
    }
    assert first["allowed"].startswith("input should be a valid integer")
    assert (told["errors"][1]["line"], told["errors"][1]["field"]) == (4, "cassettes.mode")


def test_what_is_set_from_where_and_what_has_no_effect(tmp_path: Path) -> None:
    path = tmp_path / "good.yaml"
    path.write_text(GOOD, "utf-8")
    done = validate(path, LLM_SIMULATOR__SERVER__PORT="7")
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert done.exit_code == 0
    assert lines[0] == f"{path}: valid (mode auto, port 7)"
    assert f"server.admin_token *** ({path}:1)" in lines
    assert "server.port 7 (LLM_SIMULATOR__SERVER__PORT)" in lines
    assert "note: simulation.seed: not used: deterministic is false, so a seed is drawn at each start" in lines
    assert any(line.startswith("note: providers.opnai: ") and line.endswith("did you mean openai?") for line in lines)
    assert lines[-1] == (
        "accepted, but not active here: simulation.concurrency.queue_size: without max_concurrent_requests nothing waits"
    )
    told: Any = json.loads(validate(path, "--json").stdout)
    assert (told["valid"], told["errors"], told["mode"]) == (True, [], "auto")
    assert {"field": "simulation.seed", "value": "3", "from": f"{path}:2"} in told["set"]
    assert told["not_active"][0]["field"] == "simulation.concurrency.queue_size"


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("c.yaml", "server: [", ":2: not valid YAML"),
        ("c.json", '{\n"a": }', ":2: not valid JSON"),
        ("c.ini", "", ": a file ending in '.ini' is not known"),
        ("c.toml", "a =", ":1: not valid TOML"),
    ],
)
def test_what_is_no_configuration_at_all(tmp_path: Path, name: str, text: str, says: str) -> None:
    path = tmp_path / name
    path.write_text(text, "utf-8")
    done = validate(path)
    assert done.exit_code == 2
    assert f"error: {path}{says}" in done.stderr
    assert validate(tmp_path / "none.yaml").exit_code == 2
