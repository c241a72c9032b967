"""The tables of a cassette, schema version 1: small columns first, bodies last, keys under other rules aside."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from typing import Any, TypeAlias

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    case,
    delete,
    insert,
    select,
)
from sqlalchemy.sql import bindparam

from llm_simulator.cassettes.codec import column, pack
from llm_simulator.types import Exchange

SCHEMA = 1
"""The schema version that this release reads and writes."""

Values: TypeAlias = tuple[Any, ...]
"""One row of `exchanges` without its id, in the order of COLUMNS."""

TABLES = MetaData()
_ID = BigInteger().with_variant(Integer, "sqlite")

META = Table("meta", TABLES, Column("name", String(200), primary_key=True), Column("value", Text, nullable=False))

EXCHANGES = Table(
    "exchanges",
    TABLES,
    Column("id", _ID, primary_key=True, autoincrement=True),
    Column("digest", LargeBinary, nullable=False),
    Column("fingerprint", String(32), nullable=False),  # of the matcher and rules that `digest` was made under
    Column("provider", Text, nullable=False),
    Column("session", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("masked", Text, nullable=False),
    Column("run", Text, nullable=False),
    Column("family", Text, nullable=False),
    Column("operation", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("method", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("status", Integer, nullable=False),
    Column("recorded_at", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("request", LargeBinary, nullable=False),
    Column("response", LargeBinary, nullable=False),
    Column("messages", LargeBinary, nullable=False),
    sqlite_autoincrement=True,
)

# What `rows` reads stands in an index of its own, so that SQLite never touches the pages with bodies. PostgreSQL keeps
# bodies apart by itself (TOAST) and would refuse an index entry of more than 2,700 bytes.
Index("rows", *list(EXCHANGES.c)[:8]).ddl_if(dialect="sqlite")

KEYS = Table(
    "keys",
    TABLES,
    Column("fingerprint", String(32), primary_key=True),
    Column("exchange", _ID, primary_key=True),
    Column("digest", LargeBinary, nullable=False),
)

COLUMNS = tuple(column.name for column in EXCHANGES.c if column.name != "id")

ADD = insert(EXCHANGES).returning(EXCHANGES.c.id, sort_by_parameter_order=True)
LOAD = select(EXCHANGES.c.detail, EXCHANGES.c.request, EXCHANGES.c.response, EXCHANGES.c.messages).where(
    EXCHANGES.c.id == bindparam("id")
)
HEADS = select(EXCHANGES.c.id, EXCHANGES.c.detail, EXCHANGES.c.request).where(
    EXCHANGES.c.id.in_(bindparam("ids", expanding=True))
)
ROWS = (
    select(
        EXCHANGES.c.id,
        case((EXCHANGES.c.fingerprint == bindparam("fingerprint"), EXCHANGES.c.digest), else_=KEYS.c.digest),
        EXCHANGES.c.provider,
        EXCHANGES.c.session,
        EXCHANGES.c.outcome,
        EXCHANGES.c.masked,
        EXCHANGES.c.run,
    )
    .join_from(
        EXCHANGES,
        KEYS,
        (KEYS.c.exchange == EXCHANGES.c.id) & (KEYS.c.fingerprint == bindparam("fingerprint")),
        isouter=True,
    )
    .where(EXCHANGES.c.id > bindparam("after"))
    .order_by(EXCHANGES.c.id)
    .limit(bindparam("many"))
)
DELETE = delete(EXCHANGES).where(EXCHANGES.c.id.in_(bindparam("ids", expanding=True)))
DELETE_KEYS = delete(KEYS).where(KEYS.c.exchange.in_(bindparam("ids", expanding=True)))


@cache
def add_sql(count: int) -> str:
    """One statement for SQLite that adds `count` exchanges and returns their ids: its own transaction, in one go."""
    one = f"({', '.join('?' * len(COLUMNS))})"
    return f"INSERT INTO exchanges ({', '.join(COLUMNS)}) VALUES {', '.join([one] * count)} RETURNING id"


def values(exchange: Exchange, digest: bytes, fingerprint: str, run: str) -> Values:
    """The row that keeps `exchange`."""
    record = pack(exchange)
    return (
        digest,
        fingerprint,
        column(exchange.provider),
        column(exchange.session),
        exchange.outcome.value,
        masked_column(exchange.masked),
        column(run),
        column(exchange.family),
        column(exchange.operation),
        column(exchange.model),
        column(exchange.request.method),
        column(exchange.request.host),
        column(exchange.request.path),
        exchange.status,
        column(exchange.recorded_at),
        record.detail,
        record.request,
        record.response,
        record.messages,
    )


def masked_column(paths: Sequence[str]) -> str:
    return json.dumps(paths) if paths else "[]"
