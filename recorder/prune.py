"""What may go from a cassette: too old, unused in a run, broken off, or without any effect at replay.

Looking changes nothing; `prune` deletes what `doomed` found.
"""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import Any

from llm_simulator import dialects
from llm_simulator.cassettes.folder import cassettes
from llm_simulator.cassettes.key import Matcher
from llm_simulator.cassettes.store import Row, Store, open_store, own_rules
from llm_simulator.errors import CassetteError
from llm_simulator.recorder.about import About
from llm_simulator.types import Exchange, Outcome, header


class Reason(Enum):
    """Why a recording may go; the text is for a person."""

    OLD = "older than the age given"
    UNUSED = "used by no run of the reports given"
    TRUNCATED = "ended early"
    SUPERSEDED = "ended early, and its call is recorded whole"
    REPEATED = "same answer as the one before it, which replay repeats anyway"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What shall go. `before` compares with when it was recorded: one whose age is unknown is not judged."""

    before: datetime | None = None
    unused: frozenset[int] = frozenset()
    truncated: bool = False
    duplicates: bool = False


@dataclass(frozen=True, slots=True)
class Doomed:
    """A recording that shall go, and every reason for it."""

    about: About
    reasons: tuple[Reason, ...]

    def as_json(self) -> dict[str, Any]:
        return {**self.about.as_json(), "reasons": [reason.name.lower() for reason in self.reasons]}


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was found in the cassette `where` of so many recordings, and whether it is gone."""

    where: str
    recordings: int
    doomed: tuple[Doomed, ...]
    deleted: bool


async def prune(spec: str, wanted: Wanted, *, delete: bool) -> Pruned:
    """Finds what shall go and, if `delete`, takes it away. Recordings that stay keep their order.

    Raises:
        CassetteError: the cassette cannot be opened, read or written.
    """
    matcher = Matcher(rules := own_rules(spec))

    def digest_of(exchange: Exchange) -> bytes:
        return matcher.key(dialects.read(exchange.request), exchange.masked).digest

    store = await open_store(spec, digest_of=digest_of, fingerprint=rules.fingerprint, writable=delete)
    try:
        rows = [row async for row in store.rows()]
        found = await doomed(store, rows, wanted)
        if delete and found:
            await store.delete([one.about.id for one in found])
            await store.flush()
        return Pruned(store.where, len(rows), tuple(found), delete)
    finally:
        await store.close()


async def doomed(store: Store, rows: Iterable[Row], wanted: Wanted) -> list[Doomed]:
    """The recordings that shall go, in recorded order. One exchange is in memory at a time, and only if need be."""
    reasons: dict[int, list[Reason]] = {}
    series: dict[bytes, _Series] = defaultdict(_Series)
    for row in rows:
        exchange = await store.load(row.id) if wanted.before or wanted.duplicates else None
        reasons[row.id] = _own(row, exchange, wanted)
        if exchange is not None and wanted.duplicates:
            series[row.digest].add(row, exchange)
    for one in series.values():
        for id, reason in one.idle():
            reasons[id].append(reason)
    found = [(id, tuple(why)) for id, why in reasons.items() if why]
    return [Doomed(About.of(id, await store.load(id)), why) for id, why in found]


def _own(row: Row, exchange: Exchange | None, wanted: Wanted) -> list[Reason]:
    recorded = _when(exchange.recorded_at) if exchange is not None else None
    old = wanted.before is not None and recorded is not None and recorded < wanted.before
    facts = {
        Reason.OLD: old,
        Reason.UNUSED: row.id in wanted.unused,
        Reason.TRUNCATED: wanted.truncated and row.outcome is not Outcome.COMPLETE,
    }
    return [reason for reason, holds in facts.items() if holds]


def _when(text: str) -> datetime | None:
    """When it was recorded; other tools' files have times without a zone (taken for UTC), or other texts (unknown)."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


@dataclass(slots=True)
class _Series:
    """The recordings of one key: those at the end that replay would not miss, and those that it never plays."""

    answer: bytes = b""  # digest of the last complete one
    sessions: set[str] = field(default_factory=lambda: set[str]())  # that gave this answer since it came
    repeated: list[int] = field(default_factory=lambda: [])  # since then, each after the first one of its session
    broken: list[int] = field(default_factory=lambda: [])

    def add(self, row: Row, exchange: Exchange) -> None:
        if row.outcome is not Outcome.COMPLETE:
            self.broken.append(row.id)
            return
        answer = _answer(exchange)
        if answer != self.answer:
            self.answer, self.sessions, self.repeated = answer, set(), []
        if row.session in self.sessions:
            self.repeated.append(row.id)
        self.sessions.add(row.session)

    def idle(self) -> Iterable[tuple[int, Reason]]:
        yield from ((id, Reason.REPEATED) for id in self.repeated)
        if self.answer:
            yield from ((id, Reason.SUPERSEDED) for id in self.broken)


def _answer(exchange: Exchange) -> bytes:
    """What makes two answers one: status, coding and bytes. Their times may differ."""
    state = hashlib.blake2b(digest_size=16)
    kinds = (header(exchange.headers, name) for name in ("content-type", "content-encoding"))
    state.update("\0".join((str(exchange.status), *kinds, "")).encode("utf-8", "surrogatepass"))
    for _, data in exchange.chunks:
        state.update(data)
    for message in exchange.messages:
        state.update(f"{message.direction} {message.opcode} {len(message.data)} ".encode() + message.data)
    return state.digest()


def state_of(spec: str) -> str:
    """A digest of the files of a cassette: ids in a report mean the same recordings as long as it is the same.

    "" for a database URL: its ids are never given anew.

    Raises:
        CassetteError: a file cannot be read.
    """
    if "://" in spec:
        return ""
    path = Path(spec).expanduser()
    state = hashlib.blake2b(digest_size=16)
    try:
        for file in cassettes(path) if path.is_dir() else [path]:
            name = os.fsencode(file.name) if path.is_dir() else b""
            state.update(b"%b\0%d\0" % (name, file.stat().st_size))
            with file.open("rb") as opened:
                while block := opened.read(1 << 20):
                    state.update(block)
    except OSError as error:
        raise CassetteError(f"cassette {spec}: cannot read it: {error.strerror}") from error
    return state.hexdigest()
