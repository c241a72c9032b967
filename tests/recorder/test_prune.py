"""What may go from a cassette, in every kind of store: found for its reason, shown first, gone when told."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from strategies import asked

from llm_simulator import dialects
from llm_simulator.cassettes.cassette import Cassette
from llm_simulator.errors import CassetteError
from llm_simulator.recorder.prune import Pruned, Reason, Wanted, prune, state_of
from llm_simulator.types import Exchange, Outcome

KINDS = ["c.db", "c.yaml", "folder"]
OLD, NEW = "2025-01-01T00:00:00Z", "2026-11-01T00:00:00Z"
SPLIT = datetime(2026, 1, 1, tzinfo=UTC)


def record(spec: str, exchanges: Sequence[Exchange]) -> None:
    async def all_of_them() -> None:
        cassette = await Cassette.open(spec, read=dialects.read, writable=True)
        for one in exchanges:
            await cassette.add(one, dialects.read(one.request), replace=False)
        await cassette.close()

    asyncio.run(all_of_them())


def answers(spec: str) -> list[str]:
    """The answers of a cassette in recorded order."""

    async def read() -> list[str]:
        cassette = await Cassette.open(spec, read=dialects.read, allow_truncated=True)
        found = [exchange.body.decode() async for _, exchange in cassette.exchanges()]
        await cassette.close()
        return found

    return asyncio.run(read())


def pruned(spec: str, wanted: Wanted, *, delete: bool = False) -> Pruned:
    return asyncio.run(prune(spec, wanted, delete=delete))


def one(
    answer: str, number: int = 0, *, session: str = "", outcome: Outcome = Outcome.COMPLETE, at: str = NEW
) -> Exchange:
    """An exchange whose body is `answer`; `number` tells calls apart."""
    return replace(asked(number), chunks=((5, answer.encode()),), session=session, outcome=outcome, recorded_at=at)


@pytest.mark.parametrize("kind", KINDS)
def test_every_reason_is_named_and_only_what_has_one_goes(tmp_path: Path, kind: str) -> None:
    spec = str(tmp_path / kind)
    record(spec, [
        one("old", 1, at=OLD), one("new", 2), one("undated", 3, at=""), one("half", 4, outcome=Outcome.TRUNCATED),
        one("left", 5, outcome=Outcome.CLIENT_GONE), one("whole", 5), one("same", 6), one("same", 6), one("other", 6),
    ])  # fmt: skip
    before = state_of(spec)
    wanted = Wanted(before=SPLIT, truncated=True, duplicates=True)
    shown = pruned(spec, wanted)
    assert [(len(item.reasons), item.reasons[0]) for item in shown.doomed] == [
        (1, Reason.OLD), (1, Reason.TRUNCATED), (2, Reason.TRUNCATED)
    ]  # fmt: skip
    assert shown.doomed[2].reasons[1] is Reason.SUPERSEDED
    assert (shown.recordings, shown.deleted, state_of(spec), len(answers(spec))) == (9, False, before, 9)
    assert pruned(spec, wanted, delete=True).doomed == shown.doomed
    assert answers(spec) == ["new", "undated", "whole", "same", "same", "other"]
    assert pruned(spec, wanted).doomed == ()


@pytest.mark.parametrize("kind", KINDS)
def test_unused_recordings_go_by_their_ids(tmp_path: Path, kind: str) -> None:
    spec = str(tmp_path / kind)
    record(spec, [one(str(number), number) for number in range(4)])

    async def ids() -> list[int]:
        cassette = await Cassette.open(spec, read=dialects.read)
        found = [id async for id, _ in cassette.exchanges()]
        await cassette.close()
        return found

    known = asyncio.run(ids())
    done = pruned(spec, Wanted(unused=frozenset({known[1], known[3]})), delete=True)
    assert [item.reasons for item in done.doomed] == [(Reason.UNUSED,)] * 2
    assert answers(spec) == ["0", "2"]


_SERIES: list[tuple[list[tuple[str, str]], list[str]]] = [
    ([("", "a"), ("", "a")], ["a"]),
    ([("", "a"), ("", "b"), ("", "a")], ["a", "b", "a"]),  # the third call gets another answer than the second
    ([("", "a"), ("", "a"), ("", "b"), ("", "b"), ("", "b")], ["a", "a", "b"]),  # the third call gets the first b
    ([("s", "a"), ("t", "a")], ["a", "a"]),  # of another session each
    ([("s", "b"), ("s", "a"), ("t", "a"), ("t", "a"), ("s", "a")], ["b", "a", "a"]),
]


@pytest.mark.parametrize(("recorded", "kept"), _SERIES)
def test_pruning_duplicates_changes_nothing_at_replay(
    tmp_path: Path, recorded: list[tuple[str, str]], kept: list[str]
) -> None:
    spec = str(tmp_path / "c.yaml")
    record(spec, [one(answer, session=session) for session, answer in recorded])
    before = {name: played(spec, name) for name in ("", "s", "t", "stranger")}
    pruned(spec, Wanted(duplicates=True), delete=True)
    assert answers(spec) == kept
    assert {name: played(spec, name) for name in before} == before


def played(spec: str, session: str) -> list[str]:
    """What ten equal calls of a session get."""

    async def play() -> list[str]:
        cassette = await Cassette.open(spec, read=dialects.read)
        call = dialects.read(asked().request)
        found = [await cassette.find(call, session) for _ in range(10)]
        await cassette.close()
        return [hit.exchange.body.decode() for hit in found if hit is not None]

    return asyncio.run(play())


@pytest.mark.parametrize("when", ["2025-01-01T00:00:00", "2025-01-01 00:00:00+01:00", "yesterday", "2025-13-45"])
def test_ages_of_other_tools_are_read_or_not_judged(tmp_path: Path, when: str) -> None:
    spec = str(tmp_path / "c.db")
    record(spec, [one("a", at=when)])
    assert len(pruned(spec, Wanted(before=SPLIT)).doomed) == when.startswith("2025-01")


def test_the_state_follows_every_byte_and_a_database_url_has_none(tmp_path: Path) -> None:
    spec = tmp_path / "folder"
    record(str(spec), [one("a")])
    first = state_of(str(spec))
    (spec / "notes.txt").write_text("no cassette")
    assert state_of(str(spec)) == first
    file = next(spec.glob("*.yaml"))
    file.write_text(file.read_text() + "\n")
    assert state_of(str(spec)) != first
    assert state_of("postgresql+asyncpg://host/db") == ""
    with pytest.raises(CassetteError, match=r"gone\.db: cannot read it"):
        state_of(str(tmp_path / "gone.db"))
