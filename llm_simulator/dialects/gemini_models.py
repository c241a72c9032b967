"""Gemini's model list: GET /{version}/models and /{version}/models/{id}, on Vertex AI the publisher's models, and the
list of the OpenAI-compatible path.

Sources: ai.google.dev/api/models and a recorded list (August 2026); Vertex AI REST reference (publishers.models).
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Callable
from urllib.parse import parse_qs, unquote

from llm_simulator.dialects.base import all_listed
from llm_simulator.dialects.catalogue import Model, find, models
from llm_simulator.dialects.fields import Object
from llm_simulator.dialects.thinking import habit_of
from llm_simulator.types import JSON, Call, Condition, RawRequest

PAGE, MOST = 50, 1000
_PATH = re.compile(r"/(?:v1|v1alpha|v1beta)/(?:openai/)?models(?:/(?:models/)?([^/:]+))?/?")
_PUBLISHED = re.compile(r"/(?:v1|v1beta1)/(?:projects/[^/]+/locations/[^/]+/)?publishers/google/models(?:/([^/:]+))?/?")
_METHODS = {
    "chat": ("generateContent", "countTokens", "createCachedContent", "batchGenerateContent"),
    "embedding": ("embedContent", "countTextTokens", "countTokens", "asyncBatchEmbedContent"),
    "realtime": ("bidiGenerateContent", "countTokens"),
}


def read(raw: RawRequest, provider: str) -> Call | None:
    path = _PUBLISHED if provider == "vertex" else _PATH
    match = path.fullmatch(raw.path) if raw.method == "GET" and provider in ("gemini", "vertex") else None
    if not match:
        return None
    return Call(provider, "models", "models.get" if match[1] else "models.list", raw, model=unquote(match[1] or ""))


def answer(call: Call, hidden: Callable[[str], bool] = all_listed) -> JSON | Condition:
    """The list, or the one model; a 404 for an unknown one."""
    found = find("gemini", call.model)
    if call.operation == "models.get" and not found:
        return _not_found(call)
    shown = [model for model in models("gemini") if not hidden(model.id)]
    if "/openai/" in call.raw.path:
        return _compatible(found) if found else {"object": "list", "data": [_compatible(model) for model in shown]}
    if call.provider == "vertex":
        return _published(found) if found else _page([_published(model) for model in shown], "publisherModels", call)
    return _spelled(found) if found else _page([_spelled(model) for model in shown], "models", call)


def _not_found(call: Call) -> Condition:
    version = call.raw.path.split("/")[1]
    message = (
        f"models/{call.model} is not found for API version {version}, or is not supported for generateContent. "
        "Call ModelService.ListModels to see the list of available models and their supported methods."
    )
    return Condition("model_not_found", 404, message, retry=False)


def _page(known: list[Object], name: str, call: Call) -> Object:
    """`pageSize` models after the one that the token names."""
    query = parse_qs(call.raw.query)
    size, after = query.get("pageSize", [""])[0], _named(query.get("pageToken", [""])[0])
    length = min(int(size), MOST) if size.isdecimal() and int(size) else PAGE
    start = next((place for place, model in enumerate(known, 1) if model["name"] == after), 0)
    shown = known[start : start + length]
    more = {"nextPageToken": _token(shown[-1]["name"])} if start + length < len(known) else {}
    return {name: shown, **more}


def _token(name: str) -> str:
    """A page token: the last name shown, as field 1 of a protobuf message, in base64."""
    return b64encode(b"\n" + bytes((len(name) & 0x7F,)) + name.encode()).decode().rstrip("=")


def _named(token: str) -> str:
    try:
        return b64decode(token + "=" * (-len(token) % 4))[2:].decode()
    except ValueError:  # no token of ours
        return ""


def _display(model: Model) -> str:
    return model.display or model.id.replace("-", " ").title()


def _spelled(model: Model) -> Object:
    embedding = model.mode == "embedding"
    shown = {
        "name": f"models/{model.id}",
        "version": "001",
        "displayName": _display(model),
        "description": _display(model),
        **({"inputTokenLimit": model.context} if model.context else {}),
        **({"outputTokenLimit": model.output or 1} if model.output or embedding else {}),
        "supportedGenerationMethods": list(_METHODS.get(model.mode, ("generateContent",))),
    }
    if embedding:
        return shown
    sampling = {"temperature": 1, "topP": 0.95, "topK": 64, "maxTemperature": 2}
    return {**shown, **sampling, **({"thinking": True} if habit_of(model.id) else {})}


def _published(model: Model) -> Object:
    return {
        "name": f"publishers/google/models/{model.id}",
        "versionId": "default",
        "openSourceCategory": "PROPRIETARY",
        "launchStage": "PUBLIC_PREVIEW" if "preview" in model.id else "GA",
        "publisherModelTemplate": f"projects/{{project}}/locations/{{location}}/publishers/google/models/{model.id}",
    }


def _compatible(model: Model) -> Object:
    return {"id": f"models/{model.id}", "object": "model", "owned_by": "google", "display_name": _display(model)}
