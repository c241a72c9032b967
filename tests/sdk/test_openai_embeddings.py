"""Embeddings as OpenAI, Azure, Mistral, Voyage and compatible hosts spell them."""

from __future__ import annotations

import gzip
import json
import struct
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path

import pytest
from desks import desk
from multiform import answer, asked, message, whole
from openai.types import CreateEmbeddingResponse
from strictness import unknown

from llm_simulator import dialects
from llm_simulator.dialects.vectors import embed
from llm_simulator.types import JSON, Call, RawRequest, header

SMALL = "text-embedding-3-small"


def embeddings(given: JSON, model: str = SMALL, path: str = "/v1/embeddings", **more: JSON) -> Call:
    host = more.pop("host", "api.openai.com")
    return asked(path, {"model": model, "input": given, **more}, host=host)


def vectors(call: Call) -> list[JSON]:
    return [item["embedding"] for item in answer(call, desk())["data"]]


def test_floats_to_the_byte() -> None:
    values = ",\n        ".join(map(repr, embed("hi", 3, SMALL)))
    assert whole(embeddings("hi", dimensions=3), desk()).decode() == (
        '{\n  "object": "list",\n  "data": [\n    {\n      "object": "embedding",\n      "index": 0,\n'
        f'      "embedding": [\n        {values}\n      ]\n    }}\n  ],\n  "model": "{SMALL}",\n'
        '  "usage": {\n    "prompt_tokens": 1,\n    "total_tokens": 1\n  }\n}\n'
    )


def test_base64_holds_the_same_as_32_bit_floats() -> None:
    (packed,) = vectors(embeddings("hi there", encoding_format="base64"))
    (plain,) = vectors(embeddings("hi there", encoding_format="float"))
    assert struct.unpack("<1536f", b64decode(packed)) == struct.unpack("<1536f", struct.pack("<1536f", *plain))


@pytest.mark.parametrize(
    ("given", "texts", "tokens"),
    [
        ("hello world", ["hello world"], 2),
        (["hello", "world"], ["hello", "world"], 2),
        ([15339, 1917], ["hello world"], 2),
        ([[15339], [1917, 0]], ["hello", " world!"], 3),
        ("", [""], 0),
    ],
)
def test_every_kind_of_input(given: JSON, texts: list[str], tokens: int) -> None:
    found = answer(embeddings(given, dimensions=8), desk())
    assert [tuple(item["embedding"]) for item in found["data"]] == [embed(text, 8, SMALL) for text in texts]
    assert [item["index"] for item in found["data"]] == list(range(len(texts)))
    assert found["usage"] == {"prompt_tokens": tokens, "total_tokens": tokens}


def test_tokens_that_are_none() -> None:
    assert len(vectors(embeddings([10**9, -1], dimensions=4))) == 1


@pytest.mark.parametrize(
    ("model", "dimensions"),
    [
        ("text-embedding-ada-002", 1536),
        (SMALL, 1536),
        ("text-embedding-3-large", 3072),
        ("mistral-embed", 1024),
        ("codestral-embed", 1536),
        ("voyage-3-lite", 512),
        ("voyage-3.5", 1024),
        ("intfloat/e5-mistral-7b-instruct", 4096),
        ("nomic-embed-text", 768),
        ("BAAI/bge-large-en-v1.5", 1024),
        ("all-MiniLM-L6-v2", 384),
        ("who-knows", 1536),
    ],
)
def test_dimensions_of_a_model(model: str, dimensions: int) -> None:
    assert len(vectors(embeddings("x", model, host="localhost:8000"))[0]) == dimensions


@pytest.mark.parametrize(
    ("model", "path", "host", "shown"),
    [
        ("text-embedding-ada-002", "/v1/embeddings", "api.openai.com", "text-embedding-ada-002-v2"),
        ("x", "/openai/deployments/a-text-embedding-3-small/embeddings", "", SMALL),
        ("text-embedding-ada-002", "/openai/deployments/d/embeddings", "", "text-embedding-ada-002"),
        ("embedding", "/openai/deployments/d/embeddings", "", "text-embedding-3-large"),
        (SMALL, "/openai/v1/embeddings", "r.openai.azure.com", SMALL),
        ("mistral-embed", "/v1/embeddings", "api.mistral.ai", "mistral-embed"),
    ],
)
def test_the_model_that_answers(model: str, path: str, host: str, shown: str) -> None:
    assert answer(embeddings("x", model, path, host=host), desk())["model"] == shown


def test_mistrals_form() -> None:
    call = embeddings(["one", "two"], "mistral-embed", host="api.mistral.ai", output_dimension=4)
    body = whole(call, desk())
    found = json.loads(body)
    assert list(found) == ["id", "object", "data", "model", "usage"]
    assert list(found["data"][0]) == ["object", "embedding", "index"]
    assert found["usage"] == {
        "prompt_audio_seconds": None,
        "prompt_tokens": 5,
        "total_tokens": 5,
        "completion_tokens": 0,
        "request_count": None,
        "prompt_token_details": None,
    }
    values = found["data"][1]["embedding"]
    assert values == list(struct.unpack("4e", struct.pack("4e", *values)))  # 16-bit floats
    assert b": " not in body


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"input": "x"}, "you must provide a model parameter"),
        ({"model": SMALL}, "Missing required parameter: 'input'."),
        ({"model": SMALL, "input": 1}, "Invalid type for 'input': expected one of a string or array"),
        ({"model": SMALL, "input": []}, "Invalid 'input': empty array."),
        ({"model": SMALL, "input": ["a", 1]}, "'$.input' is invalid."),
        ({"model": SMALL, "input": [None]}, "'$.input' is invalid."),
        ({"model": SMALL, "input": "x", "dimensions": 0}, "Invalid value for 'dimensions' = 0. Must be at least 1."),
        ({"model": SMALL, "input": "x", "dimensions": 10**9}, "Invalid value for 'dimensions' = 1000000000."),
        (
            {"model": SMALL, "input": "x", "encoding_format": "hex"},
            "Invalid value: 'hex'. Supported values are: 'float'",
        ),
    ],
)
def test_what_is_refused(body: JSON, words: str) -> None:
    status, text = message(asked("/v1/embeddings", body))
    assert (status, text[: len(words)]) == (400, words)


def test_a_wrong_method() -> None:
    assert message(asked("/v1/embeddings"))[0] == 405


def test_usage_of_an_answer() -> None:
    call = embeddings("hello world")
    reply = dialects.of(call).respond(call, desk())
    assert isinstance(reply.body, bytes)
    usage = dialects.of(call).usage(200, reply.headers, reply.body, call)
    assert usage
    assert (usage.prompt, usage.completion, usage.exact) == (2, 0, True)


@pytest.mark.parametrize(
    ("host", "path", "wanted"),
    [
        ("api.openai.com", "/v1/embeddings", ("openai-model", "openai-processing-ms", "x-ratelimit-remaining-tokens")),
        ("r.openai.azure.com", "/openai/deployments/d/embeddings", ("apim-request-id", "x-ratelimit-remaining-tokens")),
        ("api.mistral.ai", "/v1/embeddings", ("mistral-correlation-id", "x-ratelimit-tokens-query-cost")),
        ("api.together.xyz", "/v1/embeddings", ("x-inference-time",)),
        ("api.fireworks.ai", "/inference/v1/embeddings", ("x-request-id",)),
        ("api.voyageai.com", "/v1/embeddings", ("x-request-id", "via")),
        ("localhost:8000", "/v1/embeddings", ("server",)),
    ],
)
def test_headers(host: str, path: str, wanted: tuple[str, ...]) -> None:
    call = embeddings("x", path=path, host=host)
    headers = dialects.of(call).respond(call, desk()).headers
    assert all(header(headers, name) for name in ("content-type", *wanted))


@pytest.mark.parametrize(
    ("host", "path", "family"),
    [
        ("localhost:11434", "/api/embeddings", "ollama.native"),
        ("bedrock-runtime.x.amazonaws.com", "/x/embeddings", "opaque"),
    ],
)
def test_other_formats_are_not_ours(host: str, path: str, family: str) -> None:
    assert embeddings("x", path=path, host=host).family == family


# Genuine traffic


def recorded(shared: Path) -> Iterator[tuple[Call, JSON, str]]:
    for path in sorted((shared / "traffic" / "dev").glob("*.jsonl.gz")):
        with gzip.open(path, "rt") as lines:
            for line in map(json.loads, lines):
                if line["endpoint"].endswith("/embeddings") and line["status"] == 200:
                    sent = json.dumps(line["request_body"]).encode()
                    raw = RawRequest(
                        line["method"],
                        line["path"].partition("?")[0],
                        line["host"],
                        headers=tuple(line["request_headers"].items()),
                        body=sent,
                    )
                    yield dialects.read(raw), json.loads(line["response_body"]), line["source"]


def shape(value: JSON) -> JSON:
    """Keys in their order, and types; a list as its first element."""
    match value:
        case dict():
            return [(name, shape(item)) for name, item in value.items()]
        case list():
            return [shape(value[0])] if value else []
        case _:
            return type(value).__name__


@pytest.mark.shared
def test_recorded_requests_get_answers_of_the_recorded_shape_and_usage(shared: Path) -> None:
    seen = 0
    for call, genuine, source in recorded(shared):
        if call.family == "ollama.native":
            continue
        seen += 1
        found = answer(call, desk())
        assert shape(found) == shape(genuine), source
        if (
            call.raw.host == "localhost:8000"
        ):  # a vLLM of 2024, which packed 64-bit floats; it has a tokenizer of its own
            continue
        assert found["usage"] == genuine["usage"], source
        assert [len(item["embedding"]) for item in found["data"]] == [
            len(item["embedding"]) for item in genuine["data"]
        ], source
        if call.provider in ("openai", "azure") and not isinstance(found["data"][0]["embedding"], str):
            assert list(unknown(CreateEmbeddingResponse.model_validate(found, strict=True))) == [], source
    assert seen == 33
