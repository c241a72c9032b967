"""Every line on streams of docs/edge-cases.md, in every dialect."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from edge_forms import FORMS, OPENAI, Form
from serving import ask, serving

from llm_simulator.config.load import from_mapping
from llm_simulator.config.settings import Settings
from llm_simulator.proxy.server import Server
from llm_simulator.simulator.style import Style
from llm_simulator.types import Mode

pytestmark = pytest.mark.wire

SIMULATED = Settings(port=0, mode=Mode.SIMULATE, journal_size=0, log_level="error")
ENDS = {
    "openai": "data: [DONE]",
    "azure": "data: [DONE]",
    "mistral": "data: [DONE]",
    "groq": "data: [DONE]",
    "responses": "event: response.completed",
    "anthropic": "event: message_stop",
    "gemini": '"finishReason"',
    "vertex": '"finishReason"',
    "cohere": "message-end",
}
"""What the last events of a stream hold."""


def request(form: Form, said: str = "Tell me a story.") -> bytes:
    path, extra = form.streaming
    body = json.dumps(form.body(said, **extra)).encode()
    headers = {"host": "localhost", "content-length": str(len(body)), "connection": "close", **form.headers}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST {path} HTTP/1.1\r\n{head}\r\n".encode() + body


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not happen within 10 s")


async def leave(server: Server, sent: bytes, seen: int, *, abruptly: bool) -> None:
    """Asks, reads so many bytes of the answer (all, where it has less), and is gone: with a FIN, or a reset."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(sent)
    await writer.drain()
    if seen:
        with suppress(asyncio.IncompleteReadError):  # it was shorter
            await reader.readexactly(seen)
    if abruptly:
        writer.transport.abort()
    else:
        writer.close()
        await writer.wait_closed()


LEAVES = [0, 1, 20, 400, 900, 2000, 1 << 20]


@pytest.mark.parametrize("abruptly", [False, True], ids=["closed", "reset"])
@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_a_client_may_leave_at_any_point_and_nothing_is_left(form: Form, abruptly: bool) -> None:
    """Tasks, sockets and the objects of memory are counted."""

    async def main() -> None:
        server = await Server.start(replace(SIMULATED, speed=20), {})
        try:
            before = await come_and_go(server, form, abruptly=abruptly)
            after = await come_and_go(server, form, abruptly=abruptly)
            assert after[:2] == before[:2]
            assert after[2] - before[2] < 100 * len(
                LEAVES
            )  # what lasts a run (counts, free lists), not a stream's 1000s
        finally:
            await server.stop()

    asyncio.run(main())


async def come_and_go(server: Server, form: Form, *, abruptly: bool) -> tuple[int, int, int]:
    """Clients leave at all points at once, three times; what is left then."""
    for _ in range(3):
        await asyncio.gather(*(leave(server, request(form), seen, abruptly=abruptly) for seen in LEAVES))
    await settled(server)
    return counted()


async def settled(server: Server) -> None:
    mine = {asyncio.current_task()}
    assert await server.settled(10)
    await until(lambda: not [task for task in asyncio.all_tasks() - mine if "RequestHandler" in repr(task)])


def counted() -> tuple[int, int, int]:
    """Tasks of this loop, open files of the process, blocks of memory."""
    gc.collect()
    return len(asyncio.all_tasks()), open_files(), sys.getallocatedblocks()


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_one_that_is_gone_before_the_first_token_is_noted(form: Form) -> None:
    """The answer would begin after minutes; the server knows at once that nobody waits for it."""

    async def main() -> None:
        server = await Server.start(replace(SIMULATED, speed=0.001, journal_size=10), {})
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(request(form))
            await writer.drain()
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(reader.read(1), 0.1)
            writer.close()
            await until(lambda: server.observer.journal.total == 1)
            [entry] = server.observer.journal
            assert (entry.outcome, entry.ttft, entry.source) == ("client-gone", None, "simulator")
        finally:
            await server.stop()

    asyncio.run(main())


WORDS = 100_000


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_a_stream_of_100_000_tokens_comes_to_its_end(form: Form) -> None:
    settings = replace(SIMULATED, speed=0, style=Style(text="fixed", content=" word" * WORDS), journal_size=1)
    path, extra = form.streaming
    body = form.body(**extra)
    body.pop("max_tokens", None)  # Anthropic's is required, but not when lenient
    if form.name == "anthropic":
        body.update(max_tokens=128_000, model="claude-sonnet-4-6")
    with serving(settings) as server:
        got = ask(server.base_url, path, body, headers=form.headers, timeout=50)
        assert ask(server.base_url, "/live").status == 200
        [entry] = server.observer.journal
    assert (got.status, got.complete) == (200, True)
    text = got.body.decode()
    assert ENDS[form.name] in text
    assert text.count("word") >= WORDS
    assert (entry.completion_tokens or 0) >= WORDS


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_a_stream_of_no_tokens_has_its_terminator(form: Form) -> None:
    scenario = {"rules": [{"name": "mute", "then": {"respond": "{{ '' }}"}}]}
    settings = from_mapping({"scenario": "mute", "scenarios": {"mute": scenario}, "simulation": {"speed": 0}})
    path, extra = form.streaming
    with serving(replace(settings, port=0, journal_size=1)) as server:
        got = ask(server.base_url, path, form.body(**extra), headers=form.headers)
        assert ask(server.base_url, "/live").status == 200
        [entry] = server.observer.journal
    assert (got.status, got.complete, got.header("x-llm-simulator-source")) == (200, True, "response")
    assert ENDS[form.name] in got.body.decode()
    assert entry.completion_tokens in (0, 1, 2)  # what the provider bills for saying nothing


@pytest.mark.parametrize("speed", [0.0, 1e6], ids=["unpaced", "paced"])
def test_a_slow_reader_gets_it_all_and_costs_no_memory(speed: float) -> None:
    """Nothing is read for a while: what waits to be sent stays bounded. Then all of it is read, slowly."""

    async def main() -> None:
        style = Style(text="fixed", content=" word" * 40_000)
        server = await Server.start(replace(SIMULATED, speed=speed, style=style), {})
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1 << 12)
            writer.write(request(OPENAI))
            await asyncio.sleep(0.3)
            gc.collect()
            waiting = sys.getallocatedblocks()
            data = b""
            while b"[DONE]" not in data[-2000:]:
                data += await reader.read(1 << 16)
                await asyncio.sleep(0)
            assert data.count(b" word") == 40_000
            gc.collect()
            assert waiting - sys.getallocatedblocks() < 80_000  # a fraction of the 40,000 chunks, each of several
            writer.close()
        finally:
            await server.stop()

    asyncio.run(main())


WHOLE = ("gemini", "vertex", "mistral")
"""Dialects that send a tool call in one event: there the stream breaks after it."""


def test_a_stream_keeps_its_scenario_when_another_is_activated() -> None:
    """It breaks as its own scenario has it, and the next call is under the new one."""
    cut = {"kind": "early_close", "after_tokens": 30}
    names = {
        "first": {"rules": [{"name": "cut", "then": {"mode": "simulate", "speed": 20, "fault": cut}}]},
        "second": {"rules": [{"name": "whole", "then": {"mode": "simulate", "speed": 0}}]},
    }
    settings = from_mapping({"scenario": "first", "scenarios": names, "simulation": {"style": LONG}})

    async def main() -> None:
        server = await Server.start(replace(settings, port=0), {})
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(request(OPENAI))
            got = await reader.readuntil(b"word")
            server.stage.activate("second")
            got += await reader.read()
            writer.close()
            assert b"x-llm-simulator-scenario: first" in got
            assert b"[DONE]" not in got
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1 << 20)
            writer.write(request(OPENAI))
            got = await reader.read()
            writer.close()
            assert b"x-llm-simulator-scenario: second" in got
            assert b"[DONE]" in got
        finally:
            await server.stop()

    asyncio.run(main())


LONG = {"text": "fixed", "content": " word" * 100}
FAULTS = ["early_close", "reset_mid_stream", "truncated_chunk", "malformed_json"]


@pytest.mark.parametrize("kind", FAULTS)
@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_a_fault_in_the_middle_of_a_tool_call(form: Form, kind: str) -> None:
    """The text before it is whole, the call begun; its arguments never end, where they are streamed."""
    call = {"name": "look", "arguments": {"city": "Oslo and Bergen", "days": "three or four"}}
    respond = {"text": "Let me look.", "tool_calls": [call]}
    fault = {"kind": kind, "in_tool_call": True, "after_tokens": 2}
    drill = {"rules": [{"name": "cut", "then": {"respond": respond, "fault": fault}}]}
    settings = from_mapping({"scenario": "drill", "scenarios": {"drill": drill}, "simulation": {"speed": 0}})
    path, extra = form.streaming
    assert form.tool is not None
    body: Any = {**form.body(**extra), **form.tool({"type": "object", "properties": {"city": {"type": "string"}}})}
    with serving(replace(settings, port=0, journal_size=1)) as server:
        got = ask(server.base_url, path, body, headers=form.headers)
        assert ask(server.base_url, "/live").status == 200
        [entry] = server.observer.journal
    assert entry.fault == kind
    assert got.complete is (kind == "malformed_json")
    assert b"look" in got.body.replace(b"Let me look", b"")
    data = [line[5:].strip() for line in got.body.split(b"\n") if line.startswith(b"data:") and b"[DONE]" not in line]
    whole = [piece for piece in data if parses(piece)]
    if kind == "malformed_json":
        assert len(data) - len(whole) == 1
    else:
        assert ENDS[form.name].encode() not in got.body or form.name in WHOLE
        assert b"three or four" not in got.body.replace(b"\\", b"") or form.name in WHOLE


def parses(piece: bytes) -> bool:
    try:
        json.loads(piece)
    except ValueError:
        return False
    return True
