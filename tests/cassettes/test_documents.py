"""A YAML file cut into documents."""

from __future__ import annotations

from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_simulator.cassettes.documents import split

TEXT = b"# c\n---\nh: 1\n---\n# none\n---\na: |\n  ---\n  x\n--- # c\nb: 2\n...\n---\n---x\n"


def spans(data: bytes, block: int) -> list[tuple[int, int, int, bytes]]:
    return [(piece.offset, piece.number, piece.line, piece.data) for piece in split(BytesIO(data), block)]


@pytest.mark.parametrize("block", [1, 2, 5, 7, 1000])
def test_documents_that_are_not_empty(block: int) -> None:
    assert spans(TEXT, block) == [
        (0, 0, 1, b"# c\n---\nh: 1\n"),
        (24, 1, 6, b"---\na: |\n  ---\n  x\n"),
        (43, 2, 10, b"--- # c\nb: 2\n...\n"),
        (60, 3, 13, b"---\n---x\n"),
    ]


@given(
    st.lists(st.sampled_from([b"---\n", b"a: 1\n", b"#\n", b"\n", b"--- x\n", b" ---\n", b"---"])).map(b"".join),
    st.integers(1, 9),
)
def test_the_block_size_does_not_matter(data: bytes, block: int) -> None:
    assert spans(data, block) == spans(data, 1 << 20)
    for offset, _, line, piece in spans(data, block):
        assert data[offset : offset + len(piece)] == piece
        assert data[:offset].count(b"\n") == line - 1


def test_the_span_names_the_bytes() -> None:
    first, second = (piece.span for piece in split(BytesIO(b"a: 1\n---\na: 1\n")))
    assert (first.length, second.length, second.number, second.line, second.offset) == (5, 9, 1, 2, 5)
    assert first.check != second.check
