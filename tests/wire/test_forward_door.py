"""The HTTPS_PROXY door alone, with a stub for the simulator: what it forwards, what it refuses, and that it fails closed."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import struct
import subprocess
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from door_rig import TOKEN, door, listening, read_head, read_response

from llm_simulator.proxy.capture import FORWARD

pytestmark = [pytest.mark.wire, pytest.mark.timeout(240)]

PROVIDER = r"api\.example:(?:443|80)"


@pytest.fixture(scope="module")
def folder(capture_python: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an authority for api.example."""
    made = tmp_path_factory.mktemp("door")
    script = FORWARD.with_name("authority.py")
    asked = json.dumps({"domains": ["api.example"]})
    subprocess.run([capture_python, str(script), str(made / "authority")], input=asked, text=True, check=True)
    return made


def trusting(folder: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=folder / "authority" / "ca.pem")
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    return context


def headers_of(head: str) -> dict[str, str]:
    return {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head.split("\r\n")[1:])}


@pytest.mark.parametrize("mode", ["offline", "forward"])
def test_a_providers_request_goes_to_the_simulator(capture_python: str, folder: Path, mode: str) -> None:
    with (
        listening() as simulator,
        door(capture_python, folder, simulator.port, patterns=[PROVIDER], mode=mode) as running,
    ):
        connection, head = running.connect("api.example:443")
        assert head.startswith("HTTP/1.1 200 ")
        with trusting(folder).wrap_socket(connection, server_hostname="api.example") as tls:
            assert tls.selected_alpn_protocol() is None
            tls.sendall(
                b"POST /v1/x%20y?a=b HTTP/1.1\r\nHost: api.example\r\nX-LLM-Simulator-Door: forged\r\n"
                b"Content-Length: 2\r\n\r\n{}"
            )
            assert read_response(tls).endswith(b"ok")
        plain = running.talk(b"GET http://api.example/v1/y HTTP/1.1\r\nHost: api.example\r\n\r\n")
        assert plain.endswith(b"ok")
    first, second = simulator.heads
    assert first.startswith("POST /api.example/v1/x%20y?a=b HTTP/1.1\r\n")
    assert second.startswith("GET /http:api.example/v1/y HTTP/1.1\r\n")
    for head in simulator.heads:
        assert headers_of(head)["x-llm-simulator-door"] == TOKEN
        assert headers_of(head)["host"] == f"127.0.0.1:{simulator.port}"
        assert head.lower().count("x-llm-simulator-door:") == 1
    assert running.said == []


def test_a_request_for_no_path_is_not_forwarded(capture_python: str, folder: Path) -> None:
    with listening() as simulator, door(capture_python, folder, simulator.port, patterns=[PROVIDER]) as running:
        connection, _ = running.connect("api.example:443")
        with trusting(folder).wrap_socket(connection, server_hostname="api.example") as tls:
            tls.sendall(b"OPTIONS * HTTP/1.1\r\nHost: api.example\r\n\r\n")
            answer = read_response(tls)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"does not forward the target '*'" in answer
    assert simulator.accepted == 0


def test_offline_strangers_are_refused(capture_python: str, folder: Path) -> None:
    with (
        listening() as simulator,
        listening() as stranger,
        door(capture_python, folder, simulator.port, patterns=[PROVIDER]) as running,
    ):
        where = f"127.0.0.1:{stranger.port}"
        answers = [
            running.talk(f"CONNECT {where} HTTP/1.1\r\nHost: {where}\r\n\r\n".encode()),
            running.talk(f"GET http://{where}/ HTTP/1.1\r\nHost: {where}\r\n\r\n".encode()),
            running.talk(f"GET http://{where}/ HTTP/1.1\r\nHost: api.example\r\n\r\n".encode()),
            running.talk(b"CONNECT xapi.example:443 HTTP/1.1\r\nHost: xapi.example:443\r\n\r\n"),
            running.talk(b"CONNECT api.example:8443 HTTP/1.1\r\nHost: api.example:8443\r\n\r\n"),
        ]
    for answer in answers:
        assert answer.startswith(b"HTTP/1.1 403 "), answer
        assert b"x-should-retry: false" in answer
        assert b"it is offline in this mode" in answer
    assert (stranger.accepted, simulator.accepted) == (0, 0)
    hosts = [line["refused"] for line in running.said if "refused" in line]
    assert hosts == ["127.0.0.1"] * 3 + ["xapi.example", "api.example"]


def test_while_recording_strangers_are_tunnelled_untouched(
    capture_python: str, folder: Path, provider_certificates: tuple[Path, Path]
) -> None:
    own = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    own.load_cert_chain(provider_certificates[1])
    with (
        listening() as simulator,
        listening(context=own) as encrypted,
        listening() as plain,
        door(capture_python, folder, simulator.port, patterns=[PROVIDER], mode="forward") as running,
    ):
        connection, _ = running.connect(f"127.0.0.1:{encrypted.port}")
        context = ssl.create_default_context(cafile=provider_certificates[0])  # its own certificate, not one of ours
        with context.wrap_socket(connection, server_hostname="127.0.0.1") as tls:
            tls.sendall(b"GET /secret HTTP/1.1\r\nHost: x\r\n\r\n")
            assert read_response(tls).endswith(b"ok")
        where = f"127.0.0.1:{plain.port}"
        answer = running.talk(f"GET http://{where}/open HTTP/1.1\r\nHost: {where}\r\n\r\n".encode())
    assert answer.endswith(b"ok")
    assert encrypted.heads == ["GET /secret HTTP/1.1\r\nHost: x\r\n\r\n"]
    assert plain.heads == [f"GET /open HTTP/1.1\r\nHost: {where}\r\n\r\n"]
    assert simulator.accepted == 0


def test_a_providers_name_in_the_tls_of_a_stranger_opens_nothing(capture_python: str, folder: Path) -> None:
    with listening() as simulator, listening() as stranger:
        pattern = f"api\\.example:{stranger.port}"
        with door(capture_python, folder, simulator.port, patterns=[pattern], mode="forward") as running:
            connection, _ = running.connect(f"127.0.0.1:{stranger.port}")
            with trusting(folder).wrap_socket(connection, server_hostname="api.example") as tls:
                tls.sendall(b"GET / HTTP/1.1\r\nHost: api.example\r\n\r\n")
                answer = read_response(tls)
    assert answer.startswith(b"HTTP/1.1 403 ")
    assert b"its CONNECT and its TLS name different hosts" in answer
    assert (stranger.accepted, simulator.accepted) == (0, 0)


def test_what_is_no_http_inside_a_providers_tunnel_goes_nowhere(capture_python: str, folder: Path) -> None:
    with listening() as simulator, listening() as provider:
        pattern = f"127\\.0\\.0\\.1:{provider.port}"
        with door(capture_python, folder, simulator.port, patterns=[pattern], mode="forward") as running:
            connection, head = running.connect(f"127.0.0.1:{provider.port}")
            assert head.startswith("HTTP/1.1 200 ")
            with connection:
                connection.sendall(b"\x00\x01\x02\x03binary\n")
                assert connection.recv(100) == b""
    assert (provider.accepted, simulator.accepted) == (0, 0)


PLANTED = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("forward", {forward!r})
forward = importlib.util.module_from_spec(spec)
sys.modules["forward"] = forward
spec.loader.exec_module(forward)

def planted(self, *arguments):
    raise RuntimeError("planted")

for name in {names!r}:
    assert callable(getattr(forward.Door, name))
    setattr(forward.Door, name, planted)
sys.exit(forward.main())
"""
HOOKS = ["http_connect", "requestheaders", "responseheaders", "server_connect", "client_disconnected"]
PARTS = ["admit", "route", "pass_on", "permits", "intercepts", "let_past", "rewrite", "refuse"]


@pytest.mark.parametrize("mode", ["offline", "forward"])
@pytest.mark.parametrize("name", [*HOOKS, *PARTS, ""])
def test_an_exception_in_a_hook_never_lets_a_request_out(
    capture_python: str, folder: Path, tmp_path: Path, name: str, mode: str
) -> None:
    """The whole hook fails (mitmproxy then goes on without it), or something within it does."""
    script = tmp_path / "planted.py"
    script.write_text(PLANTED.format(forward=str(FORWARD), names=[name] if name else []))
    with listening() as simulator, listening() as provider:
        where = f"127.0.0.1:{provider.port}"
        with door(
            capture_python,
            folder,
            simulator.port,
            patterns=[f"127\\.0\\.0\\.1:{provider.port}"],
            mode=mode,
            script=script,
        ) as running:
            connection, head = running.connect(where)
            with connection:
                if head.startswith("HTTP/1.1 200"):
                    connection.sendall(f"GET /1 HTTP/1.1\r\nHost: {where}\r\n\r\n".encode())
                    read_response(connection)
            running.talk(f"POST http://{where}/2 HTTP/1.1\r\nHost: {where}\r\ncontent-length: 2\r\n\r\n{{}}".encode())
    assert provider.accepted == 0
    if not name:  # the rig itself works
        assert [head.split(" ")[1] for head in simulator.heads] == [f"/http:{where}/1", f"/http:{where}/2"]
        assert running.said == []
    elif name != "refuse":  # which is not asked about a provider's host
        assert name == "let_past" or any("planted" in line.get("text", "") for line in running.said)


def test_the_rig_would_notice_a_request_that_gets_out(capture_python: str, folder: Path) -> None:
    with (
        listening() as simulator,
        listening() as provider,
        door(capture_python, folder, simulator.port, patterns=[PROVIDER], mode="forward") as running,
    ):
        where = f"127.0.0.1:{provider.port}"
        running.talk(f"GET http://{where}/2 HTTP/1.1\r\nHost: {where}\r\n\r\n".encode())
    assert provider.accepted == 1


def test_offline_even_two_broken_hooks_reach_nobody_outside(capture_python: str, folder: Path, tmp_path: Path) -> None:
    """The third fence: the process itself is confined to loopback."""
    script = tmp_path / "planted.py"
    script.write_text(PLANTED.format(forward=str(FORWARD), names=["http_connect", "requestheaders", "server_connect"]))
    with (
        listening() as simulator,
        door(capture_python, folder, simulator.port, patterns=[PROVIDER], script=script) as running,
    ):
        answer = running.talk(b"GET http://192.0.2.1/ HTTP/1.1\r\nHost: 192.0.2.1\r\n\r\n")
        named = running.talk(b"GET http://outside.example/ HTTP/1.1\r\nHost: outside.example\r\n\r\n")
    for got in (answer, named):
        assert got.startswith(b"HTTP/1.1 502 ")
        assert b"is not on this machine" in got


@pytest.mark.parametrize(
    "framing", ["transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n", "content-length: 9\r\n\r\nhello"]
)
@pytest.mark.parametrize("reset", [False, True])
def test_a_body_that_breaks_off_does_not_look_complete(
    capture_python: str, folder: Path, framing: str, reset: bool
) -> None:
    def break_off(connection: socket.socket, _: str) -> None:
        connection.sendall(f"HTTP/1.1 200 OK\r\n{framing}".encode())
        time.sleep(0.1)  # what was sent must arrive before a reset discards it
        if reset:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()

    with (
        listening(break_off) as simulator,
        door(capture_python, folder, simulator.port, patterns=[PROVIDER]) as running,
    ):
        context = trusting(folder)
        connection = http.client.HTTPSConnection("127.0.0.1", running.port, timeout=10, context=context)
        connection.set_tunnel("api.example", 443)
        connection.request("GET", "/v1")
        response = connection.getresponse()
        assert response.read(5) == b"hello"
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            response.read()
        connection.close()
    assert len(simulator.heads) == 1


def test_a_client_that_does_not_trust_the_authority_is_said(capture_python: str, folder: Path) -> None:
    with listening() as simulator, door(capture_python, folder, simulator.port, patterns=[PROVIDER]) as running:
        connection, _ = running.connect("api.example:443")
        with pytest.raises(ssl.SSLCertVerificationError):
            ssl.create_default_context().wrap_socket(connection, server_hostname="api.example")
        connection.close()
        deadline = time.monotonic() + 10
        while not running.said:
            assert time.monotonic() < deadline
            time.sleep(0.02)
    (line,) = running.said
    assert line["log"] == "warning"
    assert "The client does not trust the proxy's certificate for api.example" in line["text"]


def test_a_dead_simulator_is_an_error_of_the_gateway(capture_python: str, folder: Path) -> None:
    with listening() as gone:
        port = gone.port
    with door(capture_python, folder, port, patterns=[PROVIDER], mode="forward") as running:
        assert running.talk(b"GET http://api.example/ HTTP/1.1\r\nHost: api.example\r\n\r\n").startswith(
            b"HTTP/1.1 502"
        )


def test_twenty_streams_of_one_http2_client_reach_the_simulator_at_once(capture_python: str, folder: Path) -> None:
    barrier = threading.Barrier(20)

    def together(connection: socket.socket, _: str) -> None:
        barrier.wait(20)
        connection.sendall(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n")

    with (
        listening(together) as simulator,
        door(capture_python, folder, simulator.port, patterns=[PROVIDER]) as running,
    ):
        curl = ["curl", "-sS", "--http2", "--parallel", "--parallel-max", "20", "--cacert", "authority/ca.pem"]
        curl += ["--proxy", f"http://127.0.0.1:{running.port}", "https://api.example/v1/[1-20]"]
        done = subprocess.run(curl, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "ok" * 20), done.stderr
    assert len(simulator.heads) == 20


def test_a_websocket_passes_both_ways(capture_python: str, folder: Path) -> None:
    accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="  # RFC 6455, 1.3: of the key below

    def upgrade(connection: socket.socket, _: str) -> None:
        head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        connection.sendall(f"{head}Sec-WebSocket-Accept: {accept}\r\n\r\n".encode())
        frame = connection.recv(100)
        mask, masked = frame[2:6], frame[6:]
        text = bytes(byte ^ mask[n % 4] for n, byte in enumerate(masked))
        connection.sendall(bytes((0x81, len(text) + 1)) + text + b"!")

    with (
        listening(upgrade) as simulator,
        door(capture_python, folder, simulator.port, patterns=[PROVIDER]) as running,
    ):
        connection, _ = running.connect("api.example:443")
        with trusting(folder).wrap_socket(connection, server_hostname="api.example") as tls:
            tls.sendall(
                b"GET /v1/realtime HTTP/1.1\r\nHost: api.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            )
            assert read_head(tls).startswith("HTTP/1.1 101 ")
            tls.sendall(bytes((0x81, 0x82, 0, 0, 0, 0)) + b"hi")
            assert tls.recv(100) == b"\x81\x03hi!"
    assert simulator.heads[0].startswith("GET /api.example/v1/realtime HTTP/1.1\r\n")
    assert headers_of(simulator.heads[0])["upgrade"] == "websocket"


def test_a_corporate_proxy_gets_the_strangers_only(capture_python: str, folder: Path) -> None:
    def corporate(connection: socket.socket, head: str) -> None:
        if head.startswith("CONNECT"):
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        else:
            connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nout")

    with ExitStack() as stack:
        simulator, proxy = stack.enter_context(listening()), stack.enter_context(listening(corporate))
        url = f"http://me:pass%20word@127.0.0.1:{proxy.port}"
        running = stack.enter_context(
            door(capture_python, folder, simulator.port, patterns=[PROVIDER], mode="forward", proxy=url)
        )
        connection, _ = running.connect("stranger.example:8080")
        with connection:
            connection.sendall(b"GET /in HTTP/1.1\r\nHost: stranger.example\r\n\r\n")
            assert read_response(connection).endswith(b"out")
        plain = running.talk(b"GET http://stranger.example/ HTTP/1.1\r\nHost: stranger.example\r\n\r\n")
        provider = running.talk(b"GET http://api.example/v1 HTTP/1.1\r\nHost: api.example\r\n\r\n")
        connection, _ = running.connect("api.example:443")
        with trusting(folder).wrap_socket(connection, server_hostname="api.example") as tls:
            tls.sendall(b"GET /v2 HTTP/1.1\r\nHost: api.example\r\n\r\n")
            assert read_response(tls).endswith(b"ok")
    assert plain.endswith(b"out")
    assert provider.endswith(b"ok")
    assert [head.split("\r\n")[0] for head in proxy.heads] == [
        "CONNECT stranger.example:8080 HTTP/1.1",
        "GET /in HTTP/1.1",
        "GET http://stranger.example/ HTTP/1.1",
    ]
    credentials = "Basic bWU6cGFzcyB3b3Jk"  # me:pass word
    assert [headers_of(head).get("proxy-authorization") for head in proxy.heads] == [credentials, None, credentials]
    assert [head.split(" ")[1] for head in simulator.heads] == ["/http:api.example/v1", "/api.example/v2"]
    assert not any("proxy-authorization" in head.lower() for head in simulator.heads)
