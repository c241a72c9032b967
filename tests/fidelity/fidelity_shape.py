"""The shape of a body: which keys of which types, which kinds of events in which order, how its JSON is laid out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

OPAQUE = re.compile(
    r"(\.input|\.args|\.arguments|\.response|\.parameters|\.input_schema|\.schema|\.metadata|\.logit_bias"
    r"|\.parameter_definitions|\.responseJsonSchema|\.tools\[\]\.[a-z_]+\.filters)$"
)
"""What is below these paths is the request's or the model's own data, not the provider's format."""
_NOT_OPAQUE = re.compile(r"^<response\.[a-z_.]+>\.response$")


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a stream: its name on the wire ("" without), its data, and the kind we call it."""

    name: str
    data: Any
    kind: str


@dataclass(slots=True)
class Shape:
    """`keys`: path to types. `kinds`: the kinds of events in order, repeats collapsed. `orders`: path to order of keys."""

    keys: dict[str, frozenset[str]] = field(default_factory=dict)
    kinds: tuple[str, ...] = ()
    orders: dict[str, tuple[str, ...]] = field(default_factory=dict)
    layout: str = ""


def shape_of(body: bytes, content_type: str) -> Shape:
    """The shape of a whole body or a stream.

    Raises:
        ValueError: it is neither JSON nor a stream of JSON events.
    """
    text = body.decode("utf-8")
    shape = Shape()
    if is_stream(text):
        events = list(events_of(text))
        for event in events:
            _walk(shape, f"<{event.kind}>", event.data)
        shape.kinds = collapsed(event.kind for event in events)
        shape.layout = stream_layout(text)
    elif not text.strip():
        return shape
    else:
        value = json.loads(text)
        if isinstance(value, list) and "event-stream" not in content_type and _is_gemini(value):
            for item in value:
                _walk(shape, f"<{_kind('', item)}>", item)
            shape.kinds = collapsed(_kind("", item) for item in value)
        else:
            _walk(shape, "", value)
        shape.layout = layout(text)
    return shape


def _is_gemini(value: list[Any]) -> bool:
    return bool(value) and all(isinstance(item, dict) and "candidates" in item for item in value)


def is_stream(text: str) -> bool:
    start = text.lstrip()[:9]
    return start.startswith(("data:", "event:", ": ", "id:")) or _is_lines(text)


def _is_lines(text: str) -> bool:
    """NDJSON: an object on the first line, another one on the second (or a single one that says it is an event)."""
    first, _, rest = text.partition("\n")
    if not first.startswith("{") or not first.rstrip().endswith("}"):
        return False
    return rest.startswith("{") or '"event_type"' in first or '"done":' in first[-400:]


def events_of(text: str) -> Iterator[Event]:
    if text.lstrip().startswith("{"):
        for line in text.splitlines():
            if line.strip():
                value = json.loads(line)
                yield Event("", value, _kind("", value))
        return
    for block in re.split(r"\r?\n\r?\n", text):
        event = _event(block)
        if event is not None:
            yield event


def _event(block: str) -> Event | None:
    name, data = "", list[str]()
    for line in block.splitlines():
        key, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if key == "event":
            name = value
        elif key == "data":
            data.append(value)
        elif key == "" and value:
            return Event("", None, "comment")
    if not name and not data:
        return None
    joined = "\n".join(data).strip()
    if joined == "[DONE]":
        return Event(name, None, "[DONE]")
    parsed = json.loads(joined) if joined else None
    return Event(name, parsed, _kind(name, parsed))


def _kind(name: str, data: Any) -> str:
    """What an event is, in terms of its structure."""
    if not isinstance(data, dict):
        return name or "?"
    if "choices" in data:
        return _choice_kind(data)
    if "candidates" in data or "usageMetadata" in data:
        return _candidate_kind(data)
    base = str(data.get("type") or data.get("event_type") or data.get("object") or name)
    if not base:
        return "done" if data.get("done") else "message" if "message" in data else "response"
    for inner in ("delta", "content_block", "item", "part"):
        within = data.get(inner)
        if isinstance(within, dict) and isinstance(within.get("type"), str):
            return f"{base}({within['type']})"
    return base


def _choice_kind(data: dict[str, Any]) -> str:
    choice = data["choices"][0] if data["choices"] else None
    if choice is None:
        return "no choices" + "".join(f" + {key}" for key in ("usage", "prompt_filter_results") if data.get(key))
    delta = choice.get("delta")
    if delta is None:
        said = ["text"]
    else:
        said = ["role"] if "role" in delta else []
        said += [key for key in ("reasoning", "reasoning_content", "refusal") if delta.get(key)]
        said += ["content"] if delta.get("content") else []
        calls = delta.get("tool_calls") or ()
        said += ["tool start" if any(call.get("id") for call in calls) else "tool arguments"] if calls else []
        said += ["function_call"] if delta.get("function_call") else []
    if choice.get("finish_reason"):
        said.append("finish")
    if data.get("usage"):
        said.append("usage")
    return "delta " + (", ".join(said) or "{}")


def _candidate_kind(data: dict[str, Any]) -> str:
    candidates = data.get("candidates") or [{}]
    parts = candidates[0].get("content", {}).get("parts") or []
    names = {"functionCall", "text", "thought", "executableCode", "codeExecutionResult", "inlineData"}
    said = sorted({key for part in parts for key in part if key in names})
    if candidates[0].get("finishReason"):
        said.append("finish")
    return "chunk " + ("+".join(said) or "nothing")


def collapsed(kinds: Iterable[str]) -> tuple[str, ...]:
    """Repeats of one kind, and of a run of kinds, count once: a, b, b, a, b -> a, b."""
    found: list[str] = []
    for kind in kinds:
        if not found or found[-1] != kind:
            found.append(kind)
        for width in range(2, len(found) // 2 + 1):
            if found[-width:] == found[-2 * width : -width]:
                del found[-width:]
                break
    return tuple(found)


def _walk(shape: Shape, path: str, value: Any) -> None:
    shape.keys[path] = shape.keys.get(path, frozenset()) | {_type(value)}
    if OPAQUE.search(path) and not _NOT_OPAQUE.search(path):
        return
    if isinstance(value, dict):
        _order(shape, path, tuple(value))
        for key, inner in value.items():
            _walk(shape, f"{path}.{key}", inner)
    elif isinstance(value, list):
        for inner in value:
            _walk(shape, f"{path}[{_told_apart(inner)}]", inner)


def _order(shape: Shape, path: str, keys: tuple[str, ...]) -> None:
    """The longest order seen of one path."""
    if len(keys) > len(shape.orders.get(path, ())):
        shape.orders[path] = keys


def _told_apart(value: Any) -> str:
    """Elements of different types have different keys."""
    if isinstance(value, dict):
        told = value.get("type")
        if isinstance(told, str):
            return told
    return ""


def _type(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return "string" if isinstance(value, str) else "array" if isinstance(value, list) else "object"


def layout(text: str) -> str:
    """How JSON is written: indent, space after the colon, the end."""
    indent = re.match(r"\s*[\[{]\r?\n( *)", text)
    spaced = re.search(r'":( ?)', text)
    space = f"space {len(spaced[1])}" if spaced else "?"
    ending = text[len(text.rstrip()) :]
    return f"indent {len(indent[1]) if indent else None}, {space}, ends {ending!r}"


def stream_layout(text: str) -> str:
    """How events are framed and their JSON is written."""
    newline = "CRLF" if "\r\n" in text else "LF"
    if text.lstrip().startswith("{"):
        framing = "lines"
    else:
        named = "event+data" if re.search(r"^event:", text, re.M) else "data"
        framing = f"{named}{', space' if re.search(r'^data: ', text, re.M) else ''}"
    spaced = re.search(r'": ?[^ ]', text)
    return f"{framing}, {newline}, {'space' if spaced and ': ' in spaced[0] else 'compact'}"
