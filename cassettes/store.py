"""Opens the cassette that a spec names: one `Store` (see base.py), whatever it is kept in."""

from __future__ import annotations

from functools import partial
from importlib import import_module
from pathlib import Path

from llm_simulator.cassettes.base import DATABASES, TEXTS, DigestOf, Row, Store
from llm_simulator.cassettes.key import MatchRules
from llm_simulator.errors import CassetteError

__all__ = ["DATABASES", "TEXTS", "DigestOf", "Row", "Store", "open_store", "own_rules"]


async def open_store(spec: str, *, digest_of: DigestOf, fingerprint: str, writable: bool) -> Store:
    """Opens the cassette that `spec` names: `x.db`, `x.yaml`, a folder of them, or a SQLAlchemy URL.

    `fingerprint` names matcher version and rules: digests stored under another one are recomputed with `digest_of` (a
    writable database keeps the result). Read-only opening writes nothing and creates nothing; a writable one creates
    file and folders. Raises CassetteError where it is absent, corrupt, of an unknown version, or no cassette.
    """
    if "://" in spec:
        from llm_simulator.cassettes.database import open_url

        return await open_url(spec, digest_of=digest_of, fingerprint=fingerprint, writable=writable)
    path = Path(spec).expanduser()
    if path.is_dir() or (path.suffix == "" and not path.exists()):
        return await _open_folder(path, digest_of, fingerprint, writable)
    return await _open_file(path, digest_of, fingerprint, writable, eager=True)


def own_rules(spec: str) -> MatchRules:
    """The match rules in the header of a YAML cassette (`match: {ignore: [...]}`); none for anything else.

    Raises CassetteError where the file is there but its header cannot be read.
    """
    path = Path(spec).expanduser()
    if "://" in spec or path.suffix.lower() not in TEXTS or not path.is_file():
        return MatchRules()
    from llm_simulator.cassettes.text import head_of

    head = head_of(path)
    return MatchRules(head.ignore, head.headers, head.host)


async def _open_folder(path: Path, digest_of: DigestOf, fingerprint: str, writable: bool) -> Store:
    from llm_simulator.cassettes.folder import FolderStore

    if writable:  # the import now, not while the first exchange waits to be added
        import_module("llm_simulator.cassettes.database")
    member = partial(_open_file, digest_of=digest_of, fingerprint=fingerprint, writable=writable, eager=False)
    return await FolderStore.open(path, member, writable=writable)


async def _open_file(path: Path, digest_of: DigestOf, fingerprint: str, writable: bool, eager: bool) -> Store:
    """`eager` False puts off what only writing text needs until the first write."""
    suffix = path.suffix.lower()
    if suffix in DATABASES:
        from llm_simulator.cassettes.database import open_file

        return await open_file(path, digest_of=digest_of, fingerprint=fingerprint, writable=writable)
    if suffix in TEXTS:
        from llm_simulator.cassettes.textstore import TextStore

        return await TextStore.open(path, digest_of=digest_of, fingerprint=fingerprint, writable=writable, eager=eager)
    allowed = ", ".join((*DATABASES, *TEXTS))
    raise CassetteError(
        f"cassette {path}: unknown kind {suffix!r}; allowed are {allowed}, a folder of such files, or a URL "
        "such as postgresql+asyncpg://host/name"
    )
