"""JSONL of normalised interactions, one per line, plain or gzip: read line by line, so its size does not matter.

Fields: method, host, path, request_headers, request_body (parsed) or request_body_text or request_body_b64, status,
response_headers, response_body (decoded text) or response_body_b64, source (owner/name:path#n), suspect.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from llm_simulator.recorder import fields
from llm_simulator.recorder.interaction import Body, FieldError, Imported, Problem, Read, attempt, shown
from llm_simulator.recorder.source import Source
from llm_simulator.types import JSON

FORMAT = "jsonl"

_KEPT = ("source", "cassette_format", "body_fidelity", "suspect")


def claims(source: Source) -> bool:
    """By its name, and the first fields of its first line (which may be longer than what is looked at)."""
    if not source.lined:
        return False
    first = source.head.lstrip().partition(b"\n")[0]
    return all(f'"{name}"'.encode() in first for name in ("host", "method", "path"))


def read(source: Source) -> Iterator[Read]:
    for number, line in source.lines():
        yield _read(line, f"line {number}")


def _read(line: bytes, where: str) -> Read:
    try:
        value = json.loads(line)
    except json.JSONDecodeError as error:
        return Problem(where, "", f"no JSON ({error.msg} at character {error.pos})", "one JSON object per line")
    except UnicodeDecodeError as error:
        return Problem(where, "", f"a byte that is no UTF-8 at {error.start}", "one JSON object per line")
    except RecursionError:
        return Problem(where, "", "JSON nested too deeply", "one JSON object per line")
    except ValueError as error:  # a number of more than 4,300 digits
        return Problem(where, "", str(error), "one JSON object per line")
    return attempt(where, lambda: value, _imported)


def _imported(value: JSON, where: str) -> Imported:
    held = fields.mapping(value, "line")
    sent = _sent(held)
    host = fields.text(held.get("host"), "host")
    path = fields.text(held.get("path"), "path")
    if not path.startswith("/"):
        raise FieldError("path", shown(path), "a path that starts with /")
    request = fields.request(
        fields.method(held.get("method"), "method"),
        f"{fields.scheme_of(host)}://{host}{path}",
        "host and path",
        fields.headers(held.get("request_headers"), "request_headers"),
        sent.data,
    )
    return Imported(
        where,
        request,
        sent,
        fields.status(held.get("status"), "status"),
        fields.headers(held.get("response_headers"), "response_headers"),
        _answered(held),
        session=fields.optional(held.get("source"), "source").rpartition("#")[0],
        recorded_at=fields.instant(held.get("recorded_at")),
        provenance=_known(held),
    )


def _sent(held: Mapping[str, JSON]) -> Body:
    if held.get("request_body_b64") is not None:
        return Body(fields.unbase64(held["request_body_b64"], "request_body_b64"), plain=True)
    if held.get("request_body_text") is not None:
        return fields.body(fields.text(held["request_body_text"], "request_body_text"), "request_body_text")
    if held.get("request_body") is None:
        return Body()
    return fields.dumped(held["request_body"], "request_body")


def _answered(held: Mapping[str, JSON]) -> Body:
    if held.get("response_body_b64") is not None:
        return Body(fields.unbase64(held["response_body_b64"], "response_body_b64"), plain=True)
    value = held.get("response_body")
    if value is None or isinstance(value, str):
        return fields.body(value, "response_body")
    return fields.dumped(value, "response_body")


def _known(held: Mapping[str, JSON]) -> Mapping[str, str]:
    return {name: value for name in _KEPT if isinstance(value := held.get(name), str) and value}
