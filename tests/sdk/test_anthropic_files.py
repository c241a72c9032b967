"""Anthropic's Files API: what an upload leaves behind, and what is refused; valid to the SDK in strict form."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from anthropic.types import DeletedFile, FileMetadata
from asking import data, read
from desks import desk
from strictness import unknown

from llm_simulator.dialects.anthropic_files import DIALECT
from llm_simulator.dialects.base import Desk
from llm_simulator.types import JSON, Call


def upload(filename: str = "a.txt", kind: str = "text/plain", *, name: str = "file", more: str = "") -> bytes:
    named = f'; filename="{filename}"' if filename else ""
    typed = f"Content-Type: {kind}\r\n" if kind else ""
    return (
        f'--b\r\nContent-Disposition: form-data; name="{name}"{named}\r\n{typed}\r\nhello\r\n{more}--b--\r\n'
    ).encode()


def field(name: str, value: str) -> str:
    return f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'


def call(method: str, path: str = "", body: bytes = b"", query: str = "", version: str = "2026-10-21") -> Call:
    headers = (("content-type", "multipart/form-data; boundary=b"), ("anthropic-version", version))
    return read(DIALECT, f"/v1/files{path}", body, method, query, headers)


def answer(at: Desk, asked: Call) -> JSON:
    assert DIALECT.check(asked) is None
    return json.loads(data(DIALECT.respond(asked, at)))


def test_a_file_is_kept_and_goes() -> None:
    at = desk()
    made = answer(at, call("POST", body=upload(more=field("expires_in_seconds", "7200"))))
    assert list(unknown(FileMetadata.model_validate(made))) == []
    assert made["id"].startswith("file_011C")
    assert (made["filename"], made["mime_type"], made["size_bytes"]) == ("a.txt", "text/plain", 5)
    assert (made["created_at"], made["expires_at"]) == ("2026-01-01T00:00:00Z", "2026-01-01T02:00:00Z")
    path = f"/{made['id']}"
    assert answer(at, call("GET", path)) == made
    refused = answer(at, call("GET", f"{path}/content"))["error"]
    assert refused["details"] == {"error_code": "file_not_downloadable"}
    assert list(unknown(DeletedFile.model_validate(answer(at, call("DELETE", path))))) == []
    assert answer(at, call("GET", path))["error"]["type"] == "not_found_error"


@pytest.mark.parametrize(
    ("filename", "kind", "shown", "typed"),
    [
        ("dir/x.pdf", "", "x.pdf", "application/pdf"),
        ("", "application/pdf", "unnamed.pdf", "application/pdf"),
        ("data", "", "data", "application/octet-stream"),
        ("a.md", "text/markdown; charset=utf-8", "a.md", "text/markdown"),
    ],
)
def test_names_and_types(filename: str, kind: str, shown: str, typed: str) -> None:
    made = answer(desk(), call("POST", body=upload(filename, kind)))
    assert (made["filename"], made["mime_type"]) == (shown, typed)


def test_lists_in_both_forms() -> None:
    at = desk()
    names = [answer(replace(at, seed=bytes([n]) * 16), call("POST", body=upload()))["id"] for n in range(3)]
    first = answer(at, call("GET", query="limit=2"))
    assert [item["id"] for item in first["data"]] == names[:0:-1]
    last = answer(at, call("GET", query=f"limit=2&page={first['next_page']}"))
    assert ([item["id"] for item in last["data"]], last["next_page"]) == (names[:1], None)
    chosen = answer(at, call("GET", query=f"ids[]={names[1]}&ids[]=other"))
    assert [item["id"] for item in chosen["data"]] == [names[1]]
    classic = answer(at, call("GET", query="limit=2", version="2023-06-01"))
    assert (classic["has_more"], classic["last_id"]) == (True, names[1])


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "The request body is not valid multipart/form-data"),
        (upload(name="data"), "file: Field required"),
        (upload(more=field("expires_in_seconds", "60")), "expires_in_seconds: Input should be a whole number"),
        (upload(more=field("expires_in_seconds", "soon")), "expires_in_seconds: Input should be a whole number"),
    ],
)
def test_faults(body: bytes, message: str) -> None:
    found = DIALECT.check(call("POST", body=body))
    assert found
    assert found.status == 400
    assert found.message.startswith(message)


def test_other_methods_are_refused() -> None:
    found = DIALECT.check(call("PUT"))
    assert found
    assert found.status == 405
