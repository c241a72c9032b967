"""Batches: a file of requests in, answered line by line, a file of answers out. OpenAI's, Azure's and compatible hosts'.

Every retrieve is a step, so that a client that polls sees the whole life of a batch and never waits for a clock:
validating (as created) -> in_progress, or failed where the file is no good -> ... -> finalizing -> completed; a cancelled one
goes from cancelling to cancelled. Lists show batches as they are. Source: OpenAI API reference (batch).
"""

from __future__ import annotations

import json
import re
from collections.abc import Generator, Iterator, Mapping
from dataclasses import replace

from llm_simulator.dialects import jsonstyle, openai_files, openai_rest, pieces
from llm_simulator.dialects.base import Desk, Plain, Route, Shelf
from llm_simulator.dialects.fields import Object, as_count, as_object, as_text, load
from llm_simulator.dialects.ids import digest
from llm_simulator.dialects.openai_words import refusal
from llm_simulator.dialects.pieces import Work
from llm_simulator.dialects.routes_openai import OPENAI_BATCHES
from llm_simulator.dialects.structure import Rule
from llm_simulator.types import JSON, Call, Condition, RawRequest, Reply, header

FAMILY = "openai.batches"
KIND = "openai.batch"
_PATH = re.compile(openai_rest.BASE + r"/batches(?:/(?P<id>[^/]+)(?P<cancel>/cancel)?)?")
_ALL = {"GET": "batches.list", "POST": "batches.create"}
_ONE = {"GET": "batches.retrieve"}
_CANCEL = {"POST": "batches.cancel"}
_RULES = (
    Rule("input_file_id", "string", required=True),
    Rule("endpoint", "string", required=True),
    Rule("completion_window", "string", required=True),
    Rule("metadata", "object"),
    Rule("output_expires_after", "object"),
)
ENDPOINTS = (
    "/v1/responses",
    "/v1/chat/completions",
    "/v1/embeddings",
    "/v1/completions",
    "/v1/moderations",
    "/v1/images/generations",
    "/v1/images/edits",
    "/v1/videos",
)
_OF_DEPLOYMENTS = ("/chat/completions", "/embeddings", "/completions", "/images/generations", "/images/edits")
_AT_ONCE = 100  # lines that one step answers: a client that looks sees progress ...
_MOST_STEPS = 50  # ... but a long batch comes to an end, too
_LINES_READ = 200  # between two pauses
_MOST_ERRORS = 20  # that a failed batch lists
_PAGE = 100
_DAY = 86_400
_ENDED = ("completed", "failed", "expired", "cancelled")


class OpenAIBatches(Plain):
    """.../batches, .../batches/{id}, .../batches/{id}/cancel."""

    name = "openai_batches"
    provider = "openai"
    api_version = "v1"
    features: frozenset[str] = frozenset(("batches",))
    simulates: frozenset[str] = frozenset((*_ALL.values(), *_ONE.values(), *_CANCEL.values()))
    stateful: frozenset[str] = simulates
    routes: tuple[Route, ...] = OPENAI_BATCHES

    def read(self, raw: RawRequest, provider: str) -> Call | None:
        match = _PATH.fullmatch(raw.path) if "/batches" in raw.path else None
        if not match or not openai_rest.speaks_openai(provider, raw.path) or provider in openai_rest.FILES_OF_THEIR_OWN:
            return None
        operations = _CANCEL if match["cancel"] else _ONE if match["id"] else _ALL
        operation = operations.get(raw.method, "unknown")
        read = openai_rest.read_json if operation == "batches.create" else openai_rest.read_plain
        return read(raw, provider, FAMILY, operation)

    def check(self, call: Call) -> Condition | None:
        if call.operation != "batches.create":
            return openai_rest.structure(call)
        return openai_rest.structure(call, _RULES) or _unknown_endpoint(as_object(call.body)["endpoint"])

    def respond(self, call: Call, desk: Desk) -> Reply:
        return pieces.whole(self._worked(call, desk))

    def work(self, call: Call, desk: Desk) -> Work | None:
        return self._worked(call, desk) if call.operation == "batches.retrieve" else None

    def _worked(self, call: Call, desk: Desk) -> Work:
        made = yield from self._respond(call, desk)
        if isinstance(made, Condition):
            return self.refuse(made, call)
        return Reply(200, openai_rest.success(call, desk.seed.hex()), jsonstyle.indented(made))

    def _respond(self, call: Call, desk: Desk) -> Generator[None, None, Object | Condition]:
        if call.operation == "batches.create":
            return _create(call, desk)
        if call.operation == "batches.list":
            listed = [as_object(kept)["batch"] for _, kept in desk.shelf.all(KIND)]
            return openai_rest.page(listed, as_object(call.body), _PAGE)
        identity = openai_rest.named(_PATH, call.raw, "id")
        kept = as_object(desk.shelf.get(KIND, identity))
        if not kept:
            return refusal("batch_not_found", f"No batch found with id '{identity}'.", status=404)
        changed = _cancelled(kept) if call.operation == "batches.cancel" else (yield from _step(kept, call, desk))
        if isinstance(changed, Condition):
            return changed
        now = desk.shelf.get(KIND, identity)
        if now is not kept:  # another call has moved it on while this one worked
            return as_object(as_object(now).get("batch", changed["batch"]))
        desk.shelf.put(KIND, identity, changed)
        return as_object(changed["batch"])

    def refuse(self, condition: Condition, call: Call) -> Reply:
        return openai_rest.refuse(condition, call)


def _unknown_endpoint(endpoint: str) -> Condition | None:
    """Azure has them without the version as well."""
    known = endpoint in ENDPOINTS or f"/v1{endpoint}" in ENDPOINTS
    return None if known else openai_rest.invalid_value("endpoint", endpoint, ENDPOINTS)


def _create(call: Call, desk: Desk) -> Object | Condition:
    body = as_object(call.body)
    if desk.shelf.get(openai_files.KIND, body["input_file_id"]) is None:
        return openai_files.not_found(body["input_file_id"])
    batch: Object = {
        "id": "batch_" + digest(desk.seed.hex(), "batch").hex(),
        "object": "batch",
        "endpoint": body["endpoint"],
        "model": None,
        "errors": None,
        "input_file_id": body["input_file_id"],
        "completion_window": body["completion_window"],
        "status": "validating",
        "output_file_id": None,
        "error_file_id": None,
        "created_at": desk.created,
        "in_progress_at": None,
        "expires_at": desk.created + _DAY,
        "finalizing_at": None,
        "completed_at": None,
        "failed_at": None,
        "expired_at": None,
        "cancelling_at": None,
        "cancelled_at": None,
        "request_counts": {"total": 0, "completed": 0, "failed": 0},
        "metadata": body.get("metadata"),
    }
    lifetime = openai_rest.whole(as_object(body.get("output_expires_after")).get("seconds"), 0)
    desk.shelf.put(KIND, batch["id"], {"batch": batch, "done": 0, "output": b"", "errors": b"", "lifetime": lifetime})
    return batch


def _cancelled(kept: Object) -> Object | Condition:
    batch = as_object(kept["batch"])
    if batch["status"] in _ENDED or batch["status"] == "finalizing":
        return refusal("batch_not_cancellable", f"Cannot cancel a batch with status '{batch['status']}'.")
    at = batch["cancelling_at"] or (batch["in_progress_at"] or batch["created_at"]) + 1
    return {**kept, "batch": {**batch, "status": "cancelling", "cancelling_at": at}}


def _step(kept: Object, call: Call, desk: Desk) -> Generator[None, None, Object]:
    """What a batch is at the next look."""
    batch = as_object(kept["batch"])
    match batch["status"]:
        case "validating":
            return {**kept, "batch": (yield from _validated(batch, desk.shelf))}
        case "in_progress":
            return (yield from _progressed(kept, call, desk))
        case "finalizing":
            return _finished(kept, desk, "completed", "completed_at", batch["finalizing_at"] + 1)
        case "cancelling":
            return _finished(kept, desk, "cancelled", "cancelled_at", batch["cancelling_at"] + 1)
        case _:
            return kept


# Validation


def _validated(batch: Object, shelf: Shelf) -> Generator[None, None, Object]:
    lines = _lines(shelf, batch["input_file_id"])
    found = yield from pieces.each(lambda error: error, _errors(lines, batch["endpoint"]), _LINES_READ)
    errors = [error for error in found if error]
    if errors:
        at = batch["created_at"] + 1
        return {
            **batch,
            "status": "failed",
            "failed_at": at,
            "errors": {"object": "list", "data": errors[:_MOST_ERRORS]},
        }
    return {
        **batch,
        "status": "in_progress",
        "in_progress_at": batch["created_at"] + 1,
        "model": as_text(as_object(as_object(load(lines[0][1]))["body"]).get("model")) or None,
        "request_counts": {"total": len(lines), "completed": 0, "failed": 0},
    }


def _lines(shelf: Shelf, identity: str) -> list[tuple[int, bytes]]:
    """Number (from 1) and text of each line of the input that is not blank."""
    content = openai_files.content_of(shelf, identity) or b""
    return [(number, line) for number, line in enumerate(content.split(b"\n"), 1) if line and not line.isspace()]


def _errors(lines: list[tuple[int, bytes]], endpoint: str) -> Iterator[Object]:
    """What is wrong with the input file, as the batch object lists it; {} for a line that is all right."""
    if not lines:
        yield _error(
            "empty_file", "The input file is empty. Please ensure that the batch contains at least one request."
        )
    seen: set[str] = set()
    for number, text in lines:
        line = as_object(load(text))
        custom = as_text(line.get("custom_id"))
        if not line:
            yield _error("invalid_json_line", "This line is not parseable as valid JSON.", number)
            continue
        missing = next((name for name in ("custom_id", "method", "url", "body") if not line.get(name)), None)
        if missing:
            yield _error("missing_required_parameter", f"Missing required parameter: '{missing}'.", number, missing)
        elif custom in seen:
            words = f"The custom_id '{custom}' is used by another request: it must be unique within a batch."
            yield _error("duplicate_custom_id", words, number, "custom_id")
        elif as_text(line["url"]).removeprefix("/v1") != endpoint.removeprefix("/v1"):
            yield _error(
                "mismatched_url", f"The URL must be that of the batch's endpoint, '{endpoint}'.", number, "url"
            )
        else:
            yield {}
        seen.add(custom)


def _error(code: str, message: str, line: int | None = None, param: str | None = None) -> Object:
    given = {"code": code, "message": message, "param": param, "line": line}
    return {name: value for name, value in given.items() if value is not None}


# Work


def _progressed(kept: Object, call: Call, desk: Desk) -> Generator[None, None, Object]:
    """The next lines answered; the last of them makes the batch finalizing."""
    before = as_object(kept["batch"])
    lines = _lines(desk.shelf, before["input_file_id"])
    made, failed = list[bytes](), list[bytes]()
    usage = dict[str, int](kept.get("usage") or {})
    end = min(kept["done"] + max(_AT_ONCE, len(lines) // _MOST_STEPS), len(lines))
    for number, line in lines[kept["done"] : end]:
        answered = _answered(as_object(load(line)), before["id"], number, call, desk)
        _add(usage, as_object(answered["response"]["body"]).get("usage"))
        (made if answered["response"]["status_code"] < 400 else failed).append(_spelled(answered))
        yield
    counts = _counted(before["request_counts"], len(made), len(failed))
    batch: Object = {**before, "request_counts": counts}
    if end >= len(lines):
        batch = {**batch, "status": "finalizing", "finalizing_at": batch["in_progress_at"] + 1 + counts["total"]}
    output, errors = kept["output"] + b"".join(made), kept["errors"] + b"".join(failed)
    return {**kept, "batch": batch, "done": end, "output": output, "errors": errors, "usage": usage}


def _counted(before: Object, completed: int, failed: int) -> dict[str, int]:
    return {
        "total": before["total"],
        "completed": before["completed"] + completed,
        "failed": before["failed"] + failed,
    }


def _answered(line: Object, batch: str, number: int, call: Call, desk: Desk) -> Object:
    """One line of the output: the whole answer of an inner call."""
    reply = desk.run(_request(line, call))
    assert isinstance(reply.body, bytes)  # inner calls are never streamed
    seed = f"{batch} {number}"
    return {
        "id": "batch_req_" + digest(seed, "line").hex(),
        "custom_id": line["custom_id"],
        "response": {
            "status_code": reply.status,
            "request_id": header(reply.headers, "x-request-id").removeprefix("req_") or digest(seed, "request").hex(),
            "body": load(reply.body),
        },
        "error": None,
    }


def _request(line: Object, call: Call) -> RawRequest:
    """A line as the request that its client would have sent by itself."""
    body = {name: value for name, value in as_object(line["body"]).items() if name != "stream"}
    base = openai_rest.named(_PATH, call.raw, "base")
    path = as_text(line["url"]).removeprefix("/v1")
    if call.provider == "azure" and not base.endswith("/v1") and path in _OF_DEPLOYMENTS:
        base = f"{base}/deployments/{as_text(body.get('model'))}"
    kept = tuple(pair for pair in call.raw.headers if not pair[0].lower().startswith("content-"))
    headers = (*kept, ("content-type", "application/json"))
    sent = json.dumps(body, ensure_ascii=False).encode("utf-8", "surrogatepass")
    return replace(call.raw, method="POST", path=base + path, headers=headers, body=sent)


def _spelled(line: Object) -> bytes:
    return json.dumps(line, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"


def _add(usage: dict[str, int], more: JSON) -> None:
    """Sums the usage of one answer, whichever names its endpoint has for it."""
    one = as_object(more)
    prompt, answer = _either(one, "input_tokens", "prompt_tokens"), _either(one, "output_tokens", "completion_tokens")
    details = as_object(one.get("prompt_tokens_details") or one.get("input_tokens_details"))
    thought = as_object(one.get("completion_tokens_details") or one.get("output_tokens_details"))
    for name, count in (
        ("input", prompt),
        ("cached", as_count(details.get("cached_tokens"))),
        ("output", answer),
        ("reasoning", as_count(thought.get("reasoning_tokens"))),
    ):
        usage[name] = usage.get(name, 0) + count


def _either(usage: Object, name: str, other: str) -> int:
    return as_count(usage.get(name, usage.get(other)))


# The end


def _finished(kept: Object, desk: Desk, status: str, stamp: str, at: int) -> Object:
    """With the files of what was answered, and of what was refused."""
    batch = {**as_object(kept["batch"]), "status": status, stamp: at}
    for name, content in (("output", kept["output"]), ("error", kept["errors"])):
        if content:
            batch[f"{name}_file_id"] = _file(batch, name, content, at, kept["lifetime"], desk)
    if "usage" in kept:
        metadata = batch.pop("metadata")
        batch |= {"usage": _usage(kept["usage"]), "metadata": metadata}
    return {"batch": batch}


def _file(batch: Object, name: str, content: bytes, at: int, lifetime: int, desk: Desk) -> str:
    identity = openai_rest.identity("file-", f"{batch['id']} {name}", 22)
    file = openai_files.keep(desk.shelf, identity, at, f"{batch['id']}_{name}.jsonl", content, "batch_output")
    if lifetime > 0:
        desk.shelf.put(openai_files.KIND, identity, {**file, "expires_at": at + lifetime})
    return identity


def _usage(sums: Mapping[str, int]) -> Object:
    return {
        "input_tokens": sums.get("input", 0),
        "input_tokens_details": {"cached_tokens": sums.get("cached", 0)},
        "output_tokens": sums.get("output", 0),
        "output_tokens_details": {"reasoning_tokens": sums.get("reasoning", 0)},
        "total_tokens": sums.get("input", 0) + sums.get("output", 0),
    }


DIALECT = OpenAIBatches()
