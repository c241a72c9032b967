"""Where settings come from, the strongest first: flags, environment (`LLM_SIMULATOR__SERVER__PORT`), file, defaults."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llm_simulator.cassettes.index import AfterLast
from llm_simulator.cassettes.key import MatchRules
from llm_simulator.config.settings import Label, Settings, Validation
from llm_simulator.errors import ConfigError
from llm_simulator.simulator.style import Style
from llm_simulator.types import Mode

if TYPE_CHECKING:
    from llm_simulator.config.schema import File

PREFIX = "LLM_SIMULATOR__"


def load(path: Path | None, environ: Mapping[str, str]) -> Settings:
    """The settings of a file (None: none) with the environment laid over it.

    Raises:
        ConfigError: every problem found, one per line, each with file, line, field, value and what is allowed.
    """
    overrides = _from_environment(environ)
    if path is None and not overrides:
        return Settings()
    text = _read(path) if path is not None else ""
    values = _parse(path, text) if path is not None else {}
    for keys, value in overrides:
        _lay_over(values, keys, value)
    return _settings(_validated(values, path, text))


def from_mapping(values: Mapping[str, Any]) -> Settings:
    """The settings that a file with these sections would give.

    Raises:
        ConfigError: every problem found, one per line.
    """
    return _settings(_validated(dict(values), Path("config"), "")) if values else Settings()


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: byte {error.start} is not UTF-8; the file must be UTF-8 text") from error


def _parse(path: Path, text: str) -> dict[str, Any]:
    match path.suffix.lower():
        case ".yaml" | ".yml":
            value = _parse_yaml(path, text)
        case ".json":
            value = _parse_json(path, text)
        case ".toml":
            value = _parse_toml(path, text)
        case other:
            raise ConfigError(f"{path}: a file ending in {other!r} is not known; .yaml, .yml, .json and .toml are")
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ConfigError(f"{path}: the file holds a {type(value).__name__}; a mapping of sections is expected")
    return value


def _parse_yaml(path: Path, text: str) -> Any:
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError(f"{path}:{line}: not valid YAML: {error.problem}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not valid YAML: {error}") from error


def _parse_json(path: Path, text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ConfigError(f"{path}:{error.lineno}: not valid JSON: {error.msg}") from error


def _parse_toml(path: Path, text: str) -> Any:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from error


def _from_environment(environ: Mapping[str, str]) -> list[tuple[list[str], Any]]:
    named = sorted((name, value) for name, value in environ.items() if name.startswith(PREFIX))
    return [(name[len(PREFIX) :].lower().split("__"), _scalar(value)) for name, value in named]


def _scalar(value: str) -> Any:
    """A variable's text as the JSON value it spells, else as text."""
    try:
        return json.loads(value)
    except json.JSONDecodeError:
        return value


def _lay_over(values: dict[str, Any], keys: list[str], value: Any) -> None:
    *sections, last = keys
    for section in sections:
        inner = values.setdefault(section, {})
        if not isinstance(inner, dict):
            name = PREFIX + "__".join(keys).upper()
            raise ConfigError(f"{name}: {section!r} holds {inner!r} in the file, which has no field {last!r}")
        values = inner
    values[last] = value


def _validated(values: dict[str, Any], path: Path | None, text: str) -> File:
    from pydantic import ValidationError

    from llm_simulator.config.problems import problems
    from llm_simulator.config.schema import File

    try:
        return File.model_validate(values)
    except ValidationError as error:
        raise ConfigError("\n".join(problems(error, path, text, File))) from error


def _settings(file: File) -> Settings:
    server, cassettes = file.server, file.cassettes
    return Settings(
        cassette=cassettes.path,
        mode=Mode(cassettes.mode),
        host=server.host,
        port=server.port,
        seed=file.simulation.seed,
        speed=file.simulation.speed,
        validation=Validation(file.simulation.validation),
        models=file.simulation.models,
        profiles=file.simulation.profiles,
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
        log_level=file.telemetry.logging.level,
        scenario=file.scenario,
        scenarios=file.scenarios,
    )


def with_flags(settings: Settings, **flags: Any) -> Settings:
    """The settings with those flags laid over that were given (not None)."""
    return replace(settings, **{name: value for name, value in flags.items() if value is not None})
