"""Genuine traffic: nothing in a body is masked but what is a credential, and redaction leaves the rest alone."""

from __future__ import annotations

import base64
import gzip
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llm_simulator.redact import Redactor, mask, scan
from llm_simulator.types import Exchange, RawRequest

pytestmark = pytest.mark.shared


def _bytes(held: dict[str, Any], side: str) -> bytes:
    body = held.get(f"{side}_body")
    if body is None:
        return held.get(f"{side}_body_text", "").encode() or base64.b64decode(held.get(f"{side}_body_b64") or "")
    return (body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)).encode()


def exchanges(shared: Path) -> Iterator[tuple[str, Exchange]]:
    for path in sorted((shared / "traffic" / "dev").glob("*.jsonl.gz")):
        with gzip.open(path, "rt") as lines:
            for line in lines:
                held = json.loads(line)
                target, _, query = held["path"].partition("?")
                headers = tuple((k, v) for k, v in held["response_headers"].items() if k != "content-encoding")
                request = RawRequest(
                    held["method"],
                    target,
                    held["host"],
                    query=query,
                    headers=tuple(held["request_headers"].items()),
                    body=_bytes(held, "request"),
                )
                chunks = ((0, _bytes(held, "response")),)
                yield (
                    held["source"],
                    Exchange(request, held["provider"], "", "", "", False, held["status"], headers, chunks),
                )


def test_only_credentials_are_found(shared: Path) -> None:
    redactor = Redactor({})
    found: Counter[tuple[str, str]] = Counter()
    for _, exchange in exchanges(shared):
        found.update((finding.where, finding.kind) for finding in scan(exchange, redactor))
        assert mask(exchange.request.body.decode("latin-1")) == exchange.request.body.decode("latin-1")
    assert not found  # the recorders had replaced all credentials, so whatever is found is a false alarm


def test_redaction_keeps_length_and_json(shared: Path) -> None:
    redactor = Redactor({"PLANTED_TOKEN": "chatcmpl-does-not-occur"})
    for _, exchange in exchanges(shared):
        stored = redactor.exchange(exchange)
        assert len(stored.body) == len(exchange.body)
        assert stored.masked == ()
        if stored.marks:
            json.loads(stored.body)


def test_redaction_while_it_comes_says_the_same(shared: Path) -> None:
    redactor = Redactor({"PLANTED_TOKEN": "chatcmpl-does-not-occur"})
    for _, exchange in exchanges(shared):
        ahead = redactor.ahead(exchange.request)
        ahead.head(exchange.headers)
        for start in range(0, len(exchange.body), 97):
            ahead.feed(exchange.body[start : start + 97])
        assert ahead.exchange(exchange) == redactor.exchange(exchange)
