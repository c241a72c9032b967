"""`llm-simulator calibrate`: a profile file, a table to read, JSON, and what it says where something is missing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from llm_simulator.cli import cli
from llm_simulator.errors import CassetteError, ConfigError
from llm_simulator.profiles.file import load

HEAD = "provider,model,stream,output_tokens,ttft_ms,total_ms,run,status"


@pytest.fixture
def measured(tmp_path: Path) -> str:
    rows = [f"openai,m,1,{20 + at % 7},{400 + at * 3},{900 + at * 11},r{at % 2},200" for at in range(40)]
    path = tmp_path / "requests.csv"
    path.write_text("\n".join([HEAD, *rows, "openai,m,1,,,,r1,429"]))
    return str(path)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["calibrate", *arguments])


def test_a_profile_file_and_a_table(measured: str, tmp_path: Path) -> None:
    output = tmp_path / "profiles" / "mine.yaml"
    result = run(measured, "-o", str(output))
    assert result.exit_code == 0, result.output
    assert "openai-m-stream: 41 calls, 2.4% failed" in result.output
    assert "TTFT" in result.output
    assert "write gaps" not in result.output
    assert f"serve --profile {output}" in result.output
    (profile,) = load(output)
    assert (profile.name, profile.models, profile.errors[0].status) == ("openai-m-stream", ("m",), 429)


def test_json(measured: str) -> None:
    told = json.loads(run(measured, "--json", "--group-by", "model, run").output)
    assert [group["key"] for group in told["groups"]] == [{"model": "m", "run": "r0"}, {"model": "m", "run": "r1"}]
    first = told["groups"][0]
    assert (first["calls"], first["traces"], first["fits"]["ttft"]["n"]) == (20, 20, 20)
    assert first["fits"]["ttft"]["low_confidence"]
    assert set(first["fits"]["ttft"]["errors"]) == {"p50", "p90", "p95", "p99"}


def test_what_cannot_be_read_is_told_and_fails(measured: str, tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text("a: 1\n")
    result = run(measured, str(tmp_path / "other.yaml"))
    assert result.exit_code == 1
    assert "not read: other.yaml: no known format" in result.output
    assert "openai-m-stream" in result.output


@pytest.mark.parametrize(
    ("more", "error", "message"),
    [
        (["--group-by", "region"], ConfigError, "--group-by region: requests.csv has no such column"),
        (["--report", "page.pdf"], ConfigError, "got the suffix '.pdf'; allowed are .html and .png"),
        (["absent.db"], CassetteError, "absent.db: no such file or folder"),
    ],
)
def test_errors(measured: str, more: Sequence[str], error: type[Exception], message: str) -> None:
    result = run(measured, *more)
    assert isinstance(result.exception, error)
    assert message in str(result.exception)


def test_nothing_to_learn(tmp_path: Path) -> None:
    (tmp_path / "requests.csv").write_text(HEAD + "\n")
    with pytest.raises(CassetteError, match="no call of a model was found"):
        CliRunner().invoke(cli, ["calibrate", str(tmp_path / "requests.csv")], catch_exceptions=False)


def test_the_extra_is_asked_for_where_it_is_missing(measured: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str, package: str | None = None) -> object:
        return None if name == "scipy" else find_spec(name, package)

    monkeypatch.setattr("importlib.util.find_spec", absent)
    result = run(measured)
    assert isinstance(result.exception, ConfigError)
    assert "pip install 'llm-simulator[calibrate]'" in str(result.exception)
