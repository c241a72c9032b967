"""Errors by name in each provider's words, and every way to break an answer: chunks in, chunks out."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from llm_simulator import dialects
from llm_simulator.dialects import conditions
from llm_simulator.simulator import faults_connect
from llm_simulator.simulator.faults import Fault, common, condition_of, entry_of, known, spelled
from llm_simulator.simulator.faults_broken import ALIASES, BEFORE, WAYS, broken, delayed, find, impossible
from llm_simulator.simulator.faults_events import events, spoken
from llm_simulator.types import Answer, Call, Chunk, End, RawRequest, Reply, header

HI = [{"role": "user", "content": "Hi"}]
ASKED: dict[str, tuple[str, str, dict[str, Any]]] = {
    "openai": ("api.openai.com", "/v1/chat/completions", {"model": "gpt-4o", "messages": HI}),
    "azure": ("x.openai.azure.com", "/openai/deployments/d/chat/completions", {"messages": HI}),
    "anthropic": ("api.anthropic.com", "/v1/messages", {"model": "claude-opus-5", "max_tokens": 9, "messages": HI}),
    "gemini": (
        "generativelanguage.googleapis.com",
        "/v1beta/models/gemini-2.5-flash:generateContent",
        {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]},
    ),
    "cohere": ("api.cohere.com", "/v2/chat", {"model": "command-a-03-2025", "messages": HI}),
    "mistral": ("api.mistral.ai", "/v1/chat/completions", {"model": "mistral-small-latest", "messages": HI}),
    "groq": ("api.groq.com", "/openai/v1/chat/completions", {"model": "llama-3.3-70b-versatile", "messages": HI}),
}


def call(provider: str = "openai", *, stream: bool = False) -> Call:
    host, path, body = ASKED[provider]
    if stream and provider == "gemini":
        path = path.replace(":generateContent", ":streamGenerateContent")
    elif stream:
        body = {**body, "stream": True}
    return dialects.read(
        RawRequest("POST", path, host, query="alt=sse" if stream else "", body=json.dumps(body).encode())
    )


def answered(fault: Fault, of: Call) -> Reply:
    return spelled(dialects.of(of).refuse(condition_of(fault, of), of), fault, of)


# --- errors


@pytest.mark.parametrize("provider", conditions.PROVIDERS)
def test_every_condition_arrives_exactly_so(provider: str) -> None:
    of = call(provider)
    for entry in conditions.entries(provider):
        if not entry.spelled or entry.status == 101:
            continue
        got = dialects.of(of).refuse(condition_of(Fault("f", entry.id), of), of)
        assert got.status == entry.status, entry.id
        expected = conditions.spell(entry)
        assert [name for name, _ in got.headers] == [name for name, _ in expected.headers], entry.id


@pytest.mark.parametrize("provider", ASKED)
@pytest.mark.parametrize("name", common())
def test_what_most_providers_know_is_an_error_of_each(provider: str, name: str) -> None:
    of = call(provider)
    reply = answered(Fault("f", name), of)
    assert reply.status >= 400 or name in ("answer_filtered", "stream_error", "prompt_filtered"), reply.status
    streamed = answered(Fault("f", name), call(provider, stream=True))
    if streamed.status == 200:
        assert "event-stream" in header(streamed.headers, "content-type"), provider


def test_common_names_are_those_of_the_catalogue() -> None:
    for name in common():
        found = {provider: entry_of(name, call(provider)) for provider in conditions.PROVIDERS}
        assert found["openai"] is not None, name
        assert all(entry is None or entry.provider == provider for provider, entry in found.items()), name


ERRORS: list[tuple[str, Fault, int, dict[str, Any], dict[str, str]]] = [
    (
        "openai",
        Fault("f", "rate_limit", retry_after=7),
        429,
        {"type": "requests"},
        {"retry-after": "7", "retry-after-ms": "7000"},
    ),
    ("anthropic", Fault("f", "rate_limit", retry_after=1.2), 429, {"type": "rate_limit_error"}, {"retry-after": "2"}),
    ("anthropic", Fault("f", "overloaded"), 529, {"type": "overloaded_error"}, {}),
    ("groq", Fault("f", "rate_limit"), 429, {"type": "requests"}, {}),
    ("openai", Fault("f", "rate_limit", message="Slow down."), 429, {"message": "Slow down."}, {}),
    ("openai", Fault("f", "rate_limit", status=430), 430, {"type": "requests"}, {}),
    ("openai", Fault("f", status=418, message="Teapot.", code="tea"), 418, {"message": "Teapot.", "code": "tea"}, {}),
    ("anthropic", Fault("f", status=418, message="Teapot."), 418, {"message": "Teapot."}, {}),
    ("gemini", Fault("f", status=418, message="Teapot."), 418, {"code": 418, "message": "Teapot."}, {}),
    ("openai", Fault("f", "anthropic.overloaded"), 529, {"type": "overloaded_error"}, {}),
    ("cohere", Fault("f", "openai_only_name", status=409), 409, {}, {}),
]


@pytest.mark.parametrize(("provider", "fault", "status", "error", "headers"), ERRORS)
def test_errors_with_words_of_ones_own(
    provider: str, fault: Fault, status: int, error: dict[str, Any], headers: dict[str, str]
) -> None:
    reply = answered(fault, call(provider))
    assert reply.status == status
    assert isinstance(reply.body, bytes)
    body = json.loads(reply.body)
    inner = body.get("error", body)
    assert {name: inner.get(name) for name in error} == error
    assert {name: header(reply.headers, name) for name in headers} == headers


def test_names_that_are_known() -> None:
    assert all(map(known, (*common(), "openai.rate_limit_requests", "quota_exhausted_bare", "overloaded")))
    assert not any(map(known, ("rate_limt", "network.openai.reset_mid_body", "")))


def test_every_fault_of_the_network_can_be_done_or_says_why_not() -> None:
    names = {entry.fault or "" for entry in conditions.entries(conditions.NETWORK)}
    undone = {name for name in names if find(name) is None}
    assert undone == {name for name in names if impossible(name) or faults_connect.find(name)}
    assert {name for name in names if impossible(name)} == {"dns_failure", "connect_timeout"}
    assert set(faults_connect.KINDS) == {name for name in names if faults_connect.find(name)}
    assert find("refuse") is find("network.openai.connection_refused") is WAYS["reset_before_response"]
    assert set(ALIASES.values()) <= set(WAYS)
    assert not set(BEFORE) & set(WAYS)
    assert find("network.gemini.reset_mid_body") is WAYS["reset_mid_body"]
    assert find("reset-mid-stream") is WAYS["stream_connection_reset"]


# --- breaks


def event(text: str) -> bytes:
    return b"data: " + json.dumps({"choices": [{"delta": {"content": text}}]}).encode() + b"\n\n"


WORDS = ("One", " two", " three", " four", " five", " é")
STREAM = (*(Chunk(1.0 + at, event(word)) for at, word in enumerate(WORDS)), Chunk(7.0, b"data: [DONE]\n\n"))
SSE = (("content-type", "text/event-stream"),)
JSON_BODY = json.dumps({"id": "x", "choices": [{"message": {"content": "One two three"}}]}).encode()


def streamed(chunks: tuple[Chunk, ...] = STREAM) -> Answer:
    return Answer(200, SSE, chunks)


def whole(body: bytes = JSON_BODY) -> Answer:
    return Answer(200, (("content-type", "application/json"), ("content-length", str(len(body)))), (Chunk(2.0, body),))


def bytes_of(answer: Answer) -> bytes:
    assert not isinstance(answer.chunks, AsyncIterator)
    return b"".join(chunk.data for chunk in answer.chunks)


def broke(answer: Answer, **fault: Any) -> Answer:
    made = broken(answer, Fault("f", **fault), call(stream=True))
    assert made is not None
    return made


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "answer", [streamed(), whole(), whole(b""), streamed(())], ids=["stream", "whole", "empty", "no events"]
)
def test_every_way_maps_chunks_to_chunks_in_order(way: str, answer: Answer) -> None:
    made = broken(answer, Fault("f", way), call(stream=True))
    if made is None:
        assert WAYS[way].streamed is not None
        return
    assert not isinstance(made.chunks, AsyncIterator)
    dues = [chunk.due for chunk in made.chunks]
    assert dues == sorted(dues)


@pytest.mark.parametrize(
    ("way", "end", "status"),
    [
        ("reset_before_headers", End.RESET, 0),
        ("close_before_response", End.TRUNCATED, 0),
        ("hang_before_headers", End.HANG, 0),
    ],
)
def test_nothing_is_sent(way: str, end: End, status: int) -> None:
    made = broke(streamed(), what=way)
    assert (made.end, made.status, bytes_of(made), made.headers) == (end, status, b"", ())


@pytest.mark.parametrize(
    ("way", "end"),
    [
        ("reset_mid_stream", End.RESET),
        ("early_close", End.TRUNCATED),
        ("hang", End.HANG),
        ("truncated_chunk", End.SEVERED),
    ],
)
@pytest.mark.parametrize(("after", "kept"), [(0, 1), (1, 1), (2, 2), (3, 3), (5, 5), (99, 6)])
def test_a_stream_ends_after_so_many_tokens(way: str, end: End, after: int, kept: int) -> None:
    made = broke(streamed(), what=way, after_tokens=after)
    assert made.end is end
    assert bytes_of(made) == b"".join(event(word) for word in WORDS[:kept])


@pytest.mark.parametrize(
    "way", ["reset_mid_stream", "early_close", "hang", "reset_mid_body", "truncated_content_length"]
)
def test_a_whole_body_breaks_in_the_middle(way: str) -> None:
    made = broke(whole(), what=way)
    assert bytes_of(made) == JSON_BODY[: len(JSON_BODY) // 2]
    assert header(made.headers, "content-length") == str(len(JSON_BODY))


def test_events_are_put_together_from_whatever_chunks() -> None:
    data = b"".join(chunk.data for chunk in STREAM)
    cut = tuple(Chunk(float(at), data[at : at + 7]) for at in range(0, len(data), 7))
    assert [one.data for one in events(cut)] == [chunk.data for chunk in STREAM]
    crlf = data.replace(b"\n", b"\r\n")
    assert len(list(events((Chunk(0.0, crlf),)))) == len(STREAM)
    assert [one.data for one in events((Chunk(0.0, b'{"a":1}\n{"b":'), Chunk(1.0, b"2}\n")))] == [
        b'{"a":1}\n',
        b'{"b":2}\n',
    ]


SPOKEN: list[tuple[bytes, int, int]] = [
    (event("One two"), 2, 0),
    (b'data: {"type":"content_block_delta","delta":{"type":"input_json_delta","partial_json":"{\\"a\\""}}\n\n', 3, 3),
    (b'data: {"type":"content_block_delta","delta":{"type":"text_delta","text":"One"}}\n\n', 1, 0),
    (b'data: {"type":"response.function_call_arguments.delta","delta":"{\\"a\\""}\n\n', 3, 3),
    (b'data: {"type":"response.output_text.delta","delta":"One"}\n\n', 1, 0),
    (b'data: {"type":"response.completed","response":{"output":[{"content":[{"text":"One two three"}]}]}}\n\n', 0, 0),
    (b'data: {"choices":[{"delta":{"tool_calls":[{"function":{"name":"f","arguments":"{"}}]}}]}\n\n', 1, 1),
    (b'data: {"candidates":[{"content":{"parts":[{"text":"One"}],"role":"model"}}]}\n\n', 1, 0),
    (b"data: [DONE]\n\n", 0, 0),
    (b": ping\n\n", 0, 0),
    (b"data: not json\n\n", 0, 0),
]


@pytest.mark.parametrize(("data", "tokens", "of_tools"), SPOKEN)
def test_the_tokens_of_an_event(data: bytes, tokens: int, of_tools: int) -> None:
    asked = call()
    assert abs(spoken(data, asked) - tokens) <= (1 if tokens > 2 else 0)
    assert (spoken(data, asked, tool=True) > 0) is (of_tools > 0)


def test_a_break_in_the_middle_of_a_tool_call() -> None:
    def argument(text: str) -> bytes:
        body = {"choices": [{"delta": {"tool_calls": [{"index": 0, "function": {"arguments": text}}]}}]}
        return b"data: " + json.dumps(body).encode() + b"\n\n"

    parts = (event("Let me look."), argument('{"'), argument("city"), argument('":"'), argument("Oslo"), argument('"}'))
    chunks = tuple(Chunk(float(at), data) for at, data in enumerate(parts))
    made = broke(streamed(chunks), what="early_close", in_tool_call=True, after_tokens=2)
    assert bytes_of(made) == b"".join(parts[:3])


def test_one_event_is_wrong_and_the_others_come() -> None:
    made = bytes_of(broke(streamed(), what="malformed_json", after_tokens=3))
    frames = made.split(b"\n\n")[:-1]
    assert len(frames) == len(STREAM)
    with pytest.raises(json.JSONDecodeError):
        json.loads(frames[2][5:])
    assert frames[3] + b"\n\n" == STREAM[3].data


def test_two_events_run_into_one() -> None:
    made = bytes_of(broke(streamed(), what="malformed_sse", after_tokens=2))
    assert made.split(b"\n\n")[1] == (event(" two").rstrip() + b"\n" + event(" three").rstrip())


def test_the_last_event() -> None:
    all_but = b"".join(chunk.data for chunk in STREAM[:-1])
    assert bytes_of(broke(streamed(), what="stream_ends_without_terminator")) == all_but
    assert bytes_of(broke(streamed(), what="stream_partial_last_frame")) == all_but + b"data: "


def test_a_drip_keeps_every_byte() -> None:
    made = broke(streamed(), what="slow_drip", seconds=0.5)
    assert not isinstance(made.chunks, AsyncIterator)
    chunks = tuple(made.chunks)
    assert b"".join(chunk.data for chunk in chunks) == b"".join(chunk.data for chunk in STREAM)
    assert max(len(chunk.data) for chunk in chunks) == 16
    assert chunks[1].due - chunks[0].due == 0.5


def test_bytes_that_are_no_text() -> None:
    with pytest.raises(UnicodeDecodeError):
        bytes_of(broke(streamed(), what="stream_invalid_utf8")).decode()
    split = broke(streamed((Chunk(0.0, "data: é\n\n".encode()),)), what="stream_split_utf8")
    assert not isinstance(split.chunks, AsyncIterator)
    assert [chunk.data for chunk in split.chunks] == [b"data: \xc3", b"\xa9\n\n"]


def test_lengths_that_lie() -> None:
    stream = broke(streamed(), what="wrong_content_length")
    total = sum(len(chunk.data) for chunk in STREAM)
    assert header(stream.headers, "content-length") == str(total)
    assert len(bytes_of(stream)) == total // 2
    short = broke(whole(), what="short_content_length")
    assert (header(short.headers, "content-length"), bytes_of(short)) == (str(len(JSON_BODY) // 2), JSON_BODY)


def test_waits() -> None:
    late = delayed(whole(), 3)
    assert not isinstance(late.chunks, AsyncIterator)
    assert [chunk.due for chunk in late.chunks] == [5.0]
    slow = broke(streamed(), what="slow_headers", seconds=9)
    assert slow.head_due == 9
    body = broke(whole(), what="slow_body", seconds=9)
    assert not isinstance(body.chunks, AsyncIterator)
    assert [(chunk.due, len(chunk.data)) for chunk in body.chunks] == [(2.0, 8), (11.0, len(JSON_BODY) - 8)]


@pytest.mark.parametrize(
    ("way", "body", "kind"),
    [
        ("empty_200", b"", "application/json"),
        ("empty_object_200", b"{}", "application/json"),
        ("json_array_200", b"[]", "application/json"),
    ],
)
def test_other_bodies(way: str, body: bytes, kind: str) -> None:
    made = broke(whole(), what=way)
    assert (bytes_of(made), header(made.headers, "content-type")) == (body, kind)
    assert header(made.headers, "content-length") == str(len(body))
    assert broken(streamed(), Fault("f", way), call()) is None
