"""From a finished tap to a committed recording: redacted first; one that fails never costs the client its answer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

from llm_simulator import __version__
from llm_simulator.errors import CassetteError
from llm_simulator.recorder.spill import Memory
from llm_simulator.recorder.tap import Tap
from llm_simulator.recorder.turns import Turns
from llm_simulator.redact import Ahead, Redactor
from llm_simulator.types import Call, Exchange, RawRequest

log = logging.getLogger("llm_simulator.recorder")

RECORDER = f"llm-simulator {__version__}"
LARGE = 512 << 10
"""Bytes from which an exchange is redacted in a thread: 0.05 ms per kB would hold up all other streams."""


class Keeps(Protocol):
    """The part of a cassette that the recorder needs."""

    def expect(self, request: RawRequest, call: Call, masked: tuple[str, ...]) -> None: ...

    async def add(self, exchange: Exchange, call: Call, *, replace: bool) -> int: ...

    async def flush(self) -> None: ...


def _utc() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Recorder:
    """Stores exchanges in one cassette, redacted.

    Args:
        cassette: where to.
        redactor: takes the secrets out; what it cannot redact is not stored.
        matcher: the version of the match key, noted in each exchange.
        memory: how much all running recordings may hold before they spill.
        now: the time of day, RFC 3339 in UTC.
        turns: where its work on the event loop waits.
    """

    def __init__(
        self,
        cassette: Keeps,
        redactor: Redactor,
        *,
        matcher: int = 0,
        memory: Memory | None = None,
        now: Callable[[], str] = _utc,
        turns: Turns | None = None,
    ) -> None:
        self._cassette = cassette
        self._redactor = redactor
        self._matcher = matcher
        self._memory = memory or Memory()
        self._now = now
        self._logged: set[str] = set()
        self._running: set[asyncio.Task[bool]] = set()
        self._turns = turns or Turns()
        self.recorded = 0
        self.failed = 0

    @property
    def redactions(self) -> int:
        """How many secrets were masked so far."""
        return self._redactor.counts.total()

    def tap(self, call: Call, *, session: str = "", start_ns: int) -> Tap:
        """A tap for one call that was sent on at `start_ns` (monotonic)."""
        return Tap(
            call,
            start_ns=start_ns,
            memory=self._memory,
            session=session,
            recorded_at=self._now(),
            recorder=RECORDER,
            matcher=self._matcher,
            ahead=self._redactor.ahead(call.raw),
        )

    def begin(self, tap: Tap, call: Call) -> None:
        """Sees to what can be done while the upstream still thinks: redacts the request, makes its key."""
        ahead = tap.ahead
        if ahead is not None and len(call.raw.body) < LARGE:
            self._turns.later(lambda: tap.attempt(lambda: self._begin(ahead, call)))

    def _begin(self, ahead: Ahead, call: Call) -> None:
        request = ahead.request()
        self._cassette.expect(request.value, call, request.masked)

    def commit(self, tap: Tap, call: Call, *, replace: bool) -> asyncio.Task[bool]:
        """Redacts and stores what the tap took down; True once it is committed, False (at once) where that fails.

        `replace`: the first recording of this run for a key drops those of earlier runs. Whoever awaits the task shields
        it: a client that leaves does not stop the commit. Failures are counted and logged once per kind.
        """
        task = asyncio.get_running_loop().create_task(self._commit(tap, call, replace))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    async def redacted(self, exchange: Exchange) -> Exchange:
        """The exchange as it would be stored: what it may be compared with."""
        return await self._redact(exchange, None)

    async def close(self, timeout: float = 10.0) -> None:
        """Waits for what is being stored and flushes the cassette, `timeout` seconds at most."""
        pending: set[asyncio.Task[bool]] = set()
        if self._running:
            _, pending = await asyncio.wait(self._running, timeout=timeout)
        if pending:
            self._fail(f"{len(pending)} recordings were not stored within {timeout:g} s", len(pending))
        try:
            await asyncio.wait_for(self._cassette.flush(), timeout)
        except TimeoutError:
            self._fail(f"the cassette was not flushed within {timeout:g} s", 0)
        except CassetteError as error:
            self._fail(str(error), 0)

    async def _commit(self, tap: Tap, call: Call, replace: bool) -> bool:
        try:
            await self._turns.mine()
            exchange = tap.exchange()
            if tap.broken:
                return self._fail(f"not recorded, the tap broke: {tap.broken}")
            await self._cassette.add(await self._redact(exchange, tap.ahead), call, replace=replace)
        except CassetteError as error:
            return self._fail(str(error))
        except Exception as error:  # noqa: BLE001  # counted and logged; the client's answer must end all the same
            return self._fail(f"not recorded: {type(error).__name__} in {_place(error)}")
        finally:
            tap.close()
        self.recorded += 1
        return True

    async def _redact(self, exchange: Exchange, ahead: Ahead | None) -> Exchange:
        redact = self._redactor.exchange if ahead is None else ahead.exchange
        if sum(len(data) for _, data in exchange.chunks) + len(exchange.request.body) < LARGE:
            return redact(exchange)
        return await asyncio.to_thread(redact, exchange)

    def _fail(self, why: str, number: int = 1) -> bool:
        self.failed += number
        if why not in self._logged:
            self._logged.add(why)
            log.error("%s", self._redactor.text(why))
        return False


def _place(error: BaseException) -> str:
    """Where it was raised. Its message may hold what was being recorded, and is not shown."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "an unknown place" if trace is None else f"{trace.tb_frame.f_code.co_name}:{trace.tb_lineno}"
