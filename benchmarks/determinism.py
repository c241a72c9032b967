"""The same calls in any order, at any concurrency, on one worker or two, on any date: are the answers the same?

    python -m benchmarks.determinism [--calls 10000] [--workers 1,2] [--at-once 1,64,1000] [--orders 3]

Every run is a server of its own. An answer is compared by status and how it ended, headers (but for `date`, `retry-after`,
rate limits and their resets), body, and schedule: the times that it announces and the boundaries of its chunks. Request by
request; those that are equal and do not say which occurrence they are, as a set. In process the due time of every chunk is
compared as well. Ends with 1 and the first differences if anything differs.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import rig
from benchmarks.determinism_asking import Answered, ask_all, free_port
from benchmarks.determinism_mix import Ask, Plan, recorded, written
from llm_simulator.telemetry.journal import Entry

if TYPE_CHECKING:
    from llm_simulator.proxy.server import Server

DATES = ("2019-02-28", "2031-12-31")
SHOWN = 5
CONTROLLED = 200

Name = tuple[int, int]
Found = Mapping[Name, Sequence[Answered]]
"""The answers by request; several where equal ones do not say which they are, sorted by digest."""


@dataclass(frozen=True, slots=True)
class Run:
    """One line of the table."""

    order: int
    at_once: int
    workers: int
    date: str


def runs(orders: int, at_once: Sequence[int], workers: Sequence[int], *, few: bool) -> Iterator[Run]:
    """All combinations, or with `few` one for each order; the date changes with each of the three."""
    if few:
        chosen = [(at + 1, at_once[at % len(at_once)], workers[at % len(workers)]) for at in range(orders)]
    else:
        chosen = [(order, many, crew) for order in range(1, orders + 1) for many in at_once for crew in workers]
    for order, many, crew in chosen:
        place = order - 1 if few else order - 1 + at_once.index(many) + workers.index(crew)
        yield Run(order, many, crew, DATES[place % 2])


def shuffled(asks: Sequence[Ask], order: int) -> list[Ask]:
    mixed = list(asks)
    random.Random(order).shuffle(mixed)
    return mixed


def gathered(asks: Sequence[Ask], answers: Sequence[Answered]) -> Found:
    found = defaultdict[Name, list[Answered]](list)
    for ask, answer in zip(asks, answers, strict=True):
        found[ask.name].append(answer)
    return {name: sorted(some, key=Answered.digest) for name, some in sorted(found.items())}


def digest(found: Found) -> str:
    """Of a whole run."""
    made = blake2b(digest_size=8)
    for name, answers in found.items():
        made.update(b"%d %d" % name)
        made.update(b"".join(map(Answered.digest, answers)))
    return made.hexdigest()


def differences(one: Found, other: Found, asks: Mapping[Name, Ask]) -> Iterator[str]:
    for name, answers in one.items():
        for mine, theirs in zip(answers, other[name], strict=True):
            if mine.digest() == theirs.digest():
                continue
            parts = zip(mine.parts().items(), theirs.parts().values(), strict=True)
            said = "; ".join(f"{part}: {_short(a, b)}" for (part, a), b in parts if a != b)
            yield f"call {name[0]} occurrence {name[1]} ({asks[name].data.split(b' ')[1].decode()}): {said}"


def _short(one: object, other: object) -> str:
    if isinstance(one, tuple) and isinstance(other, tuple):
        gone, come = [item for item in one if item not in other], [item for item in other if item not in one]
        return f"{gone} / {come}"[:600]
    return f"{one!r} / {other!r}"[:600]


# --- servers


def dated(date: str, faketime: str, arguments: Sequence[str]) -> tuple[str, ...]:
    """The command that serves as if it were that day."""
    if faketime:
        day = (
            "env",
            f"LD_PRELOAD={faketime}",
            f"FAKETIME=@{date} 12:00:00",
            "FAKETIME_DONT_FAKE_MONOTONIC=1",
            "TZ=UTC",
        )
        return (*day, sys.executable, "-m", "llm_simulator.cli", *arguments)
    return (sys.executable, "-m", "benchmarks.other_date", date, *arguments)


def served(run: Run, port: int, faketime: str, config: Path, cassette: Path) -> rig.Peer:
    base = ("serve", "--port", str(port), "--speed", "0", "--log-level", "error", "--mode", "simulate")
    given = ("--config", str(config), "--cassette", str(cassette), "--workers", str(run.workers))
    return rig.Peer(str(run), dated(run.date, faketime, (*base, *given)), port, "/ready")


def asked(run: Run, asks: Sequence[Ask], faketime: str, config: Path, cassette: Path) -> tuple[Found, float, str]:
    """The answers of a run, requests per second, and the date that the server had."""
    mixed, port = shuffled(asks, run.order), free_port()
    with rig.running(served(run, port, faketime, config, cassette)):
        date = _date(port)
        start = time.perf_counter()
        answers = asyncio.run(ask_all(port, [ask.data for ask in mixed], run.at_once))
        seconds = time.perf_counter() - start
    return gathered(mixed, answers), len(asks) / seconds, date


def _date(port: int) -> str:
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", "/ready")
    told = connection.getresponse().getheader("date") or ""
    connection.close()
    return " ".join(told.split()[1:4])


# --- in process


async def dues(asks: Sequence[Ask], config: Path, cassette: Path) -> Mapping[Name, Sequence[bytes]]:
    """A digest of when every chunk of an answer is due, by request; nothing is sent, so nothing waits at speed 1."""
    from llm_simulator.config.load import load
    from llm_simulator.proxy.server import Server
    from llm_simulator.types import Mode

    settings = replace(load(config, {}), cassette=str(cassette), port=0, speed=1, mode=Mode.SIMULATE)
    server = await Server.start(settings, {})
    found = defaultdict[Name, list[bytes]](list)
    try:
        for ask in asks:
            found[ask.name].append(await _due(server, ask.data))
    finally:
        await server.stop()
    return {name: sorted(some) for name, some in sorted(found.items())}


async def _due(server: Server, data: bytes) -> bytes:
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    target = first.split(b" ")[1].decode()
    headers = tuple((name, value.strip()) for name, _, value in (line.partition(b":") for line in lines))
    known = server.stage.read("POST", target, headers, body)
    call = known.known.call
    entry = Entry(0.0, "POST", target, call.provider, call.model, call.operation, call.stream, 0, "")
    answer = await server.stage.answer(known, entry)
    entry.settle()
    assert not isinstance(answer.chunks, AsyncIterator)  # nothing is forwarded
    told = (answer.status, answer.head_due, [(chunk.due, len(chunk.data)) for chunk in answer.chunks])
    return blake2b(repr(told).encode(), digest_size=16).digest()


# --- what is printed


def mixture(found: Found) -> str:
    """Where the answers came from."""
    every = [answer for answers in found.values() for answer in answers]
    sources = Counter(answer.header(b"x-llm-simulator-source") or "no response at all" for answer in every)
    struck = sum(1 for answer in every if answer.header(b"x-llm-simulator-fault") or not answer.status)
    rules = Counter(answer.header(b"x-llm-simulator-rule") or "not told" for answer in every)
    spelled = [
        ", ".join(f"{name} {count / len(every):.1%}" for name, count in some.most_common()) for some in (sources, rules)
    ]
    return f"answers: {spelled[0]}\nrules: {spelled[1]}; faults: {struck / len(every):.1%}"


def numbers(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(",")))


def options_of(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--calls", type=int, default=10_000, help="requests in a run")
    parser.add_argument("--orders", type=int, default=3, help="in how many orders")
    parser.add_argument("--at-once", type=numbers, default=(1, 64, 1000), help="requests under way at a time")
    parser.add_argument("--workers", type=numbers, default=(1, 2))
    parser.add_argument(
        "--by-order", action="store_true", help="with a rule that depends on the order: must be found out"
    )
    parser.add_argument("--few", action="store_true", help="one run for each order, not all combinations")
    parser.add_argument(
        "--faketime",
        default="",
        metavar="LIBRARY",
        help="libfaketime.so.1 sets the date (slow), else other_date.py does",
    )
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    options = options_of(arguments)
    plan = Plan.of(options.calls)
    asks = plan.asks
    print(rig.machine(), plan, _how_dated(options.faketime), sep="\n", flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config, cassette = written(folder), recorded(folder, plan)
        wrong = list(_in_process(asks, options.orders, config, cassette))
        _control(asks[:: len(asks) // CONTROLLED or 1], folder, cassette)
        planned = runs(options.orders, options.at_once, options.workers, few=options.few)
        wrong += _served(planned, asks, options.faketime, config, cassette)
    print(f"{len(wrong)} differences" if wrong else "all equal")
    return 1 if wrong else 0


def _served(planned: Iterator[Run], asks: Sequence[Ask], faketime: str, config: Path, cassette: Path) -> list[str]:
    """Every run against the first one, a line each; what differs."""
    by_name = {ask.name: ask for ask in asks}
    first: Found = {}
    wrong: list[str] = []
    print(
        f"{'order':>5} {'at once':>8} {'workers':>8}  {'date of the server':20} {'requests/s':>10}  digest", flush=True
    )
    for run in planned:
        found, rate, date = asked(run, asks, faketime, config, cassette)
        first = first or found
        differing = [] if digest(found) == digest(first) else list(differences(first, found, by_name))
        said = [f"{digest(found)}  {len(differing)} DIFFER" if differing else digest(found), *differing[:SHOWN]]
        print(
            f"{run.order:5} {run.at_once:8,} {run.workers:8}  {date:20} {rate:10,.0f}  " + "\n".join(said), flush=True
        )
        wrong += differing
    print(mixture(first))
    return wrong


def _in_process(asks: Sequence[Ask], orders: int, config: Path, cassette: Path) -> Iterator[str]:
    """In two orders; the digest of all due times is printed."""
    made = [asyncio.run(dues(shuffled(asks, order), config, cassette)) for order in (1, orders)]
    print(
        f"due times of every chunk, in process, orders 1 and {orders}: {' '.join(map(_digest_of_dues, made))}",
        flush=True,
    )
    yield from (f"call {name}: due times differ" for name, some in made[0].items() if some != made[1][name])


def _control(asks: Sequence[Ask], folder: Path, cassette: Path) -> None:
    """That a difference is seen: with a rule that goes by the order of the calls.

    Raises:
        SystemExit: it is not.
    """
    config = written(folder, by_order=True)
    one, other = (asyncio.run(dues(shuffled(asks, order), config, cassette)) for order in (1, 2))
    seen = sum(some != other[name] for name, some in one.items())
    print(f"control: a rule for every third call, whichever that is: {seen} of {len(one)} differ", flush=True)
    if not seen:
        raise SystemExit("the comparison sees nothing")


def _digest_of_dues(found: Mapping[Name, Sequence[bytes]]) -> str:
    return blake2b(repr(sorted(found.items())).encode(), digest_size=8).hexdigest()


def _how_dated(faketime: str) -> str:
    how = faketime or "the interpreter's own clock (benchmarks/other_date.py)"
    return f"system dates {' and '.join(DATES)} by {how}, in turn"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
