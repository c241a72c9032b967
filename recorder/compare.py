"""How a fresh answer differs from the recorded one: status, headers, shape, what it says, and how long it took.

Shape is what a client's code depends on: content type, keys and the types of their values, over all events of a stream.
What the model says may change with every call; it is told apart (`Aspect.TEXT`) and never counts as a broken contract.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from llm_simulator.recorder.wording import documents, wording
from llm_simulator.redact import MASKED
from llm_simulator.telemetry.drift import Aspect, Change, Drift, Times
from llm_simulator.types import JSON, Exchange, Headers, header

MOST = 20
"""Changes named of one aspect; a provider that changed everything is not listed leaf by leaf."""

SLOWER = 1.5
"""Latency is a change where one side takes this much longer than the other ..."""

LEAST_MS = 50.0
"""... and at least so many milliseconds longer: loopback and cache hits are all noise."""

_FLEETING = re.compile(
    r"date|age|expires|etag|last-modified|set-cookie|content-length|server-timing|alt-svc|nel|report-to|via"
    r"|cf-.*|x-cache.*|x-amzn?-.*|x-goog-.*|x-served-by|x-timer|x-.*ratelimit-.*|anthropic-ratelimit-.*|retry-after"
    r"|.*request-?id|.*trace-?id|.*-id|traceparent|.*processing-?ms|.*-duration.*|.*-time|x-envoy-.*|x-debug-.*"
)
"""Headers whose value is another one in each answer: only whether they are there is compared."""

_COMES_AND_GOES = re.compile(
    r"set-cookie|content-length|age|retry-after|cf-.*|x-cache.*|alt-svc|content-encoding|vary"
    r"|x-llm-simulator-.*|connection|keep-alive|transfer-encoding"
)
"""Headers that the way of an answer adds or takes, not the provider."""


def compare(recorded: Exchange, fresh: Exchange) -> Drift:
    """Everything that changed, gravest first. Both must be redacted alike: a masked value differs from its secret."""
    found = (
        *_some(Aspect.STATUS, _status(recorded, fresh)),
        *_some(Aspect.SHAPE, _shapes(recorded, fresh)),
        *_some(Aspect.HEADERS, _headers(recorded.headers, fresh.headers)),
        *wording(recorded, fresh),
        *_latency(before := times(recorded), after := times(fresh)),
    )
    order = list(Aspect)
    return Drift(tuple(sorted(found, key=lambda change: order.index(change.aspect))), before, after)


def _some(aspect: Aspect, changes: Iterator[tuple[str, str, str]]) -> Iterator[Change]:
    found = [Change(aspect, *change) for change in changes]
    yield from found[:MOST]
    if len(found) > MOST:
        yield Change(aspect, f"and {len(found) - MOST} more", "", "")


def _status(recorded: Exchange, fresh: Exchange) -> Iterator[tuple[str, str, str]]:
    if recorded.status != fresh.status:
        yield "status", str(recorded.status), str(fresh.status)
    if recorded.outcome is not fresh.outcome:
        yield "outcome", recorded.outcome.value, fresh.outcome.value


# --- shape


def _shapes(recorded: Exchange, fresh: Exchange) -> Iterator[tuple[str, str, str]]:
    was, now = (header(e.headers, "content-type").partition(";")[0].strip().lower() for e in (recorded, fresh))
    if was != now:
        yield "content-type", was or "none", now or "none"
    before, after = _shape(recorded), _shape(fresh)
    if before is None or after is None:
        if before is not after:
            yield "body", "no JSON" if before is None else "JSON", "no JSON" if after is None else "JSON"
        return
    for path in sorted(before.keys() | after.keys()):
        old, new = before.get(path, set()), after.get(path, set())
        if not old & new:
            yield path, "/".join(sorted(old)), "/".join(sorted(new))


def _shape(exchange: Exchange) -> dict[str, set[str]] | None:
    """JSON paths (array indices folded) and the types seen there, over all events; None where there is no JSON."""
    shape: dict[str, set[str]] = {}
    for document in documents(exchange):
        _walk(document, "$", shape)
    return shape or None


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


# --- headers


def _headers(recorded: Headers, fresh: Headers) -> Iterator[tuple[str, str, str]]:
    before, after = _values(recorded), _values(fresh)
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name), after.get(name)
        if old is None or new is None:
            yield f"header {name}", old if old is not None else "", new if new is not None else ""
        elif old != new and not _FLEETING.fullmatch(name) and not MASKED.search(old):
            yield f"header {name}", old or '""', new or '""'


def _values(headers: Headers) -> dict[str, str]:
    """Values by name, repeated ones joined; `content-type` is compared as a part of the shape."""
    found: dict[str, str] = {}
    for name, value in headers:
        name = name.lower()
        if name != "content-type" and not _COMES_AND_GOES.fullmatch(name):
            found[name] = f"{found[name]}, {value}" if name in found else value
    return found


# --- latency


def times(exchange: Exchange) -> Times:
    """When the first and the last byte came; an import or a text written by hand knows no times."""
    arrived = [at for at, _ in exchange.chunks] or [m.at_ns for m in exchange.messages if m.direction == "server"]
    if not arrived or arrived[-1] == 0:
        return Times()
    return Times(round(arrived[0] / 1e6, 3), round(arrived[-1] / 1e6, 3))


def _latency(before: Times, after: Times) -> Iterator[Change]:
    for name, old, new in (("ttft", before.ttft, after.ttft), ("total", before.total, after.total)):
        if old is None or new is None:
            continue
        low, high = sorted((old, new))
        if high >= low * SLOWER and high - low >= LEAST_MS:
            ratio = f" ({new / old:.1f} times)" if old else ""
            yield Change(Aspect.LATENCY, name, f"{old:.0f} ms", f"{new:.0f} ms{ratio}")
