from __future__ import annotations

import asyncio

import pytest

from llm_simulator.recorder.turns import Turns


def test_one_piece_in_each_pass_first_come_first_served() -> None:
    async def main() -> None:
        turns, passes, done = Turns(), [0], list[tuple[int, str]]()

        def tick() -> None:
            passes[0] += 1
            loop.call_soon(tick)

        async def work(name: str) -> None:
            await turns.mine()
            done.append((passes[0], name))

        loop = asyncio.get_running_loop()
        loop.call_soon(tick)
        tasks = [loop.create_task(work(name)) for name in "abc"]
        turns.later(lambda: done.append((passes[0], "later")))
        await asyncio.gather(*tasks)
        await asyncio.sleep(0)
        assert [name for _, name in done] == ["later", "a", "b", "c"]
        assert len({at for at, _ in done}) == len(done)

    asyncio.run(main())


def test_a_free_pass_is_taken_at_once() -> None:
    async def main() -> None:
        with pytest.raises(StopIteration):  # it returned and did not wait
            Turns().mine().send(None)

    asyncio.run(main())


def test_who_leaves_while_waiting_holds_nobody_up() -> None:
    async def main() -> None:
        turns = Turns()
        await turns.mine()
        *first, gone, stays = (asyncio.ensure_future(turns.mine()) for _ in range(5))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.wait_for(asyncio.gather(*first, stays), 5)
        assert gone.cancelled()

    asyncio.run(main())
