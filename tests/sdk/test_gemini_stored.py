"""Files, cached contents and batches of a Gemini session; valid to Google's SDK."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pytest
from desks import desk
from google.genai import types as sdk

from llm_simulator import dialects
from llm_simulator.dialects.base import Desk
from llm_simulator.types import (
    JSON,
    Call,
    Choice,
    Completion,
    Finish,
    Headers,
    RawRequest,
    Reply,
    Text,
    Usage,
    header,
)

HOST = "generativelanguage.googleapis.com"


def read(method: str, path: str, body: JSON = None, query: str = "", headers: Headers = ()) -> Call:
    data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    return dialects.read(RawRequest(method, path, HOST, "https", query, headers, data))


def reply(at: Desk, call: Call) -> Reply:
    dialect = dialects.of(call)
    assert call.family != "opaque"
    assert dialect.check(call) is None
    return dialect.respond(call, at)


def answer(at: Desk, *asked: Any, **more: Any) -> Any:
    found = reply(at, read(*asked, **more)).body
    assert isinstance(found, bytes)
    return json.loads(found)


def begin(at: Desk, name: str = "") -> Reply:
    headers = (
        ("X-Goog-Upload-Protocol", "resumable"),
        ("X-Goog-Upload-Command", "start"),
        ("X-Goog-Upload-Header-Content-Length", "5"),
        ("X-Goog-Upload-Header-Content-Type", "text/plain"),
    )
    named = {"name": f"files/{name}"} if name else {}
    return reply(at, read("POST", "/upload/v1beta/files", {"file": {"displayName": "a", **named}}, headers=headers))


def test_a_file_is_uploaded_and_kept() -> None:
    at = desk()
    begun = begin(at)
    assert begun.body == b""
    url = urlsplit(header(begun.headers, "x-goog-upload-url"))
    assert url.netloc == "127.0.0.1:8080"
    more = (("x-goog-upload-command", "upload"), ("x-goog-upload-offset", "0"))
    piece = reply(desk(), read("POST", url.path, b"he", query=url.query, headers=more))
    assert header(piece.headers, "x-goog-upload-status") == "active"
    last = (("x-goog-upload-command", "upload, finalize"), ("x-goog-upload-offset", "0"))
    done = reply(desk(), read("POST", url.path, b"hello", query=url.query, headers=last))
    assert header(done.headers, "x-goog-upload-status") == "final"
    assert isinstance(done.body, bytes)
    file = json.loads(done.body)["file"]
    sdk.File.model_validate(file)
    assert (file["mimeType"], file["sizeBytes"], file["state"]) == ("text/plain", "5", "ACTIVE")
    assert file.pop("sha256Hash")
    path = f"/v1beta/{file['name']}"
    assert answer(at, "GET", path) == file
    assert answer(at, "GET", "/v1beta/files") == {"files": [file]}
    assert answer(at, "DELETE", path) == {}
    assert answer(at, "GET", "/v1beta/files") == {}
    assert answer(at, "GET", path)["error"]["status"] == "PERMISSION_DENIED"


def test_a_file_may_be_named() -> None:
    at = desk()
    begin(at, "mine")
    assert answer(at, "GET", "/v1/files/mine")["name"] == "files/mine"


@pytest.mark.parametrize("query", ["", "upload_id=x", "upload_id=%FF"])
def test_an_unknown_upload(query: str) -> None:
    last = (("x-goog-upload-command", "upload, finalize"),)
    assert reply(desk(), read("POST", "/upload/v1beta/files", b"a", query=query, headers=last)).status == 400


CACHED = {"model": "models/gemini-2.5-flash", "displayName": "story", "contents": [{"parts": [{"text": "one two"}]}]}


def test_contents_are_cached() -> None:
    at = desk()
    made = answer(at, "POST", "/v1beta/cachedContents", {**CACHED, "ttl": "300s"})
    sdk.CachedContent.model_validate(made)
    assert list(made) == [
        "name", "model", "createTime", "updateTime", "expireTime", "displayName", "usageMetadata",
    ]  # fmt: skip
    assert len(made["name"]) == len("cachedContents/") + 40
    assert (made["createTime"][:19], made["expireTime"][:19]) == ("2026-01-01T00:00:00", "2026-01-01T00:05:00")
    path = f"/v1beta/{made['name']}"
    assert answer(at, "GET", path) == made
    longer = answer(at, "PATCH", path, {"ttl": "600s"})
    assert longer["expireTime"][:19] == "2026-01-01T00:10:00"
    assert answer(at, "PATCH", path, {"expireTime": "2030-01-01T00:00:00Z"})["expireTime"] == "2030-01-01T00:00:00Z"
    assert [item["name"] for item in answer(at, "GET", "/v1beta/cachedContents")["cachedContents"]] == [made["name"]]
    assert answer(at, "DELETE", path) == {}
    assert answer(at, "GET", path)["error"]["code"] == 403


def test_lists_are_paged() -> None:
    at = desk()
    for seed in range(3):
        answer(replace(at, seed=bytes([seed]) * 16), "POST", "/v1beta/cachedContents", CACHED)
    first = answer(at, "GET", "/v1beta/cachedContents", query="pageSize=2")
    assert len(first["cachedContents"]) == 2
    rest = answer(at, "GET", "/v1beta/cachedContents", query=f"pageSize=2&pageToken={first['nextPageToken']}")
    assert (len(rest["cachedContents"]), "nextPageToken" in rest) == (1, False)


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/v1beta/cachedContents", {}, 400),
        ("POST", "/v1beta/cachedContents", b"{", 400),
        ("PUT", "/v1beta/cachedContents/a", {}, 404),
        ("POST", "/v1beta/files", {}, 404),
        ("POST", "/v1beta/models/m:batchGenerateContent", {}, 400),
        ("POST", "/v1beta/models/m:batchGenerateContent", b"{", 400),
        ("PATCH", "/v1beta/batches/a", {}, 404),
    ],
)
def test_faults(method: str, path: str, body: JSON, status: int) -> None:
    call = read(method, path, body)
    found = dialects.of(call).check(call)
    assert found
    assert found.status == status


def place() -> Desk:
    """A desk whose inner requests are answered, but for those that ask for an error."""

    def run(raw: RawRequest) -> Reply:
        assert raw.path == "/v1beta/models/gemini-2.5-flash:generateContent"
        made: JSON = {"error": {"code": 400}} if b"bad" in raw.body else {"candidates": []}
        return Reply(200, (), json.dumps(made).encode())

    return replace(desk(), run=run)


def batch(*texts: str) -> JSON:
    requests = [{"request": {"contents": [{"parts": [{"text": text}]}]}, "metadata": {"key": text}} for text in texts]
    return {"batch": {"displayName": "two", "inputConfig": {"requests": {"requests": requests}}}}


def test_a_batch_lives_and_ends() -> None:
    at = place()
    made = answer(at, "POST", "/v1beta/models/gemini-2.5-flash:batchGenerateContent", batch("good", "bad"))
    assert made["metadata"]["state"] == "BATCH_STATE_PENDING"
    assert made["metadata"]["batchStats"] == {"requestCount": "2", "pendingRequestCount": "2"}
    path = f"/v1beta/{made['name']}"
    assert answer(at, "GET", path)["metadata"]["state"] == "BATCH_STATE_RUNNING"
    done = answer(at, "GET", path)
    assert (done["done"], done["metadata"]["state"]) == (True, "BATCH_STATE_SUCCEEDED")
    assert done["metadata"]["batchStats"] == {
        "requestCount": "2",
        "successfulRequestCount": "1",
        "failedRequestCount": "1",
    }
    assert done["response"]["inlinedResponses"]["inlinedResponses"] == [
        {"response": {"candidates": []}, "metadata": {"key": "good"}},
        {"error": {"code": 400}, "metadata": {"key": "bad"}},
    ]
    assert answer(at, "GET", path) == done
    assert answer(at, "GET", "/v1beta/batches") == {"operations": [done]}
    assert answer(at, "DELETE", path) == {}
    assert answer(at, "GET", "/v1beta/batches") == {}
    assert answer(at, "GET", path)["error"]["code"] == 404


def test_a_batch_may_be_cancelled() -> None:
    at = place()
    made = answer(at, "POST", "/v1beta/models/gemini-2.5-flash:batchGenerateContent", batch("a"))
    assert answer(at, "POST", f"/v1beta/{made['name']}:cancel") == {}
    found = answer(at, "GET", f"/v1beta/{made['name']}")
    assert (found["metadata"]["state"], "response" in found) == ("BATCH_STATE_CANCELLED", False)


def test_cached_contents_are_read_from_the_cache() -> None:
    at = desk()
    long = {**CACHED, "contents": [{"parts": [{"text": "word " * 3000}]}]}
    cache = answer(at, "POST", "/v1beta/cachedContents", long)
    kept = cache["usageMetadata"]["totalTokenCount"]
    body = {"contents": [{"parts": [{"text": "one two"}]}], "cachedContent": cache["name"]}
    call = read("POST", "/v1beta/models/gemini-2.5-flash:generateContent", body)
    dialect = dialects.of(call)
    assert call.operation in dialect.stateful & dialect.generates
    asked = dialect.recall(call, at.shelf)
    assert isinstance(asked, Call)
    prompt = dialect.ask(asked).prompt_tokens
    assert prompt == dialect.ask(call).prompt_tokens + kept
    made = Completion("ab" * 16, 0, call.model, (Choice((Text(("a",)),), Finish.STOP),), Usage(prompt, 1))
    written = dialect.write(made, call).body
    assert isinstance(written, bytes)
    usage = json.loads(written)["usageMetadata"]
    assert (usage["promptTokenCount"], usage["cachedContentTokenCount"]) == (prompt, kept)
    other = read(
        "POST", "/v1beta/models/gemini-2.5-flash:generateContent", {**body, "cachedContent": "cachedContents/x"}
    )
    unknown = dialect.recall(other, at.shelf)
    assert isinstance(unknown, Call)
    assert dialect.ask(unknown).prompt_tokens == prompt - kept


def test_a_response_id_begins_with_the_second() -> None:
    call = read("POST", "/v1/models/gemini-2.5-flash:generateContent", {"contents": [{"parts": [{"text": "a"}]}]})
    made = Completion("ab" * 16, 1_780_000_000, call.model, (Choice((Text(("a",)),), Finish.STOP),), Usage(1, 1))
    written = dialects.of(call).write(made, call).body
    assert isinstance(written, bytes)
    identity = json.loads(written)["responseId"]
    assert int.from_bytes(urlsafe_b64decode(identity + "=")[:4], "little") == 1_780_000_000
