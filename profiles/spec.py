"""From what a profile file says about a quantity to a distribution: short forms stay short, errors name the field.

    20                                                    always 20
    {p50_ms: 800}                                         the usual shape, scaled to that median
    {p50_ms: 800, p95_ms: 1500}                           lognormal through both (or another `distribution`)
    {p10_ms: 300, p50_ms: 400, p99_ms: 900}               straight lines between the quantiles
    {mean_ms: 20, std_dev_ms: 5}                          normal cut off at 0 (or another `distribution`)
    {distribution: gamma, shape: 2, scale_ms: 10}         a family by its parameters

A time is given in ms or s, named by the end of its field (`_ms`, `_s`, `_secs`); a length in tokens has no such end.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields
from itertools import pairwise
from math import isfinite

from llm_simulator.errors import ConfigError
from llm_simulator.profiles.distributions import FAMILIES, Constant, Distribution, LogNormal, Normal, Quantiles
from llm_simulator.types import JSON

_UNITS: Mapping[str, float] = {"_ms": 1e-3, "_secs": 1.0, "_s": 1.0}
_PURE = frozenset(
    {("lognormal", "sigma"), ("shifted_lognormal", "sigma"), ("gamma", "shape"), ("weibull", "shape")}
) | {("pareto", "alpha")}
"""Parameters without a unit."""
_PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d+)?|100)")
_ALIASES: Mapping[str, str] = {"empirical": "quantiles", "exgauss": "exgaussian", "std": "std_dev"}
_SIGNED = frozenset({"mu", "shift"})


def distribution(spec: JSON, where: str, *, usual: Quantiles, time: bool = True) -> Distribution:
    """The distribution that `spec` describes; `where` is its place for messages (file, profile, field).

    `usual` is the shape, with median 1, of a quantity of which only the median is given. Times come out in seconds.

    Raises:
        ConfigError: the spec is not one of the forms above.
    """
    if isinstance(spec, bool) or not isinstance(spec, (int, float, Mapping)):
        raise ConfigError(
            f"{where}: got {spec!r}; allowed are a number or a mapping such as {{p50_ms: 800, p95_ms: 1500}}"
        )
    if not isinstance(spec, Mapping):
        return Constant(_number(spec, where))
    family = _family(spec.get("distribution"), where)
    given = {str(name): value for name, value in spec.items() if name != "distribution"}
    values = dict(_plain(name, value, where, time, family) for name, value in given.items())
    quantiles = {float(found[1]) / 100: values[name] for name in values if (found := _PERCENTILE.fullmatch(name))}
    if quantiles and len(quantiles) == len(values):
        return _of_quantiles(quantiles, family, where, usual)
    if "mean" in values and values.keys() <= {"mean", "std_dev"}:
        return _of_moments(values["mean"], values.get("std_dev"), family, where)
    if family is None:
        got = ", ".join(sorted(given)) or "nothing"
        allowed = f"percentiles, mean and std_dev, or `distribution` ({', '.join(FAMILIES)}) with its parameters"
        raise ConfigError(f"{where}: got {got}; allowed are {allowed}")
    return _of_parameters(family, values, where)


def _family(name: JSON, where: str) -> type[Distribution] | None:
    if name is None:
        return None
    plain = str(name).lower().replace("-", "_")
    for known, family in FAMILIES.items():
        if plain.replace("_", "") == known.replace("_", "") or _ALIASES.get(plain) == known:
            return family
    raise ConfigError(f"{where}.distribution: got {name!r}; allowed are {', '.join(FAMILIES)}")


def _plain(name: str, value: JSON, where: str, time: bool, family: type[Distribution] | None) -> tuple[str, float]:
    """A field without its unit, its value in seconds (or tokens)."""
    end = next((end for end in _UNITS if name.endswith(end)), "")
    bare = _ALIASES.get(name.removesuffix(end), name.removesuffix(end))
    unitless = family is not None and (family.name, bare) in _PURE
    if bool(end) is not (time and not unitless):
        allowed = f"{bare}_ms or {bare}_s" if time and not unitless else bare
        raise ConfigError(f"{where}.{name}: unknown unit; allowed is {allowed}")
    number = _number(value, f"{where}.{name}", signed=bare in _SIGNED)
    return bare, number * _UNITS.get(end, 1.0)


def _number(value: JSON, where: str, *, signed: bool = False) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not isfinite(value):
        raise ConfigError(f"{where}: got {value!r}; allowed is a number")
    if value < 0 and not signed:
        raise ConfigError(f"{where}: got {value!r}; allowed is 0 or more")
    return float(value)


def _of_quantiles(
    quantiles: dict[float, float], family: type[Distribution] | None, where: str, usual: Quantiles
) -> Distribution:
    ranks = tuple(sorted(quantiles))
    values = tuple(quantiles[rank] for rank in ranks)
    if any(a > b for a, b in pairwise(values)):
        raise ConfigError(f"{where}: the percentiles descend; a higher one cannot have a smaller value")
    if ranks == (0.5,):
        return usual.scaled(values[0])
    if ranks == (0.5, 0.95) and family is not Quantiles:
        return _through(family or LogNormal, values, where)
    if len(ranks) < 2 or family not in (None, Quantiles):
        got = ", ".join(f"p{rank * 100:g}" for rank in ranks)
        allowed = "p50, p50 with p95, or (without `distribution`) two or more"
        raise ConfigError(f"{where}: got the percentiles {got}; allowed are {allowed}")
    return Quantiles(ranks, values)


def _through(family: type[Distribution], values: tuple[float, ...], where: str) -> Distribution:
    p50, p95 = values
    if p50 == p95:
        return Constant(p50)
    if p50 == 0:
        raise ConfigError(f"{where}.p50: got 0; allowed is more than 0")
    try:
        return family.through(p50, p95)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from None


def _of_moments(mean: float, std: float | None, family: type[Distribution] | None, where: str) -> Distribution:
    if not std:
        return Constant(mean)
    if mean == 0:
        raise ConfigError(f"{where}.mean: got 0; allowed is more than 0")
    try:
        return (family or Normal).of_moments(mean, std)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from None


def _of_parameters(family: type[Distribution], values: dict[str, float], where: str) -> Distribution:
    wanted = [field.name for field in fields(family) if field.init]  # type: ignore[arg-type]  # every family is a dataclass
    if family is Quantiles or set(values) != set(wanted):
        got = ", ".join(sorted(values)) or "no parameters"
        allowed = "percentiles" if family is Quantiles else ", ".join(wanted)
        raise ConfigError(f"{where}: got {got} for {family.name}; allowed are {allowed}")
    for name, value in values.items():
        if value == 0 and name not in (*_SIGNED, "low", "value"):
            raise ConfigError(f"{where}.{name}: got 0 for {family.name}; allowed is more than 0")
    return family(**values)
