"""A YAML file as a store, with its journal."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from strategies import asked, digest
from test_database import listed, opened, put, run

from llm_simulator.cassettes import fold, textstore
from llm_simulator.cassettes.locks import Membership
from llm_simulator.cassettes.store import Store, open_store
from llm_simulator.cassettes.text import load
from llm_simulator.cassettes.textstore import TextStore
from llm_simulator.cassettes.textwrite import dump
from llm_simulator.errors import CassetteError
from llm_simulator.types import Exchange

HEAD = "llm-simulator: cassette\nschema: 1\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "x.yaml"


def written(path: Path, *items: Exchange) -> Path:
    path.write_text("".join(dump(items)))
    return path


def held(path: Path) -> list[Exchange]:
    return load(path.read_bytes(), str(path))


async def loaded(store: Store) -> list[Exchange]:
    return [await store.load(row.id) for row in await listed(store)]


async def die(store: Store) -> None:
    """Lets go of everything without folding, as a killed process does."""
    assert isinstance(store, TextStore)
    await store.abandon()


def test_what_was_added_is_text_after_closing(path: Path) -> None:
    async def main() -> None:
        async with opened(path.parent / "deep" / "x.yaml") as store:
            assert await put(store, asked(1), asked(2)) == [1, 2]
            assert await loaded(store) == [asked(1), asked(2)]
        assert os.listdir(path.parent / "deep") == ["x.yaml"]
        assert held(path.parent / "deep" / "x.yaml") == [asked(1), asked(2)]

    run(main())


def test_the_text_is_the_same_as_an_export(path: Path) -> None:
    async def main() -> None:
        async with opened(path) as store:
            await put(store, asked(1), asked(2), run="")

    run(main())
    assert path.read_text() == "".join(dump([asked(1), asked(2)]))


def test_opening_for_writing_alone_changes_nothing(path: Path) -> None:
    text = HEAD + "# mine\n---\n# of mine\nrequest: {path: /}\nresponse: {text: a}"
    path.write_text(text)

    async def main() -> None:
        async with opened(path) as store:
            await store.flush()

    run(main())
    assert path.read_text() == text
    assert os.listdir(path.parent) == ["x.yaml"]


def test_what_people_wrote_stays_as_they_wrote_it(path: Path) -> None:
    text = HEAD + "# mine\n---\n# of mine\nrequest: {path: /}\nresponse: {text: a}"
    path.write_text(text)
    path.chmod(0o640)

    async def main() -> None:
        async with opened(path) as store:
            await put(store, asked(matcher=0), run="")

    run(main())
    assert path.read_text() == text + "\n" + "".join(dump([asked(matcher=0)])).removeprefix(HEAD)
    assert path.stat().st_mode & 0o777 == 0o640


def test_ids_stay_over_a_flush(path: Path) -> None:
    written(path, asked(1), asked(2))

    async def main() -> None:
        async with opened(path) as store:
            assert await put(store, asked(3)) == [3]
            await store.flush()
            assert held(path) == [asked(1), asked(2), asked(3)]
            assert await put(store, asked(4)) == [4]
            await store.delete([1])
            await store.flush()
            await store.flush()
            assert [await store.load(id) for id in (2, 3, 4)] == [asked(2), asked(3), asked(4)]
            assert [row.id for row in await listed(store)] == [2, 3, 4]
            with pytest.raises(CassetteError, match=r"x\.yaml: exchange 1 is gone"):
                await store.load(1)

    run(main())
    assert held(path) == [asked(2), asked(3), asked(4)]


def test_adds_during_a_flush_lose_nothing(path: Path) -> None:
    async def main() -> None:
        async with opened(path) as store:
            items = [asked(n) for n in range(30)]

            async def keep(number: int) -> int:
                if number % 10 == 5:
                    await store.flush()
                return await store.add(items[number], digest(items[number]), "r")

            ids = await asyncio.gather(*(keep(n) for n in range(30)))
            assert sorted(ids) == list(range(1, 31))
            for id, item in zip(ids, items, strict=True):
                assert await store.load(id) == item

    run(main())
    assert sorted(map(digest, held(path))) == sorted(digest(asked(n)) for n in range(30))


def test_a_new_recording_takes_the_place_of_the_old_one(path: Path) -> None:
    written(path, asked(1, "a"), asked(2, "b"), asked(1, "c"), asked(3, "d"))

    async def main() -> None:
        async with opened(path) as store:
            await put(store, asked(4, "D"), asked(1, "A"), asked(1, "C"), asked(1, "E"))
            await store.delete([1, 3, 4])
            await store.delete([6])  # one that is in the journal only
            assert [row.id for row in await listed(store)] == [2, 5, 7, 8]

    run(main())
    assert held(path) == [asked(1, "C"), asked(2, "b"), asked(1, "E"), asked(4, "D")]


def test_equal_documents_are_dropped_one_by_one(path: Path) -> None:
    written(path, asked(1), asked(1), asked(2))

    async def main() -> None:
        async with opened(path) as store:
            await store.delete([2])
            await store.flush()
            assert [row.id for row in await listed(store)] == [1, 3]
            await store.delete([1])

    run(main())
    assert held(path) == [asked(2)]


# --- death


async def record_and_die(path: Path) -> None:
    async with opened(path) as store:
        await put(store, asked(1, "new"), asked(3), run="dead")
        await store.delete([1])
        await die(store)


def test_what_a_killed_recorder_left_is_read_and_then_folded(path: Path) -> None:
    written(path, asked(1, "old"), asked(2))
    text = path.read_text()

    async def main() -> None:
        await record_and_die(path)
        files = sorted(os.listdir(path.parent))
        assert ".x.yaml.journal" in files
        async with opened(path, writable=False) as store:
            assert await loaded(store) == [asked(2), asked(1, "new"), asked(3)]
            assert [row.run for row in await listed(store)] == ["", "dead", "dead"]
        assert sorted(os.listdir(path.parent)) == files
        assert path.read_text() == text
        async with opened(path) as store:
            assert await loaded(store) == [asked(1, "new"), asked(2), asked(3)]
            assert [row.id for row in await listed(store)] == [1, 2, 3]
        assert os.listdir(path.parent) == ["x.yaml"]

    run(main())
    assert held(path) == [asked(1, "new"), asked(2), asked(3)]


def test_a_recorder_killed_before_the_text_was_there(path: Path) -> None:
    async def main() -> None:
        async with opened(path) as store:
            await put(store, asked(1))
            await die(store)
        path.unlink()
        async with opened(path, writable=False) as store:
            assert await loaded(store) == [asked(1)]

    run(main())


class Killed(BaseException):
    """The end of a process at an awkward moment."""


@pytest.mark.parametrize(("moment", "folded"), [("replace", False), ("_sync", True)])
def test_death_around_the_replacing_neither_loses_nor_doubles(
    path: Path, monkeypatch: pytest.MonkeyPatch, moment: str, folded: bool
) -> None:
    written(path, asked(1), asked(2))

    def kill(*_: object) -> None:
        raise Killed

    async def main() -> None:
        with monkeypatch.context() as patch:
            patch.setattr(os if moment == "replace" else fold, moment, kill)
            store = await open_store(str(path), digest_of=digest, fingerprint="f", writable=True)
            await put(store, asked(3))
            await store.delete([1])
            with pytest.raises(Killed):
                await store.close()
        assert (held(path) == [asked(2), asked(3)]) is folded
        assert ".x.yaml.journal" in os.listdir(path.parent)
        for writable in (False, True, False):
            async with opened(path, writable=writable) as store:
                assert await loaded(store) == [asked(2), asked(3)]

    run(main())
    assert held(path) == [asked(2), asked(3)]
    assert os.listdir(path.parent) == ["x.yaml"]


def test_a_fold_that_fails_keeps_the_journal(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    async def main() -> None:
        async with opened(path) as store:
            await put(store, asked(1))
            with monkeypatch.context() as patch:
                patch.setattr(os, "fsync", full)
                with pytest.raises(CassetteError, match=r"x\.yaml: cannot write it: .*No space left"):
                    await store.flush()
            assert held(path) == []
            await put(store, asked(2))
            assert await loaded(store) == [asked(1), asked(2)]

    run(main())
    assert held(path) == [asked(1), asked(2)]


# --- several recorders


def test_two_recorders_into_one_file_lose_nothing(path: Path) -> None:
    written(path, asked(0))

    async def main() -> None:
        async with opened(path) as one:
            async with opened(path) as two:
                assert await put(one, asked(1)) == [2]
                await put(two, asked(2))
                await two.flush()  # not alone: it stays in the journal
                assert held(path) == [asked(0)]
                await one.delete([1])
            assert held(path) == [asked(0)]
            assert await put(one, asked(3)) == [3]
            assert await one.load(3) == asked(3)
        assert os.listdir(path.parent) == ["x.yaml"]

    run(main())
    assert held(path) == [asked(1), asked(2), asked(3)]


def test_a_recorder_that_joins_later_sees_what_is_there(path: Path) -> None:
    async def main() -> None:
        async with opened(path) as one:
            await put(one, asked(1))
            async with opened(path) as two, opened(path, writable=False) as reader:
                assert await loaded(two) == [asked(1)]
                assert await loaded(reader) == [asked(1)]
                await put(two, asked(2))
                assert await loaded(reader) == [asked(1), asked(2)]
            assert await loaded(one) == [asked(1), asked(2)]

    run(main())
    assert held(path) == [asked(1), asked(2)]


def test_a_reader_goes_on_after_the_recorder_folded(path: Path) -> None:
    written(path, asked(1))

    async def main() -> None:
        async with opened(path) as one:
            await put(one, asked(2))
            async with opened(path, writable=False) as reader:
                rows = await listed(reader)
                await one.delete([1])
                await one.close()
                assert [await reader.load(row.id) for row in rows] == [asked(1), asked(2)]
        assert os.listdir(path.parent) == ["x.yaml"]

    run(main())


def test_the_lock_of_a_member_survives_a_look_at_it(tmp_path: Path) -> None:
    one, two = Membership(tmp_path / "lock"), Membership(tmp_path / "lock")
    assert (one.alone(), two.alone()) == (False, False)
    one.leave(last=False)
    assert two.alone()
    three = Membership(tmp_path / "lock")
    assert not two.alone()
    three.leave(last=False)
    two.leave(last=True)
    assert os.listdir(tmp_path) == []


# --- files that are no cassettes, and files that change


def test_an_absent_file(path: Path) -> None:
    async def main() -> None:
        with pytest.raises(
            CassetteError, match=r"x\.yaml: does not exist; record one with: llm-simulator run --cassette"
        ):
            async with opened(path, writable=False):
                pass

    run(main())
    assert os.listdir(path.parent) == []


@pytest.mark.parametrize("writable", [True, False])
@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "empty; a cassette starts with"),
        ("interactions: []\n", "not one of ours"),
        (HEAD.replace("1", "9"), "version '9'; this release supports 1"),
        (HEAD + "---\nrequest: {path: [/\n", "document 1, line 5: not YAML"),
        (HEAD + "---\nrequest: {path: /}\n", "document 1, line 4: field 'response': is missing"),
    ],
)
def test_a_file_of_another_kind_stays_as_it_is(path: Path, text: str, complaint: str, writable: bool) -> None:
    path.write_text(text)

    async def main() -> None:
        with pytest.raises(CassetteError) as caught:
            async with opened(path, writable=writable) as store:
                await listed(store)
        assert str(caught.value).startswith(f"cassette {path}: ")
        assert complaint in str(caught.value)

    run(main())
    assert path.read_text() == text


def test_a_half_written_file(path: Path) -> None:
    whole = written(path, asked(1), asked(2)).read_bytes()
    start, end = whole.rindex(b"---"), whole.rindex(b"metadata:")
    cuts = range(start + 5, end, 7)

    async def main() -> None:
        for cut in cuts:
            path.write_bytes(whole[:cut])
            with pytest.raises(CassetteError, match=r"x\.yaml: document 2, line \d+: "):
                async with opened(path, writable=False) as store:
                    await listed(store)

    run(main())
    assert len(cuts) > 90


def test_a_document_that_was_edited_meanwhile(path: Path) -> None:
    written(path, asked(1), asked(2))

    async def main() -> None:
        async with opened(path, writable=False) as store:
            path.write_text(path.read_text().replace("question 2", "question 3"))
            assert await store.load(1) == asked(1)
            with pytest.raises(CassetteError, match="exchange 2: the file was changed since it was opened"):
                await store.load(2)

    run(main())


def test_what_was_edited_meanwhile_is_not_overwritten(path: Path) -> None:
    written(path, asked(1), asked(2))

    async def main() -> None:
        async with opened(path) as store:
            await put(store, asked(4))
            fresh = path.with_name("edited")
            fresh.write_text(path.read_text().replace("question 2", "question 3"))
            fresh.replace(path)  # as editors save
            await store.flush()
            assert await store.load(1) == asked(1)
            with pytest.raises(CassetteError, match="exchange 2 is gone"):
                await store.load(2)

    run(main())
    assert held(path) == [asked(1), asked(3), asked(4)]


def test_a_file_that_is_replaced_while_it_is_opened(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(path, asked(1))

    def never(_: TextStore) -> bool:
        return False

    monkeypatch.setattr(TextStore, "_is_current", never)

    async def main() -> None:
        with pytest.raises(CassetteError, match=f"replaced {textstore.TRIES} times while it was being opened"):
            async with opened(path, writable=False):
                pass

    run(main())


def test_a_link_stays_a_link(path: Path) -> None:
    written(path, asked(1))
    link = path.with_name("link.yaml")
    link.symlink_to(path)

    async def main() -> None:
        async with opened(link) as store:
            await put(store, asked(2))

    run(main())
    assert link.is_symlink()
    assert held(path) == [asked(1), asked(2)]


def test_reading_only_and_closed(path: Path) -> None:
    written(path, asked(1))

    async def main() -> None:
        async with opened(path, writable=False) as store:
            await store.flush()
            for change in (put(store, asked(2)), store.delete([1])):
                with pytest.raises(CassetteError, match=r"x\.yaml: opened for reading only"):
                    await change
            await store.close()
            with pytest.raises(CassetteError, match=r"x\.yaml: closed"):
                await store.load(1)
        async with opened(path) as store:
            await store.close()
            with pytest.raises(CassetteError, match=r"x\.yaml: closed"):
                await put(store, asked(2))

    run(main())


def test_the_header_s_match_rules_are_there(path: Path) -> None:
    path.write_text(HEAD + "match: {ignore: [$.user]}\n")

    async def main() -> None:
        async with opened(path, writable=False) as store:
            assert isinstance(store, TextStore)
            assert store.head.ignore == ("$.user",)

    run(main())
