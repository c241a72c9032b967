"""Recording from a provider over TLS: nothing changes on the way, everything is taken down, and it replays the same."""

from __future__ import annotations

import asyncio
import gzip
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from serving import Got, ask, serving
from standin import Asked, Script, Standin, certificate_files, standin

from llm_simulator import dialects
from llm_simulator.cassettes.cassette import Cassette
from llm_simulator.config.settings import Settings
from llm_simulator.types import Exchange, Mode

pytestmark = pytest.mark.wire

TARGET = "/api.openai.com/v1/chat/completions"
SSE = (
    ("Content-Type", "text/event-stream; charset=utf-8"),
    ("X-Request-Id", "req_1"),
    ("x-twice", "a"),
    ("x-twice", "b"),
)


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return certificate_files(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def provider(certificates: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[Standin]:
    """A provider whose model name picks the script."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates[0]))
    with standin(_script, certificates[1]) as running:
        yield running


def _script(asked: Asked) -> Script:
    model = asked.body.decode("latin-1")
    if "gzip" in model:
        body = gzip.compress(b'{"object": "chat.completion"}' * 40, mtime=0)
        return Script(
            headers=(("content-type", "application/json"), ("content-encoding", "gzip")),
            chunks=((0, body),),
            chunked=False,
        )
    if "reset" in model:
        return Script(headers=SSE, chunks=((0, b"data: 1\n\n"), (0.02, b"data: 2\n\n")), end="reset")
    if "close" in model:
        return Script(headers=SSE, chunks=((0, b"data: 1\n\n"),), end="close")
    if "stall" in model:
        return Script(headers=SSE, chunks=((0, b"data: 1\n\n"),), end="stall")
    if "limited" in model:
        return Script(
            429, (("retry-after", "3"), ("content-type", "application/json")), ((0, b'{"error": {}}'),), chunked=False
        )
    pieces = tuple((0.015, b"data: %d\n\n" % n) for n in range(12))
    return Script(headers=SSE, chunks=(*pieces, (0.0, b"data: [DONE]\n\n")))


def _settings(provider: Standin, cassette: Path, mode: Mode) -> Settings:
    return Settings(cassette=str(cassette), mode=mode, port=0, upstreams={"api.openai.com": provider.url})


def _body(model: str, **more: object) -> dict[str, object]:
    return {"model": model, "messages": [{"role": "user", "content": "hi"}], **more}


def _theirs(got: Got) -> list[tuple[str, str]]:
    """The provider's headers only: not ours, not the connection's."""
    gone = ("transfer-encoding", "connection")
    return [(n, v) for n, v in got.headers if not n.lower().startswith("x-llm-simulator-") and n.lower() not in gone]


@pytest.mark.parametrize("suffix", ["db", "yaml"])
@pytest.mark.parametrize("model", ["plain", "gzip", "limited"])
def test_what_was_recorded_replays_the_same_with_the_provider_gone(
    provider: Standin, tmp_path: Path, suffix: str, model: str
) -> None:
    cassette = tmp_path / f"c.{suffix}"
    headers = {"accept-encoding": "gzip", "authorization": "Bearer sk-live-0123456789abcdefghij"}
    with serving(_settings(provider, cassette, Mode.RECORD)) as server:
        live = ask(server.base_url, TARGET, _body(model), headers=headers)
    assert provider.asked[0].header("authorization") == "Bearer sk-live-0123456789abcdefghij"
    assert provider.asked[0].header("accept-encoding") == "gzip"
    assert live.body == b"".join(data for _, data in provider.sent[0])
    with serving(Settings(cassette=str(cassette), mode=Mode.REPLAY, port=0)) as server:
        again = ask(server.base_url, TARGET, _body(model), headers={"accept-encoding": "gzip"})
    assert (again.status, again.body, _theirs(again)) == (live.status, live.body, _theirs(live))
    assert again.header("x-llm-simulator-source") == "cassette"
    assert "sk-live" not in "".join(p.read_bytes().decode("latin-1") for p in tmp_path.iterdir())


def test_chunks_come_as_they_are_sent_and_replay_at_the_recorded_times(provider: Standin, tmp_path: Path) -> None:
    cassette = tmp_path / "c.db"
    with serving(_settings(provider, cassette, Mode.RECORD)) as server:
        live = ask(server.base_url, TARGET, _body("plain"))
    assert [data for _, data in live.reads][:12] == [b"data: %d\n\n" % n for n in range(12)]
    assert live.reads[11][0] - live.reads[0][0] > 0.1  # streamed, not buffered
    with serving(Settings(cassette=str(cassette), mode=Mode.REPLAY, port=0)) as server:
        again = ask(server.base_url, TARGET, _body("plain"))
    assert again.body == live.body
    assert again.reads[11][0] - again.reads[0][0] > 0.1


def test_twenty_streams_at_once_are_each_taken_down_whole_and_in_order(provider: Standin, tmp_path: Path) -> None:
    """How exact the offsets are is measured in benchmarks/record_offsets.py; here, that none is mixed up or made up."""
    cassette = tmp_path / "c.db"
    with serving(_settings(provider, cassette, Mode.RECORD)) as server, ThreadPoolExecutor(20) as pool:
        list(pool.map(partial(_ask_as, server.base_url), range(20)))

    async def recorded() -> list[Exchange]:
        opened = await Cassette.open(str(cassette), read=dialects.read)
        found = [exchange async for _, exchange in opened.exchanges()]
        await opened.close()
        return found

    exchanges = asyncio.run(recorded())
    assert len(exchanges) == 20
    for exchange in exchanges:
        offsets = [at for at, _ in exchange.chunks]
        assert offsets == sorted(offsets)
        assert exchange.body == provider.sent_body(0)
        assert offsets[-1] > 0.15e9  # twelve waits of 15 ms after the request: the sender cannot have been faster


def _ask_as(base_url: str, number: int) -> Got:
    return ask(base_url, TARGET, _body("plain", user=str(number)))


@pytest.mark.parametrize(("model", "outcome"), [("reset", "truncated"), ("close", "truncated")])
def test_a_stream_that_breaks_off_is_kept_as_truncated_and_not_replayed(
    provider: Standin, tmp_path: Path, model: str, outcome: str
) -> None:
    cassette = tmp_path / "c.db"
    with serving(_settings(provider, cassette, Mode.RECORD)) as server:
        live = ask(server.base_url, TARGET, _body(model, stream=True))
        assert not live.complete
        assert live.body.startswith(b"data: 1\n\n")
        assert ask(server.base_url, "/admin/calls").json()["calls"][-1]["outcome"] == outcome
    replaying = Settings(cassette=str(cassette), mode=Mode.REPLAY, port=0)
    with serving(replaying) as server:
        miss = ask(server.base_url, TARGET, _body(model, stream=True))
        assert (miss.status, miss.json()["error"]["code"]) == (404, "cassette_miss")
        assert miss.header("x-should-retry") == "false"
    with serving(replace(replaying, allow_truncated=True)) as server:
        again = ask(server.base_url, TARGET, _body(model, stream=True))
        assert (again.body, again.complete) == (live.body, False)


def test_a_client_that_leaves_is_noticed_and_what_came_is_kept(provider: Standin, tmp_path: Path) -> None:
    cassette = tmp_path / "c.db"
    with serving(_settings(provider, cassette, Mode.RECORD)) as server:
        body = b'{"model": "stall", "stream": true}'
        with socket.create_connection(("127.0.0.1", server.port)) as sock:
            sock.sendall(
                b"POST %b HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\n\r\n%b"
                % (TARGET.encode(), len(body), body)
            )
            while b"data: 1" not in sock.recv(65536):
                pass
        entry = _wait_for_call(server.base_url)
        assert entry["outcome"] == "client-gone"
    with serving(Settings(cassette=str(cassette), mode=Mode.REPLAY, port=0)) as server:
        assert ask(server.base_url, TARGET, body).status == 404
        assert len(ask(server.base_url, "/admin/cassette").json()["truncated"]) == 1


def _wait_for_call(base_url: str) -> dict[str, object]:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if calls := ask(base_url, "/admin/calls").json()["calls"]:
            last: dict[str, object] = calls[-1]
            return last
    raise AssertionError("no call was journalled")


@pytest.mark.parametrize(
    ("upstream", "status", "code"),
    [
        ("http://127.0.0.1:9", 502, "upstream_unreachable"),
        ("https://127.0.0.1:{port}", 502, "upstream_tls"),
    ],
)
def test_an_upstream_that_fails_is_502_in_the_envelope(
    certificates: tuple[Path, Path], tmp_path: Path, upstream: str, status: int, code: str
) -> None:
    """Without SSL_CERT_FILE nobody vouches for the stand-in's certificate."""
    with standin(_script, certificates[1]) as provider:
        url = upstream.format(port=provider.port)
        settings = Settings(
            cassette=str(tmp_path / "c.db"), mode=Mode.RECORD, port=0, upstreams={"api.openai.com": url}
        )
        with serving(settings) as server:
            got = ask(server.base_url, TARGET, _body("plain"))
    assert (got.status, got.json()["error"]["code"]) == (status, code)


def test_only_allowed_hosts_are_forwarded_to(provider: Standin, tmp_path: Path) -> None:
    with serving(_settings(provider, tmp_path / "c.db", Mode.RECORD)) as server:
        got = ask(server.base_url, "/internal.example.com/v1/chat/completions", _body("plain"))
    assert (got.status, got.json()["error"]["code"]) == (403, "upstream_not_allowed")
    assert provider.asked == []


def test_recording_again_replaces_and_equal_calls_keep_their_order(provider: Standin, tmp_path: Path) -> None:
    answers = iter(range(100))
    provider.answer = lambda _: Script(chunks=((0, b'{"n": %d}' % next(answers)),))
    cassette = tmp_path / "c.yaml"
    recorded: list[int] = []
    for _ in range(2):
        with serving(_settings(provider, cassette, Mode.RECORD)) as server:
            recorded = [ask(server.base_url, TARGET, _body("same")).json()["n"] for _ in range(3)]
    assert recorded == [3, 4, 5]
    with serving(Settings(cassette=str(cassette), mode=Mode.REPLAY, port=0)) as server:
        assert [ask(server.base_url, TARGET, _body("same")).json()["n"] for _ in range(4)] == [3, 4, 5, 5]
        other = {"x-llm-simulator-session": "another"}
        assert ask(server.base_url, TARGET, _body("same"), headers=other).json()["n"] == 3


def test_record_missing_asks_once(provider: Standin, tmp_path: Path) -> None:
    with serving(_settings(provider, tmp_path / "c.db", Mode.RECORD_MISSING)) as server:
        sources = [ask(server.base_url, TARGET, _body("plain")).header("x-llm-simulator-source") for _ in range(3)]
    assert sources == ["upstream", "cassette", "cassette"]
    assert len(provider.asked) == 1


def test_verify_names_what_changed_at_the_provider(provider: Standin, tmp_path: Path) -> None:
    cassette = tmp_path / "c.db"
    provider.answer = lambda _: Script(chunks=((0, b'{"id": "a", "n": 1}'),))
    with serving(_settings(provider, cassette, Mode.RECORD)) as server:
        ask(server.base_url, TARGET, _body("x"))
    provider.answer = lambda _: Script(chunks=((0, b'{"id": "b", "n": "1"}'),))
    with serving(_settings(provider, cassette, Mode.VERIFY)) as server:
        assert ask(server.base_url, TARGET, _body("x")).json()["id"] == "b"
        assert ask(server.base_url, TARGET, _body("y")).status == 404
        calls = ask(server.base_url, "/admin/calls").json()["calls"]
    assert calls[0]["differs"] == "$.n was number, is string"


def test_passthrough_records_nothing(provider: Standin) -> None:
    settings = Settings(mode=Mode.PASSTHROUGH, port=0, upstreams={"api.openai.com": provider.url})
    with serving(settings) as server:
        assert ask(server.base_url, TARGET, _body("plain")).header("x-llm-simulator-source") == "upstream"
