"""Real sound files without a codec, and how long an uploaded one lasts.

WAV and PCM carry tones: one for each word, as high as its letters have it, with a pause between. MP3, Opus, AAC and FLAC are
valid streams of silence of the same length: their frames are written down, not computed. All have one channel of 24 kHz (48 kHz
inside Opus) and 16 bits. Sources: ISO 11172-3 and 13818-3 (MP3), RFC 6716, 7845 and 3533 (Opus in Ogg), ISO 13818-7 (ADTS),
RFC 9639 (FLAC), RIFF WAVE.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Callable, Mapping
from functools import lru_cache
from math import ceil, pi, sin
from sys import byteorder
from zlib import crc32

RATE = 24_000
FORMS = ("mp3", "opus", "aac", "flac", "wav", "pcm")
_LETTERS_A_SECOND = 15
_LONGEST = 300.0  # seconds
_PAUSE = 0.06
_TONES = 24
_LOUDNESS = 6000  # of 32767


def seconds_of(text: str, speed: float = 1.0) -> float:
    """How long it takes to say a text."""
    return min(max(0.3, len(text) / _LETTERS_A_SECOND / speed), _LONGEST)


def spoken(text: str, form: str, speed: float = 1.0) -> bytes:
    """The text said aloud, as a file of that form (of FORMS)."""
    if form in ("wav", "pcm"):
        samples = _tones(text, speed)
        return samples if form == "pcm" else _wav(samples)
    return _SILENCE[form](seconds_of(text, speed))


# Tones


def _tones(text: str, speed: float) -> bytes:
    """16-bit samples, little-endian."""
    most, made = round(seconds_of(text, speed) * RATE) * 2, bytearray()
    for word in text.split():
        samples = round((len(word) + 1) / _LETTERS_A_SECOND / speed * RATE)
        tone = _tone(crc32(word.lower().encode("utf-8", "surrogatepass")) % _TONES)
        silent = min(round(_PAUSE * RATE), samples // 2)
        whole = tone * -(-samples * 2 // len(tone))
        made += whole[: (samples - silent) * 2] + bytes(silent * 2)
        if len(made) >= most:
            break
    return bytes(made[:most]).ljust(most, b"\0")


@lru_cache(maxsize=_TONES)
def _tone(number: int) -> bytes:
    """A whole number of waves of one pitch, 110 to 415 Hz by half tones; repeats of it join without a click."""
    hertz = 110 * 2 ** (number / 12)
    waves = 20
    length = round(RATE * waves / hertz)
    samples = array("h", (round(_LOUDNESS * sin(2 * pi * waves * place / length)) for place in range(length)))
    if byteorder == "big":
        samples.byteswap()
    return samples.tobytes()


def _wav(samples: bytes) -> bytes:
    head = b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, RATE, RATE * 2, 2, 16) + b"data"
    return b"RIFF" + struct.pack("<I", len(head) + 4 + len(samples)) + head + struct.pack("<I", len(samples)) + samples


# Silence


def _mp3(seconds: float) -> bytes:
    """MPEG 2, layer III, 160 kbit/s: a header, no side information, no data; 576 samples each."""
    frame = bytes((0xFF, 0xF3, 0xE4, 0xC4)).ljust(480, b"\0")
    return frame * ceil(seconds * RATE / 576)


def _aac(seconds: float) -> bytes:
    """ADTS frames of 1024 samples: low complexity, 24 kHz, one channel, nothing in any band."""
    block = bytes((0x00, 0xC8, 0x00, 0x80, 0x23, 0x80))
    size = 7 + len(block)
    head = 0xFFF1 << 40 | 1 << 38 | 6 << 34 | 1 << 30 | size << 13 | 0x7FF << 2
    return (head.to_bytes(7, "big") + block) * ceil(seconds * RATE / 1024)


def _flac(seconds: float) -> bytes:
    """Frames of 4096 samples that are all 0 (a constant subframe)."""
    frames = ceil(seconds * RATE / 4096)
    format_of = RATE << 44 | 0 << 41 | 15 << 36 | frames * 4096
    info = struct.pack(">HH", 4096, 4096) + bytes(6) + format_of.to_bytes(8, "big") + bytes(16)
    return b"fLaC" + b"\x80" + len(info).to_bytes(3, "big") + info + b"".join(map(_flac_frame, range(frames)))


def _flac_frame(number: int) -> bytes:
    head = bytes((0xFF, 0xF8, 0xC7, 0x08)) + chr(number).encode()
    frame = head + bytes((_crc(head, 0x07, 8),)) + bytes(3)
    return frame + _crc(frame, 0x8005, 16).to_bytes(2, "big")


def _crc(data: bytes, polynomial: int, width: int) -> int:
    """Most significant bit first, starting from 0."""
    value, top, mask = 0, 1 << (width - 1), (1 << width) - 1
    for byte in data:
        value ^= byte << (width - 8)
        for _ in range(8):
            value = (value << 1 ^ (polynomial if value & top else 0)) & mask
    return value


_OPUS_SAMPLES = 960  # at 48 kHz: 20 ms
_OPUS_SILENCE = b"\xf8\xff\xfe"
_PACKETS = 50  # a page holds a second
_SERIAL = 0x6F707573


def _opus(seconds: float) -> bytes:
    head = b"OpusHead" + struct.pack("<BBHIhB", 1, 1, 312, RATE, 0, 0)
    vendor = b"llm-simulator"
    tags = b"OpusTags" + struct.pack("<I", len(vendor)) + vendor + struct.pack("<I", 0)
    packets = ceil(seconds * 48_000 / _OPUS_SAMPLES)
    pages = [_page(0, 0, 2, [head]), _page(1, 0, 0, [tags])]
    for start in range(0, packets, _PACKETS):
        end = min(start + _PACKETS, packets)
        last = 4 if end == packets else 0
        pages.append(_page(len(pages), end * _OPUS_SAMPLES, last, [_OPUS_SILENCE] * (end - start)))
    return b"".join(pages)


def _page(number: int, granule: int, flags: int, packets: list[bytes]) -> bytes:
    """An Ogg page of packets of less than 255 bytes."""
    head = struct.pack("<4sBBqII", b"OggS", 0, flags, granule, _SERIAL, number)
    body = bytes((len(packets), *map(len, packets))) + b"".join(packets)
    checksum = _ogg_crc(head + bytes(4) + body)
    return head + struct.pack("<I", checksum) + body


@lru_cache(maxsize=1)
def _ogg_table() -> tuple[int, ...]:
    return tuple(_crc(bytes((byte,)), 0x04C11DB7, 32) for byte in range(256))


def _ogg_crc(data: bytes) -> int:
    table, value = _ogg_table(), 0
    for byte in data:
        value = (value << 8 & 0xFFFF_FFFF) ^ table[value >> 24 ^ byte]
    return value


_SILENCE: Mapping[str, Callable[[float], bytes]] = {"mp3": _mp3, "opus": _opus, "aac": _aac, "flac": _flac}


# How long an uploaded file lasts

_BYTES_A_SECOND = 16_000  # of what we cannot read: about what speech takes as MP3
_MP3_RATES = {  # version bits of the header -> kbit/s by index, samples a second by index
    3: ((0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320), (44_100, 48_000, 32_000)),
    2: ((0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160), (22_050, 24_000, 16_000)),
}


def lasts(data: bytes) -> float:
    """Seconds that a WAV, Ogg Opus, MP3 or FLAC file lasts, by its headers; of anything else a guess from its size."""
    readers = (_wav_lasts, _ogg_lasts, _flac_lasts, _mp3_lasts)
    found = next((seconds for read in readers if (seconds := read(data)) is not None), None)
    return max(0.0, len(data) / _BYTES_A_SECOND if found is None else found)


def _wav_lasts(data: bytes) -> float | None:
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        return None
    at, rate = 12, 0
    while at + 8 <= len(data):
        kind, size = struct.unpack_from("<4sI", data, at)
        if kind == b"fmt " and at + 20 <= len(data):
            rate = struct.unpack_from("<I", data, at + 16)[0]
        if kind == b"data":
            return min(size, len(data) - at - 8) / rate if rate else None  # a streamed file says 0xFFFFFFFF
        at += 8 + size + size % 2
    return None


def _ogg_lasts(data: bytes) -> float | None:
    last = data.rfind(b"OggS")
    if data[:4] != b"OggS" or b"OpusHead" not in data[:100] or last + 14 > len(data):
        return None
    return int.from_bytes(data[last + 6 : last + 14], "little") / 48_000


def _flac_lasts(data: bytes) -> float | None:
    if data[:4] != b"fLaC" or len(data) < 26:
        return None
    fields = int.from_bytes(data[18:26], "big")
    rate, samples = fields >> 44, fields & (1 << 36) - 1
    return samples / rate if rate and samples else None


def _mp3_lasts(data: bytes) -> float | None:
    """By the bit rate of the first frame, after an ID3 tag."""
    at = 0
    if data[:3] == b"ID3" and len(data) > 10:
        at = 10 + sum((byte & 0x7F) << 7 * (3 - place) for place, byte in enumerate(data[6:10]))
    if len(data) < at + 4 or data[at] != 0xFF or data[at + 1] & 0xE6 != 0xE2:
        return None
    rates = _MP3_RATES.get(data[at + 1] >> 3 & 3)
    rate = data[at + 2] >> 4
    if rates is None or not 0 < rate < len(rates[0]):
        return None
    return (len(data) - at) * 8 / (rates[0][rate] * 1000)
