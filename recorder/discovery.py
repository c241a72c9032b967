"""Which files an import reads: those named, and in folders those with a known suffix, sorted, each once."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from llm_simulator.errors import CassetteError

SUFFIXES = (".yaml", ".yml", ".json", ".har", ".toml", ".jsonl", ".ndjson", ".db", ".sqlite", ".sqlite3")
"""What is looked at in a folder, also with ".gz" after it. A file that is named itself may have any name."""


@dataclass(frozen=True, slots=True)
class Found:
    """A file to import and its name in reports and as a session; `named`: by the user, not found in a folder."""

    path: Path
    name: str
    named: bool


def discover(paths: Sequence[Path]) -> list[Found]:
    """The files that `paths` stand for, in that order. CassetteError where one does not exist.

    A file is called by its path below the folder that was given, or by its own name; where two would be called the
    same, the later one by its whole path.
    """
    files: dict[Path, Found] = {}
    taken: set[str] = set()
    for path in paths:
        if not path.exists():
            raise CassetteError(f"{path}: no such file or folder")
        folder = path.is_dir()
        for file in _walk(path) if folder else [path]:
            if file.absolute() in files:
                continue
            name = file.relative_to(path).as_posix() if folder else file.name
            name = file.as_posix() if name in taken else name
            taken.add(name)
            files[file.absolute()] = Found(file, name, named=not folder)
    return list(files.values())


def _walk(folder: Path) -> list[Path]:
    """Hidden files and folders are left out; links to folders are not followed."""
    found: list[Path] = []
    for where, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(where, name) for name in names if _is_known(name)]
    return sorted(found, key=lambda path: path.parts)


def _is_known(name: str) -> bool:
    return not name.startswith(".") and name.lower().removesuffix(".gz").endswith(SUFFIXES)
