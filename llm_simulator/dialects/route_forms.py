"""How routes are written down: short makers, the same below another path, and examples that several providers share."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from llm_simulator.dialects.base import Route
from llm_simulator.types import JSON

BOUNDARY = "llm-simulator-example"
FORM = f"multipart/form-data; boundary={BOUNDARY}"
HELLO: JSON = [{"role": "user", "content": "Hello!"}]


def get(path: str, operation: str, summary: str, **values: str) -> Route:
    return Route("GET", path, operation, summary, values=values)


def delete(path: str, operation: str, summary: str, **values: str) -> Route:
    return Route("DELETE", path, operation, summary, values=values)


def post(path: str, operation: str, summary: str, body: JSON = None, *, streams: bool = False) -> Route:
    return Route("POST", path, operation, summary, body, streams=streams)


def send(path: str, operation: str, summary: str, body: bytes) -> Route:
    """A POST of a form, as `form` makes it."""
    return Route("POST", path, operation, summary, body, media=FORM)


def below(base: str, routes: Iterable[Route], **values: str) -> tuple[Route, ...]:
    """The same below another base path, whose {names} `values` fill in for the examples."""
    return tuple(replace(route, path=base + route.path, values={**route.values, **values}) for route in routes)


def form(fields: dict[str, str], name: str, file: str, content: bytes, media: str) -> bytes:
    """A multipart body with some fields and one file (RFC 7578)."""
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'.encode()
        for key, value in fields.items()
    ]
    head = f'Content-Disposition: form-data; name="{name}"; filename="{file}"\r\nContent-Type: {media}\r\n\r\n'
    parts.append(f"--{BOUNDARY}\r\n{head}".encode() + content + f"\r\n--{BOUNDARY}--\r\n".encode())
    return b"".join(parts)
