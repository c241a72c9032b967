"""An exchange as plain values and back, exactly: `unpack(pack(exchange)) == exchange` for every exchange.

Bodies stay raw bytes; all the rest is one line of ASCII JSON, so that any database can keep it (a lone surrogate or a
NUL in a header is an escape there).
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType

from llm_simulator.errors import CassetteError
from llm_simulator.types import JSON, Exchange, Headers, Message, Outcome, RawRequest

_encode = json.JSONEncoder(separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class Record:
    """One exchange: `detail` is ASCII JSON, the others are bytes as on the wire (messages: all payloads in a row)."""

    detail: str
    request: bytes
    response: bytes
    messages: bytes = b""


def pack(exchange: Exchange) -> Record:
    raw = exchange.request
    detail = {
        "request": [raw.method, raw.path, raw.host, raw.scheme, raw.query, raw.headers],
        "provider": exchange.provider,
        "family": exchange.family,
        "operation": exchange.operation,
        "model": exchange.model,
        "stream": exchange.stream,
        "status": exchange.status,
        "reason": exchange.reason,
        "headers": exchange.headers,
        "chunks": [(at, len(data)) for at, data in exchange.chunks],
        "outcome": exchange.outcome.value,
        "session": exchange.session,
        "recorded_at": exchange.recorded_at,
        "connect_ns": exchange.connect_ns,
        "head_ns": exchange.head_ns,
        "recorder": exchange.recorder,
        "matcher": exchange.matcher,
        "marks": sorted(exchange.marks),
        "masked": exchange.masked,
        "provenance": dict(exchange.provenance),
        "messages": [(m.direction, m.opcode, m.at_ns, len(m.data)) for m in exchange.messages],
    }
    text = _encode(detail)
    bodies = (raw.body, exchange.body, b"".join(message.data for message in exchange.messages))
    return Record(f'{text[:-1]},"check":{_check(text, bodies)}}}', *bodies)


def unpack(record: Record) -> Exchange:
    """The exchange; CassetteError where the values are not what `pack` makes."""
    with _damage():
        _compare(record)
        return _unpack(json.loads(record.detail), record)


def unpack_head(detail: str, request: bytes) -> Exchange:
    """The exchange without its chunks and messages: enough for a match key, whatever the size of the answer."""
    with _damage():
        return _unpack({**json.loads(detail), "chunks": [], "messages": []}, Record(detail, request, b""))


def _check(detail: str, bodies: Iterable[bytes]) -> int:
    """CRC-32 of all of it: a database notices damaged pages, not damaged bytes in them."""
    check = zlib.crc32(detail.encode("ascii"))
    for body in bodies:
        check = zlib.crc32(body, check)
    return check


def _compare(record: Record) -> None:
    text, mark, check = record.detail.rpartition(',"check":')
    if mark and check != f"{_check(text + '}', (record.request, record.response, record.messages))}}}":
        raise ValueError("its bytes are not those that were recorded (checksum)")


@contextmanager
def _damage() -> Generator[None]:
    try:
        yield
    except (ValueError, TypeError, KeyError, IndexError, AttributeError) as problem:
        raise CassetteError(f"damaged: {type(problem).__name__}: {problem}") from problem


def _unpack(detail: Mapping[str, JSON], record: Record) -> Exchange:
    method, path, host, scheme, query, headers = detail["request"]
    return Exchange(
        RawRequest(method, path, host, scheme, query, _headers(headers), record.request),
        detail["provider"],
        detail["family"],
        detail["operation"],
        detail["model"],
        detail["stream"],
        detail["status"],
        _headers(detail["headers"]),
        _chunks(detail["chunks"], record.response),
        detail["reason"],
        Outcome(detail["outcome"]),
        detail["session"],
        detail["recorded_at"],
        detail["connect_ns"],
        detail["head_ns"],
        detail["recorder"],
        detail["matcher"],
        frozenset(detail["marks"]),
        tuple(detail["masked"]),
        MappingProxyType(detail["provenance"]),
        _messages(detail["messages"], record.messages),
    )


def _headers(pairs: Sequence[Sequence[str]]) -> Headers:
    return tuple((name, value) for name, value in pairs)


def _chunks(cuts: Sequence[Sequence[int]], body: bytes) -> tuple[tuple[int, bytes], ...]:
    pieces = cut(body, [length for _, length in cuts])
    return tuple((at, piece) for (at, _), piece in zip(cuts, pieces, strict=True))


def _messages(heads: Sequence[tuple[str, int, int, int]], data: bytes) -> tuple[Message, ...]:
    pieces = cut(data, [length for *_, length in heads])
    return tuple(Message(who, opcode, piece, at) for (who, opcode, at, _), piece in zip(heads, pieces, strict=True))


def cut(data: bytes, lengths: Sequence[int]) -> tuple[bytes, ...]:
    """`data` in pieces of these lengths; ValueError where they do not add up to it."""
    if sum(lengths) != len(data) or any(length < 0 for length in lengths):
        raise ValueError(f"pieces of {sum(lengths)} bytes in all, but there are {len(data)}")
    pieces: list[bytes] = []
    start = 0
    for length in lengths:
        pieces.append(data[start : start + length])
        start += length
    return tuple(pieces)


def column(text: str) -> str:
    """`text` as every database takes it in a text column: what has a NUL or a lone surrogate becomes JSON."""
    if text.isprintable() and not text.startswith('"'):  # neither NUL nor surrogates are printable
        return text
    return json.dumps(text)


def uncolumn(text: str) -> str:
    """Undoes `column`."""
    return str(json.loads(text)) if text.startswith('"') else text
