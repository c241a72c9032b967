"""Every command that tells something can tell it as JSON; those that do not are named here."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from llm_simulator.cli import cli

DEMO = str(Path(__file__).resolve().parents[2] / "cassettes" / "demo.yaml")
WITHOUT = {
    "serve": "runs until it is stopped; /admin is JSON",
    "run": "its output is the command's; --report writes JSON",
    "pytest-server": "speaks JSON lines with the plugin only",
    "completion": "prints a shell script",
    "profile schema": "prints JSON, and nothing else there is",
    "schema": "prints JSON, and nothing else there is",
}
MEASURED = "provider,model,stream,output_tokens,ttft_ms,total_ms\n" + "openai,gpt-4o,1,100,430,1470\n" * 12

# What stands after the command -> the type of the whole, or "lines": one JSON object on each line.
LISTINGS: dict[str, tuple[list[str], type | str]] = {
    "cassette list": (["-c", DEMO], "lines"),
    "cassette show": (["-c", DEMO, "2"], dict),
    "cassette stats": (["-c", DEMO], dict),
    "cassette import": ([DEMO, "-c", "made.db"], dict),
    "cassette export": (["-c", DEMO, "-o", "made.yaml"], dict),
    "cassette scan": (["-c", DEMO], "lines"),
    "cassette diff": ([DEMO, DEMO], dict),
    "cassette prune": (["-c", DEMO, "--truncated"], dict),
    "profile list": ([], "lines"),
    "profile show": (["openai/gpt-4o"], dict),
    "profile compare": (["openai/gpt-4o", "openai/gpt-4o-mini"], dict),
    "profile plot": (["openai/gpt-4o", "-o", "made.png"], dict),
    "profile check": (["openai/gpt-4o", "--against", "measured.csv"], dict),
    "scenario list": ([], "lines"),
    "scenario show": (["flaky"], dict),
    "doctor": ([], dict),
    "capture path": ([], dict),
    "capture install": ([], dict),
    "ca path": ([], dict),
    "ca env": ([], dict),
    "ca install-hints": ([], dict),
    "validate": (["--config", "good.yaml"], dict),
    "calibrate": (["measured.csv"], dict),
}
ELSEWHERE = {  # tested with what they need: a capture interpreter, an openssl, minutes
    "capture path", "capture install", "ca path", "ca env", "ca install-hints"
}  # fmt: skip


def commands(group: click.Group, before: str = "") -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, f"{before}{name} ")
        else:
            yield f"{before}{name}", command


def test_every_command_has_json_or_a_reason() -> None:
    found = dict(commands(cli))
    with_json = {name for name, command in found.items() if any("--json" in option.opts for option in command.params)}
    assert found.keys() - with_json == WITHOUT.keys()
    assert with_json == LISTINGS.keys(), "a new command with --json: add it to LISTINGS"


@pytest.mark.parametrize("name", sorted(LISTINGS.keys() - ELSEWHERE))
def test_json_is_json_and_nothing_else_is_printed(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments, kind = LISTINGS[name]
    monkeypatch.chdir(tmp_path)
    Path("good.yaml").write_text("simulation: {seed: 3}\n")
    Path("measured.csv").write_text(MEASURED)
    done = CliRunner().invoke(cli, [*name.split(), *arguments, "--json"], env=dict(os.environ), catch_exceptions=False)
    assert (done.exit_code, done.stderr) == (0, "")
    if kind == "lines":
        assert all(isinstance(json.loads(line), dict) for line in done.stdout.splitlines())
    else:
        assert isinstance(json.loads(done.stdout), dict)


def test_what_is_wrong_with_a_configuration_comes_as_json_too(tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text("server: {port: x}\nsimulation: {sed: 3}\n")
    done = CliRunner().invoke(cli, ["validate", "--config", str(bad), "--json"])
    told = json.loads(done.stdout)
    assert (done.exit_code, told["valid"], len(told["errors"])) == (2, False, 2)
