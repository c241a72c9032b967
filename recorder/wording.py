"""What an answer says, apart from its form: the model's text and tool calls, tokens counted, values of other answers.

Ids and times of creation are new in every answer and are never compared.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest

from llm_simulator import dialects
from llm_simulator.redact.coding import CodingError, decode
from llm_simulator.telemetry.drift import Aspect, Change
from llm_simulator.types import JSON, Choice, Completion, Exchange, Reasoning, Text, ToolCall, Usage, header

SHOWN = 60
"""Characters shown of a text."""

_BEFORE = 15  # of these, shown before the place where two texts begin to differ
_MOST = 10  # values named of an answer that no dialect reads

_FLEETING = re.compile(
    r"id|.*_id|.*Id|created|.*_at|.*At|createTime|updateTime|system_fingerprint|obfuscation|.*_ms|.*duration.*"
    r"|signature|thoughtSignature|encrypted_content|url|expires"
)
"""Members whose value is another one in each answer."""


def wording(recorded: Exchange, fresh: Exchange) -> Iterator[Change]:
    """Changes of model, text and usage; of values where the answers are no completions."""
    before, after = _Said.of(recorded), _Said.of(fresh)
    if before.completion is not None and after.completion is not None:
        yield from _completions(before.completion, after.completion)
    elif recorded.status == fresh.status:
        yield from _values(recorded, fresh)
    if before.usage is not None and after.usage is not None:
        yield from _usage(before, after)


@dataclass(frozen=True, slots=True)
class _Said:
    """An answer as its dialect reads it."""

    completion: Completion | None = None
    usage: Usage | None = None

    @classmethod
    def of(cls, exchange: Exchange) -> _Said:
        body = plain(exchange)
        if body is None or exchange.status >= 400:
            return cls()
        call = dialects.read(exchange.request)
        read = dialects.of(call)
        asked = (exchange.status, exchange.headers, body, call)
        return cls(read.parse(*asked), read.usage(*asked))

    def words(self) -> list[tuple[str, ...]]:
        return [_words(choice) for choice in self.completion.choices] if self.completion else []


def _completions(before: Completion, after: Completion) -> Iterator[Change]:
    if before.model != after.model:
        yield Change(Aspect.MODEL, "model", before.model or "none", after.model or "none")
    for number, (was, now) in enumerate(zip_longest(before.choices, after.choices)):
        where = f"choice {number} " if max(len(before.choices), len(after.choices)) > 1 else ""
        for name, old, new in zip(("text", "reasoning", "tool calls", "finish"), _words(was), _words(now), strict=True):
            if old != new:
                left, right = excerpts(old, new)
                yield Change(Aspect.TEXT, f"{where}{name}", left, right)


def _words(choice: Choice | None) -> tuple[str, ...]:
    """Text, reasoning, tool calls and why it ended; of no choice: nothing."""
    if choice is None:
        return "", "", "", ""
    text = "".join("".join(part.tokens) for part in choice.parts if isinstance(part, Text))
    reasoning = "".join("".join(part.tokens) for part in choice.parts if isinstance(part, Reasoning))
    calls = ", ".join(_spelled(part) for part in choice.parts if isinstance(part, ToolCall))
    return text, reasoning, calls, choice.finish.value


def _spelled(call: ToolCall) -> str:
    arguments = "".join(call.arguments)
    try:
        arguments = json.dumps(json.loads(arguments), ensure_ascii=False, sort_keys=True)
    except ValueError:
        pass  # broken off, or spelled by hand: compared as it stands
    return f"{call.name}({arguments})"


def _usage(before: _Said, after: _Said) -> Iterator[Change]:
    """The prompt is the same, so its count should be; the answer's count only where the answer is the same."""
    assert before.usage is not None
    assert after.usage is not None
    names = ["prompt"] + ["completion"] * (before.words() == after.words())
    for name in names:
        old, new = getattr(before.usage, name), getattr(after.usage, name)
        if old != new:
            yield Change(Aspect.USAGE, f"{name} tokens", str(old), str(new))


# --- answers that are no completions


def _values(recorded: Exchange, fresh: Exchange) -> Iterator[Change]:
    before, after = _leaves(recorded), _leaves(fresh)
    if not before or not after:
        was, now = _bytes(recorded), _bytes(fresh)
        if not before and not after and was != now:
            yield Change(Aspect.TEXT, "body", f"{len(was)} bytes", f"{len(now)} others")
        return
    differ = [path for path in before if path in after and before[path] != after[path]]
    for path in differ[:_MOST]:
        yield Change(Aspect.TEXT, path, *excerpts(", ".join(before[path]), ", ".join(after[path])))
    if len(differ) > _MOST:
        yield Change(Aspect.TEXT, f"and {len(differ) - _MOST} more", "", "")


def _bytes(exchange: Exchange) -> bytes:
    return exchange.body + b"".join(message.data for message in exchange.messages if message.direction == "server")


def _leaves(exchange: Exchange) -> dict[str, list[str]]:
    """All values by JSON path (array indices folded), in their order."""
    found: dict[str, list[str]] = {}
    for document in documents(exchange):
        _gather(document, "$", found)
    return found


def documents(exchange: Exchange) -> Iterator[JSON]:
    """The JSON of an answer: one document, or one for each event, line or message of the server."""
    for text in _texts(exchange):
        try:
            yield json.loads(text)
        except (ValueError, RecursionError):
            continue  # event names, blank lines, [DONE], sound


def _texts(exchange: Exchange) -> Iterator[bytes]:
    body, kind = plain(exchange) or b"", header(exchange.headers, "content-type")
    if "event-stream" in kind or "ndjson" in kind:
        yield from (line.removeprefix(b"data:") for line in body.splitlines())
    elif body:
        yield body
    yield from (message.data for message in exchange.messages if message.direction == "server")


def plain(exchange: Exchange) -> bytes | None:
    """The body with its content-encoding undone; None where it is not what it says it is."""
    try:
        return decode(exchange.body, header(exchange.headers, "content-encoding"))
    except CodingError:
        return None


def _gather(value: JSON, path: str, found: dict[str, list[str]]) -> None:
    if isinstance(value, dict):
        for name, inner in value.items():
            if not _FLEETING.fullmatch(name):
                _gather(inner, f"{path}.{name}", found)
    elif isinstance(value, list):
        for inner in value:
            _gather(inner, f"{path}[]", found)
    else:
        found.setdefault(path, []).append(value if isinstance(value, str) else json.dumps(value))


def excerpts(before: str, after: str) -> tuple[str, str]:
    """Both texts around the place where they begin to differ; "" stays "" (so that one side shows as gone or new)."""
    common = next((at for at, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), None)
    start = max(0, (min(len(before), len(after)) if common is None else common) - _BEFORE)
    return _excerpt(before, start), _excerpt(after, start)


def _excerpt(text: str, start: int) -> str:
    if not text:
        return ""
    if len(text) <= SHOWN:
        return json.dumps(text, ensure_ascii=False)
    start = min(start, len(text) - _BEFORE)
    shown = json.dumps(text[start : start + SHOWN], ensure_ascii=False)
    return f"{'…' if start else ''}{shown}{'…' if start + SHOWN < len(text) else ''} ({len(text)} characters)"
