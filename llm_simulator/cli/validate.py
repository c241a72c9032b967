"""`llm-simulator validate`: says everything that is wrong with a configuration file, or that nothing is."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import click

from llm_simulator.cli.options import JSON_OPTION
from llm_simulator.config.load import load
from llm_simulator.errors import ConfigError


@click.command("validate")
@click.option(
    "--config", required=True, type=click.Path(dir_okay=False, path_type=Path), help="YAML, JSON or TOML file"
)
@JSON_OPTION
def command(config: Path, as_json: bool) -> None:
    """Check a configuration file (with the environment laid over it) and list every error. Exits with 2 if there is one."""
    from llm_simulator.proxy.server import check

    try:
        settings = load(config, os.environ)
        check(settings)
    except ConfigError as error:
        if not as_json:
            raise
        click.echo(json.dumps({"config": str(config), "valid": False, "errors": str(error).splitlines()}, indent=2))
        sys.exit(2)
    facts = {"mode": settings.mode.value, "port": settings.port}
    if as_json:
        click.echo(json.dumps({"config": str(config), "valid": True, "errors": [], **facts}, indent=2))
    else:
        click.echo(f"{config}: valid (mode {settings.mode.value}, port {settings.port})")
