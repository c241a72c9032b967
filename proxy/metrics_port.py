"""A second port that serves `/metrics` and nothing else."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable

from aiohttp import web

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class MetricsPort:
    """Listens on sockets that are bound; `read` gives the text at each request."""

    def __init__(self, read: Callable[[], Awaitable[bytes]]) -> None:
        self._read = read
        self._server = web.Server(self._handle, access_log=None)
        self._listening: list[asyncio.Server] = []

    @classmethod
    async def open(cls, doors: list[socket.socket], read: Callable[[], Awaitable[bytes]]) -> MetricsPort:
        port = cls(read)
        loop = asyncio.get_running_loop()
        port._listening = [await loop.create_server(port._server, sock=door) for door in doors]
        return port

    async def close(self) -> None:
        for server in self._listening:
            server.close()
        await self._server.shutdown(timeout=0.1)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.raw_path.partition("?")[0] != "/metrics":
            return web.Response(status=404, text="only /metrics is here\n")
        if request.method not in ("GET", "HEAD"):
            return web.Response(status=405, text="/metrics takes GET\n", headers={"allow": "GET, HEAD"})
        return web.Response(body=await self._read(), headers={"content-type": CONTENT_TYPE})
