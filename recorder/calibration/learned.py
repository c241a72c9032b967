"""From what was measured of a group to the profile that answers like it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from statistics import median

import numpy as np

from llm_simulator.dialects import conditions
from llm_simulator.profiles import Profile, pick
from llm_simulator.profiles.distributions import Constant, Distribution
from llm_simulator.profiles.profile import ErrorRate, Provenance, UsageRatio, Writes
from llm_simulator.recorder.calibration.collect import Group
from llm_simulator.recorder.calibration.fit import RANKS, Fit, fit
from llm_simulator.recorder.calibration.selection import traces_of
from llm_simulator.recorder.calibration.whole import split
from llm_simulator.types import JSON

_PLAIN = re.compile(r"[^A-Za-z0-9._-]+")
_SIZES = 24  # sizes of a write that are told apart, most frequent first
COUNTED = 5
"""Answers that a token ratio takes at least."""
_GENERAL = frozenset(("provider", "model", "stream", "cache"))  # columns that a profile has a field for


def profile_of(
    key: Mapping[str, str], calls: Mapping[str, str], group: Group, fits: Mapping[str, Fit | None], seed: int
) -> Profile:
    """The profile of a group; what was not measured is as the shipped profile of the model has it.

    `calls` has the columns of the calls that it is for: as `key`, "" where any value will do.
    """
    first = group.first
    family = _family(group)
    usual = pick(first.provider, first.model, "" if family == "*" else family)
    embeds = first.kind == "embedding"
    stream = {"true": True, "false": False}.get(calls.get("stream", ""))
    total, tokens = np.asarray(group.total), np.asarray(group.tokens, dtype=np.float64)
    ttft, rate = _distribution(fits["ttft"]) or usual.ttft, _distribution(fits["rate"]) or usual.rate
    whole: Distribution | None = None
    starts, rates = np.asarray(group.ttft), np.asarray(group.rate)
    if fits["ttft"] is None and fits["total"] is not None:
        parts = None if embeds else split(total, tokens)
        if parts is not None:
            ttft, rate = fit(parts.base, seed=seed).distribution, Constant(parts.each)
            starts, rates = parts.base, np.full(len(total), parts.each)
        else:
            ttft, rate, whole = fits["total"].distribution, Constant(0.0), fits["total"].distribution
    return Profile(
        name=_name(key, group),
        models=(first.model.lower(),) if "model" in key and first.model else ("*",),
        ttft=ttft,
        rate=rate,
        writes=_writes(group, fits["gap"]) or usual.writes,
        length=_distribution(fits["length"]) or usual.length,
        family=family,
        speed_sigma=usual.speed_sigma if rate is None else 0.0,
        traces=traces_of(starts, rates, total, tokens, group.writings),
        provider=first.provider if "provider" in key and first.provider else "*",
        operations=("embed*",) if embeds else (),
        stream=stream,
        cache=calls.get("cache") or "any",
        total=whole,
        errors=tuple(_errors(group)),
        usage_ratio=_ratio(group),
        provenance=_provenance(key, group),
        quality=_quality(fits, group),
    )


def _distribution(found: Fit | None) -> Distribution | None:
    return None if found is None else found.distribution


def _name(key: Mapping[str, str], group: Group) -> str:
    """Of what the group has in common, in the order in which it was asked for."""
    words = {"true": "stream", "false": "whole"}
    parts = [words.get(value, value) if name == "stream" else value for name, value in key.items()]
    return _PLAIN.sub("-", "-".join(part for part in parts if part)).strip("-") or "recorded"


def _family(group: Group) -> str:
    """The wire format where all calls have the same."""
    return next(iter(group.families)) if len(group.families) == 1 else "*"


def _writes(group: Group, gap: Fit | None) -> Writes | None:
    """Sizes and gaps of all kept writes, for answers to which no trace can give its sequence."""
    sizes = Counter(size for writing in group.writings for size in writing.sizes)
    if gap is None or not sizes:
        return None
    usual = dict(sorted(sizes.most_common(_SIZES)))
    shares = np.cumsum(list(usual.values())) / sum(usual.values())
    return Writes(tuple(usual), tuple(float(share) for share in shares), gap.distribution)


def _errors(group: Group) -> Iterator[ErrorRate]:
    """Rates of failures over all calls; the catalogue's condition where the failure's own word names one."""
    for (status, word), count in sorted(group.failures.items()):
        entry = conditions.find(word, group.first.provider) if word else None
        known = entry is not None and entry.status == status
        yield ErrorRate(status, round(count / group.calls, 6), word if known else "")


def _ratio(group: Group) -> UsageRatio | None:
    """Medians: one prompt with tools may be off by a thousand tokens. Under COUNTED answers they say nothing."""
    prompt, completion = group.prompt_ratios, group.completion_ratios
    if max(len(prompt), len(completion)) < COUNTED:
        return None
    ratios = (round(median(counted), 4) if len(counted) >= COUNTED else 1.0 for counted in (prompt, completion))
    return UsageRatio(next(ratios), next(ratios), max(len(prompt), len(completion)))


def _provenance(key: Mapping[str, str], group: Group) -> Provenance:
    made = [datetime.fromtimestamp(at, UTC).date().isoformat() for at in (group.earliest, group.latest) if at]
    conditions = ", ".join(f"{name} {value}" for name, value in key.items() if value and name not in _GENERAL)
    return Provenance(group.first.source, made[-1] if made else "", round(group.calls), conditions)


def _quality(fits: Mapping[str, Fit | None], group: Group) -> Mapping[str, JSON] | None:
    """How good each fit is, as a profile file tells it: errors as shares, intervals in seconds (tokens for the length).

    Beside it the bytes of what was read from the network at once: two digits of each.
    """
    told: dict[str, JSON] = {
        name: _told(found) for name, found in fits.items() if found is not None and name != "stall"
    }
    if group.chunk_bytes:
        sizes, counts = zip(*sorted(group.chunk_bytes.items()), strict=True)
        upto = np.cumsum(counts)
        told["chunk_bytes"] = {f"p{rank * 100:g}": sizes[int(np.searchsorted(upto, rank * upto[-1]))] for rank in RANKS}
    return told or None


def _told(found: Fit) -> dict[str, JSON]:
    return {
        "chosen": found.family,
        "n": found.n,
        "errors": {f"p{rank * 100:g}": round(error, 4) for rank, error in found.errors.items()},
        "intervals": {f"p{rank * 100:g}": [float(f"{x:.4g}") for x in ends] for rank, ends in found.intervals.items()},
        "low_confidence": found.low_confidence,
    }
