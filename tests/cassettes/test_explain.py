"""The names of the rules that made two requests one."""

from __future__ import annotations

import gzip
from typing import Any

import pytest

from llm_simulator.cassettes.key import Matcher, MatchRules
from llm_simulator.types import Call, Headers, RawRequest

FORM = (("content-type", "application/x-www-form-urlencoded"),)


def call(body: bytes = b"", *, path: str = "/v1/x", provider: str = "openai", **raw: Any) -> Call:
    headers: Headers = raw.pop("headers", ())
    return Call(provider, "opaque", "x", RawRequest("POST", path, headers=headers, body=body, **raw))


def upload(boundary: str) -> Call:
    body = f'--{boundary}\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--{boundary}--'.encode()
    return call(body, headers=(("content-type", f"multipart/form-data; boundary={boundary}"),))


UUIDS = ("57a121ec-f78c-48c3-a745-e3036a3ecc33", "54c1eb09-bc4c-4d2f-98eb-6d2ab2d5e2fe")


@pytest.mark.parametrize(
    ("asked", "recorded", "rules"),
    [
        (call(), call(), ()),
        (call(b'{"a":1,"b":2}'), call(b'{"b":2,"a":1}'), ("json-key-order",)),
        (call(b'{"a": 1}'), call(b'{"a":1}'), ("json-whitespace",)),
        (call(b'{"a":1.0}'), call(b'{"a":1}'), ("number-form",)),
        (call(b'{"a":"\\u0041"}'), call(b'{"a":"A"}'), ("json-escapes",)),
        (call(query="a=1&b=2"), call(query="b=2&a=1"), ("query-order",)),
        (call(query="a=%41"), call(query="a=A"), ("query-form",)),
        (call(query="key=1&a=1"), call(query="a=1&key=2"), ("query-credential",)),
        (call(path="/v1//x/"), call(), ("path-form",)),
        (call(host="a"), call(host="b"), ("host",)),
        (call(provider="groq"), call(), ("provider",)),
        (call(headers=(("user-agent", "x"),)), call(), ("header-noise",)),
        (
            call(gzip.compress(b"{}"), headers=(("content-encoding", "gzip"),)),
            call(b"{}"),
            ("header-noise", "content-encoding"),
        ),
        (upload("x"), upload("y"), ("header-noise", "multipart-boundary")),
        (call(b"a=1&b=2", headers=FORM), call(b"b=2&a=1", headers=FORM), ("form-order",)),
        (call(b"a=%41", headers=FORM), call(b"a=A", headers=FORM), ("form-form",)),
        (
            call(b'{"prompt_cache_key":"%s"}' % UUIDS[0].encode(), path="/v1/responses"),
            call(b'{"prompt_cache_key":"%s"}' % UUIDS[1].encode(), path="/v1/responses"),
            ("volatile:codex-cache-key",),
        ),
    ],
)
def test_rules(asked: Call, recorded: Call, rules: tuple[str, ...]) -> None:
    matcher = Matcher()
    assert matcher.key(asked).core == matcher.key(recorded).core, "the table is of equal calls"
    assert matcher.explain(asked, recorded) == rules


def test_ignore_rules_that_were_needed() -> None:
    matcher = Matcher(MatchRules(ignore=("$.t", "$.never", r"/req-\d+/")))
    asked, recorded = call(b'{"a":"req-1","t":5,"b":1}'), call(b'{"a":"req-22","b":1}')
    assert matcher.key(asked) == matcher.key(recorded)
    assert matcher.explain(asked, recorded) == ("ignore:$.t", r"ignore:/req-\d+/")


def test_masked_paths() -> None:
    asked, recorded = call(b'{"a":"hunter2hunter2"}'), call(b'{"a":"**************"}')
    assert Matcher().explain(asked, recorded, ("$.a",)) == ("masked:$.a",)


def test_bodies_that_are_no_json_have_no_form() -> None:
    asked, recorded = call(b"x sk-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), call(b"x sk-bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb")
    assert Matcher().explain(asked, recorded) == ("key-shape",)
