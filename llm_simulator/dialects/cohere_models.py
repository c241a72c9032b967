"""Cohere's model list: GET /v1/models and /v1/models/{name}, by endpoint, paged by token.

Source: docs.cohere.com/reference/list-models.
"""

from __future__ import annotations

import re
from urllib.parse import parse_qs, unquote

from llm_simulator.dialects.catalogue import Model, find, models
from llm_simulator.dialects.fields import Object
from llm_simulator.types import JSON, Call, Condition, RawRequest

PAGE, MOST = 20, 1000
_PATH = re.compile(r"/v1/models(?:/([^/]+))?/?")
_ENDPOINTS = {"chat": ("chat", "generate"), "completion": ("generate",), "embedding": ("embed",), "rerank": ("rerank",)}


def read(raw: RawRequest) -> Call | None:
    match = _PATH.fullmatch(raw.path) if raw.method == "GET" else None
    if not match:
        return None
    return Call("cohere", "models", "models.get" if match[1] else "models.list", raw, model=unquote(match[1] or ""))


def answer(call: Call) -> JSON | Condition:
    """The list, or the one model; a 404 for an unknown one."""
    if call.operation == "models.list":
        return _page([_spelled(model) for model in models("cohere")], parse_qs(call.raw.query))
    found = find("cohere", call.model)
    return _spelled(found) if found else _not_found(call.model)


def _not_found(model: str) -> Condition:
    message = (
        f"model '{model}' not found, make sure the correct model ID was used and that you have access to the model."
    )
    return Condition("model_not_found", 404, message, retry=False)


def _page(known: list[Object], query: dict[str, list[str]]) -> Object:
    """`page_size` models of one endpoint; tokens are ours: the place in the list."""
    endpoint = query.get("endpoint", [""])[0]
    shown = [model for model in known if not endpoint or endpoint in model["endpoints"]]
    size, begin = query.get("page_size", [""])[0], query.get("page_token", [""])[0]
    length = min(int(size), MOST) if size.isdecimal() and int(size) else PAGE
    start = int(begin) if begin.isdecimal() else 0
    more = {"next_page_token": str(start + length)} if start + length < len(shown) else {}
    return {"models": shown[start : start + length], **more}


def _spelled(model: Model) -> Object:
    return {
        "name": model.id,
        "is_deprecated": False,
        "endpoints": list(_ENDPOINTS.get(model.mode, ("chat",))),
        "finetuned": False,
        "context_length": model.context,
        "tokenizer_url": "",
        "default_endpoints": [],
        "features": ["json_mode", "json_schema", "safety_modes", "strict_tools", "tools"]
        if model.mode == "chat"
        else None,
    }
