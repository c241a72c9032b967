"""What of an imported message goes over the wire again: no hop-by-hop header, no promise that the stored body breaks.

A recorder often stores the decoded body beside the headers of the encoded one. Then content-encoding, content-length
and transfer-encoding are not the wire's any more; the originals become provenance (`response content-encoding`, ...).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from llm_simulator.recorder.interaction import Body
from llm_simulator.redact.coding import CodingError, Decoder, known, names
from llm_simulator.types import Headers

_HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "trailers",
        "transfer-encoding",
        "upgrade",
    }
)
_FRAMING = ("content-encoding", "content-length", "transfer-encoding")
_LIMIT = 256 << 20


@dataclass(frozen=True, slots=True)
class View:
    """The headers that stay, whether the body is a decoded one, and what was taken away by name."""

    headers: Headers
    decoded: bool
    originals: Mapping[str, str]


def view(headers: Headers, body: Body) -> View:
    """Decides for one message, request or response."""
    decoded = is_decoded(joined(headers, "content-encoding"), body)
    gone = set(_HOP_BY_HOP) | _listed(headers)
    if decoded:
        gone.update(_FRAMING)
    elif _contradicts(headers, len(body.data)):
        gone.add("content-length")
    kept = tuple((name, value) for name, value in headers if name.lower() not in gone)
    framed = decoded or "content-length" in gone
    originals = (
        {name: value for name in _FRAMING if name in gone and (value := joined(headers, name))} if framed else {}
    )
    return View(kept, decoded, originals)


def is_decoded(coding: str, body: Body) -> bool:
    """Whether a body stands without the content-encoding that its header claims."""
    if not names(coding):
        return False
    if body.plain or not body.data:
        return True
    if not known(coding):
        return False  # nobody can tell: the bytes stay what they are
    decoder = Decoder(coding, _LIMIT)
    try:
        if decoder.feed(body.data):
            return False  # no `finish`: a stream that broke off is still encoded
        decoder.finish()
    except CodingError:
        return True
    return False


def joined(headers: Headers, name: str) -> str:
    return ", ".join(value for key, value in headers if key.lower() == name)


def _listed(headers: Headers) -> set[str]:
    """The headers that Connection names: hop-by-hop too (RFC 9110, 7.6.1)."""
    return {name for part in joined(headers, "connection").split(",") if (name := part.strip().lower())} - {"close"}


def _contradicts(headers: Headers, size: int) -> bool:
    return any(name.lower() == "content-length" and value.strip() != str(size) for name, value in headers)
