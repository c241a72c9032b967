"""The capture environment and its child: finds the interpreter that has mitmproxy, starts the door, watches and ends it."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
from asyncio.subprocess import PIPE
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from llm_simulator.config.settings import Settings
from llm_simulator.errors import ConfigError
from llm_simulator.proxy.intercepted import domains, patterns

log = logging.getLogger("llm_simulator.capture")

PYTHON_VARIABLE = "LLM_SIMULATOR_CAPTURE_PYTHON"
INSTALL = "llm-simulator capture install"
REQUIREMENT = "mitmproxy==11.0.2" if sys.version_info < (3, 12) else "mitmproxy>=12"
FORWARD = Path(__file__).with_name("forward.py")
START_SECONDS = 30.0
STOP_SECONDS = 5.0
_STAMP = "installed"  # written last: an installation that broke off does not count


def data_folder(environ: Mapping[str, str]) -> Path:
    """Where what outlives a run is kept: the capture environment and the authority."""
    if given := environ.get("XDG_DATA_HOME", ""):
        return Path(given) / "llm-simulator"
    if sys.platform == "win32" and (local := environ.get("LOCALAPPDATA", "")):
        return Path(local) / "llm-simulator"
    return Path.home() / ".local" / "share" / "llm-simulator"


def environment(environ: Mapping[str, str]) -> Path:
    """The folder of the private virtual environment, whether there is one or not."""
    return data_folder(environ) / "capture"


def _python_in(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def interpreter(environ: Mapping[str, str]) -> str:
    """The Python that has mitmproxy: the one named, the installed one, or our own.

    Raises:
        ConfigError: there is none; says the command that makes one.
    """
    if named := environ.get(PYTHON_VARIABLE, ""):
        if found := shutil.which(named):
            return found
        raise ConfigError(f"{PYTHON_VARIABLE} is {named!r}: there is no such program")
    folder = environment(environ)
    if (folder / _STAMP).exists() and _python_in(folder).exists():
        return str(_python_in(folder))
    if find_spec("mitmproxy") is not None:
        return sys.executable
    raise ConfigError(
        f"the HTTPS_PROXY door needs mitmproxy in an environment of its own; make it once with `{INSTALL}` "
        f"(in {folder}), or name an interpreter that has it in {PYTHON_VARIABLE}"
    )


def install(environ: Mapping[str, str]) -> str:
    """Makes the environment anew with venv and pip, whose output is shown; the interpreter.

    Raises:
        ConfigError: venv or pip failed.
    """
    folder = environment(environ)
    if folder.exists():
        shutil.rmtree(folder)
    python = str(_python_in(folder))
    run_or_raise([sys.executable, "-m", "venv", str(folder)])
    run_or_raise([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", REQUIREMENT])
    run_or_raise([python, "-I", "-c", "import mitmproxy.master"])
    (folder / _STAMP).write_text(REQUIREMENT + "\n")
    return python


def run_or_raise(command: list[str]) -> None:
    """Runs a command that shows what it prints; a `ConfigError` names one that fails."""
    done = subprocess.run(command, check=False, stdout=sys.stderr)
    if done.returncode:
        raise ConfigError(f"failed with exit code {done.returncode}: {' '.join(command)}")


def upstream_proxy(environ: Mapping[str, str]) -> str:
    """The corporate proxy that the environment names for https, as a URL, or ""."""
    names = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")
    url = next((environ[name] for name in names if environ.get(name)), "")
    if url and "://" not in url:
        url = f"http://{url}"
    if url and urlsplit(url).scheme not in ("http", "https"):
        raise ConfigError(
            f"the proxy of the environment is {urlsplit(url).scheme}://...; http:// and https:// are allowed"
        )
    return url


class Door:
    """A running HTTPS_PROXY door. `refused` counts by host whom it turned away."""

    def __init__(self, process: asyncio.subprocess.Process, folder: tempfile.TemporaryDirectory[str]) -> None:
        self.refused: Counter[str] = Counter()
        self.port = 0
        self._process = process
        self._folder = folder
        self._stopping = False
        self._listening = asyncio.get_running_loop().create_future()
        self._reader = asyncio.create_task(self._listen())

    @classmethod
    async def start(
        cls,
        settings: Settings,
        environ: Mapping[str, str],
        simulator: str,
        token: str,
        *,
        authority: Path,
        port: int = 0,
        script: Path = FORWARD,
    ) -> Door:
        """Starts the child for a simulator at that base URL, and returns once it listens.

        Raises:
            ConfigError: no interpreter, or the child did not start (port taken, mitmproxy broken).
        """
        python = interpreter(environ)
        proxy = upstream_proxy(environ) if settings.mode.forwards else ""
        if proxy and port and proxy.rstrip("/").endswith((f"//127.0.0.1:{port}", f"//localhost:{port}")):
            raise ConfigError(
                f"the proxy of the environment, {proxy}, would be this door itself: unset HTTPS_PROXY here"
            )
        folder = tempfile.TemporaryDirectory(prefix="llm-simulator-door-")
        hosts = Path(folder.name) / "hosts.json"
        hosts.write_text(json.dumps(patterns(settings.upstreams)))
        process = await asyncio.create_subprocess_exec(
            *(python, "-I", str(script)),
            *("--listen-port", str(port), "--simulator", simulator, "--token", "-"),
            *("--confdir", str(authority), "--hosts-file", str(hosts)),
            *("--mode", "forward" if settings.mode.forwards else "offline"),
            stdin=PIPE,
            stdout=PIPE,
        )
        door = cls(process, folder)
        try:
            await door._begin({"token": token, "proxy": proxy})
        except BaseException:
            await door.stop()
            raise
        return door

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        return self._process.pid

    async def ended(self) -> None:
        """Waits until the child has ended, whyever."""
        await asyncio.shield(self._reader)

    async def _begin(self, secrets: dict[str, str]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(secrets).encode() + b"\n")
        try:
            self.port = await asyncio.wait_for(asyncio.shield(self._listening), START_SECONDS)
        except TimeoutError as error:
            raise ConfigError(f"the HTTPS_PROXY door did not listen within {START_SECONDS:g} s") from error

    async def _listen(self) -> None:
        """Reads what the child says until it ends."""
        assert self._process.stdout is not None
        said = ""
        async for line in self._process.stdout:
            with suppress(ValueError):  # a stray print of a library
                said = self._heard(json.loads(line)) or said
        code = await self._process.wait()
        if not self._listening.done():
            self._listening.set_exception(
                ConfigError(f"the HTTPS_PROXY door did not start (exit code {code}){': ' if said else ''}{said}")
            )
        elif not self._stopping:
            log.error("the HTTPS_PROXY door ended by itself (exit code %d): clients get no connection any more", code)

    def _heard(self, line: dict[str, Any]) -> str:
        """One line of the child; its text, where it is a complaint."""
        match line:
            case {"port": int(port)}:
                self._listening.set_result(port)
            case {"refused": str(host)}:
                self.refused[host] += 1
            case {"log": str(level), "text": str(text)}:
                log.log(logging.getLevelNamesMapping().get(level.upper(), logging.WARNING), "proxy: %s", text)
                return text
            case _:
                pass
        return ""

    async def stop(self) -> None:
        """Ends the child: its standard input closes, and where that does not help it is killed."""
        self._stopping = True
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), STOP_SECONDS)
        except TimeoutError:
            self._process.kill()
        await self._reader
        if self._listening.done() and not self._listening.cancelled():
            self._listening.exception()  # it was told by start, if at all
        self._folder.cleanup()


def prepare_authority(settings: Settings, environ: Mapping[str, str]) -> Path:
    """The folder of the authority, made or extended where it must be (see proxy/authority.py)."""
    folder = data_folder(environ) / "authority"
    done = subprocess.run(
        [interpreter(environ), "-I", str(FORWARD.with_name("authority.py")), str(folder)],
        input=json.dumps({"domains": domains(settings.upstreams)}),
        capture_output=True,
        text=True,
        check=False,
        env={name: value for name, value in os.environ.items() if not name.startswith("PYTHON")},
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise ConfigError(f"the certificate authority in {folder} cannot be made: {last}")
    return folder
