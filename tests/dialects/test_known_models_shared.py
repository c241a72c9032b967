"""Every model that a provider has answered in the recordings is answered, and nothing genuine is refused as invalid."""

from __future__ import annotations

import base64
import gzip
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llm_simulator import dialects
from llm_simulator.dialects import known_models
from llm_simulator.types import Call, RawRequest

pytestmark = pytest.mark.shared

KEYS = {
    "openai": ("authorization", "Bearer sk-proj-abcdefgh"),
    "azure": ("api-key", 32 * "a"),
    "anthropic": ("x-api-key", "sk-ant-api03-abcdefgh"),
    "gemini": ("x-goog-api-key", "AIzaSyabcdefgh"),
    "vertex": ("authorization", "Bearer ya29.abcdefgh"),
    "cohere": ("authorization", "Bearer " + 40 * "c"),
    "mistral": ("authorization", "Bearer " + 32 * "m"),
}
CREDENTIALS = ("authorization", "api-key", "x-api-key", "x-goog-api-key")
RETIRED = ("anthropic.model_not_found", "cohere.model_removed", "gemini.model_retired", "openai.model_deprecated")
"""The recordings are older than the list of models."""


def _lines(shared: Path) -> Iterator[dict[str, Any]]:
    for path in sorted((shared / "traffic" / "dev").glob("*.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            yield from (json.loads(line) for line in lines)


def _call(record: dict[str, Any]) -> Call:
    path, _, query = record["path"].partition("?")
    kept = "&".join(part for part in query.split("&") if "REDACTED" not in part)
    headers = {name: value for name, value in record["request_headers"].items() if name not in CREDENTIALS}
    if record["provider"] in KEYS:
        name, value = KEYS[record["provider"]]
        headers[name] = value
    if record["provider"] == "anthropic":
        headers.setdefault("anthropic-version", "2023-06-01")  # filtered by some recorders
    raw = RawRequest(record["method"], path, record["host"], "https", kept, tuple(headers.items()), _body(record))
    return dialects.read(raw)


def _body(record: dict[str, Any]) -> bytes:
    if record["request_body"] is not None:
        return json.dumps(record["request_body"]).encode()
    return (record.get("request_body_text") or "").encode() or base64.b64decode(record.get("request_body_b64") or "")


def test_models_of_genuine_answers_are_answered(shared: Path) -> None:
    unknown = Counter(
        (record["provider"], call.model)
        for record in _lines(shared)
        if record["status"] < 400 and not known_models.answered(call := _call(record))
    )
    assert not unknown


def test_genuine_calls_pass_the_strict_rules(shared: Path) -> None:
    refused: Counter[str] = Counter()
    asked = 0
    for record in _lines(shared):
        call = _call(record)
        dialect = dialects.of(call)
        if record["status"] >= 400 or dialect.check(call) is not None:
            continue
        asked += 1
        found = dialect.validate(call)
        if found is not None:
            refused[found.name] += 1
    assert asked > 1000
    assert set(refused) <= set(RETIRED)


def test_genuine_refusals_of_models_and_ranges_are_refused_alike(shared: Path) -> None:
    """The recorded 404s for unknown models, in the words that were recorded."""
    seen = 0
    for record in _lines(shared):
        call = _call(record)
        if record["status"] < 400 or known_models.answered(call):
            continue
        seen += 1
        condition = known_models.not_found(call)
        recorded = json.loads(record["response_body"])["error"]
        assert (condition.status, condition.message) == (record["status"], recorded["message"])
    assert seen == 5
