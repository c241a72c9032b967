"""The state that several workers share, as one of them sees it: the `Embedded` of the keeper, asked over a `Link`.

Exact under concurrency: the keeper takes one step at a time, in the order in which the questions arrive.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from llm_simulator.proxy.link import Link
from llm_simulator.types import JSON


class Remote:
    """`State` (proxy/state.py) of a worker. Values, events and results are what marshal and JSON both know."""

    def __init__(self) -> None:
        self._link: Link | None = None
        self._heard: dict[str, list[Callable[[JSON], None]]] = {}

    def over(self, link: Link) -> None:
        """Takes up its connection."""
        self._link = link

    async def step(self, machine: str, key: str, event: JSON) -> JSON:
        return await self._there.ask("step", machine, key, event)

    async def values(self, machine: str) -> Mapping[str, JSON]:
        found: Mapping[str, JSON] = await self._there.ask("values", machine)
        return found

    async def forget(self, sessions: list[str]) -> None:
        await self._there.ask("forget", sessions)

    async def publish(self, topic: str, message: JSON) -> None:
        """Returns when every worker that is alive has heard, or a few seconds have passed."""
        await self._there.ask("publish", topic, message)

    def subscribe(self, topic: str, heard: Callable[[JSON], None]) -> None:
        self._heard.setdefault(topic, []).append(heard)

    def tell(self, topic: str, message: JSON) -> None:
        """What another worker, or this one, published."""
        for heard in self._heard.get(topic, ()):
            heard(message)

    @property
    def _there(self) -> Link:
        assert self._link is not None, "a worker asks before it is connected"
        return self._link
