"""YAML text that people wrote or edited."""

from __future__ import annotations

import pytest
from strategies import asked, gzipped

from llm_simulator.cassettes.fields import Document
from llm_simulator.cassettes.text import Head, load, read_exchange, read_head
from llm_simulator.cassettes.textwrite import dump
from llm_simulator.errors import CassetteError
from llm_simulator.types import Exchange, Message, Outcome, RawRequest

HEAD = "llm-simulator: cassette\nschema: 1\n"
LEAST = "---\nrequest:\n  path: /v1/models\nresponse:\n  text: hi\n"


ASK = "request: {path: /}\n"
OK = ASK + "response: {}\n"


def one(text: str) -> Exchange:
    found = load((HEAD + "---\n" + text).encode(), "c.yaml")
    assert len(found) == 1
    return found[0]


def test_the_least_that_is_a_cassette() -> None:
    assert load((HEAD + LEAST).encode()) == [
        Exchange(
            RawRequest("GET", "/v1/models"),
            "unknown", "opaque", "unknown", "", False, 200,
            (("content-type", "text/plain; charset=utf-8"),), ((0, b"hi"),),
        )
    ]  # fmt: skip


def test_json_may_be_written_as_yaml() -> None:
    exchange = one("""\
request:
  path: /v1/chat/completions
  host: api.openai.com
  json:
    model: gpt-4o
    n: 1
    temperature: 0.5
    stop: null
    stream: true
    user: "1"
    seed: 007
    messages: [{role: user, content: yes}]
response:
  status: 429
  headers: {retry-after: 3, set-cookie: [a=1, b=2]}
  json: {error: {code: rate_limit}}
""")
    assert exchange.request.method == "POST"
    assert exchange.request.headers == (("content-type", "application/json"),)
    assert exchange.request.body == (
        b'{"model":"gpt-4o","n":1,"temperature":0.5,"stop":null,"stream":true,"user":"1","seed":"007",'
        b'"messages":[{"role":"user","content":"yes"}]}'
    )
    assert exchange.status == 429
    assert exchange.headers == (("retry-after", "3"), ("set-cookie", "a=1"), ("set-cookie", "b=2"))
    assert exchange.body == b'{"error":{"code":"rate_limit"}}'


@pytest.mark.parametrize("style", ["|", "|-", "|+"])
def test_a_stream_written_by_hand_ends_its_last_event(style: str) -> None:
    exchange = one(f"request: {{path: /v1}}\nresponse:\n  sse: {style}\n    data: a\n\n    event: b\n    data: c\n")
    assert exchange.stream is True
    assert exchange.headers == (("content-type", "text/event-stream"),)
    assert exchange.chunks == ((0, b"data: a\n\n"), (0, b"event: b\ndata: c\n\n"))


def test_messages_written_by_hand() -> None:
    exchange = one("""\
request: {path: /v1/realtime}
response: {status: 101}
messages:
  - from: client
    json: {type: hello}
  - from: server
    base64: /w==
""")
    assert exchange.messages == (Message("client", 1, b'{"type":"hello"}', 0), Message("server", 2, b"\xff", 0))


def edited(exchange: Exchange, old: str, new: str) -> Exchange:
    text = "".join(dump([exchange]))
    assert text.count(old) == 1
    return load(text.replace(old, new).encode())[0]


def test_an_edited_body_keeps_the_span_of_time_and_gets_its_length() -> None:
    body = asked().body
    recorded = asked(headers=(("content-length", str(len(body))),))
    longer = edited(recorded, "hello", "hello, world")
    assert longer.body == body.replace(b"hello", b"hello, world")
    assert longer.chunks == ((1_000_000, longer.body),)
    assert longer.headers == (("content-length", str(len(body) + 7)),)


def test_an_edited_stream_is_cut_by_events_over_the_recorded_times() -> None:
    chunks = ((10, b"data: a"), (20, b"\n\ndata: b\n\n"), (30, b"data: c\n\n"))
    recorded = asked(headers=(("content-type", "text/event-stream"),), chunks=chunks)
    assert edited(recorded, "data: b\n", "data: bb\n").chunks == (
        (10, b"data: a\n\n"),
        (20, b"data: bb\n\n"),
        (30, b"data: c\n\n"),
    )


def test_an_emptied_body_has_no_chunks() -> None:
    recorded = asked(headers=(), chunks=((5, b"abc"),))
    assert edited(recorded, "  text: |-\n    abc\n", "").chunks == ()


def test_deleting_wire_lets_the_text_count() -> None:
    wire = gzipped(b"hello")
    recorded = asked(headers=(("content-encoding", "gzip"), ("x-a", "b")), chunks=((1, wire),))
    text = "".join(dump([recorded]))
    start = text.index("  wire:")
    freed = load((text[:start] + text[text.index("metadata:") :]).replace("hello", "hello!").encode())[0]
    assert freed.chunks == ((1, b"hello!"),)
    assert freed.headers == (("x-a", "b"),)
    assert freed.marks == {"text-only"}
    assert freed.provenance == {"response content-encoding": "gzip"}


def test_a_request_without_wire_is_plain_too() -> None:
    exchange = one("request:\n  path: /v1\n  headers: {content-encoding: gzip}\n  text: hi\nresponse: {}\n")
    assert exchange.request == RawRequest("POST", "/v1", body=b"hi")
    assert exchange.provenance == {"request content-encoding": "gzip"}


def test_editing_the_text_beside_wire_is_an_error() -> None:
    recorded = asked(headers=(("content-encoding", "gzip"),), chunks=((1, gzipped(b"hello")),))
    with pytest.raises(
        CassetteError, match=r"field 'response.wire': holds other bytes than `text` shows; .* delete `wire`"
    ):
        edited(recorded, "hello", "hallo")


def test_line_ends_of_windows_change_nothing() -> None:
    text = "".join(dump([asked()]))
    assert load(text.replace("\n", "\r\n").encode()) == [asked()]


def test_comments_and_empty_documents_are_nothing() -> None:
    text = f"# mine\n---\n{HEAD}---\n# nothing\n{LEAST}# end\n---\n"
    assert [exchange.request.path for exchange in load(text.encode())] == ["/v1/models"]


def test_the_header_may_hold_match_rules() -> None:
    text = HEAD + "matcher: 3\nmatch:\n  ignore: [$.user]\n  headers: [x-a]\n  host: true\n"
    assert read_head(text.encode(), Document("c", 0, 1)) == Head(3, ("$.user",), ("x-a",), True)


def test_without_the_answer_nothing_of_it_is_read() -> None:
    data = (LEAST.replace("text: hi", "json: {a: 1}\n  wire: '*'") + "outcome: truncated\n").encode()
    entry = read_exchange(data, Document("c", 1, 1), Head(matcher=2), whole=False)
    assert entry is not None
    assert (entry.chunks, entry.outcome, entry.matcher) == ((), Outcome.TRUNCATED, 2)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "empty; a cassette starts with `llm-simulator: cassette`"),
        ("interactions: []\nversion: 1\n", "not one of ours: it must start with the lines"),
        ("- a\n", "not one of ours"),
        ("llm-simulator: report\nschema: 1\n", "got 'report'; allowed are cassette"),
        ("llm-simulator: cassette\n", "document 0, line 1: field 'schema': is missing"),
        ("llm-simulator: cassette\nschema: 2\n", "line 2: field 'schema': version '2'; this release supports 1"),
        (
            "llm-simulator: cassette\nschema: 1\nfoo: 1\n",
            "line 3: unknown field 'foo'; allowed are llm-simulator, schema",
        ),
        (
            "llm-simulator: cassette\nschema: 1\nmatch: {host: maybe}\n",
            "field 'match.host': got 'maybe'; allowed are true, false",
        ),
    ],
)
def test_a_wrong_header(text: str, complaint: str) -> None:
    with pytest.raises(CassetteError) as caught:
        load(text.encode(), "c.yaml")
    assert str(caught.value).startswith("cassette c.yaml: ")
    assert complaint in str(caught.value)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("a: [\n", "document 1, line 5: not YAML: "),
        ("a: \x01\n", "document 1, line 3: not YAML: "),
        ("- a\n", "document 1, line 4: the document: got a list; allowed is a mapping of fields"),
        ("response: {}\n", "line 4: field 'request': is missing; its fields are method, scheme, host, path"),
        ("request: {path: /}\n", "line 4: field 'response': is missing"),
        ("request: {host: a}\nresponse: {}\n", "line 4: field 'request.path': is missing"),
        (ASK + "response: 200\n", "line 5: response: got the text '200'; allowed is a mapping of fields"),
        (OK + "body: x\n", "line 6: unknown field 'body'; allowed are provider, family,"),
        ("request: {path: /, body: x}\nresponse: {}\n", "line 4: unknown field 'request.body'; allowed are method,"),
        (ASK + "response: {status: ok}\n", "field 'response.status': got 'ok'; allowed is a whole number"),
        (OK + "outcome: fine\n", "got 'fine'; allowed are complete, truncated, client-gone"),
        (OK + "stream: 1\n", "field 'stream': got '1'; allowed are true, false"),
        (OK + "marks: x\n", "field 'marks': got the text 'x'; allowed is a list of texts"),
        (OK + "messages: x\n", "field 'messages': got the text 'x'; allowed is a list"),
        (OK + "messages: [{from: me}]\n", "'messages[0].from': got 'me'; allowed are client, server"),
        ("request: {path: /, path: /a}\nresponse: {}\n", "field 'request.path' stands twice"),
        ("request: {path: [a]}\nresponse: {}\n", "field 'request.path': got a list; allowed is a text"),
        ("request: {path: {a: b}}\nresponse: {}\n", "unknown field 'request.path.a'; allowed are base64"),
        ("request: {path: {base64: /w==}}\nresponse: {}\n", "field 'request.path': 'utf-8' codec"),
        ("request: {path: {a: b, c: d}}\nresponse: {}\n", "field 'request.path': got a mapping; allowed is a text"),
        (ASK + "response: {headers: x}\n", "got the text 'x'; allowed is a list of `name: value`"),
        (ASK + "response: {text: a, json: {}}\n", "field 'response.text': stands beside json; allowed is one of"),
        (ASK + "response: {json: hello}\n", "field 'response.json': is not JSON: "),
        (ASK + "response: {json: '{}', layout: x}\n", "got 'x'; allowed are compact, spaced, indent-2, indent-4"),
        (ASK + "response: {text: a, newline: cr}\n", "field 'response.newline': got 'cr'; allowed are lf, crlf"),
        (ASK + "response: {text: a, crlf_lines: 1}\n", "got '1'; allowed are line numbers from 1 to 0"),
        (ASK + "response: {base64: '*'}\n", "field 'response.base64': is not base64"),
        (OK + "metadata: {chunks: 1}\n", "'metadata.chunks': allowed are pairs OFFSET_NS+LENGTH"),
        (OK + "metadata: {messages: x}\n", "'metadata.messages': allowed are offsets in ns"),
        ("request: {path: !!python/name:os.system x}\nresponse: {}\n", "tag 'tag:yaml.org,2002:python/name:os.system'"),
        ("request: {path: !mine x}\nresponse: {}\n", "tag '!mine'; allowed is no tag at all"),
        ("request: {path: /, json: &a [1]}\nresponse: {json: [[*a, *a]]}\n", "got an alias; allowed are values"),
        (ASK + "response: {json: &a [*a]}\n", "got an alias; allowed are values written out"),
    ],
)  # fmt: skip
def test_a_wrong_document_is_named_by_file_number_line_and_field(text: str, complaint: str) -> None:
    with pytest.raises(CassetteError) as caught:
        one(text)
    assert str(caught.value).startswith("cassette c.yaml: document 1, line ")
    assert complaint in str(caught.value)


def test_a_file_that_is_not_utf_8() -> None:
    with pytest.raises(CassetteError, match="document 1, line 3: not YAML"):
        load(HEAD.encode() + b"---\nrequest: {path: \xff}\n")
