"""pytest with the plugin under `llm-simulator run`: a marked test has its own simulator, the others have the run's."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from calendar_project import APPLICATION
from serving import llm_simulator, serving

from llm_simulator.config.settings import Settings
from llm_simulator.types import Mode

pytestmark = pytest.mark.wire

TESTS = """
import os, app, pytest

@pytest.mark.llm_cassette("own", mode="simulate")
def test_marked(llm_simulator):
    assert os.environ["OPENAI_BASE_URL"] == llm_simulator.base_url + "/api.openai.com/v1"
    assert app.ask("a marked question")
    (call,) = llm_simulator.calls
    assert (call.provider, call.source, call.path) == ("openai", "simulator", "/v1/chat/completions")

def test_plain():
    assert app.ask("a plain question")
"""


def test_each_test_talks_to_the_simulator_that_it_means(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APPLICATION)
    (tmp_path / "test_it.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\npythonpath = .\n")
    report = tmp_path / "report.json"
    pytest_command = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:hypothesispytest")
    environ = {"OPENAI_BASE_URL": "", "COVERAGE_PROCESS_CONFIG": ""}
    done = llm_simulator(
        "run",
        "-m",
        "simulate",
        "--speed",
        "0",
        "--report",
        str(report),
        "--",
        *pytest_command,
        environ=environ,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(report.read_text())["total"]["calls"] == 1


def test_a_marked_test_records_from_the_provider_and_not_from_the_run_around_it(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APPLICATION)
    (tmp_path / "test_it.py").write_text(
        'import app, pytest\n\n@pytest.mark.llm_cassette("own")\ndef test_marked():\n    assert app.ask("a question")\n'
    )
    (tmp_path / "pytest.ini").write_text("[pytest]\npythonpath = .\n")
    pytest_command = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:hypothesispytest")
    with serving(Settings(mode=Mode.SIMULATE, port=0, speed=0)) as provider:
        upstreams = {"api.openai.com": provider.base_url}
        conftest = f"import pytest\n\n@pytest.fixture\ndef llm_upstreams():\n    return {upstreams!r}\n"
        (tmp_path / "conftest.py").write_text(conftest)
        command = (*pytest_command, "--llm-mode=record")
        done = llm_simulator(
            *("run", "-m", "record", "-c", str(tmp_path / "outer.yaml"), "--", *command),
            environ={"OPENAI_BASE_URL": "", "OPENAI_API_KEY": "sk-test", "COVERAGE_PROCESS_CONFIG": ""},
            cwd=tmp_path,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert provider.observer.journal.total == 1
    text = (tmp_path / "cassettes" / "own.yaml").read_text()
    assert "host: api.openai.com\n" in text
    assert "127.0.0.1" not in text
