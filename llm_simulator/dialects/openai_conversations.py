"""OpenAI's conversations: items that outlive a response, and that responses go on from and add to.

Source: OpenAI API reference (conversations); the SDKs' types.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

from llm_simulator.dialects import azure_chat, jsonstyle, openai_chat, openai_headers
from llm_simulator.dialects.base import Desk, Plain, Route, Shelf
from llm_simulator.dialects.fields import Object, as_list, as_object, objects
from llm_simulator.dialects.openai_responses_check import item_faults
from llm_simulator.dialects.openai_responses_ids import Ids
from llm_simulator.dialects.openai_responses_inputs import (
    CONVERSATION,
    append,
    conversation_not_found,
    item_of,
    listed,
)
from llm_simulator.dialects.openai_words import BAD_JSON, method_not_allowed, refusal, worded
from llm_simulator.dialects.reading import json_object, kind, maybe_json, semantic
from llm_simulator.dialects.routes_openai import AZURE_CONVERSATIONS, OPENAI_CONVERSATIONS
from llm_simulator.dialects.structure import Rule, fault_in, first
from llm_simulator.types import Call, Condition, Headers, RawRequest, Reply

FAMILY = "openai.conversations"
_PATH = re.compile(
    r"(?:|.*/v\d\w*|.*/openai)/conversations(?:/(?P<id>[^/]+)(?:/(?P<items>items)(?:/(?P<item>[^/]+))?)?)?/?"
)
_OPERATIONS = {  # by method, and by which of id, items and item the path has
    ("POST", False, False, False): "conversations.create",
    ("GET", True, False, False): "conversations.retrieve",
    ("POST", True, False, False): "conversations.update",
    ("DELETE", True, False, False): "conversations.delete",
    ("POST", True, True, False): "conversations.items.create",
    ("GET", True, True, False): "conversations.items.list",
    ("GET", True, True, True): "conversations.items.retrieve",
    ("DELETE", True, True, True): "conversations.items.delete",
}
_NEED_BODY = ("conversations.update", "conversations.items.create")
_ALL = frozenset(_OPERATIONS.values())


class OpenAIConversations(Plain):
    """.../conversations and what lies below it."""

    name = "openai_conversations"
    provider = "openai"
    api_version = "v1"
    features: frozenset[str] = frozenset(("stored",))
    simulates: frozenset[str] = _ALL
    stateful: frozenset[str] = _ALL
    routes: tuple[Route, ...] = OPENAI_CONVERSATIONS

    def read(self, raw: RawRequest, provider: str) -> Call | None:
        match = _PATH.fullmatch(raw.path)
        if match is None:
            return None
        parts = (match["id"] is not None, match["items"] is not None, match["item"] is not None)
        operation = _OPERATIONS.get((raw.method, *parts), "unknown")
        body, problem = json_object(raw) if operation in _NEED_BODY else maybe_json(raw)
        beta = semantic(raw.headers, ("openai-beta",))
        return Call(provider, FAMILY, operation, raw, body=body, problem=problem, semantic=beta)

    def check(self, call: Call) -> Condition | None:
        if call.operation == "unknown":
            return method_not_allowed(call)
        if call.problem:
            return refusal("bad_json", BAD_JSON, extra={"problem": call.problem})
        if call.body is None:
            return None
        if not isinstance(call.body, dict):
            return refusal("bad_json", BAD_JSON, extra={"problem": f"the body is {kind(call.body)}, not a JSON object"})
        needed = call.operation == "conversations.items.create"
        rules = (Rule("metadata", "object"), Rule("items", "array", required=needed))
        items = enumerate(as_list(as_object(call.body).get("items")))
        brought = (fault for place, item in items for fault in item_faults(item, ("items", place)))
        fault = fault_in(call.body, rules) or first(brought)
        return worded(fault) if fault else None

    def respond(self, call: Call, desk: Desk) -> Reply:
        found = _answer(call, desk)
        if isinstance(found, Condition):
            return self.refuse(found, call)
        headers = (*openai_headers.JSON_TYPE, *self.headers(desk.seed.hex()))
        return Reply(200, headers, jsonstyle.indented_ascii(found))

    def headers(self, seed: str) -> Headers:
        """The usual headers of a success, without the content-type."""
        return (*openai_headers.own(seed), *openai_headers.edge(seed))

    def refuse(self, condition: Condition, call: Call) -> Reply:
        return openai_chat.DIALECT.refuse(condition, call)


class AzureConversations(OpenAIConversations):
    """/openai/v1/conversations."""

    name = "azure_conversations"
    provider = "azure"
    routes: tuple[Route, ...] = AZURE_CONVERSATIONS

    def headers(self, seed: str) -> Headers:
        return azure_chat.identity(seed)

    def refuse(self, condition: Condition, call: Call) -> Reply:
        return azure_chat.DIALECT.refuse(condition, call)


def _named(call: Call) -> tuple[str, str]:
    """The conversation and the item that the path names."""
    match = _PATH.fullmatch(call.raw.path.replace("//", "/"))
    return (unquote(match["id"] or ""), unquote(match["item"] or "")) if match else ("", "")


def _answer(call: Call, desk: Desk) -> Object | Condition:
    identity, item = _named(call)
    if call.operation == "conversations.create":
        return _created(as_object(call.body), desk)
    kept = as_object(desk.shelf.get(CONVERSATION, identity))
    if not kept:
        return conversation_not_found(identity)
    match call.operation:
        case "conversations.retrieve":
            return as_object(kept["object"])
        case "conversations.update":
            changed = {**kept["object"], "metadata": as_object(call.body).get("metadata") or {}}
            desk.shelf.put(CONVERSATION, identity, {**kept, "object": changed})
            return changed
        case "conversations.delete":
            desk.shelf.remove(CONVERSATION, identity)
            return {"id": identity, "object": "conversation.deleted", "deleted": True}
        case "conversations.items.create":
            added = _items(as_object(call.body), desk)
            append(identity, added, desk.shelf)
            return listed(added, f"order=asc&limit={len(added)}")
        case "conversations.items.list":
            return listed(objects(as_list(kept["items"])), call.raw.query)
        case _:
            return _of_one(call.operation, kept, identity, item, desk.shelf)


def _created(body: Object, desk: Desk) -> Object:
    identity = Ids(desk.seed.hex(), desk.created).make("conv", "conversation")
    made: Object = {
        "id": identity,
        "object": "conversation",
        "created_at": desk.created,
        "metadata": body.get("metadata") or {},
    }
    desk.shelf.put(CONVERSATION, identity, {"object": made, "items": _items(body, desk)})
    return made


def _items(body: Object, desk: Desk) -> list[Object]:
    ids = Ids(desk.seed.hex(), desk.created)
    return [item_of(item, ids, place) for place, item in enumerate(objects(as_list(body.get("items"))))]


def _of_one(operation: str, kept: Object, identity: str, item: str, shelf: Shelf) -> Object | Condition:
    """Looks at or takes out one item."""
    items = objects(as_list(kept["items"]))
    found = next((one for one in items if one.get("id") == item), None)
    if found is None:
        message = f"Item with id '{item}' not found in conversation with id '{identity}'."
        return refusal("item_not_found", message, status=404)
    if operation == "conversations.items.retrieve":
        return found
    shelf.put(CONVERSATION, identity, {**kept, "items": [one for one in items if one is not found]})
    return as_object(kept["object"])


DIALECT = OpenAIConversations()
AZURE = AzureConversations()
