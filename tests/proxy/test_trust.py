"""The authority's constraints, the combined bundle, the capture environment's whereabouts."""

from __future__ import annotations

import shutil
import ssl
import stat
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from llm_simulator.config.settings import Settings
from llm_simulator.errors import ConfigError
from llm_simulator.proxy import capture, trust
from llm_simulator.proxy.authority import CERTIFICATE, PAIR, ensure


def read(folder: Path) -> tuple[bytes, x509.Certificate]:
    pair = (folder / PAIR).read_bytes()
    certificate = x509.load_pem_x509_certificate(pair)
    assert x509.load_pem_x509_certificate((folder / CERTIFICATE).read_bytes()) == certificate
    return pair.partition(b"-----END PRIVATE KEY-----")[0], certificate


def permitted(certificate: x509.Certificate) -> list[str]:
    found = certificate.extensions.get_extension_for_class(x509.NameConstraints)
    assert found.critical
    return [str(name.value) for name in found.value.permitted_subtrees or ()]


def test_the_authority_is_private_made_once_and_extended_with_the_same_key(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "authority"
    assert ensure(folder, ["api.example"])
    assert [stat.S_IMODE(path.stat().st_mode) for path in (folder, folder / PAIR)] == [0o700, 0o600]
    key, first = read(folder)
    assert permitted(first) == ["api.example", "127.0.0.1/32", "::1/128"]
    assert not ensure(folder, ["api.example"])
    assert read(folder) == (key, first)
    assert ensure(folder, ["10.0.0.7", "b.example"])
    again, second = read(folder)
    assert (again, second.subject) == (key, first.subject)
    assert permitted(second) == ["10.0.0.7/32", "127.0.0.1/32", "::1/128", "api.example", "b.example"]
    assert not ensure(folder, ["10.0.0.7", "127.0.0.1"])


def test_a_foreign_key_is_left_alone(tmp_path: Path) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    (tmp_path / PAIR).write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with pytest.raises(SystemExit, match="holds no EC key"):
        ensure(tmp_path, ["api.example"])


def test_the_bundle_holds_ours_the_users_and_the_systems_once_each(tmp_path: Path) -> None:
    ours, corporate = tmp_path / "ours", tmp_path / "corporate"
    ensure(ours, ["api.example"])
    ensure(corporate, ["corp.example"])
    root = corporate / CERTIFICATE
    environ = {"SSL_CERT_FILE": str(root), "REQUESTS_CA_BUNDLE": str(root), "CURL_CA_BUNDLE": str(tmp_path / "gone")}
    made = trust.bundle(environ, ours)
    text = made.read_text()
    assert text.startswith((ours / CERTIFICATE).read_text())
    assert text.count(root.read_text().strip()) == 1
    context = ssl.create_default_context(cafile=str(made))
    assert context.cert_store_stats()["x509_ca"] == text.count("BEGIN CERTIFICATE") > 50
    assert trust.bundle(environ, ours) == made
    assert trust.bundle({}, ours) != made


def test_no_roots_at_all_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ensure(tmp_path, ["api.example"])

    def nowhere(_: Mapping[str, str]) -> list[Path]:
        return []

    monkeypatch.setattr(trust, "_sources", nowhere)
    with pytest.raises(ConfigError, match="no system root certificates found"):
        trust.bundle({}, tmp_path)


@pytest.mark.skipif(shutil.which("keytool") is None, reason="keytool is not installed")
def test_java_gets_a_store_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ensure(tmp_path, ["api.example"])
    store = trust.java_store(tmp_path)
    assert store is not None
    listing = [
        "keytool",
        "-list",
        "-keystore",
        str(store),
        "-storepass",
        trust.JAVA_PASSWORD,
        "-alias",
        "llm-simulator",
    ]
    assert subprocess.run(listing, capture_output=True, check=False).returncode == 0
    assert trust.java_store(tmp_path) == store
    monkeypatch.setenv("PATH", "")
    assert trust.java_store(tmp_path) is None


def test_where_things_are_kept(tmp_path: Path) -> None:
    assert capture.data_folder({"XDG_DATA_HOME": str(tmp_path)}) == tmp_path / "llm-simulator"
    assert capture.data_folder({}) == Path.home() / ".local" / "share" / "llm-simulator"


def test_the_interpreter_is_the_one_named_or_the_one_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert capture.interpreter({capture.PYTHON_VARIABLE: sys.executable}) == sys.executable
    with pytest.raises(ConfigError, match="LLM_SIMULATOR_CAPTURE_PYTHON is '/no/such/python'"):
        capture.interpreter({capture.PYTHON_VARIABLE: "/no/such/python"})
    environ = {"XDG_DATA_HOME": str(tmp_path)}
    python = tmp_path / "llm-simulator" / "capture" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()
    with pytest.raises(ConfigError, match="make it once with `llm-simulator capture install`"):
        capture.interpreter(environ)  # the installation broke off
    (python.parents[1] / "installed").touch()
    assert capture.interpreter(environ) == str(python)
    monkeypatch.setattr(capture, "find_spec", str)  # finds whatever it is asked for
    assert capture.interpreter({"XDG_DATA_HOME": str(tmp_path / "other")}) == sys.executable


def test_install_makes_the_environment_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[list[str]] = []
    environ = {"XDG_DATA_HOME": str(tmp_path)}
    folder = capture.environment(environ)
    (folder / "old").mkdir(parents=True)

    def run(command: list[str]) -> None:
        ran.append(command)
        folder.mkdir(exist_ok=True)
        assert not (folder / "old").exists()

    monkeypatch.setattr(capture, "run_or_raise", run)
    python = capture.install(environ)
    assert ran[0] == [sys.executable, "-m", "venv", str(folder)]
    assert ran[1][-1] == capture.REQUIREMENT
    assert {command[0] for command in ran[1:]} == {python}
    assert (folder / "installed").exists()


def test_what_fails_while_installing_is_named() -> None:
    with pytest.raises(ConfigError, match="failed with exit code 1: false --now"):
        capture.run_or_raise(["false", "--now"])


def test_an_authority_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "llm-simulator").write_text("a file where a folder should be")
    environ = {"XDG_DATA_HOME": str(tmp_path), capture.PYTHON_VARIABLE: sys.executable}
    with pytest.raises(ConfigError, match=r"the certificate authority in .* cannot be made: NotADirectoryError"):
        capture.prepare_authority(Settings(), environ)


@pytest.mark.parametrize(
    ("environ", "url"),
    [
        ({}, ""),
        ({"HTTP_PROXY": "http://other:1"}, ""),
        ({"https_proxy": "corp:3128"}, "http://corp:3128"),
        ({"HTTPS_PROXY": "http://u:p@corp:3128", "ALL_PROXY": "http://other:1"}, "http://u:p@corp:3128"),
    ],
)
def test_the_corporate_proxy(environ: dict[str, str], url: str) -> None:
    assert capture.upstream_proxy(environ) == url


def test_a_socks_proxy_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"the proxy of the environment is socks5://\.\.\."):
        capture.upstream_proxy({"ALL_PROXY": "socks5://me:secret@corp:1080"})
