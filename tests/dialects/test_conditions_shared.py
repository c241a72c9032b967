"""Our compact catalogue against the full one that it was made from: every fact, and every byte that is sent."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from llm_simulator.dialects import conditions
from llm_simulator.dialects.conditions import Entry

pytestmark = pytest.mark.shared

LAYOUTS: dict[str, Callable[[Any], str]] = {
    "compact": lambda body: json.dumps(body, ensure_ascii=False, separators=(",", ":")),
    "compactnl": lambda body: json.dumps(body, ensure_ascii=False, separators=(",", ":")) + "\n",
    "indent2": lambda body: json.dumps(body, ensure_ascii=False, indent=2),
    "indent2nl": lambda body: json.dumps(body, ensure_ascii=False, indent=2) + "\n",
    "indent4nl": lambda body: json.dumps(body, ensure_ascii=False, indent=4) + "\n",
    "raw": str,
}


@cache
def reference(shared: Path) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, str]]]:
    data = yaml.load((shared / "reference" / "errors.yaml").read_bytes(), Loader=yaml.CSafeLoader)
    return {entry["id"]: entry for entry in data["errors"]}, data["default_headers"]


def test_none_is_missing(shared: Path) -> None:
    assert {entry.id for entry in conditions.entries()} == set(reference(shared)[0])


@pytest.mark.parametrize("entry", conditions.entries(), ids=lambda entry: entry.id)
def test_facts(entry: Entry, shared: Path) -> None:
    wanted = reference(shared)[0][entry.id]
    found = {
        "provider": entry.provider,
        "applies_to": list(entry.applies_to),
        "condition": entry.condition,
        "category": entry.category,
        "transport": entry.transport,
        "http_status": entry.status,
        "sdk_exception": entry.python,
        "sdk_exception_node": entry.node,
        "sdk_cause": entry.cause,
        "sdk_result": entry.result,
        "fault": entry.fault,
        "retried_by_sdk": entry.retried,
        "requests_default": entry.requests,
        "requests_default_node": entry.requests_node,
        "probe": entry.probe,
        "documented": entry.documented,
        "body_basis": entry.basis,
        "notes": entry.notes,
    }
    empty = {"requests_default_node": wanted["requests_default"], "notes": ""}
    assert found == {name: wanted.get(name, empty.get(name)) for name in found}
    assert wanted["source"].startswith(entry.source.removesuffix(", error.details.error_code"))


@pytest.mark.parametrize(
    "entry", [entry for entry in conditions.entries() if entry.spelled], ids=lambda entry: entry.id
)
def test_status_headers_and_bytes(entry: Entry, shared: Path) -> None:
    entries, defaults = reference(shared)
    wanted = entries[entry.id]
    reply = conditions.spell(entry)
    assert reply.status == wanted["http_status"]
    headers = {**defaults[entry.provider], **wanted.get("headers", {})} if wanted["http_status"] != 101 else {}
    if "x-request-id" in headers:  # a body that names the request names the one that the header does
        headers["x-request-id"] = wanted.get("vars", {}).get("request_id", headers["x-request-id"])
    assert dict(reply.headers) == {name: value for name, value in headers.items() if value is not None}
    assert len(reply.headers) == len(dict(reply.headers))
    if "events" in wanted:
        assert not isinstance(reply.body, bytes)
        assert [frame.data.decode() for frame in reply.body] == wanted["events"]
    else:
        body = wanted.get("body")
        assert isinstance(reply.body, bytes)
        assert reply.body.decode() == ("" if body is None else LAYOUTS[wanted.get("body_format") or "compact"](body))


@pytest.mark.parametrize(
    "entry", [entry for entry in conditions.entries() if entry.spelled], ids=lambda entry: entry.id
)
def test_what_depends_on_the_request_is_a_placeholder(entry: Entry, shared: Path) -> None:
    wanted = reference(shared)[0][entry.id].get("vars", {})
    assert {name: entry.examples[name] for name in wanted} == wanted
    for name in wanted:
        reply = conditions.spell(entry, {name: "⟨own⟩"})
        assert isinstance(reply.body, bytes)
        assert "⟨own⟩" in reply.body.decode()
