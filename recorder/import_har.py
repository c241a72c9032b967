"""HAR 1.1 and 1.2 (browsers, proxies, Playwright, Polly). Source: the HAR 1.2 specification (Odvarko et al.).

A HAR keeps the decoded body and the times of each phase in milliseconds. What it says it received but did not keep is
refused: replayed, it would be an empty answer that looks like a good one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from urllib.parse import urlencode

from llm_simulator.recorder import fields
from llm_simulator.recorder.interaction import Body, FieldError, Imported, Read, attempt, shown
from llm_simulator.recorder.source import Source
from llm_simulator.types import JSON

FORMAT = "har"

_MAGIC = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd")  # gzip, zstd


def claims(source: Source) -> bool:
    tree = source.tree
    if "log" not in tree.names:
        return False
    log = tree.value("log")
    return isinstance(log, dict) and isinstance(log.get("entries"), list)


def read(source: Source) -> Iterator[Read]:
    for number, entry in enumerate(source.tree.value("log")["entries"], 1):
        yield attempt(f"entry {number}", partial(_itself, entry), _imported)


def _itself(entry: JSON) -> JSON:
    return entry


def _imported(entry: JSON, where: str) -> Imported:
    whole = fields.mapping(entry, "entry")
    asked = fields.mapping(whole.get("request"), "request")
    answer = fields.mapping(whole.get("response"), "response")
    sent = _sent(asked)
    connect, head, done = _times(whole.get("timings"))
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
        fields.status(answer.get("status"), "response.status"),  # 0 is a request that was never answered
        fields.headers(answer.get("headers"), "response.headers"),
        _answered(answer),
        fields.reason(answer.get("statusText"), "response.statusText"),
        recorded_at=fields.instant(whole.get("startedDateTime")),
        connect_ns=connect,
        head_ns=head,
        done_ns=done,
    )


def _sent(asked: Mapping[str, JSON]) -> Body:
    data = asked.get("postData")
    if data is None:
        return Body()
    held = fields.mapping(data, "request.postData")
    text = held.get("text")
    if text is None and held.get("params"):
        return Body(_form(held["params"]), plain=True)
    return _text(text, held.get("encoding"), "request.postData.text")


def _form(params: JSON) -> bytes:
    if not isinstance(params, list):
        raise FieldError("request.postData.params", shown(params), "a list of names and values")
    pairs: list[tuple[str, str]] = []
    for param in params:
        held = fields.mapping(param, "request.postData.params")
        if held.get("fileName") is not None:
            raise FieldError("request.postData.params", "a file without its content", "postData.text")
        pairs.append((fields.text(held.get("name"), "params.name"), fields.optional(held.get("value"), "params.value")))
    return urlencode(pairs, errors="surrogatepass").encode()


def _answered(answer: Mapping[str, JSON]) -> Body:
    held = fields.mapping(answer.get("content") or {}, "response.content")
    text = held.get("text")
    if text is None and held.get("_file") is not None:
        raise FieldError("response.content", "a reference to another file", "text (Playwright: content: embed)")
    size = held.get("size")
    if text is None and isinstance(size, int) and size > 0:
        raise FieldError("response.content.text", f"nothing, but {size} bytes were received", "the body (with content)")
    return _text(text, held.get("encoding"), "response.content.text")


def _text(text: JSON, encoding: JSON, field: str) -> Body:
    """base64 is of the decoded body, too (HAR 1.2, content), unless a magic number says that a tool kept the wire's."""
    if encoding != "base64":
        return fields.body(text, field)
    data = fields.unbase64(text, field)
    return Body(data, plain=not data.startswith(_MAGIC))


def _times(timings: JSON) -> tuple[int, int, int]:
    """(connection set-up, head, end) in ns; a phase that did not happen is -1 or absent. TLS is part of `connect`."""
    if not isinstance(timings, Mapping):
        return 0, 0, 0
    connect = sum(_ns(timings, name) for name in ("blocked", "dns", "connect"))
    head = _ns(timings, "send") + _ns(timings, "wait")
    return connect, head, head + _ns(timings, "receive")


def _ns(timings: Mapping[str, JSON], name: str) -> int:
    value = timings.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e9:
        return 0
    return round(value * 1e6)
