"""Recorded calls in groups, a profile for each: what was measured, what was fitted, what to be warned of."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from llm_simulator.profiles import Profile
from llm_simulator.recorder.calibration.collect import Collector, Group, Key
from llm_simulator.recorder.calibration.families import Values
from llm_simulator.recorder.calibration.fit import FEW, Fit, fit
from llm_simulator.recorder.calibration.learned import profile_of
from llm_simulator.recorder.calibration.samples import Sample
from llm_simulator.recorder.calibration.whole import prompt_growth

GROUP_BY = ("provider", "model", "stream", "cache")
POINTS = 4000
"""Values of one quantity that a report gets at most."""

Progress = Callable[[int], None]
"""Told how many samples have been taken so far."""


@dataclass(frozen=True, slots=True)
class Calibrated:
    """One group. `key` holds what its calls have in common, by the names they were grouped by.

    `recorded` holds the measured values behind each fit in ascending order: "ttft", "rate" (per token after the first),
    "total", "gap" (between writes), "stall" (the longest gap of each stream) in seconds, and "length" in tokens; of very
    many an even choice by rank, first and last kept. `failures` is the share of all calls by status (0: no answer).
    `notes` are warnings, a sentence each. `n` counts all calls, failed ones too.
    """

    key: Mapping[str, str]
    profile: Profile
    ttft: Fit | None
    rate: Fit | None
    total: Fit | None
    gap: Fit | None
    length: Fit | None
    recorded: Mapping[str, array[float]]
    failures: Mapping[int, float]
    notes: tuple[str, ...]
    n: int = 0


def calibrate(
    samples: Iterable[Sample],
    *,
    group_by: Sequence[str] = GROUP_BY,
    seed: int = 0,
    progress: Progress | None = None,
    fitting: Callable[[int, int], None] | None = None,
) -> tuple[Calibrated, ...]:
    """A profile for each group of samples, in the order of their keys. The same samples give the same profiles.

    `fitting` is told which group it is at, from 1, and of how many.

    Raises:
        ConfigError: the samples lack a column of `group_by`.
    """
    collector = Collector(group_by, seed)
    collector.take_all(samples, progress)
    made: list[Calibrated] = []
    for key in sorted(collector.groups, key=_order):
        if fitting is not None:
            fitting(len(made) + 1, len(collector.groups))
        made.append(_calibrated(key, collector, seed))
    return tuple(made)


def _calibrated(key: Key, collector: Collector, seed: int) -> Calibrated:
    group = collector.groups[key]
    measured = _measured(group)
    fits = {name: fit(values, seed=seed) if len(values) else None for name, values in measured.items()}
    named = MappingProxyType(dict(zip(collector.columns, key, strict=True)))
    return Calibrated(
        named,
        profile_of(named, _for_calls(named, key, collector), group, fits, seed),
        fits["ttft"],
        fits["rate"],
        fits["total"],
        fits["gap"],
        fits["length"],
        MappingProxyType({name: _thinned(values) for name, values in measured.items() if len(values)}),
        MappingProxyType(_failures(group)),
        tuple(_notes(group, fits)),
        round(group.calls),
    )


def _for_calls(named: Mapping[str, str], key: Key, collector: Collector) -> Mapping[str, str]:
    """The group's columns as its profile is to have them: recorded with a cold cache alone, it stands in for a warm one,
    recorded as streams alone, for whole answers; else such calls would get a profile of somebody else's."""
    wide = {"cache"} if named.get("cache") == "miss" and collector.alone(key, "cache") else set[str]()
    if named.get("stream") == "true" and not any(_whole(key, other, collector) for other in collector.groups):
        wide.add("stream")
    return {name: "" if name in wide else value for name, value in named.items()}


def _whole(key: Key, other: Key, collector: Collector) -> bool:
    """Whether `other` is a group of whole answers of the same model."""
    pairs = dict(zip(collector.columns, zip(key, other, strict=True), strict=True))
    same = all(mine == theirs for name, (mine, theirs) in pairs.items() if name not in ("stream", "cache"))
    return same and pairs["stream"][1] == "false"


def _order(key: Key) -> list[tuple[bool, str]]:
    """What is unknown comes last: the first profile that fits a call counts, and it fits all."""
    return [(not part, part) for part in key]


def _measured(group: Group) -> dict[str, Values]:
    """The values of each quantity, ascending."""
    lengths = np.asarray(group.tokens, dtype=np.float64)
    gaps = [np.asarray(writing.gaps) for writing in group.writings]
    every = {
        "ttft": np.asarray(group.ttft),
        "rate": np.asarray(group.rate),
        "total": np.asarray(group.total),
        "gap": np.concatenate(gaps) if gaps else np.empty(0),
        "stall": np.asarray(group.stalls),
        "length": lengths[lengths > 0],
    }
    return {name: np.sort(values[~np.isnan(values)]) for name, values in every.items()}


def _thinned(ordered: Values) -> array[float]:
    if len(ordered) > POINTS:
        ordered = ordered[np.round(np.linspace(0, len(ordered) - 1, POINTS)).astype(np.int64)]
    return array("d", ordered.tobytes())


def _failures(group: Group) -> dict[int, float]:
    shares: dict[int, float] = {}
    for (status, _), count in sorted(group.failures.items()):
        shares[status] = shares.get(status, 0.0) + count / group.calls
    return shares


_NAMES = {"ttft": "TTFT", "rate": "time per token", "total": "total time"}


def _notes(group: Group, fits: Mapping[str, Fit | None]) -> Iterable[str]:
    for name, told in _NAMES.items():
        found = fits[name]
        if found is None:
            continue
        if found.n < FEW:
            yield f"{told}: only {found.n} values; record {FEW} or more for a fit, 500 for p95, 2,000 for p99."
        elif found.uncertain:
            ranks = ", ".join(f"p{rank * 100:g}" for rank in found.uncertain)
            yield f"{told}: {found.n} values are too few to know {ranks} within 10 % (95 % interval)."
    if group.ttft and fits["ttft"] is None and fits["total"] is None:
        yield "No times were recorded: the usual shapes stand in; lengths, errors and token ratios were learned."
    added = prompt_growth(np.asarray(group.ttft), np.asarray(group.prompts, dtype=np.float64))
    if added:
        yield (
            f"TTFT grows with the prompt, {added * 1e6:,.3g} ms per 1,000 tokens: group by prompt-bin, too, or give the "
            f"profile prompt_slope: {{ms_per_token: {added * 1e3:.3g}}}."
        )
    if group.impossible:
        yield f"{group.impossible} times are below 0 (the clock was set meanwhile): left out, their calls kept."
    if not group.ttft:
        yield f"All {group.calls:.0f} calls failed: no latency could be learned."
