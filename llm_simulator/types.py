"""The values that every room passes on: no behaviour beyond small derived properties, no I/O.

Units: every offset is monotonic nanoseconds (`*_ns`, int) or seconds (`due`, float) after the request was read.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import Any, TypeAlias

JSON: TypeAlias = Any
"""A value as `json.loads` returns it (dict, list, str, int, float, bool, None)."""

Headers = tuple[tuple[str, str], ...]
"""Header fields as on the wire: order, case and repeats kept; values are latin-1 text (RFC 9110, 5.5)."""


def header(headers: Headers, name: str, default: str = "") -> str:
    """The first value of `name` (given in lower case), or `default`."""
    for key, value in headers:
        if key.lower() == name:
            return value
    return default


class Mode(Enum):
    """What to do with a call that is, or is not, in the cassette (docs/architecture.md, Modes)."""

    REPLAY = "replay"  # recorded answer, else a miss; nothing leaves the machine
    AUTO = "auto"  # recorded answer, else the simulator
    SIMULATE = "simulate"  # always the simulator
    RECORD = "record"  # always upstream, recorded; replaces the key's recordings at its first call of the run
    RECORD_MISSING = "record-missing"  # recorded answer, else upstream, recorded
    VERIFY = "verify"  # upstream, compared with the recording; a miss where there is none
    PASSTHROUGH = "passthrough"  # upstream, not recorded

    @property
    def forwards(self) -> bool:
        """Whether this mode may contact an upstream."""
        return self in (Mode.RECORD, Mode.RECORD_MISSING, Mode.VERIFY, Mode.PASSTHROUGH)

    @property
    def looks_up(self) -> bool:
        """Whether the cassette is asked before deciding."""
        return self in (Mode.REPLAY, Mode.AUTO, Mode.RECORD_MISSING, Mode.VERIFY)

    @property
    def writes(self) -> bool:
        """Whether this mode adds to the cassette."""
        return self in (Mode.RECORD, Mode.RECORD_MISSING)


class Source(Enum):
    """Where an answer came from: the value of `x-llm-simulator-source`."""

    CASSETTE = "cassette"
    SIMULATOR = "simulator"
    RESPONSE = "response"
    FAULT = "fault"
    REFUSAL = "refusal"
    UPSTREAM = "upstream"
    MISS = "miss"


class Outcome(Enum):
    """How a recorded exchange ended."""

    COMPLETE = "complete"
    TRUNCATED = "truncated"  # the upstream closed or reset before the end of its body
    CLIENT_GONE = "client-gone"  # the client left first; what had arrived by then is kept
    UPSTREAM_FAILED = "upstream-failed"  # no response at all (unreachable, TLS failure, timeout)


class End(Enum):
    """How the body of an answer ends on the wire."""

    COMPLETE = "complete"
    RESET = "reset"  # TCP RST
    TRUNCATED = "truncated"  # close without the terminator or the promised length
    HANG = "hang"  # nothing more, connection left open
    SEVERED = "severed"  # close inside of an HTTP chunk: more was announced than came


@dataclass(frozen=True, slots=True)
class RawRequest:
    """One HTTP request as the client meant it for the provider (door prefixes removed).

    `host` is `name[:port]` in lower case, port only where it is not the scheme's default, and "" where the client came by
    a bare path. `path` is the raw (percent-encoded) path with its leading slash, `query` the raw query without "?".
    `body` holds the bytes as sent; a request content-encoding is undone by `dialects.read`, not here.
    """

    method: str
    path: str
    host: str = ""
    scheme: str = "https"
    query: str = ""
    headers: Headers = ()
    body: bytes = b""

    @property
    def target(self) -> str:
        return f"{self.path}?{self.query}" if self.query else self.path


@dataclass(frozen=True, slots=True)
class Call:
    """One provider API call, provider-neutral.

    `provider` is openai, anthropic, gemini, vertex, azure, cohere, mistral, groq, ... or "unknown"; `family` the wire format
    ("openai.chat", "anthropic.messages", "gemini.generate", "cohere.chat", "models", ... or "opaque": recorded and replayed,
    never simulated); `operation` is "chat", "models.list", "models.get", ... or "unknown".
    `body` is the parsed JSON (None where there is none or it does not parse: then `problem` says why and where).
    `semantic` holds the headers (lower-case name, value) that change the answer and so belong to the match key.
    """

    provider: str
    family: str
    operation: str
    raw: RawRequest
    model: str = ""
    stream: bool = False
    body: JSON = None
    problem: str = ""
    semantic: Headers = ()


@dataclass(frozen=True, slots=True)
class Chunk:
    """Bytes and the time they are due, in seconds after the request was read. Waiting is data."""

    due: float
    data: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """What replay, simulation, fault and pass-through all produce, and what the wire sends.

    `chunks` is known up front (iterable, may be lazy) or arrives from an upstream (async iterator). With a `content-length`
    header the body is sent by length, else in HTTP chunk frames, one per chunk. Hop-by-hop headers are the wire's.
    Status 0 is no response at all: the chunks are what goes over the connection, and then it ends. `speed` divides the
    waits of this answer in the place of the server's.
    """

    status: int
    headers: Headers
    chunks: Iterable[Chunk] | AsyncIterator[Chunk]
    end: End = End.COMPLETE
    reason: str = ""  # status phrase; "" is the standard one
    source: Source = Source.SIMULATOR
    head_due: float | None = None  # seconds; None: the head goes out with the first chunk
    speed: float | None = None
    kept: bool = False  # its chunks are the same object for every equal call


@dataclass(frozen=True, slots=True)
class Message:
    """One WebSocket message: who sent it ("client" or "server"), RFC 6455 opcode, payload, offset."""

    direction: str
    opcode: int
    data: bytes
    at_ns: int


@dataclass(frozen=True, slots=True)
class Exchange:
    """A recorded call with its answer. Redacted before it is made: no secret is ever in one.

    `chunks` are (offset ns, wire bytes) as they arrived, content-encoding kept; `headers` are the response headers without
    hop-by-hop ones. `marks` says what happened to it: "redacted", "decoded" (the stored body no longer has the encoding that
    the wire had), "imported", "text-only". `masked` lists JSON paths of the request body that were masked by value and are
    ignored when compared. `provenance` is free text by name (source, original headers, ...).
    """

    request: RawRequest
    provider: str
    family: str
    operation: str
    model: str
    stream: bool
    status: int
    headers: Headers
    chunks: tuple[tuple[int, bytes], ...]
    reason: str = ""
    outcome: Outcome = Outcome.COMPLETE
    session: str = ""
    recorded_at: str = ""  # RFC 3339, UTC; "" where unknown
    connect_ns: int = 0  # TCP + TLS set-up that came before the request was sent; not part of any chunk offset
    head_ns: int = 0  # when the response head had arrived; 0 where unknown
    recorder: str = ""
    matcher: int = 0
    marks: frozenset[str] = frozenset()
    masked: tuple[str, ...] = ()
    provenance: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    messages: tuple[Message, ...] = ()

    @property
    def body(self) -> bytes:
        """The whole response body as on the wire."""
        return b"".join(data for _, data in self.chunks)


class Finish(Enum):
    """Why a choice ended, provider-neutral."""

    STOP = "stop"
    LENGTH = "length"
    TOOL_CALLS = "tool_calls"
    CONTENT_FILTER = "content_filter"
    STOP_SEQUENCE = "stop_sequence"


@dataclass(frozen=True, slots=True)
class Text:
    """Visible text as the tokens it is streamed in; joined they are the text.

    `extra` holds what else a recorded block carried (citations, a thought signature), by the provider's own names.
    Without tokens it is a whole block of another kind (server tool use, executed code), kept as it stands.
    """

    tokens: tuple[str, ...]
    extra: JSON = field(default=None, hash=False)


@dataclass(frozen=True, slots=True)
class Reasoning:
    """Thinking text, token by token, with the provider's signature where it has one."""

    tokens: tuple[str, ...]
    signature: str = ""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call of a tool; `arguments` is JSON text as the pieces it is streamed in."""

    id: str
    name: str
    arguments: tuple[str, ...]
    extra: JSON = field(default=None, hash=False)  # what else a recorded call carried, by the provider's own names


Part = Text | Reasoning | ToolCall


@dataclass(frozen=True, slots=True)
class Choice:
    """One answer; `word` (the provider's finish word) and `extra` (its further fields) where read from a recording."""

    parts: tuple[Part, ...]
    finish: Finish
    stop_sequence: str = ""
    word: str = ""
    extra: JSON = field(default=None, hash=False)


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts. `completion` includes `reasoning`, `prompt` includes `cached`; `exact` is False for estimates.

    `raw` is the provider's own usage object where the counts were read from a recording: written back as it stands.
    """

    prompt: int
    completion: int
    cached: int = 0
    reasoning: int = 0
    exact: bool = True
    raw: JSON = field(default=None, hash=False)

    @property
    def total(self) -> int:
        return self.prompt + self.completion


@dataclass(frozen=True, slots=True)
class Completion:
    """What the engine generated (or what was read out of a recorded answer), before a dialect spells it.

    `id` and `seed` are the raw material of the ids that a provider shows: lower-case hex, at least 32 digits.
    `created` is in seconds since the epoch. `labelled`: its id and model are to tell that it was simulated (`ids.marked`).
    """

    id: str
    created: int
    model: str
    choices: tuple[Choice, ...]
    usage: Usage
    fingerprint: str = ""
    labelled: bool = False


@dataclass(frozen=True, slots=True)
class Frame:
    """A piece of a streamed body and the 0-based number of the completion token it is due with.

    What comes before the first token has token 0, what comes after the last one has the last token's number.
    """

    token: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that a dialect has spelled, before the latency model says when: status, headers, body or frames."""

    status: int
    headers: Headers
    body: bytes | Iterable[Frame]


@dataclass(frozen=True, slots=True)
class Condition:
    """A refusal or error by name, provider-neutral; a dialect spells it in its provider's envelope.

    `name` is one of the catalogue's (`dialects/conditions.py`: "openai.rate_limit_requests", or the part after the dot),
    whose status, headers and body are then sent exactly, or one of ours ("cassette_miss", "not_simulated", ...).
    `message`, `param`, `code` and `type` stand in for the catalogue's own where they are given; `values` fill its
    placeholders, by name, where the request itself does not tell them, and `details` stands where the provider has
    structured ones. `extra` is shown inside the error object under our own key, e.g. the miss report. `retry` is the advice
    in `x-should-retry` (None: none given).
    """

    name: str
    status: int
    message: str
    param: str | None = None
    code: str | None = None
    type: str = ""
    retry: bool | None = None
    retry_after: float | None = None
    extra: JSON = None
    headers: Headers = ()
    values: tuple[tuple[str, str], ...] = ()
    details: JSON = None
