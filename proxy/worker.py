"""One of several worker processes: a server of its own on the shared port, and a connection with the keeper."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import signal
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from llm_simulator.config.settings import Settings
from llm_simulator.errors import ConfigError, SimulatorError
from llm_simulator.proxy.crew import Crew
from llm_simulator.proxy.server import Server

log = logging.getLogger("llm_simulator.workers")


@dataclass(frozen=True, slots=True)
class Post:
    """What a worker is told when it is forked. `lifeline` ends with the supervisor, `status` is where it reports to."""

    number: int
    count: int
    keeper: str  # path of its socket
    run: str
    lifeline: int
    status: int


def work(settings: Settings, environ: Mapping[str, str], post: Post) -> int:
    """Serves until SIGTERM or SIGINT, or until supervisor or keeper are gone; the exit code."""
    try:
        return asyncio.run(_serve(settings, environ, post))
    except SimulatorError as error:
        tell(post.status, {"error": str(error), "config": isinstance(error, ConfigError)})
        return 1


def tell(status: int, what: dict[str, Any]) -> None:
    """Reports to the supervisor, in a line of JSON."""
    with suppress(BrokenPipeError):  # it is dead
        os.write(status, json.dumps(what).encode() + b"\n")


async def _serve(settings: Settings, environ: Mapping[str, str], post: Post) -> int:
    try:
        return await _served(settings, environ, post)
    finally:  # it ends anyway, and a signal while the loop is closed would be reported as an error
        signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))


async def _served(settings: Settings, environ: Mapping[str, str], post: Post) -> int:
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    alone = False

    def orphaned() -> None:
        nonlocal alone
        alone = alone or not stopping.is_set()
        stopping.set()

    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stopping.set)
    loop.add_reader(post.lifeline, orphaned)
    crew = await Crew.join(post.number, post.count, post.keeper, post.run, orphaned)
    server = await Server.start(settings, environ, run=post.run, crew=crew)
    loop.add_signal_handler(signal.SIGHUP, _reload, server)
    settle()
    tell(post.status, {"ready": server.facts})
    try:
        await stopping.wait()
        loop.remove_reader(post.lifeline)
        tell(post.status, {"draining": server.settings.drain_secs})
        if alone:
            log.error("worker %d ends: the supervisor, or who keeps what workers share, is gone", post.number)
    finally:
        await server.stop()
        await crew.leave()
    if server.recorder is not None and server.recorder.failed:
        tell(post.status, {"failed_writes": server.recorder.failed})
    return 1 if alone else 0


def _reload(server: Server) -> None:
    """SIGHUP."""
    if server.reloads is not None:
        server.reloads.soon("SIGHUP")


def settle() -> None:
    """What the start made stays: it is not looked at again, and a full collection, which stops all streams, is rare."""
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
