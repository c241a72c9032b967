"""One table per foreign format: small files that we wrote, in every shape that its recorders write."""

from __future__ import annotations

import base64
import gzip
import json

import pytest

from llm_simulator.errors import CassetteError
from llm_simulator.recorder import import_ddapm, import_govcr, import_jsonl, import_rubyvcr, import_vcr
from llm_simulator.recorder.import_report import Tally
from llm_simulator.recorder.importing import FORMATS, read_source
from llm_simulator.recorder.interaction import Imported, Problem, Read
from llm_simulator.recorder.source import Source
from llm_simulator.types import Headers

ZIPPED = gzip.compress(b'{"ok":1}', mtime=0)
LINE_BREAK = "a value with a line break or NUL"
B64 = base64.b64encode(ZIPPED).decode()


def read(text: str | bytes, name: str = "c.yaml") -> list[Read]:
    """As an import does it: the first format that claims the file reads it."""
    data = text.encode() if isinstance(text, str) else text
    return list(read_source(Source.of_bytes(data, name), Tally(name, str)))


def one(text: str | bytes, name: str = "c.yaml") -> Imported:
    [item] = read(text, name)
    assert isinstance(item, Imported), str(item)
    return item


def vcr(body: str = "body: ask", answer: str = "body: {string: told}", headers: str = "headers: {}") -> str:
    return f"""\
interactions:
- request:
    {body}
    {headers}
    method: POST
    uri: https://api.openai.com/v1/chat/completions
  response:
    {answer}
    headers: {{}}
    status: {{code: 200, message: OK}}
version: 1
"""


@pytest.mark.parametrize(
    ("body", "data", "plain"),
    [
        ("body: null", b"", False),
        ("other: 1", b"", False),
        ("body: ''", b"", True),
        ("body: 'caf\u00e9'", "caf\u00e9".encode(), True),
        ('body: "tab\\there"', b"tab\there", True),
        ("body: 42", None, False),
        ("body: !!binary AAH/", b"\x00\x01\xff", False),
        (f"body: !!binary {B64}", ZIPPED, False),
        (f"body: !binary {B64}", ZIPPED, False),
        ("body: !!python/bytes AAH/", b"\x00\x01\xff", False),
        ("body: {string: ask}", b"ask", True),
        ("body: {string: !!binary AAH/}", b"\x00\x01\xff", False),
        ("body: {string: null}", b"", False),
        ("body: {}", b"", False),
        (f"body: {{base64_string: {B64}}}", ZIPPED, False),
        (f"body: {{encoding: base64, string: {B64}}}", ZIPPED, False),
        ("body: {encoding: utf-8, string: ask}", b"ask", True),
        ("body: !!python/unicode ask", b"ask", True),
        ("body: !!python/str ask", b"ask", True),
        ("body: !!python/tuple [a, b]", b"ab", True),
        ("body: [a, !!binary AAH/]", b"a\x00\x01\xff", False),
        (
            "parsed_body: {b: 1, a: [true, null, 1.5, caf\u00e9]}",
            '{"b":1,"a":[true,null,1.5,"caf\u00e9"]}'.encode(),
            True,
        ),
        ("content: ask", b"ask", True),
        ("body: !!binary 'A!!'", None, False),
        ("body: {strings: a}", None, False),
        ("body: 2024-01-01", b"2024-01-01", True),
        ("body: 12:30:45", b"12:30:45", True),
        ("body: no", b"no", True),
        ("body: 0x10", b"0x10", True),
    ],
)
def test_vcr_bodies(body: str, data: bytes | None, plain: bool) -> None:
    for side in ("request", "response"):
        [item] = read(vcr(body) if side == "request" else vcr(answer=body))
        if data is None:
            assert isinstance(item, Problem)
            assert item.where == "interaction 1, line 2"
        else:
            assert isinstance(item, Imported), str(item)
            held = item.sent if side == "request" else item.body
            assert (held.data, held.plain) == (data, plain)
            assert item.request.body == item.sent.data


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ("headers: null", ()),
        ("headers: {Accept: ['*/*'], X-A: [1, two]}", (("Accept", "*/*"), ("X-A", "1"), ("X-A", "two"))),
        ("headers: {content-type: application/json}", (("content-type", "application/json"),)),
        ("headers: {x: true, y: null, z: 2023-06-01}", (("x", "true"), ("y", ""), ("z", "2023-06-01"))),
        ("headers: {x: !!binary aMOp}", (("x", "h\u00c3\u00a9"),)),
        ("headers: {x: '\u20ac'}", (("x", "\u00e2\u0082\u00ac"),)),
        ("headers: {x: !!python/tuple [a, b]}", (("x", "a"), ("x", "b"))),
        ("headers: {':status': ['200'], a: b}", (("a", "b"),)),
        (
            "headers: {? !!python/object/apply:multidict._multidict.istr [Content-Type] : [text/plain]}",
            (("Content-Type", "text/plain"),),
        ),
        ("headers: {? !!python/object/new:multidict.istr [Accept] : [a]}", (("Accept", "a"),)),
        ("headers: [[a, b], [a, c]]", (("a", "b"), ("a", "c"))),
    ],
)
def test_vcr_headers(headers: str, expected: Headers) -> None:
    assert one(vcr(headers=headers)).request.headers == expected


@pytest.mark.parametrize(
    ("answer", "status", "reason"),
    [
        ("status: {code: 404, message: Not Found}", 404, "Not Found"),
        ("status: {code: '429', message: null}", 429, ""),
        ("status: 200", 200, ""),
        ("status_code: 200\n    http_version: HTTP/2\n    content: hi", 200, ""),
    ],
)
def test_vcr_statuses(answer: str, status: int, reason: str) -> None:
    text = vcr().replace("    status: {code: 200, message: OK}", f"    {answer}")
    assert (one(text).status, one(text).reason) == (status, reason)


@pytest.mark.parametrize(
    ("old", "new", "field", "got"),
    [
        ("code: 200", "code: ok", "response.status.code", "'ok'"),
        ("code: 200", "code: 99", "response.status.code", "99"),
        ("code: 200", "code: true", "response.status.code", "True"),
        ("code: 200", "code: 12345678901234567890", "response.status.code", "12345678901234567890"),
        ("code: 200", "code: 2.0e+400", "response.status.code", "inf"),
        ("message: OK", 'message: "a\\nb"', "response.status.message", "'a\\nb'"),
        ("status: {code: 200, message: OK}", "stat: 1", "response.status", "nothing"),
        ("method: POST", "method: 'P ST'", "request.method", "'P ST'"),
        ("method: POST", "method: null", "request.method", "nothing"),
        ("uri: https:", "uri: ftp:", "request.uri", "'ftp://api.openai.com/v1/chat/completions'"),
        ("uri: https://api.openai.com", "uri: https://h:99999", "request.uri", "'https://h:99999/v1/chat/completions'"),
        ("uri:", "url:", None, None),
        ("headers: {}\n    method", "headers: text\n    method", "request.headers", "'text'"),
        ("headers: {}\n    method", "headers: {'a b': c}\n    method", "request.headers", "the name 'a b'"),
        ("headers: {}\n    method", 'headers: {a: "x\\ny"}\n    method', "request.headers.a", LINE_BREAK),
        ("headers: {}\n    method", "headers: {a: {b: c}}\n    method", "request.headers.a", "a mapping of b"),
        ("headers: {}\n    method", "headers: {a: 1.10}\n    method", "request.headers.a", "1.1"),
        ("headers: {}\n    method", "headers: [a]\n    method", "request.headers", "'a'"),
        ("- request:", "- request: 7\n  other:", "request", "7"),
    ],
)  # fmt: skip
def test_a_bad_interaction_names_field_and_value(old: str, new: str, field: str | None, got: str | None) -> None:
    text = vcr()
    assert old in text
    good = text.splitlines()[1:-1]
    items = read("\n".join(["interactions:", *text.replace(old, new, 1).splitlines()[1:-1], *good, "version: 1\n"]))
    if field is None:  # `url` makes it a go-vcr file, where the second one is the bad one
        assert [type(item) for item in items] == [Problem, Problem]
        return
    first, second = items
    assert isinstance(first, Problem)
    assert (first.field, first.got) == (field, got)
    assert isinstance(second, Imported)


@pytest.mark.parametrize(
    ("url", "scheme", "host", "path", "query"),
    [
        ("https://API.openai.com/v1/m", "https", "api.openai.com", "/v1/m", ""),
        ("HTTPS://h.example:443/a?b=c&d=%20", "https", "h.example", "/a", "b=c&d=%20"),
        ("http://h.example:80", "http", "h.example", "/", ""),
        ("http://127.0.0.1:11434/api/chat", "http", "127.0.0.1:11434", "/api/chat", ""),
        ("https://h.example:8443/?x", "https", "h.example:8443", "/", "x"),
        ("http://[::1]:8000/a//b;c?q=1?2#frag", "http", "[::1]:8000", "/a//b;c", "q=1?2"),
        ("https://user:secret@h.example/a", "https", "h.example", "/a", ""),
        ("https://h.example/a b/\u00e9", "https", "h.example", "/a%20b/%C3%A9", ""),
        ("https://h.example:/a", "https", "h.example", "/a", ""),
    ],
)
def test_urls_are_split_exactly(url: str, scheme: str, host: str, path: str, query: str) -> None:
    raw = one(vcr().replace("https://api.openai.com/v1/chat/completions", json.dumps(url, ensure_ascii=False))).request
    assert (raw.method, raw.scheme, raw.host, raw.path, raw.query) == ("POST", scheme, host, path, query)


def test_vcr_json_serializer() -> None:
    asked = {"method": "POST", "uri": "https://h.example/a", "body": "\ud83d\ude00", "headers": {"A": ["b"]}}
    told = {"status": {"code": 200, "message": "OK"}, "headers": {}, "body": {"string": "x\ud800"}}
    again = {"request": {**asked, "body": None}, "response": {**told, "body": {"string": "y"}}}
    whole = [{"request": asked, "response": told}, {**again, "recorded_at": "2024-05-01T10:00:00+02:00"}]
    text = json.dumps({"version": 1, "interactions": whole})
    first, second = read(text, "c.json")
    assert first == Problem(
        "interaction 1", "response.body.string", "half a surrogate pair", "text that UTF-8 can hold"
    )
    assert isinstance(second, Imported)
    assert (second.where, second.recorded_at) == ("interaction 2", "2024-05-01T08:00:00Z")
    good = read(text.replace("\\ud800", ""), "c.json")[0]
    assert isinstance(good, Imported)
    assert good.request.body == "\U0001f600".encode()


def test_langchain_serializer_in_gzip() -> None:
    text = """\
requests:
- {body: !!binary eyJhIjoxfQ==, headers: {accept: ['*/*']}, method: POST, uri: 'https://h.example/a'}
- {body: null, headers: {}, method: GET, uri: 'https://h.example/b'}
responses:
- {body: {string: one}, headers: {}, status: {code: 200, message: OK}}
"""
    first, second = read(gzip.compress(text.encode()), "c.yaml.gz")
    assert isinstance(first, Imported)
    assert (first.request.body, first.body.data) == (b'{"a":1}', b"one")
    assert second == Problem(
        "interaction 2, line 3", "responses", "fewer responses than requests", "one for each request"
    )


RUBY = """\
---
http_interactions:
- request:
    method: post
    uri: https://api.anthropic.com/v1/messages
    body:
      encoding: %(encoding)s
      %(body)s
    headers:
      Content-Type:
      - application/json
  response:
    status:
      code: 200
      message: OK
    headers:
      Content-Type:
      - text/plain
    body:
      encoding: ASCII-8BIT
      %(body)s
    http_version:
  recorded_at: Tue, 01 Nov 2011 04:58:44 GMT
recorded_with: VCR 6.2.0
"""


@pytest.mark.parametrize(
    ("encoding", "body", "data", "plain"),
    [
        ("UTF-8", "string: 'caf\u00e9'", "caf\u00e9".encode(), True),
        ("US-ASCII", "string: ''", b"", True),
        ("ISO-8859-1", "string: 'caf\u00e9'", b"caf\xe9", True),
        ("ISO-8859-1", "string: '\u20ac'", "\u20ac".encode(), True),
        ("no-such-encoding", "string: 'caf\u00e9'", "caf\u00e9".encode(), True),
        ("ASCII-8BIT", f"string: !binary |-\n        {B64}", ZIPPED, False),
        ("ASCII-8BIT", f"base64_string: |\n        {B64[:20]}\n        {B64[20:]}\n", ZIPPED, False),
    ],
)
def test_ruby_bodies(encoding: str, body: str, data: bytes, plain: bool) -> None:
    item = one(RUBY % {"encoding": encoding, "body": body})
    assert (item.sent.data, item.sent.plain) == (data, plain)
    assert (item.request.method, item.request.path, item.status, item.reason) == ("POST", "/v1/messages", 200, "OK")
    assert item.request.headers == (("Content-Type", "application/json"),)
    assert item.recorded_at == "2011-11-01T04:58:44Z"


def test_ruby_variants() -> None:
    betamax = {
        "http_interactions": [
            {
                "request": {"method": "GET", "uri": "http://h.example/", "body": {"encoding": "utf-8", "string": ""}},
                "response": {
                    "status": {"code": 200, "message": "OK"},
                    "headers": {"Content-Encoding": ["gzip"]},
                    "body": {"encoding": None, "base64_string": B64},
                },
                "recorded_at": "2013-09-28T01:25:38",
            }
        ],
        "recorded_with": "betamax/0.4.2",
    }
    item = one(json.dumps(betamax), "c.json")
    assert (item.body.data, item.recorded_at) == (ZIPPED, "2013-09-28T01:25:38Z")
    unpacked = RUBY.replace("    http_version:\n", "    adapter_metadata: {vcr_decompressed: gzip}\n")
    assert one(unpacked % {"encoding": "UTF-8", "body": "string: x"}).provenance == {
        "response content-encoding": "gzip"
    }


GO = """\
---
version: %(version)s
interactions:
- id: 0
  request:
    body: '{"a":1}'
    form: {}
    headers:
      Accept: [a, b]
    url: https://api.mistral.ai/v1/chat/completions?x=1
    method: %(method)s
  response:
    body: !!binary AAH/
    headers:
      Content-Type: [application/json]
    status: 200 OK
    code: 200
    duration: 816.05ms
    uncompressed: %(uncompressed)s
"""


@pytest.mark.parametrize("version", [1, 2])
def test_go_versions(version: int) -> None:
    item = one(GO % {"version": version, "method": "POST", "uncompressed": "true"})
    assert (item.request.method, item.request.target) == ("POST", "/v1/chat/completions?x=1")
    assert item.request.headers == (("Accept", "a"), ("Accept", "b"))
    assert (item.sent.data, item.body.data, item.status, item.reason) == (b'{"a":1}', b"\x00\x01\xff", 200, "OK")
    assert item.provenance == {"duration": "816.05ms", "response content-encoding": "gzip"}


def test_go_edges() -> None:
    assert one(GO % {"version": 1, "method": '""', "uncompressed": "false"}).request.method == "GET"
    assert read("version: 2\ninteractions: []\n") == []
    with pytest.raises(CassetteError, match="version: got 3, allowed is 1 or 2 for a cassette of go-vcr"):
        read(GO % {"version": 3, "method": "GET", "uncompressed": "false"})
    with pytest.raises(CassetteError, match=r"version: got 0, allowed is 1 for a cassette of VCR\.py"):
        read(vcr().replace("version: 1", "version: 0"))


def line(**changes: object) -> str:
    whole: dict[str, object] = {
        "host": "api.openai.com",
        "method": "POST",
        "path": "/v1/chat/completions",
        "request_headers": {"accept": "*/*"},
        "request_body": {"model": "m", "n": 1.0, "t": "caf\u00e9"},
        "status": 200,
        "response_headers": {"content-type": "application/json"},
        "response_body": "told",
        "source": "me/repo:tests/a.yaml#3",
    }
    return json.dumps({**whole, **changes})


@pytest.mark.parametrize(
    ("changes", "sent", "told"),
    [
        ({}, '{"model":"m","n":1.0,"t":"caf\u00e9"}'.encode(), b"told"),
        ({"request_body": None, "response_body": None}, b"", b""),
        ({"request_body": None, "request_body_text": "--x\r\n"}, b"--x\r\n", b"told"),
        ({"request_body": None, "request_body_b64": "AAH/"}, b"\x00\x01\xff", b"told"),
        ({"request_body": "text"}, b'"text"', b"told"),
        ({"request_body": {"a": "\ud800"}}, b'{"a":"\\ud800"}', b"told"),
        (
            {"response_body": None, "response_body_b64": "AAH/"},
            b'{"model":"m","n":1.0,"t":"caf\xc3\xa9"}',
            b"\x00\x01\xff",
        ),
        ({"response_body": {"a": 1}}, b'{"model":"m","n":1.0,"t":"caf\xc3\xa9"}', b'{"a":1}'),
    ],
)
def test_jsonl_bodies(changes: dict[str, object], sent: bytes, told: bytes) -> None:
    item = one(line(**changes), "x.jsonl")
    assert (item.sent.data, item.body.data) == (sent, told)
    assert (item.session, item.provenance["source"]) == ("me/repo:tests/a.yaml", "me/repo:tests/a.yaml#3")


@pytest.mark.parametrize(
    ("host", "scheme"),
    [("api.x.ai", "https"), ("localhost:8000", "http"), ("127.0.0.1:11434", "http"), ("[::1]:1", "http")],
)
def test_jsonl_hosts_without_a_scheme(host: str, scheme: str) -> None:
    raw = one(line(host=host), "x.ndjson").request
    assert (raw.scheme, raw.host) == (scheme, host)


def test_jsonl_lines_fail_one_by_one() -> None:
    lines = [
        line().encode(),
        b"",
        b"{not json",
        b"[1]",
        line(status="x").encode(),
        line(path="v1").encode(),
        b'{"a":\xff}',
        b'{"a":' + b"9" * 5000 + b"}",
        b"[" * 100_000,
        line(path="/v1/models").encode(),
    ]
    items = read(gzip.compress(b"\n".join(lines)), "x.jsonl.gz")
    assert [item.where for item in items] == [f"line {number}" for number in (1, 3, 4, 5, 6, 7, 8, 9, 10)]
    problems = [str(item) for item in items if isinstance(item, Problem)]
    assert problems[:4] == [
        "line 3: got no JSON (Expecting property name enclosed in double quotes at character 1), "
        "allowed is one JSON object per line",
        "line 4: line: got a list of 1, allowed is a mapping",
        "line 5: status: got 'x', allowed is a whole number from 100 to 999",
        "line 6: path: got 'v1', allowed is a path that starts with /",
    ]
    assert len(problems) == 7
    assert isinstance(items[-1], Imported)


def test_datadog() -> None:
    text = json.dumps(
        {
            "request": {
                "method": "POST",
                "url": "https://api.openai.com/v1/x",
                "headers": {"A": "b"},
                "body": "base64:AAH/",
            },
            "response": {"status": {"code": 200, "message": "OK"}, "headers": {"C": "d"}, "body": "told"},
        }
    )
    item = one(text, "c.json")
    assert (item.where, item.sent.data, item.body.data) == ("", b"\x00\x01\xff", b"told")
    assert (item.request.headers, item.headers) == ((("A", "b"),), (("C", "d"),))


def test_each_module_is_listed_once_under_its_own_name() -> None:
    modules = [import_jsonl, import_rubyvcr, import_govcr, import_ddapm, import_vcr]
    listed = {format.module: format.name for format in FORMATS}
    assert len(listed) == len(FORMATS)
    assert {module.__name__: module.FORMAT for module in modules}.items() <= listed.items()
