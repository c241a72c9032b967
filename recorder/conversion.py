"""From an imported interaction to an exchange: what the wire would show, the call that it was, where it came from.

Nothing is redacted here; who stores an exchange redacts it first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from llm_simulator import dialects
from llm_simulator.cassettes.body import is_sse, usual_chunks
from llm_simulator.cassettes.key import MATCHER_VERSION
from llm_simulator.recorder.interaction import Imported
from llm_simulator.recorder.wireview import View, view
from llm_simulator.types import Call, Exchange, Headers, header

_REBUILT = "rebuilt from parsed JSON"


def exchange_of(item: Imported, format: str, file: str) -> tuple[Exchange, Call]:
    """The exchange and its call. Bodies are the bytes that were stored; headers lose what those bytes contradict."""
    asked = view(item.request.headers, item.sent)
    answered = view(item.headers, item.body)
    call = dialects.read(replace(item.request, headers=asked.headers, body=item.sent.data))
    exchange = Exchange(
        request=call.raw,
        provider=call.provider,
        family=call.family,
        operation=call.operation,
        model=call.model,
        stream=call.stream,
        status=item.status,
        headers=answered.headers,
        chunks=_chunks(item, answered.headers),
        reason=item.reason,
        session=item.session or file,
        recorded_at=item.recorded_at,
        connect_ns=item.connect_ns,
        head_ns=item.head_ns,
        recorder=f"import {format}",
        matcher=MATCHER_VERSION,
        marks=_marks(item, answered),
        provenance=_provenance(item, file, asked, answered),
    )
    return exchange, call


def _chunks(item: Imported, headers: Headers) -> tuple[tuple[int, bytes], ...]:
    """An event each where events can be seen. Known at best are two times, of the head and of the end: spread between."""
    pieces = usual_chunks(item.body.data, is_sse(headers) and not header(headers, "content-encoding"))
    if not item.done_ns or not pieces:
        return pieces
    step = (item.done_ns - item.head_ns) / len(pieces)
    return tuple((item.head_ns + round(step * number), data) for number, (_, data) in enumerate(pieces, 1))


def _marks(item: Imported, answered: View) -> frozenset[str]:
    marks = {"imported"}
    if answered.decoded or "response content-encoding" in item.provenance:
        marks.add("decoded")
    if _was_redacted(item):
        marks.add("redacted")
    return frozenset(marks)


def _was_redacted(item: Imported) -> bool:
    """Whether who recorded it masked a header or a query value already (`REDACTED`, `**REDACTED**`, `<redacted>`)."""
    values = [value for _, value in (*item.request.headers, *item.headers)]
    return any("redacted" in value.lower() for value in (*values, item.request.query))


def _provenance(item: Imported, file: str, asked: View, answered: View) -> Mapping[str, str]:
    facts = {"source": f"{file}: {item.where}" if item.where else file}
    facts |= {f"response {name}": value for name, value in answered.originals.items()}
    if asked.decoded:
        facts |= {f"request {name}": value for name, value in asked.originals.items()}
    if item.sent.rebuilt:
        facts["request body"] = _REBUILT
    if item.body.rebuilt:
        facts["response body"] = _REBUILT
    return MappingProxyType({**facts, **item.provenance})
