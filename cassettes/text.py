"""Exchanges out of YAML text (see textwrite.py), written by us or by hand: what is left out has a sensible default.

A hand-edited body stays valid: chunk sizes that no longer add up are cut anew, and content-length follows.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path
from types import MappingProxyType

import yaml

from llm_simulator.cassettes.body import Chunks, adapted, coding, cut_chunks, spread, usual_chunks, view
from llm_simulator.cassettes.documents import Piece, split
from llm_simulator.cassettes.fields import Document, Fields, compose, json_value, shown
from llm_simulator.cassettes.layout import FLAGS, LAYOUTS, known, parse, restore
from llm_simulator.cassettes.textwrite import RAW, SCHEMA
from llm_simulator.errors import CassetteError
from llm_simulator.types import Exchange, Headers, Message, Outcome, RawRequest

_HEAD = ("llm-simulator", "schema", "matcher", "match")
_MATCH = ("ignore", "headers", "host")
_DOCUMENT = (
    "provider", "family", "operation", "model", "stream", "session", "request", "response", "messages", "outcome",
    "marks", "masked", "provenance", "metadata",
)  # fmt: skip
_FRONT = _DOCUMENT[:5]  # what a recorder always writes, and a hand hardly ever
_BODY = ("json", "sse", "text", "base64")
_SHAPE = ("layout", "newline", "crlf_lines", "ending")
_REQUEST = ("method", "scheme", "host", "path", "query", "headers", *_BODY, *_SHAPE, "wire")
_RESPONSE = ("status", "reason", "headers", *_BODY, *_SHAPE, "wire")
_MESSAGE = ("from", "opcode", *_BODY, *_SHAPE)
_METADATA = ("recorded_at", "recorder", "matcher", "connect_ns", "head_ns", "chunks", "messages")
_TYPES = {"json": "application/json", "sse": "text/event-stream", "text": "text/plain; charset=utf-8"}
_WORDS = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class Head:
    """The header document: the matcher version of exchanges that name none, and the cassette's own match rules."""

    matcher: int = 0
    ignore: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    host: bool = False


@dataclass(frozen=True, slots=True)
class _Body:
    """`kind` is the field it stood in ("": none), `data` what that holds, `wire` the recorded bytes if others."""

    kind: str = ""
    data: bytes = b""
    wire: bytes | None = None


@dataclass(frozen=True, slots=True)
class _Meta:
    recorded_at: str = ""
    recorder: str = ""
    matcher: int = 0
    connect_ns: int = 0
    head_ns: int = 0
    cuts: Sequence[tuple[int, int]] | None = None
    messages: Sequence[int] = field(default=())


def read_head(data: bytes, document: Document) -> Head:
    """The header; CassetteError where the file is no cassette or has a schema version that is not ours."""
    node = compose(data, document)
    if node is None:
        raise CassetteError(f"cassette {document.file}: empty; a cassette starts with `llm-simulator: cassette`")
    names = [str(key.value) for key, _ in node.value] if isinstance(node, yaml.MappingNode) else []
    if "llm-simulator" not in names:
        raise CassetteError(
            f"cassette {document.file}: not one of ours: it must start with the lines `llm-simulator: cassette` and "
            f"`schema: {SCHEMA}` (cassettes of other tools: llm-simulator cassette import)"
        )
    fields = Fields(node, document, _HEAD)
    fields.choice("llm-simulator", "", ("cassette",))
    if fields.text("schema") != str(SCHEMA):
        raise fields.fault("schema", f"version {shown(fields.text('schema'))}", f"this release supports {SCHEMA}")
    found = fields.get("match")
    match = Fields(found, document, _MATCH, "match") if found is not None else None
    matcher = fields.number("matcher", 0)
    if match is None:
        return Head(matcher)
    return Head(matcher, match.texts("ignore"), match.texts("headers"), _flag(match, "host", False))


def read_exchange(data: bytes, document: Document, head: Head, *, whole: bool = True) -> Exchange | None:
    """The exchange of one document (None: the document is empty).

    `whole` False leaves out chunks and messages: enough for a match key, and the answer is not worked on.
    """
    node = compose(data, document)
    if node is None:
        return None
    fields = Fields(node, document, _DOCUMENT)
    meta = _metadata(fields, head)
    request, sent = _request(fields)
    answer = _part(fields, "response", _RESPONSE)
    got = _body(answer) if whole else _Body(_kind(answer))
    exchange = Exchange(
        request,
        fields.text("provider", "unknown"),
        fields.text("family", "opaque"),
        fields.text("operation", "unknown"),
        fields.text("model", ""),
        _flag(fields, "stream", got.kind == "sse"),
        answer.number("status", 200),
        _headers(answer, got.kind),
        (),
        answer.text("reason", ""),
        Outcome(fields.choice("outcome", "complete", tuple(outcome.value for outcome in Outcome))),
        fields.text("session", ""),
        meta.recorded_at,
        meta.connect_ns,
        meta.head_ns,
        meta.recorder,
        meta.matcher,
        frozenset(fields.texts("marks")),
        fields.texts("masked"),
        MappingProxyType(dict(fields.pairs("provenance"))),
        _messages(fields, meta.messages) if whole else (),
    )
    exchange = _undo_request(exchange, sent)
    return _with_answer(exchange, got, meta.cuts) if whole else exchange


def _part(fields: Fields, name: str, allowed: tuple[str, ...]) -> Fields:
    node = fields.get(name)
    if node is None:
        raise fields.fault(name, "is missing", f"its fields are {', '.join(allowed)}")
    return Fields(node, fields.document, allowed, name)


def _request(fields: Fields) -> tuple[RawRequest, _Body]:
    part = _part(fields, "request", _REQUEST)
    body = _body(part)
    raw = RawRequest(
        part.text("method", "POST" if body.kind else "GET"),
        part.text("path"),
        part.text("host", ""),
        part.text("scheme", "https"),
        part.text("query", ""),
        _headers(part, body.kind),
        body.data if body.wire is None else body.wire,
    )
    return raw, body


def _undo_request(exchange: Exchange, body: _Body) -> Exchange:
    return adapted(exchange, request=exchange.request) if _was_freed(body, exchange.request.headers) else exchange


def _was_freed(body: _Body, headers: Headers) -> bool:
    """Whether `wire` was taken out of an encoded body: then it is plain text, whatever the headers said."""
    return body.kind in _TYPES and body.wire is None and coding(headers) != ""


def _with_answer(exchange: Exchange, body: _Body, cuts: Sequence[tuple[int, int]] | None) -> Exchange:
    """The exchange with its chunks: as recorded, or, where somebody edited the body, cut anew."""
    data = body.data if body.wire is None else body.wire
    sse = body.kind == "sse" and body.wire is None
    freed = _was_freed(body, exchange.headers)
    chunks: Chunks | None = usual_chunks(data, sse) if cuts is None else cut_chunks(data, cuts)
    if chunks is None:
        chunks = spread(data, cuts or (), sse)
        exchange = replace(exchange, headers=_fitting(exchange.headers, len(data)))
    return adapted(exchange, chunks=chunks) if freed else replace(exchange, chunks=chunks)


def _fitting(headers: Headers, length: int) -> Headers:
    return tuple((name, str(length) if name.lower() == "content-length" else value) for name, value in headers)


def _headers(part: Fields, kind: str) -> Headers:
    if "headers" in part:
        return part.pairs("headers")
    return (("content-type", _TYPES[kind]),) if kind in _TYPES else ()


def _kind(part: Fields) -> str:
    kinds = [kind for kind in _BODY if kind in part]
    if len(kinds) > 1:
        raise part.fault(kinds[1], f"stands beside {kinds[0]}", f"allowed is one of {', '.join(_BODY)}")
    return kinds[0] if kinds else ""


def _body(part: Fields) -> _Body:
    kind = _kind(part)
    match kind:
        case "":
            data = b""
        case "base64":
            data = part.base64("base64")
        case "json":
            data = _json(part).encode()
        case _:
            data = _lines(part, kind).encode()
    return _Body(kind, data, _wire(part, kind, data) if "wire" in part else None)


def _json(part: Fields) -> str:
    layout = part.text("layout", "compact")
    if not known(layout):
        flags = ", ".join(FLAGS)
        raise part.fault(
            "layout", f"got {shown(layout)}", f"allowed are {', '.join(LAYOUTS)}, each with {flags} or not"
        )
    node = part.get("json")
    assert node is not None
    if not isinstance(node, yaml.ScalarNode):
        return json.dumps(json_value(node, part.document, "json"), ensure_ascii=False, separators=(",", ":"))
    text = part.text("json")
    try:
        parse(text)
    except ValueError as problem:
        raise part.fault("json", f"is not JSON: {problem}", "allowed is JSON, or `text` instead") from None
    return restore(text.removesuffix("\n"), layout)


def _lines(part: Fields, kind: str) -> str:
    text = part.text(kind)
    if kind == "sse" and part.choice("ending", "", ("", RAW)) != RAW:
        text = text.rstrip("\n") + "\n\n"
    if part.choice("newline", "lf", ("lf", "crlf")) == "crlf":
        return text.replace("\n", "\r\n")
    return _with_crlf(text, part) if "crlf_lines" in part else text


def _with_crlf(text: str, part: Fields) -> str:
    """`text` with CR at the end of the numbered lines."""
    lines = text.split("\n")
    for item in part.text("crlf_lines").split():
        if not item.isdecimal() or not 0 < int(item) < len(lines):
            raise part.fault("crlf_lines", f"got {shown(item)}", f"allowed are line numbers from 1 to {len(lines) - 1}")
        lines[int(item) - 1] += "\r"
    return "\n".join(lines)


def _wire(part: Fields, kind: str, data: bytes) -> bytes:
    """The recorded bytes of an encoded body, after a look whether the text beside them still says the same."""
    wire = part.base64("wire")
    if kind and view(wire, coding(part.pairs("headers"))) != data:
        raise part.fault(
            "wire", f"holds other bytes than `{kind}` shows", "undo the edit, or delete `wire` to answer with the text"
        )
    return wire


def _messages(fields: Fields, times: Sequence[int]) -> tuple[Message, ...]:
    found: list[Message] = []
    for number, node in enumerate(fields.items("messages")):
        part = Fields(node, fields.document, _MESSAGE, f"messages[{number}]")
        who = part.choice("from", "", ("client", "server"))
        data = _body(part).data
        opcode = part.number("opcode", 2 if "base64" in part else 1)
        found.append(Message(who, opcode, data, times[number] if number < len(times) else 0))
    return tuple(found)


def _metadata(fields: Fields, head: Head) -> _Meta:
    node = fields.get("metadata")
    if node is None and all(name in fields for name in _FRONT):
        raise fields.fault("metadata", "is missing at the end of what a recorder wrote: half-written?", "`{}` will do")
    if node is None:
        return _Meta(matcher=head.matcher)
    part = Fields(node, fields.document, _METADATA, "metadata")
    return _Meta(
        part.text("recorded_at", ""),
        part.text("recorder", ""),
        part.number("matcher", head.matcher),
        part.number("connect_ns", 0),
        part.number("head_ns", 0),
        _cuts(part) if "chunks" in part else None,
        _times(part),
    )


def _cuts(part: Fields) -> list[tuple[int, int]]:
    try:
        return [_cut(item) for item in part.text("chunks").split()]
    except ValueError:
        raise part.fault("chunks", "allowed are pairs OFFSET_NS+LENGTH, with a space between") from None


def _cut(item: str) -> tuple[int, int]:
    at, plus, length = item.rpartition("+")
    if not plus or not length.isdigit():
        raise ValueError(item)
    return int(at), int(length)


def _times(part: Fields) -> list[int]:
    try:
        return [int(item) for item in part.text("messages", "").split()]
    except ValueError:
        raise part.fault("messages", "allowed are offsets in ns, with a space between") from None


def _flag(fields: Fields, name: str, default: bool) -> bool:
    return _WORDS[fields.choice(name, "true" if default else "false", ("true", "false"))]


def head_of(path: Path) -> Head:
    """The header of a file on disk; an empty Head where the file is empty (a recorder may just have made it)."""
    with path.open("rb") as file:
        first = next(split(file), None)
    return Head() if first is None else read_head(first.data, Document(str(path), first.number, first.line))


def load(data: bytes, file: str = "text") -> list[Exchange]:
    """All exchanges of a cassette's text, for what is small enough to be held."""
    pieces = split(BytesIO(data))
    first = next(pieces, Piece(0, b"", 0, 1))
    head = read_head(first.data, Document(file, first.number, first.line))
    entries = (read_exchange(piece.data, Document(file, piece.number, piece.line), head) for piece in pieces)
    return [entry for entry in entries if entry is not None]
