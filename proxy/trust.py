"""What makes clients trust the authority: one bundle (system roots, the user's own, ours) and a Java trust store.

Most clients replace their roots by what a variable names, while other hosts are tunnelled untouched: so one bundle for all.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import ssl
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from llm_simulator.errors import ConfigError

BUNDLE_VARIABLES = (
    "SSL_CERT_FILE",  # OpenSSL, Go, Ruby, .NET; Python's ssl, httpx, httpx2, aiohttp
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
    "AWS_CA_BUNDLE",
    "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
    "DENO_CERT",
)
NODE_PROXY = Path(__file__).with_name("node_proxy.cjs")
JAVA_PASSWORD = "changeit"  # the usual one of a trust store, which holds nothing secret
_SYSTEM_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Alpine
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora
    "/etc/ssl/ca-bundle.pem",  # openSUSE
    "/etc/ssl/cert.pem",  # macOS, BSD
)
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


def bundle(environ: Mapping[str, str], authority: Path) -> Path:
    """Writes the combined bundle beside the authority (its name tells its content) and returns where.

    Raises:
        ConfigError: no system roots are found.
    """
    roots = [block for source in _sources(environ) for block in _certificates(source)]
    roots += _windows_roots()
    if not roots:
        raise ConfigError("no system root certificates found; name a bundle in SSL_CERT_FILE")
    ours = _certificates(authority / "ca.pem")
    text = "\n".join(dict.fromkeys(ours + roots)) + "\n"
    return _kept(authority, "bundle", ".pem", text.encode())


def _sources(environ: Mapping[str, str]) -> Iterable[Path]:
    """The user's own bundles first: a company's root is in one of them."""
    named = [environ[name] for name in BUNDLE_VARIABLES if environ.get(name)]
    paths = ssl.get_default_verify_paths()
    system = [name for name in (paths.openssl_cafile, *_SYSTEM_BUNDLES) if name]
    return [path for path in map(Path, (*named, *system)) if path.is_file()]


def _certificates(path: Path) -> list[str]:
    return _CERTIFICATE.findall(path.read_text(encoding="utf-8", errors="replace").replace("\r\n", "\n"))


def _windows_roots() -> list[str]:
    if sys.platform != "win32":
        return []
    return [
        ssl.DER_cert_to_PEM_cert(data).strip() for data, kind, _ in ssl.enum_certificates("ROOT") if kind == "x509_asn"
    ]


def java_store(authority: Path) -> Path | None:
    """A trust store of Java's own roots and ours, where keytool and its roots are found; else None."""
    keytool = shutil.which("keytool")
    roots = Path(os.path.realpath(keytool)).parents[1] / "lib" / "security" / "cacerts" if keytool else None
    if keytool is None or roots is None or not roots.is_file():
        return None
    ours = authority / "ca.pem"
    digest = hashlib.sha256(roots.read_bytes() + ours.read_bytes()).hexdigest()[:12]
    store = authority / f"java-{digest}.jks"
    if store.exists():
        return store
    temporary = store.with_suffix(f".{os.getpid()}")
    shutil.copyfile(roots, temporary)
    command = [keytool, "-importcert", "-noprompt", "-alias", "llm-simulator", "-file", str(ours)]
    command += ["-keystore", str(temporary), "-storepass", JAVA_PASSWORD]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        temporary.unlink()
        return None  # roots with another password: Java is left as it is
    temporary.replace(store)
    return store


def _kept(folder: Path, stem: str, suffix: str, data: bytes) -> Path:
    path = folder / f"{stem}-{hashlib.sha256(data).hexdigest()[:12]}{suffix}"
    if not path.exists():
        temporary = path.with_suffix(f".{os.getpid()}")
        temporary.write_bytes(data)
        temporary.replace(path)
    return path
