"""Message Batches: their life, their results, what is refused; every answer valid to the SDK in strict form."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from anthropic.types.messages import DeletedMessageBatch, MessageBatch
from asking import data
from desks import desk
from strictness import unknown

from llm_simulator.dialects.anthropic_batches import DIALECT
from llm_simulator.dialects.base import Desk
from llm_simulator.types import JSON, Call, Condition, RawRequest, Reply, header

PARAMS = {"model": "claude-haiku-4-5", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
MESSAGE = {"type": "message", "id": "msg_01", "usage": {"input_tokens": 1, "service_tier": "standard"}}
ERROR = {"type": "error", "error": {"type": "not_found_error", "message": "model: x"}}


def call(method: str, path: str = "", body: JSON = None, query: str = "") -> Call:
    sent = json.dumps(body).encode() if body is not None else b""
    headers = (("authorization", "Bearer k"), ("anthropic-version", "2026-10-21"), ("user-agent", "x"))
    raw = RawRequest(method, f"/v1/messages/batches{path}", "api.anthropic.com", "https", query, headers, sent)
    found = DIALECT.read(raw, "anthropic")
    assert found
    return found


def answer(at: Desk, method: str, path: str = "", body: JSON = None, query: str = "") -> JSON:
    asked = call(method, path, body, query)
    assert DIALECT.check(asked) is None
    reply = DIALECT.respond(asked, at)
    if header(reply.headers, "content-type") == "application/x-jsonl":
        return [json.loads(line) for line in data(reply).splitlines()]
    return json.loads(data(reply))


def place(seen: list[RawRequest] | None = None) -> Desk:
    """A desk whose inner requests are answered: a message, or an error for an unknown model."""

    def run(raw: RawRequest) -> Reply:
        if seen is not None:
            seen.append(raw)
        made = ERROR if json.loads(raw.body)["model"] == "x" else MESSAGE
        return Reply(200, (), json.dumps(made).encode())

    return replace(desk(), run=run)


def requests(*models: str) -> JSON:
    return {
        "requests": [{"custom_id": f"r{n}", "params": {**PARAMS, "model": model}} for n, model in enumerate(models)]
    }


def test_a_batch_lives_and_ends() -> None:
    seen: list[RawRequest] = []
    at = place(seen)
    made = answer(at, "POST", "", requests("claude-haiku-4-5", "x"))
    assert made["id"].startswith("msgbatch_01")
    assert len(made["id"]) == len("msgbatch_") + 24
    assert (made["processing_status"], made["results_url"], made["ended_at"]) == ("in_progress", None, None)
    assert made["request_counts"] == {"processing": 2, "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0}
    path = f"/{made['id']}"
    assert answer(at, "GET", path) == made
    assert seen == []
    ended = answer(at, "GET", path)
    assert ended["processing_status"] == "ended"
    assert ended["request_counts"] == {"processing": 0, "succeeded": 1, "errored": 1, "canceled": 0, "expired": 0}
    assert ended["results_url"] == f"http://127.0.0.1:8080/v1/messages/batches/{made['id']}/results"
    assert answer(at, "GET", path) == ended
    assert [raw.path for raw in seen] == ["/v1/messages"] * 2
    assert header(seen[0].headers, "authorization") == "Bearer k"
    first, second = answer(at, "GET", f"{path}/results")
    assert first == {
        "custom_id": "r0",
        "result": {
            "type": "succeeded",
            "message": {**MESSAGE, "usage": {"input_tokens": 1, "service_tier": "batch"}},
        },
    }
    assert second == {"custom_id": "r1", "result": {"type": "errored", "error": ERROR}}
    for shown in (made, ended):
        assert list(unknown(MessageBatch.model_validate(shown))) == []


def test_a_cancelled_batch_answers_nothing() -> None:
    at = place()
    made = answer(at, "POST", "", requests("m", "m"))
    path = f"/{made['id']}"
    cancelled = answer(at, "POST", f"{path}/cancel")
    assert cancelled["processing_status"] == "canceling"
    assert cancelled["cancel_initiated_at"] > made["created_at"]
    assert answer(at, "GET", path)["request_counts"]["canceled"] == 2
    assert {line["result"]["type"] for line in answer(at, "GET", f"{path}/results")} == {"canceled"}
    assert answer(at, "POST", f"{path}/cancel")["error"]["type"] == "invalid_request_error"


def test_deletion_waits_for_the_end() -> None:
    at = place()
    path = f"/{answer(at, 'POST', '', requests('m'))['id']}"
    assert "in-progress" in answer(at, "DELETE", path)["error"]["message"]
    answer(at, "GET", path)
    answer(at, "GET", path)
    gone = answer(at, "DELETE", path)
    assert list(unknown(DeletedMessageBatch.model_validate(gone))) == []
    assert answer(at, "GET", path)["error"]["type"] == "not_found_error"


def test_results_are_not_there_before_the_end() -> None:
    at = place()
    path = f"/{answer(at, 'POST', '', requests('m'))['id']}"
    assert answer(at, "GET", f"{path}/results")["error"]["type"] == "not_found_error"


def test_a_list_is_paged_newest_first() -> None:
    at = place()
    names = [answer(replace(at, seed=bytes([n]) * 16), "POST", "", requests("m"))["id"] for n in range(3)]
    shown = answer(at, "GET", query="limit=2")
    assert [item["id"] for item in shown["data"]] == names[:0:-1]
    assert (shown["has_more"], shown["first_id"], shown["last_id"]) == (True, names[2], names[1])
    assert [item["id"] for item in answer(at, "GET", query=f"after_id={names[1]}")["data"]] == names[:1]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "requests: Field required"),
        ({"requests": {}}, "requests: Input should be a valid list"),
        ({"requests": []}, "requests: List should have at least 1 item"),
        ({"requests": [{"params": {}}]}, "requests.0.custom_id: Field required"),
        ({"requests": [{"custom_id": "a", "params": []}]}, "requests.0.params: Input should be a valid dictionary"),
        ({"requests": [{"custom_id": "", "params": {}}]}, "requests: custom_id should have 1 to 64 characters"),
        ({"requests": [{"custom_id": "a", "params": {}}] * 2}, "requests: custom_id must be unique"),
    ],
)
def test_faults(body: JSON, message: str) -> None:
    found = DIALECT.check(call("POST", "", body))
    assert found
    assert found.status == 400
    assert found.message.startswith(message)


@pytest.mark.parametrize(("method", "path"), [("PUT", ""), ("PATCH", "/b"), ("DELETE", "/b/results")])
def test_other_methods_are_refused(method: str, path: str) -> None:
    found = DIALECT.check(call(method, path))
    assert isinstance(found, Condition)
    assert found.status == 405


def test_other_paths_are_not_ours() -> None:
    assert DIALECT.read(RawRequest("POST", "/v1/messages"), "anthropic") is None
    assert DIALECT.read(RawRequest("POST", "/v1/messages/batches"), "openai") is None
