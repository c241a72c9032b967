"""Exchanges as YAML text for git: the same exchanges make the same bytes, and what two recordings always differ in
(times, chunk sizes) stands in one `metadata` block at the end of each.

docs: a header document, then one document per exchange. `text.py` reads it back to equal exchanges.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Sequence

from llm_simulator.cassettes.body import coding, is_sse, text_only, usual_chunks, view
from llm_simulator.cassettes.layout import show
from llm_simulator.cassettes.scalars import block, pair, quoted, scalar
from llm_simulator.types import Exchange, Headers, Message, Outcome, header

SCHEMA = 1
"""The schema version that this release reads and writes."""

RAW = "raw"
"""The `ending` of an event stream that does not end in one blank line."""

_WIDE = 100


def dump(exchanges: Iterable[Exchange], *, plain: bool = False) -> Iterator[str]:
    """A whole cassette, document by document; `plain` gives up the wire bytes of encoded bodies (`text_only`)."""
    matcher: int | None = None
    for exchange in exchanges:
        if matcher is None:
            matcher = exchange.matcher
            yield head(matcher)
        yield document(text_only(exchange) if plain else exchange, matcher=matcher)
    if matcher is None:
        yield head()


def head(matcher: int = 0) -> str:
    """The first document of a cassette; `matcher` is the version that its exchanges have unless they say another."""
    version = f"matcher: {matcher}\n" if matcher else ""
    return f"llm-simulator: cassette\nschema: {SCHEMA}\n{version}"


def document(exchange: Exchange, *, matcher: int = 0) -> str:
    """One exchange as a document, with the `---` before it; `matcher` is what the header says."""
    lines = [
        "---",
        f"provider: {scalar(exchange.provider)}",
        f"family: {scalar(exchange.family)}",
        f"operation: {scalar(exchange.operation)}",
        f"model: {scalar(exchange.model)}",
        f"stream: {_word(exchange.stream)}",
        *([f"session: {scalar(exchange.session)}"] if exchange.session else []),
        *_request(exchange),
        *_response(exchange),
        *_messages(exchange.messages),
        *([f"outcome: {exchange.outcome.value}"] if exchange.outcome is not Outcome.COMPLETE else []),
        *_list("marks", sorted(exchange.marks)),
        *_list("masked", exchange.masked),
        *_pairs("provenance", sorted(exchange.provenance.items()), 0, always=False),
        *_metadata(exchange, matcher),
    ]
    return "\n".join(lines) + "\n"


def _word(value: bool) -> str:
    return "true" if value else "false"


def _request(exchange: Exchange) -> list[str]:
    raw = exchange.request
    return [
        "request:",
        f"  method: {scalar(raw.method)}",
        *([f"  scheme: {scalar(raw.scheme)}"] if raw.scheme != "https" else []),
        f"  host: {scalar(raw.host)}",
        f"  path: {scalar(raw.path)}",
        *([f"  query: {scalar(raw.query)}"] if raw.query else []),
        *_pairs("headers", raw.headers, 2),
        *_encoded(raw.body, raw.headers),
    ]


def _response(exchange: Exchange) -> list[str]:
    return [
        "response:",
        f"  status: {exchange.status}",
        *([f"  reason: {scalar(exchange.reason)}"] if exchange.reason else []),
        *_pairs("headers", exchange.headers, 2),
        *_encoded(exchange.body, exchange.headers),
    ]


def _messages(messages: Sequence[Message]) -> list[str]:
    lines = ["messages:"] if messages else []
    for message in messages:
        lines += [
            f"  - from: {scalar(message.direction)}",
            f"    opcode: {message.opcode}",
            *_body(message.data, False, 4),
        ]
    return lines


def _encoded(data: bytes, headers: Headers) -> list[str]:
    """The body decoded, and its wire bytes where they are others."""
    encoding = coding(headers)
    if not encoding or not data:
        return _body(data, is_sse(headers), 2)
    plain = view(data, encoding)
    if plain is None or not plain or not _is_text(plain):
        return _base64("base64", data, 2)
    return [*_body(plain, is_sse(headers), 2), *_base64("wire", data, 2)]


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _body(data: bytes, sse: bool, indent: int) -> list[str]:
    """The one field that holds a body: json, sse, text or base64; none where it is empty."""
    if not data:
        return []
    pad = " " * indent
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return _base64("base64", data, indent)
    text, newline = _line_ends(text, pad) if "\r" in text else (text, [])
    if not sse and not newline and (found := show(text)):
        layout = [f"{pad}layout: {scalar(found[1])}"] if found[1] != "compact" else []
        return [f"{pad}json: {block(found[0] + chr(10), indent + 2)}", *layout]
    if not sse:
        return [f"{pad}text: {block(text, indent + 2)}", *newline]
    whole = text.rstrip("\n") + "\n\n" == text  # the last event is ended as it should be, so nothing need be said
    ending = [] if whole else [f"{pad}ending: {RAW}"]
    return [f"{pad}sse: {block(text[:-1] if whole else text, indent + 2)}", *newline, *ending]


def _line_ends(text: str, pad: str) -> tuple[str, list[str]]:
    """The text with LF alone, and the field that says which lines had CRLF; as it is where CR stands elsewhere too."""
    lines = text.split("\n")
    numbers = [str(number) for number, line in enumerate(lines[:-1], 1) if line.endswith("\r")]
    if text.count("\r") != len(numbers):
        return text, []
    plain = text.replace("\r\n", "\n")
    if len(numbers) == len(lines) - 1:
        return plain, [f"{pad}newline: crlf"]
    return plain, [f"{pad}crlf_lines: {quoted(' '.join(numbers))}"]


def _base64(name: str, data: bytes, indent: int) -> list[str]:
    text = base64.b64encode(data).decode()
    if len(text) <= _WIDE:
        return [f'{" " * indent}{name}: "{text}"']
    lines = (text[start : start + _WIDE] for start in range(0, len(text), _WIDE))
    return [f"{' ' * indent}{name}: |", *(f"{' ' * (indent + 2)}{line}" for line in lines)]


def _list(name: str, texts: Sequence[str]) -> list[str]:
    return [f"{name}:", *(f"  - {scalar(text)}" for text in texts)] if texts else []


def _pairs(name: str, pairs: Sequence[tuple[str, str]], indent: int, *, always: bool = True) -> list[str]:
    pad = " " * indent
    if not pairs:
        return [f"{pad}{name}: []"] if always else []
    return [f"{pad}{name}:", *(f"{pad}  - {pair(key, value)}" for key, value in pairs)]


def _metadata(exchange: Exchange, matcher: int) -> list[str]:
    """Always there and always last, so that the reader notices a document that was cut short."""
    facts = {
        "recorded_at": scalar(exchange.recorded_at) if exchange.recorded_at else "",
        "recorder": scalar(exchange.recorder) if exchange.recorder else "",
        "matcher": str(exchange.matcher) if exchange.matcher != matcher else "",
        "connect_ns": str(exchange.connect_ns) if exchange.connect_ns else "",
        "head_ns": str(exchange.head_ns) if exchange.head_ns else "",
    }
    lines = [f"  {name}: {value}" for name, value in facts.items() if value]
    if not _is_usual(exchange):
        lines += _numbers("chunks", [f"{at}+{len(data)}" for at, data in exchange.chunks])
    if any(message.at_ns for message in exchange.messages):
        lines += _numbers("messages", [str(message.at_ns) for message in exchange.messages])
    return ["metadata:", *lines] if lines else ["metadata: {}"]


def _is_usual(exchange: Exchange) -> bool:
    """Whether the reader makes the same chunks out of the body alone (else their sum tells whether it was edited)."""
    data = exchange.body
    length = header(exchange.headers, "content-length", str(len(data)))
    sse = is_sse(exchange.headers) and not coding(exchange.headers) and _is_text(data)
    return exchange.chunks == usual_chunks(data, sse) and length == str(len(data))


def _numbers(name: str, items: Sequence[str]) -> list[str]:
    """Numbers in rows, so that a long stream is neither one endless line nor a page of short ones."""
    rows: list[str] = []
    for item in items:
        if rows and len(rows[-1]) + len(item) < _WIDE - 4:
            rows[-1] += f" {item}"
        else:
            rows.append(item)
    return [f"  {name}: |", *(f"    {row}" for row in rows)]
