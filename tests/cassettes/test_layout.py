"""JSON bodies for the eye."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from strategies import json_bodies

from llm_simulator.cassettes.layout import known, pretty, restore, show

VALUE = {"a": [1, {"b": "x"}], "c": {}, "d": []}
PRETTY = '{\n  "a": [\n    1,\n    {\n      "b": "x"\n    }\n  ],\n  "c": {},\n  "d": []\n}'


@pytest.mark.parametrize(
    ("body", "layout"),
    [
        (json.dumps(VALUE, separators=(",", ":")), "compact"),
        (json.dumps(VALUE), "spaced"),
        (json.dumps(VALUE, indent=2), "indent-2"),
        (json.dumps(VALUE, indent=4) + "\n", "indent-4, newline"),
        (json.dumps(VALUE, separators=(",", ":")) + "\n", "compact, newline"),
    ],
)
def test_the_layouts_of_clients_and_providers(body: str, layout: str) -> None:
    assert show(body) == (PRETTY, layout)
    assert restore(PRETTY, layout) == body


@pytest.mark.parametrize(
    "number", ["1.0", "1.50", "1E400", "-0", "1e5", "12345678901234567890123", "0.1000000000000000055"]
)
def test_numbers_keep_their_digits(number: str) -> None:
    body = f'{{"n":{number}}}'
    assert show(body) == (f'{{\n  "n": {number}\n}}', "compact")
    assert restore(f'{{\n  "n": {number}\n}}', "compact") == body


def test_keys_that_repeat_stay() -> None:
    assert show('{"a":1,"a":2}') == ('{\n  "a": 1,\n  "a": 2\n}', "compact")


@pytest.mark.parametrize(
    ("body", "shown", "layout"),
    [
        ('{"a":"\\u4f60\\ud83d\\ude00"}', '{\n  "a": "你\U0001f600"\n}', "compact, ascii"),
        ('{"a":"\\u4f60\\ud800\\u2028"}', '{\n  "a": "你\\ud800\\u2028"\n}', "compact, ascii"),
        ('{"a":"\\\\u4f60"}', '{\n  "a": "\\\\u4f60"\n}', "compact"),
        ('{"a":"\\u4F60"}', '{\n  "a": "\\u4F60"\n}', "compact"),  # upper-case digits would not come back
        ('{"a":"é\\u4f60"}', '{\n  "a": "é\\u4f60"\n}', "compact"),  # mixed: shown as it stands
    ],
)
def test_escapes_are_shown_as_characters_where_they_come_back(body: str, shown: str, layout: str) -> None:
    assert show(body) == (shown, layout)
    assert restore(shown, layout) == body


@pytest.mark.parametrize("body", ["", "1", '"a"', "null", "{", '{"a" :1}', '{"a":1}\r\n', " {}", "{}{}", "[" * 100_000])
def test_other_bodies_are_not_shown_as_json(body: str) -> None:
    assert show(body) is None


@settings(max_examples=40, deadline=None)
@given(json_bodies())
def test_what_is_shown_comes_back(body: bytes) -> None:
    text = body.decode("utf-8", "surrogatepass")
    found = show(text)
    if found is not None:
        assert restore(*found) == text


def test_an_edited_block_takes_the_layout() -> None:
    assert restore('{ "a":\n [1,   2], "b c": " , : " }', "spaced") == '{"a": [1, 2], "b c": " , : "}'


def test_pretty_leaves_strings_alone() -> None:
    assert pretty('{"a{":"b, \\" ]:"}') == '{\n  "a{": "b, \\" ]:"\n}'


@pytest.mark.parametrize(("layout", "right"), [("compact, ascii", True), ("indent-3", False), ("compact, x", False)])
def test_known_layouts(layout: str, right: bool) -> None:
    assert known(layout) is right
