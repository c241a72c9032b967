"""Content codings (RFC 9110, 8.4.1) undone and applied: bytes in, bytes out, whole or piece by piece.

It stands this far down because redaction must see through an encoding before anything is stored.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from llm_simulator.errors import SimulatorError

if TYPE_CHECKING:
    from types import ModuleType

CODINGS = ("gzip", "x-gzip", "deflate", "br", "zstd")
"""The codings that we undo, besides identity."""

_GZIP = 16 + zlib.MAX_WBITS
_SLACK = 1 << 16  # between two codings: what an encoder may add to data that it cannot compress
_STEP = 1 << 20  # the most a single call of a decompressor may put out before the limit is looked at


class CodingError(SimulatorError, ValueError):
    """A body that is not what its content-encoding says, is too large decoded, or has a coding that we do not know."""


class _Stage(Protocol):
    def feed(self, data: bytes, room: int) -> bytes:
        """What `data` decodes to; at most `room` bytes and a little (the caller checks), `room` < 0: no limit."""
        ...

    def finish(self) -> None:
        """Raises CodingError where the stream ended early."""
        ...


def names(coding: str) -> tuple[str, ...]:
    """The codings of a content-encoding value in the order they were applied: `"gzip, br"` -> `("gzip", "br")`."""
    parts = (part.strip().lower() for part in coding.split(","))
    return tuple(part for part in parts if part not in ("", "identity", "none"))


def known(coding: str) -> bool:
    """Whether every coding of the value can be undone."""
    return all(name in CODINGS for name in names(coding))


class _Inflater(Protocol):
    """The part of zlib's decompression objects that we use."""

    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    @property
    def unconsumed_tail(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


class Decoder:
    """Undoes a content-encoding value piece by piece.

    `coding` is the header's value, a comma list in the order of application; identity and "" pass through.
    `limit` is the most bytes that may come out in total (None: any). Raises CodingError on an unknown coding at once,
    on corrupt data as soon as it shows, on a stream that ended early at `finish`, and on more than `limit` bytes.
    """

    def __init__(self, coding: str, limit: int | None = None) -> None:
        self._coding = coding
        self._limit = limit
        self._out = 0
        self._stages = [_stage(name, coding) for name in reversed(names(coding))]

    def feed(self, data: bytes) -> bytes:
        for stage in self._stages[:-1]:
            data = stage.feed(data, self._room(_SLACK))
            self._check(len(data) - _SLACK)
        if self._stages:
            data = self._stages[-1].feed(data, self._room(0))
        self._out += len(data)
        self._check(0)
        return data

    def finish(self) -> bytes:
        """The rest that was held back (none, for the codings of today), after checking that the stream is whole."""
        for stage in self._stages:
            stage.finish()
        return b""

    def _room(self, more: int) -> int:
        return -1 if self._limit is None else self._limit - self._out + more

    def _check(self, more: int) -> None:
        if self._limit is not None and self._out + more > self._limit:
            raise CodingError(f"content-encoding {self._coding!r}: more than {self._limit} bytes when decoded")


def decode(data: bytes, coding: str, limit: int | None = None) -> bytes:
    """`data` with a content-encoding value undone; an empty body is empty in every coding. Errors: see `Decoder`."""
    if not data or not names(coding):
        return data
    decoder = Decoder(coding, limit)
    return decoder.feed(data) + decoder.finish()


def encode(data: bytes, coding: str) -> bytes:
    """`data` with a content-encoding value applied, the same bytes every time."""
    for name in names(coding):
        data = _encoder(name, coding)(data)
    return data


def _unknown(name: str, coding: str) -> CodingError:
    return CodingError(
        f"content-encoding {coding!r}: unknown coding {name!r}, allowed are identity, {', '.join(CODINGS)}"
    )


def _stage(name: str, coding: str) -> _Stage:
    match name:
        case "gzip" | "x-gzip":
            return _Zlib(coding, _GZIP)
        case "deflate":
            return _Zlib(coding, 0)
        case "br":
            return _Brotli(coding)
        case "zstd":
            return _Zstd(coding)
        case _:
            raise _unknown(name, coding)


def _encoder(name: str, coding: str) -> Callable[[bytes], bytes]:
    match name:
        case "gzip" | "x-gzip":
            return _gzip
        case "deflate":
            return zlib.compress
        case "br":
            return _brotli().compress  # type: ignore[no-any-return]  # brotli has no types
        case "zstd":
            return _zstd().ZstdCompressor().compress  # type: ignore[no-any-return]  # loaded late, hence untyped
        case _:
            raise _unknown(name, coding)


def _gzip(data: bytes) -> bytes:
    press = zlib.compressobj(wbits=_GZIP)
    return press.compress(data) + press.flush()


class _Zlib:
    """gzip (several members too) or deflate: with a zlib header as RFC 9110 says, or raw as some servers send it."""

    def __init__(self, coding: str, bits: int) -> None:
        self._coding = coding
        self._bits = bits
        self._head = b""  # deflate only: the first two bytes tell zlib from raw
        self._inner = zlib.decompressobj(bits) if bits else None
        self._fed = False

    def feed(self, data: bytes, room: int) -> bytes:
        if self._inner is None:
            data = self._head + data
            if len(data) < 2:
                self._head = data
                return b""
            self._inner = zlib.decompressobj(_deflate_bits(data))
        return self._inflate(self._inner, data, room)

    def _inflate(self, inner: _Inflater, data: bytes, room: int) -> bytes:
        out: list[bytes] = []
        size = 0
        while data and (room < 0 or size <= room):
            if inner.eof:
                if self._bits != _GZIP or not data.strip(b"\0"):  # bytes behind the end: padding, as gzip(1) has it
                    break
                inner = self._inner = zlib.decompressobj(self._bits)
            piece = self._step(inner, data, 0 if room < 0 else _STEP)
            out.append(piece)
            size += len(piece)
            data = inner.unused_data if inner.eof else inner.unconsumed_tail
        return b"".join(out)

    def _step(self, inner: _Inflater, data: bytes, most: int) -> bytes:
        self._fed = True
        try:
            return inner.decompress(data, most)
        except zlib.error as error:
            raise CodingError(f"content-encoding {self._coding!r}: corrupt data ({error})") from error

    def finish(self) -> None:
        begun = self._fed and self._inner is not None and not self._inner.eof
        if begun or (self._head and not self._fed):
            raise CodingError(f"content-encoding {self._coding!r}: the data ends early")


def _deflate_bits(head: bytes) -> int:
    """RFC 1950, 2.2: a zlib header has method 8 and is a multiple of 31; else the data is raw deflate."""
    zlibbed = head[0] & 0x0F == 8 and (head[0] << 8 | head[1]) % 31 == 0
    return zlib.MAX_WBITS if zlibbed else -zlib.MAX_WBITS


class _Brotli:
    def __init__(self, coding: str) -> None:
        self._coding = coding
        self._module = _brotli()
        self._inner = self._module.Decompressor()
        self._fed = False

    def feed(self, data: bytes, room: int) -> bytes:
        if not data or (self._fed and self._inner.is_finished()):
            return b""
        self._fed = True
        try:
            out: bytes = self._inner.process(data) if room < 0 else self._bounded(data, room)
        except self._module.error as error:
            raise CodingError(f"content-encoding {self._coding!r}: corrupt data ({error})") from error
        return out

    def _bounded(self, data: bytes, room: int) -> bytes:
        out = [self._inner.process(data, output_buffer_limit=_STEP)]
        size = len(out[0])
        while size <= room and not self._inner.can_accept_more_data() and not self._inner.is_finished():
            out.append(self._inner.process(b"", output_buffer_limit=_STEP))
            size += len(out[-1])
        return b"".join(out)

    def finish(self) -> None:
        if self._fed and not self._inner.is_finished():
            raise CodingError(f"content-encoding {self._coding!r}: the data ends early")


class _Zstd:
    """Zstandard, several frames too; the decompressor's window is bounded to RFC 9659's 8 MiB."""

    def __init__(self, coding: str) -> None:
        self._coding = coding
        self._module = _zstd()
        self._inner = self._new()
        self._fed = False

    def _new(self) -> Any:  # loaded late, hence untyped
        return self._module.ZstdDecompressor(max_window_size=1 << 23).decompressobj()

    def feed(self, data: bytes, room: int) -> bytes:
        out: list[bytes] = []
        size = 0
        # The library has no bound on one call's output: small pieces keep the overshoot of a bomb small.
        for start in range(0, len(data), 4096 if room >= 0 else len(data) or 1):
            if 0 <= room < size:
                break
            out.append(self._frames(data[start : start + 4096] if room >= 0 else data))
            size += len(out[-1])
        return b"".join(out)

    def _frames(self, data: bytes) -> bytes:
        out = b""
        while data:
            if self._fed and self._inner.eof:
                self._inner = self._new()
            self._fed = True
            try:
                out += self._inner.decompress(data)
            except self._module.ZstdError as error:
                raise CodingError(f"content-encoding {self._coding!r}: corrupt data ({error})") from error
            data = self._inner.unused_data if self._inner.eof else b""
        return out

    def finish(self) -> None:
        if self._fed and not self._inner.eof:
            raise CodingError(f"content-encoding {self._coding!r}: the data ends early")


def _brotli() -> ModuleType:
    import brotli

    return brotli  # type: ignore[no-any-return]  # brotli has no types


def _zstd() -> ModuleType:
    import zstandard

    return zstandard
