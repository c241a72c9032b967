"""Which recorded responses a profile keeps as traces: all of a small recording, an even choice of a large one.

A choice is even in the total time (else in the TTFT), and ranks are given anew within it: each kept response stands for
an equal share of the recording, so TTFT and rate keep their exact distributions, and their coupling holds at that grain.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from llm_simulator.profiles.traces import Trace, Traces
from llm_simulator.recorder.calibration.collect import Writing
from llm_simulator.recorder.calibration.families import Values

Places: TypeAlias = NDArray[np.int64]

TRACES = 300
"""Responses that a profile keeps at most."""
TRACE_GAPS = 24_000
"""Gaps that they have at most together: some 250 kB of a profile file. Responses beyond it keep ranks and length only."""
_DIGITS = 6  # of a gap in seconds: a microsecond


def traces_of(ttft: Values, rate: Values, total: Values, tokens: Values, kept: Sequence[Writing]) -> Traces | None:
    """The traces of a group whose calls stand side by side in the arrays (NaN: unknown); `kept` has sequences of some.

    None where no response has both a TTFT and a rate, so that nothing belongs together.
    """
    writings = {writing.at: writing for writing in kept}
    usable = np.flatnonzero(~np.isnan(ttft) & (~np.isnan(rate) | (tokens == 1)))
    if writings and len(usable) > TRACES:
        usable = usable[np.isin(usable, list(writings))]
    if np.isnan(rate[usable]).all():
        return None
    order = total if not np.isnan(total[usable]).any() else ttft
    chosen = _even(usable[np.argsort(order[usable], kind="stable")], TRACES)
    ttft_ranks, rate_ranks = _ranks(ttft[chosen]), _ranks(rate[chosen])
    shapes = _shapes(chosen, writings)
    return Traces(
        tuple(
            Trace(ttft_ranks[place], rate_ranks[place], int(tokens[at]), *shapes.get(at, (array("d"), array("l"))))
            for place, at in enumerate(int(at) for at in chosen)
        ),
        len(chosen),
    )


def _even(ordered: Places, most: int) -> Places:
    """At most `most`, those in the middle of equal slices."""
    if len(ordered) <= most:
        return ordered
    return ordered[((np.arange(most) + 0.5) * (len(ordered) / most)).astype(np.int64)]


def _ranks(values: Values) -> list[int]:
    """0-based, each once; equal values in the order in which they stand; -1 for what is unknown."""
    ranks = np.empty(len(values), dtype=np.int64)
    ranks[np.argsort(values, kind="stable")] = np.arange(len(values))  # NaN comes last
    return [-1 if np.isnan(value) else int(rank) for value, rank in zip(values, ranks, strict=True)]


def _shapes(chosen: Places, kept: dict[int, Writing]) -> dict[int, tuple[array[float], array[int]]]:
    """Gaps and sizes by number of the call, spread evenly over the choice until TRACE_GAPS are spent."""
    shapes: dict[int, tuple[array[float], array[int]]] = {}
    left = TRACE_GAPS
    for at in _scattered([int(at) for at in chosen if int(at) in kept]):
        writing = kept[at]
        if len(writing.gaps) > left and shapes:
            continue
        left -= len(writing.gaps)
        shapes[at] = array("d", (round(gap, _DIGITS) for gap in writing.gaps)), array("l", writing.sizes)
    return shapes


def _scattered(items: list[int]) -> list[int]:
    """All of them in an order of which every beginning is spread over the whole (golden steps)."""
    places = (np.arange(len(items)) * 0.6180339887498949) % 1.0
    return [items[int(at)] for at in np.argsort(np.argsort(places, kind="stable"), kind="stable")]
