"""10,000 requests at the same moment: everyone is answered or refused, nothing crashes, memory stays bounded.

    python -m benchmarks.burst [--sockets 10000] [--limit 1000] [--queue 1000] [--workers 1]

Opens all connections first and sends on all of them at once. Prints what came back, how long it took until the last
answer, and the server's largest memory. The exit code says whether the sums are right.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from pathlib import Path

PATH = "/api.openai.com/v1/chat/completions"
BODY = json.dumps({"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}]}).encode()
PORT = 18_459


def configuration(limit: int, queue: int, workers: int) -> str:
    concurrency = {"max_concurrent_requests": limit, "queue_size": queue}
    return json.dumps({"server": {"workers": workers, "port": PORT}, "simulation": {"concurrency": concurrency}})


async def burst(number: int, hosts: list[str]) -> tuple[Counter[str], float]:
    """What each of so many got, and the seconds until the last one had it. One host gives about 28,000 sockets."""
    head = f"POST {PATH} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {len(BODY)}\r\n\r\n"
    request = head.encode() + BODY
    go, ready, tried = asyncio.Event(), asyncio.Event(), 0

    async def one(host: str) -> str:
        nonlocal tried
        try:
            reader, writer = await asyncio.open_connection(host, PORT)
        except OSError as error:
            return f"no connection: {error.strerror}"
        finally:
            tried += 1
            if tried == number:
                ready.set()
        await go.wait()
        writer.write(request)
        try:
            status = (await reader.readline()).split()
            await reader.read()
        except ConnectionError:
            return "broken"
        finally:
            writer.close()
        return status[1].decode() if len(status) > 1 else "nothing"

    async with asyncio.TaskGroup() as group:
        tasks: list[asyncio.Task[str]] = []
        for place in range(number):
            tasks.append(group.create_task(one(hosts[place % len(hosts)])))
            if place % 500 == 499:
                await asyncio.sleep(0.05)  # what a listening queue holds
        await ready.wait()
        started = time.monotonic()
        go.set()
    return Counter(task.result() for task in tasks), time.monotonic() - started


def peak(pid: int) -> int:
    """The largest memory of a process and its children, in MB."""
    pids = [pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]
    lines = [line for each in pids for line in Path(f"/proc/{each}/status").read_text().splitlines()]
    return sum(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) // 1024


def wait_ready() -> None:
    for _ in range(600):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/ready", timeout=1):
                return
        except OSError:
            time.sleep(0.05)
    raise SystemExit("the server did not start")


def main() -> int:
    parser = argparse.ArgumentParser()
    for name, value in (("sockets", 10_000), ("limit", 1_000), ("queue", 1_000), ("workers", 1)):
        parser.add_argument(f"--{name}", type=int, default=value)
    asked = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard < asked.sockets + 100:
        print(f"this shell may open {hard} files, {asked.sockets} sockets are too many: raise `ulimit -n`")
        return 2
    with tempfile.NamedTemporaryFile("w", suffix=".json") as config:
        config.write(configuration(asked.limit, asked.queue, asked.workers))
        config.flush()
        command = [sys.executable, "-m", "llm_simulator.cli", "serve", "--config", config.name]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as server:
            try:
                wait_ready()
                before = peak(server.pid)
                got, seconds = asyncio.run(burst(asked.sockets, ["127.0.0.1"]))
                alive = server.poll() is None
                print(f"{asked.sockets} at once, limit {asked.limit}, queue {asked.queue}, workers {asked.workers}")
                print(f"  {dict(sorted(got.items()))} in {seconds:.1f} s")
                print(f"  memory {before} MB before, {peak(server.pid)} MB at most")
            finally:
                server.terminate()
    right = alive and set(got) <= {"200", "503"} and sum(got.values()) == asked.sockets
    print("everyone was answered or refused" if right else "NOT everyone was answered or refused")
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
