"""Items that a request brings: spelled as they are kept, listed in pages, gathered in conversations.

Source: OpenAI API reference (input items, conversations).
"""

from __future__ import annotations

from urllib.parse import parse_qs

from llm_simulator.dialects.base import Shelf
from llm_simulator.dialects.fields import Object, as_list, as_object, as_text, objects
from llm_simulator.dialects.openai_responses_ids import Ids
from llm_simulator.dialects.openai_words import refusal
from llm_simulator.types import Condition

CONVERSATION = "conversation"
_PAGE, _LONGEST_PAGE = 20, 100


def input_items(body: Object, response: str) -> list[Object]:
    """The input as items with ids: a text is a user's message, a message's text a content part."""
    given = body.get("input")
    listed = [{"role": "user", "content": given}] if isinstance(given, str) else objects(as_list(given))
    return [item_of(item, Ids(response, 0), place) for place, item in enumerate(listed)]


_PREFIXES = {
    "function_call": "fc",
    "function_call_output": "fco",
    "custom_tool_call": "ctc",
    "custom_tool_call_output": "ctco",
    "reasoning": "rs",
    "compaction": "cmp",
}
_SEALED = ("reasoning", "compaction")  # have no status


def item_of(item: Object, ids: Ids, place: int) -> Object:
    """An item of an input as it is kept: with an id, its text in a content part."""
    kind = as_text(item.get("type")) or "message"
    identity = as_text(item.get("id")) or ids.make(_PREFIXES.get(kind, "msg"), f"input {place}")
    if kind != "message":
        head: Object = {"id": identity, "type": kind} | ({} if kind in _SEALED else {"status": "completed"})
        return {**head, **{name: value for name, value in sorted(item.items()) if name not in head}}
    role = as_text(item.get("role"))
    content = item.get("content")
    if isinstance(content, str):
        text: Object = {"type": "input_text", "text": content}
        content = [
            {"type": "output_text", "annotations": [], "logprobs": [], "text": content} if role == "assistant" else text
        ]
    return {"id": identity, "type": "message", "status": "completed", "content": content, "role": role}


def conversation_in(body: Object) -> str:
    """The id of the conversation that a request goes on with; "" where it does not."""
    given = body.get("conversation")
    return as_text(given) or as_text(as_object(given).get("id"))


def append(identity: str, items: list[Object], shelf: Shelf) -> None:
    """Adds to a conversation, if it is there."""
    kept = shelf.get(CONVERSATION, identity)
    if kept is not None:
        shelf.put(CONVERSATION, identity, {**kept, "items": [*kept["items"], *items]})


def conversation_not_found(identity: str) -> Condition:
    return refusal("conversation_not_found", f"Conversation with id '{identity}' not found.", status=404)


def number_in(text: str) -> int | None:
    """A whole number as a query spells it."""
    return int(text) if text.isdecimal() and len(text) < 10 else None


def listed(items: list[Object], query: str) -> Object:
    """A page of items, the newest first unless `order=asc`; `limit` and `after` (an id) lead through them."""
    asked = {name: values[-1] for name, values in parse_qs(query).items()}
    ordered = items if asked.get("order") == "asc" else items[::-1]
    places = {as_text(item.get("id")): place for place, item in enumerate(ordered)}
    start = places.get(asked.get("after", ""), -1) + 1
    limit = number_in(asked.get("limit", ""))
    size = _PAGE if limit is None else min(max(limit, 1), _LONGEST_PAGE)
    shown = ordered[start : start + size]
    return {
        "object": "list",
        "data": shown,
        "first_id": shown[0]["id"] if shown else None,
        "has_more": len(ordered) > start + size,
        "last_id": shown[-1]["id"] if shown else None,
    }
