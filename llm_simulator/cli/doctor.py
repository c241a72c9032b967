"""`llm-simulator doctor`: versions, folders and ports of this installation and of the application beside it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import click

from llm_simulator import __version__
from llm_simulator.cli.options import JSON_OPTION
from llm_simulator.errors import ConfigError

SHOWN = ("openai", "anthropic", "google-genai", "cohere", "litellm", "httpx", "aiohttp", "pytest", "mitmproxy")
OUR_NEEDS = ("aiohttp", "aiosqlite", "sqlalchemy", "pydantic", "click", "tiktoken")
_DEFAULT_PORT = 8080
_PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
_BASE_URLS = ("OPENAI_BASE_URL", "ANTHROPIC_BASE_URL", "GOOGLE_GEMINI_BASE_URL", "CO_API_URL", "AZURE_OPENAI_ENDPOINT")

# Runs in the application's interpreter, which may be older than ours and have nothing of ours.
_ASK = """
import json, sys
from importlib.metadata import version, PackageNotFoundError
found = {}
for name in sys.argv[1:]:
    try:
        found[name] = version(name)
    except PackageNotFoundError:
        pass
print(json.dumps({"python": sys.version.split()[0], "prefix": sys.prefix, "packages": found}))
"""


@dataclass(slots=True)
class Diagnosis:
    """`facts` by section and name, `warnings` in whole sentences."""

    facts: dict[str, dict[str, str]] = field(default_factory=lambda: {})
    warnings: list[str] = field(default_factory=lambda: [])


@click.command("doctor")
@click.option(
    "--python",
    type=click.Path(exists=True, dir_okay=False),
    help="the application's interpreter (default: that of VIRTUAL_ENV, else of ./.venv, else ours)",
)
@JSON_OPTION
def command(python: str | None, as_json: bool) -> None:
    """Show versions, folders and ports, and warn of what will surprise. Exits with 0: warnings are no failure."""
    found = diagnose(os.environ, python or application_python(os.environ, Path.cwd()))
    click.echo(json.dumps({**found.facts, "warnings": found.warnings}, indent=2) if as_json else shown(found))


def application_python(environ: Mapping[str, str], here: Path) -> str:
    """The interpreter of the environment that an application most likely runs in."""
    for folder in (environ.get("VIRTUAL_ENV", ""), str(here / ".venv")):
        for inner in ("bin/python", "Scripts/python.exe"):
            if folder and (Path(folder) / inner).exists():
                return str(Path(folder) / inner)
    return sys.executable


def diagnose(environ: Mapping[str, str], python: str) -> Diagnosis:
    """Looks, and changes nothing."""
    made = Diagnosis()
    made.facts["llm-simulator"] = {"version": __version__, "python": sys.version.split()[0], "environment": sys.prefix}
    made.facts["llm-simulator"] |= {name: _version(name) for name in OUR_NEEDS}
    _application(made, python)
    _folders(made, environ)
    _ports(made)
    _environment(made, environ)
    return made


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"


def _application(made: Diagnosis, python: str) -> None:
    """What the application's environment holds, and whether we share it."""
    try:
        answer = subprocess.run(
            [python, "-c", _ASK, "llm-simulator", *SHOWN], capture_output=True, text=True, timeout=60, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        made.facts["application"] = {"interpreter": python}
        made.warnings.append(f"{python} could not be asked for its packages: {error}")
        return
    told: dict[str, Any] = json.loads(answer.stdout)
    packages: dict[str, str] = told["packages"]
    facts = {"interpreter": python, "python": told["python"], "environment": told["prefix"], **packages}
    made.facts["application"] = facts
    made.warnings += application_warnings(packages)


def application_warnings(packages: Mapping[str, str]) -> list[str]:
    """What a set of installed packages (name to version) does to the application's behaviour."""
    found: list[str] = []
    if "google-genai" in packages and "aiohttp" in packages:
        ours = " llm-simulator, which needs aiohttp, is installed in it as well." if "llm-simulator" in packages else ""
        found.append(
            "aiohttp is installed in the application's environment: google-genai then sends its async calls through aiohttp "
            f"instead of httpx (other pool, other errors, other proxy rules).{ours} If the application does not have "
            "aiohttp in production, install llm-simulator as a tool (uv tool install, pipx) to test what runs there."
        )
    if "mitmproxy" in packages and {"openai", "anthropic", "google-genai"} & packages.keys():
        found.append(
            "mitmproxy is installed beside provider SDKs: its pins hold h11 back, which today's SDKs exclude; "
            "the capture door wants an environment of its own (llm-simulator capture install)"
        )
    return found


def _folders(made: Diagnosis, environ: Mapping[str, str]) -> None:
    from llm_simulator.proxy import capture

    folder = capture.data_folder(environ)
    state = "" if folder.exists() else " (not there yet)"
    try:
        door = capture.interpreter(environ)
    except ConfigError as error:
        door = "none: base URLs work without, HTTPS_PROXY needs it"
        if environ.get(capture.PYTHON_VARIABLE):
            made.warnings.append(str(error))
    made.facts["folders"] = {"data": f"{folder}{state}", "capture interpreter": door}


def _ports(made: Diagnosis) -> None:
    """Whether the default port can be bound."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind(("127.0.0.1", _DEFAULT_PORT))
            state = "free"
        except OSError as error:
            state = f"taken ({error.strerror})"
            made.warnings.append(f"port {_DEFAULT_PORT} is taken: serve needs --port (run and pytest use free ones)")
    made.facts["ports"] = {str(_DEFAULT_PORT): state}


def _environment(made: Diagnosis, environ: Mapping[str, str]) -> None:
    """Names of variables that change what we or the SDKs do; a URL is shown without what may be a credential."""
    ours = {name: "set" for name in sorted(environ) if name.startswith("LLM_SIMULATOR_")}
    urls = {name: environ[name].rpartition("@")[2] for name in _BASE_URLS if environ.get(name)}
    proxies = [name for name in _PROXY_VARIABLES if environ.get(name) or environ.get(name.lower())]
    made.facts["environment"] = {**ours, **urls, **dict.fromkeys(proxies, "set")}
    exempt = environ.get("NO_PROXY", "") + environ.get("no_proxy", "")
    if proxies and not any(name in exempt for name in ("localhost", "127.0.0.1", "*")):
        made.warnings.append(
            f"{', '.join(proxies)} is set and NO_PROXY does not exempt loopback: a client would ask that proxy for "
            "http://127.0.0.1 (run and the pytest plugin set NO_PROXY; with serve, set it yourself)"
        )


def shown(found: Diagnosis) -> str:
    """For a terminal: one block for each section, then the warnings."""
    lines: list[str] = []
    for section, facts in found.facts.items():
        lines.append(section)
        lines += [f"  {name:<20} {value}" for name, value in facts.items()] or ["  nothing"]
    lines += [f"warning: {text}" for text in found.warnings] or ["nothing to warn of"]
    return "\n".join(lines)
