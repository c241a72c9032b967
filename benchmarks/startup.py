"""From the start of the process to the first answer, beside `python -c "import aiohttp.web"`.

    python -m benchmarks.startup [--rounds 9]

Wall clock and processor time, medians; the cases take turns. `x import` is the median of the rounds' ratios of
processor time, which other work on the machine moves least; `x wall` that of the wall clock.
"""

from __future__ import annotations

import argparse
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks import rig

PORT = 18121


@dataclass(frozen=True)
class Took:
    """Seconds."""

    wall: float
    cpu: float


def importing() -> Took:
    start = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-c", "import aiohttp.web"], cwd=rig.ROOT, env=rig.environ())
    _, _, usage = os.wait4(process.pid, 0)
    process.returncode = 0
    return Took(time.perf_counter() - start, usage.ru_utime + usage.ru_stime)


def serving(peer: rig.Peer, data: bytes) -> Took:
    """Until the first answer has been read."""
    start = time.perf_counter()
    process = subprocess.Popen(peer.command, cwd=rig.ROOT, env=rig.environ(), stderr=subprocess.DEVNULL)
    try:
        while time.perf_counter() - start < 30:
            try:
                socket.create_connection(("127.0.0.1", peer.port), 1).close()
                break
            except OSError:
                time.sleep(0.002)
        rig.ask(peer.port, data)
        return Took(time.perf_counter() - start, rig.cpu_seconds(process.pid))
    finally:
        process.terminate()
        process.wait(20)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    plain = rig.body("bench", stream=False)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        text = rig.cassette(folder / "bench.yaml", [rig.recording("bench", stream=False)])
        database = rig.cassette(folder / "bench.db", [rig.recording("bench", stream=False)])
        cases = {
            "first replayed answer, YAML": rig.ours("yaml", PORT, "--mode", "replay", "--cassette", str(text)),
            "first replayed answer, SQLite": rig.ours("sqlite", PORT, "--mode", "replay", "--cassette", str(database)),
            "first simulated answer (o200k)": rig.ours("simulate", PORT, "--mode", "simulate", "--speed", "0"),
        }
        took: dict[str, list[Took]] = {"import aiohttp.web": [], **{case: [] for case in cases}}
        for turn in range(rounds + 1):
            for case in took:
                got = serving(cases[case], plain) if case in cases else importing()
                if turn:  # the first round fills the caches of files and bytecode
                    took[case].append(got)
    print(rig.machine())
    print(rig.table(("", "wall ms", "cpu ms", "x wall", "x import"), _rows(took)))


def _rows(took: dict[str, list[Took]]) -> list[tuple[str, ...]]:
    yard = took["import aiohttp.web"]
    rows: list[tuple[str, ...]] = []
    for case, mine in took.items():
        middle = [statistics.median(getattr(one, field) for one in mine) * 1e3 for field in ("wall", "cpu")]
        wall = rig.median_ratio([one.wall for one in mine], [one.wall for one in yard])
        cpu = rig.median_ratio([one.cpu for one in mine], [one.cpu for one in yard])
        rows.append((case, f"{middle[0]:.0f}", f"{middle[1]:.0f}", f"{wall:.2f}", f"{cpu:.2f}"))
    return rows


if __name__ == "__main__":
    main()
