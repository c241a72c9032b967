"""Maximum likelihood fits of the six candidate families, simplest first: numbers in, the product's distributions out.

Closed forms where there are any, own EM for mixtures, the profile likelihood over a shift, scipy.optimize for the rest.
Work is bounded: a long recording is represented by POINTS evenly ranked order statistics.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from math import exp, isfinite, log, sqrt
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from llm_simulator.profiles.distributions import (
    Burr,
    Distribution,
    ExGaussian,
    LogNormal,
    Mixture,
    ShiftedLogNormal,
)

Values: TypeAlias = NDArray[np.float64]

POINTS = 1000
_LEAST = 1e-3  # the smallest sigma of a logarithm: a component on a single value has no likelihood
_SHIFTS = np.concatenate(([1e-4, 1e-3], np.geomspace(3e-3, 3.0, 40)))
"""Candidates of the shift: how far it lies below the smallest value, in medians."""
_ROUNDS = 200
_SETTLED = 1e-7


def condensed(ordered: Values) -> Values:
    """At most POINTS values that stand for all of a sorted array: those in the middle of equal slices."""
    if len(ordered) <= POINTS:
        return ordered
    return ordered[((np.arange(POINTS) + 0.5) * (len(ordered) / POINTS)).astype(np.int64)]


def _short(value: float) -> float:
    """Seven digits: more would only be read by nobody."""
    return float(f"{value:.7g}")


def _lognormal(mean: float, sigma: float) -> LogNormal:
    """By mean and standard deviation of the logarithm."""
    return LogNormal(_short(exp(mean)), _short(max(sigma, _LEAST)))


def lognormal(x: Values) -> LogNormal:
    logs = np.log(x)
    return _lognormal(float(logs.mean()), float(logs.std()))


def shifted_lognormal(x: Values) -> ShiftedLogNormal | None:
    """The shift with the highest profile likelihood: for each, the lognormal of what is above it is a closed form."""
    low, middle = float(x[0]), float(np.median(x))
    shifts = low - _SHIFTS * middle
    logs = np.log(x[None, :] - shifts[:, None])
    sigmas = np.maximum(logs.std(axis=1), _LEAST)
    likelihoods = -np.log(sigmas) - logs.mean(axis=1)
    likelihoods[:2] = np.where(_SHIFTS[:2] * middle * len(x) < (x[-1] - low), -np.inf, likelihoods[:2])
    best = int(np.argmax(likelihoods))
    if not isfinite(float(likelihoods[best])):
        return None
    return ShiftedLogNormal(
        _short(float(shifts[best])), _short(exp(float(logs[best].mean()))), _short(float(sigmas[best]))
    )


def exgaussian(x: Values) -> ExGaussian | None:
    """Nelder-Mead from the moments (the third one gives tau); tau and sigma by their logarithms."""
    from scipy.special import log_ndtr

    scale = float(np.median(x))
    y = x / scale
    deviation = max(float(y.std()), 1e-6)
    skew = min(max(float((((y - y.mean()) / deviation) ** 3).mean()) / 2, 0.01), 0.9) ** (1 / 3)
    start = [float(y.mean()) - skew * deviation, log(deviation * sqrt(1 - skew**2)), log(skew * deviation)]

    def loss(at: Values) -> float:
        mu, sigma, tau = float(at[0]), exp(min(float(at[1]), 50.0)), exp(min(float(at[2]), 50.0))
        w = sigma / tau
        z = (y - mu) / sigma
        return -float((-log(tau) + w * w / 2 - z * w + log_ndtr(z - w)).mean())

    found = _least(loss, start)
    if found is None:
        return None
    return ExGaussian(_short(found[0] * scale), _short(exp(found[1]) * scale), _short(exp(found[2]) * scale))


def burr(x: Values) -> Burr | None:
    """Burr XII by Nelder-Mead over the logarithms of its shapes and scale, from a log-logistic start."""
    scale = float(np.median(x))
    logs = np.log(x / scale)
    shape = 1.8 / max(float(logs.std()), _LEAST)  # pi / sqrt(3): the log-logistic's

    def loss(at: Values) -> float:
        c, k, s = (exp(float(np.clip(value, -30.0, 30.0))) for value in at)
        z = logs - log(s)
        density = log(c) + log(k) - log(s) + (c - 1) * z - (k + 1) * np.logaddexp(0.0, c * z)
        return -float(density.mean())

    found = _least(loss, [log(shape), 0.0, 0.0])
    return None if found is None else Burr(_short(exp(found[0])), _short(exp(found[1])), _short(exp(found[2]) * scale))


def _least(loss: Callable[[Values], float], start: list[float]) -> list[float] | None:
    """Where the loss is least, or None where the search ended nowhere."""
    from scipy.optimize import minimize

    with np.errstate(all="ignore"):
        result = minimize(
            loss, np.array(start), method="Nelder-Mead", options={"maxiter": 600, "xatol": 1e-4, "fatol": 1e-6}
        )
    found = [float(value) for value in result.x]
    return found if isfinite(float(result.fun)) and all(abs(value) < 40 for value in found[1:]) else None


def mixture(x: Values, parts: int) -> Mixture | None:
    """Lognormals mixed, by EM from several starts; the likeliest end wins."""
    logs = np.log(x)
    ends = [_expect(logs, start) for start in _starts(logs, parts)]
    weights, means, sigmas = max(ends, key=lambda end: _likelihood(logs, *end))
    if not np.all(np.isfinite(means)) or not np.all(np.isfinite(sigmas)):
        return None
    order = np.argsort(means)
    members = tuple(_lognormal(float(means[at]), float(sigmas[at])) for at in order)
    return Mixture(tuple(_short(float(weights[at])) for at in order), members)


_Parts: TypeAlias = tuple[Values, Values, Values]
_CUTS = {2: ((0.5,), (0.85,), (0.95,), (0.15,)), 3: ((0.33, 0.67), (0.7, 0.95), (0.5, 0.9), (0.1, 0.9), (0.9, 0.98))}


def _starts(logs: Values, parts: int) -> list[_Parts]:
    """The recording cut at ranks, each piece a component."""
    starts: list[_Parts] = []
    for cuts in _CUTS[parts]:
        at = [0, *(int(cut * len(logs)) for cut in cuts), len(logs)]
        pieces = [logs[low:high] for low, high in pairwise(at)]
        if min(len(piece) for piece in pieces) < 2:
            continue
        shares = np.array([len(piece) / len(logs) for piece in pieces])
        means = np.array([piece.mean() for piece in pieces])
        starts.append((shares, means, np.array([max(piece.std(), _LEAST) for piece in pieces])))
    return starts


def _densities(logs: Values, weights: Values, means: Values, sigmas: Values) -> Values:
    """Log of each component's share of the density, components in rows."""
    z = (logs[None, :] - means[:, None]) / sigmas[:, None]
    shares: Values = np.log(weights)[:, None] - np.log(sigmas)[:, None] - 0.5 * z * z
    return shares


def _likelihood(logs: Values, weights: Values, means: Values, sigmas: Values) -> float:
    return float(np.logaddexp.reduce(_densities(logs, weights, means, sigmas), axis=0).mean())


def _expect(logs: Values, start: _Parts) -> _Parts:
    weights, means, sigmas = start
    before = -np.inf
    for _ in range(_ROUNDS):
        shares = _densities(logs, weights, means, sigmas)
        whole = np.logaddexp.reduce(shares, axis=0)
        belongs = np.exp(shares - whole)
        sizes = np.maximum(belongs.sum(axis=1), 1e-9)
        means = belongs @ logs / sizes
        spread = (belongs * (logs[None, :] - means[:, None]) ** 2).sum(axis=1) / sizes
        sigmas, weights = np.maximum(np.sqrt(spread), _LEAST), sizes / sizes.sum()
        now = float(whole.mean())
        if now - before < _SETTLED:
            break
        before = now
    return weights, means, sigmas


CANDIDATES: tuple[tuple[str, Callable[[Values], Distribution | None]], ...] = (
    ("lognormal", lognormal),
    ("shifted lognormal", shifted_lognormal),
    ("exGaussian", exgaussian),
    ("Burr XII", burr),
    ("2 lognormals", lambda x: mixture(x, 2)),
    ("3 lognormals", lambda x: mixture(x, 3)),
)
"""In the order in which they are tried: simplest first."""
