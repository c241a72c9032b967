"""Embeddings: OpenAI's, Azure's, Mistral's, Voyage's, and those of every host that speaks OpenAI's format.

The vectors come from `vectors.py`: near where texts share words and letters, not where they mean the same.
Source: OpenAI API reference (embeddings), and recorded traffic for order and layout of each provider.
"""

from __future__ import annotations

import json
import re
import struct
from array import array
from base64 import b64encode
from collections.abc import Callable
from functools import lru_cache
from json.encoder import encode_basestring
from sys import byteorder

from llm_simulator import tokens
from llm_simulator.dialects import openai_rest, pieces
from llm_simulator.dialects.base import Desk, Plain, Route
from llm_simulator.dialects.fields import as_list, as_object, is_integer, load
from llm_simulator.dialects.hosts import name_of
from llm_simulator.dialects.ids import digest
from llm_simulator.dialects.openai_words import refusal
from llm_simulator.dialects.pieces import Work
from llm_simulator.dialects.routes_openai import OPENAI_EMBEDDINGS
from llm_simulator.dialects.structure import Rule, fits
from llm_simulator.dialects.vectors import embed, spelled
from llm_simulator.types import JSON, Call, Condition, Headers, RawRequest, Reply, Usage

FAMILY = "openai.embeddings"
_PATH_END = "/embeddings"
_OLLAMA = "/api/embeddings"  # its own format; the compatible one is below /v1
_RULES = (
    Rule("input", "string|array", required=True),
    Rule("dimensions", "integer"),
    Rule("encoding_format", "string"),
    Rule("user", "string"),
)
_MOST_DIMENSIONS = 16_384
_AT_ONCE = 8  # texts that take no time worth speaking of

# Part of a model's name -> the dimensions of its vectors (each maker's model card); the first that fits counts.
_DIMENSIONS = (
    (r"text-embedding-3-large|gemini-embedding", 3072),
    (r"e5-mistral|qwen3-embedding-8b|sfr-embedding|nv-embed", 4096),
    (r"qwen3-embedding-4b", 2560),
    (r"mistral-embed|voyage-(?!3-lite)|-large\b|bge-m3|mxbai|jina-embeddings-v3|qwen3-embedding", 1024),
    (r"nomic-embed|-base\b|mpnet|text-embedding-00\d|m2-bert|embeddinggemma", 768),
    (r"voyage-3-lite", 512),
    (r"minilm|bge-small|e5-small|gte-small", 384),
)
_OTHERWISE = 1536
_SERVED = {"text-embedding-ada-002": "text-embedding-ada-002-v2"}  # what OpenAI says it answered with
_AZURE = "text-embedding-3-large"  # for a deployment whose name says nothing: what the recorded one had
_OPENAI_MODEL = re.compile(r"text-embedding-(?:3-(?:small|large)|ada-002)")


# Tokens for each of o200k and for each text: fits on recorded usage.
_FITS = {"mistral": (1.2, 1.1), "voyage": (0.86, 0.0)}


class OpenAIEmbeddings(Plain):
    """POST .../embeddings."""

    name = "openai_embeddings"
    provider = "openai"
    api_version = "v1"
    features: frozenset[str] = frozenset(("embeddings",))
    simulates: frozenset[str] = frozenset(("embeddings.create",))
    routes: tuple[Route, ...] = OPENAI_EMBEDDINGS

    def read(self, raw: RawRequest, provider: str) -> Call | None:
        if not raw.path.endswith(_PATH_END) or not openai_rest.speaks_openai(provider, raw.path):
            return None
        if raw.path == _OLLAMA:
            return None
        operation = "embeddings.create" if raw.method == "POST" else "unknown"
        return openai_rest.read_json(raw, provider, FAMILY, operation)

    def check(self, call: Call) -> Condition | None:
        fault = openai_rest.structure(call, _RULES)
        if fault:
            return fault
        return _wrong(call) if call.model else openai_rest.no_model()

    def respond(self, call: Call, desk: Desk) -> Reply:
        return pieces.whole(_worked(call, desk))

    def work(self, call: Call, desk: Desk) -> Work | None:
        return _worked(call, desk) if len(as_list(as_object(call.body).get("input"))) > _AT_ONCE else None

    def refuse(self, condition: Condition, call: Call) -> Reply:
        return openai_rest.refuse(condition, call)

    def usage(self, status: int, headers: Headers, body: bytes, call: Call) -> Usage | None:
        usage = _told(body) if status == 200 else None
        counted = as_object(usage).get("prompt_tokens", as_object(usage).get("total_tokens"))
        return Usage(counted, 0, raw=usage) if isinstance(counted, int) else None


def _told(body: bytes) -> JSON:
    """The usage in an answer: nearly always its last member, so that the vectors need not be read."""
    at = body.rfind(b'"usage"')
    last = as_object(load(b"{" + body[at:])) if at >= 0 else {}
    return (last or as_object(load(body))).get("usage")


def _worked(call: Call, desk: Desk) -> Work:
    body, model, host = as_object(call.body), served(call), name_of(call.provider, call.raw.host)
    texts = _texts(body.get("input"), model)
    yield from pieces.each(lambda text: tokens.count(text, model), texts if len(texts) > _AT_ONCE else (), 50)
    spent = count(call)  # of long lists all texts are known by now
    dimensions = wanted(body) or dimensions_of(model)
    spell = _base64 if body.get("encoding_format") == "base64" else _floats(host)
    item = _ITEM if host in _INDENTED else _VLLM_ITEM if host == "vllm" else _COMPACT_ITEM

    def spelled_item(numbered: tuple[int, str]) -> bytes:
        place, text = numbered
        return item % {b"place": place, b"vector": spell(text, dimensions, model)}

    items = yield from pieces.each(spelled_item, enumerate(texts))
    headers = openai_rest.success(call, desk.seed.hex(), model=model, tokens=spent)
    return Reply(200, headers, _body(host, desk, items, model, spent))


def served(call: Call) -> str:
    """The model that answers: what stands behind an alias, or behind a deployment of Azure's."""
    if call.provider == "azure":
        for name in (call.model, str(as_object(call.body).get("model"))):
            if match := _OPENAI_MODEL.search(name):
                return match[0]
        return _AZURE
    return _SERVED.get(call.model, call.model) if call.provider == "openai" else call.model


@lru_cache(maxsize=256)
def dimensions_of(model: str) -> int:
    """How many dimensions the vectors of a model have if nothing else is asked for."""
    name = model.lower()
    return next((dimensions for pattern, dimensions in _DIMENSIONS if re.search(pattern, name)), _OTHERWISE)


def wanted(body: dict[str, JSON]) -> int:
    """The dimensions asked for, 0 where none are; Mistral and Voyage have a name of their own for it."""
    asked = body.get("dimensions", body.get("output_dimension"))
    return asked if isinstance(asked, int) and not isinstance(asked, bool) else 0


def count(call: Call) -> int:
    """The tokens of the input: exact for OpenAI's models, estimated for those whose tokenizer is another one."""
    counted = tokens.count_embeddings(call.body, served(call)).tokens
    fit = _FITS.get(call.provider)
    if fit is None:
        return counted
    given = as_object(call.body).get("input")
    return max(1, round(fit[0] * counted + fit[1] * (len(given) if isinstance(given, list) else 1)))


def _wrong(call: Call) -> Condition | None:
    body = as_object(call.body)
    given, dimensions = body.get("input"), wanted(body)
    if isinstance(given, list):
        if not given:
            text = (
                "Invalid 'input': empty array. Expected an array with minimum length 1, but got an empty array instead."
            )
            return refusal("empty_array", text, "input", "empty_array")
        if not any(all(fits(item, kind) for item in given) for kind in ("string", "integer", "array")):
            return refusal("invalid_input", "'$.input' is invalid. Please check the API reference.")
    if "dimensions" in body and body["dimensions"] is not None and not 1 <= dimensions <= _MOST_DIMENSIONS:
        limit = "at least 1" if dimensions < 1 else f"at most {_MOST_DIMENSIONS}"
        text = f"Invalid value for 'dimensions' = {dimensions}. Must be {limit}."
        return refusal("invalid_dimensions", text, "dimensions")
    form = body.get("encoding_format")
    return None if form in (None, "float", "base64") else openai_rest.invalid_value("encoding_format", form, _FORMATS)


_FORMATS = ("float", "base64")


def _texts(given: JSON, model: str) -> list[str]:
    """The texts to embed; a list of tokens is the text that they spell."""
    if isinstance(given, str):
        return [given]
    items = as_list(given)
    if all(is_integer(item) for item in items):
        return [_decoded(items, model)]
    return [item if isinstance(item, str) else _decoded(as_list(item), model) for item in items]


def _decoded(numbers: list[JSON], model: str) -> str:
    try:
        return tokens.decode(numbers, model)
    except (KeyError, OverflowError, TypeError):  # no tokens of this model: still a text of their own
        return " ".join(map(str, numbers))


# Spelling


def _base64(text: str, dimensions: int, model: str) -> bytes:
    """Little-endian 32-bit floats, as the SDKs ask for by default."""
    packed = array("f", embed(text, dimensions, model))
    if byteorder == "big":
        packed.byteswap()
    return b'"' + b64encode(packed.tobytes()) + b'"'


def _indented(text: str, dimensions: int, model: str) -> bytes:
    return ("[\n        " + ",\n        ".join(spelled(text, dimensions, model)) + "\n      ]").encode()


def _compact(text: str, dimensions: int, model: str) -> bytes:
    return ("[" + ",".join(spelled(text, dimensions, model)) + "]").encode()


def _halves(text: str, dimensions: int, model: str) -> bytes:
    """Of 16-bit floats, as Mistral has them: -0.022552490234375."""
    kind = f"{dimensions}e"
    values = struct.unpack(kind, struct.pack(kind, *embed(text, dimensions, model)))
    return ("[" + ",".join(map(repr, values)) + "]").encode()


def _floats(host: str) -> Callable[[str, int, str], bytes]:
    if host in _INDENTED:
        return _indented
    return _halves if host == "mistral" else _compact


_INDENTED = ("openai", "azure")
_ITEM = b'    {\n      "object": "embedding",\n      "index": %(place)d,\n      "embedding": %(vector)b\n    }'
_COMPACT_ITEM = b'{"object":"embedding","embedding":%(vector)b,"index":%(place)d}'
_VLLM_ITEM = b'{"index":%(place)d,"object":"embedding","embedding":%(vector)b}'


def _body(host: str, desk: Desk, items: list[bytes], model: str, spent: int) -> bytes:
    """The whole answer. Put together by hand: a JSON encoder in Python takes longer for it than the vectors did."""
    name, identity = encode_basestring(model), digest(desk.seed.hex(), "embeddings").hex()
    comma, tail = b",", f'],"model":{name},"usage":{json.dumps(_usage(host, spent), separators=(",", ":"))}}}'
    match host:
        case "openai" | "azure":
            usage = f'{{\n    "prompt_tokens": {spent},\n    "total_tokens": {spent}\n  }}'
            head, comma = '{\n  "object": "list",\n  "data": [\n', b",\n"
            tail = f'\n  ],\n  "model": {name},\n  "usage": {usage}\n}}\n'
        case "vllm":
            head = f'{{"id":"embd-{identity}","object":"list","created":{desk.created},"model":{name},"data":['
            tail = tail.replace(f',"model":{name}', "", 1)
        case "mistral":
            head = f'{{"id":"{identity}","object":"list","data":['
        case _:
            head = '{"object":"list","data":['
    items[0] = head.encode("utf-8", "replace") + items[0]  # one copy of many megabytes is enough
    items[-1] += tail.encode("utf-8", "replace")
    return comma.join(items)


def _usage(host: str, spent: int) -> dict[str, JSON]:
    match host:
        case "mistral":
            return {
                "prompt_audio_seconds": None,
                "prompt_tokens": spent,
                "total_tokens": spent,
                "completion_tokens": 0,
                "request_count": None,
                "prompt_token_details": None,
            }
        case "voyage":
            return {"total_tokens": spent}
        case "vllm":
            return {"prompt_tokens": spent, "total_tokens": spent, "completion_tokens": 0}
        case _:
            return {"prompt_tokens": spent, "total_tokens": spent}


DIALECT = OpenAIEmbeddings()
