"""How long calibration takes, and in how much memory: 100,000 calls and 1,000,000 gaps, from tables and from cassettes.

    python benchmarks/calibration.py [table | gaps | cassette | exchanges ...] [--keep FOLDER]

Each input is generated, then calibrated in a process of its own (`llm-simulator calibrate`), whose time and peak
resident memory are told.
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
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np

from llm_simulator import dialects
from llm_simulator.cassettes.cassette import Cassette
from llm_simulator.types import Exchange, RawRequest

SSE = (("content-type", "text/event-stream"),)
RUN = "import resource, sys; from llm_simulator.cli import cli; cli(sys.argv[1:], standalone_mode=False); " \
    "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, file=sys.stderr)"  # fmt: skip


def table(path: Path) -> Path:
    """CSV: 100,000 streams of ten models."""
    chance = np.random.default_rng(0)
    ttft, rate = chance.lognormal(6.2, 0.4, 100_000), chance.lognormal(2.5, 0.3, 100_000)
    tokens = chance.integers(20, 400, 100_000)
    with (file := path / "requests.csv").open("w") as out:
        out.write("provider,model,stream,output_tokens,ttft_ms,total_ms\n")
        for at in range(100_000):
            out.write(f"openai,m{at % 10},1,{tokens[at]},{ttft[at]:.3f},{ttft[at] + rate[at] * tokens[at]:.3f}\n")
    return file


def gaps(path: Path) -> Path:
    """JSONL: 4,000 streams of 250 gaps."""
    chance = np.random.default_rng(0)
    with (file := path / "chunks.jsonl").open("w") as out:
        for _ in range(4000):
            itl = [round(float(gap), 3) for gap in chance.lognormal(3, 0.8, 250)]
            row = {"provider": "openai", "model": "m", "output_tokens": 251, "ttft_ms": 400, "itl_ms": itl}
            out.write(json.dumps({**row, "ttft_ms": round(float(chance.lognormal(6, 0.3)), 3), "total_ms": 1e6}) + "\n")
    return file


def cassette(path: Path) -> Path:
    """SQLite: 4,000 streams of 251 events."""
    return _stored(path / "gaps.db", 4000, 251)


def exchanges(path: Path) -> Path:
    """SQLite: 100,000 streams of 20 events."""
    return _stored(path / "calls.db", 100_000, 20)


def _stored(path: Path, count: int, events: int) -> Path:
    async def store() -> None:
        held = await Cassette.open(str(path), read=dialects.read, writable=True)
        adding: list[asyncio.Task[int]] = []
        for exchange in _exchanges(count, events):
            adding.append(asyncio.ensure_future(held.add(exchange, dialects.read(exchange.request), replace=False)))
            if len(adding) == 500:
                await asyncio.gather(*adding)
                adding.clear()
        await asyncio.gather(*adding)
        await held.close()

    asyncio.run(store())
    return path


def _exchanges(count: int, events: int) -> Iterator[Exchange]:
    chance = np.random.default_rng(0)
    body = json.dumps(
        {"model": "gpt-4o-mini", "stream": True, "messages": [{"role": "user", "content": "Hello there."}]}
    )
    raw = RawRequest("POST", "/v1/chat/completions", "api.openai.com", body=body.encode())
    piece = {"index": 0, "delta": {"content": " word"}, "logprobs": None, "finish_reason": None}
    frame = {
        "id": "chatcmpl-9",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "gpt-4o-mini",
        "choices": [piece],
    }
    event = b"data: " + json.dumps(frame).encode() + b"\n\n"
    used = {"prompt_tokens": 9, "completion_tokens": events, "total_tokens": 9 + events}
    end = b"data: " + json.dumps({**frame, "choices": [], "usage": used}).encode() + b"\n\ndata: [DONE]\n\n"
    for _ in range(count):
        at = float(chance.lognormal(-0.8, 0.3)) + np.concatenate(
            ([0.0], np.cumsum(chance.lognormal(-3.8, 0.8, events - 1)))
        )
        chunks = [(int(when * 1e9), event) for when in at]
        last = chunks[-1][0] + 100_000
        yield Exchange(
            raw, "openai", "openai.chat", "chat", "gpt-4o-mini", True, 200, SSE, (*chunks, (last, end)), head_ns=chunks[0][0]
        )  # fmt: skip


INPUTS: Mapping[str, Callable[[Path], Path]] = {
    "table": table,
    "gaps": gaps,
    "cassette": cassette,
    "exchanges": exchanges,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("inputs", nargs="*", default=list(INPUTS), help=", ".join(INPUTS))
    parser.add_argument("--keep", type=Path, help="a folder for the generated files, used again where they are there")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = given.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        for name in given.inputs:
            measure(name, folder, Path(scratch))


def measure(name: str, folder: Path, scratch: Path) -> None:
    kept = {"table": "requests.csv", "gaps": "chunks.jsonl", "cassette": "gaps.db", "exchanges": "calls.db"}[name]
    file = folder / kept if (folder / kept).exists() else INPUTS[name](folder)
    output = scratch / f"{name}.yaml"
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    asked = [sys.executable, "-c", RUN, "calibrate", str(file), "-o", str(output)]
    done = subprocess.run(asked, capture_output=True, text=True, check=True)
    took, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    size = file.stat().st_size / 1e6
    what = (INPUTS[name].__doc__ or "").rstrip(".")
    print(
        f"{name}: {what} ({size:.0f} MB): {took:.1f} s (CPU {cpu:.1f} s), peak {done.stderr.strip().splitlines()[-1]} MB, "
        f"profile {output.stat().st_size / 1e3:.0f} kB",
        flush=True,
    )


if __name__ == "__main__":
    main()
