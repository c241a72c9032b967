"""What a run did, as a value, as JSON and as the text a person reads at the end."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llm_simulator.cli import verified
from llm_simulator.telemetry import prices
from llm_simulator.telemetry.tally import Line, Tally

if TYPE_CHECKING:
    from rich.console import Console


@dataclass(slots=True)
class Summary:
    """Facts of one run. `evidence` says how "nothing left the machine" is known, strongest first."""

    mode: str
    cassette: str
    tally: Tally
    exit_code: int = 0
    child_exit_code: int = 0
    cassette_state: str = ""  # digest of its files after the run: says whether ids still mean the same
    unused: list[int] = field(default_factory=lambda: [])
    untouched: int = 0
    truncated: list[int] = field(default_factory=lambda: [])
    redactions: int = 0
    failed_writes: int = 0
    egress: dict[str, int] = field(default_factory=lambda: {})
    wrapped: list[str] = field(default_factory=lambda: [])
    evidence: list[str] = field(default_factory=lambda: [])

    def as_json(self) -> dict[str, Any]:
        facts = {name: getattr(self, name) for name in self.__slots__ if name != "tally"}
        checked = self.tally.verification
        return {**facts, **self.tally.as_json(), **({"verify": checked.as_json()} if checked.compared else {})}

    def notes(self, most: int = verified.MOST) -> list[str]:
        """The lines under the table, only those that say something; at most `most` changed calls of mode verify."""
        attempts = sum(self.egress.values())
        hosts = ", ".join(f"{host} ({count})" for host, count in sorted(self.egress.items()))
        total = self.tally.total()
        lines = [
            *(played.told(name) for name, played in self.tally.scenarios.items()),
            prices.told(total.spent_usd, total.saved_usd),
            f"egress attempts refused: {attempts} — {hosts}" if attempts else "",
            f"recordings not used: {len(self.unused)} (ids {_some(self.unused)})" if self.unused else "",
            f"recordings not touched by this run: {self.untouched}" if self.untouched else "",
            f"truncated recordings: {len(self.truncated)} (ids {_some(self.truncated)})" if self.truncated else "",
            f"secrets masked: {self.redactions}" if self.redactions else "",
            f"exchanges that could not be stored: {self.failed_writes}" if self.failed_writes else "",
            *(f"base URL wrapped: {item}" for item in self.wrapped),
            *(f"offline evidence: {item}" for item in self.evidence),
        ]
        return [line for line in (*lines, *verified.text(self.tally.verification, most)) if line]


def _some(ids: list[int]) -> str:
    shown = ", ".join(map(str, ids[:10]))
    return f"{shown}, ..." if len(ids) > 10 else shown


_LOG_WIDTH = 140
_ALWAYS = ("calls", "recorded", "replayed", "simulated", "missed")
_WHERE_ANY = ("templated", "forwarded", "refused", "failed")


def show(summary: Summary) -> None:
    """Prints the summary to standard error; columns that would hold only zeros are left out."""
    from rich.console import Console

    width = None if sys.stderr.isatty() else _LOG_WIDTH  # a log has no width of its own: do not fold it to 80
    _print(Console(stderr=True, highlight=False, width=width), summary, summary.notes())


def write(summary: Summary, path: Path) -> None:
    """Keeps the summary in a file: as text where its name ends in `.txt`, else as JSON. Nothing is left out."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as out:
        if path.suffix.lower() == ".txt":
            from rich.console import Console

            _print(Console(file=out, highlight=False, width=_LOG_WIDTH), summary, summary.notes(sys.maxsize))
        else:
            out.write(json.dumps(summary.as_json(), indent=2, ensure_ascii=False) + "\n")


def _print(console: Console, summary: Summary, notes: list[str]) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    columns = [*_ALWAYS, *(name for name in _WHERE_ANY if getattr(summary.tally.total(), name))]
    for name in ("provider", "model"):
        table.add_column(name, overflow="fold")
    for name in (*columns, "tokens in", "out"):
        table.add_column(name, justify="right")
    for (provider, model), line in summary.tally.lines.items():
        table.add_row(provider, model or "-", *_cells(line, columns))
    if len(summary.tally.lines) != 1:
        table.add_row("all", "", *_cells(summary.tally.total(), columns), style="bold")
    console.print(f"llm-simulator: mode {summary.mode}, cassette {summary.cassette or 'none'}", markup=False)
    console.print(table)
    for note in notes:
        console.print(f"  {note}", markup=False, soft_wrap=True)


def _cells(line: Line, columns: list[str]) -> list[str]:
    return [str(getattr(line, name)) for name in (*columns, "prompt_tokens", "completion_tokens")]
