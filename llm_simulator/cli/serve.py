"""`llm-simulator serve`: the server in the foreground until SIGINT or SIGTERM."""

from __future__ import annotations

import asyncio
import os
import signal
from importlib import resources
from typing import Any

import click

from llm_simulator.cli.options import settings_of, shared
from llm_simulator.config.settings import Settings
from llm_simulator.types import Mode

DEMO = "demo.yaml"


@click.command("serve")
@shared
@click.option("--host", "-H", help="address to listen on (default 127.0.0.1 and ::1)")
@click.option("--port", "-p", type=click.IntRange(0, 65535), help="port to listen on (default 8080; 0: a free one)")
@click.option("--allow-host", "hosts", multiple=True, help="Host header value to accept beside loopback names")
@click.option("--allow-origin", "origins", multiple=True, help="web origin that may call from a browser")
@click.option("--allow-remote", is_flag=True, default=None, help="forward although other machines can reach us")
@click.option("--admin-token", envvar="LLM_SIMULATOR_ADMIN_TOKEN", help="token for /admin")
def command(hosts: tuple[str, ...], origins: tuple[str, ...], **options: Any) -> None:
    """Serve on a local port. Without --cassette the shipped demo cassette is open (mode auto)."""
    settings = settings_of(**options, hosts=hosts or None, origins=origins or None)
    asyncio.run(_serve(_with_demo(settings)))


def _with_demo(settings: Settings) -> Settings:
    from llm_simulator.config.load import with_flags

    if settings.cassette or settings.mode is not Mode.AUTO:
        return settings
    return with_flags(settings, cassette=str(resources.files("llm_simulator.cassettes") / DEMO))


async def _serve(settings: Settings) -> None:
    from llm_simulator.proxy.server import Server
    from llm_simulator.redact import Redactor
    from llm_simulator.telemetry import log

    log.set_up(settings.log_level, Redactor(os.environ).text)
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stopping.set)
    server = await Server.start(settings, os.environ)
    click.echo(_greeting(server), err=True)
    await stopping.wait()
    click.echo("stopping: no new calls, running answers end", err=True)
    try:
        await server.stop()
    finally:
        if server.recorder is not None and server.recorder.failed:
            click.echo(f"exchanges that could not be stored: {server.recorder.failed}", err=True)


def _greeting(server: Any) -> str:
    settings: Settings = server.settings
    recordings = len(server.cassette) if server.cassette is not None else 0
    lines = [
        f"llm-simulator serves {server.base_url} (mode {settings.mode.value}, seed {settings.seed})",
        f"  cassette  {server.cassette.where if server.cassette is not None else 'none'} ({recordings} recordings)",
        f"  OpenAI    OPENAI_BASE_URL={server.base_url}/v1",
        f"  Anthropic ANTHROPIC_BASE_URL={server.base_url}",
        f"  any host  {server.base_url}/api.example.com/...",
    ]
    return "\n".join(lines)
