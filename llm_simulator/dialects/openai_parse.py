"""Reads recorded answers of the chat completions format, whole or streamed, back into a completion.

What has no place in a completion stays in `Choice.extra`: under "choice", "message" and, at the first choice, "top".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from llm_simulator.dialects.fields import Object, as_count, as_list, as_object, as_text, load, merged, objects, words
from llm_simulator.dialects.sse import events, is_stream
from llm_simulator.types import JSON, Choice, Completion, Finish, Part, Reasoning, Text, ToolCall, Usage

_FINISHES = {
    "stop": Finish.STOP,
    "length": Finish.LENGTH,
    "max_tokens": Finish.LENGTH,
    "tool_calls": Finish.TOOL_CALLS,
    "function_call": Finish.TOOL_CALLS,
    "content_filter": Finish.CONTENT_FILTER,
}
_TOP = ("id", "object", "created", "model", "choices", "usage", "system_fingerprint", "obfuscation", "p", "error")
_CHOICE = ("index", "delta", "message", "finish_reason", "text")
_MESSAGE = ("role", "content", "tool_calls", "function_call", "reasoning", "reasoning_content", "token_id")


def parse(body: bytes, model: str) -> Completion | None:
    """The completion in a 200 body; None where it holds none (an error, HTML). `model`: where it names none."""
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


@dataclass(slots=True)
class _Said:
    """One choice as its pieces come in: runs of text and thinking in order, tool calls by index."""

    runs: list[tuple[str, list[str]]] = field(default_factory=list[tuple[str, list[str]]])
    tools: dict[int, _Tool] = field(default_factory=dict[int, "_Tool"])
    word: str = ""
    spoke: bool = False
    choice: Object = field(default_factory=dict[str, JSON])
    message: Object = field(default_factory=dict[str, JSON])

    def add(self, given: Object, whole: bool) -> None:
        delta = as_object(given.get("message") if whole else given.get("delta"))
        for name in ("reasoning_content", "reasoning"):
            self._say("thinking", as_text(delta.get(name)), whole)
        self._content(delta.get("content"), whole)
        for place, call in enumerate(objects(as_list(delta.get("tool_calls")))):
            self._call(call, place, whole)
        if function := as_object(delta.get("function_call")):
            self._call({"type": "function_call", "function": function}, 0, whole)
        self.word = as_text(given.get("finish_reason")) or self.word
        _merge(self.message, delta, _MESSAGE)
        _merge(self.choice, given, _CHOICE)

    def _content(self, content: JSON, whole: bool) -> None:
        """Text; or blocks of text and thinking, as Mistral's reasoning models have them."""
        self.spoke = self.spoke or isinstance(content, str)
        self._say("text", as_text(content), whole)
        for item in objects(as_list(content)):
            self._say("text", as_text(item.get("text")), whole)
            for thought in objects(as_list(item.get("thinking"))):
                self._say("thinking", as_text(thought.get("text")), whole)

    def _say(self, kind: str, text: str, whole: bool) -> None:
        if not text:
            return
        if not self.runs or self.runs[-1][0] != kind:
            self.runs.append((kind, []))
        self.runs[-1][1].extend(words(text) if whole else (text,))

    def _call(self, call: Object, place: int, whole: bool) -> None:
        index = call.get("index")
        tool = self.tools.setdefault(index if isinstance(index, int) else place, _Tool())
        tool.add(call, whole)

    def done(self, top: Object) -> Choice:
        parts: list[Part] = [
            Text(merged(pieces)) if kind == "text" else Reasoning(merged(pieces)) for kind, pieces in self.runs
        ]
        silent = self.tools or self.message.get("refusal") or any(isinstance(part, Text) for part in parts)
        if self.spoke and not silent:
            parts.append(Text(()))
        parts += (tool.done() for _, tool in sorted(self.tools.items()))
        known = {"choice": self.choice, "message": self.message, "top": top}
        more = {name: value for name, value in known.items() if value}
        finish = _FINISHES.get(self.word, Finish.STOP if self.word else Finish.LENGTH)
        return Choice(tuple(parts), finish, word=self.word, extra=more or None)


@dataclass(slots=True)
class _Tool:
    id: str = ""
    name: str = ""
    pieces: list[str] = field(default_factory=list[str])
    more: Object = field(default_factory=dict[str, JSON])

    def add(self, call: Object, whole: bool) -> None:
        function = as_object(call.get("function")) or as_object(call.get("custom"))
        self.id = as_text(call.get("id")) or self.id
        self.name = as_text(function.get("name")) or self.name
        arguments = as_text(function.get("arguments")) or as_text(function.get("input"))
        self.pieces.extend(words(arguments) if whole else (arguments,))
        names = ("id", "index", "function", "custom")
        self.more.update((name, value) for name, value in call.items() if name not in names)

    def done(self) -> ToolCall:
        more = {name: value for name, value in self.more.items() if (name, value) != ("type", "function")}
        return ToolCall(self.id or "call_", self.name, merged(self.pieces), more or None)


@dataclass(slots=True)
class _Answer:
    """The whole answer as its objects come in: one for a body, many for a stream."""

    choices: dict[int, _Said] = field(default_factory=dict[int, _Said])
    first: Object = field(default_factory=dict[str, JSON])
    raw: Object = field(default_factory=dict[str, JSON])
    top: Object = field(default_factory=dict[str, JSON])

    def add(self, chunk: Object, whole: bool) -> None:
        for place, given in enumerate(objects(as_list(chunk.get("choices")))):
            if not isinstance(given.get("message" if whole else "delta"), dict) and "finish_reason" not in given:
                continue
            index = given.get("index")
            self.choices.setdefault(index if isinstance(index, int) else place, _Said()).add(given, whole)
        for name in ("id", "created", "model", "system_fingerprint"):
            if chunk.get(name) and not self.first.get(name):
                self.first[name] = chunk[name]
        self.raw = _usage_object(chunk) or self.raw
        _merge(self.top, chunk, _TOP)

    def completion(self, model: str) -> Completion:
        said = [self.choices[index] for index in sorted(self.choices)]
        usage = usage_of(self.raw) or Usage(0, sum(len(pieces) for one in said for pieces in _pieces(one)), exact=False)
        return Completion(
            as_text(self.first.get("id")) or "chatcmpl-",
            as_count(self.first.get("created")),
            as_text(self.first.get("model")) or model,
            tuple(one.done(self.top if place == 0 else {}) for place, one in enumerate(said)),
            usage,
            as_text(self.first.get("system_fingerprint")),
        )


def _pieces(said: _Said) -> Iterable[list[str]]:
    yield from (pieces for _, pieces in said.runs)
    yield from (tool.pieces for tool in said.tools.values())


def _merge(whole: Object, part: Object, known: tuple[str, ...]) -> None:
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
            _merge(merged_object, as_object(value), ())
            whole[name] = merged_object
        else:
            whole[name] = value
