"""Exchanges in a SQL database: an add is committed before it returns, bodies are read one exchange at a time.

SQLite: WAL with synchronous=NORMAL, so a commit survives kill -9 of the process; at rest (closed by its last user) the
file is a plain one without -wal and -shm beside it, and read-only opening writes nothing.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Table, insert, inspect, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import OperationalError

from llm_simulator.cassettes.base import DigestOf, Row, absent
from llm_simulator.cassettes.codec import Record, uncolumn, unpack, unpack_head
from llm_simulator.cassettes.committer import Committer
from llm_simulator.cassettes.engine import failing, file_engine, parse_url, shown, url_engine
from llm_simulator.cassettes.quick import QuickWriter
from llm_simulator.cassettes.tables import (
    ADD,
    COLUMNS,
    DELETE,
    DELETE_KEYS,
    HEADS,
    KEYS,
    LOAD,
    META,
    ROWS,
    SCHEMA,
    TABLES,
    Values,
    add_sql,
    values,
)
from llm_simulator.errors import CassetteError
from llm_simulator.types import Exchange, Outcome

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

_PAGE = 2000  # rows read at once
_STEP = 100  # exchanges held at once while keys are recomputed; also ids per delete
_TIDY_BYTES = 4_000_000  # written between two checkpoints
_READERS = {True: 2, False: 4}  # at once, of SQLite or a server: a pool of connections has no line, and loses patience
_LOCK = 7_215_046  # any number of ours: PostgreSQL's lock while tables are made
_OUTCOMES = {outcome.value: outcome for outcome in Outcome}


async def open_file(path: Path, *, digest_of: DigestOf, fingerprint: str, writable: bool) -> Database:
    """A SQLite file as a store; see `open_store`."""
    where = str(path)
    if writable:
        with failing(where, "make its folder"):
            path.parent.mkdir(parents=True, exist_ok=True)
    elif not path.exists():
        raise absent(path)
    with failing(where, "open it"):
        _check_length(path)
    quick = QuickWriter(path) if writable else None
    return await _opened(Database(file_engine(path, writable=writable), where, digest_of, fingerprint, writable, quick))


def _check_length(path: Path) -> None:
    """SQLite itself fills up a last page that was cut short. Beside a WAL that may be, and nothing is lost."""
    if not path.is_file() or path.with_name(f"{path.name}-wal").exists():
        return
    with path.open("rb") as file:
        head = file.read(18)
    page = {1: 65536}.get(found := int.from_bytes(head[16:], "big"), found)
    if head.startswith(b"SQLite format 3\0") and page and path.stat().st_size % page:
        raise CassetteError(
            f"cassette {path}: cannot open it: its last page is cut short: malformed (the file is damaged or half-written)"
        )


async def open_url(spec: str, *, digest_of: DigestOf, fingerprint: str, writable: bool) -> Database:
    """A database URL as a store; see `open_store`."""
    url = parse_url(spec)
    if url.drivername.startswith("sqlite"):
        if not url.database or url.database == ":memory:":
            raise CassetteError(f"cassette {shown(url)}: a database in memory cannot be shared; name a file")
        path = Path(url.database)
        return await open_file(path, digest_of=digest_of, fingerprint=fingerprint, writable=writable)
    return await _opened(Database(url_engine(url), shown(url), digest_of, fingerprint, writable))


async def _opened(database: Database) -> Database:
    try:
        await database.prepare()
    except BaseException:
        await database.abandon()
        raise
    return database


class Database:
    """A `Store` in SQLite or PostgreSQL. One event loop uses it; other processes may use the same database."""

    def __init__(
        self,
        engine: AsyncEngine,
        where: str,
        digest_of: DigestOf,
        fingerprint: str,
        writable: bool,
        quick: QuickWriter | None = None,
    ) -> None:
        self.where = where
        self._quick = quick
        self._engine = engine
        self._sqlite = engine.dialect.name == "sqlite"
        self._digest_of = digest_of
        self._fingerprint = hashlib.blake2b(fingerprint.encode(), digest_size=8).hexdigest()
        self._writable = writable
        self._writer: AsyncConnection | None = None
        self._writing = asyncio.Lock()
        self._reading = asyncio.Semaphore(_READERS[self._sqlite])
        self._committer = Committer(self._insert)
        self._untidy = 0
        self._tidying: asyncio.Task[None] | None = None
        self._closed = False

    # --- opening and closing

    async def prepare(self) -> None:
        """Checks the schema, and makes it where there is none and we may write."""
        with failing(self.where, "open it"):
            if self._sqlite and self._writable:
                await self._look()
                await self._use_wal()
            if self._writable:
                async with self._transaction() as connection:
                    await self._make_schema(connection)
            async with self._engine.connect() as connection:
                await self._check_schema(connection)

    async def _look(self) -> None:
        """Nothing is written, not even a mode, before it is known that the file is empty or ours."""
        async with self._engine.connect() as connection:
            if await _tables(connection):
                await self._check_schema(connection)

    async def _use_wal(self) -> None:
        async with self._engine.connect() as connection:
            for last in (False, False, True):
                try:
                    await connection.exec_driver_sql("PRAGMA journal_mode=WAL")
                except OperationalError as problem:
                    if last or "locked" not in str(problem.orig):
                        raise
                    # The switch does not wait for another process; a write does.
                    await connection.exec_driver_sql("BEGIN IMMEDIATE")
                    await connection.exec_driver_sql("ROLLBACK")
                else:
                    return

    async def _make_schema(self, connection: AsyncConnection) -> None:
        tables = await _tables(connection)
        if "meta" in tables:
            return
        await connection.run_sync(TABLES.create_all)
        await connection.execute(insert(META), {"name": "schema", "value": str(SCHEMA)})

    async def _check_schema(self, connection: AsyncConnection) -> None:
        tables = await _tables(connection)
        if "meta" not in tables:
            what = f"a database of something else (tables {', '.join(tables)})" if tables else "no cassette is in it"
            raise CassetteError(f"cassette {self.where}: {what}: there is no table `meta`")
        found = (await connection.execute(select(META.c.value).where(META.c.name == "schema"))).scalar()
        if found != str(SCHEMA):
            raise CassetteError(f"cassette {self.where}: schema version {found}; this release supports {SCHEMA}")

    async def flush(self) -> None:
        """Waits for the adds that are under way (all others are committed already) and for a checkpoint."""
        await self._committer.drain()
        if self._tidying is not None:
            await asyncio.wait([self._tidying])

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        await self.flush()
        try:
            if self._sqlite and self._writable:
                await self._settle()
        finally:
            await self.abandon()

    async def _settle(self) -> None:
        """Folds the WAL into the file and leaves a plain file, unless another connection still uses it."""
        self._let_go()
        await self._engine.dispose()
        async with self._writing:
            try:
                await (await self.writer()).exec_driver_sql("PRAGMA journal_mode=DELETE")
            except OperationalError as problem:
                if "locked" not in str(problem.orig):
                    with failing(self.where, "close it"):
                        raise

    async def abandon(self) -> None:
        """Lets go of all connections."""
        self._let_go()
        await self._drop_writer()
        await self._engine.dispose()

    def _let_go(self) -> None:
        if self._quick is not None:
            self._quick.close()

    @asynccontextmanager
    async def _transaction(self) -> AsyncGenerator[AsyncConnection]:
        """One transaction that holds the write lock from its start (PostgreSQL: the lock for schema changes)."""
        if self._sqlite:
            async with self._engine.connect() as connection:
                await connection.exec_driver_sql("BEGIN IMMEDIATE")
                try:
                    yield connection
                except BaseException:
                    await connection.exec_driver_sql("ROLLBACK")
                    raise
                await connection.exec_driver_sql("COMMIT")
        else:
            async with self._engine.connect() as plain:
                connection = await plain.execution_options(isolation_level="READ COMMITTED")
                async with connection.begin():
                    await connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _LOCK})
                    yield connection

    # --- reading

    async def rows(self) -> AsyncIterator[Row]:
        last = 0
        while True:
            page = await self._page(last)
            missing = [row[0] for row in page if row[1] is None]
            digests = await self._recompute(missing) if missing else {}
            for id, digest, *small in page:
                yield _row(id, digest if digest is not None else digests[id], *small)
            if len(page) < _PAGE:
                return
            last = page[-1][0]

    async def _page(self, after: int) -> Sequence[Any]:
        with failing(self.where, "read its keys"):
            async with self._engine.connect() as connection:
                asked = {"fingerprint": self._fingerprint, "after": after, "many": _PAGE}
                return (await connection.execute(ROWS, asked)).all()

    async def _recompute(self, ids: Sequence[int]) -> dict[int, bytes]:
        """The digests of these exchanges under our rules, a few in memory at a time; kept where we may write."""
        found: dict[int, bytes] = {}
        for some in _steps(ids):
            with failing(self.where, "recompute its keys"):
                async with self._engine.connect() as connection:
                    heads = (await connection.execute(HEADS, {"ids": some})).all()
            digests = {id: self._digest_of(self._head(id, detail, request)) for id, detail, request in heads}
            if self._writable:
                await self._keep_keys(digests)
            found |= digests
        return found

    def _head(self, id: int, detail: str, request: bytes) -> Exchange:
        try:
            return unpack_head(detail, request)
        except CassetteError as problem:
            raise CassetteError(f"cassette {self.where}: exchange {id}: {problem}") from problem

    async def _keep_keys(self, digests: Mapping[int, bytes]) -> None:
        keys = [{"fingerprint": self._fingerprint, "exchange": id, "digest": key} for id, key in digests.items()]
        with failing(self.where, "keep its recomputed keys"):
            async with self._transaction() as connection:
                await connection.execute(self._insert_into(KEYS).on_conflict_do_nothing(), keys)

    async def load(self, id: int) -> Exchange:
        with failing(self.where, f"read exchange {id}"):
            async with self._reading, self._engine.connect() as connection:
                row = (await connection.execute(LOAD, {"id": id})).first()
        if row is None:
            raise CassetteError(f"cassette {self.where}: exchange {id} is gone")
        try:
            return unpack(Record(*row))
        except CassetteError as problem:
            raise CassetteError(f"cassette {self.where}: exchange {id}: {problem}") from problem

    # --- writing

    async def add(self, exchange: Exchange, digest: bytes, run: str) -> int:
        self._check_writable()
        row = values(exchange, digest, self._fingerprint, run)
        if self._quick is not None and self._committer.idle and (id := self._quick.add(row)) is not None:
            self._tidy([row])
            return id
        return await self._committer.add(row)

    def _check_writable(self) -> None:
        if self._closed or not self._writable:
            raise CassetteError(f"cassette {self.where}: {'closed' if self._closed else 'opened for reading only'}")

    async def _insert(self, batch: Sequence[Values]) -> Sequence[int]:
        async with self._write() as connection:
            if not self._sqlite:
                rows = [dict(zip(COLUMNS, row, strict=True)) for row in batch]
                return list((await connection.execute(ADD, rows)).scalars())
            # Straight to the driver: one hop to its thread instead of four, and one statement is one transaction.
            driver: Any = (await connection.get_raw_connection()).driver_connection
            flat = [value for row in batch for value in row]
            found: Iterable[Any] = await driver.execute_fetchall(add_sql(len(batch)), flat)
        self._tidy(batch)
        return sorted(id for (id,) in found)  # ids rise in the order of the rows

    @asynccontextmanager
    async def _write(self) -> AsyncGenerator[AsyncConnection]:
        """The one connection that writes; after a failure the next write opens it anew."""
        async with self._writing:
            with failing(self.where, "write it"):
                try:
                    yield await self.writer()
                except BaseException:
                    await self._drop_writer()
                    raise

    async def writer(self) -> AsyncConnection:
        """The connection that writes."""
        if self._writer is None:
            self._writer = await self._engine.connect()
        return self._writer

    async def _drop_writer(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            await writer.invalidate()  # really closed, not given back to the pool
            await writer.close()

    def _tidy(self, batch: Sequence[Values]) -> None:
        """Starts a checkpoint beside the writer now and then, so that no add has to wait for one."""
        self._untidy += sum(len(row[-2]) + len(row[-3]) + len(row[-4]) for row in batch)
        if self._untidy > _TIDY_BYTES and (self._tidying is None or self._tidying.done()):
            self._untidy = 0
            self._tidying = asyncio.create_task(self._checkpoint())

    async def _checkpoint(self) -> None:
        try:
            async with self._engine.connect() as connection:
                await connection.exec_driver_sql("PRAGMA wal_checkpoint(PASSIVE)")
        except OperationalError:
            self._untidy = (
                _TIDY_BYTES  # full disk or a lock: the exchanges are safe in the WAL; again after the next add
            )

    async def delete(self, ids: Sequence[int]) -> None:
        self._check_writable()
        for some in _steps(ids):
            async with self._write() as connection:
                await connection.execute(DELETE, {"ids": some})
                await connection.execute(DELETE_KEYS, {"ids": some})

    # --- notes: what a user of this database keeps beside the exchanges

    async def notes(self, prefix: str) -> dict[str, str]:
        """The notes whose names start with `prefix`, by name."""
        with failing(self.where, "read its notes"):
            async with self._engine.connect() as connection:
                found = (await connection.execute(select(META.c.name, META.c.value))).all()
        return {name: value for name, value in found if name.startswith(prefix)}

    async def note(self, values: Mapping[str, str]) -> None:
        """Keeps notes by name, in place of earlier ones."""
        statement = self._insert_into(META)
        statement = statement.on_conflict_do_update(
            index_elements=[META.c.name], set_={"value": statement.excluded.value}
        )
        async with self._write() as connection:
            for name, value in values.items():
                await connection.execute(statement, {"name": name, "value": value})

    def _insert_into(self, table: Table) -> Any:
        """An INSERT of this database's kind, which can say what to do with what is there already."""
        return sqlite.insert(table) if self._sqlite else postgresql.insert(table)


async def _tables(connection: AsyncConnection) -> list[str]:
    return sorted(await connection.run_sync(lambda sync: inspect(sync).get_table_names()))


def _steps(ids: Sequence[int]) -> Iterable[Sequence[int]]:
    return (ids[start : start + _STEP] for start in range(0, len(ids), _STEP))


def _row(id: int, digest: bytes, provider: str, session: str, outcome: str, masked: str, run: str) -> Row:
    paths = () if masked == "[]" else tuple(json.loads(masked))
    return Row(id, digest, uncolumn(provider), uncolumn(session), _OUTCOMES[outcome], paths, uncolumn(run))
