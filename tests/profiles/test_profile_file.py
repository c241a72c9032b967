"""Profile files: what is written is read back equal, and what is wrong is told all at once, with its line."""

from __future__ import annotations

import json
from array import array
from dataclasses import fields, replace
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_simulator.errors import ConfigError
from llm_simulator.profiles import file
from llm_simulator.profiles.distributions import Constant, Empirical, LogNormal, Mixture, Normal
from llm_simulator.profiles.parse import FIELDS, USUAL_LENGTH, parse
from llm_simulator.profiles.profile import ErrorRate, Load, Profile, Provenance, Slope, UsageRatio, Writes
from llm_simulator.profiles.schema import Fields, ProfileSection
from llm_simulator.profiles.shipped import read
from llm_simulator.profiles.traces import Trace, Traces
from llm_simulator.types import JSON

TRACES = Traces(
    (
        Trace(1, 0, 130, array("d", [0.02, 0.0, 0.031415]), array("l", [2, 2, 1, 4])),
        Trace(0, 1, 0, array("d", [0.0105]), array("l", [2, 2])),
        Trace(2, -1, 1),
    ),
    3,
)
FULL = Profile(
    "mine/full",
    ("gpt-4o*", "o3"),
    Empirical([0.5, 0.4, 1.25]),
    LogNormal(1 / 95, 0.1),
    Writes((1, 2, 4), (0.1, 0.4, 1.0), Mixture((0.9, 0.1), (LogNormal(1.0, 0.5), LogNormal(7.0, 0.2)))),
    Empirical([12.0, 40.0]),
    family="openai.*",
    source="a recording",
    traces=TRACES,
    provider="openai",
    stream=True,
    cache="miss",
    prompt_slope=Slope(0.000015, 1000),
    cache_hit=LogNormal(0.3, 0.4),
    load=Load(8, 0.05),
    errors=(ErrorRate(529, 0.01, "anthropic.overloaded"), ErrorRate(500, 0.002)),
    usage_ratio=UsageRatio(1.1, 0.97, 120),
    provenance=Provenance("calls.db", "2026-11-28", 180, "from Vienna"),
    quality={"ttft": {"chosen": "empirical", "errors": {"p50": 0.01}}},
)
ITL = Profile(
    "mine/itl", ("*",), Constant(0.2), None, Writes((2,), (1.0,), Normal(0.02, 0.005)), Constant(9.0), "*", 0.2
)
WHOLE = Profile(
    "mine/whole",
    ("*",),
    Constant(0.2),
    Constant(0.0),
    Writes(),
    USUAL_LENGTH,
    operations=("embed*",),
    total=Constant(0.3),
)


@pytest.mark.parametrize("profile", [FULL, ITL, WHOLE, *read("openai"), *read("azure")], ids=lambda p: p.name)
def test_what_is_written_is_read_back_equal(profile: Profile, tmp_path: Path) -> None:
    text = file.dump([profile, FULL])
    (tmp_path / "mine.yaml").write_text(text)
    assert file.load(tmp_path / "mine.yaml") == (profile, FULL)
    assert file.dump(file.loads(text, "x")) == text


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 10**7), min_size=1, max_size=6), min_size=1, max_size=5),
    st.lists(st.floats(1e-6, 1e3), min_size=1, max_size=5),
    st.lists(st.floats(0.01, 1), min_size=1, max_size=5),
)
def test_any_recording_survives(gaps: list[list[int]], times: list[float], shares: list[float]) -> None:
    items = tuple(
        Trace(at, at, 3, array("d", [gap / 1e6 for gap in row]), array("l", [1] * (len(row) + 1)))
        for at, row in enumerate(gaps)
    )
    sums = [sum(shares[: at + 1]) / sum(shares) for at in range(len(shares))]
    writes = Writes(tuple(range(1, len(sums) + 1)), (*sums[:-1], 1.0))
    profile = replace(FULL, ttft=Empirical(times), writes=writes, traces=Traces(items, len(items)))
    assert file.loads(file.dump([profile]), "x") == (profile,)


def test_a_file_of_ours_names_its_schema() -> None:
    assert file.dump([ITL]).startswith(f"# yaml-language-server: $schema={file.SCHEMA_NAME}\n")


def test_short_forms_are_enough() -> None:
    text = "profiles:\n- {name: mine, models: gpt-4o*, ttft: {p50_ms: 800, p95_ms: 1500}, tokens_per_second: 60}\n"
    (profile,) = file.loads(text, "f.yaml")
    assert (profile.models, profile.length, profile.provider) == (("gpt-4o*",), USUAL_LENGTH, "*")
    assert profile.ttft == LogNormal.through(0.8, 1.5)


WRONG = """\
defaults: {speed_sigma: -1}
profiles:
  - name: first
    models: ["*"]
    ttft:
      p50: 3
    tokens_per_second: fast
  - name: second
    modles: ["*"]
    ttft: {p50_ms: 3}
    rate: {p50_ms: 2}
    itl: {mean_ms: 3}
    cache: warm
    load: {slots: -1}
    errors: [{status: 200, rate: 0.1}]
    traces: {n: 1, items: [{ttft_rank: 0, gaps_us: 1 2 3, sizes: 1 1}]}
"""


def test_all_errors_come_at_once_with_their_lines() -> None:
    with pytest.raises(ConfigError) as caught:
        file.loads(WRONG, "f.yaml")
    lines = str(caught.value).splitlines()
    for start in (
        "f.yaml:1: defaults.speed_sigma: got -1",
        "f.yaml:6: profiles[0].ttft.p50: unknown unit; allowed is p50_ms",
        "f.yaml:7: profiles[0].tokens_per_second: got 'fast'",
        "f.yaml:8: profiles[1].models: is missing",
        "f.yaml:9: profiles[1].modles: no such field; allowed are cache, ",
        "f.yaml:8: profiles[1]: got rate and itl; allowed is one of",
        "f.yaml:13: profiles[1].cache: got 'warm'",
        "f.yaml:14: profiles[1].load.slots: got -1",
        "f.yaml:15: profiles[1].errors[0].status: got 200",
        "f.yaml:16: profiles[1].traces.items[0].sizes: got 2 for 3 gaps; allowed is one more",
    ):
        assert any(line.startswith(start) for line in lines), (start, lines)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("profiles: [", r"f\.yaml:2: not valid YAML"),
        ("", r"f\.yaml: got no list `profiles`"),
        ("profiles: 3", r"f\.yaml: got no list `profiles`|profiles: got 3"),
    ],
)
def test_a_file_that_is_none(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        file.loads(text, "f.yaml")


SOUND = {"name": "x", "models": ["*"], "ttft": 1, "tokens_per_second": 9}


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ({"name": ["x"]}, "name: got .'x'.; allowed is text"),
        ({"models": 3}, "models: got 3; allowed is a list of names"),
        ({"operations": [None]}, "operations: got .None.; allowed is a list of names"),
        ({"stream": "maybe"}, "stream: got 'maybe'; allowed are true, false and any"),
        ({"speed_sigma": True}, "speed_sigma: got True; allowed is a number of 0 or more"),
        ({"load": {"slots": 1.5}}, "load.slots: got 1.5; allowed is a whole number"),
        ({"load": {"slot": 1}}, "load: got .*; allowed is a mapping of slots, slowdown"),
        ({"cache_hit": {"ttft": "soon"}}, "cache_hit.ttft: got 'soon'"),
        ({"prompt_slope": {"reference_tokens": 5}}, "prompt_slope.ms_per_token: got None"),
        ({"errors": 3}, "errors: got 3; allowed is a list of"),
        ({"errors": [{"status": 500, "rate": 0.6}, {"status": 503, "rate": 0.6}]}, "errors: got rates that sum to 1.2"),
        ({"traces": {"items": []}}, "traces.items: got ..; allowed is a list"),
        ({"traces": {"items": [{"ttft_rank": 5}]}}, "traces.n: got 1; allowed is the number of responses"),
        ({"traces": {"items": [{"ttft_rank": -2}]}}, "items.0.: a rank: got -2"),
        ({"writes": {"sizes": {1: -1}}}, "writes.sizes.1: got -1"),
    ],
)
def test_what_a_field_may_hold(field: dict[str, JSON], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse({"profiles": [{**SOUND, **field}]}, "f.yaml")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        file.load(tmp_path / "none.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"\xff")
    with pytest.raises(ConfigError, match="byte 0 is not UTF-8"):
        file.load(tmp_path / "latin.yaml")


def test_the_schema_knows_every_field() -> None:
    assert set(ProfileSection.model_fields) == set(FIELDS)
    assert set(Fields.model_fields) <= {field.name for field in fields(Profile)} | {"tokens_per_second", "itl"}
    schema = file.json_schema()
    assert set(schema["$defs"]["ProfileSection"]["properties"]) == set(FIELDS)


def test_the_json_schema_takes_what_we_write_and_ship() -> None:
    validator = pytest.importorskip("jsonschema_rs").validator_for(file.json_schema())
    documents = [yaml.safe_load(file.dump([FULL, ITL, WHOLE]))]
    documents += [yaml.safe_load(path.read_text()) for path in Path(file.__file__).parent.glob("*.yaml")]
    for document in documents:
        plain = json.loads(json.dumps(document))  # with its keys as text
        assert [error.message for error in validator.iter_errors(plain)] == []
    assert not validator.is_valid({"profiles": [{"name": "x", "models": "*", "ttft": {"p50": 3}}]})


def test_the_examples_of_the_documentation_are_sound() -> None:
    text = (Path(file.__file__).resolve().parents[1] / "docs" / "latency.md").read_text()
    found = [part.partition("```")[0] for part in text.split("```yaml\n")[1:]]
    examples = [example for example in found if example.startswith("profiles:")]
    assert [file.loads(example, "docs/latency.md")[0].name for example in examples] == ["mine", "team/gpt-4o"]
    whole = yaml.safe_load(examples[1])["profiles"][0]
    apart = {"tokens_per_second", "itl", "speed_sigma", "operations", "traces", "quality", "source"}
    assert set(FIELDS) - set(whole) == apart  # told in words beside it
