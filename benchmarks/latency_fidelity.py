"""Simulated against recorded latency: calibrates every recording, simulates 2,000 occurrences of one call, compares.

    python benchmarks/latency_fidelity.py [FOLDER | FILE ...] [--occurrences 2000] [--least 100] [--docs] [--socket]

Errors are the largest relative one over p50, p90, p95 and p99, against the recording that was calibrated. Beside them
stands what a simulator that draws one Gaussian gap per token gets on the same recording (llm-d-inference-sim: standard
deviation at most 30 % of the mean, cut off at 0.3 and 1.7 times it). A recording is what has run, provider, model, kind
and cache in common (chunk recordings: provider and model); those of --least calls or more count, and all with chunks.
`--docs` puts the table into docs/latency.md. `--socket` sends some of them through a running server.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from llm_simulator.profiles import Profile
from llm_simulator.recorder.calibration.groups import Calibrated, calibrate
from llm_simulator.recorder.calibration.reading import read
from llm_simulator.recorder.calibration.samples import Sample
from llm_simulator.simulator.draws import Draw, Lot, Stratified

HERE = Path(__file__).resolve().parent
DATA = HERE.parent.parent / "shared" / "latency" / "dev"
DOCS = HERE.parent / "docs" / "latency.md"
RANKS = (0.5, 0.9, 0.95, 0.99)
LIMITS = {"ttft": 0.10, "rate": 0.10, "total": 0.10, "gap": 0.12, "stall": 0.20}
NAMES = {"ttft": "TTFT", "rate": "ms/token", "total": "total", "gap": "write gaps", "stall": "longest stall"}
RUNS = ("run", "provider", "model", "kind", "reuse")
CHUNKS = ("provider", "model")
BEGIN, END = "<!-- fidelity table: benchmarks/latency_fidelity.py --docs -->", "<!-- end of the fidelity table -->"

Values = dict[str, list[float]]


@dataclass(slots=True)
class Recording:
    """What was recorded under one key."""

    key: tuple[str, ...]
    samples: list[Sample] = field(default_factory=list)

    def values(self) -> Values:
        good = [sample for sample in self.samples if not sample.failed]
        return {
            "ttft": [s.ttft for s in good if s.ttft is not None],
            "rate": [s.rate for s in good if s.rate is not None],
            "total": [s.total for s in good if s.total is not None],
            "gap": [gap for s in good for gap in s.gaps],
            "stall": [max(s.gaps) for s in good if s.gaps],
        }


def recordings(paths: Sequence[str], least: int) -> list[Recording]:
    """All of the paths, by what they have in common."""
    found: dict[tuple[str, ...], Recording] = {}
    for sample in read(paths, complain=lambda line: print(line, file=sys.stderr)):
        if sample.gaps or "run" not in sample.labels:
            key: tuple[str, ...] = (sample.provider, sample.model)
        else:
            key = (*(sample.labels[name] if name in sample.labels else getattr(sample, name) for name in RUNS),)
        found.setdefault(key, Recording(key)).samples.append(sample)
    return [one for _, one in sorted(found.items()) if len(one.samples) >= least or any(s.gaps for s in one.samples)]


def fitted(one: Recording) -> Calibrated:
    columns = CHUNKS if len(one.key) == len(CHUNKS) else RUNS
    (made,) = calibrate(one.samples, group_by=("stream", *columns))
    return made


# --- the two simulators


def simulated(profile: Profile, occurrences: int, chunks: bool, whole: bool) -> Values:
    """The times of so many occurrences of one call, drawn as the engine draws them; the length from the drawn trace."""
    values: Values = {name: [] for name in LIMITS}
    lot = Lot(0, "default", b"latency_fidelity")
    for occurrence in range(occurrences):
        draw = Draw(occurrence=occurrence)
        tokens = max(1, round(profile.length_of(Stratified(lot, draw, "latency"))))
        chance = Stratified(lot, draw, "latency")
        if whole:
            ttft, total = profile.whole(tokens, chance)
        elif not chunks:
            ttft, total = profile.outline(tokens, chance)
        else:
            timings = profile.generate_streaming_timings(tokens, chance)
            ttft, total = timings.ttft, timings.total
            gaps = [gap for gap in timings.gaps if gap > 0]
            values["gap"] += gaps
            values["stall"] += [max(gaps)] if gaps else []
        values["ttft"].append(ttft)
        values["total"].append(total)
        if tokens > 1:
            values["rate"].append((total - ttft) / (tokens - 1))
    return values


def gaussian(recorded: Values, lengths: Sequence[int], occurrences: int) -> Values:
    """A Gaussian for the first token and one for each further token."""
    chance = np.random.default_rng(0)

    def draw(mean: float, deviation: float, size: int) -> np.ndarray:
        drawn = chance.normal(mean, min(deviation, 0.3 * mean), size)
        return np.clip(drawn, 0.3 * mean, 1.7 * mean)

    values: Values = {name: [] for name in LIMITS}
    if not recorded["ttft"]:
        values["total"] = list(draw(float(np.mean(recorded["total"])), float(np.std(recorded["total"])), occurrences))
        return values
    values["ttft"] = list(draw(float(np.mean(recorded["ttft"])), float(np.std(recorded["ttft"])), occurrences))
    if not recorded["rate"]:
        values["total"] = values["ttft"]
        return values
    itl = float(np.mean(recorded["rate"]))
    for ttft, tokens in zip(values["ttft"], chance.choice(lengths, occurrences), strict=True):
        gaps = draw(itl, 0.3 * itl, max(int(tokens) - 1, 1))
        values["total"].append(ttft + float(gaps.sum()))
        values["rate"].append(float(gaps.mean()))
        values["gap"] += list(gaps[:400])
        values["stall"].append(float(gaps.max()))
    return values


# --- comparing


def error(real: Sequence[float], other: Sequence[float]) -> float:
    """The largest relative error over RANKS."""
    wanted, got = np.quantile(np.asarray(real), RANKS), np.quantile(np.asarray(other), RANKS)
    return float(np.max(np.abs(got / wanted - 1)))


@dataclass(frozen=True, slots=True)
class Result:
    """One recording: errors by quantity, ours and the Gaussian's."""

    key: tuple[str, ...]
    n: int
    families: str
    ours: Mapping[str, float]
    gaussian: Mapping[str, float]

    @property
    def chunks(self) -> bool:
        return "gap" in self.ours


def compared(one: Recording, occurrences: int) -> Result:
    made = fitted(one)
    recorded = one.values()
    chunks, whole = bool(recorded["gap"]), not one.samples[0].stream
    ours = simulated(made.profile, occurrences, chunks, whole)
    lengths = [sample.output_tokens for sample in one.samples if sample.output_tokens] or [1]
    theirs = gaussian(recorded, lengths, occurrences)
    families = ", ".join(dict.fromkeys(f.family for f in (made.ttft, made.rate, made.total) if f is not None))
    names = [name for name in LIMITS if len(recorded[name]) >= 2]
    return Result(
        one.key,
        len(one.samples),
        families,
        {name: error(recorded[name], ours[name]) for name in names if ours[name]},
        {name: error(recorded[name], theirs[name]) for name in names if theirs[name]},
    )


# --- telling


def label(key: tuple[str, ...]) -> str:
    """A recording's name as short as it stays clear."""
    if len(key) == len(CHUNKS):
        return " ".join(key)
    run, provider, model, kind, reuse = key
    words = [provider, model, *re.findall(r"20\d\d-\d\d-\d\d", run)]
    words += [run.rpartition(":")[2]] if ":" in run else [run.rpartition("/")[2]] if "/" in run else []
    words += [
        word for word in (kind if kind != "chat" else "", reuse if reuse not in ("unknown", "session") else "") if word
    ]
    return " ".join(words)


def rows(results: Iterable[Result]) -> Iterator[str]:
    yield f"| recording | n | {' | '.join(f'{told} (Gaussian)' for told in NAMES.values())} |"
    yield f"| --- | ---: | {' | '.join('---:' for _ in NAMES)} |"
    for one in results:
        cells = [cell(one, name) for name in NAMES]
        yield f"| {label(one.key)} | {one.n:,} | {' | '.join(cells)} |"


def cell(one: Result, name: str) -> str:
    if name not in one.ours:
        return ""
    mark = "**" if one.ours[name] > LIMITS[name] else ""
    beside = f" ({one.gaussian[name]:.0%})" if name in one.gaussian else ""
    return f"{mark}{one.ours[name]:.1%}{mark}{beside}"


def summary(results: Sequence[Result]) -> Iterator[tuple[str, bool]]:
    """A line for each quantity, and whether what is promised of it holds."""
    for name, limit in LIMITS.items():
        ours = [one.ours[name] for one in results if name in one.ours]
        theirs = [one.gaussian[name] for one in results if name in one.gaussian]
        if not ours:
            continue
        within, beside = sum(x <= limit for x in ours), sum(x <= limit for x in theirs)
        wanted = len(ours) - len(ours) // 20 if name == "total" else len(ours)
        told = (
            f"{NAMES[name]}: {within} of {len(ours)} recordings within {limit:.0%} (median {np.median(ours):.1%}, worst "
            f"{max(ours):.1%}); Gaussian per token: {beside} (median {np.median(theirs):.0%}, worst {max(theirs):.0%})"
        )
        yield told, within >= wanted


def into_docs(results: Sequence[Result], occurrences: int) -> None:
    text = DOCS.read_text("utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    told = "\n".join(f"- {line}" for line, _ in summary(results))
    head = f"{len(results)} recordings, {occurrences:,} occurrences of one call each; largest error over p50, p90, p95, p99."
    table = "\n".join(rows(results))
    DOCS.write_text(f"{before}{BEGIN}\n\n{head}\n\n{told}\n\n{table}\n\n{END}{after}", "utf-8")


def main(asked: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="*", help=f"tables and recordings (default: {DATA})")
    parser.add_argument("--occurrences", type=int, default=2000)
    parser.add_argument("--least", type=int, default=100, help="calls that a recording must have to count")
    parser.add_argument("--docs", action="store_true", help="put the table into docs/latency.md")
    parser.add_argument("--socket", action="store_true", help="four recordings through a running server instead")
    given = parser.parse_args(asked)
    paths = given.paths or sorted(str(p) for kind in ("requests_*", "chunks_*") for p in DATA.glob(kind))
    found = recordings(paths, given.least)
    if given.socket:
        sys.path.insert(0, str(HERE))
        from latency_socket import through_socket

        return through_socket(found, fitted, error)
    results: list[Result] = []
    for one in found:
        results.append(compared(one, given.occurrences))
        last = results[-1]
        told = ", ".join(
            f"{NAMES[name]} {value:.1%} ({last.gaussian.get(name, 0):.0%})" for name, value in last.ours.items()
        )
        print(f"{label(one.key)}: n {last.n}, {last.families}: {told}", flush=True)
    lines = list(summary(results))
    print()
    for told, holds in lines:
        print(f"{'ok  ' if holds else 'MISS'} {told}")
    if given.docs:
        into_docs(results, given.occurrences)
    return 0 if all(holds for _, holds in lines) else 1


Fitted = Callable[[Recording], Calibrated]

if __name__ == "__main__":
    sys.exit(main())
