"""Server-sent events and JSON layouts."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_simulator.dialects import jsonstyle
from llm_simulator.dialects.sse import events, is_stream
from llm_simulator.types import JSON


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("data: a\n\ndata: b\n\n", [("", "a"), ("", "b")]),
        ("event: x\r\ndata: a\r\n\r\n", [("x", "a")]),
        ("event: x\rdata:a\r\r", [("x", "a")]),
        (": ping\n\ndata: a\ndata: b\nid: 7\n\n", [("", "a\nb")]),
        ("\ufeffdata: a", [("", "a")]),
        ("event: lonely\n\n\n", []),
        ("data: {\"a\":\"\u2028\"}\n\n", [("", '{"a":"\u2028"}')]),
        ("data:  two\ndata\n\n", [("", " two\n")]),
        ("", []),
    ],
)  # fmt: skip
def test_events(text: str, expected: list[tuple[str, str]]) -> None:
    assert list(events(text)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("data: x", True), ("\n: ping", True), ("event: x", True), ("{}", False), ("database", False)],
)
def test_what_is_a_stream(text: str, expected: bool) -> None:
    assert is_stream(text) is expected


JSONS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@given(JSONS)
def test_layouts_are_those_of_json_dumps(value: JSON) -> None:
    def plain(indent: int) -> bytes:
        return json.dumps(value, indent=indent, ensure_ascii=False).encode()

    assert jsonstyle.indented(value) == plain(2)
    assert jsonstyle.indented_line(value) == plain(2) + b"\n"
    assert jsonstyle.gateway(value) == plain(4) + b"\n"
    assert jsonstyle.compact_line(value) == jsonstyle.compact(value) + b"\n"
    assert json.loads(jsonstyle.compact(jsonstyle.ordered(value))) == value


def test_a_lone_surrogate_is_escaped() -> None:
    assert jsonstyle.indented({"a": "\ud800é"}) == b'{\n  "a": "\\ud800\xc3\xa9"\n}'


def test_azure_orders_keys_but_not_those_of_its_filter() -> None:
    value = {"b": [{"d": 1, "c": 2}], "a": 1, "prompt_filter_results": [{"z": 1, "y": 2}]}
    assert jsonstyle.compact(jsonstyle.ordered(value)) == (
        b'{"a":1,"b":[{"c":2,"d":1}],"prompt_filter_results":[{"z":1,"y":2}]}'
    )
