"""Reads recorded answers of Ollama's own API, whole or as JSON lines, back into a completion."""

from __future__ import annotations

from datetime import datetime

from llm_simulator.dialects.fields import Object, as_count, as_list, as_object, as_text, load, objects, spelled, words
from llm_simulator.types import JSON, Choice, Completion, Finish, Part, Reasoning, Text, ToolCall, Usage

_COUNTS = (
    "context",
    "total_duration",
    "load_duration",
    "prompt_eval_count",
    "prompt_eval_duration",
    "eval_count",
    "eval_duration",
)


def parse(body: bytes, model: str) -> Completion | None:
    """The completion in a 200 body; None where it holds none."""
    lines = [as_object(load(line)) for line in body.splitlines() if line.strip()]
    lines = [line for line in lines if "message" in line or "response" in line]
    if not lines:
        return None
    whole = len(lines) == 1
    parts: list[Part] = []
    for kind, name in ((Reasoning, "thinking"), (Text, "content")):
        pieces = [piece for line in lines for piece in _pieces(line, name, whole)]
        if pieces or (kind is Text and not any(_calls(line) for line in lines)):
            parts.append(kind(tuple(pieces)))
    parts += (_call(call) for line in lines for call in _calls(line))
    last = lines[-1]
    word = as_text(last.get("done_reason"))
    finish = Finish.LENGTH if word == "length" or not last.get("done") else Finish.STOP
    if finish is Finish.STOP and any(isinstance(part, ToolCall) for part in parts):
        finish = Finish.TOOL_CALLS
    return Completion(
        "ollama", _seconds(lines[0].get("created_at")), as_text(last.get("model")) or model,
        (Choice(tuple(parts), finish, word=word or "stop"),), usage_of(last) or Usage(0, 0, exact=False),
    )  # fmt: skip


def usage_in(body: bytes) -> Usage | None:
    """The counts of the last line."""
    lines = body.strip().rsplit(b"\n", 1)
    return usage_of(as_object(load(lines[-1])))


def usage_of(last: Object) -> Usage | None:
    if "eval_count" not in last:
        return None
    raw = {name: last[name] for name in _COUNTS if name in last}
    return Usage(as_count(last.get("prompt_eval_count")), as_count(last["eval_count"]), raw=raw)


def _pieces(line: Object, name: str, whole: bool) -> tuple[str, ...]:
    said = as_object(line.get("message")) if "message" in line else {**line, "content": line.get("response")}
    text = as_text(said.get(name))
    return words(text) if whole else (text,) if text else ()


def _calls(line: Object) -> list[Object]:
    return objects(as_list(as_object(line.get("message")).get("tool_calls")))


def _call(given: Object) -> ToolCall:
    function = as_object(given.get("function"))
    arguments: JSON = function.get("arguments")
    return ToolCall(as_text(given.get("id")) or "call_", as_text(function.get("name")), words(spelled(arguments)))


def _seconds(text: JSON) -> int:
    try:
        return int(datetime.fromisoformat(as_text(text)).timestamp())
    except ValueError:
        return 0
