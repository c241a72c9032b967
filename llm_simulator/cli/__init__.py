"""The command `llm-simulator`. A command's code is imported when it is called: `serve` does not pay for the others."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING

import click

from llm_simulator import __version__
from llm_simulator.errors import ConfigError, SimulatorError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

COMPLETE_VARIABLE = "_LLM_SIMULATOR_COMPLETE"
"""By which a shell's completion script asks us: whatever path we are started by."""

_COMMANDS = {
    "serve": ("llm_simulator.cli.serve", "Serve: record, replay and simulate on a local port."),
    "run": ("llm_simulator.cli.run", "Run a command with its LLM SDKs pointed at the simulator."),
    "cassette": ("llm_simulator.cli.cassette", "List, show, import, export, scan, compare and tidy up cassettes."),
    "calibrate": ("llm_simulator.cli.calibrate", "Fit latency profiles to recordings."),
    "profile": ("llm_simulator.cli.profile", "List, show, plot and compare latency profiles; check for drift."),
    "doctor": ("llm_simulator.cli.doctor", "Show versions, folders and ports, and warn of what will surprise."),
    "pytest-server": ("llm_simulator.cli.pytest_server", "The pytest plugin's other half (it starts this itself)."),
    "capture": ("llm_simulator.cli.capture", "Install what the HTTPS_PROXY door needs."),
    "ca": ("llm_simulator.cli.ca", "The certificate authority of the HTTPS_PROXY door."),
    "scenario": ("llm_simulator.cli.scenario", "List and show scenarios."),
    "schema": ("llm_simulator.cli.schema", "Print the JSON Schema of a configuration file."),
    "validate": ("llm_simulator.cli.validate", "Check a configuration file."),
    "completion": ("llm_simulator.cli.completion", "Print the completion script of a shell."),
}

_SHOWN = {name: command for name, command in _COMMANDS.items() if name != "pytest-server"}


class _Lazy(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command = import_module(_COMMANDS[cmd_name][0]).command
        assert isinstance(command, click.Command)
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """As click does it, but without importing every command for its help."""
        from click.shell_completion import CompletionItem

        names = [CompletionItem(name, help=text) for name, (_, text) in _SHOWN.items() if name.startswith(incomplete)]
        return [*names, *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _SHOWN.items()])


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="llm-simulator")
def cli() -> None:
    """Record LLM provider traffic once, replay it offline, simulate the rest."""


def main() -> None:
    """The entry point; exit code 2 for what the user must mend, 1 for what failed."""
    try:
        cli(complete_var=COMPLETE_VARIABLE)
    except ConfigError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(2)
    except SimulatorError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(1)
