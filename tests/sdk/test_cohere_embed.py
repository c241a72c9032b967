"""Cohere's embeddings in every type and both versions; rerank, tokenize, detokenize."""

from __future__ import annotations

import json
from array import array
from base64 import b64decode
from math import sqrt
from typing import Any

import pytest
from cohere.types import (
    CheckApiKeyResponse,
    DetokenizeResponse,
    EmbedByTypeResponse,
    RerankResponse,
    TokenizeResponse,
)
from cohere.types.embed_response import EmbeddingsFloatsEmbedResponse
from cohere.v2.types import V2RerankResponse
from desks import desk
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel
from strictness import unknown

from llm_simulator import dialects
from llm_simulator.dialects.cohere_embed import TYPES, vector
from llm_simulator.dialects.cohere_tools import relevance
from llm_simulator.types import JSON, Call, RawRequest, header

LIGHT = "embed-english-light-v3.0"
PNG = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def ask(path: str, body: JSON = None) -> Call:
    data = json.dumps(body).encode() if body is not None else b""
    return dialects.read(RawRequest("POST", path, "api.cohere.com", body=data))


def answer(path: str, body: JSON, model: type[BaseModel]) -> Any:
    call = ask(path, body)
    dialect = dialects.of(call)
    assert dialect.check(call) is None
    reply = dialect.respond(call, desk())
    assert isinstance(reply.body, bytes)
    assert set(unknown(model.model_validate_json(reply.body))) <= {"RerankResponseResultsItemDocument.title"}
    assert header(reply.headers, "x-debug-trace-id")
    return json.loads(reply.body)


def embedded(path: str = "/v2/embed", **more: JSON) -> Any:
    body = {"model": LIGHT, "input_type": "search_document", "texts": ["foo bar"], **more}
    floats = path == "/v1/embed" and not more.get("embedding_types")
    return answer(path, body, EmbeddingsFloatsEmbedResponse if floats else EmbedByTypeResponse)


def test_as_recorded() -> None:
    found = embedded("/v1/embed", embedding_types=["float"])
    assert list(found) == ["id", "texts", "embeddings", "meta", "response_type"]
    assert found["meta"] == {"api_version": {"version": "1"}, "billed_units": {"input_tokens": 2}}
    assert found["response_type"] == "embeddings_by_type"
    assert len(found["embeddings"]["float"][0]) == 384
    assert embedded()["embeddings"].keys() == {"float"}
    assert embedded()["meta"]["api_version"] == {"version": "2"}


def test_version_one_without_types() -> None:
    found = embedded("/v1/embed")
    assert found["response_type"] == "embeddings_floats"
    assert len(found["embeddings"][0]) == 384


def test_every_type_tells_the_same_vector() -> None:
    found = {kind: vectors[0] for kind, vectors in embedded(embedding_types=list(TYPES))["embeddings"].items()}
    floats = found["float"]
    assert abs(sqrt(sum(value * value for value in floats)) - 1) < 1e-5
    assert array("f", b64decode(found["base64"])).tolist() == pytest.approx(floats, abs=1e-7)
    assert [value + 128 for value in found["int8"]] == found["uint8"]
    assert all(-128 <= value <= 127 for value in found["int8"])
    signs = [value > 0 for value in floats[:8]]
    assert found["ubinary"][0] == sum(bit << 7 - at for at, bit in enumerate(signs))
    assert len(found["ubinary"]) == 48
    assert [byte - 128 for byte in found["ubinary"]] == found["binary"]


@pytest.mark.parametrize(
    ("model", "size", "dimensions"),
    [
        (LIGHT, None, 384),
        ("embed-english-v3.0", None, 1024),
        ("embed-multilingual-v3.0", None, 1024),
        ("embed-multilingual-v2.0", None, 768),
        ("embed-english-v2.0", None, 4096),
        ("embed-v4.0", None, 1536),
        ("embed-v4.0", 256, 256),
        ("embed-v5.0-pro", 9999, 1536),
    ],
)
def test_dimensions(model: str, size: int | None, dimensions: int) -> None:
    assert len(vector("a", model, size)) == dimensions


@pytest.mark.parametrize(
    ("model", "text", "shown"),
    [
        (LIGHT, "Washington, D.C. (also)", "washington, d. c. ( also )"),
        (LIGHT, "foo bar", "foo bar"),
        (LIGHT, "It isn't.", "it isn't."),
        ("embed-v4.0", "Washington, D.C.", "Washington, D.C."),
    ],
)
def test_texts_are_given_back(model: str, text: str, shown: str) -> None:
    assert embedded(model=model, texts=[text])["texts"] == [shown]


def test_pictures() -> None:
    found = embedded(texts=[], images=[PNG], embedding_types=["int8"])
    assert found["images"] == [{"width": 1, "height": 1, "format": "png", "bit_depth": 24}]
    assert found["meta"]["billed_units"] == {"images": 1}
    assert "texts" not in found


def test_inputs_of_text_and_picture_are_one_each() -> None:
    content = [{"type": "text", "text": "a cat"}, {"type": "image_url", "image_url": {"url": PNG}}]
    found = embedded(texts=[], inputs=[{"content": content}, {"content": content[:1]}])
    assert len(found["embeddings"]["float"]) == 2


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("/v2/embed", {}, "a model parameter is required for this endpoint."),
        ("/v2/embed", {"model": LIGHT}, "invalid request: valid input field(s) not specified"),
        ("/v2/embed", {"model": LIGHT, "texts": "a"}, "invalid type: parameter texts is not of type array."),
        (
            "/v2/embed",
            {"model": LIGHT, "texts": ["a"] * 97},
            "invalid request: total number of texts must be at most 96",
        ),
        ("/v2/embed", {"model": LIGHT, "texts": ["a"], "embedding_types": ["x"]}, "invalid request: embedding_types"),
        ("/v2/rerank", {"query": "a", "documents": ["a"]}, "a model parameter is required for this endpoint."),
        ("/v2/rerank", {"documents": ["a"]}, "invalid request: query parameter is required."),
        ("/v1/rerank", {"query": "", "documents": ["a"]}, "invalid request: query must not be empty."),
        ("/v1/rerank", {"query": "a", "documents": []}, "invalid request: list of documents must not be empty"),
        ("/v1/rerank", {"query": "a", "documents": {}}, "invalid type: parameter documents is not of type array."),
        ("/v1/tokenize", {"text": "", "model": "m"}, "invalid request: text must be between 1 and 65536 characters"),
        ("/v1/tokenize", {"text": "a"}, "a model parameter is required for this endpoint."),
        ("/v1/detokenize", {"tokens": [-1], "model": "m"}, "invalid request: tokens must be a list"),
        ("/v1/detokenize", {"tokens": ["a"], "model": "m"}, "invalid request: tokens must be a list"),
    ],
)
def test_faults(path: str, body: JSON, message: str) -> None:
    call = ask(path, body)
    found = dialects.of(call).check(call)
    assert found
    assert (found.status, found.message[: len(message)]) == (400, message)


DOCUMENTS = [
    "Carson City is the capital city of the American state of Nevada.",
    "Washington, D.C. is the capital of the United States. It is a federal district.",
    "Capital punishment has existed in the United States since before it was a country.",
]


def test_the_best_document_comes_first() -> None:
    body = {"model": "rerank-v3.5", "query": "What is the capital of the United States?", "documents": DOCUMENTS}
    found = answer("/v2/rerank", body, V2RerankResponse)
    scores = [item["relevance_score"] for item in found["results"]]
    assert found["results"][0]["index"] == 1
    assert scores == sorted(scores, reverse=True)
    assert found["meta"] == {"api_version": {"version": "2"}, "billed_units": {"search_units": 1}}
    assert len(answer("/v2/rerank", {**body, "top_n": 2}, V2RerankResponse)["results"]) == 2


def test_version_one_gives_documents_back() -> None:
    documents = [{"title": "a", "text": "about physics"}, "about penguins"]
    body = {"query": "penguins", "documents": documents, "return_documents": True}
    found = answer("/v1/rerank", body, RerankResponse)
    assert found["results"][0]["document"] == {"text": "about penguins"}
    ranked = answer("/v1/rerank", {**body, "query": "a", "rank_fields": ["title"]}, RerankResponse)
    assert ranked["results"][0]["document"] == documents[0]


@given(st.text(), st.text())
def test_relevance_is_a_share(query: str, text: str) -> None:
    assert 0 <= relevance(query, text) <= 1
    assert relevance(query, query) > 0.99


def test_tokens_and_back() -> None:
    found = answer("/v1/tokenize", {"text": "hello, world", "model": "command-r"}, TokenizeResponse)
    assert found["token_strings"] == ["hello", ",", " world"]
    body = {"tokens": found["tokens"], "model": "command-r"}
    assert answer("/v1/detokenize", body, DetokenizeResponse)["text"] == "hello, world"
    body = {"tokens": [*found["tokens"], 10**9, 10**30], "model": "command-r"}
    assert answer("/v1/detokenize", body, DetokenizeResponse)["text"] == "hello, world"


def test_the_key_is_valid() -> None:
    assert answer("/v1/check-api-key", None, CheckApiKeyResponse)["valid"] is True
