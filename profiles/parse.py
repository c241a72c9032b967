"""From the document of a profile file to profiles; every problem of it is found, each with its place.

defaults: {...}                 # optional: fills what a profile leaves out
profiles:
  - name: mine
    models: ["gpt-4o*"]
    ttft: {p50_ms: 800, p95_ms: 1500}
    tokens_per_second: 60
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from itertools import accumulate
from typing import TypeVar

from llm_simulator.errors import ConfigError
from llm_simulator.profiles.distributions import Constant, Distribution, Quantiles
from llm_simulator.profiles.profile import (
    GAP_SHAPE,
    RATE_SHAPE,
    TTFT_SHAPE,
    ErrorRate,
    Load,
    Profile,
    Provenance,
    Slope,
    UsageRatio,
    Writes,
)
from llm_simulator.profiles.spec import UNITS, distribution, numbers, shifted
from llm_simulator.profiles.traces import Trace, Traces
from llm_simulator.types import JSON

T = TypeVar("T")
RATES = ("tokens_per_second", "rate", "itl")
USUAL_LENGTH = Quantiles((0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99), (16, 41, 54, 85, 129, 395, 424, 451, 601))
"""Output tokens of 19,366 requests (azure-2023-conv, Azure/AzurePublicDataset, 2023-11): where a profile names none."""
_OWN = {"tokens_per_second", "itl"}  # fields of the file that a `Profile` does not have by this name
FIELDS = frozenset({field.name for field in fields(Profile)} | _OWN)
CACHES = ("any", "hit", "miss")
_GAP: Distribution = GAP_SHAPE
_LENGTH: Distribution = USUAL_LENGTH
_NONE: Distribution = Constant(0.0)


def parse(document: JSON, where: str) -> tuple[Profile, ...]:
    """The profiles of a document.

    Raises:
        ConfigError: every problem, one a line: the place, what it was and what is allowed.
    """
    problems: list[str] = []
    profiles = parsed(document, where, problems)
    if problems:
        raise ConfigError("\n".join(problems))
    return profiles


def parsed(document: JSON, where: str, problems: list[str]) -> tuple[Profile, ...]:
    """As far as it goes; what is wrong is added to `problems`."""
    if not isinstance(document, Mapping) or not isinstance(document.get("profiles"), list):
        problems.append(f"{where}: got no list `profiles`; allowed is {{profiles: [{{name: ..., models: [...]}}]}}")
        return ()
    defaults = document.get("defaults") or {}
    made: list[Profile] = []
    for place, entry in enumerate(document["profiles"]):
        at = f"{where}: profiles[{place}]"
        if not isinstance(entry, Mapping):
            problems.append(f"{at}: got {entry!r}; allowed is a mapping")
            continue
        profile = _profile(entry, defaults, at, problems)
        if profile is not None:
            made.append(profile)
    return tuple(made)


@dataclass(frozen=True, slots=True)
class _Given:
    """The fields of one profile with the defaults under them; what cannot be read is noted and left out."""

    values: Mapping[str, JSON]
    where: str
    problems: list[str]

    def read(self, name: str, make: Callable[[JSON, str], T], absent: T) -> T:
        if self.values.get(name) is None:
            return absent
        try:
            return make(self.values[name], f"{self.where}.{name}")
        except ConfigError as error:
            self.problems.append(str(error))
            return absent


def _profile(
    entry: Mapping[str, JSON], defaults: Mapping[str, JSON], where: str, problems: list[str]
) -> Profile | None:
    rates = () if any(name in entry for name in RATES) else RATES
    given = {name: value for name, value in defaults.items() if name not in RATES or name in rates} | dict(entry)
    before = len(problems)
    for name in sorted(set(map(str, given)) - FIELDS):
        problems.append(f"{where}: got the unknown field {name!r}; allowed are {', '.join(sorted(FIELDS))}")
    for name in ("name", "models"):
        if not given.get(name):
            problems.append(f"{where}: {name!r} is missing")
    if given.get("ttft") is None and given.get("total") is None:
        problems.append(f"{where}: 'ttft' is missing (or `total`, where an answer comes as a whole)")
    made = _made(_Given(given, where, problems), _source(defaults.get("source"), entry.get("source")))
    return made if len(problems) == before else None


def _made(given: _Given, source: str) -> Profile:
    total: Distribution | None = given.read("total", _time(TTFT_SHAPE), None)
    ttft: Distribution | None = given.read("ttft", _time(TTFT_SHAPE), None)
    rate, writes = _rate(given)
    return Profile(
        name=given.read("name", _text, ""),
        models=given.read("models", _patterns, ()),
        ttft=ttft or total or Constant(0.0),
        rate=rate,
        writes=writes,
        length=given.read("length", _length, _LENGTH),
        family=given.read("family", _text, "*"),
        speed_sigma=given.read("speed_sigma", _amount, 0.0),
        source=source,
        traces=given.read("traces", _traces, None),
        provider=given.read("provider", _text, "*"),
        operations=given.read("operations", _patterns, ()),
        stream=given.read("stream", _stream, None),
        cache=given.read("cache", _cache, "any"),
        total=total,
        prompt_slope=given.read("prompt_slope", _slope, None),
        cache_hit=given.read("cache_hit", _cache_hit, None),
        load=given.read("load", _load, None),
        errors=given.read("errors", _errors, ()),
        usage_ratio=given.read("usage_ratio", _ratio, None),
        provenance=given.read("provenance", _provenance, None),
        quality=given.read("quality", lambda value, where: _fields(value, where, None), None),
    )


def _source(usual: JSON, own: JSON) -> str:
    """Where each number is from, by field; a profile's own word goes before the file's."""
    if isinstance(own, str):
        return own
    named = {**(usual if isinstance(usual, Mapping) else {}), **(own if isinstance(own, Mapping) else {})}
    return "; ".join(f"{name}: {text}" for name, text in named.items())


def _rate(given: _Given) -> tuple[Distribution | None, Writes]:
    """Seconds per token of a response (None where the gaps are absolute), and its writes."""
    forms = [name for name in RATES if given.values.get(name) is not None]
    if len(forms) > 1 or (not forms and given.values.get("total") is None and not given.values.get("operations")):
        got = " and ".join(forms) or "no rate"
        given.problems.append(f"{given.where}: got {got}; allowed is one of {', '.join(RATES)}")
    if "itl" in forms:
        gap = given.read("itl", _time(TTFT_SHAPE), _GAP)
        return None, given.read("writes", lambda value, where: _writes(value, gap, where), Writes(gap=gap))
    writes = given.read("writes", lambda value, where: _writes(value, GAP_SHAPE, where), Writes())
    rate = given.read("rate", _time(RATE_SHAPE), given.read("tokens_per_second", _per_second, _NONE))
    return rate, writes


def _per_second(value: JSON, where: str) -> Distribution:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value <= 0:
        raise ConfigError(f"{where}: got {value!r}; allowed is a number above 0")
    return RATE_SHAPE.scaled(1 / value)


def _time(usual: Quantiles) -> Callable[[JSON, str], Distribution]:
    return lambda value, where: distribution(value, where, usual=usual)


def _length(value: JSON, where: str) -> Distribution:
    return distribution(value, where, usual=RATE_SHAPE, time=False)


def _text(value: JSON, where: str) -> str:
    if not isinstance(value, (str, int, float)) or isinstance(value, bool):
        raise ConfigError(f"{where}: got {value!r}; allowed is text")
    return str(value)


def _names(value: JSON, where: str) -> tuple[str, ...]:
    items = [value] if isinstance(value, str) else value
    if not isinstance(items, list) or not items or not all(isinstance(item, (str, int, float)) for item in items):
        raise ConfigError(f"{where}: got {value!r}; allowed is a list of names, * for anything")
    return tuple(map(str, items))


def _patterns(value: JSON, where: str) -> tuple[str, ...]:
    return tuple(name.lower() for name in _names(value, where))


def _amount(value: JSON, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value >= 0:
        raise ConfigError(f"{where}: got {value!r}; allowed is a number of 0 or more")
    return float(value)


def _count(value: JSON, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ConfigError(f"{where}: got {value!r}; allowed is a whole number of 0 or more")
    return value


def _stream(value: JSON, where: str) -> bool | None:
    if value not in (True, False, "any"):
        raise ConfigError(f"{where}: got {value!r}; allowed are true, false and any")
    return None if value == "any" else bool(value)


def _cache(value: JSON, where: str) -> str:
    if value not in CACHES:
        raise ConfigError(f"{where}: got {value!r}; allowed are {', '.join(CACHES)}")
    return str(value)


def _fields(value: JSON, where: str, allowed: tuple[str, ...] | None) -> Mapping[str, JSON]:
    if not isinstance(value, Mapping) or (allowed is not None and not value.keys() <= set(allowed)):
        raise ConfigError(f"{where}: got {value!r:.60}; allowed is a mapping of {', '.join(allowed or ('anything',))}")
    return dict(value)


def _slope(value: JSON, where: str) -> Slope:
    given = _fields(value, where, ("ms_per_token", "reference_tokens"))
    per_token = _amount(given.get("ms_per_token"), f"{where}.ms_per_token")
    return Slope(shifted(per_token, 3), _count(given.get("reference_tokens", 0), f"{where}.reference_tokens"))


def _cache_hit(value: JSON, where: str) -> Distribution | None:
    given = _fields(value, where, ("ttft",))
    return distribution(given.get("ttft"), f"{where}.ttft", usual=TTFT_SHAPE)


def _load(value: JSON, where: str) -> Load:
    given = _fields(value, where, ("slots", "slowdown"))
    return Load(
        _count(given.get("slots", 0), f"{where}.slots"), _amount(given.get("slowdown", 0.0), f"{where}.slowdown")
    )


def _errors(value: JSON, where: str) -> tuple[ErrorRate, ...]:
    if not isinstance(value, list):
        raise ConfigError(f"{where}: got {value!r}; allowed is a list of {{status: 529, rate: 0.01}}")
    made = tuple(_error(item, f"{where}[{place}]") for place, item in enumerate(value))
    total = sum(error.rate for error in made)
    if total > 1:
        raise ConfigError(f"{where}: got rates that sum to {total:g}; allowed is up to 1")
    return made


def _error(value: JSON, where: str) -> ErrorRate:
    given = _fields(value, where, ("status", "rate", "condition"))
    status = _count(given.get("status"), f"{where}.status")
    if not 400 <= status <= 599:
        raise ConfigError(f"{where}.status: got {status}; allowed is 400 to 599")
    return ErrorRate(
        status, _amount(given.get("rate"), f"{where}.rate"), _text(given.get("condition", ""), f"{where}.condition")
    )


def _ratio(value: JSON, where: str) -> UsageRatio:
    given = _fields(value, where, ("prompt", "completion", "n"))
    prompt, completion = (_amount(given.get(name, 1.0), f"{where}.{name}") for name in ("prompt", "completion"))
    return UsageRatio(prompt, completion, _count(given.get("n", 0), f"{where}.n"))


def _provenance(value: JSON, where: str) -> Provenance:
    given = _fields(value, where, ("source", "date", "n", "conditions"))
    texts = {name: str(given.get(name, "")) for name in ("source", "date", "conditions")}
    return Provenance(n=_count(given.get("n", 0), f"{where}.n"), **texts)


def _writes(given: JSON, gap: Distribution, where: str) -> Writes:
    """`{sizes: {tokens: share}, cv: X}`: cv is the variation of the gaps around their mean, in place of 1.2.

    Or `gap`, their shape in full.
    """
    if not isinstance(given, Mapping) or not given.keys() <= {"sizes", "cv", "gap"}:
        raise ConfigError(
            f"{where}: got {given!r}; allowed is {{sizes: {{1: 0.1, 2: 0.9}}, cv: 1.2}}, or `gap` for `cv`"
        )
    if "gap" in given:
        gap = distribution(given["gap"], f"{where}.gap", usual=TTFT_SHAPE)
    if "cv" in given:
        cv = _amount(given["cv"], f"{where}.cv")
        shape = distribution({"distribution": "lognormal", "mean_ms": 1, "std_dev_ms": cv}, where, usual=TTFT_SHAPE)
        gap = Constant(gap.mean) if cv == 0 else shape if gap is GAP_SHAPE else gap
    sizes = given.get("sizes", {1: 1.0})
    shares = _shares(sizes, f"{where}.sizes")
    return Writes(tuple(int(size) for size in sizes), shares, gap)


def _shares(sizes: JSON, where: str) -> tuple[float, ...]:
    if not isinstance(sizes, Mapping) or not sizes or any(not isinstance(n, int) or n < 1 for n in sizes):
        raise ConfigError(f"{where}: got {sizes!r}; allowed is a mapping of whole numbers from 1 to shares")
    shares = [_amount(share, f"{where}.{size}") for size, share in sizes.items()]
    total = sum(shares)
    if total <= 0:
        raise ConfigError(f"{where}: got shares that sum to {total:g}; allowed are shares of 0 or more, not all 0")
    even = abs(total - 1) < 1e-9  # as a file of ours has it: not scaled again
    return tuple(accumulate(share if even else share / total for share in shares))


def _traces(value: JSON, where: str) -> Traces:
    given = _fields(value, where, ("n", "items"))
    items = given.get("items")
    if not isinstance(items, list) or not items:
        raise ConfigError(
            f"{where}.items: got {items!r:.40}; allowed is a list of {{ttft_rank, rate_rank, tokens, gaps_us}}"
        )
    traces = tuple(_trace(item, f"{where}.items[{place}]") for place, item in enumerate(items))
    n = _count(given.get("n", len(items)), f"{where}.n")
    if n < len(items) or max(max(trace.ttft_rank, trace.rate_rank) for trace in traces) >= n:
        raise ConfigError(f"{where}.n: got {n}; allowed is the number of responses that the ranks are among")
    return Traces(traces, n)


def _trace(value: JSON, where: str) -> Trace:
    ends = [end for end in UNITS if isinstance(value, Mapping) and f"gaps{end}" in value]
    gap = f"gaps{ends[0]}" if ends else "gaps_us"
    given = _fields(value, where, ("ttft_rank", "rate_rank", "tokens", gap, "sizes"))
    gaps = numbers(given[gap], f"{where}.{gap}") if gap in given else array("d")
    sizes = array("l", map(int, numbers(given["sizes"], f"{where}.sizes"))) if "sizes" in given else array("l")
    if gaps and (len(sizes) != len(gaps) + 1 or min(sizes) < 1):
        raise ConfigError(f"{where}.sizes: got {len(sizes)} for {len(gaps)} gaps; allowed is one more, each 1 or more")
    size = 10 ** UNITS[gap.removeprefix("gaps")]
    ranks = (given.get(name, -1) for name in ("ttft_rank", "rate_rank"))
    ttft, rate = (-1 if rank == -1 else _count(rank, f"{where}: a rank") for rank in ranks)
    seconds = gaps if size == 1 else array("d", [number / size for number in gaps])
    return Trace(ttft, rate, _count(given.get("tokens", 0), f"{where}.tokens"), seconds, sizes)
