"""What an image costs a model, from its size in pixels, which we read from the bytes themselves.

The formulas are those of platform.openai.com/docs/guides/images-vision, within one token of recorded counts.
"""

from __future__ import annotations

import binascii
import math
import re
from collections.abc import Callable

Size = tuple[int, int]

# base, per tile of 512 px; the first pattern that matches the model's name wins
_TILED = (
    (r"gpt-4o-mini", 2833, 5667),
    (r"gpt-5", 70, 140),
    (r"o\d", 75, 150),
    (r"computer-use", 65, 129),
    (r"", 85, 170),
)
# factor on the patches of 32 px, tokens added
_PATCHED = (
    (r"gpt-4\.1-mini", 1.62, 1),
    (r"gpt-4\.1-nano", 2.46, 1),
    (r"o4-mini", 1.72, 1),
    (r"gpt-5(\.\d+)?-mini", 1.2, 2),
    (r"gpt-5(\.\d+)?-nano", 1.5, 1),
)
_MOST_PATCHES = 1536


def image_tokens(model: str, size: Size, detail: str = "auto") -> int:
    """Tokens of one image of `size` (width, height in pixels) for an OpenAI model."""
    for pattern, factor, added in _PATCHED:
        if re.match(pattern, model):
            return math.ceil(_patches(size) * factor) + added
    base, tile = next((base, tile) for pattern, base, tile in _TILED if re.match(pattern, model))
    return base if detail == "low" else base + tile * _tiles(size)


def _tiles(size: Size) -> int:
    width, height = size
    shrink = min(1.0, 2048 / max(width, height))
    width, height = int(width * shrink), int(height * shrink)
    shrink = min(1.0, 768 / max(1, min(width, height)))
    return math.ceil(max(1, int(width * shrink)) / 512) * math.ceil(max(1, int(height * shrink)) / 512)


def _patches(size: Size) -> int:
    width, height = size
    patches = math.ceil(width / 32) * math.ceil(height / 32)
    if patches <= _MOST_PATCHES:
        return patches
    shrink = math.sqrt(_MOST_PATCHES * 32**2 / (width * height))
    columns, rows = width * shrink / 32, height * shrink / 32
    shrink *= min(math.floor(columns) / columns if columns >= 1 else 1, math.floor(rows) / rows if rows >= 1 else 1)
    return min(_MOST_PATCHES, math.ceil(width * shrink / 32) * math.ceil(height * shrink / 32))


_ENOUGH = 400_000  # characters of base64 that are decoded: a JPEG may carry a profile or two before its size
_DATA_URL = re.compile(r"data:[^,]*;base64,", re.IGNORECASE)


def data_url_size(url: str) -> Size | None:
    """Width and height of the image in a `data:` URL; None for another URL or bytes that are no image we know."""
    head = _DATA_URL.match(url)
    if not head:
        return None
    try:
        return image_size(binascii.a2b_base64(url[head.end() : head.end() + _ENOUGH]))
    except ValueError:  # not base64
        return None


def image_size(data: bytes) -> Size | None:
    """Width and height of a PNG, GIF, JPEG or WebP file; None where it is none of them, cut short or empty."""
    for magic, at, read in _READERS:
        if data[at : at + len(magic)] == magic:
            size = read(data)
            return size if size and min(size) > 0 else None
    return None


def _big(data: bytes, at: int, length: int) -> int:
    return int.from_bytes(data[at : at + length], "big")


def _little(data: bytes, at: int, length: int) -> int:
    return int.from_bytes(data[at : at + length], "little")


def _png(data: bytes) -> Size | None:  # PNG, third edition, 11.2.1: IHDR is the first chunk
    return (_big(data, 16, 4), _big(data, 20, 4)) if len(data) >= 24 else None


def _gif(data: bytes) -> Size | None:  # GIF89a, 18: logical screen descriptor
    return (_little(data, 6, 2), _little(data, 8, 2)) if len(data) >= 10 else None


def _jpeg(data: bytes) -> Size | None:  # ITU T.81, B.2.2: the first start-of-frame segment
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return _big(data, at + 7, 2), _big(data, at + 5, 2)
        alone = marker == 0xFF or marker == 0x01 or 0xD0 <= marker <= 0xD8  # fill byte, or a marker without a segment
        at += (1 if marker == 0xFF else 2) if alone else 2 + max(2, _big(data, at + 2, 2))
    return None


def _webp(data: bytes) -> Size | None:  # RFC 9649: VP8 (RFC 6386, 9.1), VP8L (3.4), VP8X (2.7)
    kind = data[12:16]
    if len(data) < 30:
        return None
    if kind == b"VP8X":
        return _little(data, 24, 3) + 1, _little(data, 27, 3) + 1
    if kind == b"VP8L":
        bits = _little(data, 21, 4)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    return (_little(data, 26, 2) & 0x3FFF, _little(data, 28, 2) & 0x3FFF) if kind == b"VP8 " else None


_READERS: tuple[tuple[bytes, int, Callable[[bytes], Size | None]], ...] = (
    (b"\x89PNG\r\n\x1a\n", 0, _png),
    (b"GIF8", 0, _gif),
    (b"\xff\xd8", 0, _jpeg),
    (b"WEBP", 8, _webp),
)
