"""HAR 1.2: decoded bodies with the headers of the wire, the phases in milliseconds. Source: the HAR 1.2 specification.

Chunk boundaries and the bytes of an encoded body have no place in it; our YAML keeps them.
"""

from __future__ import annotations

import base64
import json
from urllib.parse import parse_qsl

from llm_simulator.recorder.foreign import decoded, size, text_of, url_of
from llm_simulator.types import JSON, Exchange, Headers, header

_EPOCH = "1970-01-01T00:00:00Z"  # the field is required; this is what "unknown" looks like to a viewer


def start() -> str:
    return '{"log": {"version": "1.2", "creator": {"name": "llm-simulator", "version": "1"}, "entries": ['


def entry(exchange: Exchange, run: str, number: int) -> str:
    return ("\n" if number == 0 else ",\n") + json.dumps(_entry(exchange), ensure_ascii=False)


def end() -> str:
    return "\n]}}\n"


def _entry(exchange: Exchange) -> JSON:
    last = exchange.chunks[-1][0] if exchange.chunks else exchange.head_ns
    head = exchange.head_ns or (exchange.chunks[0][0] if exchange.chunks else 0)
    connect = exchange.connect_ns / 1e6
    return {
        "startedDateTime": exchange.recorded_at or _EPOCH,
        "time": connect + last / 1e6,
        "request": _request(exchange),
        "response": _response(exchange),
        "cache": {},
        "timings": {"connect": connect or -1, "send": 0, "wait": head / 1e6, "receive": (last - head) / 1e6},
        "comment": exchange.session,
    }


def _request(exchange: Exchange) -> JSON:
    raw = exchange.request
    body = decoded(raw.headers, raw.body)
    sent: JSON = {
        "method": raw.method,
        "url": url_of(exchange),
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": _pairs(raw.headers),
        "queryString": [{"name": n, "value": v} for n, v in parse_qsl(raw.query, keep_blank_values=True)],
        "headersSize": -1,
        "bodySize": len(raw.body),
    }
    if body:
        sent["postData"] = {"mimeType": header(raw.headers, "content-type"), **_content(body)}
    return sent


def _response(exchange: Exchange) -> JSON:
    body = decoded(exchange.headers, exchange.body)
    return {
        "status": exchange.status,
        "statusText": exchange.reason,
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": _pairs(exchange.headers),
        "content": {"size": len(body), "mimeType": header(exchange.headers, "content-type"), **_content(body)},
        "redirectURL": header(exchange.headers, "location"),
        "headersSize": -1,
        "bodySize": size(exchange),
    }


def _pairs(headers: Headers) -> JSON:
    return [{"name": name, "value": value} for name, value in headers]


def _content(body: bytes) -> JSON:
    text = text_of(body)
    return {"text": text} if text is not None else {"text": base64.b64encode(body).decode(), "encoding": "base64"}
