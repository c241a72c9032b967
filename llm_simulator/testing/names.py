"""Where the cassette of a test lies. A function of the test's name alone: not of order, worker or directory of the run."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

SUFFIX = ".yaml"
_CASSETTES = (".yaml", ".yml", ".db", ".sqlite", ".sqlite3")
_UNSAFE = re.compile(r"[^A-Za-z0-9_.\[\]=+,@-]+")
_LONGEST = 120  # many file systems allow 255 bytes; ours adds a journal's name around it


def file_name(nodeid: str) -> str:
    """`tests/test_a.py::TestB::test_c[x y]` as a file name: what is not safe is replaced, and a digest keeps it unique."""
    _, _, inner = nodeid.partition("::")
    plain = inner.replace("::", ".")
    safe = _UNSAFE.sub("-", plain)
    if safe == plain and len(safe) <= _LONGEST:
        return safe
    digest = hashlib.blake2b(plain.encode("utf-8", "replace"), digest_size=4).hexdigest()
    return f"{safe[:_LONGEST]}-{digest}"


def own(root: Path, test_file: Path, nodeid: str) -> Path:
    """The cassette of a test that names none: `<root>/<module>/<test>.yaml`."""
    return root / test_file.stem / f"{file_name(nodeid)}{SUFFIX}"


def named(root: Path, name: str) -> str:
    """The cassette that a marker names: below `root`, with .yaml where it has no ending; a URL or absolute path as it is."""
    if "://" in name:
        return name
    path = Path(os.path.normpath(root / name))
    known = path.suffix.lower() in _CASSETTES or path.is_dir()
    return str(path if known else path.with_name(path.name + SUFFIX))


def cassettes_in(folder: Path) -> list[Path]:
    """Files of cassettes below a folder; hidden ones (journals, locks) are none."""
    files = (path for path in folder.rglob("*") if path.suffix.lower() in _CASSETTES and path.is_file())
    return sorted(path for path in files if not path.name.startswith("."))
