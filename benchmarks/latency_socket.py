"""`latency_fidelity.py --socket`: the same through a running server, with a client that stamps what arrives.

Each series is one call, sent 2,000 times (its occurrence in a header, so the draws are those of repeats) under a scenario
with `vary: occurrence`: each answer is as long as the recorded one whose times it has. TTFT, ms/token, total, write gaps and
longest stall are compared with the recording.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from llm_simulator.profiles.file import dump

MODELS = ("gpt-4o", "gpt-4o-mini", "gpt-4.1", "gpt-4.1-mini")  # names that the server knows, one for each series
OCCURRENCES = 2000
EVENTS = 1200  # a second, of all streams together: more and the client on the same cores is what is measured
TOGETHER = 40
APART = 0.002
SLOWEST = 12.0  # seconds of the median total: a series of 2,000 must end this evening
PORT = 18931
LIMITS = {"ttft": 0.10, "rate": 0.10, "total": 0.10, "gap": 0.12, "stall": 0.20}
SCENARIO = {"scenario": "repeats", "scenarios": {"repeats": {"vary": "occurrence", "rules": [{"then": "simulate"}]}}}


@dataclass(slots=True)
class Arrived:
    """One answer as its client saw it, in seconds after its request was sent."""

    ttft: float
    total: float
    tokens: int
    gaps: list[float]


def series(found: Sequence[Any]) -> list[Any]:
    """Those with chunks first, then the quickest streams; none that takes too long."""

    def median(one: Any) -> float:
        totals = one.values()["total"]
        return float(np.median(totals)) if totals else 0.0

    streams = [one for one in found if one.values()["rate"] and median(one) < SLOWEST]
    streams.sort(key=lambda one: (not one.values()["gap"], median(one)))
    return streams[: len(MODELS)]


def through_socket(found: Sequence[Any], fitted: Callable[[Any], Any], error: Callable[..., float]) -> int:
    """Measures and tells; 0 where all limits hold."""
    chosen = series(found)
    profiles = [
        replace(fitted(one).profile, name=f"series-{at}", provider="openai", models=(MODELS[at],), family="*")
        for at, one in enumerate(chosen)
    ]
    missed = 0
    with tempfile.TemporaryDirectory() as folder:
        file, config = Path(folder) / "profiles.yaml", Path(folder) / "config.json"
        file.write_text(dump(profiles), encoding="utf-8")
        config.write_text(json.dumps(SCENARIO), encoding="utf-8")
        with _serving(file, config):
            for at, one in enumerate(chosen):
                arrived = asyncio.run(_all(MODELS[at], _together(one)))
                missed += _told(one, profiles[at], arrived, error)
    return 1 if missed else 0


def _told(one: Any, profile: Any, arrived: Sequence[Arrived], error: Callable[..., float]) -> int:
    recorded, tokens = one.values(), sorted(each.tokens for each in arrived)
    got = {
        "ttft": [each.ttft for each in arrived],
        "rate": [(each.total - each.ttft) / (each.tokens - 1) for each in arrived if each.tokens > 1],
        "total": [each.total for each in arrived],
        "gap": [gap for each in arrived for gap in each.gaps],
        "stall": [max(each.gaps) for each in arrived if each.gaps],
    }
    told: list[str] = []
    missed = 0
    for name, values in got.items():
        if name not in LIMITS or not recorded[name]:
            continue
        off = error(_apart(recorded[name]) if name == "gap" else recorded[name], values)
        missed += off > LIMITS[name]
        told.append(f"{name} {off:.1%}")
    known = {
        name: np.round(np.quantile(values, (0.5, 0.9, 0.95, 0.99)) * 1e3, 1).tolist() for name, values in got.items()
    }
    lengths = f"{tokens[0]} to {tokens[-1]} tokens"
    print(f"{' '.join(one.key)}: {len(arrived)} answers of {lengths}, against the recording: {', '.join(told)}")
    print(f"   at the client, ms at p50 p90 p95 p99: {json.dumps(known)}", flush=True)
    return missed


def _apart(gaps: Sequence[float]) -> list[float]:
    """Gaps that a client can tell apart: shorter ones were one read."""
    return [gap for gap in gaps if gap >= APART]


@contextmanager
def _serving(profiles: Path, config: Path) -> Any:
    command = [sys.executable, "-m", "llm_simulator.cli", "serve", "--mode", "simulate", "--port", str(PORT)]
    process = subprocess.Popen(
        [*command, "--profile", str(profiles), "--config", str(config)], stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(200):
            time.sleep(0.1)
            try:
                asyncio.run(_once(MODELS[0], 0))
            except OSError:
                continue
            break
        yield
    finally:
        process.terminate()
        process.wait(20)


def _together(one: Any) -> int:
    """Streams at once: as many as stay within EVENTS."""
    rate = float(np.median(one.values()["rate"]))
    return max(1, min(TOGETHER, round(EVENTS * rate)))


async def _all(model: str, together: int) -> list[Arrived]:
    gate = asyncio.Semaphore(together)

    async def one(occurrence: int) -> Arrived:
        async with gate:
            return await _once(model, occurrence)

    return list(await asyncio.gather(*map(one, range(OCCURRENCES))))


async def _once(model: str, occurrence: int) -> Arrived:
    """Sends one call and stamps every read that holds text."""
    reader, writer = await asyncio.open_connection("127.0.0.1", PORT)
    body = json.dumps(
        {"model": model, "stream": True, "messages": [{"role": "user", "content": "How long does it take?"}]}
    )
    head = (
        "POST /api.openai.com/v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
        f"x-llm-simulator-occurrence: {occurrence}\r\nconnection: close\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    writer.write((head + body).encode())
    start = time.perf_counter()
    stamps: list[float] = []
    tokens, rest = 0, b""
    while data := await reader.read(1 << 16):
        now = time.perf_counter() - start
        *events, rest = (rest + data).split(b"\n\n")
        said = sum(b'"content":"' in event and b'"content":""' not in event for event in events)
        tokens += said
        if said:
            stamps.append(now)
    writer.close()
    gaps = [b - a for a, b in pairwise(stamps)]
    return Arrived(stamps[0], stamps[-1], tokens, [gap for gap in gaps if gap >= APART])
