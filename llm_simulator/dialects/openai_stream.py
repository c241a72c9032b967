"""Streams of the chat completions format: chunks made as they are sent, around the one piece of text that changes.

Source: OpenAI API reference (chunk object, stream_options), and recorded traffic for order and padding: the random
text of `obfuscation` fills each chunk's JSON to one length modulo 16.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import shake_256
from json.encoder import encode_basestring
from typing import assert_never

from llm_simulator.dialects import jsonstyle
from llm_simulator.dialects.fields import Object, as_object, spelled
from llm_simulator.dialects.ids import code
from llm_simulator.dialects.openai_wire import (
    ALPHANUMERIC,
    CONTENT_FILTER,
    call_of,
    extra,
    given_of,
    head_of,
    is_legacy,
    kind_of,
    prompt_filter,
    usage_object,
    word,
)
from llm_simulator.dialects.sse import DONE
from llm_simulator.types import JSON, Call, Choice, Completion, Frame, Part, Reasoning, Text, ToolCall

_MARK = "\0piece\0"  # escaped in JSON: no text that was escaped holds it
_MARKED = encode_basestring(_MARK)
_PAD_MARK = "\0pad\0"
_PADDED = encode_basestring(_PAD_MARK)[1:-1]
_NOISE_SIZE = 2048
_NOISE = (
    shake_256(b"obfuscation")
    .digest(_NOISE_SIZE + 16)
    .translate(bytes(ord(ALPHANUMERIC[n % 62]) for n in range(256)))
    .decode()
)

# A step is (when, data): with the coming token, being a token, or with the last one.
_NEXT, _TOKEN, _LAST = range(3)
_Step = tuple[int, bytes]


@dataclass(frozen=True, slots=True)
class _Template:
    """A chunk around the one piece of text that changes: its JSON is made once per part, not once per token."""

    before: str
    between: str
    after: str
    room: int  # the length of padding that an empty text would need, modulo 16
    padded: bool

    def line(self, text: str, place: int) -> bytes:
        """The chunk with `text`, which is JSON already, in its place."""
        start = place * 17 % _NOISE_SIZE
        noise = _NOISE[start : start + ((self.room - len(text)) & 15)] if self.padded else ""
        # A lone surrogate comes out as the \\udxxx that JSON has for it.
        return f"data: {self.before}{text}{self.between}{noise}{self.after}\n\n".encode("utf-8", "backslashreplace")


def frames(completion: Completion, call: Call) -> Iterator[Frame]:
    """The chunks, `[DONE]` last. Several choices take turns; a frame's token is counted over all of them."""
    stream = _Stream(completion, call)
    if stream.head.wire.filters:
        yield Frame(0, stream.prompt_filter())
    living = [stream.steps(index, choice) for index, choice in enumerate(completion.choices)]
    token = 0
    while living:
        for steps in tuple(living):
            step = next(steps, None)
            if step is None:
                living.remove(steps)
                continue
            when, data = step
            if data:
                yield Frame(max(token - 1, 0) if when == _LAST else token, data)
            token += when == _TOKEN
    last = max(token - 1, 0)
    if stream.with_usage:
        yield Frame(last, stream.usage())
    yield Frame(last, DONE)


class _Stream:
    """One streamed answer: what its chunks share, and how many were made (the padding draws on that)."""

    __slots__ = ("_completion", "_made", "_offset", "_padded", "head", "with_usage")

    def __init__(self, completion: Completion, call: Call) -> None:
        options = as_object(as_object(call.body).get("stream_options"))
        self.head = head_of(completion, call)
        self.with_usage = options.get("include_usage") is True and not self.head.wire.usage_last
        self._completion = completion
        self._padded = self.head.wire.pad is not None and options.get("include_obfuscation") is not False
        self._offset = int(code(completion.id, "noise", 3, "0123456789"))
        self._made = 0

    def steps(self, index: int, choice: Choice) -> Iterator[_Step]:
        """The chunks of one choice from its role to its finish."""
        calls = sum(isinstance(part, ToolCall) for part in choice.parts)
        place = 0
        shown = [part for part in choice.parts if self._is_shown(part)]
        for part in choice.parts:
            if isinstance(part, Reasoning) and not self.head.wire.thinking:
                yield from ((_TOKEN, b""),) * len(part.tokens)
                continue
            start = self._start(part, place) if isinstance(part, ToolCall) else {}
            if part is shown[0]:
                # A first call alone comes with the role; several get a chunk of their own each.
                joined = start if calls == 1 else {}
                yield _NEXT, self._whole(index, self._role(None if start else "", joined))
                start = {} if joined else start
            if start:
                yield _NEXT, self._whole(index, start)
            yield from self._pieces(index, part, place)
            place += isinstance(part, ToolCall)
        if not shown:
            yield _NEXT, self._whole(index, self._role("", {}))
        if more := self._left(choice):
            yield _LAST, self._whole(index, more)
        yield _LAST, self._finish(index, choice)

    def _is_shown(self, part: Part) -> bool:
        return not isinstance(part, Reasoning) or bool(self.head.wire.thinking)

    def _left(self, choice: Choice) -> Object:
        """What else was recorded of the message (a refusal, annotations), to come in a delta of its own."""
        held = extra(choice, "message").items()
        return {name: value for name, value in held if value not in (None, [], {}) and name != "content"}

    def _role(self, content: str | None, more: Object) -> Object:
        refusal = {"refusal": None} if self.head.wire.full else {}
        return {"role": "assistant", "content": content, **more, **refusal}

    def _start(self, part: ToolCall, place: int) -> Object:
        if is_legacy(self.head, part):
            return {"function_call": {"name": part.name, "arguments": ""}}
        opening = {
            "index": place,
            **call_of(self.head, part, place),
            kind_of(part): {"name": part.name, given_of(part): ""},
        }
        return {"tool_calls": [opening]}

    def _pieces(self, index: int, part: Part, place: int) -> Iterator[_Step]:
        template = self._template(self._chunk(self._choice(index, self._delta(part, place))), _MARKED)
        for piece in part.arguments if isinstance(part, ToolCall) else part.tokens:
            self._made += 1
            yield _TOKEN, template.line(encode_basestring(piece), self._offset + self._made)

    def _delta(self, part: Part, place: int) -> Object:
        """The delta of a piece, with a mark in its place."""
        match part:
            case Text():
                return {"content": _MARK}
            case Reasoning():
                return {self.head.wire.thinking: _MARK}
            case ToolCall() if is_legacy(self.head, part):
                return {"function_call": {"arguments": _MARK}}
            case ToolCall():
                return {"tool_calls": [{"index": place, kind_of(part): {given_of(part): _MARK}}]}
            case _:
                assert_never(part)

    def _template(self, chunk: Object, mark: str) -> _Template:
        text = spelled(chunk)
        before, _, rest = text.partition(mark) if mark else ("", "", text)
        between, _, after = rest.partition(_PADDED) if self._padded else (rest, "", "")
        room = (self.head.wire.pad or 0) - len(before) - len(between) - len(after)
        return _Template(before, between, after, room, self._padded)

    def _chunk(self, choices: list[Object], **more: JSON) -> Object:
        chunk: Object = {**self.head.object("chat.completion.chunk"), **self.head.tail, "choices": choices}
        if self.with_usage:
            chunk["usage"] = None
        chunk.update(more)
        if self._padded:
            chunk["obfuscation"] = _PAD_MARK
        return jsonstyle.ordered(chunk) if self.head.wire.filters else chunk

    def _choice(
        self, index: int, delta: Object, finish: str | None = None, filters: Object = CONTENT_FILTER
    ) -> list[Object]:
        choice: Object = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}
        if self.head.wire.filters:
            choice["content_filter_results"] = {} if "role" in delta else filters
        return [choice]

    def _whole(self, index: int, delta: Object) -> bytes:
        return self._line(self._chunk(self._choice(index, delta)))

    def _line(self, chunk: Object) -> bytes:
        self._made += 1
        return self._template(chunk, "").line("", self._offset + self._made)

    def _finish(self, index: int, choice: Choice) -> bytes:
        more = extra(choice, "choice")
        filters = as_object(more.get("content_filter_results")) or CONTENT_FILTER
        delta = {"content": ""} if self.head.wire.usage_last else {}
        choices = self._choice(index, delta, word(choice, self.head.legacy), filters)
        choices[0].update((name, value) for name, value in more.items() if name != "content_filter_results")
        hidden = ("service_tier", "prompt_filter_results")
        top = {name: value for name, value in self.head.top.items() if name not in hidden} if index == 0 else {}
        if self.head.wire.usage_last:
            top["usage"] = usage_object(self._completion.usage, self.head.wire)
        return self._line(self._chunk(choices, **top))

    def usage(self) -> bytes:
        return self._line(self._chunk([], usage=usage_object(self._completion.usage, self.head.wire)))

    def prompt_filter(self) -> bytes:
        """Azure's first chunk: nothing but what its filter made of the prompt."""
        results = self.head.top.get("prompt_filter_results") or prompt_filter()
        chunk = {"choices": [], "created": 0, "id": "", "model": "", "object": "", "prompt_filter_results": results}
        return b"data: " + jsonstyle.compact(chunk) + b"\n\n"
