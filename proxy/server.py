"""Puts a server together from its settings, starts it, and ends it without losing anything."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http_parser import RawRequestMessage
from aiohttp.streams import StreamReader
from aiohttp.web_protocol import RequestHandler

from llm_simulator import __version__, dialects
from llm_simulator.cassettes.cassette import Cassette
from llm_simulator.cassettes.key import MATCHER_VERSION
from llm_simulator.config.checks import check
from llm_simulator.config.settings import Settings
from llm_simulator.dialects.resolve import PROVIDER_HOSTS
from llm_simulator.errors import ConfigError
from llm_simulator.proxy import egress, listening
from llm_simulator.proxy.admin import Admin
from llm_simulator.proxy.admin_limits import pages
from llm_simulator.proxy.books import Own
from llm_simulator.proxy.kit import Kit
from llm_simulator.proxy.lane import Listener
from llm_simulator.proxy.machines import MACHINES
from llm_simulator.proxy.pacer import LATENESS_BUCKETS, Pacer
from llm_simulator.proxy.patience import Patience
from llm_simulator.proxy.perform import Performer
from llm_simulator.proxy.scenes import Stage
from llm_simulator.proxy.service import Service
from llm_simulator.proxy.state import Embedded, State
from llm_simulator.proxy.wire import Wire
from llm_simulator.redact import Redactor
from llm_simulator.telemetry.observer import Observer

if TYPE_CHECKING:  # a replay does not pay for what records and forwards
    from llm_simulator.proxy.crew import Crew
    from llm_simulator.proxy.forwarding import Forwarding
    from llm_simulator.proxy.metrics_port import MetricsPort
    from llm_simulator.proxy.reload import Reloads
    from llm_simulator.recorder.writer import Recorder
    from llm_simulator.telemetry.traces import Traces

log = logging.getLogger("llm_simulator.server")

KEEP_ALIVE_SECONDS = 75.0
MAX_LINE_BYTES = 64 * 1024
BACKLOG = 4096


class Server:
    """A running server. `port` is the one really bound (port 0 picks a free one)."""

    def __init__(
        self,
        settings: Settings,
        cassette: Cassette | None,
        recorder: Recorder | None,
        forwarding: Forwarding | None,
        observer: Observer,
        admin: Admin,
        service: Service,
        stage: Stage,
        state: State,
        crew: Crew | None = None,
    ) -> None:
        self.settings = settings
        self.clean: Callable[[str], str] = str
        self.state = state
        self.cassette = cassette
        self.recorder = recorder
        self.observer = observer
        self.port = settings.port
        self._forwarding = forwarding
        self._admin = admin
        self._service = service
        self.stage = stage
        self.crew = crew
        self._listener: Listener | None = None
        self._patience: Patience | None = None
        self._metrics_port: MetricsPort | None = None
        self._servers: list[asyncio.Server] = []
        self.policy: egress.Policy | None = None
        self.reloads: Reloads | None = None
        self.kit: Kit | None = None

    @classmethod
    async def start(
        cls,
        settings: Settings,
        environ: Mapping[str, str],
        *,
        run: str = "",
        door: str = "",
        crew: Crew | None = None,
    ) -> Server:
        """Opens the cassette, binds the port and serves. `door` is the token that an HTTPS_PROXY door will show.

        `crew` are the other workers, where this is one of several.

        Raises:
            ConfigError: the settings do not go together, or the port is taken.
            CassetteError: the cassette cannot be opened.
        """
        check(settings)
        redactor = Redactor(environ)
        observer = Observer(settings.journal_size, _traces(settings))
        cassette = await _open_cassette(settings, run)
        recorder = turns = None
        if settings.forwards:
            from llm_simulator.recorder.turns import Turns
            from llm_simulator.recorder.writer import Recorder

            turns = Turns()
            if cassette is not None:
                recorder = Recorder(cassette, redactor, matcher=MATCHER_VERSION, turns=turns)
        forwarding = _forwarding(settings, recorder)
        pacer = Pacer()
        observer.metrics.lateness(LATENESS_BUCKETS, lambda: (pacer.late_counts, pacer.late_sum))
        common = crew.state if crew is not None else None
        state: State = common or Embedded(MACHINES)
        kit = Kit(state, observer.metrics, environ, crew.owner if crew is not None else "")
        performer = Performer(settings, cassette, forwarding, common)
        performer.guard = kit
        stage = Stage(settings, performer, state=common)
        if crew is not None:
            await crew.enlist(observer, cassette, recorder, performer.shelves)
        admin = Admin(settings, cassette, observer, recorder, stage, crew.books if crew is not None else None)
        service = Service(settings, stage, admin, observer, Wire(pacer, settings.speed), redactor.text, door, turns)
        server = cls(settings, cassette, recorder, forwarding, observer, admin, service, stage, state, crew)
        server.kit, kit.server = kit, server
        service.put(kit.gated(stage, settings))
        admin.add(pages(kit))
        server.clean = redactor.text
        if crew is not None:
            state.subscribe("scenario", lambda message: server.stage.heard(message[0], message[1]))
        try:
            await stage.join()
            await server._configured(admin)
            await server.stage.join()  # again: what is in force may be of a configuration that came later
            await server._listen()
        except BaseException:
            await server._close_stores()
            raise
        if server.reloads is not None and settings.watch and (crew is None or not crew.number):
            server.reloads.watch()
        if not settings.forwards:
            server.policy = egress.confine(_stores(settings))
        return server

    async def _configured(self, admin: Admin) -> None:
        """Where its settings come from a file, the environment or flags, they can be taken anew."""
        from llm_simulator.proxy import admin_config

        if self.settings.origin is not None:
            from llm_simulator.proxy.reload import Reloads

            self.reloads = Reloads(self, self.settings.origin, check)
            await self.reloads.join()
        admin.add(admin_config.pages(self, self.reloads))

    def adopt(self, settings: Settings, stage: Stage) -> None:
        """Another configuration, at once; calls in flight finish on what they began with."""
        self._admin.renew(settings, stage)
        self._service = self._service.renewed(settings, stage)
        if self.kit is not None:
            self._service.put(self.kit.gated(stage, settings))
        self.settings, self.stage = settings, stage

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        return await self._service.handle(request)

    @property
    def base_url(self) -> str:
        return listening.base_url(self.settings.host, self.port)

    async def _listen(self) -> None:
        limit = self.settings.max_body_bytes
        self._listener = Listener(
            self._handle,
            self._service.tickets,
            request_factory=_request_factory(limit),
            handler_cancellation=True,
            access_log=None,
            auto_decompress=False,
            keepalive_timeout=KEEP_ALIVE_SECONDS,
            max_line_size=MAX_LINE_BYTES,
            max_field_size=MAX_LINE_BYTES,
        )
        self._patience = Patience(self._listener, lambda: self.settings.request_timeout_secs)
        loop = asyncio.get_running_loop()
        accept = self._gate(self._listener)
        for sock in listening.bind(self.settings.host, self.settings.port, shared=self.crew is not None):
            self.port = sock.getsockname()[1]
            self._servers.append(await loop.create_server(accept, sock=sock, backlog=BACKLOG))
        if self.crew is None and self.settings.metrics and self.settings.metrics_port:
            from llm_simulator.proxy.metrics_port import MetricsPort

            doors = listening.bind(self.settings.host, self.settings.metrics_port)
            self._metrics_port = await MetricsPort.open(doors, Own(self.observer).metrics)

    def _gate(self, listener: Listener) -> Callable[[], asyncio.BaseProtocol]:
        """What makes the protocol of a connection; each of several workers takes its share of `max_connections`."""
        limit = self.settings.max_connections
        if not limit:
            return listener
        share = math.ceil(limit / (self.crew.count if self.crew is not None else 1))
        refused = partial(self.observer.metrics.count, "llm_connections_refused", "Connections above max_connections.")
        return listening.Gate(listener, share, refused)

    async def settled(self, seconds: float) -> bool:
        """Waits until no call is being answered, at most so long; whether that is so. Then the journal has them all."""
        return await self._service.drained(seconds)

    @property
    def facts(self) -> dict[str, Any]:
        """What a greeting says of it."""
        cassette = self.cassette
        named = {"recordings": len(cassette), "cassette": cassette.where} if cassette is not None else {}
        return {"base_url": self.base_url, "scenario": self.stage.active, **named}

    async def stop(self) -> None:
        """Lets running answers end within `drain_secs`, flushes the cassette.

        Until then it goes on listening, so that a balancer sees `/ready` answer 503; new calls are refused with 503.
        """
        self._admin.draining = True
        if self.kit is not None:
            self.kit.drain()
        if self.reloads is not None:
            await self.reloads.close()
        if not await self._service.drained(self.settings.drain_secs):
            log.warning("%d answers were still running after %g s", self._service.active, self.settings.drain_secs)
        for server in self._servers:
            server.close()
        if self._metrics_port is not None:
            await self._metrics_port.close()
        if self._patience is not None:
            self._patience.close()
        if self._listener is not None:
            self._listener.pre_shutdown()  # connections that are only kept alive end now, and are not waited for
            await self._listener.shutdown(timeout=0.1)
        await self._close_stores()
        egress.release()

    async def _close_stores(self) -> None:
        if self._forwarding is not None:
            await self._forwarding.close()
        if self.recorder is not None:
            await self.recorder.close()
        if self.cassette is not None:
            await self.cassette.close()
        if self.observer.traces is not None:
            await self.observer.traces.close()


async def _open_cassette(settings: Settings, run: str) -> Cassette | None:
    if not settings.cassette:
        return None
    return await Cassette.open(
        settings.cassette,
        read=dialects.read,
        rules=settings.rules,
        writable=settings.writes,
        after_last=settings.after_last,
        run=run,
        allow_truncated=settings.allow_truncated,
        explain=settings.explain,
    )


def _forwarding(settings: Settings, recorder: Recorder | None) -> Forwarding | None:
    if not settings.forwards:
        return None
    from llm_simulator.proxy.forwarding import Forwarding
    from llm_simulator.proxy.upstream import Upstream

    upstream = Upstream(
        settings.upstreams,
        connect_timeout=settings.connect_timeout_secs,
        progress_timeout=settings.request_timeout_secs,
    )
    return Forwarding(upstream, recorder, replace=settings.mode.value == "record", scenario=settings.scenario)


def _traces(settings: Settings) -> Traces | None:
    """None where none are wanted, and, with a warning, where the extra `otel` is not installed."""
    if not settings.otlp_endpoint:
        return None
    from llm_simulator.telemetry.traces import Traces

    try:
        return Traces.to(settings.otlp_endpoint, settings.otlp_protocol, __version__, PROVIDER_HOSTS)
    except ConfigError as error:
        log.warning("no traces: %s", error)
        return None


def _stores(settings: Settings) -> frozenset[str]:
    """Host names that an offline run may still contact: a database named by URL, the collector of traces."""
    host = urlsplit(settings.cassette).hostname if "://" in settings.cassette else None
    collector = urlsplit(settings.otlp_endpoint).hostname
    return frozenset(name for name in (host, collector) if name)


def _request_factory(limit: int) -> Callable[..., web.BaseRequest]:
    def make(
        message: RawRequestMessage,
        payload: StreamReader,
        protocol: RequestHandler,
        writer: AbstractStreamWriter,
        task: asyncio.Task[None],
    ) -> web.BaseRequest:
        loop = asyncio.get_running_loop()
        return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=limit)

    return make
