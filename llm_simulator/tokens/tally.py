"""What the counting rules share: model families, a running count with its doubts, and the reading of loose JSON.

The rules were found from recorded usage. None of them raises: what cannot be counted becomes a doubt.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from llm_simulator.tokens.encodings import count, encoding_name
from llm_simulator.types import JSON


class Family(Enum):
    """Models that count alike."""

    CLASSIC = "classic"  # gpt-3.5, gpt-4, gpt-4o, gpt-4.1, gpt-4.5; unknown ones too
    O_SERIES = "o"  # o1, o3, o4
    GPT5 = "gpt-5"  # gpt-5 and later, codex


def family_of(model: str) -> Family:
    """The family of an OpenAI model, by name; a router's or fine-tuner's prefix does not matter."""
    base = base_name(model)
    if re.match(r"o\d", base):
        return Family.O_SERIES
    return Family.GPT5 if re.match(r"gpt-[5-9]|codex", base) else Family.CLASSIC


def base_name(model: str) -> str:
    """ "openai/gpt-4o", "ft:gpt-4o:org::id" -> "gpt-4o", "gpt-4o:org::id"."""
    return model.rpartition("/")[2].removeprefix("ft:").lower()


_OPENAI = re.compile(r"gpt-?\d|o\d|chatgpt|codex|computer-use|text-|code-|(ada|babbage|curie|davinci)\b")


@dataclass(frozen=True, slots=True)
class Count:
    """A number of tokens; `exact` is False where request and answer alone do not decide it, and `why` says what does."""

    tokens: int
    exact: bool = True
    why: str = ""


@dataclass(slots=True)
class Tally:
    """A count in the making."""

    model: str
    tokens: int = 0
    doubts: list[str] = field(default_factory=list)
    encoding: str = ""
    family: Family = Family.CLASSIC

    def __post_init__(self) -> None:
        self.model = base_name(self.model)
        self.encoding = encoding_name(self.model)
        self.family = family_of(self.model)
        if not _OPENAI.match(self.model):
            self.doubt(f"{self.model!r} is no model of OpenAI's by name")

    @property
    def late(self) -> bool:
        """Whether the model is gpt-5.2 or a later one."""
        return self.family is Family.GPT5 and re.match(r"gpt-(5\.([2-9]|\d\d)|[6-9])", self.model) is not None

    def n(self, text: str) -> int:
        return count(text, self.encoding)

    def add(self, tokens: int) -> None:
        self.tokens += tokens

    def doubt(self, why: str) -> None:
        if why not in self.doubts:
            self.doubts.append(why)

    def attempt(self, write: Callable[[], str]) -> str:
        """What `write` writes from a schema, "" where that is nested beyond what Python can follow."""
        try:
            return write()
        except RecursionError:
            self.doubt("a schema is nested too deeply")
            return ""

    def result(self) -> Count:
        return Count(max(0, self.tokens), not self.doubts, "; ".join(self.doubts))


def mapping(value: JSON) -> Mapping[str, JSON]:
    """`value` where it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def objects(value: JSON) -> Sequence[Mapping[str, JSON]]:
    """The objects in a list; nothing for what is no list."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def text(value: JSON) -> str:
    """`value` where it is a string, else ""."""
    return value if isinstance(value, str) else ""


def compact(arguments: str) -> str:
    """JSON text re-serialised without spaces, as the models' own calls are stored; other text as it stands."""
    try:
        return json.dumps(json.loads(arguments), separators=(",", ":"), ensure_ascii=False)
    except (ValueError, RecursionError):
        return arguments
