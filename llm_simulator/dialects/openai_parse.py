"""Reads recorded answers of the chat completions format, whole or streamed, back into a completion.

What has no place in a completion stays in `Choice.extra`: under "choice", "message" and, at the first choice, "top".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from llm_simulator.dialects.fields import Object, as_list, as_object, as_text, merged, objects, words
from llm_simulator.dialects.openai_gathered import Gathered, merge, read, usage_in
from llm_simulator.types import JSON, Choice, Completion, Finish, Part, Reasoning, Text, ToolCall

__all__ = ["parse", "usage_in"]

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
    return read(body, Gathered(_Said, _held, _TOP), model, "chatcmpl-")


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
        merge(self.message, delta, _MESSAGE)
        merge(self.choice, given, _CHOICE)

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

    def lengths(self) -> Iterable[int]:
        yield from (len(pieces) for _, pieces in self.runs)
        yield from (len(tool.pieces) for tool in self.tools.values())

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


def _held(given: Object, whole: bool) -> bool:
    return isinstance(given.get("message" if whole else "delta"), dict) or "finish_reason" in given
