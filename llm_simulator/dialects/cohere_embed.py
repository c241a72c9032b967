"""Cohere's embeddings, v1 and v2: texts and pictures, in every embedding type.

Source: docs.cohere.com/reference/embed; recorded: English v3 models give the texts back as their tokenizer reads them.
"""

from __future__ import annotations

import re
from array import array
from base64 import b64encode
from collections.abc import Generator, Sequence
from functools import partial
from hashlib import blake2b
from math import sqrt

from llm_simulator.dialects import pieces
from llm_simulator.dialects.base import Desk, Plain, Route
from llm_simulator.dialects.cohere_chat import DIALECT as CHAT
from llm_simulator.dialects.cohere_chat import headers_of
from llm_simulator.dialects.cohere_write import escape
from llm_simulator.dialects.estimate import O200K
from llm_simulator.dialects.fields import Object, as_count, as_limit, as_list, as_object, as_text, dump, load, objects
from llm_simulator.dialects.ids import digest, uuid
from llm_simulator.dialects.jsonstyle import spliced
from llm_simulator.dialects.pieces import Work
from llm_simulator.dialects.reading import json_object, text_field
from llm_simulator.dialects.routes_cohere import COHERE_EMBED
from llm_simulator.dialects.structure import Rule, fault_in
from llm_simulator.dialects.vectors import embed
from llm_simulator.tokens import count
from llm_simulator.tokens.images import data_url_size
from llm_simulator.types import JSON, Call, Condition, Headers, RawRequest, Reply, Usage

MOST = 96
"""The most texts of a request."""

_PATH = re.compile(r"/(v1|v2)/embed/?")
_BODY = (
    Rule("model", "string"),
    Rule("input_type", "string"),
    Rule("texts", "array"),
    Rule("images", "array"),
    Rule("inputs", "array"),
    Rule("embedding_types", "array"),
    Rule("truncate", "string"),
    Rule("output_dimension", "integer"),
)
_DEFAULT_MODEL = {"v1": "embed-english-v2.0", "v2": ""}
_DIMENSIONS = {  # the first start of a model's name that fits
    "embed-english-light-v3": 384,
    "embed-multilingual-light-v3": 384,
    "embed-english-v3": 1024,
    "embed-multilingual-v3": 1024,
    "embed-english-light-v2": 1024,
    "embed-english-v2": 4096,
    "embed-multilingual-v2": 768,
}
_NEWEST = 1536  # of embed-v4.0 and later
_SPREAD = 45  # a whole number's steps for a value of 1 / sqrt(dimensions): as recorded int8 beside float
_PIECES = re.compile(r"\w+|[^\w\s]")
_TIDY = (*((f" {mark}", mark) for mark in (".", "?", "!", ",", "n't", "'m", "'s", "'ve", "'re")), (" ' ", "'"))
TYPES = ("float", "int8", "uint8", "binary", "ubinary", "base64")

_AT_ONCE = 8  # vectors that take no time worth speaking of


class CohereEmbed(Plain):
    """POST /v1/embed and /v2/embed."""

    name = "cohere_embed"
    provider = "cohere"
    api_version = "v2"
    features: frozenset[str] = frozenset(("embeddings",))
    simulates: frozenset[str] = frozenset(("embed",))
    routes: tuple[Route, ...] = COHERE_EMBED

    def read(self, raw: RawRequest, provider: str) -> Call | None:
        match = _PATH.fullmatch(raw.path) if provider == self.provider and raw.method == "POST" else None
        if not match:
            return None
        body, problem = json_object(raw)
        model = text_field(body, "model") or _DEFAULT_MODEL[match[1]]
        return Call(provider, "cohere.embed", "embed", raw, model=model, body=body, problem=problem)

    def check(self, call: Call) -> Condition | None:
        return _check(call)

    def respond(self, call: Call, desk: Desk) -> Reply:
        return pieces.whole(self._worked(call, desk))

    def work(self, call: Call, desk: Desk) -> Work | None:
        body = as_object(call.body)
        return self._worked(call, desk) if len(_inputs(body)) + len(_pictures(body)) > _AT_ONCE else None

    def _worked(self, call: Call, desk: Desk) -> Work:
        body, tokens = yield from _answer(as_object(call.body), call, desk.seed.hex())
        texts = "".join(_texts(as_object(call.body)))
        counted = (("num_chars", str(len(texts))), ("num_tokens", str(tokens)))
        headers = (("content-type", "application/json"), *headers_of(desk.seed.hex()), *counted)
        return Reply(200, headers, escape(body))

    def usage(self, status: int, headers: Headers, body: bytes, call: Call) -> Usage | None:
        at = body.rfind(b'"meta":') if status == 200 else -1
        # Mostly among the last members: then the vectors need not be read.
        answer = as_object(load(b"{" + body[at:]) or load(body)) if at >= 0 else {}
        billed = as_object(as_object(answer.get("meta")).get("billed_units"))
        return Usage(as_count(billed.get("input_tokens")), 0, raw=billed) if billed else None

    def refuse(self, condition: Condition, call: Call) -> Reply:
        return CHAT.refuse(condition, call)


def _check(call: Call) -> Condition | None:
    if call.problem:
        why = call.problem.removeprefix("the body is not JSON: ")
        return _refusal("bad_json", f"invalid json syntax: {why}")
    fault = fault_in(call.body, _BODY)
    if fault:
        words = f"invalid type: parameter {fault.dotted} is not of type {fault.kind}."
        return _refusal("invalid_type", words, fault.dotted)
    body = as_object(call.body)
    if not call.model:
        return _refusal("missing_parameter", "a model parameter is required for this endpoint.", "model")
    if not any(as_list(body.get(name)) for name in ("texts", "images", "inputs")):
        words = (
            "invalid request: valid input field(s) not specified, exactly one of texts, images, or inputs is required"
        )
        return _refusal("missing_parameter", words, "texts")
    if len(as_list(body.get("texts"))) > MOST:
        words = f"invalid request: total number of texts must be at most {MOST} - received {len(body['texts'])}."
        return _refusal("invalid_value", words, "texts")
    unknown = next((kind for kind in as_list(body.get("embedding_types")) if kind not in TYPES), None)
    if unknown is not None:
        words = f"invalid request: embedding_types must be one of {', '.join(TYPES)}, but got {unknown!r}."
        return _refusal("invalid_value", words, "embedding_types")
    return None


def _answer(body: Object, call: Call, seed: str) -> Generator[None, None, tuple[bytes, int]]:
    """The body of the answer, and the tokens that it billed."""
    texts, pictures = _texts(body), _pictures(body)
    size = as_limit(body.get("output_dimension"))
    embedded = (*_inputs(body), *map(_seen, pictures))
    vectors = yield from pieces.each(lambda text: vector(text, call.model, size), embedded, 2)
    second = call.raw.path.startswith("/v2/")
    kinds = [as_text(kind) for kind in as_list(body.get("embedding_types"))] or (["float"] if second else [])
    lists: dict[str, list[bytes]] = {}
    for kind in kinds or ("float",):
        lists[_mark(seed, kind)] = yield from pieces.each(partial(_spelled, kind), vectors, 2)
    tokens = sum(count(text, O200K) for text in texts)
    billed = {**({"input_tokens": tokens} if texts else {}), **({"images": len(pictures)} if pictures else {})}
    answer = {
        "id": uuid(seed, "embed"),
        **({"texts": [_echo(text, call.model) for text in texts]} if texts or not pictures else {}),
        **({"images": [_described(url) for url in pictures]} if pictures else {}),
        "embeddings": {kind: _mark(seed, kind) for kind in kinds} or _mark(seed, "float"),
        "meta": {"api_version": {"version": "2" if second else "1"}, "billed_units": billed},
        "response_type": "embeddings_by_type" if kinds else "embeddings_floats",
    }
    return spliced(answer, lists), tokens


def _mark(seed: str, kind: str) -> str:
    """Stands for the vectors of one type until they are spelled."""
    return digest(seed, f"vectors {kind}").hex()


def _texts(body: Object) -> list[str]:
    """The texts given: as such, or as parts of inputs."""
    given = [as_text(text) for text in as_list(body.get("texts"))]
    parts = (part for item in objects(body.get("inputs")) for part in objects(item.get("content")))
    return given + [as_text(part.get("text")) for part in parts if part.get("type") == "text"]


def _pictures(body: Object) -> list[str]:
    """The pictures given as such; those inside an input are part of its one embedding."""
    return [as_text(url) for url in as_list(body.get("images"))]


def _inputs(body: Object) -> list[str]:
    """What is embedded: each text, each input as one text."""
    given = [as_text(text) for text in as_list(body.get("texts"))]
    return given + [" ".join(map(_part, objects(item.get("content")))) for item in objects(body.get("inputs"))]


def _part(part: Object) -> str:
    return as_text(part.get("text")) or _seen(as_text(as_object(part.get("image_url")).get("url")))


def _seen(url: str) -> str:
    """A picture as a word of its own: equal pictures are near, different ones are not."""
    return blake2b(url.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _described(url: str) -> Object:
    width, height = data_url_size(url) or (0, 0)
    kind = re.match(r"data:image/([\w.+-]+)", url)
    return {"width": width, "height": height, "format": kind[1] if kind else "png", "bit_depth": 24}


def _echo(text: str, model: str) -> str:
    """A text as the API gives it back: English v3 models show what their lower-case word pieces make of it."""
    if not model.startswith(("embed-english-v3", "embed-english-light-v3")):
        return text
    spelled = " ".join(_PIECES.findall(text.lower()))
    for spaced, tidy in _TIDY:
        spelled = spelled.replace(spaced, tidy)
    return spelled


def vector(text: str, model: str, size: int | None = None) -> tuple[float, ...]:
    full = next((dimensions for start, dimensions in _DIMENSIONS.items() if model.startswith(start)), _NEWEST)
    return embed(text, min(size or full, full), model)


def _spelled(kind: str, values: Sequence[float]) -> bytes:
    return dump(_as(kind, values))


def _as(kind: str, values: Sequence[float]) -> JSON:
    """A vector in one of the embedding types; bits are packed, the first one highest."""
    match kind:
        case "float":
            return list(values)
        case "int8":
            return _whole(values)
        case "uint8":
            return [value + 128 for value in _whole(values)]
        case "ubinary":
            return _bits(values)
        case "binary":
            return [byte - 128 for byte in _bits(values)]
        case _:
            return b64encode(array("f", values).tobytes()).decode()


def _whole(values: Sequence[float]) -> list[int]:
    scale = _SPREAD * sqrt(len(values))
    return [max(-128, min(127, round(value * scale))) for value in values]


def _bits(values: Sequence[float]) -> list[int]:
    signs = "".join("1" if value > 0 else "0" for value in values)
    return [int(signs[at : at + 8].ljust(8, "0"), 2) for at in range(0, len(signs), 8)]


def _refusal(name: str, message: str, param: str | None = None) -> Condition:
    return Condition(name, 400, message, param, retry=False)


DIALECT = CohereEmbed()
