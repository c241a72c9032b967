"""Files: uploaded, listed, read and deleted again; they stay with the session that uploaded them.

OpenAI's, Azure's, and those of hosts that speak OpenAI's format. Files are kept on the shelf under `KIND`, as the object
that the API shows and, under `CONTENT`, the bytes. Source: OpenAI API reference (files).
"""

from __future__ import annotations

import re

from llm_simulator.dialects import jsonstyle, openai_rest
from llm_simulator.dialects.azure_chat import header_text
from llm_simulator.dialects.base import Desk, Plain, Route, Shelf
from llm_simulator.dialects.fields import Object, as_object, as_text
from llm_simulator.dialects.openai_words import refusal
from llm_simulator.dialects.routes_openai import OPENAI_FILES
from llm_simulator.types import Call, Condition, RawRequest, Reply

FAMILY = "openai.files"
KIND, CONTENT = "openai.file", "openai.file.content"
PURPOSES = ("assistants", "batch", "fine-tune", "vision", "user_data", "evals")
_PATH = re.compile(openai_rest.BASE + r"/files(?:/(?P<id>[^/]+)(?P<content>/content)?)?")
_ALL = {"GET": "files.list", "POST": "files.create"}
_ONE = {"GET": "files.retrieve", "DELETE": "files.delete"}
_CONTENT = {"GET": "files.content"}
_PAGE = 10_000
_KEPT_BATCH = 30 * 86_400  # a file for a batch goes after this many seconds


class OpenAIFiles(Plain):
    """.../files, .../files/{id}, .../files/{id}/content."""

    name = "openai_files"
    provider = "openai"
    api_version = "v1"
    features: frozenset[str] = frozenset(("files",))
    simulates: frozenset[str] = frozenset((*_ALL.values(), *_ONE.values(), *_CONTENT.values()))
    stateful: frozenset[str] = simulates
    routes: tuple[Route, ...] = OPENAI_FILES

    def read(self, raw: RawRequest, provider: str) -> Call | None:
        match = _PATH.fullmatch(raw.path) if "/files" in raw.path else None
        if not match or not openai_rest.speaks_openai(provider, raw.path) or provider in openai_rest.FILES_OF_THEIR_OWN:
            return None
        operations = _CONTENT if match["content"] else _ONE if match["id"] else _ALL
        operation = operations.get(raw.method, "unknown")
        read = openai_rest.read_form if operation == "files.create" else openai_rest.read_plain
        return read(raw, provider, FAMILY, operation)

    def check(self, call: Call) -> Condition | None:
        if call.operation != "files.create":
            return openai_rest.structure(call)
        return openai_rest.structure(call) or _wrong(as_object(call.body))

    def respond(self, call: Call, desk: Desk) -> Reply:
        match call.operation:
            case "files.create":
                return _answer(call, desk, _create(call, desk))
            case "files.list":
                return _answer(call, desk, _list(call, desk.shelf))
            case _:
                return self._one(call, desk)

    def _one(self, call: Call, desk: Desk) -> Reply:
        identity = openai_rest.named(_PATH, call.raw, "id")
        file = desk.shelf.get(KIND, identity)
        if file is None:
            return self.refuse(not_found(identity), call)
        if call.operation == "files.content":
            return _content(call, desk, file)
        if call.operation == "files.delete":
            desk.shelf.remove(KIND, identity)
            desk.shelf.remove(CONTENT, identity)
            return _answer(call, desk, {"object": "file", "deleted": True, "id": identity})
        return _answer(call, desk, file)

    def refuse(self, condition: Condition, call: Call) -> Reply:
        return openai_rest.refuse(condition, call)


def not_found(identity: str) -> Condition:
    return refusal("file_not_found", f"No such File object: {identity}", "id", status=404)


def keep(shelf: Shelf, identity: str, created: int, filename: str, content: bytes, purpose: str) -> Object:
    """Puts a file on the shelf and returns its object."""
    file: Object = {
        "object": "file",
        "id": identity,
        "purpose": purpose,
        "filename": filename,
        "bytes": len(content),
        "created_at": created,
        **({"expires_at": created + _KEPT_BATCH} if purpose.startswith("batch") else {}),
        "status": "processed",
    }
    shelf.put(CONTENT, identity, content)
    shelf.put(KIND, identity, file)
    return file


def content_of(shelf: Shelf, identity: str) -> bytes | None:
    found = shelf.get(CONTENT, identity)
    return found if isinstance(found, bytes) else None


def _wrong(body: Object) -> Condition | None:
    for name in ("file", "purpose"):
        if not body.get(name):
            return refusal(
                "missing_required_parameter",
                f"Missing required parameter: '{name}'.",
                name,
                "missing_required_parameter",
            )
    if not as_object(body["file"]):
        return refusal("invalid_type", "Invalid type for 'file': expected a file, but got a string instead.", "file")
    purpose = as_text(body["purpose"])
    if purpose not in PURPOSES:
        return openai_rest.invalid_value("purpose", purpose, PURPOSES)
    return None


def _create(call: Call, desk: Desk) -> Object:
    parts, _ = openai_rest.uploads(call.raw)
    part = next(part for part in parts if part.name == "file")
    body = as_object(call.body)
    identity = openai_rest.identity("file-", desk.seed.hex(), 22)
    file = keep(desk.shelf, identity, desk.created, part.filename, part.content, as_text(body["purpose"]))
    seconds = openai_rest.whole(as_object(body.get("expires_after")).get("seconds"), 0)
    if seconds > 0:
        file = {**file, "expires_at": desk.created + seconds}
        desk.shelf.put(KIND, identity, file)
    return file


def _list(call: Call, shelf: Shelf) -> Object:
    query = as_object(call.body)
    purpose = query.get("purpose")
    files = [as_object(file) for _, file in shelf.all(KIND)]
    return openai_rest.page([file for file in files if purpose in (None, "", file["purpose"])], query, _PAGE)


def _content(call: Call, desk: Desk, file: Object) -> Reply:
    """Raw bytes, to be saved under the name that it was uploaded with."""
    headers = openai_rest.success(call, desk.seed.hex(), "application/octet-stream")
    name = header_text(as_text(file["filename"])).replace('"', "'")
    disposition = ("content-disposition", f'attachment; filename="{name}"')
    return Reply(200, (*headers, disposition), content_of(desk.shelf, file["id"]) or b"")


def _answer(call: Call, desk: Desk, body: Object) -> Reply:
    return Reply(200, openai_rest.success(call, desk.seed.hex()), jsonstyle.indented_line(body))


DIALECT = OpenAIFiles()
