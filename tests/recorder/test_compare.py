"""Recorded and fresh answers compared: what is named as what, and what is no change at all."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import bodies, exchanges

from llm_simulator.recorder.compare import LEAST_MS, MOST, compare
from llm_simulator.telemetry.drift import Aspect, Change, Checked, Drift, Times, Verification
from llm_simulator.types import Exchange, Headers, Message, RawRequest

MS = 1_000_000
JSON_TYPE: Headers = (("content-type", "application/json"),)
SSE: Headers = (("content-type", "text/event-stream"),)


def answered(
    body: Any, *, path: str = "/v1/chat/completions", stream: bool = False, host: str = "api.openai.com", **more: Any
) -> Exchange:
    """A chat call and its answer, as bytes or as what JSON spells."""
    asked = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}], "stream": stream}
    request = RawRequest("POST", path, host, headers=JSON_TYPE, body=json.dumps(asked).encode())
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    plain = Exchange(request, "openai", "openai.chat", "chat", "gpt-4o", stream, 200, JSON_TYPE, ((100 * MS, data),))
    return replace(plain, **more)


def chat(content: str | None = "Hello there", **more: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": content, **more.pop("message", {})}
    body = {
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "gpt-4o-2024-08-06",
        "choices": [{"index": 0, "message": message, "finish_reason": more.pop("finish", "stop")}],
        "usage": {"prompt_tokens": 8, "completion_tokens": 2, "total_tokens": 10},
    }  # fmt: skip
    return body | more


def tools(place: str) -> dict[str, Any]:
    call = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": json.dumps({"at": place})}}
    return {"tool_calls": [call]}


def streamed(*words: str) -> bytes:
    events = [
        {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o-2024-08-06",
         "choices": [{"index": 0, "delta": {"content": word}, "finish_reason": None}]}
        for word in words
    ]  # fmt: skip
    return b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events) + b"data: [DONE]\n\n"


BEFORE = answered(chat())


@pytest.mark.parametrize(
    ("after", "aspect", "said"),
    [
        (answered(chat(), status=500), "status", "status was 200, is 500"),
        (answered(b"<html>", headers=(("content-type", "text/html"),)), "shape",
         "content-type was application/json, is text/html; body was JSON, is no JSON"),
        (answered(chat(service_tier="default")), "shape", "$.service_tier is new"),
        (answered({k: v for k, v in chat().items() if k != "object"}), "shape", "$.object is gone"),
        (answered(chat(created="now")), "shape", "$.created was number, is string"),
        (answered(chat(choices=[])), "shape", "$.choices[] is gone"),
        (answered(chat(model="gpt-4o-2024-11-20")), "model", "model was gpt-4o-2024-08-06, is gpt-4o-2024-11-20"),
        (answered(chat(), headers=(*JSON_TYPE, ("openai-version", "2020-10-01"))), "headers",
         "header openai-version is new"),
        (answered(chat("Hello you")), "text", 'text was "Hello there", is "Hello you"'),
        (answered(chat(finish="length")), "text", 'finish was "stop", is "length"'),
        (answered(chat(usage={"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11})), "usage",
         "prompt tokens was 8, is 9"),
        (answered(chat(usage={"prompt_tokens": 8, "completion_tokens": 3, "total_tokens": 11})), "usage",
         "completion tokens was 2, is 3"),
        (answered(chat(), chunks=((400 * MS, json.dumps(chat()).encode()),)), "latency",
         "ttft was 100 ms, is 400 ms (4.0 times); total was 100 ms, is 400 ms (4.0 times)"),
    ],
)  # fmt: skip
def test_each_kind_of_change_is_named(after: Exchange, aspect: str, said: str) -> None:
    found = [change for change in compare(BEFORE, after).changes if change.aspect is Aspect(aspect)]
    assert "; ".join(map(str, found)).startswith(said)


@pytest.mark.parametrize(
    "after",
    [
        answered(chat(id="chatcmpl-2", created=99)),
        answered(chat(), headers=(("Content-Type", "application/json; charset=utf-8"), ("x-request-id", "2"))),
        answered(chat(), chunks=((140 * MS, json.dumps(chat()).encode()),)),
        answered(b"", chunks=((90 * MS, json.dumps(chat(), indent=2).encode()[:10]),
                              (100 * MS, json.dumps(chat(), indent=2).encode()[10:]))),
        answered(gzip.compress(json.dumps(chat()).encode()), headers=(*JSON_TYPE, ("content-encoding", "gzip"))),
    ],
    ids=["ids", "fleeting headers", "a little slower", "white space and chunks", "coding"],
)  # fmt: skip
def test_what_every_answer_has_anew_is_no_change(after: Exchange) -> None:
    before = replace(BEFORE, headers=(*JSON_TYPE, ("x-request-id", "1")))
    if not any(name == "x-request-id" for name, _ in after.headers):
        after = replace(after, headers=(*after.headers, ("x-request-id", "3")))
    assert compare(before, after).changes == ()


def test_a_tool_call_instead_of_text_and_with_other_arguments() -> None:
    london, paris = (answered(chat(None, message=tools(place), finish="tool_calls")) for place in ("London", "Paris"))
    assert [str(c) for c in compare(london, paris).changes] == [
        'tool calls was "weather({\\"at\\": \\"London\\"})", is "weather({\\"at\\": \\"Paris\\"})"'
    ]
    changes = compare(BEFORE, london).changes
    assert "text is gone" in map(str, changes)
    assert "$.choices[].message.tool_calls[].function.name is new" in map(str, changes)


def test_streams_are_compared_by_what_their_events_say_not_by_how_many_there_are() -> None:
    one, two = (answered(streamed(*words), stream=True, headers=SSE) for words in (["Hel", "lo"], ["H", "ello"]))
    assert compare(one, two).changes == ()
    other = answered(streamed("Good", "bye"), stream=True, headers=SSE)
    assert [str(c) for c in compare(one, other).changes] == ['text was "Hello", is "Goodbye"']


def test_answers_that_are_no_completions_are_compared_by_value() -> None:
    path = "/v1/embeddings"
    before = answered({"data": [{"embedding": [0.1, 0.2]}], "id": "a"}, path=path)
    after = answered({"data": [{"embedding": [0.1, 0.3]}], "id": "b"}, path=path)
    assert [str(c) for c in compare(before, after).changes] == ['$.data[].embedding[] was "0.1, 0.2", is "0.1, 0.3"']
    sound = (("content-type", "audio/mpeg"),)
    one, two = (answered(data, path="/v1/audio/speech", headers=sound) for data in (b"\xff\xf3a", b"\xff\xf3bc"))
    assert [str(c) for c in compare(one, two).changes] == ["body was 3 bytes, is 4 others"]


def test_what_the_server_of_a_websocket_says_is_its_answer() -> None:
    def talk(*said: bytes, asked: bytes = b'{"type": "hello"}') -> Exchange:
        messages = (Message("client", 1, asked, 1), *(Message("server", 1, data, 9 * MS) for data in said))
        return answered(b"", path="/v1/realtime", status=101, headers=(), chunks=(), messages=messages)

    before = talk(b'{"type": "session.created", "n": 1}', b'{"type": "done"}')
    assert compare(before, talk(b'{"type": "session.created", "n": 1}', b'{"type": "done"}', asked=b"{}")).changes == ()
    after = talk(b'{"type": "session.created", "n": "1"}', b'{"type": "failed"}')
    assert [str(change) for change in compare(before, after).changes] == [
        "$.n was number, is string",
        '$.type was "session.created, done", is "session.created, failed"',
    ]
    assert compare(before, after).before == Times(9.0, 9.0)
    assert [str(c) for c in compare(talk(b"\xff"), talk(b"\xfe\xfe")).changes] == ["body was 1 bytes, is 2 others"]


def test_long_texts_show_where_they_begin_to_differ() -> None:
    before, after = answered(chat("word " * 50 + "END " * 20)), answered(chat("word " * 50 + "STOP " * 20))
    (change,) = (c for c in compare(before, after).changes if c.aspect is Aspect.TEXT)
    assert change.before.startswith('…"word word word END')
    assert change.after.endswith("… (350 characters)")


def test_a_provider_that_changed_everything_is_not_listed_leaf_by_leaf() -> None:
    before = answered({f"old{n}": 1 for n in range(30)}, path="/v1/other")
    found = [c for c in compare(before, answered({"new": 1}, path="/v1/other")).changes if c.aspect is Aspect.SHAPE]
    assert (len(found), str(found[-1])) == (MOST + 1, "and 11 more")


def test_a_masked_header_is_not_compared_and_a_time_that_is_unknown_neither() -> None:
    before = answered(chat(), headers=(*JSON_TYPE, ("openai-organization", "REDACTED")), chunks=((0, b"{}"),))
    after = answered(chat(), headers=(*JSON_TYPE, ("openai-organization", "acme")), chunks=((900 * MS, b"{}"),))
    after, before = (
        replace(side, request=RawRequest("GET", "/v1/other", "api.openai.com")) for side in (after, before)
    )
    assert compare(before, after) == Drift((), Times(), Times(900.0, 900.0))


@pytest.mark.parametrize(("before", "after", "told"), [(10, 10 + LEAST_MS, True), (10, 9 + LEAST_MS, False),
                                                       (1000, 1400, False), (1500, 1000, True)])  # fmt: skip
def test_latency_counts_when_both_ratio_and_milliseconds_are_large(before: float, after: float, told: bool) -> None:
    one, two = (answered(b"{}", chunks=((int(ms * MS), b"{}"),)) for ms in (before, after))
    assert any(c.aspect is Aspect.LATENCY for c in compare(one, two).changes) is told


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(exchanges(), exchanges())
def test_any_two_exchanges_can_be_compared_and_each_equals_itself(one: Exchange, two: Exchange) -> None:
    compare(one, two)
    assert compare(one, one).changes == ()


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_a_damaged_answer_of_every_provider_can_be_compared(data: st.DataObject) -> None:
    where = data.draw(st.sampled_from(list(PROVIDERS)))
    body = data.draw(st.one_of(bodies, st.sampled_from(PIECES), st.lists(st.sampled_from(PIECES)).map(_events)))
    kind = data.draw(st.sampled_from([JSON_TYPE, SSE]))
    before = answered(chat(), path=PROVIDERS[where], host=where)
    compare(before, replace(before, headers=kind, chunks=((5, body),)))


PROVIDERS = {
    "api.openai.com": "/v1/chat/completions",
    "api.anthropic.com": "/v1/messages",
    "generativelanguage.googleapis.com": "/v1beta/models/gemini-2.5-flash:generateContent",
    "api.cohere.com": "/v2/chat",
}
PIECES = [
    b'{"choices": 7}', b'{"choices": [null]}', b'{"choices": [{"message": "x"}], "usage": []}', b"[]", b"null", b"7",
    b'{"content": {"a": 1}, "usage": {"input_tokens": "x"}}', b'{"candidates": [{"content": {"parts": [1]}}]}',
    b'{"type": "message", "content": [{"type": "text"}]}', b'{"usageMetadata": 1}', b'{"message": {"content": [7]}}',
    b'{"type": "content_block_delta", "index": 9, "delta": {}}', b'{"choices": [{"delta": {"tool_calls": [{}]}}]}',
]  # fmt: skip


def _events(pieces: list[bytes]) -> bytes:
    return b"".join(b"data: " + piece + b"\n\n" for piece in pieces)


def test_a_run_sums_up() -> None:
    run = Verification()
    run.add(Checked(1, "POST", "/a", "m", Drift((), Times(100, 200), Times(150, 260))))
    run.add(Checked(2, "POST", "/b", "m", Drift((Change(Aspect.SHAPE, "$.a", "", "string"),), Times(), Times(1, 2))))
    run.add(
        Checked(3, "POST", "/c", "m", Drift((Change(Aspect.TEXT, "text", "a", "b"),), Times(200, 300), Times(50, 90)))
    )
    assert (run.compared, run.same, run.broken) == (3, 1, 1)
    made = run.as_json()
    assert made["changed"] == {
        "status": 0, "shape": 1, "model": 0, "headers": 0, "usage": 0, "text": 1, "latency": 0
    }  # fmt: skip
    assert made["median_ms"] == {"ttft": {"recorded": 150, "now": 100}, "total": {"recorded": 250, "now": 175}}
    assert made["calls"][1]["changes"] == [{"aspect": "shape", "where": "$.a", "before": None, "after": "string"}]
