"""Our own cassettes, SQLite or YAML, into another one: exchanges stay equal; a damaged one does not lose the rest."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

from llm_simulator.cassettes.base import TEXTS
from llm_simulator.cassettes.documents import split
from llm_simulator.cassettes.fields import Document
from llm_simulator.cassettes.store import open_store
from llm_simulator.cassettes.text import Head, read_exchange, read_head
from llm_simulator.errors import CassetteError
from llm_simulator.recorder.source import Source
from llm_simulator.types import Exchange

_SQLITE = b"SQLite format 3\0"
_HEADER = re.compile(rb"\A\s*(?:#[^\n]*\n\s*)*(?:---\s+)?(?:[^-\s][^\n]*\n)*?[\"']?llm-simulator[\"']?[ \t]*:")


def claims(source: Source) -> bool:
    """A SQLite file (whether it is a cassette shows when it is opened), or YAML whose first document says so."""
    return source.head.startswith(_SQLITE) or _HEADER.match(source.head[:4096]) is not None


async def exchanges(path: Path, name: str) -> AsyncGenerator[Exchange | str, None]:
    """The exchanges in recorded order; for one that cannot be read, what is wrong with it.

    Raises CassetteError where the cassette as a whole cannot be.
    """
    store = await open_store(str(path), digest_of=_no_key, fingerprint="import", writable=False)
    try:
        try:
            ids = [row.id async for row in store.rows()]
        except CassetteError:  # text is indexed as a whole or not at all; its good documents can still be read
            if path.suffix.lower() not in TEXTS:
                raise
            for found in _documents(path, name):
                yield found
            return
        for id in ids:
            try:
                exchange = await store.load(id)
            except CassetteError as error:
                yield f"{name}: exchange {id}: {error}"
            else:
                yield exchange
    finally:
        await store.close()


def _documents(path: Path, name: str) -> Iterator[Exchange | str]:
    with path.open("rb") as file:
        head: Head | None = None
        for piece in split(file):
            document = Document(name, piece.number, piece.line)
            if head is None:
                head = read_head(piece.data, document)
                continue
            try:
                exchange = read_exchange(piece.data, document, head)
            except CassetteError as error:
                yield str(error)
            else:
                if exchange is not None:
                    yield exchange


def _no_key(exchange: Exchange) -> bytes:
    """Keys are made anew where the exchanges go."""
    return bytes(16)
