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

from llm_simulator.dialects import jsonstyle, logprobs
from llm_simulator.dialects.fields import Object, as_object, as_text, is_refusal, spelled, words
from llm_simulator.dialects.hosts import ALPHANUMERIC, SO_FAR, At
from llm_simulator.dialects.ids import code, digest
from llm_simulator.dialects.openai_wire import (
    CONTENT_FILTER,
    call_of,
    call_whole,
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
_LOGGED = encode_basestring("\0logprobs\0")
_SAID = encode_basestring(SO_FAR)
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


_MARKS = {"again": _MARKED, "logged": _LOGGED, "said": _SAID}


@dataclass(frozen=True, slots=True)
class _Template:
    """A chunk around the one piece of text that changes: its JSON is made once per part, not once per token."""

    before: str
    between: str
    after: str
    room: int  # the length of padding that an empty text would need, modulo 16
    padded: bool

    def filled(self, **texts: str) -> _Template:
        """With what else changes in it: `texts` by the mark that stands for each."""
        marks = {_MARKS[name]: text for name, text in texts.items()}
        before, between, after = self.before, self.between, self.after
        for mark, text in marks.items():
            before, between, after = (part.replace(mark, text) for part in (before, between, after))
        more = sum(map(len, (before, between, after))) - sum(map(len, (self.before, self.between, self.after)))
        return _Template(before, between, after, self.room - more, self.padded)

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
    if stream.head.wire.comment:
        yield Frame(0, stream.head.wire.comment)
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

    __slots__ = ("_call", "_completion", "_made", "_offset", "_padded", "_said", "head", "with_usage")

    def __init__(self, completion: Completion, call: Call) -> None:
        options = as_object(as_object(call.body).get("stream_options"))
        self.head = head_of(completion, call)
        self.with_usage = options.get("include_usage") is True and not self.head.wire.usage_last
        self._call = call
        self._completion = completion
        self._padded = self.head.wire.pad is not None and options.get("include_obfuscation") is not False
        self._offset = int(code(completion.id, "noise", 3, "0123456789"))
        self._made = 0
        self._said: dict[int, str] = {}  # the text so far by choice, kept where chunks repeat it

    def steps(self, index: int, choice: Choice) -> Iterator[_Step]:
        """The chunks of one choice from its role to its finish."""
        calls = [part for part in choice.parts if isinstance(part, ToolCall)]
        place = 0
        shown = [part for part in choice.parts if self._is_shown(part)]
        if not shown:
            yield from self._opening(index, "", {})
        for part in choice.parts:
            if not self._is_shown(part):
                yield from ((_TOKEN, b""),) * len(part.arguments if isinstance(part, ToolCall) else part.tokens)
                continue
            start = self._start(part, place) if isinstance(part, ToolCall) else {}
            if part is shown[0]:
                # A first call alone comes with the role; several get a chunk of their own each.
                joined = start if len(calls) == 1 else {}
                yield from self._opening(index, None if start else "", joined)
                start = {} if joined else start
            if start:
                yield _NEXT, self._whole(index, start, At.PIECE)
            yield from self._pieces(index, part, place)
            place += isinstance(part, ToolCall)
        yield from self._refusal(index, choice)
        if more := self._left(choice):
            yield _LAST, self._whole(index, more, At.PIECE)
        yield _TOKEN if self._joined(choice) else _LAST, self._finish(index, choice)

    def _joined(self, choice: Choice) -> str:
        """The piece that comes with the finish, of hosts that have it so."""
        part = choice.parts[-1] if choice.parts and self.head.wire.last_joined else None
        return part.tokens[-1] if isinstance(part, Text) and part.tokens else ""

    def _own(self, part: Part) -> tuple[str, ...]:
        """The pieces that have chunks of their own."""
        if isinstance(part, ToolCall):
            return part.arguments
        joined = self.head.wire.last_joined and any(part is choice.parts[-1] for choice in self._choices())
        return part.tokens[:-1] if joined and isinstance(part, Text) else part.tokens

    def _choices(self) -> Iterator[Choice]:
        return (choice for choice in self._completion.choices if choice.parts)

    def _is_shown(self, part: Part) -> bool:
        """Whether it has chunks of its own: thoughts may be hidden, calls may come with the finish."""
        if isinstance(part, ToolCall):
            return not self.head.wire.calls_whole
        return not isinstance(part, Reasoning) or bool(self.head.wire.thinking)

    def _opening(self, index: int, content: str | None, more: Object) -> Iterator[_Step]:
        """The chunk with the role, where it has one."""
        if not self.head.wire.role_each:
            yield _NEXT, self._whole(index, self._role(content, more), At.FIRST)
        elif more:
            yield _NEXT, self._whole(index, more, At.PIECE)

    def _left(self, choice: Choice) -> Object:
        """What else was recorded of the message (annotations), to come in a delta of its own."""
        held = extra(choice, "message").items()
        return {
            name: value for name, value in held if value not in (None, [], {}) and name not in ("content", "refusal")
        }

    def _refusal(self, index: int, choice: Choice) -> Iterator[_Step]:
        for piece in words(as_text(extra(choice, "message").get("refusal"))):
            yield _NEXT, self._whole(index, {"refusal": piece}, At.PIECE)

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
        logged = self.head.top_logprobs
        choices = self._choice(index, self._delta(part, place))
        if logged is not None and isinstance(part, Text):
            told = {"content": None, "refusal": None}
            choices[0]["logprobs"] = {**told, "refusal" if is_refusal(part) else "content": ["\0logprobs\0"]}
        template = self._template(self.head.dressed(self._chunk(choices), At.PIECE), _MARKED)
        changing = logged is not None or _MARKED in template.between or self.head.wire.so_far
        for number, piece in enumerate(self._own(part)):
            self._made += 1
            text = encode_basestring(piece)
            found = template
            if changing:
                found = template.filled(**self._texts(index, part, piece, number))
            yield _TOKEN, found.line(text, self._offset + self._made)

    def _texts(self, index: int, part: Part, piece: str, number: int) -> dict[str, str]:
        """What else changes in a chunk beside its piece."""
        texts = {"again": encode_basestring(piece)}
        if self.head.top_logprobs is not None:
            seed = f"{self.head.seed} {index}"
            texts["logged"] = spelled(logprobs.entry(piece, seed, number, self.head.top_logprobs))
        if self.head.wire.so_far:
            self._said[index] = self._said.get(index, "") + (piece if isinstance(part, Text) else "")
            texts["said"] = encode_basestring(self._said[index])
        return texts

    def _delta(self, part: Part, place: int) -> Object:
        """The delta of a piece, with a mark in its place."""
        role: Object = {"role": "assistant"} if self.head.wire.role_each else {}
        match part:
            case Text() if is_refusal(part):
                return {**role, "refusal": _MARK}
            case Text():
                return {**role, "content": _MARK}
            case Reasoning():
                return {**role, **({"content": ""} if role else {}), self.head.wire.thinking: _MARK}
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
        if self.with_usage and self.head.wire.full:
            chunk["usage"] = None
        chunk.update(more)
        if self._padded:
            chunk["obfuscation"] = _PAD_MARK
        return jsonstyle.ordered(chunk) if self.head.wire.filters else chunk

    def _choice(
        self, index: int, delta: Object, finish: str | None = None, filters: Object = CONTENT_FILTER
    ) -> list[Object]:
        choice: Object = {"index": index, "delta": delta}
        if self.head.logprobs or self.head.top_logprobs is not None:
            opened = self.head.top_logprobs is not None and "role" in delta and finish is None
            choice["logprobs"] = {"content": [], "refusal": None} if opened else None
        choice["finish_reason"] = finish
        if self.head.wire.filters:
            choice["content_filter_results"] = {} if "role" in delta else filters
        return [choice]

    def _whole(self, index: int, delta: Object, at: At) -> bytes:
        return self._line(self._chunk(self._choice(index, delta)), at, index)

    def _line(self, chunk: Object, at: At, index: int = 0) -> bytes:
        self._made += 1
        template = self._template(self.head.dressed(chunk, at), "")
        if self.head.wire.so_far:
            template = template.filled(said=encode_basestring(self._said.get(index, "")))
        return template.line("", self._offset + self._made)

    def _finish(self, index: int, choice: Choice) -> bytes:
        more = extra(choice, "choice")
        filters = as_object(more.get("content_filter_results")) or self._last_filters(index)
        choices = self._choice(index, self._last_delta(choice), word(choice, self.head.legacy), filters)
        choices[0].update((name, value) for name, value in more.items() if name != "content_filter_results")
        hidden = ("service_tier", "prompt_filter_results")
        top = {name: value for name, value in self.head.top.items() if name not in hidden} if index == 0 else {}
        if self.head.wire.usage_last:
            top["usage"] = self._usage()
        return self._line(self._chunk(choices, **top), At.LAST, index)

    def _last_filters(self, index: int) -> Object:
        """Azure's verdict comes with the finish or has come before: half of the recorded streams each."""
        return CONTENT_FILTER if digest(self.head.seed, f"filtered {index}", 1)[0] % 2 else {}

    def _last_delta(self, choice: Choice) -> Object:
        """Empty, or with nothing in it but its role; of hosts that send a call whole, the calls."""
        wire = self.head.wire
        role: Object = {"role": "assistant"} if wire.role_each else {}
        calls = [part for part in choice.parts if isinstance(part, ToolCall)] if wire.calls_whole else []
        if calls:
            return {
                **role,
                "tool_calls": [{"index": n, **call_whole(self.head, part, n)} for n, part in enumerate(calls)],
            }
        if joined := self._joined(choice):
            return {**role, "content": joined}
        return {**role, "content": ""} if wire.usage_last or role else {}

    def _usage(self) -> Object:
        return usage_object(self._completion.usage, self.head.wire, self._call, self._completion)

    def usage(self) -> bytes:
        return self._line(self._chunk([], usage=self._usage()), At.USAGE)

    def prompt_filter(self) -> bytes:
        """Azure's first chunk: nothing but what its filter made of the prompt."""
        results = self.head.top.get("prompt_filter_results") or prompt_filter()
        chunk = {"choices": [], "created": 0, "id": "", "model": "", "object": "", "prompt_filter_results": results}
        return b"data: " + jsonstyle.compact(chunk) + b"\n\n"
