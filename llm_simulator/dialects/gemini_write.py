"""Spells a completion as Gemini and Vertex AI do: one indented object, SSE frames with CRLF, or a JSON array in pieces.

A chunk holds about 95 characters (the median on the wire), the first one a single token. Each chunk repeats ids and
usage: it is dumped once per text with marks where text and counts go, and then only the marks are filled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from llm_simulator.dialects.fields import Object, as_object, is_block, load
from llm_simulator.dialects.gemini_fields import Form, dumped, finish_value, quoted
from llm_simulator.dialects.gemini_parse import TOP
from llm_simulator.dialects.ids import BASE36, base64url, code, digest, is_raw, rfc3339
from llm_simulator.types import JSON, Choice, Completion, Finish, Frame, Part, Reasoning, Text, ToolCall, Usage

CHARACTERS = 95
_TEXT, _CANDIDATES, _TOTAL = "\x00text", "\x00candidates", "\x00total"


def word_of(choice: Choice) -> str:
    """The finish reason: the recorded word, or the one that our finish is called by (a tool call is a plain STOP)."""
    if choice.word:
        return choice.word
    match choice.finish:
        case Finish.STOP | Finish.STOP_SEQUENCE | Finish.TOOL_CALLS:
            return "STOP"
        case Finish.LENGTH:
            return "MAX_TOKENS"
        case Finish.CONTENT_FILTER:
            return "SAFETY"


def body(completion: Completion, form: Form, vertex: bool) -> bytes:
    spelling = _Spelling(completion, form, vertex)
    candidates = [spelling.candidate(place, choice) for place, choice in enumerate(completion.choices)]
    return dumped(spelling.answer(candidates, spelling.last_usage()), indent=True) + b"\n"


def frames(completion: Completion, form: Form, vertex: bool) -> Iterator[Frame]:
    """The chunks of a stream; the array form puts its brackets and commas around them."""
    chunks = _Stream(_Spelling(completion, form, vertex)).chunks()
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


def visible(usage: Usage) -> int:
    """Tokens of the answer without its thinking."""
    return max(0, usage.completion - usage.reasoning)


@dataclass(frozen=True, slots=True)
class _Spelling:
    """How the parts of one answer are spelled for one client."""

    completion: Completion
    form: Form
    vertex: bool

    def answer(self, candidates: list[Object], usage: JSON) -> Object:
        """The object around candidates and usage. A blocked prompt has no candidates."""
        completion = self.completion
        first = as_object(completion.choices[0].extra) if completion.choices else {}
        top = {name: first[name] for name in TOP if name in first}
        if self.vertex:
            top.setdefault("createTime", self.created())
        shown = {"candidates": candidates} if candidates and "promptFeedback" not in top else {}
        identity = completion.id if not is_raw(completion.id) else base64url(completion.id, "response", 17)
        model = completion.model.removeprefix("models/")
        return {**shown, "usageMetadata": usage, "modelVersion": model, **top, "responseId": identity}

    def created(self) -> str:
        """The creation time with microseconds, which are part of the id's raw material."""
        micros = int.from_bytes(digest(self.completion.id, "created", 4), "big") % 1_000_000
        return f"{rfc3339(self.completion.created)[:-1]}.{micros:06}Z"

    def candidate(self, place: int, choice: Choice) -> Object:
        parts = [self.part(part, number) for number, part in enumerate(choice.parts)]
        return self.around(parts, self.ending(choice) | self.index(place, choice) | self.extra(choice))

    def around(self, parts: list[Object], ending: Object) -> Object:
        """A candidate: content, then how it ended. Vertex puts the role first."""
        if self.vertex:
            return {"content": {"role": "model", "parts": parts} if parts else {"role": "model"}, **ending}
        return {"content": {"parts": parts, "role": "model"} if parts else {"role": "model"}, **ending}

    def index(self, place: int, choice: Choice) -> Object:
        """The candidate's number as recorded; Vertex and models before 2.5 leave out a 0."""
        if self.completion.usage.raw is not None:
            return {"index": place} if "index" in as_object(choice.extra) else {}
        bare = self.vertex or self.completion.model.startswith(("gemini-1", "gemini-2.0"))
        return {} if bare and not place else {"index": place}

    def ending(self, choice: Choice) -> Object:
        """The finish reason; an answer that was recorded without one keeps none."""
        if not choice.word and self.completion.usage.raw is not None:
            return {}
        return {"finishReason": finish_value(word_of(choice), self.form.numbers)}

    def extra(self, choice: Choice) -> Object:
        """Further fields of a candidate: the recorded ones, or what goes with a function call on Gemini."""
        if choice.finish is Finish.TOOL_CALLS and not choice.word and not self.vertex:
            return {"finishMessage": "Model generated function call(s)."}
        return {name: value for name, value in as_object(choice.extra).items() if name not in (*TOP, "index")}

    def part(self, part: Part, place: int) -> Object:
        match part:
            case Text() if is_block(part):
                return as_object(part.extra)
            case Text():
                return {"text": "".join(part.tokens), **as_object(part.extra)}
            case Reasoning():
                signed = {"thoughtSignature": part.signature} if part.signature else {}
                return {"text": "".join(part.tokens), "thought": True, **signed}
            case ToolCall():
                arguments = as_object(load("".join(part.arguments)))
                call = {"name": part.name, "args": arguments, **self.call_id(part, place)}
                return {"functionCall": call, **as_object(part.extra)}

    def call_id(self, call: ToolCall, place: int) -> Object:
        """Gemini 3 and later give their calls ids of eight characters, earlier ones none."""
        if not is_raw(call.id):
            return {"id": call.id}
        named = call.id and not self.completion.model.startswith(("gemini-1", "gemini-2", "gemini-pro"))
        return {"id": code(call.id, f"call {place}", 8, BASE36)} if named else {}

    def usage(self, candidates: JSON, total: JSON, thoughts: int) -> Object:
        """Counts beside the text so far; what is 0 is left out."""
        usage = self.completion.usage
        modality = 1 if self.form.numbers else "TEXT"
        traffic: Object = {"trafficType": 1 if self.form.numbers else "ON_DEMAND"} if self.vertex else {}
        cached: Object = {"cachedContentTokenCount": usage.cached} if usage.cached else {}
        return {
            "promptTokenCount": usage.prompt,
            **({"candidatesTokenCount": candidates} if candidates else {}),
            "totalTokenCount": total,
            **cached,
            **traffic,
            "promptTokensDetails": [{"modality": modality, "tokenCount": usage.prompt}],
            **({"thoughtsTokenCount": thoughts} if thoughts else {}),
        }

    def last_usage(self) -> Object:
        usage = self.completion.usage
        return (
            as_object(usage.raw) if usage.raw is not None else self.usage(visible(usage), usage.total, usage.reasoning)
        )


Fill = Callable[[str, int], bytes]
"""A chunk from the text it carries and the visible tokens up to its end."""


@dataclass(slots=True)
class _Stream:
    """The chunks of one streamed answer in order."""

    spelling: _Spelling
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
        if not choice.parts:
            yield self.last_token(), self.whole([], ending, final=True)
        for number, part in enumerate(choice.parts):
            final = number == len(choice.parts) - 1
            after = ending if final else index
            if isinstance(part, ToolCall):
                self.advance(len(part.arguments), seen=True)
            if isinstance(part, ToolCall) or (isinstance(part, Text) and is_block(part)):
                yield self.last_token(), self.whole([self.spelling.part(part, number)], after, final=final)
            else:
                yield from self.texts(part, index, after, final=final)

    def texts(
        self, part: Text | Reasoning, index: Object, after: Object, *, final: bool
    ) -> Iterator[tuple[int, bytes]]:
        """The chunks of a text. The one that ends the answer, or carries a signature, is made by itself."""
        thought = isinstance(part, Reasoning)
        rest: Object = {"thought": True} if thought else {}
        signed = {"thoughtSignature": part.signature} if isinstance(part, Reasoning) and part.signature else {}
        signed = as_object(part.extra) if isinstance(part, Text) else signed
        fill = self.template(rest, index)
        groups = list(_groups(part.tokens, first=self.token == 0)) or [("", 0)]
        for number, (text, length) in enumerate(groups, 1):
            self.advance(length, seen=not thought)
            if number == len(groups) and (final or signed):
                yield self.last_token(), self.whole([{"text": text, **rest, **signed}], after, final=final)
            else:
                yield self.last_token(), fill(text, self.shown)

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
        if self.spelling.vertex:
            return {"trafficType": 1 if self.spelling.form.numbers else "ON_DEMAND"}
        if thought:
            return self.spelling.usage(0, usage.prompt, 0)
        count = self.counted(self.shown)
        return self.spelling.usage(count, usage.prompt + usage.reasoning + count, usage.reasoning)

    def counted(self, shown: int) -> int:
        """Billed tokens up to the `shown`-th streamed one: the provider counts other tokens than we cut."""
        return min(shown, visible(self.spelling.completion.usage))

    def template(self, rest: Object, index: Object) -> Fill:
        """Makes the chunks of one text: all is dumped once, with marks for the text and the counts."""
        spelling, thought = self.spelling, bool(rest)
        usage = self.usage_so_far(thought=thought)
        if not spelling.vertex and not thought:
            usage = spelling.usage(_CANDIDATES, _TOTAL, spelling.completion.usage.reasoning)
        chunk = spelling.answer([spelling.around([{"text": _TEXT, **rest}], index)], usage)
        data = dumped(chunk, indent=not spelling.form.sse)
        before, _, after = data.partition(quoted(_TEXT))
        if spelling.vertex or thought:
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


def _groups(tokens: tuple[str, ...], first: bool) -> Iterator[tuple[str, int]]:
    """Text of about CHARACTERS and how many tokens it is; the first of a stream is one token alone."""
    text, length = "", 0
    for token in tokens:
        text, length = text + token, length + 1
        if len(text) >= CHARACTERS or first:
            yield text, length
            text, length, first = "", 0, False
    if length:
        yield text, length
