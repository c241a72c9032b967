"""Small real image files: a pattern of eight by eight cells in two colours, both drawn from a seed. PNG, JPEG and WebP.

They have the size in pixels that was asked for and few bytes: a megapixel is under 3 kB as PNG, 14 kB as JPEG and 32 bytes as
WebP (which shows one colour only). Sources: W3C PNG (third edition), ITU-T T.81 (baseline JPEG), RFC 9649 (WebP lossless).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from llm_simulator.dialects.ids import digest

FORMS = ("png", "jpeg", "webp")
MOST_PIXELS = 4096  # a side

_CELLS = 8
Colour = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class _Design:
    """Two colours, and for each of eight rows of cells which of eight have the second."""

    ground: Colour
    figure: Colour
    rows: tuple[tuple[bool, ...], ...]


@lru_cache(maxsize=32)
def picture(seed: str, width: int, height: int, form: str = "png", transparent: bool = False, shown: int = 8) -> bytes:
    """The file. Only the first `shown` of eight rows of cells have the pattern; `transparent` makes the ground so."""
    design = _design(seed, shown)
    match form:
        case "png":
            return _png(design, width, height, transparent)
        case "jpeg":
            return _jpeg(design, width, height)
        case _:
            return _webp(design, width, height)


def _design(seed: str, shown: int) -> _Design:
    drawn = digest(seed, "picture", 16)
    light: Colour = (160 + drawn[0] % 96, 160 + drawn[1] % 96, 160 + drawn[2] % 96)
    dark: Colour = (drawn[3] % 128, drawn[4] % 128, drawn[5] % 128)
    rows = tuple(_mirrored(byte if place < shown else 0) for place, byte in enumerate(drawn[8:]))
    return _Design(light, dark, rows)


def _mirrored(byte: int) -> tuple[bool, ...]:
    half = tuple(bool(byte >> bit & 1) for bit in range(4))
    return (*half, *half[::-1])


def _cell(place: int, length: int) -> int:
    """The cell that a pixel of a row or column of `length` is in."""
    return place * _CELLS // length


# PNG


def _png(design: _Design, width: int, height: int, transparent: bool) -> bytes:
    """One bit per pixel, an index of a palette of two."""
    lines = [_png_line(row, width) for row in design.rows]
    cells = [_cell(y, height) for y in range(height)]
    runs = [(line, cells.count(place)) for place, line in enumerate(lines)]
    chunks = (
        _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 3, 0, 0, 0)),
        _chunk(b"PLTE", bytes((*design.ground, *design.figure))),
        _chunk(b"tRNS", b"\x00\xff") if transparent else b"",
        _chunk(b"IDAT", _deflated(runs)),
        _chunk(b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def _png_line(row: tuple[bool, ...], width: int) -> bytes:
    """Filter type 0, then the bits from the left."""
    bits = "".join("1" if row[_cell(x, width)] else "0" for x in range(width))
    return b"\0" + _packed(bits, "0")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _deflated(runs: list[tuple[bytes, int]]) -> bytes:
    """Lines and how often each comes, as a zlib stream (RFC 1950, 1951) with fixed codes.

    Not by zlib: its bytes differ from version to version, and pictures are the same on every machine.
    """
    bits = ["110"]  # the last block, fixed codes
    for line, times in runs:
        if times:
            bits.extend(_run(line))
            bits.extend(_match(len(line) * (times - 1), len(line), line))
    bits.append("0000000")
    stream = "".join(bits)
    data = int(stream[::-1], 2).to_bytes(-(-len(stream) // 8), "little")
    whole = b"".join(line * times for line, times in runs)
    return b"\x78\x01" + data + struct.pack(">I", zlib.adler32(whole))


def _run(line: bytes) -> Iterator[str]:
    """The bytes of a line; a byte that comes again and again once, then as a match at distance 1."""
    at = 0
    while at < len(line):
        end = at + 1
        while end < len(line) and line[end] == line[at]:
            end += 1
        yield _literal(line[at])
        yield from _match(end - at - 1, 1, line[at:end])
        at = end


def _literal(byte: int) -> str:
    return f"{0b00110000 + byte:08b}" if byte < 144 else f"{0b110010000 + byte - 144:09b}"


def _match(length: int, distance: int, period: bytes) -> Iterator[str]:
    """RFC 1951, 3.2.5: `length` bytes of `period` again and again, from `distance` back; less than three as literals."""
    while length >= 3:
        piece = min(length, 258) if length - 258 not in (1, 2) else 255  # no rest that is too short for a match
        yield _length(piece) + _distance(distance)
        length -= piece
    if length:
        yield from map(_literal, period[-length:])


def _length(length: int) -> str:
    if length == 258:
        return "11000101"  # code 285, among those of eight bits
    low = length - 3
    extra = max(low.bit_length() - 3, 0)
    code = 257 + (extra << 2) + (low >> extra)
    word = f"{code - 256:07b}" if code < 280 else f"{0b11000000 + code - 280:08b}"
    return word + _extra(low, extra)


def _distance(distance: int) -> str:
    low = distance - 1
    extra = max(low.bit_length() - 2, 0)
    return f"{(extra << 1) + (low >> extra):05b}" + _extra(low, extra)


def _extra(value: int, count: int) -> str:
    """The lowest bits, lowest first."""
    return f"{value & (1 << count) - 1:0{count}b}"[::-1] if count else ""


def _packed(bits: str, filler: str) -> bytes:
    """Bits from the highest of each byte down."""
    bits += filler * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big")


# JPEG

_QUANTUM = 8  # so that the mean of a block, less 128, is its coefficient
# Lengths of the codes, then the values: a difference of 0 has the code 0, those of 1 to 8 bits have five bits each.
_DC = bytes((1, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)) + bytes(range(9))
_AC = bytes((1, *[0] * 15)) + b"\0"  # only "end of block", code 0


def _jpeg(design: _Design, width: int, height: int) -> bytes:
    """Baseline, blocks of one colour each: only differences of their means are coded."""
    components = b"".join(bytes((identity, 0x11, 0)) for identity in (1, 2, 3))
    scan = b"".join(bytes((identity, 0)) for identity in (1, 2, 3))
    return b"".join(
        (
            b"\xff\xd8",
            _segment(0xE0, b"JFIF\0" + struct.pack(">HBHHBB", 0x0101, 0, 1, 1, 0, 0)),
            _segment(0xDB, b"\0" + bytes((_QUANTUM,) * 64)),
            _segment(0xC0, struct.pack(">BHHB", 8, height, width, 3) + components),
            _segment(0xC4, b"\x00" + _DC),
            _segment(0xC4, b"\x10" + _AC),
            _segment(0xDA, b"\x03" + scan + b"\0\x3f\0"),
            _packed("".join(_blocks(design, width, height)), "1").replace(b"\xff", b"\xff\0"),
            b"\xff\xd9",
        )
    )


def _segment(marker: int, data: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(data) + 2) + data


def _blocks(design: _Design, width: int, height: int) -> Iterator[str]:
    """The code of each block of 8 x 8 pixels, row by row."""
    colours = _means(design.ground), _means(design.figure)
    codes = {(a, b): _changed(colours[a], colours[b]) for a in (0, 1) for b in (0, 1)}
    across, down = -(-width // 8), -(-height // 8)
    yield _changed((0, 0, 0), colours[design.rows[0][0]])
    before = int(design.rows[0][0])
    for y in range(down):
        row = [int(design.rows[_cell(y, down)][_cell(x, across)]) for x in range(across)]
        for now in row[1:] if y == 0 else row:
            yield codes[before, now]
            before = now


def _means(colour: Colour) -> Colour:
    """Y, Cb, Cr (JFIF 1.02), less the 128 that the decoder adds."""
    red, green, blue = colour
    return (
        round(0.299 * red + 0.587 * green + 0.114 * blue) - 128,
        round(-0.1687 * red - 0.3313 * green + 0.5 * blue),
        round(0.5 * red - 0.4187 * green - 0.0813 * blue),
    )


def _changed(before: Colour, now: Colour) -> str:
    return "".join(_difference(new - old) + "0" for old, new in zip(before, now, strict=True))


def _difference(value: int) -> str:
    """T.81, F.1.2.1: how many bits, then the bits; a negative number is one less, cut to as many bits."""
    size = abs(value).bit_length()
    if not size:
        return "0"
    return f"{0b10000 + size - 1:05b}{value if value > 0 else value + (1 << size) - 1:0{size}b}"


# WebP


def _webp(design: _Design, width: int, height: int) -> bytes:
    """Lossless; each channel has one symbol, whose code is empty: no pixel takes a bit."""
    red, green, blue = design.ground
    fields = [(0x2F, 8), (width - 1, 14), (height - 1, 14), (0, 1), (0, 3)]
    fields += [(0, 1), (0, 1), (0, 1)]  # no transform, no colour cache, no meta codes
    for symbol in (green, red, blue, 255):
        fields += [(1, 1), (0, 1), (1, 1), (symbol, 8)]  # a simple code of one symbol of eight bits
    fields += [(1, 1), (0, 1), (0, 1), (0, 1)]  # and one of one bit, for distances
    value = place = 0
    for number, size in fields:
        value |= number << place
        place += size
    data = value.to_bytes(-(-place // 8), "little")
    data += b"\0" * (len(data) % 2)
    return b"RIFF" + struct.pack("<I", len(data) + 12) + b"WEBPVP8L" + struct.pack("<I", len(data)) + data
