"""One end of a connection between a worker and the keeper of what workers share: questions, answers, notices, in order.

A frame is its length (4 bytes, network order) and a marshalled tuple. marshal is several times as fast as JSON and keeps
bytes and tuples; it is safe here and only here: both ends are forks of one process, and nobody else may open the socket.
All that is said in one pass of the event loop goes out in one write.
"""

from __future__ import annotations

import asyncio
import logging
import marshal
from collections.abc import Awaitable, Callable, Coroutine
from inspect import isawaitable
from typing import Any

from llm_simulator.errors import SimulatorError, StateError
from llm_simulator.proxy.tasks import Tasks

log = logging.getLogger("llm_simulator.workers")

Answer = Callable[[str, tuple[Any, ...]], Any]
"""(what, arguments) -> the answer to the other side's question, or what will be it once awaited."""

GONE = "the process that keeps what the workers have in common is gone"


class Link(asyncio.Protocol):
    """`answer` answers the other end's questions, `lost` is called once when the connection ends."""

    def __init__(self, answer: Answer, lost: Callable[[Link], None]) -> None:
        self._answer = answer
        self._lost = lost
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._arrived = bytearray()
        self._unsent: list[bytes] = []
        self._asked: dict[int, asyncio.Future[Any]] = {}
        self._number = 0
        self._tasks = Tasks()

    # --- saying

    def ask(self, what: str, *arguments: Any) -> asyncio.Future[Any]:
        """A question; the future holds the answer, or StateError where there is nobody who answers.

        Raises:
            ValueError: what is asked is no JSON (bytes and tuples may be in it), or nested too deeply.
        """
        future: asyncio.Future[Any] = self._loop.create_future()
        if self._transport is None:
            future.set_exception(StateError(GONE))
            return future
        self._number += 1
        self._send((self._number, what, arguments))
        self._asked[self._number] = future
        return future

    def tell(self, what: str, *arguments: Any) -> None:
        """A notice; what is told to nobody is lost."""
        if self._transport is not None:
            self._send((0, what, arguments))

    def close(self) -> None:
        """Sends what is left to say, and ends."""
        self._write()
        if self._transport is not None:
            self._transport.close()

    def _send(self, frame: tuple[Any, ...]) -> None:
        data = marshal.dumps(frame)
        if not self._unsent:
            self._loop.call_soon(self._write)
        self._unsent += (len(data).to_bytes(4, "big"), data)

    def _write(self) -> None:
        unsent, self._unsent = self._unsent, []
        if unsent and self._transport is not None:
            self._transport.write(b"".join(unsent))

    # --- hearing

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        asked, self._asked = self._asked, {}
        for future in asked.values():
            if not future.done():
                future.set_exception(StateError(GONE))
        self._lost(self)

    def data_received(self, data: bytes) -> None:
        arrived, place = self._arrived, 0
        arrived += data
        while len(arrived) - place >= 4:
            end = place + 4 + int.from_bytes(arrived[place : place + 4], "big")
            if len(arrived) < end:
                break
            frame = marshal.loads(bytes(arrived[place + 4 : end]))
            place = end
            self._take(frame)
        del arrived[:place]

    def _take(self, frame: tuple[int, Any, Any]) -> None:
        number, what, arguments = frame
        if number < 0:
            self._settle(-number, what, arguments)
            return
        try:
            answer = self._answer(what, arguments)
        except Exception as error:  # noqa: BLE001  # the other end must not wait for ever for what is a bug here
            self._reply(number, False, _said(error))
            return
        if isawaitable(answer):
            self._tasks.start(self._later(number, answer))
        else:
            self._reply(number, True, answer)

    async def _later(self, number: int, answer: Awaitable[Any]) -> None:
        try:
            self._reply(number, True, await answer)
        except Exception as error:  # noqa: BLE001  # as above
            self._reply(number, False, _said(error))

    def _reply(self, number: int, well: bool, value: Any) -> None:
        if number and self._transport is not None:
            self._send((-number, well, value))

    def _settle(self, number: int, well: bool, value: Any) -> None:
        future = self._asked.pop(number, None)
        if future is None or future.done():
            return  # whoever asked did not wait for it
        if well:
            future.set_result(value)
        else:
            future.set_exception(StateError(str(value)))


def _said(error: Exception) -> str:
    if not isinstance(error, SimulatorError):
        log.error("a bug in llm-simulator", exc_info=error)
    return f"{type(error).__name__}: {error}"


async def within(seconds: float, waiting: Coroutine[Any, Any, Any] | asyncio.Future[Any]) -> bool:
    """Waits for an answer, at most so long; whether it came."""
    try:
        await asyncio.wait_for(waiting, seconds)
    except (TimeoutError, StateError):
        return False
    return True
