"""Requests of OpenAI's endpoints beside chat, without a socket: JSON, queries and forms."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from llm_simulator import dialects
from llm_simulator.dialects.base import Desk
from llm_simulator.types import JSON, Call, RawRequest, Reply

BOUNDARY = "3f7c"
Field = tuple[str, str]
File = tuple[str, str, bytes]
"""A field's name, the file's name, what it holds."""


def asked(path: str, body: JSON = None, *, host: str = "api.openai.com", method: str = "") -> Call:
    """A call with a JSON body, or without one (then it is a GET)."""
    bare, _, query = path.partition("?")
    data = b"" if body is None else json.dumps(body).encode()
    headers = (("content-type", "application/json"),) if data else ()
    return dialects.read(
        RawRequest(method or ("POST" if data else "GET"), bare, host, query=query, headers=headers, body=data)
    )


def sent(path: str, fields: Iterable[Field] = (), files: Iterable[File] = (), host: str = "api.openai.com") -> Call:
    """A call whose body is a form (RFC 7578)."""
    parts = [(f'name="{name}"', value.encode()) for name, value in fields]
    parts += [(f'name="{name}"; filename="{file}"', content) for name, file, content in files]
    body = b"".join(
        f"--{BOUNDARY}\r\nContent-Disposition: form-data; {head}\r\n\r\n".encode() + content + b"\r\n"
        for head, content in parts
    )
    kind = (("content-type", f"multipart/form-data; boundary={BOUNDARY}"),)
    return dialects.read(RawRequest("POST", path, host, headers=kind, body=body + f"--{BOUNDARY}--\r\n".encode()))


def reply(call: Call, at: Desk) -> Reply:
    """The answer, a refusal too."""
    dialect = dialects.of(call)
    wrong = dialect.check(call)
    return dialect.refuse(wrong, call) if wrong else dialect.respond(call, at)


def whole(call: Call, at: Desk) -> bytes:
    """The body of the answer."""
    body = reply(call, at).body
    return body if isinstance(body, bytes) else b"".join(frame.data for frame in body)


def answer(call: Call, at: Desk) -> JSON:
    """The JSON of an answer that is no error."""
    found = reply(call, at)
    assert found.status == 200, found.body
    assert isinstance(found.body, bytes)
    return json.loads(found.body)


def message(call: Call) -> tuple[int, str]:
    """Status and words of what `check` refuses."""
    wrong = dialects.of(call).check(call)
    assert wrong
    return wrong.status, wrong.message


def data_of(body: bytes) -> Sequence[JSON]:
    """The JSON of each event of a stream."""
    lines = body.decode().split("\n")
    return [json.loads(line[6:]) for line in lines if line.startswith("data: {")]
