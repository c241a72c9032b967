"""A body as text shows it: what is decoded for the eye, what is kept for the wire, and where it was cut into chunks."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from types import MappingProxyType

from llm_simulator.cassettes.codec import cut
from llm_simulator.redact.coding import CodingError, Decoder, known, names
from llm_simulator.types import Exchange, Headers, RawRequest, header

Chunks = tuple[tuple[int, bytes], ...]

TEXT_ONLY = "text-only"
"""The mark of an exchange whose wire bytes were given up for its decoded text."""

_LIMIT = 64_000_000  # the most that a body may be decoded for display; beyond it stays base64
_EVENT = re.compile(rb"(?<=\n\n)|(?<=\r\n\r\n)")


def coding(headers: Headers) -> str:
    """The content-encoding that can be undone, else ""."""
    found = header(headers, "content-encoding")
    return found if names(found) and known(found) else ""


def view(data: bytes, encoding: str) -> bytes | None:
    """What `data` decodes to, as far as it goes (a stream may have broken off); None where it does not decode."""
    try:
        return Decoder(encoding, _LIMIT).feed(data)
    except CodingError:
        return None


def usual_chunks(data: bytes, sse: bool) -> Chunks:
    """How a body is cut where nothing says: one chunk per event, or one for all; all of it at once."""
    pieces = _EVENT.split(data) if sse else [data]
    return tuple((0, piece) for piece in pieces if piece)


def cut_chunks(data: bytes, cuts: Sequence[tuple[int, int]]) -> Chunks | None:
    """`data` in chunks of these (offset ns, length), or None where the lengths do not add up (it was edited)."""
    try:
        pieces = cut(data, [length for _, length in cuts])
    except ValueError:
        return None
    return tuple((at, piece) for (at, _), piece in zip(cuts, pieces, strict=True))


def spread(data: bytes, cuts: Sequence[tuple[int, int]], sse: bool) -> Chunks:
    """The chunks of an edited body: cut as usual, over the time that the recorded ones took."""
    pieces = usual_chunks(data, sse)
    if not cuts:
        return pieces
    return tuple((cuts[i * len(cuts) // len(pieces)][0], piece) for i, (_, piece) in enumerate(pieces))


def is_sse(headers: Headers) -> bool:
    return header(headers, "content-type").lower().startswith("text/event-stream")


def text_only(exchange: Exchange) -> Exchange:
    """The exchange without content-encodings: bodies decoded (chunks at the times they had), and marked so.

    Content-encoding and content-length leave the headers and stay as provenance. Where a body does not decode, or
    nothing is encoded, the exchange stays as it is.
    """
    return _decode_response(_decode_request(exchange))


def _decode_request(exchange: Exchange) -> Exchange:
    raw = exchange.request
    encoding = coding(raw.headers)
    body = view(raw.body, encoding) if encoding and raw.body else None
    if body is None:
        return exchange
    return adapted(exchange, request=replace(raw, body=body))


def _decode_response(exchange: Exchange) -> Exchange:
    encoding = coding(exchange.headers)
    chunks = _decode_chunks(exchange.chunks, encoding) if encoding and exchange.body else None
    return exchange if chunks is None else adapted(exchange, chunks=chunks)


def _decode_chunks(chunks: Chunks, encoding: str) -> Chunks | None:
    try:
        decoder = Decoder(encoding, _LIMIT)
        return tuple((at, decoder.feed(data)) for at, data in chunks)
    except CodingError:
        return None


def adapted(exchange: Exchange, *, request: RawRequest | None = None, chunks: Chunks | None = None) -> Exchange:
    """The exchange with a decoded request or response body: marked, its headers of the encoding moved to provenance."""
    provenance = dict(exchange.provenance)
    if request is not None:
        headers = _move("request", request.headers, provenance)
        exchange = replace(exchange, request=replace(request, headers=headers))
    if chunks is not None:
        headers = _move("response", exchange.headers, provenance)
        exchange = replace(exchange, chunks=chunks, headers=headers)
    return replace(exchange, marks=exchange.marks | {TEXT_ONLY}, provenance=MappingProxyType(provenance))


def _move(which: str, headers: Headers, provenance: dict[str, str]) -> Headers:
    """The headers without those of the encoding, which go into `provenance` as `request content-encoding` and so on."""
    kept: list[tuple[str, str]] = []
    for name, value in headers:
        if name.lower() in ("content-encoding", "content-length"):
            provenance[f"{which} {name.lower()}"] = value
        else:
            kept.append((name, value))
    return tuple(kept)
