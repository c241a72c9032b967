"""The text that a client puts together from the pieces of a body, and the way back from it to the bytes.

A key split over token deltas is in no single piece. Strings at the same JSON path of successive events (or list
elements) are joined, integers of a `bytes` list too (log-probabilities spell tokens that way); what is found there is
laid back on the pieces. Reading is the C parser's; only where something was found are positions worked out.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from json.decoder import scanstring  # type: ignore[attr-defined]  # typeshed leaves it out
from typing import NamedTuple

from llm_simulator.redact.eventstream import payloads
from llm_simulator.redact.placeholder import Span, fresh
from llm_simulator.types import JSON

Find = Callable[[str], Iterable[Span]]

_DATA = re.compile(r"^data:[ ]?([^\r\n]+)", re.MULTILINE)
_JSON_START = re.compile(r"[ \t\r\n]*[{\[]")
_JSON_LIKE = re.compile(r'[ \t\r\n]*[{\["]')
_BETWEEN = re.compile(r"[ \t\r\n,\[]*(?=[{\"])")  # also what opens and parts the elements of an array
_DECODER = json.JSONDecoder(strict=False)
_ESCAPED = re.compile(r"\\u|\\/")
_WHOLE = frozenset(
    {"id", "object", "model", "type", "role", "finish_reason", "system_fingerprint", "service_tier", "item_id"}
)
"""Members that no provider streams in pieces: joining them would cost and find nothing."""
_ORDER = frozenset({"index", "output_index", "content_index", "summary_index"})
_DEEPEST = 64
SEPARATOR = "\0"
_PACKED_EVERY = 16 << 10


class _Placed(str):
    """A string that knows where it stood: between the quotes at `start` and `end`."""

    start: int
    end: int


class _Number(int):
    """An integer that knows where it stood."""

    start: int
    end: int


class _Spelled(str):
    """A string that was written as a list of character codes; `places` of the codes, where they are known."""

    places: list[tuple[int, int]]


Groups = dict[str, list[str]]
"""The pieces at each path, in order."""


class Document(NamedTuple):
    """A JSON document, or a piece of plain text, and its place in a body."""

    start: int
    end: int
    value: JSON


def documents(text: str) -> list[Document]:
    """The documents of a body: a JSON value, each element of a top-level array or of NDJSON, each SSE `data:` line."""
    if frames := payloads(text):
        return [document(text, *frame) for frame in frames]
    if _JSON_START.match(text):
        return list(_json_documents(text))
    return [document(text, *match.span(1)) for match in _DATA.finditer(text)]


def document(text: str, start: int, end: int) -> Document:
    """The document at a place."""
    return Document(start, end, _read(text, start, end))


def _json_documents(text: str) -> Iterator[Document]:
    """Documents one after the other, as far as they are whole; elements of an array are documents of their own."""
    at = 0
    while match := _BETWEEN.match(text, at):
        try:
            value, end = _DECODER.raw_decode(text, match.end())
        except (ValueError, RecursionError):
            return
        yield Document(match.end(), end, value)
        at = end


def find_assembled(text: str, found: Sequence[Document], find: Find) -> list[Span]:
    """Spans of `text` whose joined decoded text is a secret although no single piece need be one.

    `found` are the documents in `text`. What plain search sees anyway is skipped: a path with one piece, unescaped.
    """
    escaped = _ESCAPED.search(text) is not None
    joined, _ = _join(_groups(document.value for document in found), escaped)
    if not joined or not fresh(joined, find(joined)):
        return []
    joined, pieces = _join(_groups(_placed_value(text, document) for document in found), escaped)
    return _lay_back(text, fresh(joined, find(joined)), pieces)


class Growing:
    """The pieces of an event stream, put together while it arrives: at its end only the joined text is left to search.

    What it was told must be the text that `quiet` is asked about, from its start.
    """

    def __init__(self) -> None:
        self._groups: Groups = defaultdict(list)
        self._rest = ""  # a line that has not ended yet
        self._fits: bool | None = None  # None: nothing has come yet
        self._packed = 0
        self.size = 0

    def feed(self, text: str) -> None:
        """The next bytes, as byte text."""
        self.size += len(text)
        if self._fits is None and text.strip():
            self._fits = text[0] != "\0" and _JSON_START.match(text) is None
        if self._fits is False:
            return
        lines, end, rest = text.rpartition("\n")
        if end:
            self._take(self._rest + lines)
            self._rest = rest
        else:
            self._rest += text

    def quiet(self, text: str, find: Find) -> bool:
        """Whether nothing in the joined text is a secret; False also where it cannot tell."""
        if not self._fits or self.size != len(text):
            return False
        self._take(self._rest)
        self._rest = ""
        joined, _ = _join(self._groups, _ESCAPED.search(text) is not None)
        return not joined or not fresh(joined, find(joined))

    def _take(self, lines: str) -> None:
        _grow(self._groups, [_read(lines, *match.span(1)) for match in _DATA.finditer(lines)])
        if self.size - self._packed > _PACKED_EVERY:
            self._packed = self.size
            self._pack()

    def _pack(self) -> None:
        """A string costs fifty bytes beside its characters: what was joined is kept as one."""
        for path, pieces in self._groups.items():
            if len(pieces) > 2:  # of two pieces at least: that tells that there is something to join
                self._groups[path] = ["".join(pieces), ""]


def assembled(text: str) -> list[tuple[str, str]]:
    """(path, joined text) of a body: what a reader of the stream sees."""
    groups = _groups(document.value for document in documents(text))
    return [(path, "".join(pieces)) for path, pieces in groups.items()]


def _join(groups: Groups, escaped: bool) -> tuple[str, list[str]]:
    out: list[str] = []
    for pieces in groups.values():
        if escaped or len(pieces) > 1 or isinstance(pieces[0], _Spelled):
            out += pieces
            out.append(SEPARATOR)
    return "".join(out), out


def _groups(values: Iterable[JSON]) -> Groups:
    groups: Groups = defaultdict(list)
    _grow(groups, values)
    return groups


def _grow(groups: Groups, values: Iterable[JSON]) -> None:
    for value in values:
        if isinstance(value, str):
            groups[""].append(value)
        elif isinstance(value, dict):
            _collect(value, "", groups, 0)
        elif isinstance(value, list):
            _collect_list(value, "", groups, 0)


def _collect(value: dict[str, JSON], path: str, groups: Groups, depth: int) -> None:
    if not _ORDER.isdisjoint(value):  # what tells interleaved streams apart
        path = path + "".join([f"[{value[name]}]" for name in value if name in _ORDER])
    for key, member in value.items():
        if isinstance(member, str):
            if key not in _WHOLE:
                groups[f"{path}.{key}"].append(member)
        elif isinstance(member, dict):
            if depth < _DEEPEST:
                _collect(member, f"{path}.{key}", groups, depth + 1)
        elif isinstance(member, list):
            _collect_list(member, f"{path}.{key}", groups, depth + 1)


def _collect_list(value: list[JSON], path: str, groups: Groups, depth: int) -> None:
    ranked = path.endswith(".top_logprobs")
    for at, item in enumerate(value):
        if isinstance(item, str):
            groups[f"{path}[]"].append(item)
        elif isinstance(item, dict):
            if depth < _DEEPEST:
                _collect(item, f"{path}[{at}]" if ranked else f"{path}[]", groups, depth + 1)
        elif isinstance(item, list):
            if depth < _DEEPEST:
                _collect_list(item, f"{path}[]", groups, depth + 1)
        elif at == 0 and path.endswith(".bytes"):
            _collect_codes(value, path, groups)
            return


def _collect_codes(value: list[JSON], path: str, groups: Groups) -> None:
    if all(isinstance(item, int) and 0 <= item < 256 for item in value):
        spelled = _Spelled("".join(map(chr, value)))
        spelled.places = [(item.start, item.end) for item in value if isinstance(item, _Number)]
        groups[path].append(spelled)


def _read(text: str, start: int, end: int) -> JSON:
    """The document there, or its text where it is no JSON object, list or string (plain text deltas)."""
    match = _JSON_LIKE.match(text, start, end)
    if match is None:
        return text[start:end]
    try:
        value, stop = _DECODER.raw_decode(text, match.end() - 1)
    except (ValueError, RecursionError):
        return text[start:end]
    return value if stop == end or text[stop:end].isspace() else text[start:end]


def _placed_value(text: str, document: Document) -> JSON:
    start, end, value = document
    if isinstance(value, str) and value == text[start:end]:
        return _placed(value, start, end)
    return _Reader(text, start).value()


def _placed(text: str, start: int, end: int) -> _Placed:
    value = _Placed(text)
    value.start, value.end = start, end
    return value


class _Reader:
    """A JSON reader that remembers positions. Only for text that `json.loads` has accepted."""

    _space = re.compile(r"[ \t\r\n]*")
    _scalar = re.compile(r"[^\s,\]}]+")

    def __init__(self, text: str, at: int) -> None:
        self._text = text
        self._at = at
        self._depth = 0

    def value(self) -> JSON:
        match self._peek():
            case "{" | "[" if self._depth > _DEEPEST + 2:  # nobody looks in there
                _, self._at = _DECODER.raw_decode(self._text, self._at)
                return None
            case "{":
                return dict(self._members("}", self._member))
            case "[":
                return list(self._members("]", self.value))
            case '"':
                return self._string()
            case _:
                return self._number()

    def _peek(self) -> str:
        self._at = self._space.match(self._text, self._at).end()  # type: ignore[union-attr]  # it matches the empty text
        return self._text[self._at]

    def _members(self, close: str, read: Callable[[], JSON]) -> Iterator[JSON]:
        self._at += 1
        self._depth += 1
        while self._peek() != close:
            if self._text[self._at] == ",":
                self._at += 1
            yield read()
        self._at += 1
        self._depth -= 1

    def _member(self) -> tuple[str, JSON]:
        self._peek()
        name = self._string()
        self._peek()
        self._at += 1  # the colon
        return str(name), self.value()

    def _string(self) -> _Placed:
        start = self._at + 1
        text, self._at = scanstring(self._text, start, False)
        return _placed(text, start, self._at - 1)

    def _number(self) -> JSON:
        match = self._scalar.match(self._text, self._at)
        assert match is not None
        self._at = match.end()
        if not match[0].isdigit():
            return None
        number = _Number(match[0])
        number.start, number.end = match.span()
        return number


_CHARACTER = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\.|.", re.DOTALL
)


def _lay_back(text: str, spans: Iterable[Span], pieces: Sequence[str]) -> list[Span]:
    """The raw places of spans of the joined text."""
    out: list[Span] = []
    at = 0
    ordered = iter(spans)
    span = next(ordered, None)
    for piece in pieces:
        end = at + len(piece)
        while span is not None and span.start < end:
            raw = _raw(text, piece, max(span.start - at, 0), min(span.end, end) - at)
            for number, place in enumerate(raw):
                more = number > 0 or span.start < at
                out.append(Span(*place, span.kind, isinstance(piece, _Spelled), more))
            if span.end > end:
                break
            span = next(ordered, None)
        at = end
    return out


def _raw(text: str, piece: str, start: int, end: int) -> list[tuple[int, int]]:
    """Where the characters of a piece stand."""
    if isinstance(piece, _Spelled):
        return piece.places[start:end]
    if not isinstance(piece, _Placed):  # the separator
        return []
    if len(piece) == piece.end - piece.start:
        return [(piece.start + start, piece.start + end)]
    places = [match.span() for match in _CHARACTER.finditer(text, piece.start, piece.end)]
    return [(places[start][0], places[end - 1][1])]
