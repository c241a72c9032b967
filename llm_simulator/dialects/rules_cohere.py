"""What Cohere refuses beyond broken structure: chat, embed and rerank.

Source: the error catalogue (conditions_cohere.json), which has Cohere's own list of errors; docs.cohere.com/reference.
"""

from __future__ import annotations

import re

from llm_simulator.dialects.conditions import raised
from llm_simulator.dialects.fields import as_list, as_object, as_text, objects
from llm_simulator.dialects.rules import Asked, Rule, malformed, number, retired, reworded
from llm_simulator.types import Condition

KEY = re.compile(r"[A-Za-z0-9_-]{4,}")
_BODY_BYTES = 20 << 20
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MOST_TEXTS = 96
_ROLES = ("user", "assistant", "system", "tool", "developer")


def authentication(asked: Asked) -> Condition | None:
    if not asked.key:
        return raised("cohere.doc_401_no_key_sent")
    return raised("cohere.incorrect_api_key") if malformed(asked.key, KEY) else None


def size(asked: Asked) -> Condition | None:
    return raised("cohere.payload_too_large") if len(asked.call.raw.body) > _BODY_BYTES else None


def _is_chat(asked: Asked) -> bool:
    return asked.path in ("/v2/chat", "/v1/chat")


def ranges(asked: Asked) -> Condition | None:
    if not _is_chat(asked):
        return None
    for name, condition in (
        ("temperature", "cohere.doc_400_temperature_out_of_range"),
        ("presence_penalty", "cohere.doc_400_presence_penalty_out_of_range"),
    ):
        value = number(asked.body.get(name))
        if value is not None and not 0 <= value <= 1:
            return raised(condition)
    penalty = number(asked.body.get("frequency_penalty"))
    if penalty is not None and not 0 <= penalty <= 1:
        words = "invalid request: frequency_penalty must be between 0 and 1 inclusive."
        return reworded("cohere.doc_400_presence_penalty_out_of_range", words)
    return _shares(asked) or _penalties(asked) or _output_limit(asked)


def _shares(asked: Asked) -> Condition | None:
    p, k = number(asked.body.get("p")), number(asked.body.get("k"))
    if p is not None and not 0.01 <= p <= 0.99:
        words = "invalid request: p must be between 0.01 and 0.99 inclusive."
        return reworded("cohere.doc_400_temperature_out_of_range", words)
    if k is not None and not 0 <= k <= 500:
        words = "invalid request: k must be between 0 and 500 inclusive."
        return reworded("cohere.doc_400_temperature_out_of_range", words)
    return None


def _penalties(asked: Asked) -> Condition | None:
    both = number(asked.body.get("frequency_penalty")) and number(asked.body.get("presence_penalty"))
    return raised("cohere.doc_400_both_penalties_given") if both else None


def _output_limit(asked: Asked) -> Condition | None:
    given = number(asked.body.get("max_tokens"))
    most = asked.model.output if asked.model else 0
    if given is not None and given < 0:
        words = "invalid request: max_tokens must be greater than or equal to 0."
        return reworded("cohere.doc_400_temperature_out_of_range", words)
    if given is None or not most or given <= most:
        return None
    words = (
        f"too many tokens: max tokens must be less than or equal to {most}, the maximum output for this model - received "
        f"{given:g}."
    )
    return reworded("cohere.doc_400_max_tokens_above_the_model_output_limit", words)


def turns(asked: Asked) -> Condition | None:
    """Roles, the order of tool messages, and that each says something."""
    known: set[str] = set()
    for place, message in enumerate(objects(asked.body.get("messages")) if _is_chat(asked) else []):
        role = as_text(message.get("role"))
        if role.lower() not in _ROLES:
            words = f"invalid request: Invalid role in messages at index {place}. Role must be one of the following: "
            words += "user, assistant, system, tool"
            return reworded("cohere.doc_400_role_not_valid_in_chat_history", words)
        if role == "tool":
            identity = as_text(message.get("tool_call_id"))
            if not identity:
                return raised("cohere.doc_400_tool_message_without_call_id")
            if identity not in known:
                return raised("cohere.doc_400_tool_message_with_unknown_call_id")
        calls = objects(message.get("tool_calls"))
        if role == "user" and not message.get("content"):
            return raised("cohere.doc_400_empty_turn")
        identities = [as_text(call.get("id")) for call in calls]
        if len(set(identities)) < len(identities):
            return raised("cohere.doc_400_duplicate_tool_ids")
        if any(as_text(call.get("type")) not in ("", "function") for call in calls):
            return raised("cohere.doc_400_tool_call_type_is_not_function")
        known.update(identities)
    return None


def tools(asked: Asked) -> Condition | None:
    for tool in objects(asked.body.get("tools")) if _is_chat(asked) else []:
        name = as_text(as_object(tool.get("function")).get("name") or tool.get("name"))
        if name and not _NAME.fullmatch(name.replace("-", "_")):
            words = (
                "invalid request: tool names can only contain certain characters (A-Za-z0-9_) and can't begin with a digit "
                f"(provided name: '{name}')."
            )
            return reworded("cohere.doc_400_tool_name_has_invalid_characters", words)
    return None


def documents(asked: Asked) -> Condition | None:
    """Structured output together with documents, and documents of one id."""
    given = as_list(asked.body.get("documents")) if _is_chat(asked) else []
    if given and as_object(asked.body.get("response_format")).get("type") == "json_object":
        return raised("cohere.doc_400_response_format_together_with_documents")
    seen: dict[str, int] = {}
    for place, document in enumerate(objects(given)):
        identity = as_text(document.get("id"))
        if identity and identity in seen:
            words = f"invalid request: duplicate document ID {identity} at index {place} and {seen[identity]}"
            return reworded("cohere.doc_400_duplicate_document_ids", words)
        seen[identity] = place
    return None


def schema(asked: Asked) -> Condition | None:
    """Every name in a schema's `required` is one of its properties."""
    wanted = as_object(asked.body.get("response_format"))
    given = wanted.get("json_schema", wanted.get("schema"))
    if given is None or not _is_chat(asked):
        return None
    if not isinstance(given, dict) or given.get("type", "object") != "object":
        return raised("cohere.doc_400_json_schema_is_not_an_object")
    properties = as_object(given.get("properties"))
    if any(name not in properties for name in as_list(given.get("required"))):
        return raised("cohere.doc_400_required_name_absent_from_properties")
    return None


def embed(asked: Asked) -> Condition | None:
    if asked.path not in ("/v2/embed", "/v1/embed"):
        return None
    texts = as_list(asked.body.get("texts"))
    if len(texts) > _MOST_TEXTS:
        words = f"invalid request: total number of texts must be at most {_MOST_TEXTS} - received {len(texts)}"
        return reworded("cohere.doc_400_more_than_96_texts_in_one_embed_call", words)
    if any(text == "" for text in texts):
        words = f"invalid request: inputs contains an element that is the empty string at index {texts.index('')}"
        return reworded("cohere.doc_400_empty_string_in_inputs", words)
    if asked.path == "/v2/embed" and not asked.body.get("input_type"):
        return raised("cohere.doc_400_embed_model_needs_input_type")
    return None


def rerank(asked: Asked) -> Condition | None:
    if asked.path not in ("/v2/rerank", "/v1/rerank"):
        return None
    if not as_list(asked.body.get("documents")):
        return raised("cohere.doc_400_rerank_without_documents")
    if not as_text(asked.body.get("query")).strip():
        return raised("cohere.doc_400_empty_rerank_query")
    return None


def context_window(asked: Asked) -> Condition | None:
    window = asked.model.context if asked.model else 0
    if not window or not _is_chat(asked) or len(asked.call.raw.body) <= window:  # a token is a byte at least
        return None
    count = asked.prompt_tokens()
    if count <= window:
        return None
    return raised("cohere.too_many_tokens_typed", value=count - window, limit=window)


RULES: tuple[Rule, ...] = (
    authentication,
    size,
    retired,
    ranges,
    turns,
    tools,
    documents,
    schema,
    embed,
    rerank,
    context_window,
)
