"""One request, one way: door, read, perform, wire; then the observer is told, whatever happened on the way."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from copy import copy
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from aiohttp import web

from llm_simulator.config.settings import Settings
from llm_simulator.errors import RequestError, SimulatorError, UpstreamError
from llm_simulator.proxy import connecting
from llm_simulator.proxy.admin import Admin
from llm_simulator.proxy.door import DOOR_HEADER, Guard, Visit
from llm_simulator.proxy.framing import Client
from llm_simulator.proxy.known import Asked
from llm_simulator.proxy.lane import Tickets
from llm_simulator.proxy.scenes import Stage
from llm_simulator.proxy.sockets import Dialogue, accept, is_upgrade
from llm_simulator.proxy.wire import Delivery, Sent, Wire, sent
from llm_simulator.telemetry.journal import Entry, printable
from llm_simulator.telemetry.observer import Observer
from llm_simulator.types import Answer, Call, Headers, Outcome, Source

if TYPE_CHECKING:  # a replay does not pay for what forwards
    from llm_simulator.proxy.gate import Gate
    from llm_simulator.recorder.turns import Turns

log = logging.getLogger("llm_simulator.service")

_LATE = 408
_CORS_METHODS = "GET, POST, PUT, PATCH, DELETE, OPTIONS, HEAD"


class Service:
    """Handles the requests of one server on one event loop.

    `clean` masks secrets in what is shown to a person (journal, log, errors). `door` is the token of the HTTPS_PROXY door.
    `turns`, where there are upstreams: each request is read in a turn of its own, so that many at once do not keep what
    arrives for others from being stamped.
    """

    def __init__(
        self,
        settings: Settings,
        performer: Stage,
        admin: Admin,
        observer: Observer,
        wire: Wire,
        clean: Callable[[str], str],
        door: str = "",
        turns: Turns | None = None,
    ) -> None:
        self._turns = turns
        self._settings = settings
        self._performer: Stage | Gate = performer
        self._admin = admin
        self._observer = observer
        self._wire = wire

        @lru_cache(maxsize=4096)  # paths and models recur
        def shown(text: str) -> str:
            return printable(clean(text))

        self._clean = shown
        self._mask = clean
        self._door = door
        self._guard = _guard(settings, door)
        self._loop = asyncio.get_running_loop()
        self.tickets = Tickets(self._again if turns is None else None)
        self.active = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._elders: tuple[Service, ...] = ()  # of earlier configurations, while calls that they began go on

    def renewed(self, settings: Settings, performer: Stage) -> Service:
        """One of another configuration, on the same connections; this one ends what it has begun."""
        other = copy(self)
        other._elders = tuple(one for one in (*self._elders, self) if one.active)
        other._settings, other._performer = settings, performer
        other._wire = self._wire.at(settings.speed)
        other._guard = _guard(settings, self._door)
        other.active, other._idle = 0, asyncio.Event()
        other._idle.set()
        if self._turns is None:
            other.tickets.begin = other._again
        other.tickets.forget()
        self.tickets = Tickets(None)
        return other

    def put(self, performer: Stage | Gate) -> None:
        """Who answers from now on."""
        self._performer = performer

    async def drained(self, seconds: float) -> bool:
        """Waits until no call is being answered, at most so long; whether that is so."""
        try:
            await asyncio.wait_for(asyncio.gather(*(one._idle.wait() for one in (*self._elders, self))), seconds)
        except TimeoutError:
            return False
        return True

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        origin = request.headers.get("Origin", "")
        if (shown := request.headers.get(DOOR_HEADER)) is not None:
            origin = ""  # the page talks to its provider, as it thinks: that one's rules on origins count, not ours
            problem = self._guard.door_problem(shown)
        else:
            problem = self._guard.problem(request.headers.get("Host", ""), origin)
        if problem:
            return web.json_response({"error": {"message": problem, "type": "forbidden"}}, status=403)
        path = request.raw_path.partition("?")[0]
        if shown is not None and path == connecting.PATH:
            return self._connecting(request)
        if (handler := self._admin.route(path)) is not None:
            return await self._admin.respond(request, path, handler)
        if origin and request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
            return self._preflight(request, origin)
        self._begun()
        try:
            return await self._call(request, origin)
        finally:
            self._over()

    def _begun(self) -> None:
        self.active += 1
        self._idle.clear()

    def _over(self) -> None:
        self.active -= 1
        if not self.active:
            self._idle.set()

    def _connecting(self, request: web.BaseRequest) -> web.Response:
        response, entry = connecting.answered(request, self._performer, lambda call: self._entry(call, Visit()))
        if entry is not None:
            self._observer.add(entry)
        return response

    def _preflight(self, request: web.BaseRequest, origin: str) -> web.Response:
        headers = {
            "access-control-allow-origin": origin,
            "access-control-allow-methods": _CORS_METHODS,
            "access-control-allow-headers": request.headers.get("Access-Control-Request-Headers", "*"),
            "access-control-max-age": "600",
            "vary": "Origin",
        }
        return web.Response(status=204, headers=headers)

    async def _call(self, request: web.BaseRequest, origin: str) -> web.StreamResponse:
        if self._turns is not None:
            await self._turns.mine()
        body, problem = await self._body(request)
        started = self._loop.time()
        method = request.method
        try:
            asked = self._performer.read(method, _origin_form(request.raw_path), request.raw_headers, body)
        except RequestError as error:
            asked, problem = self._performer.unreadable(method), error
        client = Client.of(request)
        if is_upgrade(request):
            return await self._respond(client, asked, problem, started, origin, request)
        if problem is None and not origin:
            self.tickets.keep(request, client, asked)
        response = await self._respond(client, asked, problem, started, origin)
        if problem is not None and problem.status == _LATE:
            request.protocol.force_close()  # what is left of the request is not waited for
        return response

    async def _again(self, asked: Asked, client: Client) -> Sent:
        """The answer to a request that was read before (`proxy/lane.py`)."""
        self._begun()
        try:
            response = await self._respond(client, asked, None, self._loop.time())
        finally:
            self._over()
        assert isinstance(response, Sent)  # no WebSocket comes this way
        return response

    async def _respond(
        self,
        client: Client,
        asked: Asked,
        problem: RequestError | None,
        started: float,
        origin: str = "",
        handshake: web.BaseRequest | None = None,
    ) -> web.StreamResponse:
        entry = self._entry(asked.known.call, asked.visit)
        try:
            answer = await self._answer(asked, entry, problem, upgrade=handshake is not None)
        except asyncio.CancelledError:  # the client left before there was a response head
            entry.settle()
            entry.outcome = Outcome.CLIENT_GONE.value
            entry.duration = self._loop.time() - started
            self._observer.add(entry)
            raise
        if not isinstance(answer, Answer):
            assert handshake is not None
            return await self._converse(handshake, answer, entry, started)
        if answer.source in (Source.MISS, Source.REFUSAL):
            answer = self._masked(answer)
        if origin:
            answer = replace(answer, headers=answer.headers + _cors(origin))
        return await self._send(client, answer, entry, started)

    def _masked(self, answer: Answer) -> Answer:
        """Our own words about a request, which clients log: without its secrets, and as long as before."""
        if not isinstance(answer.chunks, tuple):
            return answer
        chunks = tuple(replace(chunk, data=self._mask(chunk.data.decode()).encode()) for chunk in answer.chunks)
        return replace(answer, chunks=chunks)

    async def _body(self, request: web.BaseRequest) -> tuple[bytes, RequestError | None]:
        """The request body, or why it was not read."""
        limit = self._settings.max_body_bytes
        if request.headers.get("Expect", "").lower() == "100-continue" and request.transport is not None:
            request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if (request.content_length or 0) > limit:
            return b"", _too_large(limit)
        content = request.content
        try:
            if content.is_eof():  # it came with the head, as most do
                data = content.read_nowait()
                return (data, None) if len(data) <= limit else (b"", _too_large(limit))
            async with asyncio.timeout(self._settings.request_timeout_secs):
                return await request.read(), None
        except TimeoutError:
            return b"", _too_slow(self._settings.request_timeout_secs)
        except web.HTTPRequestEntityTooLarge:
            return b"", _too_large(limit)

    def _entry(self, call: Call, visit: Visit) -> Entry:
        return Entry(
            at=time.time(),
            method=call.raw.method,
            path=self._clean(call.raw.path),
            provider=call.provider,
            model=self._clean(call.model),
            operation=call.operation,
            stream=call.stream,
            status=0,
            source=Source.REFUSAL.value,
            session=self._clean(visit.session) if visit.session else "",
            asked=call if self._observer.traces is not None else None,
        )

    async def _converse(
        self, request: web.BaseRequest, dialogue: Dialogue, entry: Entry, started: float
    ) -> web.StreamResponse:
        """A WebSocket, from the answer to its handshake to its end."""
        entry.status = 101
        try:
            return await accept(request, dialogue, self._performer.headers(Source(entry.source), entry.scenario))
        finally:
            entry.duration = self._loop.time() - started
            entry.settle()
            self._observer.add(entry)

    async def _answer(
        self, asked: Asked, entry: Entry, problem: RequestError | None, *, upgrade: bool
    ) -> Answer | Dialogue:
        call = asked.known.call
        if self._admin.draining:
            problem = RequestError("shutting_down", "llm-simulator is shutting down: no new calls", status=503)
        if problem is not None:
            return self._performer.refusal(problem, call, entry)
        try:
            if upgrade:
                return await self._performer.converse(asked, entry)
            return await self._performer.answer(asked, entry)
        except SimulatorError as error:
            log.warning("%s %s: %s", entry.method, entry.path, self._clean(str(error)))
            return self._performer.refusal(error, call, entry)
        except Exception as error:
            log.exception("%s %s: a bug in llm-simulator", entry.method, entry.path)
            return self._performer.refusal(SimulatorError(f"internal error: {type(error).__name__}"), call, entry)

    async def _send(self, client: Client, answer: Answer, entry: Entry, started: float) -> Sent:
        delivery = Delivery(started)
        entry.status = answer.status
        try:
            return await self._wire.send(client, answer, delivery)
        except UpstreamError:
            return self._wire.cut(client, answer)
        except ConnectionError:
            _left(entry)
            return sent(answer.status, False)
        except asyncio.CancelledError:
            _left(entry)
            raise
        finally:
            entry.duration = self._loop.time() - started
            if delivery.first is not None:
                entry.ttft = delivery.first - started
            entry.settle()
            if entry.differs:
                entry.differs = self._mask(entry.differs)
            self._observer.add(entry)


def _guard(settings: Settings, door: str) -> Guard:
    return Guard(frozenset(settings.origins), frozenset(settings.hosts), settings.loopback, door)


def _left(entry: Entry) -> None:
    """The client is gone. Of a forwarded call the recording knows better: it may have seen the last event before."""
    if entry.source != Source.UPSTREAM.value:
        entry.outcome = Outcome.CLIENT_GONE.value


def _origin_form(target: str) -> str:
    """A target in absolute form (`GET http://host/path`, from a client that takes us for its proxy) as our own path."""
    if target.startswith(("http://", "https://")):
        parts = urlsplit(target)
        return f"/{parts.scheme}:{parts.netloc}{target[len(parts.scheme) + 3 + len(parts.netloc) :] or '/'}"
    return target


def _too_large(limit: int) -> RequestError:
    return RequestError("body_too_large", f"the request body is larger than {limit} bytes", status=413)


def _too_slow(seconds: float) -> RequestError:
    return RequestError("request_timeout", f"the request body was not here after {seconds:g} seconds", status=_LATE)


def _cors(origin: str) -> Headers:
    return (
        ("access-control-allow-origin", origin),
        ("access-control-expose-headers", "*"),
        ("vary", "Origin"),
    )
