"""What the rules of a provider work with: `validation: provider` refuses what it would refuse, beyond broken structure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from llm_simulator.dialects import conditions, known_models
from llm_simulator.dialects.catalogue import Model, find
from llm_simulator.dialects.condition_values import key_of
from llm_simulator.dialects.fields import Object, as_object, as_text, objects
from llm_simulator.types import JSON, Call, Condition, header

TRIGGER = re.compile(r"trigger_content_filter(?::(\w+))?", re.IGNORECASE)
"""A prompt with this phrase is blocked as unsafe content is; `trigger_content_filter:hate` names a category where the
provider has them (violence, hate, sexual, self_harm, jailbreak, indirect_attack, profanity, custom_blocklists)."""

_REJECTED = re.compile(r"bad|wrong|invalid|incorrect|expired|revoked", re.IGNORECASE)
"""Words in a key that say which answer is wanted: no real key can be told from a wrong one here."""
_JWT = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+")


@dataclass(frozen=True)
class Asked:
    """A call of sound structure. `prompt_tokens` counts what the provider would bill, where a rule needs it."""

    call: Call
    prompt_tokens: Callable[[], int]

    @cached_property
    def body(self) -> Object:
        return as_object(self.call.body)

    @cached_property
    def path(self) -> str:
        return self.call.raw.path.rstrip("/")

    @cached_property
    def key(self) -> str:
        return key_of(self.call)

    @cached_property
    def model(self) -> Model | None:
        """The model's limits as its provider lists them; at Azure those of a deployment named like a model."""
        name = self.call.model.removeprefix("models/")
        provider = {"azure": "openai", "vertex": "gemini"}.get(self.call.provider, self.call.provider)
        found = find(provider, name)
        return (find(provider, found.serves) or found) if found and found.serves and not found.context else found

    def header(self, name: str) -> str:
        return header(self.call.raw.headers, name)

    def ends(self, *paths: str) -> bool:
        return self.path.endswith(paths)


Rule = Callable[[Asked], Condition | None]


def first(rules: Iterable[Rule], asked: Asked) -> Condition | None:
    """What the first of the rules objects to."""
    return next((found for rule in rules if (found := rule(asked)) is not None), None)


def malformed(key: str, form: re.Pattern[str]) -> bool:
    """Whether a key cannot be one of that form, or says itself that it is to be rejected."""
    return form.fullmatch(key) is None or _REJECTED.search(key) is not None


def is_token(key: str) -> bool:
    """Whether it has the form of an OAuth or Entra access token, which no rule here can judge further."""
    return key.startswith("ya29.") or (_JWT.fullmatch(key) is not None and not _REJECTED.search(key))


def names(text: str) -> frozenset[str]:
    """The words of a text, as a set."""
    return frozenset(text.split())


def retired(asked: Asked) -> Condition | None:
    return known_models.no_longer(asked.call) if known_models.retired(asked.call) else None


def reworded(name: str, message: str, param: str | None = None, code: str | None = None, kind: str = "") -> Condition:
    """A condition of the catalogue in other words than its example has.

    Raises:
        KeyError: the catalogue has no such condition.
    """
    raised = conditions.raised(name)
    return Condition(raised.name, raised.status, message, param, code, kind)


def texts(value: JSON, depth: int = 0) -> Iterator[str]:
    """Every string in a JSON value that may be part of a prompt."""
    if isinstance(value, str):
        yield value
    elif depth < 12 and isinstance(value, list):
        for item in value:
            yield from texts(item, depth + 1)
    elif depth < 12 and isinstance(value, dict):
        for item in value.values():
            yield from texts(item, depth + 1)


def triggered(*prompts: JSON) -> str | None:
    """The category that a prompt's trigger phrase names ("" for none given); None where there is no such phrase."""
    found = next((match for text in texts(list(prompts)) if (match := TRIGGER.search(text))), None)
    return (found[1] or "").lower() if found else None


def number(value: JSON) -> float | None:
    """A JSON number; None for anything else."""
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def roles(messages: JSON) -> list[str]:
    return [as_text(message.get("role")) for message in objects(messages)]


def spelled_number(value: float) -> str:
    return f"{value:g}" if abs(value) < 1e15 else str(value)
