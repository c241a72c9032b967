"""From a distribution to what a profile file says about it: `spec.distribution` of that gives the same again."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import fields
from decimal import Decimal

from llm_simulator.profiles.distributions import Constant, Distribution, Empirical, Mixture, Quantiles
from llm_simulator.profiles.spec import PURE, UNITS, shifted
from llm_simulator.types import JSON

_DIGITS = 12  # a number in ms with more is told in seconds, as it is


def spelled(distribution: Distribution, *, time: bool = True) -> JSON:
    """The shortest form that is read back as an equal distribution."""
    if isinstance(distribution, Constant) and not time:
        return _short(distribution.value)
    if isinstance(distribution, Quantiles):
        named = {
            f"p{_percent(rank)}": value for rank, value in zip(distribution.ranks, distribution.values, strict=True)
        }
        alone = {"distribution": "quantiles"} if distribution.ranks == (0.5, 0.95) else {}
        return {**alone, **_fields(named, time)}
    if isinstance(distribution, Empirical):
        end, text = spelled_numbers(distribution.values) if time else ("", _text(distribution.values))
        return {"distribution": "empirical", f"values{end}": text}
    if isinstance(distribution, Mixture):
        parts = [
            {"weight": weight, **spelled(part, time=time)}
            for weight, part in zip(distribution.weights, distribution.parts, strict=True)
        ]
        return {"distribution": "mixture", "parts": parts}
    named = {field.name: getattr(distribution, field.name) for field in fields(distribution)}  # type: ignore[arg-type]
    pure = {name for name in named if (distribution.name, name) in PURE}
    return {"distribution": distribution.name, **_fields(named, time, pure)}


def _fields(named: dict[str, float], time: bool, pure: Iterable[str] = ()) -> dict[str, JSON]:
    if not time:
        return {name: _short(value) for name, value in named.items()}
    made = dict(spelled_time(name, value) if name not in pure else (name, value) for name, value in named.items())
    return made


def spelled_time(name: str, seconds: float) -> tuple[str, float]:
    """A field and its number: in ms where that loses nothing, else in s."""
    ms = float(Decimal(repr(seconds)).scaleb(3))
    short = len(repr(ms).replace(".", "").strip("0")) <= _DIGITS
    return (f"{name}_ms", _short(ms)) if short and shifted(ms, 3) == seconds else (f"{name}_s", _short(seconds))


def spelled_numbers(seconds: Sequence[float]) -> tuple[str, str]:
    """The unit and text of many times: whole numbers of the largest unit that loses nothing, else seconds."""
    for end in ("_us", "_ns"):
        size = 10 ** UNITS[end]
        whole = [round(value * size) for value in seconds]
        if all(number / size == value for number, value in zip(whole, seconds, strict=True)):
            return end, " ".join(map(str, whole))
    return "_s", _text(array("d", seconds))


def _text(values: Iterable[float]) -> str:
    return " ".join(repr(_short(value)) for value in values)


def _short(value: float) -> float:
    return int(value) if value == int(value) and abs(value) < 1e15 else value


def _percent(rank: float) -> str:
    return f"{Decimal(repr(rank)).scaleb(2).normalize():f}"
