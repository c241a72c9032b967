"""What the benchmarks share: servers as processes, a load, and what the kernel knows of a process.

Figures are ratios within one run: the servers are asked in turn, round by round, and the medians are compared. On a
shared machine the processor time per request is the steadier figure of the two that are printed.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from llm_simulator import dialects
from llm_simulator.cassettes.cassette import Cassette
from llm_simulator.types import Exchange, RawRequest

ROOT = Path(__file__).resolve().parents[1]
SENTENCE = "The quick brown fox jumps over the lazy dog."
TEXT = " ".join([SENTENCE] * 5)
"""The answer of every server, 50 tokens."""
PATH = "/v1/chat/completions"
JSON_TYPE = ("content-type", "application/json")


def body(content: str, stream: bool) -> bytes:
    """A chat request; `max_tokens` bounds the simulator to the length that the others answer with."""
    asked = {"model": "gpt-4o", "messages": [{"role": "user", "content": content}], "max_tokens": 50}
    if stream:
        asked |= {"stream": True, "stream_options": {"include_usage": True}}
    return json.dumps(asked).encode()


def answer() -> bytes:
    return json.dumps(
        {
            "id": "chatcmpl-bench",
            "object": "chat.completion",
            "created": 1767225600,
            "model": "gpt-4o",
            "choices": [{"index": 0, "message": {"role": "assistant", "content": TEXT}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 9, "completion_tokens": 50, "total_tokens": 59},
        }
    ).encode()


def events() -> list[bytes]:
    """The same answer as 53 server-sent events."""
    base = {"id": "chatcmpl-bench", "object": "chat.completion.chunk", "created": 1767225600, "model": "gpt-4o"}
    words = re.findall(r" ?[\w.]+?(?=[ .]|$)|\.", TEXT)
    deltas = [{"role": "assistant", "content": ""}, *({"content": word} for word in words)]
    made = [{**base, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    made.append({**base, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    return [*(b"data: %b\n\n" % json.dumps(event).encode() for event in made), b"data: [DONE]\n\n"]


def recording(content: str, stream: bool, gap: float = 0.0, count: int = 0) -> Exchange:
    """What a cassette holds of one call; its chunks come `gap` seconds apart, `count` of them where given."""
    request = RawRequest("POST", PATH, headers=(JSON_TYPE,), body=body(content, stream))
    parts = events() if stream else [answer()]
    if count:
        parts = [parts[1 + index % 40] for index in range(count)]
    kind = ("content-type", "text/event-stream") if stream else JSON_TYPE
    headers = (kind,) if stream else (kind, ("content-length", str(len(parts[0]))))
    chunks = tuple((round(index * gap * 1e9), data) for index, data in enumerate(parts))
    return Exchange(request, "openai", "openai.chat", "chat", "gpt-4o", stream, 200, headers, chunks, "OK")


def cassette(path: Path, exchanges: Iterable[Exchange]) -> Path:
    async def write() -> None:
        made = await Cassette.open(str(path), read=dialects.read, writable=True)
        for exchange in exchanges:
            await made.add(exchange, dialects.read(exchange.request), replace=False)
        await made.flush()
        await made.close()

    asyncio.run(write())
    return path


def environ() -> dict[str, str]:
    """What servers start with: bytecode is cached, as it is where a package is installed."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPYCACHEPREFIX": str(Path(tempfile.gettempdir()) / "llm-simulator-benchmarks")}


# --- servers ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Peer:
    """A server under test: the command, where it listens, the path that is ready once it serves."""

    name: str
    command: Sequence[str]
    port: int
    ready: str = "/health"


def ours(name: str, port: int, *arguments: str) -> Peer:
    base = (sys.executable, "-m", "llm_simulator.cli", "serve", "--port", str(port), "--log-level", "warning")
    return Peer(name, (*base, *arguments), port, "/ready")


def bare(name: str, port: int, kind: str = "application") -> Peer:
    return Peer(name, (sys.executable, "-m", "benchmarks.bare", str(port), kind), port)


def aimock(port: int, folder: Path) -> Peer | None:
    """The npm package in `$AIMOCK` (a folder where `npm install @copilotkit/aimock` ran), or None."""
    home = Path(os.environ.get("AIMOCK", "/tmp/bench_aimock"))
    script = home / "node_modules" / ".bin" / "llmock"
    if not script.exists() or shutil.which("node") is None:
        return None
    fixtures = folder / "fixtures"
    fixtures.mkdir(exist_ok=True)
    usage = {"prompt_tokens": 9, "completion_tokens": 50, "total_tokens": 59}
    fixture = {"match": {"userMessage": "bench"}, "response": {"content": TEXT, "usage": usage}}
    (fixtures / "bench.json").write_text(json.dumps({"fixtures": [fixture]}))
    quiet = ("--log-level", "silent", "--journal-max", "1", "-c", "4")
    return Peer(
        "aimock", ("node", str(script), "--host", "127.0.0.1", "-p", str(port), "-f", str(fixtures), *quiet), port
    )


@contextmanager
def running(peer: Peer, core: int | None = None, *, first: bool = False) -> Iterator[subprocess.Popen[bytes]]:
    """The peer as a process, on one core where given, ready when this yields; `first`: before all else, where allowed."""
    pin = ("taskset", "-c", str(core)) if core is not None and shutil.which("taskset") else ()
    with tempfile.TemporaryFile() as said:  # not a pipe: nobody empties it, and a full one stops the server
        process = subprocess.Popen(
            [*pin, *peer.command], cwd=ROOT, env=environ(), stderr=said, stdout=subprocess.DEVNULL
        )
        try:
            wait_ready(peer, process, said)
            if first and os.geteuid() == 0:
                os.setpriority(os.PRIO_PROCESS, process.pid, -15)
            yield process
        finally:
            process.terminate()
            process.wait(timeout=20)


def wait_ready(peer: Peer, process: subprocess.Popen[bytes], said: IO[bytes], seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            said.seek(0)
            raise SystemExit(f"{peer.name} ended: {said.read().decode(errors='replace')}")
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{peer.port}{peer.ready}", timeout=2).close()
            return
        except (urllib.error.URLError, OSError):
            time.sleep(0.02)
    raise SystemExit(f"{peer.name} was not ready within {seconds} s")


def request(data: bytes, path: str = PATH) -> bytes:
    """A request as bytes on the wire."""
    head = f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: {len(data)}\r\n\r\n"
    return head.encode() + data


def ask(port: int, data: bytes, path: str = PATH) -> bytes:
    """One request, the whole answer."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data, dict([JSON_TYPE]))
    with urllib.request.urlopen(request, timeout=30) as response:
        got: bytes = response.read()
        return got


# --- load ------------------------------------------------------------------------------------------------------------

_SCRIPT = """
wrk.method = "POST"
wrk.headers["content-type"] = "application/json"
local bodies = { %s }
local many, at = %d, 0
request = function()
  at = at + 1
  local body = bodies[at %% #bodies + 1]
  if many > 0 then body = body:gsub("bench", "bench " .. (at %% many)) end
  return wrk.format(nil, nil, nil, body)
end
done = function(summary, latency, requests)
  local bad = summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.timeout
  print("RESULT " .. summary.requests .. " " .. summary.duration / 1e6 .. " " .. bad .. " " .. latency:percentile(99) / 1e3)
end
"""


@dataclass(frozen=True)
class Load:
    """What came of one round: requests per second, processor microseconds per request, p99 in ms, failed requests."""

    rate: float
    cpu_us: float
    p99_ms: float
    failed: int


def load(port: int, pid: int, data: bytes, *, many: int = 0, seconds: int = 2, connections: int = 16) -> Load:
    """Asks with wrk from one thread; with `many`, for so many different prompts in turn."""
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is needed: apt-get install wrk")
    text = json.dumps(data.decode())
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(_SCRIPT % (text, many))
        script.flush()
        before = cpu_seconds(pid)
        done = subprocess.run(
            [
                *_away(),
                "wrk",
                "-t1",
                f"-c{connections}",
                f"-d{seconds}s",
                "-s",
                script.name,
                f"http://127.0.0.1:{port}{PATH}",
            ],
            capture_output=True,
            text=True,
            check=True,
        )
        spent = cpu_seconds(pid) - before
    found = re.search(r"RESULT (\S+) (\S+) (\S+) (\S+)", done.stdout)
    if found is None:
        raise SystemExit(f"wrk said {done.stdout!r} {done.stderr!r}")
    requests, duration, failed, p99 = (float(word) for word in found.groups())
    if not requests:
        raise SystemExit(f"no answer from port {port} within {seconds} s: {done.stdout!r}")
    return Load(requests / duration, spent / max(requests, 1) * 1e6, p99, int(failed))


def stay_away() -> None:
    """This process on the last core: servers are on core 0. Not inherited by servers, which name theirs."""
    os.sched_setaffinity(0, {(os.cpu_count() or 1) - 1})


def _away() -> tuple[str, ...]:
    """The load on the last core: servers are on core 0."""
    return ("taskset", "-c", str((os.cpu_count() or 1) - 1)) if shutil.which("taskset") else ()


# --- what the kernel knows -------------------------------------------------------------------------------------------


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far."""
    threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9


def unique_kb(pid: int) -> int:
    """Memory that only this process has (USS)."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(int(size) for size in re.findall(r"^Private_(?:Clean|Dirty):\s+(\d+) kB", text, re.MULTILINE))


def machine() -> str:
    model = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    load1 = os.getloadavg()[0]
    python = ".".join(map(str, sys.version_info[:3]))
    return f"{os.cpu_count()} cores, {model[1] if model else 'unknown processor'}, Python {python}, load {load1:.1f}"


# --- numbers ---------------------------------------------------------------------------------------------------------


def quantile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def median_ratio(ones: Sequence[float], others: Sequence[float]) -> float:
    """The median over the rounds of one / other."""
    return statistics.median(one / other for one, other in zip(ones, others, strict=True))


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    texts = [list(head), *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in texts) for column in range(len(head))]
    lines = [
        "  ".join(
            cell.ljust(width) if at == 0 else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in texts
    ]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])
