"""Reads recorded Gemini and Vertex AI answers (one object, SSE, or one JSON array) back into a completion.

Text that came in several chunks becomes one part; parts within a chunk stay apart. What has no name here is kept whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from llm_simulator.dialects.fields import (
    Object,
    as_count,
    as_object,
    as_text,
    block,
    elements,
    is_block,
    load,
    objects,
    spelled,
    without,
    words,
)
from llm_simulator.dialects.gemini_fields import FINISHES, finish_word
from llm_simulator.dialects.sse import events, is_stream
from llm_simulator.types import Choice, Completion, Finish, Part, Reasoning, Text, ToolCall, Usage

TOP = ("createTime", "promptFeedback", "modelStatus")
"""Fields beside the candidates that a choice's `extra` carries."""


def parse(body: bytes, created: int) -> Completion | None:
    """The completion in a 200 body; None where it holds none (an error in the stream included)."""
    text = body.decode("utf-8", "replace")
    chunks = [as_object(chunk) for chunk in _chunks(text)]
    if not chunks or any("error" in chunk for chunk in chunks):
        return None
    whole = _Whole(streamed=text.lstrip()[:1] != "{")
    for chunk in chunks:
        whole.add(chunk)
    return whole.completion(created) if whole.seen else None


def usage_of(raw: Object) -> Usage:
    """Thinking is counted beside the candidates and is part of `completion`; tool results are part of `prompt`."""
    thoughts = as_count(raw.get("thoughtsTokenCount"))
    return Usage(
        as_count(raw.get("promptTokenCount")) + as_count(raw.get("toolUsePromptTokenCount")),
        as_count(raw.get("candidatesTokenCount")) + thoughts,
        as_count(raw.get("cachedContentTokenCount")),
        thoughts,
        raw=raw,
    )


def _chunks(text: str) -> Iterable[object]:
    if is_stream(text):
        return (load(data) for _, data in events(text))
    return elements(text) if text.lstrip()[:1] == "[" else (load(text),)


@dataclass(slots=True)
class _Whole:
    """An answer as its chunks come in."""

    streamed: bool
    seen: bool = False
    identity: str = ""
    model: str = ""
    usage: Object = field(default_factory=dict[str, object])
    top: Object = field(default_factory=dict[str, object])
    candidates: dict[int, _Candidate] = field(default_factory=dict[int, "_Candidate"])

    def add(self, chunk: Object) -> None:
        self.seen = self.seen or not chunk.keys().isdisjoint(("candidates", "promptFeedback", "usageMetadata"))
        self.identity = as_text(chunk.get("responseId")) or self.identity
        self.model = as_text(chunk.get("modelVersion")) or self.model
        self.usage = as_object(chunk.get("usageMetadata")) or self.usage
        self.top.update((name, chunk[name]) for name in TOP if name in chunk)
        for candidate in objects(chunk.get("candidates")):
            place = as_count(candidate.get("index"))
            self.candidates.setdefault(place, _Candidate()).add(candidate, self.streamed)

    def completion(self, created: int) -> Completion:
        choices = [candidate.choice() for _, candidate in sorted(self.candidates.items())]
        if not choices and "promptFeedback" in self.top:
            choices = [Choice((), Finish.CONTENT_FILTER)]
        if choices and self.top:
            choices[0] = replace(choices[0], extra={**as_object(choices[0].extra), **self.top})
        return Completion(self.identity, created, self.model, tuple(choices), usage_of(self.usage))


@dataclass(slots=True)
class _Candidate:
    parts: list[Part] = field(default_factory=list[Part])
    word: str = ""
    extra: Object = field(default_factory=dict[str, object])

    def add(self, candidate: Object, streamed: bool) -> None:
        self.word = finish_word(candidate.get("finishReason")) or self.word
        self.extra.update(without(candidate, "content", "finishReason") or {})
        for place, part in enumerate(_parts(candidate, streamed)):
            joined = _joined(self.parts[-1], part) if streamed and place == 0 and self.parts else None
            if joined:
                self.parts[-1] = joined
            else:
                self.parts.append(part)

    def choice(self) -> Choice:
        called = any(isinstance(part, ToolCall) for part in self.parts)
        finish = FINISHES.get(self.word, Finish.STOP)
        finish = Finish.TOOL_CALLS if called and finish is Finish.STOP else finish
        return Choice(tuple(self.parts), finish, word=self.word, extra=self.extra or None)


def _parts(candidate: Object, streamed: bool) -> Iterator[Part]:
    for item in objects(as_object(candidate.get("content")).get("parts")):
        yield _part(item, streamed)


def _part(item: Object, streamed: bool) -> Part:
    if "functionCall" in item:
        call = as_object(item["functionCall"])
        arguments = words(spelled(call.get("args", {})))
        return ToolCall(as_text(call.get("id")), as_text(call.get("name")), arguments, without(item, "functionCall"))
    if "text" not in item:
        return block(item)
    text = as_text(item["text"])
    tokens = (text,) if streamed else words(text)
    if item.get("thought") is True:
        return Reasoning(tokens or ("",), as_text(item.get("thoughtSignature")))
    return Text(tokens or ("",), without(item, "text"))


def _joined(before: Part, after: Part) -> Part | None:
    """Text that goes on in the next chunk; a signature closes what came before it."""
    match before, after:
        case Text(tokens, None), Text() if tokens and not is_block(after):
            return Text(tokens + tuple(token for token in after.tokens if token), after.extra)
        case Reasoning(tokens, ""), Reasoning():
            return Reasoning(tokens + after.tokens, after.signature)
        case _:
            return None
