"""Long work lets others have their turn."""

from __future__ import annotations

import asyncio

from llm_simulator.dialects.pieces import Work
from llm_simulator.proxy.simulating import in_turns
from llm_simulator.types import Reply


def test_others_have_their_turn_between_the_pieces() -> None:
    order: list[str] = []

    def work(name: str) -> Work:
        for _ in range(3):
            order.append(name)
            yield
        return Reply(200, (), name.encode())

    async def both() -> tuple[Reply, Reply]:
        return await asyncio.gather(in_turns(work("a")), in_turns(work("b")))

    assert [reply.body for reply in asyncio.run(both())] == [b"a", b"b"]
    assert order == ["a", "b"] * 3
