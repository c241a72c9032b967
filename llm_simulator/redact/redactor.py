"""Takes the secrets out of an exchange before it is stored: headers, query, path, bodies, assembled streams, messages.

One walk does it; `scan` walks the same way over what was stored and must find nothing left to mask.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from threading import Lock
from types import MappingProxyType
from typing import Generic, TypeVar
from urllib.parse import unquote

from llm_simulator.redact.assemble import Growing
from llm_simulator.redact.coding import CodingError, Decoder, known, names
from llm_simulator.redact.eventstream import seal
from llm_simulator.redact.finder import Finder
from llm_simulator.redact.maskedpaths import masked_paths
from llm_simulator.redact.members import find_fields, find_members
from llm_simulator.redact.names import credential_header, credential_parameter
from llm_simulator.redact.placeholder import WORD, Span, is_placeholder
from llm_simulator.redact.values import bytes_text, from_environment, values
from llm_simulator.redact.words import Words
from llm_simulator.types import Exchange, Headers, Message, Outcome, RawRequest, header

T = TypeVar("T")
Chunks = tuple[tuple[int, bytes], ...]

LONGEST = 512 << 10
"""Bytes of an event stream that are put together as they arrive; of a longer one everything is done at its end."""
LARGEST = 256 << 20
"""The most bytes that an encoded body may decode to; of a bomb only the beginning is looked at."""

_SCHEME = re.compile(r"(?i:bearer|basic|token|apikey|digest|negotiate|aws4-hmac-sha256)(?= )")
_ACCOUNT = ("organization", "project", "-id", "email", "name")
_FRAMING = frozenset({"content-encoding", "content-length", "transfer-encoding"})


@dataclass(frozen=True, slots=True)
class Redacted(Generic[T]):
    """A value without its secrets. `masked` are the JSON paths of the body that were masked other than by shape."""

    value: T
    masked: tuple[str, ...] = ()
    count: int = 0
    decoded: bool = False  # the body lost its content-encoding
    originals: Mapping[str, str] = field(default_factory=dict)  # the headers that went with the encoding


@dataclass(frozen=True, slots=True)
class Finding:
    """A secret that is still there: where, by which rule, and its size (never the secret)."""

    where: str
    kind: str
    shown: str


class Redactor:
    """The rules of one run: known shapes, credential names, the secret variables of `environ`, the user's additions.

    Args:
        environ: the environment; values of 12 characters or more of variables that are named like a secret are masked.
        extra_headers: further header names whose values are credentials.
        extra_patterns: further regular expressions of secrets; group 1, if there is one, is the secret.
    """

    def __init__(
        self, environ: Mapping[str, str], *, extra_headers: Iterable[str] = (), extra_patterns: Iterable[str] = ()
    ) -> None:
        self._headers = frozenset(name.lower() for name in extra_headers)
        self._finder = Finder(from_environment(environ), tuple(re.compile(pattern) for pattern in extra_patterns))
        self.counts: Counter[str] = Counter()
        """How many secrets were masked, by kind."""
        self._lock = Lock()  # large exchanges are redacted in threads

    def exchange(self, exchange: Exchange) -> Exchange:
        """The exchange without secrets, marked "redacted" where more than credential headers and parameters changed."""
        walk = self._walk(exchange.request)
        out = walk.exchange(exchange)
        self._count(walk)
        return out

    def ahead(self, raw: RawRequest) -> Ahead:
        """For an exchange that is still under way: what can be done before its end is done before."""
        return Ahead(lambda: self._walk(raw), raw, self._count)

    def request(self, raw: RawRequest) -> Redacted[RawRequest]:
        """A request without secrets."""
        walk = self._walk(raw)
        out = walk.request(raw)
        self._count(walk)
        return replace(out, count=walk.counts.total())

    def response(self, headers: Headers, chunks: Chunks, stream: bool = True) -> Redacted[tuple[Headers, Chunks]]:
        """Response headers and body chunks (offset ns, bytes) without secrets.

        `stream` False leaves out the search over the joined text of its pieces.
        """
        walk = _Walk(self._finder, self._headers)
        out = walk.response(headers, chunks, stream)
        self._count(walk)
        return replace(out, count=walk.counts.total())

    def text(self, s: str) -> str:
        """A line for a log, a report or an error, without secrets."""
        line = self._finder.line(bytes_text(s), _ignore)
        return line if s.isascii() else line.encode("latin-1").decode("utf-8", "surrogatepass")

    def findings(self, exchange: Exchange) -> list[Finding]:
        """What would still be masked in an exchange: see `scan`."""
        walk = self._walk(exchange.request)
        walk.exchange(exchange)
        return walk.findings

    def _count(self, walk: _Walk) -> None:
        with self._lock:
            self.counts.update(walk.counts)

    def _walk(self, raw: RawRequest) -> _Walk:
        sent = values(("credential of the same request", secret) for secret in _credentials(raw, self._headers))
        return _Walk(self._finder.knowing(sent), self._headers)


class Ahead:
    """One exchange, redacted while it comes. `exchange` says the same as `Redactor.exchange`, only sooner."""

    def __init__(self, start: Callable[[], _Walk], raw: RawRequest, count: Callable[[_Walk], None]) -> None:
        self._start = start
        self._raw = raw
        self._count = count
        self._request: Redacted[RawRequest] | None = None
        self._growing: Growing | None = None

    @cached_property
    def _walk(self) -> _Walk:
        return self._start()

    def request(self) -> Redacted[RawRequest]:
        """The request without secrets."""
        if self._request is None:
            self._request = self._walk.request(self._raw)
        return self._request

    def head(self, headers: Headers) -> None:
        """The response head has come: an event stream that is not encoded can be put together as it arrives."""
        plain = not header(headers, "content-encoding")
        self._growing = Growing() if plain and "text/event-stream" in header(headers, "content-type").lower() else None

    def feed(self, data: bytes) -> None:
        """The next bytes of the response body."""
        if self._growing is not None:
            self._growing.feed(data.decode("latin-1"))
            if self._growing.size > LONGEST:
                self._growing = None

    def exchange(self, exchange: Exchange) -> Exchange:
        """The exchange without secrets; its request must be the one given, its body what was fed."""
        out = self._walk.exchange(exchange, self.request(), self._growing)
        self._count(self._walk)
        return out


def scan(exchange: Exchange, redactor: Redactor) -> list[Finding]:
    """Secrets left in a stored exchange: in its headers, URL, bodies (raw, decoded and assembled) and messages."""
    return redactor.findings(exchange)


def _ignore(how: str, span: Span) -> None:
    """For texts whose secrets are not counted."""


class _Walk:
    """One way through one exchange. What it masks is counted and noted by place."""

    def __init__(self, finder: Finder, extra_headers: frozenset[str]) -> None:
        self._finder = finder
        self._extra = extra_headers
        self._where = ""
        self._quiet = False  # no line of the message at hand has anything to mask
        self.counts: Counter[str] = Counter()
        self.findings: list[Finding] = []
        self.beyond = 0  # how many were elsewhere than in credential headers and parameters

    def exchange(
        self, exchange: Exchange, request: Redacted[RawRequest] | None = None, growing: Growing | None = None
    ) -> Exchange:
        request = request or self.request(exchange.request)
        self._finder = replace(self._finder, broken_off=exchange.outcome is not Outcome.COMPLETE)
        response = self.response(exchange.headers, exchange.chunks, True, growing)
        headers, chunks = response.value
        messages = self._messages(exchange.messages)
        self._listen(exchange.model, exchange.session, exchange.reason, *exchange.provenance.values())
        facts = {name: self._line(f"provenance {name}", text) for name, text in exchange.provenance.items()}
        facts |= {f"request {name}": text for name, text in request.originals.items()}
        facts |= {f"response {name}": text for name, text in response.originals.items()}
        model, session, reason = (self._line(name, getattr(exchange, name)) for name in ("model", "session", "reason"))
        marks = {"redacted"} if self.beyond else set[str]()
        if response.decoded:
            marks.add("decoded")
        return replace(
            exchange,
            request=request.value,
            headers=headers,
            chunks=chunks,
            messages=messages,
            model=model,
            session=session,
            reason=reason,
            marks=exchange.marks | marks,
            masked=tuple(dict.fromkeys((*exchange.masked, *request.masked))),
            provenance=MappingProxyType(facts),
        )

    def request(self, raw: RawRequest) -> Redacted[RawRequest]:
        query = self._query(raw.query)
        self._listen(raw.path, raw.host, query, *self._lines(raw.headers))
        kind = header(raw.headers, "content-type").lower()
        coding = header(raw.headers, "content-encoding")
        plain = b"".join(_decoded([raw.body], coding)) if raw.body and names(coding) else raw.body
        before = plain.decode("latin-1")
        self._where = "request body"
        after = self._finder.body(before, self._note, kind)
        headers = self._headers("request", raw.headers)
        body = raw.body if after == before else after.encode("latin-1")
        decoded = after != before and plain is not raw.body
        headers, originals = _unframed(headers) if decoded else (headers, {})
        clean = replace(
            raw,
            path=self._line("request path", raw.path),
            host=self._line("request host", raw.host),
            query=self._line("request query", query),
            headers=headers,
            body=body,
        )
        return Redacted(clean, masked_paths(before, after, kind), 0, decoded, originals)

    def response(
        self, headers: Headers, chunks: Chunks, assemble: bool, growing: Growing | None = None
    ) -> Redacted[tuple[Headers, Chunks]]:
        self._listen(*self._lines(headers))
        kind = header(headers, "content-type").lower()
        coding = ", ".join(value for name, value in headers if name.lower() == "content-encoding")
        raw = [data for _, data in chunks]
        plain = _decoded(raw, coding) if names(coding) else raw
        before = b"".join(plain).decode("latin-1")
        self._where = "response body"
        after = self._finder.body(before, self._note, kind, assemble, growing)
        headers = self._headers("response", headers)
        if after == before:
            return Redacted((headers, chunks))
        decoded = plain is not raw
        headers, originals = _unframed(headers) if decoded else (headers, {})
        data = after.encode("latin-1")
        cut = _cut(seal(data) if "eventstream" in kind else data, [len(piece) for piece in plain])
        stored = tuple((at, piece) for (at, _), piece in zip(chunks, cut, strict=True) if piece or not decoded)
        return Redacted((headers, stored), (), 0, decoded, originals)

    def _headers(self, side: str, headers: Headers) -> Headers:
        return tuple((name, self._header(f"{side} header {name.lower()}", name, value)) for name, value in headers)

    def _header(self, where: str, name: str, value: str) -> str:
        if not self._is_credential(name):
            return self._line(where, value)
        scheme = _SCHEME.match(value)
        start = scheme.end() + 1 if scheme else 0
        if is_placeholder(value[start:].strip()):
            return value
        self._where = where
        self._note("", Span(start, len(value), "credential header"), 0)
        return value[:start] + WORD

    def _is_credential(self, name: str) -> bool:
        return credential_header(name) or name.lower() in self._extra

    def _lines(self, headers: Headers) -> list[str]:
        """The values that stay, if there is nothing in them."""
        return [value for name, value in headers if not self._is_credential(name)]

    def _query(self, query: str) -> str:
        return "&".join([self._parameter(part) for part in query.split("&")]) if query else ""

    def _parameter(self, part: str) -> str:
        name, equals, value = part.partition("=")
        if is_placeholder(value) or not credential_parameter(unquote(name)):
            return part
        self._where = f"request query {name}"
        self._note("", Span(0, len(value), "credential parameter"), 0)
        return f"{name}{equals}{WORD}"

    def _line(self, where: str, text: str) -> str:
        if self._quiet or not text:
            return text
        self._where = where
        line = self._finder.line(bytes_text(text), self._note)
        return line if text.isascii() else line.encode("latin-1").decode("utf-8", "surrogatepass")

    def _listen(self, *texts: str) -> None:
        """One look at all lines of a message: there is hardly ever anything in them."""
        self._quiet = self._finder.quiet(map(bytes_text, texts))

    def _messages(self, messages: Sequence[Message]) -> tuple[Message, ...]:
        """Each direction is a stream of its own: a key may be split over the messages of one side."""
        out = list(messages)
        for side in ("client", "server"):
            places = [at for at, message in enumerate(messages) if message.direction == side]
            if places:
                self._where = f"{side} message"
                texts = self._finder.pieces([messages[at].data.decode("latin-1") for at in places], self._note)
                for at, text in zip(places, texts, strict=True):
                    out[at] = replace(messages[at], data=text.encode("latin-1"))
        return tuple(out)

    def _note(self, how: str, span: Span, beyond: int = 1) -> None:
        self.counts[span.kind] += 1
        self.beyond += beyond
        self.findings.append(Finding(how + self._where, span.kind, f"{span.end - span.start} characters"))


def _decoded(pieces: Sequence[bytes], coding: str) -> Sequence[bytes]:
    """What each piece decodes to, as far as it goes (a stream may break off); the pieces where nothing does."""
    if not known(coding):
        return pieces
    decoder = Decoder(coding, LARGEST)
    out: list[bytes] = []
    try:
        for piece in pieces:
            out.append(decoder.feed(piece))
    except CodingError:
        out += [b""] * (len(pieces) - len(out))
    return out if any(out) else pieces


def _cut(data: bytes, sizes: Iterable[int]) -> Iterator[bytes]:
    at = 0
    for size in sizes:
        yield data[at : at + size]
        at += size


def _unframed(headers: Headers) -> tuple[Headers, dict[str, str]]:
    """The headers without those that are true of the encoded body only, and these by name."""
    kept = tuple((name, value) for name, value in headers if name.lower() not in _FRAMING)
    gone = {name: header(headers, name) for name in sorted(_FRAMING) if header(headers, name)}
    return kept, gone


def _credentials(raw: RawRequest, extra: frozenset[str]) -> Iterator[str]:
    """The credentials that a request carries by name: an answer may quote them ("Incorrect API key provided: ...")."""
    for name, value in raw.headers:
        if _authenticates(name.lower(), extra):
            scheme = _SCHEME.match(value)
            secret = value[scheme.end() + 1 :].strip() if scheme else value
            yield secret
            if scheme and scheme[0].lower() == "basic":
                yield _password(secret)
    for part in raw.query.split("&"):
        name, _, value = part.partition("=")
        if credential_parameter(unquote(name)):
            yield unquote(value)
    yield from _named(raw)


def _authenticates(name: str, extra: frozenset[str]) -> bool:
    """A secret and not only an account's name, which answers may show."""
    return name in extra or (credential_header(name) and not name.endswith(_ACCOUNT))


def _password(secret: str) -> str:
    try:
        return base64.b64decode(secret, validate=True).partition(b":")[2].decode("utf-8", "replace")
    except binascii.Error:
        return ""


def _named(raw: RawRequest) -> Iterator[str]:
    if names(header(raw.headers, "content-encoding")) or not raw.body:
        return
    text = raw.body.decode("latin-1")
    form = "x-www-form-urlencoded" in header(raw.headers, "content-type").lower()
    for span in [*find_members(text, Words(text)), *(find_fields(text) if form else ())]:
        secret = text[span.start : span.end].removeprefix("Bearer ")
        if "\\" not in secret:
            yield unquote(secret) if form else secret
