"""What one run is set to: a frozen value, passed to whoever needs it. No parsing here, and no heavy import."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

from llm_simulator.cassettes.index import AfterLast
from llm_simulator.cassettes.key import MatchRules
from llm_simulator.simulator.style import PLAIN, Style
from llm_simulator.types import Mode

if TYPE_CHECKING:
    from pathlib import Path

    from llm_simulator.config.reading import Document
    from llm_simulator.simulator.breaker import Breaking
    from llm_simulator.simulator.keys import KeyRules
    from llm_simulator.simulator.policies import LimitRules
    from llm_simulator.simulator.providers import Providers
    from llm_simulator.simulator.scenario import Scenario
    from llm_simulator.simulator.slots import Line

MEBIBYTE = 1 << 20
VARIABLES = "LLM_SIMULATOR__"
"""What the names of the environment variables begin with that set fields (`environment.py`)."""


def _no_upstreams() -> Mapping[str, str]:
    return MappingProxyType({})


def _no_lines() -> Mapping[str, Line]:
    return MappingProxyType({})


def _no_scenarios() -> Mapping[str, Scenario]:
    return MappingProxyType({})


class Validation(Enum):
    """How much of what a provider would refuse simulated answers refuse, too. Broken structure is refused in both."""

    LENIENT = "lenient"  # any key, retired models, token limits of 0 or beyond the window
    PROVIDER = "provider"  # all that the provider refuses


class Label(Enum):
    """Where a simulated answer says that it is one."""

    HEADERS = "headers"  # only there: bodies cannot be told from the provider's
    BODY = "body"  # its id and model, too


class Origin(Protocol):
    """Where settings come from, so that they can be made anew (`load.py`)."""

    @property
    def path(self) -> Path | None:
        """The file; None: there is none."""
        ...

    def document(self) -> Document | None:
        """The file as it is now.

        Raises:
            ConfigError: it cannot be read.
        """
        ...

    def settings(self, document: Document | None = None) -> Settings:
        """Those of `document`, or of the file as it is now.

        Raises:
            ConfigError: every problem found, one per line.
        """
        ...


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting of a serving process; the defaults are those of `llm-simulator serve` without arguments.

    `upstreams` maps a host as a client names it to the base URL it is really fetched from; naming a host allows it.
    `models` are names that are answered although no provider is known to have them.
    `profiles` are files of latency profiles; theirs go before the shipped ones.
    `style` says how simulated answers sound, `label` where they say that they are simulated.
    `origins` are the web origins that may call from a browser, `hosts` the Host header values accepted beside loopback.
    """

    cassette: str = ""
    mode: Mode = Mode.AUTO
    host: str = "127.0.0.1"
    port: int = 8080
    workers: int = 1
    max_connections: int = 0  # of all workers together; 0: no limit
    request_timeout_secs: float = 600.0  # to read a request, in the queue, and without progress of an upstream
    watch: bool = True  # the configuration file
    deterministic: bool = True  # False: `seed` was drawn
    seed: int = 0
    speed: float = 1.0
    scenario: str = "default"  # "default": none; the name of one of `scenarios` or of the shipped ones
    validation: Validation = Validation.LENIENT
    models: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()
    providers: Providers | None = None  # what is said of models and providers; None: nothing
    style: Style = PLAIN
    label: Label = Label.HEADERS
    rules: MatchRules = field(default_factory=MatchRules)
    after_last: AfterLast = AfterLast.REPEAT
    allow_truncated: bool = False
    explain: bool = False
    upstreams: Mapping[str, str] = field(default_factory=_no_upstreams)
    scenarios: Mapping[str, Scenario] = field(default_factory=_no_scenarios)
    hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    allow_remote: bool = False
    admin_token: str = ""
    max_body_bytes: int = 256 * MEBIBYTE
    journal_size: int = 1000
    drain_secs: float = 10.0
    connect_timeout_secs: float = 30.0
    max_concurrent: int = 0  # calls answered at once; 0: no limit
    queue_size: int = 0
    lines: Mapping[str, Line] = field(default_factory=_no_lines)  # the same for one provider's calls
    limits: LimitRules | None = None  # rate limits; None: none
    breaker: Breaking | None = None  # circuit breakers; None: none
    keys: KeyRules | None = None  # which provider keys are taken; None: any
    session_ttl_secs: float | None = None
    max_sessions: int = 10_000
    metrics: bool = True
    metrics_port: int | None = None  # a second port that serves /metrics
    log_level: str = "info"
    log_format: str = "text"  # or json
    otlp_endpoint: str = ""  # base URL of the collector that traces go to; "" for none
    otlp_protocol: str = "auto"  # http, grpc; auto: by the port
    origin: Origin | None = field(default=None, compare=False)  # where they come from, so that they can be made anew
    record_command: str = ""  # what a miss report names as the command that would record the call ("": our own `run`)

    @property
    def forwards(self) -> bool:
        """Whether any call may go to an upstream: by the mode, or by a rule of a scenario."""
        return self.mode.forwards or any(scenario.forwards for scenario in self.scenarios.values())

    @property
    def writes(self) -> bool:
        """Whether any call may add to the cassette."""
        return self.mode.writes or any(scenario.writes for scenario in self.scenarios.values())

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        return self.host in LOOPBACK_HOSTS


LOOPBACK_HOSTS = frozenset({"127.0.0.1", "::1", "localhost"})
