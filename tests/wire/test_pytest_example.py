"""The sample project as a user runs it, and 200 tests over xdist of which one misses, shown as docs/pytest.md shows it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from calendar_project import APPLICATION, write

pytestmark = [pytest.mark.wire, pytest.mark.untraced]

ROOT = Path(__file__).resolve().parents[2]
CALENDAR = """
import app, pytest

@pytest.mark.parametrize("n", range(200))
def test_days(n, llm_simulator):
    asked = "How many days does month 137 have?" if n == 137 else f"How many days has month {n}?"
    assert app.ask(asked) == f"{n} of them"
"""


def run(folder: Path, *arguments: str, measured: bool = False) -> subprocess.CompletedProcess[str]:
    """pytest, with an environment that names no provider and no key; `measured`: its coverage counts."""
    named = ("OPENAI_", "ANTHROPIC_", "" if measured else "COVERAGE_")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(tuple(filter(None, named)))}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:hypothesispytest", *arguments]
    return subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, timeout=55, check=False)


def documented_failure() -> str:
    text = (ROOT / "docs" / "pytest.md").read_text()
    block = re.search(r"```text\n(an LLM call .*?)```", text, re.DOTALL)
    assert block is not None
    return block[1]


def test_one_planted_miss_of_200_shows_what_the_docs_show(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APPLICATION)
    (tmp_path / "test_calendar.py").write_text(CALENDAR)
    (tmp_path / "pytest.ini").write_text("[pytest]\npythonpath = .\n")
    for n in range(200):
        path = tmp_path / "cassettes" / "test_calendar" / f"test_days[{n}].yaml"
        write(path, (f"How many days has month {n}?", f"{n} of them"))
    done = run(tmp_path, "-q", "-n2", "--junitxml=report.xml", "--llm-unused=warn", "--llm-orphans=fail", measured=True)
    assert "1 failed, 199 passed" in done.stdout, done.stdout
    heading, _, report = documented_failure().partition("\n")
    section = re.search(
        r"^-+ llm-simulator: (.*?) -+\n(.*?)^=+ short test summary", done.stdout, re.DOTALL | re.MULTILINE
    )
    assert section is not None, done.stdout
    assert (section[1], section[2]) == (heading, report)
    (failed,) = (
        case for case in ElementTree.parse(tmp_path / "report.xml").iter("testcase") if case.find("failure") is not None
    )
    assert failed.get("name") == "test_days[137]"
    assert [one.get("value") for one in failed.iter("property")] == [report.rstrip("\n")]
    assert "llm-simulator: recordings" not in done.stdout  # the failed test is not judged, all others used theirs


CHANGED = """
import assistant, pytest
from test_assistant import TEXT

@pytest.mark.llm_cassette("test_assistant/test_a_summary_is_what_the_model_wrote")
def test_with_another_prompt():
    assistant.summary(TEXT, words=10)
"""


def test_the_sample_project_passes_without_key_or_network_and_shows_a_changed_prompt(tmp_path: Path) -> None:
    project = tmp_path / "project"
    shutil.copytree(
        ROOT / "examples" / "pytest", project, ignore=shutil.ignore_patterns("__pycache__", ".pytest_cache")
    )
    (project / "tests" / "test_changed.py").write_text(CHANGED)
    before = {path: path.read_bytes() for path in project.rglob("*.yaml")}
    done = run(project, "-q", "--llm-orphans=fail", "--tb=line")
    assert done.returncode == 1
    assert "1 failed, 6 passed" in done.stdout, done.stdout
    assert "      $.messages[0].content\n" in done.stdout
    assert '        asked     "Summarise in at most 10 words."\n' in done.stdout
    assert '        recorded  "Summarise in at most 20 words."\n' in done.stdout
    assert {path: path.read_bytes() for path in project.rglob("*.yaml")} == before
    assert len(before) == 3
    assert "llm-simulator: " not in done.stdout.partition("short test summary")[2]  # nothing unused, no orphan
    assert "pytest                     # 6 passed" in (project / "README.md").read_text()
