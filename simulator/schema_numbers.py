"""Numbers for a JSON schema: within bounds, open or closed, and multiples of a step."""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from llm_simulator.simulator.rng import DeterministicRng
from llm_simulator.simulator.schema_check import is_multiple
from llm_simulator.simulator.schema_forms import ImpossibleError

_SPAN = 100  # of the range where the schema leaves it open
_LARGEST = 2**53


def integer_of(schema: Mapping[str, Any], rng: DeterministicRng) -> int:
    """Raises:
    ImpossibleError: no whole number is within the bounds.
    """
    low, high = _bounds(schema, 1)
    step = Fraction(repr(schema["multipleOf"])) if schema.get("multipleOf") else Fraction(1)
    step = Fraction(math.lcm(step.numerator, step.denominator), step.denominator) if step.denominator > 1 else step
    least, most = math.ceil(low / step), math.floor(high / step)
    if _open(schema, "exclusiveMinimum", least * step):
        least += 1
    if _open(schema, "exclusiveMaximum", most * step):
        most -= 1
    if least > most:
        raise ImpossibleError(f"no integer is within {_told(schema)}")
    return int((least + rng.below(most - least + 1)) * step)


def number_of(schema: Mapping[str, Any], rng: DeterministicRng) -> float:
    """Raises:
    ImpossibleError: no number is within the bounds.
    """
    low, high = _bounds(schema, 0)
    if low > high:
        raise ImpossibleError(f"no number is within {_told(schema)}")
    if schema.get("multipleOf"):
        return _multiple(schema, Fraction(repr(schema["multipleOf"])), low, high, rng)
    share = Fraction(rng.next_f64())
    drawn = low + share * (high - low)
    for candidate in (round(float(drawn), 2), round(float(drawn), 6), float(drawn), float((low + high) / 2)):
        if _within(schema, candidate):
            return candidate
    for candidate in (_plain(low), _plain(high), math.nextafter(float(low), math.inf)):
        if _within(schema, candidate):
            return candidate
    raise ImpossibleError(f"no number is within {_told(schema)}")


def _multiple(schema: Mapping[str, Any], step: Fraction, low: Fraction, high: Fraction, rng: DeterministicRng) -> float:
    """A multiple that is one both as a decimal and as a binary fraction, looked for from a drawn place on."""
    least, most = math.ceil(low / step), math.floor(high / step)
    count = most - least + 1
    if count > 0:
        start = rng.below(count)
        for place in range(min(count, 500)):
            candidate = _plain((least + (start + place) % count) * step)
            if _within(schema, candidate) and is_multiple(candidate, schema["multipleOf"]):
                return candidate
    raise ImpossibleError(f"no multiple of {schema['multipleOf']} is within {_told(schema)}")


def _plain(value: Fraction) -> float:
    return int(value) if value.denominator == 1 else float(value)


def _within(schema: Mapping[str, Any], value: float) -> bool:
    return (
        schema.get("minimum", value) <= value <= schema.get("maximum", value)
        and not value <= schema.get("exclusiveMinimum", -math.inf)
        and not value >= schema.get("exclusiveMaximum", math.inf)
    )


def _open(schema: Mapping[str, Any], keyword: str, value: Fraction) -> bool:
    return keyword in schema and Fraction(schema[keyword]) == value


def _bounds(schema: Mapping[str, Any], least: int) -> tuple[Fraction, Fraction]:
    """The closed range that the bounds span; what is left open is near the bound that there is, else [least, 100]."""
    lows = [schema[name] for name in ("minimum", "exclusiveMinimum") if name in schema]
    highs = [schema[name] for name in ("maximum", "exclusiveMaximum") if name in schema]
    span = Fraction(max(_SPAN, 3 * abs(schema.get("multipleOf") or 0)))
    low = Fraction(max(lows)) if lows else None
    high = Fraction(min(highs)) if highs else None
    if low is None:
        low = Fraction(least) if high is None or high >= least else high - span
    if high is None:
        high = max(Fraction(_SPAN), low + span)
    return low, min(high, low + _LARGEST) if high >= low else high


def _told(schema: Mapping[str, Any]) -> str:
    names = ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum", "multipleOf")
    return ", ".join(f"{name} {schema[name]}" for name in names if name in schema)
