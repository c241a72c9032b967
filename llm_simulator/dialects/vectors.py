"""Embeddings without a model: texts that share words and letter sequences get near vectors, others nearly orthogonal ones.

Words, pairs of words and letter n-grams of the text are hashed into signed buckets (Weinberger et al. 2009, "Feature hashing
for large scale multitask learning"), each bucket has one pseudo-random direction (Achlioptas 2003), and the weighted sum is
scaled to length 1. So nearness is of spelling, not of meaning: "car" is as far from "automobile" as from "tulip". Fewer
dimensions are the first ones of more dimensions, scaled anew, as with text-embedding-3.
"""

from __future__ import annotations

import re
from array import array
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from hashlib import shake_128
from itertools import pairwise
from math import sqrt
from operator import mul
from sys import byteorder
from zlib import crc32

_WORD = re.compile(r"\w+")
_BUCKETS = 1024
_LANE = 2  # bytes that one dimension has in a sum
_LEVELS = 16  # a direction has a value of 0 to 15 in each lane
_MIDDLE = (_LEVELS - 1) / 2
_MOST = 65_535 // (_LEVELS - 1)  # summed weights that a lane holds
_LONGEST = 6  # a word weighs as much as it is long, up to this: short words are seldom what a text is about
_STEPS = 1e9  # values are multiples of 1e-9: about what a 32-bit float tells near 0.03, and what providers send


def embed(text: str, dimensions: int, model: str) -> tuple[float, ...]:
    """The vector of `text` in the space of `model`: length 1 within 1e-6, `dimensions` values, the same ones every time."""
    lanes, values = _scaled(text, dimensions, model)
    return tuple(map(values.__getitem__, lanes))


def spelled(text: str, dimensions: int, model: str) -> Iterator[str]:
    """The values of `embed` as JSON writes them, in a third of the time."""
    lanes, values = _scaled(text, dimensions, model)
    words = {lane: repr(value) for lane, value in values.items()}
    return map(words.__getitem__, lanes)


def _scaled(text: str, dimensions: int, model: str) -> tuple[list[int], dict[int, float]]:
    """Each dimension's sum, and the value of each sum. Few different ones occur: each is turned into a value once."""
    lanes, weight = _sum(_weights(text, crc32(model.encode("utf-8", "replace"))), dimensions)
    middle = weight * _MIDDLE
    square = sum(map(mul, lanes, lanes)) - 2 * middle * sum(lanes) + dimensions * middle * middle
    if not square:  # all cancelled out, which happens in one or two dimensions
        return lanes, dict.fromkeys(lanes, 1 / sqrt(dimensions))
    scale = _STEPS / sqrt(square)
    return lanes, {lane: int((lane - middle) * scale) / _STEPS for lane in set(lanes)}


def _sum(weights: dict[int, int], dimensions: int) -> tuple[list[int], int]:
    """Each dimension's sum over the buckets' directions, and the summed weights that went into it.

    One whole number holds all dimensions, so that one addition adds a direction. A negative weight takes the mirrored one.
    """
    sums: dict[int, int] = {}
    for bucket, weight in weights.items():
        sums[weight] = sums.get(weight, 0) + _direction(bucket, dimensions)
    total = sum(weight * lanes for weight, lanes in sums.items())
    mirrored = -sum(weight for weight in weights.values() if weight < 0)
    total += mirrored * _full(dimensions)
    lanes = array("H", total.to_bytes(_LANE * dimensions, byteorder)).tolist()
    return lanes if byteorder == "little" else lanes[::-1], sum(map(abs, weights.values()))


def _weights(text: str, space: int) -> dict[int, int]:
    """Bucket -> signed weight, without those that cancelled out; never empty."""
    weights: dict[int, int] = {}
    for feature, weight in _features(text):
        bucket, sign = _place(feature, space)
        weights[bucket] = weights.get(bucket, 0) + sign * weight
    found = {bucket: weight for bucket, weight in weights.items() if weight} or {_place(text, space)[0]: 1}
    whole = sum(map(abs, found.values()))
    if whole <= _MOST:
        return found
    shrunk = {bucket: int(weight * _MOST / whole) for bucket, weight in found.items()}
    return {bucket: weight for bucket, weight in shrunk.items() if weight}


def _place(feature: str, space: int) -> tuple[int, int]:
    """A bucket and a sign. CRC-32 alone is linear: texts of equal length would collide in pairs, hence the multiplication."""
    drawn = (crc32(feature.encode("utf-8", "surrogatepass"), space) ^ space) * 0x9E3779B97F4A7C15 >> 20 & 0xFFFF_FFFF
    return drawn % _BUCKETS, 1 if drawn >> 31 else -1


def _features(text: str) -> Iterator[tuple[str, int]]:
    """What the text is made of, each with its weight: how long, times how often (slowly growing)."""
    words = _WORD.findall(text.lower())
    grams: Counter[str] = Counter()
    for word, times in Counter(words).items():
        yield word, min(len(word), _LONGEST) * _damped(times)
        for gram in _grams(word):
            grams[gram] += times
    for gram, times in grams.items():
        yield gram, _damped(times)
    for (first, second), times in Counter(pairwise(words)).items():
        yield f"{first} {second}", 2 * _damped(times)
    yield f"={text}", 1  # case and punctuation tell a little, too


def _grams(word: str) -> Iterator[str]:
    """Three letters each, the ends marked; two as well where a letter is more than one byte (Chinese, Greek, ...)."""
    marked = f"<{word}>"
    for at in range(len(marked) - 2):
        yield marked[at : at + 3]
    if not word.isascii():
        for at in range(len(word) - 1):
            yield word[at : at + 2]


def _damped(times: int) -> int:
    """1, 2, 2, 3, 3, 3, 3, 4, ...: the hundredth "the" tells little."""
    return times.bit_length()


@lru_cache(maxsize=_BUCKETS)
def _direction(bucket: int, dimensions: int) -> int:
    """A value in each lane, the first dimension lowest. Fewer dimensions are a prefix of more."""
    drawn = shake_128(bucket.to_bytes(2, "big")).digest(dimensions)
    lanes = bytearray(_LANE * dimensions)
    lanes[::_LANE] = drawn.translate(_LEVEL)
    return int.from_bytes(lanes, "little")


_LEVEL = bytes(value % _LEVELS for value in range(256))


@lru_cache(maxsize=16)
def _full(dimensions: int) -> int:
    """The highest value in each lane."""
    return int.from_bytes(bytes((_LEVELS - 1, 0)) * dimensions, "little")
