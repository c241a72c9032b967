"""What a miss tells, as the text that a user sees."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from llm_simulator.cassettes.cassette import Cassette
from llm_simulator.cassettes.index import AfterLast, Index
from llm_simulator.cassettes.key import Matcher, MatchRules
from llm_simulator.cassettes.miss import MissReport
from llm_simulator.cassettes.store import Row, Store
from llm_simulator.types import Call, Exchange, Outcome, RawRequest

KEY = "sk-proj-abcdefghijklmnopqrstuvwxyz0123456789ABCDEF"
PLAIN = MatchRules()


def read(raw: RawRequest) -> Call:
    try:
        body = json.loads(raw.body)
    except (ValueError, RecursionError):
        body = None
    model = body.get("model", "") if isinstance(body, dict) else ""
    operation = raw.path.rpartition("/")[2]
    provider = "groq" if "groq" in raw.host else "openai"
    return Call(provider, "openai.chat", operation, raw, model=model, body=body)


def chat(*texts: str, model: str = "gpt-4o", **change: Any) -> RawRequest:
    body = {"model": model, "messages": [{"role": "user", "content": text} for text in texts]}
    raw = RawRequest("POST", "/v1/chat/completions", "api.openai.com", body=json.dumps(body).encode())
    return replace(raw, **change)


def exchange(raw: RawRequest, **change: Any) -> Exchange:
    call = read(raw)
    return replace(
        Exchange(raw, call.provider, call.family, call.operation, call.model, False, 200, (), ((0, b"Hello"),)),
        **change,
    )


class ListStore:
    """A store that is a list, ids from 1."""

    where = "tests/chat.yaml"

    def __init__(self, matcher: Matcher, kept: Sequence[Exchange]) -> None:
        self.matcher = matcher
        self.kept = list(kept)
        self.loaded = 0

    async def rows(self) -> AsyncIterator[Row]:
        for id, one in enumerate(self.kept, 1):
            digest = self.matcher.key(read(one.request), one.masked).digest
            yield Row(id, digest, one.provider, one.session, one.outcome, one.masked, "")

    async def load(self, id: int) -> Exchange:
        self.loaded += 1
        return self.kept[id - 1]

    async def add(self, exchange: Exchange, digest: bytes, run: str) -> int:
        raise AssertionError("read-only")

    async def delete(self, ids: Sequence[int]) -> None:
        raise AssertionError("read-only")

    async def flush(self) -> None: ...

    async def close(self) -> None: ...


class NearStore(ListStore):
    """A store that can name neighbours itself."""

    async def near(self, provider: str, operation: str, model: str, limit: int) -> list[int]:
        assert (provider, operation, model) == ("openai", "completions", "gpt-4o")
        return [2]


async def opened(store: Store, matcher: Matcher, after_last: AfterLast) -> Cassette:
    return await Cassette.over(store, matcher, Index(after_last), read=read)


def report(
    asked: RawRequest,
    *recorded: Exchange | RawRequest,
    rules: MatchRules = PLAIN,
    plays: int = 0,
    kind: type[ListStore] = ListStore,
    command: str = "",
) -> MissReport:
    async def main() -> MissReport:
        matcher = Matcher(rules)
        kept = [one if isinstance(one, Exchange) else exchange(one) for one in recorded]
        cassette = await opened(kind(matcher, kept), matcher, AfterLast.MISS)
        for _ in range(plays):
            assert await cassette.find(read(asked)) is not None
        assert await cassette.find(read(asked)) is None
        return await cassette.miss(read(asked), command=command)

    return asyncio.run(main())


def test_the_text_that_a_user_sees() -> None:
    made = report(
        chat("You are helpful.", "What is 2+3?"),
        exchange(chat("You are helpful.", "What is 2+2?"), session="test_sum"),
        chat("You are helpful.", "What is 2+3?", "And 4?"),
        chat("Bonjour", model="gpt-4.1"),
        RawRequest("GET", "/v1/models", "api.openai.com"),
        command="llm-simulator run --cassette tests/chat.yaml --mode record-missing -- pytest tests/",
    )
    assert made.as_text() == (
        "No recording for POST /v1/chat/completions (openai, completions, gpt-4o): it is not recorded.\n"
        "Cassette: tests/chat.yaml, 4 recordings.\n"
        "  #1  POST /v1/chat/completions (openai, completions, gpt-4o), session test_sum\n"
        "      $.messages[1].content\n"
        '        asked     "What is 2+3?"\n'
        '        recorded  "What is 2+2?"\n'
        "  #2  POST /v1/chat/completions (openai, completions, gpt-4o)\n"
        "      $.messages[2]\n"
        "        asked     (absent)\n"
        '        recorded  {"content":"And 4?","role":"user"}\n'
        "  #3  POST /v1/chat/completions (openai, completions, gpt-4.1)\n"
        "      $.model\n"
        '        asked     "gpt-4o"\n'
        '        recorded  "gpt-4.1"\n'
        "      $.messages[0].content\n"
        '        asked     "You are helpful."\n'
        '        recorded  "Bonjour"\n'
        "      $.messages[1]\n"
        '        asked     {"content":"What is 2+3?","role":"user"}\n'
        "        recorded  (absent)\n"
        'The first would match with   match: {ignore: ["$.messages[1].content"]}\n'
        "To record this call:         "
        "llm-simulator run --cassette tests/chat.yaml --mode record-missing -- pytest tests/"
    )


def test_as_json() -> None:
    made = report(chat("a"), exchange(chat("b"), session="s"), command="record it")
    assert made.as_json() == {
        "reason": "not_recorded",
        "call": {
            "method": "POST",
            "path": "/v1/chat/completions",
            "provider": "openai",
            "operation": "completions",
            "model": "gpt-4o",
            "stream": False,
        },
        "cassette": "tests/chat.yaml",
        "recordings": 1,
        "nearest": [
            {
                "id": 1,
                "method": "POST",
                "path": "/v1/chat/completions",
                "provider": "openai",
                "operation": "completions",
                "model": "gpt-4o",
                "stream": False,
                "session": "s",
                "differences": [{"where": "$.messages[0].content", "asked": '"a"', "recorded": '"b"'}],
                "more": 0,
            }
        ],
        "ignore": 'match: {ignore: ["$.messages[0].content"]}',
        "record": "record it",
    }


def test_an_empty_cassette() -> None:
    assert report(chat("a")).as_text() == (
        "No recording for POST /v1/chat/completions (openai, completions, gpt-4o): nothing like it is recorded.\n"
        "Cassette: tests/chat.yaml, 0 recordings."
    )


def test_nothing_similar() -> None:
    made = report(chat("a"), RawRequest("GET", "/v1/models", "api.openai.com"))
    assert (made.reason.value, made.nearest, made.ignore) == ("nothing_similar", (), "")


def test_truncated() -> None:
    made = report(chat("a"), exchange(chat("a"), outcome=Outcome.TRUNCATED), chat("b"))
    assert (
        made.as_text()
        .splitlines()[0]
        .endswith("its only recording ended early, and truncated recordings are not replayed.")
    )
    assert (made.nearest[0].id, made.nearest[0].differences, made.ignore) == (1, (), "")
    assert "      (no difference)" in made.as_text().splitlines()


def test_already_played() -> None:
    made = report(chat("a"), chat("a"), chat("b"), plays=1)
    assert made.reason.value == "already_played"
    assert [near.id for near in made.nearest] == [1, 2]


@pytest.mark.parametrize(
    ("asked", "recorded", "shown"),
    [
        (chat("a", query="alt=sse&key=AIza"), chat("a"), [("query alt", '"sse"', "(absent)")]),
        (chat("a", method="PUT"), chat("a"), [("method", '"PUT"', '"POST"')]),
        (chat("a"), chat("a", host="api.groq.com"), [("provider", '"openai"', '"groq"')]),
        (
            chat("a", headers=(("x-tenant", "1"),)),
            chat("a", headers=(("x-tenant", "2"),)),
            [("header x-tenant", '"1"', '"2"')],
        ),
        (chat("a", body=b"text one"), chat("a", body=b"text two"), [("body", '"text one"', '"text two"')]),
        (chat("a", body=b""), chat("a", body=b"two"), [("body", "null", '"two"')]),
        (chat("a", body=b'{"a":1}'), chat("a", body=b'{"a":true}'), [("$.a", "1", "true")]),
        (
            chat("a", body=b'{"a":{}}'),
            chat("a", body=b'{"b":[]}'),
            [("$.a", "{}", "(absent)"), ("$.b", "(absent)", "[]")],
        ),
    ],
)
def test_differences(asked: RawRequest, recorded: RawRequest, shown: list[tuple[str, str, str]]) -> None:
    made = report(asked, recorded, rules=MatchRules(headers=("x-tenant",)))
    assert [(one.where, one.asked, one.recorded) for one in made.nearest[0].differences] == shown
    assert (made.ignore != "") == (shown[0][0].startswith("$"))


def test_the_host_where_it_counts() -> None:
    made = report(chat("a", host="eu.api.openai.com"), chat("a"), rules=MatchRules(host=True))
    assert [one.where for one in made.nearest[0].differences] == ["host"]


def test_forms_and_parts_field_by_field() -> None:
    form = (("content-type", "application/x-www-form-urlencoded"),)
    made = report(chat("a", body=b"a=1&b=2", headers=form), chat("a", body=b"b=3&a=1", headers=form))
    assert [(one.where, one.asked, one.recorded) for one in made.nearest[0].differences] == [("$.b", '"2"', '"3"')]
    assert made.ignore == 'match: {ignore: ["$.b"]}'
    parts = (("content-type", "multipart/form-data; boundary=x"),)
    body = b'--x\r\nContent-Disposition: form-data; name="model"\r\n\r\n%s\r\n--x--'
    made = report(chat("a", body=body % b"whisper-1", headers=parts), chat("a", body=body % b"gpt-4o", headers=parts))
    assert [one.where for one in made.nearest[0].differences] == ["$.model"]
    assert made.ignore == 'match: {ignore: ["$.model"]}'


def test_files_by_size_and_digest() -> None:
    parts = (("content-type", "multipart/form-data; boundary=x"),)
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\nContent-Type: audio/wav\r\n\r\n'
    sides = [chat("a", body=head + content + b"\r\n--x--", headers=parts) for content in (b"one", b"three")]
    made = report(*sides)
    [field] = made.nearest[0].differences
    assert (field.where, field.asked) == ("$.file", '"a.wav, audio/wav: 3 bytes, blake2b 34f2ddaa8b7615c9"')
    assert made.ignore == 'match: {ignore: ["$.file"]}'


def test_long_values_show_where_they_differ() -> None:
    prompt = "Once upon a time. " * 100
    made = report(chat(prompt + "The end?"), chat(prompt + "The end!"))
    field = made.nearest[0].differences[0]
    assert field.asked == '…nce upon a time. Once upon a time. Once upon a time. Once upon a time. The end?"'
    assert field.recorded == '…nce upon a time. Once upon a time. Once upon a time. Once upon a time. The end!"'
    made = report(chat("A" + prompt), chat("B" + prompt))
    assert (
        made.nearest[0].differences[0].asked
        == '"AOnce upon a time. Once upon a time. Once upon a time. Once upon a time. Once u…'
    )


def test_no_secret_is_shown() -> None:
    made = report(
        chat(f"my key is {KEY}", path=f"/v1/chat/{KEY}/completions", query=f"a={KEY}&key=hunter2"),
        chat("my key is none", path="/v1/chat/x/completions"),
        command="x",
    )
    text = made.as_text() + json.dumps(made.as_json())
    assert KEY[8:] not in text
    assert "hunter2" not in text
    assert '"my key is <secret>"' in text


def test_what_is_ignored_or_masked_is_no_difference() -> None:
    hidden = exchange(chat("x", "b"), masked=("$.messages[0].content",))
    made = report(chat("secret", "a"), hidden, rules=MatchRules(ignore=("$.model",)))
    assert [one.where for one in made.nearest[0].differences] == ["$.messages[1].content"]
    assert made.ignore == 'match: {ignore: ["$.model", "$.messages[1].content"]}'


def test_an_ignore_line_is_offered_only_where_it_would_match() -> None:
    made = report(chat("a"), chat("a", "b"))
    assert made.ignore == 'match: {ignore: ["$.messages"]}', "an element too many: the list"
    assert report(chat("a"), chat("a", body=b"[]")).ignore == "", "not the whole body"
    many = [chat(*(f"{side} {n}" for n in range(9))) for side in ("left", "right")]
    made = report(*many)
    assert (made.ignore, made.nearest[0].more) == ("", 3)
    assert "      and 3 more differences" in made.as_text().splitlines()


def test_the_nearest_of_many_comes_first() -> None:
    recorded = [chat(f"Tell me about {n}", model=f"model-{n % 7}") for n in range(300)]
    recorded.insert(150, chat("What is the weather in Paris?"))
    made = report(chat("What is the weather in Rome?"), *recorded)
    assert made.nearest[0].id == 151
    assert len(made.nearest) == 3


def test_a_store_that_can_name_neighbours_is_asked() -> None:
    made = report(chat("a"), chat("b"), chat("c"), kind=NearStore)
    assert [near.id for near in made.nearest] == [2]


def test_only_the_newest_are_looked_at_in_a_large_cassette() -> None:
    async def main() -> None:
        matcher = Matcher()
        store = ListStore(matcher, [exchange(chat(str(n), model=f"m{n % 3}")) for n in range(2500)])
        store.kept[7] = exchange(chat("x", model="old"), session="first")
        cassette = await opened(store, matcher, AfterLast.MISS)
        for _ in range(3):
            made = await cassette.miss(read(chat("new", model="m1")))
            assert [near.summary.model for near in made.nearest] == ["m1"] * 3
        assert store.loaded < 2000 + 3 * 40
        made = await cassette.miss(read(chat("new", model="old")), "first")
        assert made.nearest[0].id == 8, "those of its own session are looked at too"

    asyncio.run(main())


@pytest.mark.parametrize("depth", [100, 500, *range(800, 1000, 10), 100_000])
def test_deep_bodies_are_compared_as_far_as_it_goes(depth: int) -> None:
    deep = b'{"a":' + b"[" * depth + b"1" + b"]" * depth + b"}"
    made = report(chat("a", body=deep), chat("a", body=deep.replace(b"1", b"2")))
    [field] = made.nearest[0].differences
    assert field.where in ("$.a" + "[0]" * 63, "body")
    assert (field.where == "body") <= (depth >= 800)


def test_not_a_number_is_like_itself() -> None:
    made = report(chat("a", body=b'{"a":NaN,"b":1}'), chat("a", body=b'{"a":NaN,"b":NaN}'))
    assert [one.where for one in made.nearest[0].differences] == ["$.b"]
