"""Two cassettes compared: what only one of them has, and how the answers to the same calls differ.

Recordings pair by match key, those of one key in their recorded order.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

from llm_simulator import dialects
from llm_simulator.cassettes.diff import Difference
from llm_simulator.cassettes.key import Matcher, MatchRules
from llm_simulator.cassettes.miss import Recorded, nearest
from llm_simulator.cassettes.store import Row, Store, open_store, own_rules
from llm_simulator.recorder.about import About
from llm_simulator.recorder.compare import compare
from llm_simulator.telemetry.drift import Drift
from llm_simulator.types import Exchange

MOST_NEIGHBOURS = 64
"""With more recordings than this in only one cassette, no neighbours are looked for."""


@dataclass(frozen=True, slots=True)
class Only:
    """A recording that the other cassette has no counterpart of; in the second one, with the nearest of the first.

    `fields` are how the two requests differ (`asked` here, `recorded` there).
    """

    about: About
    near: int | None = None
    fields: tuple[Difference, ...] = ()

    def as_json(self) -> dict[str, Any]:
        fields = [{"where": one.where, "before": one.recorded, "after": one.asked} for one in self.fields]
        return {**self.about.as_json(), "nearest": self.near, "differences": fields}


@dataclass(frozen=True, slots=True)
class Changed:
    """Two recordings of the same call whose answers differ."""

    before: About
    after: About
    drift: Drift

    def as_json(self) -> dict[str, Any]:
        return {"before": self.before.as_json(), "after": self.after.as_json(), **self.drift.as_json()}


@dataclass(slots=True)
class Compared:
    """The difference of two cassettes."""

    names: tuple[str, str]
    same: int = 0
    gone: list[Only] = field(default_factory=lambda: [])
    new: list[Only] = field(default_factory=lambda: [])
    changed: list[Changed] = field(default_factory=lambda: [])

    @property
    def differ(self) -> bool:
        return bool(self.gone or self.new or self.changed)

    def as_json(self) -> dict[str, Any]:
        return {
            "a": self.names[0],
            "b": self.names[1],
            "same": self.same,
            "only_in_a": [one.as_json() for one in self.gone],
            "only_in_b": [one.as_json() for one in self.new],
            "changed": [one.as_json() for one in self.changed],
        }


async def differences(
    a: str, b: str, rules: MatchRules, select: Callable[[Drift], Drift] = lambda drift: drift
) -> Compared:
    """Compares the cassettes `a` (before) and `b` (after) under `rules` and their own ones.

    Args:
        select: leaves out of a drift what is no difference.

    Raises:
        CassetteError: one of them cannot be opened or read.
        ConfigError: a rule cannot be read.
    """
    rules = rules | own_rules(a) | own_rules(b)
    matcher = Matcher(rules)
    async with AsyncExitStack() as stack:
        sides = [await _side(stack, spec, matcher) for spec in (a, b)]
        pairs, gone, new = await _paired(matcher, *sides)
        found = Compared((sides[0].store.where, sides[1].store.where))
        for one, two in pairs:
            before, after = await sides[0].store.load(one), await sides[1].store.load(two)
            drift = select(compare(before, after))
            if drift.changes:
                found.changed.append(Changed(About.of(one, before), About.of(two, after), drift))
            else:
                found.same += 1
        near = [await _recorded(sides[0].store, id) for id in gone] if _few(gone, new) else []
        found.gone = [Only(About.of(id, await sides[0].store.load(id))) for id in gone]
        found.new = [await _only(sides[1].store, id, matcher, near) for id in new]
        return found


@dataclass(slots=True)
class _Side:
    store: Store
    rows: list[Row]


async def _side(stack: AsyncExitStack, spec: str, matcher: Matcher) -> _Side:
    def digest_of(exchange: Exchange) -> bytes:
        return matcher.key(dialects.read(exchange.request), exchange.masked).digest

    store = await open_store(spec, digest_of=digest_of, fingerprint=matcher.rules.fingerprint, writable=False)
    stack.push_async_callback(store.close)
    return _Side(store, [row async for row in store.rows()])


def _few(gone: list[int], new: list[int]) -> bool:
    return len(gone) <= MOST_NEIGHBOURS and len(new) <= MOST_NEIGHBOURS


async def _recorded(store: Store, id: int) -> Recorded:
    exchange = await store.load(id)
    return Recorded(id, dialects.read(exchange.request), exchange.session, exchange.masked)


async def _only(store: Store, id: int, matcher: Matcher, near: list[Recorded]) -> Only:
    exchange = await store.load(id)
    found, _ = nearest(matcher, dialects.read(exchange.request), near)
    about = About.of(id, exchange)
    return Only(about, found[0].id, found[0].differences) if found else Only(about)


# --- pairing


async def _paired(matcher: Matcher, a: _Side, b: _Side) -> tuple[list[tuple[int, int]], list[int], list[int]]:
    """(ids of the same call in both, ids in `a` only, ids in `b` only), each in recorded order."""
    waiting: dict[bytes, deque[int]] = defaultdict(deque)
    for row in a.rows:
        waiting[row.digest].append(row.id)
    pairs: dict[int, int] = {}
    left: list[Row] = []
    for row in b.rows:
        if same := waiting[row.digest]:
            pairs[same.popleft()] = row.id
        else:
            left.append(row)
    rest = [row for row in a.rows if row.id not in pairs]
    pairs |= {one: two async for one, two in _masked(matcher, (a.store, rest), (b.store, left))}
    paired = set(pairs.values())
    ordered = [(row.id, pairs[row.id]) for row in a.rows if row.id in pairs]
    gone, new = ([row.id for row in rest if row.id not in pairs], [row.id for row in left if row.id not in paired])
    return ordered, gone, new


_Left = tuple[Store, list[Row]]


async def _masked(matcher: Matcher, a: _Left, b: _Left) -> AsyncIterator[tuple[int, int]]:
    """Pairs of which one side has a value masked that the other one shows: its key is made as if it were masked, too."""
    masks = {row.masked for _, rows in (a, b) for row in rows} - {()}
    if not masks or not a[1] or not b[1]:
        return
    keys: dict[bytes, list[int]] = defaultdict(list)
    async for id, key in _keys(matcher, a, masks):
        keys[key].append(id)
    taken: set[int] = set()
    done: set[int] = set()
    async for id, key in _keys(matcher, b, masks):
        free = [other for other in keys[key] if other not in taken]
        if free and id not in done:
            taken.add(free[0])
            done.add(id)
            yield free[0], id


async def _keys(matcher: Matcher, side: _Left, masks: set[tuple[str, ...]]) -> AsyncIterator[tuple[int, bytes]]:
    store, rows = side
    for row in rows:
        call = (await _recorded(store, row.id)).call
        for mask in sorted(masks):
            yield row.id, matcher.key(call, mask).digest
