"""Kills a recorder with SIGKILL under load, 20 times per kind of cassette, and counts what was lost (nothing may be).

    python benchmarks/kill9.py [--rounds 20] [--clients 16] [--seed 0]

Each round starts `llm-simulator serve --mode record` on the same cassette, lets the clients ask a stand-in provider over
TLS (streams, JSON, gzip), kills it at a random moment, opens the cassette and compares every recording with what was
sent. "ended" are answers whose end a client saw, "cut" those it was waiting for. Exits with 1 if one that ended is not there.
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "wire"))

from crashing import Load, corrupt, database_problems, killed_under_load, missing, recorder, script, stored
from standin import certificate_files, standin


def main() -> int:
    logging.getLogger("asyncio").setLevel(logging.ERROR)  # the stand-in writes to connections that were killed
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        ca, leaf = certificate_files(Path(folder))
        environ = {"SSL_CERT_FILE": str(ca)}
        with standin(script, leaf) as provider:
            bad = [_kind(kind, Path(folder), provider.url, environ, options) for kind in ("db", "yaml")]
    return 1 if any(bad) else 0


def _kind(kind: str, folder: Path, upstream: str, environ: dict[str, str], options: argparse.Namespace) -> int:
    """All rounds on one cassette; how much was lost, wrong or corrupt."""
    cassette = folder / f"c.{kind}"
    loads: list[Load] = []
    bad = 0
    print(f"\n{cassette.name}: {options.rounds} rounds, {options.clients} clients")
    print(f"{'round':>5} {'ended':>6} {'cut':>4} {'stored':>7} {'lost':>5} {'wrong':>6} {'corrupt':>8} {'open ms':>8}")
    for number in range(options.rounds):
        seed = options.seed * 1000 + number
        load = killed_under_load(cassette, upstream, environ, name=f"r{number}", seed=seed, clients=options.clients)
        loads.append(load)
        started = time.perf_counter()
        found = stored(cassette)
        took = (time.perf_counter() - started) * 1e3
        lost = sum(len(missing(each, found)) for each in loads)
        faults = len(corrupt(found))
        bad += lost + faults + len(load.wrong)
        print(
            f"{number:>5} {len(load.ended):>6} {len(load.cut):>4} {len(found):>7} {lost:>5} {len(load.wrong):>6} "
            f"{faults:>8} {took:>8.0f}"
        )
    with recorder(cassette, upstream, environ) as (_, process):
        process.terminate()
        process.wait(30)
    left = sorted(path.name for path in folder.iterdir() if cassette.name in path.name)
    lost = sum(len(missing(each, stored(cassette))) for each in loads)
    problems = database_problems(cassette) if kind == "db" else []
    ended = sum(len(load.ended) for load in loads)
    print(f"in all: {ended} ended, {lost} lost; after a clean end: files {left}, integrity {problems or 'ok'}")
    return bad + lost + len(problems)


if __name__ == "__main__":
    sys.exit(main())
