"""What Azure OpenAI refuses beyond broken structure: keys, api-versions, unsafe prompts, and what OpenAI's validator does.

Source: the error catalogue (conditions_azure.json); learn.microsoft.com/azure/ai-services/openai/api-version-lifecycle.
"""

from __future__ import annotations

import re
from urllib.parse import parse_qs

from llm_simulator.dialects import rules_openai
from llm_simulator.dialects.conditions import find, raised
from llm_simulator.dialects.rules import Asked, Rule, is_token, malformed, reworded, texts, triggered
from llm_simulator.types import Condition

KEY = re.compile(r"[A-Za-z0-9_-]{8,}")
_GA = frozenset(("2022-12-01", "2023-05-15", "2024-02-01", "2024-06-01", "2024-10-21"))
_PREVIEW = re.compile(r"202[3-6]-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])-preview")
_JAILBREAK = re.compile(r"ignore (?:all )?(?:the )?previous instructions", re.IGNORECASE)
_OPERATIONS = {"/chat/completions": "chatCompletion", "/embeddings": "embeddings", "/completions": "completion"}


def authentication(asked: Asked) -> Condition | None:
    if not asked.key:
        return raised("azure.missing_key")
    if asked.header("api-key"):
        return raised("azure.invalid_key") if malformed(asked.key, KEY) else None
    if is_token(asked.key) or ("/openai/v1" in asked.path and not malformed(asked.key, KEY)):
        return None
    return raised("azure.entra_token_invalid")


def api_version(asked: Asked) -> Condition | None:
    """Required on deployment paths and unknown ones refused; `/openai/v1` needs none."""
    given = (parse_qs(asked.call.raw.query).get("api-version") or [""])[0]
    if "/openai/v1" in asked.path or "/models/" in asked.path:
        return (
            None
            if given in ("", "v1", "preview", "latest") or _known(given)
            else raised("azure.api_version_unsupported")
        )
    if not given:
        return raised("azure.resource_not_found")
    return None if _known(given) else raised("azure.api_version_unsupported")


def _known(version: str) -> bool:
    return version in _GA or _PREVIEW.fullmatch(version) is not None


def operation(asked: Asked) -> Condition | None:
    """A deployed model at an endpoint that is not its own, as far as the deployment's name tells."""
    where = rules_openai.endpoint(asked)
    mode = asked.model.mode if asked.model else ""
    wanted = {"/chat/completions": "chat", "/embeddings": "embedding"}.get(where)
    if not mode or wanted in (None, mode) or mode not in ("chat", "embedding"):
        return None
    return raised("azure.operation_not_supported", model=asked.call.model, operation=_OPERATIONS[where])


def body(asked: Asked) -> Condition | None:
    """OpenAI's validator, with Azure's headers."""
    found = rules_openai.body(asked)
    if found is None:
        return None
    if found.name.startswith("openai.context_length_exceeded"):
        return reworded("azure.context_length_exceeded", found.message)
    return found


def content_filter(asked: Asked) -> Condition | None:
    prompts = [asked.body.get(name) for name in ("messages", "input", "instructions", "prompt")]
    found = triggered(*prompts)
    if asked.ends("/images/generations") and found is not None:
        return raised("azure.image_content_filter")
    if found is None and _is_jailbreak(asked):
        found = "jailbreak"
    if found is None or asked.ends("/embeddings"):
        return None
    entry = find(f"content_filter_{found or 'violence'}", "azure")
    return raised(entry.id if entry else "azure.content_filter_violence")


def _is_jailbreak(asked: Asked) -> bool:
    return any(_JAILBREAK.search(text) for text in texts(asked.body.get("messages")))


RULES: tuple[Rule, ...] = (authentication, api_version, operation, content_filter, body)
