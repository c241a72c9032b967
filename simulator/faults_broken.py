"""The ways to break an answer: each maps timed chunks to timed chunks, whether they were recorded or simulated.

The names are those of the catalogue's network faults (`conditions_network.json`). What happens before a request has been
read is `faults_connect.py`'s (TLS, the proxy), or cannot be done at all and is listed in `BEFORE`.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from llm_simulator.simulator.faults import Fault
from llm_simulator.simulator.faults_events import events, is_event, spoken
from llm_simulator.types import Answer, Call, Chunk, End, Headers, header

SLOW_SECONDS = 30.0
"""How long what is slow takes unless the fault says: longer than a test waits, shorter than the SDKs' own 600 s."""
DRIP_SECONDS = 0.1
DRIP_BYTES = 16
_HTML = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body><h1>Network login required</h1></body></html>\n"
_BAD_GATEWAY = (
    b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n"
    b"<hr><center>cloudflare</center>\r\n</body>\r\n</html>\r\n"
)
_NO_HEAD = 0
"""The status of an answer whose bytes are all there is: the wire writes no head and no framing."""


@dataclass(frozen=True, slots=True)
class Way:
    """A way to break an answer. `streamed` is for streams only, `whole` for others only; None for both."""

    about: str
    apply: Callable[[Answer, Fault, Call], Answer]
    streamed: bool | None = None


def find(what: str) -> Way | None:
    """The way of that name: as the catalogue has it, or by its id there ("network.openai.reset_mid_body"), or ours."""
    name = _slug(what)
    return WAYS.get(ALIASES.get(name, name))


def impossible(what: str) -> str:
    """Why a fault of the catalogue cannot be done by an answer; "" where that is not so."""
    return BEFORE.get(_slug(what), "")


def _slug(what: str) -> str:
    name = what.rpartition(".")[2] if what.startswith("network.") else what
    return name.replace("-", "_")


def broken(answer: Answer, fault: Fault, call: Call) -> Answer | None:
    """The answer, broken; None where this way is for streams and it is none, or the other way round."""
    way = find(fault.what)
    assert way is not None
    if isinstance(answer.chunks, AsyncIterator) or (way.streamed is not None and way.streamed is not _streams(answer)):
        return None
    return way.apply(answer, fault, call)


def delayed(answer: Answer, seconds: float) -> Answer:
    """All of it so much later."""
    if seconds <= 0 or isinstance(answer.chunks, AsyncIterator):
        return answer
    head = None if answer.head_due is None else answer.head_due + seconds
    return replace(answer, chunks=_later(answer.chunks, seconds), head_due=head)


def _streams(answer: Answer) -> bool:
    return not header(answer.headers, "content-length") and answer.status != _NO_HEAD


def _known(answer: Answer) -> Iterable[Chunk]:
    assert not isinstance(answer.chunks, AsyncIterator)  # `broken` has looked
    return answer.chunks


def _later(chunks: Iterable[Chunk], seconds: float) -> Iterator[Chunk]:
    return (Chunk(chunk.due + seconds, chunk.data) for chunk in chunks)


# --- before the head


def _silent(end: End) -> Callable[[Answer, Fault, Call], Answer]:
    def apply(answer: Answer, fault: Fault, call: Call) -> Answer:
        return replace(answer, status=_NO_HEAD, headers=(), chunks=(), end=end, head_due=None)

    return apply


def _garbage(answer: Answer, fault: Fault, call: Call) -> Answer:
    said = Chunk(0.0, b"220 mail.example.com ESMTP ready\r\n")
    return replace(answer, status=_NO_HEAD, headers=(), chunks=(said,), end=End.TRUNCATED, head_due=None)


def _slow_headers(answer: Answer, fault: Fault, call: Call) -> Answer:
    return delayed(replace(answer, head_due=answer.head_due or 0.0), _seconds(fault))


def _slow_body(answer: Answer, fault: Fault, call: Call) -> Answer:
    """The head at once, a few bytes, and the rest much later."""

    def chunks() -> Iterator[Chunk]:
        first = True
        for chunk in _known(answer):
            if first:
                first = False
                yield Chunk(chunk.due, chunk.data[:8])
                yield Chunk(chunk.due + _seconds(fault), chunk.data[8:])
            else:
                yield Chunk(chunk.due + _seconds(fault), chunk.data)

    return replace(answer, chunks=chunks(), head_due=0.0 if answer.head_due is None else answer.head_due)


def _seconds(fault: Fault, default: float = SLOW_SECONDS) -> float:
    return default if fault.seconds is None else fault.seconds


# --- in the middle


def _cut(end: End) -> Callable[[Answer, Fault, Call], Answer]:
    """Ends after so many tokens of a stream, in the middle of a whole body."""

    def apply(answer: Answer, fault: Fault, call: Call) -> Answer:
        if not _streams(answer):
            return replace(answer, chunks=_half(_known(answer)), end=end)
        return replace(answer, chunks=_until(_known(answer), fault, call), end=end)

    return apply


def _half(chunks: Iterable[Chunk]) -> tuple[Chunk, ...]:
    """The first half of the bytes."""
    kept = tuple(chunks)
    left = sum(len(chunk.data) for chunk in kept) // 2
    made: list[Chunk] = []
    for chunk in kept:
        made.append(Chunk(chunk.due, chunk.data[:left]))
        left -= len(made[-1].data)
        if left <= 0:
            break
    return tuple(made)


def _until(chunks: Iterable[Chunk], fault: Fault, call: Call) -> Iterator[Chunk]:
    """The events up to the one that the fault strikes at; at least the last one is never sent."""
    counter = _Counter(fault, call)
    before: Chunk | None = None
    for event in events(chunks):
        if before is not None:
            yield before
        if counter.reached(event):
            yield event
            return
        before = event


class _Counter:
    """Counts the tokens of a stream until its fault strikes."""

    __slots__ = ("_call", "_fault", "_left")

    def __init__(self, fault: Fault, call: Call) -> None:
        self._fault = fault
        self._call = call
        self._left = fault.after_tokens

    def reached(self, event: Chunk) -> bool:
        """Whether the token that the fault strikes after has come with this event."""
        if self._left <= 0:  # after none: at the first event that says anything
            return spoken(event.data, self._call, tool=self._fault.in_tool_call) > 0
        self._left -= spoken(event.data, self._call, tool=self._fault.in_tool_call)
        return self._left <= 0


def _drip(answer: Answer, fault: Fault, call: Call) -> Answer:
    """A few bytes at a time, each piece `seconds` after the one before."""

    def chunks() -> Iterator[Chunk]:
        late = 0.0
        for chunk in _known(answer):
            for at in range(0, len(chunk.data), DRIP_BYTES):
                yield Chunk(chunk.due + late, chunk.data[at : at + DRIP_BYTES])
                late += _seconds(fault, DRIP_SECONDS)

    return replace(answer, chunks=chunks())


def _one_event(change: Callable[[bytes], bytes]) -> Callable[[Answer, Fault, Call], Answer]:
    """Changes the event at which the fault strikes; all others come as they are."""

    def apply(answer: Answer, fault: Fault, call: Call) -> Answer:
        def chunks() -> Iterator[Chunk]:
            counter, struck = _Counter(fault, call), False
            for event in events(_known(answer)):
                if not struck and counter.reached(event):
                    struck = True
                    yield Chunk(event.due, change(event.data))
                else:
                    yield event

        return replace(answer, chunks=chunks())

    return apply


def _without_json_end(event: bytes) -> bytes:
    """The event's JSON cut off in the middle, the event itself whole."""
    start = event.rfind(b"{", 0, max(1, len(event) // 2))
    cut = max(start + 1, len(event.rstrip()) // 2 + 1)
    ends = event[len(event.rstrip()) :] or b"\n\n"
    return event.rstrip()[:cut] + ends


def _without_blank_line(event: bytes) -> bytes:
    """Not ended: its data and that of the following event are one."""
    kept = event.rstrip(b"\r\n")
    return kept + b"\n"


def _not_utf8(event: bytes) -> bytes:
    middle = max(event.rfind(b'"') - 1, len(event) // 2)
    return event[:middle] + b"\xff\xfe" + event[middle:]


def _without_last(answer: Answer, fault: Fault, call: Call) -> Answer:
    """A clean end, but the last event (`[DONE]`, `message_stop`) never came."""
    return replace(answer, chunks=_but_last(_known(answer), lambda last: b""))


def _partial_last(answer: Answer, fault: Fault, call: Call) -> Answer:
    return replace(answer, chunks=_but_last(_known(answer), lambda last: last[: max(1, len(last.rstrip()) // 2)]))


def _but_last(chunks: Iterable[Chunk], change: Callable[[bytes], bytes]) -> Iterator[Chunk]:
    before: Chunk | None = None
    for event in events(chunks):
        if before is not None:
            yield before
        before = event
    if before is not None and (rest := change(before.data)):
        yield Chunk(before.due, rest)


def _split_utf8(answer: Answer, fault: Fault, call: Call) -> Answer:
    """Every chunk in two, between the bytes of a character where it has one of several."""

    def chunks() -> Iterator[Chunk]:
        for chunk in _known(answer):
            found = re.search(rb"[\xc2-\xf4](?=[\x80-\xbf])", chunk.data)
            at = found.end() if found else len(chunk.data) // 2
            yield from (Chunk(chunk.due, piece) for piece in (chunk.data[:at], chunk.data[at:]) if piece)

    return replace(answer, chunks=chunks())


def _comments(answer: Answer, fault: Fault, call: Call) -> Answer:
    def chunks() -> Iterator[Chunk]:
        for event in events(_known(answer)):
            yield Chunk(event.due, b": keep-alive\n\n" + event.data if is_event(event.data) else event.data)

    return replace(answer, chunks=chunks())


def _crlf(answer: Answer, fault: Fault, call: Call) -> Answer:
    def chunks() -> Iterator[Chunk]:
        for event in events(_known(answer)):
            yield Chunk(event.due, event.data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))

    return replace(answer, chunks=chunks())


# --- lengths and other bodies


def _promised(answer: Answer, fault: Fault, call: Call) -> Answer:
    """The content-length of all, the first half of it, then the end."""
    whole = tuple(_known(answer))
    length = sum(len(chunk.data) for chunk in whole)
    half = _half(whole)
    return replace(answer, headers=_with(answer.headers, ("content-length", str(max(length, 1)))), chunks=half)


def _understated(answer: Answer, fault: Fault, call: Call) -> Answer:
    """A content-length of half of what comes."""
    whole = tuple(_known(answer))
    length = sum(len(chunk.data) for chunk in whole) // 2
    return replace(answer, headers=_with(answer.headers, ("content-length", str(length))), chunks=whole)


def _body(
    body: Callable[[bytes], bytes], kind: str = "", status: int | None = None, coding: str = ""
) -> Callable[[Answer, Fault, Call], Answer]:
    """Another body in the place of the whole one, due with its end."""

    def apply(answer: Answer, fault: Fault, call: Call) -> Answer:
        whole = tuple(_known(answer))
        made = body(b"".join(chunk.data for chunk in whole))
        due = whole[-1].due if whole else 0.0
        headers = _with(answer.headers, ("content-length", str(len(made))))
        if kind:
            headers = _with(headers, ("content-type", kind))
        if coding:
            headers = _with(headers, ("content-encoding", coding))
        chunks = (Chunk(due, made),) if made else ()
        return replace(answer, status=status or answer.status, reason="", headers=headers, chunks=chunks)

    return apply


def _truncated_chunk(answer: Answer, fault: Fault, call: Call) -> Answer:
    """Sent in chunks, and cut inside of one."""
    headers = tuple(item for item in answer.headers if item[0].lower() != "content-length")
    cut = _half(_known(answer)) if not _streams(answer) else _until(_known(answer), fault, call)
    return replace(answer, headers=headers, chunks=cut, end=End.SEVERED)


def _mislabelled(answer: Answer, fault: Fault, call: Call) -> Answer:
    return replace(answer, headers=_with(answer.headers, ("content-type", "application/json")))


def _nothing(answer: Answer, fault: Fault, call: Call) -> Answer:
    return replace(answer, chunks=())


def _broken_json(answer: Answer, fault: Fault, call: Call) -> Answer:
    if _streams(answer):
        return _one_event(_without_json_end)(answer, fault, call)
    return _body(lambda whole: whole[: max(1, len(whole) // 2)])(answer, fault, call)


def _with(headers: Headers, field: tuple[str, str]) -> Headers:
    return (*(item for item in headers if item[0].lower() != field[0]), field)


WAYS: Mapping[str, Way] = MappingProxyType(
    {
        "reset_before_response": Way("TCP reset instead of an answer", _silent(End.RESET)),
        "close_before_response": Way("closed without a byte", _silent(End.TRUNCATED)),
        "read_timeout": Way("silence: nothing is ever sent", _silent(End.HANG)),
        "garbage_status_line": Way("a reply that is not HTTP", _garbage),
        "slow_headers": Way("the head comes `seconds` later (30)", _slow_headers),
        "slow_body": Way("head and a few bytes, the rest `seconds` later (30)", _slow_body),
        "truncated_content_length": Way("half of the promised content-length, then closed", _promised),
        "short_content_length": Way("a content-length of half of what is sent", _understated),
        "truncated_chunked": Way("cut inside an HTTP chunk", _truncated_chunk),
        "reset_mid_body": Way("TCP reset in the middle of a body", _cut(End.RESET), streamed=False),
        "invalid_json_200": Way("a JSON body that breaks off", _broken_json, streamed=False),
        "empty_200": Way("no body", _body(lambda whole: b""), streamed=False),
        "html_200": Way("an HTML page", _body(lambda whole: _HTML, "text/html; charset=utf-8"), streamed=False),
        "empty_object_200": Way("the body {}", _body(lambda whole: b"{}"), streamed=False),
        "json_array_200": Way("the body []", _body(lambda whole: b"[]"), streamed=False),
        "corrupt_gzip_200": Way(
            "content-encoding gzip, and bytes that are not",
            _body(lambda whole: b"\x1f\x8b\x08\x00" + whole[:32], coding="gzip"),
            streamed=False,
        ),
        "stream_ends_without_terminator": Way("a clean end before the last event", _without_last, streamed=True),
        "stream_connection_closed": Way("closed after `after_tokens` tokens", _cut(End.TRUNCATED)),
        "stream_connection_reset": Way("TCP reset after `after_tokens` tokens", _cut(End.RESET)),
        "stream_stall": Way("silence after `after_tokens` tokens, the connection open", _cut(End.HANG)),
        "stream_malformed_json": Way("broken JSON in one event", _broken_json),
        "malformed_sse": Way(
            "two events without the blank line between", _one_event(_without_blank_line), streamed=True
        ),
        "stream_partial_last_frame": Way("the last event cut in half, a clean end", _partial_last, streamed=True),
        "stream_slow_drip": Way(f"{DRIP_BYTES} bytes every `seconds` (0.1)", _drip),
        "stream_split_utf8": Way("characters split between chunks", _split_utf8),
        "stream_invalid_utf8": Way("bytes that are not UTF-8 in one event", _one_event(_not_utf8), streamed=True),
        "stream_keepalive_comments": Way("comments between events", _comments, streamed=True),
        "stream_crlf_line_ends": Way("lines that end in CR LF", _crlf, streamed=True),
        "stream_wrong_content_type": Way("a stream labelled application/json", _mislabelled, streamed=True),
        "stream_empty_200": Way("a stream without a byte", _nothing, streamed=True),
        "stream_html_502": Way(
            "an HTML 502 in the place of a stream", _body(lambda whole: _BAD_GATEWAY, "text/html", 502), streamed=True
        ),
    }
)
"""The table of them all: a new way is one line here."""

ALIASES: Mapping[str, str] = MappingProxyType(
    {
        "refuse": "reset_before_response",  # the nearest: whoever reads a request has accepted its connection
        "connection_refused": "reset_before_response",
        "reset_before_headers": "reset_before_response",
        "hang_before_headers": "read_timeout",
        "reset_mid_stream": "stream_connection_reset",
        "early_close": "stream_connection_closed",
        "hang": "stream_stall",
        "slow_drip": "stream_slow_drip",
        "truncated_chunk": "truncated_chunked",
        "malformed_json": "stream_malformed_json",
        "wrong_content_length": "truncated_content_length",
    }
)
"""Shorter names."""

BEFORE: Mapping[str, str] = MappingProxyType(
    dict.fromkeys(
        ("dns_failure", "connect_timeout"),
        "it happens before we are asked anything; refuse and hang_before_headers are what an answer can do",
    )
)
"""What nobody who answers can do. TLS and the proxy's own answers are faults of connections (`faults_connect.py`)."""
