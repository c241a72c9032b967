"""Gemini's batches: many requests for one model, given inline; create, list, get, cancel, delete.

A batch lives as long as its session. It is running when it is first looked at and done at the second look; then each of
its requests has been answered as generateContent would have. Source: ai.google.dev/api/batch-api.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from typing import Any
from urllib.parse import unquote

from llm_simulator.dialects import pieces
from llm_simulator.dialects.base import Desk, Plain, Route
from llm_simulator.dialects.fields import Object, as_object, as_text, dump, load, objects
from llm_simulator.dialects.gemini_fields import MARKED, dumped, filled, pick
from llm_simulator.dialects.gemini_generate import DIALECT as GENERATE
from llm_simulator.dialects.ids import BASE36, code, rfc3339
from llm_simulator.dialects.pieces import Work
from llm_simulator.dialects.reading import json_object
from llm_simulator.dialects.routes_gemini import GEMINI_BATCHES
from llm_simulator.types import Call, Condition, Headers, RawRequest, Reply

KIND = "gemini.batches"

_TYPE = "type.googleapis.com/google.ai.generativelanguage.v1main.GenerateContentBatch"
_MADE = re.compile(r"/(?:v1|v1alpha|v1beta)/models/([^/:]+):batchGenerateContent/?")
_KEPT = re.compile(r"/(?:v1|v1alpha|v1beta)/batches(?:/([^/:]+)(:cancel)?)?/?")
_OPERATIONS = {
    ("GET", 0): "batches.list",
    ("GET", 1): "batches.get",
    ("DELETE", 1): "batches.delete",
    ("POST", 2): "batches.cancel",
}
_PASSED_ON = ("authorization", "x-goog-api-key")


class GeminiBatches(Plain):
    """POST /{version}/models/{model}:batchGenerateContent and everything under /{version}/batches."""

    name = "gemini_batches"
    provider = "gemini"
    api_version = "v1beta"
    features: frozenset[str] = frozenset(("batches",))
    simulates: frozenset[str] = frozenset(("batches.create", *_OPERATIONS.values()))
    stateful: frozenset[str] = simulates
    routes: tuple[Route, ...] = GEMINI_BATCHES

    def read(self, raw: RawRequest, provider: str) -> Call | None:
        if provider != self.provider:
            return None
        made = _MADE.fullmatch(raw.path) if raw.method == "POST" else None
        if made:
            body, problem = json_object(raw)
            return Call(provider, KIND, "batches.create", raw, model=unquote(made[1]), body=body, problem=problem)
        kept = _KEPT.fullmatch(raw.path)
        if not kept:
            return None
        place = 2 if kept[2] else 1 if kept[1] else 0
        return Call(provider, KIND, _OPERATIONS.get((raw.method, place), "unknown"), raw)

    def check(self, call: Call) -> Condition | None:
        if call.operation not in self.simulates:
            return Condition("method_not_allowed", 404, "Method not found.", retry=False)
        if call.operation != "batches.create":
            return None
        if call.problem:
            why = call.problem.removeprefix("the body is not JSON: ")
            return _refusal("bad_json", f"Invalid JSON payload received. {why}")
        if not _requests(as_object(call.body)):
            missing = "* BatchGenerateContentRequest.batch.input_config: requests are not specified\n"
            return _refusal("missing_parameter", missing, "batch.input_config")
        return None

    def respond(self, call: Call, desk: Desk) -> Reply:
        return pieces.whole(self._worked(call, desk))

    def work(self, call: Call, desk: Desk) -> Work | None:
        return self._worked(call, desk) if call.operation == "batches.get" else None

    def _worked(self, call: Call, desk: Desk) -> Work:
        found = yield from _answer(call, desk)
        if isinstance(found, Condition):
            return self.refuse(found, call)
        return Reply(200, GENERATE.headers_of(desk.seed.hex()), (yield from spelled(found)) + b"\n")

    def refuse(self, condition: Condition, call: Call) -> Reply:
        return GENERATE.refuse(condition, call)


def _batch(body: Object) -> Object:
    return as_object(pick(body, "batch"))


def _requests(body: Object) -> list[Object]:
    inline = as_object(pick(as_object(pick(_batch(body), "inputConfig")), "requests"))
    return objects(pick(inline, "requests"))


def _answer(call: Call, desk: Desk) -> Generator[None, None, Object | Condition]:
    if call.operation == "batches.create":
        return _create(call, desk)
    if call.operation == "batches.list":
        shown = [_shown(record) for _, record in reversed(desk.shelf.all(KIND))]
        return {"operations": shown} if shown else {}
    match = _KEPT.fullmatch(call.raw.path)
    name = match[1] if match and match[1] else ""
    record: Object | None = desk.shelf.get(KIND, name)
    if record is None:
        return Condition("not_found", 404, "Requested entity was not found.", retry=False)
    match call.operation:
        case "batches.delete":
            desk.shelf.remove(KIND, name)
            return {}
        case "batches.cancel":
            desk.shelf.put(KIND, name, {**record, "state": "CANCELLED"})
            return {}
        case _:
            return _shown((yield from _looked_at(name, record, call, desk)))


def _create(call: Call, desk: Desk) -> Object:
    body = as_object(call.body)
    name = code(desk.seed.hex(), "batch", 20, BASE36) + code(desk.seed.hex(), "batch more", 16, BASE36)
    display = as_text(pick(_batch(body), "displayName"))
    record: Object = {"name": name, "model": call.model, "display": display, "created": desk.created, "looks": 0}
    record |= {"requests": _requests(body), "results": None, "state": "PENDING"}
    desk.shelf.put(KIND, name, record)
    return _shown(record)


def _looked_at(name: str, record: Object, call: Call, desk: Desk) -> Generator[None, None, Object]:
    if record["state"] not in ("PENDING", "RUNNING"):
        return record
    record = {**record, "looks": record["looks"] + 1, "state": "RUNNING"}
    desk.shelf.put(KIND, name, record)
    if record["looks"] > 1:
        model = record["model"]
        results = yield from pieces.each(lambda item: _result(item, model, call, desk), record["requests"])
        now = desk.shelf.get(KIND, name)
        if now is not record:  # another call has moved it on while this one worked
            return as_object(now) or record
        record |= {"state": "SUCCEEDED", "results": results}
        desk.shelf.put(KIND, name, record)
    return record


def _result(item: Object, model: str, call: Call, desk: Desk) -> Object:
    """The answer to one request, or the error in its place, with the request's own metadata."""
    kept: Headers = tuple((name, value) for name, value in call.raw.headers if name.lower() in _PASSED_ON)
    headers = (("content-type", "application/json"), *kept)
    path = f"/v1beta/models/{model}:generateContent"
    raw = RawRequest("POST", path, call.raw.host, call.raw.scheme, "", headers, dump(as_object(item.get("request"))))
    reply = desk.run(raw)
    body = reply.body if isinstance(reply.body, bytes) else b"".join(frame.data for frame in reply.body)
    answer = as_object(load(body))
    metadata = {"metadata": item["metadata"]} if "metadata" in item else {}
    return {**({"error": answer["error"]} if "error" in answer else {"response": answer}), **metadata}


def spelled(shown: Object) -> Generator[None, None, bytes]:
    """A batch in the layout of all answers. Its results stand there twice: each is spelled once, with pauses between."""
    results = as_object(as_object(shown.get("response")).get("inlinedResponses")).get("inlinedResponses")
    if not results:
        return dumped(shown, indent=True)
    marked: Object = {"inlinedResponses": {"inlinedResponses": MARKED}}
    metadata, response = {**shown["metadata"], "output": marked}, {**shown["response"], **marked}
    return (yield from filled({**shown, "metadata": metadata, "response": response}, results))


def _shown(record: Object) -> Object:
    """A batch as a long-running operation. Times follow from its creation, not from a clock."""
    name, created, results = f"batches/{record['name']}", record["created"], record["results"]
    ended = record["state"] not in ("PENDING", "RUNNING")
    moment = rfc3339(created + (60 if ended else 0))
    output: Object = {"inlinedResponses": {"inlinedResponses": results}} if results is not None else {}
    metadata = {
        "@type": _TYPE,
        "model": f"models/{record['model']}",
        "displayName": record["display"],
        **({"output": output} if output else {}),
        "createTime": rfc3339(created),
        **({"endTime": moment} if ended else {}),
        "updateTime": moment,
        "batchStats": _stats(len(record["requests"]), results, cancelled=record["state"] == "CANCELLED"),
        "state": f"BATCH_STATE_{record['state']}",
        "name": name,
    }
    done: Object = {"done": True} if ended else {}
    answered = {"response": {"@type": f"{_TYPE}Output", **output}} if output else {}
    return {"name": name, "metadata": metadata, **done, **answered}


def _stats(size: int, results: list[Any] | None, *, cancelled: bool) -> Object:
    """Numbers of requests, as text (64-bit integers in protobuf's JSON)."""
    failed = sum(1 for line in results or () if "error" in line)
    pending = {} if results is not None or cancelled else {"pendingRequestCount": str(size)}
    done = {} if results is None else {"successfulRequestCount": str(size - failed)}
    return {"requestCount": str(size), **pending, **done, **({"failedRequestCount": str(failed)} if failed else {})}


def _refusal(name: str, message: str, param: str | None = None) -> Condition:
    return Condition(name, 400, message, param, retry=False)


DIALECT = GeminiBatches()
