"""Anthropic's Files API: upload, list, get, content, delete. Files live as long as their session.

Source: platform.claude.com/docs/en/api/files. What a client uploaded cannot be downloaded; nothing else is kept here.
"""

from __future__ import annotations

import re
from urllib.parse import parse_qs, unquote

from llm_simulator.cassettes.multipart import Part, parts_of
from llm_simulator.dialects.anthropic_messages import DIALECT as MESSAGES
from llm_simulator.dialects.anthropic_messages import betas, headers_of
from llm_simulator.dialects.anthropic_models import page
from llm_simulator.dialects.base import Desk, Plain, Route
from llm_simulator.dialects.fields import Object, dump
from llm_simulator.dialects.ids import code, rfc3339
from llm_simulator.dialects.routes_anthropic import ANTHROPIC_FILES
from llm_simulator.types import JSON, Call, Condition, RawRequest, Reply, header

KIND = "anthropic.files"
MOST_BYTES = 524_288_000
SHORTEST, LONGEST = 3_600, 7_776_000
"""Seconds that `expires_in_seconds` may be."""

_PATH = re.compile(r"/v1/files(?:/([^/]+)(/content)?)?/?")
_OPERATIONS = {
    ("POST", 0): "files.create",
    ("GET", 0): "files.list",
    ("GET", 1): "files.get",
    ("DELETE", 1): "files.delete",
    ("GET", 2): "files.content",
}
_KINDS = {
    "pdf": "application/pdf",
    "txt": "text/plain",
    "md": "text/markdown",
    "csv": "text/csv",
    "json": "application/json",
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "webp": "image/webp",
}
_PAGED_BY_ID = "2023-06-01"  # the version whose list says first_id and last_id instead of next_page


class AnthropicFiles(Plain):
    """Everything under /v1/files."""

    name = "anthropic_files"
    provider = "anthropic"
    api_version = "2026-10-21"
    features: frozenset[str] = frozenset(("files",))
    simulates: frozenset[str] = frozenset(_OPERATIONS.values())
    stateful: frozenset[str] = frozenset(_OPERATIONS.values())
    routes: tuple[Route, ...] = ANTHROPIC_FILES

    def read(self, raw: RawRequest, provider: str) -> Call | None:
        match = _PATH.fullmatch(raw.path) if provider == self.provider else None
        if not match:
            return None
        operation = _OPERATIONS.get((raw.method, 2 if match[2] else 1 if match[1] else 0), "unknown")
        return Call(provider, "anthropic.files", operation, raw, semantic=betas(raw.headers))

    def check(self, call: Call) -> Condition | None:
        if call.operation == "unknown":
            return Condition("method_not_allowed", 405, "Method Not Allowed", type="invalid_request_error", retry=False)
        if call.operation != "files.create":
            return None
        found = _upload(call.raw)
        return found if isinstance(found, Condition) else None

    def respond(self, call: Call, desk: Desk) -> Reply:
        found = _answer(call, desk)
        if isinstance(found, Condition):
            return self.refuse(found, call)
        return Reply(200, headers_of(desk.seed.hex()), dump(found))

    def refuse(self, condition: Condition, call: Call) -> Reply:
        return MESSAGES.refuse(condition, call)


def _answer(call: Call, desk: Desk) -> JSON | Condition:
    match call.operation:
        case "files.create":
            return _create(call, desk)
        case "files.list":
            return _list(call, desk)
        case _:
            return _one(call, desk)


def _one(call: Call, desk: Desk) -> Object | Condition:
    match = _PATH.fullmatch(call.raw.path)
    identity = unquote(match[1]) if match and match[1] else ""
    record: Object | None = desk.shelf.get(KIND, identity)
    if record is None:
        return Condition("not_found", 404, f"File not found: {identity}", type="not_found_error", retry=False)
    if call.operation == "files.content":
        message, kind = "File has downloadable false.", "invalid_request_error"
        return Condition("file_not_downloadable", 400, message, None, "file_not_downloadable", kind, retry=False)
    if call.operation == "files.delete":
        desk.shelf.remove(KIND, identity)
        return {"id": identity, "type": "file_deleted"}
    return record


def _upload(raw: RawRequest) -> tuple[Part, int | None] | Condition:
    """The file of an upload and the seconds it is to be kept, or what is wrong with it."""
    try:
        parts = parts_of(header(raw.headers, "content-type"), raw.body)
    except ValueError:
        return _refusal("invalid_type", "The request body is not valid multipart/form-data")
    file = next((part for part in parts if part.name == "file"), None)
    if file is None:
        return _refusal("missing_parameter", "file: Field required", "file")
    if len(file.content) > MOST_BYTES:
        message = f"File exceeds the maximum size of {MOST_BYTES} bytes"
        return Condition("request_too_large", 413, message, "file", type="request_too_large", retry=False)
    kept = next((part.content.decode("latin-1") for part in parts if part.name == "expires_in_seconds"), "")
    if kept and not (kept.isdecimal() and SHORTEST <= int(kept) <= LONGEST):
        words = f"expires_in_seconds: Input should be a whole number from {SHORTEST} to {LONGEST}"
        return _refusal("invalid_value", words, "expires_in_seconds")
    return file, int(kept) if kept else None


def _create(call: Call, desk: Desk) -> Object | Condition:
    found = _upload(call.raw)
    if isinstance(found, Condition):
        return found
    file, kept = found
    identity = "file_011C" + code(desk.seed.hex(), "file", 20)
    name, kind = _named(file)
    record = {
        "type": "file",
        "id": identity,
        "size_bytes": len(file.content),
        "created_at": rfc3339(desk.created),
        "filename": name,
        "mime_type": kind,
        "downloadable": False,
        "expires_at": rfc3339(desk.created + kept) if kept else None,
    }
    desk.shelf.put(KIND, identity, record)
    return record


def _named(file: Part) -> tuple[str, str]:
    """The file's name without a folder, and its type; each stands in for the other where it is missing."""
    name = re.split(r"[/\\]", file.filename)[-1]
    kind = file.kind.partition(";")[0] or _KINDS.get(name.rpartition(".")[2].lower(), "application/octet-stream")
    ending = next((f".{ending}" for ending, known in _KINDS.items() if known == kind), "")
    return name or f"unnamed{ending}", kind


def _list(call: Call, desk: Desk) -> Object:
    """Newest first, paged by a cursor of ours (the place in the list), or by ids where the client's version does so."""
    query = parse_qs(call.raw.query)
    wanted = query.get("ids[]") or query.get("ids")
    records = [record for _, record in reversed(desk.shelf.all(KIND)) if not wanted or record["id"] in wanted]
    if header(call.raw.headers, "anthropic-version") <= _PAGED_BY_ID:
        return page(records, query)
    size, cursor = query.get("limit", [""])[0], query.get("page", [""])[0].removeprefix("page_")
    length = min(int(size), 1000) if size.isdecimal() and int(size) else 20
    start = int(cursor) if cursor.isdecimal() else 0
    more = not wanted and start + length < len(records)
    shown = records if wanted else records[start : start + length]
    return {"data": shown, "next_page": f"page_{start + length}" if more else None}


def _refusal(name: str, message: str, param: str | None = None) -> Condition:
    return Condition(name, 400, message, param, type="invalid_request_error", retry=False)


DIALECT = AnthropicFiles()
