"""What pictures, sound, films and documents in a Gemini prompt cost, by modality.

Source: ai.google.dev/gemini-api/docs/tokens and /media-resolution: a small picture is 258 tokens, a larger one so many per
tile; from Gemini 3 on a picture costs what its resolution says. Sound is 32 tokens a second, film 263, a page 258.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterable
from math import ceil

from llm_simulator.dialects.fields import Object, as_object, as_text
from llm_simulator.dialects.gemini_fields import pick, third_generation
from llm_simulator.tokens.images import Size, image_size

TILE = 258
SMALL = 384
"""Pixels up to which a picture is one tile, on both sides."""

_LEVELS = {"LOW": 280, "MEDIUM": 560, "HIGH": 1120, "ULTRA_HIGH": 2240}  # tokens of a picture from Gemini 3 on
_LOW = 64  # of a picture at low resolution before
_SECOND = {"AUDIO": 32, "VIDEO": 263}
_RATE = {"AUDIO": 16_000, "VIDEO": 250_000}  # bytes that a second is taken for where the file does not say
_PAGE_MARK = re.compile(rb"/Type\s*/Page(?![a-zA-Z])")

Counts = tuple[tuple[str, int], ...]
"""Tokens by modality, in the order of the parts."""


def counted(parts: Iterable[Object], config: Object, model: str) -> Counts:
    """What the parts that are not text cost."""
    sums: dict[str, int] = {}
    for part in parts:
        blob = as_object(pick(part, "inlineData")) or as_object(pick(part, "fileData"))
        kind = modality(as_text(pick(blob, "mimeType"))) if blob else ""
        if kind:
            sums[kind] = sums.get(kind, 0) + _cost(kind, blob, _level(part, config), model)
    return tuple(sums.items())


def modality(mime: str) -> str:
    """IMAGE, AUDIO, VIDEO or DOCUMENT; "" for text, which is counted as such."""
    kind = mime.partition("/")[0].upper()
    if kind in ("IMAGE", "AUDIO", "VIDEO"):
        return kind
    return "" if kind == "TEXT" else "DOCUMENT" if mime else "IMAGE"


def inline_text(part: Object) -> str:
    """The text of an inline text file."""
    blob = as_object(pick(part, "inlineData"))
    return _data(blob).decode("utf-8", "replace") if as_text(pick(blob, "mimeType")).startswith("text/") else ""


def _level(part: Object, config: Object) -> str:
    own = as_text(pick(as_object(pick(part, "mediaResolution")), "level"))
    return (own or as_text(pick(config, "mediaResolution"))).removeprefix("MEDIA_RESOLUTION_")


def _cost(kind: str, blob: Object, level: str, model: str) -> int:
    data = _data(blob)
    if kind == "IMAGE":
        return _image(image_size(data), level, model)
    if kind == "DOCUMENT":
        return TILE * max(1, len(_PAGE_MARK.findall(data)))
    rate = int.from_bytes(data[28:32], "little") if data[:4] == b"RIFF" and data[8:12] == b"WAVE" else _RATE[kind]
    return _SECOND[kind] * max(1, ceil(len(data) / (rate or _RATE[kind])))


def _image(size: Size | None, level: str, model: str) -> int:
    if third_generation(model):
        return _LEVELS.get(level, _LEVELS["HIGH"])
    if level == "LOW":
        return _LOW
    if size is None or max(size) <= SMALL:
        return TILE
    unit = max(1, int(min(size) / 1.5))
    return TILE * ceil(size[0] / unit) * ceil(size[1] / unit)


def _data(blob: Object) -> bytes:
    """The bytes of an inline file, in either alphabet of base64; none for a file that is elsewhere."""
    text = as_text(blob.get("data")).replace("-", "+").replace("_", "/")
    try:
        return binascii.a2b_base64(text + "=" * (-len(text) % 4))
    except ValueError:  # not base64
        return b""
