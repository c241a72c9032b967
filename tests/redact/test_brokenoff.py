"""Secrets whose end is missing."""

from __future__ import annotations

import json
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest

from llm_simulator.redact import Redactor, scan
from llm_simulator.redact.brokenoff import find_broken_off
from llm_simulator.redact.placeholder import cover, fresh, placeholder
from llm_simulator.redact.values import bytes_text, values
from llm_simulator.types import Exchange, Outcome, RawRequest

VALUE = "Qx7fJm2LpR9sTv4WzYb8"
KNOWN = values([("value of $T", VALUE)])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"it is {VALUE[:8]}", "it is REDACTED"),
        (f"it is {VALUE[:15]}", "it is REDACTED_______"),
        (f"it is {VALUE[:7]}", f"it is {VALUE[:7]}"),
        (f"it is {VALUE[:15]} or so", f"it is {VALUE[:15]} or so"),  # not at the end: not a piece of it
        (f"a {VALUE[:9]}\0b", "a REDACTED_\0b"),
        ("key sk-1234567", "key sk-1234567"),
        ("key sk-12345678", "key REDACTED___"),
        ("key AIzaSyD12345", "key REDACTED____"),
        ("ask-forgiveness", "ask-forgiveness"),
        ("", ""),
    ],
)
def test_find_broken_off(text: str, expected: str) -> None:
    assert cover(text, sorted(find_broken_off(text, ("sk-", "AIza"), KNOWN))) == expected


ODD = 'pa"s\\s\n/é+= end-of-it'


SPELLINGS: tuple[Callable[[str], str], ...] = (
    str,
    json.dumps,
    lambda text: json.dumps(text, ensure_ascii=False).replace("/", "\\/"),
    lambda text: json.dumps(json.dumps(text)),
    lambda text: quote(text, safe=""),
    quote_plus,
)


@pytest.mark.parametrize("spell", SPELLINGS)
def test_a_piece_is_found_however_it_is_spelled_and_wherever_it_is_cut(spell: Callable[[str], str]) -> None:
    spelled = bytes_text(spell(ODD).strip('"\\'))
    shortest = len(bytes_text(spell(ODD[:9]).strip('"\\'))) + 6
    for size in range(shortest, len(spelled)):
        text = "it is " + spelled[:size]
        found = fresh(text, find_broken_off(text, ("sk-",), values([("value of $T", ODD)])))
        assert cover(text, found) == "it is " + placeholder(size), text


@pytest.mark.parametrize("outcome", list(Outcome))
def test_only_an_exchange_that_broke_off_is_looked_at_so(outcome: Outcome) -> None:
    body = b'data: {"text": "see ' + VALUE[:16].encode()
    request = RawRequest("POST", "/v1/chat/completions", "api.openai.com")
    exchange = Exchange(request, "openai", "openai.chat", "chat", "", True, 200, (), ((1, body),), outcome=outcome)
    redactor = Redactor({"T_TOKEN": VALUE})
    clean = redactor.exchange(exchange)
    whole = outcome is Outcome.COMPLETE
    assert clean.body == (body if whole else body[:-16] + b"REDACTED________")
    assert len(scan(exchange, redactor)) == (not whole)
    assert scan(clean, redactor) == []
