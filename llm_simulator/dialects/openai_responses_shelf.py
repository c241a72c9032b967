"""Responses that a session has stored: kept, referred to, looked at, cancelled, deleted.

A response in the background is queued when created, in progress at the first look and done at the second.
Source: OpenAI API reference (responses), guide to background mode, and error replies as quoted in public.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from hashlib import blake2b

from llm_simulator.dialects.base import Shelf
from llm_simulator.dialects.fields import Object, as_list, as_object, as_text, objects
from llm_simulator.dialects.openai_responses_inputs import (
    CONVERSATION,
    append,
    conversation_in,
    conversation_not_found,
    input_items,
    listed,
)
from llm_simulator.dialects.openai_responses_items import Item
from llm_simulator.dialects.openai_responses_write import Draft, underway
from llm_simulator.dialects.openai_words import refusal
from llm_simulator.errors import SimulatorError
from llm_simulator.types import Call, Condition

KIND = "response"
KEPT = 1000
"""The most responses that a session has stored at a time."""
_PLACES = "response place"
_LOOKS = ("in_progress", "")  # what a response in the background shows at each look; "" is what came of it


def is_kept(identity: str, call: Call, shelf: Shelf) -> bool:
    """Whether an equal call has left behind all that this one would."""
    body = as_object(call.body)
    if body.get("conversation") or body.get("background"):
        return False
    return body.get("store") is False or as_object(shelf.get(KIND, identity)).get("asked") == _asked(call)


def _asked(call: Call) -> bytes:
    """Calls of one id may differ in what is not compared, and is repeated all the same."""
    return blake2b(call.raw.body, digest_size=16).digest()


def keep(made: Draft, call: Call, shelf: Shelf) -> None:
    """Stores a response with its input's items, and the pieces of its texts where it may be streamed again."""
    body = as_object(call.body)
    asked = input_items(body, as_text(made.response.get("id")))
    if conversation := conversation_in(body):
        append(conversation, [*asked, *objects(as_list(made.response.get("output")))], shelf)
    if body.get("store") is False:
        return
    background = body.get("background") is True
    kept: Object = {
        "response": made.response,
        "asked": _asked(call),
        "input": asked,
        "previous": body.get("previous_response_id"),
        "looks": 0 if background else len(_LOOKS),
        "stream": call.stream,
        "pieces": [list(map(list, item.pieces)) for item in made.items] if background and call.stream else [],
        "hidden": [item.hidden for item in made.items],
    }
    _put(as_text(made.response.get("id")), kept, shelf)


def _put(identity: str, kept: Object, shelf: Shelf) -> None:
    """Storing is the default, so it must never fill the shelf: the oldest make room."""
    if shelf.get(KIND, identity) is None:
        _make_room(identity, shelf)
    try:
        shelf.put(KIND, identity, kept)
    except SimulatorError:  # long inputs: what is left after this is small, or there is no room for this one at all
        held = shelf.all(KIND)
        for old, _ in held[: (len(held) + 1) // 2]:
            shelf.remove(KIND, old)
        shelf.put(KIND, identity, kept)


def _make_room(identity: str, shelf: Shelf) -> None:
    """The newcomer takes the place of the one that came `KEPT` before it."""
    number = shelf.get(_PLACES, "next") or 0
    place = str(number % KEPT)
    old = shelf.get(_PLACES, place)
    if old is not None:
        shelf.remove(KIND, old)
    shelf.put(_PLACES, place, identity)
    shelf.put(_PLACES, "next", number + 1)


def expanded(call: Call, shelf: Shelf) -> Call | Condition:
    """The call with the conversation before it in its input, and with the items that it only names."""
    body = as_object(call.body)
    before = _before(body, shelf)
    if isinstance(before, Condition):
        return before
    given = body.get("input")
    own = [{"role": "user", "content": given}] if isinstance(given, str) else objects(as_list(given))
    named = {as_text(item.get("id")) for item in own if _is_reference(item)}
    if before is None and not named:
        return call
    known = _stored_items(shelf) if named else {}
    for identity in named - known.keys():
        return refusal("item_not_found", f"Item with id '{identity}' not found.", "input", status=404)
    filled = [known[as_text(item.get("id"))] if _is_reference(item) else item for item in own]
    rest = {name: value for name, value in body.items() if name not in ("previous_response_id", "conversation")}
    return replace(call, body={**rest, "input": [*(before or ()), *filled]})


def _before(body: Object, shelf: Shelf) -> list[Object] | Condition | None:
    """What was said before, as the request refers to it; None where it does not."""
    if previous := as_text(body.get("previous_response_id")):
        found = shelf.get(KIND, previous) is not None
        return list(_history(previous, shelf)) if found else previous_not_found(previous)
    if conversation := conversation_in(body):
        spoken = shelf.get(CONVERSATION, conversation)
        return objects(as_list(spoken["items"])) if spoken else conversation_not_found(conversation)
    return None


def _is_reference(item: Object) -> bool:
    return item.get("type") == "item_reference"


def _history(identity: str, shelf: Shelf) -> Iterator[Object]:
    """What was said before, oldest first, as far back as it is kept."""
    chain: list[Object] = []
    seen: set[str] = set()
    while identity not in seen and (kept := as_object(shelf.get(KIND, identity))):
        seen.add(identity)
        chain.append(kept)
        identity = as_text(kept.get("previous"))
    for kept in reversed(chain):
        yield from objects(as_list(kept.get("input")))
        yield from objects(as_list(as_object(kept.get("response")).get("output")))


def _stored_items(shelf: Shelf) -> dict[str, Object]:
    """Every item that was asked with or answered, by id."""
    found: dict[str, Object] = {}
    for _, value in shelf.all(KIND):
        kept = as_object(value)
        items = [*as_list(kept.get("input")), *as_list(as_object(kept.get("response")).get("output"))]
        found.update((as_text(item.get("id")), item) for item in objects(items))
    return found


def previous_not_found(identity: str) -> Condition:
    message = f"Previous response with id '{identity}' not found."
    return refusal("previous_response_not_found", message, "previous_response_id", "previous_response_not_found")


def not_found(identity: str) -> Condition:
    return refusal("response_not_found", f"Response with id '{identity}' not found.", status=404)


def look(identity: str, shelf: Shelf) -> Object | Condition:
    """The response as it is now; a look moves one in the background on."""
    kept = as_object(shelf.get(KIND, identity))
    if not kept:
        return not_found(identity)
    looks = kept["looks"]
    if looks < len(_LOOKS):
        shelf.put(KIND, identity, {**kept, "looks": looks + 1})
    return shown(kept, _LOOKS[looks] if looks < len(_LOOKS) else "")


def shown(kept: Object, status: str) -> Object:
    """A stored response that is still at `status`; "" is the response itself."""
    response = as_object(kept.get("response"))
    return underway(response, {}, status) if status else response


def stream_again(identity: str, shelf: Shelf) -> Draft | Condition:
    """A response that was streamed in the background, to be streamed once more."""
    kept = as_object(shelf.get(KIND, identity))
    if not kept:
        return not_found(identity)
    response = as_object(kept.get("response"))
    if not response.get("background") or not kept.get("stream"):
        missing = "background=true" if not response.get("background") else "stream=true"
        message = f"This response cannot be streamed because it was not created with {missing}."
        return refusal("not_streamable", message, "stream", "invalid_request_error")
    pieces, hidden = as_list(kept.get("pieces")), as_list(kept.get("hidden"))
    output = objects(as_list(response.get("output")))
    items = [Item(item, tuple(map(tuple, pieces[n])), hidden[n]) for n, item in enumerate(output)]
    return Draft(response, tuple(items))


def cancel(identity: str, shelf: Shelf) -> Object | Condition:
    """Ends a response in the background; one that is done stays as it is."""
    kept = as_object(shelf.get(KIND, identity))
    if not kept:
        return not_found(identity)
    if not as_object(kept.get("response")).get("background"):
        return refusal("not_cancellable", "Cannot cancel a synchronous response.")
    if kept["looks"] >= len(_LOOKS):
        return as_object(kept.get("response"))
    cancelled = shown(kept, "cancelled")
    shelf.put(KIND, identity, {**kept, "response": cancelled, "looks": len(_LOOKS), "pieces": [], "hidden": []})
    return cancelled


def delete(identity: str, shelf: Shelf) -> Object | Condition:
    if not shelf.remove(KIND, identity):
        return not_found(identity)
    return {"id": identity, "object": "response", "deleted": True}


def page(identity: str, query: str, shelf: Shelf) -> Object | Condition:
    """The items of a response's input, those of the conversation before it first."""
    kept = as_object(shelf.get(KIND, identity))
    if not kept:
        return not_found(identity)
    return listed([*_history(as_text(kept.get("previous")), shelf), *objects(as_list(kept.get("input")))], query)
