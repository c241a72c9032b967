"""Node, Go and Java through `run --proxy`: recorded once, replayed through the door (Node's SDKs also by base URL)."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from door_rig import listening
from node_rig import node_command
from provider_bytes import Provider, said
from serving import llm_simulator
from standin import standin

pytestmark = [pytest.mark.wire, pytest.mark.untraced, pytest.mark.timeout(300)]

PROGRAMS = Path(__file__).resolve().parents[1] / "programs"
SDKS = [
    ("openai", "api.openai.com", "OPENAI_API_KEY"),
    ("anthropic", "api.anthropic.com", "ANTHROPIC_API_KEY"),
    ("gemini", "generativelanguage.googleapis.com", "GEMINI_API_KEY"),
]
STEPS = ["plain", "stream", "gzip", "limited", *(f"call{n}" for n in range(8))]


@pytest.fixture(scope="session")
def node() -> list[str]:
    """Node 22 from PyPI, and the SDKs of the lock file beside it; made once in the user's cache folder."""
    command, programs = node_command(PROGRAMS / "node")
    return [command, str(programs)]


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch, capture_python: str, tmp_path: Path) -> None:
    prefixes = ("OPENAI_", "ANTHROPIC_", "GOOGLE_", "GEMINI_", "LLM_SIMULATOR_", "NODE_", "JAVA_TOOL")
    for name in tuple(os.environ):
        if name.startswith(prefixes) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("LLM_SIMULATOR_CAPTURE_PYTHON", capture_python)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


@pytest.fixture(scope="module")
def isolation() -> None:
    code = "from llm_simulator.cli.isolate import isolate; isolate()"
    probe = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=20)
    if probe.returncode:
        pytest.skip(probe.stderr.strip().splitlines()[-1])


def run(
    command: Sequence[str], report: Path, *arguments: str, environ: dict[str, str] | None = None
) -> tuple[str, Any, str]:
    done = llm_simulator("run", *arguments, "--report", str(report), "--", *command, environ=environ or {})
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout, json.loads(report.read_text())["total"], done.stderr


@pytest.mark.usefixtures("isolation")
@pytest.mark.parametrize(("sdk", "host", "key"), SDKS, ids=[sdk[0] for sdk in SDKS])
def test_a_node_sdk(
    node: list[str], provider_certificates: tuple[Path, Path], tmp_path: Path, sdk: str, host: str, key: str
) -> None:
    command = (node[0], f"{node[1]}/{sdk}_program.mjs")
    kept, report = tmp_path / "c.db", tmp_path / "report.json"
    with standin(Provider(host), provider_certificates[1]) as running:
        recording = ("--proxy", "-c", str(kept), "-m", "record", "--upstream", f"{host}={running.url}")
        environ = {"SSL_CERT_FILE": str(provider_certificates[0]), key: "sk-nobody"}
        live, recorded, _ = run(command, report, *recording, environ=environ)
    lines = [json.loads(line) for line in live.splitlines()]
    # Each text is the whole answer; "limited" is the one after a refusal that was tried again.
    expected = [(step, said(step, int(step == "limited")).text) for step in STEPS]
    assert [(line["step"], line["text"]) for line in lines] == expected
    assert lines[1]["many"]
    assert recorded["recorded"] == len(running.asked) == len(STEPS) + 1
    for door in (("--proxy",), ()):
        replayed, total, _ = run(command, report, *door, "--isolate", "-c", str(kept), "-m", "replay")
        assert (replayed, total["replayed"], total["missed"]) == (live, len(STEPS) + 1, 0)


NODE_PROGRAM = """
const https = require("https");
const [port] = process.argv.slice(1);
const get = (url) => fetch(url).then((r) => r.status, (e) => String(e.cause ?? e));
const old = (url) => new Promise((done) => https.get(url, (r) => done(r.statusCode)).on("error", (e) => done(String(e))));
(async () => {
  console.log(await get(`http://127.0.0.1:${port}/`), await get(`http://localhost:${port}/`));
  console.log(await get("https://api.openai.com/v1/models"), await old("https://api.openai.com/v1/models"));
  console.log(await get("http://api.openai.com/v1/models"));
  console.log(await get("https://outside.example/"));
  console.log(await old("https://outside.example/"));
  process.exit();
})();
"""


def test_an_old_node_uses_the_proxy_too(node: list[str], tmp_path: Path) -> None:
    """fetch and https, providers and strangers; loopback stays direct."""
    report = tmp_path / "report.json"
    with listening() as local:
        arguments = ("--proxy", "-m", "simulate", "--speed", "0")
        stdout, total, _ = run((node[0], "-e", NODE_PROGRAM, str(local.port)), report, *arguments)
    assert stdout.splitlines() == [
        "200 200",
        "200 200",
        "200",
        "Error: the proxy answered 403 to CONNECT outside.example:443",
        "Error: the proxy answered 403 to CONNECT outside.example:443",
    ]
    assert local.accepted >= 1
    assert total["simulated"] == 3
    assert json.loads(report.read_text())["egress"] == {"outside.example": 2}


def go_command(folder: Path) -> list[str]:
    if shutil.which("go") is None:
        pytest.skip("Go is not installed")
    binary = folder / "client"
    subprocess.run(["go", "build", "-o", binary, PROGRAMS / "client_program.go"], check=True)
    return [str(binary)]


def java_command(folder: Path) -> list[str]:
    if shutil.which("javac") is None or shutil.which("keytool") is None:
        pytest.skip("a Java development kit is not installed")
    subprocess.run(["javac", "-d", folder, PROGRAMS / "ClientProgram.java"], check=True)
    return ["java", "-cp", str(folder), "ClientProgram"]


@pytest.mark.usefixtures("isolation")
@pytest.mark.parametrize("build", [go_command, java_command])
def test_a_client_in_another_language(provider_certificates: tuple[Path, Path], tmp_path: Path, build: Any) -> None:
    command, host = build(tmp_path), "api.openai.com"
    kept, report = tmp_path / "c.yaml", tmp_path / "report.json"
    with standin(Provider(host), provider_certificates[1]) as running:
        recording = ("--proxy", "-c", str(kept), "-m", "record", "--upstream", f"{host}={running.url}")
        live, total, _ = run(command, report, *recording, environ={"SSL_CERT_FILE": str(provider_certificates[0])})
    assert (live, total["recorded"]) == ("Hello there, dear reader.\n", 1)
    replayed, total, _ = run(command, report, "--proxy", "--isolate", "-c", str(kept), "-m", "replay")
    assert (replayed, total["replayed"], total["missed"]) == (live, 1, 0)
