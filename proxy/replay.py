"""From a recorded exchange to the answer that replays it. Pure: the result is cached and sent many times.

Sent: the recorded status, all end-to-end headers except redacted ones, the wire bytes in the recorded chunks at the
recorded offsets. What had to be changed for this client is named in `x-llm-simulator-adapted`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from llm_simulator.proxy.framing import HOP_BY_HOP
from llm_simulator.redact import MASKED
from llm_simulator.redact.coding import Decoder
from llm_simulator.types import Answer, Chunk, End, Exchange, Headers, Outcome, Source, header

_ENDS: Mapping[Outcome, End] = {
    Outcome.COMPLETE: End.COMPLETE,
    Outcome.TRUNCATED: End.TRUNCATED,
    Outcome.CLIENT_GONE: End.TRUNCATED,
    Outcome.UPSTREAM_FAILED: End.TRUNCATED,
}
_SENT_ANEW = frozenset({"content-encoding", "content-length"})


@dataclass(frozen=True, slots=True)
class Replayed:
    """An answer, and the times of the recording in seconds (before `--speed` divides them)."""

    answer: Answer
    ttft: float
    total: float
    size: int


def replay(exchange: Exchange, accepted: str, *, speed: float = 1.0) -> Replayed:
    """The answer for a client with this `accept-encoding` ("" where it sent none: identity only, RFC 9110, 12.5.3).

    Raises:
        CodingError: the recorded bytes are not of their own content-encoding and the client needs them decoded.
    """
    headers = replayable(exchange.headers)
    chunks = tuple(Chunk(at / 1e9, data) for at, data in exchange.chunks)
    coding = header(headers, "content-encoding")
    adapted: list[str] = []
    if coding and not accepts(accepted, coding):
        chunks = tuple(_decoded(chunks, coding))
        headers = tuple((name, value) for name, value in headers if name.lower() not in _SENT_ANEW)
        adapted.append("encoding")
    if "text-only" in exchange.marks:
        adapted.append("text-only")
    if exchange.status >= 400:  # some providers send retry-after with a 200, where nobody waits
        headers = _hurried(headers, speed)
    if not chunks and not header(headers, "content-length"):
        headers = (*headers, ("content-length", "0"))
    if adapted:
        headers = (*headers, ("x-llm-simulator-adapted", ", ".join(adapted)))
    first, last = (chunks[0].due, chunks[-1].due) if chunks else (exchange.head_ns / 1e9,) * 2
    answer = Answer(
        status=exchange.status,
        headers=headers,
        chunks=chunks,
        end=_ENDS[exchange.outcome],
        reason=exchange.reason,
        source=Source.CASSETTE,
        head_due=exchange.head_ns / 1e9 if exchange.stream and exchange.head_ns else None,
    )
    return Replayed(answer, first, last, sum(len(chunk.data) for chunk in chunks))


def replayable(headers: Headers) -> Headers:
    """The end-to-end headers without redacted values: a placeholder would pass for what the provider sent."""
    return tuple(
        (name, _one_line(value))
        for name, value in headers
        if name.lower() not in HOP_BY_HOP and ("REDACTED" not in value.upper() or not MASKED.search(value))
    )


def _one_line(value: str) -> str:
    """A cassette is edited by hand: a line break in a value must not become a header of its own."""
    return value if value.isprintable() else "".join(c if c.isprintable() or c == "\t" else " " for c in value)


def accepts(accept_encoding: str, coding: str) -> bool:
    """Whether the client takes each of the (comma separated) codings: RFC 9110, 12.5.3."""
    offered: dict[str, bool] = {}
    for item in accept_encoding.lower().split(","):
        name, _, parameters = item.strip().partition(";")
        offered[name.strip()] = parameters.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    wanted = [name.strip().removeprefix("x-") for name in coding.lower().split(",")]
    return all(offered.get(name, offered.get("*", False)) for name in wanted if name != "identity")


def _decoded(chunks: Iterable[Chunk], coding: str) -> Iterator[Chunk]:
    """Each chunk as what can be decoded once it has arrived; the offsets stay."""
    decoder = Decoder(coding)
    due = 0.0
    for chunk in chunks:
        due = chunk.due
        if data := decoder.feed(chunk.data):
            yield Chunk(due, data)
    if rest := decoder.finish():
        yield Chunk(due, rest)


def _hurried(headers: Headers, speed: float) -> Headers:
    """`--speed` divides what a client is told to wait, too; the original stands beside it."""
    if speed == 1.0:
        return headers
    made: list[tuple[str, str]] = []
    for name, value in headers:
        if name.lower() in ("retry-after", "retry-after-ms") and value.strip().isdecimal():
            made += [(name, _divided(value, speed)), (f"x-llm-simulator-{name.lower()}", value)]
        else:
            made.append((name, value))
    return tuple(made)


def _divided(value: str, speed: float) -> str:
    """Seconds with at most three decimals: the SDKs read them as a float."""
    return "0" if speed == 0 else f"{int(value) / speed:.3f}".rstrip("0").rstrip(".")
