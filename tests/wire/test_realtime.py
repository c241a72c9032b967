"""WebSockets: recorded and replayed message by message in both directions, simulated for OpenAI's Realtime API.

The client is the openai SDK or the `websockets` package it uses; the provider a `websockets` server.
"""

from __future__ import annotations

import json
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import SHUT_RDWR
from threading import Thread
from typing import Any

import pytest
from openai import OpenAI
from serving import ask, command_serving, llm_simulator, serving
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.http11 import Request, Response
from websockets.sync.client import connect
from websockets.sync.server import ServerConnection, serve
from websockets.typing import Origin

from llm_simulator.config.settings import Settings
from llm_simulator.proxy.server import Server
from llm_simulator.types import Mode

pytestmark = pytest.mark.wire

PATH = "/api.openai.com/v1/realtime?model=gpt-realtime"
KEY = {"Authorization": "Bearer sk-live-0123456789abcdefghij"}
HELLO = {"type": "conversation.item.create", "item": {"type": "message", "role": "user", "content": []}}


def say(**event: Any) -> str:
    return json.dumps(event)


def provider_talks(socket: ServerConnection) -> None:
    """Greets, answers each event twice with a pause, sends bytes back, closes when told to."""
    socket.send(say(type="session.created", key="sk-live-0123456789abcdefghij"))
    for heard in socket:
        if isinstance(heard, bytes):
            socket.send(heard[::-1])
            continue
        event = json.loads(heard)
        if event["type"] == "stop":
            socket.close(4000, "as you wish")
        elif event["type"] == "abort":
            socket.socket.shutdown(SHUT_RDWR)  # `close` would wait for the thread that reads
            return
        else:
            socket.send(say(type="first", of=event["type"]))
            time.sleep(0.08)
            socket.send(say(type="second", of=event["type"]))


def declines(socket: ServerConnection, request: Request) -> Response | None:
    if "bad-key" not in request.headers.get("Authorization", ""):
        return None
    response = socket.respond(401, '{"error": {"message": "Incorrect API key provided", "code": "invalid_api_key"}}')
    del response.headers["Content-Type"]
    response.headers["Content-Type"] = "application/json"
    return response


@pytest.fixture
def provider() -> Iterator[str]:
    server = serve(provider_talks, "127.0.0.1", 0, process_request=declines)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.socket.getsockname()[1]}"
    server.shutdown()
    thread.join(10)


@contextmanager
def running(mode: Mode, cassette: Path | None = None, provider: str = "", **more: Any) -> Generator[Server]:
    upstreams = {"api.openai.com": provider} if provider else {}
    settings = Settings(cassette=str(cassette or ""), mode=mode, port=0, upstreams=upstreams, **more)
    with serving(settings) as server:
        yield server


def address(server: Server, path: str = PATH) -> str:
    return f"ws://127.0.0.1:{server.port}{path}"


Heard = tuple[list[str | bytes], int | None, str, list[float]]


def talk(url: str, *says: str | bytes, replies: int = 2, subprotocols: Any = None) -> Heard:
    """Everything heard, the close code and reason, and when each message came."""
    heard: list[str | bytes] = []
    times: list[float] = []
    with connect(url, additional_headers=KEY, subprotocols=subprotocols, max_size=None) as socket:
        try:
            heard.append(socket.recv(timeout=10))
            times.append(time.monotonic())
            for said in says:
                socket.send(said)
                for _ in range(1 if isinstance(said, bytes) else replies):
                    heard.append(socket.recv(timeout=10))
                    times.append(time.monotonic())
        except ConnectionClosed as closed:
            close = closed.rcvd
            return heard, close.code if close else None, close.reason if close else "", times
    return heard, None, "", times


SAYS = (say(**HELLO, event_id="event_1"), b"\x00\x01\xff", say(type="response.create"), say(type="stop"))


@pytest.mark.parametrize("suffix", ["db", "yaml"])
def test_what_was_said_is_said_again_with_the_provider_gone(provider: str, tmp_path: Path, suffix: str) -> None:
    cassette = tmp_path / f"c.{suffix}"
    with running(Mode.RECORD, cassette, provider) as server:
        live = talk(address(server), *SAYS)
        calls = ask(server.base_url, "/admin/calls").json()["calls"]
    assert live[1:3] == (4000, "as you wish")
    assert live[0][3] == b"\xff\x01\x00"
    assert [(call["status"], call["source"], call["recorded"]) for call in calls] == [(101, "upstream", True)]
    assert "sk-live" not in "".join(path.read_bytes().decode("latin-1") for path in tmp_path.iterdir())
    with running(Mode.REPLAY, cassette) as server:
        again = talk(address(server), *SAYS)
        other_ids = talk(address(server), SAYS[0].replace("event_1", "event_2"), *SAYS[1:])
        calls = ask(server.base_url, "/admin/calls").json()["calls"]
    masked = str(live[0][0]).replace("sk-live-0123456789abcdefghij", "REDACTED".ljust(28, "_"))
    assert (again[0], again[1:3]) == ([masked, *live[0][1:]], live[1:3])
    assert other_ids[:3] == again[:3]
    assert again[3][2] - again[3][1] > 0.06  # the pause between the two answers
    assert [(call["status"], call["source"]) for call in calls] == [(101, "cassette")] * 2


def test_speed_divides_the_waits(provider: str, tmp_path: Path) -> None:
    cassette = tmp_path / "c.db"
    with running(Mode.RECORD, cassette, provider) as server:
        talk(address(server), *SAYS)
    with running(Mode.REPLAY, cassette, speed=0) as server:
        times = talk(address(server), *SAYS)[3]
    assert times[2] - times[1] < 0.06


def test_a_client_that_says_something_else_is_told_what(provider: str, tmp_path: Path) -> None:
    cassette = tmp_path / "c.yaml"
    with running(Mode.RECORD, cassette, provider) as server:
        talk(address(server), *SAYS)
    cases: list[tuple[tuple[str | bytes, ...], str]] = [
        ((say(type="response.create"),), "message 1 of the recording differs: "),
        ((SAYS[0], "text"), "message 4 of the recording: it is text, and binary was recorded"),
    ]
    with running(Mode.REPLAY, cassette, speed=0) as server:
        for says, why in cases:
            heard, code, reason, _ = talk(address(server), *says)
            error = json.loads(heard[-1])
            assert error["type"] == "error"
            assert error["error"]["code"] == "cassette_miss"
            assert error["error"]["message"].startswith(why)
            assert (code, reason) == (1008, "cassette_miss")


def test_a_client_may_leave_early_and_its_recording_replays(provider: str, tmp_path: Path) -> None:
    cassette = tmp_path / "c.db"
    with running(Mode.RECORD, cassette, provider) as server:
        live = talk(address(server), SAYS[0])
    with running(Mode.REPLAY, cassette, speed=0) as server:
        assert talk(address(server), SAYS[0])[0][1:] == live[0][1:]
        heard, code, _, _ = talk(address(server), SAYS[0], SAYS[2])
        assert code == 1008
        assert "there the client closed the socket" in json.loads(heard[-1])["error"]["message"]


def test_an_upstream_that_breaks_off_is_seen_and_never_replayed(provider: str, tmp_path: Path) -> None:
    cassette = tmp_path / "c.db"
    with running(Mode.RECORD, cassette, provider) as server:
        heard, code, _, _ = talk(address(server), say(type="abort"))
        assert (len(heard), code) == (1, None)
        (call,) = ask(server.base_url, "/admin/calls").json()["calls"]
        assert (call["outcome"], call["recorded"]) == ("truncated", True)
    with running(Mode.REPLAY, cassette) as server, pytest.raises(InvalidStatus) as caught, connect(address(server)):
        pass
    assert caught.value.response.status_code == 404


def test_an_upstream_that_declines_the_handshake(provider: str, tmp_path: Path) -> None:
    cassette = tmp_path / "c.yaml"
    headers = {"Authorization": "Bearer bad-key-bad-key-bad-key"}

    def declined(server: Server) -> tuple[int, Any]:
        with pytest.raises(InvalidStatus) as caught, connect(address(server), additional_headers=headers):
            pass
        return caught.value.response.status_code, json.loads(caught.value.response.body or b"{}")

    with running(Mode.RECORD, cassette, provider) as server:
        live = declined(server)
    assert live == (401, {"error": {"message": "Incorrect API key provided", "code": "invalid_api_key"}})
    with running(Mode.REPLAY, cassette) as server:
        assert declined(server) == live


def test_an_upstream_that_is_not_there(tmp_path: Path) -> None:
    with (
        running(Mode.RECORD, tmp_path / "c.db", "http://127.0.0.1:9") as server,
        pytest.raises(InvalidStatus) as caught,
        connect(address(server)),
    ):
        pass
    assert caught.value.response.status_code == 502


def test_what_is_not_recorded_misses_at_the_handshake(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("llm-simulator: cassette\nversion: 1\n")
    assert llm_simulator("cassette", "list", str(tmp_path / "c.yaml")).returncode in (0, 2)
    with running(Mode.RECORD, tmp_path / "e.db", "http://127.0.0.1:9"):
        pass
    with (
        running(Mode.REPLAY, tmp_path / "e.db") as server,
        pytest.raises(InvalidStatus) as caught,
        connect(address(server)),
    ):
        pass
    response = caught.value.response
    assert (response.status_code, response.headers["x-should-retry"]) == (404, "false")
    assert json.loads(response.body or b"{}")["error"]["code"] == "cassette_miss"


def test_a_plain_request_for_a_socket_is_told_so(provider: str, tmp_path: Path) -> None:
    with running(Mode.SIMULATE) as server:
        got = ask(server.base_url, PATH)
    assert (got.status, got.header("x-llm-simulator-source")) == (426, "refusal")


def test_subprotocols_are_negotiated_with_the_upstream(provider: str, tmp_path: Path) -> None:
    secret = "sk-abcdefghijklmnopqrstuvwx"
    with running(Mode.RECORD, tmp_path / "c.db", provider) as server:
        heard, code, _, _ = talk(
            address(server), SAYS[3], subprotocols=["realtime", f"openai-insecure-api-key.{secret}"]
        )
    assert (len(heard), code) == (1, 4000)
    assert secret.encode() not in b"".join(path.read_bytes() for path in tmp_path.iterdir())


def test_other_origins_cannot_open_one(tmp_path: Path) -> None:
    with (
        running(Mode.SIMULATE) as server,
        pytest.raises(InvalidStatus) as caught,
        connect(address(server), origin=Origin("https://evil.example")),
    ):
        pass
    assert caught.value.response.status_code == 403


TOOL = {
    "type": "function",
    "name": "weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
}


def conversation(base_url: str) -> list[Any]:
    """The openai SDK against the simulated Realtime API: text, audio, a tool loop, errors; the events heard."""
    client = OpenAI(api_key="sk-simulated-key", base_url=f"{base_url}/v1")
    heard: list[Any] = []
    with client.realtime.connect(model="gpt-realtime") as socket:

        def until(kind: str) -> Any:
            while True:
                event = socket.recv()
                heard.append(event)
                if event.type == kind:
                    return event

        until("session.created")
        socket.session.update(session={"type": "realtime", "output_modalities": ["text"], "instructions": "Be brief."})
        assert until("session.updated").session.output_modalities == ["text"]
        socket.conversation.item.create(
            item={"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Say hello!"}]}
        )
        until("conversation.item.done")
        socket.response.create()
        done = until("response.done").response
        text = "".join(event.delta for event in heard if event.type == "response.output_text.delta")
        assert done.status == "completed"
        assert done.output[0].content[0].text == text != ""
        assert done.usage.total_tokens == done.usage.input_tokens + done.usage.output_tokens
        until("rate_limits.updated")
        socket.response.create(response={"tools": [TOOL], "tool_choice": "required"})  # type: ignore[arg-type]
        called = until("response.done").response.output[0]
        assert called.name == "weather"
        assert isinstance(json.loads(called.arguments)["city"], str) or json.loads(called.arguments) == {}
        until("rate_limits.updated")
        socket.conversation.item.create(
            item={"type": "function_call_output", "call_id": called.call_id, "output": "sunny"}
        )
        socket.response.create(response={"tools": [TOOL], "output_modalities": ["audio"]})  # type: ignore[arg-type]
        spoken = until("response.done").response.output[0]
        assert spoken.type == "message"
        until("rate_limits.updated")
        socket.send({"type": "nonsense"})  # type: ignore[arg-type]
        assert until("error").error.code == "invalid_value"
        socket.conversation.item.delete(item_id="item_none")
        assert until("error").error.code == "item_not_found"
        socket.response.cancel()
        assert until("error").error.code == "response_cancel_not_active"
    return heard


@pytest.mark.filterwarnings("ignore:.*context manager:DeprecationWarning")  # the SDK's own use of `websockets`
def test_the_sdk_talks_with_the_simulator() -> None:
    with running(Mode.SIMULATE, speed=0) as server:
        first, second = conversation(server.base_url), conversation(server.base_url)
        calls = ask(server.base_url, "/admin/calls").json()["calls"]
    assert [event.to_dict() for event in first] == [event.to_dict() for event in second]
    kinds = [event.type for event in first]
    assert "response.output_audio.delta" in kinds
    assert "response.function_call_arguments.delta" in kinds
    assert [(call["status"], call["source"], call["operation"]) for call in calls] == [
        (101, "simulator", "realtime")
    ] * 2
    assert all(call["completion_tokens"] > 0 for call in calls)


def test_a_running_response_can_be_cancelled_and_is_alone() -> None:
    with (
        running(Mode.SIMULATE, speed=0.05) as server,
        connect(address(server, "/v1/realtime?model=gpt-realtime")) as socket,
    ):
        socket.recv(timeout=10)
        socket.send(say(type="response.create"))
        socket.send(say(type="response.create", event_id="mine"))
        error = json.loads(socket.recv(timeout=10))
        assert error["error"]["code"] == "conversation_already_has_active_response"
        assert error["error"]["event_id"] == "mine"
        socket.send(say(type="response.cancel"))
        done = json.loads(socket.recv(timeout=10))
        assert (done["type"], done["response"]["status"]) == ("response.done", "cancelled")


def test_a_secret_for_a_client_in_a_browser() -> None:
    with running(Mode.SIMULATE) as server:
        client = OpenAI(api_key="sk-simulated-key", base_url=f"{server.base_url}/v1")
        made = client.realtime.client_secrets.create(session={"type": "realtime", "model": "gpt-realtime"})
    assert made.value.startswith("ek_")
    assert made.session.type == "realtime"


def test_stopping_the_server_ends_its_sockets(tmp_path: Path) -> None:
    with command_serving("--mode", "simulate", "--config", _drained(tmp_path)) as (base_url, process):
        with connect(f"ws{base_url[4:]}/v1/realtime?model=gpt-realtime") as socket:
            socket.recv(timeout=10)
            process.terminate()
            with pytest.raises(ConnectionClosed):
                socket.recv(timeout=15)
        assert process.wait(15) == 0


def _drained(folder: Path) -> str:
    config = folder / "config.yaml"
    config.write_text("server: {drain_secs: 0.5}\n")
    return str(config)
