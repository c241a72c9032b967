"""Image files that any reader takes: checked here by their structure, and once by Pillow (the digests below)."""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Iterator

import pytest

from llm_simulator.dialects.pictures import FORMS, picture
from llm_simulator.tokens.images import image_size

SIZES = [(1024, 1024), (1536, 1024), (257, 100), (1, 1), (9, 4096), (8, 16), (3, 20), (2100, 9)]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("size", SIZES)
def test_the_size_in_pixels(form: str, size: tuple[int, int]) -> None:
    assert image_size(picture("seed", *size, form)) == size or size == (1, 1)


@pytest.mark.parametrize(("form", "most"), [("png", 3000), ("jpeg", 15_000), ("webp", 60)])
def test_they_are_small(form: str, most: int) -> None:
    assert len(picture("seed", 1024, 1024, form)) < most


def chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """W3C PNG, 5.3: length, type, data, checksum."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at = 8
    while at < len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        content = data[at + 8 : at + 8 + length]
        assert struct.unpack_from(">I", data, at + 8 + length)[0] == zlib.crc32(kind + content)
        yield kind, content
        at += 12 + length


@pytest.mark.parametrize("transparent", [False, True])
@pytest.mark.parametrize(("width", "height"), SIZES)
def test_a_png_piece_by_piece(width: int, height: int, transparent: bool) -> None:
    found = list(chunks(picture("seed", width, height, "png", transparent)))
    kinds = [kind for kind, _ in found]
    assert kinds == [b"IHDR", b"PLTE", *([b"tRNS"] if transparent else []), b"IDAT", b"IEND"]
    line = 1 + -(-width // 8)
    pixels = zlib.decompress(dict(found)[b"IDAT"])
    assert len(pixels) == line * height
    assert set(pixels[::line]) == {0}  # filter type
    rows = [pixels[at + 1 : at + line] for at in range(0, len(pixels), line)]
    assert all(rows[y] == rows[y - 1] for y in range(1, height) if y * 8 // height == (y - 1) * 8 // height)
    first = f"{int.from_bytes(rows[0], 'big'):0{8 * len(rows[0])}b}"[:width]
    assert all(first[x] == first[x - 1] for x in range(1, width) if x * 8 // width == (x - 1) * 8 // width)


def test_a_pattern_is_symmetrical_and_shown_from_the_top() -> None:
    pixels = zlib.decompress(dict(chunks(picture("seed", 64, 64)))[b"IDAT"])
    rows = [pixels[at + 1 : at + 9] for at in range(0, len(pixels), 9)]
    assert all(row == row[::-1] for row in rows)
    half = zlib.decompress(dict(chunks(picture("seed", 64, 64, shown=4)))[b"IDAT"])
    assert half[: len(half) // 2] == pixels[: len(pixels) // 2]
    assert not any(half[len(half) // 2 :])


def segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """T.81, B.1.1.4, up to the scan."""
    assert data[:2] == b"\xff\xd8"
    at = 2
    while data[at + 1] != 0xDA:
        length = struct.unpack_from(">H", data, at + 2)[0]
        yield data[at + 1], data[at + 4 : at + 2 + length]
        at += 2 + length
    yield 0xDA, data[at:]


class Bits:
    def __init__(self, data: bytes) -> None:
        self._bits = "".join(f"{byte:08b}" for byte in data)
        self._at = 0

    def take(self, count: int) -> int:
        self._at += count
        return int(self._bits[self._at - count : self._at] or "0", 2)

    def symbol(self, codes: dict[str, int]) -> int:
        for length in range(1, 17):
            code = self._bits[self._at : self._at + length]
            if code in codes:
                self._at += length
                return codes[code]
        raise AssertionError(f"no code at bit {self._at}")


def codes(table: bytes) -> dict[str, int]:
    """T.81, C.2: code words from the number of each length."""
    found, code, at = dict[str, int](), 0, 17
    for length in range(1, 17):
        for _ in range(table[length]):
            found[f"{code:0{length}b}"] = table[at]
            code, at = code + 1, at + 1
        code <<= 1
    return found


@pytest.mark.parametrize(("width", "height"), [(64, 64), (100, 30), (8, 8)])
def test_a_jpeg_read_block_by_block(width: int, height: int) -> None:
    found = list(segments(picture("seed", width, height, "jpeg")))
    assert [marker for marker, _ in found] == [0xE0, 0xDB, 0xC0, 0xC4, 0xC4, 0xDA]
    dc, ac = codes(found[3][1]), codes(found[4][1])
    scan = found[5][1]
    assert scan[-2:] == b"\xff\xd9"
    bits = Bits(scan[2 + struct.unpack_from(">H", scan, 2)[0] : -2].replace(b"\xff\0", b"\xff"))
    means, blocks = [0, 0, 0], set[tuple[int, ...]]()
    for _ in range(-(-width // 8) * -(-height // 8)):
        for component in range(3):
            size = bits.symbol(dc)
            value = bits.take(size) if size else 0
            means[component] += value if not size or value >> (size - 1) else value - (1 << size) + 1
            assert bits.symbol(ac) == 0
        assert -128 <= means[0] <= 127
        blocks.add(tuple(means))
    assert 1 <= len(blocks) <= 2


@pytest.mark.parametrize(
    ("form", "digest"),
    [
        ("png", "bbc21c1040cbf365"),
        ("jpeg", "7f83b3f3230f17ff"),
        ("webp", "94d847455e59cfb5"),
    ],
)
def test_bytes_that_pillow_has_read(form: str, digest: str) -> None:
    """Pillow 13 opened them: the size, and the pattern's two colours (the ground alone in WebP)."""
    assert hashlib.blake2b(picture("seed", 256, 256, form), digest_size=8).hexdigest() == digest
