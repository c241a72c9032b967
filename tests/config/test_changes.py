"""What a running server takes from another configuration, and what it refuses."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from llm_simulator.cassettes.key import MatchRules
from llm_simulator.config.active import not_active
from llm_simulator.config.changes import FIXED, refused, taken
from llm_simulator.config.checks import conflicts, further
from llm_simulator.config.generations import step
from llm_simulator.config.load import from_mapping
from llm_simulator.config.settings import Settings
from llm_simulator.config.shown import sections, shown
from llm_simulator.types import Mode


def test_what_is_fixed_is_a_setting() -> None:
    assert FIXED.keys() <= {field.name for field in fields(Settings)}


@pytest.mark.parametrize(
    ("new", "says"),
    [
        ({"host": "0.0.0.0"}, "server.host: is '0.0.0.0' and was '127.0.0.1'; it cannot change while the server runs"),
        ({"port": 9}, "server.port: is 9 and was 8080"),
        ({"cassette": "x.db"}, "cassettes.path: is 'x.db' and was ''"),
        ({"cassette": "postgresql://me:hidden@db/x"}, "cassettes.path: is 'postgresql://***@db/x'"),
        ({"rules": MatchRules(host=True)}, "cassettes.match: is "),
        ({"mode": Mode.RECORD}, "cassettes.mode: record forwards to providers, and the server was started to stay off"),
    ],
)
def test_what_cannot_change_is_refused_with_its_reason(new: dict[str, object], says: str) -> None:
    problems = "\n".join(refused(Settings(), replace(Settings(), **new)))  # type: ignore[arg-type]
    assert says in problems
    assert "hidden" not in problems


@pytest.mark.parametrize(
    "new",
    [{"port": 0}, {"seed": 4}, {"mode": Mode.SIMULATE}, {"speed": 0.0}, {"admin_token": "x"}, {"upstreams": {"a": ""}}],
)
def test_what_may_change(new: dict[str, object]) -> None:
    assert list(refused(Settings(), replace(Settings(), **new))) == []  # type: ignore[arg-type]


def test_a_rule_that_forwards_is_refused_too() -> None:
    new = from_mapping({"scenarios": {"a": {"rules": [{"then": "record"}]}}, "cassettes": {"path": "x"}})
    problems = list(refused(replace(Settings(), cassette="x"), new))
    assert len(problems) == 2
    assert all(problem.startswith("scenarios: a rule") for problem in problems)


def test_a_seed_that_was_drawn_is_kept() -> None:
    drawn = replace(Settings(), deterministic=False, seed=7)
    assert taken(drawn, replace(drawn, seed=8)).seed == 7
    assert taken(Settings(), replace(drawn, seed=8)).seed == 8
    assert taken(replace(Settings(), port=4321), Settings(port=0)).port == 4321


def test_generations_are_counted_once_for_each_configuration() -> None:
    first, told = step(None, {"fingerprint": "a"}, 0.0)
    assert first == told == {"fingerprint": "a", "generation": 2}
    assert step(first, {"fingerprint": "a"}, 1.0)[0] is first
    assert step(first, {"fingerprint": "b"}, 1.0)[0]["generation"] == 3


CONFLICTS = [
    (Settings(mode=Mode.REPLAY), ("cassettes", "mode"), "mode replay needs --cassette"),
    (Settings(mode=Mode.RECORD), ("cassettes", "mode"), "mode record needs --cassette"),
    (Settings(mode=Mode.PASSTHROUGH, host="0.0.0.0"), ("server", "allow_remote"), "add --allow-remote"),
    (Settings(scenario="nix"), ("scenario",), "there is no scenario 'nix'"),
    (Settings(workers=0), ("server", "workers"), "1 or more"),
    (Settings(workers=2, mode=Mode.RECORD, cassette="a.yaml"), ("server", "workers"), "is a text cassette"),
    (Settings(metrics_port=8080), ("telemetry", "metrics", "prometheus_port"), "another one is allowed"),
    (Settings(speed=-1), ("simulation", "speed"), "0 (no waits) or above"),
]


@pytest.mark.parametrize(("settings", "place", "says"), CONFLICTS)
def test_what_does_not_go_together_has_its_place(settings: Settings, place: tuple[str, ...], says: str) -> None:
    found = dict(conflicts(settings))
    assert says in found[place]


def test_what_shows_only_when_files_are_read() -> None:
    sections = {"simulation": {"profiles": ["/nix.yaml"]}, "cassettes": {"match": {"ignore": ["/(/"]}}}
    rules = {"scenarios": {"a": {"rules": [{"then": {"profile": "nix"}}]}}}
    found = dict(further(from_mapping({**sections, **rules})))
    assert list(found) == [
        ("simulation", "profiles", "0"),
        ("cassettes", "match", "ignore"),
        ("scenarios", "a", "rules", "0", "then", "profile"),
    ]


def test_what_is_accepted_and_has_no_effect() -> None:
    settings = from_mapping({"simulation": {"concurrency": {"queue_size": 3}}})
    assert dict(not_active(settings)) == {
        "simulation.concurrency.queue_size": "without max_concurrent_requests nothing waits"
    }
    assert dict(not_active(Settings())) == {}


def test_what_an_operator_sees_has_no_secret() -> None:
    settings = from_mapping(
        {
            "server": {"admin_token": "hidden"},
            "upstreams": {"a": "https://me:hidden@a.example"},
            "cassettes": {"path": "postgresql+asyncpg://me:hidden@db/x"},
            "providers": {
                "gpt-4o": {"errors": {"rate_limit": {"probability": 0.1, "message": "see https://a:hidden@b"}}}
            },
        }
    )
    told = shown(settings)
    assert "hidden" not in str(told)
    assert told["config"]["server"]["admin_token"] == "***"
    assert told["config"]["upstreams"] == {"a": "https://***@a.example"}
    assert sections(Settings())["server"]["admin_token"] == ""
