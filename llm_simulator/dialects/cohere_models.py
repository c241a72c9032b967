"""Cohere's model list: GET /v1/models and /v1/models/{name}, by endpoint, paged by token.

Source: docs.cohere.com/reference/list-models.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import parse_qs, unquote

from llm_simulator.dialects.base import all_listed
from llm_simulator.dialects.catalogue import Model, find, models
from llm_simulator.dialects.cohere_manner import RETIRED
from llm_simulator.dialects.fields import Object
from llm_simulator.dialects.thinking import habit_of
from llm_simulator.types import JSON, Call, Condition, RawRequest

PAGE, MOST = 20, 1000
_PATH = re.compile(r"/v1/models(?:/([^/]+))?/?")
_TOKENIZER = "https://storage.googleapis.com/cohere-public/tokenizers/{}.json"
_ENDPOINTS = {"chat": ("chat",), "completion": ("generate",), "embedding": ("embed",), "rerank": ("rerank",)}


def read(raw: RawRequest) -> Call | None:
    match = _PATH.fullmatch(raw.path) if raw.method == "GET" else None
    if not match:
        return None
    return Call("cohere", "models", "models.get" if match[1] else "models.list", raw, model=unquote(match[1] or ""))


def answer(call: Call, hidden: Callable[[str], bool] = all_listed) -> JSON | Condition:
    """The list, or the one model; a 404 for an unknown one. Retired ones are told of, as they were."""
    if call.operation == "models.list":
        shown = [_spelled(model) for model in models("cohere") if not hidden(model.id)]
        return _page(shown, parse_qs(call.raw.query))
    found = find("cohere", call.model)
    if found:
        return _spelled(found)
    return _retired(call.model) if RETIRED.match(call.model) else _not_found(call.model)


def _retired(model: str) -> Object:
    return {
        "name": model,
        "endpoints": ["generate", "chat", "summarize"],
        "finetuned": False,
        "context_length": 128_000 if model.startswith("command-r") else 4096,
        "tokenizer_url": _TOKENIZER.format(model),
        "default_endpoints": [],
    }


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
        "endpoints": list(_ENDPOINTS.get(model.mode, ("chat",))),
        "finetuned": False,
        "context_length": model.context,
        "tokenizer_url": _TOKENIZER.format(model.id),
        **({"features": _features(model)} if model.mode == "chat" else {}),
        "default_endpoints": [],
    }


def _features(model: Model) -> list[str]:
    seeing = ["vision"] if "vision" in model.id else []
    return ["json_mode", "json_schema", "strict_tools", "safety_modes", "tools", *_thought(model), *seeing]


def _thought(model: Model) -> list[str]:
    return ["reasoning"] if habit_of(model.id) else []
