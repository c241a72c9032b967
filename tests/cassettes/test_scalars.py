"""Strings as YAML scalars."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import texts

from llm_simulator.cassettes.scalars import block, pair, scalar

LOADERS: list[Any] = [yaml.CSafeLoader, yaml.SafeLoader]
plain_texts = texts.filter(lambda text: not any("\ud800" <= c <= "\udfff" for c in text))
lines = st.lists(st.sampled_from(["", " ", "  a", "\ta", "a ", "- a", "é", "#", "---", "a: b", "\x85"])).map("\n".join)


@settings(max_examples=50, deadline=None)
@given(plain_texts)
def test_a_scalar_reads_as_the_text(text: str) -> None:
    for loader in LOADERS:
        found: Any = yaml.compose(f"- {scalar(text)}\n- x\n", Loader=loader)
        assert found.value[0].value == text


@settings(max_examples=50, deadline=None)
@given(st.one_of(lines, plain_texts))
def test_a_block_reads_as_the_text(text: str) -> None:
    for loader in LOADERS:
        found: Any = yaml.compose(f"a:\n  t: {block(text, 4)}\n  u: 1\n", Loader=loader)
        assert [node.value for _, node in found.value[0][1].value] == [text, "1"]


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("application/json; charset=utf-8", "application/json; charset=utf-8"),
        ("Mon, 24 Nov 2026", "Mon, 24 Nov 2026"),
        ("12", "12"),
        ("", '""'),
        ("true", '"true"'),
        ("a: b", '"a: b"'),
        ("a ", '"a "'),
        ('"\\\n\t\r\0', r'"\"\\\n\t\r\x00"'),
        ("\x85\u2028\ufeff", r'"\x85\u2028\uFEFF"'),
        ("\uffff\U0001f600é", '"\\uFFFF\U0001f600é"'),
        ("\ud800", "{base64: 7aCA}"),
    ],
)
def test_how_a_scalar_is_written(text: str, written: str) -> None:
    assert scalar(text) == written


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("a\nb\n", "|\n  a\n  b"),
        ("a", "|-\n  a"),
        ("a\n\n", "|+\n  a\n"),
        (" a\n\n b\n", "|2\n   a\n\n   b"),
        ("\n", r'"\n"'),
        ("a\r\n", r'"a\r\n"'),
    ],
)
def test_how_a_block_is_written(text: str, written: str) -> None:
    assert block(text, 2) == written


def test_a_name_that_is_no_mapping_key_makes_a_list() -> None:
    assert pair("X-A", "b") == "X-A: b"
    assert pair("\ud800", "a, b") == '[{base64: 7aCA}, "a, b"]'
    assert pair("n" * 2000, "v") == f'["{"n" * 2000}", "v"]'
