"""What an import tells: per file what was stored, what could not be read and why, and where it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from llm_simulator.types import Exchange

_KEPT = 50  # problems of one file that are kept; all are counted


@dataclass(frozen=True, slots=True)
class FileReport:
    """One file: what came of it. `skipped` is the reason why it is none of ours, else ""."""

    file: str
    format: str = ""
    imported: int = 0
    decoded: int = 0
    redacted: int = 0
    failed: int = 0
    problems: tuple[str, ...] = ()  # the first 50, each with file, place, field, what was there and what is allowed
    skipped: str = ""


@dataclass(frozen=True, slots=True)
class ImportReport:
    """All files in the order in which they were read."""

    files: tuple[FileReport, ...]

    @property
    def imported(self) -> int:
        return sum(file.imported for file in self.files)

    @property
    def decoded(self) -> int:
        """Exchanges whose stored body no longer had the encoding of its header."""
        return sum(file.decoded for file in self.files)

    @property
    def redacted(self) -> int:
        """Exchanges with a masked value, by us or by who recorded them."""
        return sum(file.redacted for file in self.files)

    @property
    def failed(self) -> int:
        """Interactions, and whole files, that could not be read."""
        return sum(file.failed for file in self.files)

    @property
    def problems(self) -> tuple[str, ...]:
        return tuple(problem for file in self.files for problem in file.problems)

    @property
    def skipped(self) -> tuple[tuple[str, str], ...]:
        """(file, reason) of each file that is none of ours."""
        return tuple((file.file, file.skipped) for file in self.files if file.skipped)


@dataclass(frozen=True, slots=True)
class Progress:
    """Where an import is: the file at work, how many are done of how many, exchanges stored so far."""

    file: str
    done: int
    files: int
    exchanges: int


class Tally:
    """The report of one file in the making; `clean` takes secrets out of a message."""

    def __init__(self, file: str, clean: Callable[[str], str]) -> None:
        self.file = file
        self.format = ""
        self.skipped = ""
        self._clean = clean
        self._imported = 0
        self._marks = {"decoded": 0, "redacted": 0}
        self._failed = 0
        self._problems: list[str] = []

    def count(self, exchange: Exchange) -> None:
        self._imported += 1
        for mark in self._marks.keys() & exchange.marks:
            self._marks[mark] += 1

    def fail(self, message: str) -> None:
        self._failed += 1
        if len(self._problems) < _KEPT:
            self._problems.append(self._clean(message))

    def report(self) -> FileReport:
        return FileReport(
            self.file,
            self.format,
            self._imported,
            self._marks["decoded"],
            self._marks["redacted"],
            self._failed,
            tuple(self._problems),
            self.skipped,
        )
