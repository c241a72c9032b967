"""Which limits hold for a call, and what it takes of them. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from llm_simulator.dialects.rate_limits import DAY, INPUT, OUTPUT, REQUESTS, TOKENS, Standing, Window
from llm_simulator.simulator.limit_tiers import Allowed, Limits
from llm_simulator.simulator.limits import Bucket
from llm_simulator.simulator.providers import Entry, Kind, names_of
from llm_simulator.types import JSON, Call, Usage

MINUTE, DAY_SECONDS = 60.0, 86_400.0
_KEPT = 4096
_CHARACTERS = 4  # of a token, as OpenAI estimates a request before it reads it (seen in recorded headers)
_FRAME = 3
_MOST = ("max_completion_tokens", "max_tokens", "max_output_tokens", "maxOutputTokens")


@dataclass(frozen=True)
class LimitRules:
    """Limits by model, glob, provider or for all ("*"); the most particular counts, number by number."""

    entries: tuple[tuple[Entry, Allowed], ...]
    _known: dict[tuple[str, str], Limits | None] = field(default_factory=lambda: {}, compare=False, repr=False)

    def of(self, provider: str, model: str) -> Limits | None:
        """What holds for a call; None where nothing is limited."""
        key = (provider, model)
        if key not in self._known:
            if len(self._known) >= _KEPT:
                self._known.clear()
            self._known[key] = self._find(provider, model)
        return self._known[key]

    def as_json(self) -> dict[str, JSON]:
        """As it is written."""
        return {entry.key: allowed.as_json() for entry, allowed in self.entries}

    def _find(self, provider: str, model: str) -> Limits | None:
        names = names_of(provider, model)
        found = Limits()
        for entry, allowed in sorted(self.entries, key=lambda each: (each[0].kind, len(each[0].key))):
            if entry.fits(provider, names):
                found = allowed.over(found, provider)
        return found if found != Limits() else None


def together(entries: Iterable[Entry], own: LimitRules | None) -> LimitRules | None:
    """The rules of a section of their own, over what is said of limits under models and providers; None: nothing is."""
    others = tuple((entry, entry.limits) for entry in entries if entry.limits is not None)
    both = (*others, *(own.entries if own is not None else ()))
    return LimitRules(both) if both else None


def rules(given: Mapping[str, Allowed], kinds: Mapping[str, Kind]) -> LimitRules:
    """The rules of a section; `kinds` says what each of its keys names."""
    return LimitRules(tuple((Entry(key, kinds[key]), allowed) for key, allowed in given.items()))


def buckets(limits: Limits, call: Call) -> list[Bucket]:
    """What a call takes as it comes: one request, and the tokens that it seems to need (`settled` puts that right).

    Tokens together: its estimated prompt, or the most that it may answer if that is more, as OpenAI has it; by direction:
    the prompt, and of the answer a first token, as Anthropic counts those while they come.
    """
    made: list[Bucket] = []
    if limits.rpm is not None:
        made.append(Bucket(REQUESTS, limits.rpm, MINUTE, 1))
    if limits.rpd is not None:
        made.append(Bucket(DAY, limits.rpd, DAY_SECONDS, 1))
    if limits.tpm is None and limits.itpm is None and limits.otpm is None:
        return made
    prompt = _estimated(call.body)
    if limits.tpm is not None:
        made.append(Bucket(TOKENS, limits.tpm, MINUTE, max(prompt, _asked_for(call.body))))
    if limits.itpm is not None:
        made.append(Bucket(INPUT, limits.itpm, MINUTE, prompt))
    if limits.otpm is not None:
        made.append(Bucket(OUTPUT, limits.otpm, MINUTE, 1))
    return made


def settled(taken: list[Bucket], usage: Usage | None) -> list[Bucket]:
    """What is left to take once the real counts are known (of what failed: none, and all is given back)."""
    used = usage or Usage(0, 0)
    real = {TOKENS: used.total, INPUT: used.prompt - used.cached, OUTPUT: used.completion}
    whole = (
        Bucket(each.name, each.limit, each.period, real[each.name] - each.cost) for each in taken if each.name in real
    )
    return [bucket for bucket in whole if bucket.cost]


def standing(taken: list[Bucket], result: JSON) -> Standing:
    """How the limits stand, out of the result of a step."""
    left, full = result["left"], result["full"]
    return {
        bucket.name: Window(int(bucket.limit), int(left[bucket.name]), full[bucket.name])
        for bucket in taken
        if bucket.name in left
    }


def _estimated(body: JSON) -> int:
    """Tokens of a request by its length: every text in it but what is no text (pictures, sounds)."""
    total, rest = 0, [body]
    while rest:
        item: Any = rest.pop()
        if isinstance(item, str):
            total += 0 if item.startswith("data:") or (len(item) > 4096 and " " not in item[:4096]) else len(item)
        elif isinstance(item, dict):
            rest.extend(item.values())
        elif isinstance(item, list):
            rest.extend(item)
    return math.ceil(total / _CHARACTERS) + _FRAME


def _asked_for(body: JSON) -> int:
    """The most tokens that a request allows for its answer; 0 where it does not say."""
    if not isinstance(body, dict):
        return 0
    inner = body.get("generationConfig")
    given = [where.get(name) for where in (body, inner if isinstance(inner, dict) else {}) for name in _MOST]
    return max((int(value) for value in given if isinstance(value, int) and not isinstance(value, bool)), default=0)
