"""Sizes read from the bytes of images, and what an image of a size costs."""

from __future__ import annotations

import base64
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_simulator.tokens.images import Size, data_url_size, image_size, image_tokens

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
JFIF = b"\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"
SOF = b"\x00\x11\x08" + struct.pack(">HH", 40, 30) + b"\x03"


def webp(kind: bytes, payload: bytes) -> bytes:
    return b"RIFF\x00\x00\x00\x00WEBP" + kind + struct.pack("<I", len(payload)) + payload.ljust(10, b"\0")


@pytest.mark.parametrize(
    ("data", "size"),
    [
        (PNG + struct.pack(">II", 1024, 768), (1024, 768)),
        (PNG + b"\0\0", None),
        (PNG + struct.pack(">II", 0, 768), None),
        (b"GIF89a" + struct.pack("<HH", 300, 200), (300, 200)),
        (b"GIF87a\x01", None),
        (b"\xff\xd8" + JFIF + b"\xff\xc0" + SOF, (30, 40)),
        (b"\xff\xd8" + JFIF + b"\xff\xff\xc2" + SOF, (30, 40)),  # a fill byte, and a progressive frame
        (b"\xff\xd8\xff\x01\xff\xc4\x00\x03\x00\xff\xc1" + SOF, (30, 40)),  # Huffman tables are no frame
        (b"\xff\xd8" + JFIF, None),
        (b"\xff\xd8garbage and more", None),
        (webp(b"VP8X", b"\0\0\0\0" + (99).to_bytes(3, "little") + (49).to_bytes(3, "little")), (100, 50)),
        (webp(b"VP8L", b"\x2f" + struct.pack("<I", 99 | 49 << 14)), (100, 50)),
        (webp(b"VP8 ", b"\0\0\0\x9d\x01\x2a" + struct.pack("<HH", 100, 50 | 1 << 14)), (100, 50)),
        (webp(b"ALPH", b""), None),
        (b"RIFF\0\0\0\0WEBPVP8 ", None),
        (b"BM nothing we know", None),
        (b"", None),
    ],
)
def test_size_of_bytes(data: bytes, size: Size | None) -> None:
    assert image_size(data) == size


@given(
    st.sampled_from([b"", PNG, b"GIF8", b"\xff\xd8", b"\xff\xd8" + JFIF, webp(b"VP8X", b"")]), st.binary(max_size=60)
)
@settings(max_examples=60)
def test_no_bytes_are_too_strange(head: bytes, tail: bytes) -> None:
    size = image_size(head + tail)
    assert size is None or min(size) > 0


def test_size_of_a_data_url() -> None:
    data = base64.b64encode(PNG + struct.pack(">II", 64, 32)).decode()
    assert data_url_size(f"data:image/png;base64,{data}") == (64, 32)
    assert data_url_size(f"DATA:image/png;name=x;BASE64,{data}" + "A" * 1_000_000) == (64, 32)
    assert data_url_size("data:image/png;base64,A") is None
    assert data_url_size("data:image/png;base64,é") is None
    assert data_url_size("data:image/svg+xml,<svg/>") is None
    assert data_url_size("https://example.com/a.png") is None


@pytest.mark.parametrize(
    ("model", "size", "detail", "tokens"),
    [
        ("gpt-4o", (1024, 1024), "high", 765),  # the example of the provider's guide
        ("gpt-4o", (2048, 4096), "auto", 1105),  # and its second one
        ("gpt-4o", (4096, 8192), "low", 85),
        ("gpt-4o", (1, 1), "auto", 255),
        ("gpt-4o", (1, 9000), "auto", 85 + 170 * 4),
        ("gpt-4o-mini", (512, 512), "auto", 2833 + 5667),
        ("gpt-4.1", (513, 512), "auto", 85 + 170 * 2),
        ("gpt-5", (512, 512), "auto", 210),
        ("o3", (512, 512), "auto", 225),
        ("computer-use-preview", (512, 512), "auto", 194),
        ("gpt-4.1-mini", (1024, 1024), "auto", 1660),  # 1024 patches x 1.62, rounded up, + 1
        ("gpt-4.1-nano", (32, 32), "auto", 4),
        ("o4-mini", (33, 32), "auto", 5),
        ("gpt-5-mini", (64, 64), "auto", 7),
        ("gpt-5-nano", (64, 64), "auto", 7),
        ("gpt-4.1-mini", (1800, 2400), "auto", 2354),  # the guide: shrunk to 33 x 44 patches, 1452 x 1.62
        ("gpt-4.1-mini", (1, 100_000), "auto", 2490),  # never more than 1536 patches
    ],
)
def test_cost_of_an_image(model: str, size: Size, detail: str, tokens: int) -> None:
    assert image_tokens(model, size, detail) == tokens
