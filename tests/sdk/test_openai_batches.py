"""Batches: each look is a step from the file of requests to the files of answers."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from desks import SEED
from multiform import answer, asked, message, reply, sent, whole
from openai.types import Batch
from strictness import unknown

from llm_simulator.dialects.base import Desk
from llm_simulator.simulator.shelf import MemoryShelf
from llm_simulator.types import JSON, RawRequest, Reply

CHAT = "/v1/chat/completions"
BODY = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}], "stream": True}
USAGE = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7, "prompt_tokens_details": {"cached_tokens": 2}}


class Engine:
    """Answers inner requests, and remembers them. A body with "fail" is refused."""

    def __init__(self) -> None:
        self.seen: list[RawRequest] = []

    def run(self, raw: RawRequest) -> Reply:
        self.seen.append(raw)
        if "fail" in json.loads(raw.body):
            return Reply(400, (), b'{"error": {"message": "no"}}')
        return Reply(200, (("x-request-id", "req_1"),), json.dumps({"id": "x", "usage": USAGE}).encode())


def desk(engine: Engine | None = None) -> Desk:
    return Desk(SEED, 1_767_225_600, MemoryShelf(), (engine or Engine()).run)


def line(place: int, body: JSON = BODY, url: str = CHAT) -> bytes:
    return json.dumps({"custom_id": f"c{place}", "method": "POST", "url": url, "body": body}).encode()


def created(at: Desk, lines: Sequence[bytes], base: str = "/v1", endpoint: str = CHAT, host: str = "") -> JSON:
    host = host or "api.openai.com"
    file = answer(sent(f"{base}/files", [("purpose", "batch")], [("file", "in.jsonl", b"\n".join(lines))], host), at)
    body = {"input_file_id": file["id"], "endpoint": endpoint, "completion_window": "24h", "metadata": {"a": "b"}}
    return answer(asked(f"{base}/batches", body, host=host), at)


def looked_at(at: Desk, batch: JSON, base: str = "/v1", host: str = "api.openai.com") -> JSON:
    found = answer(asked(f"{base}/batches/{batch['id']}", host=host), at)
    assert list(unknown(Batch.model_validate(found, strict=True))) == []
    return found


def test_the_whole_life() -> None:
    engine = Engine()
    at = desk(engine)
    batch = created(at, [line(1), b"", line(2, {**BODY, "fail": 1}), line(3)])
    assert (batch["status"], batch["request_counts"]["total"]) == ("validating", 0)
    seen = [looked_at(at, batch) for _ in range(4)]
    assert [found["status"] for found in seen] == ["in_progress", "finalizing", "completed", "completed"]
    last = seen[-1]
    assert seen[2] == last
    assert last["request_counts"] == {"total": 3, "completed": 2, "failed": 1}
    assert last["usage"]["input_tokens"] == 6
    assert last["usage"]["input_tokens_details"] == {"cached_tokens": 4}
    assert last["usage"]["total_tokens"] == 14
    assert (last["model"], last["metadata"]) == ("gpt-4o", {"a": "b"})
    times = [last[name] for name in ("created_at", "in_progress_at", "finalizing_at", "completed_at", "expires_at")]
    assert times == sorted(times)
    output = whole(asked(f"/v1/files/{last['output_file_id']}/content"), at).splitlines()
    assert [json.loads(made)["custom_id"] for made in output] == ["c1", "c3"]
    first = json.loads(output[0])
    assert list(first) == ["id", "custom_id", "response", "error"]
    assert first["response"] == {"status_code": 200, "request_id": "1", "body": {"id": "x", "usage": USAGE}}
    (failed,) = whole(asked(f"/v1/files/{last['error_file_id']}/content"), at).splitlines()
    assert json.loads(failed)["response"]["body"] == {"error": {"message": "no"}}
    assert [raw.path for raw in engine.seen] == [CHAT] * 3
    assert all("stream" not in json.loads(raw.body) for raw in engine.seen)


def test_the_steps_of_a_long_batch_are_bounded() -> None:
    at = desk()
    batch = created(at, [line(place) for place in range(250)])
    looks = [looked_at(at, batch) for _ in range(5)]
    assert [found["request_counts"]["completed"] for found in looks] == [0, 100, 200, 250, 250]
    assert [found["status"] for found in looks][2:] == ["in_progress", "finalizing", "completed"]


def test_a_very_long_batch_ends_after_about_fifty_looks() -> None:
    at = desk()
    batch, looks = created(at, [line(place) for place in range(5100)]), 0
    while batch["status"] != "completed":
        batch, looks = looked_at(at, batch), looks + 1
    assert (looks, batch["request_counts"]["completed"]) == (52, 5100)


@pytest.mark.parametrize(
    ("lines", "code", "at_line"),
    [
        ([b""], "empty_file", None),
        ([line(1), b"{"], "invalid_json_line", 2),
        ([b"[1]"], "invalid_json_line", 1),
        ([line(1), line(1)], "duplicate_custom_id", 2),
        ([line(1, url="/v1/embeddings")], "mismatched_url", 1),
        ([b'{"custom_id": "c"}'], "missing_required_parameter", 1),
    ],
)
def test_a_file_that_is_no_good(lines: list[bytes], code: str, at_line: int | None) -> None:
    at = desk()
    found = looked_at(at, created(at, lines))
    assert (found["status"], found["failed_at"]) == ("failed", found["created_at"] + 1)
    (error,) = found["errors"]["data"]
    assert (error["code"], error.get("line")) == (code, at_line)
    assert looked_at(at, found)["status"] == "failed"


def test_cancelling() -> None:
    at = desk()
    batch = created(at, [line(place) for place in range(150)])
    for _ in range(2):
        looked_at(at, batch)
    cancel = f"/v1/batches/{batch['id']}/cancel"
    assert answer(asked(cancel, method="POST"), at)["status"] == "cancelling"
    found = looked_at(at, batch)
    assert (found["status"], found["request_counts"]["completed"]) == ("cancelled", 100)
    assert len(whole(asked(f"/v1/files/{found['output_file_id']}/content"), at).splitlines()) == 100
    refused = reply(asked(cancel, method="POST"), at)
    assert isinstance(refused.body, bytes)
    assert (refused.status, b"Cannot cancel a batch with status 'cancelled'." in refused.body) == (400, True)


def test_lists_do_not_advance_anything() -> None:
    at = desk()
    batch = created(at, [line(1)])
    listed = [answer(asked("/v1/batches?limit=1"), at) for _ in range(3)][-1]
    assert listed["data"] == [batch]
    assert (listed["has_more"], listed["first_id"]) == (False, batch["id"])


@pytest.mark.parametrize(
    ("base", "host", "endpoint", "url", "path"),
    [
        ("/v1", "api.openai.com", "/v1/embeddings", "/v1/embeddings", "/v1/embeddings"),
        ("/openai", "r.openai.azure.com", CHAT, "/chat/completions", "/openai/deployments/gpt-4o/chat/completions"),
        ("/openai", "r.openai.azure.com", "/chat/completions", CHAT, "/openai/deployments/gpt-4o/chat/completions"),
        ("/openai", "r.openai.azure.com", "/v1/responses", "/v1/responses", "/openai/responses"),
        ("/openai/v1", "r.openai.azure.com", CHAT, CHAT, "/openai/v1/chat/completions"),
        ("/openai/v1", "api.groq.com", CHAT, CHAT, "/openai/v1/chat/completions"),
    ],
)
def test_where_a_line_goes(base: str, host: str, endpoint: str, url: str, path: str) -> None:
    engine = Engine()
    at = desk(engine)
    batch = created(at, [line(1, url=url)], base, endpoint, host)
    for _ in range(3):
        looked_at(at, batch, base, host)
    assert [(raw.host, raw.method, raw.path) for raw in engine.seen] == [(host, "POST", path)]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "Missing required parameter: 'input_file_id'."),
        ({"input_file_id": "f", "endpoint": CHAT}, "Missing required parameter: 'completion_window'."),
        ({"input_file_id": "f", "endpoint": "/v1/x", "completion_window": "24h"}, "Invalid value: '/v1/x'."),
        ({"input_file_id": 1, "endpoint": CHAT, "completion_window": "24h"}, "Invalid type for 'input_file_id'"),
    ],
)
def test_what_is_refused(body: JSON, words: str) -> None:
    status, text = message(asked("/v1/batches", body))
    assert (status, text[: len(words)]) == (400, words)


def test_what_is_not_there() -> None:
    at = desk()
    body = {"input_file_id": "file-x", "endpoint": CHAT, "completion_window": "24h"}
    for call, words in (
        (asked("/v1/batches", body), b"No such File object: file-x"),
        (asked("/v1/batches/batch_x"), b"No batch found with id 'batch_x'."),
        (asked("/v1/batches/batch_x/cancel", method="POST"), b"No batch found with id 'batch_x'."),
    ):
        refused = reply(call, at)
        assert isinstance(refused.body, bytes)
        assert (refused.status, words in refused.body) == (404, True)


def test_output_files_may_expire() -> None:
    at = desk()
    file = answer(sent("/v1/files", [("purpose", "batch")], [("file", "in.jsonl", line(1))]), at)
    body = {"input_file_id": file["id"], "endpoint": CHAT, "completion_window": "24h"}
    expires = {"anchor": "created_at", "seconds": 3600}
    batch = answer(asked("/v1/batches", {**body, "output_expires_after": expires}), at)
    for _ in range(3):
        batch = looked_at(at, batch)
    output = answer(asked(f"/v1/files/{batch['output_file_id']}"), at)
    assert output["expires_at"] == output["created_at"] + 3600
    assert output["purpose"] == "batch_output"


def test_anthropics_batches_are_not_ours() -> None:
    assert asked("/v1/messages/batches", host="api.anthropic.com").family != "openai.batches"
    assert asked("/v1/batches", host="api.mistral.ai").family == "opaque"
