"""Clients that leave before the end: at the last event (some SDKs do), in the middle, before anything came."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from serving import ask, serving
from standin import Asked, Script, Standin, standin

from llm_simulator.config.settings import Settings
from llm_simulator.proxy.server import Server
from llm_simulator.types import Mode

pytestmark = pytest.mark.wire

TARGET = "/api.openai.com/v1/chat/completions"
BODY = b'{"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hi"}], "stream": true}'
SSE = (("content-type", "text/event-stream"),)
FIRST = (
    b'data: {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o-mini", '
    b'"choices": [{"index": 0, "delta": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}], '
    b'"usage": {"prompt_tokens": 8, "completion_tokens": 1, "total_tokens": 9}}\n\n'
)
DONE = b"data: [DONE]\n\n"


@contextmanager
def recording(script: Script, cassette: Path, mode: Mode = Mode.RECORD) -> Generator[tuple[Server, Standin]]:
    with standin(lambda asked: script, None) as provider:
        settings = Settings(cassette=str(cassette), mode=mode, port=0, upstreams={"api.openai.com": provider.url})
        with serving(settings) as server:
            yield server, provider


def leave_after(port: int, seen: bytes) -> None:
    """Asks, reads until `seen` has come and hangs up."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
        head = f"POST {TARGET} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {len(BODY)}\r\n\r\n"
        sock.sendall(head.encode() + BODY)
        got = b""
        while seen not in got:
            got += sock.recv(65536)


def until(condition: Callable[[], Any]) -> Any:
    """The first truthy value of `condition`, asked for again and again."""
    for _ in range(500):
        if value := condition():
            return value
        threading.Event().wait(0.02)
    raise AssertionError("it did not happen within 10 s")


def last_call(server: Server) -> dict[str, Any]:
    calls = until(lambda: ask(server.base_url, "/admin/calls").json()["calls"])
    last: dict[str, Any] = calls[-1]
    return last


def replayed(cassette: Path) -> tuple[int, bytes]:
    with serving(Settings(cassette=str(cassette), mode=Mode.REPLAY, port=0)) as server:
        got = ask(server.base_url, TARGET, BODY)
        return got.status, got.body


@pytest.mark.parametrize("linger", [0.0, 0.1])
def test_a_client_that_hangs_up_at_the_last_event_has_a_whole_recording(tmp_path: Path, linger: float) -> None:
    """The synchronous OpenAI SDK does so at `[DONE]`, whether or not the end of the body has come by then."""
    script = Script(headers=SSE, chunks=((0, FIRST), (0.01, DONE)), linger=linger)
    with recording(script, tmp_path / "c.db") as (server, _):
        leave_after(server.port, DONE)
        call = last_call(server)
        assert (call["outcome"], call["recorded"]) == ("complete", True)
        assert (call["prompt_tokens"], call["completion_tokens"]) == (8, 1)
        assert server.observer.tally.total().recorded == 1
    assert replayed(tmp_path / "c.db") == (200, FIRST + DONE)


def test_verify_compares_for_such_a_client_too(tmp_path: Path) -> None:
    cassette = tmp_path / "c.db"
    with recording(Script(headers=SSE, chunks=((0, FIRST), (0, DONE))), cassette) as (server, _):
        leave_after(server.port, DONE)
        last_call(server)
    changed = FIRST.replace(b'"index": 0', b'"index": "0"')
    with recording(Script(headers=SSE, chunks=((0, changed), (0, DONE)), linger=0.1), cassette, Mode.VERIFY) as (
        server,
        _,
    ):
        leave_after(server.port, DONE)
        assert "index was number, is string" in last_call(server)["differs"]


def test_one_that_leaves_in_the_middle_has_a_partial_recording_that_does_not_replay(tmp_path: Path) -> None:
    script = Script(headers=SSE, chunks=((0, FIRST), (5, DONE)))
    with recording(script, tmp_path / "c.db") as (server, _):
        leave_after(server.port, FIRST)
        call = last_call(server)
        assert (call["outcome"], call["recorded"]) == ("client-gone", True)
    assert replayed(tmp_path / "c.db")[0] == 404


def test_one_that_leaves_before_the_response_is_counted(tmp_path: Path) -> None:
    hold, arrived = threading.Event(), threading.Event()

    def answer(asked: Asked) -> Script:
        arrived.set()
        hold.wait(10)
        return Script()

    with standin(answer, None) as provider:
        settings = Settings(mode=Mode.PASSTHROUGH, port=0, upstreams={"api.openai.com": provider.url})
        try:
            with serving(settings) as server:
                with socket.create_connection(("127.0.0.1", server.port), timeout=10) as sock:
                    head = f"POST {TARGET} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {len(BODY)}\r\n\r\n"
                    sock.sendall(head.encode() + BODY)
                    assert arrived.wait(10)
                call = last_call(server)
                assert (call["outcome"], call["source"], call["status"]) == ("client-gone", "upstream", 0)
        finally:
            hold.set()
