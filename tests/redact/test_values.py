"""Values are found however they are spelled, and masking one leaves JSON and URLs whole."""

from __future__ import annotations

import json
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_simulator.redact.placeholder import Span, cover, fresh
from llm_simulator.redact.values import bytes_text, from_environment, values
from llm_simulator.redact.words import Words

SECRET = 'pa$s/w"rd+\\=é 𝕏\n~end'


def _masked(text: str, secret: str) -> str:
    (value,) = values([("secret", secret)])
    text = bytes_text(text)
    return cover(text, fresh(text, value.find(text, Words(text).text())))


SPELLINGS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "json": json.dumps,
    "json, utf-8": lambda secret: json.dumps(secret, ensure_ascii=False),
    "json, slashes escaped": lambda secret: json.dumps(secret).replace("/", "\\/"),
    "json, as .NET writes it": lambda secret: json.dumps(secret).replace("+", "\\u002B").replace('\\"', "\\u0022"),
    "json in json": lambda secret: json.dumps(json.dumps(secret)),
    "json in json in json": lambda secret: json.dumps(json.dumps(json.dumps(secret))),
    "percent": lambda secret: quote(secret, safe=""),
    "percent, lower case": lambda secret: "".join(
        chr(b) if chr(b).isascii() and chr(b).isalnum() else f"%{b:02x}" for b in secret.encode()
    ),
    "percent twice": lambda secret: quote(quote(secret, safe=""), safe=""),
    "form": quote_plus,
}


@pytest.mark.parametrize("how", SPELLINGS)
def test_every_spelling_is_found(how: str) -> None:
    spelled = SPELLINGS[how](SECRET)
    masked = _masked(f"a {spelled} b", SECRET)
    assert "end" not in masked
    assert "rd" not in masked
    assert masked.startswith("a ")
    assert masked.endswith(" b")
    assert len(masked) == len(bytes_text(f"a {spelled} b"))


def test_another_text_stays() -> None:
    assert _masked("nothing of the secret here", "another-secret") == "nothing of the secret here"


@pytest.mark.parametrize(
    ("text", "secret", "expected"),
    [
        ('{"a": "x\\nabcdefghijklm"}', "nabcdefghijklm", '{"a": "x\\nREDACTED_____"}'),
        ('{"a": "x\\u0041bcdefghijkl"}', "u0041bcdefghijkl", '{"a": "x\\u0041REDACTED___"}'),
        ("?q=%3Dabcdefghijkl", "3Dabcdefghijkl", "?q=%3DREDACTED____"),
        ("?q=%3Dabcdefghijkl", "Dabcdefghijkl", "?q=%3DREDACTED____"),
        ('{"a": "\\u00000000000000b"}', "000000000000", '{"a": "\\u0000REDACTED00b"}'),
        ('{"a": "secret-12345\\" b"}', "secret-12345\\", '{"a": "REDACTED______ b"}'),
        ("C:\\\\nabcdefghijklm", "nabcdefghijklm", "C:\\\\REDACTED______"),
    ],
)
def test_an_escape_is_never_cut(text: str, secret: str, expected: str) -> None:
    assert _masked(text, secret) == expected


@settings(max_examples=60, deadline=None)
@given(
    st.text(st.sampled_from('abnu0/"\\é\n+= %'), min_size=12, max_size=20), st.text(max_size=20), st.text(max_size=20)
)
def test_json_stays_json_and_loses_the_secret(secret: str, before: str, after: str) -> None:
    if len(secret.strip()) < 12:
        return
    text = json.dumps([before + secret + after], ensure_ascii=False)
    (left,) = json.loads(_masked(text, secret).encode("latin-1"))
    assert secret.strip() not in left


def test_the_environment() -> None:
    found = from_environment(
        {
            "A_KEY": " twelve-chars ",
            "SHORT_KEY": "elevenchars",
            "B_TOKEN": "twelve-chars",
            "PATH": "/usr/bin:/bin:/x",
            "C_SECRET": "REDACTED____",
        }
    )
    assert [(value.text, value.kind) for value in found] == [("twelve-chars", "value of $A_KEY")]


def test_longest_first_and_the_kind_never_shows_the_value() -> None:
    found = from_environment({"A_KEY": "abcdefghijkl", "B_KEY": "abcdefghijklmnop"})
    assert [value.kind for value in found] == ["value of $B_KEY", "value of $A_KEY"]
    assert list(found[1].find("abcdefghijkl", "abcdefghijkl")) == [Span(0, 12, "value of $A_KEY")]


def test_a_value_without_letters_is_found_without_a_core() -> None:
    assert _masked("x ++++----====~~ y", "++++----====~~") == "x REDACTED______ y"
