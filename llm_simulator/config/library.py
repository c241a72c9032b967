"""The scenarios that come with the product, one file each beside this one, and those of a user's file, by name."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llm_simulator.errors import ConfigError

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

    from llm_simulator.simulator.scenario import Scenario

NONE = "default"
"""The name of no scenario: every call is answered by the mode of the server."""


def _folder() -> Traversable:
    from importlib.resources import files  # a run without a scenario does not pay for it

    return files("llm_simulator.config") / "library"


@cache
def shipped() -> tuple[str, ...]:
    """The names of the library."""
    found = (item.name for item in _folder().iterdir())
    return tuple(sorted(name.removesuffix(".yaml") for name in found if name.endswith(".yaml")))


def text_of(name: str) -> str:
    """The file of a shipped scenario, comments and all.

    Raises:
        ConfigError: there is none of this name.
    """
    if name not in shipped():
        raise ConfigError(unknown(name, {}))
    return (_folder() / f"{name}.yaml").read_text("utf-8")


@cache
def _shipped(name: str) -> Scenario:
    return parsed(name, Path(f"{name}.yaml"), text_of(name))


def parsed(name: str, path: Path, text: str) -> Scenario:
    """The scenario that a text describes, which is a file of its own.

    Raises:
        ConfigError: every problem found, one per line.
    """
    import yaml
    from pydantic import ValidationError

    from llm_simulator.config.problems import error_of, problems
    from llm_simulator.config.scenarios import ScenarioSection

    try:
        value: Any = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        return ScenarioSection.model_validate(value if value is not None else {}).made(name)
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not valid YAML: {error}") from error
    except ValidationError as error:
        raise error_of(problems(error, path, text, ScenarioSection)) from error


def find(name: str, own: Mapping[str, Scenario]) -> Scenario | None:
    """The user's scenario of this name, else the shipped one; None for no scenario.

    Raises:
        ConfigError: there is none of this name; the message lists those that there are.
    """
    if name in own:
        return own[name]
    if name == NONE:
        return None
    if name not in shipped():
        raise ConfigError(unknown(name, own))
    return _shipped(name)


def of_file(path: Path) -> Scenario:
    """The scenario of a file of its own, called as the file is.

    Raises:
        ConfigError: it cannot be read, or every problem found.
    """
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: byte {error.start} is not UTF-8; the file must be UTF-8 text") from error
    return parsed(path.stem, path, text)


def given(spec: str, own: Mapping[str, Scenario]) -> tuple[str, Mapping[str, Scenario]]:
    """A scenario by its name or its file (`drill.yaml`): the name, and the user's scenarios with it.

    Raises:
        ConfigError: there is none of this name; every problem of the file.
    """
    if spec.endswith((".yaml", ".yml")):
        scenario = of_file(Path(spec))
        return scenario.name, {**own, scenario.name: scenario}
    find(spec, own)
    return spec, own


def unknown(name: str, own: Mapping[str, object]) -> str:
    """What is said of a name that no scenario has."""
    known = ", ".join((NONE, *own, *(one for one in shipped() if one not in own)))
    return f"there is no scenario {name[:80]!r}; there are {known}"
