"""Is an answer valid? By published schema and overlay (OpenAI, Azure, Cohere), else by the SDK's models in strict form."""

from __future__ import annotations

import re
from typing import Any

import fidelity_models as models
import fidelity_published as published
from fidelity_published import Verdict

_AZURE = re.compile(r"^/openai(/deployments/[^/]+|/v1)?(?=/)")
_ANTHROPIC = (
    ("POST", r"/v1/messages", "Message", "RawMessageStreamEvent"),
    ("POST", r"/v1/messages/count_tokens", "MessageTokensCount", ""),
    ("GET", r"/v1/models/[^/]+", "ModelInfo", ""),
)
_GEMINI = (
    (r":(streamG|g)enerateContent$", "GenerateContentResponse"),
    (r":countTokens$", "CountTokensResponse"),
    (r":(batchEmbedContents|embedContent)$", "EmbedContentResponse"),
)


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
    return by.verdicts(method, path, body, stream) if by.knows(method, path, stream) else None


def _anthropic(method: str, path: str, body: bytes, stream: bool) -> list[Verdict] | None:
    import anthropic.types

    for known, pattern, whole, events in _ANTHROPIC:
        if known == method and re.fullmatch(pattern, path):
            kind: Any = getattr(anthropic.types, events if stream else whole)
            return models.verdicts(kind, body, stream)
    return None


def _gemini(path: str, query: str, body: bytes, stream: bool) -> list[Verdict] | None:
    from google.genai import types

    for pattern, name in _GEMINI:
        if re.search(pattern, path):
            kind: Any = getattr(types, name)
            return models.verdicts(kind, body, stream, numeric_enums="enum-encoding" in query)
    return None
