"""What recording adds to a request and to a chunk: against the same server that only passes through, and against none.

    python -m benchmarks.recording [--requests 400] [--streams 40]

The upstream is the bare aiohttp server on loopback without TLS. Its `/stamped` stream puts the time of each write into
the event, 5 ms apart; the delay of an event is when the client had it, less that. Requests and streams alternate
between direct, passed through (a second server in front) and recorded. Run as root, all servers have priority over what
else the machine does. Targets: <= 2 ms a request, <= 1 ms a chunk, p99.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import re
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import rig

UPSTREAM, PROXY, PASSING = 18161, 18162, 18163


@dataclass
class Way:
    """One way to the upstream: milliseconds of requests, of the whole end of a stream, of chunks."""

    port: int
    prefix: str = ""
    requests: list[float] = field(default_factory=list)
    chunks: list[float] = field(default_factory=list)
    ends: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", self.port)

    def plain(self, data: bytes) -> None:
        start = time.perf_counter()
        self._connection.request("POST", self.prefix + rig.PATH, data, dict([rig.JSON_TYPE]))
        response = self._connection.getresponse()
        response.read()
        self.requests.append((time.perf_counter() - start) * 1e3)
        assert response.status == 200, response.status

    def stream(self, data: bytes) -> None:
        self._connection.request("POST", f"{self.prefix}/stamped", data, dict([rig.JSON_TYPE]))
        response = self._connection.getresponse()
        last = 0
        while piece := response.read1(65536):
            now = time.monotonic_ns()
            for stamp in re.findall(rb'"at": (\d+)', piece):
                last = int(stamp)
                self.chunks.append((now - last) / 1e6)
        self.ends.append((time.monotonic_ns() - last) / 1e6)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--requests", type=int, default=400)
    parser.add_argument("--streams", type=int, default=40)
    options = parser.parse_args()
    rows: list[tuple[str, ...]] = []
    for name in ("bench.db", "bench.yaml"):
        with tempfile.TemporaryDirectory() as folder:
            rows += measured(Path(folder) / name, options.requests, options.streams)
    print(rig.machine())
    heads = ("direct p50", "p99", "passed", "p99", "recorded", "p99", "recording adds", "p99", "all adds", "p99")
    print(rig.table(("ms", *heads), rows))


def measured(cassette: Path, requests: int, streams: int) -> list[tuple[str, ...]]:
    config = cassette.parent / "config.json"
    config.write_text(json.dumps({"upstreams": {"api.openai.com": f"http://127.0.0.1:{UPSTREAM}"}}))
    arguments = ("--mode", "record", "--cassette", str(cassette), "--config", str(config))
    passing = ("--mode", "passthrough", "--config", str(config))
    ways = Way(UPSTREAM), Way(PASSING, "/api.openai.com"), Way(PROXY, "/api.openai.com")
    with (
        rig.running(rig.bare("upstream", UPSTREAM), first=True),
        rig.running(rig.ours("record", PROXY, *arguments), first=True),
        rig.running(rig.ours("passthrough", PASSING, *passing), first=True),
    ):
        for number in range(requests + 20):
            for way in ways:
                way.plain(rig.body(f"bench {number}", stream=False))
        for number in range(streams + 2):
            for way in ways:
                way.stream(rig.body(f"bench {number}", stream=True))
    assert os.path.getsize(cassette) > 0
    rows = []
    for what in ("requests", "chunks", "ends"):
        direct, passed, recorded = (
            [rig.quantile(got[len(got) // 20 :], share) for share in (0.5, 0.99)]
            for got in (getattr(way, what) for way in ways)
        )
        label = {"requests": "request", "chunks": "chunk", "ends": "end of a stream"}[what]
        figures = [f"{value:.2f}" for value in (*direct, *passed, *recorded)]
        added = [f"{two - one:+.2f}" for less in (passed, direct) for one, two in zip(less, recorded, strict=True)]
        rows.append((f"{cassette.suffix[1:]}: {label}", *figures, *added))
    return rows


if __name__ == "__main__":
    main()
