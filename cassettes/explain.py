"""Why two calls with one key are one: the names of the rules that levelled their differences, for `--explain`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from urllib.parse import unquote_plus

from llm_simulator.cassettes.canonical import dump, load
from llm_simulator.cassettes.content import VOLATILE, fold, parsed, plain
from llm_simulator.redact.names import credential_parameter
from llm_simulator.types import Call, RawRequest, header

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)


def explain(asked: Call, recorded: Call, masked: Sequence[str], ignored: Sequence[str]) -> tuple[str, ...]:
    """Names such as "json-key-order", "query-credential" or "ignore:$.user"; () where the requests are the same.

    `masked` are the recording's masked paths, `ignored` the ignore rules without which the keys would differ. A
    provider that was only guessed shows as "provider".
    """
    a, b = asked.raw, recorded.raw
    found: list[str] = []
    found += ["provider"] * (asked.provider != recorded.provider)
    found += ["host"] * (a.host != b.host)
    found += ["path-form"] * (a.path != b.path)
    found += _query(a.query, b.query)
    found += ["header-noise"] * (sorted(a.headers) != sorted(b.headers))
    found += ["content-encoding"] * (header(a.headers, "content-encoding") != header(b.headers, "content-encoding"))
    if plain(a) != plain(b):
        found += _body(a, b)
        found += _ruled(asked, recorded, masked, ignored)
    return tuple(found)


def _query(asked: str, recorded: str) -> list[str]:
    if asked == recorded:
        return []
    left, right = _fields(asked), _fields(recorded)
    kept = [[field for field in fields if not credential_parameter(_name(field))] for fields in (left, right)]
    found = ["query-credential"] * (sorted(set(left) - set(kept[0])) != sorted(set(right) - set(kept[1])))
    if kept[0] != kept[1]:
        found.append("query-order" if sorted(kept[0]) == sorted(kept[1]) else "query-form")
    return found


def _fields(query: str) -> list[str]:
    return query.split("&") if query else []


def _name(field: str) -> str:
    return unquote_plus(field.partition("=")[0])


def _body(asked: RawRequest, recorded: RawRequest) -> Iterator[str]:
    """What differs in the spelling of two bodies whose fields are equal or left out."""
    left, right = plain(asked), plain(recorded)
    kind = header(asked.headers, "content-type").lower()
    if kind.startswith("multipart/"):
        yield "multipart-boundary"
        return
    if "form-urlencoded" in kind and left[:1] not in (b"{", b"["):
        yield "form-order" if sorted(left.split(b"&")) == sorted(right.split(b"&")) else "form-form"
        return
    try:
        a, b = _Spelling(left), _Spelling(right)
    except (ValueError, RecursionError):
        return
    common = set(a.keys) & set(b.keys)  # an ignored member may be in one only
    differ = {
        "json-key-order": [key for key in a.keys if key in common] != [key for key in b.keys if key in common],
        "json-whitespace": a.space != b.space,
        "json-escapes": a.unusual()[0] != b.unusual()[0],
        "number-form": a.unusual()[1] != b.unusual()[1],
    }
    yield from (name for name, different in differ.items() if different)


class _Spelling:
    """JSON text taken apart: what of its form has no meaning."""

    def __init__(self, data: bytes) -> None:
        text = data.decode(json.detect_encoding(data), "surrogatepass").removeprefix("\ufeff")
        self.keys: list[str] = []
        self.numbers: list[str] = []
        self.strings: list[str] = _STRING.findall(text)
        self.space = sorted(re.findall(r"\s+", _STRING.sub('""', text)))
        json.loads(text, object_pairs_hook=self._pairs, parse_float=self._number, parse_int=self._number)

    def _pairs(self, pairs: list[tuple[str, object]]) -> None:
        self.keys += [key for key, _ in pairs]

    def _number(self, text: str) -> None:
        self.numbers.append(text)

    def unusual(self) -> tuple[list[str], list[str]]:
        """Those strings and those numbers that are not spelled in the canonical way."""
        strings = [text for text in self.strings if dump(json.loads(text)).decode("utf-8", "surrogatepass") != text]
        return sorted(strings), sorted(text for text in self.numbers if dump(load(text.encode())).decode() != text)


def _ruled(asked: Call, recorded: Call, masked: Sequence[str], ignored: Sequence[str]) -> Iterator[str]:
    """The rules that left something out."""
    yield from (f"masked:{path}" for path in masked)
    if any(fold(text) != text for text in (plain(call.raw).decode("latin-1") for call in (asked, recorded))):
        yield "key-shape"
    yield from (f"ignore:{rule}" for rule in ignored)
    left, right = parsed(asked.raw), parsed(recorded.raw)
    for volatile in VOLATILE:
        if asked.raw.path.endswith(volatile.path) and volatile.of(left) != volatile.of(right):
            yield f"volatile:{volatile.name}"
