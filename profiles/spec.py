"""From what a profile file says about a quantity to a distribution: short forms stay short, errors name the field.

    20                                                    always 20
    {p50_ms: 800}                                         the usual shape, scaled to that median
    {p50_ms: 800, p95_ms: 1500}                           lognormal through both (or another `distribution`)
    {p10_ms: 300, p50_ms: 400, p99_ms: 900}               straight lines between the quantiles
    {distribution: burr, p50_ms: 8, p90_ms: 10, p99_ms: 13}   a family through as many percentiles as it has parameters
    {mean_ms: 20, std_dev_ms: 5}                          normal cut off at 0 (or another `distribution`)
    {distribution: gamma, shape: 2, scale_ms: 10}         a family by its parameters
    {distribution: mixture, parts: [{weight: 0.9, median_ms: 500, sigma: 0.1}, {weight: 0.1, p50_ms: 900, p95_ms: 2000}]}
    {distribution: empirical, values_us: 20110 19870 ...}   measurements: a list, or text with spaces between

A time is given in s, ms, us or ns, named by the end of its field (`_ms`, `_s`, `_secs`, ...); a length in tokens has no
such end. Decimals are shifted, not multiplied: 428 ms is exactly 0.428 s.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Mapping
from dataclasses import fields
from decimal import Decimal
from itertools import pairwise
from math import isfinite

from llm_simulator.errors import ConfigError
from llm_simulator.profiles.distributions import (
    FAMILIES,
    Constant,
    Distribution,
    Empirical,
    Exponential,
    LogNormal,
    Mixture,
    Normal,
    Quantiles,
)
from llm_simulator.types import JSON

UNITS: Mapping[str, int] = {"_ns": 9, "_us": 6, "_ms": 3, "_secs": 0, "_s": 0}
"""By the end of a field's name: how many decimal places its numbers are shifted to be seconds."""
PURE: frozenset[tuple[str, str]] = frozenset(
    {
        ("lognormal", "sigma"),
        ("shifted_lognormal", "sigma"),
        ("gamma", "shape"),
        ("weibull", "shape"),
        ("pareto", "alpha"),
        ("burr", "c"),
        ("burr", "k"),
    }
)
"""Parameters without a unit."""
_PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d+)?|100)")
_ALIASES: Mapping[str, str] = {
    "exgauss": "exgaussian",
    "burr12": "burr",
    "burrxii": "burr",
    "std": "std_dev",
}
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
    if family is Mixture:
        return _mixture(given, where, usual, time)
    if family is Empirical and len(given) == 1 and next(iter(given)).startswith("values"):
        return _empirical(*next(iter(given.items())), where, time)
    return _of_numbers(given, family, where, usual, time)


def _of_numbers(
    given: Mapping[str, JSON], family: type[Distribution] | None, where: str, usual: Quantiles, time: bool
) -> Distribution:
    values = dict(_plain(name, value, where, time, family) for name, value in given.items())
    quantiles = {shifted(found[1], 2): values[name] for name in values if (found := _PERCENTILE.fullmatch(name))}
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
    plain = re.sub("[-_ ]", "", str(name).lower())
    for known, family in FAMILIES.items():
        if plain == known.replace("_", "") or _ALIASES.get(plain) == known:
            return family
    raise ConfigError(f"{where}.distribution: got {name!r}; allowed are {', '.join(FAMILIES)}")


def shifted(number: float | str, places: int) -> float:
    """A number divided by 10 ** places, as its decimal digits say."""
    return float(Decimal(str(number)).scaleb(-places)) if places else float(number)


def _plain(name: str, value: JSON, where: str, time: bool, family: type[Distribution] | None) -> tuple[str, float]:
    """A field without its unit, its value in seconds (or tokens)."""
    bare, places = _unit(name, where, time, family)
    return bare, shifted(_number(value, f"{where}.{name}", signed=bare in _SIGNED), places)


def _unit(name: str, where: str, time: bool, family: type[Distribution] | None) -> tuple[str, int]:
    end = next((end for end in UNITS if name.endswith(end)), "")
    bare = _ALIASES.get(name.removesuffix(end), name.removesuffix(end))
    unitless = family is not None and (family.name, bare) in PURE
    if bool(end) is not (time and not unitless):
        allowed = f"{bare}_ms or {bare}_s" if time and not unitless else bare
        raise ConfigError(f"{where}.{name}: unknown unit; allowed is {allowed}")
    return bare, UNITS.get(end, 0)


def _number(value: JSON, where: str, *, signed: bool = False) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not isfinite(value):
        raise ConfigError(f"{where}: got {value!r}; allowed is a number")
    if value < 0 and not signed:
        raise ConfigError(f"{where}: got {value!r}; allowed is 0 or more")
    return float(value)


def _of_quantiles(
    quantiles: dict[float, float], family: type[Distribution] | None, where: str, usual: Quantiles
) -> Distribution:
    ranks = sorted(quantiles)
    values = [quantiles[rank] for rank in ranks]
    if any(a > b for a, b in pairwise(values)):
        raise ConfigError(f"{where}: the percentiles descend; a higher one cannot have a smaller value")
    if family is None and ranks == [0.5]:
        return usual.scaled(values[0])
    if family is None and ranks == [0.5, 0.95]:
        family = LogNormal
    if family is None and len(ranks) < 2:
        allowed = "p50, p50 with p95, or (without `distribution`) two or more"
        raise ConfigError(f"{where}: got the percentiles p{ranks[0] * 100:g}; allowed are {allowed}")
    return _through(family or Quantiles, ranks, values, where)


def _through(family: type[Distribution], ranks: list[float], values: list[float], where: str) -> Distribution:
    table = family in (Quantiles, Empirical)
    if len(values) > 1 and values[0] == values[-1] and not table:
        return Constant(values[0])
    if values[0] == 0 and not table:
        raise ConfigError(f"{where}.p{ranks[0] * 100:g}: got 0; allowed is more than 0")
    try:
        return family.of_quantiles(dict(zip(ranks, values, strict=True)))
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from None


def _of_moments(mean: float, std: float | None, family: type[Distribution] | None, where: str) -> Distribution:
    if not std and family is not Exponential:
        return Constant(mean)
    if mean == 0:
        raise ConfigError(f"{where}.mean: got 0; allowed is more than 0")
    try:
        return (family or Normal).of_moments(mean, std or mean)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from None


def _mixture(given: Mapping[str, JSON], where: str, usual: Quantiles, time: bool) -> Mixture:
    parts = given.get("parts")
    if list(given) != ["parts"] or not isinstance(parts, list) or not parts:
        allowed = "{parts: [{weight: 0.9, ...}, {weight: 0.1, ...}]}"
        raise ConfigError(f"{where}: got {', '.join(given) or 'no parameters'} for mixture; allowed is {allowed}")
    weights: list[float] = []
    made: list[Distribution] = []
    for place, part in enumerate(parts):
        at = f"{where}.parts[{place}]"
        if not isinstance(part, Mapping) or not _number(part.get("weight"), f"{at}.weight"):
            raise ConfigError(f"{at}: got {part!r}; allowed is a mapping with a `weight` above 0 and a distribution")
        weights.append(float(part["weight"]))
        rest = {name: value for name, value in part.items() if name != "weight"}
        implied = {"distribution": "lognormal"} if any(str(name).startswith("median") for name in rest) else {}
        made.append(distribution({**implied, **rest}, at, usual=usual, time=time))
    return Mixture(weights, made)


def _empirical(name: str, given: JSON, where: str, time: bool) -> Empirical:
    _, places = _unit(name, where, time, Empirical)
    return Empirical([number / 10**places for number in numbers(given, f"{where}.{name}")])


def numbers(given: JSON, where: str) -> array[float]:
    """The numbers of a list, or of a text with spaces between them (much faster to read where there are many).

    Raises:
        ConfigError: there are none, or something else.
    """
    items = given.split() if isinstance(given, str) else given
    allowed = "allowed are numbers of 0 or more: a list, or text with spaces between"
    if not isinstance(items, list) or not items:
        raise ConfigError(f"{where}: got {given!r:.40}; {allowed}")
    try:
        made = array("d", map(float, items))
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{where}: {error}; {allowed}") from None
    if not all(map(isfinite, made)) or min(made) < 0:
        raise ConfigError(f"{where}: got {min(made) if all(map(isfinite, made)) else 'nan or inf'}; {allowed}")
    return made


def _of_parameters(family: type[Distribution], values: dict[str, float], where: str) -> Distribution:
    table = family in (Quantiles, Empirical)
    wanted = [field.name for field in fields(family) if field.init]  # type: ignore[arg-type]  # every family is a dataclass
    if table or set(values) != set(wanted):
        got = ", ".join(sorted(values)) or "no parameters"
        allowed = "percentiles" if family is Quantiles else "values" if table else ", ".join(wanted)
        raise ConfigError(f"{where}: got {got} for {family.name}; allowed are {allowed}")
    for name, value in values.items():
        if value == 0 and name not in (*_SIGNED, "low", "value"):
            raise ConfigError(f"{where}.{name}: got 0 for {family.name}; allowed is more than 0")
    return family(**values)
