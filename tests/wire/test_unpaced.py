"""At speed 0 a long answer goes out in large writes, waits for a slow reader, and ends as it was recorded."""

from __future__ import annotations

import asyncio
import json
import socket
from pathlib import Path

import pytest
from serving import serving

from llm_simulator import dialects
from llm_simulator.cassettes.cassette import Cassette
from llm_simulator.config.settings import Settings
from llm_simulator.types import Exchange, Mode, Outcome, RawRequest

pytestmark = pytest.mark.wire

BODY = json.dumps({"model": "gpt-4o", "stream": True, "messages": [{"role": "user", "content": "hi"}]}).encode()
REQUEST = RawRequest("POST", "/v1/chat/completions", headers=(("content-type", "application/json"),), body=BODY)
CHUNKS = tuple((number * 10**9, b"data: %d %b\n\n" % (number, b"x" * 5000)) for number in range(2000))


def _cassette(folder: Path, outcome: Outcome) -> str:
    headers = (("content-type", "text/event-stream"),)
    exchange = Exchange(REQUEST, "openai", "openai.chat", "chat", "gpt-4o", True, 200, headers, CHUNKS, "OK", outcome)

    async def write() -> None:
        made = await Cassette.open(str(folder / "long.db"), read=dialects.read, writable=True)
        await made.add(exchange, dialects.read(REQUEST), replace=False)
        await made.close()

    asyncio.run(write())
    return str(folder / "long.db")


def _sock(port: int) -> socket.socket:
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.settimeout(20)
    sock.connect(("127.0.0.1", port))
    head = f"POST {REQUEST.path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {len(BODY)}\r\n\r\n"
    sock.sendall(head.encode() + BODY)
    return sock


@pytest.mark.parametrize("outcome", [Outcome.COMPLETE, Outcome.TRUNCATED])
def test_a_slow_reader_gets_it_all(tmp_path: Path, outcome: Outcome) -> None:
    settings = Settings(cassette=_cassette(tmp_path, outcome), mode=Mode.REPLAY, port=0, speed=0, allow_truncated=True)
    with serving(settings) as server, _sock(server.port) as sock:
        got = b""
        pieces = []
        while not got.endswith(b"\r\n0\r\n\r\n") and (piece := sock.recv(1 << 16)):
            pieces.append(piece)
            got = got[-8:] + piece
        raw = b"".join(pieces)
    body = raw.partition(b"\r\n\r\n")[2]
    expected = b"".join(b"%x\r\n%b\r\n" % (len(data), data) for _, data in CHUNKS)
    assert body == expected + (b"0\r\n\r\n" if outcome is Outcome.COMPLETE else b"")


def test_a_reader_that_leaves_is_noticed(tmp_path: Path) -> None:
    settings = Settings(cassette=_cassette(tmp_path, Outcome.COMPLETE), mode=Mode.REPLAY, port=0, speed=0)
    with serving(settings) as server:
        with _sock(server.port) as sock:
            assert sock.recv(1000).startswith(b"HTTP/1.1 200 OK\r\n")
        with _sock(server.port) as sock:  # and the next one is served
            assert sock.recv(1000).startswith(b"HTTP/1.1 200 OK\r\n")
    assert {entry.outcome for entry in server.observer.journal} == {"client-gone"}
