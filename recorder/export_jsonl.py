"""JSONL of normalised interactions, as `import_jsonl` reads it: decoded bodies, header names in lower case."""

from __future__ import annotations

import base64
import json

from llm_simulator.recorder.foreign import by_name, decoded, host_of, text_of
from llm_simulator.types import JSON, Exchange, Headers, header

_STREAMS = (
    "text/event-stream",
    "application/x-ndjson",
    "application/stream+json",
    "application/vnd.amazon.eventstream",
)


def start() -> str:
    return ""


def entry(exchange: Exchange, run: str, number: int) -> str:
    line = _line(exchange, number)
    text = json.dumps(line, ensure_ascii=False)
    if not text.isascii() and any("\ud800" <= c <= "\udfff" for c in text):  # half a surrogate pair, from an escape
        text = json.dumps(line)
    return text + "\n"


def end() -> str:
    return ""


def _line(exchange: Exchange, number: int) -> JSON:
    raw = exchange.request
    return {
        "provider": exchange.provider,
        "host": host_of(exchange),
        "method": raw.method,
        "path": raw.target,
        "endpoint": raw.path,
        "request_headers": _flat(raw.headers),
        **_sent(decoded(raw.headers, raw.body)),
        "status": exchange.status,
        "response_headers": _flat(exchange.headers),
        **_told(decoded(exchange.headers, exchange.body)),
        "streaming": header(exchange.headers, "content-type").lower().startswith(_STREAMS),
        "cassette_format": "llm-simulator",
        "body_fidelity": "reserialised" if "response body" in exchange.provenance else "raw",
        "source": f"{exchange.session}#{number}",
        **({"recorded_at": exchange.recorded_at} if exchange.recorded_at else {}),
    }


def _flat(headers: Headers) -> dict[str, str]:
    lowered = tuple((name.lower(), value) for name, value in headers)
    return {name: ", ".join(values) for name, values in by_name(lowered).items()}


def _sent(body: bytes) -> JSON:
    """Parsed where it is JSON; beside it as it stands where parsing would lose its spelling."""
    text = text_of(body)
    if text is None:
        return {"request_body": None, "request_body_b64": base64.b64encode(body).decode()}
    if not text:
        return {"request_body": None}
    try:
        value = json.loads(text)
        again = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    except (ValueError, RecursionError):
        return {"request_body": None, "request_body_text": text}
    exact = again == text and value is not None  # null means: no body
    return {"request_body": value} if exact else {"request_body": value, "request_body_text": text}


def _told(body: bytes) -> JSON:
    text = text_of(body)
    if text is None:
        return {"response_body": None, "response_body_b64": base64.b64encode(body).decode()}
    return {"response_body": text}
