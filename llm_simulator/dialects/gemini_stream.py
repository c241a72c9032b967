"""A Gemini answer as a stream: SSE frames with CRLF, or a JSON array in pieces.

A chunk holds about 95 characters (the median on the wire), the first one a single token. Each chunk repeats ids and
usage: it is dumped once per text with marks where text and counts go, and then only the marks are filled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from llm_simulator.dialects.fields import Object, as_object, is_block
from llm_simulator.dialects.gemini_fields import Form, dumped, quoted
from llm_simulator.dialects.gemini_manner import Manner, dressed
from llm_simulator.dialects.gemini_write import Spelling, visible
from llm_simulator.types import Choice, Completion, Frame, Part, Reasoning, Text, ToolCall

CHARACTERS = 95
_TEXT, _CANDIDATES, _TOTAL = "\x00text", "\x00candidates", "\x00total"


def frames(completion: Completion, form: Form, manner: Manner) -> Iterator[Frame]:
    """The chunks of a stream; the array form puts its brackets and commas around them."""
    chunks = _Stream(Spelling(dressed(completion, manner), form, manner)).chunks()
    if form.sse:
        return (Frame(at, b"data: " + data + b"\r\n\r\n") for at, data in chunks)
    return _array(chunks)


def _array(chunks: Iterator[tuple[int, bytes]]) -> Iterator[Frame]:
    at, data = next(chunks)
    before = b"["
    for later, following in chunks:
        yield Frame(at, before + data)
        at, data, before = later, following, b"\n,\r\n"
    yield Frame(at, before + data + b"\n]")


def _length(part: Part) -> int:
    return len(part.arguments if isinstance(part, ToolCall) else part.tokens)


Fill = Callable[[str, int], bytes]
"""A chunk from the text it carries and the visible tokens up to its end."""


@dataclass(slots=True)
class _Stream:
    """The chunks of one streamed answer in order."""

    spelling: Spelling
    token: int = 0
    shown: int = 0

    def chunks(self) -> Iterator[tuple[int, bytes]]:
        completion = self.spelling.completion
        if not completion.choices:
            yield 0, self.whole([], {}, final=True)
        for place, choice in enumerate(completion.choices):
            yield from self.choice(place, choice)

    def choice(self, place: int, choice: Choice) -> Iterator[tuple[int, bytes]]:
        """All chunks of a choice; the last one carries the finish reason and the final usage."""
        index = self.spelling.index(place, choice)
        ending = self.spelling.ending(choice) | index | self.spelling.extra(choice)
        shown = [part for part in choice.parts if self.spelling.shows(part)]
        trailer = self.trailer(shown)
        for number, part in enumerate(choice.parts):
            if not self.spelling.shows(part):
                self.advance(_length(part), seen=False)  # hidden thought takes its time all the same
                continue
            final = part is shown[-1] and trailer is None
            yield from self.part(part, number, index, ending if final else index, final=final)
        if trailer is not None or not shown:
            yield self.last_token(), self.whole([trailer] if trailer else [], ending, final=True)

    def part(
        self, part: Part, number: int, index: Object, after: Object, *, final: bool
    ) -> Iterator[tuple[int, bytes]]:
        if isinstance(part, ToolCall):
            self.advance(len(part.arguments), seen=True)
        if isinstance(part, ToolCall) or (isinstance(part, Text) and is_block(part)):
            yield self.last_token(), self.whole([self.spelling.part(part, number)], after, final=final)
        else:
            yield from self.texts(part, index, after, final=final)

    def trailer(self, shown: list[Part]) -> Object | None:
        """Gemini 3 ends a stream with an empty text, which carries the signature of the thought behind a text."""
        if not self.trailing() or not shown:
            return None
        last = shown[-1]
        return {"text": "", **(as_object(last.extra) if isinstance(last, Text) and not is_block(last) else {})}

    def texts(
        self, part: Text | Reasoning, index: Object, after: Object, *, final: bool
    ) -> Iterator[tuple[int, bytes]]:
        """The chunks of a text. The one that ends the answer, or carries a signature, is made by itself."""
        thought = isinstance(part, Reasoning)
        rest: Object = {"thought": True} if thought else {}
        signed = {"thoughtSignature": part.signature} if isinstance(part, Reasoning) and part.signature else {}
        signed = as_object(part.extra) if isinstance(part, Text) and not self.trailing() else signed
        fill = self.template(rest, index)
        cut = list(groups(part.tokens, first=self.token == 0)) or [("", 0)]
        for number, (text, length) in enumerate(cut, 1):
            self.advance(length, seen=not thought)
            if number == len(cut) and (final or signed):
                yield self.last_token(), self.whole([{"text": text, **rest, **signed}], after, final=final)
            else:
                yield self.last_token(), fill(text, self.shown)

    def trailing(self) -> bool:
        manner = self.spelling.manner
        return manner.generated and manner.third and not manner.vertex

    def advance(self, length: int, *, seen: bool) -> None:
        self.token += length
        self.shown += length if seen else 0

    def last_token(self) -> int:
        return max(self.token - 1, 0)

    def whole(self, parts: list[Object], ending: Object, *, final: bool) -> bytes:
        """A chunk dumped by itself; the final one of a choice has the final usage."""
        spelling = self.spelling
        usage = spelling.last_usage() if final else self.usage_so_far(thought=self.shown == 0)
        candidates = [spelling.around(parts, ending)] if spelling.completion.choices else []
        return dumped(spelling.answer(candidates, usage), indent=not spelling.form.sse)

    def usage_so_far(self, *, thought: bool) -> Object:
        usage = self.spelling.completion.usage
        if self.spelling.manner.vertex:
            return {"trafficType": 1 if self.spelling.form.numbers else "ON_DEMAND"}
        if thought or self.spelling.manner.first:
            return self.spelling.usage(0, usage.prompt, 0)
        count = self.counted(self.shown)
        return self.spelling.usage(count, usage.prompt + usage.reasoning + count, usage.reasoning)

    def counted(self, shown: int) -> int:
        """Billed tokens up to the `shown`-th streamed one: the provider counts other tokens than we cut."""
        return min(shown, visible(self.spelling.completion.usage))

    def template(self, rest: Object, index: Object) -> Fill:
        """Makes the chunks of one text: all is dumped once, with marks for the text and the counts."""
        spelling, thought = self.spelling, bool(rest) or self.spelling.manner.first
        usage = self.usage_so_far(thought=thought)
        if not spelling.manner.vertex and not thought:
            usage = spelling.usage(_CANDIDATES, _TOTAL, spelling.completion.usage.reasoning)
        chunk = spelling.answer([spelling.around([{"text": _TEXT, **rest}], index)], usage)
        data = dumped(chunk, indent=not spelling.form.sse)
        before, _, after = data.partition(quoted(_TEXT))
        if spelling.manner.vertex or thought:
            return partial(_fill, before, after)
        between, _, after = after.partition(quoted(_CANDIDATES))
        middle, _, after = after.partition(quoted(_TOTAL))
        spent = spelling.completion.usage.prompt + spelling.completion.usage.reasoning

        def fill(text: str, shown: int) -> bytes:
            count = self.counted(shown)
            return b"%b%b%b%d%b%d%b" % (before, quoted(text), between, count, middle, spent + count, after)

        return fill


def _fill(before: bytes, after: bytes, text: str, shown: int) -> bytes:
    return before + quoted(text) + after


def groups(tokens: tuple[str, ...], first: bool) -> Iterator[tuple[str, int]]:
    """Text of about CHARACTERS and how many tokens it is; the first of a stream is one token alone."""
    text, length = "", 0
    for token in tokens:
        text, length = text + token, length + 1
        if len(text) >= CHARACTERS or first:
            yield text, length
            text, length, first = "", 0, False
    if length:
        yield text, length
