"""The match key: what has no meaning never changes it, what has always does."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_simulator.cassettes.key import Matcher, MatchRules, normal_path, normal_query
from llm_simulator.errors import ConfigError
from llm_simulator.types import Call, Headers, RawRequest

JSON_TYPE = (("Content-Type", "application/json"),)
CHAT: dict[str, Any] = {
    "model": "gpt-4o",
    "temperature": 0.7,
    "messages": [{"role": "user", "content": "Hello"}, {"role": "user", "content": [{"type": "text", "text": "Hi"}]}],
    "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "required": []}}}],
    "stream": False,
    "user": None,
}


def call(
    body: bytes | Any = b"",
    *,
    method: str = "POST",
    path: str = "/v1/chat/completions",
    query: str = "",
    host: str = "api.openai.com",
    headers: Headers = JSON_TYPE,
    provider: str = "openai",
    family: str = "openai.chat",
    semantic: Headers = (),
) -> Call:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Call(
        provider,
        family,
        "chat",
        RawRequest(method, path, host, query=query, headers=headers, body=data),
        semantic=semantic,
    )


PLAIN = MatchRules()


def key(made: Call, rules: MatchRules = PLAIN, masked: tuple[str, ...] = ()) -> bytes:
    return Matcher(rules).key(made, masked).digest


def leaves(value: Any, put: Callable[[Any], None]) -> list[tuple[Any, Callable[[Any], None]]]:
    """Every leaf of a JSON value with what replaces it in place (an empty container is a leaf)."""
    if isinstance(value, dict) and value:
        return [leaf for name, item in value.items() for leaf in leaves(item, putter(value, name))]
    if isinstance(value, list) and value:
        return [leaf for at, item in enumerate(value) for leaf in leaves(item, putter(value, at))]
    return [(value, put)]


def putter(container: Any, at: Any) -> Callable[[Any], None]:
    return lambda item: container.__setitem__(at, item)


def changed(leaf: Any) -> Any:
    """Another value of the same type, near by."""
    match leaf:
        case bool():
            return not leaf
        case int() | float():
            return leaf + 1
        case str():
            return leaf + "x"
        case None:
            return 0
        case list():
            return [1]
        case _:
            return {"x": 1}


def test_a_key_is_sixteen_bytes_and_the_same_for_ever() -> None:
    """A change here needs another MATCHER_VERSION: cassettes in git hold keys."""
    assert key(call(CHAT)).hex() == key(call(json.loads(json.dumps(CHAT)))).hex()
    assert key(call(b'{"a":1}', headers=())).hex() == "43255f38cda2fa8c6a42caf91911c504"


@pytest.mark.parametrize("at", range(len(leaves(CHAT, lambda _: None))))
def test_every_leaf_has_a_meaning(at: int) -> None:
    body = json.loads(json.dumps(CHAT))
    leaf, put = leaves(body, lambda _: None)[at]
    put(changed(leaf))
    assert key(call(body)) != key(call(CHAT))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(-1e9, 1e9) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)
BODIES = st.dictionaries(st.text(max_size=6), VALUES, min_size=1, max_size=5)


def shuffled(value: Any, chance: random.Random) -> Any:
    if isinstance(value, dict):
        members = list(value.items())
        chance.shuffle(members)
        return {name: shuffled(item, chance) for name, item in members}
    return [shuffled(item, chance) for item in value] if isinstance(value, list) else value


@settings(max_examples=60, deadline=None)
@given(BODIES, st.randoms(use_true_random=False))
def test_order_and_white_space_have_none(body: Any, chance: random.Random) -> None:
    other = json.dumps(shuffled(body, chance), indent=2, ensure_ascii=False).encode("utf-8", "surrogatepass")
    matcher = Matcher()
    noise = (("x-stainless-retry-count", "1"), ("traceparent", "00-1"), *JSON_TYPE)
    assert matcher.key(call(body)) == matcher.key(call(other, headers=noise))


@settings(max_examples=60, deadline=None)
@given(BODIES, st.data())
def test_a_changed_leaf_changes_the_key(body: Any, data: st.DataObject) -> None:
    other = json.loads(json.dumps(body))
    leaf, put = data.draw(st.sampled_from(leaves(other, lambda _: None)))
    put(changed(leaf))
    matcher = Matcher()
    if changed(leaf) != leaf:  # a float may be too large to change by 1
        assert matcher.key(call(body)) != matcher.key(call(other))


@pytest.mark.parametrize(
    ("form", "normal"),
    [
        ("/v1/chat/completions/", "/v1/chat/completions"),
        ("//v1///chat/completions", "/v1/chat/completions"),
        ("/", "/"),
        ("", "/"),
        ("/model/a%3a0/invoke", "/model/a:0/invoke"),
        ("/v1/models/%67pt%2D4%7e", "/v1/models/gpt-4~"),
        ("/v1/models/a%2fb", "/v1/models/a%2Fb"),
        ("/v1/models/a%20b", "/v1/models/a%20b"),
        ("/v1/models/a b", "/v1/models/a%20b"),
        ("/v1/files/é", "/v1/files/%C3%A9"),
        ("/V1/Models", "/V1/Models"),
        ("/v1/x%", "/v1/x%25"),
        ("/v1/\udcff", "/v1/%ED%B3%BF"),
    ],
)
def test_path(form: str, normal: str) -> None:
    assert normal_path(form) == normal


@pytest.mark.parametrize(
    ("query", "normal"),
    [
        ("", ()),
        ("b=2&a=1", (("a", "1"), ("b", "2"))),
        ("a=2&b=0&a=1", (("a", "2"), ("a", "1"), ("b", "0"))),
        ("%24alt=json%3Benum-encoding%3Dint", (("$alt", "json;enum-encoding=int"),)),
        ("q=a+b&q=a%20b", (("q", "a b"), ("q", "a b"))),
        ("beta", (("beta", ""),)),
        ("key=AIza-secret&alt=sse&API_KEY=x&access_token=y&sig=z&%6Bey=again&X-Amz-Signature=1", (("alt", "sse"),)),
        ("&&a=1&", (("a", "1"),)),
    ],
)
def test_query(query: str, normal: tuple[tuple[str, str], ...]) -> None:
    assert normal_query(query) == normal


SAME = [
    pytest.param(call(CHAT, path="//v1/chat/completions/"), call(CHAT), id="path form"),
    pytest.param(call(CHAT, method="post"), call(CHAT), id="method's case"),
    pytest.param(call(CHAT, query="key=1&alt=sse"), call(CHAT, query="alt=sse&key=REDACTED"), id="credential"),
    pytest.param(call(CHAT, host="localhost:8000"), call(CHAT), id="host"),
    pytest.param(call(CHAT, headers=()), call(CHAT, headers=(("user-agent", "curl"),)), id="headers"),
    pytest.param(
        call(CHAT, headers=(("content-type", "application/x-www-form-urlencoded"),)),
        call(CHAT),
        id="curl -d sends JSON",
    ),
    pytest.param(
        call(gzip.compress(json.dumps(CHAT).encode()), headers=(*JSON_TYPE, ("Content-Encoding", "gzip"))),
        call(CHAT),
        id="content-encoding",
    ),
    pytest.param(call(b"\xef\xbb\xbf" + json.dumps(CHAT).encode()), call(CHAT), id="byte order mark"),
    pytest.param(
        call(CHAT, semantic=(("anthropic-beta", "b,a"),)),
        call(CHAT, semantic=(("anthropic-beta", "a"), ("anthropic-beta", " b"))),
        id="beta flags",
    ),
    pytest.param(
        call({"k": "use sk-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}),
        call({"k": "use sk-bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"}),
        id="key shapes",
    ),
    pytest.param(
        call({"sk-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa": 1}),
        call({"sk-bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb": 1}),
        id="key shape as a name",
    ),
    pytest.param(
        call(b"b=2&a=%41", headers=(("content-type", "application/x-www-form-urlencoded"),)),
        call(b"a=A&b=2", headers=(("content-type", "application/x-www-form-urlencoded; charset=utf-8"),)),
        id="form",
    ),
]


@pytest.mark.parametrize(("left", "right"), SAME)
def test_equal(left: Call, right: Call) -> None:
    assert key(left) == key(right)


FORM = (("content-type", "application/x-www-form-urlencoded"),)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (call(CHAT), call(CHAT, method="PUT")),
        (call(CHAT), call(CHAT, path="/v1/Chat/completions")),
        (call(CHAT, path="/v1/a%2Fb"), call(CHAT, path="/v1/a/b")),
        (call(CHAT, query="alt=sse"), call(CHAT)),
        (call(CHAT, query="a=1&a=2"), call(CHAT, query="a=2&a=1")),
        (call(CHAT), call(CHAT, provider="groq")),
        (call(CHAT, semantic=(("openai-beta", "a"),)), call(CHAT)),
        (call(CHAT), call(b"")),
        (call(b"{}"), call(b"")),
        (call(b"{broken"), call(b"{broken ")),
        (call(b"a=1&b=2", headers=FORM), call(b"a=1&b=3", headers=FORM)),
        (call(b"a=1&a=2", headers=FORM), call(b"a=2&a=1", headers=FORM)),
        (call(b"a=1", headers=FORM), call(b'{"a":"1"}')),
        (call(b"\x00\xff\x01", headers=()), call(b"\x00\xff\x02", headers=())),
        (call(b"text", headers=()), call(b"Text", headers=())),
        (call({"a": "\ud800"}), call({"a": "\ud801"})),
        (call({"a": 1}), call({"a": True})),
    ],
)
def test_different(left: Call, right: Call) -> None:
    assert key(left) != key(right)


def test_no_two_fields_run_into_each_other() -> None:
    assert key(call(path="/ab", query="c=1")) != key(call(path="/a", query="bc=1"))
    assert key(call(query="a=b&c=d")) != key(call(query="a=b", semantic=(("c", "d"),)))


PARTS = (
    b'--%(b)s\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n'
    b'--%(b)s\r\nContent-Disposition: form-data; name="file"; filename="%(f)s"\r\nContent-Type: %(t)s\r\n\r\n%(c)s\r\n'
    b"--%(b)s--\r\n"
)


def upload(boundary: str = "xx", name: str = "a.wav", kind: str = "audio/wav", content: bytes = b"\x00\xff--") -> Call:
    values = {b"b": boundary.encode(), b"f": name.encode(), b"t": kind.encode(), b"c": content}
    return multipart(boundary, PARTS % values)


def multipart(boundary: str, data: bytes) -> Call:
    return call(data, headers=(("content-type", f'multipart/form-data; boundary="{boundary}"'),), path="/v1/audio")


def test_multipart_by_part() -> None:
    assert key(upload("xx")) == key(upload("-----yy'"))
    others = [upload(name="b.wav"), upload(kind="audio/mp3"), upload(content=b"\x00\xff-"), call(PARTS)]
    assert len({key(made) for made in [upload(), *others]}) == 5


def test_multipart_fields_of_other_names_have_no_order() -> None:
    one = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1'
    two = b"--x\r\ncontent-disposition: form-data; name=b\r\n\r\n2"
    three = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n3'
    end = b"--x--"
    assert key(multipart("x", b"\r\n".join([one, two, three, end]))) == key(
        multipart("x", b"\r\n".join([one, three, two, end]))
    )
    assert key(multipart("x", b"\r\n".join([one, two, three, end]))) != key(
        multipart("x", b"\r\n".join([three, two, one, end]))
    )


def test_a_json_part_by_value_and_a_coded_filename() -> None:
    part = b'--x\r\nContent-Disposition: form-data; name="p"; %s\r\nContent-Type: application/json\r\n\r\n%s\r\n--x--'
    left = multipart("x", part % (b"filename*=UTF-8''%C3%A9.json", b'{"a":1,"b":2}'))
    right = multipart("x", part % ('filename="é.json"'.encode(), b'{"b": 2.0, "a": 1}'))
    assert key(left) == key(right)


@pytest.mark.parametrize("data", [b"--y\r\n\r\n--y--", b"--x\r\nhalf", b"no parts at all"])
def test_a_broken_multipart_body_is_its_bytes(data: bytes) -> None:
    assert key(multipart("x", data)) == key(multipart("x", bytes(data)))
    assert key(multipart("x", data)) != key(multipart("x", data + b"."))


@pytest.mark.parametrize(
    ("rule", "left", "right"),
    [
        ("$.metadata.trace_id", {"metadata": {"trace_id": 1}}, {"metadata": {"trace_id": "x"}}),
        ("$.metadata.trace_id", {"metadata": {"trace_id": 1}}, {"metadata": {}}),
        ("$..id", {"a": [{"id": 1}]}, {"a": [{"id": 2}]}),
        ("$.messages[0].content", {"messages": [{"content": "a"}]}, {"messages": [{"content": ["b"]}]}),
        ("$.messages[0]", {"messages": ["a", "b"]}, {"messages": [{"c": 1}, "b"]}),
        (r"/req-\d+/", {"a": ["see req-12."]}, {"a": ["see req-7."]}),
        ("/(?i)today is .*$/", {"a": "Hi. Today is Monday"}, {"a": "Hi. today is 5 May"}),
    ],
)
def test_ignore(rule: str, left: Any, right: Any) -> None:
    assert key(call(left)) != key(call(right))
    assert key(call(left), MatchRules(ignore=(rule,))) == key(call(right), MatchRules(ignore=(rule,)))


@pytest.mark.parametrize(
    ("rule", "left", "right"),
    [
        (r"/req-\d+/", {"a": "see req-12."}, {"a": "see ."}),
        (r"/req-\d+/", {"req-1": 1}, {"req-2": 1}),
        ("$.a", {"a": 1, "b": 1}, {"a": 1, "b": 2}),
        ("$.messages[0]", {"messages": ["a", "b"]}, {"messages": ["b"]}),
    ],
)
def test_ignore_ignores_no_more(rule: str, left: Any, right: Any) -> None:
    assert key(call(left), MatchRules(ignore=(rule,))) != key(call(right), MatchRules(ignore=(rule,)))


def test_ignore_in_forms_parts_and_text() -> None:
    rules = MatchRules(ignore=("$.t", "/[0-9]+s/"))
    assert key(call(b"t=1&a=12s", headers=FORM), rules) == key(call(b"a=9s&t=2", headers=FORM), rules)
    assert key(call(b"took 1s", headers=()), rules) == key(call(b"took 22s", headers=()), rules)
    assert key(upload(), MatchRules(ignore=("$.file",))) == key(upload(content=b"z"), MatchRules(ignore=("$.file",)))


def test_user_headers_and_host() -> None:
    one, two = (call(CHAT, headers=(*JSON_TYPE, ("X-Tenant", value))) for value in "ab")
    assert key(one) == key(two)
    assert key(one, MatchRules(headers=("x-Tenant",))) != key(two, MatchRules(headers=("x-Tenant",)))
    near, far = call(CHAT), call(CHAT, host="eu.api.openai.com")
    assert key(near, MatchRules(host=True)) != key(far, MatchRules(host=True))


def test_rules_that_cannot_be_read_are_all_named() -> None:
    with pytest.raises(ConfigError) as error:
        Matcher(MatchRules(ignore=("/(/", "$.a", "$.b[")))
    first, second = str(error.value).splitlines()
    assert first.startswith("match.ignore: '/(/' is no regular expression (missing ), unterminated subpattern")
    assert second.startswith("match.ignore: '$.b[' is no JSON path")


def test_masked_paths_match_any_value_there() -> None:
    masked = ("$.messages[0].content",)
    live = call({"messages": [{"role": "user", "content": "my password is hunter22222"}]})
    stored = call({"messages": [{"role": "user", "content": "my password is *************"}]})
    other = call({"messages": [{"role": "system", "content": "my password is *************"}]})
    assert key(live) != key(stored)
    assert key(live, masked=masked) == key(stored, masked=masked)
    assert key(live, masked=masked) != key(other, masked=masked)
    assert key(live, masked=masked) != key(live)
    assert key(live, masked=("$.messages[0].name",)) != key(live), "the paths are part of the key"


def test_a_whole_body_may_be_masked() -> None:
    assert key(call(b"one", headers=()), masked=("$",)) == key(call(b"two", headers=()), masked=("$",))
    assert key(upload(), masked=("$.file",)) == key(upload(content=b"z"), masked=("$.file",))


UUIDS = ("57a121ec-f78c-48c3-a745-e3036a3ecc33", "54c1eb09-bc4c-4d2f-98eb-6d2ab2d5e2fe")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/messages", '{"metadata":{"user_id":"user_1_account__session_%s"}}'),
        ("/v1/messages", '{"metadata":{"user_id":"{\\"device_id\\":\\"1\\",\\"session_id\\":\\"%s\\"}"}}'),
        ("/v1/responses", '{"prompt_cache_key":"%s"}'),
    ],
)
def test_volatile_ids_of_known_clients(path: str, body: str) -> None:
    one, two = (call((body % uuid).encode(), path=path) for uuid in UUIDS)
    assert key(one) == key(two)
    assert key(one) != key(call((body % (UUIDS[0] + "0")).encode(), path=path)), "only where it is one"
    assert key(call(one.raw.body, path="/v1/x")) != key(call(two.raw.body, path="/v1/x")), "only where it is known"


def test_under_another_provider() -> None:
    made = Matcher().key(call(CHAT))
    assert made.under("groq") == key(call(CHAT, provider="groq", family="other"))
    assert made.under("openai") == made.digest
    assert len(made.digest) == 16


def test_remembered_keys_are_bounded_by_bytes() -> None:
    matcher = Matcher(memory=10_000)
    first = matcher.key(call({"n": 0}))
    for n in range(200):
        matcher.key(call({"n": n, "pad": "x" * 1000}))
    assert len(matcher._known) <= 10  # pyright: ignore[reportPrivateUsage]
    assert matcher._bytes <= 10_000  # pyright: ignore[reportPrivateUsage]
    assert matcher.key(call({"n": 0})) == first


def test_what_a_key_is_remembered_by_tells_all_apart() -> None:
    matcher, long = Matcher(MatchRules(headers=("x-a",), host=True)), {"pad": "x" * 10_000}
    calls = [
        call(long),
        call({**long, "n": 1}),
        call(long, path="/v1/x"),
        call(long, query="a=1"),
        call(long, method="PUT"),
        call(long, host="h"),
        call(long, provider="groq"),
        call(long, headers=(("x-a", "1"),)),
        call(long, semantic=(("openai-beta", "1"),)),
        call(b"a=1&b=2", headers=FORM),
        call(b"a=1&b=2"),
        call(b"\x1f", headers=(("content-encoding", "gzip"),)),
    ]
    digests = [matcher.key(made).digest for made in calls]
    assert len(set(digests)) == len(calls)
    assert [matcher.key(made).digest for made in calls] == digests
    assert matcher.key(calls[0], ("$.pad",)).digest not in digests


def test_fingerprint_names_version_and_rules() -> None:
    assert MatchRules().fingerprint.startswith("1:")
    assert MatchRules(ignore=("a", "b")).fingerprint == MatchRules(ignore=("b", "a", "a")).fingerprint
    prints = {rules.fingerprint for rules in (MatchRules(), MatchRules(host=True), MatchRules(headers=("x",)))}
    assert len(prints) == 3


def test_nested_too_deeply_is_its_bytes() -> None:
    deep = b"[" * 100_000
    assert key(call(deep)) == key(call(bytes(deep)))
    assert key(call(deep)) != key(call(deep + b" "))
