"""The OpenAPI document of everything that is served (`GET /openapi.json`), made from the dialects' own routes.

What it says of bodies is what the examples show: which keys an answer has, and without which keys a request is refused.
The providers' published schemas say more; they are theirs, and not repeated here. Source of the format: OpenAPI 3.1.0.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from llm_simulator import __version__, dialects
from llm_simulator.dialects import registry
from llm_simulator.dialects.routes import COMPATIBLE
from llm_simulator.proxy.pages import Page
from llm_simulator.proxy.selfcheck import Trial, compatible, host_of, trials
from llm_simulator.simulator.engine import Engine
from llm_simulator.types import JSON, RawRequest, header

Object = dict[str, Any]

_ABOUT = (
    "Providers' APIs, simulated or replayed. Each is below its host name; most paths work without it, too, where path and "
    "headers tell the provider (http://localhost:8080/v1/chat/completions). `/session/{id}` may stand before any path."
)
_TYPES = {str: "string", bool: "boolean", int: "number", float: "number", list: "array", dict: "object"}
_SSE = "text/event-stream"
_EVENT: Object = {
    "type": "object",
    "description": "One server-sent event",
    "required": ["data"],
    "properties": {"event": {"type": "string"}, "data": {"type": "string"}},
}
_NAME, _EMBEDDER = r"^[A-Za-z0-9][A-Za-z0-9._-]*$", r"^[a-z0-9-]*embedding[a-z0-9-]*$"
_ERROR: Object = {
    "description": "Refused, in the provider's own envelope",
    "content": {
        "application/json": {"schema": {"type": ["object", "array"]}},  # Gemini's compatible path: one in an array
        "text/plain": {"schema": {"type": "string"}},
    },
}


def document(pages: Iterable[Page]) -> Object:
    """The whole document; takes a second or two, as every example is simulated."""
    paths: dict[str, Object] = {}
    for page in pages:
        paths[page.path] = {"get": _own(page)}
    found = list(_all(Engine(0)))
    for tag, trial in found:
        path = f"/{host_of(tag)}{trial.route.path}"
        paths.setdefault(path, {}).setdefault(trial.route.method.lower(), _operation(tag, trial))
    return {
        "openapi": "3.1.0",
        "info": {"title": "llm-simulator", "version": __version__, "description": _ABOUT},
        "servers": [{"url": "/"}],
        "tags": [{"name": tag} for tag in sorted({tag for tag, _ in found} | {"llm-simulator"})],
        "paths": paths,
        "components": {"securitySchemes": {"adminToken": {"type": "http", "scheme": "bearer"}}},
    }


def _all(engine: Engine) -> Iterator[tuple[str, Trial]]:
    for dialect in registry.dialects():
        for trial in trials(dialect, engine):
            if not trial.problem:
                yield dialect.provider, trial
    for provider in COMPATIBLE:
        for trial in compatible(provider, engine):
            yield provider, trial


def _operation(tag: str, trial: Trial) -> Object:
    route = trial.route
    made: Object = {
        "tags": [tag],
        "summary": route.summary,
        "operationId": re.sub(r"\W+", "_", f"{tag} {route.method} {route.path}".lower()).strip("_"),
        "parameters": [*_path_parameters(trial), *_query_parameters(trial)],
        "responses": _responses(trial),
    }
    if route.body is not None:
        made["requestBody"] = {"required": True, "content": {_media(route.media): _request(trial)}}
    return made


def _path_parameters(trial: Trial) -> Iterator[Object]:
    for name in re.findall(r"{(\w+)}", trial.route.path):
        example = trial.route.values.get(name, "")
        embedder = name == "model" and trial.route.operation == "predict"  # other models predict other things
        schema: Object = {"type": "string", "pattern": _EMBEDDER if embedder else _NAME}
        shown = {} if example.startswith("$") else {"example": example}
        yield {"name": name, "in": "path", "required": True, "schema": schema, **shown}


def _query_parameters(trial: Trial) -> Iterator[Object]:
    if trial.route.path.endswith(":streamGenerateContent"):
        yield {
            "name": "alt",
            "in": "query",
            "schema": {"type": "string", "enum": ["sse"]},
            "description": "Events; without it, one JSON array",
        }


def _request(trial: Trial) -> Object:
    if isinstance(trial.route.body, bytes):
        return {"schema": {"type": "object"}}
    body = json.loads(trial.request.body)
    required = [key for key in body if _is_refused(trial.request, {k: v for k, v in body.items() if k != key})]
    properties = {key: {"type": _TYPES[type(value)]} for key, value in body.items()}
    if trial.route.streams:
        properties["stream"] = {"type": "boolean"}
    schema: Object = {"type": "object", "properties": properties}
    if required:
        schema["required"] = required
    return {"schema": schema, "example": body}


def _is_refused(request: RawRequest, body: JSON) -> bool:
    changed = RawRequest(
        request.method, request.path, request.host, headers=request.headers, body=json.dumps(body).encode()
    )
    call = dialects.read(changed)
    return dialects.of(call).check(call) is not None


def _responses(trial: Trial) -> Object:
    media = _media(header(trial.headers, "content-type"))
    content: Object = {media: {"schema": _schema_of(trial, media)}} if media else {}
    streamed = _SSE if trial.route.path.endswith(":streamGenerateContent") else _media(trial.streamed)
    if streamed:
        content[streamed] = {"schema": _EVENT if streamed == _SSE else {"type": "string"}}
    answer: Object = {"description": trial.route.summary}
    if content:
        answer["content"] = content
    if trial.status >= 400:
        return {"4XX": _ERROR}
    return {str(trial.status): answer, "4XX": _ERROR}


def _schema_of(trial: Trial, media: str) -> Object:
    """The kind of the answer, and its keys where it is an object."""
    if "json" not in media or media.endswith("jsonl"):
        return {"type": "string"}
    value = json.loads(trial.body)
    if not isinstance(value, dict):
        return {"type": _TYPES[type(value)]}
    return {
        "type": "object",
        **({} if trial.route.path.endswith("}") else {"required": sorted(value)}),  # one object is not like another
        "properties": {key: {"type": [_TYPES[type(item)], "null"]} for key, item in value.items() if item is not None},
    }


def _media(content_type: str) -> str:
    return content_type.partition(";")[0].strip()


def _own(page: Page) -> Object:
    schema: Object = {"type": "object"} if page.media == "application/json" else {"type": "string"}
    guarded = page.path.startswith("/admin/")
    statuses = ((200, page.summary), *page.statuses, *(((403, "No or a wrong token"),) if guarded else ()))
    number = {"type": "integer", "minimum": 0}
    return {
        "tags": ["llm-simulator"],
        "summary": page.summary,
        "operationId": "own_" + (re.sub(r"\W+", "_", page.path).strip("_") or "about"),
        "parameters": [{"name": name, "in": "query", "schema": number} for name in page.numbers],
        "responses": {
            str(status): {"description": text, "content": {page.media: {"schema": schema}}} for status, text in statuses
        },
        **({"security": [{"adminToken": []}, {}]} if guarded else {}),
    }
