"""Concurrent paced streams of 50 events a second: how late the writes are, at the server and at a client.

    python -m benchmarks.paced [--streams 500 1000 1500 2000] [--seconds 5]

The server's figure is its own histogram (`llm_stream_lateness_seconds`: due time to write): the share within 5 ms, and
an upper bound of the 99th percentile. The client measures a sample of streams against the times that the events are due
after its request; it includes the client's own delays. Beside it a bare aiohttp `StreamResponse` with a task per stream
that sleeps until the next event. Run as root, both servers have priority over what else the machine does.
Target: 1,500 streams, p99 at the server <= 5 ms. What the kernel alone takes for a write each is printed with it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import tempfile
import time
import urllib.request
from functools import partial
from pathlib import Path

from benchmarks import rig, sending
from llm_simulator.proxy.pacer import LATENESS_BUCKETS

GAP = 0.02
RAMP = 1.0  # seconds over which the streams are started
SAMPLE = 20  # every so many-th stream is measured by the client


class Reader(asyncio.Protocol):
    """Counts the events of one stream; `late` has their delays where it is one of the sample."""

    def __init__(self, data: bytes, sampled: bool, events: int) -> None:
        self._data = data
        self._sampled = sampled
        self._events = events
        self._seen = 0
        self._start = 0.0
        self.late: list[float] = []
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._start = time.monotonic()
        transport.write(self._data)

    def data_received(self, data: bytes) -> None:
        if self._sampled:
            now = time.monotonic()
            for _ in range(data.count(b"data: ")):
                self.late.append(now - self._start - self._seen * GAP)
                self._seen += 1
        else:
            self._seen += data.count(b"data: ")
        if self._seen >= self._events and not self.done.done():
            self.done.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None)


async def streams(port: int, data: bytes, count: int, events: int) -> tuple[list[float], int]:
    """Delays (s) of the sample, and how many streams came to their end."""
    loop = asyncio.get_running_loop()
    made: list[tuple[asyncio.Transport, Reader]] = []
    start = loop.time()
    for number in range(count):
        await asyncio.sleep(start + number * RAMP / count - loop.time())
        made.append(
            await loop.create_connection(partial(Reader, data, number % SAMPLE == 0, events), "127.0.0.1", port)
        )
    await asyncio.wait([asyncio.ensure_future(reader.done) for _, reader in made], timeout=60)
    for transport, _ in made:
        transport.close()
    whole = sum(reader._seen >= events for _, reader in made)
    return [late for _, reader in made for late in reader.late], whole


def our_counts(port: int) -> list[int]:
    text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics").read().decode()
    found = re.findall(r'llm_stream_lateness_seconds_bucket\{le="[^"]+"\} (\S+)', text)
    cumulated = [int(float(value)) for value in found] or [0] * (len(LATENESS_BUCKETS) + 1)
    return [high - low for low, high in zip([0, *cumulated], cumulated, strict=False)]


def bare_counts(port: int) -> list[int]:
    counts: list[int] = json.loads(urllib.request.urlopen(f"http://127.0.0.1:{port}/lateness").read())
    return counts


def within(counts: list[int], bound: float) -> float:
    return sum(counts[: LATENESS_BUCKETS.index(bound) + 1]) / max(sum(counts), 1)


def p99(counts: list[int]) -> str:
    """The bucket that the 99th percentile lies in."""
    running = 0
    for bound, count in zip(LATENESS_BUCKETS, counts, strict=False):
        running += count
        if running >= 0.99 * sum(counts):
            return f"<= {bound * 1e3:g}"
    return f"> {LATENESS_BUCKETS[-1] * 1e3:g}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--streams", type=int, nargs="+", default=[500, 1000, 1500, 2000])
    parser.add_argument("--seconds", type=float, default=5.0)
    options = parser.parse_args()
    events = round(options.seconds / GAP)
    rig.stay_away()
    rows = []
    with tempfile.TemporaryDirectory() as name:
        text = rig.cassette(Path(name) / "bench.yaml", [rig.recording("bench", stream=True, gap=GAP, count=events)])
        ours = rig.ours("ours", 18151, "--mode", "replay", "--cassette", str(text))
        bare = rig.bare("bare aiohttp, a task per stream", 18152)
        asked = {ours: rig.request(rig.body("bench", stream=True)), bare: rig.request(b"{}", f"/paced?events={events}")}
        with rig.running(ours, core=0, first=True) as one, rig.running(bare, core=0, first=True) as two:
            for count in options.streams:
                for peer, pid, read in ((ours, one.pid, our_counts), (bare, two.pid, bare_counts)):
                    before, spent = read(peer.port), rig.cpu_seconds(pid)
                    late, whole = asyncio.run(streams(peer.port, asked[peer], count, events))
                    counts = [now - then for now, then in zip(read(peer.port), before, strict=True)]
                    cpu = (rig.cpu_seconds(pid) - spent) / max(count * events, 1) * 1e6
                    row = (f"{peer.name}", count, f"{whole}", p99(counts), f"{within(counts, 0.005):.2%}")
                    rows.append(
                        (
                            *row,
                            f"{rig.quantile(late, 0.5) * 1e3:.1f}",
                            f"{rig.quantile(late, 0.99) * 1e3:.1f}",
                            f"{cpu:.1f}",
                        )
                    )
    floor = sending.cost()
    share = floor * 1500 / GAP / 1e6
    print(rig.machine())
    print(f"a bare send of one event: {floor:.1f} us; those of 1,500 streams take {share:.0%} of a core")
    print(
        rig.table(("", "streams", "ended", "server p99 ms", "within 5 ms", "client p50", "p99", "cpu us/event"), rows)
    )


if __name__ == "__main__":
    main()
