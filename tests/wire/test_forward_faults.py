"""Faults of the connection at the HTTPS_PROXY door: what a client sees of each, that nothing else passes, and a whole drill."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import threading
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest
from door_rig import Listener, Running, door, listening, read_response
from serving import ask, command_serving, free_port

from llm_simulator.config.settings import Settings
from llm_simulator.proxy.capture import FORWARD, prepare_authority
from llm_simulator.simulator.faults_connect import KINDS

pytestmark = [pytest.mark.wire, pytest.mark.timeout(240)]

REQUEST = b"GET /v1/x HTTP/1.1\r\nHost: api.example\r\n\r\n"


@pytest.fixture(scope="module")
def folder(capture_python: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an authority for api.example."""
    made = tmp_path_factory.mktemp("door")
    asked = json.dumps({"domains": ["api.example"]})
    script = FORWARD.with_name("authority.py")
    subprocess.run([capture_python, str(script), str(made / "authority")], input=asked, text=True, check=True)
    return made


@pytest.fixture(scope="module")
def running(capture_python: str, folder: Path) -> Generator[tuple[Listener, Running]]:
    pattern = r"api\.example:(?:443|80)"
    with listening() as simulator, door(capture_python, folder, simulator.port, patterns=[pattern]) as made:
        yield simulator, made


def handshake(door_: Running, folder: Path, seconds: float = 10) -> ssl.SSLSocket:
    context = ssl.create_default_context(cafile=folder / "authority" / "ca.pem")
    connection, head = door_.connect("api.example:443")
    assert head.startswith("HTTP/1.1 200 ")
    connection.settimeout(seconds)
    return context.wrap_socket(connection, server_hostname="api.example")


@contextmanager
def struck(simulator: Listener, fault: str) -> Generator[None]:
    """All new connections meet this fault; no request gets through."""
    before = len(simulator.heads)
    simulator.fault = fault
    yield
    simulator.fault = ""
    assert len(simulator.heads) == before
    assert simulator.asked[-1] == "api.example"


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("tls_untrusted_ca", "unable to get local issuer certificate"),
        ("tls_hostname_mismatch", "Hostname mismatch, certificate is not valid for 'api.example'"),
        ("tls_expired_certificate", "certificate has expired"),
    ],
)
def test_a_certificate_is_wrong(fault: str, message: str, running: tuple[Listener, Running], folder: Path) -> None:
    simulator, door_ = running
    with struck(simulator, fault), pytest.raises(ssl.SSLCertVerificationError) as found:
        handshake(door_, folder)
    assert message in found.value.verify_message


@pytest.mark.parametrize(
    ("fault", "error", "message"),
    [
        ("tls_to_plaintext_port", ssl.SSLError, "WRONG_VERSION_NUMBER|RECORD_LAYER_FAILURE"),
        ("tls_closed_in_handshake", ssl.SSLError, "EOF"),
        ("tls_handshake_stall", TimeoutError, "timed out"),
    ],
)
def test_a_handshake_does_not_come_about(
    fault: str, error: type[Exception], message: str, running: tuple[Listener, Running], folder: Path
) -> None:
    simulator, door_ = running
    with struck(simulator, fault), pytest.raises(error, match=message):
        handshake(door_, folder, seconds=1.0)


@pytest.mark.parametrize(("fault", "status"), [("proxy_auth_required", 407), ("proxy_unavailable", 503)])
def test_the_proxy_itself_refuses(fault: str, status: int, running: tuple[Listener, Running]) -> None:
    simulator, door_ = running
    with struck(simulator, fault):
        connection, head = door_.connect("api.example:443")
        connection.close()
    assert head.startswith(f"HTTP/1.1 {status} ")
    assert ("proxy-authenticate: Basic" in head) is (status == 407)


def test_the_proxy_closes(running: tuple[Listener, Running]) -> None:
    simulator, door_ = running
    with struck(simulator, "proxy_refused"):
        connection, head = door_.connect("api.example:443")
        connection.close()
    assert head == ""


def test_without_a_fault_and_after_one_all_is_well(running: tuple[Listener, Running], folder: Path) -> None:
    simulator, door_ = running
    with closing(handshake(door_, folder)) as standing:
        simulator.fault = "tls_untrusted_ca"
        standing.sendall(REQUEST)  # a connection that stands is not touched
        assert read_response(standing).endswith(b"ok")
        simulator.fault = "a kind that nobody knows"
        with closing(handshake(door_, folder)) as other:
            other.sendall(REQUEST)
            assert read_response(other).endswith(b"ok")
    simulator.fault = ""


def test_every_kind_is_known_at_the_door() -> None:
    text = FORWARD.read_text(encoding="utf-8")
    assert [kind for kind in KINDS if f'"{kind}"' not in text] == []


def test_a_simulator_that_does_not_answer_has_no_fault(capture_python: str, folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with door(capture_python, folder, port, patterns=[r"api\.example:443"]) as door_:
        connection, head = door_.connect("api.example:443")
        connection.close()
    assert head.startswith("HTTP/1.1 200 ")


DRILL = """\
scenarios:
  drill:
    phases: {by: calls, steps: [{name: bad, for: 2}, {name: good}]}
    rules:
      - name: tls
        when: {provider: openai}
        then:
          mode: simulate
          faults:
            - {kind: tls_failure, phase: bad}
            - {kind: rate_limit, probability: 0}
scenario: drill
simulation: {speed: 0}
"""


def test_an_sdk_through_a_drill_of_tls_failures(capture_python: str, tmp_path: Path) -> None:
    """The first two connections fail, the SDK's third try succeeds; the journal has all of it."""
    environ = {"LLM_SIMULATOR_CAPTURE_PYTHON": capture_python, "XDG_DATA_HOME": str(tmp_path)}
    authority = prepare_authority(Settings(), environ)
    config = tmp_path / "c.yaml"
    config.write_text(DRILL, encoding="utf-8")
    port = free_port()
    arguments = ("--proxy-port", str(port), "--config", str(config), "--mode", "simulate")
    context = ssl.create_default_context(cafile=authority / "ca.pem")
    with command_serving(*arguments, environ=environ) as (base_url, _):
        wait_for(port)
        http: Any = httpx2.Client(proxy=f"http://127.0.0.1:{port}", verify=context)
        with openai.OpenAI(api_key="sk-test", http_client=http, base_url="https://api.openai.com/v1") as client:
            hi: Any = [{"role": "user", "content": "Hi"}]
            with pytest.raises(openai.APIConnectionError) as found:
                client.with_options(max_retries=0).chat.completions.create(model="gpt-4o", messages=hi)
            assert "certificate" in repr(found.value.__cause__).lower()
            answer = client.with_options(max_retries=2).chat.completions.create(model="gpt-4o", messages=hi)
            assert answer.choices[0].message.content
        calls = ask(base_url, "/admin/calls").json()["calls"]
        metrics = ask(base_url, "/metrics").body.decode()
    told = [(call["method"], call.get("fault"), call["source"]) for call in calls]
    assert told == [
        ("CONNECT", "tls_failure", "fault"),
        ("CONNECT", "tls_failure", "fault"),
        ("POST", None, "simulator"),
    ]
    assert 'llm_faults_total{fault="tls_failure",priority="0",rule="tls",scenario="drill"} 2.0' in metrics


def wait_for(port: int) -> None:
    for _ in range(1000):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            threading.Event().wait(0.02)
    raise AssertionError(f"nothing listens on {port}")
