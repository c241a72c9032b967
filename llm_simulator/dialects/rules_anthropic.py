"""What Anthropic refuses beyond broken structure: keys, versions, betas, limits, the order of turns and of tool results.

Source: the error catalogue (conditions_anthropic.json); platform.claude.com/docs/en/api (messages, errors, versioning).
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Mapping
from itertools import pairwise

from llm_simulator.dialects.conditions import raised
from llm_simulator.dialects.fields import as_object, as_text, objects
from llm_simulator.dialects.rules import Asked, Rule, is_token, malformed, names, number, retired, reworded, triggered
from llm_simulator.types import Condition

KEY = re.compile(r"sk-ant-[\w-]{4,}")
NEWEST = "2026-10-21"
_VERSIONS = ("2023-01-01", "2023-06-01", NEWEST)
_BODY_BYTES = {"/v1/messages/batches": 256 << 20, "/v1/files": 500 << 20}
_MESSAGES_BYTES, _IMAGE_BYTES = 32 << 20, 5 << 20
_REFUSAL = "ANTHROPIC_MAGIC_STRING_TRIGGER_REFUSAL_"
_SAMPLING: Mapping[str, float] = {"temperature": 1, "top_p": 1}
_MAGIC: Mapping[str, tuple[bytes, ...]] = {
    "image/png": (b"\x89PNG",),
    "image/jpeg": (b"\xff\xd8\xff",),
    "image/gif": (b"GIF8",),
    "image/webp": (b"RIFF",),
}
_PARAMETERS = names(
    """cache_control compaction container context_management diagnostics fallback_credit_token fallbacks inference_geo
    max_tokens mcp_servers messages metadata model output_config output_format service_tier speed stop_sequences stream
    system temperature thinking thread tool_choice tools top_k top_p user_profile_id workspace_id billing_policy"""
)
_BETAS = names(
    """advisor-tool agent-memory cache-diagnosis code-execution compact computer-use context-1m context-management
    dev-full-thinking dreaming efs experimental-claude-tag extended-cache-ttl fallback-credit fast-mode files-api
    fine-grained-tool-streaming inline-tools interleaved-thinking managed-agents max-tokens-3-5-sonnet mcp-client
    mcp-tunnels message-batches message-threads mid-conversation-output-config mid-conversation-system-clear-at
    mid-conversation-tool-changes model-context-window-exceeded output-128k output-300k pdfs prompt-caching
    server-side-fallback skills structured-outputs task-budgets telemetry-destinations thinking-binding-controls
    thinking-display-updates thinking-token-count token-counting token-efficient-tools tools user-profiles
    user-profiles-billing webhooks web-fetch web-search advanced-tool-use effort oauth claude-code tool-search-tool
    ce-plugins ce-user-management ce-claude-code-managed-settings spend-limit-reads admin-user-sign-out
    analytics-usage-cost google-managed-data-controls tool-examples"""
)
_DATED = re.compile(r"(.+)-20\d\d-\d\d-\d\d")


def authentication(asked: Asked) -> Condition | None:
    if not asked.key:
        return raised("anthropic.missing_api_key")
    if not malformed(asked.key, KEY) or is_token(asked.key):
        return None
    jwt_like = asked.key.count(".") == 2 and not asked.header("x-api-key")
    return raised("anthropic.invalid_bearer_token" if jwt_like else "anthropic.invalid_api_key")


def version(asked: Asked) -> Condition | None:
    given = asked.header("anthropic-version")
    if not given:
        return raised("anthropic.missing_version_header")
    if given in _VERSIONS:
        return None
    return reworded("anthropic.invalid_version_header", f'anthropic-version: "{given}" is not a valid version')


def betas(asked: Asked) -> Condition | None:
    names = [
        name.strip()
        for key, value in asked.call.raw.headers
        if key.lower() == "anthropic-beta"
        for name in value.split(",")
        if name.strip()
    ]
    unknown = [name for name in names if not ((match := _DATED.fullmatch(name)) and match[1] in _BETAS)]
    return raised("anthropic.unexpected_beta", beta="`, `".join(unknown)) if unknown else None


def size(asked: Asked) -> Condition | None:
    most = _BODY_BYTES.get(asked.path, _MESSAGES_BYTES)
    return raised("anthropic.request_too_large") if len(asked.call.raw.body) > most else None


def _is_messages(asked: Asked) -> bool:
    return asked.path in ("/v1/messages", "/v1/messages/count_tokens")


def _needs_limit(asked: Asked) -> bool:
    return asked.path == "/v1/messages"


def extra_inputs(asked: Asked) -> Condition | None:
    unknown = [name for name in asked.body if name not in _PARAMETERS] if _is_messages(asked) else []
    return raised("anthropic.extra_inputs", param=unknown[0]) if unknown else None


def max_tokens(asked: Asked) -> Condition | None:
    if not _needs_limit(asked):
        return None
    given = number(asked.body.get("max_tokens"))
    if given is None:
        return raised("anthropic.missing_max_tokens")
    if given < 1:
        return reworded("anthropic.invalid_request", "max_tokens: Input should be greater than or equal to 1")
    most = asked.model.output if asked.model else 0
    if most and given > most:
        return raised("anthropic.max_tokens_too_large", value=int(given), limit=most, model=asked.call.model)
    return None


def sampling(asked: Asked) -> Condition | None:
    """temperature, top_p and top_k: gone in the newest version, in range in the older ones."""
    newest = asked.header("anthropic-version") == NEWEST
    for name in ("temperature", "top_p", "top_k"):
        value = number(asked.body.get(name)) if _needs_limit(asked) else None
        if value is None:
            continue
        if newest:
            message = f"{name}: this parameter is not supported in anthropic-version {NEWEST}"
            return reworded("anthropic.sampling_parameter_removed", message)
        if value < 0:
            return reworded("anthropic.invalid_request", f"{name}: Input should be greater than or equal to 0")
        if value > _SAMPLING.get(name, value):
            return reworded("anthropic.invalid_request", f"{name}: range: 0..1")
    return None


def roles(asked: Asked) -> Condition | None:
    """user and assistant only; content is empty at most in the last message of the assistant."""
    messages = objects(asked.body.get("messages"))
    for place, message in enumerate(messages):
        role = message.get("role")
        if role not in ("user", "assistant", "system"):
            words = f"messages.{place}.role: Input should be 'user' or 'assistant'"
            return reworded("anthropic.invalid_request", words)
        if role == "system" and asked.header("anthropic-version") != NEWEST:
            words = (
                'messages: Unexpected role "system". The Messages API accepts a top-level `system` parameter, '
                'not "system" as an input message role.'
            )
            return reworded("anthropic.invalid_request", words)
        last = place == len(messages) - 1 and role == "assistant"
        if not message.get("content") and not last:
            words = "all messages must have non-empty content except for the optional final assistant message"
            return reworded("anthropic.empty_content", f"messages.{place}: {words}")
    return _order([as_text(message.get("role")) for message in messages])


def _order(spoken: list[str]) -> Condition | None:
    """The user speaks first, and nobody twice in a row (in live replies some models take that: the catalogue is followed)."""
    if spoken and spoken[0] == "assistant":
        return reworded("anthropic.roles_must_alternate", 'messages: first message must use the "user" role')
    twice = next((role for role, then in pairwise(spoken) if role == then and role != "system"), "")
    if not twice:
        return None
    words = f'roles must alternate between "user" and "assistant", but found multiple "{twice}" roles in a row'
    return reworded("anthropic.roles_must_alternate", f"messages: {words}")


def tool_ids(asked: Asked) -> Condition | None:
    """Each tool call has an id of its own. Source: its reply as quoted in public (litellm #23510)."""
    seen: set[str] = set()
    for place, message in enumerate(objects(asked.body.get("messages"))):
        for at, block in enumerate(objects(message.get("content"))):
            if block.get("type") != "tool_use":
                continue
            if (identity := as_text(block.get("id"))) in seen:
                return reworded(
                    "anthropic.invalid_request", f"messages.{place}.content.{at}: `tool_use` ids must be unique"
                )
            seen.add(identity)
    return None


def tools(asked: Asked) -> Condition | None:
    """The schema of a tool's input is an object's."""
    for place, tool in enumerate(objects(asked.body.get("tools"))):
        kind, schema = tool.get("type"), tool.get("input_schema")
        if kind in (None, "custom") and isinstance(schema, dict) and schema.get("type") != "object":
            wrong = "Field required" if schema.get("type") is None else "Input should be 'object'"
            return reworded("anthropic.invalid_request", f"tools.{place}.custom.input_schema.type: {wrong}")
    return None


def tool_results(asked: Asked) -> Condition | None:
    """Each tool_use is answered in the next message, and each tool_result answers one of the message before."""
    before: list[str] = []
    for place, message in enumerate(objects(asked.body.get("messages"))):
        blocks = objects(message.get("content"))
        results = [as_text(item.get("tool_use_id")) for item in blocks if item.get("type") == "tool_result"]
        missing = [identity for identity in before if identity not in results]
        if missing:
            words = raised("anthropic.tool_result_missing", ids=", ".join(missing)).message
            return reworded("anthropic.tool_result_missing", words.replace("messages.2", f"messages.{place - 1}", 1))
        stray = [identity for identity in results if identity not in before]
        if stray:
            words = raised("anthropic.tool_result_unexpected", ids=", ".join(stray)).message
            at = next(at for at, item in enumerate(blocks) if as_text(item.get("tool_use_id")) == stray[0])
            return reworded(
                "anthropic.tool_result_unexpected",
                words.replace("messages.0.content.0", f"messages.{place}.content.{at}", 1),
            )
        before = [as_text(item.get("id")) for item in blocks if item.get("type") == "tool_use"]
    return None


def content_of_roles(asked: Asked) -> Condition | None:
    """What the newest version no longer takes in a message of that role."""
    if asked.header("anthropic-version") != NEWEST:
        return None
    for place, message in enumerate(objects(asked.body.get("messages"))):
        for at, block in enumerate(objects(message.get("content"))):
            where = f"messages.{place}.content.{at}"
            if message.get("role") == "assistant" and block.get("type") == "document":
                words = f"{where}: document blocks are not allowed in assistant messages"
                return reworded("anthropic.document_in_assistant", words)
            if message.get("role") == "user" and block.get("type") == "text" and block.get("citations"):
                words = f"{where}.text.citations: citations are not allowed on user text blocks"
                return reworded("anthropic.citations_on_user_text", words)
    return None


def images(asked: Asked) -> Condition | None:
    for place, message in enumerate(objects(asked.body.get("messages"))):
        for at, block in enumerate(objects(message.get("content"))):
            source = as_object(block.get("source"))
            if block.get("type") == "image" and source.get("type") == "base64":
                where = f"messages.{place}.content.{at}.image.source.base64"
                fault = _image(where, as_text(source.get("media_type")), as_text(source.get("data")))
                if fault:
                    return fault
    return None


def _image(where: str, kind: str, data: str) -> Condition | None:
    length = len(data) * 3 // 4
    if length > _IMAGE_BYTES:
        words = f"{where}: image exceeds 5 MB maximum: {length} bytes > {_IMAGE_BYTES} bytes"
        return reworded("anthropic.image_too_large", words)
    try:
        head = binascii.a2b_base64(data[:64], strict_mode=True)
    except ValueError:
        head = b""
    if head.startswith(_MAGIC.get(kind, (b"",))) and head:
        return None
    return reworded("anthropic.invalid_base64", f"{where}: Image does not match the provided media type {kind}")


def context_window(asked: Asked) -> Condition | None:
    window = (asked.model.context if asked.model else 0) or 200_000
    limit = int(number(asked.body.get("max_tokens")) or 0)
    if not _is_messages(asked) or len(asked.call.raw.body) + limit <= window:  # a token is a byte at least
        return None
    count = asked.prompt_tokens()
    if count > window:
        return raised("anthropic.prompt_too_long", value=count, limit=window)
    if _needs_limit(asked) and count + limit > window:
        return raised("anthropic.context_limit_with_max_tokens", input=count, max_tokens=limit, limit=window)
    return None


def content_filter(asked: Asked) -> Condition | None:
    prompts = (asked.body.get("messages"), asked.body.get("system"))
    if _REFUSAL.encode() in asked.call.raw.body and _needs_limit(asked):
        return raised("anthropic.stream_stop_refusal" if asked.call.stream else "anthropic.stop_refusal")
    return raised("anthropic.content_filtering") if triggered(*prompts) is not None and _needs_limit(asked) else None


RULES: tuple[Rule, ...] = (
    size,
    authentication,
    version,
    betas,
    extra_inputs,
    max_tokens,
    retired,
    sampling,
    roles,
    tools,
    tool_ids,
    tool_results,
    content_of_roles,
    images,
    context_window,
    content_filter,
)
