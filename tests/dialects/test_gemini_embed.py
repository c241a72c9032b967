"""Embeddings, token counts and model lists on Google AI, on Vertex AI and on the OpenAI-compatible path."""

from __future__ import annotations

import json
from math import sqrt

import pytest
from desks import desk

from llm_simulator import dialects
from llm_simulator.dialects.gemini_embed import vector
from llm_simulator.types import JSON, Call, RawRequest, header

VERTEX = "/v1beta1/projects/p/locations/us-central1/publishers/google/models"


def read(path: str, body: JSON = None, query: str = "", host: str = "") -> Call:
    given = host or ("us-central1-aiplatform.googleapis.com" if "publishers" in path else "")
    data = b"" if body is None else json.dumps(body).encode()
    method = "GET" if body is None else "POST"
    return dialects.read(
        RawRequest(method, path, given or "generativelanguage.googleapis.com", "https", query, (), data)
    )


def answer(call: Call) -> JSON:
    dialect = dialects.of(call)
    assert dialect.check(call) is None
    reply = dialect.respond(call, desk())
    assert isinstance(reply.body, bytes)
    assert not header(reply.headers, "x-gemini-service-tier")
    return json.loads(reply.body)


def content(text: str, **more: JSON) -> JSON:
    return {"content": {"parts": [{"text": text}]}, **more}


def length(values: list[float]) -> float:
    return sqrt(sum(value * value for value in values))


@pytest.mark.parametrize(
    ("model", "size", "dimensions", "unit"),
    [
        ("gemini-embedding-001", None, 3072, True),
        ("gemini-embedding-001", 768, 768, False),
        ("gemini-embedding-2", None, 3072, True),
        ("gemini-embedding-2", 768, 768, True),
        ("text-embedding-005", None, 768, True),
        ("text-embedding-005", 4000, 768, True),
    ],
)
def test_dimensions(model: str, size: int | None, dimensions: int, unit: bool) -> None:
    values = vector("Some text goes here", model, size)
    assert len(values) == dimensions
    assert (abs(length(values) - 1) < 1e-5) is unit


def test_a_batch_as_recorded() -> None:
    request = content("First text", model="models/gemini-embedding-2", outputDimensionality=768)
    found = answer(read("/v1/models/gemini-embedding-2:batchEmbedContents", {"requests": [request, request]}))
    assert [len(item["values"]) for item in found["embeddings"]] == [768, 768]
    assert found["usageMetadata"] == {
        "promptTokenCount": 4,
        "promptTokenDetails": [{"modality": "TEXT", "tokenCount": 4}],
    }
    older = answer(read("/v1/models/gemini-embedding-001:batchEmbedContents", {"requests": [content("a")]}))
    assert older.keys() == {"embeddings"}


def test_one_text() -> None:
    found = answer(read("/v1beta/models/gemini-embedding-001:embedContent", content("a", output_dimensionality=128)))
    assert found == {"embedding": {"values": vector("a", "gemini-embedding-001", 128)}}
    on_vertex = answer(read(f"{VERTEX}/gemini-embedding-2:embedContent", content("a b")))
    assert on_vertex["truncated"] is False
    assert on_vertex["usageMetadata"]["promptTokensDetails"] == [{"modality": "TEXT", "tokenCount": 2}]


def test_predictions() -> None:
    body = {"instances": [{"content": "one two"}, {"content": "x"}], "parameters": {"outputDimensionality": 64}}
    found = answer(read(f"{VERTEX}/gemini-embedding-001:predict", body))
    assert found["metadata"] == {"billableCharacterCount": 7}
    first = found["predictions"][0]["embeddings"]
    assert first["statistics"] == {"truncated": False, "token_count": 2}
    assert len(first["values"]) == 64


def test_other_predictions_are_not_ours() -> None:
    assert read(f"{VERTEX}/imagen-4.0-generate-001:predict", {"instances": []}).family == "opaque"


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("m:embedContent", {}, "* EmbedContentRequest.content: contents is not specified"),
        ("m:embedContent", {"content": {"parts": []}}, "* EmbedContentRequest.content: contents is not specified"),
        ("m:batchEmbedContents", {}, "* BatchEmbedContentsRequest.requests: is not specified"),
        ("m:batchEmbedContents", {"requests": [{}]}, "* BatchEmbedContentsRequest.requests[0].content"),
        ("m:batchEmbedContents", {"requests": [content("a")] * 101}, "* BatchEmbedContentsRequest.requests: at most"),
        ("m:countTokens", {}, "* "),
        ("m:countTokens", {"generateContentRequest": {"contents": 1}}, "Invalid value at 'contents'"),
    ],
)
def test_faults(path: str, body: JSON, message: str) -> None:
    call = read(f"/v1/models/{path}", body)
    found = dialects.of(call).check(call)
    assert found
    assert (found.status, found.message[: len(message)]) == (400, message)


@pytest.mark.parametrize("body", [{}, {"instances": []}, {"instances": [{"content": 1}]}])
def test_faulty_predictions(body: JSON) -> None:
    call = read(f"{VERTEX}/text-embedding-005:predict", body)
    found = dialects.of(call).check(call)
    assert found
    assert found.status == 400


def test_tokens_are_counted_in_both_forms() -> None:
    plain = {"contents": [{"parts": [{"text": "The quick brown fox"}]}]}
    found = answer(read("/v1/models/gemini-3-pro-preview:countTokens", plain))
    assert found == {"totalTokens": 4, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 4}]}
    wrapped = {"generateContentRequest": {**plain, "model": "models/gemini-3-pro-preview"}}
    assert answer(read("/v1/models/gemini-3-pro-preview:countTokens", wrapped)) == found
    on_vertex = answer(read(f"{VERTEX}/gemini-3-pro-preview:countTokens", plain))
    assert on_vertex["totalBillableCharacters"] == 16


def test_a_list_goes_on_after_the_last_name() -> None:
    first = answer(read("/v1/models", query="pageSize=2"))
    assert first["nextPageToken"].startswith("C")
    second = answer(read("/v1/models", query=f"pageSize=2&pageToken={first['nextPageToken']}"))
    names = [model["name"] for model in (*first["models"], *second["models"])]
    assert len(set(names)) == 4
    assert answer(read("/v1/models", query="pageSize=2&pageToken=%3F"))["models"] == first["models"]


@pytest.mark.parametrize(("model", "thinks"), [("gemini-2.5-pro", True), ("gemini-embedding-001", False)])
def test_one_model(model: str, thinks: bool) -> None:
    found = answer(read(f"/v1beta/models/{model}"))
    assert found["name"] == f"models/{model}"
    assert (found.get("thinking", False), "temperature" in found) == (thinks, thinks)


def test_models_of_vertex() -> None:
    listed = answer(read("/v1beta1/publishers/google/models", query="pageSize=3"))
    assert len(listed["publisherModels"]) == 3
    assert answer(read(f"{VERTEX}/gemini-2.5-pro"))["name"] == "publishers/google/models/gemini-2.5-pro"


def test_models_of_the_compatible_path() -> None:
    listed = answer(read("/v1beta/openai/models"))
    assert listed["object"] == "list"
    assert listed["data"][0]["owned_by"] == "google"
    assert answer(read("/v1beta/openai/models/gemini-2.5-pro"))["id"] == "models/gemini-2.5-pro"
    assert answer(read("/v1beta/openai/models/models/gemini-2.5-pro"))["id"] == "models/gemini-2.5-pro"


def test_an_unknown_model() -> None:
    call = read("/v1/models/no-such-model")
    assert dialects.of(call).respond(call, desk()).status == 404


@pytest.mark.parametrize(
    ("path", "body", "family"),
    [
        ("/v1beta/openai/chat/completions", {"model": "gemini-2.5-flash", "messages": []}, "openai.chat"),
        ("/v1beta/openai/embeddings", {"model": "gemini-embedding-001", "input": "a"}, "openai.embeddings"),
    ],
)
def test_the_compatible_path_speaks_openai(path: str, body: JSON, family: str) -> None:
    call = read(path, body)
    assert (call.provider, call.family) == ("gemini", family)
