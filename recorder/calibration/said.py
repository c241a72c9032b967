"""What a streamed body says and when: its events in order of arrival, how much new text each holds.

By shape, not by provider: an event of any chat format has its new text in a few well-known fields, and events that repeat
what was said (`.done`, `.completed`, a stream's end) are named so. Nothing is parsed: a recording may hold millions of
events, and for their share in the time the bytes of the JSON strings will do.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from llm_simulator.redact.coding import CodingError, Decoder

_END = re.compile(rb"(?<=\n\n)|(?<=\r\n\r\n)|(?<=\r\r)")
_STRING = rb'"((?:[^"\\]|\\.)*)"'
_SAID = re.compile(
    rb'"(?:content|text|delta|arguments|partial_json|thinking|reasoning|reasoning_content|refusal|completion|response'
    rb'|tool_plan|transcript)"\s*:\s*' + _STRING
)
_ARGUMENTS = re.compile(rb'"args"\s*:\s*(\{.*\})', re.DOTALL)  # Gemini's function calls come whole, as an object
_KIND = re.compile(rb'(?:"(?:type|event_type)"\s*:\s*"|^event: ?)([a-z._-]+)', re.MULTILINE)
_REPEATS = re.compile(
    rb"\.(?:done|completed|created|in_progress|incomplete|failed|queued)$|^(?:message_start|content_block_start"
    rb"|message-start|content-start|stream-start|stream-end|message-end|tool-calls-generation|ping|error)$"
)
_COUNTS = re.compile(rb'[uU]sage\w*"\s*:\s*\{|billed_units|eval_count|token_count')
_LIMIT = 256 << 20


@dataclass(frozen=True, slots=True)
class Arrival:
    """One chunk: when it came (seconds), how many pieces of text it completes, and how many bytes these have in JSON."""

    at: float
    pieces: int
    size: int


@dataclass(frozen=True, slots=True)
class Said:
    """A body as it arrived. `counted` are the events that tell token counts, as one body that a dialect can read."""

    arrivals: tuple[Arrival, ...]
    counted: bytes


def said(chunks: Iterable[tuple[int, bytes]], coding: str, lined: bool) -> Said | None:
    """Reads the chunks (offset ns, wire bytes) of a stream; `lined`: a JSON document per line, else server-sent events.

    None where the body cannot be decoded.
    """
    arrivals: list[Arrival] = []
    counted: list[bytes] = []
    rest = b""

    def arrived(at: float, events: list[bytes]) -> None:
        sizes = [size for event in events if (size := _new(event))]
        arrivals.append(Arrival(at, len(sizes), sum(sizes)))
        counted.extend(event for event in events if _COUNTS.search(event))

    try:
        decoder = Decoder(coding, _LIMIT)
        for at, data in chunks:
            events, rest = _cut(rest + decoder.feed(data), lined)
            arrived(at * 1e-9, events)
    except CodingError:
        return None
    if rest.strip() and arrivals:  # a last event without its end counts
        arrived(arrivals[-1].at, [rest])
    return Said(tuple(arrivals), b"".join(counted))


def _cut(data: bytes, lined: bool) -> tuple[list[bytes], bytes]:
    """The complete events, each with its end, and what is left."""
    if lined:
        *whole, rest = data.split(b"\n")
        return [event + b"\n" for event in whole], rest
    if b"\r" in data:
        *whole, rest = _END.split(data)
        return whole, rest
    *whole, rest = data.split(b"\n\n")  # the usual ending, at a tenth of the price
    return [event + b"\n\n" for event in whole], rest


def _new(event: bytes) -> int:
    """The bytes of new text in an event."""
    found = _SAID.findall(event)
    if not found and b'"args"' not in event:
        return 0
    if any(_REPEATS.search(kind) for kind in _KIND.findall(event)):
        return 0
    return sum(map(len, found)) + sum(map(len, _ARGUMENTS.findall(event)))
