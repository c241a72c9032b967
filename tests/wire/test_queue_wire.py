"""Concurrency and backpressure: so many at once, a bounded line, and a clear answer to everyone else."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from serving import Got, ask, command_serving, serving

from llm_simulator.config.load import from_mapping
from llm_simulator.proxy.server import Server

pytestmark = pytest.mark.wire

HI: Any = [{"role": "user", "content": "Hi"}]
CHAT = {"model": "gpt-4o", "messages": HI}
PATHS: dict[str, tuple[str, Any]] = {
    "openai": ("/api.openai.com/v1/chat/completions", CHAT),
    "anthropic": ("/api.anthropic.com/v1/messages", {"model": "claude-opus-5", "max_tokens": 50, "messages": HI}),
    "azure": ("/x.openai.azure.com/openai/deployments/d/chat/completions", {"messages": HI}),
    "gemini": (
        "/generativelanguage.googleapis.com/v1beta/models/gemini-2.5-flash:generateContent",
        {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]},
    ),
    "cohere": ("/api.cohere.com/v2/chat", {"model": "command-a-03-2025", "messages": HI}),
}
HANGING = [{"when": {"header": {"x-hang": None}}, "then": {"fault": "hang_before_headers"}}, {"then": "server"}]


@contextmanager
def crowded(most: int, line: int, timeout: float = 20, **more: Any) -> Generator[Server]:
    """A server with so many slots; a call with the header `x-hang` never ends by itself."""
    concurrency = {"max_concurrent_requests": most, "queue_size": line, **more}
    sections = {
        "server": {"request_timeout_secs": timeout, "drain_secs": 0.3},
        "simulation": {"speed": 0, "concurrency": concurrency},
        "scenario": "hang",
        "scenarios": {"hang": {"rules": HANGING}},
    }
    with serving(replace(from_mapping(sections), port=0)) as server:
        yield server


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        threading.Event().wait(0.005)


def waiting(server: Server) -> int:
    assert server.kit is not None
    return server.kit.tools.turnstile.waiting


def running(server: Server) -> int:
    kept: Any = asyncio.run(server.state.values("slots"))
    return sum(sum(value["running"].values()) for value in kept.values())


class Held:
    """A call over a socket of its own that a test can hang up."""

    def __init__(self, server: Server, name: str = "openai", hang: bool = True) -> None:
        import socket

        path, body = PATHS[name]
        data = json.dumps(body).encode()
        self.socket = socket.create_connection(("127.0.0.1", server.port))
        extra = "x-hang: 1\r\n" if hang else ""
        head = f"POST {path} HTTP/1.1\r\nhost: localhost\r\n{extra}content-length: {len(data)}\r\n\r\n"
        self.socket.sendall(head.encode() + data)

    def leave(self) -> None:
        self.socket.close()


def asked(server: Server, name: str = "openai") -> Got:
    return ask(server.base_url, *PATHS[name])


@contextmanager
def background() -> Generator[Callable[..., Future[Got]]]:
    with ThreadPoolExecutor(8) as pool:

        def later(server: Server, name: str = "openai") -> Future[Got]:
            return pool.submit(asked, server, name)

        yield later


REFUSED = [("openai", 503), ("anthropic", 529), ("azure", 503), ("gemini", 503), ("cohere", 503)]


@pytest.mark.parametrize(("name", "status"), REFUSED)
def test_above_limit_and_line_the_provider_is_overloaded(name: str, status: int) -> None:
    with crowded(1, 0) as server:
        held = Held(server)
        until(lambda: running(server) == 1)
        refused = asked(server, name)
        assert (refused.status, refused.header("retry-after")) == (status, "1")
        assert "error" in refused.json() or "message" in refused.json()
        assert refused.header("x-llm-simulator-state") == "queue"
        held.leave()
        until(lambda: running(server) == 0)
        assert asked(server, name).status == 200


def test_who_waits_in_the_line_is_answered_in_his_turn() -> None:
    with crowded(1, 2) as server, background() as ask_later:
        held = Held(server)
        until(lambda: running(server) == 1)
        first = ask_later(server)
        until(lambda: waiting(server) == 1)
        second = ask_later(server)
        until(lambda: waiting(server) == 2)
        assert asked(server).status == 503
        shown = ask(server.base_url, "/admin/limits").json()["slots"]
        assert shown == [{"of": "server", "limit": 1, "running": 1, "waiting": 2}]
        held.leave()
        answers = [first.result(20), second.result(20)]
        assert [got.status for got in answers] == [200, 200]
        assert all(got.header("x-llm-simulator-state").startswith("queued ") for got in answers)


def test_a_client_that_leaves_the_line_frees_its_place() -> None:
    with crowded(1, 1) as server, background() as ask_later:
        held = Held(server)
        until(lambda: running(server) == 1)
        gone = Held(server, hang=False)
        until(lambda: waiting(server) == 1)
        gone.leave()
        until(lambda: waiting(server) == 0)
        later = ask_later(server)
        until(lambda: waiting(server) == 1)
        held.leave()
        assert later.result(20).status == 200
    assert [entry.outcome for entry in server.observer.journal if entry.outcome == "client-gone"]


def test_who_waits_longer_than_the_request_timeout_is_refused() -> None:
    with crowded(1, 1, timeout=0.1) as server:
        held = Held(server)
        until(lambda: running(server) == 1)
        refused = asked(server)
        assert refused.status == 503
        assert waiting(server) == 0
        held.leave()
    assert [entry.note for entry in server.observer.journal if "too long" in entry.note]


def test_a_provider_has_a_limit_of_its_own() -> None:
    with crowded(10, 0, providers={"anthropic": {"max_concurrent_requests": 1}}) as server:
        held = Held(server, "anthropic")
        until(lambda: running(server) == 2)  # its provider's slot and the server's
        assert asked(server, "anthropic").status == 529
        assert asked(server).status == 200
        held.leave()


def test_at_shutdown_who_waits_is_refused_at_once() -> None:
    with background() as ask_later:
        with crowded(1, 3) as server:
            held = Held(server)
            until(lambda: running(server) == 1)
            queued = [ask_later(server) for _ in range(3)]
            until(lambda: waiting(server) == 3)
        answers = [each.result(20) for each in queued]
        held.leave()
    assert [got.status for got in answers] == [503] * 3
    assert all(b"shutting down" in got.body for got in answers)


def test_a_burst_ends_with_everyone_answered_or_refused() -> None:
    """2,000 sockets at once, here; `benchmarks/burst.py` does it with 10,000."""
    burst = 2_000
    if resource.getrlimit(resource.RLIMIT_NOFILE)[0] < 2 * burst + 500:
        pytest.skip("this process may not open that many files")
    with crowded(50, 500) as server:
        statuses = asyncio.run(_burst(server.port, burst))
        assert (waiting(server), running(server)) == (0, 0)
    assert sum(statuses.values()) == burst
    assert set(statuses) <= {200, 503}
    assert statuses[200] >= 50


async def _burst(port: int, number: int) -> Counter[int]:
    data = json.dumps(CHAT).encode()
    head = f"POST {PATHS['openai'][0]} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {len(data)}\r\n\r\n"
    request = head.encode() + data
    go = asyncio.Event()

    async def one() -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        await go.wait()
        writer.write(request)
        status = int((await reader.readline()).split()[1])
        await reader.read()
        writer.close()
        return status

    tasks = [asyncio.create_task(one()) for _ in range(number)]
    await asyncio.sleep(0.5)
    go.set()
    return Counter(await asyncio.gather(*tasks))


CREW = """
server: {workers: 2, drain_secs: 0.3}
simulation: {speed: 0, concurrency: {max_concurrent_requests: 1}}
scenario: hang
scenarios: {hang: {rules: [{when: {header: {x-hang: null}}, then: {fault: hang_before_headers}}, {then: server}]}}
"""


def test_slots_of_a_worker_that_died_are_free_again(tmp_path: Path) -> None:
    config = tmp_path / "llm-simulator.yaml"
    config.write_text(CREW, encoding="utf-8")
    with command_serving("--config", str(config)) as (base_url, _):
        path, body = PATHS["openai"]
        with ThreadPoolExecutor(1) as pool:
            held = pool.submit(ask, base_url, path, body, headers={"x-hang": "1"})
            until(lambda: [slot["running"] for slot in ask(base_url, "/admin/limits").json()["slots"]] == [1])
            assert ask(base_url, path, body).status == 503
            for worker in ask(base_url, "/admin/workers").json()["workers"]:
                os.kill(worker["process"], signal.SIGKILL)
            assert held.exception(20) is not None
        until(lambda: answered(base_url, path, body))


def answered(base_url: str, path: str, body: Any) -> bool:
    """Whether a new worker answers, once there is one."""
    try:
        return ask(base_url, path, body).status == 200
    except OSError:
        return False
