"""The published JSON Schema: whole, described, and of one mind with what is accepted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from config_samples import YAML
from jsonschema import Draft202012Validator

from llm_simulator.cli import cli
from llm_simulator.config import library, published
from llm_simulator.config.load import from_mapping
from llm_simulator.errors import ConfigError


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    made = published.schema()
    Draft202012Validator.check_schema(made)
    return made


def problems(schema: dict[str, Any], value: Any) -> list[str]:
    return [f"{list(error.path)}: {error.message}" for error in Draft202012Validator(schema).iter_errors(value)]


def test_the_sample_is_valid(schema: dict[str, Any]) -> None:
    assert problems(schema, yaml.safe_load(YAML)) == []


@pytest.mark.parametrize("name", library.shipped())
def test_shipped_scenarios_are_valid(schema: dict[str, Any], name: str) -> None:
    scenario = yaml.safe_load(library.text_of(name))
    assert problems(published.scenario(), scenario) == []
    assert problems(schema, {"scenario": name, "scenarios": {"mine": scenario}}) == []


FILES: list[Any] = [
    {},
    {"$schema": "x.json", "version": "2.0"},
    {"errors": {"rate_limit": 0.1, "mine": {"status": 503, "probability": 0.5}}},
    {"providers": {"gpt-*": {"enabled": False}, "openai": {"latency": {"ttft": 1, "tokens_per_second": 3}}}},
    {"providers": {"a": {"latency": {"ttft": {"p50_ms": 1}, "writes": {"sizes": {"1": 0.5}}}}}},
    {"limits": {"openai": {"tpm": "none"}, "gpt-4o": {"rpm": 3}}, "breaker": True, "keys": "listed"},
    {
        "scenarios": {
            "a": {
                "rules": [
                    {"then": "replay"},
                    {"when": {"model": ["a", "b"], "turn": 3, "share": 0.5}, "then": {"fault": "rate_limit"}},
                ]
            }
        }
    },
    {
        "scenarios": {
            "a": {"rules": [{"when": {"user": "x", "nth": [1, 2]}, "then": {"respond": ["a", {"text": "b"}]}}]}
        }
    },
    {"server": {"prot": 1}},
    {"server": {"port": 70_000}},
    {"version": "1.0"},
    {"providers": {"a": {"enabeld": True}}},
    {"providers": {"a": {"latency": {"tokens_per_second": 0}}}},
    {"errors": {"rate_limit": 2}},
    {"errors": {"rate_limit": {"status": 200, "probability": 1}}},
    {"scenarios": {"a": {"rules": [{"then": "nothing"}]}}},
    {"scenarios": {"a b": {}}},
    {"scenarios": {"a": {"rules": [{"when": {"turn": "x"}, "then": "replay"}]}}},
    {"nothing": 1},
]


@pytest.mark.parametrize("value", FILES, ids=json.dumps)
def test_it_accepts_what_is_accepted(schema: dict[str, Any], value: Any) -> None:
    try:
        from_mapping(value)
    except ConfigError:
        assert problems(schema, value)
    else:
        assert problems(schema, value) == []


def test_every_field_is_described(schema: dict[str, Any]) -> None:
    for whole in (schema, published.scenario()):
        sections = {"": whole, **whole["$defs"]}
        assert sorted(name for key, section in sections.items() for name in undescribed(key, section, whole)) == []


def undescribed(name: str, section: dict[str, Any], whole: dict[str, Any]) -> Iterator[str]:
    for field, told in section.get("properties", {}).items():
        forms = (told, *told.get("anyOf", ()))
        named = (whole["$defs"][form["$ref"].rpartition("/")[2]] for form in forms if "$ref" in form)
        if not any(form.get("description") for form in (*forms, *named)):
            yield f"{name}.{field}"
    for form in section.get("anyOf", ()):
        yield from undescribed(name, form, whole)


def test_the_command_prints_it(schema: dict[str, Any], tmp_path: Any) -> None:
    done = CliRunner().invoke(cli, ["schema"], catch_exceptions=False)
    assert json.loads(done.stdout) == schema
    path = tmp_path / "here.json"
    done = CliRunner().invoke(cli, ["schema", "--of", "scenario", "-o", str(path)], catch_exceptions=False)
    assert json.loads(path.read_text("utf-8")) == published.scenario()
    assert "# yaml-language-server: $schema=here.json" in done.stdout
