"""A file to import: named bytes, opened when needed; a YAML or JSON document in it is parsed once, for whoever asks.

gzip around the whole file is undone here (by its magic number, whatever the name says).
"""

from __future__ import annotations

import gzip
import json
import tomllib
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from functools import cached_property, partial
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from llm_simulator.errors import CassetteError
from llm_simulator.types import JSON

WHOLE_LIMIT = 512_000_000
"""The most bytes (unpacked) of a file that must be read as a whole; JSONL has no limit but that of its lines."""

LINE_LIMIT = 256_000_000
_HEAD = 65_536


class Tree(Protocol):
    """The top of a parsed document; the parts are built when asked for and raise FieldError where they cannot be."""

    @property
    def kind(self) -> str: ...

    @property
    def names(self) -> tuple[str, ...]: ...

    def value(self, key: str) -> JSON: ...

    def length(self, key: str) -> int | None: ...

    def items(self, key: str) -> Iterator[tuple[str, Callable[[], JSON]]]: ...

    def outline(self, key: str) -> dict[str, frozenset[str]]: ...


class JsonTree:
    """`Tree` over what `json.loads` gave."""

    def __init__(self, value: JSON, kind: str = "") -> None:
        self._top = value if isinstance(value, dict) else {}
        self._kind = kind or ("a mapping" if isinstance(value, dict) else "a list")

    @property
    def kind(self) -> str:
        return self._kind

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._top)

    def value(self, key: str) -> JSON:
        return self._top.get(key)

    def length(self, key: str) -> int | None:
        held = self._top.get(key)
        return len(held) if isinstance(held, list) else None

    def items(self, key: str) -> Iterator[tuple[str, Callable[[], JSON]]]:
        held = self._top.get(key)
        for item in held if isinstance(held, list) else ():
            yield "", partial(_itself, item)

    def outline(self, key: str) -> dict[str, frozenset[str]]:
        held = self._top.get(key)
        first = held[0] if isinstance(held, list) and held else None
        below = first if isinstance(first, dict) else {}
        return {name: frozenset(part if isinstance(part, dict) else ()) for name, part in below.items()}


def _itself(item: JSON) -> JSON:
    return item


class Source:
    """`name` is what messages and sessions call it; `opener` gives its bytes from the start, each time anew."""

    def __init__(self, name: str, opener: Callable[[], BinaryIO]) -> None:
        self.name = name
        self._opener = opener

    @classmethod
    def of_path(cls, path: Path, name: str = "") -> Source:
        return cls(name or path.name, lambda: path.open("rb"))

    @classmethod
    def of_bytes(cls, data: bytes, name: str) -> Source:
        return cls(name, lambda: BytesIO(data))

    @cached_property
    def head(self) -> bytes:
        """The first 64 KiB, unpacked."""
        with self.opened() as stream:
            return self._read(stream, _HEAD)

    @contextmanager
    def opened(self) -> Generator[BinaryIO, None, None]:
        """The bytes with gzip undone. Raises CassetteError where the file cannot be opened."""
        try:
            stream = self._opener()
        except OSError as error:
            raise CassetteError(f"{self.name}: cannot be opened: {error.strerror}") from None
        with stream:
            packed = stream.read(2) == b"\x1f\x8b"
            stream.seek(0)
            if packed:
                with gzip.GzipFile(fileobj=stream) as unpacked:
                    yield cast(BinaryIO, unpacked)
            else:
                yield stream

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """(line number from 1, line without its end), one at a time; blank lines are left out."""
        with self.opened() as stream:
            number = 0
            while line := self._read(stream, LINE_LIMIT, line=True):
                number += 1
                if len(line) >= LINE_LIMIT:
                    raise CassetteError(f"{self.name}: line {number}: longer than {LINE_LIMIT:,} bytes")
                if line := line.strip():
                    yield number, line

    def text(self) -> str:
        """The whole file as UTF-8."""
        with self.opened() as stream:
            data = self._read(stream, WHOLE_LIMIT + 1)
        if len(data) > WHOLE_LIMIT:
            raise CassetteError(f"{self.name}: larger than {WHOLE_LIMIT:,} bytes; split it, or import JSONL")
        try:
            return data.decode().removeprefix("\ufeff")
        except UnicodeDecodeError as error:
            raise CassetteError(f"{self.name}: not UTF-8 at byte {error.start}") from None

    @property
    def lined(self) -> bool:
        """Whether the name says that each line is a document of its own."""
        return self.name.lower().removesuffix(".gz").endswith((".jsonl", ".ndjson"))

    @cached_property
    def tree(self) -> Tree:
        """The one document of the file: JSON where it starts with a brace or bracket, else YAML."""
        if self.lined:
            return JsonTree(None, "lines")
        text = self.text()
        if self.name.lower().removesuffix(".gz").endswith(".toml"):
            return JsonTree(self._toml(text))
        if text.lstrip()[:1] in ("{", "["):
            return JsonTree(self._json(text))
        from llm_simulator.recorder.safe_yaml import tree

        return tree(text, self.name)

    def _toml(self, text: str) -> JSON:
        try:
            return tomllib.loads(text)
        except (ValueError, RecursionError) as error:  # TOMLDecodeError is a ValueError
            raise CassetteError(f"{self.name}: not valid TOML: {error}") from None

    def _json(self, text: str) -> JSON:
        try:
            return json.loads(text)
        except json.JSONDecodeError as error:
            where = f"line {error.lineno}, column {error.colno}"
            raise CassetteError(f"{self.name}: {where}: not valid JSON: {error.msg}") from None
        except RecursionError:
            raise CassetteError(f"{self.name}: JSON nested too deeply") from None
        except ValueError as error:  # a number of more than 4,300 digits
            raise CassetteError(f"{self.name}: not valid JSON: {error}") from None

    def _read(self, stream: BinaryIO, size: int, *, line: bool = False) -> bytes:
        try:
            return stream.readline(size) if line else stream.read(size)
        except (OSError, EOFError, zlib.error) as error:  # gzip.BadGzipFile is an OSError
            raise CassetteError(f"{self.name}: cannot be read: {error}") from None
