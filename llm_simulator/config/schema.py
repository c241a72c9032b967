"""The configuration file: one pydantic schema, from which the settings of a run are made.

pydantic is imported here and only here, and this module only where a file or a variable is there to be read.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator

from llm_simulator.config import library
from llm_simulator.config.section import Section
from llm_simulator.simulator.style import Style


class ServerSection(Section):
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8080
    hosts: tuple[str, ...] = Field(
        default=(), description="Host header values accepted beside loopback names and addresses"
    )
    origins: tuple[str, ...] = Field(default=(), description="web origins that may call from a browser")
    allow_remote: bool = Field(
        default=False, description="forward to providers although other machines can reach this address"
    )
    admin_token: str = ""
    max_body_bytes: Annotated[int, Field(ge=1024)] = 256 << 20
    drain_secs: Annotated[float, Field(ge=0)] = 10.0
    connect_timeout_secs: Annotated[float, Field(gt=0)] = 30.0
    journal_size: Annotated[int, Field(ge=0, le=1_000_000)] = 1000


class StyleSection(Section):
    """How simulated answers sound (`simulator/style.py`)."""

    text: Literal["markov", "lorem", "echo", "fixed", "template"] = "markov"
    content: str = Field(
        default="", description="the text of fixed, the template of template ({user}, {model}, {text})"
    )
    call_tools: bool = Field(default=False, description="call a tool where the request leaves it open")
    calls: Annotated[int, Field(ge=1, le=16)] = Field(default=1, description="tool calls at once")
    preface: bool = Field(default=False, description="a sentence before tool calls")
    refusal: str = Field(default="", description="what every answer refuses with")

    @model_validator(mode="after")
    def _possible(self) -> Self:
        """Raises:
        ValueError: a text is missing, or the template has an unknown placeholder.
        """
        Style(**self.model_dump())
        return self


class SimulationSection(Section):
    seed: Annotated[int, Field(ge=0, le=2**64 - 1)] = 0
    speed: Annotated[float, Field(ge=0)] = 1.0
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
    label: Literal["headers", "body"] = Field(
        default="headers",
        description="body: ids and models of simulated answers say so, too (chatcmpl-sim-..., gpt-4o-simulated)",
    )


class MatchSection(Section):
    ignore: tuple[str, ...] = Field(
        default=(), description="JSONPath ($.metadata.id) or /regex/ of what is not compared"
    )
    headers: tuple[str, ...] = Field(default=(), description="headers that are compared as well")
    host: bool = Field(default=False, description="compare the host, too")


class CassetteSection(Section):
    path: str = Field(default="", description="a .db, a .yaml, a folder of them, or a database URL")
    mode: Literal["replay", "auto", "simulate", "record", "record-missing", "verify", "passthrough"] = "auto"
    match: MatchSection = MatchSection()
    after_last: Literal["repeat", "cycle", "miss", "sample"] = "repeat"
    allow_truncated: bool = False
    explain: bool = Field(
        default=False, description="say in a header which rules made a request equal to its recording"
    )


class LoggingSection(Section):
    level: Literal["debug", "info", "warning", "error"] = "info"


class TelemetrySection(Section):
    logging: LoggingSection = LoggingSection()


def _scenarios(given: dict[str, Any]) -> dict[str, Any]:
    """The values that they describe; their schema is loaded where there is one to read."""
    if not given:
        return given
    from pydantic import TypeAdapter

    from llm_simulator.config.scenarios import ScenarioName, ScenarioSection

    sections = TypeAdapter(dict[ScenarioName, ScenarioSection]).validate_python(given)
    return {name: section.made(name) for name, section in sections.items()}


class File(Section):
    """The whole file."""

    version: Literal["2.0"] = "2.0"
    server: ServerSection = ServerSection()
    simulation: SimulationSection = SimulationSection()
    response: ResponseSection = ResponseSection()
    cassettes: CassetteSection = CassetteSection()
    upstreams: dict[str, str] = Field(
        default_factory=dict, description="host -> base URL it is fetched from ('' for itself); naming a host allows it"
    )
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
        own: dict[str, Any] = info.data.get("scenarios", {})
        if name != library.NONE and name not in own and name not in library.shipped():
            raise ValueError(library.unknown(name, own))
        return name
