"""Answers in the making: what they say of themselves, what is due at once."""

from __future__ import annotations

from dataclasses import replace

from llm_simulator.types import Answer, Chunk, Headers, Reply, Source


def own_headers(source: Source, scenario: str, *more: tuple[str, str]) -> Headers:
    """What every answer says of itself."""
    return (("x-llm-simulator-source", source.value), ("x-llm-simulator-scenario", scenario), *more)


def with_headers(answer: Answer, more: Headers) -> Answer:
    """The answer with further headers at the end."""
    return Answer(
        answer.status, answer.headers + more, answer.chunks, answer.end, answer.reason, answer.source, answer.head_due
    )


def relabel(answer: Answer, source: Source) -> Answer:
    """The answer as one that came from elsewhere."""
    headers = tuple((n, source.value if n == "x-llm-simulator-source" else v) for n, v in answer.headers)
    return replace(answer, headers=headers, source=source)


def immediate(reply: Reply, more: Headers, source: Source) -> Answer:
    """A reply that is due at once; a stream stays one, without a length."""
    headers = tuple(item for item in reply.headers if item[0].lower() != "content-length")
    if not isinstance(reply.body, bytes):
        frames = tuple(Chunk(0.0, frame.data) for frame in reply.body)
        return Answer(reply.status, (*headers, *more), frames, source=source)
    chunks = (Chunk(0.0, reply.body),) if reply.body else ()
    length = ("content-length", str(len(reply.body)))
    return Answer(reply.status, (*headers, length, *more), chunks, source=source)
