"""Cassettes of Go's go-vcr, versions 1 and 2 (`url`, `code`, the status as text). Source: pkg/cassette/cassette.go."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from llm_simulator.errors import CassetteError
from llm_simulator.recorder import fields
from llm_simulator.recorder.interaction import Imported, Read, each, shown
from llm_simulator.recorder.source import Source
from llm_simulator.types import JSON

FORMAT = "go-vcr"


def claims(source: Source) -> bool:
    tree = source.tree
    asked = tree.outline("interactions").get("request", frozenset())
    empty = tree.length("interactions") == 0 and tree.value("version") == 2
    return empty or ("url" in asked and "uri" not in asked)


def read(source: Source) -> Iterator[Read]:
    tree = source.tree
    version = tree.value("version")
    if version not in (1, 2):
        raise CassetteError(f"{source.name}: version: got {shown(version)}, allowed is 1 or 2 for a cassette of go-vcr")
    return each(tree.items("interactions"), _imported)


def _imported(item: JSON, where: str) -> Imported:
    whole = fields.mapping(item, "interaction")
    asked = fields.mapping(whole.get("request"), "request")
    answer = fields.mapping(whole.get("response"), "response")
    sent = fields.body(asked.get("body"), "request.body")
    code = fields.status(answer.get("code"), "response.code")
    request = fields.request(
        fields.method(asked.get("method") or "GET", "request.method"),  # Go's zero value means GET
        asked.get("url"),
        "request.url",
        fields.headers(asked.get("headers"), "request.headers"),
        sent.data,
    )
    return Imported(
        where,
        request,
        sent,
        code,
        fields.headers(answer.get("headers"), "response.headers"),
        fields.body(answer.get("body"), "response.body"),
        fields.reason(answer.get("status"), "response.status").removeprefix(str(code)).strip(),
        provenance=_known(answer),
    )


def _known(answer: Mapping[str, JSON]) -> Mapping[str, str]:
    """The total time and the protocol; `uncompressed` means that Go's client took gzip off, and its header."""
    known: dict[str, str] = {}
    for name in ("duration", "proto"):
        value = answer.get(name)
        if isinstance(value, str | int) and value and str(value).isprintable():
            known[name] = str(value)
    if answer.get("uncompressed") is True:
        known["response content-encoding"] = "gzip"
    return known
