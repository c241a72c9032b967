"""Runs the real server on a thread with a loop of its own, or the real command in a process."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from llm_simulator.config.settings import Settings
from llm_simulator.proxy.server import Server

COMMAND = (sys.executable, "-m", "llm_simulator.cli")


@contextmanager
def serving(settings: Settings, environ: Mapping[str, str] | None = None) -> Generator[Server]:
    """A server in this process, on its own thread."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="serving")
    thread.start()

    def on_loop(coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result(30)

    try:
        server: Server = on_loop(Server.start(settings, environ or {}, run=uuid.uuid4().hex))
        try:
            yield server
        finally:
            on_loop(server.stop())
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


@dataclass
class Got:
    """A response as it came: (monotonic seconds, bytes) of each read, headers in order."""

    status: int
    reason: str
    headers: list[tuple[str, str]]
    body: bytes = b""
    reads: list[tuple[float, bytes]] = field(default_factory=lambda: [])
    complete: bool = True

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key.lower() == name), "")

    def json(self) -> Any:
        return json.loads(self.body)


def ask(
    base_url: str,
    target: str,
    body: Any = None,
    *,
    method: str = "",
    headers: Mapping[str, str] | Sequence[tuple[str, str]] = (),
    timeout: float = 20,
) -> Got:
    """One request over a socket of its own with nothing added but host and content-length."""
    host, _, port = base_url.removeprefix("http://").rpartition(":")
    connection = http.client.HTTPConnection(host.strip("[]"), int(port), timeout=timeout)
    try:
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        given = list(headers.items()) if isinstance(headers, Mapping) else list(headers)
        named = any(name.lower() == "host" for name, _ in given)
        verb = method or ("GET" if body is None else "POST")
        connection.putrequest(verb, target, skip_host=named, skip_accept_encoding=True)
        if data is not None:
            given.append(("content-length", str(len(data))))
        for name, value in given:
            connection.putheader(name, value)
        connection.endheaders(data)
        response = connection.getresponse()
        got = Got(response.status, response.reason, response.getheaders())
        try:
            while piece := response.read1(1 << 16):
                got.reads.append((time.monotonic(), piece))
        except (http.client.IncompleteRead, ConnectionError) as error:
            got.complete = False
            if isinstance(error, http.client.IncompleteRead):
                got.reads.append((time.monotonic(), error.partial))
        if response.length:  # a promised length that did not come
            got.complete = False
        got.body = b"".join(piece for _, piece in got.reads)
        return got
    finally:
        connection.close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


@contextmanager
def command_serving(
    *arguments: str, environ: Mapping[str, str] | None = None, port: int = 0
) -> Generator[tuple[str, Any]]:
    """`llm-simulator serve` as a process; gives its base URL and the process."""
    port = port or free_port()
    base_url = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryFile("w+") as said:  # not a pipe: nobody empties it, and a full one stops the server
        process = subprocess.Popen(
            [*COMMAND, "serve", "--port", str(port), *arguments],
            env={**os.environ, **(environ or {})},
            stderr=said,
            text=True,
        )
        try:
            wait_ready(base_url, process, said)
            yield base_url, process
        finally:
            process.terminate()
            process.wait(timeout=20)


def wait_ready(base_url: str, process: subprocess.Popen[str], said: IO[str] | None = None, seconds: float = 20) -> None:
    """Until `/ready` answers 200. `said` is where the process writes its standard error, if not into a pipe."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            if said is not None:
                said.seek(0)
            told = said or process.stderr
            raise AssertionError(f"the server ended: {told.read() if told is not None else 'it said nothing'}")
        try:
            if ask(base_url, "/ready", timeout=2).status == 200:
                return
        except OSError:
            threading.Event().wait(0.02)
    raise AssertionError(f"{base_url}/ready did not answer within {seconds} s")


def llm_simulator(*arguments: str, environ: Mapping[str, str] | None = None, cwd: Path | None = None) -> Any:
    """Runs the command to its end; the completed process with text output."""
    return subprocess.run(
        [*COMMAND, *arguments],
        env={**os.environ, **(environ or {})},
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
