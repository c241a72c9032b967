"""Reads recorded responses, whole or streamed, back into a completion. The object itself stays in `Choice.extra`.

Of a stream that was cut off, what had come by then is put together.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from llm_simulator.dialects.fields import (
    Object,
    as_count,
    as_list,
    as_object,
    as_text,
    load,
    merged,
    objects,
    words,
)
from llm_simulator.dialects.openai_responses_items import Pieces, texts_of
from llm_simulator.dialects.sse import events, is_stream
from llm_simulator.types import Choice, Completion, Finish, Part, Reasoning, Text, ToolCall, Usage

_REASONS = {"max_output_tokens": Finish.LENGTH, "content_filter": Finish.CONTENT_FILTER}
_CALLS = ("function_call", "custom_tool_call", "mcp_call", "code_interpreter_call")
_Spot = tuple[int, str, int]  # of an output item: "summary", "content" or "arguments", and the index there


def parse(body: bytes, model: str) -> Completion | None:
    """The completion in a 200 body; None where it holds no response. `model`: where it names none."""
    text = body.decode("utf-8", "replace")
    answer = _Answer()
    if is_stream(text):
        for _, data in events(text):
            answer.add(as_object(load(data)))
    else:
        answer.response = as_object(load(text))
    if answer.response.get("object") != "response":
        return None
    return answer.completion(model)


def usage_in(body: bytes) -> Usage | None:
    """The counts in an answer, read without the rest: of a stream only its last object is parsed."""
    if b'"usage"' not in body:
        return None
    text = body.decode("utf-8", "replace")
    if not is_stream(text):
        return usage_of(as_object(as_object(load(text)).get("usage")))
    held = [data for _, data in events(text) if '"usage":{' in data]
    return usage_of(as_object(as_object(as_object(load(held[-1])).get("response")).get("usage"))) if held else None


def usage_of(raw: Object) -> Usage | None:
    if not raw:
        return None
    cached = as_object(raw.get("input_tokens_details")).get("cached_tokens")
    thinking = as_object(raw.get("output_tokens_details")).get("reasoning_tokens")
    asked, said = as_count(raw.get("input_tokens")), as_count(raw.get("output_tokens"))
    return Usage(asked, said, as_count(cached), as_count(thinking), raw=raw)


@dataclass(slots=True)
class _Answer:
    """A response as its events come in: the newest object, the newest form of each item, and the pieces of its texts."""

    response: Object = field(default_factory=dict[str, object])
    items: dict[int, Object] = field(default_factory=dict[int, Object])
    pieces: dict[_Spot, list[str]] = field(default_factory=dict[_Spot, list[str]])

    def add(self, event: Object) -> None:
        kind = as_text(event.get("type"))
        if isinstance(event.get("response"), dict):
            self.response = as_object(event["response"])
        place = event.get("output_index")
        if not isinstance(place, int):
            return
        if isinstance(event.get("item"), dict):
            self.items[place] = as_object(event["item"])
        elif kind.endswith(".delta"):
            self.pieces.setdefault(_spot(event, place), []).append(as_text(event.get("delta")))

    def completion(self, model: str) -> Completion:
        output = objects(as_list(self.response.get("output"))) or [item for _, item in sorted(self.items.items())]
        response = {**self.response, "output": output}
        usage = usage_of(as_object(response.get("usage"))) or Usage(0, sum(map(len, self.pieces.values())), exact=False)
        parts = tuple(part for place, item in enumerate(output) for part in self._parts(item, place))
        word = as_text(response.get("status"))
        choice = Choice(parts, _finish(response, output), word=word, extra={"response": response})
        return Completion(
            as_text(response.get("id")) or "resp_",
            as_count(response.get("created_at")),
            as_text(response.get("model")) or model,
            (choice,),
            usage,
        )

    def _parts(self, item: Object, place: int) -> list[Part]:
        """One part for each text of an item, in the order of `texts_of`."""
        kind = as_text(item.get("type"))
        summaries = len(objects(as_list(item.get("summary"))))
        made = list[Part]()
        for index, text in enumerate(texts_of(item)):
            if kind in _CALLS:
                pieces = self._pieces((place, "arguments", 0), text)
                extra = None if kind == "function_call" else {"type": kind}
                made.append(ToolCall(as_text(item.get("call_id")) or "call_", as_text(item.get("name")), pieces, extra))
            elif kind == "reasoning":
                content = index - summaries  # the summary's parts come first
                spot = (place, "summary", index) if content < 0 else (place, "content", content)
                made.append(Reasoning(self._pieces(spot, text)))
            else:
                made.append(Text(self._pieces((place, "content", index), text)))
        return made

    def _pieces(self, spot: _Spot, text: str) -> Pieces:
        came = merged(self.pieces.get(spot, []))
        return came if "".join(came) == text else words(text)


def _spot(event: Object, place: int) -> _Spot:
    for name in ("summary", "content"):
        index = event.get(f"{name}_index")
        if isinstance(index, int):
            return place, name, index
    return place, "arguments", 0


def _finish(response: Object, output: list[Object]) -> Finish:
    reason = as_text(as_object(response.get("incomplete_details")).get("reason"))
    if reason or response.get("status") != "completed":
        return _REASONS.get(reason, Finish.LENGTH)
    return Finish.TOOL_CALLS if any(item.get("type") in _CALLS[:2] for item in output) else Finish.STOP
