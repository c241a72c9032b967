"""What a Gemini session keeps: files (uploaded in the resumable way) and cached contents. They live as long as it does.

Sources: ai.google.dev/api/files, /api/caching; recorded: a created cache.
"""

from __future__ import annotations

import hashlib
import json
import re
from base64 import b64encode, urlsafe_b64decode, urlsafe_b64encode
from urllib.parse import parse_qs

from llm_simulator.dialects.base import Desk, Plain, Route, Shelf
from llm_simulator.dialects.fields import Object, as_object, as_text, load
from llm_simulator.dialects.gemini_ask import prompt_tokens
from llm_simulator.dialects.gemini_fields import dumped, pick
from llm_simulator.dialects.gemini_generate import DIALECT as GENERATE
from llm_simulator.dialects.ids import BASE36, code, digest, rfc3339
from llm_simulator.dialects.reading import json_object
from llm_simulator.dialects.routes_gemini import GEMINI_STORED
from llm_simulator.types import JSON, Call, Condition, Headers, RawRequest, Reply, header

FILES, CACHES = "files", "cachedContents"
HOST = "https://generativelanguage.googleapis.com"
LIFETIME = 48 * 3600
"""Seconds that a file is kept."""

_PATH = re.compile(r"/(upload/)?(v1|v1alpha|v1beta)/(files|cachedContents)(?:/([^/:]+))?/?")
_SECONDS = re.compile(r"(\d+)(?:\.\d+)?s")
_OPERATIONS = {("GET", False): "list", ("GET", True): "get", ("DELETE", True): "delete", ("PATCH", True): "update"}


class GeminiStored(Plain):
    """Everything under /{version}/files, /upload/{version}/files and /{version}/cachedContents."""

    name = "gemini_stored"
    provider = "gemini"
    api_version = "v1beta"
    features: frozenset[str] = frozenset(("files",))
    simulates: frozenset[str] = frozenset(
        f"{kind}.{operation}"
        for kind, operations in (
            (FILES, ("upload", "list", "get", "delete")),
            (CACHES, ("create", "list", "get", "update", "delete")),
        )
        for operation in operations
    )
    stateful: frozenset[str] = simulates
    routes: tuple[Route, ...] = GEMINI_STORED

    def read(self, raw: RawRequest, provider: str) -> Call | None:
        match = _PATH.fullmatch(raw.path) if provider == self.provider else None
        if not match:
            return None
        operation = _operation(raw, match)
        body, problem = (
            json_object(raw) if operation in ("cachedContents.create", "cachedContents.update") else (None, "")
        )
        model = as_text(as_object(body).get("model")).removeprefix("models/")
        return Call(provider, f"gemini.{match[3]}", operation, raw, model=model, body=body, problem=problem)

    def check(self, call: Call) -> Condition | None:
        if call.operation not in self.simulates:
            return Condition("method_not_allowed", 404, "Method not found.", retry=False)
        if call.problem:
            why = call.problem.removeprefix("the body is not JSON: ")
            return _refusal("bad_json", f"Invalid JSON payload received. {why}")
        if call.operation == "cachedContents.create" and not call.model:
            missing = "* CreateCachedContentRequest.cached_content.model: model is not specified\n"
            return _refusal("missing_parameter", missing, "cached_content.model")
        return None

    def respond(self, call: Call, desk: Desk) -> Reply:
        found, more = _answer(call, desk)
        if isinstance(found, Condition):
            return self.refuse(found, call)
        if found is None:  # an upload that goes on
            return Reply(200, (("content-type", "text/plain; charset=utf-8"), *more), b"")
        return Reply(200, (*GENERATE.headers_of(desk.seed.hex()), *more), dumped(found, indent=True) + b"\n")

    def refuse(self, condition: Condition, call: Call) -> Reply:
        return GENERATE.refuse(condition, call)


def _operation(raw: RawRequest, match: re.Match[str]) -> str:
    if match[1]:
        return "files.upload" if raw.method == "POST" else "unknown"
    if raw.method == "POST" and not match[4]:
        return f"{match[3]}.create" if match[3] == CACHES else "unknown"
    return f"{match[3]}.{_OPERATIONS.get((raw.method, bool(match[4])), 'unknown')}"


def _answer(call: Call, desk: Desk) -> tuple[JSON | Condition, Headers]:
    """The body (None: an empty one) or what is refused, and the headers of an upload."""
    match call.operation:
        case "files.upload" if "upload" in header(call.raw.headers, "x-goog-upload-command"):
            return _finish(call)
        case "files.upload":
            return None, _begin(call, desk)
        case "cachedContents.create":
            return _cache(call, desk), ()
        case _:
            return _kept(call, desk.shelf), ()


def _begin(call: Call, desk: Desk) -> Headers:
    """Where to send the bytes of a file. All that is known of it is part of the address, as the bytes come without a key."""
    asked = as_object(as_object(load(call.raw.body)).get("file"))
    length = header(call.raw.headers, "x-goog-upload-header-content-length")
    kind = as_text(pick(asked, "mimeType")) or header(call.raw.headers, "x-goog-upload-header-content-type")
    name = as_text(asked.get("name")).removeprefix("files/") or code(desk.seed.hex(), "file", 12, BASE36)
    display = as_text(pick(asked, "displayName"))
    file = _file(name, display, kind, int(length) if length.isdecimal() else 0, desk.created)
    desk.shelf.put(FILES, name, file)
    address = urlsafe_b64encode(json.dumps(file).encode()).decode()
    version = call.raw.path.split("/")[2]
    url = f"{desk.base_url}/upload/{version}/files?upload_id={address}&upload_protocol=resumable"
    return (
        ("x-goog-upload-status", "active"),
        ("x-goog-upload-url", url),
        ("x-goog-upload-control-url", url),
        ("x-goog-upload-chunk-granularity", "8388608"),
    )


def _finish(call: Call) -> tuple[JSON | Condition, Headers]:
    """Takes bytes of a file; at the last ones it is there."""
    given = parse_qs(call.raw.query).get("upload_id", [""])[0]
    try:
        file = as_object(load(urlsafe_b64decode(given.encode())))
    except ValueError:  # no address of ours
        file = {}
    if not file:
        return _refusal("invalid_value", "Upload id is not valid.", "upload_id"), ()
    if "finalize" not in header(call.raw.headers, "x-goog-upload-command"):
        return None, (("x-goog-upload-status", "active"),)
    whole = header(call.raw.headers, "x-goog-upload-offset") in ("", "0")
    hashed = b64encode(hashlib.sha256(call.raw.body).hexdigest().encode()).decode()
    return {"file": {**file, **({"sha256Hash": hashed} if whole else {})}}, (("x-goog-upload-status", "final"),)


def _file(name: str, display: str, kind: str, size: int, created: int) -> Object:
    moment = _time(name, "created", created)
    return {
        "name": f"files/{name}",
        **({"displayName": display} if display else {}),
        "mimeType": kind or "application/octet-stream",
        "sizeBytes": str(size),
        "createTime": moment,
        "updateTime": moment,
        "expirationTime": _time(name, "expires", created + LIFETIME),
        "uri": f"{HOST}/v1beta/files/{name}",
        "state": "ACTIVE",
        "source": "UPLOADED",
    }


def _cache(call: Call, desk: Desk) -> Object:
    body = as_object(call.body)
    name = code(desk.seed.hex(), "cache", 20, BASE36) + code(desk.seed.hex(), "cache more", 20, BASE36)
    created = _time(name, "created", desk.created)
    display = as_text(pick(body, "displayName"))
    kept: Object = {
        "name": f"cachedContents/{name}",
        "model": as_text(body.get("model")),
        "createTime": created,
        "updateTime": created,
        "expireTime": _expiry(body, name, desk.created),
        **({"displayName": display} if display else {}),
        "usageMetadata": {"totalTokenCount": sum(count for _, count in prompt_tokens(body, call.model))},
    }
    desk.shelf.put(CACHES, name, {**kept, "created": desk.created})
    return kept


def _expiry(body: Object, name: str, created: int) -> str:
    """When a cache goes: at the time given, or after its time to live (an hour by default)."""
    given = as_text(pick(body, "expireTime"))
    match = _SECONDS.fullmatch(as_text(body.get("ttl")))
    return given or _time(name, "expires", created + (int(match[1]) if match else 3600))


def _kept(call: Call, shelf: Shelf) -> JSON | Condition:
    kind, _, operation = call.operation.partition(".")
    if operation == "list":
        shown = [_shown(record) for _, record in reversed(shelf.all(kind))]
        return _page(kind, shown, parse_qs(call.raw.query))
    match = _PATH.fullmatch(call.raw.path)
    name = match[4] if match and match[4] else ""
    record: Object | None = shelf.get(kind, name)
    if record is None:
        return _missing(kind, name)
    if operation == "delete":
        shelf.remove(kind, name)
        return {}
    if operation == "update":
        record = {**record, "expireTime": _expiry(as_object(call.body), name, record["created"])}
        shelf.put(kind, name, record)
    return _shown(record)


def _shown(record: Object) -> Object:
    return {name: value for name, value in record.items() if name != "created"}


def _page(kind: str, shown: list[Object], query: dict[str, list[str]]) -> Object:
    """`pageSize` objects after the one that the token names; nothing at all for an empty list, as protobuf prints it."""
    size, after = query.get("pageSize", [""])[0], query.get("pageToken", [""])[0]
    length = int(size) if size.isdecimal() and int(size) else len(shown)
    start = next((place for place, item in enumerate(shown, 1) if item["name"] == after), 0)
    page = shown[start : start + length]
    more = {"nextPageToken": page[-1]["name"]} if page and start + length < len(shown) else {}
    return {**({kind: page} if page else {}), **more}


def _missing(kind: str, name: str) -> Condition:
    """A file that one may not see and one that is not there are the same; so are caches."""
    if kind == FILES:
        message = f"You do not have permission to access the File {name} or it may not exist."
    else:
        message = "CachedContent not found (or permission denied)"
    return Condition("permission_denied", 403, message, retry=False)


def _time(name: str, purpose: str, seconds: int) -> str:
    """RFC 3339 with microseconds, which are part of the name's raw material."""
    micros = int.from_bytes(digest(name, purpose, 4), "big") % 1_000_000
    return f"{rfc3339(seconds)[:-1]}.{micros:06}Z"


def _refusal(name: str, message: str, param: str | None = None) -> Condition:
    return Condition(name, 400, message, param, retry=False)


DIALECT = GeminiStored()
