"""Foreign and own recordings into a cassette: format by format, in recorded order, redacted before anything is stored.

A bad interaction never loses its file and a bad file never loses the others: each becomes a line of the report.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from llm_simulator import dialects
from llm_simulator.errors import CassetteError
from llm_simulator.recorder.conversion import exchange_of
from llm_simulator.recorder.discovery import Found, discover
from llm_simulator.recorder.import_report import FileReport, ImportReport, Progress, Tally
from llm_simulator.recorder.interaction import Problem, Read
from llm_simulator.recorder.source import Source
from llm_simulator.types import Call, Exchange


@dataclass(frozen=True, slots=True)
class Format:
    """A foreign format: its name in reports, the module that reads it, and what it is in a few words."""

    name: str
    module: str
    what: str


# The first whose module claims a file reads it. A new format is one file and one line here.
FORMATS: tuple[Format, ...] = (
    Format("jsonl", "llm_simulator.recorder.import_jsonl", "JSONL of normalised interactions"),
    Format("har", "llm_simulator.recorder.import_har", "HAR 1.1 and 1.2"),
    Format("aimock", "llm_simulator.recorder.import_aimock", "fixtures of aimock"),
    Format("cassetter", "llm_simulator.recorder.import_cassetter", "cassetter 1, YAML or TOML"),
    Format("ruby-vcr", "llm_simulator.recorder.import_rubyvcr", "Ruby VCR, Betamax, R vcr"),
    Format("go-vcr", "llm_simulator.recorder.import_govcr", "go-vcr 1 and 2"),
    Format("dd-apm-test-agent", "llm_simulator.recorder.import_ddapm", "Datadog's test agent"),
    Format("vcrpy", "llm_simulator.recorder.import_vcr", "VCR.py 1, also with LangChain's or pydantic-ai's serializer"),
)
OWN = "llm-simulator"

_WINDOW = 64  # exchanges that are added at once: one commit of the store
_WINDOW_BYTES = 16_000_000


class Importer(Protocol):
    """What the module of a format offers."""

    def claims(self, source: Source) -> bool:
        """Whether the file is of this format; CassetteError where it cannot even be parsed."""
        ...

    def read(self, source: Source) -> Iterator[Read]:
        """Its interactions in order; CassetteError where the file as a whole is unfit."""
        ...


class Redacts(Protocol):
    """The part of `redact.Redactor` that an import needs."""

    def exchange(self, exchange: Exchange) -> Exchange: ...

    def text(self, s: str) -> str: ...


class Keeps(Protocol):
    """The part of `cassettes.cassette.Cassette` that an import needs; what is added at once is kept in that order."""

    async def add(self, exchange: Exchange, call: Call, *, replace: bool) -> int: ...


Tell = Callable[[Progress], None]


async def import_into(
    spec: str, paths: Sequence[Path], *, redactor: Redacts, strict: bool = False, progress: Tell | None = None
) -> ImportReport:
    """`import_files` into the cassette that `spec` names (it is made where it does not exist)."""
    from llm_simulator.cassettes.cassette import Cassette

    discover(paths)  # a wrong path makes no empty cassette
    cassette = await Cassette.open(spec, read=dialects.read, writable=True, run="import")
    try:
        return await import_files(paths, cassette, redactor=redactor, strict=strict, progress=progress)
    finally:
        await cassette.close()


async def import_files(
    paths: Sequence[Path],
    cassette: Keeps,
    *,
    redactor: Redacts,
    strict: bool = False,
    progress: Tell | None = None,
) -> ImportReport:
    """Imports files and folders, in the order given (folders: sorted by path).

    `strict`: every file is read first, and nothing is stored where an interaction, or a file that was named, is unfit.

    Raises:
        CassetteError: a path does not exist; the cassette cannot be written; a problem was found and `strict` is set.
    """
    found = discover(paths)
    if strict:
        await _refuse_problems(found, redactor)
    run = _Run(cassette, redactor, len(found), progress)
    return ImportReport(tuple([await run.file(file) for file in found]))


async def _refuse_problems(found: Sequence[Found], redactor: Redacts) -> None:
    problems: list[str] = []
    for file in found:
        tally = Tally(file.name, redactor.text)
        async for _ in _exchanges(file, tally):
            pass
        report = tally.report()
        problems += report.problems
        if file.named and report.skipped:
            problems.append(f"{file.name}: {report.skipped}")
    if problems:
        raise CassetteError("nothing was imported (strict):\n" + "\n".join(problems))


async def _exchanges(file: Found, tally: Tally) -> AsyncGenerator[Exchange, None]:
    """The exchanges of one file, not redacted yet; what is unfit goes into `tally`."""
    from llm_simulator.recorder import import_own

    source = Source.of_path(file.path, file.name)
    try:
        if import_own.claims(source):
            tally.format = OWN
            async with aclosing(import_own.exchanges(file.path, file.name)) as exchanges:
                async for own in exchanges:
                    if isinstance(own, Exchange):
                        yield own
                    else:
                        tally.fail(own)
            return
        for item in read_source(source, tally):
            if isinstance(item, Problem):
                tally.fail(f"{file.name}: {item}")
            else:
                yield exchange_of(item, tally.format, file.name)[0]
    except CassetteError as error:
        tally.fail(str(error))


def read_source(source: Source, tally: Tally) -> Iterator[Read]:
    """The interactions of a foreign file; none, and the reason in `tally`, where no format knows it."""
    for format in FORMATS:
        importer = cast(Importer, import_module(format.module))
        if importer.claims(source):
            tally.format = format.name
            return importer.read(source)
    names = ", ".join(source.tree.names[:5])
    tally.skipped = f"no known format: {source.tree.kind}" + (f" of {names[:80]}" if names else "")
    return iter(())


class _Run:
    """One import: adds exchanges in windows that the store commits at once, in order."""

    def __init__(self, cassette: Keeps, redactor: Redacts, files: int, progress: Tell | None) -> None:
        self._cassette = cassette
        self._redactor = redactor
        self._files = files
        self._progress = progress
        self._done = 0
        self._exchanges = 0
        self._window: list[Exchange] = []
        self._bytes = 0

    async def file(self, file: Found) -> FileReport:
        self._tell(file.name)
        tally = Tally(file.name, self._redactor.text)
        async with aclosing(_exchanges(file, tally)) as exchanges:
            async for exchange in exchanges:
                redacted = self._redactor.exchange(exchange)
                tally.count(redacted)
                await self._add(redacted, file.name)
        await self._store()
        self._done += 1
        self._tell(file.name)
        return tally.report()

    async def _add(self, exchange: Exchange, file: str) -> None:
        self._window.append(exchange)
        self._bytes += len(exchange.request.body) + sum(len(data) for _, data in exchange.chunks)
        if len(self._window) >= _WINDOW or self._bytes >= _WINDOW_BYTES:
            await self._store()
            self._tell(file)

    async def _store(self) -> None:
        window, self._window, self._bytes = self._window, [], 0
        adding = [self._cassette.add(each, dialects.read(each.request), replace=False) for each in window]
        for result in await asyncio.gather(*adding, return_exceptions=True):
            if isinstance(result, BaseException):
                raise result
        self._exchanges += len(window)

    def _tell(self, file: str) -> None:
        if self._progress is not None:
            self._progress(Progress(file, self._done, self._files, self._exchanges))
