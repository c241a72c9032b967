"""Embeddings on Google AI (embedContent, batchEmbedContents) and on Vertex AI (these and predict).

Source: ai.google.dev/api/embeddings, Vertex AI text-embeddings reference; recorded: gemini-embedding-001 is cut to fewer
dimensions without being scaled to length 1 again, gemini-embedding-2 is scaled, and it alone tells its usage.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from urllib.parse import unquote

from llm_simulator.dialects import gemini_generate, pieces
from llm_simulator.dialects.base import Desk, Plain, Route
from llm_simulator.dialects.estimate import O200K
from llm_simulator.dialects.fields import Object, as_count, as_limit, as_list, as_object, as_text, load, objects
from llm_simulator.dialects.gemini_ask import text_of
from llm_simulator.dialects.gemini_fields import MARKED, dumped, filled, pick
from llm_simulator.dialects.pieces import Work
from llm_simulator.dialects.reading import json_object
from llm_simulator.dialects.routes_gemini import GEMINI_EMBED, VERTEX_EMBED
from llm_simulator.dialects.vectors import embed
from llm_simulator.tokens import count
from llm_simulator.types import JSON, Call, Condition, Headers, RawRequest, Reply, Usage

MOST = 100
"""The most requests of a batch."""

_PATH = re.compile(
    r"/(?:v1|v1alpha|v1beta|v1beta1)/(?:(?:projects/[^/]+/locations/[^/]+/)?publishers/google/)?models/"
    r"([^/:]+):(embedContent|batchEmbedContents|predict)/?"
)
_DIMENSIONS = {"gemini-embedding": 3072, "text-embedding-large": 3072}  # any other: 768
_SCALED = re.compile(r"gemini-embedding-[2-9]")

_AT_ONCE = 4  # vectors that take no time worth speaking of


class GeminiEmbed(Plain):
    """The embeddings of one provider, "gemini" or "vertex"."""

    name = "gemini_embed"
    api_version = "v1beta"
    features: frozenset[str] = frozenset(("embeddings",))
    simulates: frozenset[str] = frozenset(("embedContent", "batchEmbedContents", "predict"))

    def __init__(self, provider: str) -> None:
        self.provider = provider
        self.routes: tuple[Route, ...] = VERTEX_EMBED if provider == "vertex" else GEMINI_EMBED
        self._speaker = gemini_generate.VERTEX if provider == "vertex" else gemini_generate.DIALECT

    def read(self, raw: RawRequest, provider: str) -> Call | None:
        match = _PATH.fullmatch(raw.path) if raw.method == "POST" and provider == self.provider else None
        if not match or (match[2] == "predict" and "embedding" not in match[1]):
            return None
        body, problem = json_object(raw)
        return Call(provider, "gemini.embed", match[2], raw, model=unquote(match[1]), body=body, problem=problem)

    def check(self, call: Call) -> Condition | None:
        if call.problem:
            why = call.problem.removeprefix("the body is not JSON: ")
            return _refusal("bad_json", f"Invalid JSON payload received. {why}")
        match call.operation:
            case "embedContent":
                return _content_fault(call.body, "EmbedContentRequest")
            case "batchEmbedContents":
                return _batch_fault(pick(as_object(call.body), "requests"))
            case _:
                return _predict_fault(as_object(call.body).get("instances"))

    def respond(self, call: Call, desk: Desk) -> Reply:
        return pieces.whole(self._worked(call, desk))

    def work(self, call: Call, desk: Desk) -> Work | None:
        body = as_object(call.body)
        return (
            self._worked(call, desk) if len(objects(body.get("requests", body.get("instances")))) > _AT_ONCE else None
        )

    def _worked(self, call: Call, desk: Desk) -> Work:
        body = yield from _answer(as_object(call.body), call)
        return Reply(200, self._speaker.headers_of(desk.seed.hex()), body + b"\n")

    def usage(self, status: int, headers: Headers, body: bytes, call: Call) -> Usage | None:
        if status != 200 or not (b'"usageMetadata"' in body or b'"token_count"' in body):
            return None
        answer = as_object(load(body))
        told = as_object(answer.get("usageMetadata"))
        found = [
            as_object(as_object(one.get("embeddings")).get("statistics")) for one in objects(answer.get("predictions"))
        ]
        tokens = as_count(told.get("promptTokenCount")) or sum(as_count(one.get("token_count")) for one in found)
        return Usage(tokens, 0, raw=told or None)

    def refuse(self, condition: Condition, call: Call) -> Reply:
        return self._speaker.refuse(condition, call)


def _content_fault(request: JSON, name: str) -> Condition | None:
    content = pick(as_object(request), "content")
    if isinstance(content, dict) and objects(pick(as_object(content), "parts")):
        return None
    return _refusal("missing_parameter", f"* {name}.content: contents is not specified\n", "content")


def _batch_fault(requests: JSON) -> Condition | None:
    if not isinstance(requests, list) or not requests:
        return _refusal("missing_parameter", "* BatchEmbedContentsRequest.requests: is not specified\n", "requests")
    if len(as_list(requests)) > MOST:
        words = f"* BatchEmbedContentsRequest.requests: at most {MOST} requests can be in one batch\n"
        return _refusal("invalid_value", words, "requests")
    faults = (
        _content_fault(item, f"BatchEmbedContentsRequest.requests[{place}]")
        for place, item in enumerate(as_list(requests))
    )
    return next((fault for fault in faults if fault), None)


def _predict_fault(instances: JSON) -> Condition | None:
    if isinstance(instances, list) and instances:
        texts = [as_object(item).get("content") for item in as_list(instances)]
        return None if all(isinstance(text, str) for text in texts) else _bad_instance()
    return _refusal("missing_parameter", "Empty instances.", "instances")


def _bad_instance() -> Condition:
    return _refusal("invalid_value", "The text content is empty or not a string.", "instances")


def _answer(body: Object, call: Call) -> Generator[None, None, bytes]:
    match call.operation:
        case "embedContent":
            usage = _usage([body], call, "promptTokensDetails" if call.provider == "vertex" else "promptTokenDetails")
            truncated: Object = {"truncated": False} if call.provider == "vertex" else {}
            return dumped({"embedding": {"values": _values(body, call.model)}, **usage, **truncated}, indent=True)
        case "batchEmbedContents":
            requests = objects(pick(body, "requests"))
            found = yield from pieces.each(lambda item: {"values": _values(item, call.model)}, requests)
            return (yield from filled({"embeddings": MARKED, **_usage(requests, call, "promptTokenDetails")}, found))
        case _:
            return (yield from _predictions(body, call.model))


def _predictions(body: Object, model: str) -> Generator[None, None, bytes]:
    size = as_limit(as_object(body.get("parameters")).get("outputDimensionality"))
    texts = [as_text(item.get("content")) for item in objects(body.get("instances"))]

    def predicted(text: str) -> JSON:
        statistics = {"truncated": False, "token_count": count(text, O200K)}
        return {"embeddings": {"statistics": statistics, "values": vector(text, model, size)}}

    found = yield from pieces.each(predicted, texts)
    billed = {"billableCharacterCount": sum(len("".join(text.split())) for text in texts)}
    return (yield from filled({"predictions": MARKED, "metadata": billed}, found))


def _values(request: Object, model: str) -> list[float]:
    config = as_object(pick(request, "embedContentConfig"))
    size = pick(request, "outputDimensionality") or pick(config, "outputDimensionality")
    return vector(_text(request), model, as_limit(size))


def _text(request: Object) -> str:
    return text_of([as_object(pick(request, "content"))])


def _usage(requests: list[Object], call: Call, details: str) -> Object:
    """Tokens of all texts; models before gemini-embedding-2 do not tell."""
    if not _SCALED.match(call.model):
        return {}
    tokens = sum(count(_text(item), O200K) for item in requests)
    listed = [{"modality": "TEXT", "tokenCount": tokens}]
    return {"usageMetadata": {"promptTokenCount": tokens, details: listed}}


def _refusal(name: str, message: str, param: str | None = None) -> Condition:
    return Condition(name, 400, message, param, retry=False)


def vector(text: str, model: str, size: int | None) -> list[float]:
    """The embedding of a text in the model's own dimensions, or in fewer."""
    full = next((dimensions for start, dimensions in _DIMENSIONS.items() if model.startswith(start)), 768)
    wanted = min(size or full, full)
    if _SCALED.match(model):
        return list(embed(text, wanted, model))
    return list(embed(text, full, model)[:wanted])


DIALECT = GeminiEmbed("gemini")
VERTEX = GeminiEmbed("vertex")
