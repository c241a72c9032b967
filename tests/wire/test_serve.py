"""The running server: the README's two calls, our own pages, who is let in, and bad input."""

from __future__ import annotations

import json
import re
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from serving import ask, command_serving, serving

from llm_simulator.config.checks import check
from llm_simulator.config.settings import Settings
from llm_simulator.errors import ConfigError
from llm_simulator.proxy.server import Server
from llm_simulator.types import Mode

pytestmark = pytest.mark.wire

SETTINGS = Settings(port=0, speed=0.0)
HELLO = [{"role": "user", "content": "Hello!"}]
CHAT = {"model": "gpt-4-turbo", "messages": [{"role": "user", "content": "test"}]}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving(SETTINGS) as running:
        yield running


def test_the_readmes_two_calls_verbatim() -> None:
    from openai import OpenAI

    with command_serving("--speed", "0", port=8080):
        client = OpenAI(api_key="sk-simulated-key", base_url="http://localhost:8080/v1")
        answer = client.chat.completions.create(model="gpt-4-turbo", messages=[{"role": "user", "content": "Hello!"}])
        client.close()
        assert answer.choices[0].message.content
        assert answer.usage is not None
        assert answer.usage.prompt_tokens == 9
        curl = (
            'curl http://localhost:8080/v1/chat/completions -H "Content-Type: application/json" '
            '-d \'{"model":"gpt-4-turbo","messages":[{"role":"user","content":"test"}]}\''
        )
        made = subprocess.run(curl, shell=True, capture_output=True, text=True, check=True, timeout=20)
        assert json.loads(made.stdout)["choices"][0]["message"]["role"] == "assistant"


@pytest.mark.parametrize(
    ("target", "status", "shows"),
    [
        ("/", 200, '"name": "llm-simulator"'),
        ("/health", 200, '"status": "ok"'),
        ("/live", 200, '"status": "ok"'),
        ("/ready", 200, '"status": "ok"'),
        ("/admin/calls", 200, '"calls"'),
        ("/admin/calls?limit=x", 400, "whole number"),
        ("/admin/summary", 200, '"total"'),
        ("/admin/cassette", 200, '"cassette": null'),
        ("/admin/nothing", 404, '"known"'),
    ],
)
def test_own_pages(server: Server, target: str, status: int, shows: str) -> None:
    got = ask(server.base_url, target)
    assert got.status == status
    assert shows in got.body.decode()


def test_own_pages_take_get_only(server: Server) -> None:
    got = ask(server.base_url, "/health", {})
    assert (got.status, got.header("allow")) == (405, "GET, HEAD")


def test_metrics_and_journal_tell_of_a_call_but_not_its_words(server: Server) -> None:
    words = "a prompt that is nobody's business"
    ask(server.base_url, "/v1/chat/completions", {**CHAT, "messages": [{"role": "user", "content": words}]})
    text = ask(server.base_url, "/metrics").body.decode()
    for name in ("llm_requests_total", "llm_request_duration_seconds_bucket", "llm_latency_ttft_seconds_count"):
        assert re.search(rf'{name}{{.*model="gpt-4-turbo",provider="openai",source="simulator",status="200"', text), (
            name
        )
    assert re.search(r'llm_tokens_total{direction="prompt",model="gpt-4-turbo"', text)
    assert "llm_stream_lateness_seconds_bucket" in text
    journal = ask(server.base_url, "/admin/calls").body.decode()
    assert words not in journal
    last = json.loads(journal)["calls"][-1]
    assert (last["provider"], last["model"], last["source"], last["status"]) == (
        "openai",
        "gpt-4-turbo",
        "simulator",
        200,
    )


BAD = [
    ("broken JSON", "/v1/chat/completions", b'{"model": ', "POST", 400, "openai"),
    ("not an object", "/v1/chat/completions", b"[]", "POST", 400, "openai"),
    ("no body", "/v1/chat/completions", b"", "POST", 400, "openai"),
    ("not UTF-8", "/v1/chat/completions", b'{"model": "\xff"}', "POST", 400, "openai"),
    (
        "missing model",
        "/v1/chat/completions",
        b'{"messages": [{"role": "user", "content": "x"}]}',
        "POST",
        400,
        "openai",
    ),
    ("messages no list", "/v1/chat/completions", b'{"model": "gpt-4o", "messages": "x"}', "POST", 400, "openai"),
    ("missing messages", "/v1/messages", b'{"model": "claude-opus-4", "max_tokens": 5}', "POST", 400, "anthropic"),
    ("broken JSON", "/v1/messages", b"{", "POST", 400, "anthropic"),
    ("broken JSON", "/v1beta/models/gemini-2.0-flash:generateContent", b"{", "POST", 400, "gemini"),
    ("broken JSON", "/v2/chat", b"{", "POST", 400, "cohere"),
    ("broken JSON", "/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21", b"{", "POST", 400, "openai"),
    ("unknown path", "/v1/nothing/here", b"{}", "POST", 404, "openai"),
    ("not simulated", "/v1/containers", b"{}", "POST", 501, "openai"),
    ("wrong method", "/v1/chat/completions", None, "PUT", 405, "openai"),
    ("no host", "/http:/v1/models", None, "GET", 400, "openai"),
]


@pytest.mark.parametrize(("what", "target", "body", "method", "status", "envelope"), BAD)
def test_bad_input_is_refused_in_the_providers_envelope(
    server: Server, what: str, target: str, body: bytes | None, method: str, status: int, envelope: str
) -> None:
    got = ask(server.base_url, target, body, method=method, headers={"content-type": "application/json"})
    assert (got.status, got.header("x-llm-simulator-source")) == (status, "refusal"), got.body
    answer = got.json()
    match envelope:
        case "openai":
            assert {"message", "type", "param", "code"} <= answer["error"].keys()
        case "anthropic":
            assert (answer["type"], answer["error"].keys()) == ("error", {"type", "message"})
        case "gemini":
            assert {"code", "message", "status"} <= answer["error"].keys()
        case _:
            assert "message" in answer


def test_too_large_a_body_is_413_and_the_server_lives_on() -> None:
    with serving(replace(SETTINGS, max_body_bytes=2048)) as server:
        got = ask(server.base_url, "/v1/chat/completions", b" " * 4096)
        assert (got.status, got.json()["error"]["code"]) == (413, "body_too_large")
        assert ask(server.base_url, "/v1/chat/completions", CHAT).status == 200


def test_a_rebound_host_and_a_foreign_origin_are_turned_away(server: Server) -> None:
    assert ask(server.base_url, "/v1/models", headers={"Host": "evil.example"}).status == 403
    assert ask(server.base_url, "/admin/calls", headers={"Origin": "https://evil.example"}).status == 403


def test_a_configured_origin_gets_cors() -> None:
    origin = "http://localhost:3000"
    with serving(replace(SETTINGS, origins=(origin,))) as server:
        wanted = {"Origin": origin, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-a"}
        preflight = ask(server.base_url, "/v1/chat/completions", method="OPTIONS", headers=wanted)
        assert (preflight.status, preflight.header("access-control-allow-origin")) == (204, origin)
        assert preflight.header("access-control-allow-headers") == "x-a"
        got = ask(server.base_url, "/v1/chat/completions", CHAT, headers={"Origin": origin})
        assert (got.status, got.header("access-control-allow-origin")) == (200, origin)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (Settings(mode=Mode.RECORD), "needs --cassette"),
        (Settings(mode=Mode.REPLAY), "nothing to look up"),
        (Settings(host="0.0.0.0", mode=Mode.PASSTHROUGH), "--allow-remote"),
        (Settings(speed=-1.0), "speed is -1"),
    ],
)
def test_settings_that_do_not_go_together(settings: Settings, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        check(settings)


def test_admin_needs_a_token_on_an_open_address() -> None:
    with serving(replace(SETTINGS, host="0.0.0.0")) as server:
        assert ask(server.base_url, "/admin/calls").status == 403
        assert ask(server.base_url, "/v1/models").status == 200
    with serving(replace(SETTINGS, host="0.0.0.0", admin_token="t0ken")) as server:
        assert ask(server.base_url, "/admin/calls", headers={"Authorization": "Bearer wrong"}).status == 403
        assert ask(server.base_url, "/admin/calls", headers={"Authorization": "Bearer t0ken"}).status == 200


def test_a_taken_port_says_so(server: Server) -> None:
    with (
        pytest.raises(ConfigError, match=f"cannot listen on 127.0.0.1 port {server.port}"),
        serving(replace(SETTINGS, port=server.port)),
    ):
        pass


def test_a_missing_cassette_is_an_error_not_no_cassette(tmp_path: Path) -> None:
    from llm_simulator.errors import CassetteError

    missing = tmp_path / "missing.db"
    with pytest.raises(CassetteError, match=r"missing\.db"), serving(replace(SETTINGS, cassette=str(missing))):
        pass
    assert not missing.exists()


def test_sigterm_drains_what_runs_and_refuses_what_comes() -> None:
    """A paced stream runs for about two seconds; in the midst of it the process is told to end."""
    body = json.dumps({**CHAT, "stream": True, "max_tokens": 60}).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: {len(body)}\r\n\r\n".encode()
    with command_serving("--speed", "0.5", "--log-level", "warning") as (base_url, process):
        with socket.create_connection(("127.0.0.1", int(base_url.rpartition(":")[2])), timeout=20) as sock:
            sock.sendall(head + body)
            stream = b""
            while b"data: " not in stream:
                stream += sock.recv(65536)
            process.terminate()
            while ask(base_url, "/ready").status == 200:
                pass
            refused = ask(base_url, "/v1/chat/completions", CHAT)
            while piece := sock.recv(65536):
                stream += piece
        assert (refused.status, refused.json()["error"]["code"]) == (503, "shutting_down")
        assert stream.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")
        assert process.wait(timeout=20) == 0


@pytest.mark.parametrize(
    ("path", "body", "usage", "error"),
    [
        ("/v1/chat/completions", {"model": "gpt-4o", "messages": HELLO}, "exact", ""),
        ("/v1/embeddings", {"model": "text-embedding-3-small", "input": "Hello!"}, "exact", ""),
        (
            "/v1/messages",
            {"model": "claude-sonnet-4-5", "max_tokens": 9, "messages": HELLO},
            "estimated",
            "prompt 6%, completion 8%",
        ),
        ("/v1/models", None, "", ""),
    ],
)
def test_how_good_a_token_count_is(path: str, body: object, usage: str, error: str) -> None:
    with serving(Settings(mode=Mode.SIMULATE, port=0, speed=0)) as server:
        got = ask(server.base_url, path, body)
        (call,) = ask(server.base_url, "/admin/calls").json()["calls"]
    assert (got.header("x-llm-simulator-usage"), got.header("x-llm-simulator-usage-error")) == (usage, error)
    assert ("prompt_tokens" in call) == bool(usage)
