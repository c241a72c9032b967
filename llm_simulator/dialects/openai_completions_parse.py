"""Reads recorded legacy completions, whole or streamed, back into a completion.

What has no place there stays in `Choice.extra`: under "choice" and, at the first choice, "top".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from llm_simulator.dialects.fields import Object, as_list, as_object, as_text, merged, words
from llm_simulator.dialects.openai_gathered import Gathered, read, usage_in
from llm_simulator.types import JSON, Choice, Completion, Finish, Text

__all__ = ["joined", "parse", "usage_in"]

_TOP = ("id", "object", "created", "model", "choices", "usage", "error")
_CHOICE = ("index", "text", "finish_reason", "delta")


def parse(body: bytes, model: str) -> Completion | None:
    """The completion in a 200 body; None where it holds none. `model`: where it names none."""
    return read(body, Gathered(_Said, _held, _TOP), model, "cmpl-")


def _held(given: Object, whole: bool) -> bool:
    return "text" in given or "finish_reason" in given


@dataclass(slots=True)
class _Said:
    """One choice as its chunks come in."""

    pieces: list[str] = field(default_factory=list[str])
    word: str = ""
    more: Object = field(default_factory=dict[str, JSON])

    def add(self, given: Object, whole: bool) -> None:
        text = as_text(given.get("text"))
        self.pieces.extend(words(text) if whole else (text,))
        self.word = as_text(given.get("finish_reason")) or self.word
        for name, value in given.items():
            if name not in _CHOICE and value is not None:
                held = self.more.get(name)
                self.more[name] = joined(held, value) if name == "logprobs" and held else value

    def lengths(self) -> Iterable[int]:
        return (len(self.pieces),)

    def done(self, top: Object) -> Choice:
        more: Object = {name: value for name, value in (("choice", self.more), ("top", top)) if value}
        finish = Finish.LENGTH if self.word in ("length", "") else Finish.STOP
        return Choice((Text(merged(self.pieces)),), finish, word=self.word or "length", extra=more or None)


def joined(held: JSON, value: JSON) -> Object:
    """Two pieces of log-probabilities as one: every list of theirs grows."""
    first, second = as_object(held), as_object(value)
    return {
        name: [*as_list(first.get(name)), *as_list(item)] if isinstance(item, list) else item
        for name, item in second.items()
    }
