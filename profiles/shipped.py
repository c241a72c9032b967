"""The profiles that come with the product: data in `*.yaml` beside this file, read when a provider is first asked for.

A provider's file is a list; the first entry whose pattern fits the model counts, and its last entry is for all others.
A provider without a file has `default.yaml`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, lru_cache
from importlib.resources import files
from itertools import accumulate

from llm_simulator.errors import ConfigError
from llm_simulator.profiles.distributions import Constant, Distribution
from llm_simulator.profiles.profile import GAP_SHAPE, RATE_SHAPE, TTFT_SHAPE, Profile, Writes
from llm_simulator.profiles.spec import distribution
from llm_simulator.types import JSON

_FIELDS = frozenset(
    (
        "name",
        "models",
        "family",
        "ttft",
        "tokens_per_second",
        "rate",
        "itl",
        "speed_sigma",
        "writes",
        "length",
        "source",
    )
)
_RATES = ("tokens_per_second", "rate", "itl")


_SAME: Mapping[str, str] = {"vertex": "gemini"}
"""Providers that serve another one's models."""


@lru_cache(maxsize=1024)
def pick(provider: str, model: str, family: str = "") -> Profile:
    """The shipped profile for a model. Total: every provider has one for models it does not name."""
    return next(profile for profile in shipped(_SAME.get(provider, provider)) if profile.matches(model.lower(), family))


@cache
def shipped(provider: str) -> tuple[Profile, ...]:
    """All profiles of a provider, first match first.

    Raises:
        ConfigError: the data is wrong (a test reads all of it).
    """
    import yaml

    folder = files("llm_simulator.profiles")
    file = folder / f"{provider}.yaml"
    if not provider.isalnum() or not file.is_file():
        file = folder / "default.yaml"
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return parse(yaml.load(file.read_text("utf-8"), Loader=loader), file.name)


def parse(document: JSON, where: str) -> tuple[Profile, ...]:
    """The profiles of a document `{defaults: {...}, profiles: [{...}, ...]}`; `defaults` fill what one leaves out.

    Raises:
        ConfigError: names the profile, the field, what it got and what is allowed.
    """
    if not isinstance(document, Mapping) or not isinstance(document.get("profiles"), list):
        raise ConfigError(f"{where}: got no list `profiles`; allowed is {{profiles: [{{name: ..., models: [...]}}]}}")
    defaults = document.get("defaults") or {}
    return tuple(
        _profile(entry, defaults, f"{where}: profiles[{place}]") for place, entry in enumerate(document["profiles"])
    )


def _profile(entry: JSON, defaults: JSON, where: str) -> Profile:
    if not isinstance(entry, Mapping):
        raise ConfigError(f"{where}: got {entry!r}; allowed is a mapping")
    given = {
        **({} if any(name in entry for name in _RATES) else _only(defaults, _RATES)),
        **_without(defaults),
        **entry,
    }
    unknown = sorted(set(map(str, given)) - _FIELDS)
    if unknown:
        raise ConfigError(f"{where}: got the unknown field {unknown[0]!r}; allowed are {', '.join(sorted(_FIELDS))}")
    missing = [name for name in ("name", "models", "ttft", "length") if name not in given]
    if missing:
        raise ConfigError(f"{where}: {missing[0]!r} is missing")
    rate, gap = _rate(given, where)
    return Profile(
        name=str(given["name"]),
        models=tuple(str(pattern).lower() for pattern in given["models"]),
        ttft=distribution(given["ttft"], f"{where}.ttft", usual=TTFT_SHAPE),
        rate=rate,
        writes=_writes(given.get("writes"), gap, f"{where}.writes"),
        length=distribution(given["length"], f"{where}.length", usual=RATE_SHAPE, time=False),
        family=str(given.get("family", "*")),
        speed_sigma=float(given.get("speed_sigma", 0.0)),
        source=_source(defaults.get("source"), entry.get("source")),
    )


def _source(usual: JSON, own: JSON) -> str:
    """Where each number is from, by field; a profile's own word goes before the file's."""
    if isinstance(own, str):
        return own
    named = {**(usual if isinstance(usual, Mapping) else {}), **(own or {})}
    return "; ".join(f"{name}: {text}" for name, text in named.items())


def _only(defaults: JSON, names: tuple[str, ...]) -> dict[str, JSON]:
    return {name: value for name, value in defaults.items() if name in names}


def _without(defaults: JSON) -> dict[str, JSON]:
    return {name: value for name, value in defaults.items() if name not in _RATES}


def _rate(given: Mapping[str, JSON], where: str) -> tuple[Distribution | None, Distribution]:
    """Seconds per token of a response (None where the gaps are absolute), and the gaps between writes."""
    forms = [name for name in _RATES if name in given]
    if len(forms) != 1:
        raise ConfigError(f"{where}: got {' and '.join(forms) or 'no rate'}; allowed is one of {', '.join(_RATES)}")
    value = given[forms[0]]
    if forms[0] == "itl":
        return None, distribution(value, f"{where}.itl", usual=TTFT_SHAPE)
    if forms[0] == "rate":
        return distribution(value, f"{where}.rate", usual=RATE_SHAPE), GAP_SHAPE
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value <= 0:
        raise ConfigError(f"{where}.tokens_per_second: got {value!r}; allowed is a number above 0")
    return RATE_SHAPE.scaled(1 / value), GAP_SHAPE


def _writes(given: JSON, gap: Distribution, where: str) -> Writes:
    """`{sizes: {tokens: share}, cv: X}`: cv is the variation of the gaps around their mean, in place of 1.2."""
    if given is None:
        return Writes(gap=gap)
    if not isinstance(given, Mapping) or not given.keys() <= {"sizes", "cv"}:
        raise ConfigError(f"{where}: got {given!r}; allowed is {{sizes: {{1: 0.1, 2: 0.9}}, cv: 1.2}}")
    if "cv" in given:
        cv = given["cv"]
        if isinstance(cv, bool) or not isinstance(cv, (int, float)) or cv < 0:
            raise ConfigError(f"{where}.cv: got {cv!r}; allowed is a number of 0 or more")
        shape = distribution({"distribution": "lognormal", "mean_ms": 1, "std_dev_ms": cv}, where, usual=TTFT_SHAPE)
        gap = Constant(gap.mean) if cv == 0 else shape if gap is GAP_SHAPE else gap
    sizes = given.get("sizes", {1: 1.0})
    shares = _shares(sizes, f"{where}.sizes")
    return Writes(tuple(int(size) for size in sizes), shares, gap)


def _shares(sizes: JSON, where: str) -> tuple[float, ...]:
    if not isinstance(sizes, Mapping) or not sizes or any(not isinstance(n, int) or n < 1 for n in sizes):
        raise ConfigError(f"{where}: got {sizes!r}; allowed is a mapping of whole numbers from 1 to shares")
    total = sum(sizes.values())
    if total <= 0 or min(sizes.values()) < 0:
        raise ConfigError(f"{where}: got shares that sum to {total}; allowed are shares of 0 or more, not all 0")
    return tuple(accumulate(share / total for share in sizes.values()))
