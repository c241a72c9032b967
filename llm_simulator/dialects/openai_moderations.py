"""Moderations: OpenAI's and Mistral's. Not a classifier: what is flagged follows from a list of words, and from marks.

A category is flagged where the text has one of its words below (whole words, any case), or a mark that names it:
`[flag:violence]`, `[flag:sexual/minors]`. A picture is flagged by a mark in its URL. Scores are drawn from the text: 0.7
and more where flagged, else below 0.001. Source: OpenAI API reference (moderations), docs.mistral.ai (guardrailing).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

from llm_simulator.dialects import jsonstyle, openai_rest
from llm_simulator.dialects.base import Desk, Plain, Route
from llm_simulator.dialects.fields import Object, as_list, as_object, as_text
from llm_simulator.dialects.ids import digest
from llm_simulator.dialects.openai_words import refusal
from llm_simulator.dialects.routes_openai import OPENAI_MODERATIONS
from llm_simulator.dialects.structure import Rule
from llm_simulator.types import JSON, Call, Condition, RawRequest, Reply

FAMILY = "openai.moderations"
_PATH_END = "/moderations"
_OF_CHATS = "/chat/moderations"  # Mistral's, for conversations: another format
_RULES = (Rule("input", "string|array|object", required=True), Rule("model", "string"))
_DEFAULT = "omni-moderation-latest"
_SERVED = {"text-moderation-latest": "text-moderation-007", "text-moderation-stable": "text-moderation-007"}

TRIGGERS: Mapping[str, tuple[str, ...]] = {
    "harassment": ("idiot", "moron", "loser", "shut up", "nobody likes you"),
    "harassment/threatening": ("i will find you", "watch your back", "you will regret this"),
    "sexual": ("porn", "pornographic", "erotic", "nude"),
    "hate": ("subhuman", "vermin", "inferior race"),
    "hate/threatening": ("exterminate them", "wipe them out"),
    "illicit": ("shoplift", "counterfeit", "launder money", "hotwire a car", "pick a lock"),
    "illicit/violent": ("build a bomb", "make a bomb", "build a weapon"),
    "self-harm/intent": ("kill myself", "end my life", "hurt myself"),
    "self-harm/instructions": ("how to kill myself", "how to hurt myself"),
    "self-harm": ("suicide", "self-harm", "kill myself", "hurt myself"),
    "sexual/minors": (),  # by mark alone
    "violence": ("kill", "murder", "stab", "shoot", "attack", "kill them", "beat him up"),
    "violence/graphic": ("gore", "dismember", "blood everywhere"),
}
"""Category, in OpenAI's order -> the words and phrases that flag it."""

_OF_PICTURES = ("sexual", "self-harm/intent", "self-harm/instructions", "self-harm", "violence", "violence/graphic")
_MISTRAL = {  # its category -> those of OpenAI's that make it
    "sexual": ("sexual", "sexual/minors"),
    "hate_and_discrimination": ("hate", "hate/threatening", "harassment"),
    "violence_and_threats": ("violence", "violence/graphic", "harassment/threatening"),
    "dangerous_and_criminal_content": ("illicit", "illicit/violent"),
    "selfharm": ("self-harm", "self-harm/intent", "self-harm/instructions"),
    "health": ("health",),
    "financial": ("financial",),
    "law": ("law",),
    "pii": ("pii",),
}
_MARK = re.compile(r"\[flag:([a-z/_-]+)\]|\bflag[:=]([a-z/_-]+)", re.IGNORECASE)
_SPACES = re.compile(r"\s+")


@cache
def _patterns() -> dict[str, re.Pattern[str]]:
    """Made when first needed: compiling them takes longer than loading everything else here."""
    return {
        category: re.compile(rf"\b(?:{'|'.join(map(re.escape, words))})\b", re.IGNORECASE)
        for category, words in TRIGGERS.items()
        if words
    }


@dataclass(frozen=True, slots=True)
class _Input:
    """What one result is about."""

    texts: tuple[str, ...]
    pictures: tuple[str, ...] = ()

    @property
    def seed(self) -> str:
        return "\0".join((*self.texts, *self.pictures))


class OpenAIModerations(Plain):
    """POST .../moderations."""

    name = "openai_moderations"
    provider = "openai"
    api_version = "v1"
    features: frozenset[str] = frozenset(("moderations",))
    simulates: frozenset[str] = frozenset(("moderations.create",))
    routes: tuple[Route, ...] = OPENAI_MODERATIONS

    def read(self, raw: RawRequest, provider: str) -> Call | None:
        path = raw.path
        if not path.endswith(_PATH_END) or path.endswith(_OF_CHATS) or not openai_rest.speaks_openai(provider, path):
            return None
        operation = "moderations.create" if raw.method == "POST" else "unknown"
        return openai_rest.read_json(raw, provider, FAMILY, operation)

    def check(self, call: Call) -> Condition | None:
        return openai_rest.structure(call, _RULES) or _wrong(as_object(call.body).get("input"))

    def respond(self, call: Call, desk: Desk) -> Reply:
        seed = desk.seed.hex()
        spell = _mistral if call.provider == "mistral" else _openai
        body = {
            "id": _identity(call.provider, seed),
            "model": _SERVED.get(call.model, call.model) or _DEFAULT,
            "results": [spell(given) for given in _inputs(as_object(call.body).get("input"))],
        }
        lay_out = jsonstyle.compact if call.provider == "mistral" else jsonstyle.indented
        return Reply(200, openai_rest.success(call, seed), lay_out(body))

    def refuse(self, condition: Condition, call: Call) -> Reply:
        return openai_rest.refuse(condition, call)


def _identity(provider: str, seed: str) -> str:
    drawn = digest(seed, "moderation").hex()
    return drawn if provider == "mistral" else f"modr-{drawn}"


def _wrong(given: JSON) -> Condition | None:
    items = as_list(given) if not isinstance(given, dict) else [given]
    if isinstance(given, str) or (items and all(isinstance(item, str) for item in items)):
        return None
    if items and all(as_object(item).get("type") in ("text", "image_url") for item in items):
        return None
    if not items:
        text = "Invalid 'input': empty array. Expected an array with minimum length 1, but got an empty array instead."
        return refusal("empty_array", text, "input", "empty_array")
    text = "Invalid type for 'input': expected one of a string, an array of strings or an array of text and image_url parts."
    return refusal("invalid_type", text, "input", "invalid_type")


def _inputs(given: JSON) -> list[_Input]:
    """A text each makes a result; the parts of a multi-modal input make one together."""
    if isinstance(given, str):
        return [_Input((given,))]
    items = as_list(given) if not isinstance(given, dict) else [given]
    if all(isinstance(item, str) for item in items):
        return [_Input((as_text(item),)) for item in items]
    parts = [as_object(item) for item in items]
    texts = tuple(as_text(part.get("text")) for part in parts if part.get("type") == "text")
    urls = (as_object(part.get("image_url")).get("url") for part in parts if part.get("type") == "image_url")
    return [_Input(texts, tuple(as_text(url) for url in urls))]


def flagged(texts: Iterable[str], pictures: Iterable[str] = ()) -> frozenset[str]:
    """The categories that words or marks flag."""
    found: set[str] = set()
    for text in texts:
        found |= _marked(text)
        plain = _SPACES.sub(" ", _MARK.sub(" ", text))
        found |= {category for category, pattern in _patterns().items() if pattern.search(plain)}
    for url in pictures:
        if not url.startswith("data:"):
            found |= _marked(url) & set(_OF_PICTURES)
    return frozenset(found)


def _marked(text: str) -> set[str]:
    return {(first or second).lower() for first, second in _MARK.findall(text)}


def _score(seed: str, category: str, flagged: bool) -> float:
    """Drawn from what is looked at; small ones spread over powers of ten, as real ones do."""
    drawn = int.from_bytes(digest(seed, category, 6), "big") / (1 << 48)
    return 0.7 + 0.299 * drawn if flagged else 10 ** (-6 + 3 * drawn)


def _openai(given: _Input) -> Object:
    found = flagged(given.texts, given.pictures)
    kinds = [kind for kind, items in (("text", given.texts), ("image", given.pictures)) if items]
    return {
        "flagged": any(category in found for category in TRIGGERS),
        "categories": {category: category in found for category in TRIGGERS},
        "category_scores": {category: _score(given.seed, category, category in found) for category in TRIGGERS},
        "category_applied_input_types": {
            category: [kind for kind in kinds if kind == "text" or category in _OF_PICTURES] for category in TRIGGERS
        },
    }


def _mistral(given: _Input) -> Object:
    found = flagged(given.texts)
    hit = {category: any(name in found for name in (category, *names)) for category, names in _MISTRAL.items()}
    return {
        "categories": hit,
        "category_scores": {category: _score(given.seed, category, yes) for category, yes in hit.items()},
    }


DIALECT = OpenAIModerations()
