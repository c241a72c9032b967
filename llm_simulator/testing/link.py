"""The server of a test run: one process, started at the first use, spoken to over its standard streams.

A process of its own, so that nothing of ours is imported beside the application's SDKs, a frozen clock or a patched
socket in a test does not reach it, and it may live in an environment of its own (only its command is needed).
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import IO, Any

from llm_simulator.errors import ConfigError, SimulatorError

PROTOCOL = 2
COMMAND_VARIABLE = "LLM_SIMULATOR_COMMAND"
_NEEDED = ("aiohttp", "click", "aiosqlite")  # of the server; without them in this environment it is another one's


class LinkError(SimulatorError):
    """The server process could not be started, ended, or refused what was asked."""


def command() -> list[str]:
    """How to start the server: this environment's, where it is complete, else `llm-simulator` on PATH.

    Raises:
        ConfigError: there is neither.
    """
    if given := os.environ.get(COMMAND_VARIABLE):
        return [given]
    if all(importlib.util.find_spec(name) is not None for name in _NEEDED):
        return [sys.executable, "-m", "llm_simulator.cli"]
    found = shutil.which("llm-simulator")
    if found is None:
        raise ConfigError(
            "the command llm-simulator is not on PATH and this environment lacks what the server needs: "
            f"install it as a tool (uv tool install llm-simulator, or pipx), or name it in {COMMAND_VARIABLE}"
        )
    return [found]


class Link:
    """Asks one server process; any thread may. A forked child gets a server of its own."""

    def __init__(self, argv: Sequence[str]) -> None:
        self._argv = [*argv, "pytest-server"]
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._owner = 0
        self._errors: IO[str] | None = None

    def ask(self, what: str, **details: Any) -> Any:
        """One question, one answer.

        Raises:
            LinkError: the server says no, or is gone.
        """
        with self._lock:
            answer = self._exchange({"do": what, **details})
        if "error" in answer:
            raise LinkError(answer["error"])
        return answer["ok"]

    def close(self) -> None:
        """Ends the process: it stops at the end of its input."""
        process, self._process = self._process, None
        if process is None or self._owner != os.getpid():
            return
        assert process.stdin is not None
        assert process.stdout is not None
        assert self._errors is not None
        with suppress(BrokenPipeError):  # it has ended by itself
            process.stdin.close()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()
        self._errors.close()

    def _exchange(self, question: dict[str, Any]) -> dict[str, Any]:
        process = self._running()
        assert process.stdin is not None
        try:
            process.stdin.write(json.dumps(question) + "\n")
            process.stdin.flush()
        except OSError as error:
            raise self._gone() from error
        return self._line(process)

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None or self._owner != os.getpid():
            self._process = self._start()
            self._owner = os.getpid()
            hello = self._line(self._process)
            if hello.get("protocol") != PROTOCOL:
                raise LinkError(
                    f"{' '.join(self._argv)} is version {hello.get('version')} and speaks protocol "
                    f"{hello.get('protocol')}, this plugin {PROTOCOL}: install the same version of both"
                )
        return self._process

    def _start(self) -> subprocess.Popen[str]:
        self._errors = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115  # until `close`
        try:
            return subprocess.Popen(
                self._argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                encoding="utf-8",
            )
        except OSError as error:
            self._errors.close()
            raise LinkError(f"cannot start {self._argv[0]}: {error.strerror or error}") from error

    def _line(self, process: subprocess.Popen[str]) -> dict[str, Any]:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise self._gone()
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _gone(self) -> LinkError:
        assert self._errors is not None
        self._errors.seek(0)
        said = self._errors.read()[-2000:].strip()
        return LinkError(f"the server process ({' '.join(self._argv)}) has ended. It said:\n{said or '(nothing)'}")
