"""`llm-simulator schema`: the configuration file as JSON Schema, for editors."""

from __future__ import annotations

import json
from pathlib import Path

import click

from llm_simulator.errors import ConfigError

_KINDS = ("config", "scenario")


@click.command("schema")
@click.option("--of", "kind", type=click.Choice(_KINDS), default="config", help="which file (default config)")
@click.option(
    "--output", "-o", type=click.Path(dir_okay=False, path_type=Path), help="write it there and say how to use it"
)
def command(kind: str, output: Path | None) -> None:
    """Print the JSON Schema of a configuration file, or of a file with one scenario (`--scenario drill.yaml`)."""
    from llm_simulator.config.published import KINDS

    text = json.dumps(KINDS[kind](), indent=2, ensure_ascii=False) + "\n"
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{output}: cannot be written: {error.strerror}") from error
    click.echo(f"{output}: written. An editor finds it by the first line of a YAML file beside it:")
    click.echo(f"# yaml-language-server: $schema={output.name}")
