"""A cassette into another file: our YAML or SQLite (imported again they give equal exchanges), or a foreign format.

The target is whole or not there: it is written beside its place and renamed. Exchanges go one by one, redacted once
more, because what is a secret today may not have been one when it was recorded.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import aclosing, contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from llm_simulator import dialects
from llm_simulator.cassettes.base import DATABASES, TEXTS, Store
from llm_simulator.cassettes.body import TEXT_ONLY, text_only
from llm_simulator.cassettes.key import Matcher, MatchRules
from llm_simulator.cassettes.store import open_store
from llm_simulator.errors import CassetteError
from llm_simulator.recorder.importing import Redacts
from llm_simulator.types import Exchange


@dataclass(frozen=True, slots=True)
class TextFormat:
    """A format that is written as text, exchange by exchange: its name, its module, the suffixes that mean it."""

    name: str
    module: str
    suffixes: tuple[str, ...] = ()


# A new format is one file and one line here.
TEXT_FORMATS: tuple[TextFormat, ...] = (
    TextFormat("yaml", "llm_simulator.recorder.export_yaml", TEXTS),
    TextFormat("har", "llm_simulator.recorder.export_har", (".har",)),
    TextFormat("jsonl", "llm_simulator.recorder.export_jsonl", (".jsonl", ".ndjson")),
    TextFormat("vcr", "llm_simulator.recorder.export_vcr"),
)
STORE = "db"
"""The one format that is not text: a database, by file or by URL."""

_WINDOW = 64


class Writer(Protocol):
    """What the module of a text format offers; the pieces in a row are the file."""

    def start(self) -> str: ...

    def entry(self, exchange: Exchange, run: str, number: int) -> str:
        """One exchange, the `number`-th from 0."""
        ...

    def end(self) -> str: ...


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What was written where; `freed` counts the exchanges that lost the wire bytes of an encoded body."""

    target: str
    format: str
    exchanges: int
    freed: int


async def export_cassette(
    spec: str,
    target: str,
    *,
    redactor: Redacts,
    format: str = "",
    text_only: bool = False,
    overwrite: bool = False,
    progress: Callable[[int], None] | None = None,
) -> ExportReport:
    """Writes the cassette that `spec` names to `target`, in recorded order.

    `format` "" goes by the suffix (`.yaml`, `.db`; a URL is a database). `text_only` gives up the wire bytes of encoded
    bodies. `progress` gets the number of exchanges written so far.

    Raises:
        CassetteError: the cassette cannot be read (then nothing is written), the target exists and `overwrite` is not
            set, or it cannot be written.
    """
    name = format or _by_suffix(target)
    tally = _Tally(redactor, text_only, progress)
    async with aclosing(_exchanges(spec)) as exchanges:
        if name != STORE:
            await _write_text(exchanges, target, _writer(name), tally, overwrite)
        elif "://" in target:
            await _write_store(exchanges, target, tally)
        else:
            with _beside(Path(target), overwrite) as fresh:
                await _write_store(exchanges, str(fresh), tally)
    return ExportReport(target, name, tally.count, tally.freed)


class _Tally:
    """Prepares each exchange for the target, and counts."""

    def __init__(self, redactor: Redacts, plain: bool, progress: Callable[[int], None] | None) -> None:
        self._redactor = redactor
        self._plain = plain
        self._progress = progress
        self.count = 0
        self.freed = 0

    def prepare(self, exchange: Exchange) -> Exchange:
        ready = self._redactor.exchange(exchange)
        if self._plain:
            freed = text_only(ready)
            self.freed += TEXT_ONLY in freed.marks and TEXT_ONLY not in ready.marks
            ready = freed
        return ready

    def wrote(self, count: int) -> None:
        self.count += count
        if self._progress is not None:
            self._progress(self.count)


def _by_suffix(target: str) -> str:
    suffix = Path(target).suffix.lower()
    if "://" in target or suffix in DATABASES:
        return STORE
    found = next((form.name for form in TEXT_FORMATS if suffix in form.suffixes), "")
    if found:
        return found
    suffixes = ", ".join((*DATABASES, *(suffix for form in TEXT_FORMATS for suffix in form.suffixes)))
    otherwise = f"a URL, or any with --format {_names('|')}"
    raise CassetteError(f"export to {target}: unknown suffix {suffix!r}; allowed are {suffixes}, {otherwise}")


def _names(between: str) -> str:
    return between.join((STORE, *(form.name for form in TEXT_FORMATS)))


def _writer(name: str) -> Writer:
    module = next((form.module for form in TEXT_FORMATS if form.name == name), "")
    if not module:
        raise CassetteError(f"export format {name!r} is unknown; allowed are {_names(', ')}")
    return cast(Writer, import_module(module))


# --- reading and writing

_RULES = MatchRules()
_MATCHER = Matcher(_RULES)


def _digest_of(exchange: Exchange) -> bytes:
    return _MATCHER.key(dialects.read(exchange.request), exchange.masked).digest


async def _open(spec: str, *, writable: bool) -> Store:
    return await open_store(spec, digest_of=_digest_of, fingerprint=_RULES.fingerprint, writable=writable)


async def _exchanges(spec: str) -> AsyncGenerator[tuple[Exchange, str], None]:
    """Each exchange with the run that recorded it; one in memory at a time."""
    store = await _open(spec, writable=False)
    try:
        rows = [(row.id, row.run) async for row in store.rows()]
        for id, run in rows:
            yield await store.load(id), run
    finally:
        await store.close()


async def _write_text(
    exchanges: AsyncGenerator[tuple[Exchange, str], None], target: str, writer: Writer, tally: _Tally, overwrite: bool
) -> None:
    with _beside(Path(target), overwrite) as fresh, fresh.open("w", encoding="utf-8", newline="\n") as file:
        file.write(writer.start())
        async for exchange, run in exchanges:
            file.write(writer.entry(tally.prepare(exchange), run, tally.count))
            tally.wrote(1)
        file.write(writer.end())


async def _write_store(exchanges: AsyncGenerator[tuple[Exchange, str], None], spec: str, tally: _Tally) -> None:
    store = await _open(spec, writable=True)
    try:
        async for _ in store.rows():
            raise CassetteError(f"export to {store.where}: there are recordings in it already; use cassette import")
        window: list[tuple[Exchange, str]] = []
        async for exchange, run in exchanges:
            window.append((tally.prepare(exchange), run))
            if len(window) == _WINDOW:
                await _add(store, window, tally)
        await _add(store, window, tally)
    finally:
        await store.close()


async def _add(store: Store, window: list[tuple[Exchange, str]], tally: _Tally) -> None:
    adding = [store.add(exchange, _digest_of(exchange), run) for exchange, run in window]
    for result in await asyncio.gather(*adding, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result
    tally.wrote(len(window))
    window.clear()


@contextmanager
def _beside(target: Path, overwrite: bool) -> Generator[Path, None, None]:
    """A path in the target's folder that takes the target's place at the end, and is gone where something fails."""
    if target.exists() and not overwrite:
        raise CassetteError(f"export to {target}: it exists; choose another name, or --force to replace it")
    fresh = target.with_name(f".{target.stem}.{os.getpid()}.new{target.suffix}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield fresh
        os.replace(fresh, target)
    except OSError as error:
        raise CassetteError(f"export to {target}: {error.strerror or error}") from error
    finally:
        for left in (fresh, *(Path(f"{fresh}{end}") for end in ("-wal", "-shm", "-journal"))):
            with suppress(OSError):
                left.unlink()
