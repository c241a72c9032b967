"""`llm-simulator capture`: the private environment of the HTTPS_PROXY door."""

from __future__ import annotations

import os

import click

from llm_simulator.proxy import capture


@click.group("capture")
def command() -> None:
    """The HTTPS_PROXY door runs on mitmproxy, whose pins exclude today's SDKs: it gets an environment of its own."""


@command.command("install")
def install() -> None:
    """Make the environment (anew) in the user's data folder. Needs a package index."""
    click.echo(f"installing {capture.REQUIREMENT} in {capture.environment(os.environ)}", err=True)
    click.echo(capture.install(os.environ))


@command.command("path")
def path() -> None:
    """Print the interpreter that the door will use."""
    click.echo(capture.interpreter(os.environ))
