"""Multipart bodies (RFC 2046, 5.1.1; RFC 7578) taken apart. The boundary, new for every request, goes."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

_PARAMETER = re.compile(r';\s*([^\s=;]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;]*))')
_SHORT = 1000


@dataclass(frozen=True, slots=True)
class Part:
    """One part: its field's name, the file's name and content-type ("" where it has none), the content as it is."""

    name: str
    filename: str
    kind: str
    content: bytes

    def summary(self) -> str:
        """What a person compares: the text of a short field, else name, type, size and digest."""
        if not self.filename and len(self.content) < _SHORT:
            return self.content.decode("utf-8", "backslashreplace")
        digest = hashlib.blake2b(self.content, digest_size=8).hexdigest()
        about = ", ".join(part for part in (self.filename, self.kind) if part)
        return f"{about}: {len(self.content)} bytes, blake2b {digest}"


def parts_of(content_type: str, data: bytes) -> list[Part]:
    """The parts in their order. Raises ValueError where there is no boundary or the body does not end with it."""
    boundary = parameter(content_type, "boundary").encode("latin-1", "replace")
    pieces = (b"\r\n" + data).split(b"\r\n--" + boundary)
    if not boundary or len(pieces) < 3 or not pieces[-1].startswith(b"--"):
        raise ValueError("no multipart body")
    return [_part(piece) for piece in pieces[1:-1]]


def _part(piece: bytes) -> Part:
    head, _, content = piece.partition(b"\r\n\r\n")
    fields = {}
    for line in head.decode("utf-8", "surrogateescape").split("\r\n"):
        name, _, value = line.partition(":")
        fields[name.strip().lower()] = value.strip()
    place = fields.get("content-disposition", "")
    return Part(parameter(place, "name"), _filename(place), fields.get("content-type", "").lower(), content)


def _filename(place: str) -> str:
    """RFC 5987's `filename*` says in percent-encoded UTF-8 what `filename` may say as it is."""
    coded = parameter(place, "filename*").rpartition("'")[2]
    return unquote_to_bytes(coded).decode("utf-8", "replace") if coded else parameter(place, "filename")


def parameter(value: str, name: str) -> str:
    """A parameter of a header's value, unquoted; "" where it has none."""
    for key, quoted, token in _PARAMETER.findall(value):
        if key.lower() == name:
            return re.sub(r"\\(.)", r"\1", quoted) if quoted else token
    return ""
