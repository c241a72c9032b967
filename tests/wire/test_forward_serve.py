"""`serve --proxy-port`, the commands around the door, and its child process: started, watched, ended."""

from __future__ import annotations

import asyncio
import http.client
import json
import logging
import os
import shlex
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
from serving import ask, command_serving, free_port, llm_simulator
from standin import Asked, Script, standin
from websockets.sync.client import connect

from llm_simulator import dialects
from llm_simulator.cassettes.cassette import Cassette
from llm_simulator.config.settings import Settings
from llm_simulator.errors import ConfigError
from llm_simulator.proxy.capture import Door, prepare_authority
from llm_simulator.types import Exchange, Mode, RawRequest

pytestmark = [pytest.mark.wire, pytest.mark.timeout(240)]

OFFSETS_MS = (50, 400, 750, 1100)


@pytest.fixture(scope="module")
def environ(capture_python: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    data = tmp_path_factory.mktemp("data")
    return {"LLM_SIMULATOR_CAPTURE_PYTHON": capture_python, "XDG_DATA_HOME": str(data)}


@pytest.fixture(scope="module")
def authority(environ: dict[str, str]) -> Path:
    return prepare_authority(Settings(), environ)


@pytest.fixture(scope="module")
def streams(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cassette with one answer of OpenAI that takes a second."""
    path = tmp_path_factory.mktemp("cassette") / "c.yaml"
    request = RawRequest("GET", "/v1/responses/resp_1", host="api.openai.com", query="stream=true")
    chunks = tuple((ms * 1_000_000, b'data: {"n": %d}\n\n' % ms) for ms in OFFSETS_MS)
    call = dialects.read(request)
    exchange = Exchange(
        request=request,
        provider=call.provider,
        family=call.family,
        operation=call.operation,
        model="",
        stream=True,
        status=200,
        headers=(("content-type", "text/event-stream"), ("transfer-encoding", "chunked")),
        chunks=chunks,
    )

    async def keep() -> None:
        made = await Cassette.open(str(path), read=dialects.read, writable=True)
        await made.add(exchange, call, replace=False)
        await made.close()

    asyncio.run(keep())
    return path


@contextmanager
def door_of(environ: dict[str, str], *arguments: str) -> Generator[tuple[str, int]]:
    """`serve` with a door; its base URL and the door's port."""
    port = free_port()
    with command_serving("--proxy-port", str(port), *arguments, environ=environ) as (base_url, _):
        wait_until(lambda: answers(port))
        yield base_url, port


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def through(port: int, authority: Path, host: str = "api.openai.com") -> http.client.HTTPSConnection:
    context = ssl.create_default_context(cafile=authority / "ca.pem")
    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=20, context=context)
    connection.set_tunnel(host, 443)
    return connection


def timed(connection: http.client.HTTPSConnection, target: str) -> list[tuple[float, bytes]]:
    """What each read of a 200 answer brought, and when, in seconds after the request."""
    started = time.monotonic()
    connection.request("GET", target)
    response = connection.getresponse()
    assert response.status == 200
    got: list[tuple[float, bytes]] = []
    while piece := response.read1(1 << 16):
        got.append((time.monotonic() - started, piece))
    return got


def test_each_chunk_arrives_when_it_is_due(environ: dict[str, str], authority: Path, streams: Path) -> None:
    with door_of(environ, "--mode", "replay", "--cassette", str(streams)) as (_, port):
        connection = through(port, authority)
        timed(connection, "/v1/responses/resp_1?stream=true")  # the first one pays for connections
        got = timed(connection, "/v1/responses/resp_1?stream=true")
        connection.close()
    assert [piece for _, piece in got] == [b'data: {"n": %d}\n\n' % ms for ms in OFFSETS_MS]
    assert all(ms / 1000 <= at for (at, _), ms in zip(got, OFFSETS_MS, strict=True)), got
    assert got[0][0] < OFFSETS_MS[-1] / 1000, got  # nothing waited for the end


def test_large_bodies_pass_both_ways(environ: dict[str, str], authority: Path) -> None:
    body = bytes(range(256)) * (30 * 4096)  # 30 MiB

    def echo(asked: Asked) -> Script:
        return Script(chunks=((0, asked.body),))

    with (
        standin(echo, None) as provider,
        door_of(environ, "--mode", "passthrough", "--upstream", f"api.openai.com={provider.url}") as (_, port),
    ):
        connection = through(port, authority)
        for headers in ({}, {"Transfer-Encoding": "chunked"}):
            data = iter((body[:1000], body[1000:])) if headers else body
            connection.request("POST", "/v1/files", data, headers, encode_chunked=bool(headers))
            response = connection.getresponse()
            assert (response.status, response.read() == body) == (200, True)
        connection.close()
    assert [asked.body == body for asked in provider.asked] == [True, True]


@pytest.mark.parametrize("path", ["/api.openai.com/v1/models", "/ready", "/admin"])
def test_a_token_of_another_run_is_refused(environ: dict[str, str], path: str) -> None:
    with door_of(environ, "--mode", "simulate") as (base_url, _):
        got = ask(base_url, path, headers={"x-llm-simulator-door": "of-another-run"})
        assert got.status == 403
        assert got.json()["error"]["message"].startswith("the token in x-llm-simulator-door is not that of this run")
        assert ask(base_url, "/api.openai.com/v1/models").status == 200


def test_what_a_web_page_asks_its_provider_passes_the_door(environ: dict[str, str], authority: Path) -> None:
    """By base URL a foreign origin is turned away; through the door the provider's own rules count."""
    with door_of(environ, "--mode", "simulate") as (base_url, port):
        origin = {"Origin": "https://page.example"}
        assert ask(base_url, "/api.openai.com/v1/models", headers=origin).status == 403
        connection = through(port, authority)
        connection.request("GET", "/v1/models", headers=origin)
        assert connection.getresponse().status == 200
        connection.close()


def test_serve_without_a_capture_environment_names_the_command(tmp_path: Path) -> None:
    environ = {"LLM_SIMULATOR_CAPTURE_PYTHON": "", "XDG_DATA_HOME": str(tmp_path)}
    for command in (
        ("serve", "--proxy-port", "0"),
        ("run", "--proxy", "--", "true"),
        ("ca", "path"),
        ("capture", "path"),
    ):
        done = llm_simulator(*command, environ=environ)
        assert done.returncode == 2
        assert "make it once with `llm-simulator capture install`" in done.stderr
        assert done.stderr.startswith("error: the HTTPS_PROXY door needs mitmproxy in an environment of its own")


def test_the_commands_of_the_authority(environ: dict[str, str], authority: Path) -> None:
    assert llm_simulator("ca", "path", environ=environ).stdout == f"{authority / 'ca.pem'}\n"
    assert str(authority / "ca.pem") in llm_simulator("ca", "install-hints", environ=environ).stdout
    told = llm_simulator("ca", "env", "--proxy", "http://127.0.0.1:9/", environ=environ).stdout
    variables = dict(line.removeprefix("export ").partition("=")[::2] for line in told.splitlines())
    assert variables["HTTPS_PROXY"] == variables["http_proxy"] == "http://127.0.0.1:9"
    assert variables["NODE_USE_ENV_PROXY"] == "1"
    bundle = Path(shlex.split(variables["SSL_CERT_FILE"])[0])
    assert variables["REQUESTS_CA_BUNDLE"] == variables["NODE_EXTRA_CA_CERTS"] == str(bundle)
    text = bundle.read_text()
    assert text.startswith((authority / "ca.pem").read_text().strip())
    assert text.count("BEGIN CERTIFICATE") > 50  # the system's roots are in it
    python = environ["LLM_SIMULATOR_CAPTURE_PYTHON"]
    assert llm_simulator("capture", "path", environ=environ).stdout == f"{python}\n"
    as_json = {
        command: json.loads(llm_simulator(*command.split(), "--json", environ=environ).stdout)
        for command in ("ca path", "ca env", "ca install-hints", "capture path")
    }
    assert as_json["ca path"] == {"path": str(authority / "ca.pem")}
    assert as_json["ca env"]["SSL_CERT_FILE"] == str(bundle)
    assert as_json["ca install-hints"]["path"] == str(authority / "ca.pem")
    assert as_json["capture path"]["interpreter"] == python


@asynccontextmanager
async def started(environ: dict[str, str], authority: Path, port: int = 0) -> AsyncGenerator[Door]:
    door = await Door.start(
        Settings(mode=Mode.REPLAY), environ, "http://127.0.0.1:9", "token", authority=authority, port=port
    )
    try:
        yield door
    finally:
        await door.stop()


def processes() -> str:
    listed = subprocess.run(
        ["ps", "-ww", "-o", "args=", "--ppid", str(os.getpid())], capture_output=True, text=True, check=True
    )
    return listed.stdout


async def _refuse_one(door: Door) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    writer.write(b"CONNECT outside.example:443 HTTP/1.1\r\nHost: outside.example:443\r\n\r\n")
    head = await reader.readuntil(b"\r\n")
    await reader.read()
    writer.close()
    return head.decode()


def test_the_child_counts_whom_it_refused_and_ends_with_us(environ: dict[str, str], authority: Path) -> None:
    async def use() -> None:
        async with started(environ, authority) as door:
            assert "forward.py" in processes()
            assert "--token -" in processes()  # no one can read it off the list of processes
            assert (await _refuse_one(door)).startswith("HTTP/1.1 403 ")
        assert door.refused == {"outside.example": 1}
        assert "forward.py" not in processes()

    asyncio.run(use())


def test_a_taken_port_is_said(environ: dict[str, str], authority: Path) -> None:
    async def use(port: int) -> None:
        async with started(environ, authority, port=port):
            pass

    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(ConfigError) as raised:
        asyncio.run(use(taken.getsockname()[1]))
    assert str(raised.value).startswith("the HTTPS_PROXY door did not start (exit code 1): ")
    assert "address already in use" in str(raised.value)


def test_a_door_that_would_be_its_own_proxy_is_an_error(environ: dict[str, str], authority: Path) -> None:
    async def use() -> None:
        settings = Settings(mode=Mode.PASSTHROUGH)
        looped = {**environ, "https_proxy": "http://127.0.0.1:4711"}
        await Door.start(settings, looped, "http://127.0.0.1:9", "token", authority=authority, port=4711)

    with pytest.raises(ConfigError, match="would be this door itself: unset HTTPS_PROXY here"):
        asyncio.run(use())


def test_the_door_ends_with_a_server_that_is_killed(environ: dict[str, str]) -> None:
    port = free_port()
    with command_serving("--proxy-port", str(port), "--mode", "simulate", environ=environ) as (_, process):
        wait_until(lambda: answers(port))
        process.kill()
        process.wait(10)
        wait_until(lambda: not answers(port))


def test_a_child_that_dies_is_reported(
    environ: dict[str, str], authority: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def use() -> None:
        async with started(environ, authority) as door:
            os.kill(door.pid, signal.SIGKILL)
            await door.ended()
            with pytest.raises(ConnectionError):
                await _refuse_one(door)

    with caplog.at_level(logging.ERROR, "llm_simulator.capture"):
        asyncio.run(use())
    assert caplog.messages == [
        "the HTTPS_PROXY door ended by itself (exit code -9): clients get no connection any more"
    ]


def test_an_interpreter_without_mitmproxy_is_said(authority: Path, tmp_path: Path) -> None:
    fake = tmp_path / "python"
    fake.write_text("#!/bin/sh\nexit 3\n")
    fake.chmod(0o755)

    async def use() -> None:
        async with started({"LLM_SIMULATOR_CAPTURE_PYTHON": str(fake)}, authority):
            pass

    with pytest.raises(ConfigError, match=r"the HTTPS_PROXY door did not start \(exit code 3\)"):
        asyncio.run(use())


def test_a_websocket_through_the_door_is_answered_by_the_same_engine(environ: dict[str, str], authority: Path) -> None:
    url = "wss://api.openai.com/v1/realtime?model=gpt-realtime"
    trusting = ssl.create_default_context(cafile=authority / "ca.pem")
    with (
        door_of(environ, "--mode", "simulate", "--speed", "0") as (base_url, port),
        connect(url, ssl=trusting, proxy=f"http://127.0.0.1:{port}") as by_proxy,
        connect(f"ws{base_url[4:]}/api.openai.com/v1/realtime?model=gpt-realtime") as by_url,
    ):
        greetings = [by_proxy.recv(timeout=20), by_url.recv(timeout=20)]
    assert greetings[0] == greetings[1]
    assert json.loads(greetings[0])["type"] == "session.created"
