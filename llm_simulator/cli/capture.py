"""`llm-simulator capture`: the private environment of the HTTPS_PROXY door."""

from __future__ import annotations

import json
import os

import click

from llm_simulator.cli.options import JSON_OPTION
from llm_simulator.proxy import capture


@click.group("capture")
def command() -> None:
    """The HTTPS_PROXY door runs on mitmproxy, whose pins exclude today's SDKs: it gets an environment of its own."""


@command.command("install")
@JSON_OPTION
def install(as_json: bool) -> None:
    """Make the environment (anew) in the user's data folder. Needs a package index."""
    click.echo(f"installing {capture.REQUIREMENT} in {capture.environment(os.environ)}", err=True)
    _say(capture.install(os.environ), as_json)


@command.command("path")
@JSON_OPTION
def path(as_json: bool) -> None:
    """Print the interpreter that the door will use."""
    _say(capture.interpreter(os.environ), as_json)


def _say(interpreter: str, as_json: bool) -> None:
    click.echo(json.dumps({"interpreter": interpreter, "requirement": capture.REQUIREMENT}) if as_json else interpreter)
