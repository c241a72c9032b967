"""`llm-simulator cassette prune`: shows what may go from a cassette, and takes it away when told to."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from operator import index
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from llm_simulator.cli.cassettes import CASSETTE, run_async
from llm_simulator.cli.options import JSON_OPTION
from llm_simulator.errors import ConfigError
from llm_simulator.types import Mode

if TYPE_CHECKING:
    from llm_simulator.recorder.prune import Doomed, Pruned


@click.command("prune")
@CASSETTE
@click.option("--older-than", metavar="AGE", help="recorded longer ago than AGE, such as 90d (s, m, h, d, w)")
@click.option(
    "--keep-used",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="REPORT",
    help="not used by the run that wrote REPORT (run --report REPORT.json); of several, by none of them",
)
@click.option("--truncated", is_flag=True, help="ended early, so not replayed")
@click.option(
    "--duplicates",
    is_flag=True,
    help="without effect at replay: the same answer again, or broken off and recorded anew",
)
@click.option("--dry-run/--yes", default=True, help="only show what would go (the default), or delete it")
@JSON_OPTION
@run_async
async def prune_command(
    cassette: str,
    older_than: str | None,
    keep_used: tuple[Path, ...],
    truncated: bool,
    duplicates: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Delete recordings that are old, unused, broken off or without effect. Shows them only, unless --yes is given."""
    from llm_simulator.recorder.prune import Wanted, prune

    if not (older_than or keep_used or truncated or duplicates):
        raise ConfigError(
            "cassette prune: what shall go? Give one or more of --older-than, --keep-used, --truncated, --duplicates"
        )
    before = datetime.now(UTC) - timedelta(seconds=_age(older_than)) if older_than else None
    wanted = Wanted(before, _unused(cassette, keep_used), truncated, duplicates)
    done = await prune(cassette, wanted, delete=not dry_run)
    click.echo(json.dumps(_as_json(done), indent=2, ensure_ascii=False) if as_json else _text(done))


def _age(text: str) -> float:
    from llm_simulator.testing.plan import seconds

    return seconds(text, "--older-than")


def _unused(cassette: str, reports: tuple[Path, ...]) -> frozenset[int]:
    """The recordings that none of the runs used."""
    found = [_of_report(cassette, report) for report in reports]
    return frozenset.intersection(*found) if found else frozenset()


def _of_report(cassette: str, path: Path) -> frozenset[int]:
    """The unused recordings of one run.

    Raises:
        ConfigError: it is no report, of a run that looked nothing up, or of another state of the cassette.
    """
    from llm_simulator.recorder.prune import state_of

    try:
        report: Any = json.loads(path.read_text(encoding="utf-8"))
        mode, state = Mode(report["mode"]), report["cassette_state"]
        unused = frozenset(index(id) for id in report["unused"])
    except (ValueError, TypeError, KeyError) as error:
        raise ConfigError(
            f"{path}: no report of `llm-simulator run --report` (JSON with mode, cassette_state and unused): {error!r}"
        ) from error
    if not mode.looks_up:
        raise ConfigError(f"{path}: a run in mode {mode.value} looks nothing up; replay, auto and verify do")
    if state != state_of(cassette):
        raise ConfigError(
            f"{path}: the run used {report.get('cassette')}, and {cassette} is not what that was then: ids may mean other "
            "recordings now. Run again with --report, then prune"
        )
    return unused


def _as_json(done: Pruned) -> dict[str, Any]:
    return {
        "cassette": done.where,
        "recordings": done.recordings,
        "deleted": done.deleted,
        "pruned": [one.as_json() for one in done.doomed],
    }


def _text(done: Pruned) -> str:
    count, verb = len(done.doomed), "deleted" if done.deleted else "would be deleted"
    lines = [f"{one.about.text}  {_why(one)}" for one in done.doomed]
    lines.append(f"{done.where}: {count} of {done.recordings} recordings {verb}")
    if count and not done.deleted:
        lines[-1] += "; --yes deletes them"
    return "\n".join(lines)


def _why(one: Doomed) -> str:
    return f"[{'; '.join(reason.value for reason in one.reasons)}]"
