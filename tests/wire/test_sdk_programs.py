"""The main job with each official SDK: a program is recorded once, then runs the same with no network at all."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from provider_bytes import Provider, expected_steps
from serving import COMMAND, llm_simulator
from standin import certificate_files, standin

from llm_simulator import dialects
from llm_simulator.cassettes.cassette import Cassette
from llm_simulator.types import Exchange, RawRequest

pytestmark = pytest.mark.wire

PROGRAMS = Path(__file__).resolve().parents[1] / "programs"
KEY = "sk-proj-notReallyAKey0123456789abcdefghijABCDEFGHIJ"
SDKS = [
    # program, kind of cassette, host, key variable, words for "it ended" and "it calls a tool"
    ("openai", "yaml", "api.openai.com", "OPENAI_API_KEY", ("stop", "tool_calls")),
    ("anthropic", "db", "api.anthropic.com", "ANTHROPIC_API_KEY", ("end_turn", "tool_use")),
    ("gemini", "yaml", "generativelanguage.googleapis.com", "GEMINI_API_KEY", ("STOP", "STOP")),
    ("cohere", "db", "api.cohere.com", "CO_API_KEY", ("COMPLETE", "TOOL_CALL")),
]
PNG_BASE64 = b"iVBORw0KGgo"

# A warning of ours fails the test, one of an SDK does not: the child gets no PYTHONWARNINGS.
WATCHED = {"PYTHONWARNINGS": "always::ResourceWarning,always::RuntimeWarning"}
COMPLAINTS = ("Warning", "Traceback", "Unclosed", "never awaited", "Exception ignored")
CHILD = ("env", "-u", "PYTHONWARNINGS", sys.executable)


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine's own keys, base URLs and proxies must not decide a test."""
    prefixes = ("OPENAI_", "AZURE_", "ANTHROPIC_", "GOOGLE_", "GEMINI_", "CO_", "COHERE_", "LLM_SIMULATOR_")
    for name in tuple(os.environ):
        if name.startswith(prefixes) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return certificate_files(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def isolation() -> None:
    """Skips with the kernel's own words where it allows no network namespace."""
    code = "from llm_simulator.cli.isolate import isolate, interfaces; isolate(); print(*interfaces())"
    probe = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=20)
    if probe.returncode:
        pytest.skip(probe.stderr.strip().splitlines()[-1])
    assert probe.stdout.split() == ["lo"]


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A cassette with one recording that no test asks for."""
    return cassette(tmp_path_factory.mktemp("cassette") / "c.yaml", "/v1/never")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A cassette that knows one answer: the models of Anthropic."""
    return cassette(tmp_path_factory.mktemp("cassette") / "c.yaml", "/v1/models")


def cassette(path: Path, target: str) -> str:
    async def make() -> None:
        request = RawRequest("GET", target, host="api.anthropic.com")
        call = dialects.read(request)
        made = await Cassette.open(str(path), read=dialects.read, writable=True)
        exchange = Exchange(
            request=request,
            provider=call.provider,
            family=call.family,
            operation=call.operation,
            model="",
            stream=False,
            status=200,
            headers=(("content-type", "application/json"),),
            chunks=((1_000_000, b'{"data": []}'),),
        )
        await made.add(exchange, call, replace=False)
        await made.close()

    asyncio.run(make())
    return str(path)


def run(*arguments: str, program: str, report: Path, environ: dict[str, str] | None = None) -> tuple[Any, Any]:
    """`llm-simulator run ... -- python program`; the finished process and its report."""
    command = (*CHILD, str(PROGRAMS / f"{program}_program.py"))
    done = llm_simulator(
        "run", *arguments, "--report", str(report), "--", *command, environ={**WATCHED, **(environ or {})}
    )
    assert not [word for word in COMPLAINTS if word in done.stderr], done.stderr
    return done, json.loads(report.read_text())


@pytest.mark.usefixtures("isolation")
@pytest.mark.parametrize(("sdk", "suffix", "host", "key", "finishes"), SDKS, ids=[sdk[0] for sdk in SDKS])
def test_a_program_recorded_once_runs_the_same_without_a_network(
    certificates: tuple[Path, Path],
    tmp_path: Path,
    sdk: str,
    suffix: str,
    host: str,
    key: str,
    finishes: tuple[str, str],
) -> None:
    kept = tmp_path / f"c.{suffix}"
    provider = Provider(host)
    with standin(provider, certificates[1]) as running:
        live, recording = run(
            *("--cassette", str(kept), "--mode", "record", "--upstream", f"{host}={running.url}"),
            program=sdk,
            report=tmp_path / "recorded.json",
            environ={"SSL_CERT_FILE": str(certificates[0]), key: KEY},
        )
    assert live.returncode == 0, live.stderr
    asynchronous = sdk == "gemini"
    _check_transcript(live.stdout, finishes, asynchronous=asynchronous)
    requests = 18 + asynchronous  # 17 answers and the refusal before one of them
    assert len(running.asked) == requests
    assert (provider.seen["limited"], provider.encoded) == (2, 1)
    assert sum(PNG_BASE64 in asked.body for asked in running.asked) == 1
    assert all(KEY in "".join(value for _, value in asked.headers) for asked in running.asked)
    assert recording["total"]["recorded"] == recording["total"]["forwarded"] == requests
    assert recording["failed_writes"] == 0

    replayed, report = run(
        *("--isolate", "--cassette", str(kept), "--mode", "replay"), program=sdk, report=tmp_path / "replayed.json"
    )
    assert replayed.returncode == 0, replayed.stderr
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
    tokens = ("prompt_tokens", "completion_tokens")
    assert [report["total"][name] for name in tokens] == [recording["total"][name] for name in tokens]
    written = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert KEY.encode() not in written


def _check_transcript(stdout: str, finishes: tuple[str, str], *, asynchronous: bool) -> None:
    """The program saw what the provider said, before we compare two runs of it."""
    lines = [json.loads(line) for line in stdout.splitlines()]
    seen = [(line["step"], line["text"], line["tools"], line["finish"], line["usage"]) for line in lines]
    assert seen == [
        (
            step,
            said.text,
            [[name, json.loads(arguments)] for name, arguments in said.tools],
            finishes[bool(said.tools)],
            list(said.usage),
        )
        for step, said in expected_steps(asynchronous=asynchronous)
    ]
    by_step = {line["step"]: line for line in lines}
    assert by_step["stream"]["pieces"] > 1
    assert by_step["limited"].get("retries", 1) == 1
    assert len({line["id"] for line in lines if "id" in line}) == len([line for line in lines if "id" in line])


@pytest.mark.usefixtures("isolation")
@pytest.mark.parametrize("mode", ["replay", "auto", "simulate"])
def test_isolated_a_program_that_ignores_every_variable_reaches_nobody(models: str, tmp_path: Path, mode: str) -> None:
    done, report = run(
        *("--isolate", "--cassette", models, "--mode", mode), program="stubborn", report=tmp_path / "report.json"
    )
    source = "simulator" if mode == "simulate" else "cassette"
    assert done.stdout.splitlines() == [
        "192.0.2.1: ENETUNREACH",
        "2001:db8::1: ENETUNREACH",
        "interfaces: lo",
        f"simulator: 200 {source}",
    ]
    assert done.returncode == 0
    assert report["evidence"][0].startswith("--isolate")


def test_modes_that_need_the_network_cannot_be_isolated(tmp_path: Path) -> None:
    done = llm_simulator("run", "--isolate", "-c", str(tmp_path / "c.yaml"), "--mode", "record", "--", "true")
    assert done.returncode == 2
    assert done.stderr == "error: --isolate cuts the network off, and mode record needs it\n"
    assert list(tmp_path.iterdir()) == []


def test_the_refusing_door_turns_away_and_counts_by_host(empty: str, tmp_path: Path) -> None:
    done, report = run("--cassette", empty, "--mode", "replay", program="proxied", report=tmp_path / "report.json")
    assert done.stdout.splitlines() == [
        "urllib https://api.openai.com/v1/models: <urlopen error Tunnel connection failed: 403 Forbidden>",
        "urllib http://plain.example/page: 403",
        "httpx: ProxyError 403 Forbidden",
    ]
    assert done.returncode == 0
    assert report["egress"] == {"api.openai.com": 2, "plain.example": 1}
    assert "egress attempts refused: 3 — api.openai.com (2), plain.example (1)" in done.stderr
    assert not any(line.startswith("--isolate") for line in report["evidence"])


MISSING = (
    "import os, urllib.request as r, urllib.error as e\n"
    "try: r.urlopen(os.environ['OPENAI_BASE_URL'] + '/models')\n"
    "except e.HTTPError as x: print(x.code, x.headers['x-should-retry'])\n"
)


@pytest.mark.parametrize(
    ("command", "code", "missed", "stdout"),
    [
        ([sys.executable, "-c", "print('fine')"], 0, 0, "fine\n"),
        ([sys.executable, "-c", "raise SystemExit(3)"], 3, 0, ""),
        ([sys.executable, "-c", MISSING], 1, 1, "404 false\n"),
        ([sys.executable, "-c", f"{MISSING}raise SystemExit(5)"], 5, 1, "404 false\n"),
        (["sh", "-c", "kill -TERM $$"], 128 + signal.SIGTERM, 0, ""),
        (["no-such-command-anywhere"], 127, 0, ""),
        (["/etc/hostname"], 126, 0, ""),
        (["echo", "--mode", "auto", "-c", "x"], 0, 0, "--mode auto -c x\n"),  # what comes after -- is the command's
    ],
    ids=["0", "own", "miss", "own and miss", "signal", "not found", "not executable", "its own options"],
)
def test_exit_codes(empty: str, tmp_path: Path, command: list[str], code: int, missed: int, stdout: str) -> None:
    report = tmp_path / "report.json"
    done = llm_simulator("run", "-c", empty, "-m", "replay", "--report", str(report), "--", *command, environ=WATCHED)
    assert (done.returncode, done.stdout) == (code, stdout), done.stderr
    told = json.loads(report.read_text())
    assert (told["exit_code"], told["total"]["missed"], told["unused"]) == (code, missed, [1])
    assert not [word for word in COMPLAINTS if word in done.stderr], done.stderr


def test_a_signal_to_run_reaches_the_command_whose_exit_code_counts(empty: str) -> None:
    code = (
        "import signal, sys\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))\n"
        "print('up', flush=True)\n"
        "signal.pause()\n"
    )
    arguments = ("run", "-c", empty, "-m", "replay", "--", sys.executable, "-c", code)
    with subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "up\n"
            process.terminate()
            _, told = process.communicate(timeout=20)
        finally:
            process.kill()
    assert process.returncode == 7
    assert "llm-simulator: mode replay" in told


def test_ctrl_c_reaches_the_command_once(empty: str) -> None:
    """A terminal interrupts the whole foreground group; passed on as well it would come twice."""
    code = (
        "import signal\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])\n"
        "print('up', flush=True)\n"
        "signal.sigwait([signal.SIGINT])\n"
        "print('again' if signal.sigtimedwait([signal.SIGINT], 0.5) else 'once')\n"
    )
    terminal = (sys.executable, "-c", "import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)")
    command = (*COMMAND, "run", "-c", empty, "-m", "replay", "--", sys.executable, "-c", code)
    with subprocess.Popen([*terminal, *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            assert process.stdout.readline() == b"up\r\n"
            process.stdin.write(b"\x03")
            process.stdin.flush()
            assert process.stdout.readline().removeprefix(b"^C") == b"once\r\n"
            process.communicate(timeout=20)
        finally:
            process.kill()
    assert process.returncode == 0
