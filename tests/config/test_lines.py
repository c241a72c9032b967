"""On which line a field stands, in each format."""

from __future__ import annotations

import json
import tomllib
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from llm_simulator.config.lines import Place, finder
from llm_simulator.config.reading import Document
from llm_simulator.errors import ConfigError

TOML = """\
version = "2.0"  # c
[server]
port = 9000
origins = [
  "a",
  "b",
]

[providers."gpt-4.1"]
enabled = true
[providers.gpt-4-turbo.latency]
ttft = {distribution = "log_normal", p50_ms = 800}
x.y.z = 3
[[scenarios.a.rules]]
name = "one"
[[scenarios.a.rules]]
name = "two"
[scenarios.a.rules.then]
mode = '''
bla
[server]
'''
"""
JSON = """\
{"a": 1,
 "b": [1,
  {"c": {"d": 2,
    "e": [[3],
     [4]]}}],
 "f": {"a": 2},
\t"g\\u00e4": "x, y: {",
 "h": [{"i": 1}, {
   "i": 2}]
}"""
YAML = """\
a: 1
b:
  - c: {d: 1,
        e: 2}
  - f
g: {<<: {h: 1}}
"""
PLACES: list[tuple[str, str, Place, int | None]] = [
    (".toml", TOML, ("version",), 1),
    (".toml", TOML, ("server",), 2),
    (".toml", TOML, ("server", "port"), 3),
    (".toml", TOML, ("server", "origins", 1), 4),
    (".toml", TOML, ("providers", "gpt-4.1", "enabled"), 10),
    (".toml", TOML, ("providers", "gpt-4-turbo", "latency", "ttft", "p50_ms"), 12),
    (".toml", TOML, ("providers", "gpt-4-turbo", "latency", "x", "y", "z"), 13),
    (".toml", TOML, ("scenarios", "a", "rules", 0, "name"), 15),
    (".toml", TOML, ("scenarios", "a", "rules", 1, "name"), 17),
    (".toml", TOML, ("scenarios", "a", "rules", 1, "then", "mode"), 19),
    (".toml", TOML, ("nothing",), None),
    (".json", JSON, ("a",), 1),
    (".json", JSON, ("b", 1), 3),
    (".json", JSON, ("b", 1, "c", "d"), 3),
    (".json", JSON, ("b", 1, "c", "e", 1), 5),
    (".json", JSON, ("b", 1, "c", "e", 1, 0), 5),
    (".json", JSON, ("f", "a"), 6),
    (".json", JSON, ("gä",), 7),
    (".json", JSON, ("h", 1), 8),
    (".json", JSON, ("h", 1, "i"), 9),
    (".json", JSON, ("b", "missing", 7), 2),
    (".yaml", YAML, ("b", 0, "c", "e"), 4),
    (".yaml", YAML, ("b", 1), 5),
    (".yaml", YAML, ("g", "short", "h"), 6),
    (".yaml", YAML, ("zzz",), None),
    (".yaml", "", ("zzz",), None),
]


@pytest.mark.parametrize(("suffix", "text", "place", "line"), PLACES)
def test_where_a_field_stands(suffix: str, text: str, place: Place, line: int | None) -> None:
    assert finder(suffix, text)(place) == line


def test_the_examples_are_what_they_say() -> None:
    assert tomllib.loads(TOML)["scenarios"]["a"]["rules"][1]["then"]["mode"].startswith("bla")
    assert json.loads(JSON)["gä"] == "x, y: {"
    assert yaml.safe_load(YAML)["g"] == {"h": 1}


NAMES = st.text("ab1é-", min_size=1, max_size=4)
TREES = st.recursive(
    st.one_of(st.integers(0, 9), st.booleans(), st.sampled_from(["x", "a: b, [", '"', "\\"])),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=3)),
    max_leaves=12,
)


def places(value: Any, at: Place = ()) -> list[Place]:
    items = (
        list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else []
    )
    return [place for name, inner in items for place in ((*at, name), *places(inner, (*at, name)))]


@given(st.dictionaries(NAMES, TREES, max_size=4))
def test_every_place_of_a_json_file_is_found_and_they_come_in_order(value: dict[str, Any]) -> None:
    text = json.dumps(value, indent=1, ensure_ascii=False)
    find = finder(".json", text)
    found = [find(place) for place in places(value)]
    assert None not in found
    assert found == sorted(line for line in found if line is not None)
    assert finder(".yaml", text)(()) is None


TWICE = [
    (".yaml", "a: 1\nb: {c: 1,\n c: 2}\na: 3\n", {("b", "c"): 3, ("a",): 4}),
    (".json", '{"a": 1,\n"a": {"b": [1],\n"b": 2}}', {("a",): 2, ("a", "b"): 3}),
    (".yaml", "a: &x {b: 1}\nc: {<<: *x, <<: *x}\n", {}),
    (".toml", "a = 1\n", {}),
]


@pytest.mark.parametrize(("suffix", "text", "found"), TWICE)
def test_what_is_written_twice(suffix: str, text: str, found: dict[Place, int]) -> None:
    assert dict(Document("c", suffix, text).twice()) == found


BROKEN = [
    (".yaml", "a: [\n", "c:2: not valid YAML"),
    (".yaml", "a: 1\nb: \x00", "c:2: not valid YAML: "),
    (".yaml", "a: 2024-99-99", "c:1: not valid YAML: month must be in 1..12"),
    (".yaml", "? [1, 2]\n: 3", "c:1: not valid YAML: found unhashable key"),
    (".yaml", "a: &x [*x]", "c:1: the file is nested more than 100 levels deep"),
    (".yaml", "a: !!python/object:os.system x", "c:1: not valid YAML: could not determine a constructor"),
    (
        ".yaml",
        "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9) if n else 1}]\n" for n in range(9)),
        "c:1: the file comes to",
    ),
    (".yaml", "- a", "c: the file holds a list; a mapping of sections is expected"),
    (".json", '{"a": ', "c:1: not valid JSON"),
    (".json", '{"a": ' + "9" * 5000 + "}", "c:1: not valid JSON"),
    (".json", "[" * 100_000, "c:1: not valid JSON"),
    (".toml", "a = 1\nb = \n", "c:2: not valid TOML"),
    (".toml", "a = 1\nb = [\n", "c:3: not valid TOML"),
]


@pytest.mark.parametrize(("suffix", "text", "says"), BROKEN)
def test_what_is_not_well_formed_is_an_error_with_its_line(suffix: str, text: str, says: str) -> None:
    with pytest.raises(ConfigError) as found:
        Document("c", suffix, text).values()
    assert str(found.value).startswith(says)
