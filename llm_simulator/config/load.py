"""Where settings come from, the strongest first: flags, environment (`LLM_SIMULATOR__SERVER__PORT`), file, defaults."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llm_simulator.cassettes.index import AfterLast
from llm_simulator.cassettes.key import MatchRules
from llm_simulator.config.settings import VARIABLES, Label, Settings, Validation
from llm_simulator.simulator.slots import Line
from llm_simulator.simulator.style import Style
from llm_simulator.types import Mode

if TYPE_CHECKING:
    from llm_simulator.config.environment import Variable
    from llm_simulator.config.lines import Place
    from llm_simulator.config.problems import Problem
    from llm_simulator.config.reading import Document
    from llm_simulator.config.schema import File
    from llm_simulator.simulator.providers import Providers


def load(path: Path | None, environ: Mapping[str, str]) -> Settings:
    """The settings of a file (None: none) with the environment laid over it.

    Raises:
        ConfigError: every problem found, one per line, each with file, line, field, value and what is allowed.
    """
    return Origin(path, environ).settings()


def from_mapping(values: Mapping[str, Any]) -> Settings:
    """The settings that a file with these sections would give.

    Raises:
        ConfigError: every problem found, one per line.
    """
    return checked(None, {}, dict(values)).settings() if values else Settings()


def _as_they_are(settings: Settings) -> Settings:
    return settings


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the settings of a process come from, so that they can be made anew. `over` lays the flags over them."""

    path: Path | None = None
    environ: Mapping[str, str] = field(default_factory=lambda: {})
    over: Callable[[Settings], Settings] = _as_they_are

    def document(self) -> Document | None:
        """The file as it is now.

        Raises:
            ConfigError: it cannot be read.
        """
        if self.path is None:
            return None
        from llm_simulator.config.reading import Document

        return Document.read(self.path)

    def settings(self, document: Document | None = None) -> Settings:
        """The settings of `document`, or of the file as it is now; environment and flags are laid over either.

        Raises:
            ConfigError: every problem found, one per line.
        """
        document = document or self.document()
        if document is None and not any(name.upper().startswith(VARIABLES) for name in self.environ):
            return self.over(Settings())
        return self.over(checked(document, self.environ).settings())


@dataclass(frozen=True, slots=True)
class Checked:
    """A configuration that was looked through. What is wrong was left out of `file`, which may be None all the same.

    `values` are those of the file with the environment laid over it, as they were given.
    """

    file: File | None
    values: Mapping[str, Any]
    problems: tuple[Problem, ...]
    line_of: Callable[[Place], int | None]
    set_by: Callable[[Place], str]
    left_out: frozenset[Place] = frozenset()

    def settings(self) -> Settings:
        """
        Raises:
            ConfigError: there are problems.
        """
        if self.problems or self.file is None:
            from llm_simulator.config.problems import error_of

            raise error_of(self.problems)
        return settings_of(self.file, self.values)


def checked(document: Document | None, environ: Mapping[str, str], given: dict[str, Any] | None = None) -> Checked:
    """Looks through a whole configuration (None: the environment alone, or the sections given).

    Raises:
        ConfigError: it is not well formed, or a variable does not fit it.
    """
    from llm_simulator.config.environment import lay_over, of_place, variables
    from llm_simulator.config.problems import Problem, spelled_place

    values = document.values() if document is not None else deepcopy(given or {})
    find = document.finder() if document is not None else _nowhere
    names = variables(environ, values)
    lay_over(values, names)

    def set_by(place: Place) -> str:
        variable = of_place(names, place)
        return variable.name if variable is not None else ""

    where = document.where if document is not None else "environment" if names else "config"
    told = [
        Problem(where, line, spelled_place(place), None, "is written twice; once is allowed")
        for place, line in (document.twice() if document is not None else ())
    ]
    file, more, left_out = _validated(values, names, lambda problem: _spell(problem, where, find, set_by))
    found = sorted((*told, *more), key=lambda problem: (problem.where, problem.line or 0))
    return Checked(file, values, tuple(found), find, set_by, left_out)


def _nowhere(place: Place) -> int | None:
    return None


def _spell(problem: Any, where: str, find: Callable[[Place], int | None], set_by: Callable[[Place], str]) -> Problem:
    from llm_simulator.config.problems import spelled
    from llm_simulator.config.schema import File

    return spelled(problem, where, find, File, set_by)


_ROUNDS = 6
"""How often what is wrong is taken out to see what else there is: one field speaks of another only if both are right."""


def _validated(
    values: dict[str, Any], names: list[Variable], spell: Callable[[Any], Problem]
) -> tuple[File | None, list[Problem], frozenset[Place]]:
    """The file, the problems found, and what was left out because of them."""
    from pydantic import ValidationError

    from llm_simulator.config.environment import put
    from llm_simulator.config.problems import place_of
    from llm_simulator.config.schema import File

    found: list[Problem] = []
    left_out: set[Place] = set()
    rest = values
    for _ in range(_ROUNDS):
        try:
            return File.model_validate(rest), found, frozenset(left_out)
        except ValidationError as error:
            wrong = error.errors(include_url=False)
        if texts := [variable for variable in names if any(_wants_text(each, variable) for each in wrong)]:
            for variable in texts:  # what looks like a number is meant as it stands
                put(values, variable, variable.text)
            continue
        rest, gone_before = deepcopy(rest) if rest is values else rest, frozenset(left_out)
        for problem in wrong:
            place = place_of(problem)
            emptied = problem["input"] in ({}, []) and any(gone[:-1] == place for gone in gone_before)  # by us
            if not emptied and not any(place[: len(gone)] == gone for gone in gone_before):
                found.append(spell(problem))
            left_out.add(_without(rest, place))
    return None, found, frozenset(left_out)


def _wants_text(problem: Any, variable: Variable) -> bool:
    wants = problem["type"] == "string_type" and problem["loc"] == variable.place
    return bool(wants) and variable.value != variable.text


def _without(values: dict[str, Any], place: Place) -> Place:
    """Takes out what stands at a place (where nothing does, what is around it); the place that is gone."""
    around: list[Any] = [values]
    for part in place:
        if not _holds(around[-1], part):
            break
        around.append(around[-1][part])
    depth = len(around) - 1
    while depth and isinstance(around[depth - 1], list):
        depth -= 1  # an item would move those behind it
    if not depth:
        values.clear()
        return ()
    around[depth - 1].pop(place[depth - 1], None)
    return place[:depth]


def _holds(value: Any, part: int | str) -> bool:
    if isinstance(value, list):
        return isinstance(part, int) and part < len(value)
    return isinstance(value, dict) and part in value


def settings_of(file: File, values: Mapping[str, Any]) -> Settings:
    """The settings that a file gives; `values` is how it was written."""
    server, cassettes, lines = file.server, file.cassettes, file.simulation.concurrency.providers
    providers = file.providers_made({name: values[name] for name in ("providers", "errors") if name in values})
    return Settings(
        cassette=cassettes.path,
        mode=Mode(cassettes.mode),
        host=server.host,
        port=server.port,
        workers=server.workers,
        max_connections=server.max_connections,
        request_timeout_secs=server.request_timeout_secs,
        watch=server.watch,
        deterministic=file.simulation.deterministic,
        seed=file.simulation.seed if file.simulation.deterministic else secrets.randbits(64),
        speed=file.simulation.speed,
        validation=Validation(file.simulation.validation),
        models=(*file.simulation.models, *_named(providers)),
        profiles=file.simulation.profiles,
        providers=providers,
        style=Style(**file.simulation.style.model_dump()),
        label=Label(file.response.label),
        rules=MatchRules(cassettes.match.ignore, cassettes.match.headers, cassettes.match.host),
        after_last=AfterLast(cassettes.after_last),
        allow_truncated=cassettes.allow_truncated,
        explain=cassettes.explain,
        upstreams=file.upstreams,
        hosts=server.hosts,
        origins=server.origins,
        allow_remote=server.allow_remote,
        admin_token=server.admin_token,
        max_body_bytes=server.max_body_bytes,
        journal_size=server.journal_size,
        drain_secs=server.drain_secs,
        connect_timeout_secs=server.connect_timeout_secs,
        max_concurrent=file.simulation.concurrency.max_concurrent_requests,
        queue_size=file.simulation.concurrency.queue_size,
        lines={name: Line(each.max_concurrent_requests, each.queue_size) for name, each in lines.items()},
        limits=file.rules,
        breaker=file.breaker,
        keys=file.keys,
        session_ttl_secs=file.sessions.ttl_secs,
        max_sessions=file.sessions.max,
        metrics=file.telemetry.metrics.enabled,
        metrics_port=file.telemetry.metrics.prometheus_port if file.telemetry.metrics.enabled else None,
        log_level=file.telemetry.logging.level,
        log_format=file.telemetry.logging.format,
        otlp_endpoint=file.telemetry.tracing.endpoint,
        otlp_protocol=file.telemetry.tracing.protocol,
        scenario=file.scenario,
        scenarios=file.scenarios,
    )


def _named(providers: Providers | None) -> tuple[str, ...]:
    if providers is None:
        return ()
    from llm_simulator.config.provider_fields import added

    return added(providers)


def with_flags(settings: Settings, **flags: Any) -> Settings:
    """The settings with those flags laid over that were given (not None)."""
    return replace(settings, **{name: value for name, value in flags.items() if value is not None})
