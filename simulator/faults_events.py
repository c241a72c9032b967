"""A stream event by event, whatever chunks it came in, and how many tokens an event says."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from llm_simulator import tokens
from llm_simulator.dialects.fields import load
from llm_simulator.types import JSON, Call, Chunk

_BLANK_LINE = re.compile(rb"\r\n\r\n|\n\n|\r\r")
_SAID = frozenset({"text", "content", "thinking", "reasoning", "reasoning_content", "refusal", "tool_plan", "delta"})
_TOOL = frozenset({"arguments", "partial_json", "args"})
_ASIDE = frozenset({"usage", "usageMetadata", "logprobs", "response", "item", "part", "error"})
"""What repeats or counts what was said."""


def events(chunks: Iterable[Chunk]) -> Iterator[Chunk]:
    """The same bytes, one event a chunk: parts of one are put together and are due with the last of them.

    Server-sent events end with a blank line; a stream without any is taken line by line (NDJSON).
    """
    kept, due, lines = b"", 0.0, False
    for chunk in chunks:
        due = chunk.due
        kept += chunk.data
        if not lines:
            lines = kept[:1] in (b"{", b"[")
        start = 0
        for end in _ends(kept, lines=lines):
            yield Chunk(due, kept[start:end])
            start = end
        kept = kept[start:]
    if kept:
        yield Chunk(due, kept)


def _ends(data: bytes, *, lines: bool) -> list[int]:
    if lines:
        return [found.end() for found in re.finditer(rb"\n", data)]
    return [found.end() for found in _BLANK_LINE.finditer(data)]


def is_event(data: bytes) -> bool:
    """Whether it is a server-sent event: comments may stand before it."""
    return data.startswith((b"data:", b"event:", b"id:"))


def spoken(event: bytes, call: Call, *, tool: bool = False) -> int:
    """The tokens that an event says: text, thought and arguments of tools; with `tool` those of tools only."""
    value = _payload(event)
    if value is None:
        return 0
    arguments = _TOOL if not _is_arguments(value) else _TOOL | {"delta"}
    words = list(_texts(value, arguments if tool else _SAID | _TOOL))
    return sum(tokens.count(word, call.model) for word in words)


def _payload(event: bytes) -> JSON:
    if event[:1] in (b"{", b"["):
        return load(event.strip().strip(b",[]") if event[:1] == b"[" else event)
    data = b"\n".join(line[5:].strip() for line in event.splitlines() if line.startswith(b"data:"))
    return load(data) if data and data != b"[DONE]" else None


def _is_arguments(value: Any) -> bool:
    """OpenAI's Responses say by the event's type what its `delta` is."""
    kind = value.get("type") if isinstance(value, dict) else None
    return isinstance(kind, str) and kind.endswith("arguments.delta")


def _texts(value: Any, names: frozenset[str]) -> Iterator[str]:
    if isinstance(value, dict):
        for name, item in value.items():
            if name in _ASIDE:
                continue
            if name in names and isinstance(item, str) and item:
                yield item
            elif name == "args" and name in names and item:  # Gemini's arguments come whole
                yield str(item)
            else:
                yield from _texts(item, names)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item, names)
