"""How a fresh answer differs from the recorded one: status, form and shape, not the words a model chose this time."""

from __future__ import annotations

import json
from collections.abc import Iterator

from llm_simulator.redact.coding import CodingError, decode
from llm_simulator.types import JSON, Exchange, header

MOST = 20
"""Differences named; a provider that changed everything is not listed leaf by leaf."""


def compare(recorded: Exchange, fresh: Exchange) -> tuple[str, ...]:
    """The differences, as a person reads them; empty where status, content type and shape agree."""
    found = [*_heads(recorded, fresh), *_bodies(recorded, fresh)]
    return (*found[:MOST], f"and {len(found) - MOST} more") if len(found) > MOST else tuple(found)


def _heads(recorded: Exchange, fresh: Exchange) -> Iterator[str]:
    if recorded.status != fresh.status:
        yield f"status was {recorded.status}, is {fresh.status}"
    before, now = (header(e.headers, "content-type").partition(";")[0].strip().lower() for e in (recorded, fresh))
    if before != now:
        yield f"content-type was {before or 'none'}, is {now or 'none'}"


def _bodies(recorded: Exchange, fresh: Exchange) -> Iterator[str]:
    before, now = _shape(recorded), _shape(fresh)
    if before is None or now is None:
        if recorded.body != fresh.body and before is not now:
            yield "body is no JSON any more" if now is None else "body is JSON now"
        return
    for path in sorted(before.keys() - now.keys()):
        yield f"{path} is gone"
    for path in sorted(now.keys() - before.keys()):
        yield f"{path} is new"
    for path in sorted(before.keys() & now.keys()):
        if not before[path] & now[path]:
            yield f"{path} was {'/'.join(sorted(before[path]))}, is {'/'.join(sorted(now[path]))}"


def _shape(exchange: Exchange) -> dict[str, set[str]] | None:
    """JSON paths (array indices folded) and the types seen there, over all events; None where there is no JSON."""
    shape: dict[str, set[str]] = {}
    try:
        text = decode(exchange.body, header(exchange.headers, "content-encoding")).decode("utf-8")
    except (CodingError, UnicodeDecodeError):
        return None
    for document in _documents(text, header(exchange.headers, "content-type")):
        _walk(document, "$", shape)
    return shape or None


def _documents(text: str, content_type: str) -> Iterator[JSON]:
    lines = text.splitlines() if "event-stream" in content_type or "ndjson" in content_type else [text]
    for line in lines:
        try:
            yield json.loads(line.removeprefix("data:"))
        except json.JSONDecodeError:
            continue  # event names, blank lines, [DONE]


def _walk(value: JSON, path: str, shape: dict[str, set[str]]) -> None:
    shape.setdefault(path, set()).add(_kind(value))
    if isinstance(value, dict):
        for name, inner in value.items():
            _walk(inner, f"{path}.{name}", shape)
    elif isinstance(value, list):
        for inner in value:
            _walk(inner, f"{path}[]", shape)


def _kind(value: JSON) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, dict):
        return "object"
    return "array" if isinstance(value, list) else "string" if isinstance(value, str) else "number"
