"""A recorded answer in the other form: a stream asked for where a whole body was recorded, or the reverse."""

from __future__ import annotations

from llm_simulator.dialects.base import Dialect
from llm_simulator.errors import CassetteError
from llm_simulator.proxy.replay import Replayed
from llm_simulator.redact.coding import CodingError, decode
from llm_simulator.types import Answer, Call, Chunk, Completion, Exchange, Source, Usage, header

_STREAM_SHARE = 0.2
"""Of a recorded whole answer's time, the share that passes before its first token when it is streamed: no token times
were recorded, so the rest is spread evenly over the tokens."""


def convert(exchange: Exchange, call: Call, dialect: Dialect, *, speed: float) -> Replayed:
    """The recorded completion spelled as `call` asked for it.

    Raises:
        CassetteError: the recorded body cannot be read as a completion.
    """
    body = plain_body(exchange)
    recorded_call = _as_recorded(exchange, call)
    completion = dialect.parse(exchange.status, exchange.headers, body, recorded_call)
    if completion is None:
        raise CassetteError(
            f"the recording of {exchange.request.path} is no completion that could be "
            f"{'streamed' if call.stream else 'read out of its stream'}; record it in this form too"
        )
    reply = dialect.write(completion, call)
    total = exchange.chunks[-1][0] / 1e9 if exchange.chunks else 0.0
    if isinstance(reply.body, bytes):
        chunks: tuple[Chunk, ...] = (Chunk(total, reply.body),)
        headers = (*_without_length(reply.headers), ("content-length", str(len(reply.body))))
        adapted = "body"
    else:
        frames = tuple(reply.body)
        last = max((frame.token for frame in frames), default=0)
        first, step = total * _STREAM_SHARE, total * (1 - _STREAM_SHARE) / max(last, 1)
        chunks = tuple(Chunk(first + step * frame.token, frame.data) for frame in frames)
        headers = _without_length(reply.headers)
        adapted = "stream"
    answer = Answer(reply.status, (*headers, ("x-llm-simulator-adapted", adapted)), chunks, source=Source.CASSETTE)
    return Replayed(answer, chunks[0].due, chunks[-1].due, sum(len(chunk.data) for chunk in chunks))


def plain_body(exchange: Exchange) -> bytes:
    """The body with its content-encoding undone."""
    return decode(exchange.body, header(exchange.headers, "content-encoding"))


def recorded_usage(exchange: Exchange, dialect: Dialect, call: Call) -> Usage | None:
    """The provider's own token counts in a recorded answer, where it gave them and the body is what it says it is."""
    try:
        body = plain_body(exchange)
    except CodingError:
        return None
    return dialect.usage(exchange.status, exchange.headers, body, _as_recorded(exchange, call))


def recorded_completion(exchange: Exchange, dialect: Dialect, call: Call) -> Completion | None:
    """What a recorded answer says, where it can be read."""
    try:
        body = plain_body(exchange)
    except CodingError:
        return None
    return dialect.parse(exchange.status, exchange.headers, body, _as_recorded(exchange, call))


def _as_recorded(exchange: Exchange, call: Call) -> Call:
    return Call(
        provider=exchange.provider,
        family=exchange.family,
        operation=exchange.operation,
        raw=exchange.request,
        model=exchange.model,
        stream=exchange.stream,
        body=call.body,
    )


def _without_length(headers: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    return tuple(item for item in headers if item[0].lower() != "content-length")
