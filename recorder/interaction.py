"""One foreign recording as plain values, and what to say where a field of it cannot be read. No I/O, no YAML.

An importer yields `Imported` or `Problem`, one per interaction: a bad one never loses the file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from llm_simulator.types import JSON, Headers, RawRequest


class FieldError(ValueError):
    """A field of one interaction is not what its format allows; `got` never quotes more than a few characters."""

    def __init__(self, field: str, got: str, allowed: str) -> None:
        super().__init__(f"{field}: got {got}, allowed is {allowed}")
        self.field = field
        self.got = got
        self.allowed = allowed


@dataclass(frozen=True, slots=True)
class Problem:
    """What could not be imported: `where` is "interaction 3, line 120", "line 7", or "" for the whole file."""

    where: str
    field: str
    got: str
    allowed: str

    def __str__(self) -> str:
        parts = (self.where, self.field, f"got {self.got}, allowed is {self.allowed}")
        return ": ".join(part for part in parts if part)


@dataclass(frozen=True, slots=True)
class Body:
    """A stored body. `plain`: its content-encoding is undone for certain (text always is), whatever a header says."""

    data: bytes = b""
    plain: bool = False
    rebuilt: bool = False  # the recorder kept parsed JSON: white space and number spelling are ours


@dataclass(frozen=True, slots=True)
class Imported:
    """One interaction as its file has it: all headers as stored, nothing redacted yet.

    `request.body` is `sent.data`; `session` "" means: the name of the file. `provenance` says what else the file knew.
    """

    where: str
    request: RawRequest
    sent: Body
    status: int
    headers: Headers
    body: Body
    reason: str = ""
    session: str = ""
    recorded_at: str = ""  # RFC 3339, UTC
    connect_ns: int = 0
    head_ns: int = 0
    done_ns: int = 0  # when the whole body had arrived; 0 where the file has no times
    provenance: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


Read = Imported | Problem


def each(items: Iterable[tuple[str, Callable[[], JSON]]], build: Callable[[JSON, str], Imported]) -> Iterator[Read]:
    """Builds every element of a document's list: `items` gives its line and how to get it."""
    for number, (line, get) in enumerate(items, 1):
        where = ", ".join(part for part in (f"interaction {number}", line) if part)
        yield attempt(where, get, build)


def attempt(where: str, get: Callable[[], JSON], build: Callable[[JSON, str], Imported]) -> Read:
    """What `build` makes of what `get` gives, or the problem that either ran into."""
    try:
        return build(get(), where)
    except FieldError as error:
        return Problem(where, error.field, error.got, error.allowed)
    except RecursionError:
        return Problem(where, "", "values nested too deeply", "at most some hundred levels")


def shown(value: JSON) -> str:
    """A value as a message quotes it: its kind, and a little of it where it is small."""
    match value:
        case None:
            return "nothing"
        case bool() | int() | float():
            return str(value)[:40]
        case str():
            return repr(value) if len(value) <= 40 else f"{value[:40]!r}... ({len(value)} characters)"
        case bytes():
            return f"{len(value)} bytes of binary"
        case list() | tuple():
            return f"a list of {len(value)}"
        case Mapping():
            keys = ", ".join(str(key)[:20] for key in list(value)[:5])
            return f"a mapping of {keys}" if keys else "an empty mapping"
        case _:
            return type(value).__name__
