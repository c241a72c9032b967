"""Rate limits as providers enforce them: buckets that refill evenly, and a told wait that is kept. Pure: time is passed in.

A call takes from all its buckets or from none. One that is refused is told when to come back, and that much of every
bucket is set aside for it: whoever comes back then succeeds, however many others wait. A place in the line that nobody
claims lapses after `GRACE`, and the next one gets it. Source: the token buckets that OpenAI, Anthropic and Groq describe.

Within any window no more is let through than limit + refill, each claim counted at the time that was told. What comes
late, or between two equal calls that cannot be told apart, is paid back before the next one.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from llm_simulator.types import JSON

GRACE = 2.0
"""Seconds that a place is kept beyond its time: for the network, and for clients that round up."""
WAITING = 1000
"""Places kept in one line; who comes later is told a time, too, but nothing is set aside for it."""
_SOON = 1e-6  # clocks and sums of floats are not exact


@dataclass(frozen=True, slots=True)
class Bucket:
    """One limit: `limit` units in each `period` (seconds), refilled evenly, full at first. `cost` is what a call takes."""

    name: str
    limit: float
    period: float
    cost: float

    @property
    def rate(self) -> float:
        return self.limit / self.period


_Place = list[Any]
"""A place in the line: [when its turn is, whose it is, what is set aside for it by bucket]. Never changed, only replaced."""
_DUE, _WHO, _COSTS = 0, 1, 2


@dataclass(slots=True)
class _Line:
    """The value of one key as it is now: what each bucket holds and may hold at most, who was told to come back (in the order
    of their turns), and what is set aside for all of them together."""

    now: float
    levels: dict[str, float]
    most: dict[str, float]
    places: list[_Place]
    aside: dict[str, float]

    def packed(self) -> JSON:
        return {
            "at": self.now,
            "levels": self.levels,
            "most": self.most,
            "places": self.places,
            "aside": self.aside,
        }

    def add(self, place: _Place) -> None:
        insort(self.places, place, key=itemgetter(_DUE))
        for name, cost in place[_COSTS].items():
            self.aside[name] = self.aside.get(name, 0.0) + cost

    def remove(self, place: _Place) -> None:
        del self.places[next(at for at, each in enumerate(self.places) if each is place)]
        self._release(place)

    def lapse(self) -> None:
        """Drops the places whose time is over."""
        over = bisect_left(self.places, self.now - GRACE, key=itemgetter(_DUE))
        gone = self.places[:over]
        del self.places[:over]
        for place in gone:
            self._release(place)

    def _release(self, place: _Place) -> None:
        for name, cost in place[_COSTS].items():
            self.aside[name] -= cost
        if len(self.places) <= 1:  # sums of floats drift
            self.aside = {name: sum(each[_COSTS].get(name, 0.0) for each in self.places) for name in self.aside}


def step(value: JSON, event: JSON, now: float) -> tuple[JSON, JSON]:
    """One event of a key: `take(...)`, `settle(...)` or `FORGET`. The result says what is left of each bucket.

    `{"ok": bool, "wait": seconds, "by": bucket, "left": {name: units}, "full": {name: seconds until full}}`. A `wait` of -1
    means that waiting does not help: the call alone is more than the limit.
    """
    if event["do"] == "forget":
        return None, {"ok": True}
    buckets = [Bucket(*spelled) for spelled in event["buckets"]]
    line = _unpacked(value, buckets, now)
    if event["do"] == "settle":
        for bucket in buckets:
            line.levels[bucket.name] = min(bucket.limit, line.levels[bucket.name] - bucket.cost)
        return line.packed(), _told(line, buckets)
    return _take(line, buckets, event["who"], event["tries"])


def take(buckets: list[Bucket], who: str, tries: int | None = None) -> JSON:
    """The event of a call that comes. `who` is equal for a call and its retries; `tries` is which retry this is, 0 for none,
    where the client says so."""
    return {"do": "take", "buckets": _spelled(buckets), "who": who, "tries": tries}


def settle(buckets: list[Bucket]) -> JSON:
    """The event of a call that took more (or, with a cost below 0, less) than it seemed when it came."""
    return {"do": "settle", "buckets": _spelled(buckets)}


FORGET: JSON = {"do": "forget"}


def _spelled(buckets: list[Bucket]) -> list[Any]:
    return [[bucket.name, bucket.limit, bucket.period, bucket.cost] for bucket in buckets]


def _unpacked(value: JSON, buckets: list[Bucket], now: float) -> _Line:
    """The value as it is now: refilled, and without the places whose time is over."""
    old: dict[str, Any] = value or {"at": now, "levels": {}, "most": {}, "places": [], "aside": {}}
    levels: dict[str, float] = dict(old["levels"])
    most: dict[str, float] = dict(old["most"])
    passed = max(0.0, now - old["at"])
    for bucket in buckets:
        before = levels.get(bucket.name, bucket.limit) + bucket.limit - most.get(bucket.name, bucket.limit)
        most[bucket.name] = bucket.limit  # of another one, set since then, as much is used as was of the former
        levels[bucket.name] = min(bucket.limit, before + passed * bucket.rate)
    line = _Line(now, levels, most, list(old["places"]), dict(old["aside"]))
    line.lapse()
    return line


def _take(line: _Line, buckets: list[Bucket], who: str, tries: int | None) -> tuple[JSON, JSON]:
    soon = line.now + _SOON
    large = next((bucket for bucket in buckets if bucket.cost > bucket.limit), None)
    if large is not None:
        return line.packed(), {**_told(line, buckets), "ok": False, "wait": -1.0, "by": large.name}
    mine = [place for place in line.places if place[_WHO] == who]
    kept = next((place for place in mine if place[_DUE] <= soon and (tries or place[_COSTS])), None)
    if kept is not None and tries != 0:
        line.remove(kept)
        return _taken(line, buckets)
    if tries and mine:  # too early: its place is kept
        return _refused(line, buckets, mine[0][_DUE], buckets[0].name)
    due, by = max(((_turn(line, bucket), bucket.name) for bucket in buckets), key=itemgetter(0))
    if due <= soon:
        return _taken(line, buckets)
    if kept is not None:
        # An equal call, and its client counts tries, but it may have begun to count anew. The place is taken, and yet
        # kept for an owner who says that it was here before: what it was told holds.
        line.remove(kept)
        line.add([kept[_DUE], who, {}])
        return _taken(line, buckets)
    if len(line.places) < WAITING:
        line.add([due, who, {bucket.name: bucket.cost for bucket in buckets}])
    return _refused(line, buckets, due, by)


def _taken(line: _Line, buckets: list[Bucket]) -> tuple[JSON, JSON]:
    for bucket in buckets:
        line.levels[bucket.name] -= bucket.cost
    return line.packed(), _told(line, buckets)


def _refused(line: _Line, buckets: list[Bucket], due: float, by: str) -> tuple[JSON, JSON]:
    return line.packed(), {**_told(line, buckets), "ok": False, "wait": max(due - line.now, 0.0), "by": by}


def _turn(line: _Line, bucket: Bucket) -> float:
    """The earliest time at which the bucket has what a call needs, with all that is set aside left to its owners."""
    name, rate, now = bucket.name, bucket.rate, line.now
    need = line.levels[name] - bucket.cost
    aside, earliest = line.aside.get(name, 0.0), now
    for place in reversed(line.places):  # who comes after the call must be served as told; from the last one on
        if need + rate * (place[_DUE] - now) < aside - _SOON:
            earliest = max(now, place[_DUE])
            break
        aside -= place[_COSTS].get(name, 0.0)
    else:
        aside = 0.0
    return max(earliest, now + (aside - need) / rate)


def _told(line: _Line, buckets: list[Bucket]) -> dict[str, Any]:
    left, full = dict[str, float](), dict[str, float]()
    for bucket in buckets:
        held = line.levels[bucket.name] - line.aside.get(bucket.name, 0.0)
        left[bucket.name] = max(0.0, math.floor(held + _SOON))
        full[bucket.name] = max(0.0, (bucket.limit - held) / bucket.rate)
    return {"ok": True, "wait": 0.0, "by": "", "left": left, "full": full}
