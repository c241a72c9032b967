"""HAR, aimock and cassetter in, HAR, JSONL and VCR.py out: tables, ways back, and what must be refused."""

from __future__ import annotations

import asyncio
import base64
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_simulator import dialects
from llm_simulator.cassettes.cassette import Cassette
from llm_simulator.recorder import export_har, export_jsonl, export_vcr
from llm_simulator.recorder.conversion import exchange_of
from llm_simulator.recorder.exporting import Writer, export_cassette
from llm_simulator.recorder.foreign import decoded
from llm_simulator.recorder.import_report import Tally
from llm_simulator.recorder.importing import import_files, read_source
from llm_simulator.recorder.interaction import Imported, Problem, Read
from llm_simulator.recorder.source import Source
from llm_simulator.redact.coding import encode
from llm_simulator.redact.redactor import Redactor
from llm_simulator.types import JSON, Call, Exchange, RawRequest


def read(text: str | bytes, name: str) -> list[Read]:
    data = text.encode() if isinstance(text, str) else text
    return list(read_source(Source.of_bytes(data, name), Tally(name, str)))


def one(text: str | bytes, name: str) -> Imported:
    [item] = read(text, name)
    assert isinstance(item, Imported), str(item)
    return item


# --- HAR


def har(request: JSON = None, response: JSON = None, **entry: JSON) -> str:
    asked = {"method": "POST", "url": "https://api.openai.com/v1/x?a=1", "headers": [{"name": "A", "value": "b"}]}
    told = {"status": 200, "statusText": "OK", "headers": [], "content": {"size": 4, "mimeType": "", "text": "told"}}
    entry = {
        "startedDateTime": "2024-05-01T10:00:00.5Z",
        "request": asked | (request or {}),
        "response": told | (response or {}),
    } | entry
    return json.dumps({"log": {"version": "1.2", "creator": {}, "entries": [entry]}})


@pytest.mark.parametrize(
    ("post", "data"),
    [
        (None, b""),
        ({"mimeType": "a", "text": "caf\u00e9"}, "caf\u00e9".encode()),
        ({"mimeType": "a", "text": "AAH/", "encoding": "base64"}, b"\x00\x01\xff"),
        ({"mimeType": "a", "params": [{"name": "a b", "value": "c&"}, {"name": "d"}]}, b"a+b=c%26&d="),
        ({"mimeType": "a", "params": [], "text": ""}, b""),
    ],
)
def test_har_requests(post: JSON, data: bytes) -> None:
    item = one(har({"postData": post}), "x.har")
    assert (item.sent.data, item.request.body, item.request.target) == (data, data, "/v1/x?a=1")
    assert (item.request.headers, item.recorded_at) == ((("A", "b"),), "2024-05-01T10:00:00.500000Z")


@pytest.mark.parametrize(
    ("content", "data"),
    [
        ({"size": 0}, b""),
        ({}, b""),
        ({"size": -1}, b""),
        ({"size": 4, "text": "told"}, b"told"),
        ({"size": 3, "text": "AAH/", "encoding": "base64"}, b"\x00\x01\xff"),
    ],
)
def test_har_bodies(content: JSON, data: bytes) -> None:
    assert one(har(response={"content": content}), "x.har").body.data == data


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            har(response={"content": {"size": 512}}),
            "entry 1: response.content.text: got nothing, but 512 bytes were received, allowed is the body (with content)",
        ),
        (
            har(response={"content": {"_file": "a.bin"}}),
            "entry 1: response.content: got a reference to another file, allowed is text (Playwright: content: embed)",
        ),
        (har(response={"status": 0}), "entry 1: response.status: got 0, allowed is a whole number from 100 to 999"),
        (
            har({"postData": {"params": [{"name": "f", "fileName": "a.png"}]}}),
            "entry 1: request.postData.params: got a file without its content, allowed is postData.text",
        ),
        (
            har({"postData": {"params": {"a": 1}}}),
            "entry 1: request.postData.params: got a mapping of a, allowed is a list of names and values",
        ),
        (
            har({"url": "data:text/plain,x"}),
            "entry 1: request.url: got 'data:text/plain,x', allowed is an absolute http or https URL",
        ),
        (
            har({"headers": [{"name": "a"}]}),
            "entry 1: request.headers: got a mapping of name, allowed is pairs of a name and a value",
        ),
    ],
)  # fmt: skip
def test_har_refusals(text: str, problem: str) -> None:
    [item] = read(text, "x.har")
    assert isinstance(item, Problem)
    assert str(item) == problem


@pytest.mark.parametrize(
    ("timings", "connect", "head", "done"),
    [
        (None, 0, 0, 0),
        (
            {"blocked": 1, "dns": 2, "connect": 3.5, "ssl": 2, "send": 1, "wait": 10, "receive": 4},
            6_500_000,
            11_000_000,
            15_000_000,
        ),
        ({"blocked": -1, "dns": -1, "connect": -1, "send": 0, "wait": 2.25, "receive": 0}, 0, 2_250_000, 2_250_000),
        ({"send": "x", "wait": True, "receive": 1e300}, 0, 0, 0),
    ],
)  # fmt: skip
def test_har_times(timings: JSON, connect: int, head: int, done: int) -> None:
    item = one(har(timings=timings), "x.har")
    assert (item.connect_ns, item.head_ns, item.done_ns) == (connect, head, done)


def test_har_times_are_spread_over_events() -> None:
    sse = {
        "headers": [{"name": "content-type", "value": "text/event-stream"}],
        "content": {"text": "data: 1\n\ndata: 2\n\n"},
    }
    timings = {"send": 0, "wait": 10, "receive": 4}
    exchange, _ = exchange_of(one(har(response=sse, timings=timings), "x.har"), "har", "x.har")
    assert exchange.chunks == ((12_000_000, b"data: 1\n\n"), (14_000_000, b"data: 2\n\n"))
    assert exchange.head_ns == 10_000_000


# --- cassetter

CASSETTER = """\
version: 1
interactions:
- request:
    method: PUT
    uri: https://api.example.com/blob
    headers: {accept: [a, b]}
    body: %s
  response:
    status: 201
    body: %s
  recorded_at: '2026-01-03T00:00:00Z'
"""


@pytest.mark.parametrize(
    ("body", "data"),
    [
        ("{type: none}", b""),
        ("null", b""),
        ("{type: text, content: 'caf\u00e9'}", "caf\u00e9".encode()),
        ("{type: binary, content: '00010203'}", b"\x00\x01\x02\x03"),
        ("{type: json, content: {b: 1, a: [null, 2.5, yes]}}", b'{"b":1,"a":[null,2.5,"yes"]}'),
        ("{type: binary, content: 'xyz'}", None),
        ("{type: xml, content: a}", None),
    ],
)
def test_cassetter_bodies(body: str, data: bytes | None) -> None:
    typed = "{type: text, content: ok}"
    for text in (CASSETTER % (body, typed), CASSETTER % (typed, body)):
        [item] = read(text, "x.yaml")
        if data is None:
            assert isinstance(item, Problem)
            continue
        assert isinstance(item, Imported), str(item)
        assert {item.sent.data, item.body.data} == {data, b"ok"}
        assert (item.status, item.request.method, item.recorded_at) == (201, "PUT", "2026-01-03T00:00:00Z")


def test_cassetter_toml() -> None:
    text = """\
version = 1
[[interactions]]
recorded_at = "2026-02-01T00:00:00Z"
[interactions.request]
method = "POST"
uri = "https://api.example.com/json"
body_type = "json"
body_content = '{"value": null}'
[interactions.request.headers]
x-multi = ["one", "two"]
[interactions.response]
status = 200
body_type = "none"
"""
    item = one(text, "x.toml")
    assert (item.sent.data, item.body.data, item.status) == (b'{"value":null}', b"", 200)
    assert item.request.headers == (("x-multi", "one"), ("x-multi", "two"))
    [bad] = read(text.replace('{"value": null}', "{"), "x.toml")
    assert isinstance(bad, Problem)
    assert bad.field == "request.body"


def test_cassetter_leaves_other_protocols_out_by_name() -> None:
    more = "ws_interactions: [{uri: 'wss://x'}]\ngrpc_interactions: []\n"
    first, second = read(CASSETTER % ("{type: none}", "{type: none}") + more, "x.yaml")
    assert isinstance(first, Imported)
    assert str(second) == "ws_interactions: got 1 of them, allowed is HTTP interactions; these are not imported"


def test_cassetter_is_not_taken_for_vcr() -> None:
    tally = Tally("x.yaml", str)
    list(read_source(Source.of_bytes((CASSETTER % ("{type: none}", "{type: none}")).encode(), "x.yaml"), tally))
    assert tally.format == "cassetter"
    plain = CASSETTER % ("text", "{string: a}")
    list(read_source(Source.of_bytes(plain.encode(), "x.yaml"), tally))
    assert tally.format == "vcrpy"
    list(read_source(Source.of_bytes(plain.replace("text", "!!python/none:x").encode(), "x.yaml"), tally))
    assert tally.format == "vcrpy"


# --- aimock


def fixture(match: JSON = None, response: JSON = None, **more: JSON) -> str:
    asked = {"userMessage": "hello", "model": "gpt-4o"} | (match or {})
    return json.dumps({"fixtures": [{"match": asked, "response": response or {"content": "Hi"}, **more}]})


@pytest.mark.parametrize(
    ("name", "provider", "path"),
    [
        ("openai-2026-01-01T00-00-00-000Z-1a2b3c4d.json", "openai", "/v1/chat/completions"),
        ("my-test/anthropic.json", "anthropic", "/v1/messages"),
        ("gemini-x.json", "gemini", "/v1beta/models/gpt-4o:generateContent"),
        ("cohere.json", "cohere", "/v2/chat"),
        ("greetings.json", "openai", "/v1/chat/completions"),
    ],
)
def test_aimock_answers_in_the_provider_s_own_format(name: str, provider: str, path: str) -> None:
    tool = {"name": "get_weather", "arguments": {"city": "SF"}}
    answer = {
        "content": "Hi",
        "toolCalls": [tool],
        "usage": {"input_tokens": 3, "output_tokens": 4},
        "finishReason": "length",
    }
    item = one(fixture(response=answer, recordedTimings={"ttftMs": 10, "totalDurationMs": 25.5}), name)
    exchange, call = exchange_of(item, "aimock", name)
    assert (exchange.provider, exchange.request.path, exchange.status) == (provider, path, 200)
    assert (call.problem, exchange.model, call.stream) == ("", "gpt-4o", False)
    assert (exchange.head_ns, exchange.chunks[-1][0]) == (10_000_000, 25_500_000)
    completion = dialects.of(call).parse(exchange.status, exchange.headers, exchange.body, call)
    assert completion is not None
    text, made = completion.choices[0].parts
    assert ("".join(getattr(text, "tokens", ())), getattr(made, "name", "")) == ("Hi", "get_weather")
    assert "aimock" in exchange.provenance["request body"]


@pytest.mark.parametrize(
    ("response", "parts"),
    [
        ({"content": {"a": 1}}, ['{"a":1}']),
        ({"reasoning": "hm", "content": "Hi"}, ["hm", "Hi"]),
        ({"blocks": [{"type": "toolCall", "name": "f", "arguments": "{}"}, {"type": "text", "text": "x"}]}, ["f", "x"]),
        ({"toolCalls": [{"name": "f", "id": "call_1"}]}, ["f"]),
    ],
)
def test_aimock_parts(response: JSON, parts: list[str]) -> None:
    body = one(fixture({"model": "claude"}, response), "anthropic.json").body.data
    content = json.loads(body)["content"]
    assert [block.get("text") or block.get("thinking") or block.get("name") for block in content] == parts


def test_aimock_errors_and_ids() -> None:
    error = {"error": {"message": "slow down", "type": "rate_limit_error", "code": "x"}, "status": 429}
    item = one(fixture(response=error), "openai.json")
    assert (item.status, json.loads(item.body.data)["error"]["message"]) == (429, "slow down")
    same = [one(fixture(), "openai.json").body.data for _ in range(2)]
    assert same[0] == same[1]
    told = json.loads(
        one(fixture(response={"content": "x", "id": "chatcmpl-9", "created": 7, "model": "m2"}), "a.json").body.data
    )
    assert (told["id"], told["created"], told["model"]) == ("chatcmpl-9", 7, "m2")


@pytest.mark.parametrize(
    ("match", "response", "field"),
    [
        ({"toolCallId": "call_1"}, None, "match.toolCallId"),
        ({"turnIndex": 2}, None, "match.turnIndex"),
        ({"hasToolResult": True}, None, "match.hasToolResult"),
        ({"endpoint": "image"}, None, "match.endpoint"),
        ({"model": None}, None, "match.model"),
        ({"userMessage": {"re": 1}}, None, "match.userMessage"),
        ({}, {"embedding": [1]}, "response"),
        ({}, {"content": "x", "toolCalls": 1}, "response.toolCalls"),
        ({}, {"error": {}}, "response.error.message"),
    ],
)
def test_aimock_refusals(match: JSON, response: JSON, field: str) -> None:
    [item] = read(fixture(match, response), "openai.json")
    assert isinstance(item, Problem)
    assert (item.where, item.field) == ("fixture 1", field)


# --- out, and in again

NAMES = st.from_regex(r"x-[a-z0-9]{1,8}", fullmatch=True)
VALUES = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=12)
HEADERS = st.dictionaries(NAMES, VALUES, max_size=3).map(lambda held: tuple(held.items()))
BODIES = st.one_of(
    st.binary(max_size=40),
    st.text(max_size=40).map(lambda text: text.encode("utf-8", "replace")),
    st.sampled_from(
        [b"", b'{"a": 1.0}', b'{"a":"\\ud800"}', b"data: x\n\n", b"123", b"null", b"---\n", b"\xef\xbb\xbf{}"]
    ),
)
CODINGS = st.sampled_from(["", "", "gzip", "br"])


@st.composite
def exchanges(draw: st.DrawFn) -> Exchange:
    coding = draw(CODINGS)
    body = draw(BODIES)
    headers = draw(HEADERS)
    if coding and body:
        headers, body = ((*headers, ("content-encoding", coding))), encode(body, coding)
    raw = RawRequest(
        "POST",
        "/v1/x",
        "h.example:8443",
        "https",
        draw(st.sampled_from(["", "a=1&b=%20"])),
        draw(HEADERS),
        draw(BODIES),
    )
    status = draw(st.sampled_from([200, 404, 529]))
    chunks = ((0, body),) if body else ()
    return Exchange(raw, "unknown", "opaque", "unknown", "", False, status, headers, chunks, session="s")


def normal(exchange: Exchange) -> tuple[object, ...]:
    """What a foreign format can keep."""
    told = tuple((name, value) for name, value in exchange.headers if name != "content-encoding")
    raw = exchange.request
    return (
        (raw.method, raw.scheme, raw.host, raw.target, sorted(raw.headers), raw.body),
        (exchange.status, sorted(told), decoded(exchange.headers, exchange.body)),
    )


WRITERS: list[tuple[Writer, str]] = [(export_har, "x.har"), (export_jsonl, "x.jsonl"), (export_vcr, "x.yaml")]


@pytest.mark.parametrize(("writer", "name"), WRITERS)
@settings(max_examples=40, deadline=None)
@given(whole=st.lists(exchanges(), max_size=3))
def test_the_way_back(writer: Writer, name: str, whole: list[Exchange]) -> None:
    written = [writer.entry(exchange, "", number) for number, exchange in enumerate(whole)]
    data = "".join((writer.start(), *written, writer.end())).encode()
    items = read(data, name) if whole or name != "x.jsonl" else []
    again = []
    for item in items:
        assert isinstance(item, Imported), str(item)
        again.append(exchange_of(item, "any", name)[0])
    assert [normal(exchange) for exchange in again] == [normal(exchange) for exchange in whole]


def test_har_keeps_times_and_sessions() -> None:
    raw = RawRequest("GET", "/v1/models", "", "https")
    whole = Exchange(
        raw,
        "anthropic",
        "models",
        "models.list",
        "",
        False,
        200,
        (),
        ((5_000_000, b"a"), (9_000_000, b"b")),
        connect_ns=3_000_000,
    )
    entry = json.loads(export_har.entry(replace(whole, session="s", head_ns=4_000_000), "", 0))
    assert entry["timings"] == {"connect": 3.0, "send": 0, "wait": 4.0, "receive": 5.0}
    assert (entry["time"], entry["comment"], entry["request"]["url"]) == (
        12.0,
        "s",
        "https://api.anthropic.com/v1/models",
    )
    bare = json.loads(export_har.entry(replace(whole, chunks=(), connect_ns=0), "", 1)[1:])
    assert bare["timings"] == {"connect": -1, "send": 0, "wait": 0.0, "receive": 0.0}


def test_jsonl_names_what_was_rebuilt() -> None:
    raw = RawRequest("POST", "/a", "h.example", body=b'{"b": 1}')
    whole = Exchange(
        raw,
        "unknown",
        "opaque",
        "unknown",
        "",
        False,
        200,
        (),
        ((0, b"\xff"),),
        provenance={"response body": "rebuilt"},
    )
    line = json.loads(export_jsonl.entry(replace(whole, recorded_at="2024-01-01T00:00:00Z", session="f"), "", 4))
    assert (line["request_body"], line["request_body_text"]) == ({"b": 1}, '{"b": 1}')
    assert base64.b64decode(line["response_body_b64"]) == b"\xff"
    assert (line["body_fidelity"], line["source"], line["recorded_at"]) == (
        "reserialised",
        "f#4",
        "2024-01-01T00:00:00Z",
    )


@pytest.mark.parametrize(("target", "format"), [("x.har", ""), ("x.jsonl", ""), ("x.yaml", "vcr")])
def test_exported_files_are_recognised_again(tmp_path: Path, target: str, format: str) -> None:
    raw = RawRequest("POST", "/v1/chat/completions", "api.openai.com", body=b'{"model":"m","messages":[]}')
    whole = Exchange(
        raw, "openai", "openai.chat", "chat", "m", False, 200, (("a", "b"),), ((0, b"{}"),), session="f.yaml"
    )

    async def run() -> list[Exchange]:
        cassette = await Cassette.open(str(tmp_path / "a.db"), read=dialects.read, writable=True)
        await cassette.add(whole, dialects.read(raw), replace=False)
        await cassette.close()
        await export_cassette(str(tmp_path / "a.db"), str(tmp_path / target), redactor=Redactor({}), format=format)
        kept = Kept()
        await import_files([tmp_path / target], kept, redactor=Redactor({}), strict=True)
        return kept.exchanges

    [again] = asyncio.run(run())
    assert normal(again) == normal(whole)
    assert (again.provider, again.family, again.model) == ("openai", "openai.chat", "m")


class Kept:
    """A cassette that only remembers."""

    def __init__(self) -> None:
        self.exchanges: list[Exchange] = []

    async def add(self, exchange: Exchange, call: Call, *, replace: bool) -> int:
        self.exchanges.append(exchange)
        return len(self.exchanges)
