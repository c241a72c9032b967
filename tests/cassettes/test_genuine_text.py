"""The genuine bodies as YAML text: all come back, and nearly all can be read."""

from __future__ import annotations

import base64
import gzip
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from strategies import gzipped

from llm_simulator.cassettes.text import load
from llm_simulator.cassettes.textwrite import document, head
from llm_simulator.types import Exchange, RawRequest

pytestmark = pytest.mark.shared


def lines(shared: Path) -> Iterator[dict[str, Any]]:
    for path in sorted((shared / "traffic" / "dev").glob("*.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as file:
            yield from map(json.loads, file)


def body(line: dict[str, Any], which: str) -> bytes:
    if (packed := line.get(f"{which}_body_b64")) is not None:
        return base64.b64decode(packed)
    found = line.get(f"{which}_body")
    if found is None:
        return str(line.get(f"{which}_body_text") or "").encode()
    return found.encode() if which == "response" else json.dumps(found).encode()


def exchange(line: dict[str, Any]) -> Exchange:
    path, _, query = line["path"].partition("?")
    asked = body(line, "request")
    raw = RawRequest(line["method"], path, line["host"], "https", query, tuple(line["request_headers"].items()), asked)
    answer = body(line, "response")
    wire = gzipped(answer) if line["response_headers"].get("content-encoding") == "gzip" else answer
    headers = tuple((k, v) for k, v in line["response_headers"].items() if k != "content-encoding" or v == "gzip")
    chunks = tuple((i * 1_000_000, wire[i * 700 : i * 700 + 700]) for i in range(-(-len(wire) // 700)))
    return Exchange(raw, line["provider"], "", "", "", line["streaming"], line["status"], headers, chunks)


def test_all_come_back_and_are_fit_to_read(shared: Path) -> None:
    kinds: Counter[str] = Counter()
    for line in lines(shared):
        one = exchange(line)
        text = document(one)
        assert load((head() + text).encode()) == [one]
        answer = text[text.index("response:") :]
        kinds.update(kind for kind in ("json", "sse", "text", "base64") if f"\n  {kind}: " in answer)
        kinds.update(["quoted"] if '\n  json: "' in answer or '\n  sse: "' in answer or '\n  text: "' in answer else [])
    assert sum(kinds[kind] for kind in ("json", "sse", "text", "base64")) > 1300
    assert kinds["quoted"] == 0
