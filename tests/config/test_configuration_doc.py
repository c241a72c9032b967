"""docs/configuration.md: its sample is the sample, its whole file is every field with its default."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from config_samples import YAML

from llm_simulator.config import published
from llm_simulator.config.changes import FIXED
from llm_simulator.config.load import from_mapping
from llm_simulator.config.settings import Settings

PAGE = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text("utf-8")
SAMPLE, WHOLE = (yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)[:2])


def test_the_sample_is_that_of_the_tests() -> None:
    assert yaml.safe_load(YAML) == SAMPLE


def test_the_whole_file_says_what_holds_without_it() -> None:
    assert from_mapping(WHOLE) == Settings()


def test_the_whole_file_has_every_field() -> None:
    schema = published.schema()
    missing = set(fields(schema, schema)) - set(given(WHOLE)) - {"$schema"}
    assert sorted(missing) == []


def given(value: Any, at: str = "") -> Iterator[str]:
    for name, inner in value.items() if isinstance(value, dict) else ():
        yield f"{at}{name}"
        yield from given(inner, f"{at}{name}.")


def fields(section: dict[str, Any], whole: dict[str, Any], at: str = "") -> Iterator[str]:
    """Those of the file's own sections: what is under a name of the user's is not asked for."""
    for name, told in section.get("properties", {}).items():
        yield f"{at}{name}"
        if "$ref" in told and name not in ("breaker", "keys"):
            yield from fields(whole["$defs"][told["$ref"].rpartition("/")[2]], whole, f"{at}{name}.")


def test_what_cannot_change_is_named() -> None:
    told = PAGE.partition("What cannot change")[2].partition("`GET")[0]
    words = {"cassettes": "cassette", "telemetry": "tracing"}
    for field, _ in FIXED.values():
        section, _, name = field.partition(".")
        assert words.get(section, name.partition(".")[0]) in told, field
