"""`llm-simulator validate`: says everything that is wrong with a configuration file, or that nothing is."""

from __future__ import annotations

import os
from pathlib import Path

import click

from llm_simulator.config.load import load


@click.command("validate")
@click.option(
    "--config", required=True, type=click.Path(dir_okay=False, path_type=Path), help="YAML, JSON or TOML file"
)
def command(config: Path) -> None:
    """Check a configuration file (with the environment laid over it) and list every error."""
    from llm_simulator.proxy.server import check

    settings = load(config, os.environ)
    check(settings)
    click.echo(f"{config}: valid (mode {settings.mode.value}, port {settings.port})")
