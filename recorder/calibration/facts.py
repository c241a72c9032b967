"""What a report says of each group, before it is drawn or spelled: numbers and sentences, no markup."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from llm_simulator.recorder.calibration.fit import RANKS, Fit
from llm_simulator.recorder.calibration.groups import Calibrated
from llm_simulator.recorder.calibration.words import SPACE, about, percent, printable, rank

PROMISED = 0.10
"""How far a simulated quantile may be from the recorded one, and a recorded one from the truth."""
TITLES: Mapping[str, str] = {
    "ttft": "Time to first token",
    "rate": "Time per token",
    "gap": "Between writes",
    "total": "Total",
}
_JUDGED = ("ttft", "rate", "total")
"""What is measured once a response; a stream has many gaps, and they are not independent."""
_SUFFICIENT: Mapping[float, int] = {0.5: 30, 0.9: 100, 0.95: 500, 0.99: 2000}
"""Responses for 10 % with 95 % confidence: medians of 29 endpoints (the latency study, 2.1)."""
STREAMS = 5
"""Streams that a timeline shows."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One quantile, in seconds: recorded with its bootstrap 95 % interval, fitted, and the relative error."""

    rank: float
    recorded: float
    low: float
    high: float
    fitted: float
    error: float
    uncertain: bool  # too few were recorded to promise this quantile

    @property
    def spread(self) -> float:
        """How far the interval reaches from the recorded quantile, relative to it."""
        return max(self.high - self.recorded, self.recorded - self.low) / self.recorded if self.recorded else 0.0

    @property
    def off(self) -> bool:
        return self.error > PROMISED


@dataclass(frozen=True, slots=True)
class Row:
    """One measured quantity of a group: `values` are the recorded seconds, ascending."""

    name: str
    fit: Fit
    values: array[float]
    cells: tuple[Cell, ...]

    @property
    def title(self) -> str:
        return TITLES[self.name]

    @property
    def family(self) -> str:
        """The name of what was chosen, for a reader."""
        return self.fit.family.replace("_", " ")

    @property
    def worst(self) -> float:
        return max((cell.error for cell in self.cells), default=0.0)

    def cell(self, share: float) -> Cell:
        return next(cell for cell in self.cells if cell.rank == share)


@dataclass(frozen=True, slots=True)
class Strip:
    """One recorded stream: seconds of each write after the request was sent, and the tokens of each."""

    times: array[float]
    sizes: array[int]

    @property
    def tokens(self) -> int:
        return sum(self.sizes)


@dataclass(frozen=True, slots=True)
class Group:
    """All that is said of one group; `n` calls are in it, failed ones too."""

    title: str
    key: Mapping[str, str]
    profile: str
    n: int
    rows: tuple[Row, ...]
    strips: tuple[Strip, ...]
    failures: Mapping[int, float]
    warnings: tuple[str, ...]

    @property
    def failed(self) -> float:
        """Share of all calls."""
        return sum(self.failures.values())

    @property
    def judged(self) -> tuple[Row, ...]:
        return tuple(row for row in self.rows if row.name in _JUDGED)

    @property
    def worst(self) -> float:
        """The largest error of any quantile of what is measured once a response."""
        return max((row.worst for row in self.judged), default=0.0)

    @property
    def low_confidence(self) -> bool:
        return any(row.fit.low_confidence for row in self.judged)

    def row(self, name: str) -> Row | None:
        return next((row for row in self.rows if row.name == name), None)


def group(calibrated: Calibrated) -> Group:
    """What the report says of a calibrated group."""
    rows = tuple(_rows(calibrated))
    return Group(
        title=title(calibrated.key) or printable(calibrated.profile.name),
        key={name: printable(value) for name, value in calibrated.key.items()},
        profile=printable(calibrated.profile.name),
        n=calibrated.n or max((row.fit.n for row in rows if row.name in _JUDGED), default=0),
        rows=rows,
        strips=tuple(_strips(calibrated)),
        failures=calibrated.failures,
        warnings=tuple(dict.fromkeys((*map(printable, calibrated.notes), *_doubts(rows)))),
    )


def title(key: Mapping[str, str]) -> str:
    """ "openai gpt-4o, stream, cache hit": provider and model first, then what else the group has in common."""
    first = [key[name] for name in ("provider", "model") if key.get(name)]
    rest = [_told(name, value) for name, value in key.items() if name not in ("provider", "model") and value]
    return printable(", ".join((" ".join(first), *rest)) if first else ", ".join(rest))


def _told(name: str, value: str) -> str:
    if name == "stream":
        return {"true": "stream", "false": "no stream"}.get(value.lower(), value)
    return f"{name.replace('_', ' ')} {value}"


def _rows(calibrated: Calibrated) -> Iterator[Row]:
    fits = {"ttft": calibrated.ttft, "rate": calibrated.rate, "gap": calibrated.gap, "total": calibrated.total}
    for name, fit in fits.items():
        values = calibrated.recorded.get(name)
        if fit is not None and values is not None and len(values):
            ordered = array("d", sorted(values))
            yield Row(name, fit, ordered, tuple(_cells(fit, ordered)))


def _cells(fit: Fit, values: Sequence[float]) -> Iterator[Cell]:
    for share in RANKS:
        recorded = float(np.quantile(values, share))
        low, high = fit.intervals.get(share, (recorded, recorded))
        yield Cell(
            share,
            recorded,
            low,
            high,
            fit.distribution.quantile(share),
            fit.errors.get(share, 0.0),
            share in fit.uncertain,
        )


def _doubts(rows: Sequence[Row]) -> Iterator[str]:
    """How many responses would do, where quantiles are known less well than is promised (the notes say which)."""
    doubtful = [(row, cell) for row in rows if row.name in _JUDGED for cell in row.cells if cell.uncertain]
    if not doubtful:
        return
    needed = max(_needed(row.fit.n, cell) for row, cell in doubtful)
    worst = max((cell for _, cell in doubtful), key=lambda cell: cell.spread)
    yield (
        f"What was recorded is known to ±{percent(worst.spread)} at worst ({rank(worst.rank)}); "
        f"about {about(needed)} responses would promise 10{SPACE}% everywhere."
    )


def _needed(n: int, cell: Cell) -> float:
    """An interval narrows with the root of n; few values show no tail, so never less than the study found."""
    return max(n * (cell.spread / PROMISED) ** 2, _SUFFICIENT.get(cell.rank, 0))


def _strips(calibrated: Calibrated) -> Iterator[Strip]:
    """A few streams, evenly over how long they took: what is typical, and what is not."""
    traces, starts = calibrated.profile.traces, calibrated.recorded.get("ttft")
    if traces is None or not starts:
        return
    shaped = sorted((trace for trace in traces.items if len(trace.gaps) > 1), key=lambda trace: sum(trace.gaps))
    count = min(STREAMS, len(shaped))
    ordered = sorted(starts)
    for at in range(count):
        trace = shaped[(2 * at + 1) * len(shaped) // (2 * count)]
        share = min(max(trace.ttft_rank, 0) / max(traces.n - 1, 1), 1.0)
        times = np.cumsum([float(np.quantile(ordered, share)), *trace.gaps])
        yield Strip(array("d", times.tolist()), trace.sizes)
