"""`llm-simulator run -- CMD`: a server for the time of one command, whose SDKs are pointed at it."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import sys
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from llm_simulator.cli.child import ChildEnvironment, child_environment, wrapped_hosts
from llm_simulator.cli.options import settings_of, shared
from llm_simulator.config.load import with_flags
from llm_simulator.config.settings import Settings
from llm_simulator.errors import ConfigError

if TYPE_CHECKING:
    from llm_simulator.cli.summary import Summary
    from llm_simulator.proxy.capture import Door
    from llm_simulator.proxy.refusing import RefusingDoor
    from llm_simulator.proxy.server import Server

    Refusing = Door | RefusingDoor

_NOT_FOUND, _NOT_EXECUTABLE = 127, 126  # exit codes of a shell


@click.command("run", context_settings={"ignore_unknown_options": True})
@shared
@click.option("--port", "-p", type=click.IntRange(0, 65535), default=0, help="port to listen on (default: a free one)")
@click.option("--isolate", is_flag=True, help="Linux: simulator and command in a network namespace with loopback only")
@click.option("--proxy", is_flag=True, help="through the HTTPS_PROXY door; base URLs stay as they are")
@click.option(
    "--report", type=click.Path(dir_okay=False, path_type=Path), help="write the summary: as JSON, in F.txt as text"
)
@click.option(
    "--changed",
    type=click.Choice(["warn", "fail"]),
    default="warn",
    help="what to do about answers whose status or shape is not the recorded one (mode verify); default warn",
)
@click.argument("cmd", nargs=-1, required=True, type=click.UNPROCESSED)
def command(
    cmd: tuple[str, ...], isolate: bool, proxy: bool, report: Path | None, changed: str, **options: Any
) -> None:
    """Run CMD with its LLM SDKs pointed at the simulator, then say what happened.

    Exits with CMD's exit code if that is not 0, else with 1 when a call missed (or, with --changed fail, had changed).
    """
    settings = settings_of(**options)
    alone = {"workers": 1, "metrics_port": 0}  # for the time of a command; the configuration may be that of a server
    settings = with_flags(settings, log_level=options["log_level"] or "warning", **alone)
    if isolate:
        _isolate(settings)
    summary = asyncio.run(_run(_with_wrapped(settings), list(cmd), isolated=isolate, proxied=proxy))
    if changed == "fail" and summary.tally.verification.broken:
        summary.exit_code = summary.exit_code or 1
    _tell(summary, settings.cassette, report)
    sys.exit(summary.exit_code)


def _isolate(settings: Settings) -> None:
    from llm_simulator.cli.isolate import isolate

    if settings.forwards:
        what = f"mode {settings.mode.value}" if settings.mode.forwards else "a rule of a scenario"
        raise ConfigError(f"--isolate cuts the network off, and {what} needs it")
    isolate()


def _with_wrapped(settings: Settings) -> Settings:
    """A base URL that the environment names already is allowed for the run."""
    named = {host: settings.upstreams.get(host, "") for host in wrapped_hosts(os.environ)}
    return with_flags(settings, upstreams={**settings.upstreams, **named})


async def _run(settings: Settings, cmd: list[str], *, isolated: bool, proxied: bool) -> Summary:
    from llm_simulator.proxy.server import Server
    from llm_simulator.redact import Redactor
    from llm_simulator.telemetry import log

    log.set_up(settings.log_level, Redactor(os.environ).text, settings.log_format)
    proxy = Proxied.prepare(settings) if proxied else None
    server = await Server.start(settings, os.environ, run=uuid.uuid4().hex, door=proxy.token if proxy else "")
    refusing: Refusing | None = None
    try:
        refusing = await _open(server, proxy)
        child = _environment(server, refusing, proxy)
        code = await _child(cmd, child.over(os.environ))
        unused = server.cassette.unused() if server.cassette is not None else []
    finally:
        await server.stop()
        if refusing is not None:
            await refusing.stop()
    return _summary(server, child, refusing, code, unused, isolated=isolated)


async def _open(server: Server, proxy: Proxied | None) -> Refusing | None:
    """The proxy that the command will be told: the HTTPS_PROXY door, one that refuses everyone, or none."""
    if proxy is not None:
        return await proxy.open(server)
    if server.settings.mode.value != "replay":
        return None
    from llm_simulator.proxy.refusing import RefusingDoor

    refusing = RefusingDoor()
    await refusing.start()
    return refusing


def _environment(server: Server, refusing: Refusing | None, proxy: Proxied | None) -> ChildEnvironment:
    url = refusing.url if refusing is not None else ""
    if proxy is not None:
        return proxy.environment(server.settings, url)
    return child_environment(os.environ, server.base_url, server.settings.mode, url)


@dataclass(frozen=True, slots=True)
class Proxied:
    """What `--proxy` takes: the token of this run, and files that make the command trust the door."""

    token: str
    authority: Path
    bundle: Path
    store: Path | None

    @classmethod
    def prepare(cls, settings: Settings) -> Proxied:
        from llm_simulator.proxy import trust
        from llm_simulator.proxy.capture import prepare_authority

        authority = prepare_authority(settings, os.environ)
        bundle, store = trust.bundle(os.environ, authority), trust.java_store(authority)
        return cls(secrets.token_urlsafe(), authority, bundle, store)

    async def open(self, server: Server) -> Door:
        from llm_simulator.proxy.capture import Door

        return await Door.start(server.settings, os.environ, server.base_url, self.token, authority=self.authority)

    def environment(self, settings: Settings, url: str) -> ChildEnvironment:
        from llm_simulator.cli.proxied import proxied_environment
        from llm_simulator.proxy.intercepted import patterns

        store = str(self.store) if self.store else ""
        hosts = patterns(settings.upstreams)
        return proxied_environment(
            os.environ, settings.mode, url, bundle=str(self.bundle), store=store, intercepted=hosts
        )


async def _child(cmd: list[str], environ: dict[str, str]) -> int:
    """Runs the command with our own standard streams; its exit code (128 + n where a signal ended it)."""
    try:
        process = await asyncio.create_subprocess_exec(*cmd, env=environ)
    except FileNotFoundError:
        click.echo(f"error: command not found: {cmd[0]}", err=True)
        return _NOT_FOUND
    except OSError as error:  # no permission, or no program (ENOEXEC)
        click.echo(f"error: cannot execute: {cmd[0]}: {error.strerror}", err=True)
        return _NOT_EXECUTABLE
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, _pass_on, process, name)
    code = await process.wait()
    return code if code >= 0 else 128 - code


def _pass_on(process: asyncio.subprocess.Process, name: int) -> None:
    if name == signal.SIGINT and _in_foreground():
        return  # Ctrl-C: the terminal has sent it to the command, too, and a second one would abort its clean-up
    with suppress(ProcessLookupError):
        process.send_signal(name)


def _in_foreground() -> bool:
    try:
        with open("/dev/tty") as terminal:
            return os.tcgetpgrp(terminal.fileno()) == os.getpgrp()
    except OSError:
        return False  # no terminal


def _summary(
    server: Server,
    child: ChildEnvironment,
    refusing: Refusing | None,
    code: int,
    unused: list[int],
    *,
    isolated: bool,
) -> Summary:
    from llm_simulator.cli.summary import Summary

    mode, cassette, recorder = server.settings.mode, server.cassette, server.recorder
    summary = Summary(
        mode.value, "" if cassette is None else cassette.where, server.observer.tally, child_exit_code=code
    )
    summary.exit_code = code or int(server.observer.tally.total().missed > 0)
    summary.wrapped = child.wrapped
    if cassette is not None:
        summary.truncated = cassette.truncated()
        if mode.looks_up:
            summary.unused = unused
        if mode.writes:
            summary.untouched = len(cassette.untouched())
    if recorder is not None:
        summary.redactions, summary.failed_writes = recorder.redactions, recorder.failed
    if refusing is not None:
        summary.egress.update(refusing.refused)
    if server.policy is not None:
        for host, count in server.policy.refused.items():
            summary.egress[host] = summary.egress.get(host, 0) + count
    summary.evidence = _evidence(server, refusing, isolated=isolated)
    return summary


def _evidence(server: Server, refusing: Refusing | None, *, isolated: bool) -> list[str]:
    lines = []
    if isolated:
        lines.append("--isolate: simulator and command had a network namespace with loopback only (proof)")
    if refusing is not None and not server.settings.forwards:
        lines.append("proxy variables pointed at a door that refuses strangers (counts clients that honour them)")
    if server.policy is not None:
        lines.append("the simulator's own process was confined to loopback (audit hook)")
    return lines


def _tell(summary: Summary, cassette: str, report: Path | None) -> None:
    from llm_simulator.cli.summary import show, write

    show(summary)
    if report is not None:
        if cassette:
            from llm_simulator.recorder.prune import state_of

            summary.cassette_state = state_of(cassette)
        write(summary, report)
