"""Clients bear the authority's name constraints: what it is not permitted to sign for is refused, whoever holds its key."""

from __future__ import annotations

import atexit
import shutil
import ssl
import subprocess
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from door_rig import listening

from llm_simulator.proxy.authority import CERTIFICATE, PAIR, ensure

pytestmark = [pytest.mark.wire, pytest.mark.untraced, pytest.mark.timeout(300)]  # a first `go build` takes a minute

HOSTS = {"api.example": True, "eu.api.example": True, "evil.example": False, "example": False, "xapi.example": False}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("authority")
    ensure(folder, ["api.example"])
    for host in HOSTS:
        (folder / f"{host}.pem").write_bytes(leaf(folder, host))
    return folder


def leaf(folder: Path, host: str) -> bytes:
    """A key and certificate as mitmproxy makes them: the authority's own key, no subject key identifier."""
    pair = (folder / PAIR).read_bytes()
    key = serialization.load_pem_private_key(pair, None)
    issuer = x509.load_pem_x509_certificate(pair)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)]))
        .issuer_name(issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=2))
        .not_valid_after(now + timedelta(days=365))
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return pair.partition(b"-----BEGIN CERTIFICATE-----")[0] + made.public_bytes(serialization.Encoding.PEM)


def python(host: str, port: int, ca: Path) -> bool:
    code = (
        "import socket, ssl, sys\n"
        "context = ssl.create_default_context(cafile=sys.argv[3])\n"
        "context.verify_flags |= ssl.VERIFY_X509_STRICT\n"
        "with socket.create_connection(('127.0.0.1', int(sys.argv[2]))) as connection:\n"
        "    context.wrap_socket(connection, server_hostname=sys.argv[1]).close()\n"
    )
    return _accepts("python3", "-c", code, host, str(port), str(ca))


def curl(host: str, port: int, ca: Path) -> bool:
    return _accepts("curl", "-sS", "--cacert", str(ca), "--connect-to", f"::127.0.0.1:{port}", f"https://{host}/")


def openssl(host: str, port: int, ca: Path) -> bool:
    options = ("-brief", "-verify_return_error", "-x509_strict", "-servername", host, "-verify_hostname", host)
    return _accepts("openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-CAfile", str(ca), *options)


def node(host: str, port: int, ca: Path) -> bool:
    code = (
        "const [host, port, file] = process.argv.slice(1);"
        "const ca = require('fs').readFileSync(file);"
        "const s = require('tls').connect({host: '127.0.0.1', port, servername: host, ca}, () => process.exit(0));"
        "s.on('error', (e) => { console.error(e.code, e.message); process.exit(1); });"
    )
    return _accepts("node", "-e", code, host, str(port), str(ca))


def go(host: str, port: int, ca: Path) -> bool:
    return _accepts(str(_built("go", "build", "tls_program.go")), host, str(port), str(ca))


def java(host: str, port: int, ca: Path) -> bool:
    folder = _built("javac", "-d", "TlsProgram.java").parent
    return _accepts("java", "-cp", str(folder), "TlsProgram", host, str(port), str(ca))


@cache
def _built(compiler: str, option: str, program: str) -> Path:
    """A program of tests/programs, compiled once."""
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    folder = Path(tempfile.mkdtemp(prefix="llm-simulator-test-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    source = Path(__file__).resolve().parents[1] / "programs" / program
    target = {"-d": ["-d", str(folder)], "build": ["build", "-o", str(folder / "program")]}[option]
    subprocess.run([compiler, *target, str(source)], check=True, timeout=110)
    return folder / "program"


def _accepts(*command: str) -> bool:
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False, stdin=subprocess.DEVNULL)
    told = (done.stdout + done.stderr).lower()
    assert done.returncode == 0 or "permitted" in told, told  # refused for this and for no other reason
    return done.returncode == 0


@pytest.mark.parametrize("client", [python, curl, openssl, node, go], ids=lambda client: client.__name__)
def test_the_authority_is_believed_for_its_domains_only(
    authority: Path, client: Callable[[str, int, Path], bool]
) -> None:
    assert {host: _believed(authority, client, host) for host in HOSTS} == HOSTS


def test_java_believes_it_for_its_domains_and_does_not_look_at_the_constraints_of_a_root(authority: Path) -> None:
    """JDK 17 and 25 make a trust anchor without them; the docs say so. One that looks at them is as good."""
    found = {host: _believed(authority, java, host) for host in HOSTS}
    assert found in (HOSTS, dict.fromkeys(HOSTS, True))


def _believed(authority: Path, client: Callable[[str, int, Path], bool], host: str) -> bool:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority / f"{host}.pem")
    with listening(context=context) as server:
        return client(host, server.port, authority / CERTIFICATE)
