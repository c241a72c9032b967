"""Cassettes of Datadog's dd-apm-test-agent: one JSON object with one request and one response, flat headers.

Source: ddapm_test_agent/vcr_proxy.py; a body that starts with "base64:" is binary.
"""

from __future__ import annotations

from collections.abc import Iterator

from llm_simulator.recorder import fields
from llm_simulator.recorder.import_vcr import status_of
from llm_simulator.recorder.interaction import Body, Imported, Read, attempt
from llm_simulator.recorder.source import Source
from llm_simulator.types import JSON

FORMAT = "dd-apm-test-agent"


def claims(source: Source) -> bool:
    return set(source.tree.names) == {"request", "response"}


def read(source: Source) -> Iterator[Read]:
    tree = source.tree
    yield attempt("", lambda: [tree.value("request"), tree.value("response")], _imported)


def _imported(pair: JSON, where: str) -> Imported:
    asked, answer = fields.mapping(pair[0], "request"), fields.mapping(pair[1], "response")
    sent = _body(asked.get("body"), "request.body")
    code, phrase = status_of(answer)
    return Imported(
        where,
        fields.request(
            fields.method(asked.get("method"), "request.method"),
            asked.get("url"),
            "request.url",
            fields.headers(asked.get("headers"), "request.headers"),
            sent.data,
        ),
        sent,
        code,
        fields.headers(answer.get("headers"), "response.headers"),
        _body(answer.get("body"), "response.body"),
        phrase,
    )


def _body(value: JSON, field: str) -> Body:
    if isinstance(value, str) and value.startswith("base64:"):
        return Body(fields.unbase64(value.removeprefix("base64:"), field))
    return fields.body(value, field)
