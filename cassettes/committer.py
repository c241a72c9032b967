"""Group commit: what many add at once, one task commits; nobody's `add` returns before its batch is committed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from llm_simulator.errors import CassetteError

BATCH = 64
"""The most that one commit takes; what comes meanwhile waits for the next."""

T = TypeVar("T")


class Committer(Generic[T]):
    """`insert` commits a batch and returns one id per item, or raises CassetteError: then each of the batch gets it."""

    def __init__(self, insert: Callable[[Sequence[T]], Awaitable[Sequence[int]]]) -> None:
        self._insert = insert
        self._waiting: list[tuple[T, asyncio.Future[int]]] = []
        self._task: asyncio.Task[None] | None = None

    @property
    def idle(self) -> bool:
        """Whether nothing is being committed: what is added now would be alone."""
        return self._task is None or self._task.done()

    async def add(self, item: T) -> int:
        """The id of `item` once it is committed. A cancelled add may still be committed."""
        done: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, done))
        if self.idle:
            self._task = asyncio.create_task(self._run())
        return await done

    async def drain(self) -> None:
        """Returns when all that was added so far is committed or has failed."""
        while self._task is not None and not self._task.done():
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        try:
            while self._waiting:
                await self._commit()
        finally:  # stopped in between: nobody may wait for ever
            _fail([done for _, done in self._waiting], CassetteError("the writer was stopped"))
            self._waiting.clear()

    async def _commit(self) -> None:
        batch, self._waiting[:BATCH] = self._waiting[:BATCH], []
        try:
            ids = await self._insert([item for item, _ in batch])
        except CassetteError as problem:
            _fail([done for _, done in batch], problem)
        else:
            _settle([done for _, done in batch], ids)
        finally:
            _fail([done for _, done in batch], CassetteError("the writer was stopped"))


def _settle(waiting: Sequence[asyncio.Future[int]], ids: Sequence[int]) -> None:
    for done, id in zip(waiting, ids, strict=True):
        if not done.done():  # its waiter may be cancelled
            done.set_result(id)


def _fail(waiting: Sequence[asyncio.Future[int]], problem: CassetteError) -> None:
    for done in waiting:
        if not done.done():
            done.set_exception(CassetteError(*problem.args))
