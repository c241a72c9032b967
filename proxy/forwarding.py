"""Fetches from an upstream and, where asked, records or compares on the way. The answer streams while it is taken down.

The end of the body is held back until the exchange is committed: a client that saw the end finds it in the cassette,
whatever happens to this process then.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Mapping
from copy import copy
from functools import partial

from llm_simulator import dialects
from llm_simulator.errors import UpstreamError
from llm_simulator.proxy.convert import recorded_usage
from llm_simulator.proxy.dialogues import Relayed
from llm_simulator.proxy.door import Visit
from llm_simulator.proxy.sockets import Dialogue
from llm_simulator.proxy.upstream import Arrival, Upstream
from llm_simulator.recorder.compare import compare
from llm_simulator.recorder.tap import Tap
from llm_simulator.recorder.writer import Recorder
from llm_simulator.telemetry.journal import Entry
from llm_simulator.types import Answer, Call, Chunk, Exchange, Outcome, Source, header

log = logging.getLogger("llm_simulator.calls")

GRACE = 0.25
"""Seconds that the rest of a body may take whose client left early, before the upstream is hung up on."""


class Forwarding:
    """The upstream side of one server; `recorder` is None where nothing may be recorded."""

    def __init__(self, upstream: Upstream, recorder: Recorder | None, *, replace: bool, scenario: str) -> None:
        self._upstream = upstream
        self._recorder = recorder
        self._replace = replace
        self._scenario = scenario

    def renewed(self, upstreams: Mapping[str, str], progress_timeout: float) -> Forwarding:
        """The same connections and recorder, under another configuration."""
        other = copy(self)
        other._upstream = self._upstream.variant(upstreams, progress_timeout)
        return other

    def variant(self, *, replace: bool, scenario: str) -> Forwarding:
        """The same upstream and recorder under another scenario; `replace` as for mode record."""
        other = copy(self)
        other._replace, other._scenario = replace, scenario
        return other

    async def forward(
        self, call: Call, visit: Visit, entry: Entry, *, record: bool, recorded: Exchange | None
    ) -> Answer:
        """The upstream's answer, recorded where `record`, compared where there is a recording to compare with.

        Raises:
            UpstreamError: nothing came back (the failure is recorded, too).
            RequestError: the host is not allowed.
        """
        entry.source = Source.UPSTREAM.value
        url = self._upstream.locate(call.raw, call.provider)
        tap = self._tap(call, visit) if record or recorded is not None else None
        if tap is not None and record and self._recorder is not None:
            # Done once the request is on its way: on a pooled connection it is sent before `fetch` first waits.
            self._recorder.begin(tap, call)
        try:
            arrival = await self._upstream.fetch(call.raw, url)
        except UpstreamError:
            await self._failed(tap if record else None, call, entry)
            raise
        return self._answer(arrival, tap, call, entry, record=record, recorded=recorded)

    async def converse(self, call: Call, visit: Visit, entry: Entry, *, record: bool) -> Answer | Dialogue:
        """The upstream's WebSocket, or its answer where it declines. Verifying compares answers, not conversations.

        Raises:
            UpstreamError, RequestError: as `forward`.
        """
        entry.source = Source.UPSTREAM.value
        url = self._upstream.locate(call.raw, call.provider)
        tap = self._tap(call, visit) if record else None
        try:
            reached = await self._upstream.converse(call.raw, url)
        except UpstreamError:
            await self._failed(tap, call, entry)
            raise
        if isinstance(reached, Arrival):
            return self._answer(reached, tap, call, entry, record=record, recorded=None)
        if tap is not None:
            tap.head(101, "Switching Protocols", reached.headers, reached.head_ns, reached.connect_ns)

        async def store(outcome: Outcome) -> None:
            entry.outcome = outcome.value
            if tap is not None:
                tap.end(outcome)
                await self._commit(tap, call, entry)

        return Relayed(reached.socket, reached.headers, reached.protocol, tap, store)

    async def _failed(self, tap: Tap | None, call: Call, entry: Entry) -> None:
        """Nothing came back: that is recorded, too."""
        entry.outcome = Outcome.UPSTREAM_FAILED.value
        if tap is not None:
            tap.end(Outcome.UPSTREAM_FAILED)
            await self._commit(tap, call, entry)

    def _answer(
        self,
        arrival: Arrival,
        tap: Tap | None,
        call: Call,
        entry: Entry,
        *,
        record: bool,
        recorded: Exchange | None,
    ) -> Answer:
        if tap is not None:
            tap.head(arrival.status, arrival.reason, arrival.headers, arrival.head_ns, arrival.connect_ns)
        headers = (
            *arrival.headers,
            ("x-llm-simulator-source", Source.UPSTREAM.value),
            ("x-llm-simulator-scenario", self._scenario),
        )
        entry.outcome = Outcome.CLIENT_GONE.value  # unless we get further
        chunks = self._chunks(arrival, tap, call, entry, record=record, recorded=recorded)
        return Answer(arrival.status, headers, chunks, reason=arrival.reason, source=Source.UPSTREAM)

    def _tap(self, call: Call, visit: Visit) -> Tap:
        assert self._recorder is not None
        return self._recorder.tap(call, session=visit.session, start_ns=time.monotonic_ns())

    async def _chunks(
        self,
        arrival: Arrival,
        tap: Tap | None,
        call: Call,
        entry: Entry,
        *,
        record: bool,
        recorded: Exchange | None,
    ) -> AsyncIterator[Chunk]:
        """What arrives, at once; only the end waits for the commit."""
        length = _length(arrival, call)
        size = 0
        outcome = Outcome.CLIENT_GONE
        last = b""
        try:
            async for at_ns, data in arrival.chunks:
                if tap is not None:
                    tap.chunk(at_ns, data)
                size += len(data)
                if size == length:
                    last = data  # the client knows by its length that this is the end
                else:
                    yield Chunk(0.0, data)
            outcome = Outcome.COMPLETE
        except UpstreamError as error:
            outcome = Outcome.TRUNCATED
            log.warning("%s %s: %s", call.provider, call.model, error)
            raise
        finally:
            if outcome is not Outcome.COMPLETE:
                await self._left_behind(arrival, tap, call, entry, outcome, record=record, recorded=recorded)
        entry.outcome = outcome.value
        if tap is not None:
            tap.end(Outcome.COMPLETE)
            await self._settle(tap, call, entry, record=record, recorded=recorded)
        if last:
            yield Chunk(0.0, last)

    async def _settle(self, tap: Tap, call: Call, entry: Entry, *, record: bool, recorded: Exchange | None) -> None:
        fresh = tap.exchange()
        if recorded is not None:
            assert self._recorder is not None
            entry.drift = compare(recorded, await self._recorder.redacted(fresh))
            entry.differs = entry.drift.contract()
        entry.later = partial(_count, fresh, call, entry)
        if record:
            await self._commit(tap, call, entry)

    async def _commit(self, tap: Tap, call: Call, entry: Entry) -> None:
        """Stores it, even for a client that leaves meanwhile: it has seen the last event, and the call is counted."""
        assert self._recorder is not None
        commit = self._recorder.commit(tap, call, replace=self._replace)
        try:
            entry.recorded = await asyncio.shield(commit)
        except asyncio.CancelledError:
            entry.recorded = await commit
            raise

    async def _left_behind(
        self,
        arrival: Arrival,
        tap: Tap | None,
        call: Call,
        entry: Entry,
        outcome: Outcome,
        *,
        record: bool,
        recorded: Exchange | None,
    ) -> None:
        """Keeps what there is of an exchange that broke off, or whose client left before the end of the body."""
        try:
            if outcome is Outcome.CLIENT_GONE and tap is not None:
                outcome = await _rest(arrival, tap)
        finally:
            arrival.close()
        entry.outcome = outcome.value
        if tap is None:
            return
        tap.end(outcome)
        if outcome is Outcome.COMPLETE:
            await self._settle(tap, call, entry, record=record, recorded=recorded)
        elif record:
            await self._commit(tap, call, entry)

    async def close(self) -> None:
        """Hangs up. What is still being stored is the recorder's to wait for."""
        await self._upstream.close()


def _count(exchange: Exchange, call: Call, entry: Entry) -> None:
    """Notes the provider's own token counts."""
    if usage := recorded_usage(exchange, dialects.of(call), call):
        entry.prompt_tokens, entry.completion_tokens = usage.prompt, usage.completion


async def _rest(arrival: Arrival, tap: Tap) -> Outcome:
    """COMPLETE if the body ends within a moment after its client left.

    Some SDKs (openai, synchronous) close at the last event of a stream: the end of the body may still be under way.
    """
    try:
        async with asyncio.timeout(GRACE):
            async for at_ns, data in arrival.chunks:
                tap.chunk(at_ns, data)
    except (TimeoutError, UpstreamError):
        return Outcome.CLIENT_GONE
    return Outcome.COMPLETE


def _length(arrival: Arrival, call: Call) -> int | None:
    """The body length that the response promised, None where it ends by chunked coding or has no body."""
    if call.raw.method == "HEAD":
        return None
    value = header(arrival.headers, "content-length")
    return int(value) if value.isdecimal() and int(value) > 0 else None
