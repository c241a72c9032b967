"""Planted secrets, in every position that providers use, are nowhere in what is stored; what else was there still is."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any
from urllib.parse import quote, unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_simulator.redact import Finding, Redactor, scan
from llm_simulator.redact import redactor as redactor_module
from llm_simulator.redact.coding import CodingError, decode, encode
from llm_simulator.types import Exchange, Headers, Message, RawRequest, header

OPENAI = "sk-proj-aB3dE5gH7jK9mN1pQ3sTaB3dE5gH7jK9mN1pQ3sT"
GOOGLE = "AIzaSyA1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q"
SHAPELESS = "0123456789abcdef0123456789abcdef"  # Azure, and like Cohere and Mistral: only its place says what it is
VALUE = "correct-horse/battery+staple=9"
ENVIRON = {"MY_SERVICE_SECRET": VALUE, "HOME": "/home/someone-long", "SHORT_KEY": "short"}
JSON: Headers = (("Content-Type", "application/json"),)
SSE: Headers = (("content-type", "text/event-stream; charset=utf-8"),)

BASE = Exchange(
    RawRequest(
        "POST", "/v1/chat/completions", "api.openai.com", headers=JSON, body=b'{"model": "gpt", "messages": []}'
    ),
    "openai",
    "openai.chat",
    "chat",
    "gpt",
    False,
    200,
    JSON,
    ((5, b'{"id": "chatcmpl-1", '), (9, b'"choices": []}')),
)


def asked(body: Any = None, headers: Headers = JSON, **more: Any) -> Exchange:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return replace(BASE, request=replace(BASE.request, body=data, headers=headers, **more))


def answered(body: bytes, headers: Headers = JSON, step: int = 7) -> Exchange:
    cuts = [(at, body[at : at + step]) for at in range(0, len(body), step)]
    return replace(BASE, headers=headers, chunks=tuple(cuts))


def deltas(text: str, step: int = 3) -> bytes:
    pieces = [text[at : at + step] for at in range(0, len(text), step)]
    events = [{"id": "c", "choices": [{"index": 0, "delta": {"content": piece}}]} for piece in pieces]
    return "".join(f"data: {json.dumps(event)}\n\n" for event in events).encode() + b"data: [DONE]\n\n"


def basic(secret: str) -> str:
    return "Basic " + base64.b64encode(f"user:{secret}".encode()).decode()


def form(secret: str) -> bytes:
    return f"grant_type=client_credentials&client_secret={quote(secret, safe='')}".encode()


def multipart(secret: str) -> bytes:
    return (
        b'--b\r\nContent-Disposition: form-data; name="api_key"\r\n\r\n' + secret.encode() + b"\r\n"
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n\x89PNG\xff\xfe\r\n--b--\r\n'
    )


def header_of(name: str, spell: Callable[[str], str] = str) -> Callable[[str], Exchange]:
    return lambda secret: asked({}, (*JSON, (name, spell(secret))))


def response_header(name: str, spell: Callable[[str], str] = str) -> Callable[[str], Exchange]:
    return lambda secret: replace(BASE, headers=(*JSON, (name, spell(secret))))


def quoted_back(secret: str) -> Exchange:
    """A provider that quotes the key it refuses."""
    exchange = asked({}, (*JSON, ("authorization", f"Bearer {secret}")))
    error = json.dumps({"error": {"message": f"Incorrect API key provided: {secret}. Find yours."}}, indent=4)
    return replace(exchange, status=401, chunks=((1, error.encode()[:60]), (2, error.encode()[60:])))


BY_PLACE: dict[str, Callable[[str], Exchange]] = {
    "bearer": header_of("Authorization", "Bearer {}".format),
    "basic": header_of("authorization", basic),
    "bare authorization": header_of("authorization"),
    "x-api-key": header_of("x-api-key"),
    "azure api-key": header_of("api-key"),
    "x-goog-api-key": header_of("X-Goog-Api-Key"),
    "xi-api-key": header_of("xi-api-key"),
    "subscription key": header_of("Ocp-Apim-Subscription-Key"),
    "cookie": header_of("Cookie", "session={}; a=b".format),
    "proxy-authorization": header_of("Proxy-Authorization", "Bearer {}".format),
    "aws token": header_of("X-Amz-Security-Token"),
    "custom": header_of("X-Acme-Auth-Token"),
    "set-cookie": response_header("Set-Cookie", "__cf_bm={}; path=/".format),
    "organization": response_header("openai-organization"),
    "gemini key": lambda secret: asked({}, query=f"alt=sse&key={secret}"),
    "signature": lambda secret: asked({}, query=f"X-Amz-Signature={secret}&x=1"),
    "escaped parameter": lambda secret: asked({}, query=f"api%5Fkey={quote(secret, safe='')}"),
    "json member": lambda secret: asked({"connector": {"api_key": secret}}),
    "mcp authorization": lambda secret: asked(
        {"tools": [{"type": "mcp", "headers": {"Authorization": f"Bearer {secret}"}}]}
    ),
    "tool arguments": lambda secret: asked(
        {"messages": [{"tool_calls": [{"arguments": json.dumps({"password": secret})}]}]}
    ),
    "oauth form": lambda secret: asked(form(secret), (("content-type", "application/x-www-form-urlencoded"),)),
    "multipart": lambda secret: asked(multipart(secret), (("content-type", "multipart/form-data; boundary=b"),)),
    "oauth answer": lambda secret: answered(json.dumps({"access_token": secret, "expires_in": 3600}).encode()),
    "oauth answer, gzip": lambda secret: answered(
        encode(json.dumps({"refresh_token": secret}).encode(), "gzip"), (*JSON, ("Content-Encoding", "gzip"))
    ),
    "streamed tool arguments": lambda secret: answered(deltas(json.dumps({"api_key": secret, "x": 1})), SSE),
    "the key quoted back": quoted_back,
    "the query key quoted back": lambda secret: replace(
        asked({}, query=f"key={quote(secret, safe='')}"), chunks=((1, f"API key {secret} not valid.".encode()),)
    ),
    "the key quoted back in pieces": lambda secret: replace(
        asked({}, (("x-api-key", secret),)), headers=SSE, chunks=((1, deltas(f"your key is {secret}!")),)
    ),
}

BY_TEXT: dict[str, Callable[[str], Exchange]] = {
    "prompt": lambda secret: asked({"messages": [{"role": "user", "content": f"my key\n{secret}\nis it good?"}]}),
    "gzipped prompt": lambda secret: asked(
        encode(json.dumps({"content": secret}).encode(), "gzip"), (*JSON, ("content-encoding", "gzip"))
    ),
    "path": lambda secret: asked({}, path=f"/bot{quote(' ' + secret, safe='')}/sendMessage"),
    "query": lambda secret: asked({}, query=f"q={quote('is ' + secret, safe='')}&x=1"),
    "some header": header_of("x-note", "see {} there".format),
    "some response header": response_header("x-note", "see {} there".format),
    "answer": lambda secret: answered(json.dumps({"text": f"it is {secret}."}, indent=2).encode()),
    "answer, a byte a chunk": lambda secret: answered(json.dumps({"text": f"it is {secret}."}).encode(), step=1),
    "plain answer": lambda secret: answered(f"it is {secret} !".encode(), (("content-type", "text/plain"),)),
    "stream": lambda secret: answered(deltas(f"it is {secret} !", 999), SSE),
    "token by token": lambda secret: answered(deltas(f"it is {secret} !", 2), SSE),
    "token by token, gzip": lambda secret: answered(
        encode(deltas(f"it is {secret} !"), "gzip"),
        (*SSE, ("content-encoding", "gzip"), ("transfer-encoding", "chunked")),
    ),
    "token by token, br": lambda secret: answered(
        encode(deltas(f"it is {secret} !"), "br"), (*SSE, ("content-encoding", "br"))
    ),
    "token by token, zstd": lambda secret: answered(
        encode(deltas(f"it is {secret} !"), "zstd"), (*SSE, ("content-encoding", "zstd"))
    ),
    "broken off gzip": lambda secret: answered(
        encode(deltas(f"it is {secret} !" + "x" * 9000), "gzip")[:-20], (*SSE, ("content-encoding", "gzip"))
    ),
    "claims gzip, is plain": lambda secret: answered(f"it is {secret} !".encode(), (("content-encoding", "gzip"),)),
    "messages": lambda secret: replace(
        BASE,
        messages=(
            Message("client", 1, json.dumps({"text": f"it is {secret} !"}).encode(), 1),
            Message("server", 1, json.dumps({"delta": "so " + secret[:9]}).encode(), 2),
            Message("client", 2, b"\xff\x00", 3),
            Message("server", 1, json.dumps({"delta": secret[9:] + " !"}).encode(), 4),
        ),
    ),
    "model": lambda secret: replace(BASE, model=f"ft:{secret}"),
    "session": lambda secret: replace(BASE, session=secret),
    "provenance": lambda secret: replace(BASE, provenance={"source": f"a {secret} b"}),
}


def _leaves(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for member in value.values() for text in _leaves(member)]
    if isinstance(value, list):
        return [text for member in value for text in _leaves(member)]
    return [value] if isinstance(value, str) else []


def readings(data: bytes) -> list[str]:
    """A body as different readers see it: as it is, its JSON's strings, the joined strings of its lines."""
    text = data.decode("utf-8", "replace")
    out = [text, unquote(text)]
    lines = [line.removeprefix("data: ") for line in text.split("\n")]
    joined = ""
    for line in [text, *lines]:
        try:
            leaves = _leaves(json.loads(line))
        except ValueError:
            continue
        out += leaves
        joined += "".join(leaves[1:] if len(leaves) > 1 else leaves)  # without the id
    return [*out, joined]


def visible(exchange: Exchange) -> str:
    """All that anyone could read out of a stored exchange."""
    request = exchange.request
    parts = [repr(exchange), unquote(request.target), *map(str, exchange.provenance.values())]
    parts += [value for _, value in (*request.headers, *exchange.headers)]
    for headers, body in ((request.headers, request.body), (exchange.headers, exchange.body)):
        parts += readings(body)
        if coding := header(headers, "content-encoding"):
            with suppress(CodingError):
                parts += readings(decode(body, coding))
    for side in ("client", "server"):
        parts += readings(b"\n".join(message.data for message in exchange.messages if message.direction == side))
    return "\n".join(parts)


def check(exchange: Exchange, secret: str) -> tuple[Exchange, Redactor]:
    redactor = Redactor(ENVIRON)
    assert scan(exchange, redactor), "the scan must see the planted secret"
    stored = redactor.exchange(exchange)
    assert secret not in visible(stored)
    assert scan(stored, redactor) == []
    assert redactor.exchange(stored) == stored
    assert redactor.counts.total() >= 1
    return stored, redactor


@pytest.mark.parametrize("place", BY_PLACE)
@pytest.mark.parametrize("secret", [OPENAI, GOOGLE, SHAPELESS, VALUE])
def test_a_credential_in_its_place(place: str, secret: str) -> None:
    check(BY_PLACE[place](secret), secret)


@pytest.mark.parametrize("place", BY_TEXT)
@pytest.mark.parametrize("secret", [OPENAI, GOOGLE, VALUE])
def test_a_known_secret_anywhere(place: str, secret: str) -> None:
    stored, _ = check(BY_TEXT[place](secret), secret)
    assert "redacted" in stored.marks


@pytest.mark.parametrize("place", [*BY_PLACE, *BY_TEXT])
def test_plain_bodies_keep_length_chunks_and_form(place: str) -> None:
    exchange = {**BY_PLACE, **BY_TEXT}[place](VALUE)
    stored = Redactor(ENVIRON).exchange(exchange)
    if "decoded" not in stored.marks and not header(exchange.headers, "content-encoding"):
        assert [(at, len(data)) for at, data in stored.chunks] == [(at, len(data)) for at, data in exchange.chunks]
    if not header(exchange.request.headers, "content-encoding"):
        assert len(stored.request.body) == len(exchange.request.body)
    if header(exchange.request.headers, "content-type") == "application/json":
        json.loads(stored.request.body)
    assert [len(message.data) for message in stored.messages] == [len(message.data) for message in exchange.messages]


def test_an_exchange_without_secrets_is_the_same() -> None:
    redactor = Redactor(ENVIRON)
    assert redactor.exchange(BASE) == BASE
    assert redactor.exchange(BASE).marks == frozenset()
    assert redactor.counts.total() == 0


def test_headers_keep_name_order_and_scheme() -> None:
    headers: Headers = (
        ("B", "1"),
        ("Authorization", f"Bearer {OPENAI}"),
        ("b", "2"),
        ("Cookie", "a=b"),
        ("x-api-key", ""),
    )
    stored, redactor = check(asked({}, headers), OPENAI)
    assert stored.request.headers == (
        ("B", "1"),
        ("Authorization", "Bearer REDACTED"),
        ("b", "2"),
        ("Cookie", "REDACTED"),
        ("x-api-key", ""),
    )
    assert stored.marks == frozenset()  # it replays byte for byte
    assert dict(redactor.counts) == {"credential header": 2}


def test_query_keeps_its_other_parameters() -> None:
    stored, _ = check(asked({}, query=f"alt=sse&key={GOOGLE}&$top=5&flag"), GOOGLE)
    assert stored.request.query == "alt=sse&key=REDACTED&$top=5&flag"


def test_an_encoded_body_with_a_secret_is_stored_decoded() -> None:
    plain = deltas(f"it is {VALUE} !")
    wire = encode(plain, "gzip")
    headers: Headers = (
        *SSE,
        ("Content-Encoding", "gzip"),
        ("content-length", str(len(wire))),
        ("X-Other", "kept"),
    )
    stored = Redactor(ENVIRON).exchange(replace(answered(wire, headers, 40), outcome=BASE.outcome))
    assert stored.headers == (*SSE, ("X-Other", "kept"))
    assert stored.marks == {"redacted", "decoded"}
    assert stored.provenance == {"response content-encoding": "gzip", "response content-length": str(len(wire))}
    assert len(stored.body) == len(plain)
    assert all(data for _, data in stored.chunks)


def test_an_encoded_body_without_a_secret_stays_as_it_is() -> None:
    exchange = answered(encode(deltas("nothing to hide"), "br"), (*SSE, ("content-encoding", "br")))
    assert Redactor(ENVIRON).exchange(exchange) == exchange


def test_an_encoded_request_with_a_secret_is_stored_decoded() -> None:
    stored, _ = check(BY_TEXT["gzipped prompt"](VALUE), VALUE)
    assert stored.request.headers == JSON
    assert stored.request.body == b'{"content": "' + b"REDACTED".ljust(len(VALUE), b"_") + b'"}'
    assert stored.provenance == {"request content-encoding": "gzip"}
    assert stored.masked == ("$.content",)
    assert stored.marks == {"redacted"}


def test_an_unknown_encoding_is_left_alone() -> None:
    exchange = answered(b"\x00\x01 who knows", (("content-encoding", "aes128gcm"),))
    assert Redactor(ENVIRON).exchange(exchange) == exchange


@pytest.mark.parametrize(
    ("exchange", "expected"),
    [
        (asked({"a": [{"b": f"x {VALUE}"}]}), ("$.a[0].b",)),
        (asked({"a": OPENAI}), ()),
        (asked({"api_key": "k"}), ("$.api_key",)),
        (asked(form("abc"), (("content-type", "application/x-www-form-urlencoded"),)), ("$.client_secret",)),
        (asked(multipart("abc"), (("content-type", "multipart/form-data; boundary=b"),)), ("$.api_key",)),
        (asked(f"text {VALUE}".encode(), (("content-type", "text/plain"),)), ("$",)),
    ],
)
def test_masked_paths_of_the_request(exchange: Exchange, expected: tuple[str, ...]) -> None:
    assert Redactor(ENVIRON).exchange(exchange).masked == expected


def test_masked_paths_of_an_earlier_redaction_are_kept() -> None:
    exchange = replace(asked({"a": VALUE}), masked=("$.old", "$.a"))
    assert Redactor(ENVIRON).exchange(exchange).masked == ("$.old", "$.a")


def test_findings_say_where_and_never_what() -> None:
    exchange = replace(
        asked({"a": VALUE}, (*JSON, ("x-api-key", SHAPELESS)), query="key=abc"),
        headers=SSE,
        chunks=((0, deltas(OPENAI)),),
    )
    found = scan(exchange, Redactor(ENVIRON))
    assert found == [
        Finding("request query key", "credential parameter", "3 characters"),
        Finding("request body", "value of $MY_SERVICE_SECRET", "30 characters"),
        Finding("request header x-api-key", "credential header", "32 characters"),
        Finding("assembled response body", "openai-style key", "3 characters"),
    ]
    assert not any(secret in repr(found) for secret in (VALUE, SHAPELESS, OPENAI))


def test_text_for_logs() -> None:
    redactor = Redactor(ENVIRON)
    line = f'GET /v1?x=é {{"api_key": "abc"}} {VALUE} {quote(VALUE, safe="")} Bearer {SHAPELESS} {OPENAI} 𝕏'
    clean = redactor.text(line)
    assert clean.startswith('GET /v1?x=é {"api_key": "***"} REDACTED')
    assert clean.endswith(" 𝕏")
    assert not any(secret in unquote(clean) for secret in (VALUE, SHAPELESS, OPENAI))
    assert redactor.text(clean) == clean
    assert redactor.text("") == ""
    assert redactor.counts.total() == 0


def test_users_add_headers_and_patterns() -> None:
    redactor = Redactor({}, extra_headers=["X-Tenant"], extra_patterns=[r"tenant-\d+", r"pin: (\d+)"])
    exchange = asked({"a": "of tenant-42, pin: 9876, pin: x"}, (*JSON, ("x-tenant", "tenant name of mine")))
    stored = redactor.exchange(replace(exchange, chunks=((0, b"hello tenant name of mine"),)))
    assert stored.request.body == b'{"a": "of REDACTED_, pin: ****, pin: x"}'.replace(b"REDACTED_", b"REDACTED_")
    assert header(stored.request.headers, "x-tenant") == "REDACTED"
    assert stored.body == b"hello REDACTED___________"


def test_request_and_response_alone() -> None:
    redactor = Redactor(ENVIRON)
    request = redactor.request(asked({"a": VALUE}, (*JSON, ("x-api-key", "k" * 20))).request)
    assert request.masked == ("$.a",)
    assert request.count == 2
    assert request.value.headers == (*JSON, ("x-api-key", "REDACTED"))
    split = ((0, deltas(VALUE)),)
    assert redactor.response(SSE, split, stream=False).value == (SSE, split)
    whole = redactor.response(SSE, split)
    assert VALUE not in "".join(readings(whole.value[1][0][1]))
    assert whole.count == 1
    assert redactor.counts["value of $MY_SERVICE_SECRET"] == 2


def test_accounts_are_hidden_in_headers_but_not_hunted_in_texts() -> None:
    exchange = asked({}, (*JSON, ("openai-organization", "some-company-name")))
    stored = Redactor({}).exchange(replace(exchange, chunks=((0, b"welcome, some-company-name"),)))
    assert header(stored.request.headers, "openai-organization") == "REDACTED"
    assert stored.body == b"welcome, some-company-name"


def test_broken_basic_credentials() -> None:
    stored = Redactor({}).exchange(asked({}, (("authorization", "Basic not*base64*at*all"),)))
    assert stored.request.headers == (("authorization", "Basic REDACTED"),)


ALPHABET = st.sampled_from("abcXYZ0189-_./+=~!@#$%^&*()[]{}:;,?'\"\\<>| é")
SECRETS = st.text(ALPHABET, min_size=12, max_size=40).filter(
    lambda text: len(text.strip()) == len(text) and len(set(text)) > 5
)


def sooner(redactor: Redactor, exchange: Exchange) -> Exchange:
    """The exchange as it is redacted while it comes."""
    ahead = redactor.ahead(exchange.request)
    ahead.request()
    ahead.head(exchange.headers)
    for _, data in exchange.chunks:
        ahead.feed(data)
    return ahead.exchange(exchange)


def test_a_long_stream_is_left_to_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redactor_module, "LONGEST", 100)
    secret = "sk-abcdefghijklmnopqrstuvwxyz0123456789"
    exchange = answered(deltas(f"so: {secret} ok", 3), SSE, 7)
    redactor = Redactor({})
    assert sooner(redactor, exchange) == redactor.exchange(exchange)


def ascii_only(text: str) -> str:
    return text.replace("é", "e")


@settings(max_examples=40, deadline=None)
@given(
    SECRETS,
    st.sampled_from([*BY_TEXT]),
    st.lists(st.integers(1, 9), min_size=1, max_size=12),
    st.sampled_from(["", "gzip", "br", "zstd", "deflate"]),
)
def test_no_random_secret_survives_anywhere(secret: str, place: str, cuts: Sequence[int], coding: str) -> None:
    secret = ascii_only(secret)
    redactor = Redactor({"RANDOM_TOKEN": secret})
    exchange = BY_TEXT[place](secret)
    if "header" in place and not secret.isprintable():
        return
    if coding and not header(exchange.headers, "content-encoding"):
        body = encode(exchange.body, coding)
        sizes = [*cuts, len(body)]
        chunks, at = [], 0
        for number, size in enumerate(sizes):
            chunks.append((number, body[at : at + size]))
            at += size
        exchange = replace(exchange, chunks=tuple(chunks), headers=(*exchange.headers, ("content-encoding", coding)))
    stored = redactor.exchange(exchange)
    assert sooner(redactor, exchange) == stored
    assert secret not in visible(stored)
    assert scan(stored, redactor) == []
    assert redactor.exchange(stored) == stored


@settings(max_examples=40, deadline=None)
@given(SECRETS, st.integers(1, 8), st.integers(1, 40))
def test_split_over_deltas_and_chunks(secret: str, delta: int, chunk: int) -> None:
    redactor = Redactor({"RANDOM_TOKEN": secret})
    exchange = answered(deltas(f"so: {secret} ok", delta), SSE, chunk)
    stored = redactor.exchange(exchange)
    assert sooner(redactor, exchange) == stored
    seen = "".join(readings(stored.body)[-1:])
    assert secret not in seen
    assert seen.startswith("so: ")
    assert seen.endswith(" ok")
    assert [(at, len(data)) for at, data in stored.chunks] == [(at, len(data)) for at, data in exchange.chunks]
