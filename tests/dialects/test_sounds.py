"""Sound files that any reader takes: checked here by their structure, and once by FFmpeg (the digests below)."""

from __future__ import annotations

import hashlib
import io
import struct
import wave

import pytest

from llm_simulator.dialects.sounds import FORMS, RATE, lasts, seconds_of, spoken

TEXT = "The quick brown fox jumps over the lazy dog, and tells everybody. " * 3


def test_a_wav_is_what_the_standard_library_reads() -> None:
    with wave.open(io.BytesIO(spoken(TEXT, "wav"))) as sound:
        assert (sound.getnchannels(), sound.getsampwidth(), sound.getframerate()) == (1, 2, RATE)
        assert sound.getnframes() == round(seconds_of(TEXT) * RATE)
        samples = struct.unpack(f"<{sound.getnframes()}h", sound.readframes(sound.getnframes()))
    assert 5000 < max(samples) <= 6000
    assert spoken(TEXT, "wav")[44:] == spoken(TEXT, "pcm")


def test_each_word_has_its_tone() -> None:
    assert spoken("one two", "pcm") != spoken("one six", "pcm")
    assert spoken("one two", "pcm") == spoken("One TWO", "pcm")


@pytest.mark.parametrize("form", [form for form in FORMS if form not in ("pcm", "aac")])
@pytest.mark.parametrize("speed", [0.5, 1.0, 4.0])
def test_how_long_they_last(form: str, speed: float) -> None:
    assert lasts(spoken(TEXT, form, speed)) == pytest.approx(seconds_of(TEXT, speed), abs=0.2)


def test_aac_frame_by_frame() -> None:
    data, at, frames = spoken(TEXT, "aac"), 0, 0
    while at < len(data):
        head = int.from_bytes(data[at : at + 7], "big")
        assert head >> 44 == 0xFFF
        assert (head >> 34 & 15, head >> 30 & 7) == (6, 1)  # 24 kHz, one channel
        at += head >> 13 & 0x1FFF
        frames += 1
    assert at == len(data)
    assert frames * 1024 / RATE == pytest.approx(seconds_of(TEXT), abs=0.05)


def test_mp3_frame_by_frame() -> None:
    data = spoken(TEXT, "mp3")
    assert len(data) % 480 == 0
    assert {data[at : at + 4] for at in range(0, len(data), 480)} == {b"\xff\xf3\xe4\xc4"}


def test_ogg_page_by_page() -> None:
    data, at, numbers = spoken(TEXT, "opus"), 0, list[int]()
    while at < len(data):
        assert data[at : at + 4] == b"OggS"
        numbers.append(struct.unpack_from("<I", data, at + 18)[0])
        lacing = data[at + 27 : at + 27 + data[at + 26]]
        at += 27 + len(lacing) + sum(lacing)
    assert numbers == list(range(len(numbers)))
    assert data[28:36] == b"OpusHead"


@pytest.mark.parametrize(("text", "seconds"), [("", 0.3), ("a" * 150, 10.0), ("a" * 10**6, 300.0)])
def test_seconds(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"x",
        b"RIFF",
        b"RIFF\0\0\0\0WAVE",
        b"RIFF\0\0\0\0WAVEdata\0\0\0\0",
        b"fLaC",
        b"OggS",
        b"\xff\xf3",
        b"ID3",
        b"ID3" + b"\x7f" * 9,
    ],
)
def test_what_is_no_sound_lasts_as_long_as_it_is_big(data: bytes) -> None:
    assert lasts(data) == len(data) / 16_000
    assert lasts(data + bytes(16_000)) < 1e6


def test_a_streamed_wav_does_not_say_how_long_it_is() -> None:
    data = spoken("word", "wav")
    assert lasts(data[:40] + b"\xff\xff\xff\xff" + data[44:]) == lasts(data)


def test_an_mp3_behind_a_tag() -> None:
    tag = b"ID3\x04\0\0" + bytes((0, 0, 1, 0)) + bytes(128)
    assert lasts(tag + spoken(TEXT, "mp3")) == pytest.approx(seconds_of(TEXT), abs=0.1)


@pytest.mark.parametrize(
    ("form", "digest"),
    [
        ("mp3", "c75df6639e292834"),
        ("opus", "81187137ae8959a1"),
        ("aac", "17281b604876bf1b"),
        ("flac", "6ca5e26bca7e5621"),
        ("wav", "e38c29b24c7de712"),
    ],
)
def test_bytes_that_ffmpeg_has_decoded(form: str, digest: str) -> None:
    """PyAV (FFmpeg 8) decoded them to the right number of samples without an error."""
    assert hashlib.blake2b(spoken("hello world", form), digest_size=8).hexdigest() == digest
