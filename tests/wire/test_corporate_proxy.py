"""Recording through the HTTP proxy that the environment names: plain and TLS upstreams, its password, no .netrc."""

from __future__ import annotations

import base64
import socket
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from serving import ask, serving
from standin import Asked, Script, standin

from llm_simulator.config.settings import Settings
from llm_simulator.types import Mode

pytestmark = pytest.mark.wire

BODY = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}
WORD = "Basic " + base64.b64encode(b"me:p@ss").decode()


class Proxy:
    """A forwarding proxy of one request per connection; `heads` are what it was asked."""

    def __init__(self) -> None:
        self.heads: list[str] = []
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._server.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        data = b""
        while b"\r\n\r\n" not in data:
            data += client.recv(65536)
        head, _, rest = data.partition(b"\r\n\r\n")
        self.heads.append(head.decode("latin-1"))
        verb, target, version = head.split(b"\r\n")[0].decode().split(" ")
        place = urlsplit(f"//{target}" if verb == "CONNECT" else target)
        upstream = socket.create_connection((place.hostname, place.port))
        if verb == "CONNECT":
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            path = target.partition(place.netloc)[2]
            upstream.sendall(f"{verb} {path} {version}\r\n".encode() + head.partition(b"\r\n")[2] + b"\r\n\r\n")
        upstream.sendall(rest)
        threading.Thread(target=_pump, args=(client, upstream), daemon=True).start()
        _pump(upstream, client)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:  # the other side is gone
        return


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    made = Proxy()
    yield made
    made.close()


@contextmanager
def recording(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, url: str, environ: dict[str, str]) -> Generator[str]:
    """The base URL of a server that records, started in such an environment with a .netrc for every host."""
    (tmp_path / ".netrc").write_text("default login netrc password in-the-way\n")
    (tmp_path / ".netrc").chmod(0o600)
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in {"HOME": str(tmp_path), **environ}.items():
        monkeypatch.setenv(name, value)
    settings = Settings(cassette=str(tmp_path / "c.db"), mode=Mode.RECORD, port=0, upstreams={"api.openai.com": url})
    with serving(settings) as server:
        yield server.base_url


def _answer(asked: Asked) -> Script:
    return Script(headers=(("content-type", "application/json"),), chunks=((0, b"{}"),), chunked=False)


@pytest.mark.parametrize("tls", [False, True])
def test_the_proxy_of_the_environment_carries_the_call(
    tls: bool,
    proxy: Proxy,
    provider_certificates: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(provider_certificates[0]))
    with standin(_answer, provider_certificates[1] if tls else None) as provider:
        named = f"http://me:p%40ss@127.0.0.1:{proxy.port}"
        with recording(
            monkeypatch, tmp_path, provider.url, {"https_proxy" if tls else "http_proxy": named}
        ) as base_url:
            got = ask(base_url, "/api.openai.com/v1/chat/completions", BODY, headers={"x-mine": "1"})
    assert (got.status, got.body) == (200, b"{}")
    (head,) = proxy.heads
    assert head.startswith("CONNECT " if tls else "POST http://")
    assert f"proxy-authorization: {WORD}".lower() in head.lower()
    (asked,) = provider.asked
    assert (asked.header("x-mine"), asked.header("authorization")) == ("1", "")
    if tls:
        assert asked.header("proxy-authorization") == ""


def test_a_host_that_the_environment_excepts_is_asked_directly(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    environ = {"http_proxy": f"http://127.0.0.1:{proxy.port}", "no_proxy": "127.0.0.1"}
    with (
        standin(_answer, None) as provider,
        recording(monkeypatch, tmp_path, provider.url, environ) as base_url,
    ):
        got = ask(base_url, "/api.openai.com/v1/chat/completions", BODY, headers={"authorization": "Bearer sk-mine"})
    assert got.status == 200
    assert proxy.heads == []
    assert provider.asked[0].header("authorization") == "Bearer sk-mine"
