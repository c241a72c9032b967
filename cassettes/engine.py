"""Connections to a database: every driver's error becomes a CassetteError that names the place, never a secret."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, event, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from llm_simulator.errors import CassetteError

BUSY_MS = 5000
"""How long one statement waits for another process's write."""

_CHECKPOINT_PAGES = 16_000  # 64 MB: only a backstop, see Database._tidy
_DRIVERS = {
    "sqlite": "sqlite+aiosqlite",
    "postgres": "postgresql+asyncpg",
    "postgresql": "postgresql+asyncpg",
}
_HINTS = {
    "database is locked": f"another process has held its write lock for more than {BUSY_MS / 1000:g} s",
    "database or disk is full": "the disk is full",
    "file is not a database": "not a SQLite file, or a damaged one",
    "database disk image is malformed": "the file is damaged or half-written",
    "malformed database schema": "the file is damaged",
    "Could not decode to UTF-8": "the file is damaged",
    "codec can't decode": "the file is damaged",
    "unable to open database file": "no permission, or its folder is gone or read-only",
    "attempt to write a readonly database": "no permission to write it",
}


@contextmanager
def failing(where: str, doing: str) -> Generator[None]:
    """Turns what a driver raises into a CassetteError: `cassette WHERE: cannot DOING: reason`."""
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error, OSError, UnicodeError) as problem:
        raise CassetteError(f"cassette {where}: cannot {doing}: {_reason(problem)}") from problem
    except Exception as problem:
        if (
            type(problem).__module__.partition(".")[0] != "asyncpg"
        ):  # loaded only where it is used, so known by its name
            raise
        raise CassetteError(f"cassette {where}: cannot {doing}: {_reason(problem)}") from problem


def _reason(problem: BaseException) -> str:
    """The driver's own words, first line only: the rest may show SQL and values."""
    cause = getattr(problem, "orig", None) or problem
    line = (str(cause).splitlines() or [""])[0].partition(" with text ")[0] or type(cause).__name__
    hint = next((hint for known, hint in _HINTS.items() if known in line), "")
    return f"{line} ({hint})" if hint else line


def parse_url(spec: str) -> URL:
    """A database URL with the async driver filled in; CassetteError where it is none that we can use."""
    try:
        url = make_url(spec)
    except ArgumentError:
        raise CassetteError(f"cassette URL of {len(spec)} characters: not a URL; {_ALLOWED}") from None
    url = url.set(drivername=_DRIVERS.get(url.drivername, url.drivername))
    if url.drivername not in _DRIVERS.values():
        raise CassetteError(f"cassette {shown(url)}: unknown kind {url.drivername!r}; {_ALLOWED}")
    return url


_ALLOWED = "allowed are sqlite+aiosqlite:///file.db and postgresql+asyncpg://user@host/name"


def shown(url: URL) -> str:
    """The URL as messages show it: no user, password or options."""
    return URL.create(url.drivername, host=url.host, port=url.port, database=url.database).render_as_string()


def file_engine(path: Path, *, writable: bool) -> AsyncEngine:
    """An engine for a SQLite file; read-only it can neither write nor create."""
    mode = "rwc" if writable else "ro"
    url = URL.create(
        "sqlite+aiosqlite", database=f"file:{quote(str(path.absolute()))}", query={"mode": mode, "uri": "true"}
    )
    engine = create_async_engine(
        url,
        isolation_level="AUTOCOMMIT",
        hide_parameters=True,
        pool_size=2,
        max_overflow=0,
        pool_reset_on_return=None,  # nothing to roll back, and it would be one more hop to the driver's thread
    )
    pragmas = [f"busy_timeout={BUSY_MS}", "synchronous=NORMAL", f"wal_autocheckpoint={_CHECKPOINT_PAGES}"]
    event.listen(engine.sync_engine, "connect", _pragmas(pragmas if writable else pragmas[:1]))
    return engine


def _pragmas(pragmas: list[str]) -> Any:
    def on_connect(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        for pragma in pragmas:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    return on_connect


def url_engine(url: URL) -> AsyncEngine:
    """An engine for a database server; CassetteError where its driver is not installed."""
    try:
        return create_async_engine(
            url, isolation_level="AUTOCOMMIT", hide_parameters=True, pool_pre_ping=True, pool_size=4, max_overflow=4
        )
    except ModuleNotFoundError as problem:
        raise CassetteError(
            f"cassette {shown(url)}: the driver {problem.name} is not installed; pip install 'llm-simulator[postgres]'"
        ) from problem
