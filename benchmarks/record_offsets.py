"""How exactly the recorder stamps chunks: recorded offsets against the times at which a stand-in provider sent them.

    python benchmarks/record_offsets.py [--streams 20] [--chunks 100] [--gap-ms 20] [--ttft-ms 200]

Server, provider and clients are three processes. The streams start all at once, first over new connections (each with a
TLS handshake), then over pooled ones. Target: median within 1 ms, p99 within 5 ms, at 20 streams. Where the first chunks
come while the requests are still being taken in (`--ttft-ms 20`), their stamps wait for that: some ms more.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from statistics import median, quantiles

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "wire"))

from serving import ask, command_serving
from standin import Asked, Script, certificate_files, standin

from llm_simulator import dialects
from llm_simulator.cassettes.cassette import Cassette

TARGET = "/api.openai.com/v1/chat/completions"


def main(streams: int, chunks: int, gap: float, ttft: float) -> None:
    def script(asked: Asked) -> Script:
        user = json.loads(asked.body)["user"]
        pieces = tuple((gap if number else ttft, f"data: {user} {number}\n\n".encode()) for number in range(chunks))
        return Script(headers=(("content-type", "text/event-stream"),), chunks=pieces)

    with tempfile.TemporaryDirectory() as folder:
        ca, leaf = certificate_files(Path(folder))
        cassette = Path(folder) / "c.db"
        with standin(script, leaf) as provider:
            upstream = f"api.openai.com={provider.url}"
            arguments = [
                "--mode",
                "record",
                "--cassette",
                str(cassette),
                "--upstream",
                upstream,
                "--log-level",
                "error",
            ]
            with (
                command_serving(*arguments, environ={"SSL_CERT_FILE": str(ca)}) as (base, _),
                ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as clients,
            ):
                for kind in ("new", "pooled"):
                    clients.submit(_ask, base, kind, streams).result()
            sent = {log[0][1].split()[1]: [at for at, _ in log] for log in provider.sent}
        recorded = asyncio.run(_recorded(str(cassette)))
    for kind in ("new", "pooled"):
        errors = [
            abs((at - offsets[0]) - (true - sent[user][0])) / 1e6
            for user, offsets in recorded.items()
            for at, true in zip(offsets[1:], sent[user][1:], strict=True)
            if user.startswith(kind.encode())
        ]
        print(
            f"{streams} streams, {kind} connections, {len(errors)} offsets: median {median(errors):.3f} ms, "
            f"p99 {quantiles(errors, n=100)[98]:.3f} ms, max {max(errors):.3f} ms"
        )


def _ask(base: str, kind: str, streams: int) -> None:
    bodies = [{"model": "m", "stream": True, "user": f"{kind}-{number}"} for number in range(streams)]
    with ThreadPoolExecutor(streams) as pool:
        list(pool.map(lambda body: ask(base, TARGET, body, timeout=120), bodies))


async def _recorded(cassette: str) -> dict[bytes, list[int]]:
    opened = await Cassette.open(cassette, read=dialects.read)
    found = {e.chunks[0][1].split()[1]: [at for at, _ in e.chunks] async for _, e in opened.exchanges()}
    await opened.close()
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="recorded chunk offsets against sent ones")
    parser.add_argument("--streams", type=int, default=20)
    parser.add_argument("--chunks", type=int, default=100)
    parser.add_argument("--gap-ms", type=float, default=20)
    parser.add_argument("--ttft-ms", type=float, default=200)
    given = parser.parse_args()
    os.environ.pop("SSL_CERT_FILE", None)
    main(given.streams, given.chunks, given.gap_ms / 1e3, given.ttft_ms / 1e3)
