"""What one test asked for, decided in one place: command-line option, then marker, then fixture (ini setting, default)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from llm_simulator.errors import ConfigError
from llm_simulator.types import Mode

T = TypeVar("T")

MARKER = "llm_cassette"
MODES = tuple(mode.value for mode in Mode)
ON_MISS = ("fail", "error-response")
"""`fail`: a miss fails the test, whatever the code under test made of the 404; `error-response`: the 404 is all."""
AFTER_LAST = ("repeat", "cycle", "miss", "sample")
CHOICES = ("ignore", "warn", "fail")

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


@dataclass(frozen=True, slots=True)
class Marked:
    """The arguments of the marker(s) of a test; None is what no marker says."""

    name: str | None = None
    mode: str | None = None
    on_miss: str | None = None
    ignore: tuple[str, ...] = ()
    after_last: str | None = None
    speed: float | None = None
    seed: int | None = None
    scenario: str | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """How the calls of one test are answered. `cassette` is a path or a database URL."""

    test: str
    cassette: str
    mode: str
    on_miss: str = "fail"
    ignore: tuple[str, ...] = ()
    after_last: str = "repeat"
    speed: float = 0.0
    seed: int = 0
    scenario: str = "default"
    upstreams: Mapping[str, str] | None = None

    def check(self) -> None:
        """Raises ConfigError for what a fixture gave that is not allowed (options and markers are checked before)."""
        for fixture, value, choices in (
            ("llm_default_mode", self.mode, MODES),
            ("llm_on_miss", self.on_miss, ON_MISS),
        ):
            if value not in choices:
                raise ConfigError(f"fixture {fixture} gave {value!r}; allowed are {', '.join(choices)}")


def first(*values: T | None) -> T | None:
    """The strongest one that says anything: the callers list option, marker, fixture in this order."""
    return next((value for value in values if value is not None), None)


def marked(marks: Iterable[tuple[tuple[Any, ...], Mapping[str, Any]]]) -> Marked:
    """The markers of a test, closest first, as one: the closest that names a thing decides, ignore paths add up.

    Raises:
        ConfigError: an argument that does not exist, or a value that is not allowed.
    """
    found: dict[str, Any] = {}
    ignore: list[str] = []
    for args, kwargs in marks:
        given = _arguments(args, kwargs)
        ignore += [path for path in given.pop("ignore", ()) if path not in ignore]
        found = {**given, **found}
    return Marked(**found, ignore=tuple(ignore))


def _arguments(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    allowed = [field.name for field in fields(Marked)]
    if unknown := [name for name in kwargs if name not in allowed]:
        raise ConfigError(f"@pytest.mark.{MARKER}: no argument {unknown[0]!r}; allowed are {', '.join(allowed)}")
    if len(args) > 1 or (args and "name" in kwargs):
        raise ConfigError(f"@pytest.mark.{MARKER} takes one name, got {[*args, *_named(kwargs)]!r}")
    given = {**({"name": args[0]} if args else {}), **kwargs}
    for name, choices in (("mode", MODES), ("on_miss", ON_MISS), ("after_last", AFTER_LAST)):
        _check(name, given.get(name), choices)
    for name, kind in (("name", str), ("speed", int | float), ("seed", int), ("scenario", str)):
        if given.get(name) is not None and not isinstance(given[name], kind):
            raise ConfigError(f"@pytest.mark.{MARKER}: {name} is {given[name]!r}; {_spelt(kind)} is allowed")
    if isinstance(given.get("ignore"), str):
        given["ignore"] = (given["ignore"],)
    return {name: value for name, value in given.items() if value is not None}


def _named(kwargs: Mapping[str, Any]) -> list[Any]:
    return [kwargs["name"]] if "name" in kwargs else []


def _spelt(kind: Any) -> str:
    return getattr(kind, "__name__", "a number")


def _check(name: str, value: object, choices: tuple[str, ...]) -> None:
    if value is not None and value not in choices:
        raise ConfigError(f"@pytest.mark.{MARKER}: {name} is {value!r}; allowed are {', '.join(choices)}")


def seconds(age: str, setting: str = "--llm-max-age") -> float:
    """`90d`, `12h`, `30m`, `45s`, `2w` in seconds; `setting` is where it was given.

    Raises:
        ConfigError: it is none of these.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhdw])", age.strip())
    if match is None:
        raise ConfigError(f"{setting} is {age!r}; a number with s, m, h, d or w is allowed, such as 90d")
    return float(match[1]) * _SECONDS[match[2]]
