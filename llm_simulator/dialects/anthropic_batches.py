"""Anthropic's Message Batches: create, list, get, results as JSON lines, cancel, delete.

A batch lives as long as its session. It is in progress when it is first looked at and has ended at the second look; then
each of its requests has been answered as the Messages API would have.
Source: platform.claude.com/docs/en/api/messages/batches.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from typing import Any
from urllib.parse import parse_qs

from llm_simulator.dialects import pieces
from llm_simulator.dialects.anthropic_messages import DIALECT as MESSAGES
from llm_simulator.dialects.anthropic_messages import betas, headers_of
from llm_simulator.dialects.anthropic_models import page
from llm_simulator.dialects.base import Desk, Plain, Route, Shelf
from llm_simulator.dialects.fields import Object, as_list, as_object, as_text, dump, load
from llm_simulator.dialects.ids import code, digest, rfc3339
from llm_simulator.dialects.pieces import Work
from llm_simulator.dialects.reading import json_object
from llm_simulator.dialects.routes_anthropic import ANTHROPIC_BATCHES
from llm_simulator.dialects.structure import Fault, Rule, fault_in, first
from llm_simulator.types import JSON, Call, Condition, Headers, RawRequest, Reply

KIND = "anthropic.batches"
DAY = 86_400
MOST = 100_000
"""The most requests of a batch."""

_PATH = re.compile(r"/v1/messages/batches(?:/([^/]+)(?:/(results|cancel))?)?/?")
_OPERATIONS = {
    ("POST", "create"): "batches.create",
    ("GET", "create"): "batches.list",
    ("GET", "get"): "batches.get",
    ("DELETE", "get"): "batches.delete",
    ("GET", "results"): "batches.results",
    ("POST", "cancel"): "batches.cancel",
}
_REQUEST = (Rule("custom_id", "string", required=True), Rule("params", "object", required=True))
_PASSED_ON = ("authorization", "x-api-key", "anthropic-version", "anthropic-beta", "anthropic-workspace-id")
_LINES_SPELLED = 200  # between two pauses


class AnthropicBatches(Plain):
    """Everything under /v1/messages/batches."""

    name = "anthropic_batches"
    provider = "anthropic"
    api_version = "2023-06-01"
    features: frozenset[str] = frozenset(("batches",))
    simulates: frozenset[str] = frozenset(_OPERATIONS.values())
    stateful: frozenset[str] = frozenset(_OPERATIONS.values())
    routes: tuple[Route, ...] = ANTHROPIC_BATCHES

    def read(self, raw: RawRequest, provider: str) -> Call | None:
        match = _PATH.fullmatch(raw.path) if provider == self.provider else None
        if not match:
            return None
        kind = match[2] or ("get" if match[1] else "create")
        operation = _OPERATIONS.get((raw.method, kind), "unknown")
        body, problem = json_object(raw) if operation == "batches.create" else (None, "")
        semantic = betas(raw.headers)
        return Call(provider, "anthropic.batches", operation, raw, body=body, problem=problem, semantic=semantic)

    def check(self, call: Call) -> Condition | None:
        if call.operation == "unknown":
            return Condition("method_not_allowed", 405, "Method Not Allowed", type="invalid_request_error", retry=False)
        return _check(call) if call.operation == "batches.create" else None

    def respond(self, call: Call, desk: Desk) -> Reply:
        return pieces.whole(self._worked(call, desk))

    def work(self, call: Call, desk: Desk) -> Work | None:
        return self._worked(call, desk) if call.operation in ("batches.get", "batches.results") else None

    def _worked(self, call: Call, desk: Desk) -> Work:
        found = yield from _answer(call, desk)
        if isinstance(found, Condition):
            return self.refuse(found, call)
        kind = "application/x-jsonl" if isinstance(found, bytes) else "application/json"
        return Reply(200, headers_of(desk.seed.hex(), kind), found if isinstance(found, bytes) else dump(found))

    def refuse(self, condition: Condition, call: Call) -> Reply:
        return MESSAGES.refuse(condition, call)


def _check(call: Call) -> Condition | None:
    """The first structural fault of a batch; what is wrong with one of its requests is that one's result."""
    if call.problem:
        why = call.problem.removeprefix("the body is not JSON: ")
        return _refusal("bad_json", f"The request body is not valid JSON: {why}")
    fault = first(_faults(call.body))
    if fault:
        wanted = {"string": "string", "array": "list", "object": "dictionary"}[fault.kind]
        words = "Field required" if fault.missing else f"Input should be a valid {wanted}"
        name = "missing_parameter" if fault.missing else "invalid_type"
        return _refusal(name, f"{fault.dotted}: {words}", fault.dotted)
    return _content_fault(as_list(call.body["requests"]))


def _faults(body: JSON) -> Iterator[Fault | None]:
    yield fault_in(body, (Rule("requests", "array", required=True),))
    for place, item in enumerate(as_list(as_object(body).get("requests"))):
        yield fault_in(item, _REQUEST, ("requests", place))


def _content_fault(requests: list[Any]) -> Condition | None:
    if not 0 < len(requests) <= MOST:
        words = f"List should have at least 1 item and at most {MOST} items after validation, not {len(requests)}"
        return _refusal("invalid_value", f"requests: {words}", "requests")
    names = [as_text(item["custom_id"]) for item in requests]
    if not all(0 < len(name) <= 64 for name in names):
        return _refusal("invalid_value", "requests: custom_id should have 1 to 64 characters", "requests")
    if len(set(names)) < len(names):
        return _refusal("invalid_value", "requests: custom_id must be unique for each request in the batch", "requests")
    return None


def _answer(call: Call, desk: Desk) -> Generator[None, None, JSON | bytes | Condition]:
    """A batch, a list, the lines of the results, or what is refused."""
    if call.operation == "batches.create":
        return _create(call, desk)
    if call.operation == "batches.list":
        kept = [_shown(record, desk) for _, record in reversed(desk.shelf.all(KIND))]
        return page(kept, parse_qs(call.raw.query))
    identity = _identity(call)
    record: Object | None = desk.shelf.get(KIND, identity)
    if record is None:
        return Condition("not_found", 404, f"Batch {identity} not found", type="not_found_error", retry=False)
    match call.operation:
        case "batches.get":
            return _shown((yield from _looked_at(identity, record, call, desk)), desk)
        case "batches.cancel":
            return _cancel(identity, record, desk)
        case "batches.delete":
            return _delete(identity, record, desk.shelf)
        case _:
            return (yield from _results(identity, record))


def _identity(call: Call) -> str:
    match = _PATH.fullmatch(call.raw.path)
    return match[1] if match and match[1] else ""


def _create(call: Call, desk: Desk) -> Object:
    identity = "msgbatch_01" + code(desk.seed.hex(), "batch", 22)
    record = {"id": identity, "created": desk.created, "looks": 0, "status": "in_progress", "cancelled": False}
    record |= {"requests": as_list(call.body["requests"]), "results": None}
    desk.shelf.put(KIND, identity, record)
    return _shown(record, desk)


def _looked_at(identity: str, record: Object, call: Call, desk: Desk) -> Generator[None, None, Object]:
    """The batch after one more look: the second one finds it ended, and so does the first after it was cancelled."""
    if record["status"] == "ended":
        return record
    looks = record["looks"] + 1
    record = {**record, "looks": looks}
    desk.shelf.put(KIND, identity, record)
    if looks > 1 or record["cancelled"]:
        results = yield from pieces.each(lambda item: _result(item, record, call, desk), record["requests"])
        now = desk.shelf.get(KIND, identity)
        if now is not record:  # another call has moved it on while this one worked
            return as_object(now) or record
        record |= {"status": "ended", "results": results}
        desk.shelf.put(KIND, identity, record)
    return record


def _result(item: Object, record: Object, call: Call, desk: Desk) -> Object:
    """The line of one request: what the Messages API says to it."""
    if record["cancelled"]:
        return {"custom_id": item["custom_id"], "result": {"type": "canceled"}}
    answer = as_object(load(_body(desk.run(_inner(item, call)))))
    if answer.get("type") != "message":
        return {"custom_id": item["custom_id"], "result": {"type": "errored", "error": answer}}
    answer["usage"] = {**as_object(answer.get("usage")), "service_tier": "batch"}
    return {"custom_id": item["custom_id"], "result": {"type": "succeeded", "message": answer}}


def _inner(item: Object, call: Call) -> RawRequest:
    params = {name: value for name, value in as_object(item["params"]).items() if name != "stream"}
    kept: Headers = tuple((name, value) for name, value in call.raw.headers if name.lower() in _PASSED_ON)
    headers = (("content-type", "application/json"), *kept)
    return RawRequest("POST", "/v1/messages", call.raw.host, call.raw.scheme, "", headers, dump(params))


def _body(reply: Reply) -> bytes:
    return reply.body if isinstance(reply.body, bytes) else b"".join(frame.data for frame in reply.body)


def _cancel(identity: str, record: Object, desk: Desk) -> Object | Condition:
    if record["status"] == "ended":
        return _refusal("invalid_state", f"Batch {identity} cannot be canceled because it has already ended.")
    record = {**record, "status": "canceling", "cancelled": True}
    desk.shelf.put(KIND, identity, record)
    return _shown(record, desk)


def _delete(identity: str, record: Object, shelf: Shelf) -> Object | Condition:
    if record["status"] != "ended":
        return _refusal(
            "invalid_state",
            "Message Batches can only be deleted once they've finished processing. "
            "If you'd like to delete an in-progress batch, you must first cancel it.",
        )
    shelf.remove(KIND, identity)
    return {"id": identity, "type": "message_batch_deleted"}


def _results(identity: str, record: Object) -> Generator[None, None, bytes | Condition]:
    if record["results"] is None:
        words = f"Batch {identity} has no available results: it is {record['status'].replace('_', ' ')}"
        return Condition("not_found", 404, words, type="not_found_error", retry=False)
    return b"".join((yield from pieces.each(lambda line: dump(line) + b"\n", record["results"], _LINES_SPELLED)))


def _shown(record: Object, desk: Desk) -> Object:
    """A batch as the API shows it. Times follow from its creation, not from a clock."""
    created, size, ended = record["created"], len(record["requests"]), record["status"] == "ended"
    identity = record["id"]
    done = min(created + 60 + 2 * size, created + DAY)
    results = f"{desk.base_url}/v1/messages/batches/{identity}/results"
    return {
        "id": identity,
        "type": "message_batch",
        "processing_status": record["status"],
        "request_counts": _counts(record),
        "ended_at": _time(identity, "ended", done) if ended else None,
        "created_at": _time(identity, "created", created),
        "expires_at": _time(identity, "created", created + DAY),
        "archived_at": None,
        "cancel_initiated_at": _time(identity, "cancelled", created + 30) if record["cancelled"] else None,
        "results_url": results if ended else None,
    }


def _counts(record: Object) -> Object:
    """How many requests came to which end; all are processing until the whole batch has ended."""
    kinds = [line["result"]["type"] for line in record["results"] or ()]
    ends = {kind: kinds.count(kind) for kind in ("succeeded", "errored", "canceled", "expired")}
    return {"processing": len(record["requests"]) - len(kinds), **ends}


def _time(identity: str, purpose: str, seconds: int) -> str:
    """RFC 3339 with microseconds, which are part of the id's raw material."""
    micros = int.from_bytes(digest(identity, purpose, 4), "big") % 1_000_000
    return f"{rfc3339(seconds)[:-1]}.{micros:06}Z"


def _refusal(name: str, message: str, param: str | None = None) -> Condition:
    return Condition(name, 400, message, param, type="invalid_request_error", retry=False)


DIALECT = AnthropicBatches()
