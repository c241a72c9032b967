"""The configuration file: one pydantic schema, from which the settings of a run are made.

pydantic is imported here and only here, and this module only where a file or a variable is there to be read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator

from llm_simulator.config import library
from llm_simulator.config.section import Section
from llm_simulator.config.style_fields import StyleSection
from llm_simulator.config.telemetry_fields import TelemetrySection

if TYPE_CHECKING:
    from llm_simulator.simulator.policies import LimitRules
    from llm_simulator.simulator.providers import Entry, Providers


class ServerSection(Section):
    """Where it listens, and how it treats connections."""

    host: str = Field(default="127.0.0.1", description="address to listen on; a loopback name is 127.0.0.1 and ::1")
    port: Annotated[int, Field(ge=0, le=65535)] = Field(default=8080, description="0: a free one")
    workers: Annotated[int, Field(ge=1, le=256)] = Field(
        default=1, description="processes that serve the port together"
    )
    max_connections: Annotated[int, Field(ge=0)] = Field(
        default=0, description="connections open at once, of all workers together; 0: no limit"
    )
    request_timeout_secs: Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)] = Field(
        default=600.0,
        description="how long reading a request may take, waiting in the queue, and an upstream that sends nothing; "
        "an answer that goes on may take as long as it likes",
    )
    hosts: tuple[str, ...] = Field(
        default=(), description="Host header values accepted beside loopback names and addresses"
    )
    origins: tuple[str, ...] = Field(default=(), description="web origins that may call from a browser")
    allow_remote: bool = Field(
        default=False, description="forward to providers although other machines can reach this address"
    )
    watch: bool = Field(default=True, description="take the configuration file anew when it changes")
    admin_token: str = Field(default="", description="what /admin asks for, as a bearer token; none by default")
    max_body_bytes: Annotated[int, Field(ge=1024)] = Field(default=256 << 20, description="the largest request body")
    drain_secs: Annotated[float, Field(ge=0, allow_inf_nan=False)] = Field(
        default=10.0, description="how long running answers may go on when it stops"
    )
    connect_timeout_secs: Annotated[float, Field(gt=0, allow_inf_nan=False)] = Field(
        default=30.0, description="for TCP and TLS set-up with an upstream"
    )
    journal_size: Annotated[int, Field(ge=0, le=1_000_000)] = Field(
        default=1000, description="calls that /admin/calls remembers"
    )


class LineSection(Section):
    """How many calls of a provider are answered at once."""

    max_concurrent_requests: Annotated[int, Field(ge=1)] = Field(description="calls answered at once")
    queue_size: Annotated[int, Field(ge=0)] = Field(default=0, description="how many more may wait for their turn")


class ConcurrencySection(Section):
    """How many calls are answered at once."""

    max_concurrent_requests: Annotated[int, Field(ge=0)] = Field(default=0, description="0: no limit")
    queue_size: Annotated[int, Field(ge=0)] = Field(
        default=0, description="how many more may wait for their turn; further ones are refused with 503"
    )
    providers: dict[str, LineSection] = Field(
        default_factory=dict, description="provider -> the same for its calls alone; refused in its own words"
    )


class SessionsSection(Section):
    """What is kept of each session: counters, limits, scenario, files."""

    ttl_secs: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = Field(
        default=None,
        description="a session that was silent for so long is forgotten; default: only when there are too many",
    )
    max: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        default=10_000, description="sessions kept; the one silent for longest goes first"
    )


class SimulationSection(Section):
    """What simulated answers say, and when."""

    deterministic: bool = Field(
        default=True, description="false: a seed is drawn at the start (and told), unless one is given by --seed"
    )
    seed: Annotated[int, Field(ge=0, le=2**64 - 1)] = Field(default=0, description="equal seeds give equal answers")
    speed: Annotated[float, Field(ge=0, allow_inf_nan=False)] = Field(
        default=1.0, description="divides waits: 2 is twice as fast, 0 does not wait"
    )
    concurrency: ConcurrencySection = ConcurrencySection()
    validation: Literal["lenient", "provider"] = Field(
        default="lenient",
        description="provider: refuse what the provider would refuse (keys, limits, ranges, retired models)",
    )
    style: StyleSection = StyleSection()
    models: tuple[str, ...] = Field(default=(), description="further model names that are answered")
    profiles: tuple[str, ...] = Field(
        default=(), description="files of latency profiles (llm-simulator calibrate); theirs go before the shipped ones"
    )


class ResponseSection(Section):
    """What simulated answers say of themselves."""

    label: Literal["headers", "body"] = Field(
        default="headers",
        description="body: ids and models of simulated answers say so, too (chatcmpl-sim-..., gpt-4o-simulated)",
    )


class MatchSection(Section):
    """What makes a request equal to a recorded one."""

    ignore: tuple[str, ...] = Field(
        default=(), description="JSONPath ($.metadata.id) or /regex/ of what is not compared"
    )
    headers: tuple[str, ...] = Field(default=(), description="headers that are compared as well")
    host: bool = Field(default=False, description="compare the host, too")


class CassetteSection(Section):
    """What was recorded, and what is done with it."""

    path: str = Field(default="", description="a .db, a .yaml, a folder of them, or a database URL")
    mode: Literal["replay", "auto", "simulate", "record", "record-missing", "verify", "passthrough"] = Field(
        default="auto", description="what to do with a call that is, or is not, in the cassette"
    )
    match: MatchSection = MatchSection()
    after_last: Literal["repeat", "cycle", "miss", "sample"] = Field(
        default="repeat", description="what equal calls get once each recording of them was played"
    )
    allow_truncated: bool = Field(default=False, description="replay recordings that broke off, too")
    explain: bool = Field(
        default=False, description="say in a header which rules made a request equal to its recording"
    )


def _scenarios(given: dict[str, Any]) -> dict[str, Any]:
    """The values that they describe; their schema is loaded where there is one to read."""
    if not given:
        return given
    from pydantic import TypeAdapter

    from llm_simulator.config.scenarios import ScenarioName, ScenarioSection

    sections = TypeAdapter(dict[ScenarioName, ScenarioSection]).validate_python(given)
    return {name: section.made(name) for name, section in sections.items()}


def _providers(given: dict[str, Any]) -> Any:
    if not given:
        return ()
    from llm_simulator.config.provider_fields import providers_of

    return providers_of(given)


def _errors(given: dict[str, Any]) -> Any:
    if not given:
        return ()
    from llm_simulator.config.provider_fields import errors_of

    return errors_of(given)


def _limits(given: dict[str, Any]) -> Any:
    if not given:
        return None
    from llm_simulator.config.limits_fields import limits_of

    return limits_of(given)


def _breaker(given: Any) -> Any:
    if given is None or given is False:
        return None
    from llm_simulator.config.limits_fields import breaker_of

    return breaker_of(given)


def _keys(given: Any) -> Any:
    if given is None:
        return None
    from llm_simulator.config.limits_fields import keys_of

    return keys_of(given)


def _version(given: Any) -> Any:
    return str(given) if isinstance(given, float) else given  # who forgets the quotes means the same


def _is_upstream(url: str) -> str:
    """Raises:
    ValueError: it is no URL.
    """
    if url and not url.lower().startswith(("http://", "https://")):
        raise ValueError("http[s]://... is allowed, or '' for the host itself")
    return url


class File(Section):
    """The whole file."""

    schema_: str = Field(default="", alias="$schema", description="where an editor finds this schema; not used")
    version: Annotated[Literal["2.0"], BeforeValidator(_version)] = Field(default="2.0", description="of this format")
    server: ServerSection = ServerSection()
    simulation: SimulationSection = SimulationSection()
    response: ResponseSection = ResponseSection()
    providers: Annotated[dict[str, Any], AfterValidator(_providers)] = Field(
        default_factory=dict, description="model, glob or provider -> whether it is there, how fast, how often it fails"
    )
    errors: Annotated[dict[str, Any], AfterValidator(_errors)] = Field(
        default_factory=dict, description="errors of all providers: name -> how often it comes"
    )
    cassettes: CassetteSection = CassetteSection()
    upstreams: dict[str, Annotated[str, AfterValidator(_is_upstream)]] = Field(
        default_factory=dict, description="host -> base URL it is fetched from ('' for itself); naming a host allows it"
    )
    limits: Annotated[dict[str, Any], AfterValidator(_limits)] = Field(
        default_factory=dict, description="model, glob, provider or * -> a tier, or numbers (docs/limits.md)"
    )
    breaker: Annotated[Any, AfterValidator(_breaker)] = Field(
        default=None, description="circuit breakers by upstream and model: true, or their terms (docs/limits.md)"
    )
    keys: Annotated[Any, AfterValidator(_keys)] = Field(
        default=None,
        description="provider keys: any (default), listed, or known keys and their states (docs/limits.md)",
    )
    sessions: SessionsSection = SessionsSection()
    telemetry: TelemetrySection = TelemetrySection()
    scenarios: Annotated[dict[str, Any], AfterValidator(_scenarios)] = Field(
        default_factory=dict, description="name -> scenario (docs/scenarios.md)"
    )
    scenario: str = Field(default="default", description="the scenario in force from the start; default: none")

    @field_validator("scenario")
    @classmethod
    def _known(cls, name: str, info: ValidationInfo) -> str:
        """Raises:
        ValueError: no scenario has this name.
        """
        if "scenarios" not in info.data:
            return name  # something is wrong with them, and that is told
        own: dict[str, Any] = info.data["scenarios"]
        if name != library.NONE and name not in own and name not in library.shipped():
            raise ValueError(library.unknown(name, own))
        return name

    @property
    def rules(self) -> LimitRules | None:
        """What is said of limits: in `limits`, and under models and providers."""
        if not self.limits and not self.providers:
            return None
        from llm_simulator.simulator.policies import together

        entries = cast("tuple[Entry, ...]", self.providers)
        return together(entries or (), cast("LimitRules | None", self.limits or None))

    def providers_made(self, given: Mapping[str, Any]) -> Providers | None:
        """What it says of providers and models; `given` is how it says it."""
        if not self.providers and not self.errors:
            return None
        from llm_simulator.config.provider_fields import together

        entries: Any = self.providers  # as their validators have made them
        errors: Any = self.errors
        return together(tuple(entries), tuple(errors), given)
