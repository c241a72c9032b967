"""A proxy that refuses everyone and counts by host whom a program wanted to reach, past the base URLs it was given."""

from __future__ import annotations

import asyncio
from collections import Counter
from urllib.parse import urlsplit

HEAD_LIMIT = 64 * 1024
HEAD_SECONDS = 10.0


class RefusingDoor:
    """Speaks just enough of an HTTP proxy (CONNECT and absolute-form requests) to say no."""

    def __init__(self) -> None:
        self.refused: Counter[str] = Counter()
        self.url = ""
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._refuse, "127.0.0.1", 0, limit=HEAD_LIMIT)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()

    async def _refuse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), HEAD_SECONDS)
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError, ConnectionError):
            head = b""
        host = wanted_host(head)
        self.refused[host] += 1
        body = f"llm-simulator is offline in this mode: refused to contact {host}\n".encode("ascii", "replace")
        writer.write(
            b"HTTP/1.1 403 Forbidden\r\ncontent-type: text/plain\r\nx-should-retry: false\r\n"
            b"connection: close\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)
        )
        try:
            await writer.drain()
        except ConnectionError:
            pass  # the program has already given up; it is counted
        writer.close()


def wanted_host(head: bytes) -> str:
    """The host of a CONNECT or absolute-form request head; "(not a proxy request)" for anything else."""
    parts = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
    if len(parts) != 3:
        return "(not a proxy request)"
    target = f"//{parts[1]}" if parts[0] == "CONNECT" else parts[1]
    try:
        return urlsplit(target).hostname or "(not a proxy request)"
    except ValueError:
        return "(not a proxy request)"
