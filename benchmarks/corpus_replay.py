"""Replays the genuine recordings over real sockets and says how many come back exactly.

    python benchmarks/corpus_replay.py [--traffic ../shared/traffic/dev] [--sample N]

Four counts, each of them wanted at 100 %:
  exact    the recorded request gets the recorded status, end-to-end headers and decoded body
  form     keys reordered, white space changed, noise headers added, another path form: still a hit, the same answer
  changed  one semantic leaf of the request changed: a miss (404 cassette_miss)
  stored   the same after export to YAML and back
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import gzip
import json
import os
import random
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
from yarl import URL

from llm_simulator import dialects
from llm_simulator.cassettes.cassette import Cassette
from llm_simulator.config.settings import Settings
from llm_simulator.proxy.server import Server
from llm_simulator.recorder.exporting import export_cassette
from llm_simulator.recorder.importing import import_files
from llm_simulator.redact import Redactor
from llm_simulator.types import Mode

DEFAULT = Path(__file__).resolve().parents[2] / "shared" / "traffic" / "dev"
_HOP_BY_HOP = "connection keep-alive proxy-connection te trailer transfer-encoding upgrade"
NOT_COMPARED = frozenset((*_HOP_BY_HOP.split(" "), "content-encoding", "content-length"))


@dataclass(frozen=True)
class Line:
    """One recorded interaction of the JSONL."""

    source: str
    host: str
    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    json: Any
    status: int
    answer_headers: dict[str, str]
    answer: bytes


def lines(folder: Path) -> Iterator[Line]:
    for file in sorted(folder.glob("*.jsonl.gz")):
        with gzip.open(file, "rt", encoding="utf-8") as texts:
            yield from (_line(json.loads(text)) for text in texts)


def _line(row: dict[str, Any]) -> Line:
    return Line(
        source=row["source"],
        host=row["host"],
        method=row["method"],
        path=row["path"],
        headers=row["request_headers"],
        body=_bytes(row, "request_body", as_json=True),
        json=row["request_body"],
        status=row["status"],
        answer_headers=row["response_headers"],
        answer=_bytes(row, "response_body", as_json=False),
    )


def _bytes(row: dict[str, Any], name: str, *, as_json: bool) -> bytes:
    if row.get(f"{name}_b64") is not None:
        return base64.b64decode(row[f"{name}_b64"])
    if row.get(f"{name}_text") is not None:
        return row[f"{name}_text"].encode()
    value = row[name]
    if value is None:
        return b""
    return json.dumps(value).encode() if as_json else value.encode()


@dataclass
class Score:
    name: str
    good: int = 0
    of: int = 0

    def note(self, good: bool, line: Line, why: str) -> None:
        self.of += 1
        self.good += good
        if not good:
            print(f"  {self.name}: {line.method} {line.path} ({line.source}): {why}", file=sys.stderr)

    def __str__(self) -> str:
        share = 100 * self.good / self.of if self.of else 0.0
        return f"{self.name:<8} {self.good:>6} of {self.of:>6}  {share:6.2f} %"


async def main(traffic: Path, sample: int) -> bool:
    all_lines = list(lines(traffic))
    chosen = (
        all_lines
        if not sample
        else [line for n, line in enumerate(all_lines) if n % max(len(all_lines) // sample, 1) == 0]
    )
    scores: list[Score] = []
    with tempfile.TemporaryDirectory() as folder:
        database, text = Path(folder) / "corpus.db", Path(folder) / "corpus.yaml"
        cassette = await Cassette.open(str(database), read=dialects.read, writable=True)
        report = await import_files(sorted(traffic.glob("*.jsonl.gz")), cassette, redactor=Redactor({}))
        await cassette.close()
        print(f"imported {report.imported} of {len(all_lines)}, {report.decoded} decoded, {report.failed} failed")
        scores += await _served(database, chosen, ("exact", "form", "changed"), every=all_lines)
        await export_cassette(str(database), str(text), redactor=Redactor({}))
        scores += await _served(text, chosen, ("stored",), every=all_lines)
    for score in scores:
        print(score)
    return all(score.good == score.of for score in scores) and not report.failed


async def _served(cassette: Path, chosen: list[Line], names: tuple[str, ...], *, every: list[Line]) -> list[Score]:
    settings = Settings(cassette=str(cassette), mode=Mode.REPLAY, port=0, speed=0.0, journal_size=1)
    scores: list[Score] = []
    for name in names:  # a server each: the order of equal calls begins anew
        server = await Server.start(settings, {})
        try:
            async with aiohttp.ClientSession() as session:
                scores.append(await _score(name, session, server.base_url, chosen, every))
        finally:
            await server.stop()
    return scores


async def _score(name: str, session: aiohttp.ClientSession, base: str, chosen: list[Line], every: list[Line]) -> Score:
    score = Score(name)
    chance = random.Random(f"corpus {name}")
    wanted = {line.source for line in chosen}
    sources = {line.source.rsplit("#", 1)[0] for line in chosen}
    for line in every:
        if line.source.rsplit("#", 1)[0] not in sources:
            continue
        if name == "changed":
            if line.source in wanted and (changed := _changed(line, chance)) is not None:
                status, _, body = await _ask(session, base, changed, name)
                missed = status == 404 and b"cassette_miss" in body
                score.note(missed, changed, f"status {status} for {changed.body[:300]!r}")
            continue
        sent = _other_form(line, chance) if name == "form" else line
        status, headers, body = await _ask(session, base, sent, name)  # in order: equal calls replay in recorded order
        if line.source in wanted:
            problem = _problem(line, status, headers, body)
            score.note(not problem, line, problem)
    return score


async def _ask(
    session: aiohttp.ClientSession, base: str, line: Line, name: str
) -> tuple[int, list[tuple[str, str]], bytes]:
    file = line.source.rsplit("#", 1)[0]
    headers = [
        (n, v) for n, v in line.headers.items() if n not in ("host", "content-length", "connection", "accept-encoding")
    ]
    headers.append(("x-llm-simulator-session", file))
    url = URL(
        f"{base}{line.path}" if line.path.startswith("/session/") else f"{base}/{line.host}{line.path}", encoded=True
    )
    async with session.request(line.method, url, headers=headers, data=line.body or None) as got:
        return (
            got.status,
            [(n.decode("latin-1").lower(), v.decode("latin-1")) for n, v in got.raw_headers],
            await got.read(),
        )


def _problem(line: Line, status: int, headers: list[tuple[str, str]], body: bytes) -> str:
    if status != line.status:
        return f"status {status}, recorded {line.status}: {body[:300]!r}"
    if body != line.answer:
        return f"body differs: {body[:120]!r} for {line.answer[:120]!r}"
    joined: dict[str, str] = {}
    for name, value in headers:
        joined[name] = f"{joined[name]}, {value}" if name in joined else value
    for name, value in line.answer_headers.items():
        if name in NOT_COMPARED or "REDACTED" in value or name in _SECRET:
            continue
        if joined.get(name) != value:
            return f"header {name} is {joined.get(name)!r}, recorded {value!r}"
    return ""


_SECRET = frozenset({"set-cookie", "openai-organization", "openai-project", "anthropic-organization-id"})


def _other_form(line: Line, chance: random.Random) -> Line:
    """The same call as another client would spell it."""
    body = line.body
    if isinstance(line.json, dict):
        items = list(line.json.items())
        chance.shuffle(items)
        body = json.dumps(dict(items), indent=chance.choice([None, 1, 4]), ensure_ascii=chance.random() < 0.5).encode()
    noise = {"user-agent": "other/1.0", "x-stainless-package-version": "99", "traceparent": "00-1", "x-request-id": "n"}
    file = quote(line.source.rsplit("#", 1)[0], safe="")
    forms = [f"/session/{file}/{line.host}{line.path}", f"/session/{file}/https:{line.host}{line.path}"]
    return replace(line, body=body, headers={**line.headers, **noise}, path=chance.choice(forms))


def _changed(line: Line, chance: random.Random) -> Line | None:
    """The same request with one leaf of its JSON body changed."""
    leaves = [path for path in _leaves(line.json, ()) if path and path[-1] not in FORM_FIELDS]
    if not leaves:
        return None
    path = chance.choice(leaves)
    body = json.loads(json.dumps(line.json))
    inner = body
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = _other(inner[path[-1]])
    return replace(line, json=body, body=json.dumps(body).encode())


FORM_FIELDS = frozenset({"stream", "stream_options", "include_usage"})
"""Not changed: a stream asked for where a whole answer was recorded is converted, not missed."""


def _leaves(value: Any, path: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from _leaves(inner, (*path, name))
    elif isinstance(value, list) and value:
        for index, inner in enumerate(value):
            yield from _leaves(inner, (*path, index))
    else:
        yield path


def _other(value: Any) -> Any:
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 1
        case str():
            return value + " changed"
        case None:
            return "changed"
        case _:
            return ["changed"]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--traffic", type=Path, default=DEFAULT)
    parser.add_argument("--sample", type=int, default=0, help="about so many exchanges only (0: all)")
    given = parser.parse_args()
    if not given.traffic.is_dir():
        sys.exit(f"{given.traffic} is not here")
    os.environ.pop("SSL_CERT_FILE", None)
    sys.exit(0 if asyncio.run(main(given.traffic, given.sample)) else 1)
