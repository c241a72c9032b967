"""What the fixture `llm_simulator` gives to a test: the address, the environment and the calls of this test."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any

from llm_simulator.testing.link import Link
from llm_simulator.testing.plan import MARKER, Plan


@dataclass(frozen=True, slots=True)
class Seen:
    """One call that reached the simulator. `source` says who answered: cassette, simulator, upstream, miss, refusal.

    Durations are in seconds; `exchange` is the number of the recording that was played; `facts` has the rest.
    """

    method: str
    path: str
    provider: str
    model: str
    operation: str
    stream: bool
    status: int
    source: str
    exchange: int | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    note: str = ""
    duration: float = 0.0
    facts: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))


def _seen(facts: Mapping[str, Any]) -> Seen:
    """Facts that are unknown or empty are left out on the way: they have their defaults here."""
    made: dict[str, Any] = dict.fromkeys(("method", "path", "provider", "model", "operation", "source"), "")
    made |= {"stream": False, "status": 0}
    names = {one.name for one in fields(Seen)} - {"facts"}
    made |= {name: value for name, value in facts.items() if name in names}
    return Seen(**made, facts=MappingProxyType(dict(facts)))


def _as_marker(report: str) -> str:
    """The ignore line of a miss report (see cassettes/miss.py) as the argument of a marker."""
    return re.sub(r"match: \{ignore: (\[.*\])\}$", rf"@pytest.mark.{MARKER}(ignore=\1)", report, flags=re.MULTILINE)


class LlmSimulator:
    """One test's simulator. Any thread may use it."""

    def __init__(self, link: Link, plan: Plan, environ: Mapping[str, str], record_command: str) -> None:
        """Opens the cassette and a port for this test.

        Raises:
            LinkError: the server cannot open it, or cannot run.
        """
        self._link = link
        self._plan = plan
        self._told = 0
        opened = link.ask(
            "open",
            test=plan.test,
            cassette=plan.cassette,
            mode=plan.mode,
            ignore=plan.ignore,
            after_last=plan.after_last,
            speed=plan.speed,
            seed=plan.seed,
            scenario=plan.scenario,
            upstreams=dict(plan.upstreams or {}),
            environ=dict(environ),
            record_command=record_command,
        )
        self.base_url: str = opened["base_url"]
        """Without a path: a provider's host may follow, as in `f"{base_url}/api.openai.com/v1"`."""
        self.env: Mapping[str, str] = MappingProxyType(opened["set"])
        """The variables by which SDKs find the simulator (set for the test, unless `llm_set_environment` says no)."""

    @property
    def mode(self) -> str:
        return self._plan.mode

    @property
    def cassette(self) -> str:
        """The path (or URL) of this test's cassette; it need not exist before the test is recorded."""
        return self._plan.cassette

    @property
    def on_miss(self) -> str:
        return self._plan.on_miss

    @property
    def calls(self) -> list[Seen]:
        """The calls of this test that have been answered, in the order in which they ended."""
        return [_seen(facts) for facts in self._state()["calls"]]

    @property
    def misses(self) -> list[str]:
        """One report for each call that was not in the cassette: what came nearest, and where it differs."""
        return [_as_marker(text) for text in self._state()["misses"]]

    def scenario(self, name: str) -> None:
        """Chooses how this test's calls are answered from the next one on: a shipped scenario by name, or a file.

        `"default"` is none: the mode of the test alone decides. Phases and counts of the scenario begin anew.

        Raises:
            LinkError: there is no scenario of this name, or its file is wrong.
        """
        self._link.ask("scenario", test=self._plan.test, name=name)

    def untold_misses(self) -> list[str]:
        """The misses that no failure has shown yet."""
        misses = self.misses
        untold, self._told = misses[self._told :], len(misses)
        return untold

    def close(self, max_age: float | None) -> dict[str, Any]:
        """Closes port and cassette. Gives `recordings`, `unused`, `expired` (ids, older than so many seconds), `changed`."""
        closed: dict[str, Any] = self._link.ask("close", test=self._plan.test, max_age=max_age)
        return closed

    def _state(self) -> Any:
        return self._link.ask("calls", test=self._plan.test)
