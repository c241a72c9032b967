"""Reading requests: total, whatever comes."""

from __future__ import annotations

import gzip
import json
import zlib

import brotli
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_simulator import dialects
from llm_simulator.dialects.reading import json_object, json_value, kind, maybe_json, semantic
from llm_simulator.types import JSON, RawRequest


def post(body: bytes, *headers: tuple[str, str], path: str = "/v1/chat/completions") -> RawRequest:
    return RawRequest("POST", path, headers=headers, body=body)


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"", "the body is empty"),
        (b'{"a": }', "the body is not JSON: Expecting value at line 1, column 7 (character 6)"),
        (b'{"a": 1} x', "the body is not JSON: Extra data at line 1, column 10 (character 9)"),
        (b'{"a": NaN}', "the body is not JSON: NaN is no JSON number"),
        (b'{"a": -Infinity}', "the body is not JSON: -Infinity is no JSON number"),
        (b'{"a": "\xff"}', "the body is not UTF-8: invalid start byte at byte 7"),
        (b"[" * 100_000, "the body is nested too deeply"),
    ],
)
def test_problems(body: bytes, problem: str) -> None:
    assert json_object(post(body)) == (None, problem)
    call = dialects.read(post(body))
    assert (call.family, call.body, call.problem) == ("openai.chat", None, problem)


def test_a_number_of_too_many_digits() -> None:
    body, problem = json_value(post(b"1" * 5000))
    assert body is None
    assert problem.startswith("the body is not JSON: Exceeds the limit")


@pytest.mark.parametrize(
    ("body", "value", "found"),
    [
        (b"[1]", [1], "a JSON array"),
        (b"null", None, "null"),
        (b"true", True, "a boolean"),
        (b'"x"', "x", "a JSON string"),
        (b"1.5", 1.5, "a number"),
    ],
)
def test_another_type_stays_as_it_is(body: bytes, value: JSON, found: str) -> None:
    assert json_object(post(body)) == (value, f"the body is {found}, not a JSON object")
    assert kind({}) == "a JSON object"


@pytest.mark.parametrize(
    ("coding", "data"),
    [
        ("gzip", gzip.compress(b'{"model":"m"}', mtime=0)),
        ("deflate", zlib.compress(b'{"model":"m"}')),
        ("br", brotli.compress(b'{"model":"m"}')),
        ("zstd", zstandard.compress(b'{"model":"m"}')),
        ("identity", b'{"model":"m"}'),
        ("", b'\xef\xbb\xbf{"model":"m"}'),
    ],
)
def test_a_content_encoding_is_undone(coding: str, data: bytes) -> None:
    call = dialects.read(post(data, ("Content-Encoding", coding)))
    assert (call.model, call.problem, call.raw.body) == ("m", "", data)


@pytest.mark.parametrize(("coding", "data"), [("gzip", b"nope"), ("compress", b"{}")])
def test_a_content_encoding_that_does_not_hold(coding: str, data: bytes) -> None:
    call = dialects.read(post(data, ("content-encoding", coding)))
    assert call.body is None
    assert call.problem.startswith(f"content-encoding '{coding}'")


@pytest.mark.parametrize(
    ("body", "kind_of_body", "expected"),
    [
        (b"", "application/json", (None, "")),
        (b"--x", "multipart/form-data; boundary=x", (None, "")),
        (b' {"a":1}', "", ({"a": 1}, "")),
        (b"{broken", "", (None, "")),
        (b"{broken", "text/json", (None, json_value(post(b"{broken"))[1])),
        (b"7", "application/json", (7, "")),
    ],
)
def test_a_body_that_need_not_be_json(body: bytes, kind_of_body: str, expected: tuple[JSON, str]) -> None:
    assert maybe_json(post(body, ("content-type", kind_of_body))) == expected


def test_semantic_headers_are_sorted_and_in_lower_case() -> None:
    headers = (("OpenAI-Beta", "b"), ("X-Other", "1"), ("openai-beta", "a"))
    assert semantic(headers, ("openai-beta",)) == (("openai-beta", "a"), ("openai-beta", "b"))
    assert dialects.read(post(b"{}", *headers)).semantic == (("openai-beta", "a"), ("openai-beta", "b"))


PATHS = [
    "/v1/chat/completions",
    "/v1/messages",
    "/v1beta/models/m:generateContent",
    "/v2/chat",
    "/v1/models",
    "/v1/embeddings",
    "/openai/deployments/d/chat/completions",
    "/model/m/converse-stream",
    "/",
    "",
]


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(PATHS) | st.text(max_size=12),
    st.sampled_from(["GET", "POST", "DELETE", "BREW"]),
    st.binary(max_size=40) | st.text(max_size=20).map(lambda text: json.dumps({"model": text, "stream": 1}).encode()),
    st.sampled_from(["", "gzip", "br", "zstd", "x"]),
)
def test_reading_never_raises_and_every_call_has_a_dialect(path: str, method: str, body: bytes, coding: str) -> None:
    call = dialects.read(RawRequest(method, path, headers=(("content-encoding", coding),), body=body))
    dialect = dialects.of(call)
    condition = dialect.check(call)
    if condition:
        assert dialect.refuse(condition, call).status == condition.status
