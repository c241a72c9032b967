"""The certificate authority of the HTTPS_PROXY door: one key, made once; a certificate good for the named domains only.

A program run by the interpreter of the capture environment. It imports the standard library and `cryptography` alone.

    python authority.py FOLDER < {"domains": [...]}

leaves in FOLDER (0700) `mitmproxy-ca.pem` (key and certificate, 0600: what mitmproxy reads) and `ca.pem` (the
certificate). Where a domain is new, the certificate is made anew for the same key and name; what trusts the old one still
accepts the old domains.
"""

from __future__ import annotations

import ipaddress
import json
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

PAIR, CERTIFICATE = "mitmproxy-ca.pem", "ca.pem"
VALID = timedelta(days=5 * 365)
RENEW = timedelta(days=400)  # mitmproxy's leaves live 365 days
NAME = "llm-simulator (this machine only)"
# mitmproxy names its own address in the leaf of a client that sends no SNI.
LOOPBACK = ("127.0.0.1", "::1")


def ensure(folder: Path, domains: list[str]) -> bool:
    """Creates or extends the authority; whether anything was written."""
    with _alone(folder):
        return _ensure(folder, domains)


def _ensure(folder: Path, domains: list[str]) -> bool:
    key, old = _load(folder / PAIR)
    known = _domains(old) if old else set[str]()
    if old and set(domains) <= known and datetime.now(UTC) + RENEW < old.not_valid_after_utc:
        return False
    certificate = certify(key, sorted(known | set(domains)))
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    _write(folder / PAIR, private + pem, 0o600)
    _write(folder / CERTIFICATE, pem, 0o644)
    return True


def certify(key: ec.EllipticCurvePrivateKey, domains: list[str]) -> x509.Certificate:
    """A self-signed authority for the domains, all names below them, and nothing else (RFC 5280, 4.2.1.10)."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    now, public = datetime.now(UTC), key.public_key()
    permitted: list[x509.GeneralName] = [_subtree(domain) for domain in domains]
    permitted += [_subtree(address) for address in LOOPBACK if address not in domains]
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=2))
        .not_valid_after(now + VALID)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.KeyUsage(True, False, False, False, False, True, True, False, False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.NameConstraints(permitted, None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(public), critical=False)
        .sign(key, hashes.SHA256())
    )


def _subtree(domain: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_network(domain))
    except ValueError:
        return x509.DNSName(domain)


def _domains(certificate: x509.Certificate) -> set[str]:
    constraints = certificate.extensions.get_extension_for_class(x509.NameConstraints).value
    found = {str(name.value) for name in constraints.permitted_subtrees or ()}
    return {name.removesuffix("/32").removesuffix("/128") for name in found}


def _load(path: Path) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate | None]:
    if not path.exists():
        return ec.generate_private_key(ec.SECP256R1()), None
    data = path.read_bytes()
    key = serialization.load_pem_private_key(data, None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise SystemExit(f"{path} holds no EC key: it was not made by llm-simulator")
    return key, x509.load_pem_x509_certificate(data)


@contextmanager
def _alone(folder: Path) -> Generator[None]:
    """One maker at a time: two runs that start at once must not make two keys."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)
    with open(folder / "lock", "w") as lock:
        if sys.platform != "win32":
            import fcntl

            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _write(path: Path, data: bytes, mode: int) -> None:
    """Whole or not at all, and never readable by others for a moment."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
        file.write(data)
    temporary.replace(path)


if __name__ == "__main__":
    print(json.dumps({"written": ensure(Path(sys.argv[1]), json.load(sys.stdin)["domains"])}))
