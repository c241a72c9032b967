"""`llm-simulator validate`: says everything that is wrong with a configuration, or what it sets and what has no effect."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from llm_simulator.cli.options import JSON_OPTION
from llm_simulator.errors import ConfigError

if TYPE_CHECKING:
    from llm_simulator.config.load import Checked
    from llm_simulator.config.problems import Problem
    from llm_simulator.config.settings import Settings


@dataclass(frozen=True, slots=True)
class _Report:
    """`found` are the problems; `given` is (field, value, where it is from) of all that is set."""

    found: tuple[Problem, ...]
    settings: Settings | None
    given: tuple[tuple[str, str, str], ...]
    notes: tuple[tuple[str, str], ...]
    not_active: tuple[tuple[str, str], ...]


@click.command("validate")
@click.option(
    "--config", required=True, type=click.Path(dir_okay=False, path_type=Path), help="YAML, JSON or TOML file"
)
@JSON_OPTION
def command(config: Path, as_json: bool) -> None:
    """Check a configuration file (with the environment laid over it) and list every error. Exits with 2 if there is one."""
    report = _report(config, os.environ)
    if as_json:
        click.echo(json.dumps(_as_json(config, report), indent=2, ensure_ascii=False))
        sys.exit(2 if report.found else 0)
    if report.found:
        for problem in report.found:
            click.echo(f"error: {problem}", err=True)
        count = len(report.found)
        click.echo(f"{config}: {count} error{'s' * (count > 1)}", err=True)
        sys.exit(2)
    for line in _told(config, report):
        click.echo(line)


def _report(path: Path, environ: Mapping[str, str]) -> _Report:
    from llm_simulator.config.active import not_active
    from llm_simulator.config.load import Origin, checked, settings_of
    from llm_simulator.config.problems import Problem
    from llm_simulator.config.reading import Document

    try:
        seen = checked(Document.read(path), environ)
    except ConfigError as error:  # not well formed: nothing more can be said
        lines = str(error).splitlines()
        return _Report(tuple(Problem(*_parted(line)) for line in lines), None, (), (), ())
    settings = settings_of(seen.file, seen.values) if seen.file is not None else None
    if settings is not None:
        settings = replace(settings, origin=Origin(path, environ))
    found = (*seen.problems, *(_conflicting(seen, settings, path) if settings is not None else ()))
    if found or settings is None:
        return _Report(found, settings, (), (), ())
    return _Report((), settings, tuple(_given(seen, path)), tuple(_notes(seen)), tuple(not_active(settings)))


def _parted(message: str) -> tuple[str, int | None, str, None, str]:
    """A message `file:line: what is wrong` as the parts of a problem."""
    where, _, said = message.partition(": ")
    name, _, line = where.rpartition(":")
    return (name, int(line), "", None, said) if line.isdigit() else (where, None, "", None, said)


def _conflicting(seen: Checked, settings: Settings, path: Path) -> Iterator[Problem]:
    """What its parts say of each other, where these parts are right."""
    from llm_simulator.config.checks import conflicts, further
    from llm_simulator.config.problems import Problem, spelled_place

    sections = {place[0] for place in seen.left_out if place} & {
        "cassettes",
        "server",
    }  # whose fields speak of each other
    for parts, said in (*conflicts(settings), *further(settings)):
        place = tuple(int(part) if part.isdigit() else part for part in parts)
        if parts[0] in sections or any(place[: len(gone)] == gone for gone in seen.left_out):
            continue
        variable = seen.set_by(place)
        line = None if variable else seen.line_of(place)
        for each in said.splitlines():
            yield Problem(variable or str(path), line, spelled_place(place), None, each)


def _given(seen: Checked, path: Path) -> Iterator[tuple[str, str, str]]:
    from llm_simulator.config.problems import shown, spelled_place
    from llm_simulator.config.shown import flat

    for place, value in flat(seen.values):
        line = seen.line_of(place)
        yield spelled_place(place), shown(place, value), seen.set_by(place) or (f"{path}:{line}" if line else str(path))


def _notes(seen: Checked) -> Iterator[tuple[str, str]]:
    """What is right and may not be meant."""
    simulation = seen.values.get("simulation") or {}
    if simulation.get("deterministic") is False and "seed" in simulation:
        yield "simulation.seed", "not used: deterministic is false, so a seed is drawn at each start"
    if providers := seen.values.get("providers"):
        from llm_simulator.config.provider_fields import notes

        for key, said in notes(providers):
            yield f"providers.{key}", said


def _as_json(path: Path, report: _Report) -> dict[str, Any]:
    settings = report.settings
    told: dict[str, Any] = {
        "config": str(path),
        "valid": not report.found,
        "errors": [problem.as_json() for problem in report.found],
    }
    if report.found or settings is None:
        return told
    return {
        **told,
        "mode": settings.mode.value,
        "port": settings.port,
        "set": [{"field": field, "value": value, "from": where} for field, value, where in report.given],
        "notes": [{"field": field, "note": said} for field, said in report.notes],
        "not_active": [{"field": field, "why": why} for field, why in report.not_active],
    }


def _told(path: Path, report: _Report) -> Iterator[str]:
    settings = report.settings
    assert settings is not None
    yield f"{path}: valid (mode {settings.mode.value}, port {settings.port})"
    width = max((len(field) for field, _, _ in report.given), default=0)
    for field, value, where in report.given:
        yield f"  {field:<{width}}  {value}  ({where})"
    for field, said in report.notes:
        yield f"note: {field}: {said}"
    for field, why in report.not_active:
        yield f"accepted, but not active here: {field}: {why}"
    if not report.not_active:
        yield "all of it is active in this build"
