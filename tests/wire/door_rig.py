"""Runs proxy/forward.py as the process that it is, before a stub simulator, and speaks to it byte by byte."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import socketserver
import ssl
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llm_simulator.proxy.capture import FORWARD, REQUIREMENT

TOKEN = "token-of-this-run"
QUESTION = "GET /.llm-simulator/connection?host="
CACHE = Path.home() / ".cache" / "llm-simulator-test" / "capture"


# Where tests are measured, so is what that interpreter runs of ours; `coverage combine` takes it in.
MEASURED = "LLM_SIMULATOR_TEST_DOOR_COVERAGE"
MEASURING = """
import atexit, coverage, os
made = coverage.Coverage(os.environ[{name!r}], data_suffix=True, branch=True, config_file=False,
                         include=["*/proxy/forward.py", "*/proxy/authority.py"])
made.start()
atexit.register(made.save)
atexit.register(made.stop)
"""


def capture_interpreter() -> str:
    """The interpreter that LLM_SIMULATOR_CAPTURE_PYTHON names, or one in the user's cache folder, made once."""
    if named := os.environ.get("LLM_SIMULATOR_CAPTURE_PYTHON"):
        return named
    if "COVERAGE_PROCESS_CONFIG" in os.environ:
        os.environ[MEASURED] = os.environ.get("COVERAGE_FILE") or str(Path.cwd() / ".coverage")
    CACHE.parent.mkdir(parents=True, exist_ok=True)
    with open(CACHE.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        python = CACHE / "bin" / "python"
        if not _works(python):
            _run(sys.executable, "-m", "venv", "--clear", str(CACHE))
            _run(str(python), "-m", "pip", "install", "-q", REQUIREMENT, "coverage>=7.6")
        _measure_ours(python)
        return str(python)


def _run(*command: str) -> None:
    subprocess.run(command, check=True, stdout=sys.stderr)


def _works(python: Path) -> bool:
    command = (python, "-c", "import mitmproxy.master, coverage")
    return python.exists() and subprocess.run(command, check=False, stderr=subprocess.DEVNULL).returncode == 0


def _measure_ours(python: Path) -> None:
    command = (python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))")
    site = Path(subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip())
    indented = textwrap.indent(MEASURING.format(name=MEASURED), "    ")
    (site / "door_measuring.py").write_text(f"import os\nif os.environ.get({MEASURED!r}):\n{indented}")
    (site / "door_measuring.pth").write_text("import door_measuring\n")
    (site / "a1_coverage.pth").unlink(missing_ok=True)  # coverage's own start-up wants greenlet, as the tests' does


@dataclass
class Listener:
    """A TCP server on loopback; `heads` are the request heads that reached it, `accepted` the connections.

    The door's question whether a fault strikes a connection is no request: it is answered with `fault`, and kept in `asked`.
    """

    port: int = 0
    accepted: int = 0
    fault: str = ""
    asked: list[str] = field(default_factory=lambda: [])
    heads: list[str] = field(default_factory=lambda: [])


Behaviour = Callable[[socket.socket, str], None]


def say_ok(connection: socket.socket, _: str) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")


@contextmanager
def listening(behave: Behaviour = say_ok, context: ssl.SSLContext | None = None) -> Generator[Listener]:
    """Answers the head of each request as told, then waits for the next on the connection."""
    made = Listener()

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            made.accepted += 1
            try:
                with context.wrap_socket(self.request, server_side=True) if context else self.request as connection:
                    while head := read_head(connection):
                        if head.startswith(QUESTION):
                            made.accepted -= 1
                            made.asked.append(head.partition(" HTTP/")[0].removeprefix(QUESTION))
                            body = json.dumps({"fault": made.fault})
                            connection.sendall(f"HTTP/1.1 200 OK\r\ncontent-length: {len(body)}\r\n\r\n{body}".encode())
                            return
                        made.heads.append(head)
                        behave(connection, head)
            except OSError:
                pass  # the other side is gone

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False
        request_queue_size = 64

    with Server(("127.0.0.1", 0), Handler) as server:
        made.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield made
        finally:
            server.shutdown()
            thread.join(10)


def read_head(connection: socket.socket) -> str:
    data = b""
    while b"\r\n\r\n" not in data:
        if not (piece := connection.recv(1)):
            return ""
        data += piece
    return data.decode("latin-1")


@dataclass
class Running:
    """A door of its own: what it said on standard output beside its port."""

    port: int
    process: subprocess.Popen[str]
    said: list[dict[str, Any]]

    def talk(self, data: bytes) -> bytes:
        """Sends bytes to the door and reads until it closes or stops talking for long."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
            connection.sendall(data)
            return read_response(connection)

    def connect(self, target: str) -> tuple[socket.socket, str]:
        """A connection on which CONNECT was sent, and the head of the answer."""
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        connection.sendall(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())
        return connection, read_head(connection)


def read_response(connection: socket.socket) -> bytes:
    """One response with a content-length, or what came until the connection closed."""
    head = read_head(connection)
    length = next(
        (int(line.partition(":")[2]) for line in head.split("\r\n") if line.lower().startswith("content-length:")), 0
    )
    body = b""
    while len(body) < length and (piece := connection.recv(length - len(body))):
        body += piece
    return head.encode("latin-1") + body


@contextmanager
def door(
    python: str,
    folder: Path,
    simulator: int,
    *,
    patterns: list[str],
    mode: str = "offline",
    proxy: str = "",
    script: Path = FORWARD,
) -> Generator[Running]:
    """`forward.py` (or a script that changes it) before the simulator at that port of loopback."""
    hosts = folder / "hosts.json"
    hosts.write_text(json.dumps(patterns))
    process = subprocess.Popen(
        [
            *(python, str(script), "--listen-port", "0", "--simulator", f"http://127.0.0.1:{simulator}"),
            *("--token", TOKEN, "--confdir", str(folder / "authority"), "--hosts-file", str(hosts)),
            *("--mode", mode, "--upstream-proxy", proxy),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    said: list[dict[str, Any]] = []
    reader: threading.Thread | None = None
    try:
        first = json.loads(process.stdout.readline())
        assert "port" in first, first
        lines = process.stdout
        reader = threading.Thread(target=lambda: said.extend(map(json.loads, lines)))
        reader.start()
        yield Running(first["port"], process, said)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(10) == 0
        if reader is not None:
            reader.join(10)
        process.stdout.close()


if __name__ == "__main__":  # for `make types-capture`
    print(capture_interpreter())
