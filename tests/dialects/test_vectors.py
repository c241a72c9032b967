"""Simulated embeddings: length, determinism, and nearness by spelling."""

from __future__ import annotations

import struct
from itertools import combinations
from math import sqrt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_simulator.dialects.vectors import embed

MODEL = "text-embedding-3-small"
CAT, SITTING, STOCKS = "The cat sat on the mat.", "A cat was sitting on a mat.", "Stock prices fell sharply on Monday."


def cosine(one: str, other: str, dimensions: int = 1536) -> float:
    pair = zip(embed(one, dimensions, MODEL), embed(other, dimensions, MODEL), strict=True)
    return sum(left * right for left, right in pair)


@given(st.text(max_size=200), st.sampled_from((1, 2, 64, 256, 1024, 1536)))
@settings(max_examples=60, deadline=None)
def test_unit_length_and_the_dimensions_asked_for(text: str, dimensions: int) -> None:
    vector = embed(text, dimensions, MODEL)
    assert len(vector) == dimensions
    assert sqrt(sum(value * value for value in vector)) == pytest.approx(1, abs=1e-6)
    assert vector == embed(text, dimensions, MODEL)


def test_what_cancels_out_in_one_dimension_has_unit_length_all_the_same() -> None:
    assert embed("3Ù|T\U00090e1f/", 1, MODEL) == (1.0,)


@pytest.mark.parametrize(
    ("near", "far"),
    [
        ((CAT, SITTING), (CAT, STOCKS)),
        (("dog", "dogs"), ("dog", "spreadsheet")),
        (("你好世界", "你好，中国"), ("你好世界", "图书馆员")),
        (("Hello", "hello!"), ("hello", "goodbye")),
        (("refund my order 1234", "I want a refund for order 1234"), ("refund my order 1234", "weather in Oslo")),
    ],
)
def test_texts_that_share_words_and_letters_are_nearer(near: tuple[str, str], far: tuple[str, str]) -> None:
    assert cosine(*near) > cosine(*far) + 0.05


def test_unlike_texts_are_nearly_orthogonal() -> None:
    words = ("alpha", "gumption", "zebra", "quixotic", "9731", "плюс", "東京", "😀", "")
    assert all(abs(cosine(one, other)) < 0.2 for one, other in combinations(words, 2))


def test_even_case_and_punctuation_tell_a_little() -> None:
    assert embed("Hello", 64, MODEL) != embed("hello", 64, MODEL)


def test_fewer_dimensions_are_the_first_ones_scaled_anew() -> None:
    whole, short = embed(CAT, 1536, MODEL), embed(CAT, 256, MODEL)
    length = sqrt(sum(value * value for value in whole[:256]))
    assert short == pytest.approx([value / length for value in whole[:256]], abs=1e-8)


def test_each_model_has_a_space_of_its_own() -> None:
    pair = zip(embed(CAT, 1536, MODEL), embed(CAT, 1536, "text-embedding-3-large"), strict=True)
    assert abs(sum(left * right for left, right in pair)) < 0.2


def test_a_32_bit_float_tells_the_values_apart() -> None:
    vector = embed(CAT, 1536, MODEL)
    packed = struct.unpack("<1536f", struct.pack("<1536f", *vector))
    assert list(packed) == pytest.approx(list(vector), rel=6e-8)
    assert len(set(packed)) == len(set(vector))


def test_a_very_long_text_does_not_overflow_its_lanes() -> None:
    text = " ".join(f"word{place} {place % 97}" for place in range(20_000))
    vector = embed(text, 256, MODEL)
    assert sqrt(sum(value * value for value in vector)) == pytest.approx(1, abs=1e-6)
    assert max(map(abs, vector)) < 0.4


def test_the_vector_of_a_text_stays_what_it_is() -> None:
    """Recorded cassettes and golden files of users hold these values: a change is a breaking one."""
    assert embed("hello", 4, MODEL) == PINNED


PINNED = (0.676788331, 0.142041995, -0.543101747, 0.476258455)
