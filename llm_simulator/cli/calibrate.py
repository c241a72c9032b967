"""`llm-simulator calibrate`: latency profiles from recordings, with what was fitted, how well, and what to be warned of."""

from __future__ import annotations

import json
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from llm_simulator.cli.options import JSON_OPTION, complete_files
from llm_simulator.errors import CassetteError, ConfigError

if TYPE_CHECKING:
    from llm_simulator.recorder.calibration.fit import Fit
    from llm_simulator.recorder.calibration.groups import Calibrated

MISSING = "calibrate needs scipy, numpy and matplotlib, which are not installed: pip install 'llm-simulator[calibrate]'"
_SHOWN = 20  # complaints that are printed; all are counted
_QUANTITIES = ("ttft", "rate", "total", "gap", "length")


@click.command("calibrate")
@click.argument("cassettes", nargs=-1, required=True, metavar="CASSETTE...", shell_complete=complete_files)
@click.option(
    "--output", "-o", type=click.Path(dir_okay=False, path_type=Path), help="the profile file to write (YAML)"
)
@click.option(
    "--group-by",
    default="provider,model,stream,cache",
    show_default=True,
    metavar="COLUMNS",
    help="also prompt-bin, family, kind, source, and the text columns of a table",
)
@click.option("--report", type=click.Path(dir_okay=False, path_type=Path), help="a page to read: .html or .png")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="of the bootstrap")
@JSON_OPTION
def command(
    cassettes: tuple[str, ...], output: Path | None, group_by: str, report: Path | None, seed: int, as_json: bool
) -> None:
    """Fit latency profiles to recordings: cassettes, HAR, VCR files with times, CSV and JSONL of measurements.

    Exits with 1 where nothing could be learned or an input was unfit, with 2 where the command line is wrong.
    """
    require_extra()
    columns = tuple(name.strip() for name in group_by.split(",") if name.strip())
    if report is not None and report.suffix.lower() not in (".html", ".png"):
        raise ConfigError(f"--report {report}: got the suffix {report.suffix!r}; allowed are .html and .png")
    problems: list[str] = []
    calibrated = _calibrated(cassettes, columns, seed, problems)
    if not calibrated:
        told = "\n".join(problems[:_SHOWN])
        raise CassetteError(f"{', '.join(cassettes)}: no call of a model was found{f': {told}' if told else ''}")
    if output is not None:
        _write(calibrated, output)
    if report is not None:
        from llm_simulator.recorder.calibration.report import write_report

        write_report(calibrated, report)
    if as_json:
        click.echo(json.dumps(_json(calibrated, problems, output, report), indent=2, ensure_ascii=False))
    else:
        _tell(calibrated, problems, output, report)
    if problems:
        sys.exit(1)


def require_extra() -> None:
    """
    Raises:
        ConfigError: the extra `calibrate` is not installed.
    """
    from importlib.util import find_spec

    if any(find_spec(name) is None for name in ("scipy", "numpy", "matplotlib")):
        raise ConfigError(MISSING)


def _calibrated(
    cassettes: Sequence[str], columns: tuple[str, ...], seed: int, problems: list[str]
) -> tuple[Calibrated, ...]:
    from llm_simulator.recorder.calibration.groups import calibrate
    from llm_simulator.recorder.calibration.reading import read

    with _progress() as (opened, taken, fitting):
        samples = read(cassettes, complain=problems.append, opened=opened)
        return calibrate(samples, group_by=columns, seed=seed, progress=taken, fitting=fitting)


@contextmanager
def _progress() -> Generator[Any]:
    """What is being read and how many calls it was so far, on a terminal; nothing where a program reads along."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TextColumn("{task.completed:,.0f} calls"))
    with Progress(
        *columns, TimeElapsedColumn(), console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task("reading", total=None)

        def opened(name: str, number: int, of: int) -> None:
            bar.update(task, description=f"reading {name} ({number} of {of})")

        def taken(count: int) -> None:
            bar.update(task, completed=count)

        def fitting(number: int, of: int) -> None:
            bar.update(task, description=f"fitting group {number} of {of}")

        yield opened, taken, fitting


def _write(calibrated: Sequence[Calibrated], output: Path) -> None:
    from llm_simulator.profiles.file import dump

    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(dump([one.profile for one in calibrated]), encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"--output {output}: cannot be written: {error.strerror}") from error


# --- telling


def _json(calibrated: Sequence[Calibrated], problems: list[str], output: Path | None, report: Path | None) -> Any:
    return {
        "groups": [
            {
                "key": dict(one.key),
                "profile": one.profile.name,
                "calls": one.n,
                "failures": {str(status): round(share, 6) for status, share in one.failures.items()},
                "fits": {name: _fit(found) for name in _QUANTITIES if (found := getattr(one, name)) is not None},
                "traces": len(one.profile.traces.items) if one.profile.traces else 0,
                "notes": list(one.notes),
            }
            for one in calibrated
        ],
        "problems": problems,
        "output": str(output) if output else None,
        "report": str(report) if report else None,
    }


def _fit(found: Fit) -> dict[str, Any]:
    return {
        "chosen": found.family,
        "n": found.n,
        "errors": {f"p{rank * 100:g}": round(error, 5) for rank, error in found.errors.items()},
        "intervals": {f"p{rank * 100:g}": list(ends) for rank, ends in found.intervals.items()},
        "tried": {name: round(error, 5) for name, error in found.tried.items()},
        "low_confidence": found.low_confidence,
        "why": found.why,
    }


_UNITS = {
    "ttft": (1e3, "ms"),
    "rate": (1e3, "ms/token"),
    "total": (1e3, "ms"),
    "gap": (1e3, "ms"),
    "length": (1, "tokens"),
}
_NAMES = {"ttft": "TTFT", "rate": "per token", "total": "total", "gap": "write gaps", "length": "length"}


def _tell(calibrated: Sequence[Calibrated], problems: list[str], output: Path | None, report: Path | None) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, soft_wrap=True)
    console.width = max(console.width, 110)
    for one in calibrated:
        failed = sum(one.failures.values())
        mixed = f", {failed:.1%} failed" if failed else ""
        table = Table(
            title=f"{one.profile.name}: {one.n:,} calls{mixed}", title_justify="left", box=None, pad_edge=False
        )
        for name in ("", "n", "chosen", "p50", "p90", "p95", "p99", "worst error", "unit"):
            table.add_column(name, justify="left" if name in ("", "chosen", "unit") else "right", no_wrap=True)
        for name in _QUANTITIES:
            found = getattr(one, name)
            if found is not None:
                table.add_row(*_row(name, found))
        console.print(table)
        for note in one.notes:
            console.print(f"  ! {note}", markup=False)
        console.print()
    for problem in problems[:_SHOWN]:
        click.echo(f"not read: {problem}", err=True)
    if len(problems) > _SHOWN:
        click.echo(f"... and {len(problems) - _SHOWN} more that could not be read", err=True)
    if output:
        click.echo(f"{len(calibrated)} profiles written to {output}; use them: llm-simulator serve --profile {output}")
    if report:
        click.echo(f"report written to {report}")


def _row(name: str, found: Fit) -> tuple[str, ...]:
    """One quantity; a quantile that is not known within 10 % has a question mark."""
    factor, unit = _UNITS[name]
    values = (
        f"{_number(found.distribution.quantile(rank) * factor)}{' ?' if rank in found.uncertain else '  '}"
        for rank in found.errors
    )
    chosen = f"{found.family}{', low confidence' if found.low_confidence else ''}"
    return _NAMES[name], f"{found.n:,}", chosen, *values, f"{max(found.errors.values()):.1%}", unit


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
