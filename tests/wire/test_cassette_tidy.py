"""`cassette prune` and `cassette diff`: the real command over real files."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from serving import llm_simulator

pytestmark = pytest.mark.wire

DEMO = Path(__file__).resolve().parents[2] / "cassettes" / "demo.yaml"
CLIENT = """
import json, os, urllib.request
body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Say hello to the demo cassette."}], "max_tokens": 40}
request = urllib.request.Request(os.environ["OPENAI_BASE_URL"] + "/chat/completions", data=json.dumps(body).encode())
request.add_header("content-type", "application/json")
urllib.request.urlopen(request).read()
"""


@pytest.fixture(params=["c.yaml", "c.db", "folder"])
def cassette(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The demo cassette in each kind of store."""
    spec = tmp_path / request.param
    if request.param == "folder":
        spec.mkdir()
        shutil.copy(DEMO, spec / "demo.yaml")
    else:
        assert llm_simulator("cassette", "export", "-c", str(DEMO), "-o", str(spec)).returncode == 0
    return str(spec)


def listed(cassette: str) -> list[dict[str, Any]]:
    shown = llm_simulator("cassette", "list", "-c", cassette, "--json").stdout
    return [json.loads(line) for line in shown.splitlines()]


def test_what_a_run_did_not_use_goes_when_told(cassette: str, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    command = ("run", "-m", "replay", "-c", cassette, "--speed", "0", "--report", str(report))
    assert llm_simulator(*command, "--", sys.executable, "-c", CLIENT, environ={"OPENAI_BASE_URL": ""}).returncode == 0
    prune = ("cassette", "prune", "-c", cassette, "--keep-used", str(report))
    shown = llm_simulator(*prune)
    assert (shown.returncode, len(shown.stdout.splitlines())) == (0, 10)
    assert shown.stdout.splitlines()[-1] == f"{cassette}: 9 of 10 recordings would be deleted; --yes deletes them"
    assert "[used by no run of the reports given]" in shown.stdout
    assert len(listed(cassette)) == 10
    done = json.loads(llm_simulator(*prune, "--yes", "--json").stdout)
    assert (done["deleted"], done["recordings"], len(done["pruned"])) == (True, 10, 9)
    assert done["pruned"][0]["reasons"] == ["unused"]
    assert [(row["provider"], row["stream"]) for row in listed(cassette)] == [("openai", False)]
    again = llm_simulator(*prune, "--yes")  # the ids of the report mean nothing any more
    assert again.returncode == 2
    assert f"{report}: the run used {cassette}, and {cassette} is not what that was then" in again.stderr


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("nonsense", "no report of `llm-simulator run --report`"),
        ("[1]", "no report of `llm-simulator run --report`"),
        ('{"unused": [], "mode": "replay"}', "cassette_state"),
        ('{"unused": [], "cassette_state": "", "mode": "record"}', "a run in mode record looks nothing up"),
        ('{"unused": [], "cassette_state": "", "mode": "guess"}', "no report of `llm-simulator run --report`"),
        ('{"unused": ["1"], "cassette_state": "", "mode": "replay"}', "no report of `llm-simulator run --report`"),
    ],
)
def test_what_is_no_report_deletes_nothing(tmp_path: Path, text: str, says: str) -> None:
    report = tmp_path / "r.json"
    report.write_text(text)
    done = llm_simulator("cassette", "prune", "-c", str(DEMO), "--keep-used", str(report), "--yes")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: {report}: ")
    assert says in done.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "what shall go?"),
        (("--older-than", "soon"), "--older-than is 'soon'; a number with s, m, h, d or w is allowed"),
    ],
)
def test_prune_wants_to_know_what(arguments: tuple[str, ...], says: str) -> None:
    done = llm_simulator("cassette", "prune", "-c", str(DEMO), *arguments)
    assert done.returncode == 2
    assert says in done.stderr


def test_old_and_repeated_recordings_go(cassette: str) -> None:
    assert llm_simulator("cassette", "prune", "-c", cassette, "--older-than", "1000w").stdout.startswith(
        f"{cassette}: 0 of"
    )
    before = llm_simulator("cassette", "prune", "-c", cassette, "--older-than", "1s").stdout
    assert before.endswith("10 of 10 recordings would be deleted; --yes deletes them\n")
    assert llm_simulator("cassette", "import", str(DEMO), "-c", cassette).returncode == 0
    assert len(listed(cassette)) == 20
    done = llm_simulator("cassette", "prune", "-c", cassette, "--duplicates", "--yes").stdout
    assert done.endswith(f"{cassette}: 10 of 20 recordings deleted\n")
    assert llm_simulator("cassette", "diff", str(DEMO), cassette).returncode == 0


def test_diff_says_what_differs_by_exit_code_text_and_json(cassette: str, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_text(DEMO.read_text().replace("status: 200", "status: 503", 1))
    same = llm_simulator("cassette", "diff", cassette, str(DEMO))
    assert (same.returncode, same.stdout) == (
        0,
        f"10 same, 0 changed, 0 only in A ({cassette}), 0 only in B ({DEMO})\n",
    )
    found = llm_simulator("cassette", "diff", cassette, str(other))
    assert found.returncode == 1
    assert "status   status was 200, is 503" in found.stdout
    assert "9 same, 1 changed" in found.stdout
    told = json.loads(llm_simulator("cassette", "diff", cassette, str(other), "--json").stdout)
    assert (told["same"], told["changed"][0]["before"]["status"], told["changed"][0]["after"]["status"]) == (
        9,
        200,
        503,
    )
    assert llm_simulator("cassette", "diff", cassette, str(other), "--only", "text", "--only", "shape").returncode == 0
    trouble = llm_simulator("cassette", "diff", cassette, str(tmp_path / "gone.db"))
    assert (trouble.returncode, trouble.stdout) == (2, "")
    assert "gone.db: does not exist" in trouble.stderr
