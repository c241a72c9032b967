"""The client side: fetches a request from its provider and hands the answer on as it arrives, byte for byte.

Nothing is decoded, re-framed or buffered; chunks are stamped with monotonic nanoseconds as they come off the socket.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import ssl
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextvars import ContextVar
from copy import copy
from dataclasses import dataclass
from functools import lru_cache, partial
from types import SimpleNamespace
from typing import cast
from urllib.request import getproxies, proxy_bypass

import aiohttp
from aiohttp import hdrs
from aiohttp.client_proto import ResponseHandler
from multidict import CIMultiDict
from yarl import URL

from llm_simulator.dialects import PROVIDER_HOSTS, provider_of
from llm_simulator.errors import RequestError, UpstreamError
from llm_simulator.proxy.door import OWN_PREFIX
from llm_simulator.proxy.framing import HOP_BY_HOP
from llm_simulator.proxy.sockets import LARGEST, Socket, protocols
from llm_simulator.types import Headers, RawRequest

log = logging.getLogger("llm_simulator.upstream")

_AUTOMATIC = (hdrs.USER_AGENT, hdrs.ACCEPT, hdrs.ACCEPT_ENCODING, hdrs.CONTENT_TYPE)  # never invented by us


@dataclass(slots=True)
class Arrival:
    """A response whose head has arrived; times are `time.monotonic_ns`.

    `connect_ns` is how long TCP and TLS set-up took before the request could be sent (0 on a pooled connection).
    """

    status: int
    reason: str
    headers: Headers
    head_ns: int
    connect_ns: int
    chunks: AsyncIterator[tuple[int, bytes]]
    close: Callable[[], None]


@dataclass(slots=True)
class Upgraded:
    """A WebSocket to an upstream, its subprotocol, and the head of its handshake (see `Arrival`)."""

    socket: Socket
    protocol: str
    headers: Headers
    head_ns: int
    connect_ns: int


@dataclass(slots=True)
class _Timing:
    started_ns: int = 0
    connect_ns: int = 0


@dataclass(slots=True)
class _Handshake(_Timing):
    """What an upstream answered to a handshake: aiohttp shows neither the head nor, where it declines, the body."""

    status: int = 0
    reason: str = ""
    headers: Headers = ()
    head_ns: int = 0
    body: bytes = b""


_HANDSHAKE: ContextVar[_Handshake] = ContextVar("handshake")


class Upstream:
    """Pooled connections to allow-listed providers; HTTP proxies of the environment are honoured.

    Args:
        mapped: host -> base URL that it is really fetched from ("" for itself); naming a host allows it.
        connect_timeout: seconds for TCP and TLS set-up.
        progress_timeout: seconds in which something must arrive, once the request is sent; None: as long as it takes.
    """

    def __init__(
        self, mapped: Mapping[str, str], *, connect_timeout: float = 30.0, progress_timeout: float | None = None
    ) -> None:
        self._mapped = _bases(mapped)
        self._timeout = aiohttp.ClientTimeout(total=None, sock_connect=connect_timeout, sock_read=progress_timeout)
        trace = aiohttp.TraceConfig()
        trace.on_connection_create_start.append(_connect_started)
        trace.on_connection_create_end.append(_connect_ended)
        trace.on_request_end.append(_answered)
        # A context of our own: aiohttp's is made when it is imported, and then SSL_CERT_FILE is fixed.
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=15, ssl=ssl.create_default_context())
        made = partial(cast(type[ResponseHandler], _Stamped), loop=asyncio.get_running_loop())
        connector._factory = made  # pyright: ignore[reportPrivateUsage]  # aiohttp has no public way to a protocol of one's own
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=connect_timeout),
            skip_auto_headers=_AUTOMATIC,
            auto_decompress=False,
            # Not trust_env: that asks the environment in a thread for each request, and adds what a .netrc says.
            trace_configs=[trace],
            max_line_size=1 << 20,
            max_field_size=1 << 20,
            read_bufsize=1 << 20,
        )

        self._proxy = lru_cache(maxsize=256)(proxy_for)

    def variant(self, mapped: Mapping[str, str], progress_timeout: float | None) -> Upstream:
        """One that maps hosts otherwise and has another patience, on the same connections."""
        other = copy(self)
        other._mapped = _bases(mapped)
        other._timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=self._timeout.sock_connect, sock_read=progress_timeout
        )
        return other

    def locate(self, raw: RawRequest, provider: str) -> URL:
        """Where the request goes.

        Raises:
            RequestError: the host is not allow-listed, or a bare path's provider is not known.
        """
        host = raw.host or PROVIDER_HOSTS.get(provider, "")
        if not host:
            raise RequestError(
                "unknown_upstream",
                f"the path {raw.path[:80]!r} does not tell which provider to ask; put the host before it: "
                f"/api.example.com{raw.path[:40]}",
            )
        if base := self._mapped.get(host):
            return URL(f"{base}{raw.target}", encoded=True)
        if host not in self._mapped and not provider_of(host):
            raise RequestError(
                "upstream_not_allowed",
                f"host {host!r} is not on the list of upstreams; allow it with --upstream {host}",
                status=403,
            )
        scheme = raw.scheme if raw.host else "http" if host.startswith("localhost") else "https"
        return URL(f"{scheme}://{host}{raw.target}", encoded=True)

    async def fetch(self, raw: RawRequest, url: URL) -> Arrival:
        """Sends the request and returns when the response head is there.

        Raises:
            UpstreamError: unreachable, certificate refused, timed out, or broken off before the head.
        """
        timing = _Timing()
        headers = CIMultiDict((name, value) for name, value in raw.headers if name.lower() != "content-length")
        proxy, for_proxy = self._proxy(url.scheme, url.host or "")
        if url.scheme == "http":
            headers.update(for_proxy)  # it reads the request itself; of a tunnel it reads the CONNECT only
        try:
            response = await self._session.request(
                raw.method,
                url,
                headers=headers,
                data=raw.body or None,
                allow_redirects=False,
                proxy=proxy,
                proxy_headers=for_proxy,
                timeout=self._timeout,
                trace_request_ctx=timing,
            )
        except (aiohttp.ClientError, TimeoutError, OSError, ssl.SSLError) as error:
            raise _as_upstream_error(error, url) from error
        protocol = response.connection.protocol if response.connection is not None else None
        clock = (
            protocol if isinstance(protocol, _Stamped) else None
        )  # None: all of it is here, and the connection freed
        return Arrival(
            status=response.status,
            reason=response.reason or "",
            headers=_received(response),
            head_ns=_came_ns(clock),
            connect_ns=timing.connect_ns,
            chunks=_Body(response, url, clock),
            close=response.close,
        )

    async def converse(self, raw: RawRequest, url: URL) -> Arrival | Upgraded:
        """Asks for a WebSocket and returns it, or the answer of an upstream that declined.

        Raises:
            UpstreamError: unreachable, certificate refused, timed out, or broken off before the head.
        """
        shaken = _Handshake()
        token = _HANDSHAKE.set(shaken)
        left_out = ("content-length", "sec-websocket-")
        headers = CIMultiDict((name, value) for name, value in raw.headers if not name.lower().startswith(left_out))
        proxy, for_proxy = self._proxy(url.scheme, url.host or "")
        try:
            socket = await self._session.ws_connect(
                url,
                headers=headers,
                protocols=protocols(raw.headers),
                autoclose=False,
                max_msg_size=LARGEST,
                proxy=proxy,
                proxy_headers=for_proxy,
            )
        except aiohttp.WSServerHandshakeError as error:
            if shaken.status in (0, 101):  # it agreed, but not as RFC 6455 wants it
                raise UpstreamError(
                    "upstream_reset", f"{url.host}: bad WebSocket handshake: {_short(error)}"
                ) from error
            return _declined(shaken)
        except (aiohttp.ClientError, TimeoutError, OSError, ssl.SSLError) as error:
            raise _as_upstream_error(error, url) from error
        finally:
            _HANDSHAKE.reset(token)
        return Upgraded(Socket(socket, None), socket.protocol or "", shaken.headers, shaken.head_ns, shaken.connect_ns)

    async def close(self) -> None:
        await self._session.close()


def _bases(mapped: Mapping[str, str]) -> dict[str, str]:
    return {host.lower(): base.rstrip("/") for host, base in mapped.items()}


def proxy_for(scheme: str, host: str) -> tuple[URL | None, Mapping[str, str]]:
    """The proxy that the environment names for a host (HTTP_PROXY, HTTPS_PROXY, ALL_PROXY less NO_PROXY), if any.

    With the headers that the proxy wants.
    """
    proxies = getproxies()
    named = proxies.get(scheme) or proxies.get("all")
    if not named or proxy_bypass(host):
        return None, {}
    proxy = URL(named if "://" in named else f"http://{named}")
    if proxy.scheme not in ("http", "https"):
        log.warning(
            "the proxy that the environment names for %s is a %s one; only http and https ones are used: "
            "%s is asked directly",
            *(scheme, proxy.scheme, host),
        )
        return None, {}
    if not proxy.user:
        return proxy, {}
    word = base64.b64encode(f"{proxy.user}:{proxy.password or ''}".encode()).decode()
    return proxy.with_user(None), {hdrs.PROXY_AUTHORIZATION: f"Basic {word}"}


def _theirs(name: str) -> bool:
    """Whether a response header is the provider's: not of the connection, not of another llm-simulator on the way."""
    return name not in HOP_BY_HOP and not name.startswith(OWN_PREFIX)


class _Stamped(ResponseHandler):
    """A connection that knows when bytes last came: whoever reads them has his turn later, when the loop is busy much later."""

    received_ns = 0

    def data_received(self, data: bytes) -> None:
        self.received_ns = time.monotonic_ns()
        super().data_received(data)


def _came_ns(clock: _Stamped | None) -> int:
    """When bytes last came; now, where the connection is no more known."""
    return clock.received_ns if clock is not None else time.monotonic_ns()


class _Body(AsyncIterator[tuple[int, bytes]]):
    """What arrives of a body. A reader that was cancelled while it waited may go on (a generator would be over)."""

    def __init__(self, response: aiohttp.ClientResponse, url: URL, clock: _Stamped | None) -> None:
        self._response = response
        self._url = url
        self._clock = clock
        self._chunks = response.content.iter_chunks()

    async def __anext__(self) -> tuple[int, bytes]:
        try:
            while True:
                data, _ = await anext(self._chunks)
                if data:
                    return _came_ns(self._clock), data
        except StopAsyncIteration:
            self._response.release()
            raise
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            self._response.close()
            silent = isinstance(error, TimeoutError)
            raise UpstreamError(
                "upstream_timeout" if silent else "upstream_reset",
                f"{self._url.host} broke off its response: {_short(error)}",
            ) from error


def _received(response: aiohttp.ClientResponse) -> Headers:
    received = ((name.decode("latin-1"), value.decode("latin-1")) for name, value in response.raw_headers)
    return tuple((name, value) for name, value in received if _theirs(name.lower()))


def _declined(shaken: _Handshake) -> Arrival:
    async def body() -> AsyncIterator[tuple[int, bytes]]:
        if shaken.body:
            yield time.monotonic_ns(), shaken.body

    return Arrival(
        shaken.status, shaken.reason, shaken.headers, shaken.head_ns, shaken.connect_ns, body(), close=lambda: None
    )


def _timing(context: SimpleNamespace) -> _Timing:
    timing: _Timing | None = context.trace_request_ctx
    return timing or _HANDSHAKE.get()


async def _connect_started(_: aiohttp.ClientSession, context: SimpleNamespace, __: object) -> None:
    _timing(context).started_ns = time.monotonic_ns()


async def _connect_ended(_: aiohttp.ClientSession, context: SimpleNamespace, __: object) -> None:
    timing = _timing(context)
    timing.connect_ns += time.monotonic_ns() - timing.started_ns


async def _answered(_: aiohttp.ClientSession, context: SimpleNamespace, end: aiohttp.TraceRequestEndParams) -> None:
    """Of a handshake, while there is still something to see."""
    shaken = _HANDSHAKE.get(None)
    if context.trace_request_ctx is not None or shaken is None:
        return
    response = end.response
    shaken.status, shaken.reason, shaken.head_ns = response.status, response.reason or "", time.monotonic_ns()
    shaken.headers = _received(response)
    if response.status != 101:
        shaken.body = await response.read()


def _as_upstream_error(error: BaseException, url: URL) -> UpstreamError:
    where = f"{url.host}:{url.port}"
    match error:
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientSSLError() | ssl.SSLError():
            return UpstreamError("upstream_tls", f"TLS with {where} failed: {_short(error)}")
        case TimeoutError():
            return UpstreamError("upstream_timeout", f"{where} did not answer in time: {_short(error)}", status=504)
        case aiohttp.ClientConnectorError() | aiohttp.ClientProxyConnectionError():
            return UpstreamError("upstream_unreachable", f"{where} cannot be reached: {_short(error)}")
        case _:
            return UpstreamError("upstream_reset", f"{where} broke off before its response: {_short(error)}")


def _short(error: BaseException) -> str:
    return (str(error) or type(error).__name__)[:200]
