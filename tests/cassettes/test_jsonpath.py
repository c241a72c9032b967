"""JSON paths: the plain ones and those of jsonpath-ng."""

from __future__ import annotations

from typing import Any

import pytest

from llm_simulator.cassettes.canonical import ANY
from llm_simulator.cassettes.jsonpath import Steps, compile_path, spell
from llm_simulator.errors import ConfigError


def value() -> Any:
    return {"a": {"b": 1, "odd 'key'": 2}, "list": [{"id": 1, "t": "x"}, {"id": 2}], "id": 0}


@pytest.mark.parametrize(
    ("path", "left"),
    [
        ("$.a", {"list": [{"id": 1, "t": "x"}, {"id": 2}], "id": 0}),
        ("$.a.b", {"a": {"odd 'key'": 2}, "list": [{"id": 1, "t": "x"}, {"id": 2}], "id": 0}),
        ("$['a']['odd \\'key\\'']", {"a": {"b": 1}, "list": [{"id": 1, "t": "x"}, {"id": 2}], "id": 0}),
        ('$["a"].*', {"a": {}, "list": [{"id": 1, "t": "x"}, {"id": 2}], "id": 0}),
        ("$.list[0]", {"a": {"b": 1, "odd 'key'": 2}, "list": [ANY, {"id": 2}], "id": 0}),
        ("$.list[-1].id", {"a": {"b": 1, "odd 'key'": 2}, "list": [{"id": 1, "t": "x"}, {}], "id": 0}),
        ("$.list[*].id", {"a": {"b": 1, "odd 'key'": 2}, "list": [{"t": "x"}, {}], "id": 0}),
        ("$.nothing[3].here", value()),
        ("$.list.id", value()),
        ("$.a[0]", value()),
        ("$.id[*]", value()),
        ("$", ANY),
        ("$..id", {"a": {"b": 1, "odd 'key'": 2}, "list": [{"t": "x"}, {}]}),
        ("$.list[?(@.id==2)].id", {"a": {"b": 1, "odd 'key'": 2}, "list": [{"id": 1, "t": "x"}, {}], "id": 0}),
        ("list[1:]", {"a": {"b": 1, "odd 'key'": 2}, "list": [{"id": 1, "t": "x"}, ANY], "id": 0}),
    ],
)
def test_drop(path: str, left: Any) -> None:
    assert compile_path(path).drop(value()) == left


def test_what_went_with_its_parent_is_no_error() -> None:
    assert compile_path("$..a").drop({"a": {"a": 1}}) == {}
    assert compile_path("$..*").drop({"a": [[1]]}) == {}


def test_hide_keeps_the_place() -> None:
    assert compile_path("$.list[0].t").hide(value())["list"][0] == {"id": 1, "t": ANY}
    assert compile_path("$.nothing").hide(value()) == value()


def test_a_path_that_cannot_be_read_is_named() -> None:
    with pytest.raises(ConfigError, match=r"match\.ignore: '\$\.a\[' is no JSON path"):
        compile_path("$.a[")


@pytest.mark.parametrize(
    ("steps", "text"),
    [
        ((), "$"),
        (("a", 0, "b-c"), "$.a[0].b-c"),
        (("it's", None), "$['it\\'s'][*]"),
        (("a.b", "\\"), "$['a.b']['\\\\']"),
    ],
)
def test_spell_round_trip(steps: Steps, text: str) -> None:
    assert spell(steps) == text
    assert compile_path(text).steps == steps
