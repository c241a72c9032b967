"""Whatever is written into a configuration: the loader does not crash, and says where each mistake is."""

from __future__ import annotations

import json
import re
from copy import deepcopy
from typing import Any

import pytest
import yaml
from config_samples import YAML
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_simulator.config.load import checked
from llm_simulator.config.reading import Document
from llm_simulator.errors import ConfigError

pytestmark = pytest.mark.untraced

WHOLE: dict[str, Any] = {
    **yaml.safe_load(YAML),
    "errors": {"overloaded": {"probability": 0.1, "delay_secs": 1}, "timeout": 0.1},
    "cassettes": {"path": "a.db", "mode": "replay", "match": {"ignore": ["$.a"], "headers": ["x"]}},
    "upstreams": {"gw.example": "https://a.example"},
    "limits": {"openai": {"rpm": 3}},
    "sessions": {"ttl_secs": 3},
    "scenario": "drill",
    "scenarios": {
        "drill": {
            "phases": {"by": "clock", "steps": [{"name": "calm", "for": 3}, {"name": "storm"}]},
            "rules": [
                {
                    "name": "a",
                    "when": {"share": 0.3, "phase": "storm", "model": "gpt-*"},
                    "then": {"fault": "rate_limit"},
                },
                {"when": {"body": {"$.a": 1}, "turn": {"min": 2}}, "then": {"respond": [{"text": "{{ user }}"}, "b"]}},
                {"then": {"mode": "auto", "faults": [{"kind": "hang", "probability": 0.1}], "speed": 2}},
            ],
        }
    },
}
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 2**65),
    st.floats(),
    st.sampled_from(
        ["", "x", "0.5", "$[", "/(/", "{{", "gpt-4o", "rate_limit", "default", "[key]", "http://[", "p50_ms"]
    ),
    st.lists(st.sampled_from([1, "x", None]), max_size=2),
    st.dictionaries(
        st.sampled_from(["", "p50_ms", "kind", "min", "from", "x", "[key]"]), st.integers(-1, 2), max_size=2
    ),
)


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = (
        list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else []
    )
    return [place for name, inner in items for place in ((*at, name), *places(inner, (*at, name)))]


PLACES = places(WHOLE)


@st.composite
def mutated(draw: st.DrawFn) -> dict[str, Any]:
    value = deepcopy(WHOLE)
    for _ in range(draw(st.integers(1, 3))):
        place, how = draw(st.sampled_from(PLACES)), draw(st.sampled_from(["put", "remove", "rename"]))
        around: Any = value
        try:
            for part in place[:-1]:
                around = around[part]
            if how == "put":
                around[place[-1]] = draw(ODD)
            else:
                gone = around.pop(place[-1])
                if how == "rename" and isinstance(around, dict):
                    around[f"{place[-1]}x"] = gone
        except (KeyError, IndexError, TypeError, AttributeError):
            continue  # an earlier mutation took it away
    return value


def located(message: str) -> bool:
    return re.match(r"^c\.\w+(:\d+)?: \S", message) is not None


@given(mutated())
@settings(max_examples=100)
def test_a_mutated_file_is_accepted_or_every_mistake_is_located(value: dict[str, Any]) -> None:
    seen = checked(Document("c.yaml", ".yaml", yaml.safe_dump(value, allow_unicode=True)), {})
    for problem in seen.problems:
        assert located(str(problem))
        assert problem.line is not None or problem.field == "the whole"
        assert problem.field
    if not seen.problems:
        seen.settings()
    else:
        with pytest.raises(ConfigError):
            seen.settings()


@given(st.sampled_from([".yaml", ".json", ".toml"]), st.binary(max_size=6), st.integers(0, 400), st.integers(0, 30))
@settings(max_examples=200)
def test_a_damaged_text_is_accepted_or_its_mistake_located(suffix: str, junk: bytes, at: int, cut: int) -> None:
    text = YAML if suffix == ".yaml" else json.dumps(WHOLE, indent=1)
    damaged = text[:at] + junk.decode("latin-1") + text[at + cut :]
    assert all(located(line) for line in told(Document(f"c{suffix}", suffix, damaged)))


def told(document: Document) -> list[str]:
    try:
        return [str(problem) for problem in checked(document, {}).problems]
    except ConfigError as error:
        return [str(error).partition("\n")[0]]
