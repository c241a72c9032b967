"""The genuine exchanges as values, and what the product answers to the same requests (in-process, without waiting)."""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from pathlib import Path
from typing import Any

from llm_simulator import dialects
from llm_simulator.dialects.base import Dialect
from llm_simulator.simulator.engine import Engine
from llm_simulator.simulator.style import Style
from llm_simulator.types import Call, Headers, Part, RawRequest, Reasoning, Text, ToolCall

DEFAULT = Path(__file__).resolve().parents[3] / "shared" / "traffic" / "dev"
HAND_MADE = re.compile(r"/test_tools_streaming_variant_[abc]\.yaml#")
"""Streams that OpenAI never sends (a role and a usage in every chunk): written to stand for those of other hosts."""
STYLES = (
    Style(),
    Style(call_tools=True),
    Style(call_tools=True, preface=True),
    Style(call_tools=True, calls=2),
    Style(call_tools=True, calls=2, preface=True),
    Style(refusal="I'm very sorry, but I can't assist with that request."),
)
SEEDS = (7, 8, 9)
"""Several kinds of answer are simulated until one has the recorded parts; the likest is compared."""


@dataclass(frozen=True, slots=True)
class Recording:
    """One genuine exchange. `body` is decoded; `day` is when it was recorded ("2025-08-15", "" where unknown)."""

    source: str
    provider: str
    endpoint: str
    request: RawRequest
    status: int
    headers: Headers
    body: bytes
    stream: bool
    suspect: bool
    day: str

    @property
    def group(self) -> str:
        """Provider, endpoint and form: what has one format."""
        return f"{self.provider} {self.request.method} {self.endpoint}{' (stream)' if self.stream else ''}"


@dataclass(frozen=True, slots=True)
class Answered:
    """What we answer. `parts` says of which kinds the answer is made (of the recorded one: what it was made of)."""

    status: int
    headers: Headers
    body: bytes
    parts: str = ""


def recordings(folder: Path = DEFAULT) -> list[Recording]:
    return [_recording(row) for row in _rows(folder)]


@cache
def corpus_of(folder: Path = DEFAULT) -> Corpus:
    """The same one for all who ask, with the answers that it has simulated."""
    return Corpus(recordings(folder))


def _rows(folder: Path) -> Iterator[Any]:
    for path in sorted(folder.glob("*.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            yield from map(json.loads, lines)


def _recording(row: Any) -> Recording:
    path, _, query = row["path"].partition("?")
    headers = tuple(row["response_headers"].items())
    body = _bytes(row, "response_body")
    return Recording(
        source=row["source"],
        provider=row["provider"],
        endpoint=row["endpoint"],
        request=RawRequest(
            row["method"],
            path,
            row["host"],
            "https",
            query,
            tuple(row["request_headers"].items()),
            _bytes(row, "request_body"),
        ),
        status=row["status"],
        headers=headers,
        body=body,
        stream=row["streaming"],
        suspect=bool(row.get("suspect") or HAND_MADE.search(row["source"])),
        day=_day(dict(headers).get("date", ""), body),
    )


def _bytes(row: Any, name: str) -> bytes:
    if row.get(f"{name}_b64") is not None:
        return base64.b64decode(row[f"{name}_b64"])
    if row.get(f"{name}_text") is not None:
        return str(row[f"{name}_text"]).encode()
    value = row[name]
    if value is None:
        return b""
    return value.encode() if name == "response_body" else json.dumps(value).encode()


def _day(date: str, body: bytes) -> str:
    """By the header, else by `created` in the body, or the time that the first four bytes of Google's ids are."""
    if date:
        try:
            return parsedate_to_datetime(date).date().isoformat()
        except ValueError:
            return ""
    for name in (b'"created":', b'"created_at":'):
        digits = body.partition(name)[2].lstrip()[:10]
        if digits.isdigit() and int(digits) > 1_500_000_000:
            return _iso(int(digits))
    if google := re.search(rb'"responseId": ?"([\w-]{8})', body):
        return _iso(int.from_bytes(base64.urlsafe_b64decode(google[1])[:4], "little"))
    return ""


def _iso(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()


def call_of(recording: Recording) -> tuple[Call, Dialect]:
    call = dialects.read(recording.request)
    return call, dialects.of(call)


def is_simulated(recording: Recording) -> bool:
    """Whether it is a genuine success of an operation that the product simulates."""
    if recording.status >= 300 or recording.suspect or not recording.body:
        return False
    call, dialect = call_of(recording)
    return call.operation in dialect.simulates


class Corpus:
    """Recordings, and what they refer to among themselves: an answer that continues another one needs that one first."""

    def __init__(self, recordings: Iterable[Recording]) -> None:
        self.recordings = tuple(recordings)
        self._answers: dict[str, Answered] = {}
        created = [item for item in self.recordings if item.endpoint.endswith("/responses") and _response_id(item)]
        self._by_response = {_response_id(item): item for item in created}

    def lacks(self, recording: Recording) -> bool:
        """Whether it continues an answer that is not among the recordings."""
        return bool(_previous(recording)) and _previous(recording) not in self._by_response

    def simulate(self, recording: Recording) -> Answered:
        """Our answer to the request, of the same kind as the recorded one where a style or a seed makes it so."""
        if recording.source not in self._answers:
            self._answers[recording.source] = self._nearest(recording)
        return self._answers[recording.source]

    def _nearest(self, recording: Recording) -> Answered:
        wanted = parts_of(recording, genuine(recording))
        best: Answered | None = None
        for seed in SEEDS:
            for style in STYLES:
                made = self._simulated(recording, Engine(seed, style=style))
                if best is None or _likeness(made.parts, wanted) > _likeness(best.parts, wanted):
                    best = made
                if best.parts == wanted:
                    return best
        assert best is not None
        return best

    def _simulated(self, recording: Recording, engine: Engine) -> Answered:
        earlier = self._by_response.get(_previous(recording))
        if earlier is not None:
            named = _response_id(earlier), _named(self._simulated(earlier, engine).body)
            request = recording.request
            body = request.body.replace(named[0].encode(), named[1].encode())
            recording = replace(recording, request=replace(request, body=body))
        call, dialect = call_of(recording)
        refused = dialect.check(call)
        if refused is not None:
            reply = dialect.refuse(refused, call)
            body = reply.body if isinstance(reply.body, bytes) else b"".join(frame.data for frame in reply.body)
            return Answered(reply.status, reply.headers, body)
        made = engine.simulate(call, dialect, recording.source.encode(), at_once=True)
        assert isinstance(made.answer.chunks, Iterable)
        body = b"".join(chunk.data for chunk in made.answer.chunks)
        answered = Answered(made.answer.status, made.answer.headers, body)
        return replace(answered, parts=parts_of(recording, answered))


def genuine(recording: Recording) -> Answered:
    return Answered(recording.status, recording.headers, recording.body)


def _previous(recording: Recording) -> str:
    if not recording.endpoint.endswith("/responses") or b"previous_response_id" not in recording.request.body:
        return ""
    return json.loads(recording.request.body).get("previous_response_id") or ""


def _response_id(recording: Recording) -> str:
    return _named(recording.body)


def _named(body: bytes) -> str:
    """The id of a response, from the object or the first event that has it."""
    found = re.search(rb'"id": ?"(resp_\w+)"', body)
    return found[1].decode() if found else ""


def _likeness(ours: str, wanted: str) -> tuple[bool, int]:
    """Equal is best, then the most kinds of parts and of endings in common."""
    return ours == wanted, len(set(re.split(r"\W", ours)) & set(re.split(r"\W", wanted)))


def parts_of(recording: Recording, answered: Answered) -> str:
    """The kinds of parts in order of first appearance, and how choices ended: "text|stop", "reasoning+tools|tool_calls"."""
    call, dialect = call_of(recording)
    found = dialect.parse(answered.status, answered.headers, answered.body, call)
    if found is None:
        return ""
    kinds = Counter(_name(part) for choice in found.choices for part in choice.parts)
    several = kinds["tool"] > len(found.choices)
    names = ["tools" if kind == "tool" and several else kind for kind in kinds]
    if re.search(rb'"type": ?"refusal"', answered.body):  # Responses: a part of its own, which reads as text
        names = ["refusal"]
    finishes = dict.fromkeys(choice.finish.value for choice in found.choices)
    return f"{'+'.join(names) or 'nothing'}|{'+'.join(finishes)}"


def _name(part: Part) -> str:
    match part:
        case Text():
            return "text"
        case Reasoning():
            return "reasoning"
        case ToolCall():
            return "tool"
