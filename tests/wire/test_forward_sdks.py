"""Real SDKs and HTTP libraries through `run --proxy`: recorded once, replayed through the door and by base URL."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from provider_bytes import Provider, expected_steps
from serving import llm_simulator
from standin import Standin, standin

pytestmark = [pytest.mark.wire, pytest.mark.untraced, pytest.mark.timeout(240)]

PROGRAMS = Path(__file__).resolve().parents[1] / "programs"
KEY = "sk-proj-notReallyAKey0123456789abcdefghijABCDEFGHIJ"
WATCHED = {"PYTHONWARNINGS": "always::ResourceWarning,always::RuntimeWarning"}
COMPLAINTS = ("Warning", "Traceback", "Unclosed", "never awaited", "Exception ignored", "proxy:")
SDKS = [
    ("openai", "yaml", "api.openai.com", "OPENAI_API_KEY"),
    ("anthropic", "db", "api.anthropic.com", "ANTHROPIC_API_KEY"),
    ("gemini", "yaml", "generativelanguage.googleapis.com", "GEMINI_API_KEY"),  # sync, and async over aiohttp
    ("cohere", "db", "api.cohere.com", "CO_API_KEY"),
]


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch, capture_python: str, tmp_path: Path) -> None:
    """The machine's own keys, base URLs, proxies and roots must not decide a test; the authority is the test's own."""
    prefixes = ("OPENAI_", "AZURE_", "ANTHROPIC_", "GOOGLE_", "GEMINI_", "CO_", "COHERE_", "LLM_SIMULATOR_")
    for name in tuple(os.environ):
        if name.startswith(prefixes) or name.lower().endswith("_proxy") or name.endswith(("_CA_BUNDLE", "_CA_CERTS")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("LLM_SIMULATOR_CAPTURE_PYTHON", capture_python)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


@pytest.fixture(scope="module")
def isolation() -> None:
    code = "from llm_simulator.cli.isolate import isolate; isolate()"
    probe = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=20)
    if probe.returncode:
        pytest.skip(probe.stderr.strip().splitlines()[-1])


def run(*arguments: str, program: str, report: Path, environ: dict[str, str] | None = None) -> tuple[Any, Any]:
    """`llm-simulator run ... -- python program`; the finished process and its report."""
    command = ("env", "-u", "PYTHONWARNINGS", sys.executable, str(PROGRAMS / f"{program}_program.py"))
    done = llm_simulator(
        "run", *arguments, "--report", str(report), "--", *command, environ={**WATCHED, **(environ or {})}
    )
    told = "\n".join(line for line in done.stderr.splitlines() if "JAVA_TOOL_OPTIONS" not in line)
    assert not [word for word in COMPLAINTS if word in told], done.stderr
    assert done.returncode == 0, done.stderr
    return done, json.loads(report.read_text())


def record(
    program: str, host: str, kept: Path, running: Standin, roots: Path, environ: dict[str, str]
) -> tuple[Any, Any]:
    return run(
        *("--proxy", "--cassette", str(kept), "--mode", "record", "--upstream", f"{host}={running.url}"),
        program=program,
        report=kept.with_name("recorded.json"),
        environ={"SSL_CERT_FILE": str(roots), **environ},
    )


@pytest.mark.usefixtures("isolation")
@pytest.mark.parametrize(("sdk", "suffix", "host", "key"), SDKS, ids=[sdk[0] for sdk in SDKS])
def test_a_program_recorded_through_the_door_runs_the_same_through_it_and_by_base_url(
    provider_certificates: tuple[Path, Path], tmp_path: Path, sdk: str, suffix: str, host: str, key: str
) -> None:
    kept = tmp_path / f"c.{suffix}"
    with standin(Provider(host), provider_certificates[1]) as running:
        live, recording = record(sdk, host, kept, running, provider_certificates[0], {key: KEY})
    asynchronous = sdk == "gemini"
    requests = 18 + asynchronous
    assert len(running.asked) == recording["total"]["recorded"] == requests
    seen = [(line["step"], line["text"]) for line in map(json.loads, live.stdout.splitlines())]
    assert seen == [(step, said.text) for step, said in expected_steps(asynchronous=asynchronous)]
    assert all(KEY in "".join(value for _, value in asked.headers) for asked in running.asked)
    assert not any(name.lower().startswith("x-llm-simulator") for asked in running.asked for name, _ in asked.headers)
    for door in (("--proxy",), ()):
        replayed, report = run(
            *("--isolate", *door, "--cassette", str(kept), "--mode", "replay"),
            program=sdk,
            report=tmp_path / "replayed.json",
        )
        assert replayed.stdout == live.stdout
        assert {name: report["total"][name] for name in ("calls", "replayed", "missed", "forwarded", "simulated")} == {
            "calls": requests,
            "replayed": requests,
            "missed": 0,
            "forwarded": 0,
            "simulated": 0,
        }
        assert (report["unused"], report["truncated"], report["egress"]) == ([], [], {})
        assert report["evidence"][0].startswith("--isolate")
    written = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file())
    assert KEY.encode() not in written
    assert b"x-llm-simulator-door" not in written


@pytest.mark.usefixtures("isolation")
def test_plain_http_libraries_and_curl(provider_certificates: tuple[Path, Path], tmp_path: Path) -> None:
    kept, host = tmp_path / "c.yaml", "api.openai.com"
    with standin(Provider(host), provider_certificates[1]) as running:
        live, recording = record("clients", host, kept, running, provider_certificates[0], {})
    names = ["requests", "httpx", "httpx2", "urllib", "aiohttp", "curl"]
    assert live.stdout.splitlines() == [f'{name} "Hello there, dear reader."' for name in names]
    assert recording["total"]["recorded"] == len(names)
    replayed, report = run(
        *("--isolate", "--proxy", "--cassette", str(kept), "--mode", "replay"),
        program="clients",
        report=tmp_path / "replayed.json",
    )
    assert replayed.stdout == live.stdout
    assert report["total"]["replayed"] == len(names)
