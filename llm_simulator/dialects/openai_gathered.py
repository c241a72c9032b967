"""Recorded answers of OpenAI's two completion formats, whole or streamed, as far as they are alike: choices by index, usage."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol

from llm_simulator.dialects.fields import Object, as_count, as_list, as_object, as_text, load, objects
from llm_simulator.dialects.sse import events, is_stream
from llm_simulator.types import JSON, Choice, Completion, Usage


class Said(Protocol):
    """One choice as its pieces come in."""

    def add(self, given: Object, whole: bool) -> None: ...

    def lengths(self) -> Iterable[int]:
        """How many pieces each of its parts has."""
        ...

    def done(self, top: Object) -> Choice:
        """`top`: what else the answer held beside its choices."""
        ...


@dataclass(slots=True)
class Gathered:
    """The whole answer as its objects come in: one for a body, many for a stream.

    `begin` makes a choice with nothing said, `holds` says whether an object is one, `known` are the members of the answer
    that have a place in a completion.
    """

    begin: Callable[[], Said]
    holds: Callable[[Object, bool], bool]
    known: tuple[str, ...]
    choices: dict[int, Said] = field(default_factory=dict[int, Said])
    first: Object = field(default_factory=dict[str, JSON])
    raw: Object = field(default_factory=dict[str, JSON])
    top: Object = field(default_factory=dict[str, JSON])

    def add(self, chunk: Object, whole: bool) -> None:
        for place, given in enumerate(objects(as_list(chunk.get("choices")))):
            if not self.holds(given, whole):
                continue
            index = given.get("index")
            self.choices.setdefault(index if isinstance(index, int) else place, self.begin()).add(given, whole)
        for name in ("id", "created", "model", "system_fingerprint"):
            if name in self.known and chunk.get(name) and not self.first.get(name):
                self.first[name] = chunk[name]
        self.raw = _usage_object(chunk) or self.raw
        merge(self.top, chunk, self.known)

    def completion(self, model: str, prefix: str) -> Completion:
        said = [self.choices[index] for index in sorted(self.choices)]
        counted = Usage(0, sum(length for one in said for length in one.lengths()), exact=False)
        return Completion(
            as_text(self.first.get("id")) or prefix,
            as_count(self.first.get("created")),
            as_text(self.first.get("model")) or model,
            tuple(one.done(self.top if place == 0 else {}) for place, one in enumerate(said)),
            usage_of(self.raw) or counted,
            as_text(self.first.get("system_fingerprint")),
        )


def read(body: bytes, answer: Gathered, model: str, prefix: str) -> Completion | None:
    """The completion in a 200 body; None where it holds none (an error, HTML). `model`, `prefix`: where it names none."""
    text = body.decode("utf-8", "replace")
    if is_stream(text):
        for _, data in events(text):
            if data.startswith("[DONE]"):
                break
            answer.add(as_object(load(data)), whole=False)
    else:
        answer.add(as_object(load(text)), whole=True)
    return answer.completion(model, prefix) if answer.choices else None


def usage_in(body: bytes) -> Usage | None:
    """The counts in an answer, read without the rest: of a stream only the events that hold some are parsed."""
    if b'"usage"' not in body:
        return None
    text = body.decode("utf-8", "replace")
    if not is_stream(text):
        return usage_of(_usage_object(as_object(load(text))))
    raw: Object = {}
    for _, data in events(text):
        if '"usage"' in data and '"usage":null' not in data:
            raw = _usage_object(as_object(load(data))) or raw
    return usage_of(raw)


def usage_of(raw: Object) -> Usage | None:
    if not raw:
        return None
    cached = as_object(raw.get("prompt_tokens_details")).get("cached_tokens", raw.get("prompt_cache_hit_tokens"))
    thinking = as_object(raw.get("completion_tokens_details")).get("reasoning_tokens")
    prompt, completion = as_count(raw.get("prompt_tokens")), as_count(raw.get("completion_tokens"))
    return Usage(prompt, completion, as_count(cached), as_count(thinking), raw=raw)


def _usage_object(chunk: Object) -> Object:
    return as_object(chunk.get("usage")) or as_object(as_object(chunk.get("x_groq")).get("usage"))


def merge(whole: Object, part: Object, known: tuple[str, ...]) -> None:
    """What else a chunk holds, put to what earlier ones held: text and lists grow, objects merge, others give way."""
    for name, value in part.items():
        if name in known or value is None:
            continue
        held = whole.get(name)
        if isinstance(value, str) and isinstance(held, str) and name in ("refusal",):
            whole[name] = held + value
        elif isinstance(value, list) and isinstance(held, list) and name in ("annotations", "content"):
            whole[name] = [*held, *value]
        elif isinstance(value, dict) and isinstance(held, dict):
            merged_object = dict(as_object(held))
            merge(merged_object, as_object(value), ())
            whole[name] = merged_object
        else:
            whole[name] = value
