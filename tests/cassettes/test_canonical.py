"""The canonical text of JSON: by value, losing nothing."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_simulator.cassettes.canonical import decimal, dump, edit, hide, load, texts

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


def canon(text: str) -> bytes:
    return dump(load(text.encode("utf-8", "surrogatepass")))


def shuffled(value: Any, chance: random.Random) -> Any:
    if isinstance(value, dict):
        members = list(value.items())
        chance.shuffle(members)
        return {key: shuffled(item, chance) for key, item in members}
    return [shuffled(item, chance) for item in value] if isinstance(value, list) else value


@settings(max_examples=60, deadline=None)
@given(VALUES, st.randoms(use_true_random=False), st.booleans())
def test_order_white_space_and_escapes_have_no_meaning(value: Any, chance: random.Random, ascii: bool) -> None:
    other = json.dumps(shuffled(value, chance), indent=chance.choice([None, 1, "\t"]), ensure_ascii=ascii)
    assert canon(other) == canon(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


@settings(max_examples=60, deadline=None)
@given(VALUES, VALUES)
def test_other_values_have_other_texts(left: Any, right: Any) -> None:
    def exact(value: Any) -> Any:  # Python says True == 1, and 0.0 == -0.0 as we do
        if isinstance(value, dict):
            return {key: exact(item) for key, item in value.items()}
        return [exact(item) for item in value] if isinstance(value, list) else (isinstance(value, bool), value)

    assert (canon(json.dumps(left)) == canon(json.dumps(right))) == (exact(left) == exact(right))


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("1", "1.0"),
        ("1", "1e0"),
        ("100", "1E+2"),
        ("0.5", "5e-1"),
        ("0.10", "0.1"),
        ("-0", "0.0"),
        ("1e23", "100000000000000000000000"),
        ("1e400", "1" + "0" * 400),
        ("1e5000", "1" + "0" * 5000),
        ("0.1000000000000000055511151231257827", "1.000000000000000055511151231257827e-1"),
        ("12345678901234567890123.50", "1.23456789012345678901235e22"),
        ('"\\u0041\\/"', '"A/"'),
        ('"\\ud83d\\ude00"', '"😀"'),
        (' { "a" : [ ] } ', '{"a":[]}'),
        ('{"a":1,"b":2,"a":3}', '{"b":2,"a":1,"a":3}'),
    ],
)
def test_equal(left: str, right: str) -> None:
    assert canon(left) == canon(right)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("1", "true"),
        ("0", "false"),
        ("1", '"1"'),
        ("null", '"null"'),
        ("1e400", "1e401"),
        ("1e-400", "0"),
        ("1e-400", "1e-401"),
        ("0.1", "0.1000000000000000055511151231257827"),
        ("9007199254740993", "9007199254740992.0"),
        ("9007199254740993.0", "9007199254740992.0"),
        ("9" * 5000, "9" * 4999 + "8"),
        ("1e99999999999999999999", "1e99999999999999999998"),
        ('{"a":1,"a":3}', '{"a":3}'),
        ('{"a":1,"a":3}', '{"a":3,"a":1}'),
        ("NaN", '"NaN"'),
        ("Infinity", "-Infinity"),
        ('"\\u0000"', '""'),
        ('"\\ud800"', '"\\ud801"'),
        ('"a"', '"a "'),
        ("[1,2]", "[2,1]"),
        ("[]", "{}"),
        ('{"a":null}', "{}"),
    ],
)
def test_different(left: str, right: str) -> None:
    assert canon(left) != canon(right)


@pytest.mark.parametrize("data", [b'\xef\xbb\xbf{"a":1}', '{"a":1}'.encode("utf-16"), '{"a":1}'.encode("utf-32-le")])
def test_every_encoding_of_json(data: bytes) -> None:
    assert dump(load(data)) == b'{"a":1}'


@pytest.mark.parametrize("data", [b"", b"{", b"[1,]", b"\xff\xfe\xff", b"1 2", b"[" + b"1" * 4400 + b","])
def test_what_is_no_json_is_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError):
        load(data)


def test_too_deep_is_a_recursion_error() -> None:
    with pytest.raises(RecursionError):
        load(b"[" * 100_000)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("120", ("", "12", 1)),
        ("-0.0120", ("-", "12", -3)),
        ("-0.0e7", ("", "0", 0)),
        ("1e-2", ("", "1", -2)),
    ],
)
def test_decimal(text: str, parts: tuple[str, str, int]) -> None:
    assert decimal(text) == parts


def test_decimal_of_something_else() -> None:
    with pytest.raises(ValueError, match="'1x' is no JSON number"):
        decimal("1x")


def test_edit_changes_strings_and_keys_in_place() -> None:
    value = load(b'{"a":["x",{"b":"y"}],"c":1}')
    keys, strings = texts(value)
    assert (keys, sorted(strings)) == ({"a", "b", "c"}, ["x", "y"])
    assert edit(value, str.upper) == {"a": ["X", {"b": "Y"}], "c": 1}
    assert edit(value, str.upper, keys=True) == {"A": ["X", {"B": "Y"}], "C": 1}
    assert edit("x", str.upper) == "X"


def test_hide_by_name() -> None:
    value = load(b'{"a":["x",{"pin":"y"}],"pin":1,"b":{"pin":"z"}}')
    hide(value, "pin".__eq__, "*")
    assert value == {"a": ["x", {"pin": "*"}], "pin": 1, "b": {"pin": "*"}}


def test_keys_that_become_equal_are_both_kept() -> None:
    assert list(edit({"a": 1, "A": 2}, str.upper, keys=True).values()) == [1, 2]
