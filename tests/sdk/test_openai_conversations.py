"""Conversations: made, changed, added to, read in pages and forgotten; and responses that go on with one."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from desks import desk
from openai.types.conversations import Conversation, ConversationDeletedResource

from llm_simulator import dialects
from llm_simulator.dialects.base import Desk
from llm_simulator.types import JSON, Call, Choice, Completion, Condition, Finish, RawRequest, Text, Usage

HOST = "api.openai.com"


def calling(method: str, path: str = "", body: JSON = None, query: str = "") -> Call:
    data = b"" if body is None else json.dumps(body).encode()
    return dialects.read(RawRequest(method, f"/v1/conversations{path}", HOST, query=query, body=data))


def answer(call: Call, at: Desk) -> tuple[int, JSON]:
    dialect = dialects.of(call)
    assert dialect.check(call) is None
    reply = dialect.respond(call, at)
    assert isinstance(reply.body, bytes)
    return reply.status, json.loads(reply.body)


def made(at: Desk, **fields: JSON) -> str:
    return str(answer(calling("POST", body=fields), at)[1]["id"])


@pytest.mark.parametrize(
    ("method", "path", "operation"),
    [
        ("POST", "", "conversations.create"),
        ("GET", "/conv_1", "conversations.retrieve"),
        ("POST", "/conv_1", "conversations.update"),
        ("DELETE", "/conv_1", "conversations.delete"),
        ("POST", "/conv_1/items", "conversations.items.create"),
        ("GET", "/conv_1/items", "conversations.items.list"),
        ("GET", "/conv_1/items/msg_1", "conversations.items.retrieve"),
        ("DELETE", "/conv_1/items/msg_1", "conversations.items.delete"),
        ("GET", "", "unknown"),
        ("PUT", "/conv_1", "unknown"),
    ],
)
def test_read(method: str, path: str, operation: str) -> None:
    call = calling(method, path)
    assert (call.family, call.operation) == ("openai.conversations", operation)


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "param"),
    [
        ("GET", "", None, 405, None),
        ("POST", "", {"metadata": 7}, 400, "metadata"),
        ("POST", "", {"items": "none"}, 400, "items"),
        ("POST", "/conv_1/items", {}, 400, "items"),
        ("POST", "/conv_1/items", {"items": [{"role": "user"}]}, 400, "items[0].content"),
        ("POST", "/conv_1", None, 400, None),
        ("POST", "", [None, None], 400, None),
    ],
)
def test_broken_requests(method: str, path: str, body: JSON, status: int, param: str | None) -> None:
    call = calling(method, path, body)
    found = dialects.of(call).check(call)
    assert found is not None
    assert (found.status, found.param) == (status, param)


def test_from_beginning_to_end() -> None:
    at = desk()
    _, created = answer(calling("POST", body={"metadata": {"topic": "demo"}}), at)
    Conversation.model_validate(created)
    identity = created["id"]
    assert identity.startswith("conv_")
    assert answer(calling("GET", f"/{identity}"), at) == (200, created)
    _, changed = answer(calling("POST", f"/{identity}", {"metadata": {"topic": "other"}}), at)
    assert changed == {**created, "metadata": {"topic": "other"}}
    _, gone = answer(calling("DELETE", f"/{identity}"), at)
    ConversationDeletedResource.model_validate(gone)
    status, refused = answer(calling("GET", f"/{identity}"), at)
    assert (status, refused["error"]["message"]) == (404, f"Conversation with id '{identity}' not found.")


def test_a_body_may_be_missing() -> None:
    assert answer(calling("POST"), desk())[1]["metadata"] == {}


def test_items() -> None:
    at = desk()
    identity = made(at, items=[{"role": "user", "content": "One"}])
    later = replace(at, seed=b"x" * 16)
    _, added = answer(
        calling(
            "POST", f"/{identity}/items", {"items": [{"role": "user", "content": text} for text in ("Two", "Three")]}
        ),
        later,
    )
    assert [item["content"][0]["text"] for item in added["data"]] == ["Two", "Three"]
    _, page = answer(calling("GET", f"/{identity}/items", query="order=asc&limit=2"), at)
    assert [item["content"][0]["text"] for item in page["data"]] == ["One", "Two"]
    assert page["has_more"] is True
    _, rest = answer(calling("GET", f"/{identity}/items", query=f"order=asc&after={page['last_id']}"), at)
    assert [item["content"][0]["text"] for item in rest["data"]] == ["Three"]
    one = page["data"][0]
    assert answer(calling("GET", f"/{identity}/items/{one['id']}"), at) == (200, one)
    assert answer(calling("DELETE", f"/{identity}/items/{one['id']}"), at)[1]["id"] == identity
    assert answer(calling("GET", f"/{identity}/items/{one['id']}"), at)[0] == 404
    assert len(answer(calling("GET", f"/{identity}/items"), at)[1]["data"]) == 2


@pytest.mark.parametrize("spelled", [True, False])
def test_a_response_goes_on_with_it(spelled: bool) -> None:
    at = desk()
    identity = made(at, items=[{"role": "user", "content": "One"}])
    body = {
        "model": "gpt-4o",
        "input": "Two",
        "conversation": {"id": identity} if spelled else identity,
        "store": False,
    }
    call = dialects.read(RawRequest("POST", "/v1/responses", HOST, body=json.dumps(body).encode()))
    dialect = dialects.of(call)
    filled = dialect.recall(call, at.shelf)
    assert isinstance(filled, Call)
    assert [turn.text for turn in dialect.ask(filled).turns] == ["One", "Two"]
    choice = Choice((Text(("Three",)),), Finish.STOP)
    dialect.retain(call, Completion("1" * 32, 1_780_000_000, "gpt-4o", (choice,), Usage(1, 1)), at.shelf)
    _, page = answer(calling("GET", f"/{identity}/items", query="order=asc"), at)
    assert [item["content"][0]["text"] for item in page["data"]] == ["One", "Two", "Three"]


def test_an_unknown_one_is_refused() -> None:
    body = {"model": "gpt-4o", "input": "Two", "conversation": "conv_none"}
    call = dialects.read(RawRequest("POST", "/v1/responses", HOST, body=json.dumps(body).encode()))
    found = dialects.of(call).recall(call, desk().shelf)
    assert isinstance(found, Condition)
    assert (found.status, found.message) == (404, "Conversation with id 'conv_none' not found.")


def test_azure_has_them_too() -> None:
    call = dialects.read(RawRequest("POST", "/openai/v1/conversations", "x.openai.azure.com"))
    assert (call.provider, call.operation) == ("azure", "conversations.create")
    reply = dialects.of(call).respond(call, desk())
    assert "apim-request-id" in dict(reply.headers)
