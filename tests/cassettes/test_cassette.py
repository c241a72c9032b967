"""A cassette over a store: find, order, add, replace, and what is loaded when."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Coroutine, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest

from llm_simulator import dialects
from llm_simulator.cassettes import cassette as module
from llm_simulator.cassettes.cassette import Cassette
from llm_simulator.cassettes.index import AfterLast, Index
from llm_simulator.cassettes.key import Matcher, MatchRules
from llm_simulator.cassettes.store import Row, Store
from llm_simulator.errors import CassetteError, ConfigError
from llm_simulator.types import Call, Exchange, Outcome, RawRequest

T = TypeVar("T")
PROVIDERS = {"api.openai.com": "openai", "api.groq.com": "groq"}
PLAIN = MatchRules()


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


def request(
    text: str = "Hi", host: str = "api.openai.com", model: str = "gpt-4o", path: str = "/v1/chat"
) -> RawRequest:
    body = {"model": model, "messages": [{"role": "user", "content": text}]}
    return RawRequest("POST", path, host, body=json.dumps(body).encode())


def read(raw: RawRequest) -> Call:
    """What dialects.read does, as far as a cassette cares: the host names the provider, else it is a guess."""
    body = json.loads(raw.body)
    return Call(PROVIDERS.get(raw.host, "openai"), "openai.chat", "chat", raw, model=body["model"], body=body)


def exchange(text: str = "Hi", answer: str = "Hello", **change: Any) -> Exchange:
    raw = request(text, **{name: change.pop(name) for name in ("host", "model", "path") if name in change})
    call = read(raw)
    made = Exchange(
        raw, call.provider, call.family, call.operation, call.model, False, 200, (), ((0, answer.encode()),)
    )
    return replace(made, **change)


class FakeStore:
    """A store in a list; counts what is loaded."""

    where = "fake.db"

    def __init__(self, matcher: Matcher, exchanges: Sequence[Exchange] = ()) -> None:
        self.matcher = matcher
        self.rows_: dict[int, tuple[Exchange, bytes, str]] = {}
        self.loads: list[int] = []
        self.closed = self.flushed = False
        for at, one in enumerate(exchanges, 1):
            self.rows_[at] = one, self.digest(one), "old"

    def digest(self, one: Exchange) -> bytes:
        return self.matcher.key(read(one.request), one.masked).digest

    async def rows(self) -> AsyncIterator[Row]:
        for id, (one, digest, named) in self.rows_.items():
            yield Row(id, digest, one.provider, one.session, one.outcome, one.masked, named)

    async def load(self, id: int) -> Exchange:
        self.loads.append(id)
        await asyncio.sleep(0)
        if id not in self.rows_:
            raise CassetteError(f"{self.where}: exchange {id} is gone")
        return self.rows_[id][0]

    async def add(self, exchange: Exchange, digest: bytes, run: str) -> int:
        await asyncio.sleep(0)
        id = max(self.rows_, default=0) + 1
        self.rows_[id] = exchange, digest, run
        return id

    async def delete(self, ids: Sequence[int]) -> None:
        for id in ids:
            self.rows_.pop(id, None)

    async def flush(self) -> None:
        self.flushed = True

    async def close(self) -> None:
        self.closed = True


async def over(
    *exchanges: Exchange,
    rules: MatchRules = PLAIN,
    after_last: AfterLast = AfterLast.REPEAT,
    allow_truncated: bool = False,
    explain: bool = False,
) -> tuple[Cassette, FakeStore]:
    matcher = Matcher(rules)
    store = FakeStore(matcher, exchanges)
    index = Index(after_last, run="now", allow_truncated=allow_truncated)
    kept: Store = store
    return await Cassette.over(kept, matcher, index, read=read, run="now", explain=explain), store


async def answers(cassette: Cassette, count: int, raw: RawRequest | None = None, session: str = "") -> list[str | None]:
    found = [await cassette.find(read(raw or request()), session) for _ in range(count)]
    return [one.exchange.body.decode() if one else None for one in found]


def test_plays_in_order_and_reads_each_exchange_once() -> None:
    async def main() -> None:
        cassette, store = await over(exchange(answer="1"), exchange("Other"), exchange(answer="2"))
        assert store.loads == [], "the store is not read before the first use"
        assert await cassette.has(read(request()))
        assert await answers(cassette, 3) == ["1", "2", "2"]
        assert await answers(cassette, 3, session="b") == ["1", "2", "2"]
        assert store.loads == [1, 3]
        assert await answers(cassette, 1, request("Never")) == [None]
        assert not await cassette.has(read(request("Never")))
        assert (cassette.unused(), len(cassette)) == ([2], 3)

    run(main())


def test_found_says_where_it_stands() -> None:
    async def main() -> None:
        cassette, _ = await over(exchange(answer="1"), exchange(answer="2"), explain=True)
        raw = request()
        spaced = replace(raw, body=raw.body.replace(b":", b": "), path="/v1/chat/")
        found = await cassette.find(read(spaced))
        assert found is not None
        assert (found.id, found.position, found.total) == (1, 0, 2)
        assert found.rules == ("path-form", "json-whitespace")

    run(main())


def test_equal_calls_at_once_get_one_recording_each() -> None:
    async def main() -> None:
        cassette, _ = await over(*(exchange(answer=str(n)) for n in range(50)), after_last=AfterLast.MISS)
        found = await asyncio.gather(*(cassette.find(read(request())) for _ in range(60)))
        assert [one.exchange.body.decode() if one else None for one in found] == [
            *(str(n) for n in range(50)),
            *[None] * 10,
        ]

    run(main())


def test_two_first_uses_at_once() -> None:
    async def main() -> None:
        cassette, store = await over(exchange())
        first, second = await asyncio.gather(*(cassette.find(read(request()), session) for session in "ab"))
        assert first is not None
        assert first == second
        assert store.loads == [1, 1]
        assert await answers(cassette, 1) == ["Hello"]
        assert store.loads == [1, 1]

    run(main())


def test_a_cached_exchange_is_found_without_a_task_switch() -> None:
    async def main() -> None:
        cassette, _ = await over(exchange())
        await cassette.find(read(request()))
        with pytest.raises(StopIteration) as done:
            cassette.find(read(request())).send(None)
        assert done.value.value.exchange.body == b"Hello"

    run(main())


def test_loaded_exchanges_are_bounded_by_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MEMORY", 10_000)

    async def main() -> None:
        cassette, store = await over(*(exchange(str(n), "x" * 2000) for n in range(4)), exchange("big", "x" * 20_000))
        for n in (0, 1, 0, 2, 0, 1):
            await cassette.find(read(request(str(n))))
        assert store.loads == [1, 2, 3, 2], "two fit in; the one unused for longest went"
        for _ in range(2):
            await cassette.find(read(request("big")))
        await cassette.find(read(request("1")))
        assert store.loads[4:] == [5, 5], "what is larger than the cache does not empty it"

    run(main())


def test_a_bare_path_finds_every_provider_that_is_recorded() -> None:
    async def main() -> None:
        cassette, _ = await over(exchange(answer="groq", host="api.groq.com"))
        assert await answers(cassette, 1, request(host="")) == ["groq"]
        assert await answers(cassette, 1) == [None], "a host that names its provider does not"
        stranger = replace(read(request(host="proxy.example")), provider="unknown")
        assert await cassette.has(stranger), "nor does a host and path that nobody knows"
        both, _ = await over(exchange(answer="groq", host="api.groq.com"), exchange(answer="openai"))
        assert await answers(both, 1, request(host="")) == ["openai"], "the guessed one comes first"

    run(main())


def test_masked_recordings() -> None:
    async def main() -> None:
        hidden = exchange("password **************", masked=("$.messages[0].content",))
        cassette, _ = await over(exchange("plain", "1"), hidden, explain=True)
        found = await cassette.find(read(request("password hunter2hunter2")))
        assert found is not None
        assert found.id == 2
        assert found.rules == ("masked:$.messages[0].content",)
        assert await cassette.has(read(request("anything at all")))
        assert await answers(cassette, 1, request("plain")) == ["1"], "the exact one first"
        assert not await cassette.has(read(request("x", model="gpt-4.1")))

    run(main())


def test_add_then_find_in_the_same_run() -> None:
    async def main() -> None:
        cassette, store = await over()
        assert await cassette.add(exchange(answer="new"), read(request()), replace=False) == 1
        assert store.rows_[1][1:] == (Matcher().key(read(request())).digest, "now")
        assert await answers(cassette, 1) == ["new"]
        assert (cassette.unused(), cassette.untouched(), cassette.truncated()) == ([], [], [])

    run(main())


def test_record_replaces_older_runs_once_and_keeps_its_own_order() -> None:
    async def main() -> None:
        cassette, store = await over(exchange(answer="old 1"), exchange("Other"), exchange(answer="old 2"))
        assert await answers(cassette, 2) == ["old 1", "old 2"]
        for n in (1, 2, 3):
            await cassette.add(exchange(answer=f"new {n}"), read(request()), replace=True)
        assert list(store.rows_) == [2, 4, 5, 6]
        assert (await answers(cassette, 3, session="s"), len(cassette)) == (["new 1", "new 2", "new 3"], 4)
        assert cassette.untouched() == [2]

    run(main())


def test_a_failed_recording_costs_no_good_one() -> None:
    async def main() -> None:
        cassette, store = await over(exchange(answer="good"))
        await cassette.add(exchange(outcome=Outcome.UPSTREAM_FAILED), read(request()), replace=True)
        assert list(store.rows_) == [1, 2]
        assert await answers(cassette, 1) == ["good"]
        await cassette.add(exchange(answer="better"), read(request()), replace=True)
        assert list(store.rows_) == [2, 3]
        assert await answers(cassette, 1, session="s") == ["better"]
        assert cassette.truncated() == [2]

    run(main())


def test_record_replaces_what_was_recorded_before_its_secret_was_known() -> None:
    async def main() -> None:
        cassette, store = await over(exchange("hunter2hunter2"))
        masked = exchange("**************", masked=("$.messages[0].content",))
        await cassette.add(masked, read(request("hunter2hunter2")), replace=True)
        assert list(store.rows_) == [2]

    run(main())


def test_truncated_recordings_are_played_only_where_allowed() -> None:
    async def main() -> None:
        cut = exchange(outcome=Outcome.TRUNCATED)
        cassette, _ = await over(cut)
        assert await answers(cassette, 1) == [None]
        assert (cassette.truncated(), cassette.unused()) == ([1], [])
        allowed, _ = await over(cut, allow_truncated=True)
        assert await answers(allowed, 1) == ["Hello"]

    run(main())


def test_another_exchange_under_the_same_sixty_bits_is_not_played() -> None:
    async def main() -> None:
        matcher = Matcher()
        store = FakeStore(matcher, [exchange("Other")])
        digest = matcher.key(read(request())).digest
        store.rows_[1] = exchange("Other"), digest[:8] + bytes(8), "old"
        kept: Store = store
        cassette = await Cassette.over(kept, matcher, Index(), read=read)
        assert await answers(cassette, 1) == [None]
        assert cassette.unused() == [1]

    run(main())


def test_an_exchange_that_is_gone_is_an_error() -> None:
    async def main() -> None:
        cassette, store = await over(exchange())
        await store.delete([1])
        with pytest.raises(CassetteError, match=r"fake\.db: exchange 1 is gone"):
            await cassette.find(read(request()))

    run(main())


def test_all_exchanges_flush_and_close() -> None:
    async def main() -> None:
        cassette, store = await over(exchange(answer="1"), exchange(answer="2"))
        await cassette.add(exchange("Other", "3"), read(request("Other")), replace=True)
        assert [(id, one.body) async for id, one in cassette.exchanges()] == [(1, b"1"), (2, b"2"), (3, b"3")]
        await cassette.flush()
        await cassette.close()
        assert (store.flushed, store.closed) == (True, True)

    run(main())


def test_a_store_whose_rows_cannot_be_read_is_closed() -> None:
    class Broken(FakeStore):
        async def rows(self) -> AsyncIterator[Row]:
            raise CassetteError("corrupt")
            yield

    async def main() -> None:
        store = Broken(Matcher())
        kept: Store = store
        with pytest.raises(CassetteError, match="corrupt"):
            await Cassette.over(kept, Matcher(), Index(), read=read)
        assert store.closed

    run(main())


@pytest.mark.parametrize("name", ["c.db", "c.yaml", "folder"])
def test_over_the_real_stores(tmp_path: Path, name: str) -> None:
    spec = str(tmp_path / name)

    async def main() -> None:
        cassette = await Cassette.open(spec, read=read, writable=True, run="one")
        for n in (1, 2):
            await cassette.add(exchange(answer=str(n)), read(request()), replace=True)
        await cassette.add(exchange("Other", session="s"), read(request("Other")), replace=True)
        await cassette.add(exchange("x", masked=("$.messages[0].content",)), read(request("x")), replace=False)
        assert await answers(cassette, 3) == ["1", "2", "2"]
        await cassette.close()
        rules = MatchRules(ignore=("$.messages[0].content",))
        cassette = await Cassette.open(spec, read=read, rules=rules, run="two")
        assert (await answers(cassette, 3, request("ignored")), len(cassette)) == (["1", "2", "Hello"], 4)
        await cassette.close()
        cassette = await Cassette.open(spec, read=read, writable=True, run="two")
        await cassette.add(exchange(answer="3"), read(request()), replace=True)
        assert await answers(cassette, 2) == ["3", "3"]
        assert len(cassette.untouched()) == 2
        await cassette.close()
        cassette = await Cassette.open(spec, read=read, after_last=AfterLast.MISS)
        assert await answers(cassette, 2, request("Other"), "s") == ["Hello", None]
        assert sorted([one.body async for _, one in cassette.exchanges()]) == [b"3", b"Hello", b"Hello"]
        await cassette.close()

    run(main())


def test_open_names_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(CassetteError, match="does not exist"):
        run(Cassette.open(str(tmp_path / "none.db"), read=read))
    with pytest.raises(ConfigError, match="no regular expression"):
        run(Cassette.open(str(tmp_path / "none.db"), read=read, rules=MatchRules(ignore=("/(/",))))


def test_a_yaml_cassettes_own_match_rules_apply(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(
        "llm-simulator: cassette\nschema: 1\nmatch: {ignore: [$.user]}\n---\n"
        'request: {method: POST, path: /v1/chat/completions, json: {model: m, user: "1"}}\n'
        "response: {json: {ok: true}}\n"
    )

    async def find(body: bytes) -> bool:
        opened = await Cassette.open(str(path), read=dialects.read)
        try:
            return await opened.has(dialects.read(RawRequest("POST", "/v1/chat/completions", body=body)))
        finally:
            await opened.close()

    assert asyncio.run(find(b'{"model": "m", "user": "2"}'))
    assert not asyncio.run(find(b'{"model": "n", "user": "1"}'))
