"""Reads recorded legacy completions, whole or streamed, back into a completion.

What has no place there stays in `Choice.extra`: under "choice" and, at the first choice, "top".
"""

from __future__ import annotations

from dataclasses import dataclass, field

from llm_simulator.dialects.fields import Object, as_count, as_list, as_object, as_text, load, merged, objects, words
from llm_simulator.dialects.openai_parse import usage_in, usage_of
from llm_simulator.dialects.sse import events, is_stream
from llm_simulator.types import JSON, Choice, Completion, Finish, Text, Usage

__all__ = ["parse", "usage_in"]

_TOP = ("id", "object", "created", "model", "choices", "usage", "error")
_CHOICE = ("index", "text", "finish_reason", "delta")


def parse(body: bytes, model: str) -> Completion | None:
    """The completion in a 200 body; None where it holds none. `model`: where it names none."""
    text = body.decode("utf-8", "replace")
    answer = _Answer()
    if is_stream(text):
        for _, data in events(text):
            if data.startswith("[DONE]"):
                break
            answer.add(as_object(load(data)), whole=False)
    else:
        answer.add(as_object(load(text)), whole=True)
    return answer.completion(model) if answer.choices else None


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


@dataclass(slots=True)
class _Answer:
    """The whole answer as its objects come in: one for a body, many for a stream."""

    choices: dict[int, _Said] = field(default_factory=dict[int, _Said])
    first: Object = field(default_factory=dict[str, JSON])
    raw: Object = field(default_factory=dict[str, JSON])
    top: Object = field(default_factory=dict[str, JSON])

    def add(self, chunk: Object, whole: bool) -> None:
        for place, given in enumerate(objects(as_list(chunk.get("choices")))):
            if "text" not in given and "finish_reason" not in given:
                continue
            index = given.get("index")
            self.choices.setdefault(index if isinstance(index, int) else place, _Said()).add(given, whole)
        for name in ("id", "created", "model"):
            if chunk.get(name) and not self.first.get(name):
                self.first[name] = chunk[name]
        self.raw = as_object(chunk.get("usage")) or self.raw
        self.top.update((name, value) for name, value in chunk.items() if name not in _TOP and value is not None)

    def completion(self, model: str) -> Completion:
        said = [self.choices[index] for index in sorted(self.choices)]
        usage = usage_of(self.raw) or Usage(0, sum(len(one.pieces) for one in said), exact=False)
        return Completion(
            as_text(self.first.get("id")) or "cmpl-",
            as_count(self.first.get("created")),
            as_text(self.first.get("model")) or model,
            tuple(one.done(self.top if place == 0 else {}) for place, one in enumerate(said)),
            usage,
        )
