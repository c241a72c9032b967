"""Cohere's smaller endpoints: rerank (v1, v2), tokenize, detokenize and check-api-key.

Relevance is nearness of spelling (`vectors`), not of meaning. Tokens are those of o200k, not of Cohere's own tokenizers:
what is tokenized can be detokenized, and counts are near.
Source: docs.cohere.com/reference (rerank, tokenize, detokenize, checkapikey).
"""

from __future__ import annotations

import re
from math import exp
from typing import Any

from llm_simulator import tokens
from llm_simulator.dialects.base import Desk, Plain, Route
from llm_simulator.dialects.cohere_chat import DIALECT as CHAT
from llm_simulator.dialects.cohere_chat import headers_of
from llm_simulator.dialects.cohere_write import escape
from llm_simulator.dialects.estimate import O200K
from llm_simulator.dialects.fields import Object, as_limit, as_list, as_object, as_text, dump, is_integer
from llm_simulator.dialects.ids import uuid
from llm_simulator.dialects.reading import json_object, text_field
from llm_simulator.dialects.routes_cohere import COHERE_TOOLS
from llm_simulator.dialects.structure import Rule, fault_in
from llm_simulator.dialects.vectors import embed
from llm_simulator.types import JSON, Call, Condition, RawRequest, Reply

SPACE = 512
"""Dimensions in which texts are compared."""

_PATH = re.compile(r"/(?:v1|v2)/(rerank)/?|/v1/(tokenize|detokenize|check-api-key)/?")
_RULES = {
    "rerank": (
        Rule("query", "string", required=True),
        Rule("documents", "array", required=True),
        Rule("model", "string"),
        Rule("top_n", "integer"),
        Rule("rank_fields", "array"),
        Rule("return_documents", "boolean"),
    ),
    "tokenize": (Rule("text", "string", required=True), Rule("model", "string")),
    "detokenize": (Rule("tokens", "array", required=True), Rule("model", "string")),
}
_LONGEST = 65_536  # characters of a text that is tokenized
_UNIT = 100  # documents of one search unit


class CohereTools(Plain):
    """POST /v1/rerank, /v2/rerank, /v1/tokenize, /v1/detokenize and /v1/check-api-key."""

    name = "cohere_tools"
    provider = "cohere"
    api_version = "v2"
    features: frozenset[str] = frozenset(("rerank", "tokenize"))
    simulates: frozenset[str] = frozenset(("rerank", "tokenize", "detokenize", "check-api-key"))
    routes: tuple[Route, ...] = COHERE_TOOLS

    def read(self, raw: RawRequest, provider: str) -> Call | None:
        match = _PATH.fullmatch(raw.path) if provider == self.provider and raw.method == "POST" else None
        if not match:
            return None
        operation = match[1] or match[2]
        body, problem = (None, "") if operation == "check-api-key" else json_object(raw)
        return Call(provider, "cohere.tools", operation, raw, text_field(body, "model"), body=body, problem=problem)

    def check(self, call: Call) -> Condition | None:
        return None if call.operation == "check-api-key" else _check(call)

    def respond(self, call: Call, desk: Desk) -> Reply:
        headers = (("content-type", "application/json"), *headers_of(desk.seed.hex()))
        return Reply(200, headers, escape(dump(_answer(as_object(call.body), call, desk.seed.hex()))))

    def refuse(self, condition: Condition, call: Call) -> Reply:
        return CHAT.refuse(condition, call)


def _check(call: Call) -> Condition | None:
    if call.problem:
        why = call.problem.removeprefix("the body is not JSON: ")
        return _refusal("bad_json", f"invalid json syntax: {why}")
    fault = fault_in(call.body, _RULES[call.operation])
    if fault and fault.missing:
        words = f"invalid request: {fault.dotted} parameter is required."
        return _refusal("missing_parameter", words, fault.dotted)
    if fault:
        words = f"invalid type: parameter {fault.dotted} is not of type {fault.kind}."
        return _refusal("invalid_type", words, fault.dotted)
    if not call.model and (call.operation != "rerank" or call.raw.path.startswith("/v2/")):
        return _refusal("missing_parameter", "a model parameter is required for this endpoint.", "model")
    return _content_fault(call)


def _content_fault(call: Call) -> Condition | None:
    body = as_object(call.body)
    match call.operation:
        case "rerank":
            if not body["query"]:
                return _refusal("invalid_value", "invalid request: query must not be empty.", "query")
            if not body["documents"]:
                words = "invalid request: list of documents must not be empty"
                return _refusal("invalid_value", words, "documents")
        case "tokenize":
            if not 0 < len(body["text"]) <= _LONGEST:
                words = f"invalid request: text must be between 1 and {_LONGEST} characters long."
                return _refusal("invalid_value", words, "text")
        case _:
            if not all(is_integer(token) and token >= 0 for token in body["tokens"]):
                words = "invalid request: tokens must be a list of non-negative integers."
                return _refusal("invalid_value", words, "tokens")
    return None


def _answer(body: Object, call: Call, seed: str) -> Object:
    meta: Object = {"api_version": {"version": "2" if call.raw.path.startswith("/v2/") else "1"}}
    match call.operation:
        case "rerank":
            units = -(-len(body["documents"]) // _UNIT)
            billed = {"billed_units": {"search_units": units}}
            return {"id": uuid(seed, "rerank"), "results": _ranked(body), "meta": {**meta, **billed}}
        case "tokenize":
            ids = tokens.encode(body["text"], O200K)
            strings = [tokens.decode([token], O200K) for token in ids]
            return {"tokens": ids, "token_strings": strings, "meta": meta}
        case "detokenize":
            return {"text": _text(body["tokens"]), "meta": meta}
        case _:
            return {
                "valid": True,
                "organization_id": uuid("cohere", "organization"),
                "owner_id": uuid("cohere", "owner"),
            }


def _text(ids: list[Any]) -> str:
    """The text of tokens; those that are none of ours have none."""
    try:
        return tokens.decode(ids, O200K)
    except (KeyError, ValueError, OverflowError):
        return "".join(_one(token) for token in ids)


def _one(token: int) -> str:
    try:
        return tokens.decode([token], O200K)
    except (KeyError, ValueError, OverflowError):
        return ""


def _ranked(body: Object) -> list[JSON]:
    """The documents by relevance, the best first; equal ones in their order."""
    documents = as_list(body["documents"])
    fields = [as_text(name) for name in as_list(body.get("rank_fields"))] or ["text"]
    texts = [_document(item, fields) for item in documents]
    scores = [relevance(body["query"], text) for text in texts]
    order = sorted(range(len(texts)), key=lambda at: (-scores[at], at))[: as_limit(body.get("top_n")) or len(texts)]
    if body.get("return_documents") is not True:
        return [{"index": at, "relevance_score": scores[at]} for at in order]
    shown = [item if isinstance(item, dict) else {"text": item} for item in documents]
    return [{"document": shown[at], "index": at, "relevance_score": scores[at]} for at in order]


def _document(item: JSON, fields: list[str]) -> str:
    if isinstance(item, str):
        return item
    return "\n".join(as_text(as_object(item).get(name)) for name in fields)


def relevance(query: str, text: str) -> float:
    """From 0 to 1: how near a text is to the query by words and letters, in the digits of a 32-bit float."""
    near = sum(a * b for a, b in zip(embed(query, SPACE, "rerank"), embed(text, SPACE, "rerank"), strict=True))
    return float(f"{1 / (1 + exp(4 - 14 * near)):.8g}")


def _refusal(name: str, message: str, param: str | None = None) -> Condition:
    return Condition(name, 400, message, param, retry=False)


DIALECT = CohereTools()
