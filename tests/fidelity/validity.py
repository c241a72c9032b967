"""Is an answer valid? By published schema and overlay (OpenAI, Azure, Cohere), else by the SDK's models in strict form."""

from __future__ import annotations

import json
import re
from operator import attrgetter
from typing import Any

import fidelity_models as models
import fidelity_published as published
from fidelity_published import Verdict

_AZURE = re.compile(r"^/openai(/deployments/[^/]+|/v1)?(?=/)")
_ANTHROPIC = (
    ("POST", r"/v1/messages", "types.Message"),
    ("POST", r"/v1/messages/count_tokens", "types.MessageTokensCount"),
    ("GET", r"/v1/models", "types.ModelInfo"),
    ("GET", r"/v1/models/[^/]+", "types.ModelInfo"),
    ("POST", r"/v1/messages/batches(/[^/]+/cancel)?", "types.messages.MessageBatch"),
    ("GET", r"/v1/messages/batches(/[^/]+)?", "types.messages.MessageBatch"),
    ("GET", r"/v1/messages/batches/[^/]+/results", "types.messages.MessageBatchIndividualResponse"),
    ("DELETE", r"/v1/messages/batches/[^/]+", "types.messages.DeletedMessageBatch"),
    ("POST", r"/v1/files", "types.beta.BetaFileMetadata"),
    ("GET", r"/v1/files(/[^/]+)?", "types.beta.BetaFileMetadata"),
    ("DELETE", r"/v1/files/[^/]+", "types.beta.BetaDeletedFile"),
)
"""Of a list, each element is held against the model."""
_GEMINI = (
    (r":(streamG|g)enerateContent$", "GenerateContentResponse"),
    (r":countTokens$", "CountTokensResponse"),
    (r":batchEmbedContents$", "EmbedContentResponse"),
)
"""google-genai makes its objects of the other replies by hand: its types do not say what is on the wire."""
_NO_JSON = re.compile(r"/(files/[^/]+/content|audio/speech)$")


def verdicts_of(
    provider: str, method: str, path: str, query: str, body: bytes, stream: bool, *, aged: bool = True
) -> list[Verdict] | None:
    """One verdict for a whole answer or for each event of a stream; None where nothing says what is valid.

    `aged`: forms that only older replies have are valid, too (`fidelity_overlay.py`).

    Raises:
        ValueError: the body is not JSON, or not a stream of JSON events.
    """
    match provider:
        case "openai" | "azure":
            return _published(published.openai(aged=aged), method, _AZURE.sub("/v1", path), body, stream)
        case "cohere":
            return _published(published.cohere(aged=aged), method, path, body, stream)
        case "anthropic":
            return _anthropic(method, path, body, stream)
        case "gemini" | "vertex":
            return _gemini(path, query, body, stream)
        case _:
            return None


def _published(by: published.Published, method: str, path: str, body: bytes, stream: bool) -> list[Verdict] | None:
    if _NO_JSON.search(path) or not by.knows(method, path, stream):
        return None
    return by.verdicts(method, path, body, stream)


def _anthropic(method: str, path: str, body: bytes, stream: bool) -> list[Verdict] | None:
    import anthropic

    for known, pattern, name in _ANTHROPIC:
        if known == method and re.fullmatch(pattern, path):
            event = anthropic.types.RawMessageStreamEvent
            return models.verdicts(event if stream else attrgetter(name)(anthropic), _elements(body), stream)
    return None


def _elements(body: bytes) -> bytes:
    """The elements of a list as an array (they are judged one by one), any other body as it is."""
    value = json.loads(body) if body.startswith(b"{") and b'"has_more"' in body else None
    return json.dumps(value["data"]).encode() if isinstance(value, dict) and "has_more" in value else body


def _gemini(path: str, query: str, body: bytes, stream: bool) -> list[Verdict] | None:
    from google.genai import types

    for pattern, name in _GEMINI:
        if re.search(pattern, path):
            kind: Any = getattr(types, name)
            return models.verdicts(kind, body, stream, numeric_enums="enum-encoding" in query)
    return None
