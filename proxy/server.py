"""Puts a server together from its settings, starts it, and ends it without losing anything."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http_parser import RawRequestMessage
from aiohttp.streams import StreamReader
from aiohttp.web_protocol import RequestHandler

from llm_simulator import dialects
from llm_simulator.cassettes.cassette import Cassette
from llm_simulator.cassettes.key import MATCHER_VERSION
from llm_simulator.config import library
from llm_simulator.config.settings import LOOPBACK_HOSTS, Settings
from llm_simulator.errors import ConfigError
from llm_simulator.proxy import egress
from llm_simulator.proxy.admin import Admin
from llm_simulator.proxy.pacer import LATENESS_BUCKETS, Pacer
from llm_simulator.proxy.perform import Performer
from llm_simulator.proxy.scenes import Stage
from llm_simulator.proxy.service import Service
from llm_simulator.proxy.wire import Wire, no_delay
from llm_simulator.redact import Redactor
from llm_simulator.telemetry.observer import Observer

if TYPE_CHECKING:  # a replay does not pay for what records and forwards
    from llm_simulator.proxy.forwarding import Forwarding
    from llm_simulator.recorder.writer import Recorder

log = logging.getLogger("llm_simulator.server")

KEEP_ALIVE_SECONDS = 75.0
MAX_LINE_BYTES = 64 * 1024
BACKLOG = 4096


class _Listener(web.Server):
    """aiohttp's low-level server with our own per-connection settings."""

    def connection_made(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        no_delay(transport)
        super().connection_made(handler, transport)


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
    ) -> None:
        self.settings = settings
        self.cassette = cassette
        self.recorder = recorder
        self.observer = observer
        self.port = settings.port
        self._forwarding = forwarding
        self._admin = admin
        self._service = service
        self.stage = stage
        self._listener: _Listener | None = None
        self._servers: list[asyncio.Server] = []
        self.policy: egress.Policy | None = None

    @classmethod
    async def start(cls, settings: Settings, environ: Mapping[str, str], *, run: str = "", door: str = "") -> Server:
        """Opens the cassette, binds the port and serves. `door` is the token that an HTTPS_PROXY door will show.

        Raises:
            ConfigError: the settings do not go together, or the port is taken.
            CassetteError: the cassette cannot be opened.
        """
        check(settings)
        redactor = Redactor(environ)
        observer = Observer(settings.journal_size)
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
        stage = Stage(settings, Performer(settings, cassette, forwarding))
        admin = Admin(settings, cassette, observer, recorder, stage)
        service = Service(settings, stage, admin, observer, Wire(pacer, settings.speed), redactor.text, door, turns)
        server = cls(settings, cassette, recorder, forwarding, observer, admin, service, stage)
        try:
            await server._listen()
        except BaseException:
            await server._close_stores()
            raise
        if not settings.forwards:
            server.policy = egress.confine(_stores(settings))
        return server

    @property
    def base_url(self) -> str:
        host = "127.0.0.1" if self.settings.host in ("localhost", "0.0.0.0", "") else self.settings.host
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    async def _listen(self) -> None:
        limit = self.settings.max_body_bytes
        self._listener = _Listener(
            self._service.handle,
            request_factory=_request_factory(limit),
            handler_cancellation=True,
            access_log=None,
            auto_decompress=False,
            keepalive_timeout=KEEP_ALIVE_SECONDS,
            max_line_size=MAX_LINE_BYTES,
            max_field_size=MAX_LINE_BYTES,
        )
        loop = asyncio.get_running_loop()
        for sock in bind(self.settings.host, self.settings.port):
            self.port = sock.getsockname()[1]
            self._servers.append(await loop.create_server(self._listener, sock=sock, backlog=BACKLOG))

    async def settled(self, seconds: float) -> bool:
        """Waits until no call is being answered, at most so long; whether that is so. Then the journal has them all."""
        return await self._service.drained(seconds)

    async def stop(self) -> None:
        """Lets running answers end within `drain_secs`, flushes the cassette.

        Until then it goes on listening, so that a balancer sees `/ready` answer 503; new calls are refused with 503.
        """
        self._admin.draining = True
        if not await self._service.drained(self.settings.drain_secs):
            log.warning("%d answers were still running after %g s", self._service.active, self.settings.drain_secs)
        for server in self._servers:
            server.close()
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


def check(settings: Settings) -> None:
    """What must hold before anything is opened.

    Raises:
        ConfigError: every problem, one per line.
    """
    problems: list[str] = []
    if settings.forwards and not settings.loopback and not settings.allow_remote:
        what = f"mode {settings.mode.value}" if settings.mode.forwards else "a rule of a scenario"
        problems.append(
            f"{what} forwards to providers, and {settings.host!r} can be reached from "
            "other machines: add --allow-remote if that is meant"
        )
    if settings.writes and not settings.cassette:
        what = f"mode {settings.mode.value}" if settings.mode.writes else "a rule of a scenario"
        problems.append(f"{what} needs --cassette: a .db, a .yaml, a folder or a database URL")
    if settings.mode.value in ("replay", "verify") and not settings.cassette:
        problems.append(f"mode {settings.mode.value} needs --cassette: there is nothing to look up")
    if settings.scenario != library.NONE:
        try:
            library.find(settings.scenario, settings.scenarios)
        except ConfigError as error:
            problems.append(f"scenario: {error}")
    if settings.speed < 0:
        problems.append(f"speed is {settings.speed:g}; 0 (no waits) or above is allowed")
    if problems:
        raise ConfigError("\n".join(problems))


def bind(host: str, port: int) -> list[socket.socket]:
    """Listening sockets: both loopback addresses for a loopback name, else the one given.

    Raises:
        ConfigError: the address cannot be bound.
    """
    hosts = ("127.0.0.1", "::1") if host in LOOPBACK_HOSTS else (host,)
    made: list[socket.socket] = []
    for name in hosts:
        try:
            made.append(_bound(name, made[0].getsockname()[1] if made else port))
        except OSError as error:
            if made and error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EADDRINUSE):
                log.info("not listening on %s as well: %s", name, error.strerror)
                continue
            for sock in made:
                sock.close()
            raise ConfigError(f"cannot listen on {name} port {port}: {error.strerror or error}") from error
    return made


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((host, port))
    except BaseException:
        sock.close()
        raise
    sock.setblocking(False)
    return sock


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

    upstream = Upstream(settings.upstreams, connect_timeout=settings.connect_timeout_secs)
    return Forwarding(upstream, recorder, replace=settings.mode.value == "record", scenario=settings.scenario)


def _stores(settings: Settings) -> frozenset[str]:
    """Host names that an offline run may still contact: a database named by URL."""
    host = urlsplit(settings.cassette).hostname if "://" in settings.cassette else None
    return frozenset({host}) if host else frozenset()


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
