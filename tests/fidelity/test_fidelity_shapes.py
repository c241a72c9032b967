"""How shapes are read, compared and explained."""

from __future__ import annotations

import json

import pytest
from fidelity_headers import Formats, Sent, compared, joined
from fidelity_known import CHANCE, LACKING, NEVER, OLDER, UNDATED, VARIES, Known
from fidelity_shape import collapsed, layout, shape_of, stream_layout


def test_keys_are_paths_with_types_and_elements_are_told_apart_by_their_type() -> None:
    value = {"a": [{"type": "x", "n": 1}, {"type": "y", "n": None}], "tool": {"input": {"mine": 1}}}
    shape = shape_of(json.dumps(value).encode(), "application/json")
    assert {path: set(types) for path, types in shape.keys.items()} == {
        "": {"object"},
        ".a": {"array"},
        ".a[x]": {"object"},
        ".a[x].type": {"string"},
        ".a[x].n": {"number"},
        ".a[y]": {"object"},
        ".a[y].type": {"string"},
        ".a[y].n": {"null"},
        ".tool": {"object"},
        ".tool.input": {"object"},  # what is below is the model's own
    }


CHAT = b"""data: {"choices":[{"delta":{"role":"assistant","content":""}}]}

data: {"choices":[{"delta":{"content":"a"}}]}

data: {"choices":[{"delta":{"content":"b"}}]}

data: {"choices":[{"delta":{},"finish_reason":"stop"}]}

data: {"choices":[],"usage":{}}

data: [DONE]

"""
ANTHROPIC = b"""event: content_block_delta
data: {"type":"content_block_delta","delta":{"type":"text_delta"}}

event: message_stop
data: {"type":"message_stop"   }

"""
GEMINI = b'data: {"candidates": [{"content": {"parts": [{"text": "a"}]}}]}\r\n\r\n'
LINES = b'{"event_type":"stream-start"}\n{"event_type":"stream-end"}\n'


@pytest.mark.parametrize(
    ("body", "kinds", "framed"),
    [
        (
            CHAT,
            ("delta role", "delta content", "delta finish", "no choices", "[DONE]"),
            "data, space, LF, compact",
        ),
        (ANTHROPIC, ("content_block_delta(text_delta)", "message_stop"), "event+data, space, LF, compact"),
        (GEMINI, ("chunk text",), "data, space, CRLF, space"),
        (LINES, ("stream-start", "stream-end"), "lines, LF, compact"),
    ],
)
def test_kinds_of_events(body: bytes, kinds: tuple[str, ...], framed: str) -> None:
    shape = shape_of(body, "text/event-stream")
    assert (shape.kinds, shape.layout) == (kinds, framed)
    assert stream_layout(body.decode()) == framed


@pytest.mark.parametrize(
    ("kinds", "once"),
    [
        ("a a b", "a b"),
        ("a b a b", "a b"),
        ("a b c a b c d", "a b c d"),
        ("start stop start stop end", "start stop end"),
    ],
)
def test_repeats_count_once(kinds: str, once: str) -> None:
    assert collapsed(kinds.split(" ")) == tuple(once.split(" "))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a":1}', "indent None, space 0, ends ''"),
        ('{"a": 1}\n', "indent None, space 1, ends '\\n'"),
        ('{\n  "a": 1\n}', "indent 2, space 1, ends ''"),
    ],
)
def test_layouts(text: str, expected: str) -> None:
    assert layout(text) == expected


@pytest.mark.parametrize(
    ("recorded", "fits", "not_so"),
    [
        ({"req_51c71d0bd05d42e08a8da78743ad7b67", "req_0bd05d42e08a8da78743ad7b6751c71d"}, "req_" + "0a" * 16, "req-1"),
        ({"835", "12"}, "1", "1ms"),
        ({"6ms", "0s", "1m12s"}, "17.5s", "17"),
        ({"9cf92a03de7b7aaf-SJC", "9e958ee31a10585e-LAX"}, "0123456789abcdef-SJC", "0123456789abcdef"),
        ({"2026-02-17T23:46:26Z"}, "2026-01-01T00:00:00Z", "Tue, 17 Feb 2026 23:46:27 GMT"),
        ({"gfet4t7; dur=74", "gfet4t7; dur=1904"}, "gfet4t7; dur=3", "dur=74"),
    ],
)
def test_formats_are_learned_from_values(recorded: set[str], fits: str, not_so: str) -> None:
    pattern = Formats(recorded).pattern()
    assert pattern is not None
    assert all(pattern.fullmatch(value) for value in (*recorded, fits))
    assert not pattern.fullmatch(not_so)


def test_values_that_were_taken_out_teach_nothing() -> None:
    sent = Sent()
    sent.note((("openai-organization", "REDACTED"), ("X-Request-Id", "req_1")))
    assert sent.misfits((("openai-organization", "anything"),)) == []
    assert [name for name, _, _ in sent.misfits((("x-request-id", "1"),))] == ["x-request-id"]


def test_what_is_compared_of_headers() -> None:
    assert compared(("Date", "Connection", "content-length", "Set-Cookie", "x-request-id")) == {"date", "x-request-id"}
    assert joined((("vary", "Origin"), ("Vary", "Referer"))) == (("vary", "Origin, Referer"),)


def test_reasons() -> None:
    known = Known()
    for text, model, day in (
        ('{"a":1,"old":1}', "m", "2024-01-01"),
        ('{"a":1,"new":1}', "m", "2025-01-01"),
        ('{"a":1,"new":1,"odd":1}', "m", "2025-01-01"),
        ('{"a":1,"new":1}', "n", "2026-01-01"),
        ('{"a":1}', "other", "2026-01-01"),
    ):
        known.note(shape_of(text.encode(), ""), (model, day), "text|stop", set())
    assert known.why_extra(".new", "", ("m", "2024-01-01")) == OLDER
    assert known.why_extra(".new", "", ("other", "2026-01-01")) == VARIES
    assert known.why_extra(".new", "", ("m", "")) == VARIES  # one of 2026 lacks it
    assert known.why_extra(".odd", "", ("m", "2025-01-01")) == CHANCE
    assert known.why_extra(".made_up", "", ("n", "2026-01-01")) == NEVER
    assert known.why_lacking(".new", "", ("n", "2026-01-01")) == VARIES
    assert known.why_lacking(".old", "", ("m", "2024-01-01")) == OLDER
    assert known.why_lacking(".a", "", ("m", "2024-01-01")) == LACKING


def test_a_recording_without_a_date_may_be_older_than_what_came_to_stay() -> None:
    known = Known()
    for text, day in (('{"a":1}', "2024-01-01"), ('{"a":1}', ""), ('{"a":1,"new":1}', "2025-01-01")):
        known.note(shape_of(text.encode(), ""), ("m", day), "text|stop", set())
    assert known.why_extra(".new", "", ("m", "")) == UNDATED
