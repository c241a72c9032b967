"""Exchanges as plain values."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from strategies import asked, exchanges, texts

from llm_simulator.cassettes.codec import Record, column, cut, pack, uncolumn, unpack, unpack_head
from llm_simulator.errors import CassetteError
from llm_simulator.types import Exchange


@settings(max_examples=60, deadline=None)
@given(exchanges())
def test_every_exchange_comes_back_exactly(exchange: Exchange) -> None:
    record = pack(exchange)
    assert unpack(record) == exchange
    assert record.detail.isascii()


def test_the_head_has_all_but_the_answer_s_bytes() -> None:
    exchange = asked()
    record = pack(exchange)
    head = unpack_head(record.detail, record.request)
    assert head.request == exchange.request
    assert (head.chunks, head.messages) == ((), ())
    assert head.headers == exchange.headers


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"chunks": [[0, 3]]}, "pieces of 3 bytes in all, but there are 4"),
        ({"chunks": [[0, 5], [0, -1]]}, "pieces of 4 bytes in all"),
        ({"outcome": "other"}, "'other' is not a valid Outcome"),
        ({"request": ["GET"]}, "not enough values"),
        ({"headers": [["a"]]}, "not enough values"),
        ({"messages": [["client", 1, 0, 5]]}, "pieces of 5 bytes in all, but there are 0"),
    ],
)
def test_values_that_do_not_fit_are_named(change: dict[str, object], complaint: str) -> None:
    good = pack(asked(chunks=((0, b"abcd"),)))
    bad = Record(json.dumps({**json.loads(good.detail), **change}), good.request, good.response)
    with pytest.raises(CassetteError, match="damaged: ") as caught:
        unpack(bad)
    assert complaint in str(caught.value)


@pytest.mark.parametrize("detail", ["", "{", "[]", "{}", "null"])
def test_broken_detail_is_a_cassette_error(detail: str) -> None:
    with pytest.raises(CassetteError, match="damaged"):
        unpack(Record(detail, b"", b""))
    with pytest.raises(CassetteError, match="damaged"):
        unpack_head(detail, b"")


@given(texts)
def test_a_column_holds_any_text(text: str) -> None:
    held = column(text)
    held.encode()  # no lone surrogate
    assert "\0" not in held
    assert uncolumn(held) == text


def test_cut_gives_empty_pieces_too() -> None:
    assert cut(b"abc", [0, 2, 0, 1]) == (b"", b"ab", b"", b"c")
