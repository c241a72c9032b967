"""What providers let through, by usage tier, and which models share a limit. Figures as of July 2026; a configuration
overrides any of them (docs/limits.md).

Sources: the providers' pages on rate limits (platform.openai.com and developers.openai.com/docs/guides/rate-limits,
docs.claude.com/en/api/rate-limits, ai.google.dev/gemini-api/docs/rate-limits, docs.cohere.com/docs/rate-limits,
console.groq.com/docs/rate-limits) and limits seen in recorded headers (OpenAI tier 5, Azure, Mistral, Cohere trial keys).
`openai/tier-1` and `anthropic/standard` are the classic pair of load tests: 500 / 10,000 / 5 and 1,000 / 100,000 / 50
(requests a minute, tokens a minute, calls at once); providers do not publish how many calls at once they take.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType

from llm_simulator.types import JSON


@dataclass(frozen=True, slots=True)
class Limits:
    """Requests a minute and a day, tokens a minute together or by direction, calls at once; None is no limit."""

    rpm: int | None = None
    tpm: int | None = None
    itpm: int | None = None
    otpm: int | None = None
    rpd: int | None = None
    concurrent: int | None = None


NO_LIMITS = Limits()

_OPENAI: Mapping[str, Limits] = {
    "free": Limits(rpm=3, tpm=40_000, rpd=200),
    "tier-1": Limits(rpm=500, tpm=10_000, concurrent=5),
    "tier-2": Limits(rpm=5_000, tpm=450_000),
    "tier-3": Limits(rpm=5_000, tpm=800_000),
    "tier-4": Limits(rpm=10_000, tpm=2_000_000),
    "tier-5": Limits(rpm=10_000, tpm=30_000_000),
}
_ANTHROPIC: Mapping[str, Limits] = {
    "standard": Limits(rpm=1_000, tpm=100_000, concurrent=50),
    "tier-1": Limits(rpm=50, itpm=30_000, otpm=8_000),
    "tier-2": Limits(rpm=1_000, itpm=450_000, otpm=90_000),
    "tier-3": Limits(rpm=2_000, itpm=800_000, otpm=160_000),
    "tier-4": Limits(rpm=4_000, itpm=2_000_000, otpm=400_000),
}
TIERS: Mapping[str, Mapping[str, Limits]] = MappingProxyType(
    {
        "openai": _OPENAI,
        "anthropic": _ANTHROPIC,
        "azure": {"standard": Limits(rpm=120, tpm=120_000), "s0": Limits(rpm=6, tpm=1_000)},
        "gemini": {
            "free": Limits(rpm=10, tpm=250_000, rpd=250),
            "tier-1": Limits(rpm=1_000, tpm=1_000_000, rpd=10_000),
            "tier-2": Limits(rpm=2_000, tpm=3_000_000, rpd=100_000),
        },
        "cohere": {"trial": Limits(rpm=20), "production": Limits(rpm=500)},
        "mistral": {"free": Limits(rpm=60, tpm=500_000), "standard": Limits(rpm=360, tpm=2_000_000)},
        "groq": {"free": Limits(rpm=30, tpm=6_000, rpd=14_400), "developer": Limits(rpm=1_000, tpm=300_000)},
    }
)
"""Limits by provider and tier, for every model of the provider alike: set others by model."""

_SAME = {"vertex": "gemini"}
_CLASSES: Mapping[str, re.Pattern[str]] = {
    "anthropic": re.compile(r"claude-(?:(opus|sonnet|haiku)-(\d)|(\d(?:-\d)?)-(opus|sonnet|haiku))"),
}
_SNAPSHOT = re.compile(r"(?:-\d{4}-\d{2}-\d{2}|-20\d{6}|-\d{4}|-\d{3}|@\d+|-latest|-preview.*|-exp.*)$")


def tier(provider: str, name: str) -> Limits | None:
    """The limits of a provider's tier; None where it has none of that name."""
    return TIERS.get(_SAME.get(provider, provider), {}).get(name)


def family(provider: str, model: str) -> str:
    """What a model shares its limits with: its snapshots and aliases, at Anthropic all of a class and generation
    ("claude-opus-4": Opus 4, 4.1, 4.5, ...)."""
    name = model.removeprefix("models/")
    pattern = _CLASSES.get(provider)
    if pattern is not None and (found := pattern.match(name)):
        return f"claude-{found[1]}-{found[2]}" if found[1] else f"claude-{found[4]}-{found[3]}"
    return _SNAPSHOT.sub("", name)


@dataclass(frozen=True, slots=True)
class Allowed:
    """What is said under one key: a provider's tier, and numbers that stand in for the tier's (-1: no limit)."""

    tier: str = ""
    limits: Limits = field(default_factory=Limits)

    def as_json(self) -> dict[str, JSON]:
        """As it is written: only what is given."""
        given = {item.name: getattr(self.limits, item.name) for item in fields(Limits)}
        numbers = {name: "none" if value == -1 else value for name, value in given.items() if value is not None}
        return {"tier": self.tier, **numbers} if self.tier else numbers

    def over(self, below: Limits, provider: str) -> Limits:
        """Laid over what is said less particularly."""
        named = tier(provider, self.tier) if self.tier else None
        base = below if named is None else named
        given = {item.name: getattr(self.limits, item.name) for item in fields(Limits)}
        both = {name: getattr(base, name) if value is None else value for name, value in given.items()}
        return Limits(**{name: None if value == -1 else value for name, value in both.items()})
