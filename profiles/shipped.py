"""The profiles that come with the product: data in `*.yaml` beside this file, read when a provider is first asked for.

A provider's file is a list; the first entry whose pattern fits the model counts, and its last entry is for all others.
A provider without a file has `default.yaml`. What generates nothing (embeddings, lists) is in `operations.yaml`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files

from llm_simulator.profiles.parse import parse
from llm_simulator.profiles.profile import Profile

_SAME: Mapping[str, str] = {"vertex": "gemini"}
"""Providers that serve another one's models."""


def shipped(provider: str) -> tuple[Profile, ...]:
    """All profiles of a provider, first match first.

    Raises:
        ConfigError: the data is wrong (a test reads all of it).
    """
    name = _SAME.get(provider, provider)
    if not name.isalnum() or not (files("llm_simulator.profiles") / f"{name}.yaml").is_file():
        name = "default"
    return read(name)


def every() -> Iterator[tuple[str, Profile]]:
    """All of them with the name of their file, files in the order of their names, profiles in that of the file."""
    names = sorted(file.name for file in files("llm_simulator.profiles").iterdir() if file.name.endswith(".yaml"))
    return ((stem, profile) for stem in (name.removesuffix(".yaml") for name in names) for profile in read(stem))


@cache
def read(name: str) -> tuple[Profile, ...]:
    """The profiles of one of our own files.

    Raises:
        ConfigError: the data is wrong.
    """
    import yaml

    file = files("llm_simulator.profiles") / f"{name}.yaml"
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return parse(yaml.load(file.read_text("utf-8"), Loader=loader), file.name)
