"""Scenarios as they are written: the shipped library, shorthands, and that every mistake is found at its place."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from llm_simulator.config import library
from llm_simulator.config.load import from_mapping, load
from llm_simulator.config.scenarios import ScenarioSection
from llm_simulator.errors import ConfigError
from llm_simulator.simulator.faults import common
from llm_simulator.simulator.faults_broken import ALIASES, WAYS
from llm_simulator.simulator.scenario import Scenario
from llm_simulator.types import Mode

SHIPPED = (
    "agent-loop",
    "black-friday",
    "content-filter",
    "context-overflow",
    "failover-drill",
    "flaky",
    "healthy",
    "key-revoked",
    "outage",
    "overloaded",
    "rate-limited",
    "recorded-plus-synthetic",
    "slow",
    "truncated-streams",
)


def parsed(text: str) -> Scenario:
    return library.parsed("s", Path("s.yaml"), text)


def test_the_library_is_what_was_asked_for() -> None:
    assert library.shipped() == SHIPPED


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_scenario_says_what_it_tests(name: str) -> None:
    text = library.text_of(name)
    assert text.startswith("# What it tests: ")
    scenario = library.find(name, {})
    assert scenario is not None
    assert (scenario.name, bool(scenario.about), bool(scenario.rules)) == (name, True, True)
    assert all(not rule.name.startswith("rule ") for rule in scenario.rules)


def test_a_name_that_nothing_has() -> None:
    own = {"mine": Scenario("mine")}
    assert library.find("default", own) is None
    assert library.find("mine", own) == Scenario("mine")
    with pytest.raises(ConfigError, match=r"no scenario 'flakey'; there are default, mine, agent-loop, .*flaky"):
        library.find("flakey", own)


SHORT: list[tuple[str, str]] = [
    ("then: replay", "then: {mode: replay}"),
    ("then: {fault: rate_limit}", "then: {fault: {kind: rate_limit}}"),
    ("then: {respond: Hi}", "then: {respond: {text: Hi}}"),
    ("then: {respond: [Hi, Bye]}", "then: {respond: {turns: [{text: Hi}, {text: Bye}]}}"),
    ("when: {model: gpt-4o}, then: miss", "when: {model: [gpt-4o]}, then: {mode: miss}"),
    ("when: {turn: 2}, then: miss", "when: {turn: {min: 2, max: 2}}, then: miss"),
    ("when: {share: 0.3}, then: miss", "when: {share: {from: 0.3, to: 0.3}}, then: miss"),
    ("when: {nth: 2}, then: miss", "when: {nth: {numbers: [2], by: occurrence}}, then: miss"),
    ("when: {body: {$.n: 2}}, then: miss", "when: {body: {$.n: {equals: 2}}}, then: miss"),
    ("when: {user: hi}, then: miss", "when: {user: {contains: hi}}, then: miss"),
    ("then: {faults: [{kind: hang, every: 3}]}", "then: {faults: [{kind: hang, every: {every: 3}}]}"),
]


@pytest.mark.parametrize(("short", "long"), SHORT)
def test_shorthands(short: str, long: str) -> None:
    assert parsed(f"rules: [{{{short}}}]") == parsed(f"rules: [{{{long}}}]")


def test_what_a_rule_becomes() -> None:
    rule = parsed("rules: [{then: {mode: auto, profile: slow, speed: 0, validation: provider}}]").rules[0]
    then = rule.then
    assert (rule.name, then.mode, then.profile, then.speed, then.strict) == ("rule 1", Mode.AUTO, "slow", 0.0, True)
    assert parsed("rules: [{then: server}]").rules[0].then.mode is None


WRONG: list[tuple[str, list[str]]] = [
    ("rules:\n - then: repaly", ["s.yaml:2: rules[0].then.mode: is 'repaly'; input should be 'replay', 'auto'"]),
    (
        "rules:\n - name: a\n   when:\n     modle: x\n   then: miss",
        ["s.yaml:4: rules[0].when.modle: no such field", "model"],
    ),
    (
        "rules:\n - then:\n     fault:\n       kind: rate_limt",
        ["s.yaml:4: rules[0].then.fault.kind", "did you mean rate_limit"],
    ),
    (
        "rules:\n - then: {fault: dns_failure}",
        ["s.yaml:2: rules[0].then.fault.kind", "before we are asked anything"],
    ),
    ("rules:\n - then: {fault: {}}", ["needs a kind, a status or a delay"]),
    ("rules:\n - then: {fault: {status: 200}}", ["s.yaml:2: rules[0].then.fault.status: is 200", "400"]),
    (
        "rules:\n - then:\n     mode: record\n     fault: hang",
        ["s.yaml:2: rules[0].then", "mode record asks the provider"],
    ),
    ("rules:\n - then: {mode: auto, respond: x}", ["mode and respond exclude each other"]),
    ("rules:\n - then: {fault: hang, faults: [hang]}", ["faults would never be asked"]),
    ("rules:\n - then: {faults: [hang, hang]}", ["two faults are called 'hang'"]),
    ("rules:\n - then:\n     respond: '{{ x'", ["s.yaml:3: rules[0].then.respond.text", "not a template"]),
    (
        "rules:\n - then:\n     respond:\n       tool_calls:\n       - name: f\n         arguments:\n           a: '{% x %}'",
        ["s.yaml:7: rules[0].then.respond.tool_calls[0].arguments.a", "unknown tag 'x'"],
    ),
    ("rules:\n - then:\n     respond: {turns: [a], text: b}", ["turns stand alone"]),
    ("rules:\n - when: {body: {'$.a[': 1}}\n   then: miss", ["s.yaml:2: rules[0].when.body.$.a[", "not a JSON path"]),
    ("rules:\n - when: {user: {regex: '('}}\n   then: miss", ["not a regular expression"]),
    (
        "rules:\n - when: {model: '/(/'}\n   then: miss",
        ["rules[0].when.model[0]", "no regular expression between the slashes"],
    ),
    ("rules:\n - when: {share: 1.5}\n   then: miss", ["rules[0].when.share", "a share is from 0 to 1"]),
    ("rules:\n - when: {share: .nan}\n   then: miss", ["rules[0].when.share"]),
    ("rules:\n - when: {share: {from: 0, to: 1}}\n   then: miss", ["rules[0].when.share", "this scenario has none"]),
    ("rules:\n - when: {turn: {min: 3, max: 1}}\n   then: miss", ["min 3 is above max 1"]),
    (
        "rules:\n - when:\n     phase: dwon\n   then: miss\nphases: {by: clock, steps: [{name: down}]}",
        ["s.yaml:3: rules[0].when.phase: is 'dwon'; no such phase; allowed here: down"],
    ),
    ("phases:\n  by: clock\n  steps:\n  - name: a\n  - name: b", ["s.yaml:1: phases", "phase 'a' has no end"]),
    ("phases: {by: clock, repeat: true, steps: [{name: a}]}", ["phase 'a' has no end"]),
    ("phases: {by: day, steps: [{name: a}]}", ["phases.by: is 'day'", "'clock'"]),
    (
        "rules:\n - {name: a, then: miss}\n - {name: a, then: miss}",
        ["s.yaml:3: rules[1].name: is 'a'; a rule before has this name"],
    ),
    (
        "rules:\n - {then: {limitz: {}}}",
        ["rules[0].then.limitz: no such field; allowed here: ", "did you mean limits?"],
    ),
    ("rules: 3", ["s.yaml:1: rules: is 3"]),
    ("rules: [", ["s.yaml: not valid YAML"]),
    ("- a", ["s.yaml: the whole: is ['a']"]),
]


@pytest.mark.parametrize(("text", "shows"), WRONG)
def test_every_mistake_is_found_at_its_place(text: str, shows: list[str]) -> None:
    with pytest.raises(ConfigError) as found:
        parsed(text)
    for part in shows:
        assert part in str(found.value)


def test_all_mistakes_at_once() -> None:
    text = "about: 3\nrules:\n - when: {share: 2}\n   then: no\n - then: {fault: nope}\n"
    with pytest.raises(ConfigError) as found:
        parsed(text)
    lines = str(found.value).splitlines()
    assert [line.split(":")[1] for line in lines] == ["1", "3", "4", "5"]


FILE = """\
version: "2.0"
scenario: mine
scenarios:
  mine:
    rules:
      - name: all
        then: replay
"""


def test_scenarios_of_a_configuration_file(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(FILE, "utf-8")
    made = load(path, {})
    assert (made.scenario, made.scenarios["mine"].rules[0].then.mode) == ("mine", Mode.REPLAY)
    assert (made.forwards, made.writes) == (False, False)
    path.write_text(FILE.replace("replay", "record-missing"), "utf-8")
    assert (load(path, {}).forwards, load(path, {}).writes) == (True, True)


FILES: list[tuple[str, str, str]] = [
    (
        "scenario: mine",
        "scenario: mien",
        "c.yaml:2: scenario: is 'mien'; there is no scenario 'mien'; there are default, mine",
    ),
    ("replay", "repaly", "c.yaml:7: scenarios.mine.rules[0].then.mode: is 'repaly'"),
    ("  mine:", "  default:", "default is the name of no scenario"),
    ("  mine:", "  my drill:", "c.yaml:4: scenarios.my drill"),
    ("name: all", "nome: all", "c.yaml:6: scenarios.mine.rules[0].nome: no such field; allowed here: name, then, when"),
    ("scenarios:", "scenarois:", "c.yaml:3: scenarois: no such field; allowed here: breaker, cassettes"),
]


@pytest.mark.parametrize(("was", "becomes", "shows"), FILES)
@pytest.mark.parametrize("suffix", [".yaml", ".json"])
def test_mistakes_in_a_configuration_file(tmp_path: Path, was: str, becomes: str, shows: str, suffix: str) -> None:
    text = FILE.replace(was, becomes, 1)
    path = tmp_path / f"c{suffix}"
    path.write_text(text if suffix == ".yaml" else json.dumps(yaml.safe_load(text)), "utf-8")
    with pytest.raises(ConfigError) as found:
        load(path, {})
    line, _, rest = shows.rpartition(": ") if suffix == ".yaml" else ("", "", shows.split(": ", 1)[-1])
    assert line in str(found.value)
    assert rest in str(found.value)


def test_the_document_is_right() -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "scenarios.md").read_text("utf-8")
    blocks = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    whole = from_mapping(yaml.safe_load(blocks[0]))
    assert whole.scenario == "drill"
    assert len(parsed(f"rules: [{{then: {json.dumps(yaml.safe_load(blocks[1]))}}}]").rules) == 1
    assert parsed(blocks[2]).phases is not None
    shown = re.findall(r"^\| `([a-z-]+)` \| ", text.partition("## The shipped library")[2], re.MULTILINE)
    assert tuple(sorted(shown)) == SHIPPED
    for name in (*common(), *ALIASES, *(way for way in WAYS if way not in ALIASES.values())):
        assert f"`{name}`" in text, name


_FIELDS = "rules when then name fault faults kind respond text phases by steps for mode share nth body user model every"
_MORE = "probability from to tool_calls arguments turns $.a auto rate_limit hang clock calls a {{x}} {{ 0.5"
_WORDS = st.sampled_from([*_FIELDS.split(" "), *_MORE.split(" ")])
_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_WORDS, inner, max_size=4),
    max_leaves=20,
)


@given(
    st.dictionaries(_WORDS, _VALUES, max_size=4)
    | st.fixed_dictionaries(
        {"rules": st.lists(st.fixed_dictionaries({"then": _VALUES}, optional={"when": _VALUES}), max_size=3)}
    )
)
def test_anything_is_a_scenario_or_a_located_error(value: Any) -> None:
    text = yaml.safe_dump(value)
    try:
        made = parsed(text)
    except ConfigError as error:
        lines = str(error).splitlines()
    else:
        lines = [f"s.yaml {rule.name}" for rule in made.rules]
        assert len(lines) == len(ScenarioSection.model_validate(value).rules)
    assert [line for line in lines if not line.startswith("s.yaml")] == []
