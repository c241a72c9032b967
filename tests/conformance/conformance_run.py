"""Runs the programs of all clients against two real servers, and gathers what each case came to.

The servers are `llm-simulator serve` in processes of their own, with real sockets: one as it is by default, one that
validates as the provider does. No key, proxy or base URL of the machine reaches a program.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Generator, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from conformance_clients import CLIENTS, HERE, Client, Environment, Key, declared
from node_rig import CACHE, node_command, one_at_a_time
from serving import COMMAND, free_port, wait_ready

PROGRAM_SECONDS = 240
SERVE = ("--mode", "simulate", "--speed", "0", "--log-level", "error")
_PRIVATE = ("OPENAI_", "AZURE_", "ANTHROPIC_", "GOOGLE_", "GEMINI_", "CO_", "COHERE_", "MISTRAL_", "LLM_SIMULATOR_")


@dataclass(frozen=True, slots=True)
class Result:
    """What a case came to: "passed", "failed" or "not served"; `detail` is the failure's traceback."""

    outcome: str
    detail: str = ""


Results = Mapping[Key, Result]


def run_all(log: Path) -> Results:
    """Every case of every client. Makes the environments where they are not there yet.

    `log` is a file for what the servers say: at log level error their greeting, and errors of their own.
    """
    commands = _commands()
    with (
        log.open("w") as written,
        serving_process(written) as lenient,
        serving_process(written, LLM_SIMULATOR__SIMULATION__VALIDATION="provider") as strict,
        ThreadPoolExecutor(max_workers=max(2, os.cpu_count() or 2)) as pool,
    ):
        runs = [
            pool.submit(_run, client, path, commands[client.environment], (lenient, strict))
            for client in CLIENTS
            for path in client.paths()
        ]
        return {key: result for run in runs for key, result in run.result()}


@contextmanager
def serving_process(log: IO[str], *arguments: str, **environ: str) -> Generator[str]:
    """The base URL of `llm-simulator serve` in a process of its own."""
    port = free_port()
    process = subprocess.Popen(
        [*COMMAND, "serve", "--port", str(port), *SERVE, *arguments], env=_environ(environ), stderr=log, text=True
    )
    try:
        wait_ready(f"http://127.0.0.1:{port}", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


def second_line(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A program of `clients/` in the environment of the second line, run to its end."""
    command = [_second_line(), str(Environment.SECOND_LINE.folder / program), *arguments]
    return subprocess.run(
        command, env=_environ({}), capture_output=True, text=True, timeout=PROGRAM_SECONDS, check=False
    )


def versions() -> Mapping[str, str]:
    """The version of each client's packages: "langchain-openai 1.7.4, ..." by client name."""
    commands = _commands()
    return {client.name: ", ".join(_versions(client, commands[client.environment])) for client in CLIENTS}


def _commands() -> Mapping[Environment, tuple[str, Path]]:
    """The interpreter of each environment, and the folder from which it runs its programs."""
    return {
        Environment.TESTS: (sys.executable, Environment.TESTS.folder),
        Environment.SECOND_LINE: (_second_line(), Environment.SECOND_LINE.folder),
        Environment.NODE: node_command(Environment.NODE.folder),
    }


def _second_line() -> str:
    folder = HERE / "second_line"
    lists = (folder / "requirements.txt", folder / "constraints.txt")
    digest = hashlib.sha256(sys.version.encode() + b"".join(path.read_bytes() for path in lists)).hexdigest()[:12]
    place = CACHE / f"second-line-{digest}"
    python = place / "bin" / "python"
    with one_at_a_time("second-line"):
        if not (place / ".complete").exists():
            shutil.rmtree(place, ignore_errors=True)
            subprocess.run([sys.executable, "-m", "venv", place], check=True)
            pip = (str(python), "-m", "pip", "install", "-q", "--no-compile", "--disable-pip-version-check")
            subprocess.run([*pip, "-r", lists[0], "-c", lists[1]], check=True)
            (place / ".complete").touch()
    return str(python)


def _run(
    client: Client, path: Path, command: tuple[str, Path], servers: tuple[str, str]
) -> Iterable[tuple[Key, Result]]:
    """The results of a program; a case of which it said nothing, because it broke off or hung, has failed."""
    process = subprocess.Popen(
        [command[0], str(command[1] / path.name), *servers],
        env=_environ({}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        stdout, stderr = process.communicate(timeout=PROGRAM_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        stdout, stderr = process.communicate()
    # Some clients chatter on standard output.
    told = [json.loads(line) for line in stdout.splitlines() if line.startswith('["')]
    results = {(endpoint, feature): Result(outcome, detail) for endpoint, feature, outcome, detail in told}
    silent = Result("failed", f"{path.name} ended with {process.returncode} before:\n{stderr[-2000:]}")
    cases = dict.fromkeys([*declared(path), *results])
    return [(Key(client.name, *case), results.get(case, silent)) for case in cases]


def _environ(more: Mapping[str, str]) -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(_PRIVATE) and not name.lower().endswith("_proxy") and name != "PYTHONWARNINGS"
    }
    return {**kept, "PYTHONUTF8": "1", **more}


def _versions(client: Client, command: tuple[str, Path]) -> Iterable[str]:
    if client.environment is Environment.NODE:
        for package in client.packages:
            told = json.loads((command[1] / "node_modules" / package / "package.json").read_text())
            yield f"{package} {told['version']}"
        return
    code = "import sys; from importlib.metadata import version; [print(name, version(name)) for name in sys.argv[1:]]"
    said = subprocess.run([command[0], "-c", code, *client.packages], check=True, capture_output=True, text=True)
    yield from said.stdout.splitlines()
