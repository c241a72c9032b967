"""What doctor finds, and what it warns of."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from llm_simulator import __version__
from llm_simulator.cli import cli
from llm_simulator.cli.doctor import application_python, application_warnings, diagnose, shown


@pytest.mark.parametrize(
    ("packages", "starts"),
    [
        ({"openai": "3", "aiohttp": "3"}, []),
        ({"google-genai": "3", "httpx": "0.28"}, []),
        (
            {"google-genai": "3", "aiohttp": "3"},
            ["aiohttp is installed in the application's environment: google-genai then"],
        ),
        ({"openai": "3", "mitmproxy": "11"}, ["mitmproxy is installed beside provider SDKs"]),
        ({"mitmproxy": "11"}, []),
    ],
)
def test_what_packages_do_to_an_application(packages: dict[str, str], starts: list[str]) -> None:
    found = application_warnings(packages)
    assert len(found) == len(starts)
    assert all(text.startswith(start) for text, start in zip(found, starts, strict=True))


def test_it_says_whether_aiohttp_is_there_for_our_sake() -> None:
    (alone,) = application_warnings({"google-genai": "3", "aiohttp": "3"})
    (beside,) = application_warnings({"google-genai": "3", "aiohttp": "3", "llm-simulator": "0"})
    assert "is installed in it as well" not in alone
    assert "llm-simulator, which needs aiohttp, is installed in it as well" in beside


def test_the_application_s_interpreter(tmp_path: Path) -> None:
    assert application_python({}, tmp_path) == sys.executable
    for folder in ("active", "here/.venv"):
        (tmp_path / folder / "bin").mkdir(parents=True)
        (tmp_path / folder / "bin" / "python").touch()
    assert application_python({}, tmp_path / "here") == str(tmp_path / "here/.venv/bin/python")
    active = {"VIRTUAL_ENV": str(tmp_path / "active")}
    assert application_python(active, tmp_path / "here") == str(tmp_path / "active/bin/python")


def test_facts_of_an_environment(tmp_path: Path) -> None:
    environ = {
        "XDG_DATA_HOME": str(tmp_path),
        "LLM_SIMULATOR_CAPTURE_PYTHON": "/nowhere/python",
        "OPENAI_BASE_URL": "https://user:secret@gateway.example/v1",
        "https_proxy": "http://user:secret@proxy.example",
    }
    found = diagnose(environ, sys.executable)
    assert found.facts["llm-simulator"]["version"] == __version__
    assert found.facts["application"]["llm-simulator"] == __version__
    assert found.facts["folders"]["data"] == f"{tmp_path}/llm-simulator (not there yet)"
    assert found.facts["environment"] == {
        "LLM_SIMULATOR_CAPTURE_PYTHON": "set",
        "OPENAI_BASE_URL": "gateway.example/v1",
        "HTTPS_PROXY": "set",
    }
    assert any("/nowhere/python" in text for text in found.warnings)
    assert any(text.startswith("HTTPS_PROXY is set and NO_PROXY does not exempt loopback") for text in found.warnings)
    assert "secret" not in shown(found)
    assert not any(
        "NO_PROXY" in text for text in diagnose({**environ, "NO_PROXY": "localhost"}, sys.executable).warnings
    )


def test_an_interpreter_that_cannot_be_asked() -> None:
    found = diagnose({}, "/nowhere/python")
    assert found.facts["application"] == {"interpreter": "/nowhere/python"}
    assert any(text.startswith("/nowhere/python could not be asked for its packages") for text in found.warnings)


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    text = CliRunner().invoke(cli, ["doctor", "--python", sys.executable])
    assert (text.exit_code, text.output.splitlines()[:2]) == (0, ["llm-simulator", f"  {'version':<20} {__version__}"])
    told = json.loads(CliRunner().invoke(cli, ["doctor", "--json", "--python", sys.executable]).output)
    assert list(told) == ["llm-simulator", "application", "folders", "ports", "environment", "warnings"]
    assert told["ports"].keys() == {"8080"}
