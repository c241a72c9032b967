"""Anthropic's model list: GET /v1/models and /v1/models/{id}, paged by the id before or after.

Source: platform.claude.com/docs/en/api/models-list.
"""

from __future__ import annotations

import re
from urllib.parse import parse_qs, unquote

from llm_simulator.dialects.catalogue import Model, find, models
from llm_simulator.dialects.fields import Object
from llm_simulator.dialects.ids import rfc3339
from llm_simulator.types import JSON, Call, Condition, RawRequest

PAGE = 20
_PATH = re.compile(r"/v1/models(?:/([^/]+))?/?")


def read(raw: RawRequest) -> Call | None:
    match = _PATH.fullmatch(raw.path) if raw.method == "GET" else None
    if not match:
        return None
    return Call("anthropic", "models", "models.get" if match[1] else "models.list", raw, model=unquote(match[1] or ""))


def answer(call: Call) -> JSON | Condition:
    """The list, or the one model; a 404 for an unknown one."""
    if call.operation == "models.list":
        return _page([_spelled(model) for model in models("anthropic")], parse_qs(call.raw.query))
    found = find("anthropic", call.model)
    if found:
        return _spelled(found)
    return Condition("model_not_found", 404, f"model: {call.model}", type="not_found_error", retry=False)


def _page(known: list[Object], query: dict[str, list[str]]) -> Object:
    """`limit` models after `after_id` or before `before_id`; an unknown id is no bound."""
    names = [model["id"] for model in known]
    size = min(max(_number(query.get("limit", [""])[0], PAGE), 1), 1000)
    after, before = query.get("after_id", [""])[0], query.get("before_id", [""])[0]
    begin = names.index(after) + 1 if after in names else 0
    end = names.index(before) if before in names else len(names)
    page = known[max(begin, end - size) : end] if before in names else known[begin : begin + size]
    more = begin < end - size if before in names else begin + size < len(names)
    first, last = (page[0]["id"], page[-1]["id"]) if page else (None, None)
    return {"data": page, "has_more": more, "first_id": first, "last_id": last}


def _number(text: str, default: int) -> int:
    return int(text) if text.isdecimal() else default


def _spelled(model: Model) -> Object:
    limits = {"max_input_tokens": model.context or None, "max_tokens": model.output or None}
    return {
        "type": "model",
        "id": model.id,
        "display_name": model.display or model.id,
        "created_at": rfc3339(model.created),
        **limits,
        "lifecycle": "active",
    }
