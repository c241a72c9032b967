"""Load on a recording server that is about to die: answers that can be told apart, clients that know which end they saw.

Every question carries a marker of its own, and the answer is a function of the marker: whoever finds a recording later
can say whether it is whole.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import http.client
import os
import random
import resource
import signal
import sqlite3
import subprocess
import threading
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from serving import COMMAND, Got, ask, free_port, wait_ready
from standin import Asked, Script

from llm_simulator import dialects
from llm_simulator.cassettes.cassette import Cassette
from llm_simulator.types import Exchange, Outcome, RawRequest

TARGET = "/api.openai.com/v1/chat/completions"
SSE = (("content-type", "text/event-stream; charset=utf-8"),)
JSON = (("content-type", "application/json"),)
_WORDS = [
    "the",
    "model",
    "answers",
    "at",
    "length",
    "and",
    "every",
    "word",
    "of",
    "it",
    "must",
    "be",
    "in",
    "the",
    "recording",
]


def marker_of(body: bytes) -> str:
    """The marker of a question: the text between < and >."""
    return body.partition(b"<")[2].partition(b">")[0].decode("ascii")


def script(asked: Asked) -> Script:
    """The answer to a marked question; which of three kinds it is depends on the marker."""
    return answer_to(marker_of(asked.body))


def answer_to(marker: str) -> Script:
    """Streamed events, JSON with a content-length, or the same in gzip."""
    chance = random.Random(f"answer to {marker}")
    match chance.randrange(3):
        case 0:
            return Script(headers=SSE, chunks=tuple(_events(marker, chance)))
        case 1:
            return Script(headers=JSON, chunks=_halves(_json(marker, chance)), chunked=False)
        case _:
            coded = gzip.compress(_json(marker, chance), mtime=0)
            return Script(headers=(*JSON, ("content-encoding", "gzip")), chunks=_halves(coded), chunked=False)


def _events(marker: str, chance: random.Random) -> Iterator[tuple[float, bytes]]:
    for number in range(chance.randint(2, 12)):
        text = f'{{"id":"{marker}","n":{number},"text":"{chance.choice(_WORDS)}"}}'
        yield chance.choice((0.0, 0.0, 0.002, 0.005)), f"data: {text}\n\n".encode()
    yield 0.0, b"data: [DONE]\n\n"


def _json(marker: str, chance: random.Random) -> bytes:
    text = " ".join(chance.choices(_WORDS, k=chance.randint(5, 3000)))
    return f'{{"id": "{marker}", "object": "chat.completion", "text": "{text}"}}'.encode()


def _halves(body: bytes) -> tuple[tuple[float, bytes], ...]:
    middle = len(body) // 2
    return ((0.0, body[:middle]), (0.001, body[middle:]))


def answer_body(marker: str) -> bytes:
    """The wire bytes of the answer to a marker."""
    return b"".join(data for _, data in answer_to(marker).chunks)


def question(base_url: str, marker: str, timeout: float = 10) -> Got:
    """Asks a marked question."""
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": f"<{marker}>"}]}
    return ask(base_url, TARGET, body, timeout=timeout)


@dataclass
class Load:
    """Clients that ask one marked question after the other. `ended` are the markers whose end a client saw."""

    base_url: str
    name: str
    clients: int = 16
    limit: int = 1 << 30  # questions per client
    ended: set[str] = field(default_factory=lambda: set[str]())
    cut: set[str] = field(default_factory=lambda: set[str]())  # asked, but the end did not come
    wrong: list[str] = field(default_factory=lambda: list[str]())  # an end that came with other bytes than were sent
    first: threading.Event = field(default_factory=threading.Event)
    stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=lambda: list[threading.Thread]())

    def start(self) -> Load:
        self._threads = [threading.Thread(target=self._client, args=(number,)) for number in range(self.clients)]
        for thread in self._threads:
            thread.start()
        return self

    def join(self) -> None:
        for thread in self._threads:
            thread.join(30)

    def _client(self, client: int) -> None:
        for number in range(self.limit):
            marker = f"{self.name}-{client}-{number}"
            if self.stop.is_set() or not self._ask(marker):
                return

    def _ask(self, marker: str) -> bool:
        """Whether there is still somebody to ask."""
        try:
            got = question(self.base_url, marker)
        except (OSError, http.client.HTTPException):
            self.cut.add(marker)
            return False
        if not got.complete:
            self.cut.add(marker)
            return False
        if (got.status, got.body) != (200, answer_body(marker)):
            self.wrong.append(f"{marker}: {got.status} {got.body[:200]!r}")
        self.ended.add(marker)
        self.first.set()
        return True


@contextmanager
def recorder(
    cassette: Path, upstream: str, environ: Mapping[str, str], largest_file: int = -1
) -> Generator[tuple[str, subprocess.Popen[str]]]:
    """`llm-simulator serve --mode record` as a process that the test may kill; gives its base URL and the process.

    `largest_file`: bytes beyond which no file of that process can grow (RLIMIT_FSIZE), as on a full disk; -1: any.
    """
    port = free_port()
    options = ["--mode", "record", "--cassette", str(cassette), "--upstream", f"api.openai.com={upstream}"]
    inherited = dict(os.environ)
    if largest_file >= 0:
        inherited.pop("COVERAGE_PROCESS_CONFIG", None)  # the measurement's own file would not fit either
    process = subprocess.Popen(
        [*COMMAND, "serve", "--port", str(port), "--log-level", "warning", *options],
        env={**inherited, **environ},
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file)),
    )
    try:
        wait_ready(f"http://127.0.0.1:{port}", process)
        yield f"http://127.0.0.1:{port}", process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def killed_under_load(
    cassette: Path, upstream: str, environ: Mapping[str, str], *, name: str, seed: int, clients: int = 16
) -> Load:
    """Starts a recorder, puts load on it, kills it with SIGKILL at a moment that `seed` picks; what the clients saw."""
    with recorder(cassette, upstream, environ) as (base_url, process):
        load = Load(base_url, name, clients).start()
        assert load.first.wait(10), "no client got an answer"
        threading.Event().wait(random.Random(seed).uniform(0.02, 0.5))
        process.send_signal(signal.SIGKILL)
        process.wait(10)
        load.stop.set()
        load.join()
    return load


def stored(cassette: Path) -> dict[str, Exchange]:
    """All recordings of a cassette by their marker; each marker is there once."""

    async def read() -> list[Exchange]:
        opened = await Cassette.open(str(cassette), read=dialects.read, allow_truncated=True)
        try:
            return [exchange async for _, exchange in opened.exchanges()]
        finally:
            await opened.close()

    found = asyncio.run(read())
    by_marker = {marker_of(exchange.request.body): exchange for exchange in found}
    assert len(by_marker) == len(found), "a recording is there twice"
    return by_marker


def missing(load: Load, found: Mapping[str, Exchange]) -> list[str]:
    """The markers whose end a client saw and that are not in the cassette, whole."""
    return sorted(marker for marker in load.ended if marker not in found or not whole(marker, found[marker]))


def corrupt(found: Mapping[str, Exchange]) -> list[str]:
    """The recordings that claim more than is true: complete with other bytes, or parts that are no beginning."""
    return sorted(marker for marker, exchange in found.items() if not _honest(marker, exchange))


def whole(marker: str, exchange: Exchange) -> bool:
    """Whether this is a complete recording of exactly what was sent."""
    return exchange.outcome is Outcome.COMPLETE and exchange.body == answer_body(marker)


def _honest(marker: str, exchange: Exchange) -> bool:
    if exchange.outcome is Outcome.COMPLETE:
        return exchange.status == 200 and exchange.body == answer_body(marker)
    return answer_body(marker).startswith(exchange.body)


def database_problems(path: Path) -> list[str]:
    """What SQLite's own check finds wrong in a database file."""
    with closing(sqlite3.connect(path)) as connection:
        return [line for (line,) in connection.execute("PRAGMA integrity_check") if line != "ok"]


def fingerprint(path: Path) -> str:
    """A hash of a file's bytes."""
    return hashlib.blake2b(path.read_bytes()).hexdigest()


def cassette_of(path: Path, markers: list[str]) -> Path:
    """A cassette with the answers to these markers, made without a server."""

    async def write() -> None:
        opened = await Cassette.open(str(path), read=dialects.read, writable=True, run="made")
        try:
            for marker in markers:
                body = f'{{"model":"gpt-4o","messages":[{{"role":"user","content":"<{marker}>"}}]}}'.encode()
                raw = RawRequest("POST", "/v1/chat/completions", "api.openai.com", body=body)
                await opened.add(_exchange(raw, marker), dialects.read(raw), replace=False)
        finally:
            await opened.close()

    asyncio.run(write())
    return path


def _exchange(raw: RawRequest, marker: str) -> Exchange:
    answer = answer_to(marker)
    return Exchange(
        request=raw,
        provider="openai",
        family="openai.chat",
        operation="chat",
        model="gpt-4o",
        stream=False,
        status=200,
        headers=answer.headers,
        chunks=tuple((1_000_000 * at, data) for at, (_, data) in enumerate(answer.chunks, 1)),
        recorder="llm-simulator",
    )
