"""The sections `limits`, `breaker` and `keys` of the configuration file, and the values that they become."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from llm_simulator.config.section import Section
from llm_simulator.dialects import PROVIDER_HOSTS
from llm_simulator.simulator.breaker import Breaking, Terms
from llm_simulator.simulator.keys import KeyRules, KeyState, digest
from llm_simulator.simulator.limit_tiers import TIERS, Allowed, Limits, tier
from llm_simulator.simulator.policies import LimitRules, rules
from llm_simulator.simulator.providers import Kind, kind_of
from llm_simulator.types import JSON

_NONE = -1


def _most(value: Any) -> Any:
    return _NONE if value == "none" else value


def _is_most(value: int) -> int:
    """Raises:
    ValueError: it is no number of calls or tokens.
    """
    if value != _NONE and not 1 <= value <= 10**12:
        raise ValueError("a whole number from 1 is allowed, or none: no limit")
    return value


Most = Annotated[
    int,
    BeforeValidator(_most),
    AfterValidator(_is_most),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1}, {"const": "none"}]}),
]
ALL = "*"
PROVIDERS = frozenset({*PROVIDER_HOSTS, "azure", "bedrock", "unknown"})


def _is_tier(name: str) -> str:
    """Raises:
    ValueError: no provider has a tier of this name.
    """
    known = sorted({each for tiers in TIERS.values() for each in tiers})
    if name and name not in known:
        raise ValueError(f"no provider has a tier of this name; there are {', '.join(known)}")
    return name


class LimitSection(Section):
    """How much is let through, for each key and model family. A text alone is a tier."""

    SHORT: ClassVar[list[JSON]] = [{"type": "string"}]

    tier: Annotated[str, AfterValidator(_is_tier)] = Field(default="", description="of the provider (docs/limits.md)")
    rpm: Most | None = Field(
        default=None, description="requests a minute; none: as many as come, whatever the tier says"
    )
    tpm: Most | None = Field(default=None, description="tokens a minute, of prompt and answer together")
    itpm: Most | None = Field(default=None, description="prompt tokens a minute")
    otpm: Most | None = Field(default=None, description="answer tokens a minute")
    rpd: Most | None = Field(default=None, description="requests a day")
    concurrent: Most | None = Field(default=None, description="calls at once")

    @model_validator(mode="before")
    @classmethod
    def _text(cls, value: Any) -> Any:
        return {"tier": value} if isinstance(value, str) else value

    @property
    def made(self) -> Allowed:
        given = {name: getattr(self, name) for name in ("rpm", "tpm", "itpm", "otpm", "rpd", "concurrent")}
        return Allowed(self.tier, Limits(**given))


class BreakerSection(Section):
    """When a circuit breaker opens and closes. `true` alone takes the defaults."""

    SHORT: ClassVar[list[JSON]] = [{"type": "boolean"}]

    failures: Annotated[int, Field(ge=1)] = Field(default=5, description="failures in a row that open it")
    successes: Annotated[int, Field(ge=1)] = Field(default=2, description="successful probes that close it")
    timeout_secs: Annotated[float, Field(gt=0, le=86_400)] = Field(default=30.0, description="how long it stays open")
    probes: Annotated[int, Field(ge=1)] = Field(
        default=1, description="calls let through at once while it is half-open"
    )
    guards: Literal["forwarded", "all"] = Field(
        default="forwarded",
        description="forwarded: only what goes to an upstream; all: simulated and replayed calls, too",
    )

    @model_validator(mode="before")
    @classmethod
    def _true(cls, value: Any) -> Any:
        return {} if value is True else value

    @property
    def made(self) -> Terms:
        return Terms(self.failures, self.successes, self.timeout_secs, self.probes)


def _only_digest(key: str) -> str:
    """What is kept of a key: its digest; the name of a variable stays one."""
    return key if key.startswith(("env:", "digest:")) else f"digest:{digest(key)}"


class KeySection(Section):
    """A key that is known: its value or `env:NAME`. A text alone is a valid one."""

    SHORT: ClassVar[list[JSON]] = [{"type": "string"}]

    key: Annotated[str, Field(min_length=1), AfterValidator(_only_digest)] = Field(
        description="the key, or env:NAME; only its digest is kept"
    )
    state: Literal["valid", "unknown", "expired", "revoked", "wrong_project", "no_credit", "quota_exhausted"] = "valid"

    @model_validator(mode="before")
    @classmethod
    def _text(cls, value: Any) -> Any:
        return {"key": value} if isinstance(value, str) else value


class KeysSection(Section):
    """Which provider keys are taken. `any` or `listed` alone is the policy."""

    SHORT: ClassVar[list[JSON]] = [{"enum": ["any", "listed"]}]

    policy: Literal["any", "listed"] = Field(
        default="any", description="listed: a key that is not, or none, is refused as the provider does"
    )
    listed: tuple[KeySection, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _text(cls, value: Any) -> Any:
        return {"policy": value} if isinstance(value, str) else value

    @property
    def made(self) -> KeyRules | None:
        if self.policy == "any" and not self.listed:
            return None
        return KeyRules(self.policy == "any", tuple((each.key, KeyState(each.state)) for each in self.listed))


_LIMITS: TypeAdapter[dict[str, LimitSection]] = TypeAdapter(dict[Annotated[str, Field(min_length=1)], LimitSection])


def limits_of(given: Mapping[str, Any]) -> LimitRules:
    """The rules of a section `limits`: model, glob, provider or "*" -> limits.

    Raises:
        ValidationError: every problem, at its place in the section.
    """
    sections = _LIMITS.validate_python(given)
    kinds = {key: Kind.ALL if key == ALL else kind_of(key, PROVIDERS) for key in sections}
    problems = [
        _at(
            (key, "tier"),
            f"{key} has no tier of this name; it has {', '.join(TIERS.get(key, {})) or 'none'}",
            named.tier,
        )
        for key, named in sections.items()
        if named.tier and kinds[key] is Kind.PROVIDER and tier(key, named.tier) is None
    ]
    if problems:
        raise ValidationError.from_exception_data("limits", problems)
    return rules({key: section.made for key, section in sections.items()}, kinds)


def breaker_of(given: Any) -> Breaking | None:
    """The terms of a section `breaker`; None where there are to be none.

    Raises:
        ValidationError: every problem, at its place in the section.
    """
    if given is None or given is False:
        return None
    section = BreakerSection.model_validate(given)
    return Breaking(section.made, section.guards == "all")


def keys_of(given: Any) -> KeyRules | None:
    """The rules of a section `keys`; None where any key is taken.

    Raises:
        ValidationError: every problem, at its place in the section.
    """
    return None if given is None else KeysSection.model_validate(given).made


def _at(place: tuple[str | int, ...], said: str, value: Any) -> InitErrorDetails:
    return InitErrorDetails(type=PydanticCustomError("limits", "{said}", {"said": said}), loc=place, input=value)
