"""`llm-simulator cassette diff A B`: what only one of two cassettes has, and where the answers to equal calls differ."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from llm_simulator.cli.cassettes import run_async
from llm_simulator.cli.options import JSON_OPTION, complete_files
from llm_simulator.errors import CassetteError, ConfigError
from llm_simulator.telemetry.drift import Aspect, Drift

if TYPE_CHECKING:
    from llm_simulator.recorder.difference import Compared, Only

_STYLES = {"-": "red", "+": "green", "~": "yellow"}


@click.command("diff")
@click.argument("a", shell_complete=complete_files)
@click.argument("b", shell_complete=complete_files)
@click.option(
    "--only",
    multiple=True,
    type=click.Choice([aspect.value for aspect in Aspect]),
    help="of changed answers, look at this alone (may be repeated)",
)
@click.option("--ignore", multiple=True, metavar="PATH", help="JSONPath or /regex/ of what is not compared in requests")
@JSON_OPTION
@run_async
async def diff_command(a: str, b: str, only: tuple[str, ...], ignore: tuple[str, ...], as_json: bool) -> None:
    """Compare cassette A (before) with B (after) by match key. Exits with 1 if they differ, with 2 if it cannot tell.

    Ids and times of creation are no difference, nor is latency below 1.5 times or 50 ms.
    """
    from llm_simulator.cassettes.key import MatchRules
    from llm_simulator.recorder.difference import differences

    looked_at = frozenset(map(Aspect, only)) or frozenset(Aspect)
    try:
        found = await differences(a, b, MatchRules(ignore=ignore), lambda drift: _select(drift, looked_at))
    except CassetteError as error:
        raise ConfigError(str(error)) from error  # exit code 2: 1 says that they differ
    if as_json:
        click.echo(json.dumps(found.as_json(), indent=2, ensure_ascii=False))
    else:
        _show(found)
    if found.differ:
        sys.exit(1)


def _select(drift: Drift, looked_at: frozenset[Aspect]) -> Drift:
    return replace(drift, changes=tuple(change for change in drift.changes if change.aspect in looked_at))


def _show(found: Compared) -> None:
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True)
    for line in text(found):
        console.print(line, style=_STYLES.get(line[0], ""), markup=False)


def text(found: Compared) -> Iterator[str]:
    """Lines: `-` is in A only, `+` in B only, `~` changed; what is below a line tells more of it."""
    for one in found.gone:
        yield f"- {one.about.text}"
    for one in found.new:
        yield f"+ {one.about.text}"
        yield from _near(one)
    for changed in found.changed:
        yield f"~ {changed.before.text}" + (f"  (now {changed.after.id})" * (changed.after.id != changed.before.id))
        for change in changed.drift.changes:
            yield f"    {change.aspect.value:<8} {change}"
    a, b = found.names
    only = f"{len(found.gone)} only in A ({a}), {len(found.new)} only in B ({b})"
    yield f"{found.same} same, {len(found.changed)} changed, {only}"


def _near(one: Only) -> Iterator[str]:
    """How its request differs from the nearest one that is gone: most likely it is that call, changed."""
    if one.near is None:
        return
    yield f"    nearest  {one.near} of A"
    for field in one.fields:
        yield f"    request  {field.where} was {field.recorded}, is {field.asked}"
