"""Gemini's and Vertex AI's names: fields in both spellings, enums as words or numbers, the ways to ask for a stream."""

from __future__ import annotations

import re
from collections.abc import Generator
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote

from llm_simulator.dialects import pieces
from llm_simulator.dialects.fields import Object, dump, quote
from llm_simulator.dialects.jsonstyle import indented
from llm_simulator.types import JSON, Finish

FINISHES = {
    "STOP": Finish.STOP,
    "MAX_TOKENS": Finish.LENGTH,
    "SAFETY": Finish.CONTENT_FILTER,
    "RECITATION": Finish.CONTENT_FILTER,
    "LANGUAGE": Finish.CONTENT_FILTER,
    "BLOCKLIST": Finish.CONTENT_FILTER,
    "PROHIBITED_CONTENT": Finish.CONTENT_FILTER,
    "SPII": Finish.CONTENT_FILTER,
    "IMAGE_SAFETY": Finish.CONTENT_FILTER,
}
# The numbers of google.cloud.aiplatform.v1.Candidate.FinishReason.
_NUMBERED = (
    "FINISH_REASON_UNSPECIFIED",
    "STOP",
    "MAX_TOKENS",
    "SAFETY",
    "RECITATION",
    "OTHER",
    "BLOCKLIST",
    "PROHIBITED_CONTENT",
    "SPII",
    "MALFORMED_FUNCTION_CALL",
)
_THIRD = re.compile(r"gemini-(?:[3-9]|flash-latest|flash-lite-latest|pro-latest|omni)")
_PATH = re.compile(
    r"/(?:v1|v1alpha|v1beta|v1beta1)/(?:(?:projects/[^/]+/locations/[^/]+/)?publishers/google/)?(?:models|tunedModels)/"
    r"([^/:]+):(generateContent|streamGenerateContent|countTokens)/?"
)


@dataclass(frozen=True, slots=True)
class Form:
    """How an answer is wanted: streamed or not, as SSE or as one JSON array, enums as numbers (Vertex clients)."""

    stream: bool
    sse: bool
    numbers: bool


@lru_cache(1024)
def split_path(path: str) -> tuple[str, str] | None:
    """Model and method; None for another path."""
    match = _PATH.fullmatch(path)
    return (unquote(match[1]), match[2]) if match else None


def form_of(query: str, stream: bool) -> Form:
    return _form(query, stream)


@lru_cache(256)
def _form(query: str, stream: bool) -> Form:
    alt = next((unquote(value) for name, value in _pairs(query) if unquote(name) in ("alt", "$alt")), "")
    return Form(stream, alt.startswith("sse"), "enum-encoding=int" in alt)


def _pairs(query: str) -> list[tuple[str, str]]:
    return [(name, value) for name, _, value in (pair.partition("=") for pair in query.split("&") if pair)]


def with_alt(query: str, sse: bool) -> str:
    """The query with `alt=sse` set or taken out; every other parameter, and Vertex's `$alt=json;...`, as it stands."""
    kept = [pair for pair in query.split("&") if pair and unquote(pair).lstrip("$") != "alt=sse"]
    return "&".join([*kept, "alt=sse"] if sse else kept)


@lru_cache(256)
def _snake(name: str) -> str:
    return re.sub(r"(?<!^)([A-Z])", r"_\1", name).lower()


def pick(value: Object, name: str) -> JSON:
    """A field by its camelCase name, or by its snake_case one: the API takes both."""
    found = value.get(name)
    return value.get(_snake(name)) if found is None else found


@lru_cache(256)
def third_generation(model: str) -> bool:
    """Gemini 3 and later, also by a name that moves with the newest model."""
    return _THIRD.match(model.removeprefix("models/")) is not None


def snake(name: str) -> str:
    return _snake(name)


def finish_word(value: JSON) -> str:
    """A finishReason as a word; "" where there is none."""
    if isinstance(value, int) and 0 <= value < len(_NUMBERED):
        return _NUMBERED[value]
    return str(value) if value else ""


def finish_value(word: str, numbers: bool) -> JSON:
    if not numbers:
        return word
    return _NUMBERED.index(word) if word in _NUMBERED else int(word) if word.isdigit() else 0


def escape(data: bytes) -> bytes:
    """JSON as Google's printer writes it: angle brackets escaped."""
    return data.replace(b"<", b"\\u003c").replace(b">", b"\\u003e")


def quoted(text: str) -> bytes:
    return escape(quote(text))


def dumped(value: JSON, *, indent: bool) -> bytes:
    """Indented by two spaces, or on one line with a space after each colon and none after commas."""
    return escape(indented(value) if indent else dump(value, colon=": "))


MARKED: JSON = [0]
"""Stands for a long list in the frame of an answer. No other list there may be just a zero."""
_MARKED_LINE = re.compile(rb"(?<=\[\n)( +)0(?=\n)")  # a line of its own: no text can look like it


def filled(frame: JSON, items: list[JSON]) -> Generator[None, None, bytes]:
    """`dumped` and indented, with `items` (one at least) in place of each MARKED list, in pieces with pauses between."""
    lines = yield from pieces.each(lambda item: dumped(item, indent=True), items, 4)
    parts: list[bytes] = []
    for place, part in enumerate(_MARKED_LINE.split(dumped(frame, indent=True))):
        if place % 2 == 0:
            parts.append(part)
            continue
        end = b"\n" + part  # every other part is the margin of a mark
        parts.append(part + (b"," + end).join(line.replace(b"\n", end) for line in lines))
        yield
    return b"".join(parts)
