"""Exchanges of every shape that a store must give back exactly: for property tests of all rooms."""

from __future__ import annotations

import gzip
import hashlib
import json
from dataclasses import replace
from itertools import pairwise
from types import MappingProxyType
from typing import Any

from hypothesis import strategies as st

from llm_simulator.redact.coding import encode
from llm_simulator.types import Exchange, Headers, Message, Outcome, RawRequest

any_text = st.text(st.characters(codec=None, exclude_categories=()), max_size=12)  # lone surrogates and NUL too
_awkward = st.sampled_from(
    ["", " ", "\n", "\t x", "yes", "null", "1_000", "0x10", "2024-01-01", "a: b", "- a", "# a", "a #b", "'", '"', "\\",
     "\r\n", "\x85", "\u2028", "\ufeff", "\x7f", "\ud800", "\U0001f600", "a" * 1100, "a, b", "{x}", "[y]", "*a", "&a",
     "!t", "|", "~", "---"]
)  # fmt: skip
texts = st.one_of(any_text, _awkward)

_header_names = st.sampled_from(["Content-Type", "content-type", "X-A", "x-a", "set-cookie", "Date", "OpenAI-Version"])
_headers = st.lists(st.tuples(st.one_of(_header_names, texts), texts), max_size=4).map(tuple)

_json = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), any_text),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(any_text, inner, max_size=3)),
    max_leaves=8,
)


@st.composite
def json_bodies(draw: st.DrawFn) -> bytes:
    """JSON in the layouts that clients and providers use, and in some that nobody does."""
    value = draw(st.one_of(st.dictionaries(any_text, _json, max_size=3), st.lists(_json, max_size=3), _json))
    ascii_only = draw(st.booleans())
    indent = draw(st.sampled_from([None, None, 2, 4, 3]))
    separators = draw(st.sampled_from([(",", ":"), (", ", ": "), (",", ": "), (" , ", " : ")]))
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent, separators=separators)
    return (text + draw(st.sampled_from(["", "\n", "\r\n", " "]))).encode("utf-8", "surrogatepass")


@st.composite
def sse_bodies(draw: st.DrawFn) -> bytes:
    """Event streams with any line end, whole and broken off."""
    newline = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    events = draw(
        st.lists(st.lists(st.sampled_from(["data: {}", 'data: {"a":"é"}', "event: x", ": ping", "id: 1", "data:"])))
    )
    text = "".join(newline.join([*lines, "", ""]) for lines in events)
    return text.encode()[: len(text.encode()) - draw(st.integers(0, 3))]


_multipart = st.binary(max_size=40).map(
    lambda data: b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\n' + data + b"\r\n--b--\r\n"
)
_lines = st.lists(st.sampled_from(["", " ", "a", "  b", "\tc", "d ", "é", "\x85", "# e", "---", "..."])).map(
    lambda lines: "\n".join(lines).encode()
)
bodies = st.one_of(
    st.binary(max_size=60),
    json_bodies(),
    sse_bodies(),
    _multipart,
    _lines,
    any_text.map(lambda t: t.encode("utf-8", "replace")),
)
_codings = st.sampled_from(["", "", "", "gzip", "br", "zstd", "deflate", "gzip, br", "identity", "x-unknown", "GZIP"])
_types = st.sampled_from(
    ["application/json", "text/event-stream", "text/event-stream; charset=utf-8", "audio/mpeg", ""]
)


@st.composite
def coded(draw: st.DrawFn) -> tuple[Headers, bytes]:
    """(headers, body): encoded as they say, or not, whole or broken off, with the right length, a wrong one or none."""
    coding, kind, body = draw(_codings), draw(_types), draw(bodies)
    truth = draw(st.sampled_from(["true", "true", "lie", "cut"]))
    if truth != "lie" and coding not in ("x-unknown", "identity"):
        body = encode(body, coding)
    if truth == "cut":
        body = body[: len(body) // 2]
    length = draw(st.sampled_from([None, str(len(body)), "7", "x"]))
    named = [("content-encoding", coding), ("Content-Type", kind), ("content-length", length)]
    return (*((name, value) for name, value in named if value), *draw(_headers)), body


@st.composite
def chunked(draw: st.DrawFn, body: bytes) -> tuple[tuple[int, bytes], ...]:
    """The body in chunks, empty ones among them, at offsets that need not rise."""
    cuts = sorted(draw(st.lists(st.integers(0, len(body)), max_size=4)))
    if not body and not cuts:
        return ()
    edges = [0, *cuts, len(body)]
    pieces = [body[start:end] for start, end in pairwise(edges)]
    return tuple((draw(st.integers(-5, 2**62)), piece) for piece in pieces)


messages = st.lists(
    st.builds(Message, st.sampled_from(["client", "server"]), st.integers(0, 15), bodies, st.integers(0, 2**62)),
    max_size=3,
).map(tuple)


@st.composite
def exchanges(draw: st.DrawFn) -> Exchange:
    """Any exchange at all."""
    headers, body = draw(coded())
    request_headers, request_body = draw(coded())
    provenance = draw(st.dictionaries(texts, texts, max_size=3))
    return Exchange(
        RawRequest(draw(texts), draw(texts), draw(texts), draw(texts), draw(texts), request_headers, request_body),
        draw(texts), draw(texts), draw(texts), draw(texts), draw(st.booleans()), draw(st.integers(0, 999)),
        headers,
        draw(chunked(body)),
        draw(texts),
        draw(st.sampled_from(Outcome)),
        draw(texts), draw(texts),
        draw(st.integers(0, 2**62)), draw(st.integers(0, 2**62)),
        draw(texts),
        draw(st.integers(0, 9)),
        draw(st.frozensets(texts, max_size=3)),
        draw(st.lists(texts, max_size=3).map(tuple)),
        MappingProxyType(provenance),
        draw(messages),
    )  # fmt: skip


def gzipped(data: bytes) -> bytes:
    """`data` in gzip, the same bytes every time."""
    return gzip.compress(data, mtime=0)


def digest(exchange: Exchange) -> bytes:
    """A key as a matcher makes it, in miniature: of the request alone."""
    raw = exchange.request
    return hashlib.blake2b(
        f"{raw.method} {raw.host}{raw.target} ".encode("utf-8", "surrogatepass") + raw.body, digest_size=16
    ).digest()


def asked(number: int = 0, answer: str = "hello", **changes: Any) -> Exchange:
    """An ordinary exchange; `number` tells requests apart, `answer` the answers to equal ones."""
    request = RawRequest(
        "POST",
        "/v1/chat/completions",
        "api.openai.com",
        headers=(("Content-Type", "application/json"), ("Accept", "*/*")),
        body=json.dumps({"model": "gpt-4o", "messages": [{"role": "user", "content": f"question {number}"}]}).encode(),
    )
    body = json.dumps({"id": "chatcmpl-1", "choices": [{"message": {"content": answer}}]}, indent=2).encode() + b"\n"
    plain = Exchange(
        request,
        "openai",
        "openai.chat",
        "chat",
        "gpt-4o",
        False,
        200,
        (("Content-Type", "application/json"), ("x-request-id", "req_1")),
        ((1_000_000, body[:20]), (2_000_000, body[20:])),
        recorded_at="2026-11-24T10:00:00Z",
        recorder="llm-simulator 0.1.0",
        matcher=1,
    )
    return replace(plain, **changes)
