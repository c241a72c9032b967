"""Cassettes of cassetter, format 1: bodies by type (json, text, binary as hex, none), in YAML or TOML.

Source: its SPECIFICATION.md and docs/tutorial/formats.md. WebSocket and gRPC recordings are named as not imported.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from llm_simulator.recorder import fields
from llm_simulator.recorder.interaction import Body, FieldError, Imported, Problem, Read, each, shown
from llm_simulator.recorder.source import Source, Tree
from llm_simulator.types import JSON

FORMAT = "cassetter"

_OTHERS = ("grpc_interactions", "ws_interactions")
_TYPES = ("json", "text", "binary", "none")


def claims(source: Source) -> bool:
    """VCR.py has a mapping where this has a bare status; its bodies have no type."""
    tree = source.tree
    if any(name in tree.names for name in _OTHERS):
        return True
    if "status" not in tree.outline("interactions").get("response", frozenset()):
        return False
    return _typed(tree)


def _typed(tree: Tree) -> bool:
    _, get = next(tree.items("interactions"))
    try:
        first = get()
    except FieldError:
        return False
    sides = [first[side] for side in ("request", "response") if isinstance(first.get(side), dict)]
    return any("body_type" in side or _has_type(side.get("body")) for side in sides)


def _has_type(body: JSON) -> bool:
    return isinstance(body, dict) and body.get("type") in _TYPES and body.keys() <= {"type", "content"}


def read(source: Source) -> Iterator[Read]:
    tree = source.tree
    yield from each(tree.items("interactions"), _imported)
    for name in _OTHERS:
        if count := tree.length(name):
            yield Problem(name, "", f"{count} of them", "HTTP interactions; these are not imported")


def _imported(item: JSON, where: str) -> Imported:
    whole = fields.mapping(item, "interaction")
    asked = fields.mapping(whole.get("request"), "request")
    answer = fields.mapping(whole.get("response"), "response")
    sent = _body(asked, "request")
    return Imported(
        where,
        fields.request(
            fields.method(asked.get("method"), "request.method"),
            asked.get("uri"),
            "request.uri",
            fields.headers(asked.get("headers"), "request.headers"),
            sent.data,
        ),
        sent,
        fields.status(answer.get("status"), "response.status"),
        fields.headers(answer.get("headers"), "response.headers"),
        _body(answer, "response"),
        recorded_at=fields.instant(whole.get("recorded_at")),
    )


def _body(held: Mapping[str, JSON], side: str) -> Body:
    field = f"{side}.body"
    if "body_type" in held:  # TOML, which has no null: JSON stays text
        return _of_type(held["body_type"], held.get("body_content"), field, packed=True)
    value = held.get("body")
    if value is None:
        return Body()
    body = fields.mapping(value, field)
    return _of_type(body.get("type"), body.get("content"), field, packed=False)


def _of_type(kind: JSON, content: JSON, field: str, *, packed: bool) -> Body:
    match kind:
        case "none":
            return Body()
        case "text":
            return fields.body(fields.text(content, field), field)
        case "binary":
            return Body(_unhex(content, field))
        case "json":
            return fields.dumped(_unpacked(content, field) if packed else content, field)
        case _:
            raise FieldError(f"{field}.type", shown(kind), f"one of {', '.join(_TYPES)}")


def _unhex(content: JSON, field: str) -> bytes:
    try:
        return bytes.fromhex(fields.text(content, field))
    except ValueError:
        raise FieldError(field, shown(content), "hexadecimal digits in pairs") from None


def _unpacked(content: JSON, field: str) -> JSON:
    try:
        return json.loads(fields.text(content, field))
    except ValueError as error:
        raise FieldError(field, f"text that is no JSON ({error})", "JSON") from None
