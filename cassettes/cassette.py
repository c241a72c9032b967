"""A cassette: recordings found by match key and played in order. The store is read on first use of an exchange only."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from llm_simulator.cassettes.index import AfterLast, Index, Taken
from llm_simulator.cassettes.key import Matcher, MatchKey, MatchRules
from llm_simulator.cassettes.miss import MissReport, Reason, Recorded, nearest, summary
from llm_simulator.cassettes.store import Row, Store, open_store, own_rules
from llm_simulator.types import Call, Exchange, Outcome, RawRequest

MEMORY = 16 << 20
"""Bytes of exchanges that are kept after they were loaded."""

PLAIN = MatchRules()
"""The rules where the user has none."""

_OVERHEAD = 2000  # bytes that an exchange takes besides its bodies
_SCAN = 2000  # recordings (the newest, and as many of named sessions) that are looked at for the neighbours of a miss
_COMPARED = 32  # of these, the ones compared field by field


@dataclass(frozen=True, slots=True)
class Found:
    """A recording to play: the `position`-th (from 0) of the `total` that the call has in its session.

    `rules` names what made the two calls equal (only where the cassette was opened with `explain`).
    """

    id: int
    exchange: Exchange
    position: int
    total: int
    rules: tuple[str, ...] = ()


@runtime_checkable
class Nearby(Protocol):
    """A store that can name recordings like a call without reading them all."""

    async def near(self, provider: str, operation: str, model: str, limit: int) -> list[int]:
        """Ids of recordings of the operation, those of the same model and provider first, then the newest."""
        ...


class Shared(Protocol):
    """Several processes that play one cassette: each recording is consumed once among them."""

    def consumed(self, session: str, digest: bytes, limit: int | None) -> Awaitable[int]:
        """How many calls of a key came before this one in its session; it is counted, unless there were `limit`."""
        ...

    def played(self, id: int) -> None:
        """A recording was played here."""
        ...

    async def added(self, row: Row, replaced: tuple[bytes, ...]) -> None:
        """A recording was added here, after the others of the `replaced` keys were dropped. Returns when all know."""
        ...


@dataclass(frozen=True, slots=True)
class _Kept:
    exchange: Exchange
    digest: bytes
    size: int


@dataclass(frozen=True, slots=True)
class _Sketch:
    """What ranks a recording before its body is compared."""

    method: str
    path: str
    provider: str
    operation: str
    model: str


class Cassette:
    """One cassette as one run uses it, on one event loop."""

    def __init__(
        self, store: Store, matcher: Matcher, index: Index, read: Callable[[RawRequest], Call], run: str, explain: bool
    ) -> None:
        self.where = store.where
        self._store = store
        self._matcher = matcher
        self._index = index
        self._read = read
        self._run = run
        self._explain = explain
        self.shared: Shared | None = None
        self.grows = True  # whether recordings may be added
        self._kept: OrderedDict[int, _Kept] = OrderedDict()
        self._size = 0
        self._sketches: dict[int, _Sketch] = {}
        self._sketching = asyncio.Lock()

    @classmethod
    async def open(
        cls,
        spec: str,
        *,
        read: Callable[[RawRequest], Call],
        rules: MatchRules = PLAIN,
        writable: bool = False,
        after_last: AfterLast = AfterLast.REPEAT,
        run: str = "",
        allow_truncated: bool = False,
        explain: bool = False,
    ) -> Cassette:
        """Opens the store and indexes its rows. `read` is `dialects.read`; `run` names this run in what it adds.

        A YAML cassette's own match rules are added to `rules`.

        Raises CassetteError (see `open_store`) and ConfigError (an ignore rule that cannot be read).
        """
        rules |= own_rules(spec)
        matcher = Matcher(rules)

        def digest_of(exchange: Exchange) -> bytes:
            return matcher.key(read(exchange.request), exchange.masked).digest

        store = await open_store(spec, digest_of=digest_of, fingerprint=rules.fingerprint, writable=writable)
        index = Index(after_last, run=run, allow_truncated=allow_truncated)
        cassette = await cls.over(store, matcher, index, read=read, run=run, explain=explain)
        cassette.grows = writable
        return cassette

    @classmethod
    async def over(
        cls,
        store: Store,
        matcher: Matcher,
        index: Index,
        *,
        read: Callable[[RawRequest], Call],
        run: str = "",
        explain: bool = False,
    ) -> Cassette:
        """A cassette over a store that is open: fills the (empty) index. Closes the store where that fails."""
        try:
            async for row in store.rows():
                index.add(row)
        except BaseException:
            await store.close()
            raise
        return cls(store, matcher, index, read, run, explain)

    def __len__(self) -> int:
        return len(self._index)

    async def find(self, call: Call, session: str = "", seed: int = 0) -> Found | None:
        """The recording that this call gets now, or None. Consumes its position, in the same step that looks it up.

        `seed` decides under `AfterLast.SAMPLE` only. Raises CassetteError where the store cannot give the exchange.
        """
        taken = (
            self._take(call, session, seed)
            if self.shared is None
            else await self._taken(self.shared, call, session, seed)
        )
        if taken is None:
            return None
        kept = self._kept.get(taken.id)
        if kept is None:
            kept = await self._load(taken.id)
        else:
            self._kept.move_to_end(taken.id)
        if kept.digest != taken.digest:  # two keys that share 60 bits
            return None
        self._index.used(taken.place)
        if self.shared is not None:
            self.shared.played(taken.id)
        exchange = kept.exchange
        rules = self._rules(call, exchange) if self._explain else ()
        return Found(taken.id, exchange, taken.position, taken.total, rules)

    async def has(self, call: Call) -> bool:
        """Whether the call has a playable recording. Consumes nothing."""
        return any(self._index.has(digest) for digest in self._digests(call))

    async def has_model(self, call: Call) -> bool:
        """Whether the recording that is most like the call is of its model."""
        ids = await self._candidates(call, "") if len(self) else []
        return bool(ids) and (await self._recorded(ids[0])).call.model == call.model

    def expect(self, request: RawRequest, call: Call, masked: tuple[str, ...]) -> None:
        """Makes the keys that `add` will need for a call whose redacted request is `request`."""
        self._matcher.key(self._read(request), masked)
        self._matcher.key(call)

    async def add(self, exchange: Exchange, call: Call, *, replace: bool) -> int:
        """Keeps an exchange and returns its id, after the commit.

        `replace`: drops what other runs recorded for this call, once this run has a complete recording of it: a
        provider that fails must not cost the recording that was good.
        """
        digest = self._digest(exchange)
        id = await self._store.add(exchange, digest, self._run)
        row = Row(id, digest, exchange.provider, exchange.session, exchange.outcome, exchange.masked, self._run)
        self._index.add(row, own=True)
        replaced: tuple[bytes, ...] = ()
        if replace and exchange.outcome is Outcome.COMPLETE:
            # Under its plain key too: it may have been recorded before its secret was in the environment.
            replaced = (digest, self._matcher.key(call).digest)
            old = self._outdated(replaced)
            if old:
                await self._store.delete(old)
        if self.shared is not None:
            await self.shared.added(row, replaced)
        return id

    def learn(self, row: Row, replaced: tuple[bytes, ...]) -> None:
        """Another process of this run has added a recording, and dropped those of the `replaced` keys."""
        self._index.add(row, own=True)
        self._outdated(replaced)

    async def miss(self, call: Call, session: str = "", *, command: str = "") -> MissReport:
        """Why `find` gave nothing for the call, the nearest recordings, and what would help; consumes nothing.

        `command` is the command line that would record the call, shown as it is.
        """
        recorded = [await self._recorded(id) for id in await self._candidates(call, session)]
        near, line = nearest(self._matcher, call, recorded)
        about = summary(call)
        return MissReport(about, self._reason(call, bool(near)), self.where, len(self), near, line, command)

    async def exchanges(self) -> AsyncIterator[tuple[int, Exchange]]:
        """All exchanges with their ids, in recorded order; one in memory at a time."""
        for id in self._index.ids():
            yield id, await self._store.load(id)

    def unused(self) -> list[int]:
        """Recordings that could have been played, but were not."""
        return self._index.unused()

    def truncated(self) -> list[int]:
        """Recordings that ended early: truncated, client gone or upstream failed."""
        return self._index.truncated()

    def untouched(self) -> list[int]:
        """Recordings that this run neither made nor replaced."""
        return self._index.untouched()

    async def flush(self) -> None:
        """Brings what was added into its final place."""
        await self._store.flush()

    async def close(self) -> None:
        """Flushes and lets go of the store."""
        await self._store.close()

    # --- finding

    def _take(self, call: Call, session: str, seed: int) -> Taken | None:
        return self._index.take(self._digests(call), session, seed)

    async def _taken(self, shared: Shared, call: Call, session: str, seed: int) -> Taken | None:
        """The same among several processes: they count together, and where it makes no difference, not at all."""
        found = self._index.candidates(self._digests(call), session)
        if found is None:
            return None
        digest, rows = found
        misses = self._index.after_last is AfterLast.MISS
        if len(rows) == 1 and not misses and not self.grows:
            return self._index.taken(digest, rows, 0, seed)
        return self._index.taken(
            digest, rows, await shared.consumed(session, digest, len(rows) if misses else None), seed
        )

    def sessions(self) -> tuple[str, ...]:
        """Client sessions that have played anything."""
        return self._index.sessions()

    def end_sessions(self, sessions: frozenset[str]) -> None:
        """They begin anew with the first recordings."""
        self._index.forget(sessions)

    def _digests(self, call: Call) -> Iterator[bytes]:
        """The keys that a recording of this call may have, likeliest first."""
        yield from self._providers(call, self._matcher.key(call))
        for masked in self._index.masked:
            yield from self._providers(call, self._matcher.key(call, masked))

    def _providers(self, call: Call, key: MatchKey) -> Iterator[bytes]:
        """A client that comes by a bare path names no provider: the one read from path and headers is a guess."""
        yield key.digest
        if not call.raw.host or call.provider == "unknown":
            yield from (key.under(name) for name in self._index.providers if name != key.provider)

    def _digest(self, exchange: Exchange) -> bytes:
        return self._matcher.key(self._read(exchange.request), exchange.masked).digest

    def _rules(self, call: Call, exchange: Exchange) -> tuple[str, ...]:
        return self._matcher.explain(call, self._read(exchange.request), exchange.masked)

    # --- loading

    async def _load(self, id: int) -> _Kept:
        """Two first uses at once load it twice, which does no harm."""
        await asyncio.sleep(0)  # drivers need a task around them, which a call may still be without (proxy/lane.py)
        exchange = await self._store.load(id)
        body = sum(len(data) for _, data in exchange.chunks) + sum(len(message.data) for message in exchange.messages)
        kept = _Kept(exchange, self._digest(exchange), _OVERHEAD + len(exchange.request.body) + body)
        self._forget(id)
        if kept.size <= MEMORY:
            self._kept[id] = kept
            self._size += kept.size
        while self._size > MEMORY:
            self._forget(next(iter(self._kept)))
        return kept

    def _forget(self, id: int) -> None:
        kept = self._kept.pop(id, None)
        self._size -= kept.size if kept else 0

    def _outdated(self, digests: tuple[bytes, ...]) -> list[int]:
        """Takes out what other runs recorded under these keys, and returns the ids."""
        old = [id for digest in digests for id in self._index.replace(digest)]
        for id in old:
            self._forget(id)
            self._sketches.pop(id, None)
        return old

    # --- misses

    def _reason(self, call: Call, similar: bool) -> Reason:
        digests = list(self._digests(call))
        if any(self._index.has(digest) for digest in digests):
            return Reason.ALREADY_PLAYED
        if any(self._index.broken(digest) for digest in digests):
            return Reason.TRUNCATED
        return Reason.NOT_RECORDED if similar else Reason.NOTHING_SIMILAR

    async def _candidates(self, call: Call, session: str) -> list[int]:
        """The recordings worth comparing with a call: of a large cassette, those of its session and the newest."""
        if isinstance(self._store, Nearby):
            return await self._store.near(call.provider, call.operation, call.model, _COMPARED)
        async with self._sketching:
            if len(self._sketches) < min(_SCAN, len(self)):
                await self._sketch(self._index.ids()[-_SCAN:], _SCAN)
            if session and len(self._sketches) < min(2 * _SCAN, len(self)):
                await self._sketch(self._index.recorded_in(session)[-_SCAN:], 2 * _SCAN)
        asked = _sketch(call)
        ranked = sorted(self._sketches, key=lambda id: (_unlike(asked, self._sketches[id]), id))
        return ranked[:_COMPARED]

    async def _sketch(self, ids: list[int], most: int) -> None:
        for id in ids:
            if len(self._sketches) >= most:
                return
            if id not in self._sketches:
                self._sketches[id] = _sketch((await self._recorded(id)).call)

    async def _recorded(self, id: int) -> Recorded:
        kept = self._kept.get(id)
        exchange = kept.exchange if kept else await self._store.load(id)
        return Recorded(id, self._read(exchange.request), exchange.session, exchange.masked)


def _sketch(call: Call) -> _Sketch:
    return _Sketch(call.raw.method.upper(), call.raw.path, call.provider, call.operation, call.model)


def _unlike(asked: _Sketch, other: _Sketch) -> int:
    """How unlike two calls are by name: operation, then path, method, model and provider."""
    return (
        8 * (asked.operation != other.operation)
        + 4 * (asked.path != other.path)
        + 4 * (asked.method != other.method)
        + 2 * (asked.model != other.model)
        + (asked.provider != other.provider)
    )
