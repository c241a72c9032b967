"""The law between redaction and match key: a live call equals its redacted recording under the recording's paths."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_simulator.cassettes.key import Matcher
from llm_simulator.redact.redactor import Redactor
from llm_simulator.types import Call, Headers, RawRequest

SECRET = "correct-horse-battery-staple"
KEY = "sk-proj-abcdefghijklmnopqrstuvwxyz0123456789ABCDEF"
REDACTOR = Redactor({"APP_SECRET": SECRET})
JSON_TYPE = (("content-type", "application/json"),)
FORM = (("content-type", "application/x-www-form-urlencoded"),)
PARTS = (("content-type", "multipart/form-data; boundary=x"),)


def call(raw: RawRequest) -> Call:
    return Call("openai", "openai.chat", "chat", raw)


def raw(body: bytes, headers: Headers = JSON_TYPE, query: str = "") -> RawRequest:
    return RawRequest("POST", "/v1/chat/completions", "api.openai.com", query=query, headers=headers, body=body)


def check(live: RawRequest) -> None:
    redacted = REDACTOR.request(live)
    assert SECRET.encode() not in redacted.value.body
    assert KEY[8:].encode() not in redacted.value.body
    matcher = Matcher()
    stored = matcher.key(call(redacted.value), redacted.masked)
    assert matcher.key(call(live), redacted.masked) == stored
    other = replace(live, body=b"z=1&" + live.body if live.headers == FORM else live.body + b" tail")
    if redacted.masked != ("$",) and live.headers != PARTS:  # what follows the last part is none of it
        assert matcher.key(call(other), redacted.masked) != stored


@pytest.mark.parametrize(
    "body",
    [
        {"a": f"key {KEY}."},
        {"a": f"two\n{KEY}\t{KEY}é", "b": [KEY]},
        {KEY: 1, "b": "c"},
        {"messages": [{"content": "x"}, {"content": f"it is {SECRET}!"}]},
        {"tool": {"api_key": "0123456789abcdef0123456789abcdef"}},
        {"tool": {"headers": {"Authorization": "Bearer x"}, "password": "short"}},
        {"arguments": json.dumps({"password": "short", "x": 1})},
        {"arguments": json.dumps({"api_key": "0123456789abcdef0123456789abcdef", "x": 1})},
        {"a": f"{KEY} and {SECRET}", "odd key": SECRET},
    ],
)
def test_json(body: object) -> None:
    for text in (json.dumps(body), json.dumps(body, ensure_ascii=False, indent=1)):
        check(raw(text.encode()))


def test_a_secret_by_name_needs_no_path() -> None:
    one, two = (raw(json.dumps({"api_key": secret, "x": 1}).encode()) for secret in ("hunter2", "hunter3"))
    assert Matcher().key(call(one)) == Matcher().key(call(two))
    assert Matcher().key(call(one)) != Matcher().key(call(raw(b'{"api_key":1,"x":1}')))


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (f"a=1&token={SECRET}&b={KEY}".encode(), FORM),
        (b"a=1&api_key=0123456789abcdef0123456789abcdef&password=x", FORM),
        (b'--x\r\nContent-Disposition: form-data; name="password"\r\n\r\nshort\r\n--x--', PARTS),
        (f'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n{SECRET}\r\n--x--'.encode(), PARTS),
        (
            f'--x\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n\0\xff {KEY}\r\n--x--'.encode(
                "latin-1"
            ),
            PARTS,
        ),
        (f"plain {KEY} text".encode(), ()),
        (f"plain {SECRET} text".encode(), ()),
        (f"\xff\xfe {KEY} binary".encode("latin-1"), ()),
        (f'{{"broken": "{KEY}"'.encode(), JSON_TYPE),
    ],
)
def test_other_bodies(body: bytes, headers: Headers) -> None:
    check(raw(body, headers))


def test_an_encoded_body_is_stored_decoded() -> None:
    live = raw(gzip.compress(json.dumps({"a": KEY}).encode()), (*JSON_TYPE, ("content-encoding", "gzip")))
    redacted = REDACTOR.request(live)
    assert redacted.decoded
    assert Matcher().key(call(live)) == Matcher().key(call(redacted.value))


@pytest.mark.parametrize("query", ["key=AIzaSomething&alt=sse", f"x={KEY}&alt=sse", "alt=sse&code=abc&X-Amz-Date=1"])
def test_query(query: str) -> None:
    live = raw(b"{}", query=query)
    assert Matcher().key(call(live)) == Matcher().key(call(REDACTOR.request(live).value))


TEXT = st.lists(
    st.sampled_from([KEY, SECRET, "Bearer ", "\n", '"', "\\", "é", "=", ": ", "api_key", " ", "x"]), max_size=6
)


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(st.sampled_from(["a", "api_key", "b c", "é"]), TEXT.map("".join)), st.booleans())
def test_any_mixture(body: dict[str, str], ascii: bool) -> None:
    live = raw(json.dumps(body, ensure_ascii=ascii).encode())
    redacted = REDACTOR.request(live)
    matcher = Matcher()
    assert matcher.key(call(live), redacted.masked) == matcher.key(call(redacted.value), redacted.masked)
