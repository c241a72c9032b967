"""From arrivals to writes: what came together was written together, and its tokens with it."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from itertools import pairwise

from llm_simulator.recorder.calibration.said import Arrival

APART = 0.002
"""Seconds: arrivals closer than that were one write of the provider, cut up on the way (latency.md, 4)."""
APART_PACKETS = 0.0001
"""The same where packets were captured: they carry no scheduling noise."""


def merged(gaps: Iterable[float], weights: Sequence[float], apart: float) -> tuple[array[float], list[float]]:
    """The gaps between the beginnings of writes, and what each write carries.

    `weights` has one entry more than `gaps`. The time within a write counts to the gap after it, so nothing is lost but
    what follows the beginning of the last write.
    """
    between, carried = array("d"), [weights[0]]
    waited = 0.0
    for gap, weight in zip(gaps, weights[1:], strict=True):
        waited += gap
        if gap < apart:
            carried[-1] += weight
        else:
            between.append(waited)
            carried.append(weight)
            waited = 0.0
    return between, carried


def whole(weights: Sequence[float], tokens: int) -> array[int]:
    """Tokens of each write, in proportion to the weights: they sum to `tokens`, each write has at least one.

    (More writes than tokens: one each.)
    """
    count, total = len(weights), sum(weights)
    spare = tokens - count
    sizes = array("l")
    given, seen = 0, 0.0
    for weight in weights:
        seen += weight
        upto = round(tokens * seen / total) if total else 0
        most = given + 1 + max(spare, 0)
        size = max(1, min(upto, most) - given)
        spare -= size - 1
        given += size
        sizes.append(size)
    return sizes


def writes_of(arrivals: Sequence[Arrival], tokens: int) -> tuple[array[float], array[int]]:
    """Gaps and sizes of the writes of a stream, from its first text on; nothing where it came in one.

    Where there are about as many pieces as tokens, a piece is a token; else tokens follow the length of the text.
    """
    said = [arrival for arrival in arrivals if arrival.pieces]
    if len(said) < 2:
        return array("d"), array("l")
    pieces = sum(arrival.pieces for arrival in said)
    each = 0.9 * tokens <= pieces <= 1.1 * tokens
    weights = [float(arrival.pieces if each else arrival.size) for arrival in said]
    gaps = [after.at - before.at for before, after in pairwise(said)]
    between, carried = merged(gaps, weights, APART)
    return (between, whole(carried, max(tokens, 1))) if between else (array("d"), array("l"))
