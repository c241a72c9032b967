"""Anthropic's model list: GET /v1/models and /v1/models/{id}, paged by the id before or after.

Source: platform.claude.com/docs/en/api/models-list; capabilities by the SDK's type (anthropic 2.14.0).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, timedelta
from urllib.parse import parse_qs, unquote

from llm_simulator.dialects.base import all_listed
from llm_simulator.dialects.catalogue import Model, find, models
from llm_simulator.dialects.fields import Object
from llm_simulator.dialects.ids import rfc3339
from llm_simulator.dialects.thinking import habit_of
from llm_simulator.types import JSON, Call, Condition, RawRequest

PAGE, MOST = 20, 1000
_PATH = re.compile(r"/v1/models(?:/([^/]+))?/?")
_LINE = re.compile(r"haiku|sonnet|opus|fable|mythos")
_FIFTH = re.compile(r"claude-(?:opus-4-[6-9]|sonnet-4-[6-9]|[a-z]+-[5-9]|mythos-preview)")

# Which snapshot an alias is answered by, as the `model` of recorded answers; from 4.6 on a name is its own snapshot.
_SNAPSHOTS = {
    "claude-3-haiku-latest": "claude-3-haiku-20240307",
    "claude-3-opus-latest": "claude-3-opus-20240229",
    "claude-3-5-haiku-latest": "claude-3-5-haiku-20241022",
    "claude-3-5-sonnet-latest": "claude-3-5-sonnet-20241022",
    "claude-3-7-sonnet-latest": "claude-3-7-sonnet-20250219",
    "claude-sonnet-4-0": "claude-sonnet-4-20250514",
    "claude-opus-4-0": "claude-opus-4-20250514",
    "claude-opus-4-1": "claude-opus-4-1-20250805",
    "claude-opus-4-5": "claude-opus-4-5-20251101",
    "claude-sonnet-4-5": "claude-sonnet-4-5-20250929",
    "claude-haiku-4-5": "claude-haiku-4-5-20251001",
}


# When a model retires, by the SDK's own list (anthropic 2.14.0); the notice is the sixty days that Anthropic promises.
_RETIRE = {
    "claude-mythos-preview": "2026-06-30",
    "claude-opus-4-5-20251101": "2027-01-22",
    "claude-sonnet-4-5-20250929": "2026-11-30",
}
_NOTICE = timedelta(days=60)


def served(model: str) -> str:
    """The snapshot that answers to a model's name."""
    return _SNAPSHOTS.get(model, model)


def read(raw: RawRequest) -> Call | None:
    match = _PATH.fullmatch(raw.path) if raw.method == "GET" else None
    if not match:
        return None
    return Call("anthropic", "models", "models.get" if match[1] else "models.list", raw, model=unquote(match[1] or ""))


def answer(call: Call, hidden: Callable[[str], bool] = all_listed) -> JSON | Condition:
    """The list (newest first, without aliases), or the one model; a 404 for an unknown one."""
    if call.operation == "models.list":
        shown = (model for model in models("anthropic") if model.id not in _SNAPSHOTS and not hidden(model.id))
        listed = sorted(shown, key=_newest)
        return page([_spelled(model) for model in listed], parse_qs(call.raw.query))
    found = find("anthropic", served(call.model)) or find("anthropic", call.model)
    if found:
        return _spelled(found)
    return Condition("model_not_found", 404, f"model: {call.model}", type="not_found_error", retry=False)


def page(known: list[Object], query: dict[str, list[str]]) -> Object:
    """`limit` objects after `after_id` or before `before_id`; an unknown id is no bound."""
    names = [item["id"] for item in known]
    size = min(max(_number(query.get("limit", [""])[0], PAGE), 1), MOST)
    after, before = query.get("after_id", [""])[0], query.get("before_id", [""])[0]
    begin = names.index(after) + 1 if after in names else 0
    end = names.index(before) if before in names else len(names)
    shown = known[max(begin, end - size) : end] if before in names else known[begin : begin + size]
    more = begin < end - size if before in names else begin + size < len(names)
    first, last = (shown[0]["id"], shown[-1]["id"]) if shown else (None, None)
    return {"data": shown, "has_more": more, "first_id": first, "last_id": last}


def _number(text: str, default: int) -> int:
    return int(text) if text.isdecimal() else default


def _newest(model: Model) -> tuple[int, str]:
    return -model.created, model.id


def _spelled(model: Model) -> Object:
    line = _LINE.search(model.id)
    return {
        "type": "model",
        "id": model.id,
        "display_name": model.display or model.id,
        "created_at": rfc3339(model.created),
        "max_input_tokens": model.context or None,
        "max_tokens": model.output or None,
        **_lifecycle(model.id),
        "line": line[0] if line else None,
        "capabilities": _capabilities(model.id),
    }


def _lifecycle(model: str) -> Object:
    retires = _RETIRE.get(model)
    if retires is None:
        return {"lifecycle": "active", "deprecated_at": None, "retires_at": None}
    noticed = date.fromisoformat(retires) - _NOTICE
    return {"lifecycle": "deprecated", "deprecated_at": f"{noticed}T00:00:00Z", "retires_at": f"{retires}T00:00:00Z"}


def _capabilities(model: str) -> Object:
    """What the request parameters of a model may be; the newest generation thinks as it sees fit."""
    fifth, thinks = _FIFTH.match(model) is not None, habit_of(model) is not None
    edits = ("clear_thinking_20251015", "clear_tool_uses_20250919")
    levels = {level: _can(fifth) for level in ("low", "medium", "high", "xhigh", "max")}
    types = {"adaptive": fifth, "between_tools": fifth, "disabled": True, "enabled": thinks and not fifth}
    return {
        "batch": _can(True),
        "citations": _can(True),
        "code_execution": _can(thinks),
        "context_management": {
            **{edit: _can(thinks) for edit in edits},
            "compact_20260112": _can(fifth),
            **_can(thinks),
        },
        "effort": {**levels, **_can(fifth)},
        "image_input": _can(True),
        "pdf_input": _can(True),
        "server_tools": {"code_execution": _can(thinks), "web_search": _can(True), **_can(True)},
        "structured_outputs": _can(thinks),
        "thinking": {"types": {name: _can(can) for name, can in types.items()}, **_can(thinks)},
    }


def _can(supported: bool) -> Object:
    return {"supported": supported}
