"""Where settings come from, and how every mistake in them is located."""

from __future__ import annotations

from pathlib import Path

import pytest

from llm_simulator.cassettes.index import AfterLast
from llm_simulator.config.load import load, with_flags
from llm_simulator.config.settings import Settings, Validation
from llm_simulator.errors import ConfigError
from llm_simulator.types import Mode

YAML = """\
version: "2.0"
server:
  port: 9000
  origins: ["http://localhost:3000"]
simulation: {seed: 7, speed: 2}
cassettes:
  path: app.db
  mode: record-missing
  match: {ignore: ["$.metadata"], host: true}
  after_last: cycle
upstreams: {gw.example: "https://10.0.0.1/x"}
telemetry: {logging: {level: debug}}
"""
TOML = """\
version = "2.0"
[server]
port = 9000
origins = ["http://localhost:3000"]
[simulation]
seed = 7
speed = 2
[cassettes]
path = "app.db"
mode = "record-missing"
after_last = "cycle"
match = {ignore = ["$.metadata"], host = true}
[upstreams]
"gw.example" = "https://10.0.0.1/x"
[telemetry.logging]
level = "debug"
"""
JSON = """\
{"version": "2.0",
 "server": {"port": 9000, "origins": ["http://localhost:3000"]},
 "simulation": {"seed": 7, "speed": 2},
 "cassettes": {"path": "app.db", "mode": "record-missing", "match": {"ignore": ["$.metadata"], "host": true},
               "after_last": "cycle"},
 "upstreams": {"gw.example": "https://10.0.0.1/x"},
 "telemetry": {"logging": {"level": "debug"}}}
"""


def _file(folder: Path, suffix: str, text: str) -> Path:
    path = folder / f"config{suffix}"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(("suffix", "text"), [(".yaml", YAML), (".yml", YAML), (".toml", TOML), (".json", JSON)])
def test_three_formats_mean_the_same(tmp_path: Path, suffix: str, text: str) -> None:
    made = load(_file(tmp_path, suffix, text), {})
    assert (made.port, made.origins, made.seed, made.speed) == (9000, ("http://localhost:3000",), 7, 2.0)
    assert (made.cassette, made.mode, made.after_last) == ("app.db", Mode.RECORD_MISSING, AfterLast.CYCLE)
    assert (made.rules.ignore, made.rules.host) == (("$.metadata",), True)
    assert made.upstreams == {"gw.example": "https://10.0.0.1/x"}
    assert made.log_level == "debug"


def test_validation_and_models(tmp_path: Path) -> None:
    made = load(_file(tmp_path, ".yaml", "simulation: {validation: provider, models: [house]}"), {})
    assert (made.validation, made.models) == (Validation.PROVIDER, ("house",))
    with pytest.raises(
        ConfigError, match=r"simulation.validation: is 'strict'; input should be 'lenient' or 'provider'"
    ):
        load(None, {"LLM_SIMULATOR__SIMULATION__VALIDATION": "strict"})


def test_nothing_given_is_the_default() -> None:
    assert load(None, {"LLM_SIMULATORX": "1"}) == Settings()


def test_flags_over_environment_over_file(tmp_path: Path) -> None:
    environ = {"LLM_SIMULATOR__SERVER__PORT": "9001", "LLM_SIMULATOR__CASSETTES__MODE": "replay"}
    made = load(_file(tmp_path, ".yaml", YAML), environ)
    assert (made.port, made.mode, made.seed) == (9001, Mode.REPLAY, 7)
    assert with_flags(made, port=9002, seed=None).port == 9002
    assert with_flags(made, port=9002, seed=None).seed == 7


def test_the_environment_alone() -> None:
    made = load(None, {"LLM_SIMULATOR__CASSETTES__MATCH__IGNORE": '["$.a"]', "LLM_SIMULATOR__CASSETTES__PATH": "x.db"})
    assert (made.rules.ignore, made.cassette) == (("$.a",), "x.db")


PROBLEMS = [
    (".yaml", "server:\n  prot: 1\n", ["config.yaml:2: server.prot: no such field", "port"]),
    (".yaml", "server:\n  port: 99999\n", ["config.yaml:2: server.port: is 99999", "65535"]),
    (".yaml", "cassettes: {mode: rec}\n", ["cassettes.mode: is 'rec'", "'record-missing'"]),
    (
        ".yaml",
        "simulation:\n  seed: -1\n  speed: x\n",
        ["config.yaml:2: simulation.seed", "config.yaml:3: simulation.speed"],
    ),
    (".yaml", "version: '1.0'\n", ["version: is '1.0'", "2.0"]),
    (".yaml", "server: [\n", ["config.yaml:2: not valid YAML"]),
    (".yaml", "- a\n", ["holds a list; a mapping"]),
    (".json", '{"server": ', ["config.json:1: not valid JSON"]),
    (".toml", "a = \n", ["not valid TOML", "line 1"]),
    (".ini", "", ["'.ini' is not known", ".toml"]),
]


@pytest.mark.parametrize(("suffix", "text", "shows"), PROBLEMS)
def test_every_problem_names_file_line_field_and_what_is_allowed(
    tmp_path: Path, suffix: str, text: str, shows: list[str]
) -> None:
    with pytest.raises(ConfigError) as caught:
        load(_file(tmp_path, suffix, text), {})
    for part in shows:
        assert part in str(caught.value)


def test_a_file_that_is_not_there_or_not_text(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path / "none.yaml", {})
    binary = tmp_path / "b.yaml"
    binary.write_bytes(b"a: \xff")
    with pytest.raises(ConfigError, match="byte 3 is not UTF-8"):
        load(binary, {})


def test_a_variable_that_does_not_fit_the_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="VERSION__X"):
        load(_file(tmp_path, ".yaml", YAML), {"LLM_SIMULATOR__VERSION__X": "1"})


def test_an_empty_file_is_the_default(tmp_path: Path) -> None:
    assert load(_file(tmp_path, ".yaml", ""), {}) == Settings()
