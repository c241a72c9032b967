"""Recording from a provider (our own simulator, on another port) through the plugin, then replaying what was recorded."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from calendar_project import APPLICATION, write
from serving import serving

from llm_simulator.config.settings import Settings
from llm_simulator.types import Mode

pytestmark = pytest.mark.wire

TESTS = """
import app, pytest

@pytest.mark.parametrize("n", [pytest.param(n, marks=pytest.mark.xdist_group(f"g{n % 2}")) for n in range(6)])
def test_own(n, llm_simulator):
    assert app.ask(f"question {n}")
    assert llm_simulator.calls[0].source in ("upstream", "cassette")
    print("source", llm_simulator.calls[0].source)

@pytest.mark.llm_cassette("shared")
@pytest.mark.parametrize("n", range(6))
def test_shared(n):
    assert app.ask(f"shared question {n}")
"""

CONFTEST = """
import pytest

@pytest.fixture
def llm_upstreams():
    return {{"api.openai.com": "{provider}"}}
"""


def run(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "COVERAGE_"))}
    command = [sys.executable, "-m", "pytest", "-q", "-n2", "-p", "no:cacheprovider", "-p", "no:hypothesispytest"]
    return subprocess.run(
        [*command, *arguments], cwd=project, env=environ, capture_output=True, text=True, timeout=55, check=False
    )


def test_workers_record_at_once_and_what_they_recorded_replays(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APPLICATION)
    (tmp_path / "test_it.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\npythonpath = .\n")
    with serving(Settings(mode=Mode.SIMULATE, port=0, speed=0)) as provider:
        (tmp_path / "conftest.py").write_text(CONFTEST.format(provider=provider.base_url))
        recorded = run(tmp_path, "--llm-mode=record", "--llm-block-network", "--dist=loadgroup")
        assert recorded.returncode == 0, recorded.stdout + recorded.stderr
        assert provider.observer.journal.total == 12
    replayed = run(tmp_path, "--llm-unused=fail", "--llm-orphans=fail", "--llm-max-age=1d", "-rP")
    assert replayed.returncode == 0, replayed.stdout
    assert replayed.stdout.count("source cassette") == 6
    files = sorted(str(path.relative_to(tmp_path / "cassettes")) for path in tmp_path.rglob("*.yaml"))
    assert files == ["shared.yaml", *(f"test_it/test_own[{n}].yaml" for n in range(6))]


def test_a_test_that_misses_can_be_recorded_by_the_command_that_it_names(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APPLICATION)
    (tmp_path / "test_it.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\npythonpath = .\n")
    missed = run(tmp_path, "-n0", "test_it.py::test_own[3]")
    assert missed.returncode == 1
    command = next(line for line in missed.stdout.splitlines() if line.startswith("To record this call:"))
    assert command == "To record this call:         pytest 'test_it.py::test_own[3]' --llm-mode=record-missing"
    with serving(Settings(mode=Mode.SIMULATE, port=0, speed=0)) as provider:
        (tmp_path / "conftest.py").write_text(CONFTEST.format(provider=provider.base_url))
        assert run(tmp_path, "-n0", "test_it.py::test_own[3]", "--llm-mode=record-missing").returncode == 0
        assert provider.observer.journal.total == 1
    assert run(tmp_path, "-n0", "test_it.py::test_own[3]").returncode == 0


def test_what_a_provider_answers_differently_fails_a_verifying_run_by_choice(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APPLICATION)
    (tmp_path / "test_it.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\npythonpath = .\n")
    write(tmp_path / "cassettes" / "test_it" / "test_own[3].yaml", ("question 3", "an answer of fewer fields"))
    with serving(Settings(mode=Mode.SIMULATE, port=0, speed=0)) as provider:
        (tmp_path / "conftest.py").write_text(CONFTEST.format(provider=provider.base_url))
        verified = run(tmp_path, "-n0", "test_it.py::test_own[3]", "--llm-mode=verify", "--llm-changed=fail")
    assert verified.returncode == 1
    assert "1 passed" in verified.stdout
    assert "llm-simulator: answers that differ from their recordings (mode verify)" in verified.stdout
    assert "\nFAILED test_it.py::test_own[3]: " in verified.stdout
    assert "$.model is new" in verified.stdout
