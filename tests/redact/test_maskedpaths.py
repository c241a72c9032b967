"""The places that the match key must ignore: what was masked by value or name, and nothing that `mask` makes equal anyway."""

from __future__ import annotations

import json

import pytest

from llm_simulator.redact.maskedpaths import masked_paths

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
PARTS = "multipart/form-data; boundary=b"
KEY = "sk-proj-aB3dE5gH7jK9mN1pQ3sT"
HIDDEN = "REDACTED____________________"


def part(name: str, value: str) -> str:
    return f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'


@pytest.mark.parametrize(
    ("before", "after", "kind", "expected"),
    [
        ('{"a": "x"}', '{"a": "x"}', JSON, ()),
        ('{"a": "secret value"}', '{"a": "REDACTED____"}', JSON, ("$.a",)),
        (
            '{"messages": [{"content": "a"}, {"content": "my secret"}], "x-y": {"a b\'c\\\\": ["p", "q"]}}',
            '{"messages": [{"content": "a"}, {"content": "REDACTED_"}], "x-y": {"a b\'c\\\\": ["p", "*"]}}',
            JSON,
            ("$.messages[1].content", "$.x-y['a b\\'c\\\\'][1]"),
        ),
        (f'{{"a": "{KEY}", "b": "value"}}', f'{{"a": "{HIDDEN}", "b": "*****"}}', JSON, ("$.b",)),
        (f'{{"a": "{KEY}"}}', f'{{"a": "{HIDDEN}"}}', JSON, ()),
        ('{"a": {"secret name": 1}}', '{"a": {"REDACTED___": 1}}', JSON, ("$.a",)),
        ('["secret value"]', '["REDACTED____"]', "", ("$[0]",)),
        ('{"secret value"', '{"REDACTED____"', JSON, ("$",)),
        ("a=b&client_secret=x&client_secret=y", "a=b&client_secret=*&client_secret=*", FORM, ("$.client_secret",)),
        ("a=b&c", "a=b", FORM, ("$",)),
        (
            part("model", "m") + part("api_key", "abc") + "--b--",
            part("model", "m") + part("api_key", "***") + "--b--",
            PARTS,
            ("$.api_key",),
        ),
        ("no parts secret", "no parts ******", PARTS, ("$",)),
        ("plain secret", "plain ******", "text/plain", ("$",)),
        ("plain " + KEY, "plain " + HIDDEN, "text/plain", ()),
    ],
)
def test_paths(before: str, after: str, kind: str, expected: tuple[str, ...]) -> None:
    assert masked_paths(before, after, kind) == expected


def test_paths_work_in_the_match_key() -> None:
    from llm_simulator.cassettes.jsonpath import compile_path

    before = {"x-y": {"a b'c\\": ["p", "secret value"]}}
    after = {"x-y": {"a b'c\\": ["p", "REDACTED____"]}}
    (path,) = masked_paths(json.dumps(before), json.dumps(after), JSON)
    assert compile_path(path).hide(before) == compile_path(path).hide(after)
