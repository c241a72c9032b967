"""What the parts of a configuration say of each other: checked once flags, environment and file are together."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from llm_simulator.cassettes.base import DATABASES
from llm_simulator.cassettes.key import Matcher
from llm_simulator.config import library
from llm_simulator.config.settings import Settings
from llm_simulator.errors import ConfigError

Conflict = tuple[tuple[str, ...], str]
"""The field that it is best mended at, and what is wrong with it."""


def check(settings: Settings) -> None:
    """What must hold before anything is opened.

    Raises:
        ConfigError: every problem, one per line.
    """
    if problems := [problem for _, problem in conflicts(settings)]:
        raise ConfigError("\n".join(problems))


def conflicts(settings: Settings) -> Iterator[Conflict]:
    """Everything that does not go together. Opens nothing."""
    if settings.forwards and not settings.loopback and not settings.allow_remote:
        yield (
            ("server", "allow_remote"),
            f"{_who(settings, settings.mode.forwards)} forwards to providers, and {settings.host!r} can be reached from "
            "other machines: add --allow-remote if that is meant",
        )
    yield from _of_cassette(settings)
    if settings.scenario != library.NONE:
        try:
            library.find(settings.scenario, settings.scenarios)
        except ConfigError as error:
            yield ("scenario",), f"scenario: {error}"
    yield from _of_workers(settings)
    if settings.speed < 0:
        yield ("simulation", "speed"), f"speed is {settings.speed:g}; 0 (no waits) or above is allowed"
    if settings.metrics and settings.metrics_port and settings.metrics_port == settings.port:
        where = ("telemetry", "metrics", "prometheus_port")
        yield where, f"port {settings.port} serves the calls and cannot serve the metrics alone; another one is allowed"


def _of_cassette(settings: Settings) -> Iterator[Conflict]:
    if settings.writes and not settings.cassette:
        who = _who(settings, settings.mode.writes)
        yield ("cassettes", "mode"), f"{who} needs --cassette: a .db, a .yaml, a folder or a database URL"
    if settings.mode.value in ("replay", "verify") and not settings.cassette:
        yield ("cassettes", "mode"), f"mode {settings.mode.value} needs --cassette: there is nothing to look up"


def _who(settings: Settings, mode: bool) -> str:
    return f"mode {settings.mode.value}" if mode else "a rule of a scenario"


def _of_workers(settings: Settings) -> Iterator[Conflict]:
    """What several workers cannot do."""
    place, said = ("server", "workers"), f"workers is {settings.workers}"
    if settings.workers < 1:
        yield place, f"{said}; 1 or more is allowed"
    if settings.workers <= 1:
        return
    if not hasattr(os, "fork"):
        yield place, f"{said}, and this system cannot fork: 1 is allowed"
    if settings.writes and "://" not in settings.cassette and Path(settings.cassette).suffix not in DATABASES:
        yield (
            place,
            f"{said}, and {settings.cassette!r} is a text cassette: several workers record into a "
            f"database only ({', '.join(DATABASES)} or a URL). Record with one worker, or into a database and export it",
        )


def further(settings: Settings) -> Iterator[Conflict]:
    """What shows only once files are read and rules are made: latency profiles, what a match ignores."""
    from llm_simulator.profiles.file import load
    from llm_simulator.profiles.shipped import every

    names = {profile.name for _, profile in every()}
    for place, path in enumerate(settings.profiles):
        try:
            names |= {profile.name for profile in load(path)}
        except ConfigError as error:
            yield ("simulation", "profiles", str(place)), str(error)
    try:
        Matcher(settings.rules)
    except ConfigError as error:
        yield ("cassettes", "match", "ignore"), str(error)
    for name, scenario in settings.scenarios.items():
        for place, rule in enumerate(scenario.rules):
            if rule.then.profile and rule.then.profile not in names:
                where = ("scenarios", name, "rules", str(place), "then", "profile")
                yield where, f"is {rule.then.profile!r}; no latency profile is called so: `llm-simulator profile list`"
