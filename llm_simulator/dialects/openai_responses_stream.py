"""Streams of the Responses API: typed events, numbered from 0, the finished object in the last; no `[DONE]`.

Source: OpenAI API reference (streaming events), and recorded traffic for order, key order and obfuscation: the random
text of a delta fills its text up to a multiple of 16 characters.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import shake_256
from json.encoder import encode_basestring

from llm_simulator.dialects.fields import Object, as_list, as_object, as_text, objects, spelled
from llm_simulator.dialects.hosts import ALPHANUMERIC
from llm_simulator.dialects.ids import code
from llm_simulator.dialects.openai_responses_ids import Ids, encrypted
from llm_simulator.dialects.openai_responses_items import ARGUMENTS, Item, Pieces, text_of
from llm_simulator.dialects.openai_responses_write import Draft, streamed, underway
from llm_simulator.types import JSON, Frame

_NOISE_SIZE = 2048
_NOISE = (
    shake_256(b"responses")
    .digest(_NOISE_SIZE + 16)
    .translate(bytes(ord(ALPHANUMERIC[n % 62]) for n in range(256)))
    .decode()
)

# The events between an item's beginning and its end that say how far a hosted tool has come.
_STEPS = {
    "web_search_call": ("in_progress", "searching", "completed"),
    "file_search_call": ("in_progress", "searching", "completed"),
    "image_generation_call": ("in_progress", "generating", "completed"),
    "mcp_list_tools": ("in_progress", "completed"),
}
_EVENTS = {  # of a call's arguments, where their names are not made of the item's type and "arguments"
    "custom_tool_call": "response.custom_tool_call_input",
    "code_interpreter_call": "response.code_interpreter_call_code",
}
_AROUND = {  # the steps before and after the arguments
    "mcp_call": (("in_progress",), ("completed",)),
    "code_interpreter_call": (("in_progress",), ("interpreting", "completed")),
}
_ENDS = {"completed": "response.completed", "failed": "response.failed"}


def frames(made: Draft, body: Object) -> Iterator[Frame]:
    """The events of a response from its creation to its end; `body` is the request's."""
    return _Stream(made, body).run()


class _Stream:
    """One stream while it is made: how many events and how many tokens came before."""

    __slots__ = ("_body", "_items", "_number", "_obfuscated", "_offset", "_response", "_token")

    def __init__(self, made: Draft, body: Object) -> None:
        self._response = streamed(made.response)
        self._items = made.items
        self._body = body
        self._obfuscated = as_object(body.get("stream_options")).get("include_obfuscation") is not False
        self._offset = int(code(as_text(made.response.get("id")), "noise", 3, "0123456789"))
        self._number = 0
        self._token = 0

    def run(self) -> Iterator[Frame]:
        if self._response.get("background") is True:
            queued = underway(self._response, self._body, "queued")
            yield self._event("response.created", response=queued)
            yield self._event("response.queued", response=queued)
        else:
            yield self._event("response.created", response=underway(self._response, self._body))
        yield self._event("response.in_progress", response=underway(self._response, self._body))
        for place, item in enumerate(self._items):
            yield from self._item(item, place)
        last = _ENDS.get(as_text(self._response.get("status")), "response.incomplete")
        yield self._event(last, late=True, response=self._response)

    def _event(self, kind: str, *, late: bool = False, **fields: JSON) -> Frame:
        """Keys stand in the order of the alphabet, behind the type. `late`: due with the token before, not the next."""
        text = spelled({"type": kind, **dict(sorted({**fields, "sequence_number": self._number}.items()))})
        self._number += 1
        return self._frame(kind, text, max(self._token - 1, 0) if late else self._token)

    def _frame(self, kind: str, text: str, token: int) -> Frame:
        return Frame(token, f"event: {kind}\ndata: {text}\n\n".encode("utf-8", "backslashreplace"))

    def _item(self, item: Item, place: int) -> Iterator[Frame]:
        yield self._event("response.output_item.added", item=opened(item.final), output_index=place)
        at: Object = {"item_id": item.final.get("id"), "output_index": place}
        self._token += item.hidden
        match item.final.get("type"):
            case "message":
                yield from self._content(item, at)
            case "reasoning":
                yield from self._reasoning(item, at)
            case str() as kind if kind in ARGUMENTS:
                yield from self._arguments(item, at, kind)
            case kind:
                yield from self._steps(kind, _STEPS.get(str(kind), ()), at)
        yield self._event("response.output_item.done", late=True, item=item.final, output_index=place)

    def _steps(self, kind: JSON, steps: tuple[str, ...], at: Object) -> Iterator[Frame]:
        for step in steps:
            yield self._event(f"response.{kind}.{step}", **at)

    def _content(self, item: Item, at: Object) -> Iterator[Frame]:
        for index, part in enumerate(objects(as_list(item.final.get("content")))):
            where: Object = {"content_index": index, **at}
            yield self._event("response.content_part.added", part=_emptied(part), **where)
            pieces = item.pieces[index] if index < len(item.pieces) else ()
            if part.get("type") == "refusal":
                yield from self._deltas("response.refusal.delta", pieces, where, obfuscated=False)
                yield self._event("response.refusal.done", late=True, refusal=part.get("refusal"), **where)
            else:
                yield from self._text(part, pieces, where)
            yield self._event("response.content_part.done", late=True, part=part, **where)

    def _text(self, part: Object, pieces: Pieces, where: Object) -> Iterator[Frame]:
        logprobs = as_list(part.get("logprobs"))
        yield from self._deltas("response.output_text.delta", pieces, where, logprobs)
        for number, annotation in enumerate(as_list(part.get("annotations"))):
            yield self._event(
                "response.output_text.annotation.added",
                late=True,
                annotation=annotation,
                annotation_index=number,
                **where,
            )
        yield self._event("response.output_text.done", late=True, logprobs=logprobs, text=text_of(part), **where)

    def _reasoning(self, item: Item, at: Object) -> Iterator[Frame]:
        summaries = objects(as_list(item.final.get("summary")))
        for index, (part, pieces) in enumerate(zip(summaries, item.pieces, strict=False)):
            where: Object = {**at, "summary_index": index}
            yield self._event("response.reasoning_summary_part.added", part=_emptied(part), **where)
            yield from self._deltas("response.reasoning_summary_text.delta", pieces, where)
            yield self._event("response.reasoning_summary_text.done", late=True, text=text_of(part), **where)
            yield self._event("response.reasoning_summary_part.done", late=True, part=part, **where)
        thoughts = objects(as_list(item.final.get("content")))
        for index, (part, pieces) in enumerate(zip(thoughts, item.pieces[len(summaries) :], strict=False)):
            where = {"content_index": index, **at}
            yield from self._deltas("response.reasoning_text.delta", pieces, where, obfuscated=False)
            yield self._event("response.reasoning_text.done", late=True, text=text_of(part), **where)

    def _arguments(self, item: Item, at: Object, kind: str) -> Iterator[Frame]:
        name, field = _EVENTS.get(kind, f"response.{kind}_arguments"), ARGUMENTS[kind]
        before, after = _AROUND.get(kind, ((), ()))
        yield from self._steps(kind, before, at)
        yield from self._deltas(f"{name}.delta", item.pieces[0] if item.pieces else (), at)
        yield self._event(f"{name}.done", late=True, **{field: item.final.get(field)}, **at)
        yield from self._steps(kind, after, at)

    def _deltas(
        self,
        kind: str,
        pieces: Pieces,
        where: Object,
        logprobs: list[JSON] | None = None,
        *,
        obfuscated: bool = True,
    ) -> Iterator[Frame]:
        """One event for each piece, made around it: only the text, its number and its padding change."""
        spelling = _Delta(kind, where, logprobs is not None, obfuscated and self._obfuscated)
        each = logprobs if logprobs and len(logprobs) == len(pieces) else None
        for index, piece in enumerate(pieces):
            start = (self._offset + self._number) * 17 % _NOISE_SIZE
            noise = _NOISE[start : start + (-len(piece) & 15)]
            said = spelled([each[index]]) if each else "[]"
            text = spelling.line(encode_basestring(piece), said, noise, self._number)
            self._number += 1
            yield self._frame(kind, text, self._token)
            self._token += 1


class _Delta:
    """The JSON of a delta in three parts that its text, its log-probabilities, its padding and its number stand between."""

    __slots__ = ("_after", "_before", "_between", "_logprobs", "_obfuscated")

    def __init__(self, kind: str, where: Object, logprobs: bool, obfuscated: bool) -> None:
        content = f'"content_index":{where["content_index"]},' if "content_index" in where else ""
        summary = f',"summary_index":{where["summary_index"]}' if "summary_index" in where else ""
        self._before = f'{{"type":"{kind}",{content}"delta":'
        self._between = f',"item_id":{spelled(where["item_id"])}'
        self._after = f',"output_index":{where["output_index"]},"sequence_number":', f"{summary}}}"
        self._logprobs = logprobs
        self._obfuscated = obfuscated

    def line(self, text: str, logprobs: str, noise: str, number: int) -> str:
        said = f',"logprobs":{logprobs}' if self._logprobs else ""
        padding = f',"obfuscation":"{noise}"' if self._obfuscated else ""
        return f"{self._before}{text}{self._between}{said}{padding}{self._after[0]}{number}{self._after[1]}"


def opened(item: Object) -> Object:
    """An item as `response.output_item.added` shows it: begun, and empty."""
    empty: Object = {"status": "in_progress", "summary": [], "result": None, "results": None, "outputs": None}
    match item.get("type"):
        case "message":
            empty["content"] = []
        case "reasoning":
            empty["content"] = []
            if item.get("encrypted_content"):
                empty["encrypted_content"] = encrypted(Ids(as_text(item.get("id")), _second(item)), "begun", 0)
        case str() as kind if kind in ARGUMENTS:
            empty[ARGUMENTS[kind]] = ""
        case _:
            pass
    return {name: empty.get(name, value) for name, value in item.items()}


def _second(item: Object) -> int:
    """The second in an item's id, 0 where there is none."""
    digits = as_text(item.get("id")).partition("_")[2][18:26]
    try:
        return int(digits, 16)
    except ValueError:
        return 0


def _emptied(part: Object) -> Object:
    """A content or summary part before its text has come."""
    empty: Object = {"text": "", "refusal": "", "annotations": [], "logprobs": []}
    return {name: empty.get(name, value) for name, value in part.items()}
