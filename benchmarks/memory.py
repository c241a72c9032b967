"""Memory that only the server has (USS of /proc/PID/smaps_rollup): idle, after work, and per open stream.

    python -m benchmarks.memory [--streams 500]

A stream's share is what the memory grew by once so many paced streams were open, divided by their number.
"""

from __future__ import annotations

import argparse
import socket
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from benchmarks import rig

SLOW_GAP = 600.0  # seconds between the events of a recorded stream: they stay open


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--streams", type=int, default=500)
    streams = parser.parse_args().streams
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        recorded = [rig.recording("bench", stream=False), rig.recording("bench", stream=True, gap=SLOW_GAP)]
        text = rig.cassette(folder / "bench.yaml", recorded)
        database = rig.cassette(folder / "bench.db", recorded)
        slow = ("--mode", "simulate", "--speed", "0.001")  # streams stay open, nothing is answered in time
        cases = (
            (rig.bare("bare aiohttp application", 18131), None),
            (rig.ours("replay, YAML", 18132, "--mode", "replay", "--cassette", str(text)), "same"),
            (rig.ours("replay, SQLite", 18133, "--mode", "replay", "--cassette", str(database)), "same"),
            (rig.ours("simulate (o200k)", 18134, "--mode", "simulate", "--speed", "0"), rig.ours("", 18135, *slow)),
            (rig.aimock(18136, folder), None),
        )
        rows = [measured(peer, streaming, streams) for peer, streaming in cases if peer is not None]
    print(rig.machine())
    print(rig.table(("MB", "idle", "one answer", "500 answers", "KB a stream"), rows))


def measured(peer: rig.Peer, streaming: rig.Peer | str | None, streams: int) -> tuple[str, ...]:
    """One line. `streaming` is the peer that holds the streams: "same", another one, or none is measured."""
    share = "-"
    with rig.running(peer) as process:
        sizes = [rig.unique_kb(process.pid)]
        for count in (1, 499):
            for number in range(count):
                prompt = "bench" if peer.name.startswith("replay") else f"bench {number}"
                rig.ask(peer.port, rig.body(prompt, stream=False))
            sizes.append(rig.unique_kb(process.pid))
        if streaming == "same":
            share = f"{_held(peer.port, process.pid, streams):.1f}"
    if isinstance(streaming, rig.Peer):
        with rig.running(streaming) as process:
            share = f"{_held(streaming.port, process.pid, streams):.1f}"
    return (peer.name, *(f"{size / 1024:.1f}" for size in sizes), share)


def _held(port: int, pid: int, streams: int) -> float:
    """KB per open stream."""
    data = rig.request(rig.body("bench", stream=True))
    with ExitStack() as stack:
        first = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        first.sendall(data)
        time.sleep(2.0)  # the encoding is loaded
        before = rig.unique_kb(pid)
        for _ in range(streams):
            sock = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            sock.sendall(data)
        time.sleep(2.0)
        return (rig.unique_kb(pid) - before) / streams


if __name__ == "__main__":
    main()
