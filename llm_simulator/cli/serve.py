"""`llm-simulator serve`: the server in the foreground until SIGINT or SIGTERM."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import signal
import sys
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from llm_simulator.cli.options import settings_of, shared
from llm_simulator.config.settings import Settings
from llm_simulator.errors import ConfigError
from llm_simulator.types import Mode

if TYPE_CHECKING:
    from llm_simulator.proxy.capture import Door
    from llm_simulator.proxy.server import Server

log = logging.getLogger("llm_simulator.serve")

DEMO = "demo.yaml"
_STOPPING = "stopping: no new calls, running answers end"


@click.command("serve")
@shared
@click.option("--host", "-H", help="address to listen on (default 127.0.0.1 and ::1)")
@click.option("--port", "-p", type=click.IntRange(0, 65535), help="port to listen on (default 8080; 0: a free one)")
@click.option("--workers", type=click.IntRange(1, 1024), help="processes that serve the port together (default 1)")
@click.option(
    "--proxy-port", type=click.IntRange(0, 65535), help="also open an HTTPS_PROXY door on this port (loopback)"
)
@click.option(
    "--profile",
    "profiles",
    multiple=True,
    metavar="F",
    type=click.Path(exists=True, dir_okay=False),
    help="file of latency profiles, before the shipped ones (repeatable)",
)
@click.option("--allow-host", "hosts", multiple=True, help="Host header value to accept beside loopback names")
@click.option("--allow-origin", "origins", multiple=True, help="web origin that may call from a browser")
@click.option("--allow-remote", is_flag=True, default=None, help="forward although other machines can reach us")
@click.option("--watch/--no-watch", default=None, help="take the --config file anew when it changes (default: yes)")
@click.option("--admin-token", envvar="LLM_SIMULATOR_ADMIN_TOKEN", help="token for /admin")
def command(
    hosts: tuple[str, ...],
    origins: tuple[str, ...],
    profiles: tuple[str, ...],
    proxy_port: int | None,
    **options: Any,
) -> None:
    """Serve on a local port. Without --cassette the shipped demo cassette is open (mode auto)."""
    lists: dict[str, Any] = {"hosts": hosts or None, "origins": origins or None, "profiles": profiles or None}
    settings = settings_of(**options, **lists, then=_with_demo)
    if settings.workers > 1:
        sys.exit(_supervise(settings, proxy_port))
    asyncio.run(_serve(settings, proxy_port))


def _with_demo(settings: Settings) -> Settings:
    from llm_simulator.config.load import with_flags

    if settings.cassette or settings.mode is not Mode.AUTO:
        return settings
    return with_flags(settings, cassette=str(resources.files("llm_simulator.cassettes") / DEMO))


def _supervise(settings: Settings, proxy_port: int | None) -> int:
    """With several workers; the exit code."""
    from llm_simulator.config.checks import check
    from llm_simulator.proxy.workers import supervise
    from llm_simulator.redact import Redactor
    from llm_simulator.telemetry.log import set_up

    if proxy_port is not None:
        raise ConfigError(f"--proxy-port needs one worker, and workers is {settings.workers}")
    check(settings)
    set_up(settings.log_level, Redactor(os.environ).text, settings.log_format)

    def greet(settings: Settings, facts: Mapping[str, Any]) -> None:
        _say(settings, _greeting(settings, facts))

    return supervise(settings, os.environ, greet, lambda: _say(settings, _STOPPING))


async def _serve(settings: Settings, proxy_port: int | None) -> None:
    from llm_simulator.proxy.server import Server
    from llm_simulator.proxy.worker import settle
    from llm_simulator.redact import Redactor
    from llm_simulator.telemetry.log import set_up

    set_up(settings.log_level, Redactor(os.environ).text, settings.log_format)
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stopping.set)
    token = secrets.token_urlsafe()
    authority = _authority(settings) if proxy_port is not None else None
    server = await Server.start(settings, os.environ, door=token if authority else "")
    door: Door | None = None
    try:
        if authority is not None:
            door = await _open_door(server, token, authority, proxy_port or 0)
        settle()
        _take_hangups(server)
        _say(settings, _greeting(settings, server.facts, door))
        await stopping.wait()
        _say(settings, _STOPPING)
    finally:
        await _stop(server, door)


def _take_hangups(server: Server) -> None:
    """SIGHUP takes the configuration anew."""
    if server.reloads is not None and hasattr(signal, "SIGHUP"):
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, server.reloads.soon, "SIGHUP")


def _authority(settings: Settings) -> Path:
    from llm_simulator.proxy.capture import prepare_authority

    return prepare_authority(settings, os.environ)  # before the server starts: it needs a process, and may fail


async def _open_door(server: Server, token: str, authority: Path, port: int) -> Door:
    from llm_simulator.proxy.capture import Door

    return await Door.start(server.settings, os.environ, server.base_url, token, authority=authority, port=port)


async def _stop(server: Server, door: Door | None) -> None:
    try:
        await server.stop()
        if door is not None:
            await door.stop()
    finally:
        if server.recorder is not None and server.recorder.failed:
            click.echo(f"exchanges that could not be stored: {server.recorder.failed}", err=True)


def _say(settings: Settings, text: str) -> None:
    """To whoever started us: a record of the log where each line is one."""
    if settings.log_format == "json":
        log.info("%s", text)
    else:
        click.echo(text, err=True)


def _greeting(settings: Settings, facts: Mapping[str, Any], door: Door | None = None) -> str:
    base_url, recordings = facts["base_url"], facts.get("recordings", 0)
    scenario = "" if facts["scenario"] == "default" else f", scenario {facts['scenario']}"
    workers = f", {settings.workers} workers" if settings.workers > 1 else ""
    lines = [
        f"llm-simulator serves {base_url} (mode {settings.mode.value}, seed {settings.seed}{scenario}{workers})",
        f"  cassette  {facts.get('cassette', 'none')} ({recordings} recordings)",
        f"  OpenAI    OPENAI_BASE_URL={base_url}/v1",
        f"  Anthropic ANTHROPIC_BASE_URL={base_url}",
        f"  any host  {base_url}/api.example.com/...",
    ]
    if settings.metrics and settings.metrics_port:
        lines.append(f"  metrics   port {settings.metrics_port}, /metrics")
    if door is not None:
        lines.append(f'  proxy     eval "$(llm-simulator ca env --proxy {door.url})"')
    return "\n".join(lines)
