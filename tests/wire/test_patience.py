"""`server.request_timeout_secs`: what does not go on ends, what goes on is left alone."""

from __future__ import annotations

import socket
from dataclasses import replace
from typing import Any

import pytest
from serving import ask, serving
from standin import Asked, Script, standin

from llm_simulator.config.settings import Settings
from llm_simulator.proxy.server import Server
from llm_simulator.types import Mode

pytestmark = pytest.mark.wire

LIMIT = 0.6
HASTY = Settings(port=0, speed=0, request_timeout_secs=LIMIT)
HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer x\r\n"


def said(server: Server, *pieces: bytes) -> bytes:
    """All that the server says to who sends this and then nothing more, until it hangs up."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as client:
        for piece in pieces:
            client.sendall(piece)
        heard = b""
        while data := client.recv(65536):
            heard += data
        return heard


@pytest.mark.parametrize("pieces", [(), (HEAD,), (b"POS",)])
def test_a_head_that_does_not_come_is_not_waited_for(pieces: tuple[bytes, ...]) -> None:
    with serving(HASTY) as server:
        assert said(server, *pieces).startswith(b"HTTP/1.1 408 Request Timeout\r\n")


def test_a_body_that_does_not_come_is_a_408_in_the_providers_words() -> None:
    with serving(HASTY) as server:
        heard = said(server, HEAD + b'content-length: 100\r\n\r\n{"model"')
        assert heard.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
        assert b'"code": "request_timeout"' in heard
        assert b"x-should-retry" not in heard.lower()  # who sends faster succeeds: SDKs try by themselves
        told = said(
            server, b"POST /v1/messages HTTP/1.1\r\nhost: localhost\r\nx-api-key: x\r\ncontent-length: 9\r\n\r\n{"
        )
        assert b'"type":"error"' in told.replace(b" ", b"")
        assert [entry.status for entry in server.observer.journal] == [408, 408]


def test_a_connection_that_has_asked_may_be_silent() -> None:
    body = b'{"model":"gpt-4o","messages":[{"role":"user","content":"Hi"}]}'
    whole = HEAD + b"content-length: %d\r\n\r\n" % len(body) + body
    with serving(HASTY) as server, socket.create_connection(("127.0.0.1", server.port), timeout=30) as client:
        client.sendall(whole)
        assert client.recv(65536).startswith(b"HTTP/1.1 200 OK\r\n")
        other = said(server)  # meanwhile another one that asked for nothing is hung up on
        assert other.startswith(b"HTTP/1.1 408")
        client.sendall(whole)
        assert client.recv(65536).startswith(b"HTTP/1.1 200 OK\r\n")


def asked(script: Script, settings: Settings, body: Any) -> Any:
    def answer(_: Asked) -> Script:
        return script

    with standin(answer, None) as provider:
        upstreams = {"api.openai.com": provider.url}
        with serving(replace(settings, mode=Mode.PASSTHROUGH, upstreams=upstreams)) as server:
            got = ask(server.base_url, "/api.openai.com/v1/chat/completions", body, timeout=30)
            ask(server.base_url, "/live")  # a call is noted in the step of the loop that ends it
            return got, list(server.observer.journal)


EVENT = b'data: {"choices":[]}\n\n'
STREAM = (("content-type", "text/event-stream"),)
BODY = {"model": "gpt-4o", "messages": [], "stream": True}


def test_an_upstream_that_falls_silent_is_given_up() -> None:
    got, journal = asked(Script(headers=STREAM, chunks=((0, EVENT), (0, EVENT)), end="stall"), HASTY, BODY)
    assert (got.status, got.complete, got.body) == (200, False, EVENT * 2)
    assert journal[0].outcome == "truncated"


def test_an_upstream_that_does_not_answer_is_a_504() -> None:
    got, _ = asked(Script(headers=STREAM, chunks=((30, EVENT),)), replace(HASTY, request_timeout_secs=0.3), BODY)
    # the stand-in sends its head at once: silent is what comes after it
    assert (got.status, got.complete) == (200, False)


def test_an_upstream_that_goes_on_may_take_its_time() -> None:
    chunks = tuple((LIMIT / 3, EVENT) for _ in range(8))
    got, journal = asked(Script(headers=STREAM, chunks=chunks), HASTY, BODY)
    assert (got.status, got.complete, got.body) == (200, True, EVENT * 8)
    assert journal[0].outcome == "complete"
