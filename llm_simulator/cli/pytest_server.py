"""`llm-simulator pytest-server`: the pytest plugin's other half, a small server per test, told what to do in JSON lines.

It ends with its input, so a killed test run leaves nothing behind.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sys
import tempfile
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from llm_simulator import __version__
from llm_simulator.cassettes.cassette import Cassette
from llm_simulator.cassettes.index import AfterLast
from llm_simulator.cassettes.key import MatchRules
from llm_simulator.cli.child import child_environment, wrapped_hosts
from llm_simulator.config import library
from llm_simulator.config.settings import Settings
from llm_simulator.errors import SimulatorError
from llm_simulator.proxy import egress
from llm_simulator.proxy.server import Server
from llm_simulator.redact import Redactor
from llm_simulator.telemetry import log as logs
from llm_simulator.testing.link import PROTOCOL
from llm_simulator.types import Mode

log = logging.getLogger("llm_simulator.pytest_server")

_SETTLE_SECONDS = 0.2  # that an answer may take to end after its client has all of it
_DRAIN_SECONDS = 5.0


@click.command("pytest-server", hidden=True)
def command() -> None:
    """Serve the pytest plugin over standard input and output (it starts this itself)."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group: the plugin ends us when it is done
    logs.set_up("warning", Redactor(os.environ).text)
    asyncio.run(_serve())


@dataclass(slots=True)
class _Test:
    server: Server
    redactor: Redactor


@dataclass(slots=True)
class _Tests:
    """The servers of the tests that run now."""

    empty: str
    running: dict[str, _Test] = field(default_factory=lambda: {})

    async def answer(self, question: dict[str, Any]) -> dict[str, Any]:
        try:
            match question.pop("do"):
                case "open":
                    return {"ok": await self._open(question)}
                case "calls":
                    return {"ok": await self._calls(question["test"])}
                case "scenario":
                    return {"ok": self._scenario(question["test"], question["name"])}
                case "close":
                    return {"ok": await self._close(question["test"], question["max_age"])}
                case other:
                    return {
                        "error": f"pytest-server does not know how to {other!r}; open, calls, scenario and close are known"
                    }
        except SimulatorError as error:
            return {"error": str(error)}

    async def _open(self, asked: dict[str, Any]) -> dict[str, Any]:
        await self._end(asked["test"])  # a test that is run again, after a failure that left it open
        environ = asked["environ"]
        settings, missing = self._settings(asked)
        egress.release()  # the cassette may be a database elsewhere
        try:
            server = await Server.start(settings, environ, run=uuid.uuid4().hex)
            self.running[asked["test"]] = _Test(server, Redactor(environ))
        finally:
            self._confine()
        if missing and server.cassette is not None:
            server.cassette.where = f"{asked['cassette']} (not recorded yet)"
        child = child_environment(environ, server.base_url, settings.mode)
        return {"base_url": server.base_url, "set": child.set}

    def _settings(self, asked: dict[str, Any]) -> tuple[Settings, bool]:
        """The settings of a test, and whether its cassette is not there yet: then an empty one stands in for it."""
        mode, cassette = Mode(asked["mode"]), asked["cassette"]
        missing = "://" not in cassette and not Path(cassette).exists() and not mode.writes
        name, scenarios = library.given(asked["scenario"], {})
        wrapped = dict.fromkeys(wrapped_hosts(asked["environ"]), "")
        settings = Settings(
            cassette=self.empty if missing else cassette,
            mode=mode,
            port=0,
            seed=asked["seed"],
            scenario=name,
            scenarios=scenarios,
            speed=asked["speed"],
            rules=MatchRules(ignore=tuple(asked["ignore"])),
            after_last=AfterLast(asked["after_last"]),
            upstreams={**wrapped, **asked["upstreams"]},
            drain_secs=_DRAIN_SECONDS if mode.writes else 0.0,
            log_level="warning",
            record_command=asked["record_command"],
        )
        return settings, missing

    def _confine(self) -> None:
        """While no test forwards, this process reaches loopback only (a single server confines as if it were alone)."""
        servers = [test.server for test in self.running.values()]
        if any(server.settings.forwards for server in servers):
            egress.release()
        else:
            policies = (server.policy for server in servers if server.policy is not None)
            egress.confine(frozenset(host for policy in policies for host in policy.allowed))

    async def _calls(self, name: str) -> dict[str, Any]:
        test = self._named(name)
        await test.server.settled(_SETTLE_SECONDS)
        entries = list(test.server.observer.journal)
        misses = [test.redactor.text(entry.report) for entry in entries if entry.report]
        return {"calls": [entry.as_json() for entry in entries], "misses": misses}

    def _scenario(self, test: str, given: str) -> str:
        """From the next call of the test on."""
        name, scenarios = library.given(given, {})
        self._named(test).server.stage.activate(name, scenario=scenarios.get(name))
        return name

    def _named(self, name: str) -> _Test:
        if name not in self.running:
            raise SimulatorError(f"the simulator of {name} is closed: its fixture has ended")
        return self.running[name]

    async def _close(self, name: str, max_age: float | None) -> dict[str, Any]:
        server = self._named(name).server
        await server.settled(_SETTLE_SECONDS)
        cassette, mode = server.cassette, server.settings.mode
        facts: dict[str, Any] = {"recordings": 0, "unused": [], "expired": []}
        redactor = self._named(name).redactor
        facts["changed"] = [redactor.text(entry.differs) for entry in server.observer.journal if entry.differs]
        if cassette is not None:
            facts["recordings"] = len(cassette)
            facts["unused"] = cassette.unused() if mode.looks_up else []
            facts["expired"] = await _expired(cassette, max_age) if max_age is not None else []
        await self._end(name)
        return facts

    async def _end(self, name: str) -> None:
        test = self.running.pop(name, None)
        if test is not None:
            await test.server.stop()
            self._confine()

    async def end_all(self) -> None:
        for name in list(self.running):
            await self._end(name)


async def _expired(cassette: Cassette, max_age: float) -> list[int]:
    """Ids of recordings older than so many seconds; one whose age is unknown (imported, hand-written) is not judged."""
    oldest = datetime.now(UTC) - timedelta(seconds=max_age)
    found: list[int] = []
    async for id, exchange in cassette.exchanges():
        if exchange.recorded_at and datetime.fromisoformat(exchange.recorded_at) < oldest:
            found.append(id)
    return found


async def _serve() -> None:
    with tempfile.TemporaryDirectory(prefix="llm-simulator-") as empty:
        tests = _Tests(empty)
        _say({"protocol": PROTOCOL, "version": __version__})
        try:
            while line := await asyncio.to_thread(sys.stdin.readline):
                _say(await tests.answer(json.loads(line)))
        finally:
            await tests.end_all()


def _say(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()
