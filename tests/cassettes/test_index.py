"""Order, sessions, what comes after the last recording, and memory."""

from __future__ import annotations

import hashlib
import tracemalloc

import pytest

from llm_simulator.cassettes import index as module
from llm_simulator.cassettes.index import AfterLast, Index
from llm_simulator.cassettes.store import Row
from llm_simulator.types import Outcome


def digest(name: object) -> bytes:
    return hashlib.blake2b(str(name).encode(), digest_size=16).digest()


A, B = digest("a"), digest("b")


def row(id: int, key: bytes = A, session: str = "", outcome: Outcome = Outcome.COMPLETE, run: str = "old") -> Row:
    return Row(id, key, "openai", session, outcome, (), run)


def filled(*rows: Row, after_last: AfterLast = AfterLast.REPEAT, truncated: bool = False) -> Index:
    index = Index(after_last, run="now", allow_truncated=truncated)
    for one in rows:
        index.add(one)
    return index


def play(index: Index, count: int, session: str = "", key: bytes = A, seed: int = 0) -> list[int | None]:
    taken = [index.take([key], session, seed) for _ in range(count)]
    return [one.id if one else None for one in taken]


@pytest.mark.parametrize(
    ("after_last", "ids"),
    [
        (AfterLast.REPEAT, [1, 2, 3, 3, 3]),
        (AfterLast.CYCLE, [1, 2, 3, 1, 2]),
        (AfterLast.MISS, [1, 2, 3, None, None]),
    ],
)
def test_recorded_order_then_after_last(after_last: AfterLast, ids: list[int | None]) -> None:
    index = filled(row(1), row(9, B), row(2), row(3), after_last=after_last)
    assert play(index, 5) == ids
    assert play(index, 1, key=B) == [9]
    assert play(index, 1, "another client") == [1], "each session has its own positions"


def test_sample_is_a_function_of_seed_key_and_position() -> None:
    rows = [row(id) for id in range(1, 5)]
    first, again = (play(filled(*rows, after_last=AfterLast.SAMPLE), 44, seed=7) for _ in range(2))
    assert first == again
    assert first[:4] == [1, 2, 3, 4]
    assert set(first[4:]) == {1, 2, 3, 4}
    assert play(filled(*rows, after_last=AfterLast.SAMPLE), 44, seed=8) != first


def test_position_and_total() -> None:
    index = filled(row(1), row(2))
    taken = [index.take([A], "") for _ in range(3)]
    assert [(one.position, one.total) for one in taken if one] == [(0, 2), (1, 2), (1, 2)]


def test_a_session_of_a_recorded_name_plays_its_own() -> None:
    index = filled(row(1, session="one"), row(2, session="two"), row(3, session="two"), row(4, B, "one"))
    assert play(index, 3, "two") == [2, 3, 3]
    assert play(index, 2, "one") == [1, 1]
    assert play(index, 1, "two", B) == [4], "it recorded no B: all of them are there for it"
    assert play(index, 4, "") == [1, 2, 3, 3]
    assert play(index, 4, "three") == [1, 2, 3, 3]


def test_the_first_key_that_is_there_counts() -> None:
    index = filled(row(1, B))
    taken = index.take([A, B], "")
    assert taken is not None
    assert (taken.id, taken.digest) == (1, B)
    assert index.take([A], "") is None
    assert index.take([], "") is None


@pytest.mark.parametrize("outcome", [Outcome.TRUNCATED, Outcome.CLIENT_GONE, Outcome.UPSTREAM_FAILED])
def test_what_ended_early_is_not_played(outcome: Outcome) -> None:
    index = filled(row(1, outcome=outcome), row(2), row(3, B, outcome=outcome))
    assert play(index, 2) == [2, 2]
    assert (index.has(B), index.broken(B), index.broken(digest("c"))) == (False, True, False)
    assert index.truncated() == [1, 3]
    assert index.unused() == [2]
    allowed = filled(row(1, outcome=outcome), row(2), truncated=True)
    assert play(allowed, 2) == [1, 2]
    assert (allowed.truncated(), allowed.unused()) == ([1], [1, 2])


def test_replace_drops_what_other_runs_made() -> None:
    index = filled(row(1), row(2, outcome=Outcome.TRUNCATED), row(3, B), row(4, run="now"))
    index.add(row(5, run=""), own=True)
    assert index.replace(A) == [1, 2]
    assert index.replace(A) == []
    assert play(index, 3) == [4, 5, 5]
    assert (len(index), index.ids()) == (3, [3, 4, 5])
    assert (index.untouched(), index.unused(), index.truncated()) == ([3], [3], [])
    assert index.replace(digest("c")) == []
    assert index.replace(B) == [3]
    assert not index.has(B)


def test_used() -> None:
    index = filled(row(1), row(2))
    taken = index.take([A], "")
    assert taken is not None
    assert index.unused() == [1, 2], "taken is not yet played"
    index.used(taken.place)
    assert index.unused() == [2]


def test_no_run_name_is_nobodys() -> None:
    index = Index()
    index.add(row(1, run=""))
    assert index.untouched() == [1]


def test_providers_and_masked_paths_are_known() -> None:
    index = filled(row(1), Row(2, A, "groq", "", Outcome.COMPLETE, ("$.a",), ""), row(3))
    assert (list(index.providers), list(index.masked)) == (["openai", "groq"], [("$.a",)])


def test_sessions_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SESSIONS", 2)
    index = filled(row(1), row(2), row(3))
    assert play(index, 1, "a") + play(index, 1, "b") + play(index, 1, "a") == [1, 1, 2]
    assert play(index, 1, "c") == [1]
    assert play(index, 1, "a") == [3], "used after b, which was forgotten"
    assert play(index, 1, "b") == [1]


@pytest.mark.untraced
def test_memory_per_exchange() -> None:
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        index = Index()
        for n in range(100_000):
            index.add(row(10_000_000 + n, digest(n % 90_000), f"session {n % 1000}"))
        each = (tracemalloc.get_traced_memory()[0] - before) / len(index)
    finally:
        tracemalloc.stop()
    assert each <= 150, f"{each:.0f} bytes for each exchange"
