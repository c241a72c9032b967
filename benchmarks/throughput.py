"""Requests per second of one worker: replay, simulate, a bare aiohttp server, aimock; plain and streamed.

    python -m benchmarks.throughput [--rounds 5] [--seconds 2]

Every server runs all the time, on core 0; each round asks one after another from the last core, so that what else the
machine does hits all alike. `x bare` is the median of the rounds' ratios of requests per second (above 1: faster than a
bare aiohttp application), `x cpu` the same for processor time per request, which the machine's other work moves less.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks import rig

RECORDED = 500


@dataclass(frozen=True)
class Case:
    """One line of the table. `many`: different prompts in turn; 0: one and the same."""

    name: str
    peer: str
    stream: bool = False
    many: int = 0


CASES = (
    Case("bare aiohttp application", "bare"),
    Case("bare aiohttp, no application", "low"),
    Case("aimock", "aimock"),
    Case("replay, YAML", "yaml"),
    Case("replay, YAML, 500 recordings", "yaml", many=RECORDED),
    Case("replay, SQLite", "sqlite"),
    Case("replay, SQLite, 500 recordings", "sqlite", many=RECORDED),
    Case("simulate", "simulate"),
    Case("simulate, 500 prompts", "simulate", many=RECORDED),
    Case("simulate, every prompt new", "fresh", many=10**9),
    Case("bare aiohttp application, stream", "bare", stream=True),
    Case("aimock, stream", "aimock", stream=True),
    Case("replay, YAML, stream", "yaml", stream=True),
    Case("replay, SQLite, stream", "sqlite", stream=True),
    Case("simulate, stream", "simulate", stream=True),
    Case("simulate, stream, every prompt new", "fresh", stream=True, many=10**9),
)


def peers(folder: Path) -> dict[str, rig.Peer]:
    prompts = ["bench", *(f"bench {number}" for number in range(RECORDED))]
    recorded = [rig.recording(prompt, stream) for prompt in prompts for stream in (False, True)]
    text = rig.cassette(folder / "bench.yaml", recorded)
    database = rig.cassette(folder / "bench.db", recorded)
    found = {
        "bare": rig.bare("bare", 18101),
        "low": rig.bare("low", 18102, "low"),
        "yaml": rig.ours("yaml", 18103, "--mode", "replay", "--cassette", str(text), "--speed", "0"),
        "sqlite": rig.ours("sqlite", 18104, "--mode", "replay", "--cassette", str(database), "--speed", "0"),
        "simulate": rig.ours("simulate", 18105, "--mode", "simulate", "--speed", "0"),
        # prompts that never come again would drive out what the others have: not the same server
        "fresh": rig.ours("fresh", 18107, "--mode", "simulate", "--speed", "0"),
    }
    if peer := rig.aimock(18106, folder):
        found["aimock"] = peer
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--only", default="", help="cases whose name holds this, beside the yardstick")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        started = peers(Path(name))
        pids = {key: stack.enter_context(rig.running(peer, core=0)).pid for key, peer in started.items()}
        cases = [case for case in CASES if case.peer in started and (options.only in case.name or case.peer == "bare")]
        results: dict[str, list[rig.Load]] = {case.name: [] for case in cases}
        for turn in range(options.rounds + 1):
            for case in cases:
                data = rig.body("bench", case.stream)
                seconds = options.seconds if turn else 1  # the first round warms up
                got = rig.load(started[case.peer].port, pids[case.peer], data, many=case.many, seconds=seconds)
                if got.failed:
                    raise SystemExit(f"{case.name}: {got.failed} requests failed")
                if turn:
                    results[case.name].append(got)
        print(rig.machine())
        print(report(cases, results))


def report(cases: list[Case], results: dict[str, list[rig.Load]]) -> str:
    rows = []
    for case in cases:
        mine = results[case.name]
        yard = results[CASES[10].name if case.stream else CASES[0].name]
        rate = rig.median_ratio([one.rate for one in mine], [one.rate for one in yard])
        cpu = rig.median_ratio([one.cpu_us for one in yard], [one.cpu_us for one in mine])
        middle = [statistics.median(getattr(one, field) for one in mine) for field in ("rate", "cpu_us", "p99_ms")]
        rows.append(
            (case.name, f"{middle[0]:,.0f}", f"{middle[1]:.1f}", f"{middle[2]:.2f}", f"{rate:.2f}", f"{cpu:.2f}")
        )
    return rig.table(("", "requests/s", "cpu us", "p99 ms", "x bare", "x cpu"), rows)


if __name__ == "__main__":
    main()
