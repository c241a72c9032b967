"""From the text of a configuration file to its values: YAML, JSON or TOML; what is written twice is found."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llm_simulator.config.lines import Finder, Place, composed, finder, json_lines
from llm_simulator.errors import ConfigError

if TYPE_CHECKING:
    from yaml import Node

LARGEST = 1_000_000
"""Values that a document may come to; aliases (`*name`) make much of little."""
DEEPEST = 100
_TOML_LINE = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")
_SUFFIXES = (".yaml", ".yml", ".json", ".toml")


@dataclass(frozen=True, slots=True)
class Document:
    """A configuration as text. `where` is what messages call it, `suffix` tells its format (".yaml")."""

    where: str
    suffix: str
    text: str

    @classmethod
    def read(cls, path: Path) -> Document:
        """The file.

        Raises:
            ConfigError: it cannot be read, or is no text.
        """
        if path.suffix.lower() not in _SUFFIXES:
            raise ConfigError(
                f"{path}: a file ending in {path.suffix!r} is not known; .yaml, .yml, .json and .toml are"
            )
        try:
            text = path.read_text(encoding="utf-8-sig")
        except OSError as error:
            raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise ConfigError(f"{path}: byte {error.start} is not UTF-8; the file must be UTF-8 text") from error
        return cls(str(path), path.suffix.lower(), text)

    def values(self) -> dict[str, Any]:
        """The sections.

        Raises:
            ConfigError: it is not well formed, with its line.
        """
        match self.suffix:
            case ".json":
                value = self._json()
            case ".toml":
                value = self._toml()
            case _:
                value = self._yaml()
        if value is None:
            return {}
        if not isinstance(value, dict):
            kind = type(value).__name__
            raise ConfigError(f"{self.where}: the file holds a {kind}; a mapping of sections is expected")
        _bounded(value, self.where)
        return value

    def _yaml(self) -> Any:
        import yaml

        try:
            return yaml.load(self.text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            raise ConfigError(f"{self.where}:{line}: not valid YAML: {error.problem}") from error
        except (
            yaml.YAMLError,
            ValueError,
            TypeError,
            RecursionError,
        ) as error:  # a date that is none, an unhashable key
            line = self.text.count("\n", 0, getattr(error, "position", 0)) + 1
            raise ConfigError(f"{self.where}:{line}: not valid YAML: {_short(error)}") from error

    def _json(self) -> Any:
        try:
            return json.loads(self.text)
        except json.JSONDecodeError as error:
            raise ConfigError(f"{self.where}:{error.lineno}: not valid JSON: {error.msg}") from error
        except (ValueError, RecursionError) as error:  # an integer of too many digits, too many brackets
            raise ConfigError(f"{self.where}:1: not valid JSON: {_short(error)}") from error

    def _toml(self) -> Any:
        try:
            return tomllib.loads(self.text)
        except tomllib.TOMLDecodeError as error:
            found = _TOML_LINE.search(str(error))
            line = found[1] if found and found[1] else self.text.count("\n") + 1
            raise ConfigError(f"{self.where}:{line}: not valid TOML: {error}") from error
        except (ValueError, RecursionError) as error:
            raise ConfigError(f"{self.where}:1: not valid TOML: {_short(error)}") from error

    def finder(self) -> Finder:
        """Where its fields stand; only for what `values` has read."""
        return finder(self.suffix, self.text)

    def twice(self) -> Iterator[tuple[Place, int]]:
        """Each key that is written more than once, with the line of its last place: only that one would count."""
        if self.suffix == ".json":
            yield from _twice_json(self.text)
        elif self.suffix != ".toml":  # which allows none
            yield from _twice_yaml(composed(self.text), ())


def _short(error: Exception) -> str:
    return (str(error) or type(error).__name__).partition("\n")[0][:200]


def _bounded(value: Any, where: str) -> None:
    """
    Raises:
        ConfigError: there is no end of it.
    """
    count = 0
    level = [value]
    for _ in range(DEEPEST):
        count += len(level)
        if count > LARGEST:
            raise ConfigError(f"{where}:1: the file comes to more than {LARGEST} values; aliases may be to blame")
        level = [inner for outer in level if isinstance(outer, dict | list) for inner in _items(outer)]
        if not level:
            return
    raise ConfigError(f"{where}:1: the file is nested more than {DEEPEST} levels deep")


def _items(value: dict[Any, Any] | list[Any]) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else value


def _twice_yaml(node: Node | None, at: Place) -> Iterator[tuple[Place, int]]:
    from yaml import MappingNode, SequenceNode

    if isinstance(node, MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            name = key.value if isinstance(key.value, str) else ""
            if name in seen and name not in ("", "<<"):
                yield (*at, name), key.start_mark.line + 1
            seen.add(name)
            yield from _twice_yaml(value, (*at, name))
    elif isinstance(node, SequenceNode):
        for place, item in enumerate(node.value):
            yield from _twice_yaml(item, (*at, place))


def _twice_json(text: str) -> Iterator[tuple[Place, int]]:
    seen: set[Place] = set()
    for place, line in json_lines(text):
        if isinstance(place[-1], str) and place in seen:
            yield place, line
        seen.add(place)
