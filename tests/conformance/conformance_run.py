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
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from conformance_clients import CLIENTS, HERE, Client, Environment, Key
from node_rig import CACHE, node_command, one_at_a_time
from serving import command_serving

PROGRAM_SECONDS = 240
SERVE = ("--mode", "simulate", "--speed", "0", "--log-level", "error")
_PRIVATE = ("OPENAI_", "AZURE_", "ANTHROPIC_", "GOOGLE_", "GEMINI_", "CO_", "COHERE_", "MISTRAL_", "LLM_SIMULATOR_")


@dataclass(frozen=True, slots=True)
class Result:
    """What a case came to: "passed", "failed" or "not served"; `detail` is the failure's traceback."""

    outcome: str
    detail: str = ""


Results = Mapping[Key, Result]


def run_all() -> Results:
    """Every case of every client. Makes the environments where they are not there yet."""
    commands = _commands()
    with (
        command_serving(*SERVE) as (lenient, _),
        command_serving(*SERVE, environ={"LLM_SIMULATOR__SIMULATION__VALIDATION": "provider"}) as (strict, _),
        ThreadPoolExecutor(max_workers=max(2, os.cpu_count() or 2)) as pool,
    ):
        runs = [
            pool.submit(_run, client, program, commands[client.environment], (lenient, strict))
            for client in CLIENTS
            for program in client.programs
        ]
        return {key: result for run in runs for key, result in run.result()}


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
            pip = (str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check")
            subprocess.run([*pip, "-r", lists[0], "-c", lists[1]], check=True)
            (place / ".complete").touch()
    return str(python)


def _run(
    client: Client, program: str, command: tuple[str, Path], servers: tuple[str, str]
) -> Iterable[tuple[Key, Result]]:
    done = subprocess.run(
        [command[0], str(command[1] / program), *servers],
        env=_environ(),
        capture_output=True,
        text=True,
        timeout=PROGRAM_SECONDS,
        check=False,
    )
    if done.returncode:
        raise AssertionError(f"{client.name}: {program} ended with {done.returncode}:\n{done.stderr[-3000:]}")
    # Some clients chatter on standard output.
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('["')]
    return [
        (Key(client.name, endpoint, feature), Result(outcome, detail)) for endpoint, feature, outcome, detail in lines
    ]


def _environ() -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(_PRIVATE) and not name.lower().endswith("_proxy") and name != "PYTHONWARNINGS"
    }
    return {**kept, "PYTHONUTF8": "1"}


def _versions(client: Client, command: tuple[str, Path]) -> Iterable[str]:
    if client.environment is Environment.NODE:
        for package in client.packages:
            told = json.loads((command[1] / "node_modules" / package / "package.json").read_text())
            yield f"{package} {told['version']}"
        return
    code = "import sys; from importlib.metadata import version; [print(name, version(name)) for name in sys.argv[1:]]"
    said = subprocess.run([command[0], "-c", code, *client.packages], check=True, capture_output=True, text=True)
    yield from said.stdout.splitlines()
