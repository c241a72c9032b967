"""`llm-simulator scenario`: which scenarios there are, and what they say."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from llm_simulator.cli.options import JSON_OPTION
from llm_simulator.config import library
from llm_simulator.config.load import load
from llm_simulator.errors import ConfigError

_CONFIG = click.option(
    "--config", type=click.Path(dir_okay=False, path_type=Path), help="a configuration file with scenarios of your own"
)


@click.group("scenario")
def command() -> None:
    """List and show scenarios: those that are shipped, and those of a configuration file."""


@command.command("list")
@_CONFIG
@JSON_OPTION
def list_command(config: Path | None, as_json: bool) -> None:
    """List the scenarios and what each tests."""
    own = load(config, os.environ).scenarios
    rows = [{"name": name, "about": scenario.about, "shipped": False} for name, scenario in own.items()]
    for name in library.shipped():
        scenario = library.find(name, {})
        if scenario is not None and name not in own:
            rows.append({"name": name, "about": scenario.about, "shipped": True})
    if as_json:
        for row in rows:
            click.echo(json.dumps(row, ensure_ascii=False))
        return
    width = max(len(str(row["name"])) for row in rows)
    for row in rows:
        click.echo(f"{row['name']:<{width}}  {row['about']}{'' if row['shipped'] else '  (yours)'}")


@command.command("show")
@click.argument("name")
@_CONFIG
@JSON_OPTION
def show_command(name: str, config: Path | None, as_json: bool) -> None:
    """Show a scenario: its file as it stands (a good start for one of your own)."""
    own = load(config, os.environ).scenarios
    if name not in own and name not in library.shipped():
        raise ConfigError(library.unknown(name, own))
    if as_json:
        scenario = library.find(name, own)
        assert scenario is not None
        rules = [rule.name for rule in scenario.rules]
        phases = [step.name for step in scenario.phases.steps] if scenario.phases else []
        facts = {"name": name, "about": scenario.about, "rules": rules, "phases": phases}
        click.echo(json.dumps(facts, indent=2, ensure_ascii=False))
    elif name in own:
        click.echo(f"{name} is in {config}, under scenarios:\n{own[name].about}".rstrip())
        for rule in own[name].rules:
            click.echo(f"  {rule.name}")
    else:
        click.echo(library.text_of(name), nl=False)
