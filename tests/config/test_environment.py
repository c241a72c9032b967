"""What variables set, and how their mistakes are told: by the variable's name."""

from __future__ import annotations

from pathlib import Path

import pytest

from llm_simulator.config.load import Origin, load, with_flags
from llm_simulator.errors import ConfigError

FILE = """\
server: {port: 1, admin_token: secret}
providers:
  gpt-4.1-mini: {errors: {rate_limit: 0.1}}
upstreams: {gw.example: "https://a.example"}
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "c.yaml"
    made.write_text(FILE, "utf-8")
    return made


def test_a_text_that_looks_like_a_number_stays_one(path: Path) -> None:
    made = load(path, {"LLM_SIMULATOR__SERVER__ADMIN_TOKEN": "123456", "LLM_SIMULATOR__CASSETTES__PATH": "7"})
    assert (made.admin_token, made.cassette) == ("123456", "7")


def test_a_name_with_dots_and_dashes_is_that_of_the_file(path: Path) -> None:
    environ = {
        "LLM_SIMULATOR__PROVIDERS__GPT_4_1_MINI__ENABLED": "false",
        "LLM_SIMULATOR__UPSTREAMS__GW_EXAMPLE": "https://b.example",
    }
    made = load(path, environ)
    assert made.providers is not None
    assert not made.providers.of("openai", "gpt-4.1-mini").enabled
    assert made.providers.of("openai", "gpt-4.1-mini").errors
    assert made.upstreams == {"gw.example": "https://b.example"}


def test_a_whole_section_and_a_field_of_it() -> None:
    environ = {
        "LLM_SIMULATOR__PROVIDERS": '{"openai": {"enabled": false}}',
        "LLM_SIMULATOR__PROVIDERS__OPENAI__ENABLED": "true",
    }
    made = load(None, environ)
    assert made.providers is not None
    assert made.providers.of("openai", "gpt-4o").enabled


WRONG = [
    ({"LLM_SIMULATOR__SERVER__PORT": "x"}, "LLM_SIMULATOR__SERVER__PORT: server.port: is 'x'; input should be a valid"),
    ({"LLM_SIMULATOR__SERVER__PROT": "1"}, "LLM_SIMULATOR__SERVER__PROT: server.prot: no such field"),
    (
        {"LLM_SIMULATOR__SERVER__PORT__X": "1"},
        "LLM_SIMULATOR__SERVER__PORT__X: server.port.x: 'port' holds 1, which has",
    ),
    (
        {"LLM_SIMULATOR__ERRORS__RATE_LIMIT": "7"},
        "LLM_SIMULATOR__ERRORS__RATE_LIMIT: errors.rate_limit.probability: is 7",
    ),
    ({"LLM_SIMULATOR__SIMULATION__MODELS": "x"}, "LLM_SIMULATOR__SIMULATION__MODELS: simulation.models: is 'x'"),
]


@pytest.mark.parametrize(("environ", "says"), WRONG)
def test_a_mistake_is_told_by_the_name_of_its_variable(path: Path, environ: dict[str, str], says: str) -> None:
    with pytest.raises(ConfigError) as found:
        load(path, environ)
    assert says in str(found.value)
    assert str(path) not in str(found.value)


def test_flags_lie_over_all_of_it_whenever_it_is_made_anew(path: Path) -> None:
    origin = Origin(
        path, {"LLM_SIMULATOR__SERVER__PORT": "2"}, lambda settings: with_flags(settings, seed=9, port=None)
    )
    assert (origin.settings().port, origin.settings().seed) == (2, 9)
    path.write_text("server: {port: 5, drain_secs: 1}\nsimulation: {seed: 4}\n", "utf-8")
    made = origin.settings()
    assert (made.port, made.seed, made.drain_secs) == (2, 9, 1.0)


def test_a_drawn_seed() -> None:
    given = {"LLM_SIMULATOR__SIMULATION__DETERMINISTIC": "false"}
    seeds = {load(None, given).seed for _ in range(4)}
    assert len(seeds) == 4
    assert not load(None, given).deterministic


def test_all_problems_come_at_once_and_none_is_the_consequence_of_another(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text(
        'version = "2.0"\n[server]\nport = "x"\n[simulation.style]\ntext = "fixed"\n[providers.gpt-4o.latency]\n'
        'ttft = {distribution = "nix"}\ntokens_per_second = -1\n[errors]\nrate_limt = 0.1\n',
        "utf-8",
    )
    with pytest.raises(ConfigError) as found:
        load(path, {"LLM_SIMULATOR__SIMULATION__SPEED": "fast"})
    lines = [line.removeprefix(str(path)).partition(": is")[0] for line in str(found.value).splitlines()]
    assert lines == [
        ":3: server.port",
        ":4: simulation.style",
        ":7: providers.gpt-4o.latency.ttft.distribution",
        ":8: providers.gpt-4o.latency.tokens_per_second",
        ":10: errors.rate_limt",
        "LLM_SIMULATOR__SIMULATION__SPEED: simulation.speed",
    ]


def test_a_secret_is_not_shown(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("server: {admin_token: [hidden]}\nupstreams: {a: 'ftp://user:hidden@a'}\n", "utf-8")
    with pytest.raises(ConfigError) as found:
        load(path, {})
    assert "hidden" not in str(found.value)
    assert "server.admin_token: is ***" in str(found.value)


def test_all_that_is_wrong_in_a_list(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("server:\n  origins:\n    - 1\n    - a\n    - [b]\n  port: x\n", "utf-8")
    with pytest.raises(ConfigError) as found:
        load(path, {})
    told = [line.removeprefix(str(path)).partition(": is")[0] for line in str(found.value).splitlines()]
    assert told == [":3: server.origins[0]", ":5: server.origins[2]", ":6: server.port"]
