"""What a Realtime server says: the events of one response, and errors; one JSON event a line.

Source: OpenAI API reference, realtime server events. Audio is 24 kHz PCM16: the tones of `sounds`, in as many pieces as the
transcript has.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator, Sequence
from itertools import pairwise

from llm_simulator.dialects.fields import Object, as_list
from llm_simulator.dialects.ids import code, digest
from llm_simulator.dialects.sounds import spoken
from llm_simulator.types import JSON, Completion, Condition, Finish, Frame, Part, Reasoning, Text, ToolCall, Usage

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_TOKENS_A_MINUTE, _REQUESTS_A_MINUTE = 800_000, 5_000


def identity(prefix: str, seed: str, purpose: str) -> str:
    """An id as the Realtime API has them: a prefix and 21 letters."""
    return f"{prefix}_{code(seed, purpose, 21, _ALPHABET)}"


def line(event: Object) -> bytes:
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def error(condition: Condition) -> bytes:
    """The error event; the connection stays open."""
    seed = digest(condition.message, condition.name).hex()
    inner: Object = {
        "type": condition.type or ("server_error" if condition.status >= 500 else "invalid_request_error"),
        "code": condition.code or condition.name,
        "message": condition.message,
        "param": condition.param,
        "event_id": condition.extra if isinstance(condition.extra, str) else None,
    }
    return line({"type": "error", "event_id": identity("event", seed, "event"), "error": inner})


def frames(completion: Completion, asked: Object) -> Iterator[Frame]:
    """Everything from `response.created` to `rate_limits.updated`; `asked` is the response and the session it belongs to."""
    writer = _Writer(completion, asked)
    for token, event in writer.events():
        event = {
            "type": event.pop("type"),
            "event_id": identity("event", completion.id, f"event {writer.sent}"),
            **event,
        }
        writer.sent += 1
        yield Frame(token, line(event) + b"\n")


class _Writer:
    def __init__(self, completion: Completion, asked: Object) -> None:
        self._completion = completion
        self._response: Object = asked["response"]
        self._conversation = asked["conversation"]
        self._previous: str | None = as_list(asked["items"])[-1]["id"] if asked["items"] else None
        self._audio = "audio" in self._response["output_modalities"]
        self._id = identity("resp", completion.id, "response")
        self._token = 0
        self.sent = 0

    def events(self) -> Iterator[tuple[int, Object]]:
        yield 0, {"type": "response.created", "response": self._shown("in_progress", [])}
        choice = self._completion.choices[0]
        cut = choice.finish is Finish.LENGTH
        output: list[Object] = []
        parts = [part for part in choice.parts if not isinstance(part, Reasoning)]
        self._token = sum(len(part.tokens) for part in choice.parts if isinstance(part, Reasoning))
        for place, part in enumerate(parts):
            item = self._item(place, part, "incomplete" if cut and part is parts[-1] else "completed")
            yield from self._said(place, part, item)
            output.append(item)
        status = "incomplete" if cut else "completed"
        yield self._last, {"type": "response.done", "response": self._shown(status, output)}
        yield self._last, {"type": "rate_limits.updated", "rate_limits": self._limits()}

    @property
    def _last(self) -> int:
        return max(self._token - 1, 0)

    def _said(self, place: int, part: Part, item: Object) -> Iterator[tuple[int, Object]]:
        where: Object = {"response_id": self._id, "output_index": place}
        empty: Object = {"arguments": ""} if "arguments" in item else {"content": []}
        begun: Object = {**item, "status": "in_progress", **empty}
        yield self._token, {"type": "response.output_item.added", **where, "item": begun}
        yield from self._kept("added", self._token, begun)
        inside: Object = {"response_id": self._id, "item_id": item["id"], "output_index": place}
        yield from self._called(part, item, inside) if isinstance(part, ToolCall) else self._spoken(part, inside)
        yield self._last, {"type": "response.output_item.done", **where, "item": item}
        yield from self._kept("done", self._last, item)
        self._previous = item["id"]

    def _kept(self, how: str, token: int, item: Object) -> Iterator[tuple[int, Object]]:
        """An answer outside of the conversation leaves nothing in it."""
        if self._conversation is not None:
            yield token, {"type": f"conversation.item.{how}", "previous_item_id": self._previous, "item": item}

    def _spoken(self, part: Part, where: Object) -> Iterator[tuple[int, Object]]:
        assert isinstance(part, Text)
        where = {**where, "content_index": 0}
        name, text = ("transcript", "".join(part.tokens)) if self._audio else ("text", "".join(part.tokens))
        kind = "audio" if self._audio else "text"
        said = "output_audio_transcript" if self._audio else "output_text"
        yield self._token, {"type": "response.content_part.added", **where, "part": {"type": kind, name: ""}}
        sound = _cut(spoken(text, "pcm"), len(part.tokens)) if self._audio else ()
        for number, token in enumerate(part.tokens):
            yield self._token, {"type": f"response.{said}.delta", **where, "delta": token}
            if sound:
                delta = b64encode(sound[number]).decode()
                yield self._token, {"type": "response.output_audio.delta", **where, "delta": delta}
            self._token += 1
        if self._audio:
            yield self._last, {"type": "response.output_audio.done", **where}
        yield self._last, {"type": f"response.{said}.done", **where, name: text}
        yield self._last, {"type": "response.content_part.done", **where, "part": {"type": kind, name: text}}

    def _called(self, part: ToolCall, item: Object, where: Object) -> Iterator[tuple[int, Object]]:
        where = {**where, "call_id": item["call_id"]}
        for piece in part.arguments:
            yield self._token, {"type": "response.function_call_arguments.delta", **where, "delta": piece}
            self._token += 1
        done = {"name": part.name, "arguments": item["arguments"]}
        yield self._last, {"type": "response.function_call_arguments.done", **where, **done}

    def _item(self, place: int, part: Part, status: str) -> Object:
        own = {"id": identity("item", self._completion.id, f"item {place}"), "object": "realtime.item"}
        if isinstance(part, ToolCall):
            called = {"call_id": part.id, "name": part.name, "arguments": "".join(part.arguments)}
            return {**own, "type": "function_call", "status": status, **called}
        assert isinstance(part, Text)
        text = "".join(part.tokens)
        content = {"type": "output_audio", "transcript": text} if self._audio else {"type": "output_text", "text": text}
        return {**own, "type": "message", "status": status, "role": "assistant", "content": [content]}

    def _shown(self, status: str, output: Sequence[Object]) -> Object:
        details: JSON = None
        if status == "incomplete":
            details = {"type": "incomplete", "reason": "max_output_tokens"}
        return {
            "object": "realtime.response",
            "id": self._id,
            "status": status,
            "status_details": details,
            "output": list(output),
            "conversation_id": self._conversation,
            "output_modalities": self._response["output_modalities"],
            "max_output_tokens": self._response.get("max_output_tokens") or "inf",
            "audio": self._response.get("audio"),
            "usage": None if status == "in_progress" else self._usage(self._completion.usage),
            "metadata": self._response.get("metadata"),
        }

    def _usage(self, usage: Usage) -> Object:
        cached = {"text_tokens": usage.cached, "audio_tokens": 0, "image_tokens": 0}
        heard = {"text_tokens": usage.prompt, "audio_tokens": 0, "image_tokens": 0}
        return {
            "total_tokens": usage.total,
            "input_tokens": usage.prompt,
            "output_tokens": usage.completion,
            "input_token_details": {**heard, "cached_tokens": usage.cached, "cached_tokens_details": cached},
            "output_token_details": {"text_tokens": usage.completion, "audio_tokens": 0},
        }

    def _limits(self) -> list[Object]:
        used = self._completion.usage.total
        return [
            {
                "name": "requests",
                "limit": _REQUESTS_A_MINUTE,
                "remaining": _REQUESTS_A_MINUTE - 1,
                "reset_seconds": 0.012,
            },
            {
                "name": "tokens",
                "limit": _TOKENS_A_MINUTE,
                "remaining": max(_TOKENS_A_MINUTE - used, 0),
                "reset_seconds": round(60 * used / _TOKENS_A_MINUTE, 3),
            },
        ]


def _cut(data: bytes, pieces: int) -> tuple[bytes, ...]:
    """In whole samples; together they are the data."""
    edges = [len(data) * place // pieces // 2 * 2 for place in range(pieces)] + [len(data)]
    return tuple(data[start:end] for start, end in pairwise(edges))
