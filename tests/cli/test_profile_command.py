"""`profile ...` as a user meets it: what is printed, what goes into files, the exit codes."""

from __future__ import annotations

import json
import math
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result
from jsonschema import Draft202012Validator

from llm_simulator.cli import cli
from llm_simulator.cli.profiles import RANKS, shipped, spread
from llm_simulator.errors import ConfigError

MINE = """\
profiles:
  - name: mine/a
    models: ["gpt-4o*"]
    ttft: {p50_ms: 400, p95_ms: 900}
    rate: {p50_ms: 10, p95_ms: 13}
    length: 100
  - name: mine/b
    models: ["gpt-4o*"]
    ttft: {p50_ms: 800, p95_ms: 1800}
    rate: {p50_ms: 10, p95_ms: 13}
    length: 100
    provenance: {source: our gateway, date: 2026-10-01, n: 420}
    errors: [{status: 429, rate: 0.02}]
"""
GAPS = """\
profiles:
  - {name: mine/gaps, models: ["*"], ttft: {mean_ms: 100}, itl: {mean_ms: 20, std_dev_ms: 5}, length: 50}
"""
HEAD = "provider,model,stream,output_tokens,ttft_ms,total_ms,status\n"


@pytest.fixture(autouse=True)
def _files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").write_text(MINE)
    Path("gaps.yaml").write_text(GAPS)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["profile", *arguments])


def told(*arguments: str) -> Any:
    done = run(*arguments, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def measured(name: str, factor: float = 1.0, n: int = 200, model: str = "gpt-4o-2024-08-06", failed: int = 0) -> str:
    """A table of streams whose TTFT is that of mine/a times `factor`."""
    chance = random.Random(7)
    rows = [f"openai,{model},1,,,,429\n"] * failed
    for _ in range(n):
        ttft = 400 * math.exp(chance.gauss(0, 0.49)) * factor
        tokens = chance.randint(20, 200)
        rows.append(
            f"openai,{model},1,{tokens},{ttft:.3f},{ttft + 10 * math.exp(chance.gauss(0, 0.16)) * (tokens - 1):.3f},200\n"
        )
    Path(name).write_text(HEAD + "".join(rows))
    return name


def test_every_shipped_profile_is_listed_and_tells_its_quantiles() -> None:
    listed = [json.loads(line) for line in run("list", "--json").stdout.splitlines()]
    assert len(listed) == len(shipped()) > 20
    for each in listed:
        for quantity in each["quantiles"].values():
            values = [quantity[f"p{rank * 100:g}"] for rank in RANKS]
            assert values == sorted(values)
            assert all(map(math.isfinite, values))


def test_list_is_a_table() -> None:
    lines = run("list", "mine.yaml").stdout.splitlines()
    shown = [" ".join(line.split()) for line in lines]
    assert shown[0] == "profile for ttft p50 p95 per token p50 p95 n date"
    assert shown[2] == "mine.yaml::mine/b gpt-4o* 800 ms 1.80 s 10.0 ms 13.0 ms 420 2026-10-01"
    assert len(run("list", "--provider", "openai").stdout.splitlines()) < len(run("list").stdout.splitlines())


def test_list_says_when_a_shipped_profile_was_measured() -> None:
    rows = {line.split()[0]: line.split() for line in run("list", "--provider", "openai").stdout.splitlines()}
    assert rows["openai/gpt-4o"][-2:] == ["180", "2026-03-30"]
    assert rows["openai/gpt-5.2"][-2:] == ["30", "2026-08-15"]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("openai/gpt-4o", ["openai/gpt-4o\n", "time to first token   428 ms"]),
        ("mine.yaml::mine/b", ["mine/b", "our gateway, 2026-10-01, n = 420", "429: 2.00%", "800 ms"]),
        ("mine.yaml", ["mine/a", "mine/b"]),
        ("openai/no-such-model", ["openai/no-such-model gets openai/default", "the pattern *"]),
        ("gaps.yaml", ["by absolute gaps", "time per token"]),
    ],
)
def test_show(spec: str, expected: list[str]) -> None:
    text = run("show", spec).stdout
    for each in expected:
        assert each in text


def test_totals_are_those_of_simulated_answers() -> None:
    values = spread(shipped()[0].profile)
    assert {len(each) for each in values.values()} == {1000}
    table = told("show", "gaps.yaml")["profiles"][0]["quantiles"]
    assert table["total100_ms"]["p50"] == pytest.approx(100 + 99 * 20, rel=0.01)
    assert table["rate_ms"]["p50"] == pytest.approx(20, rel=0.01)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["show", "gpt-4o-mimi"], "openai/gpt-4o-mini"),
        (["show", "mine.yaml::c"], "got no profile 'c'; it has mine/a, mine/b"),
        (["show", "gone.yaml"], "gone.yaml: cannot be read"),
        (["compare", "mine.yaml", "openai/gpt-4o"], "has 2 profiles; allowed is one of mine.yaml::mine/a"),
        (
            ["compare", "openai/embeddings", "openai/gpt-4o"],
            "nothing to compare; openai/embeddings is for openai *, embed*",
        ),
        (["plot", "mine.yaml", "-o", "x.gif"], "allowed are .html and .png"),
        (["check", "mine.yaml", "--against", "gone.csv"], "gone.csv"),
    ],
)
def test_what_is_wrong_is_said(arguments: list[str], said: str) -> None:
    done = run(*arguments)
    assert isinstance(done.exception, ConfigError)
    assert said in str(done.exception)


def test_compare() -> None:
    ratio = told("compare", "mine.yaml::mine/a", "mine.yaml::mine/b")["ratio"]
    assert ratio["ttft"] == {"p50": 2.0, "p90": 2.0, "p95": 2.0, "p99": 2.0}
    assert ratio["rate"]["p99"] == 1.0
    assert 1 < ratio["total500"]["p50"] < ratio["total100"]["p50"] < 2
    text = run("compare", "mine.yaml::mine/a", "mine.yaml::mine/b").stdout
    assert "total, 500 tokens    p50" in text
    assert "2.00\n" in text


@pytest.mark.parametrize(("name", "starts"), [("p.png", b"\x89PNG"), ("p.html", b"<!doctype html>")])
def test_plot(name: str, starts: bytes) -> None:
    assert told("plot", "mine.yaml", "gaps.yaml", "-o", name)["left_out"] == []
    assert Path(name).read_bytes().startswith(starts)


def test_plot_says_whom_it_leaves_out() -> None:
    done = run("plot", *["mine.yaml"] * 4, "-o", "p.png")
    assert done.stdout == "6 profiles drawn into p.png; left out are mine.yaml::mine/a, mine.yaml::mine/b\n"


@pytest.mark.parametrize(
    ("factor", "extra", "code"),
    [(1.0, [], 0), (1.5, [], 1), (0.5, [], 0), (0.5, ["--faster"], 1), (1.5, ["--tolerance", "2"], 0)],
)
def test_check(factor: float, extra: list[str], code: int) -> None:
    done = run("check", "mine.yaml::mine/a", "--against", measured("now.csv", factor), *extra)
    assert done.exit_code == code, done.output
    assert "mine/a: time to first token  p50   400 ms" in done.stdout
    assert "200 calls compared" in done.stdout


def test_check_tells_json_when_it_is_slower() -> None:
    done = run("check", "mine.yaml", "--against", measured("now.csv", 1.5, failed=3), "--json")
    found = json.loads(done.stdout)
    assert (done.exit_code, found["drift"], found["calls"], found["failed"]) == (1, True, 200, 3)
    verdicts = {each["quantity"]: each["verdict"] for each in found["measured"]}
    assert verdicts == {"ttft": "slower", "rate": "same"}
    assert {each["profile"] for each in found["measured"]} == {"mine/a"}, "the first that fits counts"
    assert found["measured"][0]["quantiles"]["p50"]["profile_ms"] == 400


@pytest.mark.parametrize(
    ("spec", "n", "model"),
    [("openai/gpt-4o", 4, "gpt-4o"), ("openai/gpt-4o", 50, "o3"), ("anthropic/claude-opus-5", 50, "gpt-4o")],
)
def test_check_cannot_tell(spec: str, n: int, model: str) -> None:
    done = run("check", spec, "--against", measured("now.csv", n=n, model=model))
    assert "too few calls to compare" in str(done.exception)


def test_check_of_answers_that_were_not_streamed() -> None:
    """Their total is compared with what the profile gives answers of the same lengths."""
    Path("whole.csv").write_text(
        HEAD + "".join(f"openai,gpt-4o,0,{tokens},,{400 + 10 * tokens},200\n" for tokens in range(50, 150))
    )
    found = told("check", "mine.yaml", "--against", "whole.csv")
    assert [each["quantity"] for each in found["measured"]] == ["total"]
    p50 = found["measured"][0]["quantiles"]["p50"]
    assert p50["profile_ms"] == pytest.approx(p50["recorded_ms"], rel=0.1)


def test_exit_codes_of_the_command_itself() -> None:
    """1 says that it is slower, 2 that it cannot tell."""
    for against, code in ((measured("slow.csv", 1.5), 1), (measured("few.csv", n=3), 2)):
        done = subprocess.run(
            [sys.executable, "-m", "llm_simulator.cli", "profile", "check", "mine.yaml", "--against", against],
            capture_output=True,
            check=False,
        )
        assert done.returncode == code


WITHOUT = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("numpy", "scipy", "matplotlib"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Absent())
from llm_simulator.cli import main
sys.argv = ["llm-simulator", "profile", *sys.argv[1:]]
main()
"""


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["list"], 0, "openai/gpt-4o"),
        (["show", "mine.yaml"], 0, "mine/b"),
        (["compare", "openai/gpt-4o", "openai/gpt-4o-mini"], 0, "B / A"),
        (["plot", "mine.yaml", "-o", "x.png"], 2, "profile plot needs numpy: pip install 'llm-simulator[calibrate]'"),
        (["check", "mine.yaml", "--against", "mine.yaml"], 2, "pip install 'llm-simulator[calibrate]'"),
    ],
)
def test_without_the_extra(arguments: list[str], code: int, said: str) -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    assert said in done.stdout + done.stderr


def test_the_schema_completes_what_is_right_and_refuses_what_is_not() -> None:
    schema = json.loads(CliRunner().invoke(cli, ["profile", "schema"], catch_exceptions=False).stdout)
    validator = Draft202012Validator(schema)
    assert not list(validator.iter_errors(yaml.safe_load(MINE)))
    assert not list(validator.iter_errors(yaml.safe_load(GAPS)))
    wrong = yaml.safe_load(MINE.replace("length: 100", "lenght: 100"))
    assert list(validator.iter_errors(wrong))
