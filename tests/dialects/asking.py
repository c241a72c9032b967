"""What tests of dialects do over and over: read a request, look into a reply, make a completion."""

from __future__ import annotations

import json

from llm_simulator.dialects.base import Dialect
from llm_simulator.types import JSON, Call, Choice, Completion, Finish, Frame, Headers, Part, RawRequest, Reply, Usage

ID = "ab" * 16
CREATED = 1_780_000_000


def read(
    dialect: Dialect, path: str, body: JSON = None, method: str = "POST", query: str = "", headers: Headers = ()
) -> Call:
    """The call in a request that is `dialect`'s; the body as JSON, bytes as they are, None for none."""
    data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    call = dialect.read(RawRequest(method, path, query=query, headers=headers, body=data), dialect.provider)
    assert call
    return call


def completed(*parts: Part, model: str, finish: Finish = Finish.STOP, stop: str = "", usage: Usage) -> Completion:
    return Completion(ID, CREATED, model, (Choice(parts, finish, stop),), usage)


def data(reply: Reply) -> bytes:
    """A body that came whole."""
    assert isinstance(reply.body, bytes)
    return reply.body


def frames(reply: Reply) -> list[Frame]:
    """A body that is streamed."""
    assert not isinstance(reply.body, bytes)
    return list(reply.body)


def joined(reply: Reply) -> bytes:
    """All bytes of a body, streamed or not."""
    return reply.body if isinstance(reply.body, bytes) else b"".join(frame.data for frame in reply.body)


def events(reply: Reply) -> list[JSON]:
    """The JSON of each event of a stream."""
    return [json.loads(line[6:]) for line in joined(reply).decode().splitlines() if line.startswith("data: {")]
