"""The HTTPS_PROXY door: provider hosts go to the simulator and nowhere else; whatever goes wrong, nothing gets out.

A program of its own, run by the interpreter of the capture environment (mitmproxy's pins exclude today's SDKs). It imports
the standard library and mitmproxy alone. Its standard input is its life line: where that closes, it ends. Its standard
output is one JSON object a line: `{"port": N}` once it listens, `{"refused": HOST}`, `{"log": LEVEL, "text": TEXT}`.

Before it answers a CONNECT for a provider it asks the simulator whether a fault strikes the connection (`FAULTS`); what it does
then happens before there is any request. A simulator that does not answer has none.

Three fences, one behind the other: every hook answers by itself where it fails; `server_connect` refuses each address that
is not known to be meant; offline, an audit hook keeps the process on loopback.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime
import ipaddress
import json
import logging
import os
import re
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from mitmproxy import connection, http, options, tls
from mitmproxy.addons import core, disable_h2c, next_layer, proxyserver, tlsconfig, upstream_auth
from mitmproxy.master import Master
from mitmproxy.proxy import commands, events, layer
from mitmproxy.proxy.server_hooks import ServerConnectionHookData
from OpenSSL import SSL, crypto

DOOR_HEADER = "x-llm-simulator-door"
REFUSED = "refused by llm-simulator"
_DEFAULT_PORTS = {"http": 80, "https": 443}
_QUESTION = "/.llm-simulator/connection"
_ASKING_SECONDS = 2.0
_MOST = 8000  # characters of a complaint: the parent reads lines of up to 64 KiB

log = logging.getLogger("llm_simulator.forward")

Address = tuple[str, int]


@dataclass(frozen=True)
class Setup:
    """What a door is told. `patterns` match `host:port` as a whole; `proxy` is the URL of a corporate proxy, or ""."""

    simulator: Address
    token: str
    patterns: tuple[str, ...]
    offline: bool
    proxy: str = ""


class Silent(layer.Layer):
    """Takes what the client says and says nothing: a handshake that is never answered."""

    def _handle_event(self, event: events.Event) -> layer.CommandGenerator[None]:
        if isinstance(event, events.ConnectionClosed):
            yield commands.CloseConnection(self.context.client)
        elif isinstance(event, events.DataReceived):
            yield from self.answer()

    def answer(self) -> layer.CommandGenerator[None]:
        yield from ()


class Closing(Silent):
    """Closes in the middle of the handshake."""

    def answer(self) -> layer.CommandGenerator[None]:
        yield commands.CloseConnection(self.context.client)


class Plain(Silent):
    """A port that speaks HTTP without TLS."""

    def answer(self) -> layer.CommandGenerator[None]:
        said = b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        yield commands.SendData(self.context.client, said)
        yield commands.CloseConnection(self.context.client)


LAYERS: dict[str, type[Silent]] = {
    "tls_handshake_stall": Silent,
    "tls_closed_in_handshake": Closing,
    "tls_to_plaintext_port": Plain,
}
CERTIFICATES = ("tls_untrusted_ca", "tls_hostname_mismatch", "tls_expired_certificate")
REFUSALS = {"proxy_auth_required": 407, "proxy_unavailable": 503}
FAULTS = (*LAYERS, *CERTIFICATES, *REFUSALS, "proxy_refused")
"""What can be done to a connection (simulator/faults_connect.py has the same names)."""


class Door:
    """The one addon of ours. `tell` takes the lines of standard output, `authority` signs certificates."""

    authority: tlsconfig.TlsConfig | None = None

    def __init__(self, setup: Setup, tell: Callable[[dict[str, Any]], None]) -> None:
        self._setup = setup
        self._tell = tell
        self._intercepted = re.compile(
            "|".join(f"(?:{pattern})" for pattern in setup.patterns) or "(?!)", re.IGNORECASE
        )
        self._meant: dict[str, set[Address]] = {}  # client connection -> where it may go past the simulator
        self._struck: dict[str, tuple[str, str]] = {}  # client connection -> the fault of its TLS, and the host
        self._proxy = _address(setup.proxy) if setup.proxy else None
        self.ready = asyncio.Event()

    # The hooks. mitmproxy logs what they raise and goes on with the request, so they must not raise.

    def running(self) -> None:
        self.ready.set()

    async def http_connect(self, flow: http.HTTPFlow) -> None:
        try:
            self.admit(flow)
            if flow.response is None and self.intercepts((flow.request.host, flow.request.port)):
                self.strike(flow, await self.asked(flow.request.host, flow.request.port))
        except Exception:
            log.exception("CONNECT %s", flow.request.host)
            _shut(flow)

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        try:
            self.route(flow)
        except Exception:
            log.exception("request for %s", flow.request.host)
            _shut(flow)

    def responseheaders(self, flow: http.HTTPFlow) -> None:
        try:
            self.pass_on(flow)
        except Exception:
            log.exception("response head")
            flow.kill()

    def next_layer(self, data: layer.NextLayer) -> None:
        fault, _ = self._struck.get(data.context.client.id, ("", ""))
        if fault in LAYERS:
            data.layer = LAYERS[fault](data.context)

    def tls_start_client(self, data: tls.TlsData) -> None:
        fault, host = self._struck.get(data.context.client.id, ("", ""))
        if fault not in CERTIFICATES or self.authority is None:
            return
        try:
            data.ssl_conn = presented(fault, host, self.authority)
        except Exception:
            log.exception("certificate for %s", host)
            data.ssl_conn = None  # no connection at all rather than a good one

    def server_connect(self, data: ServerConnectionHookData) -> None:
        data.server.error = REFUSED  # until it is known to be meant
        try:
            if self.permits(data.client, data.server.address):
                data.server.error = None
        except Exception:
            log.exception("connect")

    def client_disconnected(self, client: connection.Client) -> None:
        self._meant.pop(client.id, None)
        self._struck.pop(client.id, None)

    # What the hooks decide.

    def admit(self, flow: http.HTTPFlow) -> None:
        """CONNECT: a provider's host is intercepted, another one tunnelled, or refused where we are offline."""
        address = (flow.request.host, flow.request.port)
        if not self.intercepts(address):
            self.let_past(flow, address)

    async def asked(self, host: str, port: int) -> str:
        """The fault that the simulator has for this connection, or ""."""
        where = host if port in _DEFAULT_PORTS.values() else f"{host}:{port}"
        try:
            async with asyncio.timeout(_ASKING_SECONDS):
                answer = await _get(self._setup, f"{_QUESTION}?host={quote(where)}")
        except (OSError, TimeoutError, ValueError):
            return ""  # the request itself will tell what is wrong with the simulator
        fault = answer.get("fault", "")
        return fault if fault in FAULTS else ""

    def strike(self, flow: http.HTTPFlow, fault: str) -> None:
        if fault in REFUSALS:
            flow.response = _answer(REFUSALS[fault], f"llm-simulator: the fault {fault} of the scenario in force")
            if fault == "proxy_auth_required":
                flow.response.headers["proxy-authenticate"] = 'Basic realm="proxy"'
        elif fault == "proxy_refused":
            flow.kill()
        elif fault:
            self._struck[flow.client_conn.id] = fault, flow.request.host

    def route(self, flow: http.HTTPFlow) -> None:
        """A request head: to the simulator where its host is a provider's."""
        request = flow.request
        address = (request.host, request.port)
        if self.intercepts(address):
            self.rewrite(flow)
        elif request.scheme != "http":
            # Its TLS was opened because it named a provider in SNI or Host, while its CONNECT did not: neither is right.
            self.refuse(flow, request.host, "its CONNECT and its TLS name different hosts")
        else:
            self.let_past(flow, address)

    def intercepts(self, address: Address) -> bool:
        return self._intercepted.fullmatch(f"{address[0]}:{address[1]}") is not None

    def let_past(self, flow: http.HTTPFlow, address: Address) -> None:
        if self._setup.offline:
            self.refuse(flow, address[0], "it is offline in this mode")
        else:
            self._meant.setdefault(flow.client_conn.id, set()).add(address)

    def refuse(self, flow: http.HTTPFlow, host: str, why: str) -> None:
        self._tell({"refused": host})
        flow.response = _answer(403, f"llm-simulator refused to contact {host}: {why}")

    def rewrite(self, flow: http.HTTPFlow) -> None:
        request = flow.request
        if not request.path.startswith("/"):
            flow.response = _answer(400, f"llm-simulator does not forward the target {request.path[:80]!r}")
            return
        prefix = _prefix(request.scheme, request.host, request.port)
        flow.server_conn.via = None  # the simulator is never asked through a corporate proxy
        request.scheme = "http"
        request.host, request.port = self._setup.simulator
        request.authority = ""
        request.path = prefix + request.path
        request.headers.pop("proxy-authorization", None)  # which UpstreamAuth has put there for the corporate proxy
        request.headers[DOOR_HEADER] = self._setup.token
        request.stream = True

    def pass_on(self, flow: http.HTTPFlow) -> None:
        """A response is handed on as it arrives; an upgraded connection is mitmproxy's own business."""
        if flow.response is not None and flow.response.status_code != 101:
            flow.response.stream = True

    def permits(self, client: connection.Client, address: Any) -> bool:
        wanted = tuple(address[:2]) if address else None
        if wanted == self._setup.simulator:
            return True
        meant = self._meant.get(client.id)
        if self._setup.offline or not meant:
            return False
        return wanted == self._proxy if self._proxy else wanted in meant


async def _get(setup: Setup, target: str) -> dict[str, Any]:
    """The JSON that the simulator answers with.

    Raises:
        ValueError: it answers with something else.
    """
    reader, writer = await asyncio.open_connection(*setup.simulator)
    try:
        host = f"{setup.simulator[0]}:{setup.simulator[1]}"
        head = f"GET {target} HTTP/1.1\r\nhost: {host}\r\n{DOOR_HEADER}: {setup.token}\r\nconnection: close\r\n\r\n"
        writer.write(head.encode())
        answer: Any = json.loads((await reader.read()).partition(b"\r\n\r\n")[2])
    finally:
        writer.close()
    if not isinstance(answer, dict):
        raise ValueError("the answer is no JSON object")
    return answer


def presented(fault: str, host: str, authority: tlsconfig.TlsConfig) -> SSL.Connection:
    """What a client is shown: a certificate that is wrong in one way."""
    key: ec.EllipticCurvePrivateKey = ec.generate_private_key(ec.SECP256R1())
    issuer = x509.load_pem_x509_certificate(authority.certstore.default_ca.to_pem()).subject
    signing: Any = authority.certstore.default_privatekey
    if fault == "tls_untrusted_ca":
        issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "An authority that nobody knows")])
        signing = ec.generate_private_key(ec.SECP256R1())
    shown = f"other.{host}" if fault == "tls_hostname_mismatch" else host
    now, day = datetime.datetime.now(datetime.UTC), datetime.timedelta(days=1)
    ended = now - day if fault == "tls_expired_certificate" else now + 30 * day
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, shown[:64])]))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - 60 * day)
        .not_valid_after(ended)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(shown)]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signing.public_key()), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(signing, hashes.SHA256())
    )
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.use_certificate(crypto.X509.from_cryptography(made))
    context.use_privatekey(crypto.PKey.from_cryptography_key(key))
    shaking = SSL.Connection(context)
    shaking.set_accept_state()
    return shaking


def _shut(flow: http.HTTPFlow) -> None:
    """Answers in place of whoever was meant."""
    flow.request.stream = False
    flow.response = _answer(502, "llm-simulator's HTTPS_PROXY door failed; the request went nowhere")


def _answer(status: int, text: str) -> http.Response:
    headers = {"content-type": "text/plain; charset=utf-8", "x-should-retry": "false", "connection": "close"}
    return http.Response.make(status, text + "\n", headers)


def _prefix(scheme: str, host: str, port: int) -> str:
    name = f"[{host}]" if ":" in host else host
    where = name if port == _DEFAULT_PORTS[scheme] else f"{name}:{port}"
    return f"/{'http:' if scheme == 'http' else ''}{where}"


def _address(url: str) -> Address:
    parts = urlsplit(url)
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        raise ValueError(f"{parts.scheme}://{parts.hostname} is no URL of an HTTP proxy")
    return parts.hostname, parts.port or _DEFAULT_PORTS[parts.scheme]


def confine(simulator: str) -> None:
    """From now on this process reaches loopback and the simulator only. It cannot be undone."""

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event in ("socket.connect", "socket.sendto"):
            host = arguments[1][0] if isinstance(arguments[1], tuple) else None  # else a Unix socket
        elif event == "socket.getaddrinfo":
            host = arguments[0]
        else:
            return
        if host is not None and host != simulator and not _is_loopback(host):
            raise PermissionError(f"{REFUSED}: {host!r} is not on this machine")

    sys.addaudithook(hook)


def _is_loopback(host: str | bytes) -> bool:
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else host
    if name in ("", "localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


class _Lines(logging.Handler):
    """What mitmproxy and we have to complain about, as lines of standard output."""

    def __init__(self, tell: Callable[[dict[str, Any]], None]) -> None:
        super().__init__(logging.WARNING)
        self._tell = tell

    def emit(self, record: logging.LogRecord) -> None:
        self._tell({"log": record.levelname.lower(), "text": self.format(record)[-_MOST:]})


def tell(line: dict[str, Any]) -> None:
    """Writes one line for the parent; one that is gone ends us by way of standard input."""
    try:
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()
    except OSError:
        pass


def master(setup: Setup, door: Door, *, host: str, port: int, confdir: str) -> Master:
    """A mitmproxy with the few addons that this takes; must be called inside a running loop."""
    parts = urlsplit(setup.proxy)
    mode = f"upstream:{parts.scheme}://{parts.netloc.rpartition('@')[2]}" if setup.proxy else "regular"
    opts = options.Options(
        listen_host=host,
        listen_port=port,
        mode=[mode],
        confdir=confdir,
        allow_hosts=[f"^(?:{p})$" for p in setup.patterns],
    )
    made = Master(opts)
    door.authority = tlsconfig.TlsConfig()
    made.addons.add(
        core.Core(),
        disable_h2c.DisableH2C(),
        proxyserver.Proxyserver(),
        next_layer.NextLayer(),
        door.authority,
        upstream_auth.UpstreamAuth(),
        door,
    )
    # http2: over one HTTP/2 connection only five requests would reach the simulator at a time.
    made.options.update(connection_strategy="lazy", upstream_cert=False, http2=False)
    if parts.username:
        made.options.update(upstream_auth=f"{unquote(parts.username)}:{unquote(parts.password or '')}")
    return made


async def serve(setup: Setup, *, host: str, port: int, confdir: str) -> int:
    """Serves until standard input closes; the exit code."""
    door = Door(setup, tell)
    proxy = master(setup, door, host=host, port=port, confdir=confdir)
    ending = threading.Thread(target=_when_orphaned, args=(proxy.shutdown,), daemon=True)
    running = asyncio.create_task(proxy.run())
    ending.start()  # before all else: a door that never gets ready must not outlive its parent
    ready = asyncio.create_task(door.ready.wait())
    await asyncio.wait((running, ready), return_when=asyncio.FIRST_COMPLETED)
    bound = proxy.addons.get("proxyserver").listen_addrs()
    if not bound:  # mitmproxy has logged why
        running.cancel()
        return 1
    tell({"port": bound[0][1]})
    await running
    logging.disable()  # whoever is cut off now would only complain about that
    return 0


def _when_orphaned(then: Callable[[], None]) -> None:
    while os.read(0, 4096):  # not through sys.stdin, whose lock an interpreter that ends while we wait would abort for
        pass
    then()


def read_arguments(arguments: list[str]) -> tuple[argparse.Namespace, Setup]:
    """The command line; with `--token -` a first line of standard input holds {"token", "proxy"}, for no one to see."""
    parser = argparse.ArgumentParser(description="The HTTPS_PROXY door of llm-simulator")
    parser.add_argument("--listen-host", default="127.0.0.1")
    parser.add_argument("--listen-port", type=int, default=0)
    parser.add_argument("--simulator", required=True, metavar="URL")
    parser.add_argument("--token", required=True)
    parser.add_argument("--confdir", required=True)
    parser.add_argument("--hosts-file", required=True, help="JSON list of patterns for host:port")
    parser.add_argument("--mode", choices=("offline", "forward"), required=True)
    parser.add_argument("--upstream-proxy", default="", metavar="URL")
    given = parser.parse_args(arguments)
    token, proxy = given.token, given.upstream_proxy
    if token == "-":
        secrets = json.loads(sys.stdin.buffer.readline())
        token, proxy = secrets["token"], secrets.get("proxy", "")
    with open(given.hosts_file, encoding="utf-8") as file:
        patterns = tuple(json.load(file))
    offline = given.mode == "offline"
    return given, Setup(_address(given.simulator), token, patterns, offline, "" if offline else proxy)


def main() -> int:
    """Runs the door; the exit code."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which closes our standard input
    logging.getLogger().addHandler(_Lines(tell))
    given, setup = read_arguments(sys.argv[1:])
    if setup.offline:
        confine(setup.simulator[0])
    return asyncio.run(serve(setup, host=given.listen_host, port=given.listen_port, confdir=given.confdir))


if __name__ == "__main__":
    sys.exit(main())
