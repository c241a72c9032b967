"""`llm-simulator ca`: the certificate authority of the HTTPS_PROXY door, and how clients come to trust it."""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path

import click

from llm_simulator.cli.options import JSON_OPTION
from llm_simulator.cli.proxied import java_options, no_proxy, node_options, proxy_variables, trust_variables
from llm_simulator.config.load import load
from llm_simulator.proxy import trust
from llm_simulator.proxy.capture import prepare_authority
from llm_simulator.proxy.intercepted import patterns

_HINTS = """\
{ca}
is good for provider domains only (Java ignores that), and its key never leaves this machine. Nothing has to be installed
where variables do:

    eval "$(llm-simulator ca env --proxy http://127.0.0.1:PORT)"       or    llm-simulator run --proxy -- CMD

Python   ssl, httpx, openai, anthropic, google-genai, aiohttp: SSL_CERT_FILE; requests: REQUESTS_CA_BUNDLE
Node     NODE_EXTRA_CA_CERTS, and for the built-in fetch NODE_USE_ENV_PROXY=1 (Node 22.21, 24 and later)
         or NODE_OPTIONS with what `ca env --proxy` prints (before)
curl     CURL_CA_BUNDLE; wget: --ca-certificate
Go, Ruby, .NET on Linux: SSL_CERT_FILE
AWS      AWS_CA_BUNDLE; gRPC: GRPC_DEFAULT_SSL_ROOTS_FILE_PATH
Java     JAVA_TOOL_OPTIONS (a trust store of its own; a JDK does not look at the limits of a root, so rather not:)
         keytool -importcert -noprompt -alias llm-simulator -file {ca} -cacerts -storepass changeit

Where only the system's store counts:
Debian   sudo cp {ca} /usr/local/share/ca-certificates/llm-simulator.crt && sudo update-ca-certificates
Fedora   sudo trust anchor {ca}
macOS    security add-trusted-cert -k ~/Library/Keychains/login.keychain-db {ca}
Windows  certutil -user -addstore Root {ca}
"""


@click.group("ca")
def command() -> None:
    """The authority is made on first use, for the known providers and the configured upstreams."""


def _authority(config: Path | None) -> Path:
    return prepare_authority(load(config, os.environ), os.environ)


_config = click.option("--config", type=click.Path(dir_okay=False, path_type=Path), help="YAML, JSON or TOML file")


@command.command("path")
@_config
@JSON_OPTION
def path(config: Path | None, as_json: bool) -> None:
    """Print the file of the certificate (PEM)."""
    file = str(_authority(config) / "ca.pem")
    click.echo(json.dumps({"path": file}) if as_json else file)


@command.command("env")
@_config
@click.option("--proxy", metavar="URL", help="also print the proxy variables, for a door at URL")
@JSON_OPTION
def env(config: Path | None, proxy: str | None, as_json: bool) -> None:
    """Print the variables as shell commands: eval "$(llm-simulator ca env)"."""
    authority = _authority(config)
    variables = trust_variables(str(trust.bundle(os.environ, authority)))
    if proxy:
        allowed = load(config, os.environ).upstreams
        variables |= proxy_variables(proxy.rstrip("/"), no_proxy(os.environ, patterns(allowed), offline=False))
        variables["NODE_OPTIONS"] = node_options(os.environ.get("NODE_OPTIONS", ""))
    if store := trust.java_store(authority):
        variables["JAVA_TOOL_OPTIONS"] = java_options(str(store), (proxy or "").rstrip("/"))
    if as_json:
        click.echo(json.dumps(variables, indent=2))
        return
    for name, value in variables.items():
        click.echo(f"export {name}={shlex.quote(value)}")


@command.command("install-hints")
@_config
@JSON_OPTION
def install_hints(config: Path | None, as_json: bool) -> None:
    """Print how each kind of client comes to trust the authority."""
    file = _authority(config) / "ca.pem"
    text = _HINTS.format(ca=file)
    click.echo(json.dumps({"path": str(file), "hints": text.splitlines()}, indent=2) if as_json else text.rstrip("\n"))
