"""Memory that each process of `serve --workers N` has for itself (USS), and what N workers answer together.

    python -m benchmarks.workers [--workers 2] [--seconds 5]

A worker is a fork of a supervisor that has loaded what it needs: its share is what it has written to since.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
import urllib.request
from collections.abc import Sequence

from benchmarks import rig

PORT = 18141


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=5.0)
    options = parser.parse_args()
    print(rig.machine())
    rows = [memory(count) for count in (1, options.workers)]
    print(rig.table(("MB", "idle: supervisor", "keeper", "workers", "after 500 answers each: workers"), rows))
    rates = [throughput(count, options.seconds) for count in (1, options.workers)]
    print(rig.table(("simulate, speed 0", "answers/s", "CPU us an answer"), rates))


def memory(workers: int) -> tuple[str, ...]:
    with rig.running(peer(workers)) as process:
        settled()
        supervisor, keeper, idle = sizes(process.pid, workers)
        for number in range(500 * workers):
            rig.ask(PORT, rig.body(f"bench {number}", stream=False))
        settled()
        _, _, busy = sizes(process.pid, workers)
    return (f"{workers} workers", supervisor, keeper, idle, busy)


def throughput(workers: int, seconds: float) -> tuple[str, ...]:
    """Distinct calls, so that each is simulated, over 32 connections that are kept."""
    with rig.running(peer(workers)) as process:
        settled()
        before = sum(map(cpu, family(process.pid)))
        answered = asyncio.run(load(seconds))
        used = sum(map(cpu, family(process.pid))) - before
    return (f"{workers} workers", f"{answered / seconds:.0f}", f"{used / answered * 1e6:.0f}")


def peer(workers: int) -> rig.Peer:
    return rig.ours("ours", PORT, "--mode", "simulate", "--speed", "0", "--workers", str(workers))


def settled() -> None:
    time.sleep(1.0)


def sizes(pid: int, workers: int) -> tuple[str, str, str]:
    """USS in MB of supervisor, keeper and workers; with one worker there is only that."""
    if workers == 1:
        return "-", "-", shown([pid])
    with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/admin/workers") as response:
        serving = [worker["process"] for worker in json.load(response)["workers"]]
    keeper = [child for child in family(pid)[1:] if child not in serving]
    return shown([pid]), shown(keeper), shown(serving)


def shown(pids: Sequence[int]) -> str:
    return ", ".join(f"{rig.unique_kb(pid) / 1024:.1f}" for pid in pids)


def family(pid: int) -> list[int]:
    """The process and its children."""
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [pid, *map(int, file.read().split())]


def cpu(pid: int) -> float:
    """Seconds of processor time."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


async def load(seconds: float, clients: int = 32) -> int:
    end = time.monotonic() + seconds

    async def client(number: int) -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", PORT)
        count = 0
        while time.monotonic() < end:
            writer.write(rig.request(rig.body(f"{number} {count}", stream=False)))
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
            await reader.readexactly(length)
            count += 1
        writer.close()
        return count

    return sum(await asyncio.gather(*map(client, range(clients))))


if __name__ == "__main__":
    main()
