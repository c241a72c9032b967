"""Files: uploaded, listed page by page, read, deleted."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from desks import desk
from multiform import answer, asked, message, reply, sent, whole
from openai.types import FileDeleted, FileObject
from strictness import unknown

from llm_simulator import dialects
from llm_simulator.dialects.base import Desk
from llm_simulator.types import JSON, Call, RawRequest, header

CONTENT = b'{"a": 1}\r\n\x00\xff'


def upload(name: str = "a.jsonl", content: bytes = CONTENT, purpose: str = "batch", path: str = "/v1/files") -> Call:
    return sent(path, [("purpose", purpose)], [("file", name, content)])


def uploaded(at: Desk, *names: str) -> list[JSON]:
    """Each with a seed of its own, as the engine gives one."""
    return [answer(upload(name), replace(at, seed=name.encode().ljust(16))) for name in names]


def test_a_files_life() -> None:
    at = desk()
    file = answer(upload(), at)
    assert list(unknown(FileObject.model_validate(file, strict=True))) == []
    assert (file["filename"], file["bytes"], file["purpose"]) == ("a.jsonl", len(CONTENT), "batch")
    assert file["expires_at"] == file["created_at"] + 30 * 86_400
    path = f"/v1/files/{file['id']}"
    assert answer(asked(path), at) == file
    assert whole(asked(f"{path}/content"), at) == CONTENT
    gone = answer(asked(path, method="DELETE"), at)
    assert list(unknown(FileDeleted.model_validate(gone, strict=True))) == []
    for target in (path, f"{path}/content"):
        refused = reply(asked(target), at)
        assert isinstance(refused.body, bytes)
        assert (refused.status, json.loads(refused.body)["error"]) == (
            404,
            {
                "message": f"No such File object: {file['id']}",
                "type": "invalid_request_error",
                "param": "id",
                "code": None,
            },
        )
    assert reply(asked(path, method="DELETE"), at).status == 404


def test_content_comes_under_its_name() -> None:
    at = desk()
    file = answer(upload('say "hi"\r\nx: y', b"hi"), at)
    found = reply(asked(f"/v1/files/{file['id']}/content"), at)
    assert header(found.headers, "content-type") == "application/octet-stream"
    disposition = header(found.headers, "content-disposition")
    assert disposition.startswith("attachment; filename=")
    assert "\n" not in disposition


def test_pages() -> None:
    at = desk()
    ids = [file["id"] for file in uploaded(at, "1", "2", "3")]
    newest = answer(asked("/v1/files?limit=2"), at)
    assert [file["id"] for file in newest["data"]] == [ids[2], ids[1]]
    assert (newest["first_id"], newest["last_id"], newest["has_more"]) == (ids[2], ids[1], True)
    rest = answer(asked(f"/v1/files?limit=2&after={ids[1]}"), at)
    assert ([file["id"] for file in rest["data"]], rest["has_more"]) == ([ids[0]], False)
    oldest = answer(asked("/v1/files?order=asc"), at)
    assert [file["id"] for file in oldest["data"]] == ids
    assert answer(asked("/v1/files?purpose=vision"), at)["data"] == []
    assert answer(asked("/v1/files?after=file-unknown&limit=x"), at)["data"] == []


def test_an_expiry_of_ones_own() -> None:
    fields = [("purpose", "user_data"), ("expires_after[anchor]", "created_at"), ("expires_after[seconds]", "3600")]
    file = answer(sent("/v1/files", fields, [("file", "a.pdf", b"x")]), desk())
    assert file["expires_at"] == file["created_at"] + 3600
    assert "expires_at" not in answer(upload(purpose="vision"), desk())


@pytest.mark.parametrize(
    ("call", "status", "words"),
    [
        (sent("/v1/files", [("purpose", "batch")]), 400, "Missing required parameter: 'file'."),
        (sent("/v1/files", [], [("file", "a", b"")]), 400, "Missing required parameter: 'purpose'."),
        (sent("/v1/files", [("purpose", "batch"), ("file", "x")]), 400, "Invalid type for 'file'"),
        (upload(purpose="fun"), 400, "Invalid value: 'fun'. Supported values are: 'assistants', 'batch', "),
        (asked("/v1/files", {"purpose": "batch"}), 400, "Missing required parameter: 'file'."),
        (asked("/v1/files", method="PATCH"), 405, "Not allowed to PATCH on /v1/files."),
        (asked("/v1/files/file-1/content", method="DELETE"), 405, "Not allowed to DELETE"),
    ],
)
def test_what_is_refused(call: Call, status: int, words: str) -> None:
    found, text = message(call)
    assert (found, text[: len(words)]) == (status, words)


def test_a_form_without_an_end() -> None:
    raw = upload().raw
    call = dialects.read(replace(raw, body=raw.body[:-8]))
    assert call.problem == "the body does not end with the boundary that its content-type names"
    assert message(call)[0] == 400
    assert "not multipart/form-data" in dialects.read(RawRequest("POST", "/v1/files", "api.openai.com")).problem


def test_the_content_of_a_file_is_not_in_the_body() -> None:
    call = upload()
    assert call.body == {
        "purpose": "batch",
        "file": {"filename": "a.jsonl", "content_type": "", "bytes": len(CONTENT)},
    }


@pytest.mark.parametrize(
    ("host", "path", "provider"),
    [
        ("api.openai.com", "/v1/files", "openai"),
        ("api.openai.com", "//v1/files/", "openai"),
        ("r.openai.azure.com", "/openai/files", "azure"),
        ("r.openai.azure.com", "/openai/v1/files", "azure"),
        ("api.groq.com", "/openai/v1/files", "groq"),
        ("", "/openai/files", "azure"),
        ("", "/v1/files", "openai"),
    ],
)
def test_whose_files_they_are(host: str, path: str, provider: str) -> None:
    call = asked(path, host=host)
    assert (call.provider, call.family, call.operation) == (provider, "openai.files", "files.list")


@pytest.mark.parametrize(
    ("host", "path", "headers"),
    [
        ("api.anthropic.com", "/v1/files", ()),
        ("", "/v1/files", (("anthropic-version", "2023-06-01"),)),
        ("generativelanguage.googleapis.com", "/v1beta/files", ()),
        ("", "/v1/files", (("x-goog-api-key", "k"),)),
        ("api.mistral.ai", "/v1/files", ()),
        ("api.together.xyz", "/v1/files", ()),
        ("api.openai.com", "/v1/vector_stores/vs_1/files", ()),
        ("api.openai.com", "/v1/containers/c/files/f", ()),
    ],
)
def test_other_files(host: str, path: str, headers: tuple[tuple[str, str], ...]) -> None:
    assert dialects.read(RawRequest("GET", path, host, headers=headers)).family != "openai.files"


def test_files_show_no_rate_limits_and_end_in_a_line() -> None:
    found = reply(asked("/v1/files"), desk())
    assert not any(name.startswith("x-ratelimit") for name, _ in found.headers)
    assert isinstance(found.body, bytes)
    assert found.body.endswith(b"\n}\n")
