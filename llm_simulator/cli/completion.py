"""`llm-simulator completion SHELL`: the script by which a shell completes our commands and options (click's own)."""

from __future__ import annotations

import click

PROGRAM = "llm-simulator"

_HINTS = {
    "bash": 'eval "$(llm-simulator completion bash)"                                  # in ~/.bashrc',
    "zsh": 'eval "$(llm-simulator completion zsh)"                                   # in ~/.zshrc, after compinit',
    "fish": "llm-simulator completion fish > ~/.config/fish/completions/llm-simulator.fish",
}


@click.command("completion", epilog="\b\n" + "\n".join(_HINTS.values()))
@click.argument("shell", type=click.Choice(list(_HINTS)))
def command(shell: str) -> None:
    """Print the completion script of a shell."""
    from click.shell_completion import get_completion_class

    from llm_simulator.cli import COMPLETE_VARIABLE, cli

    made = get_completion_class(shell)
    assert made is not None  # click knows all three
    click.echo(made(cli, {}, PROGRAM, COMPLETE_VARIABLE).source())
