"""Cassettes of Ruby's VCR (`http_interactions`); Betamax and R's vcr write the same shape, in YAML or JSON.

Source: lib/vcr/structs.rb. A body is `{encoding, string}` (text in that encoding) or `{encoding, base64_string}`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from llm_simulator.recorder import fields
from llm_simulator.recorder.import_vcr import status_of
from llm_simulator.recorder.interaction import Body, Imported, Read, each
from llm_simulator.recorder.source import Source
from llm_simulator.types import JSON

FORMAT = "ruby-vcr"

_AS_UTF8 = ("", "utf-8", "us-ascii", "ascii", "ascii-8bit", "binary", "base64")


def claims(source: Source) -> bool:
    return "http_interactions" in source.tree.names


def read(source: Source) -> Iterator[Read]:
    return each(source.tree.items("http_interactions"), _imported)


def _imported(item: JSON, where: str) -> Imported:
    whole = fields.mapping(item, "interaction")
    asked = fields.mapping(whole.get("request"), "request")
    answer = fields.mapping(whole.get("response"), "response")
    sent = _body(asked.get("body"), "request.body")
    code, phrase = status_of(answer)
    request = fields.request(
        fields.method(asked.get("method"), "request.method"),
        asked.get("uri", asked.get("url")),
        "request.uri",
        fields.headers(asked.get("headers"), "request.headers"),
        sent.data,
    )
    return Imported(
        where,
        request,
        sent,
        code,
        fields.headers(answer.get("headers"), "response.headers"),
        _body(answer.get("body"), "response.body"),
        phrase,
        recorded_at=fields.instant(whole.get("recorded_at")),
        provenance=_unpacked(answer),
    )


def _unpacked(answer: Mapping[str, JSON]) -> Mapping[str, str]:
    """`decode_compressed_response` takes the header away and remembers the coding."""
    kept = answer.get("adapter_metadata")
    coding = kept.get("vcr_decompressed") if isinstance(kept, Mapping) else None
    return {"response content-encoding": coding} if isinstance(coding, str) and coding.isprintable() else {}


def _body(value: JSON, field: str) -> Body:
    if not isinstance(value, Mapping):
        return fields.body(value, field)
    if value.get("base64_string") is not None:
        return Body(fields.unbase64(value["base64_string"], f"{field}.base64_string"))
    text = value.get("string")
    encoding = fields.optional(value.get("encoding"), f"{field}.encoding")
    return _encoded(text, encoding) or fields.body(text, f"{field}.string")


def _encoded(text: JSON, encoding: str) -> Body | None:
    """Text in another encoding than UTF-8; None where Ruby, too, would leave it as it is."""
    if not isinstance(text, str) or encoding.lower() in _AS_UTF8:
        return None
    try:
        return Body(text.encode(encoding), plain=True)
    except (LookupError, ValueError):
        return None
