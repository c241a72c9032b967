"""What grows with the number of tokens: totals of whole answers with those of the answer, TTFTs with those of the prompt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from llm_simulator.recorder.calibration.families import Values

_FEW = 30
_POINTS = 400  # pairs of them are looked at: 80,000 slopes
_MATTERS = 0.05  # of the median total: less is as well taken for chance


@dataclass(frozen=True, slots=True)
class Split:
    """A total as `base` (what it would be with one token, one entry a call) and `each` further token, in seconds."""

    base: Values
    each: float


def split(total: Values, tokens: Values) -> Split | None:
    """Splits totals by the Theil-Sen slope over output tokens; None where they do not grow with them for certain.

    No base is left under a tenth of its total: the slope gives way.
    """
    known = ~np.isnan(total) & (tokens > 0)
    if known.sum() < _FEW or not known.all() or tokens.min() == tokens.max():
        return None
    slope, low = growth(total, tokens)
    further = tokens - 1
    longest = further > 0
    each = min(slope, float((0.9 * total[longest] / further[longest]).min()))
    if low <= 0 or each * float(np.median(further)) < _MATTERS * float(np.median(total)):
        return None
    return Split(total - each * further, each)


def growth(values: Values, over: Values) -> tuple[float, float]:
    """The Theil-Sen slope and the lower end of its 95 % interval; of a long recording that of an even choice."""
    from scipy.stats import theilslopes

    picked = np.unique(np.linspace(0, len(values) - 1, min(len(values), _POINTS)).astype(np.int64))
    found: Any = theilslopes(values[picked], over[picked])
    return float(found.slope), float(found.low_slope)


def prompt_growth(ttft: Values, prompts: Values) -> float:
    """Seconds that each uncached prompt token adds to the TTFT; 0 where that is not certain or does not matter."""
    known = ~np.isnan(ttft) & (prompts > 0)
    if known.sum() < _FEW or prompts[known].min() == prompts[known].max():
        return 0.0
    slope, low = growth(ttft[known], prompts[known])
    usual = float(np.subtract(*np.quantile(prompts[known], (0.75, 0.25))))
    return slope if low > 0 and slope * usual > 2 * _MATTERS * float(np.median(ttft[known])) else 0.0
