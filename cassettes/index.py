"""Which recording the next identical call gets: keys, recorded order and play positions in memory, never a body.

A session's k-th call of a key gets its k-th recording; where the cassette holds recordings of that key made in a
session of the same name, only those. A position is read and consumed in one step without an await: no two calls get the
same.
"""

from __future__ import annotations

import hashlib
from array import array
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import assert_never

from llm_simulator.cassettes.store import Row
from llm_simulator.types import Outcome

SESSIONS = 10_000
"""Client sessions whose positions are remembered; the one unused for longest is forgotten first."""

_USED, _OWN, _GONE, _BROKEN = 1, 2, 4, 8


class AfterLast(Enum):
    """What an identical call gets once every recording of it has been played in its session."""

    REPEAT = "repeat"  # the last one again
    CYCLE = "cycle"  # the first one again, and so on
    MISS = "miss"  # nothing: it is a miss
    SAMPLE = "sample"  # any one of them: a function of seed, key and position


@dataclass(frozen=True, slots=True)
class Taken:
    """A recording to play: its number in the index, id and key; it is the `position`-th (from 0) of `total`."""

    place: int
    id: int
    digest: bytes
    position: int
    total: int


class Index:
    """All rows of a cassette by key, with what this run has done to them.

    Rows are numbered in recorded order. A key is the first 60 bits of the digest: whoever loads the exchange compares
    the whole.
    """

    def __init__(
        self, after_last: AfterLast = AfterLast.REPEAT, *, run: str = "", allow_truncated: bool = False
    ) -> None:
        self.providers: dict[str, None] = {}  # in the order they came
        self.masked: dict[tuple[str, ...], None] = {}
        self.after_last = after_last
        self._run = run
        self._allow_truncated = allow_truncated
        self._ids = array("q")
        self._sessions = array("I")  # numbers of the sessions that the rows were recorded in
        self._flags = bytearray()
        self._names: dict[str, int] = {}
        self._playable: dict[int, int | array[int]] = {}
        self._broken: dict[int, int | array[int]] = {}
        self._positions: OrderedDict[str, dict[int, int]] = OrderedDict()
        self._gone = 0

    def __len__(self) -> int:
        return len(self._ids) - self._gone

    def add(self, row: Row, *, own: bool = False) -> None:
        """Appends a row. `own`: this run has made it (so it is neither unused nor untouched)."""
        place = len(self._ids)
        broken = row.outcome is not Outcome.COMPLETE
        own = own or row.run == self._run != ""
        self._ids.append(row.id)
        self._sessions.append(self._names.setdefault(row.session, len(self._names)))
        self._flags.append(_USED * own | _OWN * own | _BROKEN * broken)
        self.providers[row.provider] = None
        if row.masked:
            self.masked[row.masked] = None
        _append(self._broken if broken and not self._allow_truncated else self._playable, _key(row.digest), place)

    def take(self, digests: Iterable[bytes], session: str, seed: int = 0) -> Taken | None:
        """The recording that the next call of the first key that is there gets; consumes its position."""
        found = self.candidates(digests, session)
        if found is None:
            return None
        digest, rows = found
        key, positions = _key(digest), self._of(session)
        count = positions.get(key, 0)
        taken = self.taken(digest, rows, count, seed)
        if taken is not None:
            positions[key] = count + 1
        return taken

    def candidates(self, digests: Iterable[bytes], session: str) -> tuple[bytes, Sequence[int]] | None:
        """The first key that is there, and the rows that its calls get in this session, in order. Consumes nothing."""
        for digest in digests:
            places = self._playable.get(_key(digest))
            if places is not None:
                return digest, self._mine(places, session)
        return None

    def taken(self, digest: bytes, rows: Sequence[int], count: int, seed: int = 0) -> Taken | None:
        """What a call gets of these rows after `count` others."""
        position = self._position(count, len(rows), digest, seed)
        if position is None:
            return None
        return Taken(rows[position], self._ids[rows[position]], digest, position, len(rows))

    def used(self, place: int) -> None:
        """Notes that a recording has been played."""
        self._flags[place] |= _USED

    def has(self, digest: bytes) -> bool:
        """Whether there is a playable recording of the key."""
        return _key(digest) in self._playable

    def broken(self, digest: bytes) -> bool:
        """Whether there is a recording of the key that is not replayed, because it ended early."""
        return _key(digest) in self._broken

    def replace(self, digest: bytes) -> list[int]:
        """Takes out the recordings of the key that other runs made, and returns their ids."""
        key = _key(digest)
        old = [
            place
            for rows in (self._playable, self._broken)
            for place in _places(rows.get(key))
            if not self._flags[place] & _OWN
        ]
        for rows in (self._playable, self._broken):
            _keep(rows, key, [place for place in _places(rows.get(key)) if self._flags[place] & _OWN])
        for place in old:
            self._flags[place] |= _GONE
        self._gone += len(old)
        return [self._ids[place] for place in old]

    def ids(self) -> list[int]:
        """All, in recorded order."""
        return self._select(0, 0)

    def recorded_in(self, session: str) -> list[int]:
        """Those recorded in a session of this name, in recorded order."""
        number = self._names.get(session)
        rows = zip(self._ids, self._sessions, self._flags, strict=True)
        return [id for id, of, flags in rows if of == number and not flags & _GONE]

    def unused(self) -> list[int]:
        """Playable recordings of other runs that were not played."""
        return self._select(_USED | (0 if self._allow_truncated else _BROKEN), 0)

    def truncated(self) -> list[int]:
        """Recordings that ended early."""
        return self._select(0, _BROKEN)

    def untouched(self) -> list[int]:
        """Recordings that this run neither made nor replaced."""
        return self._select(_OWN, 0)

    def _select(self, without: int, within: int) -> list[int]:
        without |= _GONE
        return [
            id
            for id, flags in zip(self._ids, self._flags, strict=True)
            if not flags & without and flags & within == within
        ]

    def _mine(self, places: int | array[int], session: str) -> Sequence[int]:
        """Those recorded in a session of this name, if there are any; an unnamed client gets all."""
        rows = _places(places)
        number = self._names.get(session) if session else None
        if number is None or len(rows) == 1:
            return rows
        return [place for place in rows if self._sessions[place] == number] or rows

    def _position(self, count: int, total: int, digest: bytes, seed: int) -> int | None:
        if count < total:
            return count
        match self.after_last:
            case AfterLast.REPEAT:
                return total - 1
            case AfterLast.CYCLE:
                return count % total
            case AfterLast.MISS:
                return None
            case AfterLast.SAMPLE:
                draw = hashlib.blake2b(digest + b"%d:%d" % (seed, count), digest_size=8).digest()
                return int.from_bytes(draw, "big") % total
            case _:
                assert_never(self._after_last)

    def sessions(self) -> tuple[str, ...]:
        """Client sessions that have positions."""
        return tuple(self._positions)

    def forget(self, sessions: frozenset[str]) -> None:
        """They begin anew with the first recordings."""
        for session in sessions:
            self._positions.pop(session, None)

    def _of(self, session: str) -> dict[int, int]:
        positions = self._positions.get(session)
        if positions is None:
            positions = self._positions[session] = {}
            if len(self._positions) > SESSIONS:
                self._positions.popitem(last=False)
        else:
            self._positions.move_to_end(session)
        return positions


def _key(digest: bytes) -> int:
    return int.from_bytes(digest[:8], "big") >> 4


def _places(places: int | array[int] | None) -> Sequence[int]:
    return () if places is None else (places,) if isinstance(places, int) else places


def _append(rows: dict[int, int | array[int]], key: int, place: int) -> None:
    """A key that is there once has its row's number itself: an array for each would be larger than all the rest."""
    places = rows.get(key)
    if places is None:
        rows[key] = place
    elif isinstance(places, int):
        rows[key] = array("I", (places, place))
    else:
        places.append(place)


def _keep(rows: dict[int, int | array[int]], key: int, places: list[int]) -> None:
    rows.pop(key, None)
    for place in places:
        _append(rows, key, place)
