"""Model lists as OpenAI, its look-alikes and Azure spell them: GET .../models and .../models/{id}.

Source: OpenAI API reference (models); learn.microsoft.com/rest/api/azureopenai/models.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import unquote

from llm_simulator.dialects import azure_chat, jsonstyle, openai_chat
from llm_simulator.dialects.base import Desk, Dialect, Plain, Route
from llm_simulator.dialects.catalogue import Model, find, models
from llm_simulator.dialects.fields import Object
from llm_simulator.dialects.ids import uuid
from llm_simulator.dialects.openai_chat import request_id
from llm_simulator.dialects.openai_words import method_not_allowed
from llm_simulator.dialects.routes_openai import OPENAI_MODELS
from llm_simulator.types import Call, Condition, Headers, RawRequest, Reply

_PATH = re.compile(r"(?:/[^/]+)*?/models(?:/(.+?))?/?")
_V1 = re.compile(r"/v\d[^/]*/")
_OTHERS = ("vertex", "bedrock", "replicate")  # their /models is something else
_WITHOUT_LIST = "openai"  # whose models are listed for a provider of which we know none


class ModelsList(Plain):
    """GET /v1/models, /v1/models/{id}, Azure's /openai/models and /openai/v1/models."""

    name = "models_list"
    provider = "openai"
    api_version = "v1"
    features: frozenset[str] = frozenset(("models",))
    simulates: frozenset[str] = frozenset(("models.list", "models.get"))
    routes: tuple[Route, ...] = OPENAI_MODELS

    def read(self, raw: RawRequest, provider: str) -> Call | None:
        match = _PATH.fullmatch(raw.path) if "/models" in raw.path and provider not in _OTHERS else None
        if not match or (match[1] and raw.method != "GET"):
            return None
        model = unquote(match[1] or "")
        operation = "unknown" if raw.method != "GET" else "models.get" if model else "models.list"
        return Call(provider, "models", operation, raw, model=model)

    def check(self, call: Call) -> Condition | None:
        if call.operation == "unknown":
            return method_not_allowed(call)
        if call.operation == "models.get" and not _find(call):
            return _not_found(call.model)
        return None

    def respond(self, call: Call, desk: Desk) -> Reply:
        spelled = _spelling(call)
        headers = (("content-type", "application/json"), *_identity(call, desk.seed.hex()))
        layout = jsonstyle.compact if call.provider == "mistral" else jsonstyle.indented_line
        if call.operation == "models.get":
            model = _find(call)
            if not model:
                return self.refuse(_not_found(call.model), call)
            return Reply(200, headers, layout(spelled(model)))
        listed = {
            "object": "list",
            "data": [spelled(model) for model in _models(call.provider) if not desk.hidden(model.id)],
        }
        return Reply(200, headers, layout(listed))

    def refuse(self, condition: Condition, call: Call) -> Reply:
        speaker: Dialect = azure_chat.DIALECT if call.provider == "azure" else openai_chat.DIALECT
        return speaker.refuse(condition, call)


def _models(provider: str) -> tuple[Model, ...]:
    return models(provider) or models(_WITHOUT_LIST)


def _find(call: Call) -> Model | None:
    return find(call.provider if models(call.provider) else _WITHOUT_LIST, call.model)


def _not_found(model: str) -> Condition:
    message = f"The model '{model}' does not exist"
    return Condition("model_not_found", 404, message, "model", "model_not_found", "invalid_request_error", retry=False)


def _spelling(call: Call) -> Callable[[Model], Object]:
    if call.provider == "mistral":
        return _mistral
    return _azure if call.provider == "azure" and not _V1.search(call.raw.path) else _openai


def _openai(model: Model) -> Object:
    return {"id": model.id, "object": "model", "created": model.created, "owned_by": model.owner or "system"}


def _mistral(model: Model) -> Object:
    """A card of the base model; which abilities it has is told by its name."""
    return {
        "id": model.id,
        "object": "model",
        "created": model.created,
        "owned_by": "mistralai",
        "capabilities": {
            "completion_chat": model.mode == "chat",
            "completion_fim": model.id.startswith("codestral"),
            "function_calling": model.mode == "chat",
            "fine_tuning": False,
            "vision": model.id.startswith(("pixtral", "mistral-medium", "mistral-small", "mistral-large")),
            "classification": "moderation" in model.id,
        },
        "name": model.serves or model.id,
        "description": model.display or f"Official {model.id} Mistral AI model",
        "max_context_length": model.context or 32_768,
        "aliases": [],
        "deprecation": None,
        "default_model_temperature": 0.7 if model.mode == "chat" else None,
        "type": "base",
    }


def _azure(model: Model) -> Object:
    return {
        "status": "succeeded",
        "capabilities": {
            "fine_tune": False,
            "inference": True,
            "completion": False,
            "chat_completion": model.mode == "chat",
            "embeddings": model.mode == "embedding",
        },
        "lifecycle_status": "generally-available",
        "deprecation": {},
        "id": model.id,
        "created_at": model.created,
        "object": "model",
    }


def _identity(call: Call, seed: str) -> Headers:
    if call.provider == "azure":
        return azure_chat.identity(seed)
    if call.provider == "mistral":
        return (("mistral-correlation-id", uuid(seed, "correlation")),)
    return (("openai-version", "2020-10-01"), ("x-request-id", request_id(seed)))


DIALECT = ModelsList()
