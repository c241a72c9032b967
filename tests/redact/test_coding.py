"""Content codings: round trips, pieces, bounds and damage."""

from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_simulator.errors import SimulatorError
from llm_simulator.redact.coding import CodingError, Decoder, decode, encode, known, names

CODINGS = ["gzip", "x-gzip", "deflate", "br", "zstd"]
TEXT = b"the quick brown fox " * 400


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", ()),
        ("identity", ()),
        ("GZip", ("gzip",)),
        ("gzip, br", ("gzip", "br")),
        ("identity,gzip ,none", ("gzip",)),
    ],
)
def test_names(value: str, expected: tuple[str, ...]) -> None:
    assert names(value) == expected


@pytest.mark.parametrize(("value", "expected"), [("gzip, zstd", True), ("identity", True), ("gzip, compress", False)])
def test_known(value: str, expected: bool) -> None:
    assert known(value) is expected


@settings(max_examples=60, deadline=None)
@given(
    st.binary(max_size=3000),
    st.lists(st.sampled_from([*CODINGS, "identity"]), max_size=3).map(", ".join),
    st.integers(1, 700),
)
def test_round_trip_whole_and_in_pieces(data: bytes, coding: str, step: int) -> None:
    encoded = encode(data, coding)
    assert decode(encoded, coding) == data
    decoder = Decoder(coding, limit=len(data))
    pieces = [decoder.feed(encoded[at : at + step]) for at in range(0, len(encoded), step)]
    assert b"".join(pieces) + decoder.finish() == data


def test_raw_deflate() -> None:
    press = zlib.compressobj(wbits=-15)
    raw = press.compress(TEXT) + press.flush()
    assert decode(raw, "deflate") == TEXT
    decoder = Decoder("deflate")
    assert decoder.feed(raw[:1]) + decoder.feed(raw[1:]) + decoder.finish() == TEXT


def test_several_members_and_padding() -> None:
    assert decode(gzip.compress(b"one ") + gzip.compress(b"two") + b"\0\0\0", "gzip") == b"one two"
    assert decode(encode(b"one ", "zstd") + encode(b"two", "zstd"), "zstd") == b"one two"


@pytest.mark.parametrize("coding", CODINGS)
def test_an_early_end_is_an_error_only_at_the_end(coding: str) -> None:
    encoded = encode(TEXT, coding)[:-3]
    decoder = Decoder(coding)
    assert TEXT.startswith(decoder.feed(encoded))
    with pytest.raises(CodingError, match=rf"content-encoding '{coding}': the data ends early"):
        decoder.finish()


def test_a_lone_byte_of_deflate_ends_early() -> None:
    with pytest.raises(CodingError, match="ends early"):
        decode(b"\x78", "deflate")


@pytest.mark.parametrize("coding", CODINGS)
def test_corrupt_data(coding: str) -> None:
    with pytest.raises(CodingError, match=f"content-encoding '{coding}': corrupt data"):
        decode(b"\xff\xfe certainly not encoded \x00\x01" * 9, coding)


@pytest.mark.parametrize("coding", CODINGS)
def test_limit_stops_a_bomb(coding: str) -> None:
    bomb = encode(bytes(50_000_000), coding)
    with pytest.raises(CodingError, match="more than 1000 bytes when decoded"):
        decode(bomb, coding, limit=1000)


def test_limit_counts_all_pieces() -> None:
    decoder = Decoder("identity", limit=5)
    assert decoder.feed(b"abc") == b"abc"
    with pytest.raises(CodingError, match="more than 5 bytes"):
        decoder.feed(b"def")


@pytest.mark.parametrize("use", [lambda: Decoder("gzip, aes128gcm"), lambda: encode(b"x", "aes128gcm")])
def test_unknown_coding(use: object) -> None:
    assert callable(use)
    with pytest.raises(CodingError, match=r"unknown coding 'aes128gcm', allowed are identity, gzip, x-gzip"):
        use()


def test_the_error_is_ours_and_a_value_error() -> None:
    assert issubclass(CodingError, SimulatorError)
    assert issubclass(CodingError, ValueError)


@pytest.mark.parametrize("coding", CODINGS)
def test_nothing_is_nothing_in_every_coding(coding: str) -> None:
    assert decode(b"", coding) == b""
    decoder = Decoder(coding)
    assert decoder.feed(b"") + decoder.finish() == b""
