"""Secrets by the name beside them: JSON at any depth of nesting, forms, multipart."""

from __future__ import annotations

import json

import pytest

from llm_simulator.redact.members import find_fields, find_members, find_parts
from llm_simulator.redact.words import Words

NESTED = 'sec"ret\\ value'


def _members(text: str) -> list[str]:
    return [text[span.start : span.end] for span in find_members(text, Words(text))]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"api_key": "abc", "model": "gpt"}', ["abc"]),
        ('{"apiKey":"abc"}', ["abc"]),
        ('{"a": {"client_secret" : "x\\"y", "b": 1}}', ['x\\"y']),
        ('{"password": "ends with a backslash\\\\", "c": "d"}', ["ends with a backslash\\\\"]),
        ('{"password": ""}', [""]),
        ('{"password": 12345, "secret": null, "authorization": {"a": "b"}}', []),
        ('{"token": "tok", "key": "k", "max_tokens": "5"}', []),
        ('{"password": "cut off', ["cut off"]),
        ('{\n  "access_token":\n    "abc"\n}', ["abc"]),
        ('{"arguments": "{\\"api_key\\": \\"abc\\", \\"x\\": 1}"}', ["abc"]),
        ('{"partial_json": "{\\"api_key\\": \\"ab"}', ["ab"]),
        ('{"properties": {"password": {"type": "string"}}}', []),
    ],
)
def test_members(text: str, expected: list[str]) -> None:
    assert _members(text) == expected


@pytest.mark.parametrize("depth", [0, 1, 2, 3])
def test_members_at_any_depth_of_nested_json(depth: int) -> None:
    text = json.dumps({"x": 'a "quoted" b', "api_key": NESTED, "y": "z"})
    for _ in range(depth):
        text = json.dumps({"arguments": text})
    (found,) = _members(text)
    value: object = found
    for _ in range(depth + 1):
        value = json.loads(f'"{value}"')
    assert value == NESTED


def test_the_kind_names_the_member() -> None:
    text = '{"apiKey": "x"}'
    assert [span.kind for span in find_members(text, Words(text))] == ['member "apiKey"']


def test_fields() -> None:
    text = "grant_type=refresh&client%5Fsecret=a%20b&refresh_token=&code=xyz&scope=all\r\n"
    assert [text[span.start : span.end] for span in find_fields(text)] == ["a%20b", "", "xyz"]


def test_parts() -> None:
    text = (
        '--b\r\nContent-Disposition: form-data; name="api_key"\r\n\r\nabc\r\n'
        '--b\r\nContent-Disposition: form-data; name="file"; filename="x"\r\nContent-Type: text/plain\r\n\r\nfile\r\n'
        "--b\r\ncontent-disposition: form-data; name=password\r\nContent-Type: text/plain\r\n\r\np\r\nw\r\n--b--\r\n"
    )
    assert [text[span.start : span.end] for span in find_parts(text)] == ["abc", "p\r\nw"]
    assert list(find_parts("no parts")) == []
