"""Group commit."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest

from llm_simulator.cassettes.committer import BATCH, Committer
from llm_simulator.errors import CassetteError


class Log:
    """A fake table: ids are positions; `wait` holds every commit back until it is set."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.go = asyncio.Event()
        self.go.set()

    async def insert(self, items: Sequence[str]) -> Sequence[int]:
        await self.go.wait()
        if "full" in items:
            raise CassetteError("disk full")
        if "bug" in items:
            raise RuntimeError("bug")
        start = sum(len(batch) for batch in self.batches)
        self.batches.append(list(items))
        return range(start, start + len(items))


def run(scenario: Callable[[Log, Committer[str]], Awaitable[None]]) -> Log:
    async def main() -> Log:
        log = Log()
        await scenario(log, Committer(log.insert))
        return log

    return asyncio.run(main())


def test_what_comes_during_a_commit_is_committed_together() -> None:
    async def scenario(log: Log, committer: Committer[str]) -> None:
        log.go.clear()
        first = asyncio.create_task(committer.add("a"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        rest = [asyncio.create_task(committer.add(name)) for name in "bcd"]
        await asyncio.sleep(0)
        log.go.set()
        assert await asyncio.gather(first, *rest) == [0, 1, 2, 3]

    assert run(scenario).batches == [["a"], ["b", "c", "d"]]


def test_a_batch_has_a_limit() -> None:
    async def scenario(log: Log, committer: Committer[str]) -> None:
        ids = await asyncio.gather(*(committer.add(str(n)) for n in range(BATCH * 2 + 1)))
        assert ids == list(range(BATCH * 2 + 1))

    assert [len(batch) for batch in run(scenario).batches] == [BATCH, BATCH, 1]


def test_a_failed_batch_fails_its_adds_and_later_ones_go_on() -> None:
    async def scenario(log: Log, committer: Committer[str]) -> None:
        results = await asyncio.gather(committer.add("full"), committer.add("a"), return_exceptions=True)
        assert [str(result) for result in results] == ["disk full", "disk full"]
        assert results[0] is not results[1]  # each waiter raises its own
        assert await committer.add("b") == 0

    run(scenario)


def test_a_cancelled_add_does_not_disturb_the_others() -> None:
    async def scenario(log: Log, committer: Committer[str]) -> None:
        log.go.clear()
        gone, stays = asyncio.create_task(committer.add("a")), asyncio.create_task(committer.add("b"))
        await asyncio.sleep(0)
        gone.cancel()
        log.go.set()
        assert await stays == 1

    assert run(scenario).batches == [["a", "b"]]


def test_drain_waits_for_what_is_under_way() -> None:
    async def scenario(log: Log, committer: Committer[str]) -> None:
        await committer.drain()
        task = asyncio.create_task(committer.add("a"))
        await asyncio.sleep(0)
        await committer.drain()
        assert log.batches == [["a"]]
        await task

    run(scenario)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_nobody_waits_for_ever_for_a_writer_that_broke() -> None:
    async def scenario(log: Log, committer: Committer[str]) -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)  # the bug itself is reported there
        results = await asyncio.gather(
            *(committer.add(name) for name in ["bug", *("x" * BATCH)]), return_exceptions=True
        )
        assert {str(result) for result in results} == {"the writer was stopped"}
        assert await committer.add("b") == 0

    run(scenario)
