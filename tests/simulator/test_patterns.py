"""Text for regular expressions: it matches, for every part of the syntax that schemas use."""

from __future__ import annotations

import re

import pytest

from llm_simulator.simulator.patterns import PatternError, compiled, matching, parse
from llm_simulator.simulator.rng import DeterministicRng, keyed

PATTERNS = [
    "",
    "abc",
    "^abc$",
    "a|b|cd",
    "^(foo|bar)+$",
    "^(?:a(b|c)?){2,3}$",
    "^(?P<year>[0-9]{4})-(?<month>0[1-9]|1[0-2])$",
    r"^\d{3}-\d{4}$",
    r"^\w+@\w+\.\w{2,}$",
    r"^\S+\s\S+$",
    r"^\D\W$",
    "^[A-Z][a-z]*$",
    "^[^a-z]{3}$",
    r"^[\w.+-]+$",
    r"^[\]\[\\-]+$",
    "^[a-]$",
    "^[-a]$",
    r"^[\x41-\x43\u0061-c]{5}$",
    r"^\t\n\x20\u00e9$",
    "^.{4,8}$",
    "^x*y+?z??$",
    "^a{0}b{3}$",
    "^{a}$",
    "^[[a]$",
    "^[+--]$",
    "^a{b}$",
    r"^\/path\.\*$",
    "ü{2}",
    r"^\p{Lu}\p{L}+\p{N}$",
    r"^(\+|-)?\d+(\.\d+)?([eE][+-]?\d+)?$",
    r"^#(?:[0-9a-fA-F]{3}){1,2}$",
    "^((a{5}){5}){5}$",
]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_what_is_made_matches(pattern: str) -> None:
    expression = compiled(pattern)
    assert expression is not None
    for seed in range(40):
        for stretch in (0, 3, 20):
            text = matching(pattern, DeterministicRng(keyed(3, pattern, seed)), stretch)
            assert expression.search(text), text


def test_an_open_repeat_comes_and_goes() -> None:
    lengths = {len(matching("^a*$", DeterministicRng(keyed(1, n)), 3)) for n in range(60)}
    assert lengths == {0, 1, 2, 3}


def test_nested_repeats_are_bounded() -> None:
    assert len(matching("^(((a+)+)+)+$", DeterministicRng(1), 50)) < 5000


@pytest.mark.parametrize("pattern", ["(a", "a)", "[a", "*a", "a{99999}", "(" * 60 + ")" * 60])
def test_what_cannot_be_read_is_named(pattern: str) -> None:
    with pytest.raises(PatternError, match="pattern"):
        parse(pattern)


def test_what_pythons_engine_does_not_know_is_not_checked() -> None:
    assert compiled(r"\p{Script=Greek}") is not None
    assert compiled("(?<!a+)b") is None
    assert compiled(r"^a\Z") == re.compile(r"^a\Z")
