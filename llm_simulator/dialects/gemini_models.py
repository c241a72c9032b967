"""Gemini's model list: GET /{version}/models and /{version}/models/{id}, paged by token.

Source: ai.google.dev/api/models.
"""

from __future__ import annotations

import re
from urllib.parse import parse_qs, unquote

from llm_simulator.dialects.catalogue import Model, find, models
from llm_simulator.dialects.fields import Object
from llm_simulator.types import JSON, Call, Condition, RawRequest

PAGE, MOST = 50, 1000
_PATH = re.compile(r"/(?:v1|v1alpha|v1beta)/models(?:/([^/:]+))?/?")
_METHODS = {
    "chat": ("generateContent", "countTokens", "createCachedContent", "batchGenerateContent"),
    "embedding": ("embedContent", "countTextTokens", "countTokens", "asyncBatchEmbedContent"),
    "realtime": ("bidiGenerateContent", "countTokens"),
}


def read(raw: RawRequest, provider: str) -> Call | None:
    match = _PATH.fullmatch(raw.path) if raw.method == "GET" and provider == "gemini" else None
    if not match:
        return None
    return Call(provider, "models", "models.get" if match[1] else "models.list", raw, model=unquote(match[1] or ""))


def answer(call: Call) -> JSON | Condition:
    """The list, or the one model; a 404 for an unknown one."""
    if call.operation == "models.list":
        return _page([_spelled(model) for model in models("gemini")], parse_qs(call.raw.query))
    found = find("gemini", call.model)
    return _spelled(found) if found else _not_found(call)


def _not_found(call: Call) -> Condition:
    version = call.raw.path.split("/")[1]
    message = (
        f"models/{call.model} is not found for API version {version}, or is not supported for generateContent. "
        "Call ModelService.ListModels to see the list of available models and their supported methods."
    )
    return Condition("model_not_found", 404, message, retry=False)


def _page(known: list[Object], query: dict[str, list[str]]) -> Object:
    """`pageSize` models from where the token says; tokens are ours: the place in the list."""
    size, begin = query.get("pageSize", [""])[0], query.get("pageToken", [""])[0]
    length = min(int(size), MOST) if size.isdecimal() and int(size) else PAGE
    start = int(begin) if begin.isdecimal() else 0
    more = {"nextPageToken": str(start + length)} if start + length < len(known) else {}
    return {"models": known[start : start + length], **more}


def _spelled(model: Model) -> Object:
    shown = {
        "name": f"models/{model.id}",
        "version": "001",
        "displayName": model.display or model.id.replace("-", " ").title(),
        **({"inputTokenLimit": model.context} if model.context else {}),
        **({"outputTokenLimit": model.output} if model.output else {}),
        "supportedGenerationMethods": list(_METHODS.get(model.mode, ("generateContent",))),
    }
    return {**shown, "temperature": 1, "topP": 0.95, "topK": 64, "maxTemperature": 2} if model.mode == "chat" else shown
