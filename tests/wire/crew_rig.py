"""`llm-simulator serve --workers N` as processes, and many clients at once that each open a connection of their own."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeVar

from serving import COMMAND, Got, ask

T = TypeVar("T")
CHAT = "/v1/chat/completions"


def question(text: str = "Hi", **more: Any) -> dict[str, Any]:
    return {"model": "gpt-4o", "messages": [{"role": "user", "content": text}], **more}


@dataclass
class Crewed:
    """A server with its workers."""

    base_url: str
    process: subprocess.Popen[str]
    said: IO[str]

    def get(self, path: str) -> Any:
        return ask(self.base_url, path).json()

    def workers(self) -> list[int]:
        """Process ids."""
        return [worker["process"] for worker in self.get("/admin/workers")["workers"]]

    def at_once(self, count: int, body: Any, clients: int = 16, **headers: str) -> list[Got]:
        """So many equal calls, each on a connection of its own."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        with ThreadPoolExecutor(clients) as pool:
            asked = [pool.submit(ask, self.base_url, CHAT, body, headers=named) for _ in range(count)]
            return [one.result() for one in asked]

    def log(self) -> str:
        self.said.seek(0)
        return self.said.read()


@contextmanager
def crewed(*arguments: str, workers: int = 2, environ: Mapping[str, str] | None = None) -> Generator[Crewed]:
    """Ready when this yields: it says so once all workers accept."""
    command = [*COMMAND, "serve", "--port", "0", "--workers", str(workers), "--log-level", "warning", *arguments]
    with tempfile.TemporaryFile("a+") as said:  # whoever reads it must not move the place where the process writes
        process = subprocess.Popen(command, stderr=said, text=True, env={**os.environ, **(environ or {})})
        try:
            yield Crewed(until(lambda: _url(process, said)), process, said)
        finally:
            process.terminate()
            process.wait(timeout=30)


def _url(process: subprocess.Popen[str], said: IO[str]) -> str:
    said.seek(0)
    told = said.read()
    assert process.poll() is None, f"the server ended: {told}"
    found = re.search(r"llm-simulator serves (http://\S+)", told)
    return found[1] if found else ""


def until(look: Callable[[], T], seconds: float = 20) -> T:
    """What `look` gives once it is truthy."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"not within {seconds} s"
        threading.Event().wait(0.02)
    return found


def alive(pid: int) -> bool:
    """Whether a process runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
