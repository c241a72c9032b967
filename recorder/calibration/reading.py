"""Recordings of every kind as samples, one at a time: our cassettes, foreign ones, tables of measurements."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

from llm_simulator.cassettes.store import open_store
from llm_simulator.errors import CassetteError
from llm_simulator.recorder import import_own
from llm_simulator.recorder.calibration import measurements, rows
from llm_simulator.recorder.calibration.samples import Sample
from llm_simulator.recorder.calibration.streams import Reader
from llm_simulator.recorder.conversion import exchange_of
from llm_simulator.recorder.discovery import Found, discover
from llm_simulator.recorder.import_report import Tally
from llm_simulator.recorder.importing import read_source
from llm_simulator.recorder.interaction import Problem
from llm_simulator.recorder.source import Source
from llm_simulator.types import Exchange

Complain = Callable[[str], None]
"""Told of what could not be read: one line with file, place, field, what was there and what is allowed."""
Open = Callable[[str, int, int], None]
"""Told of each input before it is read: its name, its number from 1, of how many."""


@dataclass(frozen=True, slots=True)
class _Input:
    name: str
    spec: str = ""  # a database URL
    file: Found | None = None


def read(specs: Sequence[str], *, complain: Complain, opened: Open | None = None) -> Iterator[Sample]:
    """The samples of cassettes (.db, .yaml, a folder, a database URL), HAR, VCR and other recordings, CSV and JSONL.

    Lazy: a recording is read as samples are asked for. What of it cannot be read is complained of and left out.

    Raises:
        CassetteError: a path does not exist; a table or a database cannot be read.
    """
    inputs = _inputs(specs)
    reader = Reader()
    for number, one in enumerate(inputs, 1):
        if opened is not None:
            opened(one.name, number, len(inputs))
        yield from _samples(one, reader, complain)


def _samples(one: _Input, reader: Reader, complain: Complain) -> Iterator[Sample]:
    exchanges: Iterable[Exchange] = _Exchanges(one, complain)
    if one.file is not None:
        source = Source.of_path(one.file.path, one.name)
        if not import_own.claims(source):
            yield from _foreign(source, reader, complain)
            return
        if rows.claims(source.head):
            exchanges = rows.exchanges(one.file.path, one.name, complain)
    for exchange in exchanges:
        sample = reader.sample(exchange, one.name)
        if sample is not None:
            yield sample


def _inputs(specs: Sequence[str]) -> list[_Input]:
    """URLs as they are, paths as the files that they stand for; every path is looked at before anything is read."""
    inputs: list[_Input] = []
    for spec in specs:
        if "://" in spec:
            inputs.append(_Input(spec.rpartition("@")[2] or spec, spec=spec))
            continue
        path = Path(spec).expanduser()
        found = _tables(path) if path.is_dir() else []
        inputs += [_Input(file.name, file=file) for file in (*discover([path]), *found)]
    return inputs


def _tables(folder: Path) -> list[Found]:
    """CSV files of a folder, which an import leaves alone."""
    paths = sorted(path for path in folder.rglob("*") if path.name.lower().removesuffix(".gz").endswith(".csv"))
    return [Found(path, path.relative_to(folder).as_posix(), named=False) for path in paths]


def _foreign(source: Source, reader: Reader, complain: Complain) -> Iterator[Sample]:
    if measurements.claims(source):
        yield from measurements.read(source)
        return
    tally = Tally(source.name, str)
    try:
        for item in read_source(source, tally):
            if isinstance(item, Problem):
                complain(f"{source.name}: {item}")
                continue
            exchange, _ = exchange_of(item, tally.format, source.name)
            sample = reader.sample(exchange, source.name)
            if sample is not None:
                yield sample
    except CassetteError as error:
        complain(str(error))
    if tally.skipped:
        complain(f"{source.name}: {tally.skipped}")


class _Exchanges:
    """The exchanges of one of our cassettes, for a reader without an event loop: it runs one while it reads."""

    def __init__(self, one: _Input, complain: Complain) -> None:
        self._one = one
        self._complain = complain

    def __iter__(self) -> Iterator[Exchange]:
        with asyncio.Runner() as runner:
            exchanges = self._exchanges()
            try:
                while (batch := runner.run(_some(exchanges))) is not None:
                    yield from batch
            finally:
                runner.run(exchanges.aclose())

    async def _exchanges(self) -> AsyncGenerator[Exchange]:
        file = self._one.file
        held = import_own.exchanges(file.path, file.name) if file is not None else _of_url(self._one)
        async with aclosing(held):
            async for found in held:
                if isinstance(found, Exchange):
                    yield found
                else:
                    self._complain(found)


_BATCH = 32


async def _some(exchanges: AsyncGenerator[Exchange]) -> list[Exchange] | None:
    batch: list[Exchange] = []
    async for exchange in exchanges:
        batch.append(exchange)
        if len(batch) == _BATCH:
            break
    return batch or None


async def _of_url(one: _Input) -> AsyncGenerator[Exchange | str]:
    store = await open_store(one.spec, digest_of=lambda _: bytes(16), fingerprint="import", writable=False)
    try:
        ids = [row.id async for row in store.rows()]
        for id in ids:
            try:
                yield await store.load(id)
            except CassetteError as error:
                yield f"{one.name}: exchange {id}: {error}"
    finally:
        await store.close()
