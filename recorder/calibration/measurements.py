"""Tables of measurements: CSV with one call a row, JSONL with one stream a line, plain or gzip, read line by line.

Times are milliseconds. CSV columns: provider, model, and of ttft_ms, total_ms at least one; else stream (0, 1),
prompt_tokens, cached_tokens, output_tokens, kind (chat, embedding), cache (miss, hit, or what names a repeated prefix),
status, outcome, error, timestamp (unix s). JSONL has the same fields, and itl_ms (gaps between events), lead_ms, unit
(sse_chunk: an event is a token; tls_record: chunk_bytes holds the bytes of each, one more than gaps). A field that is
empty or absent is unknown; any other text column becomes a label to group by. A TTFT or gap below 0 (the clock was set
back while the call ran) is unknown, too, and counted; the total is then what it would have been.
"""

from __future__ import annotations

import csv
import json
from array import array
from collections.abc import Iterator, Mapping
from math import isfinite, nan

from llm_simulator.errors import CassetteError
from llm_simulator.recorder.calibration.samples import Sample
from llm_simulator.recorder.calibration.writes import APART, APART_PACKETS, merged, whole
from llm_simulator.recorder.source import Source
from llm_simulator.types import JSON

_TIMES = ("ttft_ms", "total_ms")
_MISSES = frozenset(("miss", "cold"))
_UNKNOWN = frozenset(("", "unknown", "session", "none", "n/a"))
_UNITS: Mapping[str, float] = {"sse_chunk": APART, "tls_record": APART_PACKETS}
_TAKEN = frozenset(
    (*_TIMES, "stream", "prompt_tokens", "cached_tokens", "output_tokens", "cache", "status", "outcome", "timestamp")
) | frozenset(("itl_ms", "lead_ms", "chunk_bytes", "unit", "itl_mean_ms", "server_ms", "prompt_chars", "seq"))


def claims(source: Source) -> bool:
    """By its name and the fields of its first line."""
    name = source.name.lower().removesuffix(".gz")
    first = source.head.lstrip().partition(b"\n")[0]
    if name.endswith(".csv"):
        return True
    return source.lined and any(f'"{time}"'.encode() in first for time in _TIMES)


def read(source: Source) -> Iterator[Sample]:
    """The samples of a table, one by one.

    Raises:
        CassetteError: a row does not hold what it should; names file, line and field.
    """
    rows = _json_rows(source) if source.lined else _csv_rows(source)
    for line, row in rows:
        yield _Row(f"{source.name}: line {line}", row).sample(source.name)


def _csv_rows(source: Source) -> Iterator[tuple[int, Mapping[str, JSON]]]:
    decoded = (_text(line, f"{source.name}: line {number}") for number, line in source.lines())
    table = csv.reader(decoded)
    header = [name.strip().removeprefix("\ufeff") for name in next(table, [])]
    if not set(_TIMES) & set(header):
        raise CassetteError(f"{source.name}: line 1: got the columns {', '.join(header)[:200]}; needed is {_NEEDED}")
    for row in table:
        if len(row) != len(header):
            where = f"{source.name}: line {table.line_num}"
            raise CassetteError(f"{where}: got {len(row)} fields, allowed are {len(header)} as in the first line")
        yield table.line_num, dict(zip(header, row, strict=True))


def _json_rows(source: Source) -> Iterator[tuple[int, Mapping[str, JSON]]]:
    for number, line in source.lines():
        where = f"{source.name}: line {number}"
        try:
            value = json.loads(_text(line, where))
        except (ValueError, RecursionError) as error:
            raise CassetteError(f"{where}: not valid JSON: {error}") from None
        if not isinstance(value, dict):
            raise CassetteError(f"{where}: got {type(value).__name__}, allowed is one JSON object per line")
        yield number, value


def _text(line: bytes, where: str) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        raise CassetteError(f"{where}: not UTF-8 at byte {error.start}") from None


_NEEDED = " or ".join(_TIMES)


class _Row:
    """One row; every error names its place and field."""

    def __init__(self, where: str, row: Mapping[str, JSON]) -> None:
        self._where = where
        self._row = row

    def sample(self, source: str) -> Sample:
        given = self._number("ttft_ms", signed=True)
        ttft = None if given is None or given < 0 else given * 1e-3
        total = None if (whole := self._number("total_ms")) is None else whole * 1e-3
        status = self._count("status", 200)
        outcome = self._word("outcome") or ("upstream-failed" if self._word("error") else "complete")
        good = 200 <= status < 300 and outcome == "complete"
        if good and given is None and total is None:
            raise self._wrong(_NEEDED, "nothing", "a time in ms (or a status or outcome that tells of a failure)")
        if ttft is not None and total is not None and ttft > total * (1 + 1e-9) + 1e-6:
            raise self._wrong("total_ms", f"{total * 1e3:g}", f"at least ttft_ms ({ttft * 1e3:g})")
        tokens = self._count("output_tokens")
        gaps, sizes, sent = self._writes(tokens)
        backwards = [gap for gap in self._list("itl_ms", signed=True) if gap < 0]
        if given is not None and given < 0:
            total = None
        elif backwards and total is not None:
            total -= sum(backwards) * 1e-3  # the clock was set back by so much, at most
        return Sample(
            provider=self._word("provider"),
            model=self._word("model"),
            stream=bool(gaps) or self._stream(ttft, total),
            cache=self._cache(),
            prompt_tokens=self._count("prompt_tokens"),
            cached_tokens=self._count("cached_tokens"),
            output_tokens=tokens,
            ttft=ttft,
            total=total,
            gaps=gaps,
            sizes=sizes,
            status=status,
            outcome=outcome,
            at=self._number("timestamp") or 0.0,
            chunks=sent,
            source=source,
            kind=self._word("kind") or "chat",
            condition=self._word("error"),
            impossible=len(backwards) + (given is not None and given < 0),
            labels=self._labels(),
        )

    def _stream(self, ttft: float | None, total: float | None) -> bool:
        given = self._row.get("stream")
        if given in (None, ""):
            return ttft is not None and ttft != total
        word = str(given).lower()
        if word not in ("0", "1", "true", "false"):
            raise self._wrong("stream", repr(given), "0, 1, true or false")
        return word in ("1", "true")

    def _cache(self) -> str:
        word = self._word("cache").lower()
        return "" if word in _UNKNOWN else "miss" if word in _MISSES else "hit"

    def _labels(self) -> Mapping[str, str]:
        labels = {n: v for n, v in self._row.items() if isinstance(v, str) and n not in _TAKEN}
        return labels | {"reuse": self._word("cache")}

    def _writes(self, tokens: int) -> tuple[array[float], array[int], array[int]]:
        gaps = self._list("itl_ms", signed=True)
        sent = array("l", (int(size) for size in self._list("chunk_bytes")))
        if not gaps:
            return array("d"), array("l"), sent
        unit = self._word("unit") or "sse_chunk"
        if unit not in _UNITS:
            raise self._wrong("unit", repr(unit), " or ".join(_UNITS))
        if sent and len(sent) != len(gaps) + 1:
            raise self._wrong("chunk_bytes", f"{len(sent)} entries", f"{len(gaps) + 1}, one more than itl_ms")
        weights = _contents(sent) if sent else [1.0] * (len(gaps) + 1)
        between, carried = merged([max(gap, 0.0) * 1e-3 for gap in gaps], weights, _UNITS[unit])
        if not between:
            return array("d"), array("l"), sent
        return between, whole(carried, tokens or round(sum(weights))), sent

    def _list(self, name: str, *, signed: bool = False) -> list[float]:
        given = self._row.get(name)
        if given in (None, ""):
            return []
        allowed = "a list of numbers" if signed else "a list of numbers of 0 or more"
        if not isinstance(given, list):
            raise self._wrong(name, repr(given)[:40], allowed)
        for number in given:
            if not _plain(abs(number) if signed and isinstance(number, int | float) else number):
                raise self._wrong(name, repr(number)[:40], allowed)
        return [float(number) for number in given]

    def _count(self, name: str, unknown: int = 0) -> int:
        value = self._number(name)
        return unknown if value is None else round(value)

    def _number(self, name: str, *, signed: bool = False) -> float | None:
        given = self._row.get(name)
        if given is None or given == "":
            return None
        value = _parsed(given)
        if not _plain(abs(value) if signed else value):
            raise self._wrong(name, repr(given)[:40], "a number" if signed else "a number of 0 or more")
        return value

    def _word(self, name: str) -> str:
        given = self._row.get(name)
        return "" if given is None else str(given).strip()

    def _wrong(self, field: str, got: str, allowed: str) -> CassetteError:
        return CassetteError(f"{self._where}: {field}: got {got}, allowed is {allowed}")


def _parsed(given: JSON) -> float:
    """The number, or one that is none."""
    try:
        return nan if isinstance(given, bool) else float(given)
    except (TypeError, ValueError):
        return nan


def _plain(value: JSON) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value) and value >= 0


def _contents(sent: array[int]) -> list[float]:
    """Bytes as weights; the first entry holds headers besides, so it counts like the usual one at most."""
    usual = sorted(sent)[len(sent) // 2]
    return [float(min(sent[0], usual)), *map(float, sent[1:])]
