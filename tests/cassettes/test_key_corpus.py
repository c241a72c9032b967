"""The match key over genuine requests: another form of a request always hits, another meaning always misses."""

from __future__ import annotations

import gzip
import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from llm_simulator.cassettes.key import Matcher, normal_path
from llm_simulator.dialects import provider_of, read
from llm_simulator.types import Call, RawRequest

pytestmark = pytest.mark.shared

NOISE = (("X-Stainless-Retry-Count", "1"), ("traceparent", "00-aa-bb-01"), ("User-Agent", "other/1.0"))
CLOSED = {True: False, False: True}


def requests(shared: Path) -> Iterator[RawRequest]:
    """Every distinct request of the corpus, as a client sent it."""
    seen: set[RawRequest] = set()
    for file in sorted((shared / "traffic" / "dev").glob("*.jsonl.gz")):
        with gzip.open(file, "rt") as lines:
            for line in lines:
                raw = as_sent(json.loads(line))
                if raw not in seen:
                    seen.add(raw)
                    yield raw


def as_sent(record: dict[str, Any]) -> RawRequest:
    body = record.get("request_body")
    text = record.get("request_body_text", "") if body is None else json.dumps(body, ensure_ascii=False)
    path, _, query = record["path"].partition("?")
    headers = tuple(record["request_headers"].items())
    return RawRequest(record["method"], path, record["host"], "https", query, headers, text.encode())


def shuffled(value: Any, chance: random.Random) -> Any:
    if isinstance(value, dict):
        members = list(value.items())
        chance.shuffle(members)
        return {name: shuffled(item, chance) for name, item in members}
    return [shuffled(item, chance) for item in value] if isinstance(value, list) else value


def leaves(value: Any, put: Callable[[Any], None]) -> Iterator[tuple[Any, Callable[[Any], None]]]:
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    empty = True
    for at, item in pairs:
        empty = False
        yield from leaves(item, partial(value.__setitem__, at))
    if empty:
        yield value, put


def changed(leaf: Any, chance: random.Random) -> Any:
    match leaf:
        case bool():
            return CLOSED[leaf]
        case int() | float():
            return leaf + chance.choice([1, 0.5, -1])
        case str():
            at = chance.randrange(len(leaf) + 1)
            return leaf[:at] + chance.choice("abc 1") + leaf[at:]
        case None:
            return chance.choice([0, "", False])
        case _:
            return "not empty"


def other_forms(raw: RawRequest, chance: random.Random) -> Iterator[tuple[str, RawRequest]]:
    """The same request as other clients would send it."""
    yield "header noise", replace(raw, headers=(*raw.headers, *NOISE))
    yield "trailing slash", replace(raw, path=raw.path + "/")
    if provider_of(raw.host):  # else the provider is read from the path as it is
        yield "double slash", replace(raw, path=raw.path.replace("/", "//", 1))
        yield "percent-encoding", replace(raw, path=raw.path.replace("o", "%6F").replace("%3A", ":"))
    yield "bare path", replace(raw, host="")
    fields = raw.query.split("&") if raw.query else []
    yield "query order", replace(raw, query="&".join(["key=AIza", *reversed(fields)]))
    if isinstance(read(raw).body, dict):
        body = shuffled(json.loads(raw.body), chance)
        yield "key order", replace(raw, body=json.dumps(body).encode())
        yield "white space", replace(raw, body=json.dumps(body, indent=2, ensure_ascii=False).encode())
        yield (
            "compressed",
            replace(raw, body=gzip.compress(raw.body), headers=(*raw.headers, ("content-encoding", "gzip"))),
        )


def hits(matcher: Matcher, asked: Call, recorded: Call) -> bool:
    """As a cassette that holds only `recorded` looks it up."""
    key = matcher.key(asked)
    digest = key.digest if asked.raw.host else key.under(recorded.provider)
    return digest == matcher.key(recorded).digest


def test_every_other_form_hits(shared: Path) -> None:
    chance, matcher, missed = random.Random(7), Matcher(), Counter[str]()
    count = 0
    for raw in requests(shared):
        recorded = read(raw)
        for name, other in other_forms(raw, chance):
            count += 1
            if not hits(matcher, read(other), recorded):
                missed[f"{name}: {raw.method} {raw.host}{raw.path}"] += 1
    assert count > 8_000
    assert missed == {}


def test_every_changed_leaf_misses(shared: Path) -> None:
    """Each leaf of small bodies, twenty of large ones."""
    chance, matcher, hit = random.Random(7), Matcher(), list[str]()
    count = 0
    for raw in requests(shared):
        recorded = read(raw)
        if not isinstance(recorded.body, dict) or not recorded.body:
            continue
        for at in chosen(raw.body, chance):
            body = json.loads(raw.body)
            leaf, put = list(leaves(body, lambda _: None))[at]
            put(changed(leaf, chance))
            count += 1
            asked = read(replace(raw, body=json.dumps(body, ensure_ascii=False).encode()))
            if hits(matcher, asked, recorded):
                hit.append(f"{raw.path}: {str(leaf)[:60]}")
    assert count > 10_000
    assert hit == []


def chosen(body: bytes, chance: random.Random) -> list[int]:
    count = sum(1 for _ in leaves(json.loads(body), lambda _: None))
    return list(range(count)) if count <= 20 else sorted(chance.sample(range(count), 20))


def test_distinct_requests_have_distinct_keys(shared: Path) -> None:
    """Only what differs in form alone may share a key: its canonical parts are then equal."""
    matcher, kept = Matcher(), dict[bytes, RawRequest]()
    for raw in requests(shared):
        first = kept.setdefault(matcher.key(read(raw)).digest, raw)
        assert (raw.method, normal_path(raw.path)) == (first.method, normal_path(first.path))
        assert read(raw).body == read(first).body
