"""The sections `providers` and `errors` of the configuration file, and the value that they become."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, TypeAdapter, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from llm_simulator.config.limits_fields import LimitSection
from llm_simulator.config.scenario_fields import Seconds, is_kind
from llm_simulator.config.section import Section
from llm_simulator.config.style_fields import StyleSection
from llm_simulator.dialects import PROVIDER_HOSTS
from llm_simulator.profiles import schema as profiles
from llm_simulator.profiles.overlay import Overlay, overlay
from llm_simulator.simulator.faults import Fault
from llm_simulator.simulator.providers import Chanced, Entry, Kind, Providers, kind_of
from llm_simulator.simulator.scenario_when import Ramp
from llm_simulator.simulator.style import Style
from llm_simulator.types import JSON

Probability = Annotated[float, Field(ge=0, le=1)]


class LatencySection(Section):
    """How long answers take, in the words of a profile file (docs/latency.md); what is not said stays as it is."""

    ttft: profiles.Time = Field(default=None, description="time to first token")
    rate: profiles.Time = Field(default=None, description="time per token of a response, after the first")
    tokens_per_second: Annotated[float, Field(gt=0)] | None = Field(default=None, description="instead of a rate")
    itl: profiles.Time = Field(default=None, description="time between tokens, drawn for each, instead of a rate")
    total: profiles.Time = Field(default=None, description="of an answer that is not streamed")
    speed_sigma: Annotated[float, Field(ge=0)] | None = Field(
        default=None, description="with itl: spread of responses' speeds"
    )
    writes: profiles.WritesSection | None = Field(default=None, description="how many tokens go out in one write")
    length: profiles.Tokens = Field(default=None, description="tokens of an answer that nothing limits")
    prompt_slope: profiles.SlopeSection | None = Field(default=None, description="what a long prompt adds to the TTFT")
    cache_hit: profiles.CacheHitSection | None = Field(default=None, description="the TTFT of a cached prompt")
    load: profiles.LoadSection | None = Field(default=None, description="how calls in flight slow each other down")
    usage_ratio: profiles.RatioSection | None = Field(
        default=None, description="the provider's token counts over our estimates"
    )

    @model_validator(mode="after")
    def _possible(self) -> Self:
        """Raises:
        ValidationError: a distribution is none, each at its own place.
        """
        _, problems = self.overlay("")
        if problems:
            given = self.model_dump(exclude_unset=True)
            raise ValidationError.from_exception_data(
                "latency", [_at(place, said, _dug(given, place)) for place, said in problems]
            )
        return self

    def overlay(self, name: str) -> tuple[Overlay, list[tuple[tuple[str | int, ...], str]]]:
        """What it gives, and what is wrong with it."""
        given = self.model_dump(exclude_unset=True)
        return overlay(name, {field: value for field, value in given.items() if value is not None})


class ErrorSection(Section):
    """An error, and how often it comes. A number alone is its probability."""

    SHORT: ClassVar[list[JSON]] = [{"type": "number", "minimum": 0, "maximum": 1}]

    probability: Probability = Field(description="the share of calls that end in it, from 0 to 1")
    retry_after_secs: Seconds | None = Field(default=None, description="what its retry-after header says")
    status: Annotated[int, Field(ge=400, le=599)] | None = Field(default=None, description="instead of its own")
    message: str = Field(default="", description="instead of its own")
    param: str | None = Field(default=None, description="instead of its own")
    code: str | None = Field(default=None, description="instead of its own")
    type: str = Field(default="", description="instead of its own")
    delay_secs: Seconds | None = Field(default=None, description="seconds before it is sent")
    after_tokens: Annotated[int, Field(ge=0)] = Field(default=5, description="where a stream breaks")
    in_tool_call: bool = Field(default=False, description="count the tokens of tool calls only")
    seconds: Seconds | None = Field(default=None, description="how long what is slow takes")

    @model_validator(mode="before")
    @classmethod
    def _number(cls, value: Any) -> Any:
        return {"probability": value} if isinstance(value, int | float) and not isinstance(value, bool) else value

    def chanced(self, name: str) -> Chanced:
        fault = Fault(
            name=name,
            what=name if _kind_problem(name) is None else "",
            status=self.status,
            message=self.message,
            param=self.param,
            code=self.code,
            type=self.type,
            retry_after=self.retry_after_secs,
            delay=Ramp(self.delay_secs, self.delay_secs) if self.delay_secs is not None else None,
            waits=self.delay_secs or 0.0,
            after_tokens=self.after_tokens,
            in_tool_call=self.in_tool_call,
            seconds=self.seconds,
        )
        return Chanced(self.probability, fault)


ErrorName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._ -]{0,79}$")]
Errors = dict[ErrorName, ErrorSection]


def _kind_problem(name: str) -> str | None:
    try:
        is_kind(name)
    except ValueError as error:
        return str(error)
    return None


def _error_problems(errors: Errors, *where: str) -> Iterator[InitErrorDetails]:
    """What one error says of another: names that mean nothing, shares that are more than all."""
    for name, error in errors.items():
        problem = _kind_problem(name) if error.status is None else None
        if problem is not None:
            yield _at((*where, name), f"{problem}; or give it a status of its own", name)
    total = sum(error.probability for error in errors.values())
    if total > 1 + 1e-9:
        shares = {name: error.probability for name, error in errors.items()}
        yield _at(where, f"the probabilities sum to {total:g}; up to 1 is allowed", shares)


class SpokenSection(Section):
    """How simulated answers sound, and where they say that they are simulated."""

    style: StyleSection | None = Field(default=None, description="instead of simulation.style")
    label: Literal["headers", "body"] | None = Field(default=None, description="instead of response.label")


class ProviderSection(Section):
    """What holds for a model, for the models of a glob, or for a provider."""

    enabled: bool | None = Field(default=None, description="false: its models are unknown, in the provider's own words")
    latency: LatencySection | None = Field(default=None, description="how long simulated answers take")
    errors: Errors = Field(default_factory=dict, description="name of an error -> how often it comes")
    response: SpokenSection | None = Field(default=None, description="how simulated answers sound")
    limits: LimitSection | None = Field(default=None, description="rate limits: a tier, or numbers (docs/limits.md)")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if problems := list(_error_problems(self.errors, "errors")):
            raise ValidationError.from_exception_data("provider", problems)
        return self

    def made(self, key: str) -> Entry:
        response = self.response or SpokenSection()
        return Entry(
            key=key,
            kind=kind_of(key, PROVIDERS),
            enabled=self.enabled,
            overlay=self.latency.overlay(f"config/{key}")[0] if self.latency else None,
            errors=tuple(error.chanced(name) for name, error in self.errors.items()),
            style=Style(**response.style.model_dump()) if response.style else None,
            labelled=None if response.label is None else response.label == "body",
            limits=self.limits.made if self.limits else None,
        )


PROVIDERS = frozenset({*PROVIDER_HOSTS, "azure", "bedrock", "unknown"})
"""Keys that name a provider; others name models."""

ProviderKey = Annotated[str, Field(min_length=1, max_length=200)]
_PROVIDERS: TypeAdapter[dict[str, ProviderSection]] = TypeAdapter(dict[ProviderKey, ProviderSection])
_ERRORS: TypeAdapter[Errors] = TypeAdapter(Errors)


def providers_of(given: Mapping[str, Any]) -> tuple[Entry, ...]:
    """The entries of a section `providers`.

    Raises:
        ValidationError: every problem, at its place in the section.
    """
    return tuple(section.made(key) for key, section in _PROVIDERS.validate_python(given).items())


def errors_of(given: Mapping[str, Any]) -> tuple[Chanced, ...]:
    """The errors of all providers.

    Raises:
        ValidationError: every problem, at its place in the section.
    """
    errors = _ERRORS.validate_python(given)
    if problems := list(_error_problems(errors)):
        raise ValidationError.from_exception_data("errors", problems)
    return tuple(error.chanced(name) for name, error in errors.items())


def together(entries: tuple[Entry, ...], errors: tuple[Chanced, ...], given: Mapping[str, Any]) -> Providers | None:
    """What a whole file says of providers; None where it says nothing."""
    if errors:
        entries = (Entry("", Kind.ALL, errors=errors), *entries)
    return Providers(entries, given) if entries else None


def added(providers: Providers) -> tuple[str, ...]:
    """The models that are named and that no provider has: who is configured is there."""
    from llm_simulator.dialects.known_models import familiar

    return tuple(name for name in providers.models if not familiar(name))


def notes(given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(key, what it is taken for) of those keys that may be misspelt."""
    for key in given:
        near = get_close_matches(key, PROVIDERS, 1, 0.8)
        if near and kind_of(key, PROVIDERS) is Kind.MODEL:
            yield key, f"no provider is called so, so it is taken for a model; did you mean {near[0]}?"


def _at(place: tuple[str | int, ...], said: str, value: Any) -> InitErrorDetails:
    return InitErrorDetails(type=PydanticCustomError("provider", "{said}", {"said": said}), loc=place, input=value)


def _dug(value: Any, place: tuple[str | int, ...]) -> Any:
    """What stands at a place, or at the nearest one around it."""
    for part in place:
        if isinstance(value, Mapping) and part in value:
            value = value[part]
    return value
