"""What OpenAI's endpoints beside chat share: forms, numbers, pages, whose path it is."""

from __future__ import annotations

import gzip
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multiform import sent

from llm_simulator import dialects
from llm_simulator.dialects.openai_rest import form, is_true, number, page, speaks_openai, success, uploads, whole
from llm_simulator.types import JSON, Call, RawRequest, header

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize(
    ("fields", "body"),
    [
        ([("a", "1")], {"a": "1"}),
        ([("a", "1"), ("a", "2"), ("a", "3")], {"a": ["1", "2", "3"]}),
        ([("a[]", "1")], {"a": ["1"]}),
        ([("a[]", "1"), ("a[]", "2")], {"a": ["1", "2"]}),
        ([("a[b]", "1"), ("a[c]", "2")], {"a": {"b": "1", "c": "2"}}),
        ([("a", "1"), ("a[b]", "2")], {"a": {"b": "2"}}),
        ([("a", "1"), ("a[]", "2")], {"a": ["2"]}),
        ([("a[b][c]", "1")], {"a[b][c]": "1"}),
        ([("", "1")], {"": "1"}),
    ],
)
def test_a_form_as_json(fields: list[tuple[str, str]], body: JSON) -> None:
    parts, problem = uploads(sent("/v1/files", fields).raw)
    assert (form(parts), problem) == (body, "")


def test_a_compressed_form() -> None:
    raw = sent("/v1/files", [("a", "1")]).raw
    packed = replace(raw, body=gzip.compress(raw.body), headers=(*raw.headers, ("content-encoding", "gzip")))
    assert uploads(packed)[0] == uploads(raw)[0]
    broken = replace(packed, body=packed.body[:-9])
    assert uploads(broken)[0] == []
    assert uploads(broken)[1]


@given(JSON_VALUES)
def test_numbers_never_raise(value: JSON) -> None:
    assert abs(number(value, 7.0)) <= 1e15
    assert isinstance(whole(value, 7), int)
    assert is_true(value) in (True, False)


@pytest.mark.parametrize(
    ("value", "found"), [("3", 3), (3, 3), (2.9, 2), ("x", 7), (None, 7), (True, 7), ("1e400", 7), ("nan", 7), ([], 7)]
)
def test_whole_numbers(value: JSON, found: int) -> None:
    assert whole(value, 7) == found


@pytest.mark.parametrize(
    ("query", "ids", "more"),
    [
        ({}, "dcba", False),
        ({"order": "asc"}, "abcd", False),
        ({"limit": "2"}, "dc", True),
        ({"limit": "2", "after": "c"}, "ba", False),
        ({"limit": "1", "after": "c"}, "b", True),
        ({"after": "a"}, "", False),
        ({"after": "?"}, "", False),
        ({"limit": "0"}, "d", True),
        ({"limit": "999"}, "dcba", False),
    ],
)
def test_pages(query: dict[str, str], ids: str, more: bool) -> None:
    found = page([{"id": name} for name in "abcd"], query, 100)
    assert ("".join(item["id"] for item in found["data"]), found["has_more"]) == (ids, more)
    assert (found["first_id"], found["last_id"]) == ((ids[0], ids[-1]) if ids else (None, None))


@pytest.mark.parametrize(
    ("provider", "path", "yes"),
    [
        ("openai", "/v1/embeddings", True),
        ("unknown", "/embeddings", True),
        ("gemini", "/v1beta/openai/embeddings", True),
        ("gemini", "/v1/files", False),
        ("cohere", "/compatibility/v1/embeddings", True),
        ("anthropic", "/v1/files", False),
        ("bedrock", "/openai/v1/embeddings", True),
    ],
)
def test_whose_path_it_is(provider: str, path: str, yes: bool) -> None:
    assert speaks_openai(provider, path) is yes


@pytest.mark.parametrize(
    ("provider", "limited", "request_id"),
    [
        ("openai", True, r"req_"),
        ("unknown", True, r"req_"),
        ("azure", True, ""),
        ("mistral", True, ""),
        ("fireworks", False, ""),
    ],
)
def test_headers(provider: str, limited: bool, request_id: str) -> None:
    call = Call(provider, "openai.embeddings", "embeddings.create", RawRequest("POST", "/v1/embeddings"), "m")
    headers = success(call, "ab" * 16, tokens=7)
    names = [name for name, _ in headers]
    assert len(names) == len(set(names))
    assert any(name.startswith("x-ratelimit") for name in names) is limited
    identity = header(headers, "mistral-correlation-id" if provider == "mistral" else "x-request-id")
    assert identity.startswith(request_id)
    assert len(identity) == 36


def test_one_dialect_each() -> None:
    names = {
        "/v1/embeddings": "openai_embeddings",
        "/v1/moderations": "openai_moderations",
        "/v1/files": "openai_files",
        "/v1/batches": "openai_batches",
        "/v1/images/generations": "openai_images",
        "/v1/audio/speech": "openai_audio",
    }
    for path, name in names.items():
        for host in ("api.openai.com", "api.groq.com", "r.openai.azure.com"):
            dialect = dialects.of(dialects.read(RawRequest("POST", path, host)))
            assert dialect.name == name
            assert dialect.stateful <= dialect.simulates
            assert dialect.generates <= dialect.simulates
