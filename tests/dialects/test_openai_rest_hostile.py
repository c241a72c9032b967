"""Whatever a client sends, the endpoints beside chat answer or refuse: nothing raises, and JSON is JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest
from desks import SEED
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from multiform import asked, reply, sent

from llm_simulator import dialects
from llm_simulator.dialects.base import Desk
from llm_simulator.simulator.engine import Engine
from llm_simulator.simulator.shelf import MemoryShelf
from llm_simulator.types import JSON, Call, RawRequest, Reply, header

TEXTS = st.text(st.characters(codec=None), max_size=12) | st.sampled_from(
    ("1", "true", "x.wav", "json", "mp3", "wav", "b64_json", "1024x1024", "gpt-image-1", "whisper-1", "/v1/embeddings")
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.integers(-1, 12) | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)
NAMES = (
    "model",
    "input",
    "dimensions",
    "encoding_format",
    "output_dimension",
    "prompt",
    "n",
    "size",
    "quality",
    "response_format",
    "output_format",
    "background",
    "stream",
    "partial_images",
    "voice",
    "speed",
    "stream_format",
    "instructions",
    "image",
    "images",
    "mask",
    "input_file_id",
    "endpoint",
    "metadata",
    "completion_window",
    "output_expires_after",
    "purpose",
    "file",
    "language",
    "timestamp_granularities",
    "include",
    "limit",
    "after",
    "order",
)
BODIES = st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=7).map(
    lambda body: {"model": "gpt-image-1", "input": "x", "prompt": "x", "voice": "alloy", **body}
)
PATHS = (
    "/v1/embeddings",
    "/v1/moderations",
    "/v1/batches",
    "/v1/images/generations",
    "/v1/images/edits",
    "/v1/audio/speech",
    "/v1/audio/transcriptions",
    "/v1/files",
)
SETTINGS = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def desk() -> Desk:
    return Desk(SEED, 1_767_225_600, MemoryShelf(), lambda raw: Reply(200, (), b"{}"), "http://127.0.0.1:1")


def fine(call: Call) -> None:
    """Answers through the engine where the engine speaks, and at a desk elsewhere."""
    dialect = dialects.of(call)
    wrong = dialect.check(call)
    if wrong is None and call.operation in dialect.generates:
        found = dialect.write(Engine(1).complete(call, dialect, b"x"), call)
    else:
        found = reply(call, desk())
    body = found.body if isinstance(found.body, bytes) else b"".join(frame.data for frame in found.body)
    assert all(" " <= sign <= "~" for _, value in found.headers for sign in value)
    assert (found.status == 200) is (wrong is None) or found.status == 404
    if header(found.headers, "content-type").startswith("application/json"):
        json.loads(body)


@pytest.mark.parametrize("path", PATHS)
@given(body=BODIES, host=st.sampled_from(("api.openai.com", "r.openai.azure.com", "api.mistral.ai")))
@SETTINGS
def test_any_json(path: str, host: str, body: Mapping[str, JSON]) -> None:
    fine(asked(path, dict(body), host=host))


@pytest.mark.parametrize("path", ["/v1/files", "/v1/images/edits", "/v1/images/variations", "/v1/audio/transcriptions"])
@given(
    fields=st.lists(st.tuples(st.sampled_from((*NAMES, "n[]", "a[b]", "image[]")), TEXTS), max_size=6),
    data=st.binary(max_size=60),
)
@SETTINGS
def test_any_form(path: str, fields: list[tuple[str, str]], data: bytes) -> None:
    clean = [(name, text.encode("utf-8", "replace").decode()) for name, text in fields]
    files = [(name, f"x.{form}", data) for name, form in (("file", "wav"), ("image", "png"))]
    fine(sent(path, [("model", "gpt-image-1"), ("prompt", "x"), *clean], files))


@pytest.mark.parametrize(
    "path", [*PATHS, "/v1/files/x", "/v1/batches/x", "/v1/batches/x/cancel", "/v1/files/x/content"]
)
@given(
    body=st.binary(max_size=60),
    query=TEXTS,
    kind=st.sampled_from(("", "application/json", "multipart/form-data; boundary=x")),
)
@SETTINGS
def test_any_bytes(path: str, body: bytes, query: str, kind: str) -> None:
    headers = (("content-type", kind),)
    for method in ("GET", "POST", "DELETE"):
        fine(dialects.read(RawRequest(method, path, "api.openai.com", query=query, headers=headers, body=body)))


@given(lines=st.lists(VALUES.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=30), max_size=5))
@SETTINGS
def test_any_batch_file(lines: list[bytes]) -> None:
    at = desk()
    good = json.dumps({"custom_id": "1", "method": "POST", "url": "/v1/embeddings", "body": {"model": "x"}}).encode()
    for content in (b"\n".join(lines), b"\n".join((good, *lines)), good):
        upload = sent("/v1/files", [("purpose", "batch")], [("file", "in.jsonl", content)])
        made = reply(upload, at).body
        assert isinstance(made, bytes)
        body = {"input_file_id": json.loads(made)["id"], "endpoint": "/v1/embeddings", "completion_window": "24h"}
        created = reply(asked("/v1/batches", body), at).body
        assert isinstance(created, bytes)
        for _ in range(4):
            assert reply(asked(f"/v1/batches/{json.loads(created)['id']}"), at).status == 200


@pytest.mark.parametrize("host", ["api.openai.com", "r.openai.azure.com", "api.mistral.ai", "h"])
def test_a_models_name_cannot_add_a_header(host: str) -> None:
    fine(asked("/v1/embeddings", {"model": "a\r\nset-cookie: b\ud800é", "input": "x"}, host=host))
